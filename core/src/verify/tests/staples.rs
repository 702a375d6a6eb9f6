//! OCSP responses that OpenSSL's responder made; see `testkit/keys/ocsp/make`.

use super::*;
use crate::der::{Der, Fields, SEQUENCE};
use crate::error::UntrustedReason;
use crate::pin::{Mode, Trust};
use crate::verify::effort::Effort;
use crate::verify::ocsp::{self, Staple};
use crate::verify::presented::Issuer;

/// Within the responses' time, and after it.
const IN_TIME: &str = "2026-11-22T00:00:00Z";
const TOO_LATE: &str = "2026-12-22T00:00:00Z";
const TOO_EARLY: &str = "2026-11-20T00:00:00Z";

macro_rules! staple {
    ($name:literal) => {
        include_bytes!(concat!("../../../../testkit/keys/ocsp/", $name, ".der"))
    };
}

fn at(text: &str) -> UnixTime {
    let seconds = parse_rfc3339_utc(text).expect("a time");
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn read(kit: &Testkit, response: &[u8], time: &str) -> Staple {
    let root = Fields::read(kit.pki().certificate("stapled_root")).expect("a certificate");
    let spki = Der(root.spki).expect(SEQUENCE).expect("a key").0.0;
    let issuer = Issuer { name: root.subject.0, spki };
    let leaf = kit.pki().certificate("revoked");
    ocsp::read(response, leaf, &[issuer], at(time), &Effort::new(None, None))
}

#[test]
fn a_staple_says_what_its_authority_has_signed_and_only_while_it_is_fresh() {
    let kit = kit();
    let unusable = |reason: &str| Staple::Unusable(reason.into());
    let stranger = || unusable("not signed by the certificate's issuer");
    for (name, response, time, expected) in [
        ("good", &staple!("good")[..], IN_TIME, Staple::Good),
        ("SHA-256 in the CertID", staple!("good_sha256"), IN_TIME, Staple::Good),
        ("good, old", staple!("good"), TOO_LATE, unusable("out of date")),
        ("good, new", staple!("good"), TOO_EARLY, unusable("from the future")),
        ("revoked", staple!("revoked"), IN_TIME, Staple::Revoked),
        ("revoked for good, old", staple!("revoked"), TOO_LATE, Staple::Revoked),
        ("on hold", staple!("on_hold"), IN_TIME, Staple::Revoked),
        ("on hold, old", staple!("on_hold"), TOO_LATE, unusable("out of date")),
        ("without an end", staple!("without_next"), IN_TIME, unusable("out of date")),
        (
            "unknown",
            staple!("unknown"),
            IN_TIME,
            unusable("the authority does not know the certificate"),
        ),
        ("another's", staple!("of_another"), IN_TIME, unusable("about other certificates")),
        ("by a responder", staple!("by_responder"), IN_TIME, Staple::Revoked),
        ("by a leaf", staple!("by_leaf"), IN_TIME, stranger()),
        ("by another's responder", staple!("by_foreign_responder"), IN_TIME, stranger()),
        ("by an authority of that name", staple!("by_other_root"), IN_TIME, stranger()),
        ("none", &[], IN_TIME, Staple::None),
        ("rubbish", &[0x30, 3, 1, 2, 3], IN_TIME, unusable("not a successful basic OCSP response")),
    ] {
        assert_eq!(read(&kit, response, time), expected, "{name}");
    }
}

/// Whoever flips a bit gets the signature wrong; until then nothing may panic.
#[test]
fn no_prefix_and_no_flipped_byte_of_a_staple_revokes_or_panics() {
    let kit = kit();
    for (response, revokes) in [(&staple!("good")[..], false), (staple!("by_responder"), true)] {
        for n in 0..response.len() {
            let prefix = read(&kit, &response[..n], IN_TIME);
            assert!(matches!(prefix, Staple::None | Staple::Unusable(_)), "{n}: {prefix:?}");
            let mut bad = response.to_vec();
            bad[n] ^= 0x11;
            // Outside of what is signed, some bytes mean nothing.
            let flipped = read(&kit, &bad, IN_TIME);
            assert!(revokes || flipped != Staple::Revoked, "{n}");
        }
    }
}

#[test]
fn a_staple_that_revokes_is_a_cause_of_its_own_under_every_kind_of_trust() {
    let kit = kit();
    let roots = || vec![kit.pki().certificate("stapled_root").to_vec()];
    let chain =
        [kit.pki().certificate("revoked").clone(), kit.pki().certificate("stapled_root").clone()];
    let given = SystemTrust::new(&Roots::Only(roots())).expect("good roots");
    let hidden = hidden_trust(&[kit.pki().certificate("stapled_root").clone()]);
    use base64::Engine as _;
    let anchor = base64::engine::general_purpose::STANDARD.encode(&roots()[0]);
    for (system, trust) in [
        (given.clone(), Trust::SystemAndPin),
        (hidden, Trust::SystemAndPin),
        (given, Trust::PrivateCa),
    ] {
        for (staple, expected) in [
            (&staple!("revoked")[..], Err(UntrustedReason::Revoked)),
            (staple!("good"), Ok(())),
            (staple!("by_leaf"), Ok(())),
            (&[], Ok(())),
        ] {
            let mut host = HostSpec {
                host: "api.example.test".into(),
                mode: Some(Mode::Enforce),
                trust: Some(trust),
                pins: vec![pin(&kit, "revoked", PinAt::Any), pin(&kit, "backup", PinAt::Any)],
                ..HostSpec::default()
            };
            if trust == Trust::PrivateCa {
                host.anchors = vec![anchor.clone()];
            }
            let spec = PinSetSpec { schema: 1, hosts: vec![host], ..PinSetSpec::default() };
            let pins = PinSet::new(spec).expect("a good pin set");
            let judge = Judge { pins, deny_unpinned: true, system: system.clone(), managed: None };
            let result = judge_with(&judge, &chain, IN_TIME, staple);
            let result = result.map(|_| ()).map_err(|error| match error {
                Error::Untrusted { reason, .. } => reason,
                other => panic!("{other}"),
            });
            assert_eq!(result, expected, "{trust:?}");
        }
    }
}
