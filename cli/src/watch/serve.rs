//! The monitor's own small server: a page, its style, metrics and health. It takes nothing but the
//! first line of a request, answers once and closes.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::request::{self, Asked, MAX_HEAD};

/// Connections at once; more are closed unanswered, so that nobody takes all threads.
const MAX_CONNECTIONS: usize = 64;
/// For a request and its answer together, however slowly somebody drips.
const PATIENCE: Duration = Duration::from_secs(5);

/// No script, no image, nothing from elsewhere, in no frame; a style from here.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

/// Answers until the program ends, on a thread of its own.
pub(super) fn start(
    address: SocketAddr,
    answer: impl Fn(Asked) -> Answer + Send + Sync + 'static,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let (answer, open) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    let accept = move || {
        for socket in listener.incoming().flatten() {
            if open.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTIONS {
                open.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            let (answer, counter) = (answer.clone(), open.clone());
            let work = move || {
                // Whoever goes away in the middle is nobody's trouble.
                let _gone = serve(socket, &*answer);
                counter.fetch_sub(1, Ordering::Relaxed);
            };
            if std::thread::Builder::new().spawn(work).is_err() {
                open.fetch_sub(1, Ordering::Relaxed);
            }
        }
    };
    std::thread::Builder::new().name("pinfold-page".into()).spawn(accept)?;
    Ok(address)
}

fn serve(mut socket: TcpStream, answer: &dyn Fn(Asked) -> Answer) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    let (answer, without_body) = match head(&mut socket, until)? {
        Some((Asked::Method, _)) => (plain(405, "GET and HEAD only\n"), false),
        Some((Asked::Nothing, without_body)) => (plain(404, "not found\n"), without_body),
        Some((asked, without_body)) => (answer(asked), without_body),
        None => (plain(400, "not a request\n"), false),
    };
    socket.set_write_timeout(Some(left(until)?))?;
    socket.write_all(text(&answer, without_body).as_bytes())?;
    socket.shutdown(std::net::Shutdown::Write)
}

/// What is asked for; nothing where it is no request.
fn head(socket: &mut TcpStream, until: Instant) -> io::Result<Option<(Asked, bool)>> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        match request::read(&head) {
            Ok(Some(asked)) => return Ok(Some(asked)),
            Err(()) => return Ok(None),
            Ok(None) => {}
        }
        socket.set_read_timeout(Some(left(until)?))?;
        let n = socket.read(&mut buffer)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(&buffer[..n.min(MAX_HEAD - head.len())]);
    }
}

fn left(until: Instant) -> io::Result<Duration> {
    let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
    left.ok_or_else(|| io::ErrorKind::TimedOut.into())
}

fn plain(status: u16, body: &str) -> Answer {
    Answer { status, content_type: "text/plain; charset=utf-8", body: body.to_owned() }
}

fn text(answer: &Answer, without_body: bool) -> String {
    let reason = match answer.status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        _ => "Service Unavailable",
    };
    let head = format!(
        "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Content-Security-Policy: {POLICY}\r\nX-Content-Type-Options: nosniff\r\n\
         Referrer-Policy: no-referrer\r\n{}Connection: close\r\n\r\n",
        answer.status,
        answer.content_type,
        answer.body.len(),
        if answer.status == 405 { "Allow: GET, HEAD\r\n" } else { "" },
    );
    if without_body { head } else { head + &answer.body }
}
