//! The door to ureq, which speaks HTTP/1.1 over a connection that it is given.
//!
//! The only file that touches `ureq::unversioned`, which makes no promise of stability; Cargo.toml
//! pins the version. ureq hands nothing from a request to its transport, so each exchange has an
//! agent of its own, whose connector owns the connection and what belongs to the call.

use std::fmt;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use ureq::config::Config;
use ureq::http::{self, HeaderValue, Uri};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers as UreqBuffers, ConnectionDetails, Connector, NextTimeout, Transport,
};
use ureq::{AsSendBody, SendBody};

use super::buffers::{Buffers, SIZE};
use super::connection::Connection;
use super::context::CallContext;
use super::pool::Pool;
use super::wire::is_timeout;
use crate::error::Error;
use crate::verify::Refusal;

/// A body that fits one TLS record together with most heads (RFC 8446 §5.1).
const SMALL_BODY: usize = 15 * 1024;

/// What nginx says of a client's certificate, and how much of a page is looked at for it.
const ABOUT_CLIENT: [&str; 2] =
    ["No required SSL certificate was sent", "The SSL certificate error"];
const MAX_PAGE: u64 = 2_048;

/// What ureq is told of every exchange.
#[derive(Debug)]
pub(super) struct Engine {
    config: Config,
}

/// A connection that serves one exchange, and goes back to its pool after it.
pub(super) struct Lease {
    pub(super) connection: Box<Connection>,
    pub(super) buffers: Buffers,
    pub(super) pool: Arc<Pool>,
}

/// A request's body that is read while it is sent.
pub(crate) trait Outgoing {
    /// How many bytes it has, where that is known; else it is sent in chunks.
    fn length(&self) -> Option<u64>;

    /// Reads what comes next; 0 at its end.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error>;
}

