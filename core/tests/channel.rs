//! The update channel among mirrors that are stuck, hostile, or hang, and phones that sleep: nothing
//! freezes, nothing locks out.

mod common;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use common::*;
use pinfold_core::pin::HostPolicy;
use pinfold_core::update::{PinSetUpdater, PinSetUpdaterBuilder, Refreshed, UpdateEvent};
use pinfold_core::{Client, Clock, Roots};
use pinfold_testkit::{Event, Owner, Testkit};
use serde_json::{Value, json};

const HOUR: u64 = 3_600;

/// Shows what it is told to.
#[derive(Debug)]
struct Hands {
    wall: AtomicU64,
    boot: AtomicU64,
}

impl Hands {
    /// At the real date, an hour after the device was started.
    fn new() -> Arc<Self> {
        let now = pinfold_core::SystemClock.wall();
        Arc::new(Self { wall: AtomicU64::new(now), boot: AtomicU64::new(HOUR) })
    }

    /// Lets so many seconds pass.
    fn pass(&self, seconds: u64) {
        self.wall.fetch_add(seconds, Ordering::SeqCst);
        self.boot.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn wall(&self) -> u64 {
        self.wall.load(Ordering::SeqCst)
    }

    fn boot(&self) -> Duration {
        Duration::from_secs(self.boot.load(Ordering::SeqCst))
    }
}

fn mirror(path: &str) -> String {
    format!("https://www.example.test{path}")
}

fn payload(kit: &Testkit, version: u64, name: &str) -> Value {
    Owner::payload(kit.pki(), version, &[name])
}

fn bundle(kit: &Testkit, version: u64, name: &str) -> Vec<u8> {
    kit.owner().bundle(&payload(kit, version, name))
}

/// Of an app with this pin set, whose mirrors are at these paths.
fn builder(kit: &Testkit, payload: &Value, paths: &[&str]) -> PinSetUpdaterBuilder {
    let mut embedded = kit.owner().embedded(payload);
    embedded["update_urls"] = paths.iter().map(|path| mirror(path)).collect();
    with_roots(kit, &embedded)
}

fn with_roots(kit: &Testkit, embedded: &Value) -> PinSetUpdaterBuilder {
    PinSetUpdater::builder(embedded.to_string().as_bytes())
        .roots(Roots::Only(vec![kit.pki().certificate("root").to_vec()]))
        .connect_to("www.example.test", 443, kit.server("rsa").addr())
}

fn build(builder: PinSetUpdaterBuilder) -> PinSetUpdater {
    builder.build().expect("a good updater")
}

fn client_of(kit: &Testkit, updater: &PinSetUpdater, server: &str) -> Client {
    Client::builder_with(updater)
        .roots(Roots::Only(vec![kit.pki().certificate("root").to_vec()]))
        .connect_to(HOST, 443, kit.server(server).addr())
        .build()
        .expect("good settings")
}

fn version(updater: &PinSetUpdater) -> u64 {
    updater.status().order.pinset
}

fn looks(kit: &Testkit) -> usize {
    requests(kit.server("rsa"))
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("channel").join(name);
    let _not_there = std::fs::remove_dir_all(&folder);
    folder
}

#[test]
fn a_stuck_mirror_hides_no_other_from_a_look_nor_from_a_request() {
    let kit = kit();
    let stuck = bundle(&kit, 2, "backend");
    for first in ["a", "b"] {
        let (old, new) = if first == "a" { ("/a", "/b") } else { ("/b", "/a") };
        for path in ["/a", "/b"] {
            kit.server("rsa").publish(path, stuck.clone());
        }
        let updater = build(builder(&kit, &payload(&kit, 1, "backend"), &["/a", "/b"]));
        assert_eq!(updater.refresh(), Ok(Refreshed::Updated));
        // One goes on; the other says 304 for ever.
        kit.server("rsa").publish(new, bundle(&kit, 3, "backend"));
        assert_eq!(updater.refresh(), Ok(Refreshed::Updated), "{old} is stuck");
        assert_eq!(version(&updater), 3);
        kit.server("rsa").publish(new, bundle(&kit, 4, "rotated"));
        // 200 with what is older than what the phone has.
        client_of(&kit, &updater, "rotated").get(&url("/")).expect("healed by the other");
        assert_eq!(version(&updater), 4);
    }
}

#[test]
fn a_regular_look_asks_every_one_of_few_mirrors() {
    let kit = kit();
    let paths = ["/a", "/b", "/c", "/d"];
    for newest in paths {
        for path in paths {
            kit.server("rsa").publish(path, bundle(&kit, 1, "backend"));
        }
        kit.server("rsa").publish(newest, bundle(&kit, 2, "backend"));
        let updater = build(builder(&kit, &payload(&kit, 1, "backend"), &paths));
        assert_eq!(updater.refresh_if_due(), Ok(Some(Refreshed::Updated)), "{newest}");
    }
}

/// The document has changed the entry, and the certificate is still none of its: another mirror may
/// have what follows.
#[test]
fn a_request_waits_past_a_newer_pin_set_that_does_not_heal_it() {
    let kit = kit();
    kit.server("rsa").publish("/a", bundle(&kit, 2, "deep"));
    kit.server("rsa").publish("/b", bundle(&kit, 3, "rotated"));
    let updater = build(builder(&kit, &payload(&kit, 1, "backend"), &["/a", "/b"]));
    let response = client_of(&kit, &updater, "rotated").get(&url("/")).expect("healed");
    assert_eq!(response.matched_pin().expect("a match").pin.to_string(), kit.pki().pin("rotated"));
    // No handshake in between: the refused certificate was judged by what came.
    let refused = |e: &&Event| matches!(e, Event::Alert { .. });
    assert_eq!(kit.server("rotated").events().iter().filter(refused).count(), 1);
}

/// Mirrors of the hosts `h0` and up, which take connections and never say a word.
fn hanging(count: usize) -> (Vec<TcpListener>, Vec<String>) {
    let listen = |_| TcpListener::bind("127.0.0.1:0").expect("a port");
    let urls = (0..count).map(|i| format!("https://h{i}.example.test/bundle.json"));
    ((0..count).map(listen).collect(), urls.collect())
}

fn reaching(mut builder: PinSetUpdaterBuilder, listeners: &[TcpListener]) -> PinSetUpdaterBuilder {
    for (i, listener) in listeners.iter().enumerate() {
        let address = listener.local_addr().expect("bound");
        builder = builder.connect_to(&format!("h{i}.example.test"), 443, address);
    }
    builder
}

#[test]
fn seven_hanging_mirrors_of_eight_cost_a_request_five_seconds_at_most() {
    let kit = kit();
    kit.server("rsa").publish("/bundle.json", bundle(&kit, 2, "rotated"));
    for heals in [true, false] {
        let (listeners, mut urls) = hanging(if heals { 7 } else { 8 });
        if heals {
            urls.push(mirror("/bundle.json"));
        }
        let mut embedded = kit.owner().embedded(&payload(&kit, 1, "backend"));
        embedded["update_urls"] = json!(urls);
        let updater = build(reaching(with_roots(&kit, &embedded), &listeners));
        let client = client_of(&kit, &updater, "rotated");
        let begun = Instant::now();
        let result = client.get(&url("/"));
        let took = begun.elapsed();
        assert!(took < Duration::from_millis(5_500), "{took:?}");
        match heals {
            // The last of them: half a second after the one before, each.
            true => assert_eq!(result.map(|response| response.status()), Ok(200)),
            false => assert_eq!(result.expect_err("not pinned").code(), "pin_mismatch"),
        }
    }
}

/// What hangs does not keep the next look from beginning, and what is late is not lost.
#[test]
fn a_look_lands_without_those_who_hang_once_anybody_has_answered() {
    let kit = kit();
    kit.server("rsa").publish("/a", bundle(&kit, 2, "backend"));
    let updater = build(builder(&kit, &payload(&kit, 1, "backend"), &["/a", "/hang"]));
    let begun = Instant::now();
    assert_eq!(updater.refresh(), Ok(Refreshed::Updated));
    let took = begun.elapsed();
    assert!((Duration::from_secs(5)..Duration::from_secs(8)).contains(&took), "{took:?}");
    kit.server("rsa").drop_connections();
}

/// A stolen key may write the document's list, not the app's.
#[test]
fn a_thief_who_fills_the_list_of_urls_keeps_nobody_from_the_owner() {
    let kit = kit();
    let mut stolen = payload(&kit, 2, "backend");
    let paths = (0..8).map(|i| format!("/thief/{i}")).collect::<Vec<_>>();
    stolen["update"]["urls"] = paths.iter().map(|path| mirror(path)).collect();
    let stolen = kit.owner().bundle(&stolen);
    for path in &paths {
        kit.server("rsa").publish(path, stolen.clone());
    }
    kit.server("rsa").publish("/own", stolen);
    let clock = Hands::new();
    let builder = builder(&kit, &payload(&kit, 1, "backend"), &["/own"]).clock(clock.clone());
    let updater = build(builder);
    assert_eq!(updater.refresh(), Ok(Refreshed::Updated));
    for next in 3..8 {
        kit.server("rsa").publish("/own", bundle_with_thief(&kit, next, &paths));
        for _ in 0..2 {
            clock.pass(24 * HOUR);
            updater.refresh_if_due().expect("answered");
        }
        assert_eq!(version(&updater), next, "within two regular looks");
    }
}

fn bundle_with_thief(kit: &Testkit, version: u64, paths: &[String]) -> Vec<u8> {
    let mut payload = payload(kit, version, "backend");
    payload["update"]["urls"] = paths.iter().map(|path| mirror(path)).collect();
    kit.owner().bundle(&payload)
}

#[test]
fn a_rotated_private_authority_heals_within_one_request() {
    let kit = kit();
    let of = |version: u64, root: &str| {
        let mut payload = payload(&kit, version, "private");
        payload["hosts"][0]["trust"] = json!("private_ca");
        payload["hosts"][0]["anchors"] = json!([base64(kit.pki().certificate(root))]);
        payload
    };
    let updater = build(builder(&kit, &of(1, "other_root"), &["/bundle.json"]));
    kit.server("rsa").publish("/bundle.json", kit.owner().bundle(&of(2, "private_root")));
    client_of(&kit, &updater, "private").get(&url("/")).expect("healed");
    // Another certificate that nobody vouches for costs no look where the system decides.
    kit.server("rsa").publish("/bundle.json", bundle(&kit, 1, "private"));
    let looks = looks(&kit);
    let ordinary = build(builder(&kit, &payload(&kit, 1, "private"), &["/bundle.json"]));
    ordinary.refresh().expect("so that none is due");
    let error = client_of(&kit, &ordinary, "private").get(&url("/")).expect_err("not trusted");
    assert_eq!(error.code(), "certificate_unknown_issuer");
    assert_eq!(self::looks(&kit), looks + 1);
}

#[test]
fn a_key_that_was_blocked_by_mistake_heals_within_one_request() {
    let kit = kit();
    let mut blocking = payload(&kit, 1, "backend");
    blocking["blocked_spki"] = json!([digest(&kit.pki().pin("backend"))]);
    let updater = build(builder(&kit, &blocking, &["/bundle.json"]));
    kit.server("rsa").publish("/bundle.json", kit.owner().bundle(&blocking));
    assert_eq!(updater.refresh(), Ok(Refreshed::Unchanged));
    kit.server("rsa").publish("/bundle.json", bundle(&kit, 2, "backend"));
    client_of(&kit, &updater, "backend").get(&url("/")).expect("healed");
}

#[test]
fn a_lapsed_host_is_looked_after_although_all_forced_looks_are_spent() {
    let kit = kit();
    let mut lapsed = payload(&kit, 1, "backend");
    lapsed["issued"] = json!(Owner::time(-9));
    lapsed["expires"] = json!(Owner::time(-4));
    lapsed["grace_days"] = json!(1);
    let clock = Hands::new();
    kit.server("rsa").publish("/bundle.json", kit.owner().bundle(&lapsed));
    let updater = build(builder(&kit, &lapsed, &["/bundle.json"]).clock(clock.clone()));
    let client = client_of(&kit, &updater, "backend");
    let get = || client.get(&url("/")).expect("trusted, without pins");
    for n in 1..=8 {
        get();
        assert_eq!(looks(&kit), n);
        clock.pass(60);
    }
    get();
    assert_eq!(looks(&kit), 8, "the next is two hours off");
    // But a pin set that is overdue is looked for within one and a half.
    clock.pass(updater.status().next_due);
    get();
    assert_eq!(looks(&kit), 9, "as any other request would");
}

#[test]
fn a_refresh_for_a_push_looks_again_after_the_look_that_was_answered_before() {
    let kit = kit();
    kit.server("rsa").publish("/bundle.json", bundle(&kit, 2, "backend"));
    let (begun, is_answered) = mpsc::channel();
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let builder =
        builder(&kit, &payload(&kit, 1, "backend"), &["/bundle.json"]).listener(move |event| {
            if matches!(event, UpdateEvent::Updated { order } if order.pinset == 2) {
                begun.send(()).expect("a test that waits");
                held.lock().expect("one").recv().expect("a test that ends it");
            }
        });
    let updater = build(builder);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| updater.refresh());
        is_answered.recv().expect("the first look has its answer");
        kit.server("rsa").publish("/bundle.json", bundle(&kit, 3, "backend"));
        let (done, pushed) = mpsc::channel();
        let updater = updater.clone();
        scope.spawn(move || done.send(updater.refresh()));
        let early = pushed.recv_timeout(Duration::from_millis(200));
        assert!(early.is_err(), "it waits for the look under way: {early:?}");
        release.send(()).expect("a listener that waits");
        assert_eq!(first.join().expect("no panic"), Ok(Refreshed::Updated));
        assert_eq!(pushed.recv().expect("a result"), Ok(Refreshed::Updated));
    });
    assert_eq!(version(&updater), 3);
}

