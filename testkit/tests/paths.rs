//! What the paths answer, to the byte where it matters.

mod client;

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use client::{SOON, TESTKIT, ask, closed, config, connect, get, get_all, read_answer};
use flate2::read::GzDecoder;
use pinfold_testkit::{Event, Testkit};

#[test]
fn one_connection_serves_many_requests() {
    let mut stream =
        connect(TESTKIT.server("backend"), &config(&TESTKIT, &["root"])).expect("trusted");
    assert_eq!(get(&mut stream, "/").expect("an answer").1, b"ok");
    assert_eq!(
        get(&mut stream, "/bytes/30").expect("an answer").1,
        b"abcdefghijklmnopqrstuvwxyzabcd"
    );
    assert!(get(&mut stream, "/status/503").expect("an answer").0.starts_with("HTTP/1.1 503 "));
    let (head, _) = get(&mut stream, "/status/204").expect("an answer");
    assert_eq!(head, "HTTP/1.1 204 No Content\r\n\r\n");
    let (head, _) = get(&mut stream, "/redirect?code=307&to=https%3A%2F%2Fa.test%2F%3Fb%3D1")
        .expect("an answer");
    assert!(
        head.starts_with("HTTP/1.1 307 ") && head.contains("Location: https://a.test/?b=1\r\n")
    );
    let answer = "/hex/485454502f312e3120323030204f4b0d0a582d413a20e90d0a436f6e74656e742d4c656e6774683a20310d0a0d0afc";
    let (head, body) = get(&mut stream, answer).expect("an answer");
    assert!(head.contains("X-A: \u{e9}"), "{head}");
    assert_eq!(body, b"\xfc");
    assert!(get(&mut stream, "/hex/0g").expect("an answer").0.starts_with("HTTP/1.1 400 "));
    assert!(get(&mut stream, "/nowhere").expect("an answer").0.starts_with("HTTP/1.1 404 "));

    assert!(get(&mut stream, "/bytes/many").expect("an answer").0.starts_with("HTTP/1.1 400 "));

    ask(&mut stream, "/chunked/3").expect("an open connection");
    let expected = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let mut answer = vec![0; expected.len()];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(answer, expected);
}

