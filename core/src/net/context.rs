//! What one exchange and the connection it runs on tell each other: by value, for a body may be read
//! on another thread than the one that sent the request.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::cancel::CancelToken;
use crate::error::{Error, TimeoutPhase};
use crate::events::Events;
use crate::patience::Patience;
use crate::pin::HostName;
use crate::verify::RefusedCertificate;

/// Longer than any head with what may come before it, than any piece of a body, and than what may come behind
/// its last one.
const MAX_VAIN: usize = 256 * 1024;

/// What a call may use up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// For the wait for a place, at each hop.
    pub(crate) queue: Option<Duration>,
    /// For names alone.
    pub(crate) lookup: Option<Duration>,
    /// For names, TCP and TLS together.
    pub(crate) connect: Duration,
    /// For a TLS handshake alone.
    pub(crate) tls: Option<Duration>,
    /// Before the first piece of an answer, where that is not as between two.
    pub(crate) first_byte: Option<Duration>,
    /// Between two pieces of an answer.
    pub(crate) read: Option<Duration>,
    /// For the whole call.
    pub(crate) total: Duration,
    /// The end of `total`.
    pub(crate) deadline: Option<Instant>,
}

impl Limits {
    /// By when a place has to be free for whom waits for it since `from`.
    pub(crate) fn queue_end(&self, from: Instant) -> Option<Instant> {
        let queue = self.queue.and_then(|queue| from.checked_add(queue));
        self.deadline.into_iter().chain(queue).min()
    }

    /// What ran out where none was.
    pub(crate) fn not_admitted(&self) -> (TimeoutPhase, Duration) {
        match self.queue {
            Some(queue) if self.deadline.is_none_or(|at| Instant::now() < at) => {
                (TimeoutPhase::Queue, queue)
            }
            _ => (TimeoutPhase::Total, self.total),
        }
    }

    /// Nothing but `connect` and `total`.
    #[cfg(test)]
    pub(crate) fn for_tests(connect: Duration, total: Duration, deadline: Option<Instant>) -> Self {
        let (queue, lookup, tls, first_byte) = Default::default();
        Self { queue, lookup, connect, tls, first_byte, read: None, total, deadline }
    }
}

/// One exchange of a request for a response.
#[derive(Debug)]
pub(crate) struct CallContext {
    cancel: CancelToken,
    limits: Limits,
    events: Events,
    /// When nobody wants the rest of the answer any more.
    unwanted: OnceLock<Instant>,
    open_ended: AtomicBool,
    reused: AtomicBool,
    /// The server has answered, or gone: what is left of the request is not sent, and the answer is
    /// read.
    stopped: AtomicBool,
    answered: AtomicBool,
    /// How many bytes have come since the last that were anybody's.
    vain: AtomicUsize,
    refused: OnceLock<Arc<RefusedCertificate>>,
}

impl CallContext {
    pub(crate) fn new(cancel: CancelToken, limits: Limits, events: Events) -> Self {
        let (open_ended, reused, stopped, answered) = Default::default();
        let (unwanted, vain, refused) = Default::default();
        Self {
            cancel,
            limits,
            events,
            unwanted,
            open_ended,
            reused,
            stopped,
            answered,
            vain,
            refused,
        }
    }

    /// One that nothing but `cancel` ends.
    #[cfg(test)]
    pub(crate) fn for_tests(cancel: CancelToken) -> Self {
        let (connect, total) = (Duration::MAX, Duration::MAX);
        Self::new(cancel, Limits::for_tests(connect, total, None), Events::default())
    }

    /// Who is told what happens.
    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    pub(crate) fn cancel(&self) -> &CancelToken {
        &self.cancel
    }

    /// For how long a wait of this call may last.
    pub(crate) fn patience(&self) -> Patience<'_> {
        Patience { deadline: self.deadline(), cancel: &self.cancel }
    }

    pub(super) fn limits(&self) -> &Limits {
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

    /// Whether the whole call's time has run out.
    pub(super) fn is_over(&self) -> bool {
        self.limits.deadline.is_some_and(|at| Instant::now() >= at)
    }

    /// What ran out where a connection was not there in time.
    pub(super) fn not_connected(&self, host: &str) -> Error {
        match self.is_over() {
            true => self.timed_out(host),
            false => self.timeout(host, TimeoutPhase::Connect, self.limits.connect),
        }
    }

    /// No place was free in time.
    pub(crate) fn not_admitted(&self, host: &str) -> Error {
        let (phase, after) = self.limits.not_admitted();
        self.timeout(host, phase, after)
    }

    /// The name was not found in time.
    pub(super) fn not_found(&self, host: &str, begun: Instant) -> Error {
        match self.limits.lookup {
            Some(lookup) if begun.elapsed() >= lookup => {
                self.timeout(host, TimeoutPhase::Lookup, lookup)
            }
            _ => self.not_connected(host),
        }
    }

    /// The handshake that began then was not done in time.
    pub(super) fn not_shaken(&self, host: &str, begun: Instant) -> Error {
        match self.limits.tls {
            Some(tls) if begun.elapsed() >= tls => self.timeout(host, TimeoutPhase::Tls, tls),
            _ => self.not_connected(host),
        }
    }

    /// How long the peer may take for the next piece of its answer, and what runs out then.
    fn awaited(&self) -> Option<(TimeoutPhase, Duration)> {
        let first = self.limits.first_byte.filter(|_| !self.answered.load(Ordering::Relaxed));
        let first = first.map(|first| (TimeoutPhase::FirstByte, first));
        first.or_else(|| self.limits.read.map(|read| (TimeoutPhase::Read, read)))
    }

    pub(super) fn read_patience(&self) -> Option<Duration> {
        self.awaited().map(|(_, patience)| patience)
    }

    /// What ran out where bytes did not come in time.
    pub(super) fn not_read(&self, host: &str) -> Error {
        match self.awaited() {
            Some((phase, after)) if self.end().is_none_or(|at| Instant::now() < at) => {
                self.timeout(host, phase, after)
            }
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

    /// Bytes of an answer have come. Interim answers, and what follows the last chunk, have no other end than
    /// that these are too many since [`Self::set_useful`].
    pub(super) fn count(&self, bytes: usize, host: &HostName) -> Result<(), Error> {
        if self.vain.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= MAX_VAIN {
            return Ok(());
        }
        let reason = format!("{} KiB that are no part of an answer", MAX_VAIN / 1024);
        Err(Error::InvalidResponse { host: host.to_string(), reason })
    }

    /// Those that have come so far were for something.
    pub(super) fn set_useful(&self) {
        self.vain.store(0, Ordering::Relaxed);
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
