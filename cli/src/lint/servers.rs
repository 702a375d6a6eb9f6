//! Rules about what servers present now, for the entries that enforce.

use std::net::SocketAddr;

use pinfold_core::pin::{
    CertSha256, Decision, HostName, HostPolicy, Mode, Pin, PinAt, PinDigest, PinState, SpkiSha256,
};
use pinfold_core::verify::CertificateIdentity;
use pinfold_core::{Client, Explanation, PinSet, Roots};

use super::DAY;
use crate::failure::Failure;
use crate::live;

/// Authorities that issue for less renew by machine, and as a rule with a new key.
const SHORT_LIVED: u64 = 100 * DAY;

/// A server to be asked: host, port, and the address in place of what the name resolves to.
pub(super) type Named = (String, u16, SocketAddr);

/// An entry, and the servers that were asked about it.
pub(super) struct Entry<'a> {
    index: usize,
    policy: &'a HostPolicy,
    servers: Vec<Server>,
}

struct Server {
    /// `HOST:PORT`.
    target: String,
    answer: Result<Answer, Failure>,
}

struct Answer {
    chain: Vec<Vec<u8>>,
    explanation: Explanation,
}

/// A rule, and what it says of an entry.
type LiveRule = (&'static str, fn(&Entry<'_>) -> Vec<String>);

pub(super) const RULES: &[LiveRule] =
    &[("E02", no_spare), ("E03", no_match), ("W20", renewed_with_new_keys)];

/// Asks the servers of every entry that enforces: those that are named, else the entry's host.
pub(super) fn ask<'a>(
    pins: &'a PinSet,
    named: &[Named],
    roots: Roots,
    at: u64,
) -> Result<Vec<Entry<'a>>, Failure> {
    let client = Client::builder(pins.clone()).roots(roots).build()?;
    let mut known = Vec::new();
    for (host, port, address) in named {
        let host = HostName::parse(host).map_err(|e| Failure::input("--connect", e))?;
        let policy = pins.policy(&host);
        let policy =
            policy.ok_or_else(|| Failure::input("--connect", format!("no entry covers {host}")))?;
        known.push((policy, host, *port, *address));
    }
    let mut entries = Vec::new();
    for (index, policy) in pins.hosts().iter().enumerate() {
        if policy.mode() != Mode::Enforce {
            continue;
        }
        let mut servers = Vec::new();
        for (_, host, port, address) in known.iter().filter(|(of, ..)| *of == policy) {
            servers.push(Server::ask(&client, host.as_str(), *port, Some(*address), at));
        }
        if servers.is_empty() {
            servers.push(Server::ask(&client, policy.host().as_str(), 443, None, at));
        }
        entries.push(Entry { index, policy, servers });
    }
    Ok(entries)
}

impl Server {
    fn ask(client: &Client, host: &str, port: u16, address: Option<SocketAddr>, at: u64) -> Self {
        let target =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let answer = live::chain(&target, address).and_then(|presented| {
            let explanation = client.explain(host, &presented.chain, at)?;
            Ok(Answer { chain: presented.chain, explanation })
        });
        Self { target, answer }
    }
}

impl Answer {
    /// Whether a pin is of something that the server presents, or that its path leads over.
    fn has(&self, pin: &Pin) -> bool {
        let path = || self.explanation.paths.iter().flat_map(|path| &path.certificates);
        match pin.digest {
            PinDigest::Spki(key) => {
                path().any(|certificate| certificate.spki == key)
                    || self.keys().any(|presented| presented == key)
            }
            PinDigest::Certificate(digest) => {
                path().any(|certificate| certificate.certificate == Some(digest))
                    || self.chain.iter().any(|der| CertSha256::of_certificate(der) == digest)
            }
        }
    }

    fn keys(&self) -> impl Iterator<Item = SpkiSha256> {
        self.chain.iter().filter_map(|der| Some(CertificateIdentity::read(der, "").ok()?.spki))
    }

    fn is_end_entity(&self, pin: &Pin) -> bool {
        match (pin.digest, self.chain.first()) {
            (PinDigest::Spki(key), _) => self.keys().next() == Some(key),
            (PinDigest::Certificate(digest), Some(der)) => {
                CertSha256::of_certificate(der) == digest
            }
            (PinDigest::Certificate(_), None) => false,
        }
    }
}

impl Entry<'_> {
    pub(super) fn place(&self) -> String {
        format!("hosts[{}]", self.index)
    }

    fn answers(&self) -> impl Iterator<Item = (&str, &Answer)> {
        self.servers.iter().filter_map(|server| {
            server.answer.as_ref().ok().map(|answer| (server.target.as_str(), answer))
        })
    }
}

/// RFC 7469 §4.3: one of the pins must be of a key that is not in use.
fn no_spare(entry: &Entry<'_>) -> Vec<String> {
    let in_use = |pin: &Pin| entry.answers().any(|(_, answer)| answer.has(pin));
    let spare = |pin: &Pin| pin.state != PinState::Retiring && !in_use(pin);
    if entry.answers().next().is_none() || entry.policy.pins().iter().any(spare) {
        return Vec::new();
    }
    vec![format!(
        "every pin of {} is in use by its servers: add one of a key that is kept elsewhere, as \
         \"backup\"",
        entry.policy.host(),
    )]
}

fn no_match(entry: &Entry<'_>) -> Vec<String> {
    let refused = |server: &Server| match &server.answer {
        Err(e) => Some(format!(
            "{} cannot be asked ({}): name a server of the entry that can be, with --connect",
            server.target,
            e.message(),
        )),
        Ok(Answer { explanation, .. }) if explanation.decision == Decision::Block => {
            let why = explanation
                .error
                .as_ref()
                .map_or_else(|| "refused".to_owned(), ToString::to_string);
            Some(format!(
                "clients would refuse {} ({why}): pin what it presents, or begin with report_only",
                server.target,
            ))
        }
        Ok(_) => None,
    };
    entry.servers.iter().filter_map(refused).collect()
}

fn renewed_with_new_keys(entry: &Entry<'_>) -> Vec<String> {
    let short = |(target, answer): (&str, &Answer)| {
        let leaf = CertificateIdentity::read(answer.chain.first()?, target).ok()?;
        let validity = leaf.not_after.saturating_sub(leaf.not_before);
        let at_leaf = |pin: &Pin| match pin.at {
            PinAt::Leaf => true,
            PinAt::Any => answer.is_end_entity(pin),
            PinAt::Ca => false,
        };
        let leaves = entry.policy.pins().iter().all(at_leaf);
        (leaves && validity < SHORT_LIVED).then(|| {
            format!(
                "only end-entities are pinned, and that of {target} is valid for {} days: renew \
                 it with the same key, or pin an authority as well",
                validity.div_ceil(DAY),
            )
        })
    };
    entry.answers().filter_map(short).collect()
}
