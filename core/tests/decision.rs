//! Trust, then verified path, then pins: over real handshakes with the testkit's servers.

mod common;

use common::*;
use pinfold_core::pin::{HostSpec, Mode, Outcome, PinAt, PinSetSpec, PinSpec, Trust};
use pinfold_core::{Error, PinSet, Roots, UntrustedReason};
use pinfold_testkit::Event;

fn untrusted(result: Result<pinfold_core::Response, Error>) -> UntrustedReason {
    match result {
        Err(Error::Untrusted { reason, facts }) => {
            assert_eq!(facts.host, HOST);
            assert!(facts.presented_pin.is_some());
            reason
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pinned_key_anywhere_on_the_verified_path_is_accepted() {
    let kit = kit();
    for (server, pinned_name, depth) in [
        ("backend", "backend", 0),
        ("backend", "intermediate", 1),
        ("backend", "root", 2),
        ("backend_root", "root", 2),
        ("leaf_only", "root", 1),
        ("deep", "intermediate2", 1),
        ("deep", "intermediate", 2),
        ("deep", "root", 3),
        ("rsa", "rsa", 0),
        ("rsa", "intermediate", 1),
        ("tls12", "backend", 0),
        // The intermediate's key, signed by another root: the path differs, the pinned key holds.
        ("cross", "intermediate", 1),
        ("cross", "other_root", 2),
    ] {
        let response = get(&kit, pinned(&kit, pinned_name), server).expect(server);
        let matched = response.matched_pin().expect("a match");
        assert_eq!(matched.pin.to_string(), kit.pki().pin(pinned_name), "{server}");
        assert_eq!(matched.depth, depth, "{server}, {pinned_name}");
    }
}

#[test]
fn a_leaf_pin_does_not_match_an_authority_nor_a_ca_pin_the_end_entity() {
    let kit = kit();
    for (name, at, allowed) in [
        ("backend", PinAt::Leaf, true),
        ("backend", PinAt::Ca, false),
        ("intermediate", PinAt::Ca, true),
        ("intermediate", PinAt::Leaf, false),
        ("root", PinAt::Ca, true),
        ("root", PinAt::Leaf, false),
    ] {
        let result = get(&kit, pinned_at(&kit, name, at), "backend");
        match (allowed, result) {
            (true, Ok(_)) | (false, Err(Error::PinMismatch(_))) => {}
            (_, other) => panic!("{name} {at:?}: {other:?}"),
        }
    }
}

#[test]
fn a_whole_certificate_can_be_pinned() {
    let kit = kit();
    let pin = |name: &str| {
        let digest = pinfold_core::pin::CertSha256::of_certificate(kit.pki().certificate(name));
        let text = digest.to_string().replace("cert-sha256/", "");
        PinSpec { cert_sha256: Some(text), ..PinSpec::default() }
    };
    let spare = pins_at(&kit, "backup", PinAt::Any).remove(0);
    for (server, name, allowed) in [
        ("backend", "backend", true),
        ("backend", "intermediate", true),
        ("backend", "root", true),
        ("backend_root", "root", true),
        ("interceptor", "root", false),
        ("rotated", "backend", false),
        // Same name and key, other certificate.
        ("cross", "intermediate", false),
        ("cross", "cross", true),
        ("pasted", "backend", false),
        ("pasted", "intermediate", false),
    ] {
        let pins = set(vec![host(vec![pin(name), spare.clone()])]);
        let result = get(&kit, pins, server);
        assert_eq!(result.is_ok(), allowed, "{server} {name}: {result:?}");
    }
}

#[test]
fn another_trusted_authority_is_refused_before_a_byte_of_the_request() {
    let kit = kit();
    let error = get(&kit, pinned(&kit, "root"), "interceptor").expect_err("an interceptor");
    let Error::PinMismatch(facts) = error else { panic!("{error}") };
    assert_eq!(facts.host, HOST);
    assert_eq!(facts.rule.as_deref(), Some(HOST));
    assert_eq!(facts.presented_pin.expect("a pin").to_string(), kit.pki().pin("interceptor"));
    assert_eq!(facts.expected_pins[0].to_string(), kit.pki().pin("root"));
    assert_eq!(facts.issuer.as_deref(), Some("Interception Authority"));
    assert_eq!(facts.pin_set_version, Some(7));

    let events = wait_closed(kit.server("interceptor"), 1);
    let alert = events.iter().find_map(|e| match e {
        Event::Alert { description, .. } => Some(description.as_str()),
        _ => None,
    });
    assert_eq!(alert, Some("certificate_unknown"), "{events:?}");
    let bytes = events.iter().find_map(|e| match e {
        Event::Closed { application_bytes, .. } => Some(*application_bytes),
        _ => None,
    });
    assert_eq!(bytes, Some(0), "{events:?}");
}

#[test]
fn a_refusal_reaches_a_tls12_server_as_an_alert_too() {
    let kit = kit();
    get(&kit, pinned(&kit, "rotated"), "tls12").expect_err("another pin");
    let events = wait_closed(kit.server("tls12"), 1);
    let alerted = |e: &Event| matches!(e, Event::Alert { description, .. } if description == "certificate_unknown");
    assert!(events.iter().any(alerted), "{events:?}");
}

/// CVE-2016-2402: the pinned chain is genuine, but it does not vouch for this end-entity.
#[test]
fn a_genuine_chain_pasted_behind_a_mis_issued_leaf_is_refused() {
    let kit = kit();
    for name in ["backend", "intermediate", "root"] {
        let error = get(&kit, pinned(&kit, name), "pasted").expect_err(name);
        assert_eq!(error.code(), "pin_mismatch", "{name}");
    }
}

#[test]
fn a_pinned_name_on_another_key_is_refused() {
    let kit = kit();
    let error = get(&kit, pinned(&kit, "intermediate"), "same_name_ca").expect_err("a fake CA");
    assert_eq!(error.code(), "pin_mismatch");
}

#[test]
fn a_leaf_that_signs_another_leaf_is_refused() {
    let kit = kit();
    for name in ["backend", "intermediate", "root"] {
        let error = get(&kit, pinned(&kit, name), "leaf_signs").expect_err(name);
        assert!(matches!(error, Error::Untrusted { .. }), "{name}: {error}");
    }
}

#[test]
fn a_genuine_chain_without_its_key_is_refused() {
    let kit = kit();
    let error = get(&kit, pinned(&kit, "backend"), "wrong_key").expect_err("no key");
    assert_eq!(error.code(), "tls_failed", "{error}");
    assert_eq!(requests(kit.server("wrong_key")), 0);
}

#[test]
fn an_untrusted_certificate_is_told_apart_by_reason() {
    let kit = kit();
    for (server, reason) in [
        ("impostor", UntrustedReason::UnknownIssuer),
        ("self_signed", UntrustedReason::UnknownIssuer),
        ("private", UntrustedReason::UnknownIssuer),
        ("expired", UntrustedReason::Expired),
        ("not_yet_valid", UntrustedReason::NotYetValid),
        ("wrong_host", UntrustedReason::WrongHost),
    ] {
        // Even where its own key is pinned: trust comes first.
        assert_eq!(untrusted(get(&kit, pinned(&kit, server), server)), reason, "{server}");
    }
    // A certificate that calls itself an authority is no end-entity (RFC 5280 §4.2.1.9).
    let reason = untrusted(get(&kit, pinned(&kit, "self_signed_ca"), "self_signed_ca"));
    assert!(matches!(reason, UntrustedReason::Invalid(_) | UntrustedReason::UnknownIssuer));
}

#[test]
fn a_stapled_revocation_and_a_blocked_key_end_the_handshake() {
    let kit = kit();
    let roots = ["root", "stapled_root"].map(|name| kit.pki().certificate(name).to_vec());
    let build = |pins, server| {
        let builder = builder(&kit, pins, server).roots(Roots::Only(roots.to_vec()));
        builder.build().expect("good settings")
    };
    let error = build(pinned(&kit, "revoked"), "revoked").get(&url("/")).expect_err("revoked");
    let Error::Untrusted { reason, .. } = &error else { panic!("{error}") };
    assert_eq!(*reason, UntrustedReason::Revoked);

    for blocked in ["backend", "intermediate", "root"] {
        let spec = PinSetSpec {
            schema: 1,
            blocked_spki: vec![digest(&kit.pki().pin(blocked))],
            hosts: vec![host(pins_at(&kit, "backend", PinAt::Any))],
            ..PinSetSpec::default()
        };
        let pins = PinSet::new(spec).expect("a good pin set");
        let error = build(pins, "backend").get(&url("/")).expect_err("blocked");
        let Error::BlockedKey(facts) = &error else { panic!("{error}") };
        assert_eq!(facts.presented_pin.expect("a pin").to_string(), kit.pki().pin("backend"));
    }
    for server in ["revoked", "backend"] {
        wait_closed(kit.server(server), 1);
        assert_eq!(requests(kit.server(server)), 0, "{server}");
    }
}

#[test]
fn the_error_says_who_is_in_the_middle() {
    let kit = kit();
    for (server, code, kind, confidence) in [
        ("interceptor", "pin_mismatch", "rotated_or_misissued", "possible"),
        ("impostor", "certificate_unknown_issuer", "unknown_authority", "possible"),
        ("self_signed", "certificate_unknown_issuer", "captive_portal", "possible"),
        ("wrong_host", "certificate_wrong_host", "wrong_name", "likely"),
        ("expired", "certificate_expired", "expired", "likely"),
        ("not_yet_valid", "certificate_not_yet_valid", "wrong_clock", "likely"),
        ("portal", "tls_failed", "captive_portal", "likely"),
        ("plain_http", "tls_failed", "captive_portal", "possible"),
    ] {
        let error = get(&kit, pinned(&kit, "backend"), server).expect_err(server);
        let report = error.interception().expect(server);
        assert_eq!(
            (error.code(), report.kind.code(), report.confidence.code()),
            (code, kind, confidence),
            "{server}"
        );
        let said = format!("{confidence}: {kind}");
        assert!(error.to_string().contains(&said), "{error}");
    }
    for server in ["garbage", "close_on_hello"] {
        let error = get(&kit, pinned(&kit, "backend"), server).expect_err(server);
        assert_eq!(error.interception(), None, "{server}: {error}");
    }
    // A portal puts the device's address into its redirect.
    let error = get(&kit, pinned(&kit, "backend"), "portal").expect_err("a portal");
    assert!(error.to_string().contains("http://login.portal.test"), "{error}");
    assert!(!error.to_string().contains("mac="), "{error}");
}

#[test]
fn a_mismatch_that_is_only_reported_says_so_too() {
    let kit = kit();
    let entry = policy(&kit, "root", PinAt::Any, Mode::ReportOnly, Trust::SystemAndPin);
    let response = get(&kit, set(vec![entry]), "interceptor").expect("only reported");
    let report = response.verdict().facts.interception.as_deref().expect("a report");
    assert_eq!(report.kind.code(), "rotated_or_misissued");
}

#[test]
fn a_private_ca_trusts_its_own_anchors_and_no_others() {
    let kit = kit();
    let private = |name| set(vec![policy(&kit, name, PinAt::Any, Mode::Enforce, Trust::PrivateCa)]);
    let response = get(&kit, private("private"), "private").expect("the private CA");
    assert!(response.matched_pin().is_some());
    get(&kit, private("private_root"), "private").expect("the private root's pin");
    let mut whole = policy(&kit, "backup", PinAt::Ca, Mode::Enforce, Trust::PrivateCa);
    let digest =
        pinfold_core::pin::CertSha256::of_certificate(kit.pki().certificate("private_root"));
    let digest = digest.to_string().replace("cert-sha256/", "");
    whole.pins[0] = PinSpec { cert_sha256: Some(digest), ..PinSpec::default() };
    get(&kit, set(vec![whole]), "private").expect("the private root's certificate");
    let error = get(&kit, private("backend"), "private").expect_err("no pin");
    assert_eq!(error.code(), "pin_mismatch");
    // The system trusts these, the policy does not; their pins do not help.
    for server in ["backend", "interceptor"] {
        let reason = untrusted(get(&kit, private(server), server));
        assert_eq!(reason, UntrustedReason::UnknownIssuer, "{server}");
    }
}

#[test]
fn pin_only_needs_the_key_the_name_the_dates_and_the_signature_but_no_authority() {
    let kit = kit();
    let only = |name| set(vec![policy(&kit, name, PinAt::Leaf, Mode::Enforce, Trust::PinOnly)]);
    for server in ["self_signed", "self_signed_ca", "private", "impostor"] {
        get(&kit, only(server), server).expect(server);
    }
    for (server, pin, code) in [
        ("self_signed", "backend", "pin_mismatch"),
        ("expired", "expired", "certificate_expired"),
        ("not_yet_valid", "not_yet_valid", "certificate_not_yet_valid"),
        ("wrong_host", "wrong_host", "certificate_wrong_host"),
        ("wrong_key", "backend", "tls_failed"),
        ("pasted", "backend", "pin_mismatch"),
    ] {
        assert_eq!(get(&kit, only(pin), server).expect_err(server).code(), code, "{server}");
    }
}

#[test]
fn report_only_lets_a_mismatch_pass_and_says_so() {
    let kit = kit();
    let report = |trust| set(vec![policy(&kit, "backend", PinAt::Any, Mode::ReportOnly, trust)]);
    let response = get(&kit, report(Trust::SystemAndPin), "interceptor").expect("only a report");
    assert_eq!(response.verdict().outcome, Outcome::NoMatch);
    let facts = &response.verdict().facts;
    assert_eq!(facts.presented_pin.expect("a pin").to_string(), kit.pki().pin("interceptor"));
    // But only the pins are waived.
    let untrusted = get(&kit, report(Trust::SystemAndPin), "impostor").expect_err("no trust");
    assert_eq!(untrusted.code(), "certificate_unknown_issuer");
    let matched = get(&kit, report(Trust::SystemAndPin), "backend").expect("a match");
    assert!(matched.matched_pin().is_some());
}

#[test]
fn off_and_unpinned_hosts_keep_the_systems_trust() {
    let kit = kit();
    let off = || set(vec![HostSpec { mode: Some(Mode::Off), ..host(Vec::new()) }]);
    let response = get(&kit, off(), "interceptor").expect("off");
    assert_eq!(response.verdict().outcome, Outcome::Off);
    assert_eq!(untrusted(get(&kit, off(), "impostor")), UntrustedReason::UnknownIssuer);

    let none = || builder(&kit, set(Vec::new()), "interceptor").deny_unpinned(false);
    let response = none().build().expect("good settings").get(&url("/")).expect("unpinned");
    assert_eq!(response.verdict().outcome, Outcome::NotPinned);
    let impostor = none().connect_to(HOST, 443, kit.server("impostor").addr());
    let result = impostor.build().expect("good settings").get(&url("/"));
    assert_eq!(untrusted(result), UntrustedReason::UnknownIssuer);
}

#[test]
fn unpinned_hosts_are_refused_by_default_without_connecting() {
    let kit = kit();
    let error = get(&kit, set(Vec::new()), "backend").expect_err("unpinned");
    assert_eq!(error, Error::HostNotPinned { host: HOST.into() });
    assert_eq!(connections(kit.server("backend")), 0);
}

#[test]
fn an_expired_entry_falls_back_to_trust_alone() {
    let kit = kit();
    let expiring = |expires: &str| {
        let entry = HostSpec {
            expires: Some(expires.into()),
            ..host(pins_at(&kit, "rotated", PinAt::Any))
        };
        set(vec![entry])
    };
    let response = get(&kit, expiring("2021-01-01T00:00:00Z"), "backend").expect("lapsed");
    assert_eq!(response.verdict().outcome, Outcome::Lapsed);
    let error = get(&kit, expiring("2021-01-01T00:00:00Z"), "impostor").expect_err("no trust");
    assert_eq!(error.code(), "certificate_unknown_issuer");
    let error = get(&kit, expiring("2049-01-01T00:00:00Z"), "backend").expect_err("in force");
    assert_eq!(error.code(), "pin_mismatch");
}

#[test]
fn the_most_specific_entry_wins_entirely() {
    let kit = kit();
    let entry = |name: &str, subdomains, mode, pin| HostSpec {
        host: name.into(),
        include_subdomains: subdomains,
        mode: Some(mode),
        pins: pins_at(&kit, pin, PinAt::Any),
        ..HostSpec::default()
    };
    for (hosts, expected) in [
        (vec![entry("example.test", true, Mode::Enforce, "backend")], Ok("example.test")),
        (vec![entry("example.test", false, Mode::Enforce, "backend")], Err("host_not_pinned")),
        // A suffix of the text, but not of the labels.
        (vec![entry("i.example.test", true, Mode::Enforce, "backend")], Err("host_not_pinned")),
        (
            vec![
                entry("example.test", true, Mode::Enforce, "backend"),
                entry(HOST, false, Mode::Enforce, "rotated"),
            ],
            Err("pin_mismatch"),
        ),
        (
            vec![
                entry("example.test", true, Mode::Enforce, "rotated"),
                entry(HOST, false, Mode::Off, "rotated"),
            ],
            Ok(HOST),
        ),
    ] {
        let result = get(&kit, set(hosts), "backend");
        match (result, expected) {
            (Ok(response), Ok(rule)) => {
                assert_eq!(response.verdict().facts.rule.as_deref(), Some(rule));
            }
            (Err(error), Err(code)) => assert_eq!(error.code(), code),
            (other, expected) => panic!("{other:?} where {expected:?}"),
        }
    }
}

#[test]
fn ip_addresses_match_exactly() {
    let kit = kit();
    let port = kit.server("backend").port();
    for (entry, code) in [("127.0.0.1", None), ("127.0.0.2", Some("host_not_pinned"))] {
        let pins = pins_at(&kit, "backend", PinAt::Any);
        let pins = set(vec![HostSpec { host: entry.into(), ..host(pins) }]);
        let result = client(&kit, pins, "backend").get(&format!("https://127.0.0.1:{port}/"));
        assert_eq!(result.err().map(|e| e.code()), code, "{entry}");
    }
}

#[test]
fn no_process_wide_default_is_installed() {
    let kit = kit();
    get(&kit, pinned(&kit, "backend"), "backend").expect("pinned");
    assert!(rustls::crypto::CryptoProvider::get_default().is_none(), "it belongs to the app");
}
