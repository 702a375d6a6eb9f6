//! The main job, shown: one scenario against a backend, an impostor and an interceptor, by every
//! client there is. `scripts/demo` builds what this runs.

mod client;
mod place;
mod process;
mod rotate;
mod table;
mod who;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use client::Client;
use place::Place;
use table::Table;

/// Runs the scenario of each client and compares what happened with what should have.
#[derive(Parser)]
struct Options {
    /// A folder for certificates, pin sets and logs.
    #[arg(long, value_name = "DIR")]
    work: PathBuf,
    /// The `pinfold` binary.
    #[arg(long, value_name = "FILE")]
    cli: PathBuf,
    /// Another client: a shell command that prints a line `STEP OUTCOME` for each step.
    #[arg(long = "client", value_name = "NAME=COMMAND", value_parser = Client::parse)]
    clients: Vec<Client>,
    /// nginx as backend and impostor, mitmproxy as interceptor.
    #[arg(long)]
    real: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("demo: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<bool, String> {
    let place = Place::new(&options.work, options.real)?;
    let mut table = Table::default();
    let cli = Client::cli(&options.cli);
    let clients = std::iter::once(&cli).chain(&options.clients).collect::<Vec<_>>();
    for client in &clients {
        eprintln!("» {}", client.name);
        place.forget()?;
        let outcomes = client.run(&place)?;
        let seen = place.seen(client.keeps_connections)?;
        table.add(&client.name, outcomes, seen);
    }
    let good = table.print(&place.description(), place.interceptor());
    let who = who::run(&place, &clients)?;
    Ok(rotate::run(&place, &clients)? && who && good)
}
