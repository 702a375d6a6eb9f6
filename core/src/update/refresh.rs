//! The working part of an updater: what is in force, fetching, storing, and when to look again.

use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::jitter::jittered;
use super::kept::{Digest, Kept};
use super::status::{PinSetStatus, Refreshed, UpdateError, UpdateEvent};
use super::store::{Stamp, Store, Written};
use crate::cancel::{CancelToken, Wake};
use crate::client::{Client, Method, Request, WeakClient};
use crate::error::Error;
use crate::pin::{HostName, HostPolicy, ManagedConfiguration, PinSet};
use crate::pinset::Bundle;
use crate::pinset::Embedded;
use crate::pinset::enforcement::{Freshness, freshness, in_force};
use crate::pinset::{State, accept};
use crate::rejection::{Cause, Rejection};

/// Mismatches are free for whoever sits in the middle; fetches are not.
const FORCED_APART: Duration = Duration::from_secs(60);
const FORCED_A_DAY: usize = 20;
const DAY: Duration = Duration::from_secs(24 * 3_600);
const FIRST_BACKOFF: Duration = Duration::from_secs(60);
const MAX_BACKOFF: Duration = Duration::from_secs(6 * 3_600);
/// Inspected hosts that have been told of; beyond them every connection is told again.
const MAX_TOLD: usize = 1_024;

pub(super) type Listener = dyn Fn(&UpdateEvent) + Send + Sync;

/// What the clones of an updater share.
pub(super) struct Inner {
    embedded: Embedded,
    /// The state that every stored one has to follow from.
    first: State,
    store: Option<Store>,
    fetcher: Client,
    live: Mutex<Live>,
    flight: Mutex<Flight>,
    landed: Condvar,
    clients: Mutex<Vec<WeakClient>>,
    listener: Option<Arc<Listener>>,
    pub(super) managed: Option<Arc<dyn ManagedConfiguration>>,
}

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
    told: Told,
}

/// What the listener knows already.
struct Told {
    freshness: Freshness,
    lapsed: BTreeSet<String>,
    inspected: BTreeSet<(String, String)>,
}

impl Default for Told {
    fn default() -> Self {
        let (lapsed, inspected) = Default::default();
        Self { freshness: Freshness::Fresh, lapsed, inspected }
    }
}

/// At most one fetch is under way; the number tells whose result it is.
#[derive(Default)]
struct Flight {
    flying: bool,
    landed: u64,
    outcome: Option<Result<Refreshed, UpdateError>>,
}

/// Whether a request has to wait for a pin set, or may begin a fetch that nobody waits for.
pub(super) enum Need {
    Nothing,
    Due,
    Lapsed,
}

impl Inner {
    /// Begins with the embedded documents. Reads no store yet.
    pub(super) fn new(
        embedded: Embedded,
        first: State,
        store: Option<Store>,
        fetcher: Client,
        listener: Option<Arc<Listener>>,
        managed: Option<Arc<dyn ManagedConfiguration>>,
    ) -> Result<Self, Error> {
        let kept = Kept::new().map_err(|reason| Error::Internal { reason })?;
        let live = Live {
            pins: in_force(&first, &embedded, &kept.install_id),
            state: first.clone(),
            kept,
            due: Instant::now(),
            failures: 0,
            forced: VecDeque::new(),
            last_error: None,
            stamp: Stamp::default(),
            told: Told::default(),
        };
        Ok(Self {
            embedded,
            first,
            store,
            fetcher,
            live: Mutex::new(live),
            flight: Mutex::default(),
            landed: Condvar::new(),
            clients: Mutex::default(),
            listener,
            managed,
        })
    }

