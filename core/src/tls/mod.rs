//! Everything that touches rustls, webpki, or ureq's unversioned connector API.

mod call;
mod connector;
mod eyeballs;
mod identity;
mod path;
mod resolver;
mod trust;
mod verifier;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub use identity::{CertificateIdentity, Spki, pin_of_public_key, pin_of_request};
pub use trust::Roots;
#[cfg(feature = "bundled-roots")]
pub(crate) use trust::public_roots;

pub(crate) use call::Call;
pub(crate) use connector::{ConnectTo, Gate, PinnedConnector};
pub(crate) use resolver::LateResolver;
pub(crate) use trust::SystemTrust;
pub(crate) use verifier::{PinningVerifier, Refusal};

/// The cryptography, always passed explicitly: a process-wide default belongs to the app.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    use once_cell::sync::Lazy;
    static PROVIDER: Lazy<Arc<CryptoProvider>> =
        Lazy::new(|| Arc::new(rustls::crypto::ring::default_provider()));
    PROVIDER.clone()
}
