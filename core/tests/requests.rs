//! What a request says, and what its client adds.

mod common;

use common::*;
use pinfold_core::pin::{HostSpec, PinAt};
use pinfold_core::{Method, PinSet, Request, Response};
use pinfold_testkit::Testkit;
use serde::{Deserialize, Serialize};
use serde_json::Value;

fn echo(response: &Response) -> Value {
    response.json().expect("JSON")
}

/// The values of a header as they arrived.
fn values(echo: &Value, name: &str) -> Vec<String> {
    let headers = echo["headers"].as_array().expect("headers");
    let is_it =
        |header: &&Value| header[0].as_str().is_some_and(|it| it.eq_ignore_ascii_case(name));
    headers.iter().filter(is_it).map(|it| it[1].as_str().expect("text").to_owned()).collect()
}

fn all_hosts(kit: &Testkit) -> PinSet {
    set(vec![HostSpec {
        host: "example.test".into(),
        include_subdomains: true,
        ..host(pins_at(kit, "backend", PinAt::Any))
    }])
}

#[test]
fn any_token_arrives_as_a_method_with_its_body_where_it_takes_one() {
    let kit = kit();
    let client = client(&kit, pinned(&kit, "backend"), "backend");
    for text in ["OPTIONS", "PROPFIND", "QUERY", "M-SEARCH", "PURGE"] {
        let method: Method = text.parse().expect("a token");
        let request = Request::new(method, &url("/echo")).expect("a good URL");
        let bare = echo(&client.send(&request).expect("pinned"));
        assert_eq!((&bare["method"], &bare["body_base64"]), (&text.into(), &"".into()));
        let request = request.body(b"body\0".to_vec()).expect("it may have one");
        let full = echo(&client.send(&request).expect("pinned"));
        assert_eq!((&full["method"], &full["body_base64"]), (&text.into(), &"Ym9keQA=".into()));
    }
    let trace = Request::new("TRACE".parse().expect("a token"), &url("/echo")).expect("a good URL");
    assert_eq!(echo(&client.send(&trace).expect("pinned"))["method"], "TRACE");
    assert_eq!(connections(kit.server("backend")), 1, "each answer ends where it ends");
}

#[test]
fn what_a_client_adds_goes_to_every_request_and_its_secrets_to_its_own_server_alone() {
    let kit = kit();
    let other = ("other.example.test", kit.server("backend_root").addr());
    let client = builder(&kit, all_hosts(&kit), "backend")
        .connect_to(other.0, 443, other.1)
        .base_url(url("/"))
        .default_header("X-App", "7")
        .default_header("Authorization", "Bearer s3cret")
        .sensitive_default_header("X-Key", "s3cret")
        .build()
        .expect("good settings");
    let home = echo(&client.get("echo").expect("relative"));
    assert_eq!(values(&home, "x-app"), ["7"]);
    assert_eq!(values(&home, "authorization"), ["Bearer s3cret"]);
    assert_eq!(values(&home, "x-key"), ["s3cret"]);
    let own = client.request(Method::Get, "/echo").expect("relative");
    let own = own.header("Authorization", "Basic own").expect("a good header");
    assert_eq!(values(&echo(&client.send(&own).expect("pinned")), "authorization"), ["Basic own"]);

    // Neither where a request goes there at once, nor where it is sent there.
    let there = "https://other.example.test/echo";
    for target in [there.to_owned(), format!("redirect?to={there}")] {
        let away = echo(&client.get(&target).expect("pinned"));
        assert_eq!(values(&away, "x-app"), ["7"], "{target}");
        assert!(!away.to_string().contains("s3cret"), "{away}");
    }
    assert_eq!(client.get("//other.example.test/echo").expect_err("whose").code(), "invalid_url");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    item: u32,
    note: String,
}

#[test]
fn json_goes_both_ways_and_what_is_wrong_with_it_is_told_without_it() {
    let kit = kit();
    let client = client(&kit, pinned(&kit, "backend"), "backend");
    let order = Order { item: 7, note: "Größe".into() };
    let post = |path: &str| Request::new(Method::Post, &url(path)).expect("a good URL");
    let sent = echo(&client.send(&post("/echo").json(&order).expect("it is")).expect("pinned"));
    assert_eq!(values(&sent, "content-type"), ["application/json"]);
    let body = r#"{"item":7,"note":"Größe"}"#;
    assert_eq!(sent["body_base64"], base64(body.as_bytes()));
    let patch = post("/echo").header("Content-Type", "application/merge-patch+json").expect("good");
    let sent = echo(&client.send(&patch.json(&order).expect("it is")).expect("pinned"));
    assert_eq!(values(&sent, "content-type"), ["application/merge-patch+json"]);

    let answer = |body: &str| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let hex: String = (head + body).bytes().map(|byte| format!("{byte:02x}")).collect();
        client.get(&url(&format!("/hex/{hex}"))).expect("pinned").json::<Order>()
    };
    assert_eq!(answer(body).as_ref(), Ok(&order));
    assert_eq!(answer(&format!("\u{feff}{body}")).as_ref(), Ok(&order));
    for bad in [r#"{"item":"s3cret"}"#, r#"{"item":7"#, "s3cret", ""] {
        let error = answer(bad).expect_err(bad);
        assert_eq!((error.code(), error.host()), ("invalid_response", Some(HOST)), "{bad}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    let odd = std::collections::HashMap::from([(vec![1], 2)]);
    assert_eq!(post("/").json(&odd).expect_err("no texts").place(), Some("body"));
}
