//! What an updater tells: results, events, and how things stand.

use std::fmt;

use crate::pin::HostName;
use crate::pinset::Order;
use crate::pinset::enforcement::Freshness;
use crate::rejection::Rejection;

/// What a refresh has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// There is a newer pin set, and it is in force.
    Updated,
    /// The one in force is the newest.
    Unchanged,
}

/// Why no update came; the pin set in force stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpdateError {
    /// No URL gave a document; the error of the last one.
    Unavailable(String),
    /// What the last URL gave was refused.
    Rejected(Rejection),
}

/// What happens to the pin set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpdateEvent {
    /// Another pin set is in force.
    Updated {
        /// Where it stands.
        order: Order,
    },
    /// A mirror has the version in force with other contents: somebody with a key that counts shows
    /// different truths under one version.
    Equivocation {
        /// Where it came from.
        url: String,
    },
    /// A document was refused.
    Rejected {
        /// Where it came from; none for the store.
        url: Option<String>,
        /// Why.
        rejection: Rejection,
    },
    /// No URL could be had.
    Unavailable {
        /// What the last one said.
        reason: String,
    },
    /// The store could not be read or written; what is in memory is still good.
    Store {
        /// What went wrong.
        reason: String,
    },
    /// A mirror has nothing but an older document. Told once, until it has another or there is a
    /// newer one in force.
    StaleMirror {
        /// Its URL.
        url: String,
    },
    /// The pin set has expired. It is enforced as written while another is looked for.
    Stale,
    /// The pin set, or the entry of one host, has been stale for as long as it may: after one more
    /// attempt at an update, its `on_lapse` decides.
    Lapsed {
        /// The entry whose own time is over; none for the whole pin set.
        host: Option<HostName>,
    },
    /// A connection was allowed because the owner of the pins and the device's management both name
    /// the authority that inspects it. Told once for each host and authority.
    Inspected {
        /// The host of the request.
        host: String,
        /// The authority's `id`.
        authority: String,
    },
}

/// How the pin set stands, for a support screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinSetStatus {
    /// Versions of root and pin set, and the epoch.
    pub order: Order,
    /// How it stands to the device's clock.
    pub freshness: Freshness,
    /// When it was issued, in seconds since 1970.
    pub issued: u64,
    /// When it becomes stale.
    pub expires: u64,
    /// When a server last said what is newest.
    pub checked: Option<u64>,
    /// Seconds until the next regular attempt.
    pub next_due: u64,
    /// Why the last attempt failed, if it did.
    pub last_error: Option<UpdateError>,
}

impl UpdateError {
    /// The stable code: `unavailable`, or that of the rejection.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Rejected(rejection) => rejection.code(),
        }
    }
}

impl std::error::Error for UpdateError {}

impl fmt::Display for UpdateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(reason) => write!(f, "no pin set could be fetched: {reason}"),
            Self::Rejected(rejection) => write!(f, "the pin set was refused: {rejection}"),
        }
    }
}
