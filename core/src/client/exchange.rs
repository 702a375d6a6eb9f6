//! One request, one response, one pin set; and what ureq says, in our words.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls::client::Resumption;
use ureq::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH};
use ureq::http::{self, HeaderName, HeaderValue};

use super::builder::Settings;
use super::codings::{Asked, has_body, layers_of_gzip};
use super::gzip::GzipDecoder;
use super::request::Request;
use super::response::Response;
use crate::call::Call;
use crate::cancel::CancelToken;
use crate::error::{Error, TimeoutPhase};
use crate::net::{Gate, LateResolver, PinnedConnector, Withdrawn};
use crate::pin::{HostName, PinSet};
use crate::verify::{Explanation, PinningVerifier, Refusal, SystemTrust, provider};

/// ureq's default buffers cost 512 KB a connection; these hold the largest head we send or take.
const BUFFER: usize = 32 * 1024;
/// How much of a body nobody wants is read so that its connection can be used again.
const DRAIN: u64 = 16 * 1024;

/// A pin set in force, with everything that was judged by it: verifier, TLS sessions, connections.
pub(super) struct Generation {
    agent: ureq::Agent,
    verifier: Arc<PinningVerifier>,
    deny_unpinned: bool,
    gate: Gate,
}

/// Whether a request that failed may be sent once more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    Never,
    /// Its connection turned out to be dead before it was answered.
    IfIdempotent,
    /// The handshake met no pin, and nothing of the request has been sent.
    UnderOtherPins,
}

/// What a call may use up.
pub(super) struct Limits {
    connect_timeout: Duration,
    timeout: Duration,
    /// Whether the timeout is not the client's own.
    custom: bool,
    deadline: Option<Instant>,
    max_response_bytes: u64,
    /// Whether redirects are followed, so that nobody reads their bodies.
    follows_redirects: bool,
}

impl Limits {
    pub(super) fn new(settings: &Settings, timeout: Option<Duration>) -> Self {
        let custom = timeout.is_some();
        let timeout = timeout.unwrap_or(settings.timeout);
        Self {
            connect_timeout: settings.connect_timeout,
            timeout,
            custom,
            deadline: Instant::now().checked_add(timeout),
            max_response_bytes: settings.max_response_bytes,
            follows_redirects: settings.max_redirects > 0,
        }
    }

    /// When the call has to be done.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn timed_out(&self, phase: ureq::Timeout, host: &str) -> Error {
        let (phase, after) = match phase {
            ureq::Timeout::Connect => (TimeoutPhase::Connect, self.connect_timeout),
            _ => (TimeoutPhase::Total, self.timeout),
        };
        Error::Timeout { host: host.to_owned(), phase, after }
    }
}

