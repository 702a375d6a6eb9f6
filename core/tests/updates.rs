//! Signed pin sets over the air: rotation, replay, freeze, single flight, and what outlives a start.

mod common;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::*;
use pinfold_core::pin::Mode;
use pinfold_core::pinset::{
    PINSET_TYPE, PinSetUpdater, ROOT_TYPE, Refreshed, UpdateError, UpdateEvent, pae,
};
use pinfold_core::{CancelToken, Client, Error, Method, Request, Roots, format_rfc3339_utc};
use pinfold_testkit::{Event, Testkit};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

const UPDATES: &str = "www.example.test";
const DAY: u64 = 86_400;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// The owner of the pins: one key for each role.
struct Owner {
    root: EcdsaKeyPair,
    pinset: EcdsaKeyPair,
}

impl Owner {
    fn new() -> Self {
        let key = || {
            let random = SystemRandom::new();
            let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let der = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("randomness");
            EcdsaKeyPair::from_pkcs8(algorithm, der.as_ref(), &random).expect("a key")
        };
        Self { root: key(), pinset: key() }
    }

    fn envelope(kind: &str, payload: &Value, id: &str, key: &EcdsaKeyPair) -> Value {
        let payload = payload.to_string().into_bytes();
        let sig = key.sign(&SystemRandom::new(), &pae(kind, &payload)).expect("signed");
        json!({
            "payloadType": kind,
            "payload": STANDARD.encode(&payload),
            "signatures": [{ "keyid": id, "sig": STANDARD.encode(sig) }],
        })
    }

    fn root_document(&self) -> Value {
        let key = |id: &str, key: &EcdsaKeyPair| {
            let mut spki = vec![
                0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86,
                0x48, 0xce, 0x3d, 3, 1, 7, 3, 0x42, 0,
            ];
            spki.extend(key.public_key().as_ref());
            json!({ "id": id, "alg": "ES256", "spki": STANDARD.encode(spki) })
        };
        let payload = json!({
            "schema": 1, "stream": "test", "version": 1, "epoch": 0,
            "issued": format_rfc3339_utc(now() - 10 * DAY), "expires": format_rfc3339_utc(now() + 700 * DAY),
            "keys": [key("r", &self.root), key("p", &self.pinset)],
            "roles": {
                "root": { "keys": ["r"], "threshold": 1 },
                "pinset": { "keys": ["p"], "threshold": 1 },
            },
            "constraints": {
                "hosts": ["example.test"], "max_validity_days": 120, "max_grace_days": 90,
                "inspection": false,
            },
        });
        Self::envelope(ROOT_TYPE, &payload, "r", &self.root)
    }

    /// A pin set that pins `name`'s key for the tests' host.
    fn pinset_document(&self, kit: &Testkit, version: u64, name: &str) -> Value {
        let pin = |name: &str| json!({ "sha256": digest(&kit.pki().pin(name)), "at": "leaf" });
        let payload = json!({
            "schema": 1, "stream": "test", "aud": ["test"], "version": version, "epoch": 0,
            "issued": format_rfc3339_utc(now() - DAY), "expires": format_rfc3339_utc(now() + 60 * DAY), "grace_days": 60,
            "update": { "urls": [], "interval_s": 86_400, "min_interval_s": 3_600 },
            "hosts": [{ "host": HOST, "pins": [pin(name), pin("backup")] }],
        });
        Self::envelope(PINSET_TYPE, &payload, "p", &self.pinset)
    }

    fn bundle(&self, kit: &Testkit, version: u64, name: &str) -> Vec<u8> {
        let pinset = self.pinset_document(kit, version, name);
        json!({ "bundle": 1, "roots": [], "pinset": pinset }).to_string().into_bytes()
    }

    fn embedded(&self, kit: &Testkit, version: u64, name: &str) -> Vec<u8> {
        json!({
            "embedded": 1, "root": self.root_document(),
            "pinset": self.pinset_document(kit, version, name),
            "stream": "test", "audience": "test",
            "update_urls": [
                format!("https://{UPDATES}/bundle.json"), "https://other.example.test/bundle.json",
            ],
            "built": format_rfc3339_utc(now() - 20 * DAY), "allow_block": false,
        })
        .to_string()
        .into_bytes()
    }
}

