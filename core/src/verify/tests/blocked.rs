//! Keys that the pin set blocks: on the end-entity and anywhere on the path, before pins, for every
//! host.

use super::*;
use crate::error::UntrustedReason;
#[cfg(feature = "bundled-roots")]
use crate::pin::SpkiSha256;
use crate::pin::{Mode, Trust};
use crate::verify::platform::{PlatformTrust, TrustQuestion, TrustedPath};

fn blocking(kit: &Testkit, blocked: &[&str], host: Option<HostSpec>) -> PinSet {
    let text = |name: &&str| kit.pki().pin(name).replace("sha256/", "");
    let spec = PinSetSpec {
        schema: 1,
        blocked_spki: blocked.iter().map(text).collect(),
        hosts: host.into_iter().collect(),
        ..PinSetSpec::default()
    };
    PinSet::new(spec).expect("a good pin set")
}

fn pinned(kit: &Testkit, name: &str) -> HostSpec {
    let pins = vec![pin(kit, name, PinAt::Any), pin(kit, "backup", PinAt::Any)];
    HostSpec { host: "api.example.test".into(), pins, ..HostSpec::default() }
}

#[derive(Debug)]
struct Told(Vec<Vec<u8>>);

impl PlatformTrust for Told {
    fn verify(&self, _: &TrustQuestion) -> Result<TrustedPath, UntrustedReason> {
        Ok(TrustedPath {
            certificates: self.0.clone(),
            added_authority: None,
            ..TrustedPath::default()
        })
    }
}

fn told(kit: &Testkit, names: &[&str]) -> SystemTrust {
    let path = names.iter().map(|name| kit.pki().certificate(name).to_vec()).collect();
    SystemTrust::Platform(Platform::new(Arc::new(Told(path))))
}

