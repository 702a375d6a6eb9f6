//! Idle connections: one pool for every pin set that a client has had, so that a change closes only
//! what would be judged otherwise.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use super::buffers::Buffers;
use super::connection::{Connection, Handle, Stamp};
use super::origin::{Key, SessionId};
use crate::clock::Clock;
use crate::error::CertificateFacts;
use crate::sync::{Mutex, MutexGuard};
use crate::verify::Judge;

/// Servers end what is idle, nginx after 75 s: a request would meet a connection that is about to
/// close.
const MAX_AGE: Duration = Duration::from_secs(60);
/// How many pairs of buffers wait for the next call.
const MAX_SPARE: usize = 8;

/// The idle connections of a client.
pub(super) struct Pool {
    clock: Arc<dyn Clock>,
    max_idle: usize,
    /// Whether calls end whose pin is withdrawn.
    abort_withdrawn: bool,
    state: Mutex<State>,
    /// Every connection there is, in use or idle.
    open: Mutex<Vec<Weak<Handle>>>,
}

struct State {
    closed: bool,
    /// By what is judged now, and since when.
    judge: Arc<Judge>,
    now: Stamp,
    /// The one that was used last comes last.
    idle: VecDeque<Idle>,
    spare: Vec<Buffers>,
}

struct Idle {
    connection: Box<Connection>,
    /// Since boot, so that what a device has slept through is old.
    since: Duration,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("idle", &self.lock().idle.len()).finish_non_exhaustive()
    }
}

impl Pool {
    pub(super) fn new(
        judge: Arc<Judge>,
        clock: Arc<dyn Clock>,
        max_idle: usize,
        abort_withdrawn: bool,
    ) -> Self {
        let state = State {
            closed: false,
            judge,
            now: Stamp::default(),
            idle: VecDeque::new(),
            spare: Vec::new(),
        };
        let (state, open) = (Mutex::new(state), Mutex::default());
        Self { clock, max_idle, abort_withdrawn, state, open }
    }

    /// By what is judged now.
    pub(super) fn judge(&self) -> Arc<Judge> {
        self.lock().judge.clone()
    }

    /// By what a new connection is judged, and what it is to be stamped with.
    pub(super) fn terms(&self) -> (Arc<Judge>, Stamp) {
        let state = self.lock();
        (state.judge.clone(), state.now)
    }

    /// An idle connection that goes `key` and may be used now, with buffers where some are spare.
    pub(super) fn take(&self, key: &Key) -> (Option<Box<Connection>>, Option<Buffers>) {
        let (wall, boot) = (self.clock.wall(), self.clock.boot());
        let mut buffers = None;
        loop {
            let mut state = self.lock();
            let old = state.too_old(boot);
            let found = state.idle.iter().rposition(|idle| idle.connection.key() == key);
            let found = found.and_then(|i| state.idle.remove(i));
            if buffers.is_none() {
                buffers = state.spare.pop();
            }
            let judge = found.as_ref().map(|_| state.judge.clone());
            let generation = state.now.generation;
            drop(state);
            // Closing is slow.
            drop(old);
            let (Some(Idle { mut connection, .. }), Some(judge)) = (found, judge) else {
                return (None, buffers);
            };
            if !connection.is_accepted_by(&judge, wall) {
                continue;
            }
            connection.stamp.generation = generation;
            if connection.is_quiet() {
                return (Some(connection), buffers);
            }
        }
    }

