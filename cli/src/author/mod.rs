//! The commands that write pin sets: everything between an empty folder and `pinfold sign`.
//!
//! Each reads the owner's file, changes what it is told to and nothing else, has the library read the
//! result, says what changes for clients, and only then writes.

mod add;
mod block;
mod host;
mod init;
mod inspect;
mod mode;
mod pins;
mod renew;
mod source;
mod text;

use clap::Args;
use pinfold_core::pin::HostName;
use serde_json::{Value, json};

pub(crate) use block::{Arguments as BlockArguments, run as block};
pub(crate) use host::{Arguments as HostArguments, run as host};
pub(crate) use init::{Arguments as InitArguments, run as init};
pub(crate) use inspect::{Arguments as InspectArguments, run as inspect};
pub(crate) use renew::{Arguments as RenewArguments, run as renew};

use crate::failure::Failure;
use crate::pinset_file::{self, PinSetFile};
use crate::root_file::RootFile;
use crate::{diff, output};
use text::{Step, Text, quoted};

/// The order of members in what this tool writes.
const DOCUMENT: [&str; 16] = [
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
const ENTRY: [&str; 9] = [
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
const PIN: [&str; 6] = ["sha256", "cert_sha256", "at", "state", "label", "cert"];

/// What every command that changes a pin set takes.
#[derive(Args)]
pub(crate) struct Common {
    /// The pin set, as people write it: static, or what is signed later
    #[arg(value_name = "PINSET")]
    file: String,
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

/// A pin set that is being changed.
pub(crate) struct Draft<'a> {
    common: &'a Common,
    root: Option<RootFile>,
    before: PinSetFile,
    text: Text,
}

impl<'a> Draft<'a> {
    fn read(common: &'a Common) -> Result<Self, Failure> {
        let path = &common.file;
        let root = common.root.as_deref().map(RootFile::read).transpose()?;
        // What is wrong under the root may be what is about to be repaired.
        let before = pinset_file::read(path, None)?;
        let payload = before.payload.as_deref().ok_or_else(|| {
            Failure::input(path, "signed: change the file that was signed, and sign it again")
        })?;
        let text = std::str::from_utf8(payload).map_err(|_| Failure::input(path, "not UTF-8"))?;
        let text = Text::new(text);
        Ok(Self { common, root, before, text })
    }

    /// What it says now.
    fn json(&self) -> Value {
        serde_json::from_str(self.text.as_str()).unwrap_or_default()
    }

    /// Where the entry of a host is in the list.
    fn position(&self, host: &HostName) -> Option<usize> {
        let json = self.json();
        let entries = json["hosts"].as_array()?;
        let name = |entry: &Value| HostName::parse(entry["host"].as_str()?).ok();
        entries.iter().position(|entry| name(entry).as_ref() == Some(host))
    }

    /// The same of an entry that must be there.
    fn expect_position(&self, host: &HostName) -> Result<usize, Failure> {
        let missing = || Failure::input(&self.common.file, format!("no entry for {host}"));
        self.position(host).ok_or_else(missing)
    }

    fn set(
        &mut self,
        path: &[Step<'_>],
        member: &str,
        value: &str,
        order: &[&str],
    ) -> Result<(), Failure> {
        let done = self.text.set(path, member, value, order);
        done.ok_or_else(|| self.no_place(member))
    }

    fn push(&mut self, path: &[Step<'_>], value: &str) -> Result<(), Failure> {
        let done = self.text.push(path, value);
        done.ok_or_else(|| self.no_place("a list"))
    }

    fn remove(&mut self, path: &[Step<'_>]) -> Result<(), Failure> {
        let done = self.text.remove(path);
        done.ok_or_else(|| self.no_place("what is to go"))
    }

    fn no_place(&self, what: &str) -> Failure {
        Failure::input(&self.common.file, format!("no place for {what}"))
    }

    /// Adds to a list of the document that may not be there yet.
    fn push_to(&mut self, list: &str, value: &str) -> Result<(), Failure> {
        if self.json().get(list).is_none() {
            self.set(&[], list, "[]", &DOCUMENT)?;
        }
        self.push(&[Step::Member(list)], value)
    }

    /// The result as the library reads it; what no client would read is an error here.
    fn after(&self) -> Result<PinSetFile, Failure> {
        let root = self.root.as_ref().map(|file| &file.root);
        pinset_file::written(&self.common.file, self.text.as_str().into(), root)
    }

    /// Says what changes, and writes.
    fn finish(&self) -> Result<(), Failure> {
        let after = self.after()?;
        let changes = diff::compare(&self.before.view(), &after.view());
        let path = self.common.output.as_ref().unwrap_or(&self.common.file);
        if !self.common.dry_run {
            output::write_file(path, self.text.as_str().as_bytes())?;
        }
        if self.common.json {
            let written = if self.common.dry_run { Value::Null } else { json!(path) };
            return output::print_json(&json!({
                "output": written,
                "version": after.pins.version(),
                "changes": diff::to_json(&changes),
            }));
        }
        output::print(diff::words(&changes).as_bytes())
    }
}

/// A host as it is given.
fn host_name(option: &str, text: &str) -> Result<HostName, Failure> {
    HostName::parse(text).map_err(|e| Failure::input(option, e))
}

/// An object on one line, of the members that are there.
fn inline(members: &[(&str, Option<String>)]) -> String {
    let members = members
        .iter()
        .filter_map(|(name, value)| Some(format!("{}: {}", quoted(name), value.as_ref()?)));
    format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
}

/// A list of texts on one line.
fn inline_list<T: ToString>(texts: &[T]) -> String {
    let texts: Vec<_> = texts.iter().map(|text| quoted(&text.to_string())).collect();
    format!("[{}]", texts.join(", "))
}
