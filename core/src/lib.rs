//! Certificate pinning for apps: what is pinned, the decision, and a pinned HTTPS client.
//!
//! ```no_run
//! use pinfold_core::{Client, PinSet};
//!
//! # fn main() -> Result<(), pinfold_core::Error> {
//! let pins = PinSet::parse(&std::fs::read("pins.json").expect("the file ships with the app"))?;
//! let client = Client::new(pins)?;
//! let response = client.get("https://api.example.com/v1/me")?;
//! println!("{} {}", response.status(), response.text());
//! # Ok(())
//! # }
//! ```
//!
//! The crate is laid out as a request flows: [`pin`] is the policy and the pure decision, [`verify`]
//! judges certificates, [`interception`] says who is in the middle, [`proxy`] is what stands between by
//! one's own will, [`client`] is HTTP; [`pinset`] is
//! the signed pin set, and [`update`] keeps it up to date. [`Error`] is one closed set of stable codes, the same in Rust, Kotlin and Swift.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod cancel;
pub mod client;
mod clock;
mod der;
mod driven;
pub mod error;
mod events;
mod facts;
pub mod identity;
pub mod interception;
mod json;
mod name;
mod net;
mod patience;
pub mod pin;
pub mod pinset;
pub mod proxy;
mod rejection;
mod slots;
mod sync;
mod time;
mod timer;
pub mod update;
pub mod verify;

pub use cancel::CancelToken;
pub use client::{Client, ClientBuilder, Method, Request, Response, ResponseBody};
pub use clock::{Clock, SystemClock};
pub use error::{CertificateFacts, Error, TimeoutPhase, UntrustedReason};
pub use events::{Event, EventListener};
pub use identity::{ClientIdentity, ClientSigner, SignatureAlgorithm};
pub use interception::InterceptionReport;
pub use pin::{PinSet, SpkiSha256};
pub use proxy::{NoProxy, Proxies, Proxy, ProxyRoute, ProxyScheme, ProxySelector};
pub use time::{format_rfc3339_utc, parse_rfc3339_utc};
pub use verify::{Explanation, PlatformTrust, Roots};

/// The README's Rust is compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// And so is that of the other documents.
#[cfg(doctest)]
#[doc = include_str!("../../docs/pin-sets.md")]
struct PinSets;
