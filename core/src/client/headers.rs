//! Header fields that an app sets, checked when they are.

use ureq::http::{HeaderName, HeaderValue};

use crate::error::Error;

/// Together with the URL it has to fit the connection's output buffer.
pub(super) const MAX_HEADER_BYTES: usize = 16 * 1024;

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

/// Headers in the order in which they were added.
#[derive(Clone, Default)]
pub(super) struct Headers(Vec<Header>);

#[derive(Clone)]
pub(super) struct Header {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
    /// Whether it stays behind when a redirect leads to another origin.
    pub(super) sensitive: bool,
}

impl Headers {
    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|header| !header.name.as_str().eq_ignore_ascii_case(name));
    }

    pub(super) fn add(&mut self, name: &str, value: &str, sensitive: bool) -> Result<(), Error> {
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
        self.push(Header { name, value, sensitive })
    }

    pub(super) fn push(&mut self, header: Header) -> Result<(), Error> {
        self.0.push(header);
        match self.size() > MAX_HEADER_BYTES {
            true => {
                let reason = format!("more than {MAX_HEADER_BYTES} bytes together");
                Err(Error::request("headers", reason))
            }
            false => Ok(()),
        }
    }

    pub(super) fn size(&self) -> usize {
        self.iter().map(|header| header.name.as_str().len() + header.value.len() + 4).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Header> + Clone {
        self.0.iter()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.iter().map(|header| header.name.as_str())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.names().any(|known| known.eq_ignore_ascii_case(name))
    }

    pub(super) fn retain(&mut self, keeps: impl FnMut(&Header) -> bool) {
        self.0.retain(keeps);
    }
}
