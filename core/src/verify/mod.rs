//! The decision about a server's certificate, and what it rests on. No sockets.

mod blocking;
mod explain;
mod identity;
mod inspection;
mod judge;
mod keys;
mod ocsp;
mod path;
mod platform;
mod presented;
mod provider;
mod scene;
mod signature;
mod strength;
mod trust;
mod verifier;

#[cfg(test)]
mod tests;

pub use explain::{ChoiceReason, Explanation, PolicyChoice};
pub use identity::{CertificateIdentity, Spki, pin_of_public_key, pin_of_request};
pub use keys::{check_certificate, usable_key, verifiable_signature};
pub use platform::{PlatformTrust, TrustQuestion, TrustedPath};
pub use trust::Roots;

pub(crate) use provider::provider;
pub(crate) use trust::SystemTrust;
pub use verifier::PinningVerifier;
pub(crate) use verifier::Refusal;
