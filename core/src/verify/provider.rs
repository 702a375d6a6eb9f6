//! The cryptography: one provider, and the authorities of the public web.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, KeyProvider, WebPkiSupportedAlgorithms};
use rustls::sign::SigningKey;
use rustls_pki_types::{PrivateKeyDer, TrustAnchor};

/// The cryptography, always passed explicitly: a process-wide default belongs to the app.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    use once_cell::sync::Lazy;
    static PROVIDER: Lazy<Arc<CryptoProvider>> = Lazy::new(|| {
        let ring = rustls::crypto::ring::default_provider();
        Arc::new(CryptoProvider { key_provider: &NoKeys, ..ring })
    });
    PROVIDER.clone()
}

/// Loads no private key: no client has one, and what signs with them stays out of the library.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(
        &self,
        _: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("clients have no certificates of their own".into()))
    }
}

/// The signature algorithms that count.
pub(super) fn algorithms() -> &'static WebPkiSupportedAlgorithms {
    use once_cell::sync::Lazy;
    static ALGORITHMS: Lazy<WebPkiSupportedAlgorithms> =
        Lazy::new(|| provider().signature_verification_algorithms);
    &ALGORITHMS
}

/// The public web's authorities, as far as they are compiled in.
pub(super) fn public_anchors() -> &'static [TrustAnchor<'static>] {
    #[cfg(feature = "bundled-roots")]
    return webpki_roots::TLS_SERVER_ROOTS;
    #[cfg(not(feature = "bundled-roots"))]
    return &[];
}
