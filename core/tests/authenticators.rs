//! Tokens: asked for once, and each refused request once more.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use common::*;
use pinfold_core::client::{Authenticator, BodyWriter, Refused};
use pinfold_core::{CancelToken, Client, ClientBuilder, Error, Method, Request, Response};
use pinfold_testkit::{Event, Testkit};

type Answer = Result<Option<String>, String>;

/// Gives `Bearer 1`, `Bearer 2`…, or what `answer` makes of the number.
struct Counts<F> {
    asked: AtomicUsize,
    answer: F,
}

impl<F> Authenticator for Counts<F>
where
    F: Fn(usize, Option<&Refused>, &Client) -> Answer + Send + Sync,
{
    fn authorize(&self, refused: Option<&Refused>, client: &Client) -> Answer {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        (self.answer)(number, refused, client)
    }
}

fn asks<F>(answer: F) -> Arc<Counts<F>>
where
    F: Fn(usize, Option<&Refused>, &Client) -> Answer + Send + Sync + 'static,
{
    Arc::new(Counts { asked: AtomicUsize::new(0), answer })
}

type Hook = dyn Fn(usize, Option<&Refused>, &Client) -> Answer + Send + Sync;

fn counts<F>(answer: F) -> Arc<Counts<Box<Hook>>>
where
    F: Fn(usize, Option<&Refused>) -> Answer + Send + Sync + 'static,
{
    asks(Box::new(move |number, refused: Option<&Refused>, _: &Client| answer(number, refused)))
}

fn bearer(number: usize) -> Answer {
    Ok(Some(format!("Bearer {number}")))
}

fn setup(kit: &Testkit, hook: Arc<dyn Authenticator>) -> ClientBuilder {
    builder(kit, pinned(kit, "backend"), "backend").base_url(url("/")).authenticator(hook)
}

fn client(kit: &Testkit, hook: Arc<dyn Authenticator>) -> Client {
    setup(kit, hook).build().expect("good settings")
}

fn authorization(response: &Response) -> String {
    let echo: serde_json::Value = response.json().expect("JSON");
    let headers = echo["headers"].as_array().expect("headers").iter();
    let mut named = headers.filter(|it| it[0] == "authorization");
    named.next().map(|it| it[1].as_str().expect("text").to_owned()).unwrap_or_default()
}

fn connection(response: &Response) -> u64 {
    let echo: serde_json::Value = response.json().expect("JSON");
    echo["connection"].as_u64().expect("a number")
}

#[test]
fn many_calls_that_are_refused_at_once_ask_once_and_are_each_sent_once_more() {
    let kit = Arc::new(kit());
    let many = 24;
    let hook = counts({
        let kit = kit.clone();
        move |number, refused| {
            // Until all have been refused, and wait.
            let all = |events: &[Event]| {
                let is_it =
                    |it: &&Event| matches!(it, Event::Request { path, .. } if path == "/guarded/2");
                events.iter().filter(is_it).count() >= many
            };
            let backend = kit.server("backend");
            assert!(refused.is_none() || backend.wait_for(all, PATIENCE).is_some());
            bearer(number)
        }
    });
    let client = client(&kit, hook.clone());
    assert_eq!(client.get("guarded/1").expect("the first token").status(), 200);
    kit.server("backend").clear();
    let together = Barrier::new(many);
    thread::scope(|scope| {
        for _ in 0..many {
            scope.spawn(|| {
                together.wait();
                let response = client.get("guarded/2").expect("answered");
                assert_eq!(authorization(&response), "Bearer 2");
            });
        }
    });
    assert_eq!(hook.asked.load(Ordering::SeqCst), 2, "one for the first, one for all of these");
    assert_eq!(requests(kit.server("backend")), 2 * many);
}

#[test]
fn what_was_refused_is_told_and_the_same_again_is_not_sent_again() {
    let kit = kit();
    let told = Arc::new(Mutex::new(Vec::new()));
    let hook = counts({
        let told = told.clone();
        move |_, refused| {
            let refused = refused.map(|it| (it.authorization.clone(), it.challenges.clone()));
            told.lock().expect("no panic").push(refused);
            bearer(1)
        }
    });
    let client = client(&kit, hook);
    assert_eq!(client.get("guarded/2").expect("answered").status(), 401);
    assert_eq!(requests(kit.server("backend")), 1);
    let challenge = r#"Bearer realm="testkit""#.to_owned();
    let expected = vec![None, Some(("Bearer 1".to_owned(), vec![challenge]))];
    assert_eq!(*told.lock().expect("no panic"), expected);
    // Another token that is refused, too, is the end of it.
    let restless = counts(|number, _| bearer(number + 10));
    let client = self::client(&kit, restless.clone());
    kit.server("backend").clear();
    let response = client.get("guarded/2").expect("answered");
    assert_eq!((response.status(), response.text().as_ref()), (401, "who are you?"));
    assert_eq!(requests(kit.server("backend")), 2);
    assert_eq!(restless.asked.load(Ordering::SeqCst), 2);
}

