//! More than any honest server sends: harmless chains over the caps, and what a platform gets to see.

use std::sync::Mutex;
use std::time::Instant;

use super::held::*;
use super::*;
use crate::cancel::CancelToken;
use crate::error::UntrustedReason;
use crate::patience::Patience;
use crate::pin::Trust;
use crate::verify::effort::{CutShort, Effort};
use crate::verify::platform::{PlatformTrust, TrustQuestion, TrustedPath};

/// Says yes, and keeps what it was shown.
#[derive(Debug, Default)]
struct Seen(Mutex<Vec<Vec<Vec<u8>>>>);

impl PlatformTrust for Seen {
    fn verify(&self, question: &TrustQuestion) -> Result<TrustedPath, UntrustedReason> {
        self.0.lock().expect("one at a time").push(question.chain.clone());
        Ok(TrustedPath::default())
    }
}

/// A good chain, and authorities of nobody's that fill it up to `n` certificates.
fn padded(n: usize) -> (Held, Held, Vec<CertificateDer<'static>>) {
    let root = Held::new(authority("root", 1), key(), None);
    let middle = Held::new(authority("middle", 0), key(), Some(&root));
    let leaf = Held::new(server(), key(), Some(&middle));
    let mut chain = ders(&[&leaf, &middle]);
    while chain.len() < n {
        chain.push(Held::new(authority("nobody", 1), key(), None).der);
    }
    (root, leaf, chain)
}

fn reason(error: Error) -> String {
    match error {
        Error::Untrusted { reason: UntrustedReason::Invalid(why), .. } => why,
        error => panic!("{error}"),
    }
}

#[test]
fn more_than_32_certificates_are_refused_before_anything_is_looked_at() {
    let (root, leaf, chain) = padded(33);
    let seen = Arc::new(Seen::default());
    let platform = SystemTrust::Platform(Platform::new(seen.clone()));
    let pin_only = |host: &mut HostSpec| {
        host.trust = Some(Trust::PinOnly);
        host.pins.iter_mut().for_each(|pin| pin.at = PinAt::Leaf);
    };
    for (system, pins) in [
        (given(&[&root]), pinning(&[&leaf], |_| {})),
        (platform, pinning(&[&leaf], |_| {})),
        (given(&[&root]), pinning(&[&leaf], pin_only)),
    ] {
        let judge = Judge { pins, deny_unpinned: true, system, managed: None };
        let error = judge_with(&judge, &chain, NOON, &[]).expect_err("33 certificates");
        assert!(error.certificate().is_some_and(|facts| facts.presented_pin.is_some()));
        assert_eq!(reason(error), "33 certificates, more than 32");
        judge_with(&judge, &chain[..32], NOON, &[]).expect("32 certificates");
        // Without a connection it is the same.
        let der = chain.iter().map(|der| der.to_vec()).collect::<Vec<_>>();
        let at = parse_rfc3339_utc(NOON).expect("a time");
        let explained = judge.explain(HOST, &der, at).expect("explained");
        assert_eq!(reason(explained.error.expect("refused")), "33 certificates, more than 32");
    }
    assert_eq!(seen.0.lock().expect("nobody asks").len(), 1, "for 32 certificates only");
}

#[test]
fn a_certificate_of_more_than_64_kib_is_said_to_be_too_large() {
    let (root, leaf, _) = padded(2);
    let mut large = server();
    let comment = rcgen::CustomExtension::from_oid_content(&[1, 2, 3], vec![0x05; 66_000]);
    large.custom_extensions.push(comment);
    let large = Held::new(large, key(), Some(&root));
    for (chain, place) in [([&large, &leaf], 1), ([&leaf, &large], 2)] {
        let error = judge(given(&[&root]), pinning(&[&leaf], |_| {}), &ders(&chain), NOON);
        let why = reason(error.expect_err("too large"));
        assert_eq!(why, format!("certificate {place} of 2 is too large: more than 64 KiB"));
    }
}

