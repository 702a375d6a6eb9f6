//! One look at everything, and what it has in words, JSON and JUnit.

use std::process::ExitCode;
use std::time::Duration;

use pinfold_core::format_rfc3339_utc;
use serde_json::{Value, json};

use super::hosts::{self, DocumentLook, HostLook};
use super::mirrors::MirrorLook;
use super::trouble::Trouble;
use crate::failure::Failure;
use crate::findings::{self, Case};
use crate::pinset_file::{self, PinSetFile};
use crate::survey::{Manner, Named, Seen};
use pinfold_core::Roots;
use pinfold_core::pin::HostName;

/// What was seen.
pub(super) struct Look {
    /// In seconds since 1970.
    pub(super) at: u64,
    pub(super) took: Duration,
    pub(super) documents: Vec<DocumentLook>,
    pub(super) mirrors: Vec<MirrorLook>,
}

/// What is looked at, and how.
pub(super) struct Plan<'a> {
    pub(super) pinsets: &'a [String],
    pub(super) connect: &'a [Named],
    /// Whether some of those are not of servers, but of mirrors.
    pub(super) mirrors: bool,
    pub(super) roots: Roots,
    pub(super) jobs: usize,
    /// Days.
    pub(super) warn: u64,
    pub(super) seen: Option<&'a str>,
}

impl Plan<'_> {
    /// Looks at the hosts of every pin set, and keeps what they present.
    pub(super) fn documents(&self, at: u64) -> Result<Vec<DocumentLook>, Failure> {
        let mut seen = self.seen.map(Seen::read).transpose()?.unwrap_or_default();
        let files = self.pinsets.iter().map(|path| pinset_file::read(path, None));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        self.expect_covered(&files)?;
        let mut looks = Vec::new();
        for (path, file) in self.pinsets.iter().zip(&files) {
            let covered = |(host, ..): &&Named| covers(file, host);
            let named: Vec<_> = self.connect.iter().filter(covered).cloned().collect();
            let manner = Manner { named: &named, roots: self.roots.clone(), at, jobs: self.jobs };
            let terms = hosts::Terms { manner, warn: self.warn };
            looks.push(hosts::look(path, file, &terms, &mut seen)?);
        }
        match self.seen {
            Some(path) => seen.write(path).map(|()| looks),
            None => Ok(looks),
        }
    }

    fn expect_covered(&self, files: &[PinSetFile]) -> Result<(), Failure> {
        let stray = |(host, ..): &&Named| !files.iter().any(|file| covers(file, host));
        match self.connect.iter().find(stray) {
            Some((host, ..)) if !self.mirrors => {
                Err(Failure::input("--connect", format!("no entry covers {host}")))
            }
            _ => Ok(()),
        }
    }
}

fn covers(file: &PinSetFile, host: &str) -> bool {
    HostName::parse(host).is_ok_and(|host| file.pins.policy(&host).is_some())
}

impl Look {
    /// Every trouble, with whom it is about.
    pub(super) fn troubles(&self) -> impl Iterator<Item = (&str, &Trouble)> {
        let documents = self.documents.iter().flat_map(DocumentLook::troubles);
        let mirrors = self.mirrors.iter().flat_map(|mirror| {
            mirror.troubles.iter().map(|trouble| (mirror.url.as_str(), trouble))
        });
        documents.chain(mirrors)
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(u8::from(self.troubles().next().is_some()))
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "at": format_rfc3339_utc(self.at),
            "clean": self.troubles().next().is_none(),
            "pin_sets": self.documents.iter().map(DocumentLook::to_json).collect::<Vec<_>>(),
            "mirrors": self.mirrors.iter().map(MirrorLook::to_json).collect::<Vec<_>>(),
        })
    }

    /// A line for each host and mirror, and below it what is wrong.
    pub(super) fn words(&self) -> String {
        let mut text = String::new();
        for document in &self.documents {
            push(&mut text, &document.path, &of_document(document), &document.troubles);
            for host in &document.hosts {
                push(&mut text, &host.server, &of_host(host, self.at), &host.troubles);
            }
        }
        for mirror in &self.mirrors {
            let has = mirror.order.map_or_else(String::new, |(epoch, version)| {
                format!("version {version} of epoch {epoch}")
            });
            push(&mut text, &mirror.url, &has, &mirror.troubles);
        }
        text
    }

    /// A case for each host, pin set and mirror.
    pub(super) fn junit(&self) -> String {
        let case = |class: &str, name: &str, troubles: &[Trouble]| Case {
            class: class.to_owned(),
            name: name.to_owned(),
            failures: troubles.iter().map(words_of).collect(),
            skipped: None,
        };
        let mut cases = Vec::new();
        for document in &self.documents {
            cases.push(case(&document.path, "the pin set", &document.troubles));
            let hosts = document.hosts.iter();
            cases.extend(hosts.map(|host| case(&document.path, &host.server, &host.troubles)));
        }
        let mirrors = self.mirrors.iter();
        cases.extend(mirrors.map(|mirror| case("mirrors", &mirror.url, &mirror.troubles)));
        findings::junit("pinfold", &cases)
    }
}

fn words_of(trouble: &Trouble) -> String {
    format!("{}: {}", trouble.code.name(), trouble.text)
}

fn push(text: &mut String, name: &str, what: &str, troubles: &[Trouble]) {
    let state = if troubles.is_empty() { "ok     " } else { "TROUBLE" };
    *text += format!("{state}  {name}  {what}").trim_end();
    text.push('\n');
    for trouble in troubles {
        *text += &format!("         {}\n", words_of(trouble));
    }
}

fn of_document(document: &DocumentLook) -> String {
    let version = document.version.map(|version| format!("version {version}"));
    let until = document.expires.map(|end| format!("until {}", &format_rfc3339_utc(end)[..10]));
    [version, until].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn of_host(host: &HostLook, at: u64) -> String {
    let left = host
        .certificate_until
        .map(|end| format!("certificate for {}", hosts::days(end.saturating_sub(at) / 86_400)));
    [host.matched.clone(), left].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
