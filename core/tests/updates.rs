//! Signed pin sets over the air: rotation, replay, freeze, single flight, and what outlives a start.

mod common;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::*;
use pinfold_core::pin::{HostName, Mode};
use pinfold_core::update::{
    PinSetUpdater, PinSetUpdaterBuilder, Refreshed, UpdateError, UpdateEvent,
};
use pinfold_core::{CancelToken, Client, Clock, Error, Method, Request, Roots};
use pinfold_testkit::{Event, Owner, Testkit};
use serde_json::{Value, json};

const UPDATES: &str = "www.example.test";

/// What an app is built with that pins one key.
fn embedded(kit: &Testkit, version: u64, name: &str) -> Value {
    kit.owner().embedded(&Owner::payload(kit.pki(), version, &[name]))
}

/// What a server offers that pins one key.
fn bundle(kit: &Testkit, version: u64, name: &str) -> Vec<u8> {
    kit.owner().bundle(&Owner::payload(kit.pki(), version, &[name]))
}

fn publish(kit: &Testkit, bundle: Vec<u8>) {
    kit.server("rsa").publish("/bundle.json", bundle);
}

/// The update servers are those of another name; certificates of the testkit are for several.
fn builder(kit: &Testkit, embedded: &Value) -> PinSetUpdaterBuilder {
    let root = kit.pki().certificate("root").to_vec();
    let mut builder =
        PinSetUpdater::builder(embedded.to_string().as_bytes()).roots(Roots::Only(vec![root]));
    for host in ["www.example.test", "other.example.test"] {
        builder = builder.connect_to(host, 443, kit.server("rsa").addr());
    }
    builder
}

fn updater(kit: &Testkit, embedded: &Value, directory: Option<PathBuf>) -> PinSetUpdater {
    let mut builder = builder(kit, embedded);
    if let Some(directory) = directory {
        builder = builder.directory(directory);
    }
    builder.build().expect("a good updater")
}

type Events = Arc<Mutex<Vec<UpdateEvent>>>;

/// An updater, and what it tells.
fn listening(kit: &Testkit, embedded: &Value) -> (Events, PinSetUpdater) {
    let events = Events::default();
    let list = events.clone();
    let builder = builder(kit, embedded)
        .listener(move |event| list.lock().expect("a list").push(event.clone()));
    (events, builder.build().expect("a good updater"))
}

fn client_of(kit: &Testkit, updater: &PinSetUpdater, server: &str) -> Client {
    let root = kit.pki().certificate("root").to_vec();
    Client::builder_with(updater)
        .roots(Roots::Only(vec![root]))
        .connect_to(HOST, 443, kit.server(server).addr())
        .build()
        .expect("good settings")
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _not_there = std::fs::remove_dir_all(&folder);
    folder
}

fn fetches(kit: &Testkit) -> usize {
    requests(kit.server("rsa"))
}

#[test]
fn a_rotated_key_heals_within_one_request_of_any_method() {
    let kit = kit();
    let updater = updater(&kit, &embedded(&kit, 1, "backend"), None);
    let backend = kit.server("backend");
    let old = client_of(&kit, &updater, "backend");
    old.get(&url("/")).expect("pinned");

    publish(&kit, bundle(&kit, 2, "rotated"));
    backend.present("rotated");
    backend.drop_connections();
    let request = Request::new(Method::Post, &url("/echo")).and_then(|r| r.body("once".into()));
    // One that has no session to resume.
    let new = client_of(&kit, &updater, "backend");
    let response = new.send(&request.expect("a request")).expect("healed");
    assert_eq!(response.matched_pin().expect("a match").pin.to_string(), kit.pki().pin("rotated"));
    assert_eq!(updater.status().order.pinset, 2);
    let posts = |e: &&Event| matches!(e, Event::Request { method, .. } if method == "POST");
    assert_eq!(backend.events().iter().filter(posts).count(), 1, "the body went out once");
    // What was withdrawn is dead, although the server still honours its TLS tickets.
    backend.present("backend");
    backend.drop_connections();
    assert_eq!(old.get(&url("/")).expect_err("withdrawn").code(), "pin_mismatch");
}

