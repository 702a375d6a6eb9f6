//! A TLS connection whose certificate was accepted.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustls::{ClientConnection, HandshakeKind};

use super::buffers::Input;
use super::carrier::Carrier;
use super::context::CallContext;
use super::origin::Key;
use super::wire::{Closer, Unasked, is_timeout};
use crate::cancel::Wake;
use crate::error::{CertificateFacts, Error};
use crate::identity::refuses_client;
use crate::pin::Verdict;
use crate::verify::{Judge, Judged};

/// A connection in use or in the pool.
pub(super) struct Connection {
    key: Key,
    session: ClientConnection,
    carrier: Carrier,
    handle: Arc<Handle>,
    judged: Arc<Judged>,
    /// Which state of the pool it belongs to.
    pub(super) stamp: Stamp,
    /// Whether the server has asked for a certificate of the client's.
    pub(super) asks: bool,
    /// Whether a call has finished on it.
    used: bool,
}

/// When a connection was made, in the history of its pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    /// How many pin sets came before the one that it was judged by.
    pub(super) generation: u64,
    /// How often idle connections had been closed before it.
    pub(super) closings: u64,
}

/// What others know of a connection in use.
pub(super) struct Handle {
    closer: Arc<Closer>,
    judged: Mutex<Arc<Judged>>,
    /// Why it must not go on, once it must not.
    withdrawn: OnceLock<Box<CertificateFacts>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({}:{})", self.key.host(), self.key.origin.port())
    }
}

impl Handle {
    pub(super) fn is_idle(&self) -> bool {
        self.closer.is_idle()
    }

    pub(super) fn judged(&self) -> Arc<Judged> {
        self.lock().clone()
    }

    /// Ends it, and whatever runs on it.
    pub(super) fn withdraw(&self, facts: Box<CertificateFacts>) {
        let _first_reason_counts = self.withdrawn.set(facts);
        self.closer.wake();
    }

