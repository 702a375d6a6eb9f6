//! `pinfold lint`: what is wrong with a pin set although it can be read.

mod authorities;
mod case;
mod catalogue;
mod config;
mod history;
mod log;
mod logged;
mod report;
mod rules;
mod servers;

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use pinfold_core::pin::{HostPolicy, Mode};
use pinfold_core::pinset::{Bundle, Document, Envelope, PINSET_TYPE, Root};
use serde_json::{Value, json};

pub(crate) use case::{Case, Phones};
pub(crate) use rules::ENDED;

use crate::failure::Failure;
use crate::network_security::NetworkSecurityConfig;
use crate::pinset_file::{self, Around, PinSetFile};
use crate::root_file::{RootFile, last_root};
use crate::stores::{self, Version};
use crate::survey::{self, Manner, Named, Seen};
use crate::{fetch, input, output, verify, when};

const DAY: u64 = 86_400;

/// A place, and a sentence that says what is wrong there and what to do.
type Found = (String, String);
type Rule = (&'static str, fn(&Case) -> Vec<Found>);

/// Check a pin set by the rules of good practice, before it is signed.
///
/// Each finding has the ID of its rule (docs/cli.md). Those that begin with E have to be
/// repaired; those that begin with W may stand for a reason, given with --allow. What can be known
/// is checked: more with the root, the published bundle and the files of the apps, and most with
/// --live. Exit code 0: nothing is left; 1: there are findings; 2: no client would read it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold lint pins.json --root root-1.json --against public/bundle.json --embedded releases/*.json
  pinfold lint pins.json --network-security-config app/src/main/res/xml/network_security_config.xml
  pinfold lint pins.json --live --seen seen.json
  pinfold lint pins.json --android 9 --ios 16 --sarif lint.sarif --junit lint.xml
  pinfold lint pins.json --live --connect api.example.com:443:10.0.0.7 --roots ca.pem
  pinfold lint pins.json --against bundle.json --allow 'W24=the pilot with status ended in May'")]
pub(crate) struct Arguments {
    /// The pin set in any form: a static one, a payload, an envelope, a bundle or an embedded file
    #[arg(value_name = "PINSET")]
    pinset: String,
    /// The signed root that it must hold under; without it, only the end and the epoch of the
    /// newest published one are looked at
    #[arg(long, value_name = "FILE")]
    root: Option<String>,
    /// What is published now
    #[arg(long, value_name = "BUNDLE")]
    against: Option<String>,
    /// What a version of the app ships with, for its update URLs
    #[arg(long, value_name = "FILE", num_args = 1..)]
    embedded: Vec<String>,
    /// What a version of the Android app says of networks (res/xml/network_security_config.xml)
    #[arg(long, value_name = "FILE", num_args = 1..)]
    network_security_config: Vec<String>,
    /// Ask the servers of the entries that enforce: the entry's host on port 443, or those that
    /// --connect names
    #[arg(long)]
    live: bool,
    /// Ask ADDR instead of looking HOST up; may be given several times
    #[arg(long, value_name = "HOST:PORT:ADDR", value_parser = fetch::parse_connect, requires = "live")]
    connect: Vec<Named>,
    /// What servers presented the last time; written anew
    #[arg(long, value_name = "FILE", requires = "live")]
    seen: Option<String>,
    /// How many servers are asked at once
    #[arg(long, value_name = "N", default_value_t = 16, requires = "live")]
    jobs: usize,
    /// The authorities behind `system_and_pin`: `system`, `bundled` or a file of certificates
    #[arg(long, value_name = "FILE|system|bundled", default_value = "system", requires = "live")]
    roots: String,
    /// What logs of certificates have for the hosts: the JSON of a search at crt.sh
    #[arg(long, value_name = "FILE", num_args = 1..)]
    certificate_log: Vec<String>,
    /// The oldest Android that the app runs on
    #[arg(long, value_name = "VERSION", default_value = "8", value_parser = parse_version)]
    android: Version,
    /// The oldest iOS that the app runs on
    #[arg(long, value_name = "VERSION", default_value = "15", value_parser = parse_version)]
    ios: Version,
    /// When [default: now]
    #[arg(long, value_name = "RFC3339")]
    at: Option<String>,
    /// Let the findings of a rule stand, W only, and say why; may be given several times
    #[arg(long, value_name = "ID=REASON", value_parser = parse_allow)]
    allow: Vec<(&'static str, String)>,
    /// Write the findings as SARIF too
    #[arg(long, value_name = "FILE")]
    sarif: Option<String>,
    /// Write them in JUnit's XML too
    #[arg(long, value_name = "FILE")]
    junit: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A rule that a pin set breaks.
pub(crate) struct Finding {
    pub(crate) id: &'static str,
    pub(crate) place: String,
    pub(crate) text: String,
    /// Why it may stand.
    pub(crate) allowed: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let path = &arguments.pinset;
    let at = when::time_or_now("--at", arguments.at.as_deref())?;
    let root = arguments.root.as_deref().map(RootFile::read).transpose()?;
    let pinset = pinset_file::read(path, root.as_ref().map(|file| &file.root))?;
    let bundle = arguments.against.as_deref().map(verify::read_published).transpose()?;
    let published = match (&arguments.against, &bundle) {
        (Some(path), Some(bundle)) => {
            Some(PinSetFile::signed(path, &bundle.pinset, None, Around::Nothing)?)
        }
        _ => None,
    };
    if let (Some(path), Some(published)) = (&arguments.against, &published) {
        let [stream, new] = [published, &pinset]
            .map(|file| file.document.as_ref().map(Document::stream).unwrap_or_default());
        if stream != new {
            return Err(Failure::input(path, format!("of another series, {stream}")));
        }
    }
    let bytes = size(&pinset, bundle.as_ref(), root.as_ref());
    let own = match &pinset.around {
        Around::Bundle { bundle, .. } => last_root(bundle),
        Around::Embedded(embedded) => Root::parse(&embedded.root.payload).ok(),
        Around::Nothing | Around::Written | Around::Envelope(_) => {
            bundle.as_ref().and_then(last_root)
        }
    };
    let root = root.map(|file| file.root).or(own);
    let mut apps: Vec<_> =
        verify::apps(&arguments.embedded)?.iter().map(verify::App::update_urls).collect();
    if let Around::Embedded(embedded) = &pinset.around {
        apps.push((path.clone(), embedded.update_urls.clone()));
    }
    let issued = arguments.certificate_log.iter().map(|path| log::read(path));
    let issued = issued.collect::<Result<Vec<_>, _>>()?.concat();
    let phones = Phones { android: arguments.android.clone(), ios: arguments.ios.clone() };
    let case = Case { pinset, published, root, apps, bytes, at, phones, issued };

    let mut findings = check(&case);
    findings.extend(of_configs(&case, &arguments.network_security_config)?);
    if arguments.live {
        findings.extend(of_servers(&case, arguments)?);
    }
    findings.sort_by_key(|finding| finding.id);
    for finding in &mut findings {
        let allowed = arguments.allow.iter().find(|(id, _)| *id == finding.id);
        finding.allowed = allowed.map(|(_, reason)| reason.clone());
    }
    let report = report::Report { path, found: &findings, looked_at: looked_at(arguments) };
    report.write(arguments.sarif.as_deref(), arguments.junit.as_deref())?;
    print(&case, &findings, path, arguments.json)
}

fn print(
    case: &Case,
    findings: &[Finding],
    path: &str,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let left = findings.iter().any(|finding| finding.allowed.is_none());
    if as_json {
        let all: Vec<_> = findings.iter().map(Finding::to_json).collect();
        let version = case.document().map(Document::version).or_else(|| case.pinset.pins.version());
        output::print_json(&json!({
            "clean": !left, "version": version, "findings": all,
            "root_stores": stores::stores().made,
        }))?;
    } else {
        let lines: String = findings.iter().map(|finding| finding.words() + "\n").collect();
        output::print(lines.as_bytes())?;
        if !left {
            output::print(format!("clean  {path}\n").as_bytes())?;
        }
    }
    Ok(ExitCode::from(u8::from(left)))
}

/// The rules whose findings there would be.
fn looked_at(arguments: &Arguments) -> BTreeSet<&'static str> {
    let mut ids: BTreeSet<_> = offline().map(|(id, _)| *id).collect();
    if !arguments.network_security_config.is_empty() {
        ids.extend(config::RULES.iter().map(|(id, _)| *id));
    }
    if arguments.live {
        ids.extend(servers::RULES.iter().map(|(id, _)| *id));
    }
    ids
}

fn of_configs(case: &Case, paths: &[String]) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    for path in paths {
        let config = NetworkSecurityConfig::read(path)?;
        let broken = !config.faults.is_empty();
        for (id, rule) in config::RULES.iter().filter(|(id, _)| !broken || *id == "E14") {
            findings.extend(rule(case, &config).into_iter().map(|found| Finding::new(id, found)));
        }
    }
    Ok(findings)
}

fn of_servers(case: &Case, arguments: &Arguments) -> Result<Vec<Finding>, Failure> {
    let (named, roots) = (&arguments.connect[..], input::roots(&arguments.roots)?);
    let manner = Manner { named, roots, at: case.at, jobs: arguments.jobs };
    let enforces = |entry: &HostPolicy| entry.mode() == Mode::Enforce;
    let entries = survey::ask(&case.pinset.pins, &manner, enforces)?;
    let seen = arguments.seen.as_deref().map(Seen::read).transpose()?.unwrap_or_default();
    let survey = servers::Survey { entries, seen };
    let mut findings = Vec::new();
    for (id, rule) in servers::RULES {
        findings.extend(rule(&survey).into_iter().map(|found| Finding::new(id, found)));
    }
    if let Some(path) = &arguments.seen {
        let mut seen = survey.seen.clone();
        for (target, answer) in survey.entries.iter().flat_map(survey::Entry::answers) {
            seen.keep(target, answer, case.at);
        }
        seen.write(path)?;
    }
    Ok(findings)
}

/// Applies every rule that needs no server.
pub(crate) fn check(case: &Case) -> Vec<Finding> {
    offline()
        .flat_map(|(id, rule)| rule(case).into_iter().map(|found| Finding::new(id, found)))
        .collect()
}

/// The rules that need no server and no other file.
fn offline() -> impl Iterator<Item = &'static Rule> {
    let own = rules::RULES.iter().chain(history::RULES);
    own.chain(authorities::RULES).chain(log::RULES)
}

