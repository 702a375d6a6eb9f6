//! What a server presents, and who issued what of it.

use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};

use super::effort::Effort;
use crate::der::{Der, Fields, SEQUENCE};

/// Certificates that a server may present. An honest one has four at most, and what a handshake's
/// message can hold of them is a way to cost a phone its battery.
const MAX_PRESENTED: usize = 32;
/// webpki reads none larger, nor does a handshake carry one.
const MAX_CERTIFICATE: usize = 64 * 1_024;

/// What a server presented, for whom and when.
#[derive(Clone, Copy)]
pub(super) struct Presented<'a> {
    pub(super) end_entity: &'a CertificateDer<'a>,
    pub(super) intermediates: &'a [CertificateDer<'a>],
    pub(super) name: &'a ServerName<'a>,
    /// The stapled OCSP response; empty without one.
    pub(super) ocsp: &'a [u8],
    pub(super) now: UnixTime,
    /// Whether that is what the device's clock says.
    pub(super) live: bool,
}

impl Presented<'_> {
    /// Why it is not worth looking at, in words.
    pub(super) fn excess(&self) -> Option<String> {
        let number = self.intermediates.len() + 1;
        if number > MAX_PRESENTED {
            return Some(format!("{number} certificates, more than {MAX_PRESENTED}"));
        }
        let mut sizes = std::iter::once(self.end_entity).chain(self.intermediates).map(|c| c.len());
        let large = sizes.position(|size| size > MAX_CERTIFICATE)?;
        Some(format!("certificate {} of {number} is too large: more than 64 KiB", large + 1))
    }
}

/// An authority that may have issued a certificate: its name and its SubjectPublicKeyInfo, the
/// contents of each.
#[derive(Clone, Copy)]
pub(super) struct Issuer<'a> {
    pub(super) name: &'a [u8],
    pub(super) spki: &'a [u8],
}

impl<'a> From<&'a TrustAnchor<'_>> for Issuer<'a> {
    fn from(anchor: &'a TrustAnchor<'_>) -> Self {
        Self { name: &anchor.subject, spki: &anchor.subject_public_key_info }
    }
}

pub(super) fn issuer_of<'a>(fields: &Fields<'a>) -> Option<Issuer<'a>> {
    let (spki, _) = Der(fields.spki).expect(SEQUENCE)?;
    Some(Issuer { name: fields.subject.0, spki: spki.0 })
}

pub(super) fn is_signed_by(fields: &Fields<'_>, issuer: &Issuer<'_>, effort: &Effort) -> bool {
    let (algorithm, signed) = (fields.signature_algorithm, fields.signed);
    fields.issuer.0 == issuer.name
        && effort.verifies(issuer.spki, algorithm, signed, fields.signature) == Some(true)
}
