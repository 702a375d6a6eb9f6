//! Stapled OCSP responses (RFC 6960): what the authority says of the end-entity today.
//!
//! Only a revocation decides anything. A staple that cannot be used is like none at all, since
//! whoever would gain from leaving it out can leave it out.

use ring::digest;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::effort::Effort;
use super::presented::Issuer;
use crate::der::{
    Der, ENUMERATED, Fields, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID, PublicKey, SEQUENCE,
    context, context_primitive,
};

const BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];
const OCSP_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 9];
const SHA1: &[u8] = &[0x2b, 0x0e, 3, 2, 0x1a];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
/// `certificateHold`, the one revocation that can be taken back (RFC 5280 §5.3.1).
const ON_HOLD: u8 = 6;
/// Clocks of responders and devices differ.
const SKEW: u64 = 300;
/// Servers staple one response; no real one comes near it.
const MAX_RESPONSE: usize = 64 * 1_024;
/// Servers send one certificate of each name, or a cross-signed second.
const MAX_ISSUERS: usize = 8;
/// A responder sends its own certificate, if any.
const MAX_RESPONDERS: usize = 4;

/// What a staple says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Staple {
    /// There is none.
    #[default]
    None,
    /// The authority vouches for the certificate.
    Good,
    /// The authority has revoked the certificate.
    Revoked,
    /// It proves nothing; the text says why.
    Unusable(String),
}

/// Reads a staple for `end_entity`; every certificate at hand may be its issuer's, because only
/// the issuer's signature makes it count.
pub(super) fn read(
    response: &[u8],
    end_entity: &[u8],
    issuers: &[Issuer<'_>],
    now: UnixTime,
    effort: &Effort,
) -> Staple {
    if response.is_empty() {
        return Staple::None;
    }
    let unusable = |reason: &str| Staple::Unusable(reason.to_owned());
    if response.len() > MAX_RESPONSE {
        return unusable("larger than 64 KiB");
    }
    let Some(basic) = Basic::read(response) else {
        return unusable("not a successful basic OCSP response");
    };
    let Some(certificate) = Fields::read(end_entity) else {
        return unusable("the certificate cannot be read");
    };
    let named = issuers.iter().filter(|issuer| issuer.name == certificate.issuer.0);
    let mut named = named.take(MAX_ISSUERS);
    let Some(issuer) = named.find(|issuer| basic.is_signed_by(issuer, now, effort)) else {
        return unusable("not signed by the certificate's issuer");
    };
    let Some(status) = basic.status(&certificate, issuer) else {
        return unusable("about other certificates");
    };
    let now = now.as_secs();
    if status.this_update > now + SKEW {
        return unusable("from the future");
    }
    match status.state {
        // It holds for ever, so its age does not matter.
        State::Revoked { at, on_hold: false } if at <= now => Staple::Revoked,
        _ if status.next_update.is_none_or(|until| now > until + SKEW) => unusable("out of date"),
        State::Revoked { at, .. } if at <= now => Staple::Revoked,
        State::Revoked { .. } => unusable("a revocation in the future"),
        State::Good => Staple::Good,
        State::Unknown => unusable("the authority does not know the certificate"),
    }
}

struct Basic<'a> {
    signed: &'a [u8],
    responses: Der<'a>,
    algorithm: &'a [u8],
    signature: &'a [u8],
    certificates: Vec<&'a [u8]>,
}

struct Status {
    state: State,
    this_update: u64,
    next_update: Option<u64>,
}

enum State {
    Good,
    Revoked { at: u64, on_hold: bool },
    Unknown,
}

impl<'a> Basic<'a> {
    fn read(response: &'a [u8]) -> Option<Self> {
        let (response, rest) = Der(response).expect(SEQUENCE)?;
        let (status, response) = response.expect(ENUMERATED)?;
        let (bytes, _) = response.expect(context(0))?;
        let (bytes, _) = bytes.expect(SEQUENCE)?;
        let (kind, bytes) = bytes.expect(OID)?;
        let (basic, _) = bytes.expect(OCTET_STRING)?;
        if !rest.is_empty() || status.0 != [0] || kind.0 != BASIC {
            return None;
        }
        let (basic, rest) = basic.expect(SEQUENCE)?;
        let (signed, basic) = basic.whole(SEQUENCE)?;
        let (algorithm, basic) = basic.expect(SEQUENCE)?;
        let (signature, basic) = basic.octets_of_bits()?;
        let (list, _) = basic.optional(context(0))?;
        if !rest.is_empty() {
            return None;
        }
        let mut certificates = Vec::new();
        if let Some(list) = list {
            let (mut list, _) = list.expect(SEQUENCE)?;
            while !list.is_empty() && certificates.len() < MAX_RESPONDERS {
                let (certificate, rest) = list.whole(SEQUENCE)?;
                certificates.push(certificate);
                list = rest;
            }
        }

        let (data, _) = Der(signed).expect(SEQUENCE)?;
        let data = data.skip_if(context(0))?; // version
        let (_responder, _, _, data) = data.next()?;
        let (_produced, data) = data.expect(GENERALIZED_TIME)?;
        let (responses, _) = data.expect(SEQUENCE)?;
        let (algorithm, signature) = (algorithm.0, signature);
        Some(Self { signed, responses, algorithm, signature, certificates })
    }

