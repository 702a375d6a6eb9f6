//! Keys and signatures too weak to count, whoever vouches for them.
//!
//! webpki never verifies a weak signature, but it does not look at the end-entity's own key, and a
//! platform may be more generous than it.

use std::ops::RangeInclusive;

use crate::der::{Der, Fields, OID, PublicKey, SEQUENCE, context};

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const P256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[0x06, 5, 0x2b, 0x81, 4, 0, 0x22];

/// Neither weak nor absurd.
const RSA_BITS: RangeInclusive<usize> = 2_048..=8_192;

/// SHA-256, SHA-384 and SHA-512: alone, with RSA (RFC 8017 §A.2.4) and with ECDSA (RFC 5758 §3.2).
/// Everything else in use is over SHA-1 or MD5, with which certificates have been forged.
const HASHES: [&[u8]; 3] = [
    &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1],
    &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2],
    &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3],
];
const SIGNATURES: [&[u8]; 7] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4],
    ED25519,
];

/// Whether a SubjectPublicKeyInfo holds a key of today's strength (NIST SP 800-57 part 1 §5.6.3:
/// 112 bits and more); the error says what it is instead.
pub(super) fn check_key(spki: &[u8]) -> Result<(), String> {
    let key = PublicKey::read(spki).ok_or("a key that cannot be read")?;
    match key.oid() {
        Some((RSA | RSA_PSS, _)) => match key.rsa_bits() {
            Some(bits) if RSA_BITS.contains(&bits) => Ok(()),
            Some(bits) => Err(format!("an RSA key of {bits} bits")),
            None => Err("an RSA key that cannot be read".into()),
        },
        Some((EC, curve)) if [P256, P384].contains(&curve.0) => Ok(()),
        Some((EC, _)) => Err("a key on a curve other than P-256 and P-384".into()),
        Some((ED25519, _)) => Ok(()),
        _ => Err("a key that is neither RSA nor on an elliptic curve".into()),
    }
}

/// Whether the signature of a certificate below its authority may be relied on.
pub(super) fn check_signature(der: &[u8]) -> Result<(), String> {
    let fields = Fields::read(der).ok_or("a certificate that cannot be read")?;
    if fields.signature_algorithm != fields.outer_algorithm {
        return Err("two signature algorithms".into());
    }
    let algorithm = Der(fields.signature_algorithm);
    let (oid, parameters) = algorithm.expect(OID).ok_or("a signature that cannot be read")?;
    let good = SIGNATURES.contains(&oid.0)
        || (oid.0 == RSA_PSS && pss_hash(parameters).is_some_and(|hash| HASHES.contains(&hash)));
    if good { Ok(()) } else { Err("a signature over SHA-1 or MD5, which can be forged".into()) }
}

/// The hash of RSASSA-PSS parameters (RFC 8017 §A.2.3); without one it is SHA-1.
fn pss_hash(parameters: Der<'_>) -> Option<&[u8]> {
    let (parameters, _) = parameters.expect(SEQUENCE)?;
    let (hash, _) = parameters.expect(context(0))?;
    let (algorithm, _) = hash.expect(SEQUENCE)?;
    algorithm.expect(OID).map(|(oid, _)| oid.0)
}
