//! Keeps the pin set up to date: fetches, accepts, stores and hands it to running clients.
//!
//! The update channel does not depend on pins: it goes by the system's trust, over URLs that no
//! document can take away. Whatever a server sends there is worth nothing until [`accept`] says so.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::accept::{Order, State, accept};
use super::bundle::Bundle;
use super::embedded::Embedded;
use super::enforcement::{Freshness, freshness, in_force};
use super::kept::Kept;
use super::rejection::{Cause, Rejection};
use super::store::{Stamp, Store, Written};
use crate::cancel::{CancelToken, Wake};
use crate::client::{Client, Method, Patience, PinSource, Request, WeakClient};
use crate::error::Error;
use crate::pin::{HostName, HostPolicy, PinSet, PinSetSpec};
use crate::tls::Roots;

/// The most that a mismatch makes its request wait for another pin set.
const MISMATCH_WAIT: Duration = Duration::from_secs(5);
/// Mismatches are free for whoever sits in the middle; fetches are not.
const FORCED_APART: Duration = Duration::from_secs(60);
const FORCED_A_DAY: usize = 20;
const DAY: Duration = Duration::from_secs(24 * 3_600);
const FIRST_BACKOFF: Duration = Duration::from_secs(60);
const MAX_BACKOFF: Duration = Duration::from_secs(6 * 3_600);
/// How often a stale pin set looks for another.
const STALE_INTERVAL: Duration = Duration::from_secs(3_600);
const MAX_BUNDLE: u64 = 256 * 1_024;
const STORE_NAME: &str = "pinset";

/// Keeps a signed pin set up to date. Cheap to clone; clones are one updater.
#[derive(Clone)]
pub struct PinSetUpdater(Arc<Inner>);

/// Sets an updater up.
#[derive(Debug)]
pub struct PinSetUpdaterBuilder {
    embedded: Vec<u8>,
    directory: Option<PathBuf>,
    roots: Roots,
    connect_to: Vec<(String, u16, SocketAddr)>,
}

struct Inner {
    embedded: Embedded,
    /// The state that every stored one has to follow from.
    first: State,
    store: Option<Store>,
    fetcher: Client,
    live: Mutex<Live>,
    flight: Mutex<Flight>,
    landed: Condvar,
    clients: Mutex<Vec<WeakClient>>,
    listeners: Mutex<Vec<Arc<Listener>>>,
}

type Listener = dyn Fn(&UpdateEvent) + Send + Sync;

struct Live {
    state: State,
    kept: Kept,
    pins: PinSet,
    due: Instant,
    failures: u32,
    forced: VecDeque<Instant>,
    last_error: Option<UpdateError>,
    /// Which file of the store has been read.
    stamp: Stamp,
}

/// At most one fetch is under way; the number tells whose result it is.
#[derive(Default)]
struct Flight {
    flying: bool,
    landed: u64,
    outcome: Option<Result<Refreshed, UpdateError>>,
}

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
    /// A document was refused. With the cause `equivocation` somebody shows different truths under
    /// one version.
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

impl PinSetUpdater {
    /// An updater that begins with the embedded documents (`pinfold embed`).
    pub fn builder(embedded: &[u8]) -> PinSetUpdaterBuilder {
        PinSetUpdaterBuilder {
            embedded: embedded.to_vec(),
            directory: None,
            roots: Roots::System,
            connect_to: Vec::new(),
        }
    }

    /// Looks for a newer pin set now. Of several callers at once one fetches, and all get its
    /// result. Blocks for 20 seconds a URL at worst: not for a main thread.
    ///
    /// # Errors
    /// [`UpdateError`]; the pin set in force stays.
    pub fn refresh(&self) -> Result<Refreshed, UpdateError> {
        let mut flight = lock(&self.0.flight);
        if flight.flying {
            let awaited = flight.landed + 1;
            while flight.landed < awaited {
                flight = self.0.landed.wait(flight).unwrap_or_else(PoisonError::into_inner);
            }
            return flight.outcome.clone().unwrap_or(Ok(Refreshed::Unchanged));
        }
        flight.flying = true;
        drop(flight);
        Landing(self.clone()).fly()
    }

