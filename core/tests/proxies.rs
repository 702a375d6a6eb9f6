//! Requests through proxies: what arrives, what holds, and what failures are called.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use pinfold_core::pin::HostName;
use pinfold_core::proxy::{NoProxy, Proxies, Proxy, ProxyRoute, ProxySelector};
use pinfold_core::{CancelToken, Client, Error, Method, PinSet, Request};
use pinfold_testkit::{Event, Server, Testkit};

fn via(scheme: &str, login: &str, server: &Server) -> Proxy {
    Proxy::parse(&format!("{scheme}://{login}{}", server.addr())).expect("a proxy")
}

fn fixed(proxy: Proxy) -> Proxies {
    Proxies::Fixed { proxy, no_proxy: NoProxy::default() }
}

fn through(kit: &Testkit, pins: PinSet, server: &str, proxies: Proxies) -> Client {
    builder(kit, pins, server).proxies(proxies).build().expect("good settings")
}

/// The targets that a proxy was asked for.
fn asked(proxy: &Server) -> Vec<String> {
    let target = |event: &Event| match event {
        Event::Request { path, .. } => Some(path.clone()),
        _ => None,
    };
    proxy.events().iter().filter_map(target).collect()
}

const LOGIN: &str = "user:open%20sesame@";

#[test]
fn a_request_goes_through_each_kind_of_proxy_and_the_next_one_through_the_same_tunnel() {
    let kit = kit();
    for (scheme, login, name) in [
        ("http", "", "proxy"),
        ("http", LOGIN, "proxy"),
        ("http", LOGIN, "proxy_login"),
        ("http", "", "proxy_slow"),
        ("socks5h", "", "socks"),
        ("socks5", "", "socks"),
        ("socks5h", LOGIN, "socks_login"),
        ("socks5h", LOGIN, "socks"),
    ] {
        let server = kit.server("backend");
        let (before, proxy) = (connections(server), kit.server(name));
        let client =
            through(&kit, pinned(&kit, "backend"), "backend", fixed(via(scheme, login, proxy)));
        for _ in 0..2 {
            let response = client.get(&url("/bytes/100000")).expect(name);
            assert_eq!(response.body().len(), 100_000);
        }
        assert_eq!(connections(server), before + 1, "{scheme} {name}");
        assert_eq!(asked(proxy).last(), Some(&server.addr().to_string()));
    }
}

#[test]
fn a_session_goes_through_its_own_proxies_and_nobody_else_does() {
    let kit = kit();
    let (ours, other) = (kit.server("proxy"), kit.server("socks"));
    let client = through(&kit, pinned(&kit, "backend"), "backend", fixed(via("http", "", ours)));
    let session = |proxies: Option<Proxies>| {
        let builder = client.session();
        let builder = match proxies {
            Some(proxies) => builder.proxies(proxies),
            None => builder,
        };
        builder.build().expect("good settings")
    };
    let alice = session(Some(fixed(via("socks5h", "", other))));
    let (bob, direct) = (session(None), session(Some(Proxies::None)));
    let counts = || (asked(ours).len(), asked(other).len());
    for (who, expected) in
        [(&alice, (0, 1)), (&client, (1, 1)), (&bob, (2, 1)), (&direct, (2, 1)), (&alice, (2, 1))]
    {
        who.get(&url("/")).expect("a way");
        assert_eq!(counts(), expected);
    }
    // Another network is another connection by the same way.
    client.close_idle_connections();
    alice.get(&url("/")).expect("a way");
    assert_eq!(counts(), (2, 2));
}

