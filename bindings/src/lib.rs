//! Pinfold's boundary to Kotlin and Swift.
//!
//! Not an API: apps use the hand-written `dev.pinfold` and `Pinfold` over the code that UniFFI
//! generates from this crate. Types here mirror `pinfold-core` one to one and decide nothing.

#![deny(missing_docs)]
// UniFFI wants its records by value; these are rare.
#![allow(clippy::result_large_err, clippy::large_enum_variant)]

mod call;
mod client;
mod events;
mod explain;
mod failure;
pub mod hot;
mod identity;
mod interception;
mod network;
mod pins;
mod proxies;
mod request;
mod session;
mod transfer;
mod trust;
mod updates;

pub use call::Call;
pub use client::{Client, ClientSettings};
pub use events::{CallEvent, CallListener};
pub use explain::{
    Explanation, Matched, PathCertificate, PathFate, PolicyChoice, PolicyPin, TriedPath, Verdict,
};
pub use failure::{Failure, PinfoldFailure, error_codes};
pub use identity::{ClientIdentity, ClientSigner, SignatureAlgorithm, SigningFailure};
pub use interception::{Evidence, Interception, interception_kinds};
pub use network::{ConnectTo, Roots};
pub use pins::{HostSpec, Mode, PinAt, PinSet, PinSetSpec, PinSpec, PinState, Trust};
pub use proxies::{
    Proxies, Proxy, ProxyRoute, ProxyScheme, ProxySelector, SelectionFailure, parse_proxy,
};
pub use request::{
    DownloadTarget, Header, Opened, Pinning, RequestHead, Response, ResponseHead, body_text,
};
pub use session::{
    Cookie, CookieJar, HookFailure, NameResolver, RefusedToken, SessionSettings, TokenSource,
};
pub use transfer::{BodyKind, FormPart, PartContent, TransferProgress};
pub use trust::{PlatformTrust, TrustFailure, TrustedPath};
pub use updates::{
    Freshness, ListenerFailure, ManagedConfiguration, PinSetFailure, PinSetOrder, PinSetStatus,
    PinSetUpdater, Refreshed, UpdateEvent, UpdateFailure, UpdateListener, UpdaterSettings,
    update_codes,
};

uniffi::setup_scaffolding!("pinfold");