/// What a request sends.
pub(crate) enum Payload<'a> {
    Nothing,
    Bytes(&'a [u8]),
    Read(&'a mut dyn Outgoing),
}

/// The body of a response. The connection goes back to its pool once it is read to its end.
pub(crate) struct BodyReader {
    reader: Box<dyn Read + Send + Sync>,
    length: Option<u64>,
    context: Arc<CallContext>,
}

impl Engine {
    pub(super) fn new(user_agent: &str) -> Self {
        let config = Config::builder()
            .https_only(true)
            // Any token is a method; what takes a body is decided before.
            .allow_non_standard_methods(true)
            // Never from the environment, which is where ureq looks by default.
            .proxy(None)
            .http_status_as_error(false)
            // Redirects are followed by us, hop by hop.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(user_agent)
            .max_response_header_size(SIZE)
            .build();
        Self { config }
    }

    /// Sends a request and reads the head of its response.
    pub(super) fn exchange(
        &self,
        mut request: http::request::Builder,
        payload: Payload<'_>,
        lease: Lease,
        context: &Arc<CallContext>,
    ) -> Result<(http::response::Parts, BodyReader), Error> {
        let key = lease.connection.key().clone();
        let Lease { connection, buffers, pool } = lease;
        let transport = PinnedTransport {
            lease: Lent { connection: Some(connection), buffers, pool },
            context: context.clone(),
            head: match payload {
                Payload::Bytes(bytes) if (1..=SMALL_BODY).contains(&bytes.len()) => {
                    Head::BeforeBody
                }
                _ => Head::Alone,
            },
        };
        let connector = OneConnection(Mutex::new(Some(transport)));
        let agent = ureq::Agent::with_parts(self.config.clone(), connector, NoResolver);
        let length = match &payload {
            Payload::Nothing => None,
            Payload::Bytes(bytes) => Some(bytes.len() as u64),
            Payload::Read(body) => body.length(),
        };
        if let (Some(length @ 1..), Some(headers)) = (length, request.headers_mut()) {
            headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        let sent = match payload {
            Payload::Nothing => run(&agent, request, ()),
            // ureq would ask it for bytes for ever.
            _ if length == Some(0) => run(&agent, request, &[][..]),
            Payload::Bytes(left) => {
                let mut body = Body { left, context };
                run(&agent, request, SendBody::from_reader(&mut body))
            }
            Payload::Read(from) => {
                let mut body = ReadBody { from, left: length, context };
                run(&agent, request, SendBody::from_reader(&mut body))
            }
        };
        let (parts, body) =
            sent.map_err(|e| key.told(failure(e, key.host().as_str())))?.into_parts();
        let (length, context) = (body.content_length(), context.clone());
        Ok((parts, BodyReader { reader: Box::new(body.into_reader()), length, context }))
    }
}

impl BodyReader {
    /// The same, or what it says, as nginx does after a good handshake, against the client's certificate.
    pub(super) fn about_client(mut self, status: u16) -> Result<Self, String> {
        let mut start = Vec::with_capacity(MAX_PAGE as usize);
        // Where it breaks off it will do so once more, for whoever reads on.
        let _end = self.reader.by_ref().take(MAX_PAGE).read_to_end(&mut start);
        let text = String::from_utf8_lossy(&start);
        match ABOUT_CLIENT.iter().find(|words| text.contains(**words)) {
            Some(words) => Err(format!("status {status}, {words}")),
            None if status != 400 => Err(format!("status {status}")),
            None => {
                Ok(Self { reader: Box::new(io::Cursor::new(start).chain(self.reader)), ..self })
            }
        }
    }

    /// How long it is as it was sent, where that was said.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.context.set_useful();
        self.reader.read(buffer)
    }
}

fn run(
    agent: &ureq::Agent,
    head: http::request::Builder,
    body: impl AsSendBody,
) -> Result<http::Response<ureq::Body>, ureq::Error> {
    agent.run(head.body(body)?)
}

/// A request's body, as ureq asks for it.
struct Body<'a> {
    left: &'a [u8],
    context: &'a CallContext,
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.left.len().min(buffer.len());
        let (now, left) = self.left.split_at(n);
        // What nobody will get is counted down only.
        if !self.context.has_stopped_sending() {
            buffer[..n].copy_from_slice(now);
        }
        self.left = left;
        Ok(n)
    }
}

/// A body that is read while it is sent, as ureq asks for it.
struct ReadBody<'a> {
    from: &'a mut dyn Outgoing,
    /// How much of its length is left, where it has said one.
    left: Option<u64>,
    context: &'a CallContext,
}

impl Read for ReadBody<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = self.left.map_or(buffer.len(), |left| {
            usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len())
        });
        let n = match (self.context.has_stopped_sending(), self.left) {
            (_, Some(0)) => 0,
            // What nobody will get is counted down only, or is at its end.
            (true, None) => 0,
            (true, Some(_)) => room,
            (false, _) => self.from.read(&mut buffer[..room]).map_err(into_io)?,
        };
        match &mut self.left {
            // ureq would ask for the rest for ever.
            Some(1..) if n == 0 => {
                let reason = "it ends before the length that it was said to have".into();
                return Err(into_io(Error::IoFailed { place: "body".into(), reason }));
            }
            Some(left) => *left -= n as u64,
            None => {}
        }
        Ok(n)
    }
}

/// Hands its one connection over.
struct OneConnection(Mutex<Option<PinnedTransport>>);

impl fmt::Debug for OneConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneConnection")
    }
}

impl Connector for OneConnection {
    type Out = PinnedTransport;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<PinnedTransport>, ureq::Error> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).take())
    }
}

/// ureq resolves before it asks for a connection; ours is there already.
#[derive(Debug)]
struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        // ureq wants at least one.
        addresses.push(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        Ok(addresses)
    }
}

