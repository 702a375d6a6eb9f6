//! `pinfold`: the tool of the people who own the pins.

#![forbid(unsafe_code)]

mod failure;
mod fetch;
mod input;
mod live;
mod output;
mod pin;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    Fetch(fetch::Arguments),
}

fn main() -> ExitCode {
    let (json, result) = match Arguments::parse().command {
        Command::Pin(arguments) => (arguments.json, pin::run(&arguments)),
        Command::Fetch(arguments) => (arguments.json, fetch::run(&arguments)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}
