//! What the tests of the client share: pin sets and clients against the testkit.
#![allow(dead_code, unreachable_pub)] // each test file uses its part

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pinfold_core::pin::{HostSpec, Mode, PinAt, PinSetSpec, PinSpec, PinState, Trust};
use pinfold_core::{Client, ClientBuilder, Clock, Error, PinSet, Roots, SystemClock};
use pinfold_testkit::{Event, Server, Testkit};

pub const HOST: &str = "api.example.test";
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A testkit of the test's own: its events are this test's alone.
pub fn kit() -> Testkit {
    Testkit::start().expect("loopback")
}

/// Two pins at the given place: the one named and a spare.
pub fn pins_at(kit: &Testkit, name: &str, at: PinAt) -> Vec<PinSpec> {
    let pin = |name: &str, state| PinSpec {
        sha256: Some(digest(&kit.pki().pin(name))),
        at,
        state,
        ..PinSpec::default()
    };
    vec![pin(name, PinState::Active), pin("backup", PinState::Backup)]
}

/// The base64 of a pin's text.
pub fn digest(pin: &str) -> String {
    pin.strip_prefix("sha256/").expect("a pin's text").to_owned()
}

pub fn host(pins: Vec<PinSpec>) -> HostSpec {
    HostSpec { host: HOST.into(), pins, ..HostSpec::default() }
}

pub fn set(hosts: Vec<HostSpec>) -> PinSet {
    let spec = PinSetSpec { schema: 1, version: Some(7), hosts, ..PinSetSpec::default() };
    PinSet::new(spec).expect("a good pin set")
}

/// A pin set for [`HOST`] that enforces `name`'s pin wherever it may be.
pub fn pinned(kit: &Testkit, name: &str) -> PinSet {
    set(vec![host(pins_at(kit, name, PinAt::Any))])
}

/// The pin set of a host that a pin of `name` at `at` satisfies.
pub fn pinned_at(kit: &Testkit, name: &str, at: PinAt) -> PinSet {
    set(vec![host(pins_at(kit, name, at))])
}

/// A policy that says more than its pins.
pub fn policy(kit: &Testkit, name: &str, at: PinAt, mode: Mode, trust: Trust) -> HostSpec {
    let anchors = match trust {
        Trust::PrivateCa => vec![base64(kit.pki().certificate("private_root"))],
        _ => Vec::new(),
    };
    HostSpec { mode: Some(mode), trust: Some(trust), anchors, ..host(pins_at(kit, name, at)) }
}

pub fn base64(der: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(der)
}

/// Settings that trust what the testkit's "system" trusts and reach `server` under [`HOST`].
pub fn builder(kit: &Testkit, pins: PinSet, server: &str) -> ClientBuilder {
    let roots = ["root", "other_root"].map(|name| kit.pki().certificate(name).to_vec());
    Client::builder(pins)
        .roots(Roots::Only(roots.into()))
        .connect_to(HOST, 443, kit.server(server).addr())
        .timeout(Duration::from_secs(20))
}

pub fn client(kit: &Testkit, pins: PinSet, server: &str) -> Client {
    builder(kit, pins, server).build().expect("good settings")
}

pub fn url(path: &str) -> String {
    format!("https://{HOST}{path}")
}

/// A clock that is set by hand, beginning with the device's own time.
#[derive(Debug)]
pub struct Hands(Mutex<(u64, Duration)>);

impl Hands {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new((SystemClock.wall(), Duration::from_secs(86_400)))))
    }

    /// The device sleeps: the time since boot goes on, and so does the date.
    pub fn pass(&self, time: Duration) {
        let mut now = self.0.lock().expect("no panic");
        *now = (now.0 + time.as_secs(), now.1 + time);
    }

    /// The date alone is set.
    pub fn set_wall(&self, wall: u64) {
        self.0.lock().expect("no panic").0 = wall;
    }
}

impl Clock for Hands {
    fn wall(&self) -> u64 {
        self.0.lock().expect("no panic").0
    }

    fn boot(&self) -> Duration {
        self.0.lock().expect("no panic").1
    }
}

/// What a request to `server` under `pins` ends with.
pub fn get(kit: &Testkit, pins: PinSet, server: &str) -> Result<pinfold_core::Response, Error> {
    client(kit, pins, server).get(&url("/"))
}

pub fn requests(server: &Server) -> usize {
    server.events().iter().filter(|e| matches!(e, Event::Request { .. })).count()
}

pub fn connections(server: &Server) -> usize {
    server.events().iter().filter(|e| matches!(e, Event::Accepted { .. })).count()
}

/// Waits until the server is done with `n` connections; its events.
pub fn wait_closed(server: &Server, n: usize) -> Vec<Event> {
    let closed =
        |events: &[Event]| events.iter().filter(|e| matches!(e, Event::Closed { .. })).count() >= n;
    server.wait_for(closed, PATIENCE).unwrap_or_else(|| panic!("{:?}", server.events()))
}
