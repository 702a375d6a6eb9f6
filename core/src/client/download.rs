//! Straight to a file: whole or not at all, gone on from where it broke off.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::method::Method;
use super::partial::Partial;
use super::request::Request;
use super::response::Response;
use super::upload::{OnProgress, Progress};
use super::url::Target;
use super::version::{Part, Validator};
use super::{Client, ResponseBody};
use crate::cancel::CancelToken;
use crate::error::{Error, TimeoutPhase};

/// How often in a row a download goes on after its connection broke.
const MAX_RESUMES: u32 = 5;
/// After that many new bytes the row begins again.
const GOOD_PIECE: u64 = 1 << 20;
const BUFFER: usize = 64 * 1_024;

/// A file to fetch.
///
/// ```no_run
/// # use pinfold_core::{CancelToken, Client, Method, Request};
/// use pinfold_core::client::Download;
///
/// # fn f(client: &Client) -> Result<(), pinfold_core::Error> {
/// let request = Request::new(Method::Get, "https://cdn.example.com/maps/berlin.bin")?;
/// let download = Download::new(request, "maps/berlin.bin")
///     .on_progress(|progress| println!("{} of {:?}", progress.done, progress.total));
/// let response = client.download(&download, &CancelToken::new())?;
/// println!("{}", response.status());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Download {
    request: Request,
    to: PathBuf,
    sha256: Option<[u8; 32]>,
    on_progress: Option<OnProgress>,
}

impl Download {
    /// Fetches what `request`, a GET, asks for to the file `to`.
    pub fn new(request: Request, to: impl Into<PathBuf>) -> Self {
        Self { request, to: to.into(), sha256: None, on_progress: None }
    }

    /// Refuses a file that has not this SHA-256.
    pub fn sha256(mut self, digest: [u8; 32]) -> Self {
        self.sha256 = Some(digest);
        self
    }

    /// Has `listener` told how much of the file is there, from the thread that downloads it.
    pub fn on_progress(mut self, listener: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(listener));
        self
    }

    fn check(&self) -> Result<(), Error> {
        if self.request.method != Method::Get {
            return Err(Error::request("method", "a download is a GET"));
        }
        let ours = ["accept-encoding", "if-range", "range"];
        match self.request.headers.iter().find(|header| ours.contains(&header.name.as_str())) {
            Some(header) => Err(Error::request(
                format!("header {:?}", header.name),
                "set by the download itself",
            )),
            None => Ok(()),
        }
    }

    /// What tells this request from others, without giving it away.
    fn digest(&self) -> String {
        let digest = Sha256::digest(self.request.url());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The request for what is missing: as it lies at the server, so that its parts fit together.
    fn request(&self, partial: &Partial) -> Result<Request, Error> {
        let request = self.request.clone().header("Accept-Encoding", "identity")?;
        match partial.known() {
            None => Ok(request),
            Some(known) => request
                .header("Range", &format!("bytes={}-", known.length))?
                .header("If-Range", known.validator.text()),
        }
    }

    fn tell(&self, done: u64, total: Option<u64>) {
        if let Some(on_progress) = &self.on_progress {
            on_progress(Progress { done, total });
        }
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("request", &self.request).finish_non_exhaustive()
    }
}

/// What an answer is to a download.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// The file from its beginning.
    Whole,
    /// What follows on what is there.
    Rest(Part),
    /// What is there is of another version, or the server does not say.
    Stale,
    /// Not the file.
    Other,
}

