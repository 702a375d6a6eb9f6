//! Everything that touches rustls, webpki, or ureq's unversioned connector API.

mod blocking;
mod call;
mod connector;
mod explain;
mod eyeballs;
mod identity;
mod inspection;
mod judge;
mod ocsp;
mod path;
mod platform;
mod resolver;
mod scene;
mod signature;
mod strength;
mod trust;
mod verifier;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, KeyProvider, WebPkiSupportedAlgorithms};
use rustls::sign::SigningKey;
use rustls_pki_types::{PrivateKeyDer, TrustAnchor};

pub use explain::{ChoiceReason, Explanation, PolicyChoice};
pub use identity::{CertificateIdentity, Spki, pin_of_public_key, pin_of_request};
pub use platform::{PlatformTrust, TrustQuestion, TrustedPath};
pub use strength::check_certificate;
pub use trust::Roots;
#[cfg(feature = "bundled-roots")]
pub use trust::is_public_root;
#[cfg(feature = "bundled-roots")]
pub(crate) use trust::public_roots;

pub(crate) use call::Call;
pub(crate) use connector::{ConnectTo, Gate, PinnedConnector, Withdrawn};
pub(crate) use resolver::LateResolver;
pub(crate) use trust::SystemTrust;
pub use verifier::PinningVerifier;
pub(crate) use verifier::Refusal;

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
fn algorithms() -> &'static WebPkiSupportedAlgorithms {
    use once_cell::sync::Lazy;
    static ALGORITHMS: Lazy<WebPkiSupportedAlgorithms> =
        Lazy::new(|| provider().signature_verification_algorithms);
    &ALGORITHMS
}

/// The public web's authorities, as far as they are compiled in.
fn public_anchors() -> &'static [TrustAnchor<'static>] {
    #[cfg(feature = "bundled-roots")]
    return webpki_roots::TLS_SERVER_ROOTS;
    #[cfg(not(feature = "bundled-roots"))]
    return &[];
}
