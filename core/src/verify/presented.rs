//! What a server presents, and who issued what of it.

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::ocsp::Issuer;
use super::provider::algorithms;
use super::signature;
use crate::der::{Der, Fields, SEQUENCE};

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

pub(super) fn issuer_of<'a>(fields: &Fields<'a>) -> Option<Issuer<'a>> {
    let (spki, _) = Der(fields.spki).expect(SEQUENCE)?;
    Some(Issuer { name: fields.subject.0, spki: spki.0 })
}

pub(super) fn is_signed_by(fields: &Fields<'_>, issuer: &Issuer<'_>) -> bool {
    fields.issuer.0 == issuer.name
        && signature::is_by(
            issuer.spki,
            fields.signature_algorithm,
            fields.signed,
            fields.signature,
            algorithms(),
        )
}
