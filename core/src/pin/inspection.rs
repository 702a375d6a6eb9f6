//! Authorities that may inspect an organisation's own connections.
//!
//! Chrome and Firefox let any locally installed authority override pins. Here one must be named by
//! the owner of the pins *and* by the device's management, for named hosts and a limited time.

use std::fmt;

use super::host::HostName;
use super::spki::SpkiSha256;

/// An authority whose certificates may stand in for pinned ones, if all of its conditions hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectionAuthority {
    /// What the managed configuration of the app must name.
    pub id: String,
    /// The pin of its key.
    pub spki: SpkiSha256,
    /// The hosts that it may inspect, exactly.
    pub hosts: Vec<HostName>,
    /// Hosts that it may not inspect, with everything below them.
    pub never_hosts: Vec<HostName>,
    /// From when, in seconds since 1970.
    pub not_before: u64,
    /// Until when, in seconds since 1970.
    pub not_after: u64,
    /// The member of the managed configuration that must hold the `id`.
    pub managed_config_key: String,
    /// Whether the device's administrator must have installed it, where the platform can tell.
    pub ca_installed_by_admin: bool,
}

/// What the management of a device tells the app: Android's application restrictions, iOS's
/// managed app configuration.
///
/// It is asked during handshakes, only where an authority of the pin set would apply, and must not
/// block. A panic counts as no answer.
pub trait ManagedConfiguration: fmt::Debug + Send + Sync {
    /// The text that the device's management has set for `key`; none where it has set nothing, or
    /// something that is no text.
    fn value(&self, key: &str) -> Option<String>;
}

impl InspectionAuthority {
    /// Whether it may inspect `host` at `now`, in seconds since 1970.
    pub(crate) fn covers(&self, host: &HostName, now: u64) -> bool {
        let never = |name: &str| self.never_hosts.iter().any(|never| never.as_str() == name);
        (self.not_before..=self.not_after).contains(&now)
            && self.hosts.contains(host)
            && !host.and_parents().any(never)
    }
}
