//! Which connections and TLS sessions outlive what: time, sleep and new pin sets.

mod common;

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::*;
use pinfold_core::client::Resolver;
use pinfold_core::pin::{HostSpec, Mode, PinAt, PinSetSpec};
use pinfold_core::verify::{TrustQuestion, TrustedPath};
use pinfold_core::{
    CancelToken, Client, Clock, Error, Method, PinSet, PlatformTrust, Request, Roots,
    UntrustedReason, format_rfc3339_utc,
};
use pinfold_testkit::{Event, Server, Testkit};

fn handshakes(server: &Server) -> Vec<bool> {
    let resumed = |e: &Event| match e {
        Event::Handshake { resumed, .. } => Some(*resumed),
        _ => None,
    };
    server.events().iter().filter_map(resumed).collect()
}

/// A POST is not sent again by itself: its connection must be good.
fn post() -> Request {
    Request::new(Method::Post, &url("/")).expect("a good URL")
}

fn versioned(version: u64, hosts: Vec<HostSpec>) -> PinSet {
    let spec = PinSetSpec { schema: 1, version: Some(version), hosts, ..PinSetSpec::default() };
    PinSet::new(spec).expect("a good pin set")
}

fn expiring(kit: &Testkit, name: &str, at: u64) -> PinSet {
    let expires = Some(format_rfc3339_utc(at));
    set(vec![HostSpec { expires, ..host(pins_at(kit, name, PinAt::Any)) }])
}

#[test]
fn a_new_issue_that_changes_nothing_closes_nothing_and_tells_its_version() {
    let kit = kit();
    let server = kit.server("backend");
    let issue = |version| versioned(version, vec![host(pins_at(&kit, "intermediate", PinAt::Any))]);
    let client = client(&kit, issue(1), "backend");
    client.get(&url("/")).expect("pinned");
    client.replace_pins(issue(2)).expect("open");
    let response = client.send(&post()).expect("the same connection");
    assert_eq!(response.verdict().facts.pin_set_version, Some(2));
    assert_eq!(connections(server), 1);
    // A session survives it, too.
    client.get(&url("/until-close/5")).expect("pinned");
    client.replace_pins(issue(3)).expect("open");
    let response = client.get(&url("/")).expect("pinned");
    assert_eq!(response.verdict().facts.pin_set_version, Some(3));
    assert_eq!(response.matched_pin().expect("a match").depth, 1);
    assert_eq!(handshakes(server), [false, true]);
}

#[test]
fn a_change_closes_only_what_is_refused_by_it() {
    let kit = kit();
    let other =
        HostSpec { host: "other.example.test".into(), ..host(pins_at(&kit, "root", PinAt::Any)) };
    let pins =
        |name: &str| versioned(1, vec![host(pins_at(&kit, name, PinAt::Any)), other.clone()]);
    let kept = kit.server("backend_root");
    let client = builder(&kit, pins("backend"), "backend")
        .connect_to("other.example.test", 443, kept.addr())
        .build()
        .expect("good settings");
    let of_other = || client.get("https://other.example.test/").expect("pinned");
    client.get(&url("/")).expect("pinned");
    of_other();
    client.replace_pins(pins("rotated")).expect("open");
    wait_closed(kit.server("backend"), 1);
    of_other();
    assert_eq!(connections(kept), 1);
    assert_eq!(client.get(&url("/")).expect_err("the pin is gone").code(), "pin_mismatch");
}

#[test]
fn a_connection_in_use_during_a_change_that_allows_it_is_used_again() {
    let kit = kit();
    let server = kit.server("backend");
    let client = client(&kit, pinned(&kit, "backend"), "backend");
    let busy = {
        let client = client.clone();
        thread::spawn(move || client.get(&url("/delay?ms=300")))
    };
    let asked = |events: &[Event]| events.iter().any(|e| matches!(e, Event::Request { .. }));
    server.wait_for(asked, PATIENCE).expect("the request");
    client.replace_pins(pinned(&kit, "intermediate")).expect("open");
    busy.join().expect("no panic").expect("the old pin set's");
    let response = client.send(&post()).expect("the same connection");
    assert_eq!(response.matched_pin().expect("a match").depth, 1, "judged again");
    assert_eq!(connections(server), 1);
}

