//! TLS handshakes in which the certificate is judged.

use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::{ServerName, UnixTime};

use super::carrier::Carrier;
use super::connection::{Connection, Stamp};
use super::context::CallContext;
use super::origin::{Key, SessionId};
use super::tickets::{Resuming, Tickets};
use super::wire::{Closer, Socket, is_timeout};
use crate::clock::Clock;
use crate::error::Error;
use crate::identity::{Asked, ClientIdentity, Nobody, NotSigned, refuses_client};
use crate::interception::http_in_clear;
use crate::proxy::Proxy;
use crate::verify::{Handshake, HandshakeVerifier, Judge, Judged, provider, refusal};

/// The head of an HTTP response with its redirect fits easily.
const MAX_CLEAR: usize = 1_024;

/// Makes TLS connections. One verifier and one store of sessions serve every pin set that comes:
/// each session carries what it rests on, and is judged again before it is resumed.
#[derive(Debug)]
pub(super) struct Tls {
    config: ClientConfig,
    verifier: Arc<HandshakeVerifier>,
    /// Who the client is where it has no certificate: the same one always, as rustls wants it.
    nobody: Arc<Nobody>,
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
        Ok(Self { config, verifier, nobody: Arc::default(), tickets, clock })
    }

    /// Forgets the sessions of TLS that belong to one of the client.
    pub(super) fn forget(&self, session: SessionId) {
        if let Some(tickets) = &self.tickets {
            tickets.forget(session);
        }
    }

    /// Does the handshake with the origin of `key` over `carrier`, which `closer` closes.
    pub(super) fn connect(
        &self,
        carrier: Carrier,
        closer: Arc<Closer>,
        key: &Key,
        terms: &Terms<'_>,
        context: &CallContext,
    ) -> Result<Connection, Fault> {
        let cancel = context.cancel().clone();
        let handshake = Handshake::new(terms.judge.clone(), cancel, terms.deadline);
        let asked = Asked::new(context.cancel().clone(), terms.deadline);
        let sessions = self.tickets.clone().map(|tickets| {
            let (key, clock) = (key.clone(), self.clock.clone());
            Resuming { tickets, key, handshake: handshake.clone(), clock }
        });
        let identity = key.identity.as_ref();
        let by = By { handshake: &handshake, asked: &asked, identity, sessions };
        let shaken = self.shake(carrier, key.host().as_str(), by);
        let (session, carrier) =
            shaken.inspect_err(|_| context.set_refused(handshake.refused()))?;
        let judged = judged(&handshake, &session)?;
        let mut made = Connection::new(key.clone(), session, carrier, closer, judged, terms.stamp);
        made.asks = asked.is_asked();
        Ok(made)
    }

    /// Does the handshake with a proxy, under its own name.
    pub(super) fn connect_proxy(
        &self,
        socket: Socket,
        proxy: &Proxy,
        terms: &Terms<'_>,
        context: &CallContext,
    ) -> Result<Carrier, Fault> {
        let cancel = context.cancel().clone();
        let handshake = Handshake::new(terms.judge.clone(), cancel, terms.deadline);
        let asked = Asked::new(context.cancel().clone(), terms.deadline);
        // Whoever it is to its origins, to a proxy the client has no certificate.
        let by = By { handshake: &handshake, asked: &asked, identity: None, sessions: None };
        let (session, socket) = self.shake(socket, proxy.host().as_str(), by)?;
        let judged = judged(&handshake, &session)?;
        Ok(Carrier::over_tls(session, socket, judged))
    }

    fn shake<S: Read + Write>(
        &self,
        stream: S,
        host: &str,
        by: By<'_>,
    ) -> Result<(ClientConnection, S), Fault> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|e| internal(format!("a host that TLS does not take: {e}")))?;
        let mut config = self.config.clone();
        config.client_auth_cert_resolver = match by.identity {
            Some(identity) => identity.resolver(),
            None => self.nobody.clone(),
        };
        if let Some(sessions) = by.sessions {
            config.resumption = Resumption::store(Arc::new(sessions));
        }
        let session = ClientConnection::new(Arc::new(config), name);
        let mut session = session.map_err(|e| internal(e.to_string()))?;
        let mut first = FirstAnswer { stream, is_tls: None, clear: Vec::new() };
        let driven = by.identity.map_or(&self.nobody.driven, ClientIdentity::driven);
        let done = driven.drive(by.asked, || {
            self.verifier.drive(by.handshake, || session.complete_io(&mut first))
        });
        let FirstAnswer { mut stream, clear, .. } = first;
        if let Err(e) = done {
            // rustls tries once to send the alert; what is left of it must leave too, or the
            // server never learns why (the read side may be at its end, the write side is not).
            while session.wants_write() && session.write_tls(&mut stream).is_ok_and(|n| n > 0) {}
            return Err(fault(host, e, &clear, by.asked));
        }
        Ok((session, stream))
    }
}

/// What was decided in a handshake that is done.
fn judged(handshake: &Handshake, session: &ClientConnection) -> Result<Arc<Judged>, Fault> {
    let chain = session.peer_certificates().unwrap_or_default();
    let judged = handshake.judged().filter(|judged| judged.is_of(chain));
    judged.ok_or_else(|| internal("a handshake without a verdict".into()))
}

fn internal(reason: String) -> Fault {
    Fault::Final(Error::Internal { reason })
}

/// What a handshake is done by.
struct By<'a> {
    handshake: &'a Arc<Handshake>,
    asked: &'a Arc<Asked>,
    identity: Option<&'a ClientIdentity>,
    /// Without them it is a full handshake, and nothing is kept of it.
    sessions: Option<Resuming>,
}

fn fault(host: &str, e: io::Error, clear: &[u8], asked: &Asked) -> Fault {
    if is_timeout(&e) {
        return Fault::TimedOut;
    }
    match asked.not_signed() {
        None => {}
        Some(NotSigned::Cancelled) => return Fault::Final(Error::Cancelled),
        Some(NotSigned::TimedOut) => return Fault::TimedOut,
        Some(NotSigned::Failed(reason)) => {
            let (place, reason) = ("client_certificate".to_owned(), reason.clone());
            return Fault::Final(Error::IoFailed { place, reason });
        }
    }
    let host = host.to_owned();
    match e.downcast::<rustls::Error>() {
        Ok(e) => match refusal(&e) {
            Some(error) => Fault::Final(error.clone()),
            None if asked.is_asked() && refuses_client(&e) => {
                Fault::Final(Error::client_refused(host, &e.to_string()))
            }
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

/// A stream in a handshake, which overhears an answer that is not TLS.
struct FirstAnswer<S> {
    stream: S,
    is_tls: Option<bool>,
    clear: Vec<u8>,
}

impl<S: Read> Read for FirstAnswer<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(buffer)?;
        let read = &buffer[..n];
        // The first byte is a content type (RFC 8446 §B.1).
        let is_tls = || read.first().is_none_or(|kind| matches!(kind, 20..=23));
        if !*self.is_tls.get_or_insert_with(is_tls) {
            self.clear.extend_from_slice(&read[..n.min(MAX_CLEAR - self.clear.len())]);
        }
        Ok(n)
    }
}

impl<S: Write> Write for FirstAnswer<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
