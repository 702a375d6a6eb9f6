//! The platform's judgement of a chain, asked of Kotlin or Swift.

use std::fmt;
use std::sync::Arc;

use pinfold_core::UntrustedReason;
use pinfold_core::verify::{TrustQuestion, TrustedPath as Path};

/// What judges chains on this platform.
#[uniffi::export(with_foreign)]
pub trait PlatformTrust: Send + Sync {
    /// Judges `chain` (DER, end-entity first) for `host`, by the platform's own clock. Called on a
    /// thread of Pinfold's.
    fn verify(&self, chain: Vec<Vec<u8>>, host: String) -> Result<TrustedPath, TrustFailure>;
}

/// A chain that is trusted.
#[derive(Clone, Debug, uniffi::Record)]
pub struct TrustedPath {
    /// The path that was verified, DER, end-entity first; empty where the platform does not tell.
    pub certificates: Vec<Vec<u8>>,
    /// Whether its authority was added to the device, where the platform can tell.
    pub added_authority: Option<bool>,
}

/// Why a chain is not trusted.
#[derive(Clone, Debug, uniffi::Error)]
pub enum TrustFailure {
    /// Its validity has ended.
    Expired,
    /// It is unusable otherwise.
    Invalid {
        /// How.
        reason: String,
    },
    /// Its validity has not begun.
    NotYetValid,
    /// Its authority has revoked it.
    Revoked,
    /// No trusted authority vouches for it.
    UnknownIssuer,
    /// It could not be judged.
    Unverified {
        /// Why.
        reason: String,
    },
    /// It is for another host.
    WrongHost,
}

impl fmt::Display for TrustFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for TrustFailure {}

/// An exception that the foreign side did not declare.
impl From<uniffi::UnexpectedUniFFICallbackError> for TrustFailure {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        // Kotlin's is a whole stack trace.
        let reason = error.reason.lines().next().unwrap_or_default().to_owned();
        Self::Unverified { reason }
    }
}

impl From<TrustFailure> for UntrustedReason {
    fn from(failure: TrustFailure) -> Self {
        match failure {
            TrustFailure::Expired => Self::Expired,
            TrustFailure::Invalid { reason } => Self::Invalid(reason),
            TrustFailure::NotYetValid => Self::NotYetValid,
            TrustFailure::Revoked => Self::Revoked,
            TrustFailure::UnknownIssuer => Self::UnknownIssuer,
            TrustFailure::Unverified { reason } => Self::Unverified(reason),
            TrustFailure::WrongHost => Self::WrongHost,
        }
    }
}

/// The foreign implementation, as core wants it.
pub(crate) struct Foreign(pub(crate) Arc<dyn PlatformTrust>);

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Foreign")
    }
}

impl pinfold_core::PlatformTrust for Foreign {
    fn verify(&self, question: &TrustQuestion) -> Result<Path, UntrustedReason> {
        let path = self.0.verify(question.chain.clone(), question.host.clone())?;
        let TrustedPath { certificates, added_authority } = path;
        // Neither Android nor iOS says who has added it.
        Ok(Path { certificates, added_authority, added_by_admin: None })
    }
}