#[test]
fn a_day_is_a_day_for_a_phone_that_sleeps_whatever_its_date_says() {
    let kit = kit();
    let clock = Hands::new();
    let updater =
        build(builder(&kit, &payload(&kit, 1, "backend"), &["/bundle.json"]).clock(clock.clone()));
    kit.server("rsa").publish("/bundle.json", bundle(&kit, 1, "backend"));
    assert_eq!(updater.refresh(), Ok(Refreshed::Unchanged));
    clock.boot.fetch_add(18 * HOUR - 1, Ordering::SeqCst);
    assert_eq!(updater.refresh_if_due(), Ok(None), "three quarters at least");
    clock.wall.fetch_add(30 * 24 * HOUR, Ordering::SeqCst);
    assert_eq!(updater.refresh_if_due(), Ok(None), "the date decides nothing");
    clock.boot.fetch_add(6 * HOUR + 1, Ordering::SeqCst);
    assert_eq!(updater.refresh_if_due(), Ok(Some(Refreshed::Unchanged)), "all of it at most");
}

#[test]
fn jobs_the_foreground_and_requests_go_by_one_due_time() {
    let kit = kit();
    kit.server("rsa").publish("/bundle.json", bundle(&kit, 1, "backend"));
    for by_request in [true, false] {
        let clock = Hands::new();
        let builder = builder(&kit, &payload(&kit, 1, "backend"), &["/bundle.json"]);
        let updater = build(builder.clock(clock.clone()));
        let client = client_of(&kit, &updater, "backend");
        updater.refresh().expect("fetched");
        let before = looks(&kit);
        let due = updater.status().next_due;
        assert!((18 * HOUR..=24 * HOUR).contains(&due), "{due}");
        clock.pass(due - 2);
        client.get(&url("/")).expect("pinned");
        assert_eq!(updater.refresh_if_due(), Ok(None));
        assert_eq!((looks(&kit), updater.status().next_due), (before, 2));
        clock.pass(2);
        assert_eq!(updater.status().next_due, 0, "a job planned for then does not come early");
        if by_request {
            client.get(&url("/")).expect("pinned");
            let asked = |events: &[Event]| {
                events.iter().filter(|e| matches!(e, Event::Request { .. })).count() > before
            };
            kit.server("rsa").wait_for(asked, PATIENCE).expect("a look");
        } else {
            assert_eq!(updater.refresh_if_due(), Ok(Some(Refreshed::Unchanged)));
        }
    }
}

