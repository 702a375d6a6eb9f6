//! What the servers answer, well and badly. The table is in the documentation of the crate.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::write::GzEncoder;
use flate2::{Compress, Compression, Crc, FlushCompress};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::json;

use crate::connection::{Connection, Ending};
use crate::event::Event;
use crate::http::{Chunked, Request, Response};

const MEBIBYTE: usize = 1 << 20;
const BOMB_MEBIBYTES: u32 = 200;

pub(crate) type Stream<'a> = BufReader<Connection<'a>>;

pub(crate) fn answer(request: &Request, stream: &mut Stream<'_>) -> io::Result<Ending> {
    match route(request, stream) {
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            reply(request, stream.get_mut(), &Response::new(400, error.to_string()))
        }
        outcome => outcome,
    }
}

fn route(request: &Request, stream: &mut Stream<'_>) -> io::Result<Ending> {
    let segments: Vec<&str> = request.path().split('/').skip(1).collect();
    let to = stream.get_mut();
    match segments[..] {
        ["" | "sink"] => reply(request, to, &Response::new(200, "ok")),
        ["echo"] => {
            let response = Response::json(200, &echo(request, to));
            reply(request, to, &response)
        }
        ["status", code] => status(request, to, number(code)?),
        ["redirect"] => redirect(request, to),
        ["redirect-hang"] => {
            let target = request.query("to").unwrap_or_default();
            let head = "HTTP/1.1 302 Found\r\nContent-Length: 20\r\nLocation: ";
            send(to, format!("{head}{target}\r\n\r\n0123456789").as_bytes())?;
            to.hang()
        }
        ["bytes", count] => reply(request, to, &Response::new(200, letters(number(count)?))),
        ["chunked", count] => chunked(to, number(count)?),
        ["until-close", count] => {
            let body = letters(number(count)?);
            send(to, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            send(to, &body).map(|()| Ending::Close)
        }
        ["gzip", count] => {
            let coded = gzip(&vec![0; number(count)?])?;
            reply(request, to, &Response::new(200, coded).header("Content-Encoding", "gzip"))
        }
        ["zstd", count] => {
            let coded = compress_to_vec(&vec![0; number(count)?][..], CompressionLevel::Fastest);
            reply(request, to, &Response::new(200, coded).header("Content-Encoding", "zstd"))
        }
        ["coded"] => coded(request, to),
        ["fields", count] => {
            let fields = (0..number(count)?).map(|i| format!("X-Field-{i}: {i}\r\n"));
            let fields = fields.collect::<String>();
            send(to, format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok").as_bytes())?;
            Ok(Ending::KeepAlive)
        }
        ["folded"] => {
            send(to, b"HTTP/1.1 200 OK\r\nX-Long: one\r\n  two\r\nContent-Length: 2\r\n\r\nok")?;
            Ok(Ending::KeepAlive)
        }
        ["chunk-extension", count] => {
            let extension = "x".repeat(number(count)?);
            one_chunk(to, &format!("5;{extension}"))
        }
        ["chunk-zeros", count] => one_chunk(to, &format!("{}5", "0".repeat(number(count)?))),
        ["bomb"] => bomb(to),

        ["truncated"] => {
            send(to, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nonly the begin")?;
            Ok(Ending::Cut)
        }
        ["short"] => {
            send(to, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789")?;
            Ok(Ending::Close)
        }
        ["chunked-cut"] => {
            send(to, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")?;
            Ok(Ending::Close)
        }
        ["chunk-size-cut"] => {
            send(to, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1")?;
            Ok(Ending::Close)
        }
        ["gzip-bad"] => {
            let response =
                Response::new(200, "this is not gzip").header("Content-Encoding", "gzip");
            reply(request, to, &response)
        }
        ["gzip-cut"] => {
            let coded = gzip(&letters(MEBIBYTE))?;
            let half = &coded[..coded.len() / 2];
            reply(request, to, &Response::new(200, half).header("Content-Encoding", "gzip"))
        }

        ["delay"] => {
            let ms = number(&request.query("ms").unwrap_or_default())?;
            to.pause(Duration::from_millis(ms as u64))?;
            reply(request, to, &Response::new(200, "ok"))
        }
        ["early-413"] => {
            let refused = Response::new(413, "too large").header("Connection", "close");
            reply(request, to, &refused)?;
            Ok(Ending::Close)
        }
        ["deaf-413"] => {
            reply(request, to, &Response::new(413, "too large").header("Connection", "close"))?;
            to.ignore()
        }
        ["unasked-408"] => {
            reply(request, to, &Response::new(200, "ok"))?;
            to.pause(Duration::from_millis(50))?;
            reply(request, to, &Response::new(408, "too late").header("Connection", "close"))?;
            Ok(Ending::Close)
        }

        ["slow"] => slow(to),
        ["hang"] => to.hang(),
        ["hang-body"] => {
            send(to, b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123456789")?;
            to.hang()
        }
        ["endless"] => {
            send(to, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            repeat(&mut Chunked(to), &letters(10_000))
        }
        ["endless-head"] => {
            send(to, b"HTTP/1.1 200 OK\r\n")?;
            repeat(to, b"X-Another: and there is one more where this came from\r\n")
        }

        ["endless-interim"] => repeat(to, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        ["endless-trailers"] => {
            send(to, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n")?;
            repeat(to, b"X-Another: and there is one more where this came from\r\n")
        }

        ["close"] => Ok(Ending::Close),
        ["close-head"] => send(to, b"HTTP/1.1 200 OK\r\nContent-Ty").map(|()| Ending::Close),
        ["reset"] => Ok(Ending::Reset),
        ["keepalive-close-after"] => {
            reply(request, to, &Response::new(200, "ok"))?;
            Ok(Ending::Close)
        }
        ["once-stale"] => {
            reply(request, to, &Response::new(200, "ok"))?;
            stream.fill_buf()?;
            Ok(Ending::Cut)
        }

        ["in-turn", turns] => in_turn(request, to, turns),
        ["guarded", token] => guarded(request, to, token),
        ["garbage"] => send(to, b"\x00\xff\x13 this is not HTTP\r\n\r\n").map(|()| Ending::Close),
        ["bad-status"] => bad(to, b"HTTP/1.1 2x0 OK\r\nContent-Length: 2\r\n"),
        ["bad-header"] => bad(to, b"HTTP/1.1 200 OK\r\nX Bad: value\r\nContent-Length: 2\r\n"),
        ["nul-header"] => bad(to, b"HTTP/1.1 200 OK\r\nX-Bad: a\0b\r\nContent-Length: 2\r\n"),
        ["bad-length"] => bad(to, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n"),
        ["hex", answer] => send(to, &unhex(answer)?).map(|()| Ending::KeepAlive),
        _ => reply(request, to, &Response::new(404, "no such path")),
    }
}

fn echo(request: &Request, connection: &Connection<'_>) -> serde_json::Value {
    json!({
        "method": request.method,
        "path": request.target,
        "headers": request.headers,
        "body_base64": BASE64_STANDARD.encode(&request.body),
        "connection": connection.id(),
        "resumed": connection.resumed(),
    })
}

/// The request itself is in the log already.
fn in_turn(request: &Request, to: &mut Connection<'_>, turns: &str) -> io::Result<Ending> {
    let is_this =
        |event: &Event| matches!(event, Event::Request { path, .. } if *path == request.target);
    let asked = to.events().iter().filter(|event| is_this(event)).count();
    let turns = turns.split(',').collect::<Vec<_>>();
    let code = match turns[asked.clamp(1, turns.len()) - 1] {
        "close" => return Ok(Ending::Close),
        "hang" => return to.hang(),
        code => number(code)?,
    };
    let mut response = Response::new(code as u16, if code == 204 { "" } else { "in turn" });
    for field in request.query("fields").unwrap_or_default().split('|') {
        if let Some((name, value)) = field.split_once(':') {
            response = response.header(name, value);
        }
    }
    reply(request, to, &response)
}

fn guarded(request: &Request, to: &mut Connection<'_>, token: &str) -> io::Result<Ending> {
    if request.header("authorization") == Some(&format!("Bearer {token}")) {
        let response = Response::json(200, &echo(request, to));
        return reply(request, to, &response);
    }
    let refused = Response::new(401, "who are you?");
    reply(request, to, &refused.header("WWW-Authenticate", "Bearer realm=\"testkit\""))
}

fn status(request: &Request, to: &mut impl Write, code: usize) -> io::Result<Ending> {
    match code {
        // Interim: the answer is still to come.
        100..=199 => {
            send(to, format!("HTTP/1.1 {code} Interim\r\n\r\n").as_bytes())?;
            reply(request, to, &Response::new(200, "ok"))
        }
        204 | 304 => reply(request, to, &Response::new(code as u16, "")),
        200..=999 => reply(request, to, &Response::new(code as u16, format!("status {code}"))),
        _ => reply(request, to, &Response::new(400, "not a status code")),
    }
}

fn redirect(request: &Request, to: &mut impl Write) -> io::Result<Ending> {
    let code = request.query("code").and_then(|code| code.parse().ok()).unwrap_or(302);
    let response = match request.query("to") {
        Some(target) => Response::new(code, "moved").header("Location", &target),
        None => Response::new(400, "?to= is missing"),
    };
    reply(request, to, &response)
}

/// "hello", compressed as often and with as many zero bytes behind it as asked for, under any fields.
fn coded(request: &Request, to: &mut impl Write) -> io::Result<Ending> {
    let asked = |name: &str, default: &str| request.query(name).unwrap_or_else(|| default.into());
    let mut body = b"hello".to_vec();
    for _ in 0..number(&asked("layers", "1"))? {
        body = gzip(&body)?;
    }
    body.resize(body.len() + number(&asked("zeros", "0"))?, 0);
    let status = asked("status", "200").parse().unwrap_or(200);
    // A 304 speaks of the body that a 200 would have.
    let bodiless = matches!(status, 204 | 304);
    let mut response = Response::new(status, if bodiless { Vec::new() } else { body });
    for value in asked("fields", "gzip").split('|') {
        response = response.header("Content-Encoding", value);
    }
    reply(request, to, &response)
}

fn chunked(to: &mut impl Write, count: usize) -> io::Result<Ending> {
    send(to, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    let mut body = Chunked(to);
    for piece in letters(count).chunks(1000) {
        body.write_all(piece)?;
    }
    body.finish().map(|()| Ending::KeepAlive)
}

/// "hello" behind a size as it is given.
fn one_chunk(to: &mut impl Write, size: &str) -> io::Result<Ending> {
    send(to, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    send(to, format!("{size}\r\nhello\r\n0\r\n\r\n").as_bytes())?;
    Ok(Ending::KeepAlive)
}

fn slow(to: &mut Connection<'_>) -> io::Result<Ending> {
    send(to, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")?;
    for letter in letters(1000) {
        send(to, &[letter])?;
        to.pause(Duration::from_millis(100))?;
    }
    Ok(Ending::KeepAlive)
}

/// One compressed mebibyte ends on a byte boundary and refers to nothing before it, so that any
/// number of copies is a compressed stream, too, and takes no time to make.
fn bomb(to: &mut impl Write) -> io::Result<Ending> {
    let zeros = vec![0; MEBIBYTE];
    let mut block = Vec::with_capacity(MEBIBYTE);
    Compress::new(Compression::best(), false).compress_vec(
        &zeros,
        &mut block,
        FlushCompress::Full,
    )?;
    let mut one = Crc::new();
    one.update(&zeros);
    let mut all = Crc::new();

    send(to, b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    let mut body = Chunked(to);
    body.write_all(b"\x1f\x8b\x08\0\0\0\0\0\0\xff")?;
    for _ in 0..BOMB_MEBIBYTES {
        body.write_all(&block)?;
        all.combine(&one);
    }
    body.write_all(b"\x03\0")?; // the last block, empty
    body.write_all(&[all.sum().to_le_bytes(), all.amount().to_le_bytes()].concat())?;
    body.finish().map(|()| Ending::KeepAlive)
}

/// A body that a lenient client would take for the answer, below a head that no client should.
fn bad(to: &mut impl Write, head: &[u8]) -> io::Result<Ending> {
    send(to, &[head, b"\r\nok"].concat()).map(|()| Ending::Close)
}

fn repeat(to: &mut impl Write, piece: &[u8]) -> io::Result<Ending> {
    loop {
        send(to, piece)?;
    }
}

pub(crate) fn reply(
    request: &Request,
    to: &mut impl Write,
    response: &Response,
) -> io::Result<Ending> {
    match request.method.as_str() {
        "HEAD" => response.write_head(to)?,
        _ => response.write(to)?,
    }
    Ok(Ending::KeepAlive)
}

pub(crate) fn send(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// `count` letters, the alphabet over and over.
fn letters(count: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(count).collect()
}

/// Part of a path, as [`number`] is.
fn unhex(text: &str) -> io::Result<Vec<u8>> {
    let byte = |i| u8::from_str_radix(text.get(i..i + 2).unwrap_or_default(), 16);
    let bytes = (0..text.len()).step_by(2).map(byte).collect::<Result<_, _>>();
    bytes.map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))
}

/// Part of a path. The client gets the error: no other is `InvalidInput`.
fn number(text: &str) -> io::Result<usize> {
    text.parse().map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))
}