#[test]
fn names_are_looked_up_by_the_proxy_unless_the_client_is_to() {
    let kit = kit();
    let port = kit.server("backend").port();
    let roots = pinfold_core::Roots::Only(vec![kit.pki().certificate("root").to_vec()]);
    for (scheme, name, target) in [
        ("http", "proxy", format!("localhost:{port}")),
        ("socks5h", "socks", format!("localhost:{port}")),
    ] {
        let proxy = kit.server(name);
        let client = Client::builder(pinned(&kit, "backend"))
            .deny_unpinned(false)
            .roots(roots.clone())
            .proxies(fixed(via(scheme, "", proxy)))
            .build()
            .expect("good settings");
        client.get(&format!("https://localhost:{port}/")).expect("the same host");
        assert_eq!(asked(proxy), [target]);
        let error = client.get("https://nobody.example.invalid/").expect_err("no such name");
        let refused = matches!(&error, Error::ProxyRefused { status: 502 | 4, .. });
        assert!(refused, "{error}");
        assert_eq!(error.host(), Some("nobody.example.invalid"));
        // Not asked for, and not found: by whoever looks.
        let local = Client::builder(pinned(&kit, "backend"))
            .deny_unpinned(false)
            .roots(roots.clone())
            .proxies(fixed(via("socks5", "", kit.server("socks_login"))))
            .build()
            .expect("good settings");
        let error = local.get("https://nobody.example.invalid/").expect_err("no such name");
        assert!(matches!(error.code(), "dns_failed" | "offline"), "{error}");
    }
    let socks = kit.server("socks");
    socks.clear();
    let client = Client::builder(pinned(&kit, "backend"))
        .deny_unpinned(false)
        .roots(roots)
        .proxies(fixed(via("socks5", "", socks)))
        .build()
        .expect("good settings");
    client.get(&format!("https://localhost:{port}/")).expect("one of its addresses");
    assert!(asked(socks).iter().all(|target| !target.contains("localhost")), "{:?}", asked(socks));
}

#[test]
fn pins_hold_behind_each_kind_of_proxy_and_the_interceptor_sees_the_alert() {
    let kit = kit();
    for (scheme, name) in [("http", "proxy"), ("socks5h", "socks")] {
        let server = kit.server("interceptor");
        server.clear();
        let proxy = via(scheme, "", kit.server(name));
        let client = through(&kit, pinned(&kit, "backend"), "interceptor", fixed(proxy.clone()));
        let error = client.get(&url("/")).expect_err("not its key");
        assert_eq!(error.code(), "pin_mismatch");
        assert_eq!(error.proxy(), Some(proxy.to_string().as_str()), "{error}");
        assert_eq!(error.host(), Some(HOST));
        assert!(error.to_string().contains(&format!("through the proxy {proxy}")), "{error}");
        let alert = |events: &[Event]| events.iter().any(|e| matches!(e, Event::Alert { .. }));
        assert!(server.wait_for(alert, PATIENCE).is_some(), "{:?}", server.events());
        assert_eq!(requests(server), 0);
    }
}

