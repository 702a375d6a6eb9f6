//! HTTP as hostile servers speak it.

mod common;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use common::*;
use pinfold_core::pin::{HostSpec, PinAt};
use pinfold_core::{Client, Error, Method, Request, TimeoutPhase};
use pinfold_testkit::{Event, Testkit};

fn pinned_client(kit: &Testkit) -> Client {
    client(kit, pinned(kit, "backend"), "backend")
}

/// Every host name of the testkit, pinned to the backend's key.
fn for_all_hosts(kit: &Testkit) -> pinfold_core::PinSet {
    set(vec![HostSpec {
        host: "example.test".into(),
        include_subdomains: true,
        ..host(pins_at(kit, "backend", PinAt::Any))
    }])
}

fn error(kit: &Testkit, path: &str) -> Error {
    match pinned_client(kit).get(&url(path)) {
        Err(error) => error,
        Ok(response) => panic!("{path}: {response:?}"),
    }
}

fn request(method: Method, path: &str) -> Request {
    Request::new(method, &url(path)).expect("a good URL")
}

#[test]
fn every_method_arrives_with_its_headers_and_body() {
    let kit = kit();
    let client = pinned_client(&kit);
    for method in [Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete] {
        let mut request = request(method, "/echo").header("X-One", "1").expect("a good header");
        if method != Method::Get {
            request = request.body(b"body\0".to_vec()).expect("takes a body");
        }
        let response = client.send(&request).expect("pinned");
        let echo: serde_json::Value = serde_json::from_slice(response.body()).expect("JSON");
        assert_eq!(echo["method"], method.as_str());
        let headers = echo["headers"].to_string().to_lowercase();
        assert!(headers.contains(r#"["x-one","1"]"#), "{headers}");
        assert!(headers.contains(r#"["user-agent","pinfold/"#), "{headers}");
        let body = if method == Method::Get { "" } else { "Ym9keQA=" };
        assert_eq!(echo["body_base64"], body, "{method}");
    }
    assert_eq!(connections(kit.server("backend")), 1);
}

#[test]
fn a_head_response_has_no_body() {
    let kit = kit();
    let response = pinned_client(&kit).send(&request(Method::Head, "/bytes/100")).expect("pinned");
    assert_eq!((response.status(), response.body().len()), (200, 0));
    assert_eq!(response.header("Content-Length"), Some("100"));
}

#[test]
fn every_status_is_a_response() {
    let kit = kit();
    let client = pinned_client(&kit);
    for status in [200, 204, 304, 400, 404, 418, 500, 503, 599] {
        let response = client.get(&url(&format!("/status/{status}"))).expect("a response");
        assert_eq!(response.status(), status);
    }
    assert_eq!(client.get(&url("/status/103")).expect("early hints").status(), 200);
}

#[test]
fn bodies_are_whole_however_they_are_delimited() {
    let kit = kit();
    let client = pinned_client(&kit);
    for n in [0, 1, 32_767, 32_768, 100_000, 3_000_000] {
        for kind in ["bytes", "chunked", "until-close", "gzip", "zstd"] {
            let response = client.get(&url(&format!("/{kind}/{n}"))).expect("whole");
            assert_eq!(response.body().len(), n, "{kind}");
            if ["gzip", "zstd"].contains(&kind) {
                assert!(response.body().iter().all(|b| *b == 0));
                assert_eq!(response.header("content-encoding"), None);
            }
        }
    }
}

#[test]
fn large_request_bodies_arrive_whole() {
    let kit = kit();
    let body = vec![7; 5 << 20];
    let request = request(Method::Post, "/").body(body).expect("POST");
    pinned_client(&kit).send(&request).expect("pinned");
    let sizes = |e: &Event| match e {
        Event::Request { body_len, .. } => Some(*body_len),
        _ => None,
    };
    let events = kit.server("backend").events();
    assert_eq!(events.iter().filter_map(sizes).collect::<Vec<_>>(), [5 << 20]);
}

#[test]
fn gzip_is_decoded_however_its_coding_is_written() {
    let kit = kit();
    let client = pinned_client(&kit);
    for query in [
        "fields=gzip",
        "fields=x-gzip",
        "fields=X-GZIP",
        "fields=identity,%20gzip",
        "fields=identity%7Cgzip",
        "fields=gzip%7Cidentity",
        "fields=gzip%7CGzip&layers=2",
        "fields=identity&layers=0",
        "zeros=10",
        "zeros=5000",
    ] {
        let response = client.get(&url(&format!("/coded?{query}"))).expect(query);
        assert_eq!(response.text(), "hello", "{query}");
    }
    // Nobody has asked for that: the app gets what was sent, and is told so.
    let other = client.get(&url("/coded?fields=br&layers=0")).expect("handed on");
    assert_eq!((other.text().as_ref(), other.header("content-encoding")), ("hello", Some("br")));
    let broken = client.get(&url("/coded?layers=0")).expect_err("plain text that is called gzip");
    assert_eq!(broken.code(), "invalid_response");
}

#[test]
fn where_the_caller_sets_a_coding_or_a_range_nothing_is_added_and_nothing_decoded() {
    let kit = kit();
    let client = pinned_client(&kit);
    for (name, value, sent) in [
        ("Accept-Encoding", "gzip", "gzip"),
        ("accept-encoding", "br;q=1.0, gzip", "br;q=1.0, gzip"),
        ("Range", "bytes=0-", "identity"),
    ] {
        let with = |path: &str| {
            let request = request(Method::Get, path).header(name, value).expect("a good header");
            client.send(&request).expect("pinned")
        };
        let coded = with("/coded");
        assert_eq!(coded.header("content-encoding"), Some("gzip"), "{name}");
        assert_eq!(coded.body().get(..2), Some(&[0x1f, 0x8b][..]), "{name}: as it was sent");
        let echo = with("/echo").text().to_lowercase();
        assert!(echo.contains(&format!(r#"["accept-encoding","{sent}"]"#)), "{echo}");
    }
    let echo = client.get(&url("/echo")).expect("pinned").text().to_lowercase();
    assert_eq!(echo.matches("accept-encoding").count(), 1, "{echo}");
    assert!(echo.contains(r#"["accept-encoding","zstd, gzip"]"#), "{echo}");
}

#[test]
fn head_and_answers_without_a_body_have_nothing_to_decode() {
    let kit = kit();
    let client = pinned_client(&kit);
    let head = client.send(&request(Method::Head, "/coded")).expect("no body");
    assert_eq!((head.status(), head.body().len()), (200, 0));
    for status in [204, 304] {
        let path = format!("/coded?status={status}");
        let response = client.get(&url(&path)).expect("no body");
        assert_eq!((response.status(), response.body().len()), (status, 0));
        // Of what it would have had.
        assert_eq!(response.header("content-encoding"), Some("gzip"));
    }
}

/// What an attacker on the path can do at any time: a FIN where close_notify belongs.
#[test]
fn a_truncated_body_is_an_error() {
    let kit = kit();
    for path in ["/truncated", "/short", "/chunked-cut", "/chunk-size-cut"] {
        let error = error(&kit, path);
        assert!(matches!(error, Error::Truncated { .. }), "{path}: {error}");
    }
    let cut = error(&kit, "/gzip-cut");
    assert!(matches!(cut, Error::Truncated { .. } | Error::InvalidResponse { .. }), "{cut}");
}

#[test]
fn a_decompression_bomb_stops_at_the_limit() {
    let kit = kit();
    let client = builder(&kit, pinned(&kit, "backend"), "backend").max_response_bytes(1 << 20);
    let client = client.build().expect("good settings");
    let error = client.get(&url("/bomb")).expect_err("200 MB");
    assert_eq!(error, Error::ResponseTooLarge { host: HOST.into(), limit: 1 << 20 });
}

#[test]
fn the_limit_is_exact_for_every_kind_of_body() {
    let kit = kit();
    let client = builder(&kit, pinned(&kit, "backend"), "backend").max_response_bytes(1_000);
    let client = client.build().expect("good settings");
    for kind in ["bytes", "chunked", "until-close", "gzip", "zstd"] {
        assert_eq!(client.get(&url(&format!("/{kind}/1000"))).expect(kind).body().len(), 1_000);
        let error = client.get(&url(&format!("/{kind}/1001"))).expect_err(kind);
        assert_eq!(error.code(), "response_too_large", "{kind}");
    }
    assert_eq!(client.get(&url("/endless")).expect_err("endless").code(), "response_too_large");
}

#[test]
fn what_is_not_http_is_an_invalid_response() {
    let kit = kit();
    for path in [
        "/garbage",
        "/bad-status",
        "/bad-header",
        "/nul-header",
        "/bad-length",
        "/gzip-bad",
        "/endless-head",
    ] {
        let error = error(&kit, path);
        assert!(matches!(error, Error::InvalidResponse { .. }), "{path}: {error:?}");
    }
}

#[test]
fn what_comes_before_an_answer_or_behind_its_last_chunk_is_passed_over_and_has_an_end() {
    let kit = kit();
    let client = pinned_client(&kit);
    let chunks =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\n";
    let hex =
        |rest: &[u8]| chunks.iter().chain(rest).map(|b| format!("{b:02x}")).collect::<String>();
    for rest in [&b"\r\n"[..], b"X-Sum: 7\r\n\r\n", b"X-Sum: 7\r\nSet-Cookie: id=1\r\n\r\n"] {
        let response = client.get(&url(&format!("/hex/{}", hex(rest)))).expect("whole");
        assert_eq!((response.text().as_ref(), response.header("x-sum")), ("ok", None));
    }
    for path in ["/endless-trailers", "/endless-interim"] {
        let before = connections(kit.server("backend"));
        let error = client.get(&url(path)).expect_err(path);
        assert_eq!(error.code(), "invalid_response", "{path}: {error}");
        assert_eq!(client.get(&url("/")).expect("on another connection").text(), "ok");
        assert!(connections(kit.server("backend")) > before);
    }
}

#[test]
fn header_values_are_read_as_utf8_and_the_body_by_its_charset() {
    let kit = kit();
    let head = b"HTTP/1.1 200 OK\r\nX-Utf8: caf\xc3\xa9\r\nX-Other: caf\xe9\r\n";
    let rest = b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Length: 1\r\n\r\n\xfc";
    let hex = [&head[..], rest].concat().iter().map(|b| format!("{b:02x}")).collect::<String>();
    let response = pinned_client(&kit).get(&url(&format!("/hex/{hex}"))).expect("pinned");
    assert_eq!(response.header("x-utf8"), Some("café"));
    assert_eq!(response.header("x-other"), Some("caf\u{fffd}"));
    assert_eq!(response.text(), "ü");
}

#[test]
fn a_connection_that_breaks_is_told_apart() {
    let kit = kit();
    for path in ["/close", "/close-head", "/reset"] {
        let error = error(&kit, path);
        assert!(matches!(error, Error::ConnectionLost { .. }), "{path}: {error:?}");
    }
    for (server, code) in [
        ("close_on_accept", "connection_lost"),
        ("close_on_hello", "connection_lost"),
        ("reset_on_hello", "connection_lost"),
        ("close_in_handshake", "connection_lost"),
        ("close_after_handshake", "connection_lost"),
        ("garbage", "tls_failed"),
        ("plain_http", "tls_failed"),
    ] {
        let error = get(&kit, pinned(&kit, "backend"), server).expect_err(server);
        assert_eq!(error.code(), code, "{server}: {error}");
        assert_eq!(error.host(), Some(HOST));
    }
}

#[test]
fn an_idempotent_request_is_sent_again_when_its_pooled_connection_was_dead() {
    for path in ["/once-stale", "/keepalive-close-after"] {
        let kit = kit();
        let client = pinned_client(&kit);
        client.get(&url(path)).expect("the first");
        assert_eq!(
            client.get(&url("/")).expect("again, on a new connection").text(),
            "ok",
            "{path}"
        );
        assert_eq!(connections(kit.server("backend")), 2, "{path}");
    }
}

#[test]
fn a_post_is_never_sent_twice() {
    let kit = kit();
    let client = pinned_client(&kit);
    client.get(&url("/once-stale")).expect("the first");
    let post = request(Method::Post, "/").body(b"pay".to_vec()).expect("POST");
    let error = client.send(&post).expect_err("its connection was dead");
    assert!(matches!(error, Error::ConnectionLost { .. }), "{error}");
    assert_eq!(connections(kit.server("backend")), 1);
}

#[test]
fn a_fresh_connection_that_breaks_is_not_tried_again() {
    let kit = kit();
    error(&kit, "/close");
    assert_eq!(connections(kit.server("backend")), 1);
}

#[test]
fn redirects_are_followed_and_counted() {
    let kit = kit();
    let to = |target: &str| format!("/redirect?code=302&to={}", percent(target));
    let client = pinned_client(&kit);
    let response = client.get(&url(&to("/echo"))).expect("followed");
    assert_eq!(response.url(), url("/echo"));
    assert_eq!(connections(kit.server("backend")), 1);

    // Each hop is nested in the one before.
    let four = (0..4).fold("/".to_owned(), |target, _| to(&target));
    let limited = |max| builder(&kit, pinned(&kit, "backend"), "backend").max_redirects(max);
    let get = |max| limited(max).build().expect("good settings").get(&url(&four));
    assert_eq!(get(4).expect("as many as allowed").text(), "ok");
    let error = get(3).expect_err("one too many");
    assert_eq!(error, Error::TooManyRedirects { host: HOST.into(), limit: 3 });

    let unfollowed = get(0).expect("a response like others");
    assert_eq!((unfollowed.status(), unfollowed.text().as_ref()), (302, "moved"));
}

#[test]
fn a_request_says_how_many_of_its_redirects_are_followed() {
    let kit = kit();
    let client = pinned_client(&kit);
    let request =
        || Request::new(Method::Get, &url("/redirect?code=302&to=%2Fecho")).expect("a URL");
    let send = |max| client.send(&request().max_redirects(max).expect("in range"));
    assert_eq!(send(0).expect("a response like others").status(), 302);
    assert_eq!(send(1).expect("followed").status(), 200);
    assert_eq!(request().max_redirects(51).expect_err("too many").code(), "invalid_request");
}

#[test]
fn a_redirect_to_http_is_refused_and_nothing_is_sent_there() {
    let kit = kit();
    let plain = TcpListener::bind("127.0.0.1:0").expect("loopback");
    plain.set_nonblocking(true).expect("a socket");
    let target = format!("http://{}/?token=s3cret", plain.local_addr().expect("bound"));
    let path = format!("/redirect?code=302&to={}", percent(&target));
    let error = error(&kit, &path);
    assert_eq!(error.code(), "insecure_redirect");
    assert!(!error.to_string().contains("s3cret"));
    assert!(plain.accept().is_err(), "a connection without TLS");
}

#[test]
fn secrets_do_not_follow_a_redirect_to_another_host() {
    let kit = kit();
    let target = "https://other.example.test/echo";
    let path = format!("/redirect?code=307&to={}", percent(target));
    let client = builder(&kit, for_all_hosts(&kit), "backend").connect_to(
        "other.example.test",
        443,
        kit.server("backend_root").addr(),
    );
    let client = client.build().expect("good settings");
    let request = request(Method::Get, &path)
        .header("Authorization", "Bearer s3cret")
        .and_then(|r| r.header("Cookie", "id=s3cret"))
        .and_then(|r| r.sensitive_header("X-Api-Key", "s3cret"))
        .and_then(|r| r.header("X-Public", "shown"))
        .expect("good headers");
    let response = client.send(&request).expect("followed");
    assert_eq!(response.url(), target);
    let echo = response.text();
    assert!(echo.contains("shown") && !echo.contains("s3cret"), "{echo}");
}

#[test]
fn each_hop_is_pinned_by_its_own_hosts_policy() {
    let kit = kit();
    let path = format!("/redirect?code=302&to={}", percent("https://other.example.test/"));
    let addr = kit.server("interceptor").addr();
    let hop = |pins| builder(&kit, pins, "backend").connect_to("other.example.test", 443, addr);
    let get = |pins| hop(pins).build().expect("good settings").get(&url(&path));
    assert_eq!(get(for_all_hosts(&kit)).expect_err("pinned").code(), "pin_mismatch");
    assert_eq!(get(pinned(&kit, "backend")).expect_err("unpinned").code(), "host_not_pinned");
    assert_eq!(requests(kit.server("interceptor")), 0);
}

#[test]
fn timeouts_say_which_and_how_long() {
    let kit = kit();
    let connect = builder(&kit, pinned(&kit, "backend"), "hang_on_accept");
    let connect =
        connect.connect_timeout(Duration::from_millis(80)).build().expect("good settings");
    let error = connect.get(&url("/")).expect_err("no handshake");
    let after = Duration::from_millis(80);
    assert_eq!(error, Error::Timeout { host: HOST.into(), phase: TimeoutPhase::Connect, after });

    for path in ["/hang", "/hang-body", "/slow"] {
        let total = builder(&kit, pinned(&kit, "backend"), "backend");
        let total = total.timeout(Duration::from_millis(250)).build().expect("good settings");
        let error = total.get(&url(path)).expect_err(path);
        assert_eq!(error.code(), "timeout_total", "{path}: {error}");
        let own = request(Method::Get, path).timeout(Duration::from_millis(90)).expect("not zero");
        let error = total.send(&own).expect_err(path);
        let after = Duration::from_millis(90);
        assert_eq!(error, Error::Timeout { host: HOST.into(), phase: TimeoutPhase::Total, after });
    }
}

#[test]
fn an_answer_that_stops_costs_the_read_timeout_and_a_request_may_wait_longer() {
    let kit = kit();
    let client = builder(&kit, pinned(&kit, "backend"), "backend");
    let after = Duration::from_millis(100);
    let client = client.read_timeout(after).build().expect("good settings");
    for path in ["/hang", "/hang-body", "/delay?ms=400"] {
        let error = client.get(&url(path)).expect_err(path);
        assert_eq!(error, Error::Timeout { host: HOST.into(), phase: TimeoutPhase::Read, after });
    }
    for read in [Duration::ZERO, Duration::from_secs(20)] {
        let patient = request(Method::Get, "/delay?ms=400").read_timeout(read).expect("in range");
        assert_eq!(client.send(&patient).expect("in time").text(), "ok");
    }
    // Bytes that come one by one come in time.
    let slow = request(Method::Get, "/slow")
        .timeout(Duration::from_millis(600))
        .and_then(|request| request.read_timeout(Duration::from_millis(400)))
        .expect("in range");
    assert_eq!(client.send(&slow).expect_err("in all").code(), "timeout_total");
}

/// A proxy that refuses does so after the head, and closes while the body is still being sent.
#[test]
fn an_answer_that_comes_before_the_body_was_sent_is_the_answer() {
    let kit = kit();
    let client = pinned_client(&kit);
    for size in [0, 1_000, 100_000, 400_000, 4_000_000] {
        let body = vec![7; size];
        let request = request(Method::Post, "/early-413").body(body).expect("POST");
        assert_eq!(client.send(&request).expect("a status").status(), 413, "{size}");
    }
    // None of these connections is used again.
    assert_eq!(client.get(&url("/")).expect("a new one").text(), "ok");
}

/// This server reads no more once it has answered, so that most of the body can never be sent.
#[test]
fn an_answer_ends_the_sending_of_a_body_that_nobody_reads() {
    let kit = kit();
    let body = vec![7; 32 << 20];
    let request = request(Method::Post, "/deaf-413").body(body).expect("POST");
    assert_eq!(pinned_client(&kit).send(&request).expect("a status").status(), 413);
}

/// In TLS 1.3 the server's alert comes when the client's part of the handshake is long done.
#[test]
fn a_certificate_that_the_server_misses_is_told_whatever_is_sent() {
    let kit = kit();
    for size in [None, Some(0), Some(1_000), Some(1_000_000)] {
        let request = match size {
            None => request(Method::Get, "/"),
            Some(size) => request(Method::Post, "/").body(vec![7; size]).expect("POST"),
        };
        let client = client(&kit, pinned(&kit, "backend"), "client_auth");
        let error = client.send(&request).expect_err("no certificate");
        assert_eq!(error.code(), "client_certificate_refused", "{size:?}: {error}");
        assert!(error.to_string().to_lowercase().contains("certificaterequired"), "{error}");
    }
}

#[test]
fn the_body_of_a_redirect_is_not_waited_for() {
    let kit = kit();
    let path = format!("/redirect-hang?to={}", percent("/echo"));
    let begun = std::time::Instant::now();
    let response = pinned_client(&kit).get(&url(&path)).expect("followed");
    assert_eq!(response.url(), url("/echo"));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // Its connection was given up.
    assert_eq!(connections(kit.server("backend")), 2);
}

/// haproxy answers a connection that says nothing with a whole 408.
#[test]
fn what_comes_unasked_on_an_idle_connection_is_nobodys_answer() {
    let kit = kit();
    let server = kit.server("backend");
    let client = pinned_client(&kit);
    assert_eq!(client.get(&url("/unasked-408")).expect("the first").text(), "ok");
    wait_closed(server, 1);
    let post = request(Method::Post, "/").body(b"pay".to_vec()).expect("POST");
    let response = client.send(&post).expect("on a connection of its own");
    assert_eq!((response.status(), response.text().as_ref()), (200, "ok"));
    assert_eq!(connections(server), 2);
}

#[test]
fn long_polls_do_not_delay_a_short_request_and_limits_queue_within_the_timeout() {
    let kit = kit();
    let server = kit.server("backend");
    let settings = || builder(&kit, pinned(&kit, "backend"), "backend");
    let polls = |client: &Client, n| {
        for _ in 0..n {
            let client = client.clone();
            std::thread::spawn(move || client.get(&url("/hang")));
        }
    };
    let asked = |n| {
        move |events: &[Event]| {
            events.iter().filter(|e| matches!(e, Event::Request { .. })).count() >= n
        }
    };
    let client = settings().build().expect("good settings");
    polls(&client, 70);
    server.wait_for(asked(70), PATIENCE).expect("the polls");
    let short = request(Method::Get, "/").timeout(Duration::from_secs(2)).expect("in range");
    assert_eq!(client.send(&short).expect("at once").text(), "ok");
    client.close();

    let limited = settings().max_requests_per_host(2).build().expect("good settings");
    polls(&limited, 2);
    server.wait_for(asked(73), PATIENCE).expect("the polls");
    let after = Duration::from_millis(50);
    let waits = request(Method::Get, "/").timeout(after).expect("in range");
    let error = limited.send(&waits).expect_err("two are under way");
    assert_eq!(error, Error::Timeout { host: HOST.into(), phase: TimeoutPhase::Total, after });
    assert_eq!(requests(server), 73);
    limited.close();
}

#[test]
fn a_refused_port_is_a_failed_connection() {
    let kit = kit();
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr());
    let free: SocketAddr = free.expect("loopback");
    let client = builder(&kit, pinned(&kit, "backend"), "backend").connect_to(HOST, 443, free);
    let error = client.build().expect("good settings").get(&url("/")).expect_err("refused");
    assert!(matches!(error, Error::ConnectFailed { .. }), "{error:?}");
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let kit = kit();
    let settings = || builder(&kit, pinned(&kit, "backend"), "backend");
    for (builder, field) in [
        (settings().timeout(Duration::ZERO), "timeout"),
        (settings().timeout(Duration::MAX), "timeout"),
        (settings().connect_timeout(Duration::ZERO), "connect_timeout"),
        (settings().read_timeout(Duration::MAX), "read_timeout"),
        (settings().max_requests(0), "max_requests"),
        (settings().max_requests_per_host(10_001), "max_requests_per_host"),
        (settings().max_idle_connections(1_001), "max_idle_connections"),
        (settings().max_response_bytes(0), "max_response_bytes"),
        (settings().max_redirects(51), "max_redirects"),
        (settings().user_agent("a\r\nb"), "user_agent"),
        (settings().user_agent("a".repeat(257)), "user_agent"),
        (settings().connect_to("a..b", 443, SocketAddr::from(([127, 0, 0, 1], 1))), "connect_to"),
        (settings().roots(pinfold_core::Roots::Only(Vec::new())), "roots"),
    ] {
        let error = builder.build().expect_err(field);
        assert_eq!((error.code(), error.place()), ("invalid_config", Some(field)));
    }
    let roots = pinfold_core::Roots::Only(vec![vec![0x30, 0]]);
    let error = settings().roots(roots).build().expect_err("not a certificate");
    assert_eq!((error.code(), error.place()), ("invalid_certificate", Some("roots[0]")));
}

fn percent(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}
