//! Requests through the proxies that companies have: squid, tinyproxy, dante, microsocks, mitmproxy, and
//! haproxy for TLS to a proxy. `scripts/setup proxies` installs them.

mod common;
#[path = "common/process.rs"]
mod process;
#[path = "common/proxies.rs"]
mod through;

use std::net::{TcpListener, TcpStream};
use std::thread;

use common::*;
use pinfold_core::proxy::{NoProxy, Proxies, Proxy};
use pinfold_core::{Client, Error, InterceptionReport, Roots};
use pinfold_testkit::{Event, Testkit};
use process::{Process, free_port};
use through::*;

/// What holds behind every proxy that lets the client in.
fn expect_good(kit: &Testkit, proxies: &Proxies, what: &str) {
    let good = behind(kit, local(kit, "backend"), proxies.clone());
    for _ in 0..2 {
        let response =
            good.get(&local_url(kit, "backend")).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(response.body().len(), 70_000, "{what}");
    }
    let server = kit.server("interceptor");
    server.clear();
    let error = good.get(&local_url(kit, "interceptor")).expect_err("not its key");
    assert_eq!(error.code(), "pin_mismatch", "{what}: {error}");
    assert!(error.proxy().is_some(), "{what}");
    let alert = |events: &[Event]| events.iter().any(|e| matches!(e, Event::Alert { .. }));
    assert!(server.wait_for(alert, PATIENCE).is_some(), "{what}: {:?}", server.events());
    assert_eq!(requests(server), 0, "{what}");
}

/// A refusal of the proxy's, which is never told as the origin's.
fn expect_refused(kit: &Testkit, proxies: &Proxies, url: &str, what: &str) -> Error {
    let client = Client::builder(local(kit, "backend"))
        .deny_unpinned(false)
        .roots(roots(kit))
        .proxies(proxies.clone())
        .timeout(PATIENCE * 2)
        .build();
    let error = client.expect("good settings").get(url).expect_err(what);
    assert!(error.code().starts_with("proxy_"), "{what}: {error}");
    let text = format!("{error}{error:?}");
    for secret in [PASSWORD, "wr0ng", "YWxpY2U6"] {
        assert!(!text.contains(secret), "{what}: {text}");
    }
    assert!(error.proxy().is_some_and(|proxy| text.contains(proxy)), "{what}: {text}");
    error
}

fn expect_unknown_names_and_nobody_told(kit: &Testkit, proxies: &Proxies, what: &str) {
    let error = expect_refused(kit, proxies, "https://nobody.example.invalid/", what);
    assert_eq!(error.code(), "proxy_refused", "{what}: {error}");
    assert_eq!(error.host(), Some("nobody.example.invalid"), "{what}");
    let url = format!("https://127.0.0.1:{}/", free_port());
    let error = expect_refused(kit, proxies, &url, what);
    assert_eq!(error.code(), "proxy_refused", "{what}: {error}");
}

fn expect_wrong_password_told(kit: &Testkit, scheme: &str, process: &Process, what: &str) {
    let url = local_url(kit, "backend");
    for login in ["", WRONG] {
        let error = expect_refused(kit, &proxies(scheme, login, process), &url, what);
        assert_eq!(error.code(), "proxy_auth_required", "{what} {login}: {error}");
    }
}

#[test]
fn squid_with_and_without_a_password() {
    let kit = kit();
    let open = squid(Auth::None);
    expect_good(&kit, &proxies("http", "", &open), "squid");
    let nobody = format!("https://127.0.0.1:{}/", free_port());
    match expect_refused(&kit, &proxies("http", "", &open), &nobody, "squid") {
        Error::ProxyRefused { status: 503, reason, .. } => {
            assert!(reason.contains("x-squid-error: ERR_CONNECT_FAIL"), "{reason}");
        }
        other => panic!("{other}"),
    }
    expect_unknown_names_and_nobody_told(&kit, &proxies("http", "", &open), "squid");
    for (auth, what) in [(Auth::Basic, "squid, Basic"), (Auth::Digest, "squid, Digest")] {
        let closed = squid(auth);
        expect_good(&kit, &proxies("http", LOGIN, &closed), what);
        expect_wrong_password_told(&kit, "http", &closed, what);
        expect_unknown_names_and_nobody_told(&kit, &proxies("http", LOGIN, &closed), what);
    }
}