/// The update servers are those of another name; certificates of the testkit are for several.
fn updater(kit: &Testkit, embedded: &[u8], directory: Option<PathBuf>) -> PinSetUpdater {
    let root = kit.pki().certificate("root").to_vec();
    let mut builder = PinSetUpdater::builder(embedded).roots(Roots::Only(vec![root]));
    for host in ["www.example.test", "other.example.test"] {
        builder = builder.connect_to(host, 443, kit.server("rsa").addr());
    }
    if let Some(directory) = directory {
        builder = builder.directory(directory);
    }
    builder.build().expect("a good updater")
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
    let (kit, owner) = (kit(), Owner::new());
    let updater = updater(&kit, &owner.embedded(&kit, 1, "backend"), None);
    let backend = kit.server("backend");
    let old = client_of(&kit, &updater, "backend");
    old.get(&url("/")).expect("pinned");

    kit.server("rsa").publish("/bundle.json", owner.bundle(&kit, 2, "rotated"));
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
fn a_thousand_mismatches_at_once_make_one_fetch() {
    let (kit, owner) = (kit(), Owner::new());
    let updater = updater(&kit, &owner.embedded(&kit, 1, "backend"), None);
    kit.server("rsa").publish("/bundle.json", owner.bundle(&kit, 2, "rotated"));
    updater.refresh().expect("fetched");
    kit.server("rsa").clear();
    kit.server("rsa").publish("/bundle.json", owner.bundle(&kit, 3, "deep"));
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
    assert_eq!(fetches(&kit), 1);
    // Whoever is in the middle causes no more than one in a minute.
    let attacked = client_of(&kit, &updater, "rotated");
    for _ in 0..3 {
        assert_eq!(attacked.get(&url("/")).expect_err("not pinned").code(), "pin_mismatch");
    }
    assert_eq!(fetches(&kit), 1);
}

#[test]
fn old_forged_and_other_documents_change_nothing_and_are_told() {
    let (kit, owner) = (kit(), Owner::new());
    let updater = updater(&kit, &owner.embedded(&kit, 5, "backend"), None);
    let events = Arc::new(Mutex::new(Vec::new()));
    updater.listen({
        let events = events.clone();
        move |event| events.lock().expect("a list").push(event.clone())
    });
    let thief = Owner::new();
    for (bundle, code) in [
        (owner.bundle(&kit, 4, "rotated"), "rollback"),
        (owner.bundle(&kit, 5, "rotated"), "equivocation"),
        (thief.bundle(&kit, 6, "rotated"), "threshold"),
        (b"<html>log in first</html>".to_vec(), "malformed"),
    ] {
        kit.server("rsa").publish("/bundle.json", bundle);
        let error = updater.refresh().expect_err(code);
        assert_eq!(error.code(), code);
        assert_eq!(updater.status().last_error, Some(error.clone()));
        let told = std::mem::take(&mut *events.lock().expect("a list"));
        let UpdateError::Rejected(rejection) = error else { panic!("{error}") };
        // Both mirrors were asked.
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            matches!(&told[0], UpdateEvent::Rejected { url: Some(_), rejection: r } if *r == rejection)
        );
        assert_eq!(updater.status().order.pinset, 5);
    }
    kit.server("rsa").publish("/bundle.json", owner.bundle(&kit, 6, "rotated"));
    assert_eq!(updater.refresh(), Ok(Refreshed::Updated));
    assert_eq!(updater.refresh(), Ok(Refreshed::Unchanged), "304");
    assert_eq!(updater.status().last_error, None);
    assert_eq!(events.lock().expect("a list").len(), 1);
}

#[test]
fn what_was_fetched_outlives_the_process_and_the_app_wins_when_it_is_newer() {
    let (kit, owner) = (kit(), Owner::new());
    let folder = folder("outlives");
    let first = owner.embedded(&kit, 1, "backend");
    let updater_1 = updater(&kit, &first, Some(folder.clone()));
    kit.server("rsa").publish("/bundle.json", owner.bundle(&kit, 4, "rotated"));
    assert_eq!(updater_1.refresh(), Ok(Refreshed::Updated));
    drop(updater_1);

    assert_eq!(updater(&kit, &first, Some(folder.clone())).status().order.pinset, 4);
    let newer = updater(&kit, &owner.embedded(&kit, 9, "backend"), Some(folder.clone()));
    assert_eq!(newer.status().order.pinset, 9, "the app was updated");
    // A store that is not ours, or damaged, is no store.
    let thief = Owner::new();
    for content in [&b"rubbish"[..], b""] {
        std::fs::write(folder.join("pinset"), content).expect("a file");
        let _gone = std::fs::remove_file(folder.join("pinset.previous"));
        assert_eq!(updater(&kit, &first, Some(folder.clone())).status().order.pinset, 1);
    }
    let elsewhere = updater(&kit, &thief.embedded(&kit, 3, "backend"), Some(folder));
    assert_eq!(elsewhere.status().order.pinset, 3);
}

