//! A request that can be sent: everything in it has been checked.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::builder::{MAX_REDIRECTS, MAX_TIMEOUT};
use super::headers::Headers;
use super::method::Method;
use super::multipart::Multipart;
use super::pipe::{PipeReader, WrittenBody};
use super::upload::{Body, BodySource, Custom, FromFile, OnProgress, Progress};
use super::url::Target;
use crate::error::Error;

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
    pub(super) headers: Headers,
    pub(super) body: Option<Body>,
    pub(super) on_upload: Option<OnProgress>,
    pub(super) timeout: Option<Duration>,
    pub(super) read_timeout: Option<Duration>,
    pub(super) max_response_bytes: Option<u64>,
    pub(super) max_redirects: Option<u32>,
}

impl Request {
    /// A request without headers or body.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`]: not absolute, not `https`, with credentials, an invalid host or port,
    /// a control character or space, or over 8 KiB.
    pub fn new(method: Method, url: &str) -> Result<Self, Error> {
        Ok(Self::to(method, Target::parse(url)?))
    }

    pub(super) fn to(method: Method, target: Target) -> Self {
        Self {
            method,
            target,
            headers: Headers::default(),
            body: None,
            on_upload: None,
            timeout: None,
            read_timeout: None,
            max_response_bytes: None,
            max_redirects: None,
        }
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
        self.headers.remove(name);
        self
    }

    fn add(mut self, name: &str, value: &str, sensitive: bool) -> Result<Self, Error> {
        self.headers.add(name, value, sensitive)?;
        if self.method.is_trace() && self.headers.iter().any(|header| header.sensitive) {
            return Err(Error::request("headers", "a secret, which the answer to TRACE shows"));
        }
        Ok(self)
    }

    /// Sets the body. It is sent as it is, with its length.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for GET, HEAD and TRACE, where a body has no meaning (RFC 9110 §9.3).
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

    /// Whether it takes those of a jar: its own count, and an answer to TRACE would show them.
    pub(super) fn takes_cookies(&self) -> bool {
        !self.headers.has("cookie") && !self.method.is_trace()
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

    /// How many redirects are followed, in the place of the client's number; with 0 a redirect is a
    /// response like others.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for more than 50.
    pub fn max_redirects(mut self, redirects: u32) -> Result<Self, Error> {
        if redirects > MAX_REDIRECTS {
            return Err(Error::request("max_redirects", "more than 50"));
        }
        self.max_redirects = Some(redirects);
        Ok(self)
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
            .field("headers", &self.headers.names().collect::<Vec<_>>())
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::headers::MAX_HEADER_BYTES;

    fn post() -> Request {
        Request::new(Method::Post, "https://api.example.com/?token=s3cret").expect("a good URL")
    }

    #[test]
    fn a_trace_carries_no_secret_and_no_body() {
        let trace = || {
            let method = "TRACE".parse().expect("a token");
            Request::new(method, "https://api.example.com/").expect("a good URL")
        };
        assert!(trace().header("Max-Forwards", "0").is_ok());
        let error = trace().header("Authorization", "Bearer s3cret").expect_err("shown to all");
        assert_eq!(error.place(), Some("headers"));
        assert!(trace().sensitive_header("X-Key", "s3cret").is_err());
        assert_eq!(trace().body(vec![1]).expect_err("no content").place(), Some("body"));
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
