//! Waiting for a request's turn without a thread.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::body::ResponseBody;
use super::dispatcher::Waiting;
use super::request::Request;
use super::response::Response;
use super::{Client, ended};
use crate::cancel::{CancelToken, Wake};
use crate::error::Error;
use crate::net::Limits;
use crate::sync::Mutex;
use crate::timer::{Alarm, TIMER};

/// A request that waits for its turn, from [`Client::turn`]. Dropped, it leaves the queue.
pub struct Queued {
    /// None once it has come to an end.
    call: Option<Call>,
    /// Its place in the queue, once it has one.
    place: Option<Arc<Waiting>>,
    waits: Arc<Waits>,
    alarm: Option<Alarm>,
    begun: Instant,
}

/// A request whose turn has come. It counts against the limits of its client until it has been sent,
/// or is dropped.
pub struct Turn(Call);

/// A call that is listed at its client.
struct Call {
    client: Client,
    request: Request,
    cancel: CancelToken,
    limits: Limits,
    /// Whether it holds a place at the dispatcher.
    is_in: bool,
}

/// Wakes whoever polls.
#[derive(Default)]
struct Waits(Mutex<Option<Waker>>);

impl Waits {
    fn set(&self, waker: &Waker) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.as_mut() {
            Some(known) => known.clone_from(waker),
            None => *known = Some(waker.clone()),
        }
    }
}

impl Wake for Waits {
    fn wake(&self) {
        let waker = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Queued {
    pub(super) fn new(client: Client, request: Request, cancel: CancelToken) -> Self {
        let limits = client.limits(&request);
        client.0.calls.begin(&cancel).keep();
        let call = Call { client, request, cancel, limits, is_in: false };
        let (place, waits, alarm) = (None, Arc::default(), None);
        Self { call: Some(call), place, waits, alarm, begun: Instant::now() }
    }

    /// Nothing more is waited for.
    fn leave(&mut self) {
        self.alarm = None;
        if let Some(call) = &self.call {
            call.cancel.unwatch(&self.waits);
            if let Some(waiting) = self.place.take() {
                call.client.0.shared.dispatcher.give_up(&waiting);
            }
        }
    }

    fn fail(&mut self, error: Error) -> Poll<Result<Turn, Error>> {
        self.leave();
        let Some(call) = self.call.take() else { return Poll::Pending };
        Poll::Ready(ended(Err(error), call.client.is_closed(), call.cancel.is_cancelled()))
    }

    fn succeed(&mut self) -> Poll<Result<Turn, Error>> {
        self.place = None;
        self.leave();
        let Some(mut call) = self.call.take() else { return Poll::Pending };
        call.is_in = true;
        Poll::Ready(Ok(Turn(call)))
    }
}

impl Future for Queued {
    type Output = Result<Turn, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        // Before anything is looked at: what happens from here on wakes.
        this.waits.set(context.waker());
        let Some(call) = &this.call else { return Poll::Pending };
        let host = call.request.target.host();
        match &this.place {
            Some(waiting) if waiting.is_admitted() => return this.succeed(),
            Some(_) => {}
            None => {
                let waits = this.waits.clone();
                match call.client.0.shared.dispatcher.queue(host, || waits) {
                    None => return this.succeed(),
                    Some(waiting) => this.place = Some(waiting),
                }
                call.cancel.watch(&this.waits);
                let end = call.limits.queue_end(this.begun);
                match end.map(|at| TIMER.wake_at(at, &this.waits)).transpose() {
                    Ok(alarm) => this.alarm = alarm,
                    Err(e) => {
                        let reason = format!("no thread for a timer: {e}");
                        return this.fail(Error::Internal { reason });
                    }
                }
            }
        }
        if call.cancel.is_cancelled() {
            return this.fail(Error::Cancelled);
        }
        if call.limits.queue_end(this.begun).is_some_and(|at| Instant::now() >= at) {
            let (phase, after) = call.limits.not_admitted();
            let host = host.to_string();
            return this.fail(Error::Timeout { host, phase, after });
        }
        Poll::Pending
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Turn {
    /// Sends the request and waits for the whole response; blocks the calling thread.
    ///
    /// # Errors
    /// Every code of `docs/errors.md`.
    pub fn send(mut self) -> Result<Response, Error> {
        let Call { client, request, cancel, limits, is_in } = &mut self.0;
        let place =
            std::mem::take(is_in).then(|| client.0.shared.dispatcher.kept(request.target.host()));
        client.send_listed(request, cancel, *limits, place)
    }

    /// Sends the request and waits for the head of the response, as [`Client::stream`] does; blocks
    /// the calling thread.
    ///
    /// # Errors
    /// Every code of `docs/errors.md`.
    pub fn stream(mut self) -> Result<Response<ResponseBody>, Error> {
        let Call { client, request, cancel, limits, is_in } = &mut self.0;
        let place =
            std::mem::take(is_in).then(|| client.0.shared.dispatcher.kept(request.target.host()));
        let listed = client.0.calls.begin(cancel);
        client.stream_listed(request, cancel, *limits, place, listed)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.client.0.calls.end(&self.cancel);
        if self.is_in {
            self.client.0.shared.dispatcher.leave(self.request.target.host());
        }
    }
}

impl fmt::Debug for Queued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queued").finish_non_exhaustive()
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").finish_non_exhaustive()
    }
}
