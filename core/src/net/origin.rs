//! Where a request goes.

use std::sync::Arc;

use crate::pin::HostName;

/// A host and a port: what connections and TLS sessions belong to. Cheap to clone.
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
