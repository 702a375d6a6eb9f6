//! Connections: names, sockets, TLS, the pool, and the door to ureq.

mod buffers;
mod connection;
mod context;
mod dial;
mod engine;
mod exchange;
mod eyeballs;
mod lookup;
mod online;
mod origin;
mod pool;
mod routes;
mod tickets;
mod tls;
mod wire;

pub(crate) use context::{CallContext, Limits};
pub(crate) use dial::ConnectTo;
pub(crate) use engine::{BodyReader, Outgoing, Payload, failure};
pub(crate) use exchange::{Connections, Leased, Setup, Watch};
pub use lookup::Resolver;
pub(crate) use origin::{Key, Origin, SessionId};