#[test]
fn tokens_go_to_the_base_alone_and_a_request_s_own_counts() {
    let kit = kit();
    let hook = counts(|number, _| bearer(number));
    let other = "other.example.test";
    let pins = set(vec![pinfold_core::pin::HostSpec {
        host: "example.test".into(),
        include_subdomains: true,
        ..host(pins_at(&kit, "backend", pinfold_core::pin::PinAt::Any))
    }]);
    let client = builder(&kit, pins.clone(), "backend")
        .connect_to(other, 443, kit.server("backend_root").addr())
        .base_url(url("/"))
        .authenticator(hook.clone())
        .build()
        .expect("good settings");
    let there = format!("https://{other}/echo");
    assert_eq!(authorization(&client.get(&there).expect("pinned")), "");
    let own = Request::new(Method::Get, &url("/guarded/9")).expect("good");
    let own = own.header("Authorization", "Bearer own").expect("good");
    assert_eq!(client.send(&own).expect("answered").status(), 401);
    assert_eq!(hook.asked.load(Ordering::SeqCst), 0, "nobody needs one");
    assert_eq!(authorization(&client.get("echo").expect("pinned")), "Bearer 1");
    assert_eq!(authorization(&client.get(&format!("redirect?to={there}")).expect("led")), "");
    // A session has its own or none, and without a server nobody has one.
    let session = client.session().build().expect("a session");
    assert_eq!(authorization(&session.get("echo").expect("pinned")), "");
    let alice = client.session().authenticator(counts(|_, _| Ok(Some("Bearer a".into()))));
    let alice = alice.build().expect("a session");
    assert_eq!(authorization(&alice.get("echo").expect("pinned")), "Bearer a");
    let nowhere = builder(&kit, pins, "backend").authenticator(hook);
    assert_eq!(nowhere.build().expect_err("whose").place(), Some("authenticator"));
}

#[test]
fn one_that_fails_or_panics_fails_those_who_wait_and_is_asked_again() {
    let kit = kit();
    let hook = counts(|number, _| match number {
        1 => Err("no network for it".into()),
        2 => panic!("in the app's code"),
        3 => Ok(Some("Bearer\r\nX-Injected: s3cret".into())),
        4 => Ok(Some("s3crét".into())),
        5 => Ok(None),
        number => bearer(number),
    });
    let client = client(&kit, hook.clone());
    for _ in 1..=4 {
        let error = client.get("echo").expect_err("no token");
        assert_eq!((error.code(), error.place()), ("io_failed", Some("authenticator")));
        assert!(!error.to_string().contains("s3cr"), "{error}");
    }
    assert_eq!(requests(kit.server("backend")), 0);
    assert_eq!(authorization(&client.get("echo").expect("without one")), "");
    assert_eq!(authorization(&client.get("echo").expect("pinned")), "Bearer 6");
}

#[test]
fn one_that_hangs_holds_nobody_beyond_deadline_and_cancellation() {
    let kit = kit();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Mutex::new(held);
    let hook = counts(move |number, _| {
        let _released = held.lock().map(|held| held.recv());
        bearer(number)
    });
    let client = client(&kit, hook.clone());
    let request = || client.request(Method::Get, "echo").expect("good");
    let short = request().timeout(Duration::from_millis(50)).expect("in range");
    assert_eq!(client.send(&short).expect_err("no token").code(), "timeout_total");
    let cancel = CancelToken::new();
    thread::scope(|scope| {
        let waits = scope.spawn(|| client.send_cancellable(&request(), &cancel));
        cancel.cancel();
        assert_eq!(waits.join().expect("no panic").expect_err("cancelled"), Error::Cancelled);
    });
    // What it says in the end counts for those who come then.
    release.send(()).expect("it waits");
    assert_eq!(authorization(&client.get("echo").expect("pinned")), "Bearer 1");
    assert_eq!(hook.asked.load(Ordering::SeqCst), 1);
}

#[test]
fn it_may_ask_with_the_client_itself_however_many_calls_wait() {
    let kit = kit();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let hook = || {
        let kept = kept.clone();
        asks(move |number, _: Option<&Refused>, client: &Client| {
            kept.lock().expect("no panic").push(client.clone());
            let answer = client.get("echo").map_err(|e| e.code().to_owned())?;
            // Not with the token that it is asked for.
            assert_eq!(authorization(&answer), "");
            bearer(number)
        })
    };
    // One place: whoever waits for a token must not hold it.
    let client = setup(&kit, hook()).max_requests(1).build().expect("good settings");
    let session = client.session().authenticator(hook()).build().expect("a session");
    for who in [&client, &session] {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(who.get("guarded/2").expect("answered").status(), 200));
            }
        });
    }
    // What it was given is of the session, and ends nothing when it goes.
    let before = connection(&session.get("echo").expect("pinned"));
    kept.lock().expect("no panic").clear();
    assert_eq!(connection(&session.get("echo").expect("pinned")), before);
}

#[test]
fn a_body_that_cannot_begin_again_is_not_sent_again_with_another_token() {
    let kit = kit();
    let hook = counts(|number, _| bearer(number));
    let client = client(&kit, hook.clone());
    let post = || client.request(Method::Post, "guarded/2").expect("good");
    let (mut writer, written) = BodyWriter::pair();
    let once = post().body_written(written, Some(3)).expect("takes one");
    let writes = thread::spawn(move || writer.write(b"pay", &CancelToken::new()));
    assert_eq!(client.send(&once).expect("answered").status(), 401);
    drop(writes.join().expect("no panic"));
    assert_eq!(requests(kit.server("backend")), 1);
    // One that can is: a 401 says that nothing has been done (RFC 9110 §15.5.2).
    let again = post().body(b"pay".to_vec()).expect("takes one");
    assert_eq!(client.send(&again).expect("answered").status(), 200);
    assert_eq!(requests(kit.server("backend")), 3);
}
