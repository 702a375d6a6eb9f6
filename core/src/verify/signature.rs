//! Signatures outside of paths.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::CertificateDer;

use super::provider::algorithms;
use crate::der::PublicKey;

/// Whether the key of a SubjectPublicKeyInfo, given by its contents, has signed `message` with the
/// algorithm of an AlgorithmIdentifier, given by its contents.
pub(super) fn is_by(
    spki: &[u8],
    algorithm: &[u8],
    message: &[u8],
    signature: &[u8],
    algorithms: &WebPkiSupportedAlgorithms,
) -> bool {
    let Some(key) = PublicKey::of_contents(spki) else { return false };
    algorithms.all.iter().any(|known| {
        known.signature_alg_id().as_ref() == algorithm
            && known.public_key_alg_id().as_ref() == key.algorithm
            && known.verify_signature(key.key, message, signature).is_ok()
    })
}

/// A server's proof that it has its certificate's key (RFC 5246 §7.4.3).
pub(super) fn verify_tls12(
    message: &[u8],
    cert: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    verify_tls12_signature(message, cert, signed, algorithms())
}

/// The same in TLS 1.3 (RFC 8446 §4.4.3).
pub(super) fn verify_tls13(
    message: &[u8],
    cert: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    verify_tls13_signature(message, cert, signed, algorithms())
}

/// What a server may sign with.
pub(super) fn schemes() -> Vec<SignatureScheme> {
    algorithms().supported_schemes()
}
