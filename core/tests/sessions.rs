//! Sessions: nothing of one user's reaches another, and no host gets another's cookies.

mod common;

use common::*;
use pinfold_core::client::{CookieJar, SessionBuilder};
use pinfold_core::pin::{HostSpec, PinAt};
use pinfold_core::{CancelToken, Client, ClientBuilder, Method, PinSet, Request, Response};
use pinfold_testkit::Testkit;
use serde_json::Value;

const OTHER: &str = "other.example.test";

fn all_hosts(kit: &Testkit) -> PinSet {
    set(vec![HostSpec {
        host: "example.test".into(),
        include_subdomains: true,
        ..host(pins_at(kit, "backend", PinAt::Any))
    }])
}

/// One that finds [`OTHER`] at the same server.
fn setup(kit: &Testkit) -> ClientBuilder {
    let addr = kit.server("backend").addr();
    builder(kit, all_hosts(kit), "backend").connect_to(OTHER, 443, addr)
}

fn echo(client: &Client, path: &str) -> Value {
    client.get(&url(path)).expect("pinned").json().expect("JSON")
}

fn cookie(echo: &Value) -> Option<String> {
    let headers = echo["headers"].as_array().expect("headers").iter();
    let mut named = headers.filter(|it| it[0].as_str().is_some_and(|it| it == "cookie"));
    named.next().map(|it| it[1].as_str().expect("text").to_owned())
}

/// A path whose answer has these fields.
fn answer(fields: &str) -> String {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{fields}\r\n");
    let hex: String = head.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("/hex/{hex}")
}

fn sets(client: &Client, field: &str) {
    client.get(&url(&answer(&format!("Set-Cookie: {field}; Path=/\r\n")))).expect("pinned");
}

fn session(client: &Client) -> SessionBuilder {
    client.session().cookies(CookieJar::new())
}

#[test]
fn no_session_uses_the_connection_or_the_tickets_of_another() {
    let kit = kit();
    let client = setup(&kit).build().expect("good settings");
    let alice = client.session().build().expect("a session");
    let bob = client.session().build().expect("a session");
    let whole = [&client, &alice, &bob].map(|who| echo(who, "/echo"));
    // Full handshakes: a ticket would tell the server who is who.
    assert!(whole.iter().all(|it| it["resumed"] == false), "{whole:?}");
    let ids = whole.each_ref().map(|it| it["connection"].as_u64().expect("a number"));
    assert_eq!(ids, [1, 2, 3]);
    // Each has its own again, and its own tickets where that is gone.
    let again = [&bob, &client, &alice].map(|who| echo(who, "/echo")["connection"].clone());
    assert_eq!(again, [3, 1, 2]);
    client.close_idle_connections();
    let resumed = [&alice, &bob, &client].map(|who| echo(who, "/echo")["resumed"].clone());
    assert_eq!(resumed, [true, true, true]);
}

#[test]
fn no_session_and_no_host_gets_the_cookies_of_another() {
    let kit = kit();
    let client = setup(&kit).cookies(CookieJar::new()).build().expect("good settings");
    let (alice, bob) = (session(&client).build(), session(&client).build());
    let (alice, bob) = (alice.expect("a session"), bob.expect("a session"));
    let without = client.session().build().expect("a session");
    sets(&alice, "id=alice");
    sets(&bob, "id=bob");
    sets(&without, "id=nobody");
    for (who, expected) in
        [(&alice, Some("id=alice")), (&bob, Some("id=bob")), (&client, None), (&without, None)]
    {
        assert_eq!(cookie(&echo(who, "/echo")).as_deref(), expected);
    }
    let there = format!("https://{OTHER}/echo");
    let elsewhere: Value = alice.get(&there).expect("pinned").json().expect("JSON");
    assert_eq!(cookie(&elsewhere), None);
    // Nor where a redirect leads there; and what was set on the way counts at once.
    let fields = format!("Location: {there}\r\nSet-Cookie: hop=1; Path=/\r\n");
    let head = format!("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n{fields}\r\n");
    let hex: String = head.bytes().map(|byte| format!("{byte:02x}")).collect();
    let led: Value =
        alice.get(&url(&format!("/hex/{hex}"))).expect("followed").json().expect("JSON");
    assert_eq!((cookie(&led), &led["path"]), (None, &"/echo".into()));
    assert_eq!(cookie(&echo(&alice, "/echo")).as_deref(), Some("id=alice; hop=1"));
}

#[test]
fn a_cookie_of_the_request_itself_counts_alone_and_a_trace_carries_none() {
    let kit = kit();
    let client = setup(&kit).cookies(CookieJar::new()).build().expect("good settings");
    sets(&client, "id=jar");
    let sent = |request: Request| -> Value {
        client.send(&request).expect("pinned").json().expect("JSON")
    };
    let own = Request::new(Method::Get, &url("/echo")).and_then(|it| it.header("Cookie", "id=own"));
    assert_eq!(cookie(&sent(own.expect("good"))).as_deref(), Some("id=own"));
    let trace = Request::new("TRACE".parse().expect("a token"), &url("/echo"));
    assert_eq!(cookie(&sent(trace.expect("good"))), None);
    let pulled = client
        .stream(&Request::new(Method::Get, &url("/echo")).expect("good"), &CancelToken::new());
    let body: Value = serde_json::from_reader(pulled.expect("pinned").body_mut()).expect("JSON");
    assert_eq!(cookie(&body).as_deref(), Some("id=jar"), "streams, too");
}

