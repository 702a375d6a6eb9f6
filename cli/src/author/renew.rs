//! `pinfold renew`: the same pin set, issued again.

use clap::Args;
use pinfold_core::format_rfc3339_utc;

use super::text::quoted;
use super::{Common, DOCUMENT, Draft};
use crate::failure::Failure;
use crate::{pinset_file, when};

const DAY: u64 = 86_400;

/// Issue a signed pin set again: the next version, issued now, valid for as long as before.
///
/// Nothing else changes. A job does it every week, before it signs, so that a forgotten renewal shows
/// for two months before anything ends. With --against the version follows what is published, also
/// where the file was not renewed in between.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold renew pins.json
  pinfold renew pins.json --against public/bundle.json --root root-2.json
  pinfold renew pins.json --days 60")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// What is published now
    #[arg(long, value_name = "BUNDLE")]
    against: Option<String>,
    /// For how long it is valid [default: as before]
    #[arg(long, value_name = "N")]
    days: Option<u64>,
    /// When it is issued [default: now]
    #[arg(long, value_name = "RFC3339")]
    issued: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut draft = Draft::read(&arguments.common)?;
    let path = &arguments.common.file;
    let Some(before) = draft.before.view().signed else {
        return Err(Failure::input(path, "static: it has no end, and needs no renewal"));
    };
    let mut version = draft.before.pins.version().unwrap_or_default();
    if let Some(against) = &arguments.against {
        let published = pinset_file::read_published(against)?.view();
        let same = |signed: &&crate::view::Signed| signed.stream == before.stream;
        let signed = published.signed.as_ref().filter(same);
        let signed = signed.ok_or_else(|| Failure::input(against, "not of the same series"))?;
        // In a new epoch versions begin anew.
        if signed.epoch == before.epoch {
            version = version.max(published.version.unwrap_or_default());
        }
    }
    let issued = when::time_or_now("--issued", arguments.issued.as_deref())?;
    let length = match arguments.days {
        Some(days) => days.checked_mul(DAY),
        None => before.expires.checked_sub(before.issued),
    };
    let expires = length.and_then(|length| issued.checked_add(length)).filter(|at| *at < 1 << 37);
    let expires = expires.ok_or_else(|| Failure::input("--days", "too many"))?;
    draft.set(&[], "version", &(version + 1).to_string(), &DOCUMENT)?;
    draft.set(&[], "issued", &quoted(&format_rfc3339_utc(issued)), &DOCUMENT)?;
    draft.set(&[], "expires", &quoted(&format_rfc3339_utc(expires)), &DOCUMENT)?;
    draft.finish()
}
