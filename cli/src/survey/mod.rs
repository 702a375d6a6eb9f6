//! What the servers of a pin set present, and what its clients would think of them.

mod handshake;
mod seen;
mod server;
mod sights;

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use pinfold_core::pin::{HostName, HostPolicy};
use pinfold_core::{Client, PinSet, Roots};

pub(crate) use handshake::{chain, host};
pub(crate) use seen::{Difference, Seen};
pub(crate) use server::{Answer, Server};

use crate::failure::Failure;
use crate::terminal;

/// A server to be asked: host, port, and the address in place of what the name resolves to.
pub(crate) type Named = (String, u16, SocketAddr);

/// An entry, and the servers that were asked about it.
pub(crate) struct Entry<'a> {
    pub(crate) index: usize,
    pub(crate) policy: &'a HostPolicy,
    pub(crate) servers: Vec<Server>,
}

/// How servers are asked.
pub(crate) struct Manner<'a> {
    /// The servers of entries whose host is not their server, or not at port 443.
    pub(crate) named: &'a [Named],
    /// The authorities behind `system_and_pin`.
    pub(crate) roots: Roots,
    /// In seconds since 1970.
    pub(crate) at: u64,
    /// How many are asked at once.
    pub(crate) jobs: usize,
}

/// A question: which entry, and whom to ask about it.
struct Question {
    entry: usize,
    host: HostName,
    port: u16,
    address: Option<SocketAddr>,
}

/// Asks the servers of every entry that is `wanted`: those that are named, else the entry's host.
///
/// Several at once, because most of the time is waiting.
pub(crate) fn ask<'a>(
    pins: &'a PinSet,
    manner: &Manner<'_>,
    wanted: impl Fn(&HostPolicy) -> bool,
) -> Result<Vec<Entry<'a>>, Failure> {
    let client = Client::builder(pins.clone()).roots(manner.roots.clone()).build()?;
    let mut entries = Vec::new();
    for (index, policy) in pins.hosts().iter().enumerate() {
        if wanted(policy) {
            entries.push(Entry { index, policy, servers: Vec::new() });
        }
    }
    let questions = questions(pins, manner.named, &entries)?;
    for (entry, server) in answers(&client, &questions, manner) {
        entries[entry].servers.push(server);
    }
    Ok(entries)
}

fn questions(
    pins: &PinSet,
    named: &[Named],
    entries: &[Entry<'_>],
) -> Result<Vec<Question>, Failure> {
    let mut questions = Vec::new();
    for (host, port, address) in named {
        let host = HostName::parse(host).map_err(|e| Failure::input("--connect", e))?;
        let policy = pins.policy(&host);
        let policy =
            policy.ok_or_else(|| Failure::input("--connect", format!("no entry covers {host}")))?;
        let entry = entries.iter().position(|entry| entry.policy.host() == policy.host());
        let (port, address) = (*port, Some(*address));
        questions.extend(entry.map(|entry| Question { entry, host, port, address }));
    }
    let mut is_named = vec![false; entries.len()];
    questions.iter().for_each(|question| is_named[question.entry] = true);
    for (entry, _) in is_named.iter().enumerate().filter(|(_, named)| !*named) {
        let host = entries[entry].policy.host().clone();
        questions.push(Question { entry, host, port: 443, address: None });
    }
    Ok(questions)
}

/// In the order of the questions.
fn answers(
    client: &Client,
    questions: &[Question],
    manner: &Manner<'_>,
) -> impl Iterator<Item = (usize, Server)> + use<> {
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(Vec::with_capacity(questions.len()));
    std::thread::scope(|scope| {
        for _ in 0..manner.jobs.clamp(1, questions.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(q) = questions.get(number) else { break };
                    let server = Server::ask(client, &q.host, q.port, q.address, manner.at);
                    let mut answers = answers.lock().expect("no thread panics with it");
                    answers.push((number, q.entry, server));
                    terminal::progress("servers", answers.len(), questions.len());
                }
            });
        }
    });
    let mut answers = answers.into_inner().expect("no thread panics with it");
    answers.sort_by_key(|(number, ..)| *number);
    answers.into_iter().map(|(_, entry, server)| (entry, server))
}

impl Entry<'_> {
    pub(crate) fn place(&self) -> String {
        format!("hosts[{}]", self.index)
    }

    /// The servers that have presented something, by `HOST:PORT`.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (&str, &Answer)> {
        self.servers.iter().filter_map(|server| {
            server.answer.as_ref().ok().map(|answer| (server.target.as_str(), answer))
        })
    }
}