impl Generation {
    pub(super) fn new(
        pins: PinSet,
        settings: &Settings,
        system: SystemTrust,
    ) -> Result<Self, Error> {
        let managed = settings.source.as_ref().and_then(|source| source.managed());
        let deny_unpinned = settings.deny_unpinned;
        let verifier = PinningVerifier::with_system(pins, system, deny_unpinned, managed);
        let verifier = Arc::new(verifier);
        let mut tls = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::Internal { reason: e.to_string() })?
            .dangerous() // the name of rustls' own door for verifiers
            .with_custom_certificate_verifier(verifier.clone())
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        tls.resumption = match settings.resumes {
            true => Resumption::in_memory_sessions(64),
            false => Resumption::disabled(),
        };
        let gate = Gate::default();
        let connector = PinnedConnector {
            config: Arc::new(tls),
            verifier: verifier.clone(),
            gate: gate.clone(),
            connect_to: settings.connect_to.clone(),
        };
        let config = ureq::config::Config::builder()
            .https_only(true)
            // Never from the environment, which is where ureq looks by default.
            .proxy(None)
            .http_status_as_error(false)
            // Redirects are followed by us, hop by hop.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(settings.user_agent.clone())
            .timeout_connect(Some(settings.connect_timeout))
            .timeout_global(Some(settings.timeout))
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .max_response_header_size(BUFFER)
            .max_idle_connections(32)
            .max_idle_connections_per_host(8)
            .max_idle_age(Duration::from_secs(60))
            .build();
        let agent = ureq::Agent::with_parts(config, connector, LateResolver);
        Ok(Self { agent, verifier, deny_unpinned, gate })
    }

    pub(super) fn pins(&self) -> PinSet {
        self.verifier.pins().clone()
    }

    pub(super) fn explain(
        &self,
        host: &str,
        chain: &[Vec<u8>],
        at: u64,
    ) -> Result<Explanation, Error> {
        self.verifier.judge().explain(host, chain, at)
    }

    pub(super) fn pinned_names(&self, certificate: &[u8]) -> Result<Vec<HostName>, Error> {
        self.verifier.judge().pinned_names(certificate)
    }

    /// Closes what is idle and lets nothing back in; what is in use and `withdrawn` ends at once.
    pub(super) fn retire(&self, withdrawn: Option<Withdrawn>) {
        self.gate.shut(withdrawn);
    }

    /// Closes what is idle, and what is in use when its call ends, but goes on with new connections.
    pub(super) fn close_idle(&self) {
        self.gate.close_idle();
    }

    /// Lets go of every connection, too.
    pub(super) fn close(&self) {
        self.gate.shut(None);
        self.agent.clone().shutdown();
    }

    /// The response, and whether the request may be sent once more.
    pub(super) fn exchange(
        &self,
        request: &Request,
        limits: &Limits,
        first: bool,
        cancel: &CancelToken,
    ) -> (Result<Response, Error>, Retry) {
        let host = request.target.host();
        if self.deny_unpinned && self.verifier.pins().policy(host).is_none() {
            return (Err(Error::HostNotPinned { host: host.to_string() }), Retry::Never);
        }
        let call = Call::new(cancel.clone());
        let result = call.scope(|| self.send(request, limits, first, &call));
        let verdict = call.verdict.borrow();
        let dead = call.reused.get() && !call.answered.get();
        match (result, verdict.as_deref()) {
            (Err(Error::PinMismatch(facts)), None) => {
                (Err(Error::PinMismatch(facts)), Retry::UnderOtherPins)
            }
            (Err(error), Some(verdict))
                if !cancel.is_cancelled() && self.gate.has_withdrawn(verdict) =>
            {
                let lost = matches!(error, Error::ConnectionLost { .. });
                let retry = if dead && lost { Retry::IfIdempotent } else { Retry::Never };
                (Err(Error::PinMismatch(Box::new(verdict.facts.clone()))), retry)
            }
            (Err(lost @ Error::ConnectionLost { .. }), _) if dead => {
                (Err(lost), Retry::IfIdempotent)
            }
            (result, _) => (result, Retry::Never),
        }
    }

    fn send(
        &self,
        request: &Request,
        limits: &Limits,
        first: bool,
        call: &Call,
    ) -> Result<Response, Error> {
        let host = request.target.host().as_str();
        let asked = Asked::of(request.headers.iter().map(|header| header.name.as_str()));
        let mut head =
            http::Request::builder().method(request.method.as_str()).uri(request.target.as_str());
        if let Some(headers) = head.headers_mut() {
            for header in &request.headers {
                headers.append(header.name.clone(), header.value.clone());
            }
            if let Some(value) = asked.accept_encoding() {
                headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
            }
        }
        let as_url =
            |e: http::Error| Error::InvalidUrl { url: host.to_owned(), reason: e.to_string() };
        let left = match limits.deadline {
            Some(deadline) => deadline.saturating_duration_since(Instant::now()),
            None => limits.timeout,
        };
        if left.is_zero() {
            return Err(limits.timed_out(ureq::Timeout::Global, host));
        }
        // The agent's own configuration holds for the first hop; cloning it costs.
        let timeout = (limits.custom || !first).then_some(left);
        let sent = match &request.body {
            Some(body) => self.run(head.body(body.as_slice()).map_err(as_url)?, timeout),
            None if request.method == super::Method::Post
                || request.method == super::Method::Put
                || request.method == super::Method::Patch =>
            {
                // "Content-Length: 0", as these methods expect (RFC 9110 §8.6).
                self.run(head.body(&[][..]).map_err(as_url)?, timeout)
            }
            None => self.run(head.body(()).map_err(as_url)?, timeout),
        };
        let response = sent.map_err(|e| translate(e, host, limits))?;
        let (head, body) = response.into_parts();
        let mut response = Response {
            status: head.status.as_u16(),
            url: request.target.as_str().to_owned(),
            headers: head.headers.iter().map(|(name, value)| text_header(name, value)).collect(),
            body: Vec::new(),
            verdict: call
                .verdict
                .borrow()
                .clone()
                .ok_or_else(|| Error::Internal { reason: "a response without a verdict".into() })?,
        };
        let is_redirect = matches!(response.status, 301..=303 | 307 | 308);
        let known = body.content_length();
        let mut reader = body.into_reader();
        if limits.follows_redirects && is_redirect && response.header("location").is_some() {
            // Nobody reads it. What cannot be drained quickly costs the connection, no more.
            if known.is_some_and(|n| n <= DRAIN) {
                let _unread = io::copy(&mut reader, &mut io::sink());
            }
            return Ok(response);
        }
        let has_body = has_body(request.method.as_str(), response.status);
        let codings = response.headers.iter().filter(|(name, _)| name == CONTENT_ENCODING.as_str());
        let layers = layers_of_gzip(codings.map(|(_, value)| value.as_str())).unwrap_or(0);
        if asked != Asked::Gzip || !has_body || layers == 0 {
            response.body = read_body(&mut reader, known, host, limits)?;
            return Ok(response);
        }
        // Both are of what was sent, not of what the app gets.
        let sent = [CONTENT_ENCODING.as_str(), CONTENT_LENGTH.as_str()];
        response.headers.retain(|(name, _)| !sent.contains(&name.as_str()));
        let mut decoder: Box<dyn Read + '_> = Box::new(reader);
        for _ in 0..layers {
            decoder = Box::new(GzipDecoder::new(decoder));
        }
        response.body = read_body(&mut decoder, None, host, limits)?;
        Ok(response)
    }

    fn run(
        &self,
        request: http::Request<impl ureq::AsSendBody>,
        timeout: Option<Duration>,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        match timeout {
            None => self.agent.run(request),
            Some(timeout) => {
                let configured = self.agent.configure_request(request);
                self.agent.run(configured.timeout_global(Some(timeout)).build())
            }
        }
    }
}

