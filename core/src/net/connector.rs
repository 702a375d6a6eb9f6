//! ureq's connector and transport: one TCP socket with one rustls session, judged before use.
//!
//! The only file, with `resolver.rs`, that touches `ureq::unversioned`, which makes no promise of
//! stability; Cargo.toml pins the version.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;
use rustix::net::{RecvFlags, recv};
#[cfg(not(target_vendor = "apple"))]
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::ServerName;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, ShutdownHandle, Transport,
};

use super::eyeballs;
use crate::call::Call;
use crate::cancel::Wake;
use crate::error::Error;
use crate::interception::{InterceptionReport, http_in_clear};
use crate::pin::Verdict;
use crate::verify::{PinningVerifier, Refusal};

/// Open while a pin set is in use. Once it is shut, connections made under it are not used again.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<GateInner>);

#[derive(Default)]
struct GateInner {
    shut: AtomicBool,
    /// How often idle connections were closed. Those made before the last time are not used again.
    closings: AtomicU64,
    /// Says of connections in use whether they must not go on; set when the gate is shut.
    withdrawn: OnceLock<Withdrawn>,
    connections: Mutex<Vec<Weak<Closer>>>,
}

/// Whether what a verdict rests on is withdrawn.
pub(crate) type Withdrawn = Box<dyn Fn(&Verdict) -> bool + Send + Sync>;

impl Gate {
    /// Closes the connections that are idle. Those in use are closed when their call ends, or at
    /// once where they are `withdrawn`.
    pub(crate) fn shut(&self, withdrawn: Option<Withdrawn>) {
        self.0.shut.store(true, Ordering::SeqCst);
        if let Some(withdrawn) = withdrawn {
            let _only_once = self.0.withdrawn.set(withdrawn);
        }
        for connection in self.connections().drain(..).filter_map(|c| c.upgrade()) {
            let aborted = || connection.verdict.get().is_some_and(|v| self.has_withdrawn(v));
            if connection.idle.load(Ordering::SeqCst) || aborted() {
                connection.wake();
            }
        }
    }

    /// Closes the connections that are idle, and those in use when their call ends; new ones may be
    /// made and used again.
    pub(crate) fn close_idle(&self) {
        self.0.closings.fetch_add(1, Ordering::SeqCst);
        for connection in self.connections().iter().filter_map(Weak::upgrade) {
            if connection.idle.load(Ordering::SeqCst) {
                connection.wake();
            }
        }
    }

    /// Whether a connection with this verdict must not go on.
    pub(crate) fn has_withdrawn(&self, verdict: &Verdict) -> bool {
        self.0.withdrawn.get().is_some_and(|withdrawn| withdrawn(verdict))
    }

    fn is_open(&self) -> bool {
        !self.0.shut.load(Ordering::SeqCst)
    }

    fn closings(&self) -> u64 {
        self.0.closings.load(Ordering::SeqCst)
    }

    /// Whether a connection may be used once more.
    fn admits(&self, connection: &Closer) -> bool {
        self.is_open() && connection.closings == self.closings()
    }

    fn register(&self, connection: &Arc<Closer>) {
        let mut connections = self.connections();
        connections.retain(|c| c.strong_count() > 0);
        connections.push(Arc::downgrade(connection));
    }

    fn connections(&self) -> MutexGuard<'_, Vec<Weak<Closer>>> {
        // The list is whole at every point where a panic could leave it.
        self.0.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The head of an HTTP response with its redirect fits easily.
const MAX_CLEAR: usize = 1_024;

/// Addresses to connect to instead of looking a host's name up, by host and port.
pub(crate) type ConnectTo = HashMap<(String, u16), SocketAddr>;

/// Opens connections whose certificate one verifier has judged.
pub(crate) struct PinnedConnector {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) verifier: Arc<PinningVerifier>,
    pub(crate) gate: Gate,
    pub(crate) connect_to: Arc<ConnectTo>,
}

impl fmt::Debug for PinnedConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinnedConnector")
            .field("open", &self.gate.is_open())
            .finish_non_exhaustive()
    }
}