    /// The same, where it is time for it; else none. For an app that comes to the foreground, and
    /// for the platform's background jobs. Takes over what another process of the app has stored.
    pub fn refresh_if_due(&self) -> Option<Result<Refreshed, UpdateError>> {
        if self.0.load() {
            self.0.swap();
        }
        self.0.is_due().then(|| self.refresh())
    }

    /// How the pin set stands.
    pub fn status(&self) -> PinSetStatus {
        self.0.status()
    }

    /// The pin set in force on this device.
    pub fn pins(&self) -> PinSet {
        self.0.live().pins.clone()
    }

    /// Has `listener` told of everything that happens from now on, on whatever thread it happens;
    /// it must not block.
    pub fn listen(&self, listener: impl Fn(&UpdateEvent) + Send + Sync + 'static) {
        lock(&self.0.listeners).push(Arc::new(listener));
    }

    pub(crate) fn source(&self) -> Arc<dyn PinSource> {
        Arc::new(self.clone())
    }
}

impl PinSetUpdaterBuilder {
    /// Where the newest pin set outlives the process: a folder of the app's own that is excluded
    /// from backups. Without one, each start begins with the embedded documents.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// The authorities of the update channel; the system's by default.
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// Connects to `address` for `host` and `port`; see
    /// [`ClientBuilder::connect_to`](crate::ClientBuilder::connect_to).
    pub fn connect_to(mut self, host: &str, port: u16, address: SocketAddr) -> Self {
        self.connect_to.push((host.to_owned(), port, address));
        self
    }

    /// The updater. Reads the store, but fetches nothing.
    ///
    /// # Errors
    /// [`Error::InvalidPinSet`] where the embedded documents are no good: the app was built
    /// wrongly. [`Error::InvalidConfig`] where the roots are not.
    pub fn build(self) -> Result<PinSetUpdater, Error> {
        let fail = |rejection: Rejection| Error::InvalidPinSet {
            place: format!("embedded, {}", rejection.place),
            reason: rejection.to_string(),
        };
        let embedded = Embedded::parse(&self.embedded).map_err(fail)?;
        let first = State::from_embedded(&embedded).map_err(fail)?;
        // No pins: otherwise a wrong one would keep its own remedy out.
        let nothing = PinSet::new(PinSetSpec { schema: 1, ..PinSetSpec::default() })?;
        let mut fetcher = Client::builder(nothing)
            .deny_unpinned(false)
            .roots(self.roots)
            .max_redirects(0)
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(20))
            .max_response_bytes(MAX_BUNDLE);
        for (host, port, address) in &self.connect_to {
            fetcher = fetcher.connect_to(host, *port, *address);
        }
        let kept = Kept::new().map_err(|reason| Error::Internal { reason })?;
        let inner = Inner {
            live: Mutex::new(Live {
                pins: in_force(&first, &embedded, &kept.install_id),
                state: first.clone(),
                kept,
                due: Instant::now(),
                failures: 0,
                forced: VecDeque::new(),
                last_error: None,
                stamp: Stamp::default(),
            }),
            first,
            embedded,
            store: self.directory.map(|directory| Store::new(directory, STORE_NAME)),
            fetcher: fetcher.build()?,
            flight: Mutex::default(),
            landed: Condvar::new(),
            clients: Mutex::default(),
            listeners: Mutex::default(),
        };
        inner.load();
        Ok(PinSetUpdater(Arc::new(inner)))
    }
}

