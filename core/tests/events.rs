//! What a listener is told of a call.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::*;
use pinfold_core::client::Retries;
use pinfold_core::proxy::{NoProxy, Proxies, Proxy};
use pinfold_core::{Event, EventListener};

#[derive(Default)]
struct Notes(Mutex<Vec<(u64, Event)>>);

impl EventListener for Notes {
    fn event(&self, number: u64, event: &Event) {
        self.0.lock().expect("no panic").push((number, event.clone()));
    }
}

struct Panics;

impl EventListener for Panics {
    fn event(&self, _: u64, _: &Event) {
        panic!("in the app's code");
    }
}

#[test]
fn a_listener_is_told_in_order_what_happens_to_each_call_and_no_secret() {
    let kit = kit();
    let notes = Arc::new(Notes::default());
    let client = builder(&kit, pinned(&kit, "backend"), "backend")
        .retries(Retries::new(1).first_wait(Duration::from_millis(1)))
        .listener(notes.clone())
        .build()
        .expect("good settings");
    let target: String = url("/in-turn/503,200").bytes().map(|b| format!("%{b:02X}")).collect();
    client.get(&url(&format!("/redirect?to={target}&token=s3cret"))).expect("answered");
    client.get("https://elsewhere.test/").expect_err("no entry");

    let notes = notes.0.lock().expect("no panic").clone();
    assert!(!format!("{notes:?}").contains("s3cret"));
    let numbers = notes.iter().map(|(number, _)| *number).collect::<Vec<_>>();
    assert!(numbers[..7].iter().all(|it| *it == numbers[0]) && numbers[7] != numbers[0]);
    let told = notes.into_iter().map(|(_, event)| match event {
        Event::Begun { method, host } => format!("{method} {host}"),
        Event::Connected { host, reused } => format!("connected {host} {reused}"),
        Event::Retried { before, cause, wait, .. } => {
            assert!(wait <= Duration::from_millis(1));
            format!("retried {before} {cause}")
        }
        Event::Redirected { host, to } => format!("{host} to {to}"),
        Event::Answered { status, host, .. } => format!("{status} {host}"),
        Event::Failed { code, host, .. } => format!("{code} {host}"),
        other => format!("{other:?}"),
    });
    let expected = [
        "GET api.example.test",
        "connected api.example.test false",
        "api.example.test to api.example.test",
        "connected api.example.test true",
        "retried 0 503",
        "connected api.example.test true",
        "200 api.example.test",
        "GET elsewhere.test",
        "host_not_pinned elsewhere.test",
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn nobody_is_told_the_password_of_a_proxy() {
    let kit = kit();
    // Let in, not let in, and answered by something that is no proxy.
    for (login, server, answered) in [
        ("user:open%20sesame@", "proxy_login", true),
        ("user:open%20sesame@", "socks_login", true),
        ("user:s3cret@", "proxy_login", false),
        ("user:s3cret@", "socks_login", false),
        ("user:s3cret@", "garbage", false),
    ] {
        let scheme = if server.starts_with("socks") { "socks5h" } else { "http" };
        let proxy = format!("{scheme}://{login}{}", kit.server(server).addr());
        let proxy = Proxy::parse(&proxy).expect("a proxy");
        let proxies = Proxies::Fixed { proxy, no_proxy: NoProxy::default() };
        let notes = Arc::new(Notes::default());
        let builder = builder(&kit, pinned(&kit, "backend"), "backend").proxies(proxies.clone());
        let mut told = format!("{proxies:?} {builder:?}");
        let client = builder.listener(notes.clone()).build().expect("good settings");
        let result = client.get(&url("/"));
        assert_eq!(result.is_ok(), answered, "{server} {result:?}");
        let notes = notes.0.lock().expect("no panic").clone();
        assert!(matches!(
            (notes.last(), answered),
            (Some((_, Event::Answered { .. })), true) | (Some((_, Event::Failed { .. })), false)
        ));
        told += &format!("{client:?} {notes:?} {result:?}");
        told.extend(result.err().map(|error| error.to_string()));
        // As it is, as it stands in the URL, and as Basic sends it (the last bytes are the password's).
        for secret in ["open sesame", "open%20sesame", "vcGVuIHNlc2FtZQ", "s3cret", "zM2NyZXQ"] {
            assert!(!told.contains(secret), "{server}: {told}");
        }
    }
}

#[test]
fn a_listener_that_panics_changes_nothing() {
    let kit = kit();
    let client = builder(&kit, pinned(&kit, "backend"), "backend").listener(Arc::new(Panics));
    let client = client.build().expect("good settings");
    assert_eq!(client.get(&url("/")).expect("answered").status(), 200);
}
