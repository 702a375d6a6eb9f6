//! The signed pin set: who may sign it, what it says, and when it replaces the one in use.
//!
//! Two kinds of documents are signed, each in a DSSE envelope: a [`Root`] says which keys count,
//! and a [`Document`] is the pin set itself. [`accept`] is the one rule by which a [`Bundle`] of
//! them moves a client from one [`State`] to the next, for downloads and for what was stored.
//!
//! Nothing here does I/O or reads a clock: the clock decides only how a pin set is enforced, and
//! is an argument there ([`enforcement`]).

mod accept;
mod bundle;
mod document;
mod dsse;
mod embedded;
pub mod enforcement;
pub mod es256;
mod inspection;
mod key;
mod root;

#[cfg(test)]
mod differential;

pub use accept::{Order, State, accept};
pub use bundle::Bundle;
pub use document::{Document, HostRules, Reporting, Update};
pub use dsse::{Envelope, PINSET_TYPE, ROOT_TYPE, Signature, pae};
pub use embedded::Embedded;
pub use enforcement::{Enforcement, Freshness};
pub use key::Key;
pub use root::{Constraints, Role, Root};

pub use crate::rejection::{Cause, Rejection};
