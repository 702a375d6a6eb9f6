//! What a certificate says of itself: names, validity and key, read from DER.
//!
//! webpki judges certificates but keeps their names and dates to itself. This reader judges
//! nothing; it walks the outer fields (RFC 5280 §4.1), bounds-checked, and gives up on what it
//! does not understand.

use webpki::EndEntityCert;

use crate::error::Error;
use crate::pin::SpkiSha256;
use crate::time::{format_rfc3339_utc, parse_x509};

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
}

/// A public key with the name it was found under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spki {
    /// The subject of a certificate request; a bare key has none.
    pub subject: Option<String>,
    /// Its pin.
    pub spki: SpkiSha256,
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
        let (certificate, rest) = Der(der).expect(SEQUENCE)?;
        let (mut tbs, _) = certificate.expect(SEQUENCE)?;
        if !rest.0.is_empty() {
            return None;
        }
        tbs = tbs.skip_if(CONTEXT_0)?; // version
        tbs = tbs.expect(INTEGER)?.1; // serial number
        tbs = tbs.expect(SEQUENCE)?.1; // signature algorithm
        let (issuer, tbs) = tbs.expect(SEQUENCE)?;
        let (validity, tbs) = tbs.expect(SEQUENCE)?;
        let (subject, tbs) = tbs.expect(SEQUENCE)?;
        let (spki, mut tbs) = tbs.whole(SEQUENCE)?;
        let (not_before, validity) = validity.time()?;
        let (not_after, _) = validity.time()?;

        tbs = tbs.skip_if(CONTEXT_PRIMITIVE_1)?; // issuerUniqueID
        tbs = tbs.skip_if(CONTEXT_PRIMITIVE_2)?; // subjectUniqueID
        let is_ca = match tbs.expect(CONTEXT_3) {
            Some((extensions, _)) => extensions.says_ca()?,
            None => false,
        };
        Some(Self {
            subject: name_of(subject),
            issuer: name_of(issuer),
            not_before,
            not_after,
            is_ca,
            spki: SpkiSha256::of_spki(spki),
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
    let attributes_follow = info.0.is_empty() || info.expect(CONTEXT_0).is_some();
    (rest.0.is_empty() && attributes_follow && is_spki(spki))
        .then(|| Spki { subject: name_of(subject), spki: SpkiSha256::of_spki(spki) })
}

/// The key of a DER SubjectPublicKeyInfo.
pub fn pin_of_public_key(der: &[u8]) -> Option<Spki> {
    is_spki(der).then(|| Spki { subject: None, spki: SpkiSha256::of_spki(der) })
}

/// `SEQUENCE { SEQUENCE { OID, … }, BIT STRING }` and nothing behind it (RFC 5280 §4.1).
fn is_spki(der: &[u8]) -> bool {
    let parts = || {
        let (spki, rest) = Der(der).expect(SEQUENCE)?;
        let (algorithm, key) = spki.expect(SEQUENCE)?;
        algorithm.expect(OID)?;
        let (_, end) = key.expect(BIT_STRING)?;
        (rest.0.is_empty() && end.0.is_empty()).then_some(())
    };
    parts().is_some()
}

/// The issuer and subject of an end-entity that webpki has parsed.
pub(super) fn names(end_entity: &EndEntityCert<'_>) -> (Option<String>, Option<String>) {
    (name_of(Der(end_entity.subject())), name_of(Der(end_entity.issuer())))
}

/// First and last second of a DER certificate's validity.
pub(super) fn validity(der: &[u8]) -> Option<(u64, u64)> {
    CertificateIdentity::from_der(der).map(|c| (c.not_before, c.not_after))
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const BMP_STRING: u8 = 0x1e;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_PRIMITIVE_1: u8 = 0x81;
const CONTEXT_PRIMITIVE_2: u8 = 0x82;
const CONTEXT_3: u8 = 0xa3;
const BOOLEAN: u8 = 0x01;
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANISATION: &[u8] = &[0x55, 4, 10];

/// The rest of some DER.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next element: its tag, its header's length and its contents, and what follows.
    fn next(self) -> Option<(u8, usize, &'a [u8], Self)> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest, header) = match first {
            0..=0x7f => (usize::from(first), rest, 2),
            0x81..=0x83 => {
                let n = usize::from(first & 0x7f);
                let (bytes, rest) = rest.split_at_checked(n)?;
                (bytes.iter().fold(0, |l, b| l << 8 | usize::from(*b)), rest, 2 + n)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        Some((tag, header, contents, Self(rest)))
    }

    /// The contents of the next element, which must have `tag`, and what follows.
    fn expect(self, tag: u8) -> Option<(Self, Self)> {
        let (found, _, contents, rest) = self.next()?;
        (found == tag).then_some((Self(contents), rest))
    }

    /// Like [`Self::expect`], with the element's header.
    fn whole(self, tag: u8) -> Option<(&'a [u8], Self)> {
        let (found, header, contents, rest) = self.next()?;
        (found == tag).then(|| (&self.0[..header + contents.len()], rest))
    }

    fn skip_if(self, tag: u8) -> Option<Self> {
        match self.0.first() {
            Some(found) if *found == tag => self.expect(tag).map(|(_, rest)| rest),
            _ => Some(self),
        }
    }

    fn time(self) -> Option<(u64, Self)> {
        let (tag, _, text, rest) = self.next()?;
        let generalized = match tag {
            UTC_TIME => false,
            GENERALIZED_TIME => true,
            _ => return None,
        };
        Some((parse_x509(text, generalized)?, rest))
    }

    /// Whether these extensions hold basicConstraints with `cA` true.
    fn says_ca(self) -> Option<bool> {
        let (mut list, _) = self.expect(SEQUENCE)?;
        while !list.0.is_empty() {
            let (extension, rest) = list.expect(SEQUENCE)?;
            list = rest;
            let (oid, value) = extension.expect(OID)?;
            if oid.0 == BASIC_CONSTRAINTS {
                let (value, _) = value.skip_if(BOOLEAN)?.expect(OCTET_STRING)?;
                let (constraints, _) = value.expect(SEQUENCE)?;
                return Some(constraints.expect(BOOLEAN).is_some_and(|(b, _)| b.0 == [0xff]));
            }
        }
        Some(false)
    }
}

/// The common name of an RDNSequence's contents (RFC 5280 §4.1.2.4) and, in parentheses, the
/// organisation where that is another; control characters removed, for a log or a screen.
fn name_of(mut name: Der<'_>) -> Option<String> {
    let (mut common_name, mut organisation) = (None, None);
    while !name.0.is_empty() {
        let (mut set, rest) = name.expect(SET)?;
        name = rest;
        while !set.0.is_empty() {
            let (attribute, rest) = set.expect(SEQUENCE)?;
            set = rest;
            let (oid, value) = attribute.expect(OID)?;
            let (tag, _, text, _) = value.next()?;
            match oid.0 {
                COMMON_NAME => common_name = Some(text_of(tag, text)),
                ORGANISATION => organisation = Some(text_of(tag, text)),
                _ => {}
            }
        }
    }
    match (common_name, organisation) {
        (Some(name), Some(organisation)) if name != organisation => {
            Some(format!("{name} ({organisation})"))
        }
        (name, organisation) => name.or(organisation),
    }
}

fn text_of(tag: u8, bytes: &[u8]) -> String {
    let text = match tag {
        BMP_STRING => {
            let (units, _) = bytes.as_chunks::<2>();
            let units = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect::<Vec<_>>();
            String::from_utf16_lossy(&units)
        }
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    text.chars().filter(|c| !c.is_control()).take(128).collect()
}