impl Client {
    /// Downloads a file. It appears under its name when it is whole, and never before. If the connection
    /// breaks the download goes on from there, at once and also when it is called for again later,
    /// where the server tells its versions apart for certain (a strong `ETag`, or `Last-Modified`);
    /// else from the beginning. The response has status 200, or 206 where it was gone on
    /// with, and no body; for every other status there is no file, and its body is in the response.
    ///
    /// The client's own timeout and limit of bytes do not hold, the request's own do.
    ///
    /// # Errors
    /// [`Error::IoFailed`] where the file cannot be written, or another call is downloading it;
    /// [`Error::DigestMismatch`]; every other code of `docs/errors.md`.
    pub fn download(&self, download: &Download, cancel: &CancelToken) -> Result<Response, Error> {
        download.check()?;
        let digest = download.digest();
        let mut partial = Partial::open(&download.to, &digest)?;
        let mut resumes = 0;
        loop {
            let mut response = self.stream(&download.request(&partial)?, cancel)?;
            let (total, end) = match fate(&response, &partial) {
                Fate::Other if response.status == 206 => {
                    return Err(download.wrong(&response, "a part of it, which was not asked for"));
                }
                Fate::Other => {
                    let limit = download.request.max_response_bytes;
                    let limit = limit.unwrap_or(self.0.shared.settings.max_response_bytes);
                    return response.with(|body| body.into_bytes(limit));
                }
                Fate::Stale => {
                    partial.discard()?;
                    continue;
                }
                Fate::Whole => {
                    let (validator, total) =
                        (Validator::of(|name| response.header(name)), response.body.length());
                    partial.begin(&digest, validator, total)?;
                    (total, total)
                }
                Fate::Rest(part) => (Some(part.total), Some(part.end)),
            };
            let before = partial.length();
            let copied = download.copy(response.body_mut(), &mut partial, total);
            if partial.length() - before >= GOOD_PIECE {
                resumes = 0;
            }
            // What does not end where it said it does is no part of anything.
            let beyond = end.is_some_and(|end| partial.length() > end);
            let short = copied.is_ok() && end.is_some_and(|end| partial.length() < end);
            if beyond || short {
                partial.discard()?;
                return Err(download.wrong(&response, "not as long as it said"));
            }
            match copied {
                // A server may send less than what was asked for.
                Ok(()) if total.is_some_and(|total| partial.length() < total) => partial.keep()?,
                Ok(()) => {
                    download.finish(partial, response.url(), cancel)?;
                    return response.with(|_| Ok(Vec::new()));
                }
                Err(error) => {
                    partial.keep()?;
                    let goes_on = partial.known().is_some() && partial.length() > before;
                    if !goes_on || !is_broken(&error) || resumes == MAX_RESUMES {
                        return Err(error);
                    }
                    resumes += 1;
                }
            }
        }
    }
}

impl Download {
    fn wrong<B>(&self, response: &Response<B>, reason: &str) -> Error {
        Error::InvalidResponse {
            host: host(response.url()),
            reason: format!("its file is {reason}"),
        }
    }

    fn copy(
        &self,
        body: &mut ResponseBody,
        partial: &mut Partial,
        total: Option<u64>,
    ) -> Result<(), Error> {
        self.tell(partial.length(), total);
        let mut buffer = vec![0; BUFFER];
        loop {
            let n = body.pull(&mut buffer)?;
            if n == 0 {
                return Ok(());
            }
            partial.write(&buffer[..n])?;
            self.tell(partial.length(), total);
        }
    }

    fn finish(&self, mut partial: Partial, url: &str, cancel: &CancelToken) -> Result<(), Error> {
        if let Some(expected) = self.sha256 {
            let go_on = || if cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) };
            if partial.sha256(go_on)? != expected {
                partial.discard()?;
                return Err(Error::DigestMismatch { host: host(url) });
            }
        }
        partial.finish()
    }
}

/// The host of the URL of a response.
fn host(url: &str) -> String {
    Target::parse(url).map(|target| target.host().to_string()).unwrap_or_default()
}

fn fate(response: &Response<ResponseBody>, partial: &Partial) -> Fate {
    let header = |name: &str| response.header(name);
    match (response.status(), partial.known()) {
        (200, _) => Fate::Whole,
        (206, Some(known)) => {
            let part = header("content-range").and_then(Part::parse).filter(|part| {
                part.first == known.length
                    && known.total.is_none_or(|total| total == part.total)
                    && known.validator.allows(header)
                    && response.body.length().is_none_or(|n| n == part.end - part.first)
            });
            part.map_or(Fate::Stale, Fate::Rest)
        }
        (416, Some(_)) => Fate::Stale,
        _ => Fate::Other,
    }
}

/// Whether the way is to blame, and not the server or the app.
fn is_broken(error: &Error) -> bool {
    matches!(
        error,
        Error::ConnectionLost { .. }
            | Error::Truncated { .. }
            | Error::Timeout { phase: TimeoutPhase::FirstByte | TimeoutPhase::Read, .. }
    )
}
