//! TLS handshakes in which the certificate is judged.

use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::{ServerName, UnixTime};

use super::connection::{Connection, Stamp};
use super::context::CallContext;
use super::origin::{Key, SessionId};
use super::tickets::{Resuming, Tickets};
use super::wire::{Closer, Socket, is_timeout};
use crate::clock::Clock;
use crate::error::Error;
use crate::interception::http_in_clear;
use crate::verify::{Handshake, HandshakeVerifier, Judge, provider, refusal};

/// The head of an HTTP response with its redirect fits easily.
const MAX_CLEAR: usize = 1_024;

/// Makes TLS connections. One verifier and one store of sessions serve every pin set that comes:
/// each session carries what it rests on, and is judged again before it is resumed.
#[derive(Debug)]
pub(super) struct Tls {
    config: ClientConfig,
    verifier: Arc<HandshakeVerifier>,
    /// None where nothing is resumed.
    tickets: Option<Arc<Tickets>>,
    clock: Arc<dyn Clock>,
}

/// By what and until when a handshake is done.
pub(super) struct Terms<'a> {
    pub(super) judge: &'a Arc<Judge>,
    pub(super) stamp: Stamp,
    pub(super) deadline: Option<Instant>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server's certificate, the call's end, or something that is the same everywhere.
    Final(Error),
    /// Another address of the host may do better.
    OfAddress(Error),
    TimedOut,
}

impl Tls {
    pub(super) fn new(clock: Arc<dyn Clock>, resumes: bool) -> Result<Self, Error> {
        let verifier = Arc::<HandshakeVerifier>::default();
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::Internal { reason: e.to_string() })?
            .dangerous() // the name of rustls' own door for verifiers
            .with_custom_certificate_verifier(verifier.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.time_provider = Arc::new(Wall(clock.clone()));
        // Each handshake has its own view of the sessions.
        config.resumption = Resumption::disabled();
        let tickets = resumes.then(Arc::default);
        Ok(Self { config, verifier, tickets, clock })
    }

    /// Forgets the sessions of TLS that belong to one of the client.
    pub(super) fn forget(&self, session: SessionId) {
        if let Some(tickets) = &self.tickets {
            tickets.forget(session);
        }
    }

    /// Does the handshake with `key`'s origin over `stream`.
    pub(super) fn connect(
        &self,
        stream: TcpStream,
        key: &Key,
        terms: &Terms<'_>,
        context: &CallContext,
    ) -> Result<Connection, Fault> {
        let host = key.host().as_str();
        let internal = |reason: String| Fault::Final(Error::Internal { reason });
        let lost = |e: io::Error| {
            let reason = format!("before the TLS handshake: {e}");
            Fault::OfAddress(Error::ConnectionLost { host: host.to_owned(), reason })
        };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|e| internal(format!("a host that TLS does not take: {e}")))?;
        stream.set_nodelay(true).map_err(lost)?;
        let stream = Arc::new(stream);
        let closer = Arc::new(Closer::new(stream.clone()));
        context.cancel().watch(&closer);

        let cancel = context.cancel().clone();
        let handshake = Handshake::new(terms.judge.clone(), cancel, terms.deadline);
        let mut config = self.config.clone();
        if let Some(tickets) = self.tickets.clone() {
            let (key, clock) = (key.clone(), self.clock.clone());
            let handshake = handshake.clone();
            let sessions = Resuming { tickets, key, handshake, clock };
            config.resumption = Resumption::store(Arc::new(sessions));
        }
        let session = ClientConnection::new(Arc::new(config), name);
        let mut session = session.map_err(|e| internal(e.to_string()))?;
        let mut socket = Socket::new(stream);
        socket.set_limits(terms.deadline, None);
        let mut first = FirstAnswer { socket, is_tls: None, clear: Vec::new() };
        let done = self.verifier.drive(&handshake, || session.complete_io(&mut first));
        let FirstAnswer { mut socket, clear, .. } = first;
        if let Err(e) = done {
            context.set_refused(handshake.refused());
            // rustls tries once to send the alert; what is left of it must leave too, or the
            // server never learns why (the read side may be at its end, the write side is not).
            while session.wants_write() && session.write_tls(&mut socket).is_ok_and(|n| n > 0) {}
            return Err(fault(host, e, &clear));
        }
        let chain = session.peer_certificates().unwrap_or_default();
        let judged = handshake.judged().filter(|judged| judged.is_of(chain));
        let judged = judged.ok_or_else(|| internal("a handshake without a verdict".into()))?;
        Ok(Connection::new(key.clone(), session, socket, closer, judged, terms.stamp))
    }
}

fn fault(host: &str, e: io::Error, clear: &[u8]) -> Fault {
    if is_timeout(&e) {
        return Fault::TimedOut;
    }
    let host = host.to_owned();
    match e.downcast::<rustls::Error>() {
        Ok(e) => match refusal(&e) {
            Some(error) => Fault::Final(error.clone()),
            None => Fault::OfAddress(Error::TlsFailed {
                host,
                reason: e.to_string(),
                interception: http_in_clear(clear).map(Box::new),
            }),
        },
        Err(e) => {
            let reason = format!("during the TLS handshake: {e}");
            Fault::OfAddress(Error::ConnectionLost { host, reason })
        }
    }
}

/// The device's date, as rustls asks for it.
#[derive(Debug)]
struct Wall(Arc<dyn Clock>);

impl TimeProvider for Wall {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.wall())))
    }
}

/// A socket in a handshake, which overhears an answer that is not TLS.
struct FirstAnswer {
    socket: Socket,
    is_tls: Option<bool>,
    clear: Vec<u8>,
}

impl Read for FirstAnswer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.socket.read(buffer)?;
        let read = &buffer[..n];
        // The first byte is a content type (RFC 8446 §B.1).
        let is_tls = || read.first().is_none_or(|kind| matches!(kind, 20..=23));
        if !*self.is_tls.get_or_insert_with(is_tls) {
            self.clear.extend_from_slice(&read[..n.min(MAX_CLEAR - self.clear.len())]);
        }
        Ok(n)
    }
}

impl Write for FirstAnswer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}