impl Connector for PinnedConnector {
    type Out = PinnedTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<PinnedTransport>, ureq::Error> {
        let call = Call::current().unwrap_or_default();
        let host = details.uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let port = details.uri.port_u16().unwrap_or(443);
        let name = ServerName::try_from(host.to_owned()).map_err(|e| {
            fail(Error::Internal { reason: format!("a host that TLS does not take: {e}") })
        })?;
        let deadline = Deadline::new(details.timeout);
        call.deadline.set(deadline.at);
        // Before connecting: who closes idle connections meanwhile means this one, too.
        let closings = self.gate.closings();
        let fixed = self.connect_to.get(&(host.to_owned(), port)).copied();
        let stream = match eyeballs::connect(host, port, fixed, deadline.at, &call.cancel) {
            Ok(stream) => Arc::new(stream),
            Err(eyeballs::Failure::TimedOut) => return Err(ureq::Error::Timeout(deadline.reason)),
            Err(eyeballs::Failure::Error(e)) => return Err(fail(e)),
        };
        stream.set_nodelay(true)?;
        let handle = Arc::new(Closer {
            stream: stream.clone(),
            idle: AtomicBool::new(false),
            closings,
            verdict: OnceLock::new(),
        });
        call.cancel.watch(&handle);
        self.gate.register(&handle);
        let shutdown: Arc<dyn ShutdownHandle> = handle.clone();
        (details.register_shutdown)(Arc::downgrade(&shutdown))?;

        let mut session = ClientConnection::new(self.config.clone(), name.clone())
            .map_err(|e| tls_failed(host.to_owned(), e.to_string(), None))?;
        let socket = Socket { stream, read_timeout: None, write_timeout: None, deadline };
        let mut first = FirstAnswer { socket, is_tls: None, clear: Vec::new() };
        let done = session.complete_io(&mut first);
        let FirstAnswer { mut socket, clear, .. } = first;
        if let Err(e) = done {
            // rustls tries once to send the alert; what is left of it must leave too, or the
            // server never learns why (the read side may be at its end, the write side is not).
            while session.wants_write() && session.write_tls(&mut socket).is_ok_and(|n| n > 0) {}
            return Err(handshake_error(host, e, socket.deadline.reason, &clear));
        }
        let chain = session.peer_certificates().unwrap_or_default();
        let now = self
            .config
            .time_provider
            .current_time()
            .unwrap_or_else(rustls_pki_types::UnixTime::now);
        let verdict = self.verifier.verdict(&name, chain, now).map_err(fail)?;
        let _first = handle.verdict.set(verdict.clone());
        // After it is set: whoever shuts the gate meanwhile has either seen it or is seen here.
        if self.gate.has_withdrawn(&verdict) {
            return Err(fail(Error::PinMismatch(Box::new(verdict.facts.clone()))));
        }
        Ok(Some(PinnedTransport {
            host: host.to_owned(),
            session,
            socket,
            handle,
            buffers: LazyBuffers::new(
                details.config.input_buffer_size(),
                details.config.output_buffer_size(),
            ),
            gate: self.gate.clone(),
            verdict,
            used: false,
        }))
    }
}

/// A connection in use or in the pool.
pub(crate) struct PinnedTransport {
    host: String,
    session: ClientConnection,
    socket: Socket,
    handle: Arc<Closer>,
    buffers: LazyBuffers,
    gate: Gate,
    verdict: Arc<Verdict>,
    /// Whether a call has finished on it.
    used: bool,
}

impl fmt::Debug for PinnedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PinnedTransport({})", self.host)
    }
}

impl PinnedTransport {
    fn lost(&self, e: io::Error, timeout: NextTimeout) -> ureq::Error {
        if is_timeout(&e) {
            return ureq::Error::Timeout(timeout.reason);
        }
        let host = self.host.clone();
        fail(match e.downcast::<rustls::Error>() {
            Ok(e) => return tls_failed(host, e.to_string(), None),
            // Not handed up as the I/O error it is: ureq takes some of those for the end of a
            // body, but an end without close_notify is a truncation (RFC 8446 §6.1).
            Err(e) => Error::ConnectionLost { host, reason: e.to_string() },
        })
    }
}

