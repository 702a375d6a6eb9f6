//! The rules of `pinfold lint` that ask servers.

use pinfold_testkit::Testkit;
use serde_json::{Value, json};

use super::lint::lint;
use super::{Desk, parsed, pinset};

/// An entry of a host of the testkit, with the pins of these certificates.
fn live_entry(kit: &Testkit, host: &str, pins: &[(&str, &str)]) -> Value {
    let pin = |(name, at): &(&str, &str)| json!({ "sha256": kit.pki().pin(name).replace("sha256/", ""), "at": at });
    let mut document = pinset(2, 0);
    let pins: Vec<_> = pins.iter().map(pin).collect();
    document["hosts"] = json!([{ "host": host, "pins": pins }]);
    document
}

#[test]
fn what_live_servers_present() {
    let desk = Desk::after_the_ceremony("lint-live");
    let kit = Testkit::start().expect("loopback");
    kit.pki().write_to(&desk.dir).expect("a writable folder");
    let host = "api.example.test";
    let ask = |document: &Value, servers: &[&str]| {
        let connects = servers.iter().map(|name| format!("{host}:443:{}", kit.server(name).addr()));
        let connects: Vec<_> = connects.collect();
        let given = connects.iter().flat_map(|connect| ["--connect", connect.as_str()]);
        let given: Vec<_> = given.collect();
        lint(&desk, document, &[&["--live", "--roots", "root.pem"], &given[..]].concat())
    };
    let entry = |pins: &[(&str, &str)]| live_entry(&kit, host, pins);
    let (good, clean) = (entry(&[("backend", "leaf"), ("backup", "leaf")]), (0, vec![]));
    assert_eq!(ask(&good, &["backend"]), clean);

    // E02: both are in use; the root is, though no server sends it.
    for second in ["intermediate", "root"] {
        let used = entry(&[("backend", "leaf"), (second, "ca")]);
        assert_eq!(ask(&used, &["backend"]), (1, vec!["E02 hosts[0]".into()]), "{second}");
    }
    // A pin on its way out is no spare, and of two servers both count.
    let mut leaving = good.clone();
    leaving["hosts"][0]["pins"][1]["state"] = json!("retiring");
    assert_eq!(ask(&leaving, &["backend"]), (1, vec!["E02 hosts[0]".into()]));
    let two = entry(&[("backend", "leaf"), ("rotated", "leaf")]);
    assert_eq!(ask(&two, &["backend"]), clean);
    assert_eq!(ask(&two, &["backend", "rotated"]), (1, vec!["E02 hosts[0]".into()]));
    let certificate = |name: &str| {
        let output = desk.run(&["pin", "--json", &format!("{name}.pem")]);
        let pin = parsed(&output)["pins"][0]["certificate_pin"].clone();
        json!({ "cert_sha256": pin.as_str().expect("a pin").replace("cert-sha256/", "") })
    };
    let mut whole = good.clone();
    whole["hosts"][0]["pins"][1] = certificate("backend");
    assert_eq!(ask(&whole, &["backend"]), (1, vec!["E02 hosts[0]".into()]));
    whole["hosts"][0]["pins"][1] = certificate("rotated");
    assert_eq!(ask(&whole, &["backend"]), clean);

    // E03: no pin matches, it is not trusted, or it cannot be asked.
    let mismatch = (1, vec!["E03 hosts[0]".to_owned()]);
    assert_eq!(ask(&good, &["rotated"]), mismatch);
    assert_eq!(ask(&good, &["backend", "rotated"]), mismatch);
    let impostor = entry(&[("impostor", "leaf"), ("backup", "leaf")]);
    assert_eq!(ask(&impostor, &["impostor"]), mismatch);
    assert_eq!(ask(&good, &["garbage"]), mismatch);
    // What does not refuse is not asked.
    for (member, value) in [("mode", json!("report_only")), ("enforce_percent", json!(0))] {
        let mut reporting = good.clone();
        reporting["hosts"][0][member] = value;
        assert_eq!(ask(&reporting, &["garbage"]), clean, "{member}");
    }

    // A server below an entry, at a port of its own.
    let mut parent = live_entry(&kit, "example.test", &[("backend", "leaf"), ("backup", "leaf")]);
    parent["hosts"][0]["include_subdomains"] = json!(true);
    assert_eq!(ask(&parent, &["backend"]), clean);
    assert_eq!(ask(&parent, &["rotated"]), mismatch);
    let local = live_entry(&kit, "127.0.0.1", &[("backend", "leaf"), ("backup", "leaf")]);
    let connect = format!("127.0.0.1:8443:{}", kit.server("backend").addr());
    let more = ["--live", "--roots", "root.pem", "--connect", &connect];
    assert_eq!(lint(&desk, &local, &more), clean);
    let elsewhere = ["--live", "--connect", "www.example.test:443:127.0.0.1"];
    let text = desk.fails(2, &[&["lint", "p.json"], &elsewhere[..]].concat());
    assert!(text.contains("no entry covers www.example.test"), "{text}");
    for roots in ["none.pem", "p.json"] {
        desk.fails(2, &["lint", "p.json", "--live", "--roots", roots]);
    }
}

#[test]
fn a_leaf_that_is_renewed_every_three_months_needs_its_key_or_an_authority() {
    let desk = Desk::after_the_ceremony("lint-renewal");
    let kit = Testkit::start().expect("loopback");
    let connect = format!("cryptography.io:443:{}", kit.server("public_ca").addr());
    let at = "2023-07-01T00:00:00Z";
    let more = ["--live", "--roots", "bundled", "--connect", &connect, "--at", at];
    let entry = |pins: &[(&str, &str)]| {
        let mut document = live_entry(&kit, "cryptography.io", pins);
        document["issued"] = json!("2023-06-20T00:00:00Z");
        document["expires"] = json!("2023-08-20T00:00:00Z");
        lint(&desk, &document, &more)
    };
    let clean = (0, vec![]);
    let leaves = entry(&[("public_leaf", "leaf"), ("backup", "leaf")]);
    assert_eq!(leaves, (1, vec!["W20 hosts[0]".into()]));
    assert_eq!(entry(&[("public_intermediate", "ca"), ("backup", "leaf")]), clean);
    // The other one may be an authority's for all that is known.
    assert_eq!(entry(&[("public_leaf", "leaf"), ("backup", "any")]), clean);
}
