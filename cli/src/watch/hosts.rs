//! Hosts, as their servers present themselves now, against what is pinned.

use std::net::SocketAddr;

use pinfold_core::format_rfc3339_utc;
use pinfold_core::pin::{Decision, HostPolicy, Mode, Outcome, Pin, PinState};
use serde_json::{Value, json};

use super::trouble::{Code, Trouble};
use crate::failure::Failure;
use crate::pinset_file::PinSetFile;
use crate::stores::stores;
use crate::survey::{self, Answer, Manner, Seen, Server};

const DAY: u64 = 86_400;

/// A pin set, and what its servers presented.
pub(super) struct DocumentLook {
    /// The file.
    pub(super) path: String,
    pub(super) version: Option<u64>,
    /// In seconds since 1970.
    pub(super) expires: Option<u64>,
    pub(super) troubles: Vec<Trouble>,
    pub(super) hosts: Vec<HostLook>,
}

/// A server of an entry.
pub(super) struct HostLook {
    /// The entry's host.
    pub(super) entry: String,
    /// `HOST:PORT`.
    pub(super) server: String,
    /// Where it was asked, if not where its name leads.
    pub(super) address: Option<SocketAddr>,
    pub(super) mode: Mode,
    pub(super) reachable: bool,
    /// Whether a pin matches.
    pub(super) matches: bool,
    /// The pin that does, and what it is called.
    pub(super) matched: Option<String>,
    /// Whether a pin is left that nothing uses.
    pub(super) spare: bool,
    /// The last second of the server's certificate.
    pub(super) certificate_until: Option<u64>,
    /// The end of the pinned authority's own certificate, where the pin is a known root's.
    pub(super) root_until: Option<u64>,
    /// The entry's own end.
    pub(super) expires: Option<u64>,
    pub(super) troubles: Vec<Trouble>,
}

/// What the looks have in common.
pub(super) struct Terms<'a> {
    pub(super) manner: Manner<'a>,
    /// Days before an end from which on it is a trouble.
    pub(super) warn: u64,
}

/// Looks at every entry that is not `off`.
pub(super) fn look(
    path: &str,
    file: &PinSetFile,
    terms: &Terms<'_>,
    seen: &mut Seen,
) -> Result<DocumentLook, Failure> {
    let at = terms.manner.at;
    let document = file.document.as_ref();
    let expires = document.map(pinfold_core::pinset::Document::expires);
    let mut troubles = Vec::new();
    if let Some(end) = expires {
        troubles.extend(ending(Code::DocumentEnds, "the pin set", end, at, terms.warn));
    }
    let entries = survey::ask(&file.pins, &terms.manner, |entry| entry.mode() != Mode::Off)?;
    let view = file.view();
    let mut hosts = Vec::new();
    for entry in &entries {
        let own_end = view.entry(entry.policy.host()).and_then(|own| own.expires);
        for server in &entry.servers {
            let mut host = of_server(entry.policy, server, terms, seen);
            host.expires = own_end.filter(|end| Some(*end) != expires);
            if let Some(end) = host.expires {
                host.troubles.extend(ending(Code::EntryEnds, "the entry", end, at, terms.warn));
            }
            hosts.push(host);
        }
    }
    let version = document.map(|d| d.version()).or_else(|| file.pins.version());
    Ok(DocumentLook { path: path.to_owned(), version, expires, troubles, hosts })
}

fn of_server(policy: &HostPolicy, server: &Server, terms: &Terms<'_>, seen: &mut Seen) -> HostLook {
    let mut look = HostLook {
        entry: policy.host().to_string(),
        server: server.target.clone(),
        address: server.address,
        mode: policy.mode(),
        reachable: false,
        matches: false,
        matched: None,
        spare: false,
        certificate_until: None,
        root_until: None,
        expires: None,
        troubles: Vec::new(),
    };
    match &server.answer {
        Err(e) => look.troubles.push(Trouble::new(Code::Unreachable, e.message())),
        Ok(answer) => look.fill(policy, answer, terms, seen),
    }
    look
}

