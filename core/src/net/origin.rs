//! Where a request goes, and what may serve it.

use std::sync::Arc;

use crate::pin::HostName;

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
}

impl Key {
    pub(crate) fn host(&self) -> &HostName {
        self.origin.host()
    }
}