/// A platform that says yes to everything and counts how often it was asked.
#[derive(Debug, Default)]
struct Counting {
    asked: AtomicUsize,
    paths: Mutex<Vec<Vec<u8>>>,
}

impl PlatformTrust for Counting {
    fn verify(&self, _: &TrustQuestion) -> Result<TrustedPath, UntrustedReason> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let certificates = self.paths.lock().expect("no panic").clone();
        Ok(TrustedPath { certificates, ..TrustedPath::default() })
    }
}

#[test]
fn what_a_platform_said_is_not_asked_again_and_what_it_would_have_to_say_is_not_assumed() {
    let kit = kit();
    let server = kit.server("backend");
    let platform = Arc::new(Counting::default());
    let pins = |names: &[&str]| {
        let all = names.iter().flat_map(|name| pins_at(&kit, name, PinAt::Any).into_iter().take(1));
        let spare = pins_at(&kit, "backup", PinAt::Any).into_iter().take(1);
        versioned(1, vec![host(all.chain(spare).collect())])
    };
    let client = builder(&kit, pins(&["backend"]), "backend")
        .roots(Roots::Platform(platform.clone()))
        .build()
        .expect("good settings");
    client.get(&url("/")).expect("pinned");
    // The pins move from the end-entity to the authority, which the server has presented.
    client.replace_pins(pins(&["intermediate"])).expect("open");
    let response = client.send(&post()).expect("the same connection");
    assert_eq!(response.matched_pin().expect("a match").depth, 1);
    assert_eq!((connections(server), platform.asked.load(Ordering::SeqCst)), (1, 1));
    client.replace_pins(pins(&["rotated"])).expect("open");
    wait_closed(server, 1);
}

/// The platform hides its path, and the pin moves from an intermediate to the root above it, which
/// is not presented but comes with the pin.
#[test]
fn a_request_in_flight_goes_on_when_its_pin_moves_up_a_path_that_the_platform_hid() {
    let kit = kit();
    let server = kit.server("backend");
    let platform = Arc::new(Counting::default());
    let root = {
        let mut pins = pins_at(&kit, "root", PinAt::Ca);
        pins[0].cert = Some(base64(kit.pki().certificate("root")));
        versioned(2, vec![host(pins)])
    };
    let client = builder(&kit, pinned(&kit, "intermediate"), "backend")
        .roots(Roots::Platform(platform))
        .abort_withdrawn(true)
        .build()
        .expect("good settings");
    let busy = {
        let client = client.clone();
        thread::spawn(move || client.get(&url("/delay?ms=300")))
    };
    let asked = |events: &[Event]| events.iter().any(|e| matches!(e, Event::Request { .. }));
    server.wait_for(asked, PATIENCE).expect("the request");
    client.replace_pins(root).expect("open");
    assert_eq!(busy.join().expect("no panic").expect("not withdrawn").text(), "ok");
    client.send(&post()).expect("the same connection");
    assert_eq!(connections(server), 1);
}

#[test]
fn an_entry_that_ends_ends_its_connections_and_sessions() {
    for path in ["/", "/until-close/5"] {
        let kit = kit();
        let server = kit.server("backend");
        let hands = Hands::new();
        let end = hands.wall() + 3_600;
        let client = builder(&kit, expiring(&kit, "backend", end), "backend")
            .clock(hands.clone())
            .build()
            .expect("good settings");
        client.get(&url(path)).expect("pinned");
        hands.set_wall(end - 1);
        assert_eq!(client.get(&url(path)).expect("pinned").verdict().outcome.name(), "match");
        // The entry's end leaves the decision to trust; what was judged by its pins is judged again.
        hands.set_wall(end);
        let response = client.get(&url(path)).expect("trusted");
        assert_eq!(response.verdict().outcome.name(), "lapsed", "{path}");
        // The clock is put right: the pins count again.
        hands.set_wall(end - 1);
        let response = client.get(&url(path)).expect("pinned");
        assert_eq!(response.verdict().outcome.name(), "match", "{path}");
        assert!(connections(server) <= 4);
    }
}

