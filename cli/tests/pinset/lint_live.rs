//! The rules of `pinfold lint` that ask servers.

use pinfold_testkit::Testkit;
use serde_json::{Value, json};

use super::lint::lint;
use super::support::{authority, authority_params, issue, key, pem, present, private};
use super::{AT, Desk, parsed, pinset, words};

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
        let mut found = vec!["E02 hosts[0]".to_owned()];
        found.extend((second == "intermediate").then(|| "W22 hosts[0]".to_owned()));
        assert_eq!(ask(&used, &["backend"]), (1, found), "{second}");
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
    let authority = entry(&[("public_intermediate", "ca"), ("backup", "leaf")]);
    assert_eq!(authority, (1, vec!["W22 hosts[0]".into()]), "an intermediate, but not W20");
    // The other one may be an authority's for all that is known.
    assert_eq!(entry(&[("public_leaf", "leaf"), ("backup", "any")]), clean);
}

/// The pin of a key, as a pin set has it.
fn pin_of(desk: &Desk, der: &rustls::pki_types::CertificateDer<'_>) -> String {
    desk.write("one.pem", pem(std::slice::from_ref(der)));
    let pin = parsed(&desk.run(&["pin", "--json", "one.pem"]))["pins"][0]["pin"].clone();
    pin.as_str().expect("a pin").replace("sha256/", "")
}

const SPARE: &str = "sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=";

fn entry_of(host: &str, pin: &str, at: &str) -> Value {
    json!({ "host": host, "pins": [{ "sha256": pin, "at": at }, { "sha256": SPARE, "at": "leaf" }] })
}

#[test]
fn whoever_sits_behind_an_inspecting_proxy_pins_nothing() {
    let desk = Desk::after_the_ceremony("lint-proxy");
    // As mitmproxy does it: one key for the authority and for every host.
    let ca = authority("An inspecting proxy");
    desk.write("ca.pem", pem(&[ca.as_ref().der().clone()]));
    let server = |host: &str, own: Option<&rcgen::KeyPair>| {
        let key = own.unwrap_or_else(|| ca.key());
        let leaf = issue(&[host], key, &ca);
        let pin = pin_of(&desk, &leaf);
        let root = ca.as_ref().der().clone();
        (present(vec![leaf, root], private(key)), pin)
    };
    let connect = |host: &str, at: std::net::SocketAddr| format!("{host}:443:{at}");
    let mut document = pinset(2, 0);
    let (a, pin) = server("api.example.com", None);
    document["hosts"] = json!([entry_of("api.example.com", &pin, "leaf")]);
    let connect_a = connect("api.example.com", a);
    let live = ["--live", "--roots", "ca.pem", "--connect"];
    let own = [&live[..], &[&connect_a]].concat();
    assert_eq!(lint(&desk, &document, &own), (1, vec!["E15 hosts[0]".into()]));

    // One key for strangers, though the authority has another.
    let shared = key();
    let (a, pin) = server("api.example.com", Some(&shared));
    let (b, _) = server("www.example.org", Some(&shared));
    document["hosts"] = json!([
        entry_of("api.example.com", &pin, "leaf"),
        entry_of("www.example.org", &pin, "leaf")
    ]);
    let (connect_a, connect_b) = (connect("api.example.com", a), connect("www.example.org", b));
    let both = [&live[..], &[&connect_a, "--connect", &connect_b]].concat();
    assert_eq!(lint(&desk, &document, &both), (1, vec!["W38 hosts[0]".into()]));
    // One certificate for both is usual.
    let leaf = issue(&["api.example.com", "www.example.org"], &shared, &ca);
    let one = present(vec![leaf], private(&shared));
    let (connect_a, connect_b) = (connect("api.example.com", one), connect("www.example.org", one));
    let both = [&live[..], &[&connect_a, "--connect", &connect_b]].concat();
    assert_eq!(lint(&desk, &document, &both), (0, vec![]));
}

