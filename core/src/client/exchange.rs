//! One request, one response.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, COOKIE,
};
use ureq::http::{self, HeaderName, HeaderValue};

use super::builder::Settings;
use super::codings::{self, Asked, codings, has_body};
use super::incoming::{Incoming, Reader};
use super::method::Method;
use super::request::Request;
use super::response::Response;
use super::upload::{Body, Sending};
use crate::error::Error;
use crate::net::{
    BodyReader, CallContext, Connections, Key, Leased, Limits, Payload, SessionId, Watch,
};

/// Whether a request that failed may be sent once more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    Never,
    /// Its connection turned out to be dead before it was answered.
    IfIdempotent,
    /// The pin set itself refused the handshake, and nothing of the request has been sent.
    UnderOtherPins,
    /// There was no connection, for a reason that is not the certificate.
    NothingSent,
}

/// What belongs to one attempt beside the request itself.
#[derive(Default)]
pub(super) struct Extras {
    pub(super) session: SessionId,
    pub(super) cookie: Option<String>,
    pub(super) authorization: Option<HeaderValue>,
}

/// What of a head has to fit the connection's buffer; the rest is for what ureq adds.
const MAX_HEAD: usize = 31 * 1024;

/// What `request` may use up, from now on.
pub(super) fn limits(settings: &Settings, request: &Request) -> Limits {
    let total = request.timeout.unwrap_or(settings.timeout);
    let read = request.read_timeout.unwrap_or(settings.read_timeout);
    Limits {
        queue: wanted(settings.queue_timeout),
        lookup: wanted(settings.lookup_timeout),
        connect: settings.connect_timeout,
        tls: wanted(settings.tls_timeout),
        first_byte: wanted(settings.first_byte_timeout),
        read: wanted(read),
        total,
        deadline: Instant::now().checked_add(total),
    }
}

fn wanted(timeout: Duration) -> Option<Duration> {
    Some(timeout).filter(|timeout| !timeout.is_zero())
}

/// The response with its body still to come, and whether the request may be sent once more.
pub(super) fn exchange(
    connections: &Connections,
    request: &Request,
    extras: Extras,
    context: &Arc<CallContext>,
    is_pulled: bool,
) -> (Result<Response<Incoming>, Error>, Retry) {
    let key = Key::new(request.target.origin().clone(), extras.session);
    let leased = match connections.lease(&key, context) {
        Ok(leased) => leased,
        Err(error) if connections.judge().is_by_pin_set(&error, request.target.host()) => {
            return (Err(error), Retry::UnderOtherPins);
        }
        Err(error) => return (Err(error), Retry::NothingSent),
    };
    let watch = leased.watch();
    let withdrawn = leased.watch();
    let error = match send(leased, watch, request, extras, context, is_pulled) {
        Ok(response) => return (Ok(response), Retry::Never),
        Err(error) => error,
    };
    let retry = match error {
        Error::ConnectionLost { .. } if context.met_dead_connection() => Retry::IfIdempotent,
        _ => Retry::Never,
    };
    match withdrawn.withdrawn() {
        Some(facts) if !context.cancel().is_cancelled() => {
            (Err(withdrawn.told(Error::PinMismatch(facts))), retry)
        }
        _ => (Err(error), retry),
    }
}

fn send(
    leased: Leased<'_>,
    watch: Watch,
    request: &Request,
    extras: Extras,
    context: &Arc<CallContext>,
    is_pulled: bool,
) -> Result<Response<Incoming>, Error> {
    let asked = Asked::of(request.headers.names(), is_pulled);
    let mut head =
        http::Request::builder().method(request.method.as_str()).uri(request.target.as_str());
    if let Some(headers) = head.headers_mut() {
        for header in request.headers.iter() {
            headers.append(header.name.clone(), header.value.clone());
        }
        if let Some(cookie) =
            extras.cookie.and_then(|it| HeaderValue::from_bytes(it.as_bytes()).ok())
        {
            headers.insert(COOKIE, cookie);
        }
        if let Some(token) = extras.authorization {
            headers.insert(AUTHORIZATION, token);
        }
        let size = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
        if size.sum::<usize>() + request.target.as_str().len() > MAX_HEAD {
            return Err(Error::request("headers", "too large with the URL, cookies and token"));
        }
        if let Some(value) = asked.accept_encoding() {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
        }
    }
    // "Content-Length: 0", as these methods expect (RFC 9110 §8.6).
    let says_length = matches!(request.method, Method::Post | Method::Put | Method::Patch);
    let mut sending = None;
    let payload = match &request.body {
        None if says_length => Payload::Bytes(&[]),
        None => Payload::Nothing,
        Some(Body::Bytes(bytes)) if request.on_upload.is_none() => Payload::Bytes(bytes),
        Some(body) => {
            let body = Sending::new(body, request.on_upload.as_ref(), context)?;
            Payload::Read(sending.insert(body))
        }
    };
    if request.is_open_ended() {
        context.set_open_ended();
    }
    let verdict = leased.verdict().clone();
    let (head, body) = leased.exchange(head, payload, context)?;
    drop(sending);
    let status = head.status.as_u16();
    let mut headers = head.headers.iter().map(|(name, value)| text_header(name, value)).collect();
    let reader = match asked.decodes() && has_body(request.method.as_str(), status) {
        true => decoded(body, &mut headers),
        false => Reader::AsSent(body),
    };
    let (origin, context) = (request.target.origin().clone(), context.clone());
    let body = Incoming { reader, origin, received: 0, watch, context };
    Ok(Response { status, url: request.target.as_str().to_owned(), headers, body, verdict })
}

/// What `headers` say of its coding is undone, and said no more.
fn decoded(body: BodyReader, headers: &mut Vec<(String, String)>) -> Reader {
    let values = headers.iter().filter(|(name, _)| name == CONTENT_ENCODING.as_str());
    let codings = codings(values.map(|(_, value)| value.as_str()));
    if codings.is_empty() {
        return Reader::AsSent(body);
    }
    // Both are of what was sent, not of what the app gets.
    let sent = [CONTENT_ENCODING.as_str(), CONTENT_LENGTH.as_str()];
    headers.retain(|(name, _)| !sent.contains(&name.as_str()));
    // What was applied last is undone first.
    let body =
        codings.iter().rfold(Box::new(body) as codings::Reader, |it, coding| coding.decoded(it));
    Reader::Decoded(body)
}

fn text_header(name: &HeaderName, value: &HeaderValue) -> (String, String) {
    let value = match value.to_str() {
        // Most are nothing but ASCII.
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(value.as_bytes()).into_owned(),
    };
    (name.as_str().to_owned(), value)
}
