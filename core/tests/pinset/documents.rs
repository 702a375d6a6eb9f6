//! What the two documents may say, and where an error points.

use pinfold_core::pin::{HostName, Mode, OnLapse};
use pinfold_core::pinset::Cause;
use serde_json::{Value, json};

use crate::signer::{A, B, World, base64, time};

const SAMPLE_AUTHORITY: &str = r#"{
    "id": "acme-corp-2026", "spki_sha256": "9n0izTnSRF+W4W4JTq51avSXkWhQB8duS2bxVLfzXsY=",
    "hosts": ["api.example.com"], "never_hosts": ["auth.example.com"],
    "not_before": "2026-10-01T00:00:00Z", "not_after": "2027-03-31T00:00:00Z",
    "require": {"managed_config": true, "managed_config_key": "inspection_authority_id",
                "ca_installed_by_admin": true},
    "mode": "allow", "report": true }"#;

fn authority() -> Value {
    serde_json::from_str(SAMPLE_AUTHORITY).expect("JSON")
}

fn pins() -> Value {
    json!([{"sha256": A, "at": "leaf", "state": "active", "label": "2026"},
           {"sha256": B, "at": "ca", "state": "retiring"}])
}

#[test]
fn every_member_is_read() {
    let world = World::new();
    let document = world.pinset_with(2, 0, |d| {
        let expires = d["expires"].clone();
        d["note"] = json!("weekly");
        d["update"] = json!({"urls": ["https://pins.example.net/bundle.json"],
                             "interval_s": 86_400, "min_interval_s": 3_600});
        d["defaults"] = json!({"mode": "enforce", "trust": "system_and_pin", "on_lapse": "block"});
        d["blocked_spki"] = json!([B]);
        d["hosts"] = json!([
            {"host": "api.example.com", "include_subdomains": true, "enforce_percent": 10,
             "expires": expires, "on_lapse": "system_trust", "pins": pins()},
            {"host": "cdn.example.com", "mode": "report_only", "enforce_percent": 0,
             "pins": pins()},
            {"host": "status.example.com", "mode": "off", "pins": []}]);
        d["inspection_authorities"] = json!([authority()]);
        d["reporting"] = json!({"urls": ["https://reports.example.com/v1"], "sample_percent": 10,
                                "max_per_day": 5, "include_chain": false});
    });
    let state = world.offer(&[], document).expect("good");
    let document = state.pinset();
    let modes: Vec<_> = document.pins().hosts().iter().map(|policy| policy.mode()).collect();
    assert_eq!(modes, [Mode::Enforce, Mode::ReportOnly, Mode::Off]);
    let rules = |host| *document.rules(&HostName::parse(host).expect("a host")).expect("an entry");
    assert_eq!(rules("api.example.com").enforce_percent, 10);
    assert_eq!(rules("api.example.com").expires, Some(document.expires()));
    assert_eq!(rules("api.example.com").on_lapse, OnLapse::SystemTrust);
    assert_eq!(rules("cdn.example.com").on_lapse, OnLapse::Block);
    assert_eq!(document.pins().version(), Some(2));
    assert_eq!(document.grace(), 60 * 86_400);
    assert_eq!(document.audience().len(), 2);
    assert_eq!(document.update().urls, ["https://pins.example.net/bundle.json"]);
    assert_eq!(document.inspection_authorities()[0].id, "acme-corp-2026");
    assert_eq!(document.reporting().expect("there").max_per_day, 5);
}

