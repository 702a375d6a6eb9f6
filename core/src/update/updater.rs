//! Keeps the pin set up to date: fetches, accepts, stores and hands it to running clients.
//!
//! The update channel does not depend on pins: it goes by the system's trust, over URLs that no
//! document can take away. Whatever a server sends there is worth nothing until
//! [`accept`](crate::pinset::accept) says so.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::channel::Why;
use super::engine::{Engine, Listener, Need, Parts};
use super::look::{refresh, refresh_for, refresh_in_background, tell_updated};
use super::status::{PinSetStatus, Refreshed, UpdateError, UpdateEvent};
use super::store::Store;
use crate::client::{Client, ClientBuilder, PinSource, WeakClient};
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::patience::Patience;
use crate::pin::{HostName, ManagedConfiguration, PinSet, PinSetSpec};
use crate::pinset::Embedded;
use crate::pinset::State;
use crate::proxy::Proxies;
use crate::rejection::Rejection;
use crate::verify::Roots;

/// The most that a mismatch makes its request wait for another pin set.
const MISMATCH_WAIT: Duration = Duration::from_secs(5);
const MAX_BUNDLE: u64 = 256 * 1_024;
const STORE_NAME: &str = "pinset";

/// Keeps a signed pin set up to date. Cheap to clone; clones are one updater.
#[derive(Clone)]
pub struct PinSetUpdater(Arc<Engine>);

/// Sets an updater up.
pub struct PinSetUpdaterBuilder {
    embedded: Vec<u8>,
    directory: Option<PathBuf>,
    roots: Roots,
    timeout: Duration,
    connect_to: Vec<(String, u16, SocketAddr)>,
    proxies: Proxies,
    listener: Option<Arc<Listener>>,
    managed: Option<Arc<dyn ManagedConfiguration>>,
    clock: Arc<dyn Clock>,
}

impl PinSetUpdater {
    /// An updater that begins with the embedded documents (`pinfold embed`).
    pub fn builder(embedded: &[u8]) -> PinSetUpdaterBuilder {
        PinSetUpdaterBuilder {
            embedded: embedded.to_vec(),
            directory: None,
            roots: Roots::System,
            timeout: Duration::from_secs(20),
            connect_to: Vec::new(),
            proxies: Proxies::None,
            listener: None,
            managed: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// Looks for a newer pin set now, at every URL. Whoever calls while others look has one more look
    /// with all who do likewise: what those were told may be from before the reason for the call.
    /// Blocks for twice the timeout at worst: not for a main thread.
    ///
    /// # Errors
    /// [`UpdateError`]; the pin set in force stays.
    pub fn refresh(&self) -> Result<Refreshed, UpdateError> {
        refresh(&self.0, Why::Asked)
    }

    /// The same, where it is time for it; else none. For an app that comes to the foreground, and
    /// for the platform's background jobs. Takes over what another process of the app has stored.
    ///
    /// # Errors
    /// [`UpdateError`]; the pin set in force stays.
    pub fn refresh_if_due(&self) -> Result<Option<Refreshed>, UpdateError> {
        if self.0.load() {
            self.0.swap();
            tell_updated(&self.0);
        }
        self.0.tell_time(None);
        let due = self.0.live().channel.is_due(self.0.now());
        if due { refresh(&self.0, Why::Due).map(Some) } else { Ok(None) }
    }

    /// How the pin set stands.
    pub fn status(&self) -> PinSetStatus {
        self.0.status()
    }

    /// The pin set in force on this device.
    pub fn pins(&self) -> PinSet {
        self.0.pins()
    }

    /// A look that a call waits for: until `done`, for a few seconds, and no longer than the call may
    /// take. Whether what is said of `host` is something else than in `used`.
    fn forced(
        &self,
        host: &HostName,
        used: &PinSet,
        patience: &Patience<'_>,
        done: &dyn Fn(&PinSet) -> bool,
    ) -> bool {
        let until = Instant::now() + MISMATCH_WAIT;
        let until = patience.deadline.map_or(until, |deadline| deadline.min(until));
        refresh_for(&self.0, until, patience.cancel, done);
        // It is in force before it is in every client.
        self.0.hand_out();
        is_other(host, used, &self.pins())
    }
}

impl Client {
    /// A client whose pin sets come over the air; see [`PinSetUpdater`].
    pub fn builder_with(updater: &PinSetUpdater) -> ClientBuilder {
        ClientBuilder::with_source(Arc::new(updater.clone()))
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

    /// The most that a look may take, at whatever number of URLs; 20 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Connects to `address` for `host` and `port`; see
    /// [`ClientBuilder::connect_to`](crate::ClientBuilder::connect_to).
    pub fn connect_to(mut self, host: &str, port: u16, address: SocketAddr) -> Self {
        self.connect_to.push((host.to_owned(), port, address));
        self
    }

    /// The proxies to go through; none by default. See
    /// [`ClientBuilder::proxies`](crate::ClientBuilder::proxies).
    pub fn proxies(mut self, proxies: Proxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// Has `listener` told of everything that happens, on whatever thread it happens; it must not
    /// block. A refresh that it asks for goes on without it: it gets an error at once. Its panics
    /// are ignored.
    pub fn listener(mut self, listener: impl Fn(&UpdateEvent) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// What the device's management says, for the document's `inspection_authorities`. Without it
    /// no connection may be inspected.
    pub fn managed_configuration(mut self, managed: Arc<dyn ManagedConfiguration>) -> Self {
        self.managed = Some(managed);
        self
    }

    /// What time it is; the system's clocks by default. For tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The updater. Reads the store, or writes to it at the first start of all, but fetches nothing.
    ///
    /// # Errors
    /// [`Error::InvalidPinSet`] where the embedded documents are no good: the app was built
    /// wrongly. [`Error::InvalidConfig`] where the roots or the timeout are not.
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
            .proxies(self.proxies)
            .max_redirects(0)
            .without_resumption()
            .connect_timeout(Duration::from_secs(10))
            .timeout(self.timeout)
            .max_response_bytes(MAX_BUNDLE);
        for (host, port, address) in &self.connect_to {
            fetcher = fetcher.connect_to(host, *port, *address);
        }
        let store = self.directory.map(|directory| Store::new(directory, STORE_NAME));
        let engine = Engine::new(Parts {
            embedded,
            first,
            store,
            fetcher: fetcher.build()?,
            clock: self.clock,
            timeout: self.timeout,
            listener: self.listener,
            managed: self.managed,
        })?;
        engine.load();
        engine.store_device();
        Ok(PinSetUpdater(Arc::new(engine)))
    }
}

/// Whether two pin sets may judge a connection to `host` differently.
fn is_other(host: &HostName, one: &PinSet, other: &PinSet) -> bool {
    one.policy(host) != other.policy(host) || one.blocked() != other.blocked()
}

impl PinSource for PinSetUpdater {
    fn pins(&self) -> PinSet {
        self.0.pins()
    }

    fn managed(&self) -> Option<Arc<dyn ManagedConfiguration>> {
        self.0.managed.clone()
    }

    fn prepare(&self, host: &HostName, patience: &Patience<'_>) {
        match self.0.need(host) {
            Need::Nothing => {}
            Need::Due => refresh_in_background(&self.0),
            Need::Lapsed => {
                let used = self.pins();
                let done = |pins: &PinSet| is_other(host, &used, pins);
                let _as_it_is_by_then = self.forced(host, &used, patience, &done);
            }
        }
    }

    fn renew(
        &self,
        host: &HostName,
        used: &PinSet,
        accepts: &dyn Fn(&PinSet) -> bool,
        patience: &Patience<'_>,
    ) -> bool {
        // One that has changed without a remedy may be followed by one that has.
        self.forced(host, used, patience, &|pins| !pins.is_same(used) && accepts(pins))
    }

    fn inspected(&self, host: &str, authority: &str) {
        self.0.tell_inspected(host, authority);
    }

    fn attach(&self, client: WeakClient) {
        self.0.attach(client);
    }
}

impl fmt::Debug for PinSetUpdater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinSetUpdater").field("status", &self.status()).finish()
    }
}

impl fmt::Debug for PinSetUpdaterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinSetUpdaterBuilder")
            .field("directory", &self.directory)
            .field("roots", &self.roots)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, shuttle))]
