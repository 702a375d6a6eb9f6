//! A response, whole or with a body that is still to come.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::body::ResponseBody;
use super::charset;
use crate::error::Error;
use crate::pin::{MatchedPin, Outcome, Verdict};

/// The answer to a request, its body decoded: complete, or as a
/// [`ResponseBody`](super::ResponseBody) that is pulled.
#[derive(Clone)]
pub struct Response<B = Vec<u8>> {
    pub(super) status: u16,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: B,
    pub(super) verdict: Arc<Verdict>,
}

impl<B> Response<B> {
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

    /// All values of the header `name`, in any case, in the order in which they came.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let is_it = move |it: &&(String, String)| it.0.eq_ignore_ascii_case(name);
        self.headers.iter().filter(is_it).map(|(_, value)| value.as_str())
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

    /// The body.
    pub fn into_body(self) -> B {
        self.body
    }

    /// The same with another body, which is made of this one.
    pub(super) fn with<C>(
        self,
        make: impl FnOnce(B) -> Result<C, Error>,
    ) -> Result<Response<C>, Error> {
        let Self { status, url, headers, body, verdict } = self;
        Ok(Response { status, url, headers, body: make(body)?, verdict })
    }
}

impl Response {
    /// The body's bytes, decoded.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body's characters, with U+FFFD for what is none: by its byte order mark, else by the
    /// charset of its `Content-Type`, else in UTF-8. Known are UTF-8, UTF-16, UTF-32, ISO-8859-1 and
    /// US-ASCII; others are read as UTF-8.
    pub fn text(&self) -> Cow<'_, str> {
        charset::text(&self.body, self.header("content-type"))
    }
}

impl Response<ResponseBody> {
    /// The body, to be pulled from.
    pub fn body_mut(&mut self) -> &mut ResponseBody {
        &mut self.body
    }
}

impl<B> Response<B> {
    /// Without query, header values and body: those may be secret.
    fn describe<'a, 'b>(&self, f: &'a mut fmt::Formatter<'b>) -> fmt::DebugStruct<'a, 'b> {
        let mut told = f.debug_struct("Response");
        told.field("status", &self.status)
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("outcome", &self.verdict.outcome);
        told
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f).field("body_bytes", &self.body.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Response<ResponseBody> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f).field("body", &self.body).finish_non_exhaustive()
    }
}