#[test]
fn every_error_of_a_pin_set_names_its_place() {
    let world = World::new();
    let cases = [
        ("/schema", json!(0), "schema", Cause::Malformed),
        ("/schema", json!(2), "schema", Cause::Unsupported),
        ("/crit", json!(["x"]), "crit[0]", Cause::Unsupported),
        ("/crit", json!([1]), "crit[0]", Cause::Malformed),
        ("/crit", json!("x"), "crit", Cause::Malformed),
        ("/stream", json!(1), "stream", Cause::Malformed),
        ("/stream", json!("a\nb"), "stream", Cause::Malformed),
        ("/aud", json!("x"), "aud", Cause::Malformed),
        ("/aud", json!([""]), "aud[0]", Cause::Malformed),
        ("/version", json!(0), "version", Cause::Malformed),
        ("/epoch", json!(-1), "epoch", Cause::Malformed),
        ("/issued", json!("2026-11-21"), "issued", Cause::Malformed),
        ("/expires", json!(1), "expires", Cause::Malformed),
        ("/grace_days", json!(-1), "grace_days", Cause::Malformed),
        ("/grace_days", json!(null), "grace_days", Cause::Malformed),
        ("/note", json!("a\u{7}b"), "note", Cause::Malformed),
        ("/note", json!(1), "note", Cause::Malformed),
        ("/defaults", json!([]), "defaults", Cause::Malformed),
        ("/defaults", json!({"mode": "ask"}), "defaults.mode", Cause::Unsupported),
        ("/defaults", json!({"on_lapse": "never"}), "defaults.on_lapse", Cause::Unsupported),
        ("/defaults", json!({"trust": null}), "defaults.trust", Cause::Malformed),
        ("/blocked_spki", json!(["AAAA"]), "blocked_spki[0]", Cause::Malformed),
        ("/hosts", json!(null), "hosts", Cause::Malformed),
        ("/hosts/0/host", json!("API.example.com"), "hosts[0].host", Cause::Malformed),
        ("/hosts/0/host", json!("api.example.com."), "hosts[0].host", Cause::Malformed),
        ("/hosts/0/host", json!("bücher.example.com"), "hosts[0].host", Cause::Malformed),
        ("/hosts/0/host", json!("*.example.com"), "hosts[0].host", Cause::Malformed),
        ("/hosts/0/host", json!("evilexample.com"), "hosts[0].host", Cause::Constraints),
        ("/hosts/0/host", json!("example.com.evil.org"), "hosts[0].host", Cause::Constraints),
        ("/hosts/0/host", json!("com"), "hosts[0].host", Cause::Constraints),
        ("/hosts/0/host", json!("192.0.2.1"), "hosts[0].host", Cause::Constraints),
        ("/hosts/0/include_subdomains", json!(1), "hosts[0].include_subdomains", Cause::Malformed),
        ("/hosts/0/mode", json!("ask"), "hosts[0].mode", Cause::Unsupported),
        ("/hosts/0/trust", json!("tofu"), "hosts[0].trust", Cause::Unsupported),
        ("/hosts/0/on_lapse", json!("open"), "hosts[0].on_lapse", Cause::Unsupported),
        ("/hosts/0/enforce_percent", json!(101), "hosts[0].enforce_percent", Cause::Malformed),
        ("/hosts/0/expires", json!("2099-01-01T00:00:00Z"), "hosts[0].expires", Cause::Window),
        ("/hosts/0/pins", json!([{"sha256": A}]), "hosts[0].pins", Cause::Malformed),
        ("/hosts/0/pins/1/sha256", json!("AAAA"), "hosts[0].pins[1].sha256", Cause::Malformed),
        ("/hosts/0/pins/1/at", json!("root"), "hosts[0].pins[1].at", Cause::Unsupported),
        ("/hosts/0/pins/1/state", json!("old"), "hosts[0].pins[1].state", Cause::Unsupported),
        ("/hosts/0/pins/1/label", json!(1), "hosts[0].pins[1].label", Cause::Malformed),
        ("/hosts/0/pins/1/cert", json!("AAAA"), "hosts[0].pins[1].cert", Cause::Malformed),
        ("/hosts/0/anchors", json!(["AAAA"]), "hosts[0].anchors[0]", Cause::Malformed),
        ("/update", json!(1), "update", Cause::Malformed),
        ("/update", json!({"urls": ["http://a.example"]}), "update.urls[0]", Cause::Malformed),
        ("/update", json!({"interval_s": "1"}), "update.interval_s", Cause::Malformed),
        ("/reporting", json!({}), "reporting.urls", Cause::Malformed),
        (
            "/reporting",
            json!({"urls": [], "sample_percent": 101}),
            "reporting.sample_percent",
            Cause::Malformed,
        ),
    ];
    for (pointer, value, place, cause) in cases {
        let why = world.refusal(|d| set(d, pointer, value.clone()));
        assert_eq!((why.place.as_str(), why.cause), (place, cause), "{value}: {why}");
    }
}

#[test]
fn members_that_must_be_there_must_be_there() {
    let world = World::new();
    for name in
        ["schema", "stream", "aud", "version", "epoch", "issued", "expires", "grace_days", "hosts"]
    {
        let why = world.refusal(|d| {
            d.as_object_mut().expect("an object").remove(name);
        });
        assert_eq!((why.place.as_str(), why.cause), (name, Cause::Malformed));
    }
}

