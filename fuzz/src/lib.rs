//! What several targets share.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// An authority that nobody else trusts.
pub fn authority() -> CertificateDer<'static> {
    read(include_bytes!("../../testkit/keys/ocsp/root.pem"))
}

/// Its certificate for `api.example.test`, valid from 2026-11-21 to 2048.
pub fn leaf() -> CertificateDer<'static> {
    read(include_bytes!("../../testkit/keys/ocsp/leaf.pem"))
}

fn read(pem: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem).expect("a certificate")
}
