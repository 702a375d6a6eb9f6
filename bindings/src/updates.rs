//! Signed pin sets over the air.

use std::fmt;
use std::sync::Arc;

use pinfold_core::{pinset, update};

use crate::failure::PinfoldFailure;
use crate::network::{ConnectTo, Roots};
use crate::pins::PinSet;
use crate::proxies::Proxies;
use crate::request::guarded;
use crate::trust::PlatformTrust;

/// What an updater can be told.
#[derive(Clone, Debug, uniffi::Record)]
pub struct UpdaterSettings {
    /// The documents that ship with the app, as `pinfold embed` writes them.
    pub embedded: Vec<u8>,
    /// Where the newest pin set outlives the process.
    pub directory: Option<String>,
    /// The authorities of the update channel.
    pub roots: Roots,
    /// Addresses to use instead of looking names up.
    pub connect_to: Vec<ConnectTo>,
    /// Where proxies come from.
    pub proxies: Proxies,
}

/// Is told of everything that happens to the pin set.
#[uniffi::export(with_foreign)]
pub trait UpdateListener: Send + Sync {
    /// Called on any thread; must not block. What it throws is ignored.
    fn happened(&self, event: UpdateEvent) -> Result<(), ListenerFailure>;
}

/// What the management of the device tells the app.
#[uniffi::export(with_foreign)]
pub trait ManagedConfiguration: Send + Sync {
    /// The text set for `key`. Called during handshakes; must not block. To throw is to answer
    /// nothing.
    fn value(&self, key: String) -> Result<Option<String>, ListenerFailure>;
}

/// What a listener or a configuration throws; nobody looks at it.
#[derive(Clone, Debug, uniffi::Error)]
pub enum ListenerFailure {
    /// It has thrown.
    Failed,
}

impl fmt::Display for ListenerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the app's callback has thrown")
    }
}

impl std::error::Error for ListenerFailure {}

impl From<uniffi::UnexpectedUniFFICallbackError> for ListenerFailure {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed
    }
}

/// What a refresh has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Refreshed {
    /// There is a newer pin set, and it is in force.
    Updated,
    /// The one in force is the newest.
    Unchanged,
}

/// Why no update came.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct UpdateFailure {
    /// `unavailable`, or the stable code of the rejection.
    pub code: String,
    /// Where in the document, for a rejection.
    pub place: Option<String>,
    /// What happened, for a log.
    pub message: String,
}

/// [`UpdateFailure`] as what UniFFI throws.
#[derive(Debug, uniffi::Error)]
pub enum PinSetFailure {
    /// The only case: languages have types of their own.
    Failed {
        /// What failed.
        failure: UpdateFailure,
    },
}

impl fmt::Display for PinSetFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Failed { failure } = self;
        f.write_str(&failure.message)
    }
}

impl std::error::Error for PinSetFailure {}

/// Where a pin set stands among those of its series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Record)]
pub struct PinSetOrder {
    /// The version of the root.
    pub root: u64,
    /// The epoch of both documents.
    pub epoch: u64,
    /// The version of the pin set.
    pub pinset: u64,
}

/// How a pin set stands to the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Freshness {
    /// The policy holds as written.
    Fresh,
    /// The policy holds as written; an update is overdue.
    Stale,
    /// After one more attempt at an update, `on_lapse` decides.
    Lapsed,
}

/// How the pin set stands; times in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct PinSetStatus {
    /// Its versions.
    pub order: PinSetOrder,
    /// How it stands to the device's clock.
    pub freshness: Freshness,
    /// When it was issued.
    pub issued: u64,
    /// When it becomes stale.
    pub expires: u64,
    /// When a server last said what is newest.
    pub checked: Option<u64>,
    /// Seconds until the next regular attempt.
    pub next_due: u64,
    /// Why the last attempt failed, if it did.
    pub last_error: Option<UpdateFailure>,
}

/// What happens to the pin set.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum UpdateEvent {
    /// Another pin set is in force.
    Updated {
        /// Where it stands.
        order: PinSetOrder,
    },
    /// A mirror has the version in force with other contents.
    Equivocation {
        /// Where it came from.
        url: String,
    },
    /// A document was refused.
    Rejected {
        /// Where it came from; none for the store.
        url: Option<String>,
        /// Why.
        failure: UpdateFailure,
    },
    /// No URL could be had.
    Unavailable {
        /// What the last one said.
        reason: String,
    },
    /// The store could not be read or written.
    Store {
        /// What went wrong.
        reason: String,
    },
    /// A mirror has nothing but an older document.
    StaleMirror {
        /// Its URL.
        url: String,
    },
    /// The pin set has expired.
    Stale,
    /// The pin set, or the entry of one host, has lapsed.
    Lapsed {
        /// The entry; none for the whole pin set.
        host: Option<String>,
    },
    /// A connection is inspected with the consent of the pin set and of the device's management.
    Inspected {
        /// The host of the request.
        host: String,
        /// The authority's id.
        authority: String,
    },
}

/// Keeps a signed pin set up to date.
#[derive(Debug, uniffi::Object)]
pub struct PinSetUpdater(pub(crate) update::PinSetUpdater);

