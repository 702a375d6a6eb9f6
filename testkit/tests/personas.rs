//! What a client without pins makes of each persona.

mod client;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use client::{SOON, TESTKIT, closed, config, connect, get};
use pinfold_testkit::{Event, Testkit};

#[test]
fn ordinary_chains_are_trusted() {
    for (name, roots) in [
        ("backend", &["root"][..]),
        ("backend_root", &["root"]),
        ("leaf_only", &["root"]),
        ("deep", &["root"]),
        ("rotated", &["root"]),
        ("rsa", &["root"]),
        ("tls12", &["root"]),
        ("cross", &["other_root"]),
        ("private", &["private_root"]),
        ("interceptor", &["other_root"]),
        ("pasted", &["other_root"]),
        ("same_name_ca", &["other_root"]),
    ] {
        let config = config(&TESTKIT, roots);
        let mut stream = connect(TESTKIT.server(name), &config).expect(name);
        assert_eq!(get(&mut stream, "/").expect(name).1, b"ok");
        let chain = if name == "tls12" { "backend" } else { name };
        let seen = stream.conn.peer_certificates().expect("a chain");
        assert_eq!(seen, TESTKIT.pki().chain(chain), "{name}");
    }
}

#[test]
fn bad_chains_are_refused_with_an_alert_and_get_no_data() {
    for (name, alert) in [
        ("impostor", "unknown_ca"),
        ("interceptor", "unknown_ca"),
        ("private", "unknown_ca"),
        ("pasted", "unknown_ca"),
        ("same_name_ca", "decrypt_error"),
        ("leaf_signs", "certificate_unknown"),
        ("self_signed", "unknown_ca"),
        ("self_signed_ca", "certificate_unknown"),
        ("wrong_host", "bad_certificate"),
        ("expired", "certificate_expired"),
        ("not_yet_valid", "certificate_expired"),
        ("wrong_key", "decrypt_error"),
    ] {
        let testkit = Testkit::start().expect("ports");
        let server = testkit.server(name);
        connect(server, &config(&testkit, &["root"])).expect_err(name);
        let events = closed(server, 1);
        assert_eq!(events[0], Event::Accepted { conn: 1 });
        assert_eq!(events[1], Event::Alert { conn: 1, description: alert.into() }, "{}", name);
        assert_eq!(events[2].kind(), "handshake_failed");
        assert_eq!(events[3], Event::Closed { conn: 1, application_bytes: 0 });
        assert_eq!(events.len(), 4);
    }
}

#[test]
fn broken_servers_break_before_http() {
    for name in [
        "close_on_accept",
        "close_on_hello",
        "close_in_handshake",
        "reset_on_hello",
        "garbage",
        "plain_http",
    ] {
        let server = TESTKIT.server(name);
        let error = connect(server, &config(&TESTKIT, &["root"])).expect_err(name);
        let expected = match name {
            "garbage" | "plain_http" => ErrorKind::InvalidData,
            "reset_on_hello" => ErrorKind::ConnectionReset,
            _ => ErrorKind::UnexpectedEof,
        };
        assert_eq!(error.kind(), expected, "{name}: {error}");
        assert_eq!(closed(server, 1)[1], Event::Closed { conn: 1, application_bytes: 0 });
    }
}

#[test]
fn close_after_handshake_completes_it() {
    let server = TESTKIT.server("close_after_handshake");
    let mut stream = connect(server, &config(&TESTKIT, &["root"])).expect("a handshake");
    let error = stream.read(&mut [0]).expect_err("no close_notify");
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert_eq!(closed(server, 1)[1].kind(), "handshake");
}

#[test]
fn a_hanging_server_hangs_until_it_drops_the_connection() {
    let server = TESTKIT.server("hang_on_accept");
    let mut socket = TcpStream::connect(server.addr()).expect("a port");
    socket.write_all(b"\x16\x03\x01").expect("an open connection");
    socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
    assert_eq!(socket.read(&mut [0]).expect_err("silence").kind(), ErrorKind::WouldBlock);

    socket.set_read_timeout(Some(SOON)).expect("a timeout");
    server.drop_connections();
    assert_eq!(socket.read(&mut [0]).expect("the end"), 0);
}

#[test]
fn a_new_certificate_leaves_tickets_good() {
    for name in ["backend", "tls12"] {
        let testkit = Testkit::start().expect("ports");
        let server = testkit.server(name);
        let warm = config(&testkit, &["root"]);
        get(&mut connect(server, &warm).expect("trusted"), "/").expect("ok");

        server.present("impostor");
        let mut resumed = connect(server, &warm).expect("a ticket shows no certificate");
        let (_, body) = get(&mut resumed, "/echo").expect("ok");
        let echo: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((&echo["resumed"], &echo["connection"]), (&true.into(), &2.into()));
        connect(server, &config(&testkit, &["root"])).expect_err("no ticket, no trust");

        let handshakes: Vec<_> =
            closed(server, 1).into_iter().filter(|event| event.kind() == "handshake").collect();
        let version = if name == "tls12" { "TLSv1.2" } else { "TLSv1.3" };
        let handshake = |conn, resumed| Event::Handshake {
            conn,
            resumed,
            version: version.to_owned(),
            sni: Some("api.example.test".to_owned()),
        };
        assert_eq!(handshakes, [handshake(1, false), handshake(2, true)]);
    }
}

#[test]
fn dropping_the_testkit_ends_everything_at_once() {
    for path in ["/hang", "/endless"] {
        let testkit = Testkit::start().expect("ports");
        let server = testkit.server("backend");
        let addr = server.addr();
        let mut stream = connect(server, &config(&testkit, &["root"])).expect("trusted");
        client::ask(&mut stream, path).expect("an open connection");
        let requested = |events: &[Event]| events.iter().any(|event| event.kind() == "request");
        server.wait_for(requested, SOON).expect("a request");
        drop(testkit);
        stream.read_to_end(&mut Vec::new()).expect_err("no close_notify");
        TcpStream::connect(addr).expect_err("no server");
    }
}
