//! The head of a proxy's answer to CONNECT (RFC 9112 §4), however it comes.

use std::io::{self, Read};

use crate::name::printable;

/// Longer heads are no answer to CONNECT.
const MAX_HEAD: usize = 32 * 1024;
/// As much of the page behind a refusal is read to use its connection once more.
const MAX_BODY: usize = 64 * 1024;
/// How many interim answers (RFC 9110 §15.2) come before the one that counts.
const MAX_INTERIM: usize = 8;
/// Longer reasons are nobody's to read.
const MAX_REASON: usize = 200;

/// What proxies say about a refusal beside its status; the first two come from squid and from RFC 9209.
const TELLING: [&str; 4] = ["x-squid-error", "proxy-status", "x-proxy-error", "x-error"];

/// A final answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    reason: String,
    is_http_1_0: bool,
    fields: Vec<(String, String)>,
    /// What has come behind its head.
    rest: Vec<u8>,
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum NoReply {
    Io(io::Error),
    /// The connection ended before its first byte.
    Ended,
    /// What came is no answer; how.
    Unusable(String),
}

impl Reply {
    /// Reads up to the end of a final answer's head.
    pub(super) fn read(from: &mut impl Read) -> Result<Self, NoReply> {
        let mut bytes = Vec::new();
        let mut interim = 0;
        let mut buffer = [0; 2_048];
        loop {
            while let Some(end) = end_of_head(&bytes) {
                let rest = bytes.split_off(end);
                let reply = Self::parse(&bytes, rest).map_err(NoReply::Unusable)?;
                if !(100..200).contains(&reply.status) {
                    return Ok(reply);
                }
                interim += 1;
                if interim > MAX_INTERIM {
                    return Err(NoReply::Unusable("it sends interim answers without end".into()));
                }
                bytes = reply.rest;
            }
            if !could_be_http(&bytes) {
                return Err(NoReply::Unusable(format!("{}, not HTTP", looks_like(&bytes))));
            }
            if bytes.len() > MAX_HEAD {
                return Err(NoReply::Unusable("its answer has a head without end".into()));
            }
            match from.read(&mut buffer) {
                Ok(0) if bytes.is_empty() => return Err(NoReply::Ended),
                Ok(0) => {
                    let reason = "it ended the connection in the midst of its answer";
                    return Err(NoReply::Unusable(reason.into()));
                }
                Ok(n) => bytes.extend_from_slice(&buffer[..n]),
                Err(e) => return Err(NoReply::Io(e)),
            }
        }
    }

    /// A head without its rest.
    fn parse(head: &[u8], rest: Vec<u8>) -> Result<Self, String> {
        let lines = head.split(|byte| *byte == b'\n');
        let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let mut lines = lines.map(|line| String::from_utf8_lossy(line).into_owned());
        let first = lines.next().unwrap_or_default();
        let mut words = first.splitn(3, ' ');
        let is_http_1_0 = match words.next() {
            Some("HTTP/1.1") => false,
            Some("HTTP/1.0") => true,
            _ => return Err("it does not answer in HTTP/1.1".into()),
        };
        let status = words.next().filter(|word| word.len() == 3);
        let status = status.and_then(|word| word.parse().ok()).filter(|status| *status >= 100);
        let status = status.ok_or("its answer has no status")?;
        let reason = words.next().unwrap_or_default().trim().to_owned();
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            if line.starts_with([' ', '\t']) {
                // A field that goes on (RFC 9112 §5.2).
                let (_, value) = fields.last_mut().ok_or("its answer begins with a blank")?;
                value.push(' ');
                value.push_str(line.trim());
                continue;
            }
            let (name, value) = line.split_once(':').ok_or("a line of its answer is no field")?;
            fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Self { status, reason, is_http_1_0, fields, rest })
    }

    pub(super) fn fields<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.fields.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| value.as_str())
    }

    /// Whether something has come behind its head.
    pub(super) fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Its reason phrase, and what it says elsewhere about why.
    pub(super) fn reason(&self) -> String {
        let told = TELLING.iter().filter_map(|name| Some((name, self.fields(name).next()?)));
        let told = told.map(|(name, value)| format!("{name}: {value}"));
        let phrase = Some(self.reason.clone()).filter(|reason| !reason.is_empty());
        let all = phrase.into_iter().chain(told).collect::<Vec<_>>().join("; ");
        printable(&all, MAX_REASON)
    }

    /// Reads the page behind it; whether the connection takes another request then.
    pub(super) fn drained(self, from: &mut impl Read) -> bool {
        let says = |word: &str| {
            let fields = self.fields("connection").chain(self.fields("proxy-connection"));
            fields.flat_map(|value| value.split(',')).any(|it| it.trim().eq_ignore_ascii_case(word))
        };
        let keeps = if self.is_http_1_0 { says("keep-alive") } else { !says("close") };
        let mut lengths = self.fields("content-length").map(str::parse::<usize>);
        let length = match (lengths.next(), lengths.next()) {
            (Some(Ok(length)), None) if length <= MAX_BODY => length,
            _ => return false,
        };
        if !keeps || self.fields("transfer-encoding").next().is_some() {
            return false;
        }
        let Some(left) = length.checked_sub(self.rest.len()) else { return false };
        io::copy(&mut from.take(left as u64), &mut io::sink()).is_ok_and(|n| n == left as u64)
    }
}

