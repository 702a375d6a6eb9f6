//! The parts of an updater that have a state: what is in force, the store, and the clients.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};

use super::channel::Channel;
use super::kept::Kept;
use super::schedule::Moment;
use super::status::{PinSetStatus, Refreshed, UpdateError, UpdateEvent};
use super::store::{Stamp, Store, StoreError, Written};
use crate::cancel::Wake;
use crate::client::{Client, WeakClient};
use crate::clock::Clock;
use crate::driven::Driven;
use crate::error::Error;
use crate::pin::{HostName, HostPolicy, ManagedConfiguration, PinSet};
use crate::pinset::enforcement::{Freshness, in_force};
use crate::pinset::{Embedded, State, accept};
use crate::rejection::{Cause, Rejection};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// Inspected hosts that have been told of; beyond them every connection is told again.
const MAX_TOLD: usize = 1_024;

pub(super) type Listener = dyn Fn(&UpdateEvent) + Send + Sync;

/// What the clones of an updater share.
pub(super) struct Engine {
    pub(super) embedded: Embedded,
    /// The state that every stored one has to follow from.
    pub(super) first: State,
    store: Option<Store>,
    /// Held while the store is written to: another write of this process would be skipped.
    storing: Mutex<()>,
    pub(super) fetcher: Client,
    clock: Arc<dyn Clock>,
    /// What the times within a look are since.
    begun: Instant,
    live: Mutex<Live>,
    /// A look has landed, or there is another pin set.
    news: Condvar,
    clients: Mutex<Vec<WeakClient>>,
    listener: Option<Arc<Listener>>,
    /// Who tells it of something.
    telling: Driven<()>,
    pub(super) managed: Option<Arc<dyn ManagedConfiguration>>,
}

/// What an updater is made of.
pub(super) struct Parts {
    pub(super) embedded: Embedded,
    pub(super) first: State,
    pub(super) store: Option<Store>,
    pub(super) fetcher: Client,
    pub(super) clock: Arc<dyn Clock>,
    /// How long a look may take at most.
    pub(super) timeout: Duration,
    pub(super) listener: Option<Arc<Listener>>,
    pub(super) managed: Option<Arc<dyn ManagedConfiguration>>,
}

pub(super) struct Live {
    pub(super) channel: Channel,
    pub(super) pins: PinSet,
    /// The last look that has landed, and what has come of it.
    pub(super) landed: (u64, Result<Refreshed, UpdateError>),
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

/// Whether a request has to wait for a pin set, or may begin a look that nobody waits for.
pub(super) enum Need {
    Nothing,
    Due,
    Lapsed,
}

impl Engine {
    /// Begins with the embedded documents. Reads no store yet.
    pub(super) fn new(parts: Parts) -> Result<Self, Error> {
        let Parts { embedded, first, store, fetcher, clock, timeout, listener, managed } = parts;
        let kept = Kept::new().map_err(|reason| Error::Internal { reason })?;
        let pins = in_force(&first, &embedded, &kept.install_id);
        let (urls, built, now) = (embedded.update_urls.clone(), embedded.built, moment(&*clock));
        let live = Live {
            channel: Channel::new(first.clone(), kept, urls, built, timeout, now),
            pins,
            landed: (0, Ok(Refreshed::Unchanged)),
            stamp: Stamp::default(),
            told: Told::default(),
        };
        Ok(Self {
            embedded,
            first,
            store,
            storing: Mutex::default(),
            fetcher,
            clock,
            begun: Instant::now(),
            live: Mutex::new(live),
            news: Condvar::new(),
            clients: Mutex::default(),
            listener,
            telling: Driven::default(),
            managed,
        })
    }

    pub(super) fn now(&self) -> Moment {
        moment(&*self.clock)
    }

    /// The time that passes within a look; it need not count sleep, in which no answer comes.
    pub(super) fn at(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(super) fn live(&self) -> MutexGuard<'_, Live> {
        lock(&self.live)
    }

