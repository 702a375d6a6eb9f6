//! Bodies that are pulled.

mod common;

use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use pinfold_core::{
    CancelToken, Client, Error, Method, Request, Response, ResponseBody, TimeoutPhase,
};
use pinfold_testkit::Testkit;

fn pinned_client(kit: &Testkit) -> Client {
    client(kit, pinned(kit, "backend"), "backend")
}

fn get(path: &str) -> Request {
    Request::new(Method::Get, &url(path)).expect("a good URL")
}

fn stream(client: &Client, request: &Request) -> Response<ResponseBody> {
    client.stream(request, &CancelToken::new()).expect("pinned")
}

/// Pulls to the end, or to the error.
fn pull_all(body: &mut ResponseBody, piece: usize) -> (Vec<u8>, Option<Error>) {
    let (mut all, mut buffer) = (Vec::new(), vec![0; piece]);
    loop {
        match body.pull(&mut buffer) {
            Ok(0) => return (all, None),
            Ok(n) => all.extend_from_slice(&buffer[..n]),
            Err(error) => return (all, Some(error)),
        }
    }
}

#[test]
fn a_body_that_is_pulled_is_the_one_that_would_have_come_whole() {
    let kit = kit();
    let client = pinned_client(&kit);
    for path in ["/bytes/100000", "/chunked/100000", "/gzip/100000", "/bytes/0", "/status/204"] {
        let whole = client.get(&url(path)).expect("pinned");
        for piece in [7, 1_000, 1 << 20] {
            let mut response = stream(&client, &get(path));
            assert_eq!(response.status(), whole.status());
            let known = (path == "/bytes/100000").then_some(100_000);
            assert!(known.is_none() || response.body_mut().length() == known);
            let (body, error) = pull_all(response.body_mut(), piece);
            assert!(error.is_none() && body == whole.body(), "{path} {piece}");
            assert_eq!(response.body_mut().pull(&mut [0; 9]), Ok(0), "the end stays the end");
        }
    }
    assert_eq!(connections(kit.server("backend")), 1, "each gave its connection back");
}

#[test]
fn a_body_that_is_dropped_before_its_end_costs_its_connection_alone() {
    let kit = kit();
    let client = pinned_client(&kit);
    let mut endless = stream(&client, &get("/endless"));
    let mut buffer = vec![0; 100_000];
    endless.body_mut().read_exact(&mut buffer).expect("it has no end");
    assert_eq!(client.get(&url("/")).expect("another connection").status(), 200);
    drop(endless);
    wait_closed(kit.server("backend"), 1);
    assert_eq!(client.get(&url("/")).expect("the other connection").status(), 200);
    assert_eq!(connections(kit.server("backend")), 2);
}

#[test]
fn a_body_that_breaks_off_is_an_error_and_stays_one() {
    let kit = kit();
    let client = pinned_client(&kit);
    for (path, received) in [("/short", 10), ("/truncated", 14), ("/chunked-cut", 5)] {
        let mut response = stream(&client, &get(path));
        let (body, error) = pull_all(response.body_mut(), 1_000);
        let truncated = Error::Truncated { host: HOST.into(), proxy: None, received };
        assert_eq!((body.len() as u64, error.as_ref()), (received, Some(&truncated)), "{path}");
        assert_eq!(response.body_mut().pull(&mut [0; 9]), Err(truncated));
    }
    let mut response = stream(&client, &get("/gzip-bad"));
    let (_, error) = pull_all(response.body_mut(), 1_000);
    assert_eq!(error.expect("no gzip").code(), "invalid_response");
    assert_eq!(connections(kit.server("backend")), 4, "none of them is used again");
}

#[test]
fn cancelling_and_closing_end_a_body_that_is_being_pulled() {
    let kit = kit();
    let client = pinned_client(&kit);
    for (code, path) in [("cancelled", "/hang-body?1"), ("client_closed", "/hang-body?2")] {
        let cancel = CancelToken::new();
        let mut response = client.stream(&get(path), &cancel).expect("a head");
        let pulling = thread::spawn(move || pull_all(response.body_mut(), 10).1);
        match code {
            "cancelled" => cancel.cancel(),
            _ => client.close(),
        }
        assert_eq!(pulling.join().expect("no panic").expect("ended").code(), code);
    }
    wait_closed(kit.server("backend"), 2);
}

#[test]
fn a_cancelled_body_leaves_the_next_call_on_its_connection_alone() {
    let kit = kit();
    let client = pinned_client(&kit);
    let cancel = CancelToken::new();
    let mut response = client.stream(&get("/bytes/10"), &cancel).expect("a head");
    pull_all(response.body_mut(), 100);
    let mut other = stream(&client, &get("/bytes/100000"));
    cancel.cancel();
    assert_eq!(pull_all(other.body_mut(), 1_000).0.len(), 100_000);
    assert_eq!(connections(kit.server("backend")), 1, "it was the same one");
}

