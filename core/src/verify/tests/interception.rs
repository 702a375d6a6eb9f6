//! Who is said to be in the middle, by what was presented and when.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::*;
use crate::interception::InterceptionReport;

/// The report for a chain, if there is one.
fn report(
    system: SystemTrust,
    pins: PinSet,
    host: &str,
    chain: &[CertificateDer<'_>],
    at: &str,
) -> Option<InterceptionReport> {
    let judge = Judge { pins, deny_unpinned: false, system, managed: None };
    let name = ServerName::try_from(host).expect("a name");
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds(at)));
    let (end_entity, intermediates) = chain.split_first().expect("a chain");
    let presented =
        Presented { end_entity, intermediates, name: &name, ocsp: &[], now, live: true };
    let judged = judge.judge(&presented).expect("judged");
    judged.facts.interception.map(|report| *report)
}

fn seconds(at: &str) -> u64 {
    parse_rfc3339_utc(at).expect("a time")
}

fn summary(report: Option<InterceptionReport>) -> (String, Vec<&'static str>) {
    match report {
        None => ("-".into(), Vec::new()),
        Some(report) => {
            let mut text = format!("{} {}", report.confidence.code(), report.kind.code());
            if let Some(product) = report.product {
                text = format!("{text} {product}");
            }
            (text, report.evidence.iter().map(crate::interception::Evidence::code).collect())
        }
    }
}

/// An authority of a name, and a certificate of its for the host.
fn intercepted(common_name: &str, organisation: &str, leaf: &str) -> [CertificateDer<'static>; 2] {
    let key = || KeyPair::generate().expect("randomness");
    let mut authority = CertificateParams::new(Vec::new()).expect("no names");
    authority.distinguished_name.push(DnType::CommonName, common_name);
    authority.distinguished_name.push(DnType::OrganizationName, organisation);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = key();
    let root = authority.self_signed(&authority_key).expect("good parameters");
    let mut params = CertificateParams::new(vec!["api.example.test".into()]).expect("a name");
    params.distinguished_name.push(DnType::OrganizationName, leaf);
    let issuer = Issuer::from_params(&authority, &authority_key);
    let leaf = params.signed_by(&key(), &issuer).expect("good parameters");
    [leaf.der().clone(), root.der().clone()]
}

#[test]
fn what_was_presented_tells_who_it_was() {
    let kit = kit();
    let pinned = || set(&kit, vec![pin(&kit, "backend", PinAt::Any)]);
    let given = || anchors(&kit);
    // Only where there are roots to compare with.
    let (not_public, stranger) = match cfg!(feature = "bundled-roots") {
        true => (&["not_public"][..], "likely local_authority"),
        false => (&[][..], "possible local_authority"),
    };
    for (system, chain, at, expected, evidence) in [
        (given(), "backend", NOON, "-", &[][..]),
        // The app brought that authority along, so it may be a rotation.
        (given(), "interceptor", NOON, "possible rotated_or_misissued", not_public),
        // The device trusts it, and the public web does not.
        (platform(&kit), "interceptor", NOON, stranger, not_public),
        (given(), "impostor", NOON, "possible unknown_authority", &["issuer_missing"]),
        (given(), "self_signed", NOON, "possible captive_portal", &["self_signed"]),
        (given(), "self_signed_ca", NOON, "possible captive_portal", &["self_signed"]),
        (given(), "wrong_host", NOON, "likely wrong_name", &["other_names"]),
        (given(), "expired", NOON, "likely expired", &["validity"]),
        (given(), "not_yet_valid", NOON, "likely wrong_clock", &["validity"]),
        (
            given(),
            "backend",
            "2019-06-01T00:00:00Z",
            "certain wrong_clock",
            &["validity", "pinned_key", "clock_before_release"],
        ),
        // The intermediate has run out as well.
        (
            given(),
            "backend",
            "2060-01-01T00:00:00Z",
            "possible wrong_clock",
            &["validity", "pinned_key", "authorities_expired"],
        ),
    ] {
        let chain_of = kit.pki().chain(chain);
        let found = report(system, pinned(), "api.example.test", &chain_of, at);
        let (text, codes) = summary(found);
        assert_eq!((text.as_str(), &codes[..]), (expected, evidence), "{chain} at {at}");
    }
}