#[test]
fn tinyproxy_with_and_without_a_password() {
    let kit = kit();
    let open = tinyproxy(false);
    expect_good(&kit, &proxies("http", "", &open), "tinyproxy");
    expect_unknown_names_and_nobody_told(&kit, &proxies("http", "", &open), "tinyproxy");
    let closed = tinyproxy(true);
    let told = proxies("http", "alice:s3cret@", &closed);
    expect_good(&kit, &told, "tinyproxy, Basic");
    expect_unknown_names_and_nobody_told(&kit, &told, "tinyproxy, Basic");
    expect_wrong_password_told(&kit, "http", &closed, "tinyproxy, Basic");
}

#[test]
fn microsocks_with_and_without_a_password() {
    let kit = kit();
    let open = microsocks(false);
    for scheme in ["socks5h", "socks5"] {
        expect_good(&kit, &proxies(scheme, "", &open), scheme);
    }
    expect_unknown_names_and_nobody_told(&kit, &proxies("socks5h", "", &open), "microsocks");
    let closed = microsocks(true);
    let told = proxies("socks5h", LOGIN, &closed);
    expect_good(&kit, &told, "microsocks, password");
    expect_unknown_names_and_nobody_told(&kit, &told, "microsocks, password");
    expect_wrong_password_told(&kit, "socks5h", &closed, "microsocks, password");
}

/// A port of ::1 behind which `server` is.
fn at_ipv6(server: &pinfold_testkit::Server) -> u16 {
    let listener = TcpListener::bind("[::1]:0").expect("loopback of IPv6");
    let (port, to) = (listener.local_addr().expect("bound").port(), server.addr());
    thread::spawn(move || {
        let (client, _) = listener.accept().expect("loopback");
        let server = TcpStream::connect(to).expect("the testkit");
        let up = [&client, &server].map(|stream| stream.try_clone().expect("a descriptor"));
        thread::spawn(move || std::io::copy(&mut &up[0], &mut &up[1]));
        let _ended = std::io::copy(&mut &server, &mut &client);
    });
    port
}

#[test]
fn addresses_of_ipv6_on_both_sides_of_a_proxy() {
    let kit = kit();
    let socks = microsocks_at("::1", true);
    let http = squid_at("::1", Auth::Basic);
    let plain = tinyproxy_at("::1", false);
    let dante = dante("none");
    let entry = pinfold_core::pin::HostSpec {
        host: "::1".into(),
        ..host(pins_at(&kit, "backend", pinfold_core::pin::PinAt::Any))
    };
    for proxies in [
        proxies("socks5h", LOGIN, &socks),
        proxies("http", LOGIN, &http),
        proxies("http", "", &plain),
        proxies("socks5h", "", &dante),
    ] {
        let client = behind(&kit, set(vec![entry.clone()]), proxies);
        let port = at_ipv6(kit.server("backend"));
        let response = client.get(&format!("https://[::1]:{port}/bytes/70000")).expect("pinned");
        assert_eq!(response.body().len(), 70_000);
    }
}

#[test]
fn dante_with_and_without_a_password() {
    let kit = kit();
    let open = dante("none");
    expect_good(&kit, &proxies("socks5h", "", &open), "dante");
    // Its reply to an unknown name has seven bytes and a name.
    expect_unknown_names_and_nobody_told(&kit, &proxies("socks5h", "", &open), "dante");
    let closed = dante_of_users();
    expect_good(&kit, &proxies("socks5h", LOGIN, &closed), "dante, password");
    expect_unknown_names_and_nobody_told(
        &kit,
        &proxies("socks5h", LOGIN, &closed),
        "dante, password",
    );
    expect_wrong_password_told(&kit, "socks5h", &closed, "dante, password");
}

