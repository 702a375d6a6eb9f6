//! A pin set in force, its replacement, and what may outlive it: nothing.

mod common;

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use common::*;
use pinfold_core::{CancelToken, Error, Method, Request};
use pinfold_testkit::{Event, Server};

fn handshakes(server: &Server) -> Vec<bool> {
    let resumed = |e: &Event| match e {
        Event::Handshake { resumed, .. } => Some(*resumed),
        _ => None,
    };
    server.events().iter().filter_map(resumed).collect()
}

#[test]
fn a_connection_is_used_again() {
    let kit = kit();
    let client = client(&kit, pinned(&kit, "backend"), "backend");
    for _ in 0..5 {
        assert_eq!(client.get(&url("/")).expect("pinned").text(), "ok");
    }
    assert_eq!(connections(kit.server("backend")), 1);
}

#[test]
fn a_session_is_resumed_under_the_same_pin_set_and_its_verdict_is_kept() {
    for server in ["backend", "tls12"] {
        let kit = kit();
        let client = client(&kit, pinned(&kit, "intermediate"), server);
        client.get(&url("/until-close/5")).expect("pinned");
        let response = client.get(&url("/")).expect("resumed");
        assert_eq!(handshakes(kit.server(server)), [false, true], "{server}");
        assert_eq!(response.matched_pin().expect("a match").depth, 1, "{server}");
    }
}

/// The ticket is good, but the pin under which it was given is gone: rustls would resume without
/// asking the verifier.
#[test]
fn a_ticket_of_a_replaced_pin_set_is_never_used() {
    for server in ["backend", "tls12"] {
        let kit = kit();
        let client = client(&kit, pinned(&kit, "backend"), server);
        client.get(&url("/until-close/5")).expect("pinned");
        assert_eq!(client.pins_generation(), 0);
        client.replace_pins(pinned(&kit, "rotated")).expect("open");
        assert_eq!(client.pins_generation(), 1);
        let error = client.get(&url("/")).expect_err("the pin is gone");
        assert_eq!(error.code(), "pin_mismatch", "{server}");
        assert_eq!(requests(kit.server(server)), 1, "{server}");
    }
}

#[test]
fn an_idle_connection_does_not_outlive_its_pin_set() {
    let kit = kit();
    let server = kit.server("backend");
    let client = client(&kit, pinned(&kit, "backend"), "backend");
    // Another call keeps the old pin set busy all the while.
    let busy = {
        let client = client.clone();
        thread::spawn(move || client.get(&url("/hang")))
    };
    let asked = |events: &[Event]| events.iter().any(|e| matches!(e, Event::Request { .. }));
    server.wait_for(asked, PATIENCE).expect("the request");
    client.get(&url("/")).expect("pinned");
    client.replace_pins(pinned(&kit, "rotated")).expect("open");
    // Closed at once, not when it is wanted next.
    wait_closed(server, 1);
    assert_eq!(client.get(&url("/")).expect_err("the pin is gone").code(), "pin_mismatch");
    assert_eq!(requests(server), 2);
    client.close();
    busy.join().expect("no panic").expect_err("closed");
}

#[test]
fn a_connection_in_use_during_a_swap_is_not_used_again() {
    let kit = kit();
    let server = kit.server("backend");
    let client = client(&kit, pinned(&kit, "backend"), "backend");
    let slow = {
        let client = client.clone();
        thread::spawn(move || client.get(&url("/hang-body")))
    };
    let asked = |events: &[Event]| events.iter().any(|e| matches!(e, Event::Request { .. }));
    server.wait_for(asked, PATIENCE).expect("the request");
    client.replace_pins(pinned(&kit, "rotated")).expect("open");
    assert_eq!(client.get(&url("/")).expect_err("the pin is gone").code(), "pin_mismatch");
    // It ends under its own pin set, here by the server's hand.
    server.drop_connections();
    let error = slow.join().expect("no panic").expect_err("cut");
    assert!(matches!(error, Error::Truncated { .. }), "{error}");
}

#[test]
fn a_connection_that_finishes_after_a_swap_is_not_returned_to_the_pool() {
    let kit = kit();
    let server = kit.server("backend");
    let client = client(&kit, pinned(&kit, "backend"), "backend");
    let busy = {
        let client = client.clone();
        thread::spawn(move || {
            for _ in 0..200 {
                match client.get(&url("/bytes/100")) {
                    Ok(_) => {}
                    Err(e) => return e,
                }
            }
            panic!("never refused")
        })
    };
    let asked = |events: &[Event]| {
        events.iter().filter(|e| matches!(e, Event::Request { .. })).count() > 10
    };
    server.wait_for(asked, PATIENCE).expect("requests");
    client.replace_pins(pinned(&kit, "rotated")).expect("open");
    let error = busy.join().expect("no panic");
    assert_eq!(error.code(), "pin_mismatch");
    let before = requests(server);
    client.get(&url("/")).expect_err("still");
    assert_eq!(requests(server), before);
}

#[test]
fn a_rotated_server_is_accepted_by_the_pin_set_that_knows_it() {
    let kit = kit();
    let server = kit.server("backend");
    let client = client(&kit, pinned(&kit, "backend"), "backend");
    client.get(&url("/until-close/5")).expect("pinned");
    server.present("rotated");
    // The old ticket resumes a session with the old key, which the old pin set still allows.
    client.replace_pins(pinned(&kit, "rotated")).expect("open");
    client.get(&url("/")).expect("the new pin");
    assert_eq!(handshakes(server), [false, false]);
}

