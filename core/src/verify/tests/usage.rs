//! Issuers whose key usage does not let them sign certificates, such as a company's CRL signer: in
//! every place where an issuer counts.

use rcgen::KeyUsagePurpose::{CrlSign, DigitalSignature, KeyCertSign, KeyEncipherment};

use super::held::*;
use super::*;
use crate::error::UntrustedReason;
use crate::pin::{Mode, Trust};
use crate::verify::platform::{PlatformTrust, TrustQuestion, TrustedPath};

#[derive(Debug)]
struct Told(Vec<Vec<u8>>);

impl PlatformTrust for Told {
    fn verify(&self, _: &TrustQuestion) -> Result<TrustedPath, UntrustedReason> {
        Ok(TrustedPath { certificates: self.0.clone(), ..TrustedPath::default() })
    }
}

fn told(path: &[&Held]) -> SystemTrust {
    let path = path.iter().map(|held| held.der.to_vec()).collect();
    SystemTrust::Platform(Platform::new(Arc::new(Told(path))))
}

fn code(system: SystemTrust, pins: PinSet, chain: &[&Held]) -> Option<&'static str> {
    let judge = Judge { pins, deny_unpinned: false, system, managed: None };
    judge_with(&judge, &ders(chain), NOON, &[]).err().map(|error| error.code())
}

fn any(_: &mut HostSpec) {}

fn at(place: PinAt) -> impl FnOnce(&mut HostSpec) {
    move |host| host.pins.iter_mut().for_each(|pin| pin.at = place)
}

fn private_ca(root: &Held, place: PinAt) -> impl FnOnce(&mut HostSpec) + use<> {
    let root = base64(&root.der);
    move |host| {
        at(place)(host);
        (host.trust, host.anchors) = (Some(Trust::PrivateCa), vec![root]);
    }
}

/// A root, what it certified, and a leaf below that.
fn chain_over(middle: rcgen::CertificateParams) -> [Held; 3] {
    let root = Held::new(for_usages("root", &[KeyCertSign, CrlSign]), key(), None);
    let middle = Held::new(middle, key(), Some(&root));
    let leaf = Held::new(server(), key(), Some(&middle));
    [leaf, middle, root]
}

