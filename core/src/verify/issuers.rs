//! The presented certificates that can be on a path: what a search and a platform get to see.
//!
//! Everything here only takes away. Whoever sends more than any honest server does loses paths by
//! it, never gains one.

use std::collections::VecDeque;

use rustls_pki_types::CertificateDer;

use super::effort::Effort;
use super::presented::issuer_of;
use crate::der::{BIT_STRING, Fields, OCTET_STRING, SEQUENCE, context_primitive};
use crate::name::name_of;

/// As many certificates above the end-entity as any real chain has: so few are left as they are.
const FEW: usize = 4;
/// Cross-signs included, nobody needs more.
const MAX_ISSUERS: usize = 8;
/// Certificates of one name: an authority's own and its cross-signs. More of them multiply paths.
const MAX_NAMESAKES: usize = 3;

const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const SUBJECT_KEY: &[u8] = &[0x55, 0x1d, 0x0e];
const AUTHORITY_KEY: &[u8] = &[0x55, 0x1d, 0x23];
/// The bit keyCertSign of the first octet (RFC 5280 §4.2.1.3).
const KEY_CERT_SIGN: u8 = 0b0000_0100;

/// Whether a certificate's key may sign others: where it says what the key is for, that must be
/// among it (RFC 5280 §4.2.1.3, §6.1.4 n). What cannot be read does not count.
pub(super) fn may_issue(fields: &Fields<'_>) -> bool {
    let Some(usage) = fields.extension(KEY_USAGE) else { return false };
    let Some(usage) = usage else { return true };
    let Some((bits, rest)) = usage.expect(BIT_STRING) else { return false };
    match *bits.0 {
        // The last octet's lowest bits are none, as many as the first one says.
        [unused @ 0..=2, first] => rest.is_empty() && unused <= 2 && first & KEY_CERT_SIGN != 0,
        [0..=7, first, ..] if bits.0.len() > 2 => rest.is_empty() && first & KEY_CERT_SIGN != 0,
        _ => false,
    }
}

/// Why a certificate is no issuer, in words.
pub(super) fn forbidden(fields: &Fields<'_>) -> String {
    let name = name_of(fields.subject).unwrap_or_else(|| "without a name".into());
    format!("its issuer {name:?} may not sign certificates (no keyCertSign in its key usage)")
}

/// Those of the `presented` certificates that may have issued `leaf` or each other, in their order:
/// without those whose key usage forbids it, and without doubles. Where there are more than a real
/// chain has, only those that signatures lead to, and of one name a few.
pub(super) fn issuers<'a>(
    leaf: &Fields<'_>,
    presented: &'a [CertificateDer<'_>],
    effort: &Effort,
) -> Vec<CertificateDer<'a>> {
    let mut pool: Vec<(&[u8], Fields<'_>)> = Vec::new();
    for der in presented {
        let Some(fields) = Fields::read(der) else { continue };
        if may_issue(&fields) && pool.iter().all(|(known, _)| known != &der.as_ref()) {
            pool.push((der, fields));
        }
    }
    if pool.len() > FEW {
        let kept = reached(leaf, &pool, effort);
        let mut index = 0..;
        pool.retain(|_| index.next().is_some_and(|i| kept.contains(&i)));
    }
    pool.into_iter().map(|(der, _)| CertificateDer::from(der)).collect()
}

/// Which of `pool` signatures lead to, from `leaf` upwards.
fn reached(leaf: &Fields<'_>, pool: &[(&[u8], Fields<'_>)], effort: &Effort) -> Vec<usize> {
    let mut kept: Vec<usize> = Vec::new();
    let mut heads = VecDeque::from([*leaf]);
    while let Some(head) = heads.pop_front() {
        for (i, (_, fields)) in pool.iter().enumerate() {
            let namesakes = kept.iter().filter(|k| pool[**k].1.subject == fields.subject).count();
            if kept.len() < MAX_ISSUERS
                && namesakes < MAX_NAMESAKES
                && !kept.contains(&i)
                && is_named_by(fields, &head)
                && has_signed(fields, &head, effort)
            {
                kept.push(i);
                heads.push_back(*fields);
            }
        }
    }
    kept
}