impl Inner {
    /// Takes over what is stored, if it follows from what is embedded and is newer than what is in
    /// force; whether that has changed anything.
    fn load(&self) -> bool {
        let Some(store) = &self.store else { return false };
        if !store.changed(self.live().stamp) {
            return false;
        }
        let stored = match store.read() {
            Ok(stored) => stored,
            Err(e) => {
                self.tell(&UpdateEvent::Store { reason: e.to_string() });
                return false;
            }
        };
        let mut live = self.live();
        live.stamp = stored.stamp;
        let Some(content) = stored.content else { return false };
        // The device's share of a rollout stays, whatever becomes of the document.
        if let Ok((kept, _)) = Kept::parse(&content) {
            live.kept.install_id = kept.install_id;
            let state = live.state.clone();
            self.adopt(&mut live, state);
        }
        match self.verify(&content) {
            Ok((state, kept)) => {
                let interval = Duration::from_secs(state.pinset().update().interval);
                let age = kept.checked.and_then(|checked| now().checked_sub(checked));
                let age = age.map_or(interval, Duration::from_secs);
                live.due = Instant::now() + interval.saturating_sub(age);
                live.kept = kept;
                self.adopt_if_newer(&mut live, state)
            }
            Err(rejection) => {
                drop(live);
                // After an update of the app the embedded documents are the newer ones.
                if rejection.cause != Cause::Rollback {
                    self.tell(&UpdateEvent::Rejected { url: None, rejection });
                }
                false
            }
        }
    }

    fn verify(&self, content: &[u8]) -> Result<(State, Kept), Rejection> {
        let (kept, bundle) = Kept::parse(content)?;
        let state = accept(&self.first, &bundle, &self.embedded.audience)?;
        Ok((state, kept))
    }

    fn adopt(&self, live: &mut Live, state: State) {
        live.pins = in_force(&state, &self.embedded, &live.kept.install_id);
        live.state = state;
    }

    fn adopt_if_newer(&self, live: &mut Live, state: State) -> bool {
        let newer = state.order() > live.state.order();
        if newer {
            self.adopt(live, state);
        }
        newer
    }

    fn is_due(&self) -> bool {
        Instant::now() >= self.live().due
    }

    fn status(&self) -> PinSetStatus {
        let live = self.live();
        let pinset = live.state.pinset();
        PinSetStatus {
            order: live.state.order(),
            freshness: freshness(&live.state, now(), self.embedded.built),
            issued: pinset.issued(),
            expires: pinset.expires(),
            checked: live.kept.checked,
            next_due: live.due.saturating_duration_since(Instant::now()).as_secs(),
            last_error: live.last_error.clone(),
        }
    }