#[test]
fn mitmproxy_is_refused_and_named_where_it_inspects_and_a_proxy_where_it_does_not() {
    let kit = kit();
    let inspecting = mitmproxy(&["--proxyauth", "alice:s3cret"]);
    let through = proxies("http", "alice:s3cret@", &inspecting);
    let url = local_url(&kit, "backend");
    let refused = |roots: Roots| {
        let client = Client::builder(local(&kit, "backend")).roots(roots).proxies(through.clone());
        client.build().expect("good settings").get(&url).expect_err("it inspects")
    };
    let error = refused(roots(&kit));
    assert_eq!(error.code(), "certificate_unknown_issuer", "{error}");
    let named = |error: &Error| {
        let report: &InterceptionReport = error.interception().expect("somebody is in the middle");
        assert_eq!(report.product, Some("mitmproxy"), "{error}");
        assert!(error.to_string().contains(&inspecting.addr.to_string()), "{error}");
    };
    named(&error);
    // Also where the device trusts it.
    let authority = std::fs::read(inspecting.folder().join("mitmproxy-ca-cert.cer"));
    let authority = pem_to_der(&authority.expect("it makes one"));
    let error = refused(Roots::Only(vec![authority]));
    assert_eq!(error.code(), "pin_mismatch", "{error}");
    named(&error);
    assert_eq!(requests(kit.server("backend")), 0);
    let log = inspecting.log();
    assert!(log.to_lowercase().contains("does not trust the proxy's certificate"), "{log}");

    let tunnel = mitmproxy(&["--ignore-hosts", ".*", "--proxyauth", "alice:s3cret"]);
    expect_good(&kit, &proxies("http", "alice:s3cret@", &tunnel), "mitmproxy, a tunnel");
    expect_wrong_password_told(&kit, "http", &tunnel, "mitmproxy");
    let told = proxies("http", "alice:s3cret@", &tunnel);
    expect_unknown_names_and_nobody_told(&kit, &told, "mitmproxy, password");
    let open = mitmproxy(&["--ignore-hosts", ".*"]);
    expect_good(&kit, &proxies("http", "", &open), "mitmproxy, open");
    expect_unknown_names_and_nobody_told(&kit, &proxies("http", "", &open), "mitmproxy, open");
}

#[test]
fn haproxy_s_tls_in_front_of_a_proxy_with_and_without_a_password() {
    let kit = kit();
    // Proxy and origin are both `localhost`, and so have the same pin.
    let front = |behind: &Process| tls_in_front(&kit, "backend", behind.addr);
    let at = |login: &str, front: &Process| {
        let proxy = format!("https://{login}localhost:{}", front.addr.port());
        let proxy = Proxy::parse(&proxy).expect("a proxy");
        Proxies::Fixed { proxy, no_proxy: NoProxy::default() }
    };
    let behind = [squid(Auth::None), squid(Auth::Basic), squid(Auth::Digest), tinyproxy(true)];
    for (behind, login) in behind.iter().zip(["", LOGIN, LOGIN, "alice:s3cret@"]) {
        let front = front(behind);
        expect_good(&kit, &at(login, &front), "haproxy");
        expect_unknown_names_and_nobody_told(&kit, &at(login, &front), "haproxy");
        for wrong in ["", WRONG].into_iter().filter(|_| !login.is_empty()) {
            let url = local_url(&kit, "backend");
            let error = expect_refused(&kit, &at(wrong, &front), &url, "haproxy");
            assert_eq!(error.code(), "proxy_auth_required", "{wrong}: {error}");
        }
    }
}

