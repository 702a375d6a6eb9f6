//! A request that can be sent: everything in it has been checked.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::{HeaderName, HeaderValue};

use super::builder::MAX_TIMEOUT;
use super::multipart::Multipart;
use super::pipe::{PipeReader, WrittenBody};
use super::upload::{Body, BodySource, Custom, FromFile, OnProgress, Progress};
use super::url::Target;
use crate::error::Error;

/// Together with the URL it has to fit the connection's output buffer.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Headers that frame the message or belong to one connection (RFC 9110 §7.6.1): ours to set.
const RESERVED: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `DELETE`
    Delete,
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `PATCH`
    Patch,
    /// `POST`
    Post,
    /// `PUT`
    Put,
}

impl Method {
    /// As it is written in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }

    /// Whether sending it twice has the effect of sending it once (RFC 9110 §9.2.2).
    pub(super) fn is_idempotent(self) -> bool {
        !matches!(self, Self::Patch | Self::Post)
    }

    fn takes_body(self) -> bool {
        !matches!(self, Self::Get | Self::Head)
    }
}

impl FromStr for Method {
    type Err = Error;

    /// Reads a method; methods are case-sensitive (RFC 9110 §9.1).
    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::Delete, Self::Get, Self::Head, Self::Patch, Self::Post, Self::Put]
            .into_iter()
            .find(|method| method.as_str() == text)
            .ok_or_else(|| {
                let shown: String = text.chars().take(20).collect();
                Error::request(
                    "method",
                    format!("{shown:?} is none of DELETE GET HEAD PATCH POST PUT"),
                )
            })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One HTTP request.
///
/// ```
/// use pinfold_core::{Method, Request};
///
/// # fn main() -> Result<(), pinfold_core::Error> {
/// let request = Request::new(Method::Post, "https://api.example.com/v1/orders")?
///     .header("Content-Type", "application/json")?
///     .sensitive_header("X-Api-Key", "…secret…".trim_matches('…'))?
///     .body(br#"{"item":7}"#.to_vec())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Request {
    pub(super) method: Method,
    pub(super) target: Target,
    pub(super) headers: Vec<Header>,
    pub(super) body: Option<Body>,
    pub(super) on_upload: Option<OnProgress>,
    pub(super) timeout: Option<Duration>,
    pub(super) read_timeout: Option<Duration>,
    pub(super) max_response_bytes: Option<u64>,
}

#[derive(Clone)]
pub(super) struct Header {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
    /// Whether it stays behind when a redirect leads to another origin.
    pub(super) sensitive: bool,
}

impl Request {
    /// A request without headers or body.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`]: not absolute, not `https`, with credentials, an invalid host or port,
    /// a control character or space, or over 8 KiB.
    pub fn new(method: Method, url: &str) -> Result<Self, Error> {
        let target = Target::parse(url)?;
        Ok(Self {
            method,
            target,
            headers: Vec::new(),
            body: None,
            on_upload: None,
            timeout: None,
            read_timeout: None,
            max_response_bytes: None,
        })
    }

    /// Sets a header, in the place of those of this name. `Authorization` and `Cookie` are kept from
    /// other origins by themselves.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a name that is no token or that the client itself sets
    /// (`Host`, `Content-Length`…), for a value with control or non-ASCII characters, and where all
    /// headers together exceed 16 KiB.
    pub fn header(self, name: &str, value: &str) -> Result<Self, Error> {
        self.without(name).add(name, value, false)
    }

    /// Sets a header with a secret: it is not sent to another origin when a redirect leads there.
    ///
    /// # Errors
    /// As [`Self::header`].
    pub fn sensitive_header(self, name: &str, value: &str) -> Result<Self, Error> {
        self.without(name).add(name, value, true)
    }

    /// Adds a header beside those of this name, for fields that are lists (RFC 9110 §5.3).
    ///
    /// # Errors
    /// As [`Self::header`].
    pub fn add_header(self, name: &str, value: &str) -> Result<Self, Error> {
        self.add(name, value, false)
    }

