//! `pinfold diff`: what changes for clients that go from one pin set to another.

mod change;
mod compare;
mod entries;

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

pub(crate) use change::{Change, Effect, Kind};
pub(crate) use compare::compare;
pub(crate) use entries::{at_word, state_word};

use crate::failure::Failure;
use crate::{output, pinset_file};

/// Say what changes from one pin set to another, weakenings first.
///
/// Each may be in any form: as people write it, static or signed, a bundle, or what an app ships
/// with. Order, layout and defaults that are written out are no difference. Exit code 0: nothing is
/// weaker; 1: something is, and someone else should look at it; 2: a file cannot be used.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold diff old.json pins.json
  git show main:pins.json | pinfold diff - pins.json
  pinfold diff public/bundle.json pins.json        what is published, and what is to be signed
  pinfold diff public/bundle.json pins.json --json")]
pub(crate) struct Arguments {
    /// What clients have
    old: String,
    /// What they will get
    new: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let old = pinset_file::read_published(&arguments.old)?;
    let new = pinset_file::read(&arguments.new, None)?;
    let changes = compare(&old.view(), &new.view());
    let weaker = changes.iter().any(|change| change.effect == Effect::Weakens);
    if arguments.json {
        output::print_json(&json!({ "weakens": weaker, "changes": to_json(&changes) }))?;
    } else {
        output::print(words(&changes).as_bytes())?;
    }
    Ok(ExitCode::from(u8::from(weaker)))
}

/// One line each, or that there is none.
pub(crate) fn words(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "nothing changes for clients\n".to_owned();
    }
    changes.iter().map(|change| change.words() + "\n").collect()
}

pub(crate) fn to_json(changes: &[Change]) -> serde_json::Value {
    changes.iter().map(Change::to_json).collect()
}
