//! What passes between a client and the proxies that companies have: how often it is asked, and in what
//! pieces it may be answered.

mod common;
#[path = "common/process.rs"]
mod process;
#[path = "common/proxies.rs"]
mod through;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use pinfold_core::proxy::{NoProxy, Proxies, Proxy};
use pinfold_core::update::{PinSetUpdater, Refreshed};
use pinfold_core::{CancelToken, Error, Method, Request};
use pinfold_testkit::{Owner, Testkit};
use process::{Process, free_port};
use through::*;

/// How much of an answer comes byte by byte: what a proxy says, and the beginning of the handshake.
const IN_BYTES: usize = 600;

/// Stands before a proxy and keeps what each connection says first.
struct Relay {
    addr: SocketAddr,
    said: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Relay {
    /// Answers come as the proxy sends them, or each byte of their beginning by itself.
    fn new(proxy: &Process, in_bytes: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let addr = listener.local_addr().expect("bound");
        let (to, said) = (proxy.addr, Arc::<Mutex<Vec<Vec<u8>>>>::default());
        let list = said.clone();
        thread::spawn(move || {
            for (n, client) in listener.incoming().enumerate() {
                let client = client.expect("loopback");
                let server = TcpStream::connect(to).expect("the proxy");
                client.set_nodelay(true).expect("a socket");
                list.lock().expect("no panic").push(Vec::new());
                let ends = || [&client, &server].map(|end| end.try_clone().expect("a descriptor"));
                let ([from, up], [down, back], list) = (ends(), ends(), list.clone());
                thread::spawn(move || {
                    copy(&from, &up, 16_384, |bytes| {
                        let said = &mut list.lock().expect("no panic")[n];
                        said.extend(bytes.iter().take(4_096_usize.saturating_sub(said.len())));
                    });
                });
                let pieces = if in_bytes { IN_BYTES } else { 0 };
                thread::spawn(move || {
                    let mut left = pieces;
                    while left > 0 && copy_once(&back, &down, 1).is_some() {
                        left -= 1;
                    }
                    copy(&back, &down, 16_384, |_| {});
                });
            }
        });
        Self { addr, said }
    }

    /// The way through it.
    fn proxies(&self, scheme: &str, login: &str) -> Proxies {
        at(scheme, login, self.addr)
    }

    /// How often each connection so far has said CONNECT, and how often with a password.
    fn connects(&self) -> Vec<(usize, usize)> {
        let said = self.said.lock().expect("no panic");
        let count = |bytes: &[u8], word: &str| {
            bytes.windows(word.len()).filter(|it| *it == word.as_bytes()).count()
        };
        said.iter()
            .map(|it| (count(it, "CONNECT "), count(it, "\r\nProxy-Authorization: ")))
            .collect()
    }
}

fn copy_once(mut from: &TcpStream, mut to: &TcpStream, most: usize) -> Option<Vec<u8>> {
    let mut buffer = vec![0; most];
    let n = from.read(&mut buffer).ok().filter(|n| *n > 0)?;
    buffer.truncate(n);
    to.write_all(&buffer).ok()?;
    Some(buffer)
}

/// Until one side ends, and then both do.
fn copy(from: &TcpStream, to: &TcpStream, most: usize, heard: impl Fn(&[u8])) {
    while let Some(bytes) = copy_once(from, to, most) {
        heard(&bytes);
    }
    for end in [from, to] {
        let _already = end.shutdown(Shutdown::Both);
    }
}

fn post(kit: &Testkit) -> Request {
    let url = format!("https://localhost:{}/echo", kit.server("backend").port());
    let request = Request::new(Method::Post, &url).expect("good");
    request.body(b"once".to_vec()).expect("good")
}

#[test]
fn a_407_costs_one_round_trip_where_squid_keeps_and_where_tinyproxy_closes() {
    let kit = kit();
    let cases = [
        (squid(Auth::Basic), LOGIN, vec![(2, 1)], "squid, Basic"),
        (squid(Auth::Digest), LOGIN, vec![(2, 1)], "squid, Digest"),
        (tinyproxy(true), "alice:s3cret@", vec![(1, 0), (1, 1)], "tinyproxy"),
    ];
    for (proxy, login, first, what) in cases {
        let relay = Relay::new(&proxy, false);
        let client = behind(&kit, local(&kit, "backend"), relay.proxies("http", login));
        let server = kit.server("backend");
        let before = requests(server);
        client.send(&post(&kit)).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(relay.connects(), first, "{what}");
        // Whoever was asked once knows what to say.
        client.close_idle_connections();
        client.send(&post(&kit)).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(relay.connects(), [&first[..], &[(1, 1)]].concat(), "{what}");
        assert_eq!(requests(server), before + 2, "{what}");
    }
}

#[test]
fn answers_may_come_byte_by_byte() {
    let kit = kit();
    let mitmproxy = mitmproxy(&["--ignore-hosts", ".*", "--proxyauth", "alice:s3cret"]);
    let cases = [
        ("http", LOGIN, squid(Auth::Basic)),
        ("http", LOGIN, squid(Auth::Digest)),
        ("http", "alice:s3cret@", tinyproxy(true)),
        ("http", "alice:s3cret@", mitmproxy),
        ("socks5h", LOGIN, microsocks(true)),
        ("socks5h", LOGIN, dante_of_users()),
    ];
    for (scheme, login, proxy) in &cases {
        let relay = Relay::new(proxy, true);
        let get = |login: &str, port: u16| {
            let client = behind(&kit, local(&kit, "backend"), relay.proxies(scheme, login));
            client.get(&format!("https://localhost:{port}/bytes/70000"))
        };
        let port = kit.server("backend").port();
        let response = get(login, port).unwrap_or_else(|e| panic!("{scheme} {}: {e}", proxy.log()));
        assert_eq!(response.body().len(), 70_000);
        // Where nobody listens, and for whom the proxy does not know.
        let error = get(login, free_port()).expect_err("nobody there");
        assert_eq!(error.code(), "proxy_refused", "{error}");
        let error = get(WRONG, port).expect_err("a wrong password");
        assert_eq!(error.code(), "proxy_auth_required", "{error}");
    }
}

#[test]
fn pin_sets_come_through_the_same_proxies() {
    let kit = kit();
    let payload = |version| Owner::payload(kit.pki(), version, &["backend"]);
    let server = kit.server("rsa");
    server.publish("/bundle.json", kit.owner().bundle(&payload(2)));
    let embedded = kit.owner().embedded(&payload(1)).to_string();
    let proxy = squid(Auth::Basic);
    let relay = Relay::new(&proxy, false);
    let updater = |login: &str| {
        PinSetUpdater::builder(embedded.as_bytes())
            .roots(roots(&kit))
            .connect_to("www.example.test", 443, server.addr())
            .connect_to("other.example.test", 443, server.addr())
            .proxies(relay.proxies("http", login))
            .build()
            .expect("a good updater")
    };
    let error = updater(WRONG).refresh().expect_err("no way");
    assert!(error.to_string().contains(&relay.addr.to_string()), "{error}");
    assert!(!format!("{error}{error:?}").contains("wr0ng"), "{error:?}");
    assert_eq!(requests(server), 0);
    assert_eq!(updater(LOGIN).refresh(), Ok(Refreshed::Updated));
    assert!(requests(server) > 0);
}

/// Takes connections, hears something, says `hello` and then no more; tells of each.
fn silent_after(hello: &'static [u8]) -> (SocketAddr, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let addr = listener.local_addr().expect("bound");
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = stream;
            let _heard = stream.read(&mut [0; 1_024]);
            let _gone = stream.write_all(hello);
            open.push(stream);
            let _nobody_asks = tell.send(());
        }
    });
    (addr, told)
}