#[test]
fn a_platform_sees_exactly_what_is_judged_here() {
    let (_, leaf, chain) = padded(32);
    let crl_signer = Held::new(crl_signer("crl signer"), key(), None);
    let rubbish = CertificateDer::from(vec![0x30, 0]);
    let few = [ders(&[&leaf, &crl_signer]), vec![rubbish, chain[1].clone(), chain[1].clone()]];
    for (presented, expected) in [
        // Doubles, what cannot be read and what may not sign are on no path.
        (few.concat(), vec![chain[0].clone(), chain[1].clone()]),
        // Of more than a real chain has, what signatures lead to.
        (chain.clone(), chain[..2].to_vec()),
        // A few strangers stay: platforms know names in other spellings.
        (chain[..4].to_vec(), chain[..4].to_vec()),
    ] {
        let seen = Arc::new(Seen::default());
        let system = SystemTrust::Platform(Platform::new(seen.clone()));
        judge(system, pinning(&[&leaf], |_| {}), &presented, NOON).expect("trusted and pinned");
        let shown = seen.0.lock().expect("nobody asks").concat();
        let expected = expected.iter().map(|der| der.to_vec()).collect::<Vec<_>>();
        assert!(shown == expected, "{} of {}", shown.len(), presented.len());
    }
}

/// All of one name, so that each may have issued each.
#[test]
fn namesakes_do_not_multiply_paths() {
    let root = Held::new(authority("x", 9), key(), None);
    let leaf = Held::new(server(), key(), Some(&root));
    let mut chain = ders(&[&leaf]);
    let mut above = Held::new(authority("x", 9), key(), None);
    for _ in 0..31 {
        above = Held::new(authority("x", 9), key(), Some(&above));
        chain.push(above.der.clone());
    }
    let stranger = Held::new(server(), key(), Some(&above));
    let mut strange = chain.clone();
    strange[0] = stranger.der.clone();
    for system in [given(&[&root]), hidden_trust(&ders(&[&root]))] {
        judge(system.clone(), pinning(&[&leaf], |_| {}), &chain, NOON).expect("the root is known");
        let error = judge(system, pinning(&[&leaf], |_| {}), &strange, NOON);
        assert_eq!(error.expect_err("a stranger").code(), "certificate_invalid");
    }
}

#[test]
fn the_calls_deadline_holds_inside_the_search() {
    let (root, leaf, chain) = padded(2);
    let pins = pinning(&[&leaf], |_| {});
    let judge = Judge { pins, deny_unpinned: true, system: given(&[&root]), managed: None };
    let name = ServerName::try_from(HOST).expect("a name");
    let now = parse_rfc3339_utc(NOON).expect("a time");
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    let (end_entity, intermediates) = chain.split_first().expect("a chain");
    let presented =
        Presented { end_entity, intermediates, name: &name, ocsp: &[], now, live: true };
    let cancel = CancelToken::new();
    let until = |deadline| judge.accept(&presented, Patience { deadline, cancel: &cancel });
    let error = until(Some(Instant::now())).expect_err("too late");
    assert_eq!(error.code(), "timeout_trust");
    until(Instant::now().checked_add(Duration::from_secs(3_600))).expect("in time");
}

#[test]
fn each_signature_is_looked_at_once_and_no_more_than_64() {
    let effort = Effort::new(None, None);
    let root = Held::new(authority("root", 1), key(), None);
    let leaf = Held::new(server(), key(), Some(&root));
    let fields = crate::der::Fields::read(&leaf.der).expect("a certificate");
    let above = crate::der::Fields::read(&root.der).expect("a certificate");
    let spki = crate::verify::presented::issuer_of(&above).expect("a key").spki;
    let verifies = |message: &[u8]| {
        effort.verifies(spki, fields.signature_algorithm, message, fields.signature)
    };
    for _ in 0..200 {
        assert_eq!(verifies(fields.signed), Some(true));
    }
    assert_eq!(effort.cut_short(), None);
    for n in 0..63u8 {
        assert_eq!(verifies(&[n]), Some(false));
    }
    assert_eq!(effort.cut_short(), None);
    assert_eq!(verifies(b"one more"), Some(false));
    assert_eq!(effort.cut_short(), Some(CutShort::Signatures));
    assert_eq!(verifies(fields.signed), Some(true), "known already");
    assert_eq!(effort.verifies(spki, b"another", fields.signed, fields.signature), None);
}
