//! The decision about a server's certificate, and what it rests on. No sockets.

mod asking;
mod blocking;
mod diagnosis;
mod effort;
mod explain;
mod handshake;
mod identity;
mod inspection;
mod issuers;
mod judge;
mod judged;
mod keys;
mod ocsp;
mod path;
mod platform;
mod presented;
mod provider;
mod readable;
mod refusal;
mod refused;
mod scene;
mod signature;
mod strength;
mod trust;
mod verifier;
mod words;

#[cfg(test)]
mod tests;

pub use explain::{ChoiceReason, Explanation, PolicyChoice};
pub use identity::{CertificateIdentity, Spki, pin_of_public_key, pin_of_request};
pub use keys::{check_certificate, usable_key, verifiable_signature};
pub use platform::{PlatformTrust, TrustQuestion, TrustedPath};
pub use trust::Roots;

pub use verifier::PinningVerifier;

pub(crate) use handshake::{Handshake, HandshakeVerifier};
pub(crate) use judge::Judge;
pub(crate) use judged::Judged;
pub(crate) use provider::provider;
pub(crate) use refusal::{Refusal, refusal};
pub(crate) use refused::RefusedCertificate;
pub(crate) use trust::SystemTrust;
