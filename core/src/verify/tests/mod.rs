//! The decision without a network and with a fixed clock, for both kinds of system trust: one that
//! hands its anchors over, and one that only says yes or no, as platforms do.

mod blocked;
mod chains;
mod excess;
mod extensions;
mod held;
mod interception;
mod misconfigured;
mod names;
mod platform;
mod staples;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use pinfold_testkit::Testkit;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::identity::CertificateIdentity;
use super::judge::Judge;
use super::platform::{Platform, RustlsTrust};
use super::presented::Presented;
use super::trust::SystemTrust;
use super::{Roots, pin_of_public_key, pin_of_request, provider};
use crate::error::Error;
use crate::pin::{HostSpec, Outcome, PinAt, PinSet, PinSetSpec, PinSpec, Verdict};
use crate::time::parse_rfc3339_utc;

const NOON: &str = "2026-11-21T12:00:00Z";

fn kit() -> Testkit {
    Testkit::start().expect("loopback")
}

fn anchors(kit: &Testkit) -> SystemTrust {
    let roots = ["root", "other_root"].map(|name| kit.pki().certificate(name).to_vec());
    SystemTrust::new(&Roots::Only(roots.into())).expect("good roots")
}

fn platform(kit: &Testkit) -> SystemTrust {
    hidden_trust(&["root", "other_root"].map(|name| kit.pki().certificate(name).clone()))
}