#[test]
fn lists_are_capped() {
    let world = World::new();
    let host = |i: usize| json!({"host": format!("h{i}.example.com"), "mode": "off"});
    let hosts = |n: usize| (0..n).map(host).collect::<Vec<_>>();
    let pin = |i: usize| json!({"sha256": base64(&[&[1, 2, i as u8][..], &[9; 29]].concat())});
    let pins = |n: usize| (0..n).map(pin).collect::<Vec<_>>();
    let urls = |n: usize| vec!["https://pins.example.com/"; n];
    for (pointer, most, more) in [
        ("/hosts", json!(hosts(256)), json!(hosts(257))),
        ("/hosts/0/pins", json!(pins(16)), json!(pins(17))),
        ("/update", json!({"urls": urls(8)}), json!({"urls": urls(9)})),
    ] {
        let document = world.pinset_with(2, 0, |d| set(d, pointer, most));
        world.offer(&[], document).expect(pointer);
        assert_eq!(world.refusal(|d| set(d, pointer, more)).cause, Cause::TooLarge, "{pointer}");
    }
}

#[test]
fn an_entry_twice_is_refused() {
    let world = World::new();
    let why = world.refusal(|d| {
        let first = d["hosts"][0].clone();
        d["hosts"].as_array_mut().expect("a list").push(first);
    });
    assert_eq!(why.place, "hosts[1].host");
}

#[test]
fn a_share_of_devices_cannot_enforce_what_has_nothing_but_pins() {
    let world = World::new();
    let pins = json!([{"sha256": A, "at": "leaf"}, {"sha256": B, "at": "leaf"}]);
    let entry = |percent: u64| {
        json!([{"host": "api.example.com", "trust": "pin_only", "enforce_percent": percent,
                "pins": pins}])
    };
    world.offer(&[], world.pinset_with(2, 0, |d| d["hosts"] = entry(100))).expect("all do");
    for percent in [0, 1, 99] {
        let why = world.refusal(|d| d["hosts"] = entry(percent));
        assert_eq!(why.place, "hosts[0].enforce_percent");
    }
}

#[test]
fn constraints_hold_on_label_boundaries() {
    let world = World::new();
    let root = world.root_with(2, 0, |d| {
        d["constraints"]["hosts"] = json!(["example.com", "192.0.2.1", "b.example.net"]);
    });
    for (host, allowed) in [
        ("example.com", true),
        ("a.b.example.com", true),
        ("evilexample.com", false),
        ("example.net", false),
        ("b.example.net", true),
        ("a.b.example.net", true),
        ("ab.example.net", false),
        ("192.0.2.1", true),
        ("192.0.2.2", false),
        ("2001:db8::1", false),
    ] {
        let document = world.pinset_with(2, 0, |d| d["hosts"][0]["host"] = json!(host));
        let result = world.offer(std::slice::from_ref(&root), document);
        assert_eq!(result.map_err(|why| why.cause).is_ok(), allowed, "{host}");
    }
}

#[test]
fn a_root_without_constraints_limits_no_hosts_and_forbids_inspection() {
    let world = World::new();
    let root = world.root_with(2, 0, |d| {
        d.as_object_mut().expect("an object").remove("constraints");
    });
    let offer = |edit: fn(&mut Value)| {
        world.offer(std::slice::from_ref(&root), world.pinset_with(2, 0, edit))
    };
    offer(|d| d["hosts"][0]["host"] = json!("example.org")).expect("any host");
    let why = offer(|d| d["inspection_authorities"] = json!([authority()])).expect_err("no");
    assert_eq!((why.place.as_str(), why.cause), ("inspection_authorities", Cause::Constraints));
}

