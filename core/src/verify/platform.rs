//! The system's own judgement of a chain, bounded in time.

use std::fmt;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustls::client::danger::ServerCertVerifier;
use rustls::{CertificateError, OtherError};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::words::{words_of_other, words_of_rustls};
use crate::cancel::Wake;
use crate::error::UntrustedReason;
use crate::patience::{Bell, Impatience, Patience};
use crate::slots::{NoSlot, Slots};

/// How long the system may think about one chain. It may ask the network for revocation, and none
/// of our timeouts reaches it there.
const LIMIT: Duration = Duration::from_secs(8);

/// How many of its threads may be at work at a time, and how many may hang; who finds all at work
/// waits.
const MAX_THREADS: usize = 64;

/// The system's judgement, where the app or its platform has to be asked for it: Android's trust
/// manager, or an authority service of the app's own.
///
/// It is called on a thread of Pinfold's, never on the caller's, and waited for no longer than 8
/// seconds a chain. Where the pin set blocks a key on its path it is asked once more within them,
/// with fewer certificates. Whatever it says, the host name, the end-entity's key and the pins are judged by Pinfold.
pub trait PlatformTrust: fmt::Debug + Send + Sync {
    /// Judges a chain without regard to pins.
    ///
    /// # Errors
    /// Why it is not trusted; [`UntrustedReason::Unverified`] where that cannot be found out. A
    /// panic counts as that too.
    fn verify(&self, question: &TrustQuestion) -> Result<TrustedPath, UntrustedReason>;
}

/// What [`PlatformTrust`] is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustQuestion {
    /// What the server presented, DER, end-entity first.
    pub chain: Vec<Vec<u8>>,
    /// The name or address asked for.
    pub host: String,
    /// The OCSP response that the server stapled, DER; empty without one.
    pub ocsp_response: Vec<u8>,
    /// When, in seconds since 1970.
    pub at: u64,
}

/// What [`PlatformTrust`] answers for a chain that is trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedPath {
    /// The path that was verified, DER, end-entity first; the first one must be the server's. Empty
    /// where the platform does not tell.
    pub certificates: Vec<Vec<u8>>,
    /// Whether the authority was added to the device by its user or administrator, where the
    /// platform can tell.
    pub added_authority: Option<bool>,
    /// Whether it was its administrator, where the platform can tell.
    pub added_by_admin: Option<bool>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Untrusted(UntrustedReason),
    TimedOut(Duration),
    Cancelled,
}

/// A [`PlatformTrust`] on a thread of its own.
#[derive(Clone, Debug)]
pub(crate) struct Platform {
    trust: Arc<dyn PlatformTrust>,
    slots: Arc<Slots>,
    limit: Duration,
}

impl Platform {
    pub(super) fn new(trust: Arc<dyn PlatformTrust>) -> Self {
        Self { trust, slots: Slots::new(MAX_THREADS, LIMIT), limit: LIMIT }
    }

    #[cfg(test)]
    pub(super) fn with_limit(trust: Arc<dyn PlatformTrust>, limit: Duration) -> Self {
        Self { trust, slots: Slots::new(MAX_THREADS, limit), limit }
    }

    /// How long all questions about one chain may take together.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// Asks, until there is an answer or the patience has ended. A thread that does not come back is
    /// left to itself.
    pub(super) fn verify(
        &self,
        question: TrustQuestion,
        patience: Patience<'_>,
    ) -> Result<TrustedPath, Failure> {
        let unverified = |reason: String| Failure::Untrusted(UntrustedReason::Unverified(reason));
        let begun = Instant::now();
        let ended = |impatience| match impatience {
            Impatience::Cancelled => Failure::Cancelled,
            Impatience::TimedOut => Failure::TimedOut(
                patience.deadline.map_or(self.limit, |at| at.saturating_duration_since(begun)),
            ),
        };
        let bell: Arc<Bell> = Arc::default();
        let mut place = self.slots.place(&bell);
        let slot = patience.wait(&bell, || match place.take() {
            Err(NoSlot::Yet(look_again)) => ControlFlow::Continue(look_again),
            taken => ControlFlow::Break(taken),
        });
        drop(place);
        let slot = slot.map_err(ended)?.map_err(|_| {
            unverified("too many earlier questions are still unanswered".to_owned())
        })?;
        let answer = Arc::new(Mutex::new(None));
        let (trust, answered, ring) = (self.trust.clone(), answer.clone(), bell.clone());
        let work = move || {
            let verify = || trust.verify(&question);
            // What a panic may have left half done is the implementation's own.
            let judged = catch_unwind(AssertUnwindSafe(verify))
                .unwrap_or_else(|_| Err(UntrustedReason::Unverified("it panicked".into())));
            drop(slot);
            *answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(judged);
            ring.wake();
        };
        thread::Builder::new()
            .name("pinfold-trust".into())
            .spawn(work)
            .map_err(|e| unverified(format!("no thread for it: {e}")))?;
        let judged = patience.wait(&bell, || {
            match answer.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(judged) => ControlFlow::Break(judged),
                None => ControlFlow::Continue(None),
            }
        });
        judged.map_err(ended)?.map_err(Failure::Untrusted)
    }
}

/// A verifier of rustls, such as rustls-platform-verifier: it says yes or no, but not by which
/// path.
#[derive(Debug)]
#[cfg_attr(target_os = "android", allow(dead_code))] // the app asks there
pub(super) struct RustlsTrust(pub(super) Arc<dyn ServerCertVerifier>);

impl PlatformTrust for RustlsTrust {
    fn verify(&self, question: &TrustQuestion) -> Result<TrustedPath, UntrustedReason> {
        let chain = question.chain.iter().map(|der| CertificateDer::from(der.as_slice()));
        let chain = chain.collect::<Vec<_>>();
        let (end_entity, intermediates) = chain
            .split_first()
            .ok_or_else(|| UntrustedReason::Invalid("there is no certificate".into()))?;
        let name = ServerName::try_from(question.host.as_str())
            .map_err(|e| UntrustedReason::Invalid(e.to_string()))?;
        let at = UnixTime::since_unix_epoch(Duration::from_secs(question.at));
        self.0
            .verify_server_cert(end_entity, intermediates, &name, &question.ocsp_response, at)
            .map(|_| TrustedPath::default())
            .map_err(untrusted)
    }
}

#[cfg_attr(target_os = "android", allow(dead_code))]
fn untrusted(e: rustls::Error) -> UntrustedReason {
    let rustls::Error::InvalidCertificate(e) = e else {
        return UntrustedReason::Invalid(e.to_string());
    };
    match e {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            UntrustedReason::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            UntrustedReason::NotYetValid
        }
        CertificateError::UnknownIssuer => UntrustedReason::UnknownIssuer,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            UntrustedReason::WrongHost
        }
        CertificateError::Revoked => UntrustedReason::Revoked,
        e @ (CertificateError::UnknownRevocationStatus
        | CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. }) => {
            UntrustedReason::Unverified(words_of_rustls(&e).to_owned())
        }
        CertificateError::Other(OtherError(e)) => UntrustedReason::Invalid(words_of_other(&*e)),
        e => UntrustedReason::Invalid(words_of_rustls(&e).to_owned()),
    }
}
