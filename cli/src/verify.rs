//! `pinfold verify`: what the apps in the field would do with a bundle.

use std::process::ExitCode;

use clap::Args;
use pinfold_core::format_rfc3339_utc;
use pinfold_core::pinset::{Bundle, Embedded, Envelope, State, accept, enforcement};
use serde_json::{Value, json};

use crate::document::{self, Kind};
use crate::failure::Failure;
use crate::file::File;
use crate::{output, when};

/// Replay a bundle from every version of the app that is in the field.
///
/// Exit code 0: every one of them accepts it; 1: one rejects it; 2: a file is unusable. One that
/// accepts it, but finds no way to the newest root in it, is told as stranded.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold verify --embedded app-1.0.json app-1.1.json --bundle bundle.json
  pinfold verify --embedded releases/*.json --bundle bundle.json --at 2027-06-30T00:00:00Z --json")]
pub(crate) struct Arguments {
    /// What a version of the app ships with
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    embedded: Vec<String>,
    /// What is, or would be, published
    #[arg(long, value_name = "FILE")]
    bundle: String,
    /// For the state: whether the pin set is fresh, stale or lapsed then [default: now]
    #[arg(long, value_name = "RFC3339")]
    at: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where an app of the field begins.
pub(crate) struct App {
    path: String,
    embedded: Embedded,
    start: State,
}

/// How a client fares with a bundle.
pub(crate) struct Trace {
    path: String,
    /// The state that it has afterwards, which is the one before where it refuses.
    pub(crate) state: State,
    built: u64,
    accepted: bool,
    /// A stable code and words, where the client is stranded.
    trouble: Option<(&'static str, String)>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let at = when::time_or_now("--at", arguments.at.as_deref())?;
    let apps = apps(&arguments.embedded)?;
    let bundle = document::bundle(&File::read(&arguments.bundle)?)?;
    let traces: Vec<_> = apps.iter().map(|app| app.replay(&app.start, &bundle)).collect();
    report(&traces, at, arguments.json)?;
    Ok(exit_code(&traces))
}

pub(crate) fn apps(paths: &[String]) -> Result<Vec<App>, Failure> {
    let app = |path: &String| {
        let embedded = document::embedded_in_field(&File::read(path)?)?;
        document::warn_unknown(path, "root", Kind::Root, &embedded.root);
        document::warn_unknown(path, "pinset", Kind::Pinset, &embedded.pinset);
        let start = State::from_embedded(&embedded).map_err(|e| Failure::rejected(path, e))?;
        Ok(App { path: path.clone(), embedded, start })
    };
    paths.iter().map(app).collect()
}

/// Reads a bundle that is published already, whatever it says.
pub(crate) fn read_published(path: &str) -> Result<Bundle, Failure> {
    Bundle::parse(File::read(path)?.bytes()).map_err(|e| Failure::rejected(path, e))
}

fn exit_code(traces: &[Trace]) -> ExitCode {
    ExitCode::from(u8::from(traces.iter().any(|trace| !trace.accepted)))
}

/// The highest version that a root in the bundle claims.
fn newest_root(bundle: &Bundle) -> u64 {
    let version =
        |root: &Envelope| serde_json::from_slice::<Value>(&root.payload).ok()?["version"].as_u64();
    bundle.roots.iter().filter_map(version).max().unwrap_or_default()
}

impl App {
    /// Its file, and where it looks for updates by itself.
    pub(crate) fn update_urls(&self) -> (String, Vec<String>) {
        (self.path.clone(), self.embedded.update_urls.clone())
    }

    /// The state that it ships with.
    pub(crate) fn start(&self) -> &State {
        &self.start
    }

    /// Offers a bundle to a client of this app in the given state.
    pub(crate) fn replay(&self, from: &State, bundle: &Bundle) -> Trace {
        let result = accept(from, bundle, &self.embedded.audience);
        let accepted = result.is_ok();
        let (state, trouble) = match result {
            Ok(state) => {
                // Taken today, but out of reach of tomorrow's roots.
                let (at, newest) = (state.root().version(), newest_root(bundle));
                let trouble = (at < newest).then(|| {
                    let detail = format!("stays at root {at}, with no way from there to {newest}");
                    ("incomplete_chain", detail)
                });
                (state, trouble)
            }
            Err(e) => (from.clone(), Some((e.code(), format!("{}: {}", e.place, e.reason)))),
        };
        Trace { path: self.path.clone(), state, built: self.embedded.built, accepted, trouble }
    }
}

impl Trace {
    pub(crate) fn accepted(&self) -> bool {
        self.accepted
    }

    /// Whether the client is left behind.
    pub(crate) fn stranded(&self) -> bool {
        self.trouble.is_some()
    }

    /// What is the matter where it is left behind, and with which app.
    pub(crate) fn trouble(&self) -> Option<String> {
        let (code, detail) = self.trouble.as_ref()?;
        Some(format!("{}: {code}: {detail}", self.path))
    }

    /// The same of a client that had already taken something else.
    pub(crate) fn after(mut self, what: &str) -> Self {
        self.path = format!("{} with {what}", self.path);
        self
    }

    pub(crate) fn to_json(&self, at: u64) -> Value {
        let order = self.state.order();
        json!({
            "embedded": self.path,
            "accepted": self.accepted,
            "stranded": self.stranded(),
            "reason": self.trouble.as_ref().map(|(code, _)| code),
            "detail": self.trouble.as_ref().map(|(_, detail)| detail),
            "root_version": order.root,
            "version": order.pinset,
            "epoch": order.epoch,
            "state": enforcement::freshness(&self.state, at, self.built).name(),
        })
    }

    fn words(&self, at: u64) -> String {
        let order = self.state.order();
        let mut line = format!(
            "{}  {}  root {}, epoch {}, pin set {}, {}",
            if self.accepted { "accepted" } else { "rejected" },
            self.path,
            order.root,
            order.epoch,
            order.pinset,
            enforcement::freshness(&self.state, at, self.built).name(),
        );
        if let Some((code, detail)) = &self.trouble {
            line += &format!("; {code}: {detail}");
        }
        line + "\n"
    }
}

/// Prints every trace.
pub(crate) fn report(traces: &[Trace], at: u64, json: bool) -> Result<(), Failure> {
    if json {
        // For the whole stands the first that went wrong, else the first of all.
        let whole = traces.iter().find(|trace| !trace.accepted);
        let whole = whole.or_else(|| traces.iter().find(|trace| trace.stranded()));
        let whole =
            whole.or_else(|| traces.first()).map(|trace| trace.to_json(at)).unwrap_or_default();
        let mut json = json!({
            "at": format_rfc3339_utc(at),
            "traces": traces.iter().map(|trace| trace.to_json(at)).collect::<Vec<_>>(),
        });
        for member in [
            "accepted",
            "stranded",
            "reason",
            "detail",
            "root_version",
            "version",
            "epoch",
            "state",
        ] {
            json[member] = whole[member].clone();
        }
        return output::print_json(&json);
    }
    let lines: String = traces.iter().map(|trace| trace.words(at)).collect();
    output::print(lines.as_bytes())
}
