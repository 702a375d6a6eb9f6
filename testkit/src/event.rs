//! What a server saw, and waiting for it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

/// Something a server saw. Connections count from 1 for each server.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A TCP connection.
    Accepted {
        /// The connection.
        conn: u64,
    },
    /// A completed TLS handshake.
    Handshake {
        /// The connection.
        conn: u64,
        /// Whether the client resumed an earlier session, and so saw no certificate.
        resumed: bool,
        /// `TLSv1.2` or `TLSv1.3`.
        version: String,
        /// The server name the client asked for. None when it asked for an address.
        sni: Option<String>,
    },
    /// A TLS alert from the client, other than `close_notify`.
    Alert {
        /// The connection.
        conn: u64,
        /// The name in RFC 8446, such as `certificate_unknown`.
        description: String,
    },
    /// A TLS handshake that ended otherwise; after an alert, too.
    HandshakeFailed {
        /// The connection.
        conn: u64,
        /// For people.
        reason: String,
    },
    /// A whole HTTP request.
    Request {
        /// The connection.
        conn: u64,
        /// The method.
        method: String,
        /// The request target: the path, and the query if there is one.
        path: String,
        /// The header fields as sent, in order.
        headers: Vec<(String, String)>,
        /// The length of the decoded body.
        body_len: usize,
    },
    /// The server is done with a connection.
    Closed {
        /// The connection.
        conn: u64,
        /// How many bytes of application data the server decrypted.
        application_bytes: u64,
    },
}

impl Event {
    /// The tag of this event in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Handshake { .. } => "handshake",
            Self::Alert { .. } => "alert",
            Self::HandshakeFailed { .. } => "handshake_failed",
            Self::Request { .. } => "request",
            Self::Closed { .. } => "closed",
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    events: Mutex<Vec<Event>>,
    changed: Condvar,
}

impl Log {
    pub(crate) fn record(&self, event: Event) {
        self.lock().push(event);
        self.changed.notify_all();
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.lock().clone()
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    pub(crate) fn wait_for(
        &self,
        mut done: impl FnMut(&[Event]) -> bool,
        timeout: Duration,
    ) -> Option<Vec<Event>> {
        let events = self.lock();
        let (events, waited) = self
            .changed
            .wait_timeout_while(events, timeout, |events| !done(events))
            .unwrap_or_else(PoisonError::into_inner);
        (!waited.timed_out()).then(|| events.clone())
    }

    /// A test may well panic inside `done`; what is logged stays whole.
    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