#[test]
fn what_has_changed_since_the_last_time_is_said() {
    let desk = Desk::after_the_ceremony("lint-seen");
    let root = authority("Root");
    desk.write("ca.pem", pem(&[root.as_ref().der().clone()]));
    let below = |name: &str| {
        rcgen::CertifiedIssuer::signed_by(authority_params(name), key(), &root)
            .expect("an authority")
    };
    let (first, second) = (below("R1"), below("R2"));
    let leaf_key = key();
    let served = |key: &rcgen::KeyPair, issuer: &rcgen::CertifiedIssuer<'_, rcgen::KeyPair>| {
        let leaf = issue(&["api.example.com"], key, issuer);
        let pin = pin_of(&desk, &leaf);
        (present(vec![leaf, issuer.as_ref().der().clone()], private(key)), pin)
    };
    let mut document = pinset(2, 0);
    let (address, pin) = served(&leaf_key, &first);
    let intermediate = pin_of(&desk, first.as_ref().der());
    document["hosts"] = json!([entry_of("api.example.com", &pin, "leaf")]);
    let ask = |document: &Value, address: std::net::SocketAddr| {
        let connect = format!("api.example.com:443:{address}");
        let live = ["--live", "--roots", "ca.pem", "--seen", "seen.json", "--connect", &connect];
        lint(&desk, document, &live)
    };
    let clean = (0, vec![]);
    assert_eq!(ask(&document, address), clean, "nobody has looked before");
    assert_eq!(ask(&document, address), clean);
    let (renewed, _) = served(&leaf_key, &second);
    assert_eq!(ask(&document, renewed), (1, vec!["W40 hosts[0]".into()]));
    assert_eq!(ask(&document, renewed), clean, "it is known now");

    let (other, new_pin) = served(&key(), &second);
    document["hosts"][0]["pins"][1] = json!({ "sha256": new_pin, "at": "leaf" });
    document["hosts"][0]["pins"].as_array_mut().expect("pins").push(json!({ "sha256": SPARE }));
    assert_eq!(ask(&document, other), (1, vec!["W39 hosts[0]".into()]));
    let connect = format!("api.example.com:443:{address}");
    let live = ["lint", "p.json", "--at", AT, "--live", "--roots", "ca.pem", "--connect", &connect];
    let output = desk.run(&[&live[..], &["--seen", "seen.json"]].concat());
    assert!(words(&output).contains("8 a year with certificates of 47 days"), "{}", words(&output));

    // W22: what a server presents shows that a pin is of an intermediate.
    document["hosts"] = json!([entry_of("api.example.com", &intermediate, "ca")]);
    assert_eq!(ask(&document, address), (1, vec!["W22 hosts[0]".into()]));
    desk.write("seen.json", "{}");
    let given = ["lint", "p.json", "--live", "--roots", "ca.pem", "--connect", &connect];
    let said = desk.fails(2, &[&given[..], &["--seen", "seen.json"]].concat());
    assert!(said.contains("seen.json"), "{said}");
}

#[test]
fn what_phones_cannot_verify_is_said() {
    let desk = Desk::after_the_ceremony("lint-unverifiable");
    let openssl = |arguments: &str| {
        let arguments: Vec<_> = arguments.split(' ').collect();
        desk.tool("openssl", &arguments);
    };
    let ec = "req -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256";
    desk.write("san", "subjectAltName=DNS:api.example.com");
    for hash in ["sha512", "sha256"] {
        openssl(&format!("{ec} -x509 -days 3650 -subj /CN={hash} -keyout ca.key -out ca.pem"));
        openssl(&format!("{ec} -new -subj /CN=leaf -keyout {hash}.key -out leaf.csr"));
        openssl(&format!(
            "x509 -req -days 3650 -{hash} -extfile san -CA ca.pem -CAkey ca.key -in leaf.csr -out {hash}.pem"
        ));
        let pem = |file: String| String::from_utf8(desk.read(&file)).expect("PEM");
        use rustls::pki_types::pem::PemObject as _;
        let leaf = rustls::pki_types::CertificateDer::from_pem_slice(
            pem(format!("{hash}.pem")).as_bytes(),
        );
        let key =
            rustls::pki_types::PrivateKeyDer::from_pem_slice(pem(format!("{hash}.key")).as_bytes());
        let leaf = leaf.expect("a certificate");
        let pin = pin_of(&desk, &leaf);
        let address = present(vec![leaf], key.expect("a key"));
        let mut document = pinset(2, 0);
        document["hosts"] = json!([entry_of("api.example.com", &pin, "leaf")]);
        let connect = format!("api.example.com:443:{address}");
        let (_, found) =
            lint(&desk, &document, &["--live", "--roots", "ca.pem", "--connect", &connect]);
        assert_eq!(found.contains(&"W41 hosts[0]".to_owned()), hash == "sha512", "{found:?}");
    }
}
