//! A key that is elsewhere: it signs on a thread of its own, for it may ask a user, a token or a
//! network.

use std::fmt;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustls::sign::{Signer, SigningKey};
use rustls::{SignatureAlgorithm as Kind, SignatureScheme};

use super::asked::{Asked, NotSigned};
use crate::cancel::Wake;
use crate::driven::Driven;
use crate::name::printable;
use crate::patience::{Bell, Impatience};
use crate::slots::{NoSlot, Slots};

/// How many signatures may be under way, and how many may hang; one that takes longer hangs. A user may
/// be looking for a finger.
const MAX_THREADS: usize = 16;
const HANGS_AFTER: Duration = Duration::from_secs(60);
/// Longer reasons are nobody's to read.
const MAX_REASON: usize = 200;

/// Signs with a key that never leaves its place: Android's Keystore, the Secure Enclave, PKCS#11.
///
/// It is called on a thread of Pinfold's, in the midst of a handshake, and waited for as long as the
/// call's connect timeout: where a user has to be asked, that is set accordingly.
pub trait ClientSigner: fmt::Debug + Send + Sync {
    /// What it signs with, the best first. Those count that fit the certificate's key and the server.
    fn algorithms(&self) -> Vec<SignatureAlgorithm>;

    /// Signs `message`, which it hashes itself. ECDSA's signature is in DER (RFC 3279 §2.2.3).
    ///
    /// # Errors
    /// Why it does not, in words without a secret; the call ends with
    /// [`Error::IoFailed`](crate::Error::IoFailed) for `client_certificate`. A panic counts as that too.
    fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, String>;
}

/// An algorithm of signatures in TLS (RFC 8446 §4.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// ECDSA by a key on P-256, with SHA-256.
    EcdsaP256Sha256,
    /// ECDSA by a key on P-384, with SHA-384.
    EcdsaP384Sha384,
    /// ECDSA by a key on P-521, with SHA-512.
    EcdsaP521Sha512,
    /// Ed25519.
    Ed25519,
    /// RSASSA-PSS with SHA-256, and a salt of 32 bytes.
    RsaPssSha256,
    /// RSASSA-PSS with SHA-384, and a salt of 48 bytes.
    RsaPssSha384,
    /// RSASSA-PSS with SHA-512, and a salt of 64 bytes.
    RsaPssSha512,
    /// RSASSA-PKCS1-v1_5 with SHA-256: in TLS 1.2 alone.
    RsaPkcs1Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-384: in TLS 1.2 alone.
    RsaPkcs1Sha384,
    /// RSASSA-PKCS1-v1_5 with SHA-512: in TLS 1.2 alone.
    RsaPkcs1Sha512,
}

impl SignatureAlgorithm {
    fn scheme(self) -> SignatureScheme {
        match self {
            Self::EcdsaP256Sha256 => SignatureScheme::ECDSA_NISTP256_SHA256,
            Self::EcdsaP384Sha384 => SignatureScheme::ECDSA_NISTP384_SHA384,
            Self::EcdsaP521Sha512 => SignatureScheme::ECDSA_NISTP521_SHA512,
            Self::Ed25519 => SignatureScheme::ED25519,
            Self::RsaPssSha256 => SignatureScheme::RSA_PSS_SHA256,
            Self::RsaPssSha384 => SignatureScheme::RSA_PSS_SHA384,
            Self::RsaPssSha512 => SignatureScheme::RSA_PSS_SHA512,
            Self::RsaPkcs1Sha256 => SignatureScheme::RSA_PKCS1_SHA256,
            Self::RsaPkcs1Sha384 => SignatureScheme::RSA_PKCS1_SHA384,
            Self::RsaPkcs1Sha512 => SignatureScheme::RSA_PKCS1_SHA512,
        }
    }

    /// Whether a key of this kind signs so.
    fn fits(self, key: KeyKind) -> bool {
        match self {
            Self::EcdsaP256Sha256 => key == KeyKind::P256,
            Self::EcdsaP384Sha384 => key == KeyKind::P384,
            Self::EcdsaP521Sha512 => key == KeyKind::P521,
            Self::Ed25519 => key == KeyKind::Ed25519,
            _ => key == KeyKind::Rsa,
        }
    }
}