#[test]
fn refusals_are_the_proxy_s_and_say_which_with_status_and_reason() {
    let kit = kit();
    let get = |proxy: Proxy| {
        let client = through(&kit, pinned(&kit, "backend"), "backend", fixed(proxy));
        client.get(&url("/")).expect_err("a refusal")
    };
    for (scheme, login, name, code, words) in [
        ("http", "", "proxy_refusing", "proxy_refused", "403 Forbidden; x-squid-error: ERR_ACCESS"),
        ("http", "", "proxy_login", "proxy_auth_required", "wants a user"),
        ("http", "user:wrong-secret@", "proxy_login", "proxy_auth_required", "not accept the user"),
        ("socks5h", "", "socks_login", "proxy_auth_required", "wants a user"),
        ("socks5h", "user:wrong-secret@", "socks_login", "proxy_auth_required", "not accept"),
        ("http", "", "socks", "proxy_failed", ""),
        ("https", "", "garbage", "proxy_failed", "TLS with it failed"),
        ("http", "", "close_on_accept", "proxy_failed", ""),
        ("socks5h", "", "close_on_accept", "proxy_failed", ""),
    ] {
        let server = kit.server(name);
        let proxy = via(scheme, login, server);
        let error = get(proxy.clone());
        assert_eq!(error.code(), code, "{scheme} {name}: {error}");
        assert_eq!(error.proxy(), Some(proxy.to_string().as_str()));
        assert_eq!(error.host(), Some(HOST));
        let text = error.to_string();
        assert!(text.contains(words) && text.contains(&proxy.to_string()), "{text}");
        assert!(!format!("{error}{error:?}").contains("wrong-secret"), "{error:?}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").expect("loopback").local_addr().expect("bound");
    for scheme in ["http", "https", "socks5h"] {
        let error = get(Proxy::parse(&format!("{scheme}://{nobody}")).expect("a proxy"));
        assert_eq!(error.code(), "proxy_failed", "{error}");
    }
    let error = get(Proxy::parse("http://proxy.example.invalid:3128").expect("a proxy"));
    assert!(matches!(error.code(), "proxy_failed" | "offline"), "{error}");
    // What the proxy is told to connect to does not listen.
    let client = Client::builder(pinned(&kit, "backend"))
        .connect_to(HOST, 443, nobody)
        .proxies(fixed(via("socks5h", "", kit.server("socks"))))
        .build()
        .expect("good settings");
    match client.get(&url("/")).expect_err("nobody there") {
        Error::ProxyRefused { status: 5, reason, .. } => assert_eq!(reason, "connection refused"),
        other => panic!("{other}"),
    }
}

#[test]
fn a_closing_407_costs_one_connection_more_once_and_no_post_is_lost() {
    let kit = kit();
    let proxy = kit.server("proxy_login");
    let proxies = fixed(via("http", LOGIN, proxy));
    let client = through(&kit, pinned(&kit, "backend"), "backend", proxies);
    let post = Request::new(Method::Post, &url("/echo")).expect("good");
    let post = post.body(b"once".to_vec()).expect("good");
    client.send(&post).expect("the second connection");
    assert_eq!(connections(proxy), 2);
    client.close_idle_connections();
    client.send(&post).expect("one connection is enough");
    assert_eq!(connections(proxy), 3);
    assert_eq!(requests(kit.server("backend")), 2);
}

#[test]
fn excluded_hosts_are_reached_directly() {
    let kit = kit();
    let proxy = kit.server("proxy");
    for (list, through_it) in [("example.test", false), ("*:443", false), ("other.test", true)] {
        proxy.clear();
        let no_proxy = NoProxy::parse(list).expect("a list");
        let proxies = Proxies::Fixed { proxy: via("http", "", proxy), no_proxy };
        let client = through(&kit, pinned(&kit, "backend"), "backend", proxies);
        client.get(&url("/")).expect("either way");
        assert_eq!(!asked(proxy).is_empty(), through_it, "{list}");
    }
}

#[derive(Debug)]
struct Says(Vec<ProxyRoute>);

impl ProxySelector for Says {
    fn select(&self, host: &HostName, port: u16) -> Result<Vec<ProxyRoute>, String> {
        assert_eq!((host.as_str(), port), (HOST, 443));
        Ok(self.0.clone())
    }
}

#[test]
fn the_next_way_is_gone_where_a_proxy_cannot_be_used_and_not_where_it_refuses() {
    let kit = kit();
    let nobody = TcpListener::bind("127.0.0.1:0").expect("loopback").local_addr().expect("bound");
    let dead = ProxyRoute::Via(Proxy::parse(&format!("http://{nobody}")).expect("a proxy"));
    let [good, refusing] =
        ["proxy", "proxy_refusing"].map(|name| ProxyRoute::Via(via("http", "", kit.server(name))));
    let client = |routes: &[&ProxyRoute]| {
        let says = Says(routes.iter().map(|route| (*route).clone()).collect());
        through(&kit, pinned(&kit, "backend"), "backend", Proxies::Selector(Arc::new(says)))
    };
    let proxy = kit.server("proxy");
    client(&[&dead, &good, &ProxyRoute::Direct]).get(&url("/")).expect("the second way");
    assert_eq!(asked(proxy).len(), 1);
    client(&[&dead, &ProxyRoute::Direct]).get(&url("/")).expect("the second way");
    assert_eq!(asked(proxy).len(), 1);
    let error = client(&[&refusing, &ProxyRoute::Direct]).get(&url("/")).expect_err("it says no");
    assert_eq!(error.code(), "proxy_refused");
    let error = client(&[&dead]).get(&url("/")).expect_err("no other way");
    assert_eq!(error.code(), "proxy_failed");
    let error = client(&[]).get(&url("/")).expect_err("no way");
    assert_eq!((error.code(), error.proxy()), ("proxy_failed", None));
}

#[test]
fn a_proxy_that_dies_in_mid_tunnel_is_a_lost_connection_that_names_it() {
    let kit = kit();
    let server = kit.server("proxy_dying");
    let proxy = via("http", "", server);
    let client = through(&kit, pinned(&kit, "backend"), "backend", fixed(proxy.clone()));
    // In the midst of a body.
    let error = client.get(&url("/bytes/100000")).expect_err("it dies");
    assert!(matches!(error, Error::Truncated { received: 1.., .. }), "{error}");
    // Before an answer: a request is under way, and nobody knows how far it came.
    let post = Request::new(Method::Post, &url("/hang")).expect("a good URL");
    let waiting = thread::spawn(move || client.send(&post));
    let backend = kit.server("backend");
    let arrived = |events: &[Event]| {
        events.iter().any(|e| matches!(e, Event::Request { path, .. } if path == "/hang"))
    };
    assert!(backend.wait_for(arrived, PATIENCE).is_some());
    server.drop_connections();
    let error = waiting.join().expect("no panic").expect_err("it dies");
    assert_eq!(error.code(), "connection_lost");
    assert!(error.to_string().contains(&format!("through the proxy {proxy}")), "{error}");
    // An idle tunnel that died costs nothing.
    let client = through(&kit, pinned(&kit, "backend"), "backend", fixed(proxy));
    client.get(&url("/")).expect("a tunnel");
    server.drop_connections();
    client.get(&url("/")).expect("another one");
}

#[test]
fn connections_and_sessions_serve_their_own_way_alone() {
    let kit = kit();
    let server = kit.server("backend");
    #[derive(Debug)]
    struct Switch(std::sync::Mutex<Vec<ProxyRoute>>);
    impl ProxySelector for Switch {
        fn select(&self, _: &HostName, _: u16) -> Result<Vec<ProxyRoute>, String> {
            Ok(vec![self.0.lock().expect("no panic").remove(0)])
        }
    }
    let one = via("http", "", kit.server("proxy"));
    let other = one.clone().with_credentials("somebody", "else").expect("good");
    let routes = vec![
        ProxyRoute::Via(one.clone()),
        ProxyRoute::Via(other),
        ProxyRoute::Direct,
        ProxyRoute::Via(one),
    ];
    let hands = Hands::new();
    let client = builder(&kit, pinned(&kit, "backend"), "backend")
        .clock(hands.clone())
        .proxies(Proxies::Selector(Arc::new(Switch(routes.into()))))
        .build()
        .expect("good settings");
    let mut resumed = Vec::new();
    for n in 1..=4 {
        client.get(&url("/")).expect("a way");
        hands.pass(Duration::from_secs(59));
        client.get(&url("/")).expect("the same connection");
        // The answer of the selector is old now, and the connection is not.
        hands.pass(Duration::from_secs(1));
        let events = server.events();
        let handshakes = events.iter().filter_map(|event| match event {
            Event::Handshake { resumed, .. } => Some(*resumed),
            _ => None,
        });
        resumed = handshakes.collect();
        assert_eq!(resumed.len(), n);
    }
    assert_eq!(resumed, [false, false, false, true]);
}

/// Accepts one connection after the other, says `hello` and never anything more; tells of each.
fn silent(hello: &'static [u8]) -> (SocketAddr, mpsc::Receiver<()>, thread::JoinHandle<()>) {
    let (tell, told) = mpsc::channel();
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let serve = move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.expect("loopback");
            let mut heard = [0; 1_024];
            // An empty connection ends it.
            if stream.read(&mut heard).unwrap_or(0) == 0 {
                return;
            }
            let _gone = stream.write_all(hello);
            open.push(stream);
            let _nobody_asks = tell.send(());
        }
    };
    (address, told, thread::spawn(serve))
}

