//! The hot path as Kotlin calls it: ids that are stale, buffers that are too small, input that is
//! damaged.
#![allow(unsafe_code)] // it is called as C would
#![allow(clippy::result_large_err)] // see the crate

use std::sync::Arc;

use pinfold::hot::{
    Reply, pinfold_call_add_part, pinfold_call_begin, pinfold_call_cancel, pinfold_call_download,
    pinfold_call_end, pinfold_call_execute, pinfold_call_expect_writes, pinfold_call_open,
    pinfold_call_progress, pinfold_call_read, pinfold_call_take, pinfold_call_write,
};
use pinfold::{
    BodyKind, Client, ClientSettings, ConnectTo, DownloadTarget, Failure, FormPart, Opened,
    PartContent, PinSet, Proxies, RequestHead, ResponseHead, Roots, SessionSettings,
};
use pinfold_testkit::Testkit;
use uniffi::{Lift, Lower};

/// The pass that UniFFI's own traits are implemented for.
use pinfold::UniFfiTag;

fn client(kit: &Testkit) -> Arc<Client> {
    let digest = |name: &str| kit.pki().pin(name).replace("sha256/", "");
    let pins = format!(
        r#"{{"schema":1,"hosts":[{{"host":"api.example.test","pins":[{{"sha256":"{}"}},{{"sha256":"{}"}}]}}]}}"#,
        digest("backend"),
        digest("backup"),
    );
    let settings = ClientSettings {
        deny_unpinned: true,
        abort_withdrawn: false,
        roots: Roots::Only { certificates: vec![kit.pki().certificate("root").to_vec()] },
        connect_timeout_ms: 10_000,
        read_timeout_ms: 10_000,
        timeout_ms: 20_000,
        max_idle_connections: 64,
        max_requests: 256,
        max_requests_per_host: 128,
        max_response_bytes: 16 << 20,
        max_redirects: 10,
        user_agent: None,
        proxies: Proxies::None,
        base_url: None,
        own: SessionSettings {
            default_headers: Vec::new(),
            cookies: None,
            tokens: None,
            proxies: None,
        },
        listener: None,
        resolver: None,
        queue_timeout_ms: 0,
        lookup_timeout_ms: 0,
        tls_timeout_ms: 0,
        first_byte_timeout_ms: 0,
        retries: 0,
        connect_to: vec![ConnectTo {
            host: "api.example.test".into(),
            port: 443,
            address: kit.server("backend").addr().to_string(),
        }],
    };
    let pins = PinSet::parse(pins.as_bytes()).expect("a good pin set");
    Client::new(pins, settings, None).expect("good settings")
}

fn request(path: &str) -> Vec<u8> {
    request_with("GET", path, BodyKind::Nothing)
}

fn request_with(method: &str, path: &str, body: BodyKind) -> Vec<u8> {
    let head = RequestHead {
        method: method.into(),
        url: format!("https://api.example.test{path}"),
        headers: Vec::new(),
        timeout_ms: None,
        read_timeout_ms: None,
        max_response_bytes: None,
        max_redirects: None,
        body,
    };
    let mut input = Vec::new();
    <RequestHead as Lower<UniFfiTag>>::write(head, &mut input);
    input
}

fn execute(client: u64, call: u64, input: &[u8], output: &mut [u8]) -> i64 {
    // SAFETY: both ranges are those of slices, which do not overlap.
    unsafe {
        pinfold_call_execute(
            client,
            call,
            input.as_ptr(),
            u32::try_from(input.len()).expect("small"),
            output.as_mut_ptr(),
            u32::try_from(output.len()).expect("small"),
        )
    }
}

fn take(call: u64, output: &mut [u8]) -> i64 {
    // SAFETY: the range is that of a slice.
    unsafe {
        pinfold_call_take(call, output.as_mut_ptr(), u32::try_from(output.len()).expect("small"))
    }
}

fn read(reply: &[u8]) -> Result<(ResponseHead, Vec<u8>), Failure> {
    let (head, body, size) = read_sized(reply)?;
    assert_eq!(body.len() as u64, size);
    Ok((head, body))
}

/// The head, what follows of the body, and how long that is as a whole.
fn read_sized(mut reply: &[u8]) -> Result<(ResponseHead, Vec<u8>, u64), Failure> {
    match <Reply as Lift<UniFfiTag>>::try_read(&mut reply).expect("a reply") {
        Reply::Response { head, body_size } => Ok((head, reply.to_vec(), body_size)),
        Reply::Opened { .. } => panic!("nobody opened it"),
        Reply::Failed { failure } => Err(failure),
    }
}