#[test]
fn a_process_goes_on_with_the_pause_of_the_one_before() {
    let kit = kit();
    kit.server("rsa").publish("/bundle.json", bundle(&kit, 1, "backend"));
    for (path, longest) in [("/bundle.json", 24 * HOUR), ("/status/404", 6 * HOUR)] {
        let folder = folder("pause");
        let clock = Hands::new();
        let start = || {
            let builder = builder(&kit, &payload(&kit, 1, "backend"), &[path]);
            build(builder.clock(clock.clone()).directory(&folder))
        };
        let updater = start();
        let _failed = updater.refresh();
        let _failed = updater.refresh();
        let due = updater.status().next_due;
        // Killed, and the device is started anew.
        clock.boot.store(5, Ordering::SeqCst);
        let again = start().status().next_due;
        assert!(again.abs_diff(due) <= 1, "{path}: {again} after {due}");
        // The date is wrong by years: at worst one look too many.
        clock.wall.fetch_add(20 * 365 * 24 * HOUR, Ordering::SeqCst);
        assert_eq!(start().status().next_due, 0, "{path}");
        clock.wall.store(HOUR, Ordering::SeqCst);
        let back = start();
        assert_eq!(back.status().next_due, 0, "{path}");
        let _failed = back.refresh();
        assert!(back.status().next_due <= longest);
    }
}

