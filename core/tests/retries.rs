//! Requests that are sent again, and those that are not; and what runs out when.

mod common;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use common::*;
use pinfold_core::client::{BodyWriter, Retries};
use pinfold_core::{CancelToken, Client, ClientBuilder, Error, Request, TimeoutPhase};
use pinfold_testkit::Testkit;

const SHORT: Duration = Duration::from_millis(1);

fn retrying(kit: &Testkit, most: u32) -> ClientBuilder {
    let builder = builder(kit, pinned(kit, "backend"), "backend");
    builder.retries(Retries::new(most).first_wait(SHORT))
}

fn client(kit: &Testkit, most: u32) -> Client {
    retrying(kit, most).build().expect("good settings")
}

fn request(method: &str, path: &str) -> Request {
    Request::new(method.parse().expect("a token"), &url(path)).expect("a good URL")
}

#[test]
fn what_a_server_cannot_do_now_is_asked_again_as_often_as_it_may_be() {
    let kit = kit();
    let client = client(&kit, 2);
    let backend = kit.server("backend");
    for (path, status, sent) in [
        ("/in-turn/503,200", 200, 2),
        ("/in-turn/502,504,200", 200, 3),
        ("/in-turn/429,408,503,200", 503, 3),
        ("/in-turn/500,200", 500, 1),
        ("/in-turn/404,200", 404, 1),
        ("/in-turn/close,close,200", 200, 3),
    ] {
        backend.clear();
        client.close_idle_connections();
        assert_eq!(client.get(&url(path)).expect("answered").status(), status, "{path}");
        assert_eq!(requests(backend), sent, "{path}");
    }
    backend.clear();
    client.close_idle_connections();
    assert_eq!(client.get(&url("/close")).expect_err("always").code(), "connection_lost");
    assert_eq!(requests(backend), 3);
    // By default nothing is.
    backend.clear();
    let plain = common::client(&kit, pinned(&kit, "backend"), "backend");
    assert_eq!(plain.get(&url("/in-turn/503,200?x")).expect("answered").status(), 503);
    assert_eq!(requests(backend), 1);
}

#[test]
fn a_request_is_never_sent_twice_unless_that_is_safe_and_its_body_can_begin_again() {
    let kit = kit();
    let client = client(&kit, 3);
    let backend = kit.server("backend");
    let sent = |request: &Request| {
        backend.clear();
        let _whatever = client.send(request);
        requests(backend)
    };
    for path in ["/in-turn/503,200", "/in-turn/close,200"] {
        let body = |method| request(method, path).body(b"pay".to_vec()).expect("takes one");
        for unsafe_method in ["POST", "PATCH", "LOCK", "PURGE"] {
            assert_eq!(sent(&body(unsafe_method)), 1, "{unsafe_method} {path}");
        }
        for safe in ["PUT", "DELETE", "PROPFIND", "QUERY"] {
            assert_eq!(sent(&body(safe)), 2, "{safe} {path}");
        }
        // A body that is gone once it was read.
        let (mut writer, written) = BodyWriter::pair();
        let once = request("PUT", path).body_written(written, Some(3)).expect("takes one");
        let writes = std::thread::spawn(move || writer.write(b"pay", &CancelToken::new()));
        assert_eq!(sent(&once), 1, "{path}");
        drop(writes.join().expect("no panic"));
    }
}

#[test]
fn of_what_was_not_sent_every_method_is_tried_again() {
    let kit = kit();
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|it| it.local_addr());
    let nobody: SocketAddr = free.expect("a port that nobody has");
    let client = retrying(&kit, 3).connect_to(HOST, 443, nobody).build().expect("good settings");
    let post = request("POST", "/").body(b"pay".to_vec()).expect("takes one");
    let waiting = Instant::now();
    assert_eq!(client.send(&post).expect_err("nobody").code(), "connect_failed");
    // Half of 1, 2 and 4 ms at least: it has waited three times.
    assert!(waiting.elapsed() >= SHORT * 3);
    // A certificate is no accident.
    let pins = pinned(&kit, "backend");
    let strict = builder(&kit, pins, "interceptor").retries(Retries::new(3).first_wait(SHORT));
    let error = strict.build().expect("good settings").get(&url("/")).expect_err("intercepted");
    assert_eq!((error.code(), connections(kit.server("interceptor"))), ("pin_mismatch", 1));
}

