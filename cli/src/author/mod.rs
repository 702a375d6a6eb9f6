//! The commands that write pin sets: everything between an empty folder and `pinfold sign`.
//!
//! Each reads the owner's file, changes what it is told to and nothing else, has the library read the
//! result, says what changes for clients, and only then writes.

mod add;
mod block;
mod draft;
mod entries;
mod host;
mod init;
mod inspect;
mod mode;
mod pins;
mod renew;
mod source;
mod text;

use pinfold_core::pin::HostName;

pub(crate) use block::{Arguments as BlockArguments, run as block};
pub(crate) use entries::{Entry, add_entries, static_pin_set};
pub(crate) use host::{Arguments as HostArguments, run as host};
pub(crate) use init::{Arguments as InitArguments, run as init};
pub(crate) use inspect::{Arguments as InspectArguments, run as inspect};
pub(crate) use renew::{Arguments as RenewArguments, run as renew};
pub(crate) use source::NewPin;

use crate::failure::Failure;
use draft::{Common, DOCUMENT, Draft, ENTRY, PIN};
use text::quoted;

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