/// Reads a decoded body to its end, but not past the limit: a megabyte of gzip can become a
/// gigabyte.
fn read_body(
    reader: &mut impl Read,
    known: Option<u64>,
    host: &str,
    limits: &Limits,
) -> Result<Vec<u8>, Error> {
    let limit = limits.max_response_bytes;
    let too_large = || Error::ResponseTooLarge { host: host.to_owned(), limit };
    if known.is_some_and(|n| n > limit) {
        return Err(too_large());
    }
    let mut body = Vec::with_capacity(known.unwrap_or(0).min(1 << 20) as usize);
    let read = reader.take(limit.saturating_add(1)).read_to_end(&mut body);
    let received = body.len() as u64;
    if received > limit {
        return Err(too_large());
    }
    match read {
        Ok(_) => Ok(body),
        Err(e) => Err(match translate(e.into(), host, limits) {
            Error::ConnectionLost { host, .. } => Error::Truncated { host, received },
            e => e,
        }),
    }
}

fn text_header(name: &HeaderName, value: &HeaderValue) -> (String, String) {
    let value = match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().map(|b| char::from(*b)).collect(),
    };
    (name.as_str().to_owned(), value)
}

fn translate(e: ureq::Error, host: &str, limits: &Limits) -> Error {
    let owned = || host.to_owned();
    match e {
        ureq::Error::Other(cause) => match cause.downcast::<Refusal>() {
            Ok(refusal) => refusal.0,
            Err(cause) => Error::Internal { reason: cause.to_string() },
        },
        ureq::Error::Timeout(phase) => limits.timed_out(phase, host),
        ureq::Error::Io(e) => match e.kind() {
            // From the gzip decoder; what the socket says arrives as a `Refusal`.
            io::ErrorKind::InvalidData => {
                Error::InvalidResponse { host: owned(), reason: format!("its body: {e}") }
            }
            io::ErrorKind::UnexpectedEof => {
                Error::ConnectionLost { host: owned(), reason: "closed by the server".into() }
            }
            _ => Error::ConnectionLost { host: owned(), reason: e.to_string() },
        },
        ureq::Error::Protocol(e) => {
            Error::InvalidResponse { host: owned(), reason: format!("not HTTP/1.1: {e}") }
        }
        // What came last is no whole piece of a body, and nothing follows, or no piece is that large.
        ureq::Error::BodyStalled => {
            Error::ConnectionLost { host: owned(), reason: "its body ends within a chunk".into() }
        }
        ureq::Error::LargeResponseHeader(..) => {
            Error::InvalidResponse { host: owned(), reason: "a head larger than 32 KiB".into() }
        }
        ureq::Error::Http(e) => {
            Error::InvalidResponse { host: owned(), reason: format!("not HTTP/1.1: {e}") }
        }
        e => Error::Internal { reason: e.to_string() },
    }
}