    /// Whether there is an idle connection for `key`.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.lock().idle.iter().any(|idle| idle.connection.key() == key)
    }

    /// Takes a connection back, if it may be used once more.
    pub(super) fn put(&self, mut connection: Box<Connection>, mut buffers: Option<Buffers>) {
        let boot = self.clock.boot();
        loop {
            let mut state = self.lock();
            if let Some(spare) = buffers.take().filter(|_| state.spare.len() < MAX_SPARE) {
                state.spare.push(spare);
            }
            if state.closed || connection.stamp.closings != state.now.closings {
                return;
            }
            if connection.stamp == state.now {
                connection.rest();
                state.idle.push_back(Idle { connection, since: boot });
                let mut old = state.too_old(boot);
                while state.idle.len() > self.max_idle {
                    old.extend(state.idle.pop_front());
                }
                drop(state);
                drop(old);
                return;
            }
            // The pin set has changed meanwhile.
            let (judge, generation) = (state.judge.clone(), state.now.generation);
            drop(state);
            if !connection.is_accepted_by(&judge, self.clock.wall()) {
                return;
            }
            connection.stamp.generation = generation;
        }
    }

    /// Knows of a connection from now on.
    ///
    /// # Errors
    /// What is to be said where it must not be used.
    pub(super) fn register(&self, connection: &Connection) -> Result<(), Box<CertificateFacts>> {
        let mut open = self.open();
        open.retain(|handle| handle.strong_count() > 0);
        open.push(Arc::downgrade(connection.handle()));
        drop(open);
        // After it is listed: whoever changes the pin set meanwhile has either seen it or is seen
        // here.
        let (judge, now) = self.terms();
        if !self.abort_withdrawn || connection.stamp.generation == now.generation {
            return Ok(());
        }
        judge.withdrawn(connection.judged(), self.clock.wall()).map_or(Ok(()), Err)
    }

    /// Judges by `judge` from now on. Idle connections that it refuses are closed; those in use are
    /// judged again when their call ends, or at once where calls end whose pin is withdrawn.
    pub(super) fn replace(&self, judge: Arc<Judge>) {
        let mut state = self.lock();
        state.judge = judge.clone();
        state.now.generation += 1;
        let now = state.now;
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        let wall = self.clock.wall();
        let again = |mut idle: Idle| {
            let accepted = idle.connection.is_accepted_by(&judge, wall);
            idle.connection.stamp.generation = now.generation;
            accepted.then_some(idle)
        };
        // What is refused is closed here, outside of the lock.
        let mut kept = idle.into_iter().filter_map(again).collect::<VecDeque<_>>();
        let mut state = self.lock();
        if !state.closed && state.now == now {
            // What has come back meanwhile was used later.
            kept.append(&mut state.idle);
            std::mem::swap(&mut state.idle, &mut kept);
        }
        drop(state);
        drop(kept);
        if self.abort_withdrawn {
            let open = self.open().clone();
            for handle in open.iter().filter_map(Weak::upgrade).filter(|handle| !handle.is_idle()) {
                if let Some(facts) = judge.withdrawn(&handle.judged(), wall) {
                    handle.withdraw(facts);
                }
            }
        }
    }

    /// Closes the idle connections, and those in use when their call ends.
    pub(super) fn close_idle(&self) {
        let mut state = self.lock();
        state.now.closings += 1;
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        drop(idle);
    }

    /// Closes the idle connections of a session. Those in use are ended with their calls.
    pub(super) fn end_session(&self, session: SessionId) {
        self.close_where(|key| key.session == session);
    }

    /// Closes the idle connections of these keys.
    pub(super) fn close_where(&self, is_one: impl Fn(&Key) -> bool) {
        let mut state = self.lock();
        let idle = std::mem::take(&mut state.idle);
        let (closed, kept) =
            idle.into_iter().partition::<VecDeque<_>, _>(|idle| is_one(idle.connection.key()));
        state.idle = kept;
        drop(state);
        // Closing is slow.
        drop(closed);
    }

    /// Closes the idle connections, and takes none back.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.close_idle();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole at every point where a panic could leave it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, Vec<Weak<Handle>>> {
        // The list is whole at every point where a panic could leave it.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes out what has been idle for too long; the oldest come first.
    fn too_old(&mut self, boot: Duration) -> Vec<Idle> {
        let is_old = |idle: &Idle| boot.saturating_sub(idle.since) >= MAX_AGE;
        let n = self.idle.iter().take_while(|idle| is_old(idle)).count();
        self.idle.drain(..n).collect()
    }
}

#[cfg(all(test, shuttle))]
mod interleavings {
    use std::net::{TcpListener, TcpStream};
    use std::sync::LazyLock;

    use rustls::{ClientConfig, ClientConnection, RootCertStore};
    use rustls_pki_types::CertificateDer;
    use shuttle::thread;

    use super::*;
    use crate::clock::SystemClock;
    use crate::net::Origin;
    use crate::net::carrier::Carrier;
    use crate::net::wire::{Closer, Socket};
    use crate::pin::{HostName, PinSet};
    use crate::sync::in_every_order;
    use crate::verify::{CertificateIdentity, Roots, SystemTrust};

    const HOST: &str = "a.test";
    /// Of no key.
    const OTHERS: [&str; 2] = [
        "YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=",
        "sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=",
    ];

