//! Rust's clients under load, one measurement a line of standard input.
//!
//! `CLIENT⇥CASE⇥IN FLIGHT⇥COUNT` is answered by `WALL⇥CPU`, in microseconds for all COUNT requests;
//! CPU is that of this process, on all its threads. The processes of the other languages, and those
//! of other builds, take the same orders: `scripts/load.py` lets them take turns.

mod peers;
mod place;
mod raw;

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Instant;

use pinfold_core::{Client, PinSet, Roots};
use rustix::time::{ClockId, clock_gettime};

use place::{HOST, Place};
use raw::Raw;

/// One caller's way of sending requests: sends one, and says how long the body is.
type Caller = Box<dyn FnMut() -> usize + Send>;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Case {
    /// 1 KB on an open connection.
    Small,
    /// 10 MB on an open connection.
    Large,
    /// 1 KB with a client that knows nothing: a full handshake.
    Full,
    /// 1 KB on a new connection that resumes a TLS session: the server closes after each response.
    Resumed,
}

impl Case {
    fn parse(name: &str) -> Self {
        match name {
            "small" => Self::Small,
            "large" => Self::Large,
            "full" => Self::Full,
            "resumed" => Self::Resumed,
            _ => panic!("no such case: {name}"),
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Small | Self::Full => "/1k",
            Self::Large => "/10m",
            Self::Resumed => "/close/1k",
        }
    }

    fn length(self) -> usize {
        if self == Self::Large { 10 << 20 } else { 1 << 10 }
    }
}

fn main() {
    let mut load = Load::new();
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("text");
        let fields: Vec<&str> = line.split('\t').collect();
        let [client, case, in_flight, count] = fields[..] else { panic!("no order: {line}") };
        let number = |text: &str| text.parse().expect("a number");
        let (wall, cpu) =
            load.run(client, Case::parse(case), number(in_flight), number(count) as i64);
        writeln!(output, "{wall:.1}\t{cpu:.1}").expect("somebody reads");
        output.flush().expect("somebody reads");
    }
}

impl Place {
    fn url(&self, path: &str) -> String {
        format!("https://{HOST}:{}{path}", self.address.port())
    }

    /// A client that knows nothing yet.
    fn pinned(&self) -> Client {
        Client::builder(PinSet::parse(&self.pins).expect("a pin set"))
            .roots(Roots::Only(vec![self.root.clone()]))
            .connect_to(HOST, self.address.port(), self.address)
            .build()
            .expect("good settings")
    }
}

struct Load {
    place: Arc<Place>,
    client: Client,
    raw: Arc<Raw>,
    /// Callers with their connections, for the next measurement of the same kind.
    idle: HashMap<(String, Case), Vec<Caller>>,
}

impl Load {
    fn new() -> Self {
        let place = Arc::new(Place::new());
        let (client, raw) = (place.pinned(), Arc::new(Raw::new(place.clone())));
        Self { place, client, raw, idle: HashMap::new() }
    }

    /// Sends `count` requests, `in_flight` at a time; how long it took, and how much of a processor,
    /// in microseconds.
    fn run(&mut self, client: &str, case: Case, in_flight: usize, count: i64) -> (f64, f64) {
        let mut callers = self.idle.remove(&(client.to_owned(), case)).unwrap_or_default();
        while callers.len() < in_flight {
            callers.push(self.caller(client, case));
        }
        let left = AtomicI64::new(count);
        let (begun, used) = (Instant::now(), cpu());
        thread::scope(|scope| {
            for caller in callers.iter_mut().take(in_flight) {
                let left = &left;
                scope.spawn(move || {
                    while left.fetch_sub(1, Ordering::Relaxed) > 0 {
                        assert_eq!(caller(), case.length());
                    }
                });
            }
        });
        let figures = (begun.elapsed().as_secs_f64() * 1e6, cpu() - used);
        self.idle.insert((client.to_owned(), case), callers);
        figures
    }

    fn caller(&self, client: &str, case: Case) -> Caller {
        let place = self.place.clone();
        match (client, case) {
            ("pinfold", Case::Full) => Box::new(move || get(&place.pinned(), &place, case)),
            ("pinfold", _) => {
                let client = self.client.clone();
                Box::new(move || get(&client, &place, case))
            }
            ("raw", Case::Full) => {
                Box::new(move || Raw::new(place.clone()).connect().get(case.path()))
            }
            ("raw", Case::Resumed) => {
                let raw = self.raw.clone();
                Box::new(move || raw.connect().get(case.path()))
            }
            ("raw", _) => {
                let mut connection = self.raw.connect();
                Box::new(move || connection.get(case.path()))
            }
            ("reqwest", _) => peers::reqwest(place, case.path(), case == Case::Full),
            ("libcurl", _) => peers::libcurl(place, case.path(), case == Case::Full),
            _ => panic!("no such client: {client}"),
        }
    }
}

fn get(client: &Client, place: &Place, case: Case) -> usize {
    let response = client.get(&place.url(case.path())).expect("pinned");
    assert_eq!(response.status(), 200);
    response.body().len()
}

/// What this process has used of a processor, in microseconds.
fn cpu() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 * 1e6 + used.tv_nsec as f64 / 1e3
}