    /// Adds a header with a secret beside those of this name; see [`Self::sensitive_header`].
    ///
    /// # Errors
    /// As [`Self::header`].
    pub fn add_sensitive_header(self, name: &str, value: &str) -> Result<Self, Error> {
        self.add(name, value, true)
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|header| !header.name.as_str().eq_ignore_ascii_case(name));
        self
    }

    fn add(mut self, name: &str, value: &str, sensitive: bool) -> Result<Self, Error> {
        let shown: String = name.chars().take(40).collect();
        let place = format!("header {shown:?}");
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Error::request(&*place, "not a header name"))?;
        if RESERVED.contains(&name.as_str()) {
            return Err(Error::request(place, "set by the client itself"));
        }
        // The value is never shown: it may be a secret.
        let mut value = match HeaderValue::from_str(value) {
            Ok(parsed) if value.is_ascii() => parsed,
            _ => {
                let reason = "its value has a control or non-ASCII character";
                return Err(Error::request(place, reason));
            }
        };
        let sensitive = sensitive || matches!(name.as_str(), "authorization" | "cookie");
        value.set_sensitive(sensitive);
        self.headers.push(Header { name, value, sensitive });
        let size = |h: &Header| h.name.as_str().len() + h.value.len() + 4;
        if self.headers.iter().map(size).sum::<usize>() > MAX_HEADER_BYTES {
            let reason = format!("more than {MAX_HEADER_BYTES} bytes together");
            return Err(Error::request("headers", reason));
        }
        Ok(self)
    }

    /// Sets the body. It is sent as it is, with its length.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for GET and HEAD, where a body has no meaning (RFC 9110 §9.3.1).
    pub fn body(self, body: Vec<u8>) -> Result<Self, Error> {
        self.with(Body::Bytes(Arc::new(body)))
    }

    /// Sets a file as the body, read while it is sent. It may be as large as it likes and take as long
    /// as it goes on: the client's own timeout is for bodies in memory, the request's holds here too.
    ///
    /// # Errors
    /// As [`Self::body`], and [`Error::IoFailed`] for what is no file or cannot be looked at.
    pub fn body_file(self, path: &Path) -> Result<Self, Error> {
        self.with(Body::supplied(FromFile::new(path)?))
    }

    /// Sets a source as the body, read while it is sent; see [`Self::body_file`] for the time that it
    /// takes. Clones of the request share it, and one call at a time has it.
    ///
    /// # Errors
    /// As [`Self::body`].
    pub fn body_source(self, source: impl BodySource + 'static) -> Result<Self, Error> {
        self.with(Body::supplied(Custom(source)))
    }

    /// Sets a body that is written while it is sent, by another thread than the one that sends it. It
    /// cannot begin again, so it is sent once at most.
    ///
    /// # Errors
    /// As [`Self::body`].
    pub fn body_written(self, written: WrittenBody, length: Option<u64>) -> Result<Self, Error> {
        self.with(Body::supplied(PipeReader::new(written, length)))
    }

    /// Sets a form with files as the body, and its `Content-Type`.
    ///
    /// # Errors
    /// As [`Self::body`], and for a form with parts that nobody writes.
    pub fn multipart(self, form: Multipart) -> Result<Self, Error> {
        let (data, content_type) = form.into_body()?;
        self.with(Body::supplied(data))?.header("Content-Type", &content_type)
    }

    fn with(mut self, body: Body) -> Result<Self, Error> {
        if !self.method.takes_body() {
            return Err(Error::request("body", format!("{} takes none", self.method)));
        }
        self.body = Some(body);
        Ok(self)
    }

    /// Has `listener` told how much of the body has been handed to the connection, from the thread that
    /// sends it. After a redirect or another attempt it begins again.
    pub fn on_upload(mut self, listener: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.on_upload = Some(Arc::new(listener));
        self
    }

    /// Whether its body may take as long as it goes on.
    pub(super) fn is_open_ended(&self) -> bool {
        self.timeout.is_none() && self.body.as_ref().is_some_and(Body::is_supplied)
    }

    /// Whether it can be sent from its beginning, once more if need be.
    pub(super) fn rewind(&self) -> Result<bool, Error> {
        self.body.as_ref().map_or(Ok(true), Body::rewind)
    }

    /// Overrides the client's timeout for the whole call.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for zero, and for more than 24 hours.
    pub fn timeout(mut self, timeout: Duration) -> Result<Self, Error> {
        if timeout.is_zero() || timeout > MAX_TIMEOUT {
            return Err(Error::request("timeout", "not between 1 ms and 24 hours"));
        }
        self.timeout = Some(timeout);
        Ok(self)
    }

    /// Overrides the client's timeout for the next bytes of the answer; 0 for none, as a long poll or
    /// a slow report wants it.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for more than 24 hours.
    pub fn read_timeout(mut self, timeout: Duration) -> Result<Self, Error> {
        if timeout > MAX_TIMEOUT {
            return Err(Error::request("read_timeout", "more than 24 hours"));
        }
        self.read_timeout = Some(timeout);
        Ok(self)
    }

    /// The largest body accepted, counted as decoded. Overrides the client's limit; a body that is
    /// pulled has no other.
    pub fn max_response_bytes(mut self, bytes: u64) -> Self {
        self.max_response_bytes = Some(bytes);
        self
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The URL, normalised.
    pub fn url(&self) -> &str {
        self.target.as_str()
    }
}

