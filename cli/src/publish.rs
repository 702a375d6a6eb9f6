//! `pinfold publish`: the bundle goes out only if nobody is left behind.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use pinfold_core::pinset::{Bundle, Order};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::file::File;
use crate::lint::{self, Case, Finding};
use crate::pinset_file::{Around, PinSetFile};
use crate::root_file::last_root;
use crate::verify::{App, Trace};
use crate::{document, output, terminal, verify, when};

/// Put a bundle into a folder, as bundle.json, if every app in the field can take it.
///
/// That is replayed from what each version of the app ships with, and from there again for clients
/// that have taken what the folder holds now. An older bundle than that is refused, and so is a pin
/// set that breaks a rule of good practice whose ID begins with E (`pinfold lint`), such as one that
/// has ended; of those with W and of a root near its end it warns. Exit code 1: refused, and the
/// folder is as it was.
///
/// Clients ask with the file's SHA-256, as 64 hexadecimal digits in quotes: a server that sends just
/// that as `ETag` need not send the file again to who has it.
#[derive(Args)]
#[command(after_help = "\
Example:
  pinfold publish --embedded releases/*.json --bundle bundle.json --to /srv/pins/v1")]
pub(crate) struct Arguments {
    /// What a version of the app ships with
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    embedded: Vec<String>,
    /// What is to be published
    #[arg(long, value_name = "FILE")]
    bundle: String,
    /// The folder that is served; made where it is not there yet
    #[arg(long, value_name = "DIR")]
    to: String,
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

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let at = when::time_or_now("--at", arguments.at.as_deref())?;
    let apps = verify::apps(&arguments.embedded)?;
    let file = File::read(&arguments.bundle)?;
    let bundle = document::bundle(&file)?;
    let bytes = file.bytes();
    let folder = Path::new(&arguments.to);
    if folder.exists() && !folder.is_dir() {
        return Err(Failure::output(&arguments.to, "not a folder"));
    }
    let target = folder.join("bundle.json");
    let target = target.to_str().ok_or_else(|| Failure::output(&arguments.to, "not UTF-8"))?;
    let published = match Path::new(target).try_exists() {
        Ok(false) => None,
        Ok(true) => Some(verify::read_published(target)?),
        Err(e) => return Err(Failure::input(target, e)),
    };

    if let Some(published) = &published
        && stream(published) != stream(&bundle)
    {
        let reason = format!("of another series, {}", stream(published));
        return Err(Failure::input(target, reason));
    }

    let mut traces = Vec::new();
    let mut older = None;
    for app in &apps {
        let (fresh, updated) = replay(app, published.as_ref(), &bundle);
        if let Some((before, _)) = &updated
            && fresh.state.order() < *before
        {
            older = Some(format!("{target}: what is published is newer"));
        }
        traces.push(fresh);
        traces.extend(updated.map(|(_, trace)| trace.after("the published bundle")));
    }
    let stranded = traces.iter().any(Trace::stranded);
    let case = Case {
        pinset: of_bundle(&arguments.bundle, &bundle)?,
        published: published.as_ref().map(|there| of_bundle(target, there)).transpose()?,
        root: last_root(&bundle),
        apps: apps.iter().map(App::update_urls).collect(),
        bytes: bytes.len(),
        at,
    };
    let findings = lint::check(&case);
    // A root near its end must not keep out what an emergency needs.
    let passes = |id: &str| id == "E08" || (id == lint::ENDED && arguments.even_lapsed);
    let refuses = |finding: &&Finding| finding.refuses() && !passes(finding.id);
    let broken = findings.iter().filter(refuses).map(Finding::words);
    let reasons: Vec<_> = older.into_iter().chain(broken).collect();
    let refused = stranded || !reasons.is_empty();
    if !refused {
        std::fs::create_dir_all(folder).map_err(|e| Failure::output(&arguments.to, e))?;
        output::write_file(target, bytes)?;
    }
    if arguments.json {
        let all: Vec<_> = traces.iter().map(|trace| trace.to_json(at)).collect();
        let findings: Vec<_> = findings.iter().map(Finding::to_json).collect();
        output::print_json(&json!({
            "published": !refused, "output": target, "reason": reasons.first(), "traces": all,
            "findings": findings,
        }))?;
    } else {
        verify::report(&traces, at, false)?;
        let fate = if refused { "refused" } else { "published" };
        output::print(format!("{fate}  {target}\n").as_bytes())?;
        for finding in findings.iter().filter(|finding| !refuses(finding)) {
            terminal::warn(&finding.words());
        }
        for reason in reasons {
            eprintln!("{} {reason}", terminal::red("error:"));
        }
    }
    Ok(ExitCode::from(u8::from(refused)))
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