#[test]
fn a_body_may_take_longer_than_the_client_s_timeout_but_not_than_the_request_s_own() {
    let kit = kit();
    let short = Duration::from_millis(300);
    let client = builder(&kit, pinned(&kit, "backend"), "backend").timeout(short).build();
    let client = client.expect("good settings");
    let begun = Instant::now();
    // A letter each 100 ms.
    let mut response = stream(&client, &get("/slow"));
    let mut buffer = [0; 6];
    response.body_mut().read_exact(&mut buffer).expect("it goes on");
    assert!(begun.elapsed() > short && &buffer == b"abcdef");

    let request = get("/slow").timeout(short).expect("a good timeout");
    let (_, error) = pull_all(stream(&client, &request).body_mut(), 10);
    let total = Error::Timeout { host: HOST.into(), phase: TimeoutPhase::Total, after: short };
    assert_eq!(error, Some(total));
}

#[test]
fn a_body_that_stops_ends_by_the_read_timeout() {
    let kit = kit();
    let client = pinned_client(&kit);
    let patience = Duration::from_millis(100);
    let request = get("/hang-body").read_timeout(patience).expect("a good timeout");
    let (body, error) = pull_all(stream(&client, &request).body_mut(), 100);
    let read = Error::Timeout { host: HOST.into(), phase: TimeoutPhase::Read, after: patience };
    assert_eq!((body.len(), error), (10, Some(read)));
}

#[test]
fn a_request_s_own_limit_counts_decoded_bytes_and_the_client_s_is_for_memory() {
    let kit = kit();
    let client = builder(&kit, pinned(&kit, "backend"), "backend").max_response_bytes(1_000);
    let client = client.build().expect("good settings");
    let (body, error) = pull_all(stream(&client, &get("/bytes/100000")).body_mut(), 5_000);
    assert!(body.len() == 100_000 && error.is_none());

    let limited = get("/bomb").max_response_bytes(1 << 20);
    let (body, error) = pull_all(stream(&client, &limited).body_mut(), 5_000);
    let too_large = Error::ResponseTooLarge { host: HOST.into(), limit: 1 << 20 };
    assert!(body.len() <= 1 << 20 && error == Some(too_large));
    let whole = client.send(&get("/bytes/5000").max_response_bytes(5_000)).expect("within its own");
    assert_eq!(whole.body().len(), 5_000);
}

#[test]
fn a_body_that_is_being_pulled_is_a_request_under_way() {
    let kit = kit();
    let client = builder(&kit, pinned(&kit, "backend"), "backend").max_requests(1);
    let client = client.build().expect("good settings");
    let brief = get("/").timeout(Duration::from_millis(100)).expect("a good timeout");
    for ending in ["dropped", "read"] {
        let mut response = stream(&client, &get("/bytes/100000"));
        assert_eq!(client.send(&brief).expect_err("its turn never comes").code(), "timeout_total");
        match ending {
            "dropped" => drop(response),
            _ => assert_eq!(pull_all(response.body_mut(), 1_000).0.len(), 100_000),
        }
        assert_eq!(client.get(&url("/")).expect("its turn").status(), 200);
    }
}

#[test]
fn redirects_lead_to_the_body_and_a_refused_certificate_to_none() {
    let kit = kit();
    let client = pinned_client(&kit);
    let mut response = stream(&client, &get("/redirect?to=/bytes/30"));
    assert_eq!(response.url(), url("/bytes/30"));
    assert_eq!(pull_all(response.body_mut(), 100).0.len(), 30);
    assert_eq!(connections(kit.server("backend")), 1);

    let other = common::client(&kit, pinned(&kit, "rotated"), "backend");
    let error = other.stream(&get("/"), &CancelToken::new()).expect_err("another key");
    assert_eq!(error.code(), "pin_mismatch");
}

/// The resident memory of this process in bytes, by Linux's account.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") * 1_024
}

/// Zeros, so and so many.
struct Zeros(u64);

impl pinfold_core::client::BodySource for Zeros {
    fn length(&self) -> Option<u64> {
        Some(GIGABYTE)
    }

    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = buffer.len().min(usize::try_from(self.0).expect("64 bits"));
        self.0 -= n as u64;
        buffer[..n].fill(0);
        Ok(n)
    }
}

const GIGABYTE: u64 = 1 << 30;

/// With the server in the same process, whose memory counts too.
#[test]
#[ignore = "two gigabytes: cargo test --release --test bodies -- --ignored --nocapture"]
#[cfg(target_os = "linux")]
fn a_gigabyte_each_way_needs_no_memory() {
    let kit = kit();
    let client = pinned_client(&kit);
    let mut buffer = vec![0; 64 * 1_024];
    let mut response = stream(&client, &get("/endless"));
    response.body_mut().read_exact(&mut buffer).expect("it has no end");
    let (before, begun) = (resident(), Instant::now());
    let mut received = 0;
    while received < GIGABYTE {
        received += response.body_mut().pull(&mut buffer).expect("it has no end") as u64;
    }
    let (down, time) = (resident().saturating_sub(before), begun.elapsed());
    drop(response);
    let begun = Instant::now();
    let request = Request::new(Method::Put, &url("/sink")).expect("a good URL");
    let request = request.body_source(Zeros(GIGABYTE)).expect("PUT");
    assert_eq!(client.send(&request).expect("pinned").status(), 200);
    let up = resident().saturating_sub(before);
    println!("down {time:?} +{} KiB, up {:?} +{} KiB", down >> 10, begun.elapsed(), up >> 10);
    assert!(down < 16 << 20 && up < 16 << 20);
}