/// Where the empty line ends.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let mut line = 0;
    for (i, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' {
            let whole = &bytes[line..i];
            if line > 0 && matches!(whole, b"" | b"\r") {
                return Some(i + 1);
            }
            line = i + 1;
        }
    }
    None
}

fn could_be_http(bytes: &[u8]) -> bool {
    let n = bytes.len().min(5);
    bytes[..n] == b"HTTP/"[..n]
}

fn looks_like(bytes: &[u8]) -> &'static str {
    match bytes.first() {
        Some(20..=23) => "it answers in TLS",
        Some(4 | 5) => "it answers in SOCKS",
        _ => "it answers in something else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.0.len().min(1);
            buffer[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn unusable(bytes: &[u8]) -> String {
        match Reply::read(&mut Slow(bytes)) {
            Err(NoReply::Unusable(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn answers_are_read_whole_at_any_pace_and_from_either_version() {
        for (bytes, status, reason) in [
            (&b"HTTP/1.1 200 Connection established\r\n\r\n"[..], 200, "Connection established"),
            (b"HTTP/1.0 200 OK\nVia: x\n\n", 200, "OK"),
            (b"HTTP/1.1 200\r\n\r\n", 200, ""),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 N\r\n\r\n", 204, "N"),
            (
                b"HTTP/1.1 503 Service Unavailable\r\nX-Squid-Error: ERR_DNS_FAIL 0\r\n\r\n",
                503,
                "Service Unavailable; x-squid-error: ERR_DNS_FAIL 0",
            ),
            (
                b"HTTP/1.1 403 No\r\nProxy-Status: p;\r\n error=x\r\n\r\n",
                403,
                "No; proxy-status: p; error=x",
            ),
            (b"HTTP/1.1 403 a\x00b\xff\r\n\r\n", 403, "ab\u{fffd}"),
        ] {
            let slowly = Reply::read(&mut Slow(bytes)).expect("an answer");
            let at_once = Reply::read(&mut &*bytes).expect("an answer");
            for reply in [slowly, at_once] {
                assert_eq!((reply.status, reply.reason().as_str()), (status, reason));
                assert!(!reply.has_rest());
            }
        }
    }

    #[test]
    fn what_is_no_answer_is_told_in_words() {
        for (bytes, words) in [
            (&b"HTTP/2 200\r\n\r\n"[..], "HTTP/1.1"),
            (b"HTTP/1.1 2x0 OK\r\n\r\n", "no status"),
            (b"HTTP/1.1 99 OK\r\n\r\n", "no status"),
            (b"HTTP/1.1 200 OK\r\nno field\r\n\r\n", "no field"),
            (b"HTTP/1.1 200 OK\r\n folded\r\n\r\n", "blank"),
            (b"HTTP/1.1 200 OK\r\n", "midst"),
            (b"\x05\xff", "SOCKS"),
            (b"\x15\x03\x01", "TLS"),
            (b"SSH-2.0", "something else"),
        ] {
            let reason = unusable(bytes);
            assert!(reason.contains(words), "{reason} for {bytes:?}");
        }
        assert!(matches!(Reply::read(&mut &b""[..]), Err(NoReply::Ended)));
        let endless = [&b"HTTP/1.1 200 OK\r\n"[..], &b"a: b\r\n".repeat(10_000)].concat();
        assert!(unusable(&endless).contains("without end"));
        assert!(unusable(&b"HTTP/1.1 100 C\r\n\r\n".repeat(9)).contains("without end"));
    }

    #[test]
    fn a_connection_goes_on_only_where_the_page_has_a_length_and_nobody_says_close() {
        for (head, goes_on) in [
            ("HTTP/1.1 407 A\r\nContent-Length: 3", true),
            ("HTTP/1.1 407 A\r\nContent-Length: 0", false),
            ("HTTP/1.1 407 A\r\nContent-Length: 3\r\nConnection: Close", false),
            ("HTTP/1.1 407 A\r\nContent-Length: 3\r\nProxy-Connection: x, close", false),
            ("HTTP/1.1 407 A\r\nContent-Length: 3\r\nTransfer-Encoding: chunked", false),
            ("HTTP/1.1 407 A\r\nContent-Length: 3\r\nContent-Length: 3", false),
            ("HTTP/1.1 407 A\r\nContent-Length: 99999999", false),
            ("HTTP/1.1 407 A\r\nContent-Length: 4", false),
            ("HTTP/1.1 407 A", false),
            ("HTTP/1.0 407 A\r\nContent-Length: 3", false),
            ("HTTP/1.0 407 A\r\nContent-Length: 3\r\nProxy-Connection: Keep-Alive", true),
        ] {
            let bytes = format!("{head}\r\n\r\nabc");
            let mut from = bytes.as_bytes();
            let reply = Reply::read(&mut from).expect("an answer");
            assert_eq!(reply.drained(&mut from), goes_on, "{head}");
        }
    }
}
