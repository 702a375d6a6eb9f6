//! What one exchange and the connection it runs on tell each other: by value, for a body may be read
//! on another thread than the one that sent the request.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::cancel::CancelToken;
use crate::error::{Error, TimeoutPhase};
use crate::patience::Patience;
use crate::verify::RefusedCertificate;

/// What a call may use up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// For names, TCP and TLS together.
    pub(crate) connect: Duration,
    /// Between two pieces of an answer.
    pub(crate) read: Option<Duration>,
    /// For the whole call.
    pub(crate) total: Duration,
    /// The end of `total`.
    pub(crate) deadline: Option<Instant>,
}

/// One exchange of a request for a response.
#[derive(Debug)]
pub(crate) struct CallContext {
    cancel: CancelToken,
    limits: Limits,
    /// When nobody wants the rest of the answer any more.
    unwanted: OnceLock<Instant>,
    open_ended: AtomicBool,
    reused: AtomicBool,
    /// The server has answered, or gone: what is left of the request is not sent, and the answer is
    /// read.
    stopped: AtomicBool,
    answered: AtomicBool,
    refused: OnceLock<Arc<RefusedCertificate>>,
}

impl CallContext {
    pub(crate) fn new(cancel: CancelToken, limits: Limits) -> Self {
        let (open_ended, reused, stopped, answered) = Default::default();
        let (unwanted, refused) = Default::default();
        Self { cancel, limits, unwanted, open_ended, reused, stopped, answered, refused }
    }

    /// One that nothing but `cancel` ends.
    #[cfg(test)]
    pub(crate) fn for_tests(cancel: CancelToken) -> Self {
        let (connect, total) = (Duration::MAX, Duration::MAX);
        Self::new(cancel, Limits { connect, read: None, total, deadline: None })
    }

    pub(crate) fn cancel(&self) -> &CancelToken {
        &self.cancel
    }

    /// For how long a wait of this call may last.
    pub(crate) fn patience(&self) -> Patience<'_> {
        Patience { deadline: self.deadline(), cancel: &self.cancel }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// When everything has to be done.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.end().into_iter().chain(self.unwanted.get().copied()).min()
    }

    /// When the call's time has run out.
    fn end(&self) -> Option<Instant> {
        self.limits.deadline.filter(|_| !self.open_ended.load(Ordering::Relaxed))
    }

    /// A body may take as long as it takes from here on, as long as it goes on.
    pub(crate) fn set_open_ended(&self) {
        self.open_ended.store(true, Ordering::Relaxed);
    }

    /// How long the peer may take to accept the next bytes, where no deadline sees to that.
    pub(super) fn write_patience(&self) -> Option<Duration> {
        self.limits.read.filter(|_| self.open_ended.load(Ordering::Relaxed))
    }

    /// By when a connection has to be there.
    pub(super) fn connect_deadline(&self) -> Option<Instant> {
        let connect = Instant::now().checked_add(self.limits.connect);
        self.limits.deadline.into_iter().chain(connect).min()
    }

    /// Has the rest of the answer read until then at most.
    pub(crate) fn give_up_at(&self, at: Instant) {
        let _only_once = self.unwanted.set(at);
    }

    /// What ran out where a connection was not there in time.
    pub(super) fn not_connected(&self, host: &str) -> Error {
        match self.limits.deadline.is_some_and(|at| Instant::now() >= at) {
            true => self.timed_out(host),
            false => self.timeout(host, TimeoutPhase::Connect, self.limits.connect),
        }
    }

    /// What ran out where bytes did not come in time.
    pub(super) fn not_read(&self, host: &str) -> Error {
        match (self.limits.read, self.end()) {
            (Some(read), Some(at)) if Instant::now() < at => {
                self.timeout(host, TimeoutPhase::Read, read)
            }
            (Some(read), None) => self.timeout(host, TimeoutPhase::Read, read),
            _ => self.timed_out(host),
        }
    }

    /// The whole call's time has run out.
    pub(crate) fn timed_out(&self, host: &str) -> Error {
        self.timeout(host, TimeoutPhase::Total, self.limits.total)
    }

    fn timeout(&self, host: &str, phase: TimeoutPhase, after: Duration) -> Error {
        Error::Timeout { host: host.to_owned(), phase, after }
    }

    pub(super) fn set_reused(&self, reused: bool) {
        self.reused.store(reused, Ordering::Relaxed);
    }

    /// Nothing more of the request is to be sent, although there may be more of it.
    pub(super) fn stop_sending(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_stopped_sending(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(super) fn set_answered(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    pub(super) fn set_refused(&self, certificate: Option<Arc<RefusedCertificate>>) {
        if let Some(certificate) = certificate {
            let _only_the_first = self.refused.set(certificate);
        }
    }

    /// The certificate for which a handshake ended.
    pub(crate) fn refused(&self) -> Option<&Arc<RefusedCertificate>> {
        self.refused.get()
    }

    /// Whether the connection had served another call before and gave not one byte of an answer.
    pub(crate) fn met_dead_connection(&self) -> bool {
        self.reused.load(Ordering::Relaxed) && !self.answered.load(Ordering::Relaxed)
    }
}