#[test]
fn inspection_has_narrow_bounds() {
    let world = World::new();
    let good = json!([authority()]);
    world
        .offer(&[], world.pinset_with(2, 0, |d| d["inspection_authorities"] = good.clone()))
        .expect("good");
    for (pointer, value, place, cause) in [
        ("/0/id", json!(""), "[0].id", Cause::Malformed),
        ("/0/spki_sha256", json!("AAAA"), "[0].spki_sha256", Cause::Malformed),
        ("/0/hosts", json!([]), "[0].hosts", Cause::Malformed),
        ("/0/hosts", json!(["*"]), "[0].hosts[0]", Cause::Malformed),
        ("/0/hosts", json!(["example.org"]), "[0].hosts[0]", Cause::Constraints),
        ("/0/not_after", json!("2026-10-01T00:00:00Z"), "[0].not_after", Cause::Malformed),
        ("/0/require/managed_config", json!(false), "[0].require.managed_config", Cause::Malformed),
        ("/0/require", json!({}), "[0].require.managed_config", Cause::Malformed),
        ("/0/mode", json!("always"), "[0].mode", Cause::Unsupported),
        ("/0/report", json!(false), "[0].report", Cause::Malformed),
    ] {
        let mut bad = good.clone();
        set(&mut bad, pointer, value);
        let why = world.refusal(|d| d["inspection_authorities"] = bad);
        let place = format!("inspection_authorities{place}");
        assert_eq!((&why.place, why.cause), (&place, cause), "{why}");
    }
    let twice = json!([authority(), authority()]);
    assert_eq!(
        world.refusal(|d| d["inspection_authorities"] = twice).place,
        "inspection_authorities[1].id"
    );
    let many = json!(vec![authority(); 9]);
    assert_eq!(world.refusal(|d| d["inspection_authorities"] = many).cause, Cause::TooLarge);
}

#[test]
fn no_document_can_stop_or_flood_the_search_for_the_next() {
    let world = World::new();
    for (asked, clamped) in [(0, 3_600), (3_600, 3_600), (86_400, 86_400), (1 << 53, 604_800)] {
        let asked = std::cmp::min(asked, (1_u64 << 53) - 1);
        let document = world.pinset_with(2, 0, |d| {
            d["update"] = json!({"interval_s": asked, "min_interval_s": asked});
        });
        let state = world.offer(&[], document).expect("good");
        assert_eq!(state.pinset().update().interval, clamped);
        let least = state.pinset().update().min_interval;
        assert!((60..=clamped).contains(&least), "{least}");
    }
}

#[test]
fn every_error_of_a_root_names_its_place() {
    let world = World::new();
    for (pointer, value, place) in [
        ("/version", json!("2"), "version"),
        ("/keys/0/id", json!(""), "keys[0].id"),
        ("/keys/1/id", json!("root-a"), "keys[1].id"),
        ("/keys/0/spki", json!("AAAA"), "keys[0].spki"),
        ("/keys/0/alg", json!(7), "keys[0].alg"),
        ("/roles/root/keys", json!(["root-a", "root-x"]), "roles.root.keys[1]"),
        ("/roles/root/keys", json!(["root-a", "root-a"]), "roles.root.keys[1]"),
        ("/roles/root/threshold", json!(0), "roles.root.threshold"),
        ("/roles/root/threshold", json!(4), "roles.root"),
        ("/roles/pinset/threshold", json!(2), "roles.pinset"),
        ("/constraints/hosts/0", json!("EXAMPLE.com"), "constraints.hosts[0]"),
        ("/constraints/max_validity_days", json!(0), "constraints.max_validity_days"),
        ("/constraints/inspection", json!("yes"), "constraints.inspection"),
        ("/expires", json!(time(0)), "expires"),
    ] {
        // In the build, where a root is read without being asked for its signatures.
        let root = world.root_with(1, 0, |d| set(d, pointer, value));
        let embedded = crate::signer::embedded(&root, &world.pinset(1, 0));
        let why = pinfold_core::pinset::State::from_embedded(&embedded).expect_err(pointer);
        assert_eq!(why.place, format!("root.{place}"), "{why}");
    }
}

#[test]
fn a_root_with_one_key_under_two_names_is_no_root() {
    let world = World::new();
    let root = world.root_with(1, 0, |d| d["keys"][1]["spki"] = d["keys"][0]["spki"].clone());
    let embedded = crate::signer::embedded(&root, &world.pinset(1, 0));
    let why = pinfold_core::pinset::State::from_embedded(&embedded).expect_err("refused");
    assert_eq!((why.place.as_str(), why.cause), ("root.keys[1].spki", Cause::Malformed));
}

#[test]
fn codes_are_sorted_and_distinct() {
    assert!(Cause::ALL.is_sorted_by(|a, b| a.code() < b.code()));
}

/// Sets a member, which may be new if its parent is there.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = document.pointer_mut(parent).expect("a parent");
    match parent {
        Value::Array(list) => list[name.parse::<usize>().expect("an index")] = value,
        object => object[name] = value,
    }
}
