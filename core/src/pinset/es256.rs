//! ES256: ECDSA over P-256 with SHA-256, the one algorithm that every key service has.
//!
//! Envelopes carry the raw form, r and s of 32 bytes each (RFC 7518 §3.4). Key services and OpenSSL
//! print DER (RFC 3279 §2.2.3); the two converters are for the tools.

use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

use crate::der::{Der, INTEGER, SEQUENCE};

/// The header of every P-256 SubjectPublicKeyInfo with an uncompressed point (RFC 5480 §2).
const SPKI_HEADER: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The order of the group (FIPS 186-5, SP 800-186 §3.2.1.3).
const N: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// A public key: an uncompressed point. Whether it is on the curve shows when it verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 65]);

impl PublicKey {
    /// Of a DER SubjectPublicKeyInfo, in the one form that is accepted: named curve, uncompressed.
    /// So equal keys are equal bytes.
    pub fn of_spki(der: &[u8]) -> Option<Self> {
        let point: [u8; 65] = der.strip_prefix(&SPKI_HEADER)?.try_into().ok()?;
        (point[0] == 4).then_some(Self(point))
    }

    /// Its DER SubjectPublicKeyInfo.
    pub fn to_spki(&self) -> Vec<u8> {
        [&SPKI_HEADER[..], &self.0].concat()
    }

    /// Whether it has signed `message`; `signature` is raw, with 1 ≤ r, s < n. A high s is fine:
    /// nothing is keyed on a signature's bytes.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.0).verify(message, signature).is_ok()
    }

    #[cfg(test)]
    pub(super) fn as_bytes(&self) -> &[u8; 65] {
        &self.0
    }
}

/// The raw form of a DER signature; none where it is not strict DER, or r or s is out of range.
pub fn raw_from_der(der: &[u8]) -> Option<[u8; 64]> {
    let (tag, header, contents, rest) = Der(der).next()?;
    // Two integers of 33 bytes at most: a longer form of the length is never the shortest.
    if tag != SEQUENCE || header != 2 || !rest.is_empty() {
        return None;
    }
    let (r, rest) = scalar(Der(contents))?;
    let (s, rest) = scalar(rest)?;
    let mut raw = [0; 64];
    raw[..32].copy_from_slice(&r);
    raw[32..].copy_from_slice(&s);
    rest.is_empty().then_some(raw)
}

/// The DER form of a raw signature; none where r or s is out of range.
pub fn der_from_raw(raw: &[u8]) -> Option<Vec<u8>> {
    let raw: &[u8; 64] = raw.try_into().ok()?;
    let (r, s) = raw.split_at(32);
    let mut contents = Vec::with_capacity(70);
    for scalar in [r, s] {
        if !in_range(scalar) {
            return None;
        }
        let zeros = scalar.iter().take_while(|b| **b == 0).count();
        let digits = &scalar[zeros..];
        // A leading zero keeps the integer positive (X.690 §8.3.3).
        let sign = usize::from(digits[0] >= 0x80);
        contents.extend([INTEGER, (digits.len() + sign) as u8]);
        contents.extend(&[0][..sign]);
        contents.extend(digits);
    }
    Some([&[SEQUENCE, contents.len() as u8], contents.as_slice()].concat())
}

fn scalar(der: Der<'_>) -> Option<([u8; 32], Der<'_>)> {
    let (tag, header, digits, rest) = der.next()?;
    let positive = match digits {
        [0, next, ..] => *next >= 0x80, // the zero must be needed
        [first, ..] => *first < 0x80,
        [] => false,
    };
    if tag != INTEGER || header != 2 || !positive {
        return None;
    }
    let digits = digits.strip_prefix(&[0]).unwrap_or(digits);
    let mut scalar = [0; 32];
    scalar[32_usize.checked_sub(digits.len())?..].copy_from_slice(digits);
    in_range(&scalar).then_some((scalar, rest))
}

/// 1 ≤ scalar < n, of 32 bytes.
fn in_range(scalar: &[u8]) -> bool {
    scalar.iter().any(|b| *b != 0) && *scalar < N[..]
}
