//! Connections: names, sockets, TLS, and the door to ureq.

mod connector;
mod eyeballs;
mod resolver;

pub(crate) use connector::{ConnectTo, Gate, PinnedConnector, Withdrawn};
pub(crate) use resolver::LateResolver;
