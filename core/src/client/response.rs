//! A response, whole.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::charset;
use crate::pin::{MatchedPin, Outcome, Verdict};

/// The answer to a request, its body decoded and complete.
#[derive(Clone)]
pub struct Response {
    pub(super) status: u16,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) verdict: Arc<Verdict>,
}

impl Response {
    /// The status code. Every code is a response; none is an error.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Where it came from: the URL of the last redirect followed.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The headers in the order received, names in lower case, values in UTF-8 with U+FFFD for what
    /// is not.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The first value of the header `name`, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body's bytes, after gzip.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body's bytes.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// The body's characters, with U+FFFD for what is none: by its byte order mark, else by the
    /// charset of its `Content-Type`, else in UTF-8. Known are UTF-8, UTF-16, UTF-32, ISO-8859-1 and
    /// US-ASCII; others are read as UTF-8.
    pub fn text(&self) -> Cow<'_, str> {
        charset::text(&self.body, self.header("content-type"))
    }

    /// What was decided about the connection's certificate.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// The pin that matched, if any.
    pub fn matched_pin(&self) -> Option<&MatchedPin> {
        match &self.verdict.outcome {
            Outcome::Match(matched) => Some(matched),
            _ => None,
        }
    }
}

impl fmt::Debug for Response {
    /// Without query, header values and body: those may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("body_bytes", &self.body.len())
            .field("outcome", &self.verdict.outcome)
            .finish_non_exhaustive()
    }
}
