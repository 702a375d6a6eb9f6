//! Bodies that are read while they are sent.

mod common;

use std::io::{self, Cursor, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, fs, process, thread};

use base64::Engine as _;
use common::*;
use pinfold_core::client::{BodySource, BodyWriter, Multipart, Part, Progress};
use pinfold_core::{CancelToken, Client, Error, Method, Request, Response};
use pinfold_testkit::{Event, Testkit};

fn pinned_client(kit: &Testkit) -> Client {
    client(kit, pinned(kit, "backend"), "backend")
}

fn request(method: Method, path: &str) -> Request {
    Request::new(method, &url(path)).expect("a good URL")
}

/// What arrived: its headers as text in lower case, and its body.
fn echo(response: &Response) -> (String, Vec<u8>) {
    let echo: serde_json::Value = serde_json::from_slice(response.body()).expect("JSON");
    let body = echo["body_base64"].as_str().expect("text");
    let body = base64::engine::general_purpose::STANDARD.decode(body).expect("base64");
    (echo["headers"].to_string().to_lowercase(), body)
}

fn bodies(kit: &Testkit) -> Vec<(String, usize)> {
    let seen = |e: &Event| match e {
        Event::Request { path, body_len, .. } => Some((path.clone(), *body_len)),
        _ => None,
    };
    kit.server("backend").events().iter().filter_map(seen).collect()
}

/// A file that is gone with the value.
struct TempFile(PathBuf);

impl TempFile {
    fn new(content: &[u8]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("pinfold-upload-{}-{n}", process::id()));
        fs::write(&path, content).expect("room");
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        fs::remove_file(&self.0).expect("it is there");
    }
}

/// Letters, with or without a length and a way back.
struct Letters {
    from: Cursor<Vec<u8>>,
    length: Option<u64>,
    rewinds: bool,
}

fn letters(n: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(n).collect()
}

fn source(n: usize, rewinds: bool) -> Letters {
    Letters { from: Cursor::new(letters(n)), length: Some(n as u64), rewinds }
}

impl BodySource for Letters {
    fn length(&self) -> Option<u64> {
        self.length
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.from.read(buffer)
    }

    fn rewind(&mut self) -> io::Result<bool> {
        self.from.set_position(0);
        Ok(self.rewinds)
    }
}

/// Zeros without end, up to an error if there is one.
struct Zeros(Option<u32>);

impl BodySource for Zeros {
    fn length(&self) -> Option<u64> {
        None
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(left) = &mut self.0 {
            *left = left.checked_sub(1).ok_or_else(|| io::Error::other("the camera is off"))?;
        }
        buffer.fill(0);
        Ok(buffer.len())
    }
}