#[test]
fn deadlines_and_cancellations_hold_in_every_phase_of_every_handshake() {
    let kit = kit();
    let phases: [(&str, &'static [u8]); 12] = [
        ("http", b""),
        ("http", b"HTTP/1.1 2"),
        (
            "http",
            b"HTTP/1.1 407 A\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 9\r\n\r\nhalf",
        ),
        ("http", b"HTTP/1.1 200 OK\r\n\r\n"),
        ("https", b""),
        ("https", b"\x16\x03\x03\x00\x7a\x02"),
        ("socks5h", b""),
        ("socks5h", b"\x05"),
        ("socks5h", b"\x05\x02"),
        ("socks5h", b"\x05\x02\x01\x00"),
        ("socks5h", b"\x05\x02\x01\x00\x05\x00\x00\x03\x09half"),
        ("socks5h", b"\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"),
    ];
    let short = Duration::from_millis(150);
    for (scheme, hello) in phases {
        let (address, told, serving) = silent(hello);
        let proxy = Proxy::parse(&format!("{scheme}://{LOGIN}{address}")).expect("a proxy");
        let client = |connect: Duration| {
            builder(&kit, pinned(&kit, "backend"), "backend")
                .proxies(fixed(proxy.clone()))
                .connect_timeout(connect)
                .build()
                .expect("good settings")
        };
        let begun = Instant::now();
        let error = client(short).get(&url("/")).expect_err("silence");
        assert!(matches!(error.code(), "proxy_failed" | "timeout_connect"), "{hello:?}: {error}");
        assert!(begun.elapsed() < PATIENCE, "{scheme} {hello:?}");
        // The whole call's time.
        let patient = client(PATIENCE);
        let request = Request::new(Method::Get, &url("/")).expect("good");
        let request = request.timeout(short).expect("good");
        let error = patient.send(&request).expect_err("silence");
        assert_eq!(error.code(), "timeout_total", "{scheme} {hello:?}: {error}");
        let cancel = CancelToken::new();
        let canceller = cancel.clone();
        let cancelling = thread::spawn(move || {
            // In the midst of it: the third connection has got all that it gets.
            for _ in 0..3 {
                told.recv().expect("three connections");
            }
            canceller.cancel();
        });
        let request = Request::new(Method::Get, &url("/")).expect("good");
        let begun = Instant::now();
        let error = patient.send_cancellable(&request, &cancel).expect_err("cancelled");
        assert_eq!(error, Error::Cancelled, "{scheme} {hello:?}");
        assert!(begun.elapsed() < PATIENCE / 2);
        cancelling.join().expect("no panic");
        drop(TcpStream::connect(address));
        serving.join().expect("no panic");
    }
}

#[test]
fn bodies_of_every_length_survive_a_slow_tunnel_both_ways() {
    let kit = kit();
    let proxies = fixed(via("http", "", kit.server("proxy_slow")));
    let client = through(&kit, pinned(&kit, "backend"), "backend", proxies);
    let body = vec![b'x'; 1 << 20];
    let request = Request::new(Method::Put, &url("/sink")).expect("good");
    let request = request.body(body).expect("good");
    assert_eq!(client.send(&request).expect("sunk").text(), "ok");
    let response = client.get(&url("/chunked/1000000")).expect("a body");
    assert_eq!(response.body().len(), 1_000_000);
}
