//! `pinfold init`: a pin set without hosts.

use clap::Args;
use pinfold_core::format_rfc3339_utc;
use serde_json::json;

use super::inline_list;
use super::text::quoted;
use crate::failure::Failure;
use crate::{output, pinset_file, when};

const DAY: u64 = 86_400;

/// Begin a pin set: a file without hosts, ready for `pinfold host add`.
///
/// With --stream and --app it is one that is signed and changes over the air: valid for 60 days and
/// then in grace for 60, to be issued again every week by `pinfold renew`. With --static it ships with
/// the app, and changes with a release.
#[derive(Args)]
#[command(
    group = clap::ArgGroup::new("kind").required(true).args(["stream", "fixed"]),
    after_help = "\
Examples:
  pinfold init pins.json --stream com.example.bank/prod --app android:com.example.bank \\
      --app ios:ABCDE12345.com.example.bank --update-url https://pins.example.net/bundle.json
  pinfold init pins.json --static
Then:
  pinfold host add pins.json api.example.com --live --backup next.csr"
)]
pub(crate) struct Arguments {
    /// The file to write; must not exist
    #[arg(value_name = "PINSET")]
    file: String,
    /// The name of the series; the root and every app say the same
    #[arg(long, requires = "apps")]
    stream: Option<String>,
    /// An app that it is for; may be given several times
    #[arg(long = "app", value_name = "PLATFORM:ID", conflicts_with = "fixed")]
    apps: Vec<String>,
    /// Where clients look for the next one, before the URLs that they ship with
    #[arg(long = "update-url", value_name = "URL", conflicts_with = "fixed")]
    update_urls: Vec<String>,
    /// For how long it is valid
    #[arg(long, value_name = "N", default_value_t = 60, conflicts_with = "fixed")]
    days: u64,
    /// For how long it holds after that
    #[arg(long, value_name = "N", default_value_t = 60, conflicts_with = "fixed")]
    grace_days: u64,
    /// When it is issued [default: now]
    #[arg(long, value_name = "RFC3339", conflicts_with = "fixed")]
    issued: Option<String>,
    /// A pin set that ships with the app and is not signed
    #[arg(long = "static")]
    fixed: bool,
    /// For people
    #[arg(long)]
    note: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut members = vec![("schema", "1".to_owned())];
    let mut expires = None;
    if let Some(stream) = &arguments.stream {
        let issued = when::time_or_now("--issued", arguments.issued.as_deref())?;
        let end = arguments.days.checked_mul(DAY).and_then(|days| issued.checked_add(days));
        // Longer than any document may be valid, and than what a date can say.
        let end = end.filter(|end| *end < 1 << 37);
        let end = end.ok_or_else(|| Failure::input("--days", "too many"))?;
        expires = Some(format_rfc3339_utc(end));
        members.extend([
            ("crit", "[]".to_owned()),
            ("stream", quoted(stream)),
            ("aud", inline_list(&arguments.apps)),
            ("version", "1".to_owned()),
            ("epoch", "0".to_owned()),
            ("issued", quoted(&format_rfc3339_utc(issued))),
            ("expires", quoted(&format_rfc3339_utc(end))),
            ("grace_days", arguments.grace_days.to_string()),
        ]);
    } else {
        members.push(("version", "1".to_owned()));
    }
    if let Some(note) = &arguments.note {
        members.push(("note", quoted(note)));
    }
    if !arguments.update_urls.is_empty() {
        let urls = inline_list(&arguments.update_urls);
        members.push(("update", format!("{{ \"urls\": {urls} }}")));
    }
    members.push(("hosts", "[]".to_owned()));
    let lines: Vec<_> =
        members.iter().map(|(name, value)| format!("  {}: {value}", quoted(name))).collect();
    let text = format!("{{\n{}\n}}\n", lines.join(",\n"));

    let path = &arguments.file;
    pinset_file::written(path, text.as_bytes(), None)?;
    output::write_new(path, text.as_bytes(), false)?;
    if arguments.json {
        return output::print_json(&json!({ "output": path, "expires": expires }));
    }
    let mut lines = vec![("output", path.clone())];
    lines.extend(expires.map(|expires| ("expires", expires)));
    lines.push(("next", format!("pinfold host add {path} HOST --live --backup next.csr")));
    output::print_words(&lines)
}