#[test]
fn an_explanation_looks_for_a_newer_pin_set_as_a_request_does() {
    let kit = kit();
    let client = client_of(&kit, &updater(&kit, &embedded(&kit, 1, "backend"), None), "rotated");
    let chain = ["rotated", "intermediate"].map(|it| kit.pki().certificate(it).to_vec());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("after 1970").as_secs();
    // What a trusted certificate without a pin looks for: a stranger's is no reason.
    let stranger = [kit.pki().certificate("impostor").to_vec()];
    assert!(client.explain(HOST, &stranger, now).expect("a host").error.is_some());
    assert_eq!(fetches(&kit), 0);

    publish(&kit, bundle(&kit, 2, "rotated"));
    let told = client.explain(HOST, &chain, now).expect("a host");
    assert_eq!((told.error, fetches(&kit)), (None, 1));
}

#[test]
fn a_thousand_mismatches_at_once_make_one_fetch() {
    let kit = kit();
    // With a store: a disk takes its time.
    let updater = updater(&kit, &embedded(&kit, 1, "backend"), Some(folder("thousand")));
    publish(&kit, bundle(&kit, 2, "rotated"));
    updater.refresh().expect("fetched");
    kit.server("rsa").clear();
    publish(&kit, bundle(&kit, 3, "deep"));
    let client = client_of(&kit, &updater, "deep");
    let healed = std::thread::scope(|scope| {
        let calls = (0..1_000).map(|_| scope.spawn(|| client.get(&url("/")).map(|r| r.status())));
        calls
            .collect::<Vec<_>>()
            .into_iter()
            .map(|call| call.join().expect("no panic"))
            .collect::<Vec<_>>()
    });
    let failed = healed.iter().filter(|result| result.is_err()).collect::<Vec<_>>();
    assert!(failed.is_empty(), "{} failed: {:?}", failed.len(), failed[0]);
    // One look, at both mirrors; the second may be asked when the first has healed every request.
    let both = |events: &[Event]| {
        events.iter().filter(|e| matches!(e, Event::Request { .. })).count() >= 2
    };
    kit.server("rsa").wait_for(both, Duration::from_secs(10)).expect("both mirrors are asked");
    assert_eq!(fetches(&kit), 2);
    // Whoever is in the middle causes no more than one in a minute.
    let attacked = client_of(&kit, &updater, "rotated");
    for _ in 0..3 {
        assert_eq!(attacked.get(&url("/")).expect_err("not pinned").code(), "pin_mismatch");
    }
    assert_eq!(fetches(&kit), 2);
}

#[test]
fn old_forged_and_other_documents_change_nothing_and_are_told() {
    let kit = kit();
    let (events, updater) = listening(&kit, &embedded(&kit, 5, "backend"));
    for (bundle, code) in [
        (bundle(&kit, 4, "rotated"), "rollback"),
        (bundle(&kit, 5, "rotated"), "equivocation"),
        (Owner::new().bundle(&Owner::payload(kit.pki(), 6, &["rotated"])), "threshold"),
        (b"<html>log in first</html>".to_vec(), "malformed"),
    ] {
        publish(&kit, bundle);
        let error = updater.refresh().expect_err(code);
        assert_eq!(error.code(), code);
        assert_eq!(updater.status().last_error, Some(error.clone()));
        let told = std::mem::take(&mut *events.lock().expect("a list"));
        let UpdateError::Rejected(rejection) = error else { panic!("{error}") };
        // Both mirrors were asked.
        assert_eq!(told.len(), 2, "{told:?}");
        let is_told = |event: &UpdateEvent| match event {
            UpdateEvent::StaleMirror { .. } => code == "rollback",
            UpdateEvent::Equivocation { .. } => code == "equivocation",
            UpdateEvent::Rejected { url: Some(_), rejection: r } => *r == rejection,
            _ => false,
        };
        assert!(told.iter().all(is_told), "{told:?}");
        assert_eq!(updater.status().order.pinset, 5);
    }
    publish(&kit, bundle(&kit, 6, "rotated"));
    assert_eq!(updater.refresh(), Ok(Refreshed::Updated));
    assert_eq!(updater.refresh(), Ok(Refreshed::Unchanged), "304");
    assert_eq!(updater.status().last_error, None);
    assert_eq!(events.lock().expect("a list").len(), 1);
}