#[test]
fn files_and_sources_arrive_whole_with_their_length_or_in_chunks() {
    let kit = kit();
    let client = pinned_client(&kit);
    for n in [0, 1, 32_768, 1_000_000] {
        let file = TempFile::new(&letters(n));
        let by_file = request(Method::Post, "/echo").body_file(&file.0).expect("a file");
        let by_source = request(Method::Put, "/echo").body_source(source(n, true)).expect("PUT");
        let unknown = Letters { length: None, ..source(n, false) };
        let in_chunks = request(Method::Post, "/echo").body_source(unknown).expect("POST");
        let length = format!(r#"["content-length","{n}"]"#);
        for (request, framing) in [
            (by_file, length.as_str()),
            (by_source, &length),
            (in_chunks, r#"["transfer-encoding","chunked"]"#),
        ] {
            let (headers, body) = echo(&client.send(&request).expect("pinned"));
            assert!(body == letters(n), "{n}");
            assert!(headers.contains(framing), "{headers}");
        }
    }
    assert_eq!(connections(kit.server("backend")), 1);
    let missing = request(Method::Post, "/").body_file("/no/such/file".as_ref());
    let folder = request(Method::Post, "/").body_file("/".as_ref());
    for error in [missing.expect_err("missing"), folder.expect_err("a folder")] {
        assert_eq!((error.code(), error.place()), ("io_failed", Some("body")));
    }
    let get = request(Method::Get, "/").body_source(source(1, true)).expect_err("GET takes none");
    assert_eq!(get.code(), "invalid_request");
}

#[test]
fn a_form_arrives_with_its_files() {
    let kit = kit();
    let file = TempFile::new(&letters(100_000));
    let photo = Part::file("photo", &file.0).and_then(|part| part.file_name("cat \"1\".jpg"));
    let form = Multipart::new()
        .part(Part::text("caption", "Unsere Käse-Katze").expect("good"))
        .part(photo.and_then(|part| part.content_type("image/jpeg")).expect("good"))
        .part(Part::source("raw", source(10, true)).expect("good"));
    let request = request(Method::Post, "/echo").multipart(form).expect("POST");
    let client = pinned_client(&kit);
    let (headers, body) = echo(&client.send(&request).expect("pinned"));
    let (_, boundary) = headers.split_once("boundary=").expect("its content type");
    let boundary = boundary.split('"').next().expect("its end");
    let text = String::from_utf8(body).expect("all of it is");
    let parts = text.split(&format!("--{boundary}")).collect::<Vec<_>>();
    assert_eq!(parts.len(), 5, "{headers}");
    assert!(parts[1].ends_with("name=\"caption\"\r\n\r\nUnsere Käse-Katze\r\n"), "{}", parts[1]);
    assert!(parts[2].contains("filename=\"cat %221%22.jpg\"\r\nContent-Type: image/jpeg\r\n"));
    assert!(parts[2].as_bytes().ends_with(&[&letters(100_000)[..], b"\r\n"].concat()));
    assert_eq!((parts[0], parts[4]), ("", "--\r\n"));
    // Once more, from its beginning.
    assert_eq!(echo(&client.send(&request).expect("pinned")).1.len(), text.len());
}

#[test]
fn an_upload_is_sent_twice_only_where_it_can_begin_again_and_the_method_allows_it() {
    let kit = kit();
    for (method, rewinds, arrives) in
        [(Method::Put, true, true), (Method::Put, false, false), (Method::Post, true, false)]
    {
        let client = pinned_client(&kit);
        client.get(&url("/once-stale")).expect("pinned");
        let path = format!("/?{method}{rewinds}");
        // On a connection that the server closes in this moment.
        let request = request(method, &path).body_source(source(100_000, rewinds)).expect("taken");
        match client.send(&request) {
            Ok(response) => assert!(arrives && response.status() == 200, "{path}"),
            Err(error) => assert!(!arrives && error.code() == "connection_lost", "{path} {error}"),
        }
        let seen = bodies(&kit).iter().filter(|seen| seen.0 == path).count();
        assert_eq!(seen, usize::from(arrives), "{path}");
    }
}

#[test]
fn a_redirect_gets_the_body_where_it_can_begin_again_and_is_the_answer_where_not() {
    let kit = kit();
    let client = pinned_client(&kit);
    for code in [307, 308] {
        let path = format!("/redirect?code={code}&to=/echo");
        let again = request(Method::Post, &path).body_source(source(50_000, true)).expect("POST");
        assert!(echo(&client.send(&again).expect("followed")).1 == letters(50_000));
        let once = request(Method::Post, &path).body_source(source(50_000, false)).expect("POST");
        let response = client.send(&once).expect("handed over");
        assert_eq!((response.status(), response.header("location")), (code, Some("/echo")));
        assert_eq!(response.text(), "moved");
    }
    let other = request(Method::Post, "/redirect?code=303&to=/echo");
    let other = other.body_source(source(10, false)).expect("POST");
    assert!(echo(&client.send(&other).expect("a GET follows")).1.is_empty());
}

#[test]
fn an_answer_that_comes_before_the_end_of_a_body_is_the_answer() {
    let kit = kit();
    let client = pinned_client(&kit);
    for source in [Zeros(None), Zeros(None)] {
        let endless = request(Method::Post, "/early-413").body_source(source).expect("POST");
        let response = client.send(&endless).expect("an answer");
        assert_eq!((response.status(), response.text().as_ref()), (413, "too large"));
    }
    let known = request(Method::Post, "/early-413").body_source(source(50 << 20, true));
    assert_eq!(client.send(&known.expect("POST")).expect("an answer").status(), 413);
    assert_eq!(client.get(&url("/")).expect("pinned").status(), 200);
    assert_eq!(connections(kit.server("backend")), 4, "none of them is used again");
}

#[test]
fn a_body_that_fails_or_ends_early_never_seems_whole() {
    let kit = kit();
    let client = pinned_client(&kit);
    let short = Letters { length: Some(100_001), ..source(100_000, true) };
    let failing = request(Method::Post, "/?failing").body_source(Zeros(Some(10))).expect("POST");
    let short = request(Method::Post, "/?short").body_source(short).expect("POST");
    for request in [failing, short] {
        let error = client.send(&request).expect_err("cut off");
        assert_eq!((error.code(), error.place()), ("io_failed", Some("body")));
    }
    wait_closed(kit.server("backend"), 2);
    assert_eq!(bodies(&kit), [], "the server has seen no request");
}

#[test]
fn a_body_is_written_by_another_thread() {
    let kit = kit();
    let client = pinned_client(&kit);
    let cancel = CancelToken::new();
    for length in [None, Some(300_000)] {
        let (mut writer, written) = BodyWriter::pair();
        let request = request(Method::Post, "/echo").body_written(written, length).expect("POST");
        let response = thread::scope(|scope| {
            let sending = scope.spawn(|| client.send(&request));
            for piece in letters(300_000).chunks(7_777) {
                assert_eq!(writer.write(piece, &cancel), Ok(true));
            }
            writer.finish(&cancel).expect("not cancelled");
            sending.join().expect("no panic").expect("pinned")
        });
        assert!(echo(&response).1 == letters(300_000));
        assert_eq!(client.send(&request).expect_err("sent before").code(), "invalid_request");
    }
    let (mut writer, written) = BodyWriter::pair();
    let cut = request(Method::Post, "/?cut").body_written(written, None).expect("POST");
    writer.write(b"the beginning", &cancel).expect("room");
    drop(writer);
    assert_eq!(client.send(&cut).expect_err("cut off").code(), "io_failed");
    assert!(!bodies(&kit).iter().any(|seen| seen.0 == "/?cut"));
}

#[test]
fn parts_of_a_form_are_written_while_it_is_sent() {
    let kit = kit();
    let client = pinned_client(&kit);
    let (mut writer, written) = BodyWriter::pair();
    let form = Multipart::new()
        .part(Part::written("one", Some(3)).expect("good"))
        .part(Part::text("two", "2").expect("good"))
        .part(Part::written("three", None).expect("good"))
        .written(written);
    let request = request(Method::Post, "/echo").multipart(form).expect("POST");
    let cancel = CancelToken::new();
    let response = thread::scope(|scope| {
        let sending = scope.spawn(|| client.send(&request));
        for part in [letters(3), letters(200_000)] {
            writer.write(&part, &cancel).expect("wanted");
            writer.next_part(&cancel).expect("wanted");
        }
        sending.join().expect("no panic").expect("pinned")
    });
    let text = String::from_utf8(echo(&response).1).expect("all of it is");
    assert!(text.contains("name=\"one\"\r\n\r\nabc\r\n--"));
    assert!(text.contains("name=\"two\"\r\n\r\n2\r\n--") && text.len() > 200_000);
}

#[test]
fn cancelling_ends_an_upload_that_waits_for_its_writer_and_who_writes_is_told() {
    let kit = kit();
    let client = pinned_client(&kit);
    let (mut writer, written) = BodyWriter::pair();
    let request = request(Method::Post, "/").body_written(written, None).expect("POST");
    let cancel = CancelToken::new();
    thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let request = request;
            client.send_cancellable(&request, &cancel)
        });
        writer.write(b"the beginning", &CancelToken::new()).expect("room");
        cancel.cancel();
        assert_eq!(sending.join().expect("no panic").expect_err("ended"), Error::Cancelled);
    });
    assert_eq!(writer.write(&vec![0; 1 << 20], &CancelToken::new()), Ok(false));
}

