//! What happens beside a look: who waits for it, who joins it, and who has stored something meanwhile.

mod common;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use common::*;
use pinfold_core::client::{Method, Request};
use pinfold_core::update::{PinSetUpdater, PinSetUpdaterBuilder, Refreshed, UpdateEvent};
use pinfold_core::{Client, Roots};
use pinfold_testkit::{Owner, Testkit};
use serde_json::{Value, json};

fn publish(kit: &Testkit, path: &str, version: u64, name: &str) {
    let payload = Owner::payload(kit.pki(), version, &[name]);
    kit.server("rsa").publish(path, kit.owner().bundle(&payload));
}

/// An updater that begins with `payload` and looks at `path`.
fn builder(kit: &Testkit, payload: &Value, path: &str) -> PinSetUpdaterBuilder {
    let mut embedded = kit.owner().embedded(payload);
    embedded["update_urls"] = json!([format!("https://www.example.test{path}")]);
    PinSetUpdater::builder(embedded.to_string().as_bytes())
        .roots(Roots::Only(vec![kit.pki().certificate("root").to_vec()]))
        .connect_to("www.example.test", 443, kit.server("rsa").addr())
}

fn version(updater: &PinSetUpdater) -> u64 {
    updater.status().order.pinset
}

fn client_of(kit: &Testkit, updater: &PinSetUpdater, server: &str) -> Client {
    Client::builder_with(updater)
        .roots(Roots::Only(vec![kit.pki().certificate("root").to_vec()]))
        .connect_to(HOST, 443, kit.server(server).addr())
        .build()
        .expect("good settings")
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("looks").join(name);
    let _not_there = std::fs::remove_dir_all(&folder);
    folder
}

/// Says that the look has brought something newer, and holds it there until its sender is gone.
fn holding() -> (mpsc::Receiver<()>, mpsc::Sender<()>, impl Fn(&UpdateEvent) + Send + Sync) {
    let (begun, is_held) = mpsc::channel();
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let hold = move |event: &UpdateEvent| {
        if matches!(event, UpdateEvent::Updated { .. }) {
            let _nobody_listens = begun.send(());
            let _released = held.lock().expect("one").recv();
        }
    };
    (is_held, release, hold)
}

#[test]
fn a_refused_request_heals_as_soon_as_what_came_would_accept_it_not_once_the_look_has_ended() {
    let kit = kit();
    publish(&kit, "/bundle.json", 2, "rotated");
    let (is_held, release, hold) = holding();
    let payload = Owner::payload(kit.pki(), 1, &["backend"]);
    let updater = builder(&kit, &payload, "/bundle.json").listener(hold).build().expect("good");
    let request = Request::new(Method::Get, &url("/")).expect("GET");
    let request = request.timeout(Duration::from_secs(4)).expect("a good time");
    let response = client_of(&kit, &updater, "rotated").send(&request).expect("healed");
    assert_eq!(response.status(), 200);
    is_held.recv().expect("the look, which is still held");
    drop(release);
}

#[test]
fn whoever_looks_because_it_is_time_joins_the_look_under_way() {
    let kit = kit();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let (begun, is_begun) = mpsc::channel();
    let (release, held) = mpsc::channel::<()>();
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = looks.clone();
    // Takes what connects, and closes it: the first once it is told to.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            let _nobody_listens = begun.send(());
            let _released = held.recv();
            drop(stream);
        }
    });
    let mut embedded = kit.owner().embedded(&Owner::payload(kit.pki(), 1, &["backend"]));
    embedded["update_urls"] = json!(["https://mirror.example.test/bundle.json"]);
    let updater = PinSetUpdater::builder(embedded.to_string().as_bytes())
        .connect_to("mirror.example.test", 443, address)
        .build()
        .expect("good");
    std::thread::scope(|scope| {
        let first = scope.spawn(|| updater.refresh_if_due());
        is_begun.recv().expect("a look");
        let (done, joined) = mpsc::channel();
        let updater = &updater;
        scope.spawn(move || done.send(updater.refresh_if_due()));
        let early = joined.recv_timeout(Duration::from_millis(200));
        assert!(early.is_err(), "it waits for the look under way: {early:?}");
        drop(release);
        let first = first.join().expect("no panic");
        assert!(first.is_err(), "{first:?}");
        assert_eq!(joined.recv().expect("a result"), first);
    });
    assert_eq!(looks.load(Ordering::SeqCst), 1);
}

#[test]
fn what_another_process_has_stored_during_a_look_is_taken_over_where_it_is_newer() {
    let kit = kit();
    publish(&kit, "/a", 2, "backend");
    publish(&kit, "/b", 3, "backend");
    let folder = folder("newer");
    let payload = Owner::payload(kit.pki(), 1, &["backend"]);
    let other = builder(&kit, &payload, "/b").directory(folder.clone()).build().expect("good");
    let looks = Arc::new(other);
    let listener = move |event: &UpdateEvent| {
        if matches!(event, UpdateEvent::Updated { order } if order.pinset == 2) {
            assert_eq!(looks.refresh(), Ok(Refreshed::Updated));
        }
    };
    let this = builder(&kit, &payload, "/a").directory(folder).listener(listener);
    let this = this.build().expect("good");
    assert_eq!(this.refresh(), Ok(Refreshed::Updated));
    assert_eq!(version(&this), 3);
}

#[test]
fn a_pin_set_that_cannot_be_stored_is_in_force_and_the_failure_is_told() {
    let kit = kit();
    let folder = folder("file").join("store");
    let told = Arc::new(Mutex::new(Vec::new()));
    let list = told.clone();
    let payload = Owner::payload(kit.pki(), 1, &["backend"]);
    let updater = builder(&kit, &payload, "/bundle.json")
        .directory(folder.clone())
        .listener(move |event| list.lock().expect("a list").push(event.clone()))
        .build()
        .expect("good");
    std::fs::remove_dir_all(&folder).expect("the store's");
    std::fs::write(&folder, b"a file where the folder was").expect("written");
    publish(&kit, "/bundle.json", 2, "backend");
    assert_eq!(updater.refresh(), Ok(Refreshed::Updated));
    assert_eq!(version(&updater), 2);
    let told = told.lock().expect("a list").clone();
    let failed = |event: &&UpdateEvent| matches!(event, UpdateEvent::Store { .. });
    assert_eq!(told.iter().filter(failed).count(), 1, "{told:?}");
}

#[test]
fn a_host_that_lapses_in_a_newer_pin_set_too_is_told_again() {
    let kit = kit();
    let payload = |version| {
        let mut payload = Owner::payload(kit.pki(), version, &["backend"]);
        payload["issued"] = json!(Owner::time(-9));
        payload["hosts"][0]["expires"] = json!(Owner::time(-1));
        payload["grace_days"] = json!(0);
        payload
    };
    let told = Arc::new(Mutex::new(Vec::new()));
    let list = told.clone();
    let updater = builder(&kit, &payload(1), "/bundle.json")
        .listener(move |event| list.lock().expect("a list").push(event.clone()))
        .build()
        .expect("good");
    let client = client_of(&kit, &updater, "backend");
    for version in [2, 3] {
        kit.server("rsa").publish("/bundle.json", kit.owner().bundle(&payload(version)));
        let _there_or_there_already = updater.refresh();
        for _ in 0..2 {
            client.get(&url("/")).expect("trusted since it has lapsed");
        }
    }
    let told = told.lock().expect("a list").clone();
    let lapsed = |event: &&UpdateEvent| matches!(event, UpdateEvent::Lapsed { host: Some(_) });
    assert_eq!(told.iter().filter(lapsed).count(), 2, "{told:?}");
}
