//! `pinfold`: the tool of the people who own the pins.

#![forbid(unsafe_code)]

mod author;
mod bundle;
mod diff;
#[cfg(test)]
mod docs;
mod document;
mod draft;
mod encrypted;
mod evaluate;
mod export;
mod extras;
mod failure;
mod fetch;
mod file;
mod findings;
mod identity;
mod import;
mod input;
mod keygen;
mod lint;
mod members;
mod network_security;
mod output;
mod passphrase;
mod pem;
mod pin;
mod pinset_file;
mod pkcs11;
mod proxy;
mod publish;
mod root;
mod root_file;
mod secret;
mod settings;
mod sign;
mod signer;
mod stores;
mod survey;
mod terminal;
mod verify;
mod view;
mod watch;
mod web;
mod when;
mod xml;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use failure::Failure;

/// With how it was built.
const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit   ",
    env!("PINFOLD_COMMIT"),
    "\ntarget   ",
    env!("PINFOLD_TARGET"),
    "\nprofile  ",
    env!("PINFOLD_PROFILE"),
    "\ncompiler ",
    env!("PINFOLD_RUSTC"),
);

/// Make, check and use certificate pins.
///
/// Options that are not given come from the environment (PINFOLD_LINT_ANDROID for `lint --android`),
/// and then from pinfold.toml in the working folder (docs/cli.md).
#[derive(Parser)]
#[command(
    name = "pinfold", version, long_version = LONG_VERSION, max_term_width = 100,
    after_help = failure::EXIT_CODES
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Pin(pin::Arguments),
    Evaluate(evaluate::Arguments),
    Fetch(fetch::Arguments),
    Keygen(keygen::Arguments),
    Root(root::Arguments),
    Init(author::InitArguments),
    Host(author::HostArguments),
    Block(author::BlockArguments),
    Inspect(author::InspectArguments),
    Renew(author::RenewArguments),
    Diff(diff::Arguments),
    Export(export::Arguments),
    Import(import::Arguments),
    Lint(lint::Arguments),
    Sign(sign::SignArguments),
    Tbs(sign::TbsArguments),
    Attach(sign::AttachArguments),
    Bundle(bundle::BundleArguments),
    Embed(bundle::EmbedArguments),
    Verify(verify::Arguments),
    Publish(publish::Arguments),
    CheckLive(watch::CheckArguments),
    Monitor(watch::MonitorArguments),
    Completions(extras::CompletionsArguments),
    Man(extras::ManArguments),
}

fn main() -> ExitCode {
    let given = match settings::arguments(&Arguments::command()) {
        Ok(given) => given,
        Err(failure) => return failure.report(std::env::args_os().any(|a| a == "--json")),
    };
    let arguments = match Arguments::try_parse_from(given) {
        Ok(arguments) => arguments,
        // Help and version are printed as ever; so are wrong arguments, unless JSON was asked for.
        Err(e) if e.use_stderr() && std::env::args_os().any(|a| a == "--json") => {
            return Failure::input("arguments", e.render()).report(true);
        }
        Err(e) => e.exit(),
    };
    let done = |()| ExitCode::SUCCESS;
    let (json, result) = match arguments.command {
        Command::Pin(arguments) => (arguments.json, pin::run(&arguments).map(done)),
        Command::Evaluate(arguments) => (arguments.json, evaluate::run(&arguments)),
        Command::Fetch(arguments) => (arguments.json, fetch::run(&arguments).map(done)),
        Command::Keygen(arguments) => (arguments.json, keygen::run(&arguments).map(done)),
        Command::Root(arguments) => (arguments.json(), root::run(&arguments).map(done)),
        Command::Init(arguments) => (arguments.json, author::init(&arguments).map(done)),
        Command::Host(arguments) => (arguments.json(), author::host(&arguments).map(done)),
        Command::Block(arguments) => (arguments.common.json, author::block(&arguments).map(done)),
        Command::Inspect(arguments) => (arguments.json(), author::inspect(&arguments).map(done)),
        Command::Renew(arguments) => (arguments.common.json, author::renew(&arguments).map(done)),
        Command::Diff(arguments) => (arguments.json, diff::run(&arguments)),
        Command::Import(arguments) => (arguments.json, import::run(&arguments)),
        Command::Export(arguments) => (false, export::run(&arguments).map(done)),
        Command::Lint(arguments) => (arguments.json, lint::run(&arguments)),
        Command::Sign(arguments) => (arguments.json(), sign::sign(&arguments).map(done)),
        Command::Tbs(arguments) => (arguments.json, sign::tbs(&arguments).map(done)),
        Command::Attach(arguments) => (arguments.json(), sign::attach(&arguments).map(done)),
        Command::Bundle(arguments) => (arguments.json, bundle::bundle(&arguments).map(done)),
        Command::Embed(arguments) => (arguments.json, bundle::embed(&arguments).map(done)),
        Command::Verify(arguments) => (arguments.json, verify::run(&arguments)),
        Command::Publish(arguments) => (arguments.json, publish::run(&arguments)),
        Command::CheckLive(arguments) => (arguments.json, watch::check(&arguments)),
        Command::Monitor(arguments) => (arguments.json, watch::monitor(&arguments)),
        Command::Completions(arguments) => {
            (false, extras::completions(&arguments, Arguments::command()).map(done))
        }
        Command::Man(arguments) => (false, extras::man(&arguments, Arguments::command()).map(done)),
    };
    match result {
        Ok(code) => code,
        Err(failure) => failure.report(json),
    }
}
