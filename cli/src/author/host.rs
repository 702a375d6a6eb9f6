//! `pinfold host`: entries and their pins.

use clap::{Args, Subcommand};
use pinfold_core::pin::HostName;

use super::add::Add;
use super::mode::ModeWord;
use super::text::{Step, quoted};
use super::{Common, Draft, ENTRY, PIN, host_name, pins};
use crate::failure::Failure;

/// Add, change and remove hosts and their pins.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Add(Box<Add>),
    Promote(Promote),
    Retire(Named),
    Remove(Remove),
    Mode(SetMode),
}

/// Put a backup pin to use.
///
/// For the day on which the server begins to present its key. The pins that were active so far are
/// still needed while the change reaches all servers and caches: --retire-others marks them, so that
/// reports say when the last of them can go.
#[derive(Args)]
#[command(after_help = "\
Example:
  pinfold host promote pins.json api.example.com sRHdih --retire-others")]
struct Promote {
    #[command(flatten)]
    named: Named,
    /// Mark the pins that were active as on their way out
    #[arg(long)]
    retire_others: bool,
}

/// Mark a pin as on its way out: it still matches, and reports say so.
#[derive(Args)]
struct Named {
    #[command(flatten)]
    common: Common,
    /// The host of the entry
    host: String,
    /// Which: its digest or the beginning of it, or its label
    pin: String,
}

/// Remove pins, or a whole entry.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold host remove pins.json api.example.com YLh1dU
  pinfold host remove pins.json status.example.com --entry")]
struct Remove {
    #[command(flatten)]
    common: Common,
    /// The host of the entry
    host: String,
    /// Which: its digest or the beginning of it, or its label
    #[arg(required_unless_present = "entry", conflicts_with = "entry")]
    pins: Vec<String>,
    /// The entry itself, with all its pins
    #[arg(long)]
    entry: bool,
}

/// Say what happens when no pin matches.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold host mode pins.json api.example.com enforce --percent 1      of the devices
  pinfold host mode pins.json api.example.com enforce
  pinfold host mode pins.json api.example.com off                      in an emergency")]
struct SetMode {
    #[command(flatten)]
    common: Common,
    /// The host of the entry
    host: String,
    /// What happens
    mode: ModeWord,
    /// The share of devices that enforce; the others report [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=100))]
    percent: Option<u8>,
}

impl Arguments {
    pub(crate) fn json(&self) -> bool {
        match &self.action {
            Action::Add(add) => add.common.json,
            Action::Promote(promote) => promote.named.common.json,
            Action::Retire(retire) => retire.common.json,
            Action::Remove(remove) => remove.common.json,
            Action::Mode(mode) => mode.common.json,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.action {
        Action::Add(add) => add.run(),
        Action::Promote(promote) => promote.named.set_state("active", promote.retire_others),
        Action::Retire(retire) => retire.set_state("retiring", false),
        Action::Remove(remove) => remove.run(),
        Action::Mode(mode) => mode.run(),
    }
}

/// Where the entry of a host is, and the host.
fn entry(draft: &Draft<'_>, host: &str) -> Result<(usize, HostName), Failure> {
    let host = host_name("HOST", host)?;
    Ok((draft.expect_position(&host)?, host))
}

impl Named {
    fn set_state(&self, state: &str, retire_others: bool) -> Result<(), Failure> {
        let mut draft = Draft::read(&self.common)?;
        let (i, host) = entry(&draft, &self.host)?;
        let json = draft.json();
        let written = &json["hosts"][i];
        let which = pins::position(&format!("the entry of {host}"), written, &self.pin)?;
        let mut changes = vec![(which, state)];
        if retire_others {
            let is_active =
                |n: &usize| written["pins"][*n]["state"].as_str().unwrap_or("active") == "active";
            let count = written["pins"].as_array().map_or(0, Vec::len);
            changes.extend(
                (0..count).filter(|n| *n != which).filter(is_active).map(|n| (n, "retiring")),
            );
        }
        for (n, state) in changes {
            let path = [Step::Member("hosts"), Step::Item(i), Step::Member("pins"), Step::Item(n)];
            draft.set(&path, "state", &quoted(state), &PIN)?;
        }
        draft.finish()
    }
}

impl Remove {
    fn run(&self) -> Result<(), Failure> {
        let mut draft = Draft::read(&self.common)?;
        let (i, host) = entry(&draft, &self.host)?;
        let mut path = vec![Step::Member("hosts"), Step::Item(i)];
        if self.entry {
            draft.remove(&path)?;
        }
        path.push(Step::Member("pins"));
        for name in &self.pins {
            let json = draft.json();
            let which = pins::position(&format!("the entry of {host}"), &json["hosts"][i], name)?;
            path.push(Step::Item(which));
            draft.remove(&path)?;
            path.pop();
        }
        draft.finish()
    }
}

impl SetMode {
    fn run(&self) -> Result<(), Failure> {
        let mut draft = Draft::read(&self.common)?;
        let (i, _) = entry(&draft, &self.host)?;
        let path = [Step::Member("hosts"), Step::Item(i)];
        draft.set(&path, "mode", &quoted(self.mode.word()), &ENTRY)?;
        match self.percent {
            Some(percent) => {
                draft.set(&path, "enforce_percent", &percent.to_string(), &ENTRY)?;
            }
            // A share from before would go on holding some devices back.
            None if draft.json()["hosts"][i].get("enforce_percent").is_some() => {
                draft.remove(&[path[0], path[1], Step::Member("enforce_percent")])?;
            }
            None => {}
        }
        draft.finish()
    }
}