    /// Waits until there is news, or for as long as `time`.
    pub(super) fn wait<'a>(
        &self,
        live: MutexGuard<'a, Live>,
        time: Option<Duration>,
    ) -> MutexGuard<'a, Live> {
        match time {
            None => self.news.wait(live).unwrap_or_else(PoisonError::into_inner),
            Some(time) => {
                let waited = self.news.wait_timeout(live, time);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
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
        match self.verify(&content) {
            Ok((state, kept)) => self.take_over(&mut live, state, kept),
            Err(rejection) => {
                // The device's share of a rollout stays, whatever becomes of the document.
                if let Ok(kept) = Kept::parse_device(&content) {
                    live.channel.identify(kept.install_id);
                    self.refresh_pins(&mut live);
                }
                drop(live);
                // After an update of the app the embedded documents are the newer ones.
                if rejection.cause != Cause::Rollback {
                    self.tell(&UpdateEvent::Rejected { url: None, rejection });
                }
                false
            }
        }
    }

    /// Stores the device's own number before anything goes by it, unless one is stored.
    pub(super) fn store_device(&self) {
        let is_new = |disk: &[u8]| match Kept::parse_device(disk) {
            Ok(_) => Ordering::Less,
            Err(_) => Ordering::Greater,
        };
        if self.store.as_ref().is_some_and(|store| {
            store
                .read()
                .is_ok_and(|stored| stored.content.is_none_or(|content| is_new(&content).is_gt()))
        }) {
            self.write(is_new);
        }
    }

    fn verify(&self, content: &[u8]) -> Result<(State, Kept), Rejection> {
        let (kept, bundle) = Kept::parse(content)?;
        let state = accept(&self.first, &bundle, &self.embedded.audience)?;
        Ok((state, kept))
    }

    fn take_over(&self, live: &mut Live, state: State, kept: Kept) -> bool {
        let newer = live.channel.take_over(state, kept, self.now());
        self.refresh_pins(live);
        if newer {
            live.forget_told();
        }
        newer
    }

    /// After the state or the device's number has become another.
    pub(super) fn refresh_pins(&self, live: &mut Live) {
        let id = &live.channel.kept().install_id;
        live.pins = in_force(live.channel.state(), &self.embedded, id);
    }

    pub(super) fn pins(&self) -> PinSet {
        self.live().pins.clone()
    }

    /// What a request to `host` needs before it begins. Tells what time has done.
    pub(super) fn need(&self, host: &HostName) -> Need {
        let now = self.now();
        let live = self.live();
        let policy = live.pins.policy(host);
        let lapses = policy.and_then(HostPolicy::expires);
        let lapsed = lapses.is_some_and(|at| live.pins.effective_now(now.wall) >= at);
        let entry = policy.filter(|_| lapsed).map(|policy| policy.host().clone());
        let due = live.channel.is_due(now);
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
        let is = live.channel.freshness(self.now());
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

    pub(super) fn tell(&self, event: &UpdateEvent) {
        if let Some(listener) = &self.listener {
            // What it does wrong is its own business, and not the look's.
            let tell = || catch_unwind(AssertUnwindSafe(|| listener(event)));
            let _panicked = self.telling.drive(&Arc::new(()), tell);
        }
    }

    /// Whether this thread is in the app's listener.
    pub(super) fn is_telling(&self) -> bool {
        self.telling.current().is_some()
    }

    /// Has `client` told of every pin set to come, and of the one in force.
    pub(super) fn attach(&self, client: WeakClient) {
        lock(&self.clients).push(client);
        // After an update between the client's first pin set and this call.
        self.hand_out();
    }

    pub(super) fn status(&self) -> PinSetStatus {
        let now = self.now();
        let live = self.live();
        let channel = &live.channel;
        let pinset = channel.state().pinset();
        // A job that is planned for then must not come a moment early.
        let next_due = channel.due_in(now) + Duration::from_nanos(999_999_999);
        PinSetStatus {
            order: channel.state().order(),
            freshness: channel.freshness(now),
            issued: pinset.issued(),
            expires: pinset.expires(),
            checked: channel.kept().checked,
            next_due: next_due.as_secs(),
            last_error: channel.last_error().cloned(),
        }
    }

    /// Stores what is in memory, unless another process has stored something newer; then that is
    /// taken over. Whether it was.
    pub(super) fn persist(&self) -> bool {
        let own = self.live().channel.state().clone();
        self.write(|disk: &[u8]| match self.verify(disk) {
            Ok((disk, _)) if disk.order() == own.order() && disk != own => Ordering::Less,
            Ok((disk, _)) => own.order().cmp(&disk.order()),
            Err(_) => Ordering::Greater,
        })
    }

    fn write(&self, order: impl Fn(&[u8]) -> Ordering) -> bool {
        let Some(store) = &self.store else { return false };
        let _one_at_a_time = lock(&self.storing);
        let content = {
            let live = self.live();
            live.channel.kept().with(&live.channel.state().to_bundle())
        };
        match store.write(&content, order) {
            Ok(Written::Kept(stored)) => match stored.content.map(|disk| self.verify(&disk)) {
                Some(Ok((state, kept))) => self.take_over(&mut self.live(), state, kept),
                _ => false,
            },
            Ok(Written::Done(stamp)) => {
                self.live().stamp = stamp;
                false
            }
            Ok(Written::Skipped) => false,
            Err(e) => {
                self.report(&e);
                false
            }
        }
    }

    fn report(&self, error: &StoreError) {
        self.tell(&UpdateEvent::Store { reason: error.to_string() });
    }

    /// Puts the pin set into force in every client that is still there, and has whoever waits for
    /// another one look at it.
    pub(super) fn swap(&self) {
        self.hand_out();
        self.wake();
    }

    /// Sees to it that every client has the pin set in force.
    pub(super) fn hand_out(&self) {
        let mut clients = lock(&self.clients);
        // Under the lock, so that nobody hands out an older one afterwards.
        let pins = self.pins();
        clients.retain(|client| client.replace_pins(&pins));
    }
}

impl Live {
    /// Of another pin set everything is news.
    pub(super) fn forget_told(&mut self) {
        let inspected = std::mem::take(&mut self.told.inspected);
        self.told = Told { inspected, ..Told::default() };
    }
}

impl Wake for Engine {
    fn wake(&self) {
        // Under the lock, so that nobody is between looking and waiting.
        drop(self.live());
        self.news.notify_all();
    }
}

fn moment(clock: &dyn Clock) -> Moment {
    let mut random = [0; 4];
    // Without randomness everybody comes at one time, but comes.
    let _filled = SystemRandom::new().fill(&mut random);
    let chance = f64::from(u32::from_ne_bytes(random)) / f64::from(u32::MAX);
    Moment { wall: clock.wall(), boot: clock.boot(), chance }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Everything under these locks is whole at every point where a panic could leave it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
