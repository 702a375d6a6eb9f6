//! A link that loses, delays and reorders, and one that is cut: in a network namespace of the test's
//! own, by the kernel's netem where it has that.
#![cfg(target_os = "linux")]

mod common;

use std::env;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use pinfold_core::client::Retries;
use pinfold_core::{Client, Error, Method, Request, Response};
use pinfold_testkit::{Event, Testkit};

/// Set in the process inside.
const INSIDE: &str = "PINFOLD_INSIDE_NAMESPACE";
const NAME: &str = "on_a_bad_link_no_call_outlives_its_deadline_and_none_is_doubled";
const NAMESPACE: [&str; 4] = ["--user", "--map-root-user", "--net", "--"];
const TOTAL: Duration = Duration::from_secs(3);
/// What a busy machine may take beyond a deadline.
const SLACK: Duration = Duration::from_secs(2);

#[test]
fn on_a_bad_link_no_call_outlives_its_deadline_and_none_is_doubled() {
    if env::var_os(INSIDE).is_some() {
        return inside();
    }
    let mut allowed = Command::new("unshare");
    allowed.args(NAMESPACE).args(["ip", "link", "set", "lo", "up"]).stderr(Stdio::null());
    if !allowed.status().is_ok_and(|status| status.success()) {
        println!("no network namespace here (unshare and iproute2): the link is not tried");
        return;
    }
    let me = env::current_exe().expect("a test binary");
    let mut tests = Command::new("unshare");
    tests.args(NAMESPACE).arg(me).args(["--exact", NAME, "--nocapture"]).env(INSIDE, "1");
    assert!(tests.status().expect("it ran before").success());
}

fn inside() {
    run("ip link set lo up").expect("it was allowed");
    let kit = kit();
    let client = builder(&kit, pinned(&kit, "backend"), "backend")
        .retries(Retries::new(2).first_wait(Duration::from_millis(10)))
        .timeout(TOTAL)
        .build()
        .expect("good settings");
    let calls = || Calls { kit: &kit, client: &client };
    match run("tc qdisc add dev lo root netem loss 5% delay 5ms 3ms reorder 25% 50%") {
        Ok(()) => {
            calls().all("bad");
            run("tc qdisc del dev lo root").expect("it is there");
        }
        Err(reason) => println!("no netem here ({reason}): the link is only cut"),
    }
    calls().all("good");
    calls().cut();
}

struct Calls<'a> {
    kit: &'a Testkit,
    client: &'a Client,
}

impl Calls<'_> {
    /// Many calls one after the other; each ends in time, and what cannot be repeated is not.
    fn all(&self, link: &str) {
        let mut answered = 0;
        for i in 0..40 {
            let path = format!("/echo?{link}={i}");
            for method in [Method::Post, Method::Get] {
                let done = self.send(method, &path).is_ok();
                answered += usize::from(done);
                let seen = self.seen(method, &path);
                assert!(seen >= usize::from(done), "{method} {path}");
                assert!(method.is_idempotent() || seen <= 1, "{method} {path}: {seen} times");
            }
        }
        assert!(answered >= 60, "{answered} of 80 on a {link} link");
    }

    fn cut(&self) {
        self.send(Method::Get, "/").expect("a connection that will be idle");
        run("ip link set lo down").expect("allowed");
        // It is written to a connection that seems fine, and nothing comes.
        let lost = self.send(Method::Post, "/echo?cut").expect_err("nobody can hear it");
        assert!(lost.code().starts_with("timeout_") || lost.code() == "connection_lost", "{lost}");
        let unreached = self.send(Method::Get, "/echo?cut").expect_err("nobody is there");
        assert_ne!(unreached.code(), "internal");
        run("ip link set lo up").expect("allowed");
        self.send(Method::Get, "/echo?back").expect("the link is there again");
        // What TCP has brought after all, it has brought once.
        assert!(self.seen(Method::Post, "/echo?cut") <= 1);
    }

    /// Sends it, and checks that it ends in time.
    fn send(&self, method: Method, path: &str) -> Result<Response, Error> {
        let request = Request::new(method, &url(path)).expect("a good URL");
        let begun = Instant::now();
        let result = self.client.send(&request);
        let taken = begun.elapsed();
        assert!(taken < TOTAL + SLACK, "{method} {path} took {taken:?}: {result:?}");
        result
    }

    /// How often the server has seen it.
    fn seen(&self, method: Method, target: &str) -> usize {
        let is_it = |event: &&Event| match event {
            Event::Request { method: seen, path, .. } => seen == method.as_str() && path == target,
            _ => false,
        };
        self.kit.server("backend").events().iter().filter(is_it).count()
    }
}

/// Runs a command of iproute2; why it failed.
fn run(command: &str) -> Result<(), String> {
    let mut words = command.split(' ');
    let output = Command::new(words.next().unwrap_or_default()).args(words).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(e) => Err(e.to_string()),
    }
}