#[test]
fn the_devices_share_of_a_rollout_is_decided_at_its_first_start() {
    let kit = kit();
    let mut rollout = payload(&kit, 1, "backend");
    let entry = rollout["hosts"][0].clone();
    let hosts = (0..40).map(|i| {
        let mut entry = entry.clone();
        entry["host"] = json!(format!("h{i}.example.test"));
        entry["enforce_percent"] = json!(50);
        entry
    });
    rollout["hosts"] = hosts.collect();
    let folder = folder("first-start");
    let start = || {
        let updater = build(builder(&kit, &rollout, &["/bundle.json"]).directory(&folder));
        updater.pins().hosts().iter().map(HostPolicy::mode).collect::<Vec<_>>()
    };
    let first = start();
    assert_eq!(start(), first, "although nothing has been fetched");
}

#[test]
fn a_mirror_that_is_behind_is_told_once_and_other_truths_each_time() {
    let kit = kit();
    let events = Arc::new(Mutex::new(Vec::new()));
    let list = events.clone();
    let builder = builder(&kit, &payload(&kit, 5, "backend"), &["/a", "/b"])
        .listener(move |event| list.lock().expect("a list").push(event.clone()));
    let updater = build(builder);
    let told = || std::mem::take(&mut *events.lock().expect("a list"));
    kit.server("rsa").publish("/a", bundle(&kit, 4, "backend"));
    kit.server("rsa").publish("/b", bundle(&kit, 5, "backend"));
    for _ in 0..2 {
        assert_eq!(updater.refresh(), Ok(Refreshed::Unchanged), "one has the newest");
    }
    assert_eq!(told(), [UpdateEvent::StaleMirror { url: mirror("/a") }], "once");
    kit.server("rsa").publish("/a", bundle(&kit, 5, "rotated"));
    assert_eq!(updater.refresh(), Ok(Refreshed::Unchanged));
    assert_eq!(told(), [UpdateEvent::Equivocation { url: mirror("/a") }]);
    assert_eq!(version(&updater), 5);
}