#[test]
fn malformed_cookies_change_nothing_and_the_answer_counts() {
    let kit = kit();
    let jar = CookieJar::new();
    let client = setup(&kit).cookies(jar.clone()).build().expect("good settings");
    let fields = [
        "Set-Cookie: ",
        "Set-Cookie: =",
        "Set-Cookie: a=b; Domain=test",
        "Set-Cookie: a=b; Domain=example.com",
        "Set-Cookie: __Host-a=b; Secure; Domain=example.test; Path=/",
        "Set-Cookie: a=\u{1}b",
        "Set-Cookie: good=1; Expires=never; Max-Age=soon; Path=/; Domain; ;;=;Secure",
    ];
    for field in fields {
        let response: Response = match client.get(&url(&answer(&format!("{field}\r\n")))) {
            Ok(response) => response,
            // A control character is no header (RFC 9110 §5.5): the answer is refused as a whole.
            Err(e) => {
                assert_eq!((e.code(), field.contains('\u{1}')), ("invalid_response", true));
                continue;
            }
        };
        assert_eq!(response.status(), 200);
    }
    assert_eq!(jar.header(&url("/")), Ok(Some("good=1".into())));
}

#[test]
fn closing_a_session_ends_it_alone_and_closing_the_client_ends_all() {
    let kit = kit();
    let client = setup(&kit).build().expect("good settings");
    let (alice, bob) = (client.session().build(), client.session().build());
    let (alice, bob) = (alice.expect("a session"), bob.expect("a session"));
    [&client, &alice, &bob].iter().for_each(|who| drop(echo(who, "/echo")));
    let closed = |who: &Client| who.get(&url("/")).expect_err("closed").code();
    alice.close();
    wait_closed(kit.server("backend"), 1);
    assert_eq!(closed(&alice), "client_closed");
    assert_eq!(echo(&bob, "/echo")["connection"], 3);
    // One that nobody holds any more leaves nothing open.
    drop(bob.session().build().map(|carol| echo(&carol, "/echo")));
    wait_closed(kit.server("backend"), 2);

    let hangs = std::thread::spawn({
        let bob = bob.clone();
        move || bob.get(&url("/hang"))
    });
    let asked = |events: &[pinfold_testkit::Event]| {
        events
            .iter()
            .any(|it| matches!(it, pinfold_testkit::Event::Request { path, .. } if path == "/hang"))
    };
    kit.server("backend").wait_for(asked, PATIENCE).expect("it is under way");
    client.close();
    assert_eq!(hangs.join().expect("no panic").expect_err("closed").code(), "client_closed");
    assert_eq!((closed(&client), closed(&bob)), ("client_closed", "client_closed"));
    assert_eq!(client.session().build().expect_err("closed").code(), "client_closed");
    wait_closed(kit.server("backend"), 4);
}

#[test]
fn pins_that_are_replaced_are_replaced_for_every_session() {
    let kit = kit();
    let client = setup(&kit).build().expect("good settings");
    let alice = client.session().build().expect("a session");
    echo(&alice, "/echo");
    client.replace_pins(pinned(&kit, "rotated")).expect("open");
    assert_eq!(alice.get(&url("/")).expect_err("its pin is gone").code(), "pin_mismatch");
}

#[test]
fn a_session_outlives_the_client_that_made_it_and_has_headers_of_its_own() {
    let kit = kit();
    let setup =
        setup(&kit).base_url(url("/")).default_header("X-App", "7").default_header("X-User", "0");
    let client = setup.build().expect("good settings");
    let alice = client.session().default_header("X-User", "alice");
    let alice = alice.sensitive_default_header("Authorization", "Bearer a").build().expect("good");
    let seen = echo(&client, "/echo").to_string();
    assert!(seen.contains(r#"["x-user","0"]"#) && !seen.contains("Bearer"), "{seen}");
    drop(client);
    let seen = echo(&alice, "/echo").to_string();
    for field in [r#"["x-app","7"]"#, r#"["x-user","alice"]"#, r#"["authorization","Bearer a"]"#] {
        assert!(seen.contains(field), "{seen}");
    }
    assert_eq!(
        alice.session().default_header("Host", "x").build().err().map(|e| e.code()),
        Some("invalid_config")
    );
}

/// What a thousand sessions cost: `cargo test --release --test sessions cost -- --ignored --nocapture`.
#[test]
#[ignore = "a figure of memory, for a process of its own: see above"]
fn cost() {
    let kit = kit();
    let client = setup(&kit).build().expect("good settings");
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it is there");
        let kib = line.split_whitespace().nth(1).expect("a number");
        kib.parse::<usize>().expect("a number") * 1_024
    };
    let before = resident();
    let begun = std::time::Instant::now();
    let many = 10_000;
    let all = (0..many).map(|_| session(&client).build().expect("open")).collect::<Vec<_>>();
    let (time, bytes) = (begun.elapsed(), resident() - before);
    println!("{} bytes and {:?} a session", bytes / all.len(), time / many);
    assert!(bytes / all.len() < 4_096);
}