#[test]
fn what_was_fetched_outlives_the_process_and_the_app_wins_when_it_is_newer() {
    let kit = kit();
    let folder = folder("outlives");
    let first = embedded(&kit, 1, "backend");
    let updater_1 = updater(&kit, &first, Some(folder.clone()));
    publish(&kit, bundle(&kit, 4, "rotated"));
    assert_eq!(updater_1.refresh(), Ok(Refreshed::Updated));
    drop(updater_1);

    assert_eq!(updater(&kit, &first, Some(folder.clone())).status().order.pinset, 4);
    let told_by = |embedded: &Value| {
        let told = Events::default();
        let list = told.clone();
        let builder = builder(&kit, embedded)
            .directory(folder.clone())
            .listener(move |event| list.lock().expect("a list").push(event.clone()));
        let version = builder.build().expect("a good updater").status().order.pinset;
        let told = told.lock().expect("a list").clone();
        (version, told)
    };
    assert_eq!(told_by(&embedded(&kit, 9, "backend")), (9, vec![]), "the app was updated");
    let other = Owner::new().embedded(&Owner::payload(kit.pki(), 3, &["backend"]));
    let (version, told) = told_by(&other);
    assert_eq!(version, 3, "of another owner");
    assert!(matches!(told[..], [UpdateEvent::Rejected { url: None, .. }]), "{told:?}");
    // A store that is not ours, or damaged, is no store.
    for content in [&b"rubbish"[..], b""] {
        std::fs::write(folder.join("pinset"), content).expect("a file");
        let _gone = std::fs::remove_file(folder.join("pinset.previous"));
        let (version, told) = told_by(&first);
        assert_eq!(version, 1);
        assert!(matches!(told[..], [UpdateEvent::Store { .. }]), "{told:?}");
    }
}

#[test]
fn an_embedded_document_that_is_no_good_is_an_error_at_once() {
    let kit = kit();
    let mut embedded = embedded(&kit, 1, "backend");
    embedded["pinset"] = Owner::new().pinset(&Owner::payload(kit.pki(), 1, &["backend"]));
    let built = PinSetUpdater::builder(embedded.to_string().as_bytes()).build();
    assert!(matches!(built, Err(Error::InvalidPinSet { .. })), "{built:?}");
}

#[test]
fn whatever_a_mirror_does_the_next_one_is_asked_and_nothing_is_lost() {
    let kit = kit();
    let mut embedded = embedded(&kit, 1, "backend");
    let good = format!("https://{UPDATES}/bundle.json");
    for path in [
        "/status/404",
        "/status/500",
        "/redirect?code=302&to=https%3A%2F%2Fother.example.test%2F",
        "/bomb",
        "/gzip-bad",
        "/close",
        "/truncated",
        "/garbage",
        "/endless-head",
    ] {
        publish(&kit, bundle(&kit, 2, "rotated"));
        embedded["update_urls"] = json!([format!("https://other.example.test{path}"), good]);
        let updater = updater(&kit, &embedded, None);
        assert_eq!(updater.refresh(), Ok(Refreshed::Updated), "{path}");

        embedded["update_urls"] = json!([format!("https://other.example.test{path}")]);
        let updater = self::updater(&kit, &embedded, None);
        let error = updater.refresh().expect_err(path);
        assert_eq!(error.code(), "unavailable", "{path}: {error}");
        let status = updater.status();
        assert_eq!((status.order.pinset, status.last_error), (1, Some(error)), "{path}");
        assert!(status.next_due <= 120, "{path}: {}", status.next_due);
    }
    let requests = kit.server("rsa").events();
    let secret = requests.iter().any(|e| match e {
        Event::Request { headers, .. } => {
            headers.iter().any(|(name, _)| name == "cookie" || name == "authorization")
        }
        _ => false,
    });
    assert!(!secret);
}

/// The update channel must not depend on what it is to repair.
#[test]
fn a_wrong_pin_for_the_update_server_does_not_keep_the_update_out() {
    let kit = kit();
    let pin = |name: &str| json!({ "sha256": digest(&kit.pki().pin(name)) });
    let mut payload = Owner::payload(kit.pki(), 1, &["backend"]);
    // Of both mirrors, each of which would do.
    for mirror in ["www.example.test", "other.example.test"] {
        let wrong = json!({ "host": mirror, "pins": [pin("deep"), pin("backup")] });
        payload["hosts"].as_array_mut().expect("a list").push(wrong);
    }
    let updater = updater(&kit, &kit.owner().embedded(&payload), None);
    publish(&kit, bundle(&kit, 2, "rotated"));
    assert_eq!(updater.refresh(), Ok(Refreshed::Updated));
}