#[test]
fn an_embedded_document_that_is_no_good_is_an_error_at_once() {
    let (kit, owner) = (kit(), Owner::new());
    let mut embedded: Value =
        serde_json::from_slice(&owner.embedded(&kit, 1, "backend")).expect("JSON");
    embedded["pinset"] = Owner::new().pinset_document(&kit, 1, "backend");
    let built = PinSetUpdater::builder(embedded.to_string().as_bytes()).build();
    assert!(matches!(built, Err(Error::InvalidPinSet { .. })), "{built:?}");
}

#[test]
fn whatever_a_mirror_does_the_next_one_is_asked_and_nothing_is_lost() {
    let (kit, owner) = (kit(), Owner::new());
    let mut embedded: Value =
        serde_json::from_slice(&owner.embedded(&kit, 1, "backend")).expect("JSON");
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
        kit.server("rsa").publish("/bundle.json", owner.bundle(&kit, 2, "rotated"));
        embedded["update_urls"] = json!([format!("https://other.example.test{path}"), good]);
        let updater = updater(&kit, embedded.to_string().as_bytes(), None);
        assert_eq!(updater.refresh(), Ok(Refreshed::Updated), "{path}");

        embedded["update_urls"] = json!([format!("https://other.example.test{path}")]);
        let updater = self::updater(&kit, embedded.to_string().as_bytes(), None);
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
    let (kit, owner) = (kit(), Owner::new());
    let pin = |name: &str| json!({ "sha256": digest(&kit.pki().pin(name)) });
    let mut payload: Value = {
        let document = owner.pinset_document(&kit, 1, "backend");
        let payload = STANDARD.decode(document["payload"].as_str().expect("text"));
        serde_json::from_slice(&payload.expect("base64")).expect("JSON")
    };
    let wrong = json!({ "host": UPDATES, "pins": [pin("deep"), pin("backup")] });
    payload["hosts"].as_array_mut().expect("a list").push(wrong);
    let mut embedded: Value =
        serde_json::from_slice(&owner.embedded(&kit, 1, "backend")).expect("JSON");
    embedded["pinset"] = Owner::envelope(PINSET_TYPE, &payload, "p", &owner.pinset);
    let updater = updater(&kit, embedded.to_string().as_bytes(), None);
    kit.server("rsa").publish("/bundle.json", owner.bundle(&kit, 2, "rotated"));
    assert_eq!(updater.refresh(), Ok(Refreshed::Updated));
}

#[test]
fn another_process_of_the_app_sees_what_this_one_stored() {
    let (kit, owner) = (kit(), Owner::new());
    let folder = folder("processes");
    let embedded = owner.embedded(&kit, 1, "backend");
    kit.server("rsa").publish("/bundle.json", owner.bundle(&kit, 1, "backend"));
    let [one, other] = [(); 2].map(|()| updater(&kit, &embedded, Some(folder.clone())));
    one.refresh().expect("fetched");
    other.refresh().expect("fetched");
    let client = client_of(&kit, &other, "rotated");
    kit.server("rsa").publish("/bundle.json", owner.bundle(&kit, 2, "rotated"));
    assert_eq!(one.refresh(), Ok(Refreshed::Updated));
    let before = fetches(&kit);
    assert_eq!(other.refresh_if_due(), None, "it is not time for a fetch");
    assert_eq!(other.status().order.pinset, 2);
    client.get(&url("/")).expect("its running client knows");
    assert_eq!(fetches(&kit), before);
}