/// A body by a buffer that takes it at once.
fn call_body(client: &Client, path: &str) -> Vec<u8> {
    let (mut output, id) = (vec![0; 1 << 20], pinfold_call_begin());
    let n = execute(client.id(), id, &request(path), &mut output);
    pinfold_call_end(id);
    read(&output[..usize::try_from(n).expect("it fits")]).expect("a response").1
}

/// A whole call with a buffer of 64 KiB.
fn call(client: u64, input: &[u8]) -> Result<(ResponseHead, Vec<u8>), Failure> {
    let mut output = vec![0; 64 << 10];
    let id = pinfold_call_begin();
    let n = execute(client, id, input, &mut output);
    pinfold_call_end(id);
    read(&output[..usize::try_from(n).expect("it fits")])
}

#[test]
fn a_reply_fits_or_is_taken_exactly_once() {
    let kit = Testkit::start().expect("loopback");
    let client = client(&kit);
    let (head, body) = call(client.id(), &request("/bytes/1000")).expect("pinned");
    assert_eq!((head.status, body.len()), (200, 1_000));

    let id = pinfold_call_begin();
    let mut piece = vec![0; 16];
    let needed = -execute(client.id(), id, &request("/bytes/300000"), &mut piece);
    let needed = usize::try_from(needed).expect("too large");
    assert!((17..2_000).contains(&needed), "{needed}");
    assert_eq!(take(id, &mut piece), 0, "too small for the reply, which is still there");
    piece.resize(needed + 1, 0);
    assert_eq!(take(id, &mut piece), needed as i64, "the reply comes alone");
    let (head, body, size) = read_sized(&piece[..needed]).expect("a response");
    assert_eq!((head.status, body.len(), size), (200, 0, 300_000));
    let mut body = Vec::new();
    loop {
        let n = usize::try_from(take(id, &mut piece)).expect("no error");
        body.extend_from_slice(&piece[..n]);
        if n < piece.len() {
            break;
        }
    }
    assert_eq!(body, call_body(&client, "/bytes/300000"));
    assert_eq!(take(id, &mut piece), 0, "taken before");
    pinfold_call_end(id);

    let ended = pinfold_call_begin();
    assert!(execute(client.id(), ended, &request("/bytes/300000"), &mut piece) < 0);
    pinfold_call_end(ended);
    assert_eq!(take(ended, &mut piece), 0, "ended");
}

#[test]
fn a_stale_id_is_an_error_and_not_somebody_elses() {
    let kit = Testkit::start().expect("loopback");
    let first = client(&kit);
    let second = client(&kit);
    let stale = first.id();
    first.close();
    assert_eq!(call(stale, &request("/")).expect_err("closed").code, "client_closed");
    for never in [0, u64::MAX] {
        assert_eq!(call(never, &request("/")).expect_err("no such").code, "client_closed");
    }
    call(second.id(), &request("/")).expect("another client");
    let dropped = second.id();
    drop(second);
    assert_eq!(call(dropped, &request("/")).expect_err("dropped").code, "client_closed");

    let third = client(&kit);
    let ended = pinfold_call_begin();
    pinfold_call_end(ended);
    pinfold_call_end(ended);
    pinfold_call_cancel(ended);
    let mut output = vec![0; 4_096];
    let n = execute(third.id(), ended, &request("/"), &mut output);
    let failure = read(&output[..usize::try_from(n).expect("it fits")]).expect_err("ended");
    assert_eq!(failure.code, "internal");
}

#[test]
fn a_cancelled_call_says_so() {
    let kit = Testkit::start().expect("loopback");
    let client = client(&kit);
    let id = pinfold_call_begin();
    pinfold_call_cancel(id);
    let mut output = vec![0; 4_096];
    let n = execute(client.id(), id, &request("/hang"), &mut output);
    let failure = read(&output[..usize::try_from(n).expect("it fits")]).expect_err("cancelled");
    assert_eq!(failure.code, "cancelled");
    pinfold_call_end(id);
}

#[test]
fn null_buffers_do_nothing() {
    let id = pinfold_call_begin();
    let mut byte = 0_u8;
    // SAFETY: null is allowed; the other pointer is to a byte of which none is used.
    unsafe {
        assert_eq!(pinfold_call_execute(1, id, std::ptr::null(), 0, &raw mut byte, 0), 0);
        assert_eq!(pinfold_call_execute(1, id, &raw const byte, 0, std::ptr::null_mut(), 0), 0);
        assert_eq!(pinfold_call_take(id, std::ptr::null_mut(), 0), 0);
    }
    pinfold_call_end(id);
}