#[test]
fn cancelling_ends_a_call_at_every_stage() {
    for (server, path) in [
        ("backend", "/hang"),
        ("backend", "/hang-body"),
        ("backend", "/slow"),
        ("backend", "/endless"),
        ("hang_on_accept", "/"),
    ] {
        let kit = kit();
        let client = client(&kit, pinned(&kit, "backend"), server);
        let cancel = CancelToken::new();
        let (done, result) = channel();
        let worker = {
            let (client, cancel) = (client.clone(), cancel.clone());
            let request = Request::new(Method::Get, &url(path)).expect("a good URL");
            thread::spawn(move || done.send(client.send_cancellable(&request, &cancel)))
        };
        let begun = |events: &[Event]| {
            events.iter().any(|e| match server {
                "backend" => matches!(e, Event::Request { .. }),
                _ => matches!(e, Event::Accepted { .. }),
            })
        };
        kit.server(server).wait_for(begun, PATIENCE).expect("the request");
        cancel.cancel();
        let ended = result.recv_timeout(Duration::from_secs(5)).expect("at once");
        assert_eq!(ended.expect_err("cancelled"), Error::Cancelled, "{server} {path}");
        worker.join().expect("no panic").expect("received");
        // The server sees it too.
        wait_closed(kit.server(server), 1);
    }
}

#[test]
fn a_cancelled_token_prevents_the_call() {
    let kit = kit();
    let client = client(&kit, pinned(&kit, "backend"), "backend");
    let cancel = CancelToken::new();
    cancel.cancel();
    let request = Request::new(Method::Get, &url("/")).expect("a good URL");
    assert_eq!(
        client.send_cancellable(&request, &cancel).expect_err("cancelled"),
        Error::Cancelled
    );
    assert_eq!(connections(kit.server("backend")), 0);
}

#[test]
fn cancelling_a_finished_call_leaves_its_connection_alone() {
    let kit = kit();
    let client = client(&kit, pinned(&kit, "backend"), "backend");
    let cancel = CancelToken::new();
    let request = Request::new(Method::Get, &url("/")).expect("a good URL");
    client.send_cancellable(&request, &cancel).expect("pinned");
    cancel.cancel();
    client.get(&url("/")).expect("the same connection");
    assert_eq!(connections(kit.server("backend")), 1);
}

#[test]
fn closing_ends_calls_in_flight_and_refuses_later_ones() {
    let kit = kit();
    let server = kit.server("backend");
    let client = client(&kit, pinned(&kit, "backend"), "backend");
    client.get(&url("/")).expect("pinned");
    let hanging = {
        let client = client.clone();
        thread::spawn(move || client.get(&url("/hang")))
    };
    let asked = |events: &[Event]| {
        events.iter().filter(|e| matches!(e, Event::Request { .. })).count() == 2
    };
    server.wait_for(asked, PATIENCE).expect("the request");
    client.close();
    client.close();
    assert_eq!(hanging.join().expect("no panic").expect_err("closed"), Error::ClientClosed);
    assert_eq!(client.get(&url("/")).expect_err("closed"), Error::ClientClosed);
    assert_eq!(
        client.replace_pins(pinned(&kit, "backend")).expect_err("closed"),
        Error::ClientClosed
    );
    wait_closed(server, 1);
}

#[test]
fn idle_connections_are_closed_on_request_and_the_pin_set_goes_on() {
    let kit = kit();
    let server = kit.server("backend");
    let client = client(&kit, pinned(&kit, "backend"), "backend");
    client.get(&url("/")).expect("pinned");
    client.close_idle_connections();
    // At once, not when it is wanted next.
    wait_closed(server, 1);
    // A POST, which would not be sent again: the dead connection is not even tried.
    for _ in 0..2 {
        let post = Request::new(Method::Post, &url("/")).expect("a good URL");
        client.send(&post).expect("a connection of its own");
    }
    assert_eq!(handshakes(server), [false, true]);
}

/// It may belong to the network that is gone.
#[test]
fn a_connection_in_use_while_idle_ones_are_closed_goes_on_and_is_not_used_again() {
    let kit = kit();
    let server = kit.server("backend");
    let client = client(&kit, pinned(&kit, "backend"), "backend");
    let large = {
        let client = client.clone();
        thread::spawn(move || client.get(&url("/bytes/15000000")))
    };
    let asked = |events: &[Event]| events.iter().any(|e| matches!(e, Event::Request { .. }));
    server.wait_for(asked, PATIENCE).expect("the request");
    client.close_idle_connections();
    let response = large.join().expect("no panic").expect("the whole answer");
    assert_eq!(response.body().len(), 15_000_000);
    wait_closed(server, 1);
    client.get(&url("/")).expect("pinned");
    client.get(&url("/")).expect("pinned");
    assert_eq!(connections(server), 2);
}

#[test]
fn many_threads_share_a_client() {
    let kit = kit();
    let client = client(&kit, pinned(&kit, "backend"), "backend");
    thread::scope(|scope| {
        for i in 0..16 {
            let client = &client;
            scope.spawn(move || {
                for j in 0..10 {
                    let n = 1_000 * i + j;
                    let response = client.get(&url(&format!("/bytes/{n}"))).expect("pinned");
                    assert_eq!(response.body().len(), n);
                }
            });
        }
    });
    assert!(connections(kit.server("backend")) <= 160);
}
