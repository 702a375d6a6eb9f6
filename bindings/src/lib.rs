//! Pinfold's boundary to Kotlin and Swift.
//!
//! Not an API: apps use the hand-written `dev.pinfold` and `Pinfold` over the code that UniFFI
//! generates from this crate. Types here mirror `pinfold-core` one to one and decide nothing.

#![deny(missing_docs)]
#![allow(clippy::result_large_err)] // UniFFI wants its records by value; these results are rare

mod client;
mod failure;
pub mod hot;
mod pins;

pub use client::{
    Call, Client, ClientSettings, ConnectTo, Pinning, RequestHead, ResponseHead, Roots,
};
pub use client::{Header, Response};
pub use failure::{Failure, PinfoldFailure, error_codes};
pub use pins::{HostSpec, Mode, PinAt, PinSet, PinSetSpec, PinSpec, PinState, Trust};

uniffi::setup_scaffolding!("pinfold");