#[test]
fn another_process_of_the_app_sees_what_this_one_stored() {
    let kit = kit();
    let folder = folder("processes");
    let embedded = embedded(&kit, 1, "backend");
    publish(&kit, bundle(&kit, 1, "backend"));
    let [one, other] = [(); 2].map(|()| updater(&kit, &embedded, Some(folder.clone())));
    one.refresh().expect("fetched");
    other.refresh().expect("fetched");
    let client = client_of(&kit, &other, "rotated");
    publish(&kit, bundle(&kit, 2, "rotated"));
    assert_eq!(one.refresh(), Ok(Refreshed::Updated));
    let before = fetches(&kit);
    assert_eq!(other.refresh_if_due(), Ok(None), "it is not time for a fetch");
    assert_eq!(other.status().order.pinset, 2);
    client.get(&url("/")).expect("its running client knows");
    assert_eq!(fetches(&kit), before);
}

#[test]
fn a_lapsed_pin_set_leaves_the_decision_to_trust_or_to_the_apps_consent() {
    let kit = kit();
    let mut payload = Owner::payload(kit.pki(), 1, &["rotated"]);
    payload["issued"] = json!(Owner::time(-9));
    payload["expires"] = json!(Owner::time(-4));
    payload["hosts"][0]["on_lapse"] = json!("block");
    for (grace, consent, code) in
        [(60, false, Some("pin_mismatch")), (1, false, None), (1, true, Some("pin_set_lapsed"))]
    {
        payload["grace_days"] = json!(grace);
        let mut embedded = kit.owner().embedded(&payload);
        embedded["allow_block"] = json!(consent);
        publish(&kit, b"gone".to_vec());
        let updater = updater(&kit, &embedded, None);
        let error = client_of(&kit, &updater, "backend").get(&url("/")).err();
        assert_eq!(error.map(|e| e.code()), code, "{grace} days of grace, consent {consent}");
        // It looked for another one before.
        assert!(updater.status().last_error.is_some());
        // A newer one heals it.
        let bundle = bundle(&kit, 2, "backend");
        publish(&kit, bundle);
        assert_eq!(updater.refresh(), Ok(Refreshed::Updated));
        client_of(&kit, &updater, "backend").get(&url("/")).expect("healed");
    }
}

/// It is not enough that no new handshake succeeds.
#[test]
fn what_was_open_or_could_be_resumed_does_not_outlive_a_lapse_that_blocks() {
    for path in ["/", "/until-close/5"] {
        let kit = kit();
        let mut payload = Owner::payload(kit.pki(), 1, &["backend"]);
        payload["expires"] = json!(Owner::time(10));
        payload["grace_days"] = json!(1);
        payload["hosts"][0]["on_lapse"] = json!("block");
        let mut embedded = kit.owner().embedded(&payload);
        embedded["allow_block"] = json!(true);
        publish(&kit, b"gone".to_vec());
        let updater = updater(&kit, &embedded, None);
        let hands = Hands::new();
        let roots = ["root", "other_root"].map(|name| kit.pki().certificate(name).to_vec());
        let client = Client::builder_with(&updater)
            .roots(Roots::Only(roots.into()))
            .connect_to(HOST, 443, kit.server("backend").addr())
            .clock(hands.clone())
            .build()
            .expect("good settings");
        client.get(&url(path)).expect("fresh");
        hands.set_wall(hands.wall() + 10 * 86_400);
        client.get(&url(path)).expect("stale, and in force");
        hands.set_wall(hands.wall() + 2 * 86_400);
        let error = client.get(&url(path)).expect_err("lapsed");
        assert_eq!(error.code(), "pin_set_lapsed", "{path}");
        assert_eq!(requests(kit.server("backend")), 2, "{path}");
    }
}

