//! The system's own judgement of a chain, bounded in time.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustls::client::danger::ServerCertVerifier;
use rustls::{CertificateError, OtherError};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::call::Call;
use crate::cancel::Wake;
use crate::error::UntrustedReason;

/// How long the system may think about one chain. It may ask the network for revocation, and none
/// of our timeouts reaches it there.
const LIMIT: Duration = Duration::from_secs(8);

/// How many of its threads may be at work at a time; more than a client connects at once.
const MAX_RUNNING: usize = 128;

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
    running: Arc<()>,
    limit: Duration,
}

enum Answer {
    Judged(Result<TrustedPath, UntrustedReason>),
    Cancelled,
}

struct Waker(Sender<Answer>);

impl Wake for Waker {
    fn wake(&self) {
        let _nobody_waits = self.0.send(Answer::Cancelled);
    }
}

impl Platform {
    pub(super) fn new(trust: Arc<dyn PlatformTrust>) -> Self {
        Self { trust, running: Arc::default(), limit: LIMIT }
    }

    #[cfg(test)]
    pub(super) fn with_limit(trust: Arc<dyn PlatformTrust>, limit: Duration) -> Self {
        Self { limit, ..Self::new(trust) }
    }

    /// By when all questions about one chain have to be answered: the limit, or the call's own
    /// deadline.
    pub(super) fn deadline(&self) -> Instant {
        let until = Instant::now() + self.limit;
        let of_call = Call::current().and_then(|call| call.deadline.get());
        of_call.map_or(until, |of_call| of_call.min(until))
    }

    /// Asks, until there is an answer, the deadline has passed, or the call is cancelled. A thread
    /// that does not come back is left to itself.
    pub(super) fn verify(
        &self,
        question: TrustQuestion,
        until: Instant,
    ) -> Result<TrustedPath, Failure> {
        let unverified = |reason: String| Failure::Untrusted(UntrustedReason::Unverified(reason));
        // One of the handles is this one, and each clone of it is in some client's hands or thread.
        if Arc::strong_count(&self.running) > MAX_RUNNING {
            return Err(unverified("too many earlier questions are still unanswered".into()));
        }
        let call = Call::current();
        let limit = until.saturating_duration_since(Instant::now());
        let (sender, answers) = channel();
        let waker = Arc::new(Waker(sender.clone()));
        let (trust, running) = (self.trust.clone(), self.running.clone());
        let work = move || {
            let _running = running;
            let verify = || trust.verify(&question);
            // What a panic may have left half done is the implementation's own.
            let judged = catch_unwind(AssertUnwindSafe(verify))
                .unwrap_or_else(|_| Err(UntrustedReason::Unverified("it panicked".into())));
            let _nobody_waits = sender.send(Answer::Judged(judged));
        };
        thread::Builder::new()
            .name("pinfold-trust".into())
            .spawn(work)
            .map_err(|e| unverified(format!("no thread for it: {e}")))?;
        if let Some(call) = &call {
            call.cancel.watch(&waker);
        }
        let answer = answers.recv_timeout(limit);
        if let Some(call) = &call {
            call.cancel.unwatch(&waker);
        }
        match answer {
            Ok(Answer::Judged(judged)) => judged.map_err(Failure::Untrusted),
            Ok(Answer::Cancelled) => Err(Failure::Cancelled),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                Err(Failure::TimedOut(limit))
            }
        }
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
            UntrustedReason::Unverified(e.to_string())
        }
        CertificateError::Other(OtherError(e)) => UntrustedReason::Invalid(e.to_string()),
        e => UntrustedReason::Invalid(format!("{e:?}")),
    }
}