#[test]
fn a_lapsed_pin_set_leaves_the_decision_to_trust_or_to_the_apps_consent() {
    let (kit, owner) = (kit(), Owner::new());
    let mut payload: Value = {
        let document = owner.pinset_document(&kit, 1, "rotated");
        let payload = STANDARD.decode(document["payload"].as_str().expect("text"));
        serde_json::from_slice(&payload.expect("base64")).expect("JSON")
    };
    payload["issued"] = json!(format_rfc3339_utc(now() - 9 * DAY));
    payload["expires"] = json!(format_rfc3339_utc(now() - 4 * DAY));
    payload["hosts"][0]["on_lapse"] = json!("block");
    for (grace, consent, code) in
        [(60, false, Some("pin_mismatch")), (1, false, None), (1, true, Some("pin_set_lapsed"))]
    {
        payload["grace_days"] = json!(grace);
        let mut embedded: Value =
            serde_json::from_slice(&owner.embedded(&kit, 1, "backend")).expect("JSON");
        embedded["pinset"] = Owner::envelope(PINSET_TYPE, &payload, "p", &owner.pinset);
        embedded["allow_block"] = json!(consent);
        kit.server("rsa").publish("/bundle.json", b"gone".to_vec());
        let updater = updater(&kit, embedded.to_string().as_bytes(), None);
        let error = client_of(&kit, &updater, "backend").get(&url("/")).err();
        assert_eq!(error.map(|e| e.code()), code, "{grace} days of grace, consent {consent}");
        // It looked for another one before.
        assert!(updater.status().last_error.is_some());
        // A newer one heals it.
        let bundle = owner.bundle(&kit, 2, "backend");
        kit.server("rsa").publish("/bundle.json", bundle);
        assert_eq!(updater.refresh(), Ok(Refreshed::Updated));
        client_of(&kit, &updater, "backend").get(&url("/")).expect("healed");
    }
}

/// What every document of a gradual rollout says of many hosts.
fn rollout(owner: &Owner, kit: &Testkit, version: u64) -> Value {
    let document = owner.pinset_document(kit, version, "backend");
    let payload = STANDARD.decode(document["payload"].as_str().expect("text")).expect("base64");
    let mut payload: Value = serde_json::from_slice(&payload).expect("JSON");
    let entry = payload["hosts"][0].clone();
    let hosts = (0..40).map(|i| {
        let mut entry = entry.clone();
        entry["host"] = json!(format!("h{i}.example.test"));
        entry["enforce_percent"] = json!(50);
        entry
    });
    payload["hosts"] = hosts.collect();
    Owner::envelope(PINSET_TYPE, &payload, "p", &owner.pinset)
}

#[test]
fn a_devices_share_of_a_rollout_stays_when_the_app_is_updated() {
    let (kit, owner) = (kit(), Owner::new());
    let folder = folder("rollout");
    let start = |version: u64| {
        let embedded = owner.embedded(&kit, version, "backend");
        let mut embedded: Value = serde_json::from_slice(&embedded).expect("JSON");
        embedded["pinset"] = rollout(&owner, &kit, version);
        updater(&kit, embedded.to_string().as_bytes(), Some(folder.clone()))
    };
    let modes = |updater: &PinSetUpdater| {
        updater.pins().hosts().iter().map(pinfold_core::pin::HostPolicy::mode).collect::<Vec<_>>()
    };
    let first = start(1);
    let bundle = json!({ "bundle": 1, "roots": [], "pinset": rollout(&owner, &kit, 1) });
    kit.server("rsa").publish("/bundle.json", bundle.to_string());
    assert_eq!(first.refresh(), Ok(Refreshed::Unchanged));
    let before = modes(&first);
    assert!(before.contains(&Mode::Enforce) && before.contains(&Mode::ReportOnly));
    let updated = start(9);
    assert_eq!(updated.status().order.pinset, 9);
    assert_eq!(modes(&updated), before);
}

#[test]
fn a_call_that_waits_for_a_pin_set_can_be_cancelled_and_ends_in_time() {
    let (kit, owner) = (kit(), Owner::new());
    let mut embedded: Value =
        serde_json::from_slice(&owner.embedded(&kit, 1, "backend")).expect("JSON");
    embedded["update_urls"] = json!([format!("https://{UPDATES}/hang")]);
    for cancelled in [true, false] {
        let updater = updater(&kit, embedded.to_string().as_bytes(), None);
        let client = client_of(&kit, &updater, "rotated");
        let cancel = CancelToken::new();
        kit.server("rotated").clear();
        let request = Request::new(Method::Get, &url("/")).expect("a request");
        let request = match cancelled {
            true => request,
            false => request.timeout(std::time::Duration::from_millis(500)).expect("a timeout"),
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
            let ended = result.recv_timeout(std::time::Duration::from_secs(4)).expect("at once");
            // The mismatch is the reason, whatever ended the wait.
            assert_eq!(ended.expect_err("not pinned").code(), "pin_mismatch");
        });
        kit.server("rsa").drop_connections();
    }
}