#[test]
fn progress_goes_up_to_the_end() {
    let kit = kit();
    let client = pinned_client(&kit);
    for by_source in [false, true] {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let request = request(Method::Post, "/").on_upload({
            let seen = seen.clone();
            move |progress| seen.lock().expect("no panic").push(progress)
        });
        let request = match by_source {
            true => request.body_source(source(200_000, true)),
            false => request.body(letters(200_000)),
        };
        client.send(&request.expect("POST")).expect("pinned");
        let seen = seen.lock().expect("no panic");
        assert!(seen.len() > 3 && seen.is_sorted_by_key(|progress| progress.done));
        assert_eq!(seen.last(), Some(&Progress { done: 200_000, total: Some(200_000) }));
    }
    assert_eq!(bodies(&kit), [("/".into(), 200_000), ("/".into(), 200_000)]);
}

#[test]
fn an_upload_may_take_longer_than_the_client_s_timeout_but_not_than_the_request_s_own() {
    let kit = kit();
    let short = Duration::from_millis(200);
    let client = builder(&kit, pinned(&kit, "backend"), "backend").timeout(short).build();
    let client = client.expect("good settings");
    let slow = || request(Method::Post, "/delay?ms=500");
    let upload = slow().body_source(source(10, true)).expect("POST");
    assert_eq!(client.send(&upload).expect("as long as it takes").status(), 200);
    let own = upload.timeout(short).expect("a good timeout");
    let in_memory = slow().body(letters(10)).expect("POST");
    for request in [own, in_memory] {
        assert_eq!(client.send(&request).expect_err("too slow").code(), "timeout_total");
    }
    let read = slow().body_source(source(10, true)).and_then(|it| it.read_timeout(short));
    assert_eq!(client.send(&read.expect("good")).expect_err("too slow").code(), "timeout_read");
}