fn code(system: SystemTrust, pins: PinSet, chain: &[CertificateDer<'_>]) -> Option<&'static str> {
    let judge = Judge { pins, deny_unpinned: false, system, managed: None };
    judge_with(&judge, chain, NOON, &[]).err().map(|error| error.code())
}

/// What becomes of a good path that a platform hides: without roots of one's own it could be any.
const HIDDEN: Option<&str> =
    if cfg!(feature = "bundled-roots") { None } else { Some("certificate_unverified") };

#[test]
fn a_blocked_key_on_the_path_is_refused_before_pins_under_every_mode_and_trust() {
    let kit = kit();
    let chain = kit.pki().chain("backend_root");
    let path = told(&kit, &["backend", "intermediate", "root"]);
    for (system, good) in [(anchors(&kit), None), (platform(&kit), HIDDEN), (path, None)] {
        for blocked in ["backend", "intermediate", "root"] {
            for host in [
                None,
                Some(pinned(&kit, "backend")),
                Some(HostSpec { mode: Some(Mode::ReportOnly), ..pinned(&kit, "rotated") }),
                Some(HostSpec { mode: Some(Mode::Off), ..pinned(&kit, "backend") }),
                Some(HostSpec {
                    expires: Some("2020-01-01T00:00:00Z".into()),
                    ..pinned(&kit, "backend")
                }),
            ] {
                let pins = blocking(&kit, &[blocked], host.clone());
                let found = code(system.clone(), pins, &chain);
                assert_eq!(found, Some("blocked_key"), "{system:?} {blocked} {host:?}");
            }
            let pins = blocking(&kit, &["rotated"], Some(pinned(&kit, "backend")));
            assert_eq!(code(system.clone(), pins, &chain), good, "another key is blocked");
        }
    }
}

#[test]
fn a_private_authority_and_a_lone_pin_can_be_blocked_too() {
    let kit = kit();
    use base64::Engine as _;
    let anchor = kit.pki().certificate("private_root");
    let private = || HostSpec {
        trust: Some(Trust::PrivateCa),
        anchors: vec![base64::engine::general_purpose::STANDARD.encode(anchor)],
        ..pinned(&kit, "private")
    };
    let lone = || {
        let pins = vec![pin(&kit, "private", PinAt::Leaf), pin(&kit, "backup", PinAt::Leaf)];
        HostSpec { trust: Some(Trust::PinOnly), pins, ..pinned(&kit, "private") }
    };
    let chain = kit.pki().chain("private");
    for (host, blocked, expected) in [
        (private(), "private_root", Some("blocked_key")),
        (private(), "private", Some("blocked_key")),
        (private(), "backend", None),
        (lone(), "private", Some("blocked_key")),
        (lone(), "private_root", None),
    ] {
        let pins = blocking(&kit, &[blocked], Some(host));
        assert_eq!(code(anchors(&kit), pins, &chain), expected, "{blocked}");
    }
}

/// Two roots vouch for the intermediate; one of them was stolen.
#[test]
fn a_path_that_does_without_the_blocked_key_is_good() {
    let kit = kit();
    let mut chain = kit.pki().chain("backend_root");
    chain.push(kit.pki().certificate("cross").clone());
    for (blocked, pinned_name, expected) in [
        ("root", "intermediate", None),
        ("other_root", "intermediate", None),
        // The pin is on the path that is lost.
        ("root", "root", Some("pin_mismatch")),
        ("intermediate", "backend", Some("blocked_key")),
    ] {
        let pins = blocking(&kit, &[blocked], Some(pinned(&kit, pinned_name)));
        assert_eq!(code(anchors(&kit), pins, &chain), expected, "{blocked} {pinned_name}");
    }
    // A platform that hides its path is asked again without the blocked certificate.
    let pins = blocking(&kit, &["root"], Some(pinned(&kit, "intermediate")));
    let without_root = hidden_trust(&[kit.pki().certificate("other_root").clone()]);
    assert_eq!(code(without_root, pins, &chain), None);
}

#[test]
fn a_path_that_stops_below_the_blocked_key_does_not_hide_it() {
    let kit = kit();
    let chain = kit.pki().chain("backend_root");
    for told_path in [&["backend", "intermediate"][..], &["backend"]] {
        let pins = blocking(&kit, &["root"], Some(pinned(&kit, "backend")));
        let found = code(told(&kit, told_path), pins, &chain);
        // Who tells the end-entity alone trusts it by itself.
        let expected = (told_path.len() > 1).then_some("blocked_key");
        assert_eq!(found, expected, "{told_path:?}");
    }
}

#[test]
fn a_blocked_authority_is_seen_among_as_many_others_as_there_may_be() {
    let kit = kit();
    let mut chain = kit.pki().chain("backend");
    let noise = kit.pki().certificate("private_root");
    chain.extend(std::iter::repeat_n(noise.clone(), 29));
    chain.push(kit.pki().certificate("root").clone());
    for (system, good) in [(anchors(&kit), None), (platform(&kit), HIDDEN)] {
        let pins = blocking(&kit, &["root"], Some(pinned(&kit, "backend")));
        assert_eq!(code(system.clone(), pins, &chain), Some("blocked_key"), "{system:?}");
        let pins = blocking(&kit, &["rotated"], Some(pinned(&kit, "backend")));
        assert_eq!(code(system, pins, &chain), good);
    }
}

#[cfg(feature = "bundled-roots")]
#[test]
fn a_blocked_public_root_is_found_behind_a_hidden_path() {
    let kit = kit();
    let at = "2023-07-10T00:00:00Z";
    let roots = webpki_roots::TLS_SERVER_ROOTS.iter();
    let isrg = roots.filter(|root| root.subject.windows(12).any(|w| w == b"ISRG Root X1"));
    let key = isrg.map(|root| SpkiSha256::of_spki_contents(&root.subject_public_key_info));
    let key = key.clone().next_back().expect("ISRG Root X1 is among the public roots");
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(key.as_bytes());
    #[derive(Debug)]
    struct Yes;
    impl PlatformTrust for Yes {
        fn verify(&self, _: &TrustQuestion) -> Result<TrustedPath, UntrustedReason> {
            Ok(TrustedPath::default())
        }
    }
    let spec = PinSetSpec { schema: 1, blocked_spki: vec![text], ..PinSetSpec::default() };
    let pins = PinSet::new(spec).expect("a good pin set");
    let chain = kit.pki().chain("public_ca").iter().map(|der| der.to_vec()).collect::<Vec<_>>();
    // However much else is presented before what it has signed.
    let mut noisy = vec![chain[0].clone()];
    noisy.extend(std::iter::repeat_n(kit.pki().certificate("private_root").to_vec(), 30));
    noisy.push(chain[1].clone());
    let at = parse_rfc3339_utc(at).expect("a time");
    for chain in [chain, noisy] {
        for system in [
            SystemTrust::Platform(Platform::new(Arc::new(Yes))),
            SystemTrust::new(&Roots::Bundled).expect("bundled roots"),
        ] {
            let judge = Judge { pins: pins.clone(), deny_unpinned: false, system, managed: None };
            let explained = judge.explain("cryptography.io", &chain, at).expect("explained");
            assert_eq!(explained.outcome, Outcome::BlockedKey(key), "{}", chain.len());
            assert_eq!(explained.error.expect("refused").code(), "blocked_key");
        }
    }
}

/// So many keys are blocked, and so much is presented, that not every signature is looked at.
#[cfg(feature = "bundled-roots")]
#[test]
fn a_flood_does_not_hide_a_blocked_public_root() {
    let kit = kit();
    #[derive(Debug)]
    struct Yes;
    impl PlatformTrust for Yes {
        fn verify(&self, _: &TrustQuestion) -> Result<TrustedPath, UntrustedReason> {
            Ok(TrustedPath::default())
        }
    }
    use base64::Engine as _;
    let text = |root: &rustls_pki_types::TrustAnchor<'_>| {
        let key = SpkiSha256::of_spki_contents(&root.subject_public_key_info);
        base64::engine::general_purpose::STANDARD.encode(key.as_bytes())
    };
    let blocked_spki = webpki_roots::TLS_SERVER_ROOTS.iter().map(text).collect();
    let spec = PinSetSpec { schema: 1, blocked_spki, ..PinSetSpec::default() };
    let pins = PinSet::new(spec).expect("a good pin set");
    let genuine = kit.pki().chain("public_ca");
    let noise = ["root", "other_root", "private_root", "unknown_root", "intermediate", "cross"];
    let noise = noise.map(|name| kit.pki().certificate(name).to_vec());
    let chain = [&[genuine[0].to_vec()][..], &noise, &[genuine[1].to_vec()]].concat();
    let system = SystemTrust::Platform(Platform::new(Arc::new(Yes)));
    let judge = Judge { pins, deny_unpinned: false, system, managed: None };
    let at = parse_rfc3339_utc("2023-07-10T00:00:00Z").expect("a time");
    let explained = judge.explain("cryptography.io", &chain, at).expect("explained");
    assert_eq!(explained.error.expect("refused").code(), "blocked_key");
}

#[test]
fn a_blocked_key_that_is_not_trusted_either_is_still_blocked() {
    let kit = kit();
    let pins = blocking(&kit, &["impostor"], Some(pinned(&kit, "impostor")));
    let chain = kit.pki().chain("impostor");
    let chain = chain.iter().map(|der| der.to_vec()).collect::<Vec<_>>();
    let judge = Judge { pins, deny_unpinned: false, system: anchors(&kit), managed: None };
    let at = parse_rfc3339_utc(NOON).expect("a time");
    let explained = judge.explain("api.example.test", &chain, at).expect("explained");
    assert_eq!(explained.outcome.name(), "blocked_key");
    assert_eq!(explained.trust, Err(UntrustedReason::UnknownIssuer));
    assert_eq!(explained.error.expect("refused").code(), "blocked_key");
}
