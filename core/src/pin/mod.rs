//! What is pinned, for which host, and the pure decision.
//!
//! Nothing here does I/O or reads a clock: time is an argument.

mod blocked;
mod host;
mod inspection;
mod limits;
mod notation;
mod policy;
#[cfg(feature = "bundled-roots")]
mod roots;
mod spec;
mod spki;
mod suffix;
mod verdict;

pub(crate) use blocked::Blocked;
pub use host::HostName;
pub use inspection::{InspectionAuthority, ManagedConfiguration};
pub(crate) use limits::{MAX_BLOCKED, MAX_HOSTS};
pub(crate) use policy::{Anchors, Terms};
pub use policy::{HostPolicy, Pin, PinSet};
#[cfg(feature = "bundled-roots")]
pub use roots::is_public_root;
pub use spec::{
    DefaultsSpec, HostSpec, Mode, OnLapse, PinAt, PinSetSpec, PinSpec, PinState, Trust,
};
pub use spki::{CertSha256, PinDigest, SpkiSha256};
pub use verdict::{Decision, MatchedPin, Outcome, PathCertificate, PathFate, TriedPath, Verdict};