#[cfg(feature = "bundled-roots")]
#[test]
fn a_public_authority_with_an_unpinned_key_is_a_rotation_or_a_mis_issuance() {
    let kit = kit();
    let chain = kit.pki().chain("public_ca");
    let pins = vec![pin(&kit, "backend", PinAt::Any), pin(&kit, "backup", PinAt::Any)];
    let host = HostSpec { host: "cryptography.io".into(), pins, ..HostSpec::default() };
    let spec = PinSetSpec { schema: 1, hosts: vec![host], ..PinSetSpec::default() };
    let pins = PinSet::new(spec).expect("a good pin set");
    let bundled = SystemTrust::new(&Roots::Bundled).expect("bundled roots");
    let at = "2023-07-10T00:00:00Z";
    let found = report(bundled, pins, "cryptography.io", &chain, at);
    assert_eq!(found.as_ref().and_then(|r| r.authority.as_deref()), Some("R3 (Let's Encrypt)"));
    assert_eq!(summary(found), ("likely rotated_or_misissued".into(), vec!["public"]));
}

#[test]
fn products_are_known_by_their_authority_whether_it_is_trusted_or_not() {
    let kit = kit();
    let pins = || set(&kit, vec![pin(&kit, "backend", PinAt::Any)]);
    for (common_name, organisation, expected) in [
        ("mitmproxy", "mitmproxy", "likely debugging_proxy mitmproxy"),
        (
            "Zscaler Intermediate Root CA (zscaler.net)",
            "Zscaler Inc.",
            "likely inspection_product Zscaler",
        ),
        ("Avast Web/Mail Shield Root", "Avast Web/Mail Shield", "likely antivirus Avast Antivirus"),
    ] {
        let chain = intercepted(common_name, organisation, "Somebody");
        for system in [hidden_trust(&chain[1..]), anchors(&kit)] {
            let found = report(system, pins(), "api.example.test", &chain, NOON);
            let message = found.as_ref().map(InterceptionReport::message).expect("a report");
            let (text, evidence) = summary(found);
            assert_eq!(text, expected);
            assert!(evidence.contains(&"product_name"), "{evidence:?}");
            let product = expected.rsplit(' ').next().expect("a word");
            assert!(message.contains(product), "{message}");
        }
        // Without the authority's certificate, the end-entity still names its issuer.
        let found = report(anchors(&kit), pins(), "api.example.test", &chain[..1], NOON);
        assert_eq!(summary(found).0, expected);
    }
    // Not by the server's own name.
    let chain = intercepted("Some Authority", "Some Company", "Zscaler Inc.");
    let found = report(anchors(&kit), pins(), "api.example.test", &chain, NOON);
    assert_eq!(summary(found).0, "likely unknown_authority");
}

#[test]
fn what_is_seen_is_shown_without_control_characters_and_in_bounds() {
    let kit = kit();
    let long = "x".repeat(3_000);
    let chain = intercepted("a\u{1b}[31m\u{0}b\u{202e}c\u{200b}\u{2066}", &long, "c");
    let pins = set(&kit, vec![pin(&kit, "backend", PinAt::Any)]);
    let found = report(anchors(&kit), pins, "api.example.test", &chain, NOON).expect("a report");
    let authority = found.authority.expect("a name");
    assert!(authority.starts_with("a[31mbc (xxx"), "{authority:?}");
    assert!(authority.len() < 300, "{authority:?}");
}

/// `explain` is asked about any time: that the device's clock says so nobody knows.
#[test]
fn a_time_that_was_asked_for_is_nobodys_wrong_clock() {
    let kit = kit();
    let pins = set(&kit, vec![pin(&kit, "backend", PinAt::Any)]);
    let judge = Judge { pins, deny_unpinned: false, system: anchors(&kit), managed: None };
    let chain = kit.pki().chain("backend").iter().map(|der| der.to_vec()).collect::<Vec<_>>();
    for (at, code, expected) in [
        ("2019-06-01T00:00:00Z", "certificate_not_yet_valid", "-"),
        ("2060-01-01T00:00:00Z", "certificate_expired", "likely expired"),
    ] {
        let explained = judge.explain("api.example.test", &chain, seconds(at)).expect("explained");
        assert_eq!(summary(explained.interception().cloned()).0, expected, "{at}");
        assert_eq!(explained.error.expect("refused").code(), code);
    }
}
