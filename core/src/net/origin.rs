//! Where a request goes, and what may serve it.

use std::sync::Arc;

use crate::error::Error;
use crate::identity::ClientIdentity;
use crate::pin::HostName;
use crate::proxy::Proxy;

/// A host and a port. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin(Arc<(HostName, u16)>);

impl Origin {
    pub(crate) fn new(host: HostName, port: u16) -> Self {
        Self(Arc::new((host, port)))
    }

    pub(crate) fn host(&self) -> &HostName {
        &self.0.0
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.1
    }
}

/// A session of a client; the client itself is the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct SessionId(pub(crate) u64);

/// What a connection and a TLS session belong to: they serve nobody else in whom one part differs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) origin: Origin,
    pub(crate) session: SessionId,
    /// None where the connection is direct.
    pub(crate) proxy: Option<Proxy>,
    /// Who the client is to the origin, where it has a certificate for it.
    pub(crate) identity: Option<ClientIdentity>,
}

impl Key {
    /// One for a direct connection without a certificate of the client's, unless a way through a proxy
    /// is chosen and an identity.
    pub(crate) fn new(origin: Origin, session: SessionId) -> Self {
        Self { origin, session, proxy: None, identity: None }
    }

    pub(crate) fn host(&self) -> &HostName {
        self.origin.host()
    }

    /// The same through a proxy, or directly.
    pub(super) fn through(&self, proxy: Option<Proxy>) -> Self {
        Self { proxy, ..self.clone() }
    }

    /// The error of a call over such a connection: it names the proxy.
    pub(super) fn told(&self, error: Error) -> Error {
        match &self.proxy {
            Some(proxy) => error.through(&proxy.to_string()),
            None => error,
        }
    }
}