    /// Waits for the fetch of this number to end, until `until` or a cancellation, which wakes
    /// everybody that waits.
    fn wait(&self, awaited: u64, until: Instant, cancel: &CancelToken) {
        let mut flight = lock(&self.flight);
        while flight.landed < awaited && !cancel.is_cancelled() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.landed.wait_timeout(flight, left);
            flight = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Goes through the URLs until one has said what is newest.
    fn fetch(&self) -> Result<Refreshed, UpdateError> {
        let (urls, etag) = {
            let live = self.live();
            let mut urls = live.state.pinset().update().urls.clone();
            for url in &self.embedded.update_urls {
                if !urls.contains(url) {
                    urls.push(url.clone());
                }
            }
            (urls, live.kept.etag.clone())
        };
        let mut failure = UpdateError::Unavailable("no update URL".into());
        for url in &urls {
            match self.fetch_from(url, etag.as_deref()) {
                Ok(refreshed) => {
                    self.settle(None);
                    return Ok(refreshed);
                }
                // A stale or poisoned edge must not hide a good mirror.
                Err(e) => failure = e,
            }
        }
        self.settle(Some(failure.clone()));
        if let UpdateError::Unavailable(reason) = &failure {
            self.tell(&UpdateEvent::Unavailable { reason: reason.clone() });
        }
        Err(failure)
    }

    fn fetch_from(&self, url: &str, etag: Option<&str>) -> Result<Refreshed, UpdateError> {
        let unavailable = |e: Error| UpdateError::Unavailable(e.to_string());
        let mut request = Request::new(Method::Get, url).map_err(unavailable)?;
        if let Some(etag) = etag {
            request = request.header("If-None-Match", etag).map_err(unavailable)?;
        }
        let response = self.fetcher.send(&request).map_err(unavailable)?;
        match response.status() {
            200 => {}
            304 if etag.is_some() => {
                let mut live = self.live();
                live.kept.checked = Some(now());
                let content = live.kept.with(&live.state.to_bundle());
                drop(live);
                self.persist(&content);
                return Ok(Refreshed::Unchanged);
            }
            status => return Err(UpdateError::Unavailable(format!("{url}: status {status}"))),
        }
        let etag = response.header("etag").filter(|etag| etag.len() <= 256).map(str::to_owned);
        let state = self.live().state.clone();
        let rejected = |rejection: Rejection| {
            let url = Some(url.to_owned());
            self.tell(&UpdateEvent::Rejected { url, rejection: rejection.clone() });
            UpdateError::Rejected(rejection)
        };
        let bundle = Bundle::parse(response.body()).map_err(rejected)?;
        let audience = &self.embedded.audience;
        let mut accepted = accept(&state, &bundle, audience).map_err(rejected)?;
        let mut live = self.live();
        // What another process has stored may have been taken over meanwhile: never back.
        if live.state != state {
            let judged = accept(&live.state, &bundle, audience);
            accepted = match judged {
                Ok(accepted) => accepted,
                Err(rejection) => {
                    drop(live);
                    return Err(rejected(rejection));
                }
            };
        }
        live.kept.checked = Some(now());
        live.kept.etag = etag;
        let before = live.state.clone();
        self.adopt(&mut live, accepted);
        let content = live.kept.with(&live.state.to_bundle());
        drop(live);
        // Another process may have stored a still newer one.
        self.persist(&content);
        let changed = self.live().state != before;
        if changed {
            self.swap();
        }
        Ok(if changed { Refreshed::Updated } else { Refreshed::Unchanged })
    }

    /// Stores what is in memory, unless another process has stored something newer; then that is
    /// taken over.
    fn persist(&self, content: &[u8]) {
        let Some(store) = &self.store else { return };
        let own = self.live().state.clone();
        let order = |disk: &[u8]| match self.verify(disk) {
            Ok((disk, _)) if disk.order() == own.order() && disk != own => std::cmp::Ordering::Less,
            Ok((disk, _)) => own.order().cmp(&disk.order()),
            Err(_) => std::cmp::Ordering::Greater,
        };
        match store.write(content, order) {
            Ok(Written::Kept(stored)) => {
                if let Some(Ok((state, _))) = stored.content.map(|disk| self.verify(&disk)) {
                    self.adopt_if_newer(&mut self.live(), state);
                }
            }
            Ok(Written::Done(stamp)) => self.live().stamp = stamp,
            Ok(Written::Skipped) => {}
            Err(e) => self.tell(&UpdateEvent::Store { reason: e.to_string() }),
        }
    }

    /// Puts the pin set into force in every client that is still there.
    fn swap(&self) {
        let (pins, order) = {
            let live = self.live();
            (live.pins.clone(), live.state.order())
        };
        lock(&self.clients).retain(|client| client.replace_pins(&pins));
        self.tell(&UpdateEvent::Updated { order });
    }

    /// When to look again.
    fn settle(&self, error: Option<UpdateError>) {
        let mut live = self.live();
        let pause = match &error {
            None => {
                live.failures = 0;
                let stale = freshness(&live.state, now(), self.embedded.built) != Freshness::Fresh;
                let interval = Duration::from_secs(live.state.pinset().update().interval);
                // So that a thousand devices do not come at once.
                if stale { jittered(STALE_INTERVAL, 50) } else { jittered(interval, 20) }
            }
            Some(_) => {
                let backoff = FIRST_BACKOFF * 2_u32.pow(live.failures.min(9));
                live.failures += 1;
                // Anywhere between none and all of it: "full jitter".
                jittered(backoff.min(MAX_BACKOFF) / 2, 100)
            }
        };
        live.due = Instant::now() + pause;
        live.last_error = error;
    }

    /// Whether a mismatch may cause a fetch now.
    fn may_force(&self) -> bool {
        let mut live = self.live();
        let now = Instant::now();
        while live.forced.front().is_some_and(|at| now.duration_since(*at) > DAY) {
            live.forced.pop_front();
        }
        let recent = live.forced.back().is_some_and(|at| now.duration_since(*at) < FORCED_APART);
        if recent || live.forced.len() >= FORCED_A_DAY {
            return false;
        }
        live.forced.push_back(now);
        true
    }

    fn tell(&self, event: &UpdateEvent) {
        let listeners = lock(&self.listeners).clone();
        listeners.iter().for_each(|listener| listener(event));
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        lock(&self.live)
    }
}

/// A fetch that has been begun, and the end of it, however it ends.
struct Landing(PinSetUpdater);

impl Landing {
    fn fly(self) -> Result<Refreshed, UpdateError> {
        let outcome = self.0.0.fetch();
        lock(&self.0.0.flight).outcome = Some(outcome.clone());
        outcome
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut flight = lock(&self.0.0.flight);
        flight.flying = false;
        flight.landed += 1;
        drop(flight);
        self.0.0.landed.notify_all();
    }
}

impl Wake for Inner {
    fn wake(&self) {
        // Under the lock, so that nobody is between looking and waiting.
        drop(lock(&self.flight));
        self.landed.notify_all();
    }
}

impl PinSource for PinSetUpdater {
    fn pins(&self) -> PinSet {
        Self::pins(self)
    }