/// What a certificate's key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    P256,
    P384,
    P521,
    Ed25519,
    Rsa,
}

impl KeyKind {
    fn algorithm(self) -> Kind {
        match self {
            Self::P256 | Self::P384 | Self::P521 => Kind::ECDSA,
            Self::Ed25519 => Kind::ED25519,
            Self::Rsa => Kind::RSA,
        }
    }
}

/// A [`ClientSigner`], as rustls wants it.
#[derive(Debug)]
pub(super) struct Foreign {
    signer: Arc<dyn ClientSigner>,
    kind: KeyKind,
    slots: Arc<Slots>,
    driven: Arc<Driven<Asked>>,
}

impl Foreign {
    /// `driven` has the handshakes for which it signs.
    pub(super) fn new(
        signer: Arc<dyn ClientSigner>,
        kind: KeyKind,
        driven: Arc<Driven<Asked>>,
    ) -> Self {
        Self { signer, kind, slots: Slots::new(MAX_THREADS, HANGS_AFTER), driven }
    }
}

impl SigningKey for Foreign {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let algorithms = catch_unwind(AssertUnwindSafe(|| self.signer.algorithms()));
        let fits = |it: &SignatureAlgorithm| it.fits(self.kind) && offered.contains(&it.scheme());
        let algorithm = algorithms.unwrap_or_default().into_iter().find(fits)?;
        // rustls asks within the handshake, and signs in it.
        let asked = self.driven.current()?;
        let (signer, slots) = (self.signer.clone(), self.slots.clone());
        Some(Box::new(Signing { signer, slots, algorithm, asked }))
    }

    fn algorithm(&self) -> Kind {
        self.kind.algorithm()
    }
}

#[derive(Debug)]
struct Signing {
    signer: Arc<dyn ClientSigner>,
    slots: Arc<Slots>,
    algorithm: SignatureAlgorithm,
    asked: Arc<Asked>,
}

impl Signer for Signing {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        self.sign_for(&self.asked, message).map_err(|why| {
            self.asked.set_not_signed(why);
            rustls::Error::General("the client's certificate was not signed for".into())
        })
    }

    fn scheme(&self) -> SignatureScheme {
        self.algorithm.scheme()
    }
}

impl Signing {
    /// Until there is a signature or the handshake's patience has ended. A thread that does not come
    /// back is left to itself.
    fn sign_for(&self, asked: &Asked, message: &[u8]) -> Result<Vec<u8>, NotSigned> {
        let patience = asked.patience();
        let ended = |impatience| match impatience {
            Impatience::Cancelled => NotSigned::Cancelled,
            Impatience::TimedOut => NotSigned::TimedOut,
        };
        let bell: Arc<Bell> = Arc::default();
        let mut place = self.slots.place(&bell);
        let slot = patience.wait(&bell, || match place.take() {
            Err(NoSlot::Yet(look_again)) => ControlFlow::Continue(look_again),
            taken => ControlFlow::Break(taken),
        });
        drop(place);
        let slot = slot.map_err(ended)?.map_err(|_| {
            NotSigned::Failed("too many earlier signatures are still awaited".to_owned())
        })?;
        let answer = Arc::new(Mutex::new(None));
        let (signer, algorithm) = (self.signer.clone(), self.algorithm);
        let (answered, ring, message) = (answer.clone(), bell.clone(), message.to_vec());
        let work = move || {
            let sign = || signer.sign(algorithm, &message);
            // What a panic may have left half done is the signer's own.
            let signed = catch_unwind(AssertUnwindSafe(sign));
            drop(slot);
            let signed = signed.unwrap_or_else(|_| Err("it panicked".into()));
            *answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(signed);
            ring.wake();
        };
        thread::Builder::new()
            .name("pinfold-signer".into())
            .spawn(work)
            .map_err(|e| NotSigned::Failed(format!("no thread for it: {e}")))?;
        let signed = patience.wait(&bell, || {
            match answer.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(signed) => ControlFlow::Break(signed),
                None => ControlFlow::Continue(None),
            }
        });
        let failed = |reason: String| NotSigned::Failed(printable(&reason, MAX_REASON));
        signed.map_err(ended)?.map_err(failed)
    }
}