#[test]
fn a_certificate_that_ends_ends_its_connections_and_sessions() {
    for path in ["/", "/until-close/5"] {
        let kit = kit();
        let hands = Hands::new();
        let client = builder(&kit, pinned(&kit, "backend"), "backend")
            .clock(hands.clone())
            .build()
            .expect("good settings");
        client.get(&url(path)).expect("pinned");
        hands.set_wall(hands.wall() + 100 * 366 * 86_400);
        let error = client.get(&url("/")).expect_err("it has ended");
        assert_eq!(error.code(), "certificate_expired", "{path}");
        assert_eq!(requests(kit.server("backend")), 1);
    }
}

/// Servers end what is idle; a device that wakes up does not try what it held when it fell asleep.
#[test]
fn connections_are_old_after_a_minute_of_sleep() {
    let kit = kit();
    let server = kit.server("backend");
    let hands = Hands::new();
    let client = builder(&kit, pinned(&kit, "backend"), "backend").clock(hands.clone());
    let client = client.build().expect("good settings");
    client.send(&post()).expect("pinned");
    hands.pass(Duration::from_secs(59));
    client.send(&post()).expect("the same connection");
    assert_eq!(connections(server), 1);
    hands.pass(Duration::from_secs(60));
    client.send(&post()).expect("another connection");
    assert_eq!(handshakes(server), [false, true]);
    wait_closed(server, 1);
}

#[test]
fn idle_connections_are_counted_in_all() {
    let kit = kit();
    let server = kit.server("backend");
    let client = builder(&kit, pinned(&kit, "backend"), "backend").max_idle_connections(2);
    let client = client.build().expect("good settings");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| client.get(&url("/delay?ms=300")).expect("pinned"));
        }
    });
    wait_closed(server, 2);
    assert_eq!(connections(server), 4);
}

/// The ticket of one server is none of another's, although the name is the same.
#[test]
fn sessions_belong_to_a_port() {
    let kit = kit();
    let (one, other) = (kit.server("backend"), kit.server("backend_root"));
    let pins = set(vec![host(pins_at(&kit, "root", PinAt::Any))]);
    let client = builder(&kit, pins, "backend").connect_to(HOST, 8443, other.addr());
    let client = client.build().expect("good settings");
    for _ in 0..2 {
        client.get(&url("/until-close/5")).expect("pinned");
        client.get(&format!("https://{HOST}:8443/until-close/5")).expect("pinned");
    }
    assert_eq!(handshakes(one), [false, true]);
    assert_eq!(handshakes(other), [false, true]);
}

#[test]
fn a_mode_that_changes_is_told_of_a_connection_that_stays() {
    let kit = kit();
    let pins = |mode| {
        let spec = host(pins_at(&kit, "rotated", PinAt::Any));
        set(vec![HostSpec { mode: Some(mode), ..spec }])
    };
    let client = client(&kit, pins(Mode::ReportOnly), "backend");
    let reported = client.get(&url("/")).expect("reported only");
    assert_eq!(reported.verdict().outcome.name(), "no_match");
    client.replace_pins(pins(Mode::Enforce)).expect("open");
    let error = client.get(&url("/")).expect_err("enforced");
    assert!(matches!(error, Error::PinMismatch(_)), "{error}");
    assert_eq!(requests(kit.server("backend")), 1);
}

#[test]
fn as_many_idle_connections_are_kept_as_the_client_may_keep() {
    let kit = kit();
    let server = kit.server("backend");
    let client = builder(&kit, pinned(&kit, "backend"), "backend").max_idle_connections(1);
    let client = client.build().expect("good settings");
    for _ in 0..2 {
        client.get(&url("/")).expect("pinned");
    }
    assert_eq!(connections(server), 1, "it was kept");
    let held = Request::new(Method::Get, &url("/bytes/10")).expect("a good URL");
    let held = client.stream(&held, &CancelToken::new()).expect("pinned");
    client.get(&url("/")).expect("pinned");
    assert_eq!(connections(server), 2, "the first is in use");
    io::copy(&mut held.into_body(), &mut io::sink()).expect("its body");
    let closed = |events: &[Event]| events.iter().any(|e| matches!(e, Event::Closed { .. }));
    server.wait_for(closed, PATIENCE).expect("one too many");
    client.get(&url("/")).expect("pinned");
    assert_eq!(connections(server), 2, "the other one was kept");
}

