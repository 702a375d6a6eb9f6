//! What a certificate says of itself: names, validity and key, read from DER.
//!
//! webpki judges certificates but keeps their names and dates to itself. This reader judges
//! nothing; it walks the outer fields (RFC 5280 §4.1), bounds-checked, and gives up on what it
//! does not understand.

use super::keys::usable_key;
use crate::der::{BOOLEAN, Der, Fields, INTEGER, PublicKey, SEQUENCE, context};
use crate::error::Error;
use crate::name::name_of;
use crate::pin::SpkiSha256;
use crate::time::format_rfc3339_utc;

/// A certificate's names, validity and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateIdentity {
    /// The subject's common name, else its organisation.
    pub subject: Option<String>,
    /// The issuer's common name and organisation.
    pub issuer: Option<String>,
    /// The first second of its validity, since 1970.
    pub not_before: u64,
    /// The last second of its validity, since 1970.
    pub not_after: u64,
    /// Whether it may issue certificates (basicConstraints `CA:TRUE`).
    pub is_ca: bool,
    /// The pin of its key.
    pub spki: SpkiSha256,
    /// Why no server with its key can complete a handshake here, if that is so ([`usable_key`]).
    pub unusable: Option<String>,
    /// Whether it names itself as its issuer, so that nobody relies on its signature.
    pub is_self_issued: bool,
}

/// A public key with the name it was found under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spki {
    /// The subject of a certificate request; a bare key has none.
    pub subject: Option<String>,
    /// Its pin.
    pub spki: SpkiSha256,
    /// Why no server with it can complete a handshake here, if that is so ([`usable_key`]).
    pub unusable: Option<String>,
}

impl Spki {
    fn of(spki: &[u8], subject: Option<String>) -> Self {
        Self { subject, spki: SpkiSha256::of_spki(spki), unusable: usable_key(spki).err() }
    }
}

impl CertificateIdentity {
    /// Reads a DER certificate.
    ///
    /// # Errors
    /// [`Error::InvalidCertificate`] where it is not one; `place` names it there.
    pub fn read(der: &[u8], place: &str) -> Result<Self, Error> {
        Self::from_der(der).ok_or_else(|| Error::InvalidCertificate {
            place: place.to_owned(),
            reason: "not an X.509 certificate in DER".into(),
        })
    }

    fn from_der(der: &[u8]) -> Option<Self> {
        let fields = Fields::read(der)?;
        let is_ca = match fields.extension(BASIC_CONSTRAINTS)? {
            Some(value) => {
                let (constraints, _) = value.expect(SEQUENCE)?;
                constraints.expect(BOOLEAN).is_some_and(|(b, _)| b.0 == [0xff])
            }
            None => false,
        };
        Some(Self {
            subject: name_of(fields.subject),
            issuer: name_of(fields.issuer),
            not_before: fields.validity.0,
            not_after: fields.validity.1,
            is_ca,
            spki: SpkiSha256::of_spki(fields.spki),
            unusable: usable_key(fields.spki).err(),
            is_self_issued: fields.issuer == fields.subject,
        })
    }

    /// Its first and last second as `YYYY-MM-DDTHH:MM:SSZ`.
    pub fn validity(&self) -> (String, String) {
        (format_rfc3339_utc(self.not_before), format_rfc3339_utc(self.not_after))
    }
}

/// The key of a DER certificate request (RFC 2986): how a backup pin is made before any
/// certificate exists.
pub fn pin_of_request(der: &[u8]) -> Option<Spki> {
    let (request, rest) = Der(der).expect(SEQUENCE)?;
    let (info, _) = request.expect(SEQUENCE)?;
    let info = info.expect(INTEGER)?.1; // version
    let (subject, info) = info.expect(SEQUENCE)?;
    let (spki, info) = info.whole(SEQUENCE)?;
    let attributes_follow = info.is_empty() || info.expect(context(0)).is_some();
    (rest.is_empty() && attributes_follow && is_spki(spki))
        .then(|| Spki::of(spki, name_of(subject)))
}

/// The key of a DER SubjectPublicKeyInfo.
pub fn pin_of_public_key(der: &[u8]) -> Option<Spki> {
    is_spki(der).then(|| Spki::of(der, None))
}

/// A public key that names its algorithm, and nothing behind it (RFC 5280 §4.1).
fn is_spki(der: &[u8]) -> bool {
    PublicKey::read(der).is_some_and(|key| key.oid().is_some())
}

/// First and last second of a DER certificate's validity.
pub(super) fn validity(der: &[u8]) -> Option<(u64, u64)> {
    Fields::read(der).map(|fields| fields.validity)
}

const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