/// Whether `below` says that this is its issuer: by name, or by the key's identifier, because
/// platforms see the same name in two spellings.
pub(super) fn is_named_by(issuer: &Fields<'_>, below: &Fields<'_>) -> bool {
    let key_of = |fields: &Fields<'_>| {
        let (identifier, _) = fields.extension(SUBJECT_KEY)??.expect(OCTET_STRING)?;
        Some(identifier.0.to_vec())
    };
    let wanted_key = |fields: &Fields<'_>| {
        let (authority, _) = fields.extension(AUTHORITY_KEY)??.expect(SEQUENCE)?;
        let (identifier, _) = authority.expect(context_primitive(0))?;
        Some(identifier.0.to_vec())
    };
    issuer.subject == below.issuer
        || wanted_key(below).is_some_and(|key| key_of(issuer).as_ref() == Some(&key))
}

/// Whether it has signed `below`, or may have, with an algorithm that only a platform verifies.
fn has_signed(issuer: &Fields<'_>, below: &Fields<'_>, effort: &Effort) -> bool {
    let Some(issuer) = issuer_of(issuer) else { return false };
    let verified =
        effort.verifies(issuer.spki, below.signature_algorithm, below.signed, below.signature);
    verified.unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::context;

    /// A certificate with this for a key usage, as far as the reader goes; nothing without one.
    fn certificate(usage: Option<&[u8]>) -> Vec<u8> {
        fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
            let length = u8::try_from(contents.len()).expect("short");
            let header = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
            [header, contents.to_vec()].concat()
        }
        let algorithm = tlv(SEQUENCE, &tlv(crate::der::OID, &[0x2b, 0x65, 0x70]));
        let time = tlv(crate::der::UTC_TIME, b"300101000000Z");
        let bits = tlv(BIT_STRING, &[0, 1, 2, 3]);
        let extension = |usage: &[u8]| {
            let value = tlv(OCTET_STRING, usage);
            tlv(SEQUENCE, &[tlv(crate::der::OID, KEY_USAGE), value].concat())
        };
        let extensions = usage.map(|usage| tlv(context(3), &tlv(SEQUENCE, &extension(usage))));
        let signed = [
            tlv(crate::der::INTEGER, &[1]),
            algorithm.clone(),
            tlv(SEQUENCE, &[]),
            tlv(SEQUENCE, &[time.clone(), time].concat()),
            tlv(SEQUENCE, &[]),
            tlv(SEQUENCE, &[algorithm.clone(), bits.clone()].concat()),
            extensions.unwrap_or_default(),
        ];
        tlv(SEQUENCE, &[tlv(SEQUENCE, &signed.concat()), algorithm, bits].concat())
    }

    #[test]
    fn only_the_bit_for_certificates_lets_a_key_sign_them() {
        for (usage, expected) in [
            (None, true),
            (Some(&[3, 2, 2, 0b0000_0100][..]), true),
            (Some(&[3, 2, 1, 0b0000_0110]), true),
            (Some(&[3, 2, 0, 0b1111_1111]), true),
            (Some(&[3, 3, 7, 0b0000_0100, 0b1000_0000]), true),
            // cRLSign alone; digitalSignature; a bit beyond those that there are.
            (Some(&[3, 2, 1, 0b0000_0010]), false),
            (Some(&[3, 2, 7, 0b1000_0000]), false),
            (Some(&[3, 2, 3, 0b0000_0100]), false),
            (Some(&[3, 3, 7, 0, 0b1000_0000]), false),
            (Some(&[3, 1, 0]), false),
            (Some(&[3, 0]), false),
            // No bit string, something behind it, cut off.
            (Some(&[4, 2, 2, 0b0000_0100]), false),
            (Some(&[3, 2, 2, 0b0000_0100, 5, 0]), false),
            (Some(&[3, 3, 8, 0b0000_0100, 0]), false),
            (Some(&[3, 9, 2, 0b0000_0100]), false),
            (Some(&[]), false),
        ] {
            let der = certificate(usage);
            let fields = Fields::read(&der).expect("a certificate");
            assert_eq!(may_issue(&fields), expected, "{usage:?}");
        }
    }
}
