//! What is pinned, for which host, and the pure decision.
//!
//! Nothing here does I/O or reads a clock: time is an argument.

mod host;
mod inspection;
mod policy;
mod spec;
mod spki;
mod suffix;
mod verdict;

pub use host::HostName;
pub use inspection::{InspectionAuthority, ManagedConfiguration};
pub(crate) use policy::{Anchors, MAX_BLOCKED, MAX_HOSTS, Terms};
pub use policy::{HostPolicy, Pin, PinSet};
pub use spec::{
    DefaultsSpec, HostSpec, Mode, OnLapse, PinAt, PinSetSpec, PinSpec, PinState, Trust,
};
pub use spki::{CertSha256, PinDigest, SpkiSha256};
pub(crate) use verdict::Blocked;
pub use verdict::{Decision, MatchedPin, Outcome, PathCertificate, PathFate, TriedPath, Verdict};
