//! What is to come, in its order: ends of certificates, pins and pin sets.

use super::look::Look;

/// An end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Event {
    /// In seconds since 1970.
    pub(super) at: u64,
    /// Whose.
    pub(super) whose: String,
    pub(super) what: &'static str,
}

/// Every end that is known, the first first.
pub(super) fn events(look: &Look) -> Vec<Event> {
    let mut events = Vec::new();
    let mut add = |at: Option<u64>, whose: &str, what| {
        events.extend(at.map(|at| Event { at, whose: whose.to_owned(), what }));
    };
    for document in &look.documents {
        add(document.expires, &document.path, "the pin set ends: sign the next one before");
        for host in &document.hosts {
            add(host.certificate_until, &host.server, "the certificate ends: it is renewed before");
            add(host.expires, &host.entry, "the entry ends");
            add(host.root_until, &host.server, "the pinned authority ends");
        }
    }
    events.sort_unstable();
    events.dedup();
    events
}
