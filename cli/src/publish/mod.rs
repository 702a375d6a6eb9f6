//! `pinfold publish`: the bundle goes out only if nobody is left behind.

mod back;
mod s3;
mod secrets;
mod target;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use pinfold_core::Client;
use pinfold_core::pinset::{Bundle, Document, Order};
use serde_json::{Value, json};

use back::{Back, Expected};
use target::{Access, Target};

use crate::failure::Failure;
use crate::file::File;
use crate::lint::{self, Case, Finding, Phones};
use crate::pinset_file::{Around, PinSetFile};
use crate::root_file::last_root;
use crate::survey::Named;
use crate::verify::{App, Trace};
use crate::{document, fetch, input, output, terminal, verify, web, when};

/// Put a bundle where clients find it, if every app in the field can take it.
///
/// That is replayed from what each version of the app ships with, and from there again for clients
/// that have taken what each target holds now. An older bundle than that is refused, and so is a pin
/// set that breaks a rule of good practice whose ID begins with E (`pinfold lint`), such as one that
/// has ended; of those with W and of a root near its end it warns. Nothing is written until all
/// targets allow it, and each has the old bundle or the new one afterwards, never a part; which has
/// which is said.
///
/// A target is a folder (bundle.json in it), s3://BUCKET/KEY with AWS_ACCESS_KEY_ID and
/// AWS_SECRET_ACCESS_KEY, or an https:// URL that takes PUT. Then every URL that clients ask is
/// fetched as they do it, with and without what they have already; for a folder alone only with
/// --fetch-back. Exit code 1: refused, and everything is as it was; 3: a target could not be written,
/// or clients would not find it.
///
/// Clients ask with the file's SHA-256, as 64 hexadecimal digits in quotes: a server that sends just
/// that as `ETag` need not send the file again to who has it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold publish --embedded releases/*.json --bundle bundle.json --to /srv/pins/v1
  pinfold publish --embedded releases/*.json --bundle bundle.json --to s3://pins/v1/bundle.json \\
      --to https://pins.example-dr.org/v1/bundle.json --authorization-file token")]
pub(crate) struct Arguments {
    /// What a version of the app ships with
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    embedded: Vec<String>,
    /// What is to be published
    #[arg(long, value_name = "FILE")]
    bundle: String,
    /// Where; may be given several times. A folder is made where it is not there yet
    #[arg(long, value_name = "DIR|s3://…|https://…", required = true)]
    to: Vec<String>,
    #[command(flatten)]
    access: Access,
    /// Fetch every URL that clients ask, though only folders were written
    #[arg(long)]
    fetch_back: bool,
    /// Fetch this URL too; may be given several times
    #[arg(long = "url", value_name = "URL")]
    urls: Vec<String>,
    /// Seconds for caches to catch up
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    /// Ask ADDR instead of looking HOST up; may be given several times
    #[arg(long, value_name = "HOST:PORT:ADDR", value_parser = fetch::parse_connect)]
    connect: Vec<Named>,
    /// The authorities of the targets: `system`, `bundled` or a file of certificates
    #[arg(long, value_name = "FILE|system|bundled", default_value = "system")]
    roots: String,
    /// Publish it although it has expired or lapsed
    #[arg(long)]
    even_lapsed: bool,
    /// When, for what depends on it [default: now]
    #[arg(long, value_name = "RFC3339")]
    at: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A target, and what it had before.
struct Place {
    target: Target,
    before: Option<(Bundle, Vec<u8>)>,
    /// What went wrong in writing it.
    failed: Option<String>,
    /// What it has now: the new bundle, the old one, something else, or nobody knows.
    has: &'static str,
}

/// What is to be published, and what is known around it.
struct Plan<'a> {
    apps: Vec<App>,
    file: &'a File,
    bundle: Bundle,
    at: u64,
}

/// What speaks for and against it.
#[derive(Default)]
struct Judgement {
    traces: Vec<Trace>,
    findings: Vec<Finding>,
    reasons: Vec<String>,
    refused: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let at = when::time_or_now("--at", arguments.at.as_deref())?;
    let apps = verify::apps(&arguments.embedded)?;
    let file = File::read(&arguments.bundle)?;
    let bundle = document::bundle(&file)?;
    let plan = Plan { apps, file: &file, bundle, at };
    let client = web::client(input::roots(&arguments.roots)?, &arguments.connect)?;
    let mut places = Vec::new();
    for text in &arguments.to {
        let target = arguments.access.target(text)?;
        let before = target.published(&client)?;
        places.push(Place { target, before, failed: None, has: "old" });
    }
    let judgement = plan.judge(&places, arguments.even_lapsed)?;
    let mut backs = Vec::new();
    if !judgement.refused {
        for place in &mut places {
            place.write(&client, file.bytes());
        }
        if arguments.fetch_back || places.iter().any(|place| place.target.is_remote()) {
            backs = plan.fetch_back(&client, &places, arguments)?;
        }
    }
    report(&plan, &places, &judgement, &backs, arguments.json)?;
    let failed = places.iter().any(|place| place.failed.is_some())
        || backs.iter().any(|back| back.trouble.is_some());
    Ok(ExitCode::from(match (judgement.refused, failed) {
        (true, _) => 1,
        (false, true) => 3,
        (false, false) => 0,
    }))
}

impl Place {
    fn write(&mut self, client: &Client, bytes: &[u8]) {
        if let Err(failure) = self.target.write(client, bytes) {
            self.failed = Some(failure.message());
        }
        // Whatever it has answered: what is there counts.
        self.has = match (self.target.read(client), &self.before) {
            (Err(_), _) => "unknown",
            (Ok(Some(there)), _) if there == bytes => "new",
            (Ok(Some(there)), Some((_, before))) if there == *before => "old",
            (Ok(None), None) => "old",
            (Ok(_), _) => "something else",
        };
        if self.has != "new" && self.failed.is_none() {
            self.failed = Some("it took the bundle, and does not have it".to_owned());
        }
    }

    fn fate(&self, refused: bool) -> &'static str {
        match (refused, self.has) {
            (true, _) => "refused",
            (false, "new") => "published",
            (false, _) => "failed",
        }
    }
}

impl Plan<'_> {
    fn judge(&self, places: &[Place], even_lapsed: bool) -> Result<Judgement, Failure> {
        let mut judgement = Judgement::default();
        let mut seen = BTreeSet::new();
        for place in places {
            let before = place.before.as_ref();
            // What several have is looked at once.
            if seen.insert(before.map(|(_, bytes)| bytes)) {
                self.judge_after(&mut judgement, place)?;
            }
        }
        let broken = judgement.findings.iter().filter(|f| refuses(f, even_lapsed));
        let broken: Vec<_> = broken.map(Finding::words).collect();
        judgement.reasons.extend(broken);
        judgement.refused |= !judgement.reasons.is_empty();
        Ok(judgement)
    }

    /// For clients that have what this place has.
    fn judge_after(&self, judgement: &mut Judgement, place: &Place) -> Result<(), Failure> {
        let name = place.target.name();
        let published = place.before.as_ref().map(|(bundle, _)| bundle);
        if let Some(published) = published
            && stream(published) != stream(&self.bundle)
        {
            let reason = format!("of another series, {}", stream(published));
            return Err(Failure::input(name, reason));
        }
        let first = judgement.traces.is_empty();
        let mut older = None;
        for app in &self.apps {
            let (fresh, updated) = replay(app, published, &self.bundle);
            if let Some((before, _)) = &updated
                && fresh.state.order() < *before
            {
                older = Some(format!("{name}: what is published is newer"));
            }
            judgement.traces.extend(first.then_some(fresh));
            judgement.traces.extend(updated.map(|(_, trace)| trace.after("the published bundle")));
        }
        judgement.reasons.extend(older);
        judgement.refused |= judgement.traces.iter().any(Trace::stranded);
        let case = Case {
            pinset: of_bundle(self.file.path(), &self.bundle)?,
            published: published.map(|there| of_bundle(name, there)).transpose()?,
            root: last_root(&self.bundle),
            apps: self.apps.iter().map(App::update_urls).collect(),
            bytes: self.file.bytes().len(),
            at: self.at,
            phones: Phones::default(),
            issued: Vec::new(),
        };
        for finding in lint::check(&case) {
            if !judgement.findings.iter().any(|known| known.words() == finding.words()) {
                judgement.findings.push(finding);
            }
        }
        Ok(())
    }

    fn fetch_back(
        &self,
        client: &Client,
        places: &[Place],
        arguments: &Arguments,
    ) -> Result<Vec<Back>, Failure> {
        let document = Document::parse(&self.bundle.pinset.payload, None);
        let document = document.map_err(|e| Failure::rejected(self.file.path(), e))?;
        let apps = self.apps.iter().flat_map(|app| app.update_urls().1);
        let mut urls: Vec<String> = Vec::new();
        for url in document.update().urls.iter().cloned().chain(apps).chain(arguments.urls.clone())
        {
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
        let before = places.iter().filter_map(|place| place.before.as_ref());
        let before: BTreeSet<_> = before.map(|(_, bytes)| web::sha256(bytes)).collect();
        let own = web::sha256(self.file.bytes());
        let expected = Expected {
            bytes: self.file.bytes(),
            before: before.into_iter().filter(|digest| *digest != own).collect(),
            apps: &self.apps,
            patience: Duration::from_secs(arguments.wait),
        };
        Ok(urls.iter().map(|url| expected.look(client, url)).collect())
    }
}

/// A root near its end must not keep out what an emergency needs.
fn refuses(finding: &Finding, even_lapsed: bool) -> bool {
    let passes = finding.id == "E08" || (finding.id == lint::ENDED && even_lapsed);
    finding.refuses() && !passes
}

fn report(
    plan: &Plan<'_>,
    places: &[Place],
    judgement: &Judgement,
    backs: &[Back],
    as_json: bool,
) -> Result<(), Failure> {
    let Judgement { traces, findings, reasons, refused } = judgement;
    if as_json {
        let all: Vec<_> = traces.iter().map(|trace| trace.to_json(plan.at)).collect();
        let findings: Vec<_> = findings.iter().map(Finding::to_json).collect();
        let targets = places.iter().map(|place| {
            json!({
                "target": place.target.name(), "fate": place.fate(*refused), "has": place.has,
                "reason": place.failed,
            })
        });
        return output::print_json(&json!({
            "published": !refused && places.iter().all(|place| place.has == "new"),
            "output": places.first().map(|place| place.target.name()),
            "targets": targets.collect::<Vec<_>>(),
            "fetched": backs.iter().map(Back::to_json).collect::<Vec<_>>(),
            "reason": reasons.first(), "traces": all, "findings": findings,
        }));
    }
    verify::report(traces, plan.at, false)?;
    for place in places {
        let has = if *refused || place.has == "new" {
            String::new()
        } else {
            format!(": it has {}", words_of(place.has))
        };
        let line = format!("{}  {}{has}\n", place.fate(*refused), place.target.name());
        output::print(line.as_bytes())?;
    }
    for back in backs {
        output::print(back.words().as_bytes())?;
    }
    for finding in findings.iter().filter(|finding| !reasons.contains(&finding.words())) {
        terminal::warn(&finding.words());
    }
    let failed = places.iter().filter_map(|place| place.failed.as_ref());
    for reason in reasons.iter().chain(failed) {
        eprintln!("{} {reason}", terminal::red("error:"));
    }
    Ok(())
}

fn words_of(has: &str) -> &str {
    match has {
        "old" => "what it had before",
        "unknown" => "nobody knows what: it cannot be read",
        other => other,
    }
}

fn of_bundle(path: &str, bundle: &Bundle) -> Result<PinSetFile, Failure> {
    PinSetFile::signed(path, &bundle.pinset, None, Around::Nothing)
}

/// The series that a bundle says it belongs to.
fn stream(bundle: &Bundle) -> Value {
    let pinset = serde_json::from_slice::<Value>(&bundle.pinset.payload);
    pinset.map(|pinset| pinset["stream"].clone()).unwrap_or_default()
}

/// How new clients of an app fare, and those that have taken the published bundle, with where that
/// has brought them. An app that is newer than the published bundle has none of those.
fn replay(
    app: &App,
    published: Option<&Bundle>,
    bundle: &Bundle,
) -> (Trace, Option<(Order, Trace)>) {
    let fresh = app.replay(app.start(), bundle);
    let updated = published.and_then(|published| {
        let taken = app.replay(app.start(), published);
        let moved = taken.accepted() && taken.state != *app.start();
        moved.then(|| (taken.state.order(), app.replay(&taken.state, bundle)))
    });
    (fresh, updated)
}
