//! Waiting for a request's turn without a thread.

mod common;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use common::*;
use pinfold_core::client::{Queued, Turn};
use pinfold_core::{CancelToken, Client, Error, Method, Request};
use pinfold_testkit::{Event, Testkit};

/// Wakes a thread, and counts.
struct Woken(Thread, AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.unpark();
    }
}

fn waker() -> (Arc<Woken>, Waker) {
    let woken = Arc::new(Woken(thread::current(), AtomicUsize::new(0)));
    (woken.clone(), woken.into())
}

fn poll(queued: &mut Queued, waker: &Waker) -> Poll<Result<Turn, Error>> {
    Pin::new(queued).poll(&mut Context::from_waker(waker))
}

/// Polls until it is ready, only when it was woken.
fn wait(mut queued: Queued) -> Result<Turn, Error> {
    let (woken, waker) = waker();
    let mut seen = 0;
    loop {
        if let Poll::Ready(result) = poll(&mut queued, &waker) {
            return result;
        }
        while woken.1.load(Ordering::SeqCst) == seen {
            thread::park();
        }
        seen = woken.1.load(Ordering::SeqCst);
    }
}

fn get(path: &str) -> Request {
    Request::new(Method::Get, &url(path)).expect("a good URL")
}

/// A client that sends one request at a time.
fn one_at_a_time(kit: &Testkit) -> Client {
    let builder = builder(kit, pinned(kit, "backend"), "backend").max_requests_per_host(1);
    builder.build().expect("good settings")
}

fn requests(kit: &Testkit) -> usize {
    let events = kit.server("backend").events();
    events.iter().filter(|e| matches!(e, Event::Request { .. })).count()
}

#[test]
fn each_is_woken_for_its_turn_in_the_order_in_which_they_came() {
    let kit = kit();
    let client = one_at_a_time(&kit);
    let (woken, waker) = waker();
    let mut queued = [(); 3].map(|()| client.turn(get("/"), &CancelToken::new()));
    let Poll::Ready(Ok(first)) = poll(&mut queued[0], &waker) else { panic!("nobody else") };
    assert!(poll(&mut queued[1], &waker).is_pending() && poll(&mut queued[2], &waker).is_pending());
    assert_eq!(woken.1.load(Ordering::SeqCst), 0);
    assert_eq!(first.send().expect("its turn").text(), "ok");
    assert_eq!(woken.1.load(Ordering::SeqCst), 1);
    assert!(poll(&mut queued[2], &waker).is_pending(), "out of turn");
    let Poll::Ready(Ok(second)) = poll(&mut queued[1], &waker) else { panic!("its turn") };
    // One that is not sent gives its place to the next, too.
    drop(second);
    let Poll::Ready(Ok(third)) = poll(&mut queued[2], &waker) else { panic!("its turn") };
    assert_eq!(third.stream().expect("its turn").status(), 200);
    assert_eq!(requests(&kit), 2);
    assert_eq!(client.get(&url("/")).expect("nobody else").text(), "ok");
}

#[test]
fn who_is_dropped_leaves_the_queue_and_the_place_it_was_given() {
    let kit = kit();
    let client = one_at_a_time(&kit);
    let (_, waker) = waker();
    let mut queued = [(); 4].map(|()| Some(client.turn(get("/"), &CancelToken::new())));
    let polled = |i: usize, queued: &mut [Option<Queued>; 4]| {
        poll(queued[i].as_mut().expect("not dropped"), &waker)
    };
    let Poll::Ready(Ok(first)) = polled(0, &mut queued) else { panic!("nobody else") };
    assert!((1..4).all(|i| polled(i, &mut queued).is_pending()));
    queued[1] = None;
    drop(first);
    // The next one has a place by now, and nobody has told it so.
    queued[2] = None;
    let Poll::Ready(Ok(last)) = polled(3, &mut queued) else { panic!("its turn") };
    assert_eq!(last.send().expect("its turn").text(), "ok");
}

#[test]
fn a_timeout_a_cancellation_and_the_end_of_the_client_each_end_the_wait() {
    let kit = kit();
    let client = one_at_a_time(&kit);
    let (_, waker) = waker();
    let Poll::Ready(Ok(held)) = poll(&mut client.turn(get("/"), &CancelToken::new()), &waker)
    else {
        panic!("nobody else")
    };

    let short = get("/").timeout(Duration::from_millis(50)).expect("in range");
    let error = wait(client.turn(short, &CancelToken::new())).expect_err("somebody else");
    assert_eq!(error.code(), "timeout_total");

    let cancel = CancelToken::new();
    let ended = thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(client.turn(get("/"), &cancel)).map(drop));
        cancel.cancel();
        waiting.join().expect("no panic")
    });
    assert_eq!(ended, Err(Error::Cancelled));

    let ended = thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(client.turn(get("/"), &CancelToken::new())).map(drop));
        client.close();
        waiting.join().expect("no panic")
    });
    assert_eq!(ended, Err(Error::ClientClosed));
    assert_eq!(held.send().expect_err("closed").code(), "client_closed");
    assert_eq!(requests(&kit), 0);
}