#[uniffi::export]
impl PinSetUpdater {
    /// An updater; reads the store, but fetches nothing. `trust` is asked where `System` roots
    /// count.
    #[uniffi::constructor]
    pub fn new(
        settings: UpdaterSettings,
        trust: Option<Arc<dyn PlatformTrust>>,
        listener: Option<Arc<dyn UpdateListener>>,
        managed: Option<Arc<dyn ManagedConfiguration>>,
    ) -> Result<Arc<Self>, PinfoldFailure> {
        let mut builder = update::PinSetUpdater::builder(&settings.embedded)
            .roots(settings.roots.with_trust(trust)?)
            .proxies(settings.proxies.into_core()?);
        if let Some(directory) = settings.directory {
            builder = builder.directory(directory);
        }
        for to in ConnectTo::parse_all(&settings.connect_to)? {
            builder = builder.connect_to(to.0, to.1, to.2);
        }
        if let Some(listener) = listener {
            builder = builder.listener(move |event| {
                let _its_own_business = listener.happened(event.into());
            });
        }
        if let Some(managed) = managed {
            builder = builder.managed_configuration(Arc::new(Managed(managed)));
        }
        Ok(Arc::new(Self(builder.build()?)))
    }

    /// Looks for a newer pin set now, on a thread of ours.
    pub async fn refresh(&self) -> Result<Refreshed, PinSetFailure> {
        let updater = self.0.clone();
        blocking::unblock(move || failing(|| updater.refresh().map(Refreshed::from))).await
    }

    /// The same, where it is time for it.
    pub async fn refresh_if_due(&self) -> Result<Option<Refreshed>, PinSetFailure> {
        let updater = self.0.clone();
        let work = move || updater.refresh_if_due().map(|done| done.map(Refreshed::from));
        blocking::unblock(move || failing(work)).await
    }

    /// How the pin set stands.
    pub fn status(&self) -> PinSetStatus {
        self.0.status().into()
    }

    /// The pin set in force.
    pub fn pins(&self) -> Arc<PinSet> {
        Arc::new(PinSet(self.0.pins()))
    }
}

/// The foreign implementation, as core wants it.
struct Managed(Arc<dyn ManagedConfiguration>);

impl fmt::Debug for Managed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Managed")
    }
}

impl pinfold_core::pin::ManagedConfiguration for Managed {
    fn value(&self, key: &str) -> Option<String> {
        self.0.value(key.to_owned()).ok().flatten()
    }
}

fn failing<T>(work: impl FnOnce() -> Result<T, update::UpdateError>) -> Result<T, PinSetFailure> {
    let failure = match guarded(|| Ok(work())) {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => error.into(),
        Err(panic) => {
            UpdateFailure { code: panic.code().to_owned(), place: None, message: panic.to_string() }
        }
    };
    Err(PinSetFailure::Failed { failure })
}

impl From<update::Refreshed> for Refreshed {
    fn from(refreshed: update::Refreshed) -> Self {
        match refreshed {
            update::Refreshed::Updated => Self::Updated,
            update::Refreshed::Unchanged => Self::Unchanged,
        }
    }
}

impl From<update::UpdateError> for UpdateFailure {
    fn from(error: update::UpdateError) -> Self {
        let place = match &error {
            update::UpdateError::Unavailable(_) => None,
            update::UpdateError::Rejected(rejection) => Some(rejection.place.clone()),
        };
        Self { code: error.code().to_owned(), place, message: error.to_string() }
    }
}

impl From<pinset::Order> for PinSetOrder {
    fn from(order: pinset::Order) -> Self {
        Self { root: order.root, epoch: order.epoch, pinset: order.pinset }
    }
}

impl From<pinset::Freshness> for Freshness {
    fn from(freshness: pinset::Freshness) -> Self {
        match freshness {
            pinset::Freshness::Fresh => Self::Fresh,
            pinset::Freshness::Stale => Self::Stale,
            pinset::Freshness::Lapsed => Self::Lapsed,
        }
    }
}

impl From<update::PinSetStatus> for PinSetStatus {
    fn from(status: update::PinSetStatus) -> Self {
        Self {
            order: status.order.into(),
            freshness: status.freshness.into(),
            issued: status.issued,
            expires: status.expires,
            checked: status.checked,
            next_due: status.next_due,
            last_error: status.last_error.map(UpdateFailure::from),
        }
    }
}

impl From<&update::UpdateEvent> for UpdateEvent {
    fn from(event: &update::UpdateEvent) -> Self {
        use update::UpdateEvent as Event;
        match event.clone() {
            Event::Updated { order } => Self::Updated { order: order.into() },
            Event::Rejected { url, rejection } => {
                Self::Rejected { url, failure: update::UpdateError::Rejected(rejection).into() }
            }
            Event::Equivocation { url } => Self::Equivocation { url },
            Event::StaleMirror { url } => Self::StaleMirror { url },
            Event::Unavailable { reason } => Self::Unavailable { reason },
            Event::Store { reason } => Self::Store { reason },
            Event::Stale => Self::Stale,
            Event::Lapsed { host } => Self::Lapsed { host: host.map(|host| host.to_string()) },
            Event::Inspected { host, authority } => Self::Inspected { host, authority },
        }
    }
}

/// Every code of [`UpdateFailure`], for the tests that every language knows each of them.
#[uniffi::export]
pub fn update_codes() -> Vec<String> {
    let codes = pinset::Cause::ALL.iter().map(|cause| cause.code());
    ["unavailable"].into_iter().chain(codes).map(str::to_owned).collect()
}
