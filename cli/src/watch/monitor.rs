//! `pinfold monitor`: the same on a schedule, with the mirrors, for people and for Prometheus.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::check::Asking;
use super::look::Look;
use super::mirrors::{self, Watched};
use super::request::Asked;
use super::serve::{self, Answer};
use super::{metrics, page};
use crate::failure::Failure;
use crate::{input, output, terminal, verify, web, when};

/// Watch servers and mirrors, and tell Prometheus and people.
///
/// Asks every server of the pin sets and every update URL on a schedule. A mirror is compared with
/// the bundle that git has (--published, with the history of that file): an older one is stale, one
/// that was never in git is unknown, and another one under the same number equivocates. Serves a page
/// on /, metrics for Prometheus on /metrics and /healthz, which is 503 where nobody has looked for
/// three intervals. Nothing of it is secret, and nothing can be changed by it; who may see it is for
/// whatever is in front of it to say.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold monitor pins.json --published public/bundle.json --embedded releases/*.json
  pinfold monitor pins.json --published public/bundle.json --once      a job's single look
  pinfold monitor --print rules > /etc/prometheus/pinfold.rules.yml
  pinfold monitor --print dashboard > pinfold-dashboard.json           to be imported into Grafana")]
pub(crate) struct Arguments {
    /// The pin sets, in any form; read anew at each look
    #[arg(value_name = "PINSET", required_unless_present = "print")]
    pinsets: Vec<String>,
    #[command(flatten)]
    asking: Asking,
    /// The bundle that every mirror should have; best a file in git, whose history is known then
    #[arg(long, value_name = "BUNDLE")]
    published: Option<String>,
    /// Other bundles that were published on purpose
    #[arg(long, value_name = "BUNDLE", num_args = 1.., requires = "published")]
    known: Vec<String>,
    /// An update URL beside those of the bundle and of the apps; may be given several times
    #[arg(long = "url", value_name = "URL", requires = "published")]
    urls: Vec<String>,
    /// What a version of the app ships with: it must take what mirrors have
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "published")]
    embedded: Vec<String>,
    /// Where the page is served
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:9768")]
    listen: SocketAddr,
    /// Seconds from one look to the next
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    interval: u64,
    /// Look once, say what was seen, and end as check-live does
    #[arg(long)]
    once: bool,
    /// When, with --once [default: now]
    #[arg(long, value_name = "RFC3339", requires = "once")]
    at: Option<String>,
    /// Print what is needed elsewhere, and end
    #[arg(long, value_name = "WHAT")]
    print: Option<Printed>,
    /// Print JSON, with --once
    #[arg(long, requires = "once")]
    pub(crate) json: bool,
}

/// What is needed elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Printed {
    /// Prometheus's rules for alerts
    Rules,
    /// Grafana's dashboard
    Dashboard,
}

impl Printed {
    fn text(self) -> &'static str {
        match self {
            Self::Rules => include_str!("../../data/pinfold.rules.yml"),
            Self::Dashboard => include_str!("../../data/grafana.json"),
        }
    }
}

/// What was seen the last time, and why nothing was since.
#[derive(Default)]
struct State {
    look: Option<Look>,
    failed: Option<String>,
    /// When the last look ended well.
    ended: Option<Instant>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some(what) = arguments.print {
        return output::print(what.text().as_bytes()).map(|()| ExitCode::SUCCESS);
    }
    if arguments.once {
        let look = look(arguments)?;
        if arguments.json {
            output::print_json(&look.to_json())?;
        } else {
            output::print(look.words().as_bytes())?;
        }
        return Ok(look.exit_code());
    }
    // What is wrong with the arguments is said before anything is served.
    let first = look(arguments)?;
    let state = Arc::new(RwLock::new(State::default()));
    take(&state, Ok(first));
    let (served, patience) = (state.clone(), Duration::from_secs(arguments.interval * 3));
    let address = serve::start(arguments.listen, move |asked| {
        answer(&served.read().unwrap_or_else(PoisonError::into_inner), asked, patience)
    });
    let address = address.map_err(|e| Failure::output(arguments.listen.to_string(), e))?;
    output::print(format!("listening  http://{address}/\n").as_bytes())?;
    loop {
        std::thread::sleep(Duration::from_secs(arguments.interval));
        take(&state, look(arguments));
    }
}

fn look(arguments: &Arguments) -> Result<Look, Failure> {
    let at = when::time_or_now("--at", arguments.at.as_deref())?;
    let began = Instant::now();
    let mirrors = arguments.published.is_some();
    let documents = arguments.asking.plan(&arguments.pinsets, mirrors)?.documents(at)?;
    let mirrors = match &arguments.published {
        None => Vec::new(),
        Some(path) => {
            let watched = Watched {
                path: path.clone(),
                others: arguments.known.clone(),
                urls: arguments.urls.clone(),
            };
            let apps = verify::apps(&arguments.embedded)?;
            let urls = watched.urls(&apps)?;
            let roots = input::roots(&arguments.asking.roots)?;
            let client = web::client(roots, &arguments.asking.connect)?;
            let published = watched.published()?;
            mirrors::look(&urls, &mirrors::Terms { client, published, apps })
        }
    };
    Ok(Look { at, took: began.elapsed(), documents, mirrors })
}

/// Keeps what was seen; a look that failed leaves the one before, and is told.
fn take(state: &RwLock<State>, result: Result<Look, Failure>) {
    let mut state = state.write().unwrap_or_else(PoisonError::into_inner);
    match result {
        Ok(look) => {
            for (whose, trouble) in look.troubles() {
                terminal::warn(&format!("{whose}: {}: {}", trouble.code.name(), trouble.text));
            }
            *state = State { look: Some(look), failed: None, ended: Some(Instant::now()) };
        }
        Err(failure) => {
            terminal::warn(&failure.message());
            state.failed = Some(failure.message());
        }
    }
}

fn answer(state: &State, asked: Asked, patience: Duration) -> Answer {
    let (look, failed) = (state.look.as_ref(), state.failed.as_deref());
    let well = state.ended.is_some_and(|ended| ended.elapsed() < patience);
    let (status, content_type, body) = match asked {
        Asked::Metrics => (200, metrics::CONTENT_TYPE, metrics::exposition(look)),
        Asked::Style => (200, "text/css; charset=utf-8", page::STYLE.to_owned()),
        Asked::Health if well => (200, "text/plain; charset=utf-8", "ok\n".to_owned()),
        Asked::Health => {
            let text = "nobody has looked for three intervals\n";
            (503, "text/plain; charset=utf-8", text.to_owned())
        }
        Asked::Page | Asked::Nothing | Asked::Method => {
            (200, "text/html; charset=utf-8", page::page(look, failed))
        }
    };
    Answer { status, content_type, body }
}