    /// Takes over what is stored, if it follows from what is embedded and is newer than what is in
    /// force; whether that has changed anything.
    pub(super) fn load(&self) -> bool {
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
        if stored.damaged {
            let reason = "what was stored is damaged".to_owned();
            self.tell(&UpdateEvent::Store { reason });
        }
        let mut live = self.live();
        live.stamp = stored.stamp;
        let Some(content) = stored.content else { return false };
        // The device's share of a rollout stays, whatever becomes of the document.
        if let Ok((kept, _)) = Kept::parse(&content)
            && kept.install_id != live.kept.install_id
        {
            live.kept.install_id = kept.install_id;
            let (state, digest) = (live.state.clone(), live.kept.digest);
            self.adopt(&mut live, state, digest);
        }
        match self.verify(&content) {
            Ok((state, kept)) => {
                let interval = Duration::from_secs(state.pinset().update().interval);
                let age = kept.checked.and_then(|checked| now().checked_sub(checked));
                let age = age.map_or(interval, Duration::from_secs);
                live.due = Instant::now() + interval.saturating_sub(age);
                // The digest is of what is stored, and that may be older than what is in memory.
                let digest = if live.state == state { kept.digest } else { live.kept.digest };
                live.kept = Kept { digest, ..kept };
                self.adopt_if_newer(&mut live, state, kept.digest)
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

    /// `digest` is of the bundle that has led to `state`.
    fn adopt(&self, live: &mut Live, state: State, digest: Option<Digest>) {
        live.kept.digest = digest;
        live.pins = in_force(&state, &self.embedded, &live.kept.install_id);
        if live.state != state {
            let inspected = std::mem::take(&mut live.told.inspected);
            live.told = Told { inspected, ..Told::default() };
        }
        live.state = state;
    }

    fn adopt_if_newer(&self, live: &mut Live, state: State, digest: Option<Digest>) -> bool {
        let newer = state.order() > live.state.order();
        if newer {
            self.adopt(live, state, digest);
        }
        newer
    }

    pub(super) fn is_due(&self) -> bool {
        Instant::now() >= self.live().due
    }

    pub(super) fn pins(&self) -> PinSet {
        self.live().pins.clone()
    }

    /// What a request to `host` needs before it begins. Tells what time has done.
    pub(super) fn need(&self, host: &HostName) -> Need {
        let now = now();
        let live = self.live();
        let policy = live.pins.policy(host);
        let lapses = policy.and_then(HostPolicy::expires);
        let lapsed = lapses.is_some_and(|at| live.pins.effective_now(now) >= at);
        let entry = policy.filter(|_| lapsed).map(|policy| policy.host().clone());
        let due = Instant::now() >= live.due;
        drop(live);
        self.tell_time(entry);
        match (lapsed, due) {
            (true, _) => Need::Lapsed,
            (_, true) => Need::Due,
            _ => Need::Nothing,
        }
    }

    /// Tells, once each, that the pin set is stale or lapsed, or that `entry` has lapsed before it.
    pub(super) fn tell_time(&self, entry: Option<HostName>) {
        if self.listener.is_none() {
            return;
        }
        let mut live = self.live();
        let is = freshness(&live.state, now(), self.embedded.built);
        let was = std::mem::replace(&mut live.told.freshness, is);
        let entry = entry
            .filter(|host| is != Freshness::Lapsed && live.told.lapsed.insert(host.to_string()));
        drop(live);
        match is {
            Freshness::Stale if was != is => self.tell(&UpdateEvent::Stale),
            Freshness::Lapsed if was != is => self.tell(&UpdateEvent::Lapsed { host: None }),
            _ => {}
        }
        if let Some(host) = entry {
            self.tell(&UpdateEvent::Lapsed { host: Some(host) });
        }
    }

    /// Tells of an inspected connection, once for each host and authority.
    pub(super) fn tell_inspected(&self, host: &str, authority: &str) {
        let inspected = (host.to_owned(), authority.to_owned());
        let told = {
            let told = &mut self.live().told.inspected;
            told.contains(&inspected) || (told.len() < MAX_TOLD && !told.insert(inspected.clone()))
        };
        if !told {
            let (host, authority) = inspected;
            self.tell(&UpdateEvent::Inspected { host, authority });
        }
    }

    /// Has `client` told of every pin set to come, and of the one in force.
    pub(super) fn attach(&self, client: WeakClient) {
        lock(&self.clients).push(client);
        // After an update between the client's first pin set and this call.
        self.hand_out();
    }

    pub(super) fn status(&self) -> PinSetStatus {
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

    /// Waits until `done` or for the fetch of this number to end, until `until` or a cancellation,
    /// which wakes everybody that waits.
    fn wait(&self, awaited: u64, until: Instant, cancel: &CancelToken, done: &dyn Fn() -> bool) {
        let mut flight = lock(&self.flight);
        while flight.landed < awaited && !done() && !cancel.is_cancelled() {
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
        let (urls, digest) = {
            let live = self.live();
            let mut urls = live.state.pinset().update().urls.clone();
            for url in &self.embedded.update_urls {
                if !urls.contains(url) {
                    urls.push(url.clone());
                }
            }
            (urls, live.kept.digest)
        };
        let mut failure = UpdateError::Unavailable("no update URL".into());
        for url in &urls {
            match self.fetch_from(url, digest) {
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

    fn fetch_from(&self, url: &str, known: Option<Digest>) -> Result<Refreshed, UpdateError> {
        let unavailable = |e: Error| UpdateError::Unavailable(e.to_string());
        let mut request = Request::new(Method::Get, url).map_err(unavailable)?;
        // A cache on the way asks its server.
        request = request.header("Cache-Control", "no-cache").map_err(unavailable)?;
        if let Some(known) = known {
            let tag = format!("\"{known}\"");
            request = request.header("If-None-Match", &tag).map_err(unavailable)?;
        }
        let response = self.fetcher.send(&request).map_err(unavailable)?;
        match response.status() {
            200 => {}
            304 if known.is_some() => {
                let mut live = self.live();
                live.kept.checked = Some(now());
                let content = live.kept.with(&live.state.to_bundle());
                drop(live);
                self.persist(&content);
                return Ok(Refreshed::Unchanged);
            }
            status => return Err(UpdateError::Unavailable(format!("{url}: status {status}"))),
        }
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
        let digest = Some(Digest::of(response.body()));
        live.kept.digest = digest;
        let before = live.state.clone();
        // The same again is no other one, and costs no client its connections.
        if accepted != before {
            self.adopt(&mut live, accepted, digest);
        }
        let adopted = live.state.clone();
        let content = live.kept.with(&adopted.to_bundle());
        drop(live);
        // First of all into force: requests wait for it, and a disk may take its time.
        if adopted != before {
            self.swap();
        }
        // Another process may have stored a still newer one.
        self.persist(&content);
        let newest = self.live().state.clone();
        if newest != adopted {
            self.swap();
        }
        Ok(if newest != before { Refreshed::Updated } else { Refreshed::Unchanged })
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
                if let Some(Ok((state, kept))) = stored.content.map(|disk| self.verify(&disk)) {
                    self.adopt_if_newer(&mut self.live(), state, kept.digest);
                }
            }
            Ok(Written::Done(stamp)) => self.live().stamp = stamp,
            Ok(Written::Skipped) => {}
            Err(e) => self.tell(&UpdateEvent::Store { reason: e.to_string() }),
        }
    }

    /// Puts the pin set into force in every client that is still there.
    pub(super) fn swap(&self) {
        self.hand_out();
        // Requests that wait for another pin set have it.
        self.wake();
        let order = self.live().state.order();
        self.tell(&UpdateEvent::Updated { order });
    }

    /// Sees to it that every client has the pin set in force.
    pub(super) fn hand_out(&self) {
        let mut clients = lock(&self.clients);
        // Under the lock, so that nobody hands out an older one afterwards.
        let pins = self.pins();
        clients.retain(|client| client.replace_pins(&pins));
    }

    /// When to look again.
    fn settle(&self, error: Option<UpdateError>) {
        let mut live = self.live();
        let pause = match &error {
            None => {
                live.failures = 0;
                let stale = freshness(&live.state, now(), self.embedded.built) != Freshness::Fresh;
                let interval = Duration::from_secs(live.state.pinset().update().interval);
                let urgent = Duration::from_secs(live.state.pinset().update().min_interval);
                // So that a thousand devices do not come at once.
                if stale { jittered(urgent, 50) } else { jittered(interval, 20) }
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
        drop(live);
        self.tell_time(None);
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
        if let Some(listener) = &self.listener {
            let before = TELLING.replace(true);
            // What it does wrong is its own business, and not the fetch's.
            let _panicked = catch_unwind(AssertUnwindSafe(|| listener(event)));
            TELLING.set(before);
        }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        lock(&self.live)
    }
}

/// A fetch that has been begun, and the end of it, however it ends.
struct Landing(Arc<Inner>);

impl Landing {
    fn fly(self) -> Result<Refreshed, UpdateError> {
        let outcome = self.0.fetch();
        // It would lie there for hours until the next fetch, and by then the device's network may be
        // another, which leaves it dead without a word.
        self.0.fetcher.close_idle_connections();
        lock(&self.0.flight).outcome = Some(outcome.clone());
        outcome
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut flight = lock(&self.0.flight);
        flight.flying = false;
        flight.landed += 1;
        drop(flight);
        self.0.landed.notify_all();
    }
}

thread_local! {
    /// Whether this thread tells the listener of something.
    static TELLING: Cell<bool> = const { Cell::new(false) };
}

/// Fetches on this thread, or waits for whoever does.
pub(super) fn refresh(inner: &Arc<Inner>) -> Result<Refreshed, UpdateError> {
    if TELLING.get() {
        // What tells it may be the fetch that it would wait for.
        refresh_in_background(inner);
        return Err(UpdateError::Unavailable("a listener cannot wait for a refresh".into()));
    }
    let mut flight = lock(&inner.flight);
    if flight.flying {
        let awaited = flight.landed + 1;
        while flight.landed < awaited {
            flight = inner.landed.wait(flight).unwrap_or_else(PoisonError::into_inner);
        }
        return flight.outcome.clone().unwrap_or(Ok(Refreshed::Unchanged));
    }
    flight.flying = true;
    drop(flight);
    Landing(inner.clone()).fly()
}

/// Fetches on a thread of its own, if nobody does already.
pub(super) fn refresh_in_background(inner: &Arc<Inner>) {
    let mut flight = lock(&inner.flight);
    if !flight.flying {
        flight.flying = true;
        drop(flight);
        fly_in_background(inner);
    }
}

/// A fetch that a call waits for until `until` or `done`, if fetches are not too frequent already.
pub(super) fn refresh_for(
    inner: &Arc<Inner>,
    until: Instant,
    cancel: &CancelToken,
    done: &dyn Fn() -> bool,
) {
    cancel.watch(inner);
    // What is under way may have been answered before there was anything newer.
    let mut joins = true;
    while joins {
        let mut flight = lock(&inner.flight);
        let awaited = flight.landed + 1;
        joins = std::mem::replace(&mut flight.flying, true);
        if !joins && !inner.may_force() {
            flight.flying = false;
            break;
        }
        drop(flight);
        // Whoever comes next waits for this one.
        if !joins {
            fly_in_background(inner);
        }
        inner.wait(awaited, until, cancel, done);
        joins &= !done() && !cancel.is_cancelled() && Instant::now() < until;
    }
    cancel.unwatch(inner);
}

/// The caller has begun the flight.
fn fly_in_background(inner: &Arc<Inner>) {
    let landing = Landing(inner.clone());
    // Without a thread it lands at once, and the next request tries again.
    let work = move || {
        let _told_to_the_listener = landing.fly();
    };
    let _thread = std::thread::Builder::new().name("pinfold-update".into()).spawn(work);
}

impl Wake for Inner {
    fn wake(&self) {
        // Under the lock, so that nobody is between looking and waiting.
        drop(lock(&self.flight));
        self.landed.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Everything under these locks is whole at every point where a panic could leave it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
