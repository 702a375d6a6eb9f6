//! What a mirror of the update channel may do to an updater: nothing, whatever it serves.
//!
//! By the golden documents, which `openssl` has signed: the embedded pin set is 1, the bundle's 2.

mod common;

use std::time::{Duration, Instant};

use common::*;
use pinfold_core::Roots;
use pinfold_core::update::{PinSetUpdater, PinSetUpdaterBuilder, Refreshed, UpdateError};
use pinfold_testkit::Testkit;
use serde_json::{Value, json};

const GOOD: &str = "https://www.example.test/bundle.json";

/// A kit with the good bundle on the good mirror.
fn published() -> Testkit {
    let kit = kit();
    let bundle = include_bytes!("data/pinset/golden/bundle.json");
    kit.server("rsa").publish("/bundle.json", bundle.to_vec());
    kit
}

/// An updater of the golden documents that asks these mirrors, in this order.
fn updater(kit: &Testkit, urls: &[&str]) -> PinSetUpdater {
    builder(kit, urls).build().expect("a good updater")
}

fn builder(kit: &Testkit, urls: &[&str]) -> PinSetUpdaterBuilder {
    let embedded = include_bytes!("data/pinset/golden/embedded.json");
    let mut embedded: Value = serde_json::from_slice(embedded).expect("JSON");
    embedded["update_urls"] = json!(urls);
    let root = kit.pki().certificate("root").to_vec();
    let address = kit.server("rsa").addr();
    PinSetUpdater::builder(embedded.to_string().as_bytes())
        .roots(Roots::Only(vec![root]))
        .connect_to("www.example.test", 443, address)
        .connect_to("other.example.test", 443, address)
}

fn bad(path: &str) -> String {
    format!("https://other.example.test{path}")
}

/// The first mirror's answer is refused in time for the second's.
fn is_passed_over(kit: &Testkit, path: &str) {
    let updater = updater(kit, &[&bad(path), GOOD]);
    assert_eq!(updater.refresh(), Ok(Refreshed::Updated), "{path}");
    assert_eq!(updater.status().order.pinset, 2, "{path}");
}

/// What is left of an updater that has no other mirror.
fn refused(kit: &Testkit, path: &str) -> UpdateError {
    let updater = updater(kit, &[&bad(path)]);
    let error = updater.refresh().expect_err(path);
    let status = updater.status();
    assert_eq!((status.order.pinset, status.last_error), (1, Some(error.clone())), "{path}");
    assert!(status.next_due <= 120, "{path}: {}", status.next_due);
    error
}

#[test]
fn an_answer_larger_than_any_bundle_is_not_read_to_its_end() {
    let kit = published();
    for path in ["/endless", "/bytes/262145", "/chunked/1000000", "/gzip/10000000", "/bomb"] {
        is_passed_over(&kit, path);
        let error = refused(&kit, path);
        assert_eq!(error.code(), "unavailable", "{path}: {error}");
        assert!(error.to_string().contains("262144"), "{path}: {error}");
    }
}

#[test]
fn a_page_where_the_bundle_belongs_is_told_as_what_it_is() {
    let kit = published();
    let portal = "<!doctype html><title>Log in</title>".to_owned();
    for (path, body, code) in [
        ("/login", portal, "malformed"),
        ("/empty", String::new(), "malformed"),
        ("/null", "null".into(), "malformed"),
        ("/later", r#"{"bundle":2,"roots":[],"pinset":{}}"#.into(), "unsupported"),
        ("/many", format!(r#"{{"bundle":1,"roots":[{}]}}"#, "{},".repeat(80_000)), "malformed"),
    ] {
        kit.server("rsa").publish(path, body);
        is_passed_over(&kit, path);
        assert_eq!(refused(&kit, path).code(), code, "{path}");
    }
}

#[test]
fn a_status_without_a_bundle_is_no_answer() {
    let kit = published();
    // Nobody has asked whether anything is newer than a bundle that this client never had.
    for status in [204, 206, 301, 304, 403, 404, 429, 500, 503] {
        let path = format!("/status/{status}");
        is_passed_over(&kit, &path);
        assert_eq!(refused(&kit, &path).code(), "unavailable", "{path}");
    }
}

#[test]
fn a_portal_in_place_of_tls_is_no_answer() {
    let kit = published();
    let embedded = include_bytes!("data/pinset/golden/embedded.json");
    let mut embedded: Value = serde_json::from_slice(embedded).expect("JSON");
    embedded["update_urls"] = json!([bad("/bundle.json")]);
    for server in ["portal", "plain_http", "garbage", "impostor", "wrong_host"] {
        let root = kit.pki().certificate("root").to_vec();
        let updater = PinSetUpdater::builder(embedded.to_string().as_bytes())
            .roots(Roots::Only(vec![root]))
            .connect_to("other.example.test", 443, kit.server(server).addr())
            .build()
            .expect("a good updater");
        assert_eq!(updater.refresh().expect_err(server).code(), "unavailable", "{server}");
        assert_eq!(updater.status().order.pinset, 1, "{server}");
    }
}

#[test]
fn a_mirror_that_drips_is_left_when_its_time_is_over() {
    let kit = published();
    let second = Duration::from_secs(1);
    for path in ["/slow", "/hang", "/hang-body"] {
        let builder = builder(&kit, &[&bad(path), GOOD]).timeout(second);
        let begun = Instant::now();
        assert_eq!(builder.build().expect("a good updater").refresh(), Ok(Refreshed::Updated));
        assert!(begun.elapsed() >= second, "{path}");
    }
}

/// What an idle one would be by the next fetch: of a network that the device has left, and dead.
#[test]
fn no_connection_outlives_its_fetch() {
    let kit = published();
    let server = kit.server("rsa");
    // The server keeps connections, and a fetch of both mirrors at one host makes one.
    let updater = updater(&kit, &["https://www.example.test/status/404", GOOD]);
    assert_eq!(updater.refresh(), Ok(Refreshed::Updated));
    wait_closed(server, 1);
    assert_eq!((connections(server), requests(server)), (1, 2));
    assert_eq!(updater.refresh(), Ok(Refreshed::Unchanged));
    wait_closed(server, 2);
    assert_eq!((connections(server), requests(server)), (2, 4));
}