mod interleavings {
    use std::net::TcpListener;
    use std::sync::LazyLock;

    use super::*;
    use crate::cancel::CancelToken;
    use crate::clock::tests::Hands;
    use crate::sync::{in_every_order, thread};

    static ROOT: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let key = rcgen::KeyPair::generate().expect("randomness");
        let root = rcgen::CertificateParams::default().self_signed(&key).expect("a certificate");
        root.der().to_vec()
    });

    /// One whose only URL nobody serves, so that each look is over at once.
    fn updater() -> PinSetUpdater {
        let documents = include_bytes!("../../tests/data/pinset/golden/embedded.json");
        let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        PinSetUpdater::builder(documents)
            .connect_to("pins.example.com", 443, closed.expect("loopback"))
            .roots(Roots::Only(vec![ROOT.clone()]))
            .clock(Arc::new(Hands::default()))
            .build()
            .expect("good documents")
    }

    #[test]
    fn everybody_has_a_look_that_began_after_they_asked_for_it_and_nobody_more_than_that() {
        in_every_order(|| {
            let updater = updater();
            let asking = [(); 3].map(|()| {
                let updater = updater.clone();
                thread::spawn(move || {
                    let before = updater.0.live().channel.number();
                    let error = updater.refresh().expect_err("nobody answers");
                    assert_eq!(error.code(), "unavailable");
                    assert!(updater.0.live().landed.0 > before);
                })
            });
            // Whoever were forgotten would hang here, which shuttle reports.
            asking.into_iter().for_each(|asking| asking.join().expect("no panic"));
            assert!((1..=3).contains(&updater.0.live().channel.number()));
        });
    }

    #[test]
    fn a_call_that_waits_for_a_look_is_woken_by_its_end_or_by_its_cancellation() {
        in_every_order(|| {
            let (updater, cancel) = (updater(), CancelToken::new());
            let waiting = [cancel.clone(), CancelToken::new()].map(|cancel| {
                let updater = updater.clone();
                thread::spawn(move || {
                    let patience = Patience { deadline: None, cancel: &cancel };
                    let (host, used) = (HostName::parse("a.test").expect("a name"), updater.pins());
                    assert!(!updater.renew(&host, &used, &|_| false, &patience), "nothing newer");
                })
            });
            cancel.cancel();
            waiting.into_iter().for_each(|waiting| waiting.join().expect("no panic"));
        });
    }
}
