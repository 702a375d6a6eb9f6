//! Connections: names, sockets, TLS, the pool, and the door to ureq.

mod buffers;
mod carrier;
mod connection;
mod context;
mod dial;
mod engine;
mod exchange;
mod eyeballs;
mod lookup;
mod online;
mod origin;
mod planner;
mod pool;
mod routes;
mod tickets;
mod tls;
mod tunnel;
mod wire;

pub(crate) use context::{CallContext, Limits};
pub(crate) use dial::ConnectTo;
pub(crate) use engine::{BodyReader, Outgoing, Payload, failure};
pub(crate) use exchange::{Connections, Leased, Setup, Watch, Whose};
pub use lookup::Resolver;
pub(crate) use origin::{Key, Origin, SessionId};
