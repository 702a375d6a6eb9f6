//! Pin sets that come over the air, as a client sees them.

use std::sync::{Arc, Weak};

use super::Shared;
use crate::patience::Patience;
use crate::pin::{HostName, ManagedConfiguration, PinSet};

/// Where a client's pin sets come from, if not from its builder alone.
pub(crate) trait PinSource: Send + Sync {
    /// The one to begin with.
    fn pins(&self) -> PinSet;

    /// What the device's management says of authorities that inspect connections.
    fn managed(&self) -> Option<Arc<dyn ManagedConfiguration>>;

    /// Called before each request: what is due is begun elsewhere, and an entry that has lapsed is
    /// worth a short wait.
    fn prepare(&self, host: &HostName, patience: &Patience<'_>);

    /// Called after a refusal that `used` itself demands, when nothing of the request has been sent:
    /// whether another pin set is in force by now that may accept the host, so that one more
    /// handshake makes sense. `accepts` tells whether a pin set would accept the certificate that was
    /// refused; it blocks for as long as the platform takes.
    fn renew(
        &self,
        host: &HostName,
        used: &PinSet,
        accepts: &dyn Fn(&PinSet) -> bool,
        patience: &Patience<'_>,
    ) -> bool;

    /// Called after each response over a connection that an authority may inspect.
    fn inspected(&self, host: &str, authority: &str);

    /// Has `client` told of every pin set to come.
    fn attach(&self, client: WeakClient);
}

/// A client that may be gone.
#[derive(Clone)]
pub(crate) struct WeakClient(Weak<Shared>);

impl WeakClient {
    pub(super) fn new(client: &Arc<Shared>) -> Self {
        Self(Arc::downgrade(client))
    }

    /// Puts a pin set into force, unless it is already; false where there is no client any more.
    pub(crate) fn replace_pins(&self, pins: &PinSet) -> bool {
        let Some(client) = self.0.upgrade().filter(|client| !client.sessions.are_closed()) else {
            return false;
        };
        if !client.connections.judge().pins.is_same(pins) {
            client.replace_pins(pins.clone());
        }
        true
    }
}
