//! Certificates with critical extensions that webpki does not know.
//!
//! It refuses to read them at all, although whoever decides about them may know better: a platform,
//! or under `pin_only` nobody but the pin. For what is still asked of webpki then, the name above
//! all, it gets a copy whose flags say "not critical"; signatures are verified over the original.

use std::fmt::Write;

use rustls_pki_types::CertificateDer;

use crate::der::{Extension, Fields};

const fn ce(last: u8) -> [u8; 3] {
    [0x55, 0x1d, last]
}

/// What webpki reads: keyUsage, subjectAltName, basicConstraints, nameConstraints,
/// cRLDistributionPoints, extendedKeyUsage.
const KNOWN: [[u8; 3]; 6] = [ce(15), ce(17), ce(19), ce(30), ce(31), ce(37)];

/// What asks nothing of a client that has no opinion on policies and builds no path from here:
/// certificatePolicies, policyMappings, policyConstraints, inhibitAnyPolicy (RFC 5280 §4.2.1.4, .5,
/// .11, .14), the key identifiers (.1, .2), issuerAltName (.7) and freshestCRL (.15).
const HARMLESS: [[u8; 3]; 8] = [ce(32), ce(33), ce(36), ce(54), ce(14), ce(35), ce(18), ce(46)];

/// An end-entity as webpki reads it.
pub(super) struct Readable {
    pub(super) der: CertificateDer<'static>,
    /// The signed parts of the copy and of the original.
    pub(super) signed: (Vec<u8>, Vec<u8>),
    /// Whether nothing was left out that would have to be understood under a pin alone.
    pub(super) harmless: bool,
}

impl Readable {
    /// None where webpki knows everything that is critical.
    pub(super) fn new(der: &[u8]) -> Option<Self> {
        let unknown = unknown(der)?;
        let fields = Fields::read(der)?;
        // Both are slices of the same certificate.
        let place = |part: &[u8]| part.as_ptr() as usize - der.as_ptr() as usize;
        let mut copy = der.to_vec();
        for extension in &unknown {
            copy[place(extension.critical?)] = 0;
        }
        let from = place(fields.signed);
        let signed = copy[from..from + fields.signed.len()].to_vec();
        let harmless =
            unknown.iter().all(|extension| HARMLESS.iter().any(|id| id == extension.oid));
        let signed = (signed, fields.signed.to_vec());
        Some(Self { der: CertificateDer::from(copy), signed, harmless })
    }
}

/// The critical extensions that webpki does not know, in words.
pub(super) fn unknown_in_words(der: &[u8]) -> Option<String> {
    let names = unknown(der)?.iter().map(|extension| name(extension.oid)).collect::<Vec<_>>();
    Some(format!("it has a critical extension that is not known here: {}", names.join(", ")))
}

/// None where there are none.
fn unknown(der: &[u8]) -> Option<Vec<Extension<'_>>> {
    let critical = |extension: &Extension<'_>| extension.critical == Some(&[0xff]);
    let mut found = Fields::read(der)?.extensions()?;
    found.retain(|extension| critical(extension) && !KNOWN.iter().any(|id| id == extension.oid));
    (!found.is_empty()).then_some(found)
}

fn name(oid: &[u8]) -> String {
    let known = match oid {
        [0x55, 0x1d, 14] => "subjectKeyIdentifier",
        [0x55, 0x1d, 18] => "issuerAltName",
        [0x55, 0x1d, 32] => "certificatePolicies",
        [0x55, 0x1d, 33] => "policyMappings",
        [0x55, 0x1d, 35] => "authorityKeyIdentifier",
        [0x55, 0x1d, 36] => "policyConstraints",
        [0x55, 0x1d, 46] => "freshestCRL",
        [0x55, 0x1d, 54] => "inhibitAnyPolicy",
        _ => return dotted(oid),
    };
    known.to_owned()
}

/// An object identifier in its usual form (X.690 §8.19), shortened where it is absurd.
fn dotted(oid: &[u8]) -> String {
    let mut text = String::new();
    let mut arc: u64 = 0;
    for byte in oid.iter().take(32) {
        arc = arc << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        if text.is_empty() {
            let first = (arc / 40).min(2);
            let _infallible = write!(text, "{first}.{}", arc - 40 * first);
        } else {
            let _infallible = write!(text, ".{arc}");
        }
        arc = 0;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_written_with_dots() {
        for (oid, text) in [
            (&[0x55, 0x1d, 99][..], "2.5.29.99"),
            (&[0x2b, 6, 1, 5, 5, 7, 1, 24], "1.3.6.1.5.5.7.1.24"),
            (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d], "1.2.840.113549"),
            (&[0x88, 0x37, 3], "2.999.3"),
            (&[], ""),
        ] {
            assert_eq!(dotted(oid), text);
        }
        assert!(dotted(&[0xff; 1_000]).is_empty());
    }
}
