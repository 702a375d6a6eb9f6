//! `pinfold`: the tool of the people who own the pins.

#![forbid(unsafe_code)]

mod evaluate;
mod failure;
mod fetch;
mod input;
mod live;
mod output;
mod pin;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use failure::Failure;

/// Make, check and use certificate pins.
#[derive(Parser)]
#[command(name = "pinfold", version, max_term_width = 100, after_help = failure::EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Pin(pin::Arguments),
    Evaluate(evaluate::Arguments),
    Fetch(fetch::Arguments),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help and version are printed as ever; so are wrong arguments, unless JSON was asked for.
        Err(e) if e.use_stderr() && std::env::args_os().any(|a| a == "--json") => {
            return Failure::input("arguments", e.render()).report(true);
        }
        Err(e) => e.exit(),
    };
    let (json, result) = match arguments.command {
        Command::Pin(arguments) => {
            (arguments.json, pin::run(&arguments).map(|()| ExitCode::SUCCESS))
        }
        Command::Evaluate(arguments) => (arguments.json, evaluate::run(&arguments)),
        Command::Fetch(arguments) => {
            (arguments.json, fetch::run(&arguments).map(|()| ExitCode::SUCCESS))
        }
    };
    match result {
        Ok(code) => code,
        Err(failure) => failure.report(json),
    }
}