impl Transport for PinnedTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        if let Some(call) = Call::current() {
            call.cancel.watch(&self.handle);
            call.reused.set(self.used);
            call.verdict.replace(Some(self.verdict.clone()));
        }
        self.handle.idle.store(false, Ordering::SeqCst);
        self.socket.deadline = Deadline::new(timeout);
        let output = &self.buffers.output()[..amount];
        rustls::Stream::new(&mut self.session, &mut self.socket)
            .write_all(output)
            .map_err(|e| self.lost(e, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.socket.deadline = Deadline::new(timeout);
        let input = self.buffers.input_append_buf();
        let n = rustls::Stream::new(&mut self.session, &mut self.socket)
            .read(input)
            .map_err(|e| self.lost(e, timeout))?;
        self.buffers.input_appended(n);
        if n > 0
            && let Some(call) = Call::current()
        {
            call.answered.set(true);
        }
        Ok(n > 0)
    }

    /// ureq asks when it returns the connection to the pool and again when it takes it out. Only
    /// the second time can a server have closed it meanwhile, so only then is the socket probed.
    fn is_open(&mut self) -> bool {
        let returned = !self.handle.idle.swap(true, Ordering::SeqCst);
        // After the swap: a gate that shuts now either sees the idle connection or is seen here.
        if !self.gate.admits(&self.handle) {
            return false;
        }
        if returned {
            if let Some(call) = Call::current() {
                call.cancel.unwatch(&self.handle);
            }
            self.used = true;
            return self.session.process_new_packets().is_ok_and(|state| {
                state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed()
            });
        }
        if !self.socket.is_quiet(&mut self.session) {
            return false;
        }
        // It is taken: from here on a gate that shuts leaves it to its call. One that shut a moment
        // ago may have closed it already.
        self.handle.idle.store(false, Ordering::SeqCst);
        self.gate.admits(&self.handle)
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl Drop for PinnedTransport {
    fn drop(&mut self) {
        self.session.send_close_notify();
        // Politeness only, so it may neither wait nor fail.
        if self.socket.stream.set_nonblocking(true).is_ok() {
            let _unsent = self.session.write_tls(&mut Once(&self.socket.stream));
        }
        let _closed = self.socket.stream.shutdown(Shutdown::Both);
    }
}

/// Closes a socket under the thread that is blocked on it.
struct Closer {
    stream: Arc<TcpStream>,
    /// Whether the connection lies in the pool.
    idle: AtomicBool,
    /// [`GateInner::closings`] before it was made.
    closings: u64,
    /// Once it has been judged.
    verdict: OnceLock<Arc<Verdict>>,
}

impl Wake for Closer {
    fn wake(&self) {
        if !self.idle.load(Ordering::SeqCst) {
            // Closing then resets the connection: a server in the midst of a long answer stops at
            // once instead of waiting for somebody to read it.
            let _unset = set_socket_linger(&*self.stream, Some(Duration::ZERO));
        }
        let _closed = self.stream.shutdown(Shutdown::Both);
    }
}

impl ShutdownHandle for Closer {
    fn shutdown(&self) {
        self.wake();
    }
}

/// The end of the budget that an operation has, and which budget it is.
#[derive(Clone, Copy)]
struct Deadline {
    at: Option<Instant>,
    reason: ureq::Timeout,
}

impl Deadline {
    fn new(timeout: NextTimeout) -> Self {
        let after = timeout.not_zero().map(|after| *after);
        Self {
            at: after.and_then(|after| Instant::now().checked_add(after)),
            reason: timeout.reason,
        }
    }
}

/// A socket whose reads and writes end at a deadline, however slowly the peer drips.
struct Socket {
    stream: Arc<TcpStream>,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    deadline: Deadline,
}

impl Socket {
    /// Repeats `operation` until it is done or the deadline has passed. The socket's own timeout
    /// is set only where the one in force is far off: a system call a request less.
    fn until_deadline<T>(
        &mut self,
        set: fn(&TcpStream, Option<Duration>) -> io::Result<()>,
        in_force: fn(&mut Self) -> &mut Option<Duration>,
        mut operation: impl FnMut(&TcpStream) -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            let left = match self.deadline.at {
                None => None,
                Some(at) => match at.checked_duration_since(Instant::now()) {
                    Some(left) if !left.is_zero() => Some(left),
                    _ => return Err(io::ErrorKind::TimedOut.into()),
                },
            };
            let fits = match (left, *in_force(self)) {
                (None, None) => true,
                (Some(left), Some(now)) => now >= left / 2 && now <= left + left / 32,
                _ => false,
            };
            if !fits {
                match set(&self.stream, left) {
                    Ok(()) => *in_force(self) = left,
                    // Apple's systems refuse it once the peer has closed, although its answer may
                    // still be there to be read. What the socket says then is what counts.
                    Err(e)
                        if cfg!(target_vendor = "apple")
                            && e.kind() == io::ErrorKind::InvalidInput => {}
                    Err(e) => return Err(e),
                }
            }
            match operation(&self.stream) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted || is_timeout(&e) => {}
                result => return result,
            }
        }
    }

    /// Whether an idle connection still has nothing to say. Session tickets that came late are
    /// fine and are taken in; anything else is the end of it.
    fn is_quiet(&self, session: &mut ClientConnection) -> bool {
        // A server that sends tickets without end is not quiet: ureq holds its pool's lock here.
        for _ in 0..8 {
            let mut byte = [0];
            match recv(&*self.stream, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
                Err(rustix::io::Errno::AGAIN) => return true,
                Ok((1, _)) => {}
                _ => return false,
            }
            if !session.read_tls(&mut &*self.stream).is_ok_and(|n| n > 0) {
                return false;
            }
            let quiet = session.process_new_packets().is_ok_and(|state| {
                state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed()
            });
            if !quiet {
                return false;
            }
        }
        false
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.until_deadline(
            TcpStream::set_read_timeout,
            |s| &mut s.read_timeout,
            |mut stream| stream.read(buffer),
        )
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.until_deadline(
            TcpStream::set_write_timeout,
            |s| &mut s.write_timeout,
            |stream| send(stream, slices),
        )
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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

/// A socket that is written to once, whatever comes of it.
struct Once<'a>(&'a TcpStream);

impl Write for Once<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        send(self.0, &[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        send(self.0, slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes without SIGPIPE: where the peer has closed, `writev` would end every process that does not
/// ignore that signal, and only programs written in Rust do by themselves.
fn send(stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    #[cfg(not(target_vendor = "apple"))]
    {
        let mut nothing = SendAncillaryBuffer::default();
        Ok(sendmsg(stream, slices, &mut nothing, SendFlags::NOSIGNAL)?)
    }
    // There it is a property of the socket: `eyeballs.rs` sets it.
    #[cfg(target_vendor = "apple")]
    {
        let mut stream = stream;
        stream.write_vectored(slices)
    }
}

fn is_timeout(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn fail(e: Error) -> ureq::Error {
    ureq::Error::Other(Box::new(Refusal(e)))
}

fn tls_failed(
    host: String,
    reason: String,
    interception: Option<InterceptionReport>,
) -> ureq::Error {
    fail(Error::TlsFailed { host, reason, interception: interception.map(Box::new) })
}

fn handshake_error(host: &str, e: io::Error, reason: ureq::Timeout, clear: &[u8]) -> ureq::Error {
    if is_timeout(&e) {
        return ureq::Error::Timeout(reason);
    }
    let host = host.to_owned();
    fail(match e.downcast::<rustls::Error>() {
        Ok(e) => match PinningVerifier::refusal(&e) {
            Some(error) => error.clone(),
            None => return tls_failed(host, e.to_string(), http_in_clear(clear)),
        },
        Err(e) => Error::ConnectionLost { host, reason: format!("during the TLS handshake: {e}") },
    })
}
