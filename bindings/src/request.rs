//! Requests and responses, and how one becomes the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use pinfold_core::client::Download;
use pinfold_core::pin::Outcome;
use pinfold_core::{CancelToken, Error, Method, Request, ResponseBody};

use crate::failure::Failure;
use crate::pins::{PinAt, PinState};
use crate::transfer::{BodyKind, Transfer, plain_body};

/// A header of a request or a response.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether it stays behind when a redirect leads to another origin; false in responses.
    pub sensitive: bool,
}

/// A request without its body.
#[derive(Clone, Debug, uniffi::Record)]
pub struct RequestHead {
    /// The method.
    pub method: String,
    /// The URL, absolute or relative to the client's base.
    pub url: String,
    /// The headers.
    pub headers: Vec<Header>,
    /// The call's own timeout.
    pub timeout_ms: Option<u64>,
    /// Its own timeout for the next bytes of the answer; 0 for none.
    pub read_timeout_ms: Option<u64>,
    /// Its own limit of decoded bytes.
    pub max_response_bytes: Option<u64>,
    /// How many redirects are followed, where not as many as the client says.
    pub max_redirects: Option<u32>,
    /// What its body is.
    pub body: BodyKind,
}

/// A response without its body.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// Where it came from, after redirects.
    pub url: String,
    /// The headers, names in lower case.
    pub headers: Vec<Header>,
    /// What was decided about the certificate.
    pub pinning: Pinning,
}

/// A response.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Response {
    /// All but the body.
    pub head: ResponseHead,
    /// The body, decoded.
    pub body: Vec<u8>,
}

/// A response whose body is to be read from its call.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Opened {
    /// All but the body.
    pub head: ResponseHead,
    /// How long the body is, where that is known.
    pub length: Option<u64>,
}

/// Where a download goes.
#[derive(Clone, Debug, uniffi::Record)]
pub struct DownloadTarget {
    /// The file.
    pub path: String,
    /// The SHA-256 that it must have, in hexadecimal digits.
    pub sha256: Option<String>,
}

/// What was decided about the connection's certificate.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum Pinning {
    /// A pin matched.
    Matched {
        /// The pin set's entry.
        rule: String,
        /// The pin.
        pin: String,
        /// Where it was found.
        at: PinAt,
        /// What the pin set says of it.
        state: PinState,
    },
    /// No pin matched, and the entry only reports.
    ReportOnly {
        /// The failure that `enforce` would have been.
        mismatch: Failure,
    },
    /// No pin matched, but an authority that may inspect the connection has issued the certificate.
    Inspected {
        /// The pin set's entry.
        rule: String,
        /// The authority's id.
        authority: String,
        /// The failure that it would have been.
        mismatch: Failure,
    },
    /// The entry switches pinning off.
    Off {
        /// The pin set's entry.
        rule: String,
    },
    /// The entry has expired.
    Lapsed {
        /// The pin set's entry.
        rule: String,
    },
    /// The pin set says nothing about the host.
    NotPinned,
}

/// The text of a body with this `Content-Type`.
#[uniffi::export]
pub fn body_text(body: &[u8], content_type: Option<String>) -> String {
    pinfold_core::client::text(body, content_type.as_deref()).into_owned()
}

/// A response as it crosses.
pub(crate) fn parts(response: pinfold_core::Response) -> (ResponseHead, Vec<u8>) {
    (response_head(&response), response.into_body())
}

/// A response whose body `transfer` takes in.
pub(crate) fn opened(
    response: pinfold_core::Response<ResponseBody>,
    transfer: &Transfer,
) -> Opened {
    let head = response_head(&response);
    let body = response.into_body();
    let length = body.length();
    transfer.begin_reading(body);
    Opened { head, length }
}

/// A file, whole; the body is that of another answer.
pub(crate) fn download(
    client: &pinfold_core::Client,
    request: Request,
    target: DownloadTarget,
    transfer: &Arc<Transfer>,
    cancel: &CancelToken,
) -> Result<(ResponseHead, Vec<u8>), Error> {
    let transfer = transfer.clone();
    let mut download = Download::new(request, target.path)
        .on_progress(move |progress| transfer.set_received(progress));
    if let Some(digits) = target.sha256 {
        download = download.sha256(sha256(&digits)?);
    }
    client.download(&download, cancel).map(parts)
}

fn sha256(digits: &str) -> Result<[u8; 32], Error> {
    let wrong = || Error::InvalidRequest {
        field: "sha256".into(),
        reason: "not 64 hexadecimal digits".into(),
    };
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let mut digest = [0; 32];
    for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| wrong())?;
    }
    Ok(digest)
}

/// A panic turned into an error: the client's locks survive it, and nothing else is shared.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::Internal { reason: "a panic".into() }))
}

/// A request of `client` as it has crossed, with the body of its call where that has one.
pub(crate) fn request(
    client: &pinfold_core::Client,
    head: RequestHead,
    body: Vec<u8>,
    transfer: Option<&Arc<Transfer>>,
) -> Result<Request, Error> {
    let mut request = client.request(head.method.parse::<Method>()?, &head.url)?;
    for header in &head.headers {
        request = if header.sensitive {
            request.add_sensitive_header(&header.name, &header.value)?
        } else {
            request.add_header(&header.name, &header.value)?
        };
    }
    if let Some(ms) = head.timeout_ms {
        request = request.timeout(Duration::from_millis(ms))?;
    }
    if let Some(ms) = head.read_timeout_ms {
        request = request.read_timeout(Duration::from_millis(ms))?;
    }
    if let Some(bytes) = head.max_response_bytes {
        request = request.max_response_bytes(bytes);
    }
    if let Some(redirects) = head.max_redirects {
        request = request.max_redirects(redirects)?;
    }
    match transfer {
        Some(transfer) => transfer.with_body(request, head.body, body),
        None => plain_body(request, head.body, body),
    }
}

pub(crate) fn response_head<B>(response: &pinfold_core::Response<B>) -> ResponseHead {
    let header = |(name, value): &(String, String)| Header {
        name: name.clone(),
        value: value.clone(),
        sensitive: false,
    };
    let verdict = response.verdict();
    let rule = verdict.facts.rule.clone().unwrap_or_default();
    let mismatch = || Error::PinMismatch(Box::new(verdict.facts.clone())).into();
    let pinning = match &verdict.outcome {
        Outcome::Match(matched) => Pinning::Matched {
            rule,
            pin: matched.pin.to_string(),
            at: matched.at.into(),
            state: matched.state.into(),
        },
        // No response comes over a blocked key.
        Outcome::NoMatch | Outcome::BlockedKey(_) => Pinning::ReportOnly { mismatch: mismatch() },
        Outcome::Inspected(id) => {
            Pinning::Inspected { rule, authority: id.clone(), mismatch: mismatch() }
        }
        Outcome::Off => Pinning::Off { rule },
        Outcome::Lapsed => Pinning::Lapsed { rule },
        Outcome::NotPinned => Pinning::NotPinned,
    };
    ResponseHead {
        status: response.status(),
        url: response.url().to_owned(),
        headers: response.headers().iter().map(header).collect(),
        pinning,
    }
}