/// What every document of a gradual rollout says of many hosts.
fn rollout(kit: &Testkit, version: u64) -> Value {
    let mut payload = Owner::payload(kit.pki(), version, &["backend"]);
    let entry = payload["hosts"][0].clone();
    let hosts = (0..40).map(|i| {
        let mut entry = entry.clone();
        entry["host"] = json!(format!("h{i}.example.test"));
        entry["enforce_percent"] = json!(50);
        entry
    });
    payload["hosts"] = hosts.collect();
    payload
}

#[test]
fn a_devices_share_of_a_rollout_stays_when_the_app_is_updated() {
    let kit = kit();
    let folder = folder("rollout");
    let start = |version: u64| {
        updater(&kit, &kit.owner().embedded(&rollout(&kit, version)), Some(folder.clone()))
    };
    let modes = |updater: &PinSetUpdater| {
        updater.pins().hosts().iter().map(pinfold_core::pin::HostPolicy::mode).collect::<Vec<_>>()
    };
    let first = start(1);
    publish(&kit, kit.owner().bundle(&rollout(&kit, 1)));
    assert_eq!(first.refresh(), Ok(Refreshed::Unchanged));
    let before = modes(&first);
    assert!(before.contains(&Mode::Enforce) && before.contains(&Mode::ReportOnly));
    let updated = start(9);
    assert_eq!(updated.status().order.pinset, 9);
    assert_eq!(modes(&updated), before);
}

#[test]
fn a_call_that_waits_for_a_pin_set_can_be_cancelled_and_ends_in_time() {
    let kit = kit();
    let mut embedded = embedded(&kit, 1, "backend");
    embedded["update_urls"] = json!([format!("https://{UPDATES}/hang")]);
    for cancelled in [true, false] {
        let updater = updater(&kit, &embedded, None);
        let client = client_of(&kit, &updater, "rotated");
        let cancel = CancelToken::new();
        kit.server("rotated").clear();
        let request = Request::new(Method::Get, &url("/")).expect("a request");
        let request = match cancelled {
            true => request,
            false => request.timeout(Duration::from_millis(500)).expect("a timeout"),
        };
        let (done, result) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| done.send(client.send_cancellable(&request, &cancel)));
            // It has met the mismatch, and waits or is about to.
            let told = |events: &[Event]| events.iter().any(|e| matches!(e, Event::Alert { .. }));
            kit.server("rotated").wait_for(told, PATIENCE).expect("an alert");
            if cancelled {
                cancel.cancel();
            }
            // Far less than what an update may take.
            let ended = result.recv_timeout(Duration::from_secs(4)).expect("at once");
            // The mismatch is the reason, whatever ended the wait.
            assert_eq!(ended.expect_err("not pinned").code(), "pin_mismatch");
        });
        kit.server("rsa").drop_connections();
    }
}

#[test]
fn what_time_does_to_a_pin_set_is_told_once() {
    let kit = kit();
    publish(&kit, b"gone".to_vec());
    let told = |payload: &Value, after: &dyn Fn(&PinSetUpdater, &Client)| {
        let (events, updater) = listening(&kit, &kit.owner().embedded(payload));
        let client = client_of(&kit, &updater, "backend");
        for _ in 0..2 {
            client.get(&url("/")).expect("pinned, or trusted once it has lapsed");
        }
        after(&updater, &client);
        let events = events.lock().expect("a list").clone();
        let of_time = |e: &UpdateEvent| {
            matches!(
                e,
                UpdateEvent::Stale | UpdateEvent::Lapsed { .. } | UpdateEvent::Updated { .. }
            )
        };
        events.into_iter().filter(of_time).collect::<Vec<_>>()
    };
    let mut payload = Owner::payload(kit.pki(), 1, &["backend"]);
    assert_eq!(told(&payload, &|_, _| {}), []);
    payload["hosts"][0]["expires"] = json!(Owner::time(1));
    payload["grace_days"] = json!(0);
    assert_eq!(told(&payload, &|_, _| {}), []);

    payload["issued"] = json!(Owner::time(-9));
    payload["hosts"][0]["expires"] = json!(Owner::time(-1));
    let host = HostName::parse(HOST).ok();
    assert_eq!(told(&payload, &|_, _| {}), [UpdateEvent::Lapsed { host }], "one entry");

    payload["expires"] = json!(Owner::time(-2));
    payload["hosts"][0]["expires"] = json!(Owner::time(-3));
    assert_eq!(told(&payload, &|_, _| {}), [UpdateEvent::Lapsed { host: None }], "all of it");

    payload["grace_days"] = json!(30);
    let stale = payload.clone();
    let again = |updater: &PinSetUpdater, _: &Client| {
        let _refused = updater.refresh();
        publish(&kit, kit.owner().bundle(&stale));
        assert_eq!(updater.refresh(), Ok(Refreshed::Unchanged), "the same, and not by its ETag");
        publish(&kit, b"gone".to_vec());
    };
    assert_eq!(told(&payload, &again), [UpdateEvent::Stale], "not once more");
    let newer = |updater: &PinSetUpdater, client: &Client| {
        // What may still be under way from before.
        let _refused = updater.refresh();
        publish(&kit, bundle(&kit, 2, "backend"));
        updater.refresh().expect("newer");
        client.get(&url("/")).expect("pinned");
        publish(&kit, b"gone".to_vec());
    };
    let events = told(&payload, &newer);
    assert!(matches!(events[..], [UpdateEvent::Stale, UpdateEvent::Updated { .. }]), "{events:?}");
}