impl fmt::Debug for Request {
    /// Without query, header values and body: those may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("host", &self.target.host().as_str())
            .field("headers", &self.headers.iter().map(|h| h.name.as_str()).collect::<Vec<_>>())
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post() -> Request {
        Request::new(Method::Post, "https://api.example.com/?token=s3cret").expect("a good URL")
    }

    #[test]
    fn methods_are_read_as_written() {
        assert_eq!("PATCH".parse(), Ok(Method::Patch));
        for text in ["", "get", "GET ", "TRACE", "GET\0", &"G".repeat(1 << 20)] {
            assert_eq!(text.parse::<Method>().expect_err("no method").code(), "invalid_request");
        }
    }

    #[test]
    fn bad_headers_are_refused_and_their_values_not_shown() {
        for (name, value) in [
            ("", "v"),
            ("a b", "v"),
            ("a\r\nb", "v"),
            ("ä", "v"),
            ("x", "s3cret\r\nInjected: 1"),
            ("x", "s3cret\0"),
            ("x", "s3cret ü"),
            ("Host", "s3cret"),
            ("content-length", "7"),
            ("Transfer-Encoding", "chunked"),
        ] {
            let error = post().header(name, value).expect_err(name);
            assert_eq!(error.code(), "invalid_request");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        let huge = post().header("x", &"v".repeat(MAX_HEADER_BYTES)).expect_err("too long");
        assert_eq!(huge.place(), Some("headers"));
    }

    #[test]
    fn a_header_replaces_those_of_its_name_and_an_added_one_does_not() {
        let request = post()
            .header("Accept", "a/a")
            .and_then(|it| it.add_header("ACCEPT", "b/b"))
            .and_then(|it| it.sensitive_header("Key", "old"))
            .and_then(|it| it.header("accept", "c/c"))
            .and_then(|it| it.add_header("Accept", "d/d"))
            .and_then(|it| it.add_sensitive_header("Key", "beside"))
            .and_then(|it| it.sensitive_header("key", "new"))
            .expect("good headers");
        let sent = request.headers.iter().map(|it| (it.name.as_str(), it.value.as_bytes()));
        let expected = [("accept", &b"c/c"[..]), ("accept", b"d/d"), ("key", b"new")];
        assert_eq!(sent.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn bodies_and_timeouts_are_checked() {
        let get = Request::new(Method::Get, "https://api.example.com/").expect("a good URL");
        assert_eq!(get.body(vec![1]).expect_err("GET").place(), Some("body"));
        for timeout in [Duration::ZERO, Duration::MAX] {
            assert_eq!(post().timeout(timeout).expect_err("out of range").place(), Some("timeout"));
        }
        let read = post().read_timeout(Duration::MAX).expect_err("out of range");
        assert_eq!(read.place(), Some("read_timeout"));
        assert!(post().read_timeout(Duration::ZERO).is_ok(), "none");
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let request = post().header("Authorization", "Bearer s3cret").expect("a good header");
        let request = request.body(b"s3cret".to_vec()).expect("POST");
        let text = format!("{request:?}");
        assert!(text.contains("authorization") && !text.contains("s3cret"), "{text}");
    }
}