    /// By the issuer itself, or by a responder that the issuer has certified for just this
    /// (RFC 6960 §4.2.2.2).
    fn is_signed_by(&self, issuer: &Issuer<'_>, now: UnixTime, effort: &Effort) -> bool {
        if self.verifies(issuer.spki, effort) {
            return true;
        }
        let anchor = TrustAnchor {
            subject: issuer.name.into(),
            subject_public_key_info: issuer.spki.into(),
            name_constraints: None,
        };
        self.certificates.iter().any(|der| {
            let der = CertificateDer::from(*der);
            let (Ok(responder), Some(fields)) = (EndEntityCert::try_from(&der), Fields::read(&der))
            else {
                return false;
            };
            let certified = responder.verify_for_usage(
                &effort.algorithms(),
                std::slice::from_ref(&anchor),
                &[],
                now,
                KeyUsage::required(OCSP_SIGNING),
                None,
                None,
            );
            let spki = Der(fields.spki).expect(SEQUENCE).map(|(contents, _)| contents.0);
            certified.is_ok() && spki.is_some_and(|spki| self.verifies(spki, effort))
        })
    }

    fn verifies(&self, spki: &[u8], effort: &Effort) -> bool {
        effort.verifies(spki, self.algorithm, self.signed, self.signature) == Some(true)
    }

    /// What it says of one certificate.
    fn status(&self, certificate: &Fields<'_>, issuer: &Issuer<'_>) -> Option<Status> {
        let mut list = self.responses;
        while !list.is_empty() {
            let (single, rest) = list.expect(SEQUENCE)?;
            list = rest;
            let (id, single) = single.expect(SEQUENCE)?;
            if is_about(id, certificate, issuer)? {
                return Status::read(single);
            }
        }
        None
    }
}

/// Whether a CertID names the certificate (RFC 6960 §4.1.1).
fn is_about(id: Der<'_>, certificate: &Fields<'_>, issuer: &Issuer<'_>) -> Option<bool> {
    let (hash, id) = id.expect(SEQUENCE)?;
    let (name_hash, id) = id.expect(OCTET_STRING)?;
    let (key_hash, id) = id.expect(OCTET_STRING)?;
    let (serial, _) = id.expect(INTEGER)?;
    let (hash, _) = hash.expect(OID)?;
    let hash = match hash.0 {
        // A name for the issuer here, no signature: RFC 5019 §2.1.1 demands it.
        SHA1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        SHA256 => &digest::SHA256,
        _ => return Some(false),
    };
    let key = PublicKey::of_contents(issuer.spki)?;
    let mut name = digest::Context::new(hash);
    name.update(&header(issuer.name.len()));
    name.update(issuer.name);
    Some(
        serial.0 == certificate.serial
            && digest::digest(hash, key.key).as_ref() == key_hash.0
            && name.finish().as_ref() == name_hash.0,
    )
}

/// The header of a SEQUENCE: `TrustAnchor` leaves it out, the hash is over the whole.
fn header(length: usize) -> Vec<u8> {
    match length {
        0..=0x7f => vec![SEQUENCE, length as u8],
        0x80..=0xff => vec![SEQUENCE, 0x81, length as u8],
        _ => vec![SEQUENCE, 0x82, (length >> 8) as u8, length as u8],
    }
}

impl Status {
    fn read(single: Der<'_>) -> Option<Self> {
        let (tag, _, contents, rest) = single.next()?;
        let state = if tag == context_primitive(0) {
            State::Good
        } else if tag == context(1) {
            let (at, reason) = Der(contents).time()?;
            let (reason, _) = reason.optional(context(0))?;
            let on_hold = match reason {
                Some(reason) => reason.expect(ENUMERATED)?.0.0 == [ON_HOLD],
                None => false,
            };
            State::Revoked { at, on_hold }
        } else if tag == context_primitive(2) {
            State::Unknown
        } else {
            return None;
        };
        let (this_update, rest) = rest.time()?;
        let (next_update, _) = rest.optional(context(0))?;
        let next_update = match next_update {
            Some(time) => Some(time.time()?.0),
            None => None,
        };
        Some(Self { state, this_update, next_update })
    }
}
