//! `pinfold export`: a pin set in the formats of others, with its meaning or not at all.

mod code;
mod config;
mod json;
mod plan;
mod plist;
mod target;

use clap::Args;
use pinfold_core::pin::Pin;

use plan::{Loss, Plan};
use target::{Carry, Meaning, Target};

use crate::failure::Failure;
use crate::view::View;
use crate::{output, pinset_file, terminal};

/// Write a pin set in the format of another library or platform.
///
/// What the format cannot say is refused, with the reason (the table is in docs/cli.md): a pin set that
/// means something else there protects less, or locks clients out, and nobody sees it. --approximate
/// lets through what only protects less, and the file says so in a comment.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold export pins.json --to nsc -o app/src/main/res/xml/network_security_config.xml
  pinfold export pins.json --to okhttp --approximate=leaf_only,expiry -o Pins.kt
  pinfold export pins.json --to nspinneddomains --approximate")]
pub(crate) struct Arguments {
    /// The pin set, in any form
    #[arg(value_name = "PINSET")]
    file: String,
    /// The format
    #[arg(long)]
    to: Target,
    /// The file to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,
    /// The package of a Kotlin file
    #[arg(long, value_name = "NAME", value_parser = parse_package)]
    package: Option<String>,
    /// Let the file say less than the pin set: all that can be let through, or what is named
    #[arg(
        long, value_name = "MEANING,…", num_args = 0..=1, require_equals = true, value_delimiter = ',',
        default_missing_value = "all", value_parser = parse_meaning
    )]
    approximate: Option<Vec<Option<Meaning>>>,
}

/// A meaning, or all of them.
fn parse_meaning(text: &str) -> Result<Option<Meaning>, String> {
    if text == "all" {
        return Ok(None);
    }
    clap::ValueEnum::from_str(text, false).map(Some)
}

/// A name such as `com.example.bank`.
fn parse_package(text: &str) -> Result<String, String> {
    let is_name = |name: &str| {
        let mut letters = name.chars();
        letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if text.split('.').all(is_name) {
        return Ok(text.to_owned());
    }
    Err("not the name of a package, such as com.example.bank".to_owned())
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let view = pinset_file::read(&arguments.file, None)?.view();
    let plan = plan::plan(&view, arguments.to);
    let may = |loss: &Loss| match loss.carry {
        Carry::Exactly | Carry::Rounded(_) => true,
        Carry::Instead(_) => arguments
            .approximate
            .as_ref()
            .is_some_and(|which| which.contains(&None) || which.contains(&Some(loss.meaning))),
        Carry::Refused(_) => false,
    };
    let refused: Vec<_> = plan.losses.iter().filter(|loss| !may(loss)).map(Loss::refusal).collect();
    if !refused.is_empty() {
        let reason = format!("{} cannot say it:\n  {}", arguments.to.name(), refused.join("\n  "));
        return Err(Failure::input(&arguments.file, reason));
    }
    let text = match arguments.to {
        Target::Nsc => config::nsc(&view, &plan),
        Target::TrustkitAndroid => config::trustkit(&view, &plan),
        Target::Nspinneddomains => plist::pinned_domains(&view, &plan),
        Target::TrustkitIos => plist::trustkit(&view, &plan),
        Target::Okhttp => code::okhttp(&view, &plan, arguments.package.as_deref()),
        Target::Cronet => code::cronet(&view, &plan, arguments.package.as_deref()),
        Target::SslManager => json::ssl_manager(&view, &plan),
    };
    for loss in plan.losses.iter().filter(|loss| matches!(loss.carry, Carry::Instead(_))) {
        terminal::warn(&loss.words());
    }
    match &arguments.output {
        Some(path) => output::write_file(path, text.as_bytes()),
        None => output::print(text.as_bytes()),
    }
}

impl Loss {
    fn place(&self) -> String {
        let host = self.host.as_ref().map_or_else(|| "all hosts".to_owned(), ToString::to_string);
        format!("{host}: {}", self.meaning.name())
    }

    /// For a comment.
    fn words(&self) -> String {
        let how = match self.carry {
            Carry::Exactly => "",
            Carry::Rounded(how) | Carry::Instead(how) | Carry::Refused(how) => how,
        };
        format!("{}: {how}", self.place())
    }

    fn refusal(&self) -> String {
        match self.carry {
            Carry::Instead(what) => {
                let name = self.meaning.name();
                format!("{} (with --approximate={name}: {what})", self.place())
            }
            _ => self.words(),
        }
    }
}

/// The lines of the comment at the top of a file.
fn comments(view: &View, plan: &Plan) -> Vec<String> {
    let version = view.version.map_or_else(String::new, |version| format!(" {version}"));
    let of =
        view.signed.as_ref().map_or_else(String::new, |signed| format!(" of {}", signed.stream));
    let mut lines =
        vec![format!("Made from pin set{version}{of} by pinfold export; change that, not this.")];
    for loss in &plan.losses {
        let how = if matches!(loss.carry, Carry::Instead(_)) { "APPROXIMATE" } else { "NOTE" };
        lines.push(format!("{how}: {}", loss.words()));
    }
    lines
}

/// The digest alone.
fn base64(pin: &Pin) -> String {
    let text = pin.digest.to_string();
    text.split_once('/').map(|(_, digest)| digest.to_owned()).unwrap_or_default()
}

/// What people call a pin.
fn remark(pin: &Pin) -> String {
    let state = crate::diff::state_word(pin.state);
    match &pin.label {
        Some(label) => format!("{state}: {label}"),
        None => state.to_owned(),
    }
}
