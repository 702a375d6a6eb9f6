//! The handshake's signature.
//!
//! Whether a certificate's extensions are good enough has been decided by then; this is about its key.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::CertificateDer;

use super::provider::algorithms;
use super::readable::Readable;

/// A server's proof that it has its certificate's key (RFC 5246 §7.4.3).
pub(super) fn verify_tls12(
    message: &[u8],
    cert: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    let readable = Readable::new(cert);
    let cert = readable.as_ref().map_or(cert, |readable| &readable.der);
    verify_tls12_signature(message, cert, signed, algorithms())
}

/// The same in TLS 1.3 (RFC 8446 §4.4.3).
pub(super) fn verify_tls13(
    message: &[u8],
    cert: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    let readable = Readable::new(cert);
    let cert = readable.as_ref().map_or(cert, |readable| &readable.der);
    verify_tls13_signature(message, cert, signed, algorithms())
}

/// What a server may sign with.
pub(super) fn schemes() -> Vec<SignatureScheme> {
    algorithms().supported_schemes()
}