/// What ureq sees of a lease.
struct PinnedTransport {
    lease: Lent,
    context: Arc<CallContext>,
    /// The request's head, as long as it waits for a small body: sent together they are one system
    /// call and one record.
    head: Head,
}

enum Head {
    /// The first piece is all there is, or a large body follows.
    Alone,
    /// The first piece is kept for the next one, which is the last.
    BeforeBody,
    Kept(Vec<u8>),
    Sent,
}

/// A lease, until it is given back. ureq borrows buffers without asking whether there are any, so
/// something stays.
struct Lent {
    connection: Option<Box<Connection>>,
    buffers: Buffers,
    pool: Arc<Pool>,
}

impl fmt::Debug for PinnedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinnedTransport")
    }
}

impl Transport for PinnedTransport {
    fn buffers(&mut self) -> &mut dyn UreqBuffers {
        &mut self.lease.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        if self.context.has_stopped_sending() {
            return Ok(());
        }
        let Lent { connection, buffers, .. } = &mut self.lease;
        let connection = connection.as_mut().ok_or_else(given_back)?;
        let bytes = &buffers.output[..amount];
        let sent = match std::mem::replace(&mut self.head, Head::Sent) {
            Head::BeforeBody => {
                self.head = Head::Kept(bytes.to_vec());
                return Ok(());
            }
            Head::Alone => connection.send(bytes, &self.context).map(|()| true),
            Head::Kept(head) => {
                connection.send(&[&head, bytes].concat(), &self.context).map(|()| true)
            }
            // Before more is sent, the server may have its say.
            Head::Sent => connection.send_unless_answered(bytes, &mut buffers.input, &self.context),
        };
        match sent {
            Ok(true) => {}
            Ok(false) => self.context.stop_sending(),
            Err(e) if is_timeout(&e) => return Err(fail(connection.failure(e, &self.context))),
            // The server may have answered before it closed (RFC 9112 §9.5): what it said lies in
            // the socket, and so does the alert with which it refused.
            Err(_) => self.context.stop_sending(),
        }
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        let Lent { connection, buffers, .. } = &mut self.lease;
        let connection = connection.as_mut().ok_or_else(given_back)?;
        let n = connection
            .read(buffers.input.free(), &self.context)
            .map_err(|e| fail(connection.failure(e, &self.context)))?;
        buffers.input.filled(n);
        if n > 0 {
            self.context.set_answered();
        }
        self.context.count(n, connection.key().host()).map_err(fail)?;
        Ok(n > 0)
    }