#[test]
fn every_request_in_flight_ends_with_its_pin_where_the_client_wants_it() {
    let kit = kit();
    let server = kit.server("backend");
    let client = builder(&kit, pinned(&kit, "backend"), "backend").abort_withdrawn(true);
    let client = client.build().expect("good settings");
    thread::scope(|scope| {
        let calls = [(); 3].map(|()| scope.spawn(|| client.get(&url("/hang"))));
        let are_there = |events: &[Event]| {
            events.iter().filter(|e| matches!(e, Event::Request { .. })).count() == calls.len()
        };
        server.wait_for(are_there, PATIENCE).expect("all of them");
        client.replace_pins(pinned(&kit, "rotated")).expect("open");
        for call in calls {
            let error = call.join().expect("no panic").expect_err("its pin is withdrawn");
            assert_eq!(error.code(), "pin_mismatch");
        }
    });
}

#[test]
fn a_client_that_is_closed_closes_its_idle_connections() {
    let kit = kit();
    let client = client(&kit, pinned(&kit, "backend"), "backend");
    client.get(&url("/")).expect("pinned");
    client.close();
    // Not by the end of its last handle, which is still here.
    wait_closed(kit.server("backend"), 1);
    drop(client);
}

/// Finds what a test says.
struct Finds<F>(F);

impl<F: Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync> Resolver for Finds<F> {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        (self.0)(host)
    }
}

#[test]
fn a_resolver_of_the_app_is_asked_and_whatever_it_does_is_an_error_of_the_call() {
    let kit = kit();
    let port = kit.server("backend").port();
    let addr = kit.server("backend").addr();
    let get = |resolver: Arc<dyn Resolver>| {
        let roots = ["root", "other_root"].map(|name| kit.pki().certificate(name).to_vec());
        let client = Client::builder(pinned(&kit, "backend"))
            .roots(Roots::Only(roots.into()))
            .resolver(resolver)
            .timeout(Duration::from_secs(20))
            .build()
            .expect("good settings");
        client.get(&format!("https://{HOST}:{port}/")).map(|response| response.status())
    };
    assert_eq!(
        get(Arc::new(Finds(move |host: &str| {
            assert_eq!(host, HOST);
            Ok(vec![addr.ip()])
        }))),
        Ok(200)
    );
    let reasons: [Arc<dyn Resolver>; 3] = [
        Arc::new(Finds(|_: &str| Err(io::Error::other("no such name")))),
        Arc::new(Finds(|_: &str| Ok(Vec::new()))),
        Arc::new(Finds(|_: &str| panic!("in the app's code"))),
    ];
    for resolver in reasons {
        let code = get(resolver).expect_err("no address").code();
        assert!(["dns_failed", "offline"].contains(&code), "{code}");
    }
}

#[test]
fn a_connection_that_was_made_before_serves_the_first_request_and_is_judged_like_others() {
    let kit = kit();
    let backend = kit.server("backend");
    let client = client(&kit, pinned(&kit, "backend"), "backend");
    let cancel = CancelToken::new();
    client.preconnect(&url("/whatever"), &cancel).expect("pinned");
    client.preconnect(&url("/"), &cancel).expect("it is there");
    assert_eq!((connections(backend), requests(backend)), (1, 0));
    assert_eq!(client.get(&url("/")).expect("pinned").status(), 200);
    assert_eq!(connections(backend), 1);
    // A session has none of its client's.
    let session = client.session().build().expect("a session");
    session.preconnect(&url("/"), &cancel).expect("pinned");
    assert_eq!(connections(backend), 2);
    // One that the server closes meanwhile costs no request.
    client.preconnect(&url("/"), &cancel).expect("it is there");
    backend.drop_connections();
    wait_closed(backend, 2);
    assert_eq!(client.get(&url("/")).expect("another one").status(), 200);

    let other = self::client(&kit, pinned(&kit, "backend"), "interceptor");
    assert_eq!(
        other.preconnect(&url("/"), &cancel).expect_err("not its key").code(),
        "pin_mismatch"
    );
    let unpinned = other.preconnect("https://other.test/", &cancel).expect_err("no entry");
    assert_eq!(unpinned.code(), "host_not_pinned");
    client.close();
    let closed = client.preconnect(&url("/"), &CancelToken::new()).expect_err("closed");
    assert_eq!(closed.code(), "client_closed");
}
