//! `pinfold check-live`: one look at the servers.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use super::look::{Look, Plan};
use super::metrics;
use crate::failure::Failure;
use crate::survey::Named;
use crate::{fetch, input, output, when};

/// Ask every server of the pin sets whether its pins hold, from here and now.
///
/// For each entry that is not `off`: whether clients would accept its server, how long the certificate
/// and the pins last, whether a spare pin is left that nothing uses, and with --seen what has changed.
/// The codes of what may be wrong are in docs/cli.md. Exit code 0: nothing is; 1: something; 2: a file
/// cannot be used.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold check-live pins.json
  pinfold check-live pins/*.json --seen seen.json --junit check.xml
  pinfold check-live pins.json --prometheus /var/lib/node_exporter/pinfold.prom
  pinfold check-live pins.json --connect api.example.com:443:10.0.0.7 --roots ca.pem --json")]
pub(crate) struct Arguments {
    /// The pin sets, in any form
    #[arg(value_name = "PINSET", required = true)]
    pinsets: Vec<String>,
    #[command(flatten)]
    pub(super) asking: Asking,
    /// When, for what depends on it [default: now]
    #[arg(long, value_name = "RFC3339")]
    at: Option<String>,
    /// Write the result in JUnit's XML too
    #[arg(long, value_name = "FILE")]
    junit: Option<String>,
    /// Write metrics for Prometheus too, as node_exporter's textfile collector reads them
    #[arg(long, value_name = "FILE")]
    prometheus: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How servers are asked.
#[derive(Args)]
pub(super) struct Asking {
    /// Ask ADDR instead of looking HOST up; may be given several times
    #[arg(long, value_name = "HOST:PORT:ADDR", value_parser = fetch::parse_connect)]
    pub(super) connect: Vec<Named>,
    /// The authorities behind `system_and_pin`: `system`, `bundled` or a file of certificates
    #[arg(long, value_name = "FILE|system|bundled", default_value = "system")]
    pub(super) roots: String,
    /// How many servers are asked at once
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub(super) jobs: usize,
    /// Days before an end from which on it is told
    #[arg(long, value_name = "DAYS", default_value_t = 14)]
    pub(super) warn_days: u64,
    /// What servers presented the last time; written anew
    #[arg(long, value_name = "FILE")]
    pub(super) seen: Option<String>,
}

impl Asking {
    pub(super) fn plan<'a>(
        &'a self,
        pinsets: &'a [String],
        mirrors: bool,
    ) -> Result<Plan<'a>, Failure> {
        Ok(Plan {
            pinsets,
            connect: &self.connect,
            mirrors,
            roots: input::roots(&self.roots)?,
            jobs: self.jobs,
            warn: self.warn_days,
            seen: self.seen.as_deref(),
        })
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let at = when::time_or_now("--at", arguments.at.as_deref())?;
    let began = Instant::now();
    let documents = arguments.asking.plan(&arguments.pinsets, false)?.documents(at)?;
    let look = Look { at, took: began.elapsed(), documents, mirrors: Vec::new() };
    if let Some(path) = &arguments.junit {
        output::write_file(path, look.junit().as_bytes())?;
    }
    if let Some(path) = &arguments.prometheus {
        output::write_file(path, metrics::exposition(Some(&look)).as_bytes())?;
    }
    if arguments.json {
        output::print_json(&look.to_json())?;
    } else {
        output::print(look.words().as_bytes())?;
    }
    Ok(look.exit_code())
}
