//! A pin set that is being changed.

use clap::Args;
use pinfold_core::pin::HostName;
use serde_json::{Value, json};

use super::text::{Step, Text};
use crate::diff::Change;
use crate::failure::Failure;
use crate::pinset_file::{self, PinSetFile};
use crate::root_file::RootFile;
use crate::{diff, output};

/// The order of members in what this tool writes.
pub(super) const DOCUMENT: [&str; 16] = [
    "schema",
    "crit",
    "stream",
    "aud",
    "version",
    "epoch",
    "issued",
    "expires",
    "grace_days",
    "note",
    "update",
    "defaults",
    "blocked_spki",
    "hosts",
    "inspection_authorities",
    "reporting",
];
pub(super) const ENTRY: [&str; 9] = [
    "host",
    "include_subdomains",
    "mode",
    "enforce_percent",
    "trust",
    "on_lapse",
    "expires",
    "pins",
    "anchors",
];
pub(super) const PIN: [&str; 6] = ["sha256", "cert_sha256", "at", "state", "label", "cert"];

/// What every command that changes a pin set takes.
#[derive(Args)]
pub(crate) struct Common {
    /// The pin set, as people write it: static, or what is signed later
    #[arg(value_name = "PINSET")]
    pub(super) file: String,
    /// Write the changed one here instead
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,
    /// The signed root that it must hold under
    #[arg(long, value_name = "FILE")]
    root: Option<String>,
    /// Say what would change, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Common {
    /// The file and nothing else.
    pub(super) fn of(path: &str) -> Self {
        let (output, root) = (None, None);
        Self { file: path.to_owned(), output, root, dry_run: false, json: false }
    }
}

/// A pin set that is being changed.
pub(crate) struct Draft<'a> {
    pub(super) common: &'a Common,
    root: Option<RootFile>,
    pub(super) before: PinSetFile,
    text: Text,
}

impl<'a> Draft<'a> {
    pub(super) fn read(common: &'a Common) -> Result<Self, Failure> {
        let path = &common.file;
        let root = common.root.as_deref().map(RootFile::read).transpose()?;
        // What is wrong under the root may be what is about to be repaired.
        let before = pinset_file::read(path, None)?;
        let payload = before.text().ok_or_else(|| {
            Failure::input(path, "signed: change the file that was signed, and sign it again")
        })?;
        let text = std::str::from_utf8(payload).map_err(|_| Failure::input(path, "not UTF-8"))?;
        let text = Text::new(text);
        Ok(Self { common, root, before, text })
    }

    /// What it says now.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(self.text.as_str()).unwrap_or_default()
    }

    /// Where the entry of a host is in the list.
    pub(super) fn position(&self, host: &HostName) -> Option<usize> {
        let json = self.json();
        let entries = json["hosts"].as_array()?;
        let name = |entry: &Value| HostName::parse(entry["host"].as_str()?).ok();
        entries.iter().position(|entry| name(entry).as_ref() == Some(host))
    }

    /// The same of an entry that must be there.
    pub(super) fn expect_position(&self, host: &HostName) -> Result<usize, Failure> {
        let missing = || Failure::input(&self.common.file, format!("no entry for {host}"));
        self.position(host).ok_or_else(missing)
    }

    pub(super) fn set(
        &mut self,
        path: &[Step<'_>],
        member: &str,
        value: &str,
        order: &[&str],
    ) -> Result<(), Failure> {
        let done = self.text.set(path, member, value, order);
        done.ok_or_else(|| self.no_place(member))
    }

    pub(super) fn push(&mut self, path: &[Step<'_>], value: &str) -> Result<(), Failure> {
        let done = self.text.push(path, value);
        done.ok_or_else(|| self.no_place("a list"))
    }

    pub(super) fn remove(&mut self, path: &[Step<'_>]) -> Result<(), Failure> {
        let done = self.text.remove(path);
        done.ok_or_else(|| self.no_place("what is to go"))
    }

    fn no_place(&self, what: &str) -> Failure {
        Failure::input(&self.common.file, format!("no place for {what}"))
    }

    /// Adds to a list of the document that may not be there yet.
    pub(super) fn push_to(&mut self, list: &str, value: &str) -> Result<(), Failure> {
        if self.json().get(list).is_none() {
            self.set(&[], list, "[]", &DOCUMENT)?;
        }
        self.push(&[Step::Member(list)], value)
    }

    /// The result as the library reads it; what no client would read is an error here.
    pub(super) fn after(&self) -> Result<PinSetFile, Failure> {
        let root = self.root.as_ref().map(|file| &file.root);
        pinset_file::written(&self.common.file, self.text.as_str().as_bytes(), root)
    }

    /// What changes for clients; it is written, too, unless that is not wanted.
    pub(super) fn write(&self) -> Result<Vec<Change>, Failure> {
        let changes = diff::compare(&self.before.view(), &self.after()?.view());
        if !self.common.dry_run {
            output::write_file(self.output(), self.text.as_str().as_bytes())?;
        }
        Ok(changes)
    }

    fn output(&self) -> &str {
        self.common.output.as_ref().unwrap_or(&self.common.file)
    }

    /// Writes it, and says what changes.
    pub(super) fn finish(&self) -> Result<(), Failure> {
        let changes = self.write()?;
        if !self.common.json {
            return output::print(diff::words(&changes).as_bytes());
        }
        let written = if self.common.dry_run { Value::Null } else { json!(self.output()) };
        output::print_json(&json!({
            "output": written,
            "version": self.after()?.pins.version(),
            "changes": diff::to_json(&changes),
        }))
    }
}