    static CERTIFICATE: LazyLock<CertificateDer<'static>> = LazyLock::new(|| {
        let key = rcgen::KeyPair::generate().expect("randomness");
        let names = vec![HOST.to_owned()];
        let parameters = rcgen::CertificateParams::new(names).expect("a name");
        parameters.self_signed(&key).expect("a certificate").der().clone()
    });
    static TLS: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_root_certificates(RootCertStore::empty());
        Arc::new(config.with_no_client_auth())
    });
    /// Made once: a thousand pin sets are most of what these tests would do.
    static JUDGES: LazyLock<[Arc<Judge>; 2]> = LazyLock::new(|| [false, true].map(new_judge));

    /// One that accepts the certificate, or one that does not.
    fn judge(accepts: bool) -> Arc<Judge> {
        JUDGES[usize::from(accepts)].clone()
    }

    fn new_judge(accepts: bool) -> Arc<Judge> {
        let own = CertificateIdentity::read(&CERTIFICATE, "it").expect("a certificate").spki;
        let own = own.to_string().replace("sha256/", "");
        let [one, other] = OTHERS;
        let pin = if accepts { own.as_str() } else { one };
        let json = format!(
            r#"{{"schema":1,"hosts":[{{"host":"{HOST}","trust":"pin_only","pins":[
                {{"sha256":"{pin}","at":"leaf"}},{{"sha256":"{other}","at":"leaf"}}]}}]}}"#
        );
        let pins = PinSet::parse(json.as_bytes()).expect("a pin set");
        let root = CERTIFICATE.to_vec();
        let system = SystemTrust::new(&Roots::Only(vec![root])).expect("a certificate");
        Arc::new(Judge { pins, deny_unpinned: true, system, managed: None })
    }

    fn key() -> Key {
        let origin = Origin::new(HostName::parse(HOST).expect("a name"), 443);
        Key::new(origin, SessionId::default())
    }

    fn pool(abort_withdrawn: bool) -> Arc<Pool> {
        Arc::new(Pool::new(judge(true), Arc::new(SystemClock), 4, abort_withdrawn))
    }

    /// A connection as a handshake leaves it, with what serves the other end.
    fn connection(pool: &Pool) -> (Box<Connection>, TcpStream) {
        let server = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let stream = TcpStream::connect(server.local_addr().expect("bound")).expect("loopback");
        let (peer, _) = server.accept().expect("loopback");
        let (judge, stamp) = pool.terms();
        let judged = judge.accepted(HOST, &CERTIFICATE, SystemClock.wall()).expect("its pin");
        let session = ClientConnection::new(TLS.clone(), HOST.try_into().expect("a name"));
        let stream = Arc::new(stream);
        let (socket, closer) = (Socket::new(stream.clone()), Arc::new(Closer::new(stream)));
        let session = session.expect("good settings");
        let connection =
            Connection::new(key(), session, Carrier::Socket(socket), closer, judged, stamp);
        (Box::new(connection), peer)
    }

    fn has_idle(pool: &Pool) -> bool {
        pool.take(&key()).0.is_some()
    }

    #[test]
    fn what_comes_back_while_its_pin_is_withdrawn_is_not_handed_out() {
        in_every_order(|| {
            let pool = pool(false);
            let (connection, _peer) = connection(&pool);
            let replacing = thread::spawn({
                let (pool, judge) = (pool.clone(), judge(false));
                move || pool.replace(judge)
            });
            pool.put(connection, Some(Buffers::default()));
            replacing.join().expect("no panic");
            assert!(!has_idle(&pool));
            assert!(pool.lock().idle.is_empty());
        });
    }

    #[test]
    fn a_pin_set_that_changes_nothing_costs_no_connection() {
        in_every_order(|| {
            let pool = pool(false);
            let ((first, _peer), (second, _other)) = (connection(&pool), connection(&pool));
            pool.put(first, Some(Buffers::default()));
            let replacing = thread::spawn({
                let (pool, judge) = (pool.clone(), judge(true));
                move || pool.replace(judge)
            });
            pool.put(second, Some(Buffers::default()));
            replacing.join().expect("no panic");
            assert_eq!(pool.lock().idle.len(), 2);
        });
    }

    #[test]
    fn what_comes_back_while_idle_connections_are_closed_is_closed() {
        in_every_order(|| {
            let pool = pool(false);
            let (connection, _peer) = connection(&pool);
            let closing = thread::spawn({
                let pool = pool.clone();
                move || pool.close_idle()
            });
            pool.put(connection, Some(Buffers::default()));
            closing.join().expect("no panic");
            assert!(!has_idle(&pool), "made before");
        });
    }

    #[test]
    fn a_connection_that_is_made_while_its_pin_is_withdrawn_is_ended() {
        in_every_order(|| {
            let pool = pool(true);
            let (connection, _peer) = connection(&pool);
            let replacing = thread::spawn({
                let (pool, judge) = (pool.clone(), judge(false));
                move || pool.replace(judge)
            });
            let registered = pool.register(&connection);
            replacing.join().expect("no panic");
            assert!(registered.is_err() || connection.handle().withdrawn().is_some());
        });
    }

    #[test]
    fn one_that_is_made_meanwhile_serves_its_call_where_calls_do_not_end() {
        in_every_order(|| {
            let pool = pool(false);
            let (connection, _peer) = connection(&pool);
            let replacing = thread::spawn({
                let (pool, judge) = (pool.clone(), judge(false));
                move || pool.replace(judge)
            });
            let registered = pool.register(&connection);
            replacing.join().expect("no panic");
            assert!(registered.is_ok() && connection.handle().withdrawn().is_none());
        });
    }
}
