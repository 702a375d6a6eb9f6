//! One request, one response.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH};
use ureq::http::{self, HeaderName, HeaderValue};

use super::builder::Settings;
use super::codings::{Asked, has_body, layers_of_gzip};
use super::gzip::GzipDecoder;
use super::request::{Method, Request};
use super::response::Response;
use crate::error::Error;
use crate::net::{BodyReader, CallContext, Connections, Leased, Limits, Origin, failure};

/// How much of a body nobody wants is read so that its connection can be used again, and for how
/// long.
const DRAIN: u64 = 16 * 1024;
const DRAIN_TIME: Duration = Duration::from_millis(100);

/// Whether a request that failed may be sent once more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    Never,
    /// Its connection turned out to be dead before it was answered.
    IfIdempotent,
    /// The pin set itself refused the handshake, and nothing of the request has been sent.
    UnderOtherPins,
}

/// What `request` may use up, from now on.
pub(super) fn limits(settings: &Settings, request: &Request) -> Limits {
    let total = request.timeout.unwrap_or(settings.timeout);
    let read = request.read_timeout.unwrap_or(settings.read_timeout);
    Limits {
        connect: settings.connect_timeout,
        read: Some(read).filter(|read| !read.is_zero()),
        total,
        deadline: Instant::now().checked_add(total),
    }
}

/// The response, and whether the request may be sent once more.
pub(super) fn exchange(
    connections: &Connections,
    settings: &Settings,
    request: &Request,
    context: &Arc<CallContext>,
) -> (Result<Response, Error>, Retry) {
    let origin = Origin::new(request.target.host().clone(), request.target.port());
    let leased = match connections.lease(&origin, context) {
        Ok(leased) => leased,
        Err(error) if connections.judge().is_by_pin_set(&error, request.target.host()) => {
            return (Err(error), Retry::UnderOtherPins);
        }
        Err(error) => return (Err(error), Retry::Never),
    };
    let watch = leased.watch();
    let error = match send(leased, settings, request, context) {
        Ok(response) => return (Ok(response), Retry::Never),
        Err(error) => error,
    };
    let retry = match error {
        Error::ConnectionLost { .. } if context.met_dead_connection() => Retry::IfIdempotent,
        _ => Retry::Never,
    };
    match watch.withdrawn() {
        Some(facts) if !context.cancel().is_cancelled() => (Err(Error::PinMismatch(facts)), retry),
        _ => (Err(error), retry),
    }
}

fn send(
    leased: Leased<'_>,
    settings: &Settings,
    request: &Request,
    context: &Arc<CallContext>,
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
    // "Content-Length: 0", as these methods expect (RFC 9110 §8.6).
    let says_length = matches!(request.method, Method::Post | Method::Put | Method::Patch);
    let body = request.body.as_deref().or_else(|| says_length.then_some(&[]));
    let verdict = leased.verdict().clone();
    let (head, mut body) = leased.exchange(head, body, context)?;
    let mut response = Response {
        status: head.status.as_u16(),
        url: request.target.as_str().to_owned(),
        headers: head.headers.iter().map(|(name, value)| text_header(name, value)).collect(),
        body: Vec::new(),
        verdict,
    };
    let is_redirect = matches!(response.status, 301..=303 | 307 | 308);
    if settings.max_redirects > 0 && is_redirect && response.header("location").is_some() {
        drain(body, context);
        return Ok(response);
    }
    let (known, limit) = (body.length(), settings.max_response_bytes);
    let has_body = has_body(request.method.as_str(), response.status);
    let codings = response.headers.iter().filter(|(name, _)| name == CONTENT_ENCODING.as_str());
    let layers = layers_of_gzip(codings.map(|(_, value)| value.as_str())).unwrap_or(0);
    if asked != Asked::Gzip || !has_body || layers == 0 {
        response.body = read_body(&mut body, known, host, limit)?;
        return Ok(response);
    }
    // Both are of what was sent, not of what the app gets.
    let sent = [CONTENT_ENCODING.as_str(), CONTENT_LENGTH.as_str()];
    response.headers.retain(|(name, _)| !sent.contains(&name.as_str()));
    let mut decoder: Box<dyn Read> = Box::new(body);
    for _ in 0..layers {
        decoder = Box::new(GzipDecoder::new(decoder));
    }
    response.body = read_body(&mut decoder, None, host, limit)?;
    Ok(response)
}

/// Nobody reads it. What cannot be drained quickly costs the connection, no more.
fn drain(body: BodyReader, context: &CallContext) {
    if body.length().is_none_or(|n| n <= DRAIN) {
        context.give_up_at(Instant::now() + DRAIN_TIME);
        // One byte more, so that the end is seen.
        let _unread = io::copy(&mut body.take(DRAIN + 1), &mut io::sink());
    }
}

/// Reads a decoded body to its end, but not past the limit: a megabyte of gzip can become a
/// gigabyte.
fn read_body(
    reader: &mut impl Read,
    known: Option<u64>,
    host: &str,
    limit: u64,
) -> Result<Vec<u8>, Error> {
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
        Err(e) => Err(match failure(e.into(), host) {
            Error::ConnectionLost { host, .. } => Error::Truncated { host, received },
            e => e,
        }),
    }
}

fn text_header(name: &HeaderName, value: &HeaderValue) -> (String, String) {
    (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
}