    /// What is to be said to the call on it, where it was withdrawn.
    pub(super) fn withdrawn(&self) -> Option<Box<CertificateFacts>> {
        self.withdrawn.get().cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Judged>> {
        // What is in there is whole whatever panics.
        self.judged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    pub(super) fn new(
        key: Key,
        session: ClientConnection,
        carrier: Carrier,
        closer: Arc<Closer>,
        judged: Arc<Judged>,
        stamp: Stamp,
    ) -> Self {
        let handle =
            Handle { closer, judged: Mutex::new(judged.clone()), withdrawn: OnceLock::new() };
        let (asks, used) = Default::default();
        Self { key, session, carrier, handle: Arc::new(handle), judged, stamp, asks, used }
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// Whether an answer may be one about the client's certificate: the server has asked for one now, or
    /// may have when the session began that is resumed.
    pub(super) fn is_about_client(&self) -> bool {
        self.asks || self.session.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    pub(super) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    pub(super) fn judged(&self) -> &Arc<Judged> {
        &self.judged
    }

    pub(super) fn verdict(&self) -> &Arc<Verdict> {
        self.judged.verdict()
    }

    /// Whether it may go on under `judge`, at `now` in seconds since 1970, and so may the proxy that it
    /// goes through.
    pub(super) fn is_accepted_by(&mut self, judge: &Judge, now: u64) -> bool {
        let Some(judged) = judge.again(&self.judged, now) else { return false };
        if !Arc::ptr_eq(&self.judged, &judged) {
            *self.handle.lock() = judged.clone();
            self.judged = judged;
        }
        self.carrier.is_accepted_by(judge, now)
    }

    /// Whether a call has finished on it.
    pub(super) fn was_used(&self) -> bool {
        self.used
    }

    /// Begins a call's exchange.
    pub(super) fn begin(&self, context: &CallContext) {
        self.handle.closer.set_idle(false);
        context.set_reused(self.used);
        context.cancel().watch(&self.handle.closer);
    }

    /// Ends it: what cancels the call leaves the connection alone from here on. Whether it can serve
    /// another call.
    pub(super) fn end(&mut self, context: &CallContext) -> bool {
        context.cancel().unwatch(&self.handle.closer);
        self.used = true;
        // A cancellation in between has closed the socket.
        !context.cancel().is_cancelled() && self.is_quiet_inside()
    }

    /// It lies in the pool from here on.
    pub(super) fn rest(&self) {
        self.handle.closer.set_idle(true);
    }

    /// Sends `bytes`, unless the peer answers before they can leave, or ends the connection. What it
    /// says is in `input` then.
    pub(super) fn send_unless_answered(
        &mut self,
        bytes: &[u8],
        input: &mut Input,
        context: &CallContext,
    ) -> io::Result<bool> {
        self.carrier.set_limits(context.deadline(), context.write_patience());
        self.carrier.acknowledge();
        while self.carrier.wait_writable()? == Unasked::Something {
            let ended = self.session.read_tls(&mut self.carrier.at_hand())? == 0;
            let state = self.session.process_new_packets();
            let state = state.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
            if state.plaintext_bytes_to_read() > 0 {
                let n = self.session.reader().read(input.free())?;
                input.filled(n);
                context.set_answered();
            }
            if ended || state.peer_has_closed() || has_final_answer(input.bytes()) {
                return Ok(false);
            }
        }
        self.send(bytes, context)?;
        Ok(true)
    }

    /// Sends `bytes`, whole.
    pub(super) fn send(&mut self, bytes: &[u8], context: &CallContext) -> io::Result<()> {
        self.carrier.set_limits(context.deadline(), context.write_patience());
        rustls::Stream::new(&mut self.session, &mut self.carrier).write_all(bytes)
    }

    /// Reads what comes next; 0 at the end of the connection.
    ///
    /// Not by way of [`rustls::Stream`], which writes first what is still to be written: where the
    /// peer has closed, that fails before its last words are read.
    pub(super) fn read(&mut self, buffer: &mut [u8], context: &CallContext) -> io::Result<usize> {
        self.carrier.set_limits(context.deadline(), context.read_patience());
        loop {
            match self.session.reader().read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            // An alert that was read while something was sent is told here, though the connection
            // is gone by now.
            let read = self.session.read_tls(&mut self.carrier);
            let taken_in = self.session.process_new_packets();
            // An alert, or the answer to a change of keys. Who does not take it says so by what can
            // be read.
            while self.session.wants_write()
                && self.session.write_tls(&mut self.carrier).is_ok_and(|n| n > 0)
            {}
            taken_in.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
            read?;
        }
    }

    /// What an I/O error on it means.
    pub(super) fn failure(&self, e: io::Error, context: &CallContext) -> Error {
        let host = self.key.host().to_string();
        if is_timeout(&e) {
            return context.not_read(&host);
        }
        self.key.told(match e.downcast::<rustls::Error>() {
            // In TLS 1.3 it comes after the handshake.
            Ok(e) if self.asks && refuses_client(&e) => Error::client_refused(host, &e.to_string()),
            Ok(e) => Error::TlsFailed { host, reason: e.to_string(), interception: None },
            // Not handed up as the I/O error it is: ureq takes some of those for the end of a
            // body, but an end without close_notify is a truncation (RFC 8446 §6.1).
            Err(e) => Error::ConnectionLost { host, reason: e.to_string() },
        })
    }

    /// Whether an idle connection still has nothing to say. Session tickets that came late are
    /// fine and are taken in; anything else is the end of it: bytes that nobody has asked for are
    /// nobody's answer.
    pub(super) fn is_quiet(&mut self) -> bool {
        // A server that sends tickets without end is not quiet.
        for _ in 0..8 {
            if self.carrier.unasked() == Unasked::Nothing {
                return true;
            }
            let read = self.session.read_tls(&mut self.carrier.at_hand());
            if !read.is_ok_and(|n| n > 0) || !self.is_quiet_inside() {
                return false;
            }
        }
        false
    }

    /// Takes in what was read; whether it says nothing to a call.
    fn is_quiet_inside(&mut self) -> bool {
        self.session
            .process_new_packets()
            .is_ok_and(|state| state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.session.send_close_notify();
        let session = &mut self.session;
        // Politeness only.
        self.carrier.close(|mut socket| {
            let _unsent = session.write_tls(&mut socket);
        });
    }
}

/// Whether an answer other than an interim one (RFC 9110 §15.2) has begun. What is no HTTP is one.
fn has_final_answer(mut input: &[u8]) -> bool {
    const BEFORE_STATUS: &[u8] = b"HTTP/1.1 ";
    loop {
        let Some(first) = input.get(BEFORE_STATUS.len()) else { return false };
        if *first != b'1' {
            return true;
        }
        match input.windows(4).position(|end| end == b"\r\n\r\n") {
            Some(end) => input = &input[end + 4..],
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interim_answers_are_not_the_answer() {
        for (input, is_final) in [
            ("", false),
            ("HTTP/1.1 ", false),
            ("HTTP/1.1 1", false),
            ("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", false),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 ", false),
            ("HTTP/1.1 4", true),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 Content Too Large", true),
            ("<html>no HTTP</html>", true),
        ] {
            assert_eq!(has_final_answer(input.as_bytes()), is_final, "{input:?}");
        }
    }
}