#[test]
fn a_refusal_of_squid_s_is_its_own_in_the_open_and_inside_haproxy_s_tls() {
    let kit = kit();
    let squid = squid(Auth::Never);
    let front = tls_in_front(&kit, "backend", squid.addr);
    let inside = Proxy::parse(&format!("https://localhost:{}", front.addr.port()));
    let inside = Proxies::Fixed { proxy: inside.expect("a proxy"), no_proxy: NoProxy::default() };
    for through in [proxies("http", "", &squid), inside] {
        match expect_refused(&kit, &through, &local_url(&kit, "backend"), "squid") {
            Error::ProxyRefused { status: 403, reason, .. } => {
                assert!(reason.contains("x-squid-error: ERR_ACCESS_DENIED"), "{reason}");
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(connections(kit.server("backend")), 0);
}

fn pem_to_der(pem: &[u8]) -> Vec<u8> {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;
    CertificateDer::from_pem_slice(pem).expect("a certificate").to_vec()
}

#[test]
fn a_proxy_that_speaks_tls_is_judged_under_its_own_name_and_pinned_where_the_pin_set_says_so() {
    let kit = kit();
    let behind = tinyproxy(false);
    let front = tls_in_front(&kit, "rotated", behind.addr);
    let proxy = format!("https://localhost:{}", front.addr.port());
    let through = Proxies::Fixed {
        proxy: Proxy::parse(&proxy).expect("a proxy"),
        no_proxy: NoProxy::default(),
    };
    let get = |hosts: Vec<(&str, &str)>, roots: Roots| {
        let entry = |(name, pin): (&str, &str)| pinfold_core::pin::HostSpec {
            host: name.into(),
            ..host(pins_at(&kit, pin, pinfold_core::pin::PinAt::Leaf))
        };
        let client = Client::builder(set(hosts.into_iter().map(entry).collect()))
            .roots(roots)
            .connect_to(HOST, 443, kit.server("backend").addr())
            .proxies(through.clone())
            .build()
            .expect("good settings");
        client.get(&url("/bytes/70000"))
    };
    // Without an entry of its own the system's trust is enough for it, also where hosts need one.
    let response = get(vec![(HOST, "backend")], roots(&kit)).expect("trusted");
    assert_eq!(response.body().len(), 70_000);
    get(vec![(HOST, "backend"), ("localhost", "rotated")], roots(&kit)).expect("its pin");
    let error = get(vec![(HOST, "backend"), ("localhost", "backend")], roots(&kit));
    let error = error.expect_err("not its pin");
    assert_eq!((error.code(), error.host()), ("pin_mismatch", Some("localhost")));
    assert_eq!(error.proxy(), Some(proxy.as_str()));
    let private = Roots::Only(vec![kit.pki().certificate("private_root").to_vec()]);
    let error = get(vec![(HOST, "backend")], private).expect_err("nobody knows its authority");
    assert_eq!(error.code(), "certificate_unknown_issuer");
    assert_eq!((error.host(), error.proxy()), (Some("localhost"), Some(proxy.as_str())));
    // The pin of the origin holds behind it.
    let error = get(vec![(HOST, "rotated")], roots(&kit)).expect_err("not the origin's pin");
    assert_eq!((error.code(), error.host()), ("pin_mismatch", Some(HOST)));
}

#[test]
fn a_proxy_that_speaks_tls_loses_its_tunnels_with_its_pin() {
    let kit = kit();
    let behind = squid(Auth::Basic);
    let front = tls_in_front(&kit, "rotated", behind.addr);
    let proxy = Proxy::parse(&format!("https://{LOGIN}localhost:{}", front.addr.port()));
    let proxies = Proxies::Fixed { proxy: proxy.expect("a proxy"), no_proxy: NoProxy::default() };
    let pins = |pin: &str| {
        let proxy = pinfold_core::pin::HostSpec {
            host: "localhost".into(),
            ..host(pins_at(&kit, pin, pinfold_core::pin::PinAt::Leaf))
        };
        set(vec![host(pins_at(&kit, "backend", pinfold_core::pin::PinAt::Leaf)), proxy])
    };
    let client = builder(&kit, pins("rotated"), "backend").proxies(proxies).build();
    let client = client.expect("good settings");
    client.get(&url("/")).expect("both pins");
    client.replace_pins(pins("rotated")).expect("open");
    client.get(&url("/")).expect("the same connection");
    assert_eq!(connections(kit.server("backend")), 1);
    client.replace_pins(pins("backend")).expect("open");
    let error = client.get(&url("/")).expect_err("not its pin any more");
    assert_eq!((error.code(), error.host()), ("pin_mismatch", Some("localhost")));
}

#[test]
fn a_real_proxy_that_is_killed_in_mid_tunnel_is_named() {
    let kit = kit();
    let mut proxy = microsocks(false);
    let client = behind(&kit, local(&kit, "backend"), proxies("socks5h", "", &proxy));
    let server = kit.server("backend");
    let waiting = thread::spawn({
        let client = client.clone();
        let url = format!("https://localhost:{}/hang", server.port());
        move || client.get(&url)
    });
    let arrived = |events: &[Event]| events.iter().any(|e| matches!(e, Event::Request { .. }));
    assert!(server.wait_for(arrived, PATIENCE).is_some());
    proxy.kill();
    let error = waiting.join().expect("no panic").expect_err("it is gone");
    assert_eq!(error.code(), "connection_lost", "{error}");
    assert!(error.to_string().contains(&format!("socks5h://{}", proxy.addr)), "{error}");
    let error = client.get(&local_url(&kit, "backend")).expect_err("it is gone");
    assert_eq!(error.code(), "proxy_failed", "{error}");
}