#[test]
fn damaged_input_is_an_error() {
    let kit = Testkit::start().expect("loopback");
    let client = client(&kit);
    let good = request("/");
    for n in 0..good.len() {
        let code = call(client.id(), &good[..n]).expect_err("cut off").code;
        assert_eq!(code, "internal", "prefix of {n} bytes");
    }
    // Behind the method and the URL: as many headers as no memory has room for.
    let at = good.len() - 12;
    let rest = [[0; 4].as_slice(), &[0; 4], &[0, 0, 0, 1]].concat();
    assert_eq!(good[at..], rest, "no headers, four limits that are not there, and no body");
    for claimed in [1, 1_000_000, i32::MAX, -1] {
        let mut input = good.clone();
        input[at..at + 4].copy_from_slice(&claimed.to_be_bytes());
        let code = call(client.id(), &input).expect_err("no such headers").code;
        assert_eq!(code, "internal", "{claimed}");
    }
    for text in ["get", "", "G\0T", "GET\r\n"] {
        let mut input = Vec::new();
        let head = RequestHead {
            method: text.into(),
            url: "https://api.example.test/".into(),
            headers: Vec::new(),
            timeout_ms: Some(0),
            read_timeout_ms: None,
            max_response_bytes: None,
            max_redirects: None,
            body: BodyKind::Nothing,
        };
        <RequestHead as Lower<UniFfiTag>>::write(head, &mut input);
        assert_eq!(call(client.id(), &input).expect_err(text).code, "invalid_request");
    }
}

type Sends = unsafe extern "C" fn(u64, u64, *const u8, u32, *mut u8, u32) -> i64;

fn send(by: Sends, client: u64, call: u64, input: &[u8]) -> Vec<u8> {
    let mut output = vec![0; 64 << 10];
    let (input_len, output_len) = (input.len() as u32, output.len() as u32);
    // SAFETY: both ranges are those of slices, which do not overlap.
    let n = unsafe { by(client, call, input.as_ptr(), input_len, output.as_mut_ptr(), output_len) };
    output.truncate(usize::try_from(n).expect("it fits"));
    output
}

fn open(client: u64, call: u64, input: &[u8]) -> Result<Opened, Failure> {
    let reply = send(pinfold_call_open, client, call, input);
    match <Reply as Lift<UniFfiTag>>::try_read(&mut reply.as_slice()).expect("a reply") {
        Reply::Opened { opened } => Ok(opened),
        Reply::Failed { failure } => Err(failure),
        Reply::Response { .. } => panic!("the body is to be read"),
    }
}

/// What is left of a body, and why it ended before its end.
fn read_all(call: u64) -> (Vec<u8>, Option<Failure>) {
    let (mut all, mut piece) = (Vec::new(), vec![0; 10_000]);
    loop {
        // SAFETY: the range is that of a slice.
        let n = unsafe { pinfold_call_read(call, piece.as_mut_ptr(), piece.len() as u32) };
        match n {
            0 => return (all, None),
            1.. => all.extend_from_slice(&piece[..n as usize]),
            _ => return (all, Some(taken_failure(call, n))),
        }
    }
}

fn taken_failure(call: u64, n: i64) -> Failure {
    let mut reply = vec![0; usize::try_from(-n).expect("a length")];
    assert_eq!(take(call, &mut reply), -n);
    match <Reply as Lift<UniFfiTag>>::try_read(&mut reply.as_slice()).expect("a reply") {
        Reply::Failed { failure } => failure,
        _ => panic!("it had failed"),
    }
}

fn write(call: u64, bytes: &[u8]) -> i64 {
    // SAFETY: the range is that of a slice.
    unsafe { pinfold_call_write(call, bytes.as_ptr(), bytes.len() as u32) }
}

fn progress(call: u64) -> [u64; 4] {
    let mut numbers = [0_u8; 32];
    // SAFETY: the range is that of an array.
    assert_eq!(unsafe { pinfold_call_progress(call, numbers.as_mut_ptr(), 32) }, 1);
    let number = |i: usize| u64::from_ne_bytes(numbers[8 * i..8 * i + 8].try_into().expect("8"));
    [number(0), number(1), number(2), number(3)]
}

