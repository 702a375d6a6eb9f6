//! The client's own certificates, and signers of Kotlin's and Swift's.

use std::fmt;
use std::sync::Arc;

use pinfold_core::SignatureAlgorithm as Algorithm;

use crate::failure::PinfoldFailure;

/// A certificate of the client's own with its key, or with somebody who signs by it.
#[derive(Debug, uniffi::Object)]
pub struct ClientIdentity(pub(crate) pinfold_core::ClientIdentity);

#[uniffi::export]
impl ClientIdentity {
    /// Reads certificates and an unencrypted private key in PEM; both may be one file.
    #[uniffi::constructor]
    pub fn from_pem(certificates: Vec<u8>, key: Vec<u8>) -> Result<Arc<Self>, PinfoldFailure> {
        let identity = pinfold_core::ClientIdentity::from_pem(&certificates, &key)?;
        Ok(Arc::new(Self(identity)))
    }

    /// Reads a PKCS#12 store; see the core.
    #[uniffi::constructor]
    pub fn from_pkcs12(store: Vec<u8>, password: &str) -> Result<Arc<Self>, PinfoldFailure> {
        let identity = pinfold_core::ClientIdentity::from_pkcs12(&store, password)?;
        Ok(Arc::new(Self(identity)))
    }

    /// Certificates (DER, the client's own first) whose key is elsewhere.
    #[uniffi::constructor]
    pub fn with_signer(
        chain: Vec<Vec<u8>>,
        signer: Arc<dyn ClientSigner>,
    ) -> Result<Arc<Self>, PinfoldFailure> {
        let signer = Arc::new(Foreign(signer));
        let identity = pinfold_core::ClientIdentity::with_signer(chain, signer)?;
        Ok(Arc::new(Self(identity)))
    }
}

/// Signs with a key that never leaves its place.
#[uniffi::export(with_foreign)]
pub trait ClientSigner: Send + Sync {
    /// What it signs with, the best first.
    fn algorithms(&self) -> Result<Vec<SignatureAlgorithm>, SigningFailure>;

    /// Signs `message`. Called on a thread of Pinfold's.
    fn sign(
        &self,
        algorithm: SignatureAlgorithm,
        message: Vec<u8>,
    ) -> Result<Vec<u8>, SigningFailure>;
}

/// An algorithm of signatures in TLS.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum SignatureAlgorithm {
    /// ECDSA by a key on P-256, with SHA-256.
    EcdsaP256Sha256,
    /// ECDSA by a key on P-384, with SHA-384.
    EcdsaP384Sha384,
    /// ECDSA by a key on P-521, with SHA-512.
    EcdsaP521Sha512,
    /// Ed25519.
    Ed25519,
    /// RSASSA-PSS with SHA-256.
    RsaPssSha256,
    /// RSASSA-PSS with SHA-384.
    RsaPssSha384,
    /// RSASSA-PSS with SHA-512.
    RsaPssSha512,
    /// RSASSA-PKCS1-v1_5 with SHA-256: in TLS 1.2 alone.
    RsaPkcs1Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-384: in TLS 1.2 alone.
    RsaPkcs1Sha384,
    /// RSASSA-PKCS1-v1_5 with SHA-512: in TLS 1.2 alone.
    RsaPkcs1Sha512,
}

/// Why a signer has not signed.
#[derive(Clone, Debug, uniffi::Error)]
pub enum SigningFailure {
    /// The only case.
    Failed {
        /// Why, without a secret.
        reason: String,
    },
}

impl fmt::Display for SigningFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Failed { reason } = self;
        f.write_str(reason)
    }
}

impl std::error::Error for SigningFailure {}

/// An exception that the foreign side did not declare.
impl From<uniffi::UnexpectedUniFFICallbackError> for SigningFailure {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        // Kotlin's is a whole stack trace.
        Self::Failed { reason: error.reason.lines().next().unwrap_or_default().to_owned() }
    }
}

/// The foreign implementation, as core wants it.
struct Foreign(Arc<dyn ClientSigner>);

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Foreign")
    }
}

impl pinfold_core::ClientSigner for Foreign {
    fn algorithms(&self) -> Vec<Algorithm> {
        self.0.algorithms().unwrap_or_default().into_iter().map(Algorithm::from).collect()
    }

    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, String> {
        self.0.sign(algorithm.into(), message.to_vec()).map_err(|e| e.to_string())
    }
}

/// The same names on both sides.
macro_rules! same {
    ($($name:ident)*) => {
        impl From<SignatureAlgorithm> for Algorithm {
            fn from(algorithm: SignatureAlgorithm) -> Self {
                match algorithm {
                    $(SignatureAlgorithm::$name => Self::$name,)*
                }
            }
        }

        impl From<Algorithm> for SignatureAlgorithm {
            fn from(algorithm: Algorithm) -> Self {
                match algorithm {
                    $(Algorithm::$name => Self::$name,)*
                }
            }
        }
    };
}

same!(
    EcdsaP256Sha256 EcdsaP384Sha384 EcdsaP521Sha512 Ed25519
    RsaPssSha256 RsaPssSha384 RsaPssSha512 RsaPkcs1Sha256 RsaPkcs1Sha384 RsaPkcs1Sha512
);