/// What rustls-platform-verifier is on Linux: it does not tell its path.
fn hidden_trust(certificates: &[CertificateDer<'static>]) -> SystemTrust {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).expect("a root");
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
    let trust = RustlsTrust(verifier.build().expect("a verifier"));
    SystemTrust::Platform(Platform::new(Arc::new(trust)))
}

fn pin(kit: &Testkit, name: &str, at: PinAt) -> PinSpec {
    let text = kit.pki().pin(name);
    PinSpec { sha256: Some(text.replace("sha256/", "")), at, ..PinSpec::default() }
}

fn set(kit: &Testkit, mut pins: Vec<PinSpec>) -> PinSet {
    pins.push(pin(kit, "backup", PinAt::Any));
    let host = HostSpec { host: "api.example.test".into(), pins, ..HostSpec::default() };
    let spec = PinSetSpec { schema: 1, hosts: vec![host], ..PinSetSpec::default() };
    PinSet::new(spec).expect("a good pin set")
}

fn judge(
    system: SystemTrust,
    pins: PinSet,
    chain: &[CertificateDer<'_>],
    at: &str,
) -> Result<Verdict, Error> {
    let judge = Judge { pins, deny_unpinned: true, system, managed: None };
    judge_with(&judge, chain, at, &[])
}

fn judge_with(
    judge: &Judge,
    chain: &[CertificateDer<'_>],
    at: &str,
    ocsp: &[u8],
) -> Result<Verdict, Error> {
    let name = ServerName::try_from("api.example.test").expect("a name");
    let now = parse_rfc3339_utc(at).expect("a time");
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    let (end_entity, intermediates) = chain.split_first().expect("a chain");
    let presented = Presented { end_entity, intermediates, name: &name, ocsp, now, live: true };
    judge.judge(&presented)?.verdict()
}

#[test]
fn both_kinds_of_system_trust_decide_alike() {
    let kit = kit();
    for (chain, pinned, code) in [
        ("backend", "backend", None),
        ("backend", "intermediate", None),
        ("backend_root", "root", None),
        ("deep", "intermediate2", None),
        ("deep", "intermediate", None),
        ("cross", "intermediate", None),
        ("backend", "rotated", Some("pin_mismatch")),
        ("interceptor", "root", Some("pin_mismatch")),
        ("pasted", "backend", Some("pin_mismatch")),
        ("pasted", "intermediate", Some("pin_mismatch")),
        ("pasted", "root", Some("pin_mismatch")),
        ("same_name_ca", "intermediate", Some("pin_mismatch")),
        ("impostor", "impostor", Some("certificate_unknown_issuer")),
        ("expired", "expired", Some("certificate_expired")),
        ("not_yet_valid", "not_yet_valid", Some("certificate_not_yet_valid")),
        ("wrong_host", "wrong_host", Some("certificate_wrong_host")),
    ] {
        for (kind, system) in [("anchors", anchors(&kit)), ("platform", platform(&kit))] {
            let pins = set(&kit, vec![pin(&kit, pinned, PinAt::Any)]);
            let result = judge(system, pins, &kit.pki().chain(chain), NOON);
            assert_eq!(result.err().map(|e| e.code()), code, "{kind}: {chain} pinned {pinned}");
        }
    }
}

#[test]
fn a_leaf_that_signs_is_refused_by_both() {
    let kit = kit();
    for system in [anchors(&kit), platform(&kit)] {
        let pins = set(&kit, vec![pin(&kit, "backend", PinAt::Any)]);
        let error = judge(system, pins, &kit.pki().chain("leaf_signs"), NOON).expect_err("no CA");
        assert!(matches!(error, Error::Untrusted { .. }), "{error}");
    }
}

/// Servers need not send roots (RFC 8446 §4.4.2), and a platform does not say which it used: the
/// pin set can carry the root that it pins.
#[test]
fn a_pinned_root_that_is_not_presented_is_proved_by_the_certificate_in_the_pin_set() {
    let kit = kit();
    let chain = kit.pki().chain("backend");
    let bare = set(&kit, vec![pin(&kit, "root", PinAt::Ca)]);
    let error = judge(platform(&kit), bare, &chain, NOON).expect_err("cannot be known");
    assert_eq!(error.code(), "pin_mismatch");

    use base64::Engine as _;
    let root = base64::engine::general_purpose::STANDARD.encode(kit.pki().certificate("root"));
    let carried = || PinSpec { cert: Some(root.clone()), ..pin(&kit, "root", PinAt::Ca) };
    let verdict = judge(platform(&kit), set(&kit, vec![carried()]), &chain, NOON);
    let verdict = verdict.expect("the root is there");
    let Outcome::Match(matched) = &verdict.outcome else { panic!("{verdict:?}") };
    assert_eq!((matched.at, matched.depth, verdict.path.len()), (PinAt::Ca, 2, 3));

    // It proves a path, it does not replace one.
    for chain in ["interceptor", "pasted"] {
        let chain = kit.pki().chain(chain);
        let result = judge(platform(&kit), set(&kit, vec![carried()]), &chain, NOON);
        assert_eq!(result.expect_err("another path").code(), "pin_mismatch");
    }
}

#[test]
fn the_clock_decides_validity() {
    let kit = kit();
    for (at, chain, code) in [
        ("2019-12-31T23:59:59Z", "backend", Some("certificate_not_yet_valid")),
        ("2020-06-01T00:00:00Z", "expired", None),
        ("2022-06-01T00:00:00Z", "expired", Some("certificate_expired")),
        ("2048-06-01T00:00:00Z", "not_yet_valid", None),
        ("2099-01-01T00:00:00Z", "backend", Some("certificate_expired")),
    ] {
        let pins = set(&kit, vec![pin(&kit, chain, PinAt::Any)]);
        let result = judge(anchors(&kit), pins, &kit.pki().chain(chain), at);
        assert_eq!(result.err().map(|e| e.code()), code, "{chain} at {at}");
    }
}

#[test]
fn rubbish_in_place_of_a_certificate_is_refused() {
    let kit = kit();
    let good = kit.pki().chain("backend");
    let pins = || set(&kit, vec![pin(&kit, "intermediate", PinAt::Any)]);
    for rubbish in [&[][..], &[0], &[0x30, 0], &[0x30, 0x84, 255, 255, 255, 255], &[0xff; 4096]] {
        let rubbish = CertificateDer::from(rubbish);
        let error = judge(anchors(&kit), pins(), &[rubbish.clone(), good[1].clone()], NOON);
        assert!(matches!(error, Err(Error::Untrusted { .. })), "{error:?}");
        // Among the others it is ignored: servers send all sorts of things.
        let noisy = [good[0].clone(), rubbish, good[1].clone()];
        for system in [anchors(&kit), platform(&kit)] {
            judge(system, pins(), &noisy, NOON).expect("the good path is still there");
        }
    }
}

#[test]
fn a_certificates_names_and_dates_are_read() {
    let kit = kit();
    for name in ["root", "intermediate", "backend", "rsa", "expired", "cross"] {
        let identity = CertificateIdentity::read(kit.pki().certificate(name), name).expect(name);
        assert_eq!(identity.spki.to_string(), kit.pki().pin(name), "{name}");
        assert_eq!(identity.is_ca, ["root", "intermediate", "cross"].contains(&name), "{name}");
    }
    let cross = CertificateIdentity::read(kit.pki().certificate("cross"), "cross").expect("read");
    assert_eq!(cross.subject.as_deref(), Some("Pinfold Test Intermediate"));
    assert_eq!(cross.issuer.as_deref(), Some("Interception Authority"));
    let expired = CertificateIdentity::read(kit.pki().certificate("expired"), "x").expect("read");
    assert!(expired.validity().0.starts_with("2020-01-01"), "{:?}", expired.validity());
}

#[test]
fn no_prefix_and_no_flipped_byte_of_a_certificate_makes_the_reader_panic() {
    let kit = kit();
    let der = kit.pki().certificate("intermediate");
    for n in 0..der.len() {
        assert!(CertificateIdentity::read(&der[..n], "x").is_err(), "prefix of {n} bytes");
        for bit in 0..8 {
            let mut bad = der.to_vec();
            bad[n] ^= 1 << bit;
            let _read_or_not = CertificateIdentity::read(&bad, "x");
            let _read_or_not = (pin_of_request(&bad), pin_of_public_key(&bad));
        }
    }
    assert_eq!(pin_of_public_key(der), None);
    assert_eq!(pin_of_request(der), None);
}