    fn prepare(&self, host: &HostName, patience: &Patience<'_>) {
        let (lapsed, due) = {
            let live = self.0.live();
            let lapses = live.pins.policy(host).and_then(HostPolicy::expires);
            let now = live.pins.effective_now(now());
            (lapses.is_some_and(|at| now >= at), Instant::now() >= live.due)
        };
        if lapsed {
            self.forced(patience);
        } else if due {
            let mut flight = lock(&self.0.flight);
            if !flight.flying {
                flight.flying = true;
                drop(flight);
                self.in_background();
            }
        }
    }

    fn renew(&self, host: &HostName, used: &PinSet, patience: &Patience<'_>) -> bool {
        let changed = || used.policy(host) != self.pins().policy(host);
        if !changed() {
            self.forced(patience);
        }
        changed()
    }

    fn attach(&self, client: WeakClient) {
        // After an update between the client's first pin set and this call.
        let current = self.pins();
        lock(&self.0.clients).push(client.clone());
        client.replace_pins(&current);
    }
}

impl PinSetUpdater {
    /// A fetch that a call waits for, if fetches are not too frequent already: for a few seconds, and
    /// no longer than the call may take.
    fn forced(&self, patience: &Patience<'_>) {
        let until = Instant::now() + MISMATCH_WAIT;
        let until = patience.deadline.map_or(until, |deadline| deadline.min(until));
        patience.cancel.watch(&self.0);
        let mut flight = lock(&self.0.flight);
        let awaited = flight.landed + 1;
        if flight.flying {
            drop(flight);
        } else {
            if !self.0.may_force() {
                drop(flight);
                patience.cancel.unwatch(&self.0);
                return;
            }
            // Whoever comes next waits for this one.
            flight.flying = true;
            drop(flight);
            self.in_background();
        }
        self.0.wait(awaited, until, patience.cancel);
        patience.cancel.unwatch(&self.0);
    }

    /// Flies on a thread of its own; the caller has begun the flight.
    fn in_background(&self) {
        let landing = Landing(self.clone());
        // Without a thread it lands at once, and the next request tries again.
        let work = move || {
            let _told_to_listeners = landing.fly();
        };
        let _thread = std::thread::Builder::new().name("pinfold-update".into()).spawn(work);
    }
}

impl fmt::Debug for PinSetUpdater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinSetUpdater").field("status", &self.status()).finish()
    }
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Everything under these locks is whole at every point where a panic could leave it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// `time`, more or less by up to `percent`.
fn jittered(time: Duration, percent: u32) -> Duration {
    let mut random = [0; 4];
    // Without randomness there is no jitter, and still an update.
    let _filled = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random);
    let share = f64::from(u32::from_ne_bytes(random)) / f64::from(u32::MAX) * 2.0 - 1.0;
    time.mul_f64(1.0 + share * f64::from(percent) / 100.0)
}
