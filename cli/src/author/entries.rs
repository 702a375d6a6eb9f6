//! Whole entries, as they are written; for those that are taken over from elsewhere as well.

use std::collections::BTreeSet;

use pinfold_core::format_rfc3339_utc;
use pinfold_core::pin::{HostName, Mode};

use super::draft::{Common, Draft};
use super::source::NewPin;
use super::text::quoted;
use crate::diff;
use crate::failure::Failure;
use crate::pinset_file;

/// An entry to be written.
pub(crate) struct Entry {
    pub(crate) host: HostName,
    pub(crate) include_subdomains: bool,
    pub(crate) mode: Mode,
    /// In seconds since 1970.
    pub(crate) expires: Option<u64>,
    pub(crate) pins: Vec<NewPin>,
}

impl Entry {
    fn to_text(&self) -> String {
        let mut members = vec![("host", quoted(self.host.as_str()))];
        if self.include_subdomains {
            members.push(("include_subdomains", "true".to_owned()));
        }
        let mode = match self.mode {
            Mode::Enforce => "enforce",
            Mode::ReportOnly => "report_only",
            Mode::Off => "off",
        };
        members.push(("mode", quoted(mode)));
        if let Some(at) = self.expires {
            members.push(("expires", quoted(&format_rfc3339_utc(at))));
        }
        members.push(("pins", lines(&self.pins.iter().map(NewPin::to_text).collect::<Vec<_>>())));
        object(&members)
    }
}

/// A static pin set of these entries, read by the library.
pub(crate) fn static_pin_set(entries: &[Entry]) -> Result<String, Failure> {
    let entries: Vec<_> =
        entries.iter().map(|entry| entry.to_text().replace('\n', "\n    ")).collect();
    let list = format!("[\n    {}\n  ]", entries.join(",\n    "));
    let text = format!("{{\n  \"schema\": 1,\n  \"version\": 1,\n  \"hosts\": {list}\n}}\n");
    pinset_file::written("the result", text.as_bytes(), None)?;
    Ok(text)
}

/// Adds entries to a pin set that has none for their hosts; says what changes.
pub(crate) fn add_entries(path: &str, entries: &[Entry]) -> Result<String, Failure> {
    let common = Common::of(path);
    let mut draft = Draft::read(&common)?;
    let there: BTreeSet<_> = draft.before.view().entries.into_iter().map(|e| e.host).collect();
    let twice = entries.iter().filter(|entry| there.contains(&entry.host));
    let twice: Vec<_> = twice.map(|entry| entry.host.to_string()).collect();
    if !twice.is_empty() {
        let reason = format!("has entries for {} already; they stay as they are", twice.join(", "));
        return Err(Failure::input(path, reason));
    }
    for entry in entries {
        draft.push_to("hosts", &entry.to_text())?;
    }
    Ok(diff::words(&draft.write()?))
}

/// An object with a line for each member.
pub(super) fn object(members: &[(&str, String)]) -> String {
    let members = members.iter().map(|(name, value)| format!("  {}: {value}", quoted(name)));
    format!("{{\n{}\n}}", members.collect::<Vec<_>>().join(",\n"))
}

/// A list with a line for each item, as a member of such an object.
pub(super) fn lines(items: &[String]) -> String {
    if items.is_empty() {
        return "[]".to_owned();
    }
    format!("[\n    {}\n  ]", items.join(",\n    "))
}