#[test]
fn a_server_is_left_alone_for_as_long_as_it_wants_within_the_deadline() {
    let kit = kit();
    let client = client(&kit, 3);
    let backend = kit.server("backend");
    let get = |field: &str| {
        backend.clear();
        let field: String = field.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let begun = Instant::now();
        let path = format!("/in-turn/503,200?fields=Retry-After%3A{field}");
        let status = client.get(&url(&path)).expect("answered").status();
        (status, requests(backend), begun.elapsed() >= Duration::from_secs(1))
    };
    assert_eq!(get("0"), (200, 2, false));
    assert_eq!(get("1"), (200, 2, true));
    assert_eq!(get("Sun, 06 Nov 1994 08:49:37 GMT"), (200, 2, false), "long ago");
    // What cannot be had in time is not waited for: the answer is the server's.
    assert_eq!(get("60"), (503, 1, false));
    assert_eq!(get("Sun, 06 Nov 2094 08:49:37 GMT"), (503, 1, false));
    for malformed in ["", "soon", "-1", "1e9", "Sun, 99 Nov 2094 08:49:37 GMT"] {
        assert_eq!(get(malformed), (200, 2, false), "{malformed}");
    }
}

#[test]
fn when_everything_fails_a_client_and_its_sessions_send_little_more() {
    let kit = kit();
    let client = client(&kit, 6);
    let backend = kit.server("backend");
    let session = client.session().build().expect("a session");
    for who in [&client, &session] {
        for _ in 0..10 {
            assert_eq!(who.get(&url("/status/503")).expect("answered").status(), 503);
        }
    }
    // 20 requests, and the ten attempts that there are.
    assert_eq!(requests(backend), 30);
}

#[test]
fn cancelling_ends_the_wait_for_another_attempt() {
    let kit = kit();
    let client = client(&kit, 3);
    let cancel = CancelToken::new();
    let waits = std::thread::spawn({
        let (client, cancel) = (client, cancel.clone());
        let request = request("GET", "/in-turn/503,200?fields=Retry-After:15");
        move || client.send_cancellable(&request, &cancel)
    });
    wait_asked(&kit);
    cancel.cancel();
    assert_eq!(waits.join().expect("no panic").expect_err("cancelled"), Error::Cancelled);
    assert_eq!(requests(kit.server("backend")), 1);
}

fn wait_asked(kit: &Testkit) {
    let asked = |events: &[pinfold_testkit::Event]| {
        events.iter().any(|it| matches!(it, pinfold_testkit::Event::Request { .. }))
    };
    kit.server("backend").wait_for(asked, PATIENCE).expect("it was sent");
}

#[test]
fn each_phase_has_its_own_time() {
    let kit = kit();
    let after = Duration::from_millis(150);
    let timeout = |phase| Error::Timeout { host: HOST.into(), phase, after };
    let with = |set: fn(ClientBuilder, Duration) -> ClientBuilder, server: &str| {
        set(builder(&kit, pinned(&kit, "backend"), server), after).build().expect("good settings")
    };
    let tls = with(|it, after| it.tls_timeout(after), "hang_on_accept");
    assert_eq!(tls.get(&url("/")).expect_err("no handshake"), timeout(TimeoutPhase::Tls));
    let first = with(|it, after| it.first_byte_timeout(after), "backend");
    assert_eq!(first.get(&url("/hang")).expect_err("no answer"), timeout(TimeoutPhase::FirstByte));
    // It holds until the answer begins, and the read timeout from there on.
    let long = with(|it, after| it.first_byte_timeout(after * 40).read_timeout(after), "backend");
    assert_eq!(long.get(&url("/delay?ms=400")).expect("in time").status(), 200);
    assert_eq!(long.get(&url("/hang-body")).expect_err("half"), timeout(TimeoutPhase::Read));
    let queue = with(|it, after| it.queue_timeout(after).max_requests_per_host(1), "backend");
    let held = queue.stream(&request("GET", "/hang-body"), &CancelToken::new()).expect("a head");
    assert_eq!(queue.get(&url("/")).expect_err("no place"), timeout(TimeoutPhase::Queue));
    let queued = queue.turn(request("GET", "/"), &CancelToken::new());
    assert_eq!(block_on(queued).err(), Some(timeout(TimeoutPhase::Queue)));
    drop(held);
    assert_eq!(queue.get(&url("/")).expect("its turn").status(), 200);
    // The sooner end counts, by its own name.
    let total = with(|it, after| it.timeout(after).queue_timeout(after * 40), "backend");
    assert_eq!(total.get(&url("/hang")).expect_err("no answer"), timeout(TimeoutPhase::Total));
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut future = std::pin::pin!(future);
    loop {
        let polled = future.as_mut().poll(&mut std::task::Context::from_waker(&waker));
        if let std::task::Poll::Ready(done) = polled {
            return done;
        }
        std::thread::park();
    }
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let kit = kit();
    let set = || builder(&kit, pinned(&kit, "backend"), "backend");
    let day = Duration::from_secs(86_401);
    for (builder, place) in [
        (set().queue_timeout(day), "queue_timeout"),
        (set().lookup_timeout(day), "lookup_timeout"),
        (set().tls_timeout(day), "tls_timeout"),
        (set().first_byte_timeout(day), "first_byte_timeout"),
        (set().retries(Retries::new(21)), "retries"),
    ] {
        assert_eq!(builder.build().expect_err(place).place(), Some(place));
    }
}