impl Finding {
    fn new(id: &'static str, (place, text): Found) -> Self {
        Self { id, place, text, allowed: None }
    }

    /// Whether it has to be repaired.
    pub(crate) fn refuses(&self) -> bool {
        self.id.starts_with('E')
    }

    pub(crate) fn words(&self) -> String {
        let line = format!("{}  {}: {}", self.id, self.place, self.text);
        match &self.allowed {
            Some(reason) => format!("{line} (allowed: {reason})"),
            None => line,
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let Self { id, place, text, allowed } = self;
        json!({ "id": id, "place": place, "text": text, "allowed": allowed })
    }
}

/// The size of what would be published, as far as it is known.
fn size(pinset: &PinSetFile, published: Option<&Bundle>, root: Option<&RootFile>) -> usize {
    let pinset = match &pinset.around {
        Around::Bundle { bytes, .. } => return *bytes,
        Around::Envelope(envelope) => envelope.clone(),
        Around::Embedded(embedded) => embedded.pinset.clone(),
        Around::Nothing | Around::Written => Envelope {
            payload_type: PINSET_TYPE.to_owned(),
            payload: pinset.payload.clone(),
            signatures: Vec::new(),
        },
    };
    let mut roots = published.map(|bundle| bundle.roots.clone()).unwrap_or_default();
    if let Some(root) = root
        && roots.iter().all(|known| known.payload != root.envelope.payload)
    {
        roots.push(root.envelope.clone());
    }
    Bundle { roots, pinset }.to_json().len()
}

/// `ID=REASON`.
fn parse_allow(text: &str) -> Result<(&'static str, String), String> {
    let usage = "expected ID=REASON, such as 'W24=the pilot has ended'";
    let (id, reason) = text.split_once('=').ok_or(usage)?;
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(usage.into());
    }
    let ids = offline().map(|(id, _)| *id);
    let ids = ids.chain(config::RULES.iter().map(|(id, _)| *id));
    let mut ids = ids.chain(servers::RULES.iter().map(|(id, _)| *id));
    match ids.find(|known| *known == id) {
        Some(known) if known.starts_with('W') => Ok((known, reason.to_owned())),
        Some(known) => Err(format!("{known} has to be repaired; only W may stand")),
        None => Err(format!("there is no rule {id:?}")),
    }
}

/// A version such as `8` or `15.1`.
fn parse_version(text: &str) -> Result<Version, String> {
    stores::version(text).ok_or_else(|| "expected a version, such as 8 or 15.1".to_owned())
}
