//! Keys with which a server can complete a handshake here: one list, the provider's.

use super::provider::algorithms;
use super::strength::{check_key, check_signature};
use crate::der::{Der, Fields, INTEGER, OID, PublicKey, SEQUENCE};

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const ED448: &[u8] = &[0x2b, 0x65, 0x71];
const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
const P521: &[u8] = &[0x06, 5, 0x2b, 0x81, 4, 0, 0x23];
const ECDSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4];
const UNCOMPRESSED: u8 = 4;

/// Whether a server whose certificate holds this SubjectPublicKeyInfo (DER) can complete a
/// handshake with a client of this library; the error says why not and what to use instead. Pins of
/// other keys can never match.
///
/// # Errors
/// The reason, in words.
pub fn usable_key(spki: &[u8]) -> Result<(), String> {
    let key = PublicKey::read(spki).ok_or("a key that cannot be read")?;
    let (oid, parameters) = key.oid().ok_or("a key that cannot be read")?;
    if let Some(why) = unusable(oid, parameters.0) {
        return Err(why.to_owned());
    }
    check_key(spki)?;
    let verified = algorithms().mapping.iter().flat_map(|(_, algorithms)| *algorithms);
    let mut verified = verified.map(|algorithm| algorithm.public_key_alg_id());
    if !verified.any(|id| id.as_ref() == key.algorithm) {
        return Err("a key whose algorithm is written in a way that is not verified here".into());
    }
    match oid {
        // RFC 5480 §2.2: others need not be read, and the provider does not.
        EC if key.key.first() != Some(&UNCOMPRESSED) => {
            Err("an elliptic-curve key with a compressed point: write it uncompressed".into())
        }
        RSA if !has_usual_exponent(key) => {
            Err("an RSA key with an exponent that is not odd, or not from 3 to 33 bits".into())
        }
        _ => Ok(()),
    }
}

/// Whether the signature of a certificate (DER) is one that this library verifies by itself, as it
/// has to under `private_ca`, for given roots and for a pin above the end-entity. Where a platform
/// judges, that decides.
///
/// # Errors
/// The reason, in words.
pub fn verifiable_signature(der: &[u8]) -> Result<(), String> {
    let fields = Fields::read(der).ok_or("a certificate that cannot be read")?;
    let known = |id: &[u8]| algorithms().all.iter().any(|a| a.signature_alg_id().as_ref() == id);
    if known(fields.signature_algorithm) {
        return Ok(());
    }
    Err(match Der(fields.signature_algorithm).expect(OID) {
        Some((oid, _)) if oid.0 == ECDSA_SHA512 => {
            "a signature ecdsa-with-SHA512, which is not verified here: let the authority sign with \
             SHA-256 or SHA-384"
        }
        _ => "a signature of a kind that is not verified here",
    }
    .into())
}

/// Whether a certificate (DER) has a key that can be used and a signature of today's strength; the
/// error says what is wrong. What an authority signs its own name with is not looked at, because
/// nobody relies on it: roots are trusted for being known.
///
/// # Errors
/// The weakness, in words, also where the certificate cannot be read.
pub fn check_certificate(der: &[u8]) -> Result<(), String> {
    let fields = Fields::read(der).ok_or("a certificate that cannot be read")?;
    usable_key(fields.spki)?;
    if fields.issuer == fields.subject { Ok(()) } else { check_signature(der) }
}

/// Why keys of a kind cannot be used, where the kind is one that people make.
fn unusable(oid: &[u8], parameters: &[u8]) -> Option<&'static str> {
    Some(match oid {
        RSA_PSS => {
            "an RSASSA-PSS key, with which no handshake succeeds here: make it a plain RSA key \
             (rsaEncryption), which signs handshakes with PSS as well"
        }
        EC if parameters == P521 => {
            "a key on P-521, with which no handshake succeeds here: use P-256 or P-384"
        }
        EC if parameters.first() == Some(&SEQUENCE) => {
            "an elliptic-curve key with explicit parameters, which certificates must not have (RFC \
             5480 §2.1.1): make it on a named curve, P-256 or P-384"
        }
        ED448 => "an Ed448 key, with which no handshake succeeds here: use Ed25519 or P-256",
        DSA => "a DSA key, with which no handshake succeeds here: use P-256 or RSA",
        _ => return None,
    })
}

/// What the provider takes as a public exponent: at most 33 bits, odd, 3 or more.
fn has_usual_exponent(key: PublicKey<'_>) -> bool {
    let exponent = Der(key.key).expect(SEQUENCE).and_then(|(numbers, _)| {
        let (_modulus, numbers) = numbers.expect(INTEGER)?;
        let (exponent, _) = numbers.expect(INTEGER)?;
        Some(exponent.0)
    });
    let Some(exponent) = exponent.filter(|bytes| bytes.len() <= 5) else { return false };
    let value = exponent.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    (3..1 << 33).contains(&value) && value & 1 == 1
}
