//! Certificates and keys as people hand them over, and what is wrong with them: told without a word of
//! what is in there.

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::signer::KeyKind;
use super::{MAX_CHAIN, wrong};
use crate::der::{Der, Fields, OID, SEQUENCE};
use crate::error::Error;

const CERTIFICATE: &str = "identity.certificate";
const KEY: &str = "identity.key";

const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[0x2b, 0x81, 4, 0, 0x22];
const P521: &[u8] = &[0x2b, 0x81, 4, 0, 0x23];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// What is known of the client's own certificate.
pub(super) struct Leaf {
    pub(super) kind: KeyKind,
    /// The contents of its subjectPublicKey.
    pub(super) public_key: Vec<u8>,
}

/// The certificates of a PEM file.
pub(super) fn chain(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates = CertificateDer::pem_slice_iter(bytes).take(MAX_CHAIN + 1);
    // What the reader says may quote the file.
    let read = certificates.collect::<Result<Vec<_>, _>>();
    match read.map_err(|_| wrong(CERTIFICATE, "it is not PEM"))? {
        none if none.is_empty() => Err(wrong(CERTIFICATE, "there is none")),
        chain => Ok(chain),
    }
}

/// The private key of a PEM file.
pub(super) fn read(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, Error> {
    match PrivateKeyDer::from_pem_slice(bytes) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) if is_encrypted(bytes) => {
            Err(wrong(KEY, "it is encrypted: take PKCS#12, or decrypt it first"))
        }
        Err(pem::Error::NoItemsFound) => Err(wrong(KEY, "there is no private key in it")),
        Err(_) => Err(wrong(KEY, "it is not PEM")),
    }
}

fn is_encrypted(bytes: &[u8]) -> bool {
    let marker = b"BEGIN ENCRYPTED PRIVATE KEY";
    bytes.windows(marker.len()).any(|window| window == marker)
}

/// What is needed of the first of the certificates, where all are some.
pub(super) fn checked(chain: &[CertificateDer<'_>]) -> Result<Leaf, Error> {
    if chain.is_empty() {
        return Err(wrong(CERTIFICATE, "there is none"));
    }
    if chain.len() > MAX_CHAIN {
        return Err(wrong(CERTIFICATE, format!("more than {MAX_CHAIN} certificates")));
    }
    for (i, der) in chain.iter().enumerate() {
        if Fields::read(der).is_none() {
            return Err(wrong(&format!("{CERTIFICATE}[{i}]"), "it is no certificate"));
        }
    }
    let spki = Fields::read(&chain[0]).map(|fields| fields.spki);
    let leaf = spki.and_then(leaf_of).ok_or_else(|| {
        let reason = "its key is none of RSA, P-256, P-384, P-521 and Ed25519";
        wrong(&format!("{CERTIFICATE}[0]"), reason)
    })?;
    Ok(leaf)
}

fn leaf_of(spki: &[u8]) -> Option<Leaf> {
    let (mut spki, _) = Der(spki).expect(SEQUENCE)?;
    let (algorithm, rest) = spki.expect(SEQUENCE)?;
    spki = rest;
    let public_key = spki.octets_of_bits()?.0.to_vec();
    let (oid, parameters) = algorithm.expect(OID)?;
    let kind = match oid.0 {
        RSA => KeyKind::Rsa,
        ED25519 => KeyKind::Ed25519,
        EC_PUBLIC_KEY => match parameters.expect(OID)?.0.0 {
            P256 => KeyKind::P256,
            P384 => KeyKind::P384,
            P521 => KeyKind::P521,
            _ => return None,
        },
        _ => return None,
    };
    Some(Leaf { kind, public_key })
}