impl HostLook {
    fn fill(&mut self, policy: &HostPolicy, answer: &Answer, terms: &Terms<'_>, seen: &mut Seen) {
        let at = terms.manner.at;
        let explanation = &answer.explanation;
        self.reachable = true;
        self.matches =
            matches!(explanation.outcome, Outcome::Match(_)) && explanation.trust.is_ok();
        if let Some((matched, subject)) = explanation.matched() {
            let subject = subject.map_or_else(String::new, |subject| format!(" of {subject}"));
            self.matched = Some(format!("{}{subject}", matched.pin));
        }
        self.refusals(answer);
        let in_use = |pin: &&Pin| pin.state != PinState::Retiring && !answer.has(pin);
        self.spare = policy.pins().iter().any(|pin| in_use(&pin));
        if !self.spare {
            let text = "every pin is in use: add one of a key that is kept elsewhere".to_owned();
            self.troubles.push(Trouble::new(Code::NoSpare, text));
        }
        self.certificate_until = answer.leaf().map(|leaf| leaf.not_after);
        if let Some(end) = self.certificate_until {
            let what = "the server's certificate";
            self.troubles.extend(ending(Code::CertificateEnds, what, end, at, terms.warn));
        }
        let roots = policy.pins().iter().filter(|pin| answer.has(pin)).filter_map(|pin| {
            let pinfold_core::pin::PinDigest::Spki(key) = pin.digest else { return None };
            stores().authority(&key).map(|known| known.until)
        });
        self.root_until = roots.min();
        if answer.is_its_own_issuer() {
            let text = "it has the key of its own issuer, as with proxies that inspect: somebody \
                        is between it and here"
                .to_owned();
            self.troubles.push(Trouble::new(Code::Inspected, text));
        }
        if let Some(difference) = seen.difference(&self.server, answer) {
            let mut parts = Vec::new();
            if difference.leaf {
                parts.push("another key".to_owned());
            }
            if !difference.issuers.is_empty() {
                parts.push(format!("other authorities ({})", difference.issuers.join(", ")));
            }
            let since = format_rfc3339_utc(difference.since);
            let text = format!("it has {} than on {}", parts.join(" and "), &since[..10]);
            self.troubles.push(Trouble::new(Code::ChainChanged, text));
        }
        seen.keep(&self.server, answer, at);
    }

    fn refusals(&mut self, answer: &Answer) {
        let explanation = &answer.explanation;
        let why =
            || explanation.error.as_ref().map_or_else(|| "refused".to_owned(), ToString::to_string);
        if explanation.decision == Decision::Block {
            self.troubles.push(Trouble::new(Code::Refused, why()));
        } else if !self.matches {
            let text = match explanation.outcome {
                Outcome::NoMatch => "no pin matches, and clients report it".to_owned(),
                _ => why(),
            };
            self.troubles.push(Trouble::new(Code::Mismatch, text));
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let time = |at: Option<u64>| at.map(format_rfc3339_utc);
        json!({
            "entry": self.entry,
            "server": self.server,
            "address": self.address.map(|address| address.to_string()),
            "mode": self.mode,
            "reachable": self.reachable,
            "matches": self.matches,
            "matched": self.matched,
            "spare": self.spare,
            "certificate_expires": time(self.certificate_until),
            "entry_expires": time(self.expires),
            "troubles": self.troubles.iter().map(Trouble::to_json).collect::<Vec<_>>(),
        })
    }
}

impl DocumentLook {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "pin_set": self.path,
            "version": self.version,
            "expires": self.expires.map(format_rfc3339_utc),
            "troubles": self.troubles.iter().map(Trouble::to_json).collect::<Vec<_>>(),
            "hosts": self.hosts.iter().map(HostLook::to_json).collect::<Vec<_>>(),
        })
    }

    /// Every trouble, with whom it is about.
    pub(super) fn troubles(&self) -> impl Iterator<Item = (&str, &Trouble)> {
        let own = self.troubles.iter().map(|trouble| (self.path.as_str(), trouble));
        let hosts = self
            .hosts
            .iter()
            .flat_map(|host| host.troubles.iter().map(|trouble| (host.server.as_str(), trouble)));
        own.chain(hosts)
    }
}

/// What ends soon, or has ended.
fn ending(code: Code, what: &str, end: u64, at: u64, warn: u64) -> Option<Trouble> {
    let day = format_rfc3339_utc(end);
    let text = if end <= at {
        format!("{what} ended {day}")
    } else if end < at + warn * DAY {
        format!("{what} ends {day}, in {}", days((end - at) / DAY))
    } else {
        return None;
    };
    Some(Trouble::new(code, text))
}

/// `1 day`, `2 days`.
pub(super) fn days(n: u64) -> String {
    format!("{n} {}", if n == 1 { "day" } else { "days" })
}