#[test]
fn an_issuer_without_key_cert_sign_does_not_count_in_any_form() {
    let [leaf, signer, root] = chain_over(crl_signer("crl signer"));
    let chain = [&leaf, &signer, &root];
    let hidden = || hidden_trust(&ders(&[&root]));
    let told_path = || told(&chain);
    // Which certificate is pinned, and where it may be.
    for (pinned, place) in [
        (&leaf, PinAt::Leaf),
        (&leaf, PinAt::Any),
        (&signer, PinAt::Ca),
        (&signer, PinAt::Any),
        (&root, PinAt::Ca),
    ] {
        for (form, system) in [("given", given(&[&root])), ("hidden", hidden())] {
            let found = code(system, pinning(&[pinned], at(place)), &chain);
            assert_eq!(found, Some("certificate_unknown_issuer"), "{form} {place:?}");
        }
        let found = code(told_path(), pinning(&[pinned], at(place)), &chain);
        assert_eq!(found, Some("certificate_invalid"), "told {place:?}");
        let found = code(hidden(), pinning(&[pinned], private_ca(&root, place)), &chain);
        assert_eq!(found, Some("certificate_unknown_issuer"), "private {place:?}");
    }
    // Nor where pins do not matter.
    for mode in [Mode::ReportOnly, Mode::Off] {
        let pins = || pinning(&[&leaf], |host| host.mode = Some(mode));
        for system in [given(&[&root]), hidden(), told_path()] {
            assert!(code(system.clone(), pins(), &chain).is_some(), "{mode:?} {system:?}");
        }
    }
    let none = || PinSet::parse(br#"{"schema":1,"hosts":[]}"#).expect("an empty pin set");
    for system in [given(&[&root]), hidden(), told_path()] {
        assert!(code(system.clone(), none(), &chain).is_some(), "no policy {system:?}");
    }
}

#[test]
fn one_level_up_it_does_not_count_either() {
    let root = Held::new(for_usages("root", &[KeyCertSign]), key(), None);
    let signer = Held::new(crl_signer("crl signer"), key(), Some(&root));
    let below = Held::new(for_usages("below", &[KeyCertSign]), key(), Some(&signer));
    let leaf = Held::new(server(), key(), Some(&below));
    let chain = [&leaf, &below, &signer, &root];
    for pinned in [&leaf, &below, &signer, &root] {
        for system in [given(&[&root]), hidden_trust(&ders(&[&root])), told(&chain)] {
            let found = code(system.clone(), pinning(&[pinned], any), &chain);
            assert!(found.is_some(), "{system:?}");
        }
        let found =
            code(given(&[&leaf]), pinning(&[pinned], private_ca(&root, PinAt::Any)), &chain);
        assert!(found.is_some());
    }
}

/// A platform that stops at an authority which it trusts, and one that tells nothing.
#[test]
fn a_pin_is_not_proved_by_a_key_that_may_not_sign() {
    let [leaf, signer, root] = chain_over(crl_signer("crl signer"));
    let good = Held::new(for_usages("good", &[KeyCertSign]), key(), Some(&root));
    #[derive(Debug)]
    struct Yes;
    impl PlatformTrust for Yes {
        fn verify(&self, _: &TrustQuestion) -> Result<TrustedPath, UntrustedReason> {
            Ok(TrustedPath::default())
        }
    }
    // However generous the platform is, the pin above is ours to prove.
    let generous = || SystemTrust::Platform(Platform::new(Arc::new(Yes)));
    for chain in [&[&leaf, &signer, &root][..], &[&leaf, &signer], &[&leaf, &signer, &good, &root]]
    {
        for pinned in [&signer, &root] {
            let found = code(generous(), pinning(&[pinned], at(PinAt::Ca)), chain);
            assert_eq!(found, Some("pin_mismatch"), "{}", chain.len());
        }
    }
}

#[test]
fn a_key_that_may_sign_and_one_that_does_not_say_count() {
    for usages in [
        &[][..],
        &[KeyCertSign],
        &[KeyCertSign, CrlSign],
        &[DigitalSignature, KeyCertSign, KeyEncipherment],
    ] {
        let [leaf, middle, root] = chain_over(for_usages("middle", usages));
        let chain = [&leaf, &middle, &root];
        for pinned in [&leaf, &middle, &root] {
            for system in [given(&[&root]), hidden_trust(&ders(&[&root])), told(&chain)] {
                let found = code(system.clone(), pinning(&[pinned], any), &chain);
                assert_eq!(found, None, "{usages:?} {system:?}");
            }
            let private = pinning(&[pinned], private_ca(&root, PinAt::Any));
            assert_eq!(code(given(&[&root]), private, &chain), None, "{usages:?}");
        }
    }
}

#[test]
fn a_trust_anchor_need_not_say_that_it_may_sign() {
    let root = Held::new(crl_signer("root"), key(), None);
    let leaf = Held::new(server(), key(), Some(&root));
    let chain = [&leaf, &root];
    for pinned in [&leaf, &root] {
        for system in [given(&[&root]), told(&chain)] {
            assert_eq!(code(system.clone(), pinning(&[pinned], any), &chain), None, "{system:?}");
        }
        let private = pinning(&[pinned], private_ca(&root, PinAt::Any));
        assert_eq!(code(given(&[&root]), private, &chain), None);
    }
}

/// The same name and key, once as a CRL signer and once as an authority.
#[test]
fn another_path_over_the_same_key_is_found() {
    let [_, signer, root] = chain_over(crl_signer("two hats"));
    let hat = for_usages("two hats", &[KeyCertSign]);
    let authority = Held::new(hat, same_key(&signer), Some(&root));
    let leaf = Held::new(server(), key(), Some(&signer));
    for chain in [[&leaf, &signer, &authority, &root], [&leaf, &authority, &signer, &root]] {
        for pinned in [&leaf, &authority, &root] {
            for system in [given(&[&root]), hidden_trust(&ders(&[&root]))] {
                assert_eq!(code(system, pinning(&[pinned], any), &chain), None);
            }
        }
    }
}
