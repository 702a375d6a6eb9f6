//! Methods: the common ones by name, and every other by its token.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// No registered one is longer than 17.
const MAX_TOKEN: usize = 32;

/// An HTTP method.
///
/// ```
/// use pinfold_core::Method;
///
/// let find: Method = "PROPFIND".parse()?;
/// assert_eq!(find.as_str(), "PROPFIND");
/// # Ok::<(), pinfold_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `DELETE`
    Delete,
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `OPTIONS`
    Options,
    /// `PATCH`
    Patch,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// Any other, such as `PROPFIND`; read from text.
    Other(MethodToken),
}

/// The name of a method that is none of the common ones.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MethodToken {
    bytes: [u8; MAX_TOKEN],
    length: usize,
}

const COMMON: [Method; 7] = [
    Method::Delete,
    Method::Get,
    Method::Head,
    Method::Options,
    Method::Patch,
    Method::Post,
    Method::Put,
];

/// Those of the IANA's HTTP Method Registry that are idempotent and may be met in apps. One that is not
/// here is taken for one that is not: it is sent once.
const IDEMPOTENT: [&str; 6] = ["PROPFIND", "PROPPATCH", "QUERY", "REPORT", "SEARCH", "TRACE"];

impl Method {
    /// As it is written in a request.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Other(token) => token.as_str(),
        }
    }

    /// Whether sending it twice has the effect of sending it once (RFC 9110 §9.2.2).
    pub fn is_idempotent(&self) -> bool {
        match self {
            Self::Delete | Self::Get | Self::Head | Self::Options | Self::Put => true,
            Self::Patch | Self::Post => false,
            Self::Other(token) => IDEMPOTENT.contains(&token.as_str()),
        }
    }

    /// Whether a body has a meaning; of a method that is not known it may (RFC 9110 §9.3).
    pub(super) fn takes_body(&self) -> bool {
        !matches!(self, Self::Get | Self::Head) && !self.is_trace()
    }

    /// Whether the answer shows the request to whoever reads it: nothing that is secret goes into one
    /// (RFC 9110 §9.3.8).
    pub(super) fn is_trace(&self) -> bool {
        self.as_str() == "TRACE"
    }
}

impl FromStr for Method {
    type Err = Error;

    /// Reads a method: a token (RFC 9110 §5.6.2) of at most 32 characters. Methods are case-sensitive
    /// (§9.1), and one that is a common one but for its case is a mistake. `CONNECT` asks for a tunnel
    /// and is none that an app can send.
    fn from_str(text: &str) -> Result<Self, Error> {
        let fail = |reason: &str| {
            let shown: String = text.chars().take(20).collect();
            Err(Error::request("method", format!("{shown:?} {reason}")))
        };
        if let Some(common) = COMMON.iter().find(|it| it.as_str().eq_ignore_ascii_case(text)) {
            return match common.as_str() == text {
                true => Ok(*common),
                false => fail(&format!("is not {common}: methods are case-sensitive")),
            };
        }
        if text.eq_ignore_ascii_case("CONNECT") {
            return fail("asks for a tunnel and not for an answer");
        }
        if text.is_empty() || text.len() > MAX_TOKEN || !text.bytes().all(is_token) {
            return fail("is no token of at most 32 characters");
        }
        let mut bytes = [0; MAX_TOKEN];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self::Other(MethodToken { bytes, length: text.len() }))
    }
}

/// RFC 9110 §5.6.2.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl MethodToken {
    fn as_str(&self) -> &str {
        // It was read from text of nothing but ASCII.
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl fmt::Debug for MethodToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_token_is_a_method_as_it_is_written() {
        for text in ["PATCH", "OPTIONS", "QUERY", "PROPFIND", "M-SEARCH", "x!#$%&'*+-.^_`|~"] {
            assert_eq!(text.parse::<Method>().expect(text).as_str(), text);
        }
        let long = "G".repeat(MAX_TOKEN + 1);
        for text in ["", "get", "Post", "GET ", "G T", "GET\0", "GÄT", "A\r\nB", "CONNECT", &long]
        {
            assert_eq!(text.parse::<Method>().expect_err("no method").code(), "invalid_request");
        }
    }

    #[test]
    fn what_may_be_repeated_is_what_is_known_to_be() {
        for text in ["DELETE", "GET", "HEAD", "OPTIONS", "PUT", "QUERY", "PROPFIND", "TRACE"] {
            assert!(text.parse::<Method>().expect(text).is_idempotent(), "{text}");
        }
        for text in ["PATCH", "POST", "LOCK", "PURGE", "query", "propfind"] {
            assert!(!text.parse::<Method>().expect(text).is_idempotent(), "{text}");
        }
    }
}