    /// ureq asks when an exchange is over and the connection could be used again. It goes back to
    /// its own pool then, and is gone as far as ureq knows: where the server wants it closed, or
    /// has said too much, ureq does not ask.
    fn is_open(&mut self) -> bool {
        if let Some(mut connection) = self.lease.connection.take()
            && connection.end(&self.context)
            && !self.context.has_stopped_sending()
        {
            let buffers = std::mem::replace(&mut self.lease.buffers, Buffers::none());
            self.lease.pool.put(connection, Some(buffers));
        }
        false
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl UreqBuffers for Buffers {
    fn output(&mut self) -> &mut [u8] {
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        self.input.bytes()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.input.free()
    }

    fn input_appended(&mut self, amount: usize) {
        self.input.filled(amount);
    }

    fn input_consume(&mut self, amount: usize) {
        self.input.consumed(amount);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        (self.input.free(), &mut self.output)
    }

    fn can_use_input(&self) -> bool {
        self.input.has_news()
    }
}

fn given_back() -> ureq::Error {
    fail(Error::Internal { reason: "a connection that was given back".into() })
}

fn fail(e: Error) -> ureq::Error {
    ureq::Error::Other(Box::new(Refusal(e)))
}

fn into_io(e: Error) -> io::Error {
    io::Error::other(Refusal(e))
}

/// What ureq says, in our words.
pub(crate) fn failure(e: ureq::Error, host: &str) -> Error {
    let host = host.to_owned();
    match e {
        ureq::Error::Other(cause) => match cause.downcast::<Refusal>() {
            Ok(refusal) => refusal.0,
            Err(cause) => Error::Internal { reason: cause.to_string() },
        },
        ureq::Error::Io(e) => match e.downcast::<Refusal>() {
            // From the request's body.
            Ok(refusal) => refusal.0,
            Err(e) => match e.kind() {
                // From a decoder; what the socket says arrives as a `Refusal`.
                io::ErrorKind::InvalidData => {
                    Error::InvalidResponse { host, reason: format!("its body: {e}") }
                }
                io::ErrorKind::UnexpectedEof => {
                    Error::ConnectionLost { host, reason: "closed by the server".into() }
                }
                _ => Error::ConnectionLost { host, reason: e.to_string() },
            },
        },
        // What came last is no whole piece of a body, and nothing follows, or no piece is that large.
        ureq::Error::BodyStalled => {
            Error::ConnectionLost { host, reason: "its body ends within a chunk".into() }
        }
        ureq::Error::LargeResponseHeader(..) => {
            Error::InvalidResponse { host, reason: "a head larger than 32 KiB".into() }
        }
        ureq::Error::Protocol(e) => {
            Error::InvalidResponse { host, reason: format!("not HTTP/1.1: {e}") }
        }
        ureq::Error::Http(e) => {
            Error::InvalidResponse { host, reason: format!("not HTTP/1.1: {e}") }
        }
        e => Error::Internal { reason: e.to_string() },
    }
}

// Where a reset takes what has arrived before it, there is nothing to be read.
#[cfg(all(test, not(shuttle), any(target_os = "linux", target_os = "android")))]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::thread;
    use std::time::{Duration, Instant};

    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::net::sockopt::set_socket_linger;
    use rustls::server::WebPkiClientVerifier;
    use rustls::{RootCertStore, ServerConfig, ServerConnection};
    use rustls_pki_types::{CertificateDer, PrivateKeyDer};

    use super::*;
    use crate::cancel::CancelToken;
    use crate::clock::SystemClock;
    use crate::events::Events;
    use crate::net::carrier::Carrier;
    use crate::net::connection::Stamp;
    use crate::net::origin::Key;
    use crate::net::tls::{Terms, Tls};
    use crate::net::wire::{Closer, Socket};
    use crate::net::{Limits, Origin, SessionId};
    use crate::pin::{HostName, PinSet};
    use crate::verify::{CertificateIdentity, Judge, Roots, SystemTrust};

    const HOST: &str = "a.test";

    fn judge(certificate: &CertificateDer<'_>) -> Arc<Judge> {
        let own = CertificateIdentity::read(certificate, "it").expect("a certificate").spki;
        let own = own.to_string().replace("sha256/", "");
        let json = format!(
            r#"{{"schema":1,"hosts":[{{"host":"{HOST}","trust":"pin_only","pins":[
                {{"sha256":"{own}","at":"leaf"}},
                {{"sha256":"YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=","at":"leaf"}}]}}]}}"#
        );
        let pins = PinSet::parse(json.as_bytes()).expect("a pin set");
        let system = SystemTrust::new(&Roots::Only(vec![certificate.to_vec()]));
        let system = system.expect("a certificate");
        Arc::new(Judge { pins, deny_unpinned: true, system, managed: None })
    }

    /// A body before whose first byte the peer resets the connection.
    struct Resetting {
        peer: Option<TcpStream>,
        watched: TcpStream,
    }

    impl Resetting {
        fn reset(&mut self) {
            let Some(peer) = self.peer.take() else { return };
            set_socket_linger(&peer, Some(Duration::ZERO)).expect("a socket");
            drop(peer);
            let mut ended = [PollFd::new(&self.watched, PollFlags::empty())];
            poll(&mut ended, None).expect("the reset comes");
        }
    }

    impl Outgoing for Resetting {
        fn length(&self) -> Option<u64> {
            Some(100_000)
        }

        fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
            self.reset();
            buffer.fill(b'x');
            Ok(buffer.len())
        }
    }

    /// What becomes of a request to a server that, after its handshake, sends `answer` and resets
    /// the connection before a byte of the request is there, or after its head and `in_body`; the
    /// alert about a missing certificate comes first where it `asks` for one.
    fn after_reset(asks: bool, answer: &[u8], in_body: bool) -> Result<u16, Error> {
        let key = rcgen::KeyPair::generate().expect("randomness");
        let names = vec![HOST.to_owned()];
        let own = rcgen::CertificateParams::new(names).expect("a name").self_signed(&key);
        let certificate = own.expect("a certificate").der().clone();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("ring has them");
        let server = if asks {
            let mut roots = RootCertStore::empty();
            roots.add(certificate.clone()).expect("a certificate");
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            server.with_client_cert_verifier(verifier.expect("roots"))
        } else {
            server.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("PKCS#8");
        let server = server.with_single_cert(vec![certificate.clone()], key).expect("its key");

        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let stream = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
        let (mut peer, _) = listener.accept().expect("loopback");
        peer.set_nodelay(true).expect("a socket");
        let watched = stream.try_clone().expect("a descriptor");
        let deadline = Some(Instant::now() + Duration::from_secs(20));
        let (judge, clock) = (judge(&certificate), Arc::new(SystemClock));
        let total = Duration::from_secs(20);
        let limits = Limits::for_tests(total, total, deadline);
        let context = Arc::new(CallContext::new(CancelToken::new(), limits, Events::default()));
        let tls = Tls::new(clock.clone(), false).expect("TLS");
        let origin = Origin::new(HostName::parse(HOST).expect("a name"), 443);
        let key = Key::new(origin, SessionId::default());
        let stream = Arc::new(stream);
        let closer = Arc::new(Closer::new(stream.clone()));
        let carrier = Carrier::Socket(Socket::new(stream));
        let terms = Terms { judge: &judge, stamp: Stamp::default(), deadline };
        let connection = thread::scope(|scope| {
            scope.spawn(|| {
                let mut session = ServerConnection::new(Arc::new(server)).expect("settings");
                // What it has to say against the client it says in there.
                let done = session.complete_io(&mut peer);
                assert_eq!(done.is_err(), asks, "{done:?}");
                if !asks {
                    io::Write::write_all(&mut session.writer(), answer).expect("memory");
                    while session.wants_write() {
                        session.write_tls(&mut peer).expect("room");
                    }
                }
            });
            tls.connect(carrier, closer, &key, &terms, &context)
        });
        let connection = connection.unwrap_or_else(|_| panic!("it is pinned"));
        let mut body = Resetting { peer: Some(peer), watched };
        if !in_body {
            body.reset();
        }
        let pool = Arc::new(Pool::new(judge, clock, 1, false));
        connection.begin(&context);
        let lease = Lease { connection: Box::new(connection), buffers: Buffers::default(), pool };
        let head = http::Request::builder().uri(format!("https://{HOST}/"));
        let payload = if in_body { Payload::Read(&mut body) } else { Payload::Nothing };
        let answered = Engine::new("test").exchange(head, payload, lease, &context);
        answered.map(|(head, _)| head.status.as_u16())
    }

    #[test]
    fn what_lies_in_the_socket_is_read_after_a_write_that_fails() {
        let answer = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
        // A body is sent with an eye on what comes: an alert is read there already, and told later.
        for in_body in [false, true] {
            assert_eq!(after_reset(false, answer, in_body), Ok(413));
            let error = after_reset(true, b"", in_body).expect_err("it wants a certificate");
            assert_eq!(error.code(), "client_certificate_refused", "{error}");
            assert!(error.to_string().contains("CertificateRequired"), "{error}");
        }
    }
}
