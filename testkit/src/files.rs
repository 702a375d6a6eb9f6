//! Files that were published: whole or in part (RFC 9110 §13, §14), and lies about the part.

use std::io;

use sha2::{Digest, Sha256};

use crate::connection::Ending;
use crate::http::{Request, Response};
use crate::paths::{Stream, reply, send};

/// Something published, and what its version is told by.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) body: Vec<u8>,
    /// A tag, or a date for a server that has no tags.
    pub(crate) version: String,
}

impl File {
    /// Under the tag that the documentation of the update channel recommends.
    pub(crate) fn new(body: Vec<u8>) -> Self {
        let hex = Sha256::digest(&body).into_iter().map(|byte| format!("{byte:02x}"));
        let version = format!("\"{}\"", hex.collect::<String>());
        Self { body, version }
    }

    fn with_version(&self, response: Response, lie: Option<&str>) -> Response {
        match self.version.contains('"') {
            _ if lie == Some("tag") => response.header("ETag", "\"another\""),
            true => response.header("ETag", &self.version),
            false => response
                .header("Last-Modified", &self.version)
                .header("Date", "Mon, 30 Nov 2026 12:00:00 GMT"),
        }
    }
}

/// A file, unless the client has it already (RFC 9110 §13.1.2), or the part that it asks for.
pub(crate) fn file(request: &Request, file: File, stream: &mut Stream<'_>) -> io::Result<Ending> {
    let to = stream.get_mut();
    let known = request.header("if-none-match").is_some_and(|it| it == "*" || it == file.version);
    if known {
        return reply(request, to, &file.with_version(Response::new(304, ""), None));
    }
    let lie = request.header("x-lie");
    let total = file.body.len();
    let first = wanted(request, &file);
    let (status, first) = match first {
        None => (200, 0),
        Some(first) if first >= total => {
            let refused =
                Response::new(416, "").header("Content-Range", &format!("bytes */{total}"));
            return reply(request, to, &file.with_version(refused, None));
        }
        Some(first) => (206, first),
    };
    // Some servers send less than what was asked for.
    let piece = request.header("x-piece").and_then(|piece| piece.parse().ok());
    let end =
        if status == 206 { total.min(first.saturating_add(piece.unwrap_or(total))) } else { total };
    let mut response = Response::new(status, &file.body[first..end]);
    if status == 206 {
        let (first, total) = match lie {
            Some("first") => (first - 1, total),
            Some("total") => (first, total + 1),
            _ => (first, total),
        };
        let range = format!("bytes {first}-{}/{total}", end - 1);
        response = response.header("Content-Range", &range);
    }
    let response = file.with_version(response, lie.filter(|_| status == 206));
    match request.header("x-cut-after").and_then(|n| n.parse::<usize>().ok()) {
        Some(n) if n < end - first => {
            response.write_head(to)?;
            send(to, &file.body[first..first + n])?;
            Ok(Ending::Cut)
        }
        _ => reply(request, to, &response),
    }
}

/// Where the part begins that the client wants, if its condition holds (RFC 9110 §13.1.5).
fn wanted(request: &Request, file: &File) -> Option<usize> {
    let first = request.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?;
    let is_known = request.header("if-range").is_none_or(|version| version == file.version);
    // A server that looks at no condition sends the part of another version.
    (is_known || request.header("x-lie") == Some("condition")).then(|| first.parse().ok())?
}