#[test]
fn echo_and_the_log_show_the_request() {
    let testkit = Testkit::start().expect("ports");
    let server = testkit.server("backend");
    let mut stream = connect(server, &config(&testkit, &["root"])).expect("trusted");
    let fixed = "POST /echo?q=1 HTTP/1.1\r\nHost: a\r\nX-A: b\r\nContent-Length: 3\r\n\r\nabc";
    let chunked =
        "PUT /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n";
    for request in [fixed, chunked] {
        stream.write_all(request.as_bytes()).expect("an open connection");
        let (_, body) = read_answer(&mut stream).expect("an answer");
        let echo: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(echo["body_base64"], "YWJj");
        assert_eq!(echo["connection"], 1);
    }
    let expecting = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    stream.write_all(expecting.as_bytes()).expect("an open connection");
    assert_eq!(
        read_answer(&mut stream).expect("an interim answer").0,
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    stream.write_all(b"x").expect("an open connection");
    assert_eq!(read_answer(&mut stream).expect("an answer").1, b"ok");
    drop(stream);

    let events = closed(server, 1);
    let headers = [("Host", "a"), ("X-A", "b"), ("Content-Length", "3")];
    let expected = Event::Request {
        conn: 1,
        method: "POST".to_owned(),
        path: "/echo?q=1".to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        body_len: 3,
    };
    assert_eq!(events[2], expected);
    let sent = fixed.len() + chunked.len() + expecting.len() + 1;
    assert_eq!(events.last(), Some(&Event::Closed { conn: 1, application_bytes: sent as u64 }));
}

#[test]
fn cut_answers_end_as_promised() {
    for (path, end_of_answer, clean) in [
        ("/until-close/4", "\r\n\r\nabcd", true),
        ("/truncated", "only the begin", false),
        ("/short", "Content-Length: 1000\r\n\r\n0123456789", true),
        ("/chunked-cut", "5\r\nhello\r\n", true),
        ("/close", "", true),
        ("/close-head", "Content-Ty", true),
        ("/keepalive-close-after", "\r\n\r\nok", true),
        ("/bad-status", "\r\n\r\nok", true),
        ("/bad-length", "Content-Length: 2\r\nContent-Length: 5\r\n\r\nok", true),
        ("/garbage", "not HTTP\r\n\r\n", true),
    ] {
        let (answer, end) = get_all(path);
        assert!(answer.ends_with(end_of_answer), "{path}: {answer:?}");
        let error = end.err().map(|error| error.kind());
        assert_eq!(error, (!clean).then_some(ErrorKind::UnexpectedEof), "{path}");
    }
    let (answer, end) = get_all("/reset");
    assert_eq!(answer, "");
    assert_eq!(end.expect_err("a reset").kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_stale_connection_dies_with_the_next_request() {
    let mut stream =
        connect(TESTKIT.server("backend"), &config(&TESTKIT, &["root"])).expect("trusted");
    assert_eq!(get(&mut stream, "/once-stale").expect("an answer").1, b"ok");
    let error = get(&mut stream, "/").expect_err("a dead connection");
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn gzip_is_good_or_bad_as_promised() {
    let mut stream =
        connect(TESTKIT.server("backend"), &config(&TESTKIT, &["root"])).expect("trusted");
    for (path, expected) in [
        ("/gzip/5000", Ok(5000)),
        ("/gzip-bad", Err(ErrorKind::InvalidInput)),
        ("/gzip-cut", Err(ErrorKind::UnexpectedEof)),
    ] {
        let (_, body) = get(&mut stream, path).expect("an answer");
        let decoded = GzDecoder::new(&body[..]).read_to_end(&mut Vec::new());
        assert_eq!(decoded.map_err(|error| error.kind()), expected, "{path}");
    }
}

#[test]
fn the_bomb_is_small_on_the_wire_and_sound() {
    let mut stream =
        connect(TESTKIT.server("backend"), &config(&TESTKIT, &["root"])).expect("trusted");
    ask(&mut stream, "/bomb").expect("an open connection");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n0\r\n\r\n") {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).expect("an answer");
        answer.extend_from_slice(&buffer[..read]);
    }
    let start = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head") + 4;
    let coded = unchunk(&answer[start..]);
    assert!(coded.len() < 1 << 18, "{} bytes", coded.len());
    let decoded = std::io::copy(&mut GzDecoder::new(&coded[..]), &mut std::io::sink());
    assert_eq!(decoded.expect("sound gzip"), 200 << 20);
}

#[test]
fn waiting_answers_end_when_the_client_leaves() {
    let testkit = Testkit::start().expect("ports");
    let server = testkit.server("backend");
    for path in [
        "/hang",
        "/hang-body",
        "/slow",
        "/endless",
        "/endless-head",
        "/endless-interim",
        "/endless-trailers",
    ] {
        server.clear();
        let mut stream = connect(server, &config(&testkit, &["root"])).expect("trusted");
        ask(&mut stream, path).expect("an open connection");
        let requested = |events: &[Event]| events.iter().any(|event| event.kind() == "request");
        server.wait_for(requested, SOON).expect("a request");
        let start = Instant::now();
        drop(stream);
        closed(server, 1);
        assert!(start.elapsed() < Duration::from_secs(2), "{path}");
    }
}

fn unchunk(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = chunks.iter().position(|byte| *byte == b'\r').expect("a chunk size");
        let size = std::str::from_utf8(&chunks[..line]).expect("digits");
        let size = usize::from_str_radix(size, 16).expect("digits");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&chunks[line + 2..][..size]);
        chunks = &chunks[line + 2 + size + 2..];
    }
}