#[test]
fn a_body_is_read_piece_by_piece_and_says_why_it_ends_early() {
    let kit = Testkit::start().expect("loopback");
    let client = client(&kit);
    let call = pinfold_call_begin();
    let opened = open(client.id(), call, &request("/bytes/300000")).expect("pinned");
    assert_eq!((opened.head.status, opened.length), (200, Some(300_000)));
    let (body, failure) = read_all(call);
    assert!(body == call_body(&client, "/bytes/300000") && failure.is_none());
    pinfold_call_end(call);
    let mut byte = 0_u8;
    // SAFETY: the range is that of a byte.
    assert_eq!(unsafe { pinfold_call_read(call, &raw mut byte, 1) }, i64::MIN, "ended");

    let call = pinfold_call_begin();
    open(client.id(), call, &request("/short")).expect("a head");
    let (body, failure) = read_all(call);
    assert_eq!((body.len(), failure.expect("cut off").code.as_str()), (10, "truncated"));
    pinfold_call_end(call);

    let call = pinfold_call_begin();
    open(client.id(), call, &request("/hang-body")).expect("a head");
    let reading = std::thread::spawn(move || read_all(call));
    pinfold_call_cancel(call);
    let (_, failure) = reading.join().expect("no panic");
    assert_eq!(failure.expect("ended").code, "cancelled");
    pinfold_call_end(call);
}

#[test]
fn a_body_is_written_while_its_call_is_open_and_says_how_far_it_is() {
    let kit = Testkit::start().expect("loopback");
    let client = client(&kit);
    let call = pinfold_call_begin();
    pinfold_call_expect_writes(call);
    let input = request_with("POST", "/bytes/9", BodyKind::Written { length: Some(200_000) });
    let id = client.id();
    let sending = std::thread::spawn(move || open(id, call, &input).map(|it| it.head.status));
    assert_eq!(
        (write(call, &[1; 150_000]), write(call, &[2; 50_000]), write(call, &[])),
        (1, 1, 1)
    );
    assert_eq!(sending.join().expect("no panic").expect("pinned"), 200);
    assert_eq!(progress(call)[..2], [200_000, 200_000]);
    assert_eq!(write(call, &[3]), 0, "nobody wants it");
    pinfold_call_end(call);
    assert_eq!(write(call, &[3]), 0, "ended");

    // A body that nobody has announced is an error, not a hang.
    let call = pinfold_call_begin();
    let input = request_with("POST", "/", BodyKind::Written { length: None });
    assert_eq!(open(client.id(), call, &input).expect_err("no writer").code, "internal");
    pinfold_call_end(call);
}

#[test]
fn a_form_is_made_part_by_part_and_damaged_parts_are_errors() {
    let kit = Testkit::start().expect("loopback");
    let client = client(&kit);
    let mut part = Vec::new();
    let content = PartContent::Bytes;
    let (name, file_name) = ("photo".to_owned(), Some("cat.jpg".to_owned()));
    let head = FormPart { name, file_name, content_type: None, content };
    <FormPart as Lower<UniFfiTag>>::write(head, &mut part);
    let head_size = part.len();
    part.extend_from_slice(b"bytes");
    let call = pinfold_call_begin();
    // SAFETY: the range is that of a slice.
    let add =
        |bytes: &[u8]| unsafe { pinfold_call_add_part(call, bytes.as_ptr(), bytes.len() as u32) };
    assert_eq!(add(&part), 0);
    for cut in 0..head_size {
        let n = add(&part[..cut]);
        assert!(n < 0, "{cut}");
        assert_eq!(taken_failure(call, n).code, "internal");
    }
    let input = request_with("POST", "/echo", BodyKind::Form);
    let reply = send(pinfold_call_execute, client.id(), call, &input);
    let (head, body) = read(&reply).expect("pinned");
    assert_eq!(head.status, 200);
    let echo = String::from_utf8(body).expect("JSON");
    assert!(echo.contains("multipart/form-data; boundary=pinfold-"), "{echo}");
    pinfold_call_end(call);
}

#[test]
fn a_file_is_downloaded_and_says_how_far_it_is() {
    let kit = Testkit::start().expect("loopback");
    let client = client(&kit);
    let path = std::env::temp_dir().join(format!("pinfold-hot-{}", std::process::id()));
    for (sha256, code) in [
        (None, ""),
        (Some("0".repeat(64)), "digest_mismatch"),
        (Some("x".into()), "invalid_request"),
    ] {
        let target = DownloadTarget { path: path.to_str().expect("text").into(), sha256 };
        let mut input = Vec::new();
        <DownloadTarget as Lower<UniFfiTag>>::write(target, &mut input);
        input.extend_from_slice(&request("/bytes/100000"));
        let call = pinfold_call_begin();
        let reply = send(pinfold_call_download, client.id(), call, &input);
        match read(&reply) {
            Ok((head, body)) => {
                assert_eq!((head.status, body.len(), code), (200, 0, ""));
                assert_eq!(progress(call)[2..], [100_000, 100_000]);
                assert_eq!(std::fs::read(&path).expect("there").len(), 100_000);
            }
            Err(failure) => assert_eq!(failure.code, code),
        }
        pinfold_call_end(call);
    }
    std::fs::remove_file(&path).expect("there");
}