/// A request in flight on a connection whose pin is withdrawn meanwhile, and its client.
fn withdrawn_in_flight(abort: bool) -> (Testkit, Result<u16, Error>) {
    let kit = kit();
    let updater = updater(&kit, &embedded(&kit, 1, "backend"), None);
    let root = kit.pki().certificate("root").to_vec();
    let client = Client::builder_with(&updater)
        .abort_withdrawn(abort)
        .roots(Roots::Only(vec![root]))
        .connect_to(HOST, 443, kit.server("backend").addr())
        .build()
        .expect("good settings");
    publish(&kit, bundle(&kit, 1, "backend"));
    assert_eq!(updater.refresh(), Ok(Refreshed::Unchanged), "so that none is due");
    publish(&kit, bundle(&kit, 2, "rotated"));
    let result = std::thread::scope(|scope| {
        let call = scope.spawn(|| client.get(&url("/hang")).map(|response| response.status()));
        let asked = |events: &[Event]| events.iter().any(|e| matches!(e, Event::Request { .. }));
        kit.server("backend").wait_for(asked, PATIENCE).expect("a request");
        // So that it could be sent again.
        kit.server("backend").present("rotated");
        assert_eq!(updater.refresh(), Ok(Refreshed::Updated));
        if !abort {
            // It goes on until its server ends it.
            assert!(!call.is_finished());
            kit.server("backend").drop_connections();
        }
        call.join().expect("no panic")
    });
    (kit, result)
}

#[test]
fn a_request_in_flight_ends_with_its_pin_where_the_client_wants_it() {
    let (kit, result) = withdrawn_in_flight(true);
    let error = result.expect_err("withdrawn");
    assert_eq!(error.code(), "pin_mismatch", "{error}");
    let requests = requests(kit.server("backend"));
    assert_eq!(requests, 1, "it may have been answered, so it is not sent again");
    let (_kit, result) = withdrawn_in_flight(false);
    assert_eq!(result.expect_err("dropped").code(), "connection_lost");
}

#[test]
fn a_listener_that_waits_for_a_refresh_or_panics_holds_up_nothing() {
    let kit = kit();
    let shared = Arc::new(std::sync::OnceLock::<PinSetUpdater>::new());
    let own = shared.clone();
    let (told, events) = std::sync::mpsc::channel();
    let builder = builder(&kit, &embedded(&kit, 1, "backend")).listener(move |_| {
        let refused = own.get().map(PinSetUpdater::refresh);
        told.send(refused).expect("a test that listens");
        panic!("as told");
    });
    let updater = builder.build().expect("a good updater");
    shared.set(updater.clone()).expect("the first");
    publish(&kit, bundle(&kit, 2, "rotated"));
    assert_eq!(updater.refresh(), Ok(Refreshed::Updated));
    let refused = events.recv().expect("an event").expect("an updater");
    assert_eq!(refused.expect_err("not here").code(), "unavailable");
    publish(&kit, bundle(&kit, 3, "rotated"));
    assert_eq!(updater.refresh(), Ok(Refreshed::Updated));
}