/// Inside TLS to a proxy: what it should say of the tunnel, and TLS with the origin inside that.
#[test]
fn deadlines_and_cancellations_hold_inside_tls_to_a_proxy() {
    let kit = kit();
    let short = Duration::from_millis(400);
    for hello in [&b""[..], b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\n\r\n"] {
        let (behind, told) = silent_after(hello);
        let front = tls_in_front(&kit, "rotated", behind);
        let proxy = Proxy::parse(&format!("https://localhost:{}", front.addr.port()));
        let proxy = proxy.expect("a proxy");
        let client = |connect: Duration| {
            let proxies = Proxies::Fixed { proxy: proxy.clone(), no_proxy: NoProxy::default() };
            let builder = builder(&kit, pinned(&kit, "backend"), "backend").proxies(proxies);
            builder.connect_timeout(connect).build().expect("good settings")
        };
        let heard = |what: &str| told.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{what}"));
        let begun = Instant::now();
        let error = client(short).get(&url("/")).expect_err("silence");
        assert!(matches!(error.code(), "proxy_failed" | "timeout_connect"), "{hello:?}: {error}");
        assert!(begun.elapsed() < PATIENCE, "{hello:?}");
        heard("it came as far as the proxy");
        let request = Request::new(Method::Get, &url("/")).expect("good");
        let request = request.timeout(short).expect("good");
        let error = client(PATIENCE).send(&request).expect_err("silence");
        assert_eq!(error.code(), "timeout_total", "{hello:?}: {error}");
        heard("once more");
        let cancel = CancelToken::new();
        let patient = client(PATIENCE);
        let begun = Instant::now();
        let error = thread::scope(|scope| {
            let request = Request::new(Method::Get, &url("/")).expect("good");
            let waiting = scope.spawn({
                let cancel = cancel.clone();
                move || patient.send_cancellable(&request, &cancel)
            });
            heard("in the midst of it");
            cancel.cancel();
            waiting.join().expect("no panic").expect_err("cancelled")
        });
        assert_eq!(error, Error::Cancelled, "{hello:?}");
        assert!(begun.elapsed() < PATIENCE / 2, "{hello:?}");
    }
}

#[test]
fn a_proxy_that_dies_within_a_body_is_named() {
    let kit = kit();
    let dying = kit.server("proxy_dying").addr();
    let client = |proxies: Proxies| behind(&kit, local(&kit, "backend"), proxies);
    let url = local_url(&kit, "backend");
    let error = client(at("http", LOGIN, dying)).get(&url).expect_err("it dies");
    assert_eq!((error.code(), error.host()), ("truncated", Some("localhost")));
    assert_eq!(error.proxy(), Some(format!("http://{dying}").as_str()));
    let text = error.to_string();
    assert!(text.contains(&format!("(through the proxy http://{dying})")), "{text}");
    assert!(!format!("{text}{error:?}").contains("s3cret"), "{error:?}");
    // Nobody is named where nobody is between.
    let short = url.replace("/bytes/70000", "/short");
    let error = client(Proxies::None).get(&short).expect_err("it is cut off");
    assert_eq!((error.code(), error.proxy()), ("truncated", None));
    assert!(!error.to_string().contains("proxy"), "{error}");
}
