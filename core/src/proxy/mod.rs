//! What may stand between a client and its servers by the user's or the company's own will: proxies,
//! which of them a connection goes through, and what is said to them. No sockets.
//!
//! Certificates and pins are judged at the far end of a tunnel exactly as without one.

mod address;
mod challenge;
mod connect;
mod exclusions;
mod login;
mod reply;
mod selection;
mod socks;

pub use address::{Proxy, ProxyScheme};
pub use exclusions::NoProxy;
pub use selection::{Proxies, ProxyRoute, ProxySelector};

pub(crate) use connect::{Refusal, connect};
pub(crate) use login::{Login, Logins};
pub(crate) use socks::{Target, socks5};
