//! One request and one response over a connection that the pin set allows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ureq::http;

use super::connection::{Connection, Handle};
use super::context::CallContext;
use super::dial::{ConnectTo, Dial, Dialer, a_third};
use super::engine::{BodyReader, Engine, Lease, Payload};
use super::lookup::Resolver;
use super::origin::{Key, SessionId};
use super::planner::{NoWay, Planner};
use super::pool::Pool;
use crate::clock::Clock;
use crate::error::{CertificateFacts, Error};
use crate::events::Event;
use crate::identity::{ClientIdentity, Identities};
use crate::patience::{Impatience, Patience};
use crate::pin::{HostName, Verdict};
use crate::proxy::Proxies;
use crate::verify::Judge;

/// Whom an identity of the client's is for.
pub(crate) type Whose = (SessionId, HostName);

/// What a client's connections are made with.
pub(crate) struct Setup<'a> {
    pub(crate) judge: Judge,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) connect_to: Arc<ConnectTo>,
    pub(crate) resolver: Option<Arc<dyn Resolver>>,
    pub(crate) proxies: Proxies,
    pub(crate) identities: Identities<Whose>,
    pub(crate) max_idle: usize,
    pub(crate) abort_withdrawn: bool,
    pub(crate) user_agent: &'a str,
    /// Whether TLS sessions are resumed.
    pub(crate) resumes: bool,
}

/// The connections of a client.
#[derive(Debug)]
pub(crate) struct Connections {
    pool: Arc<Pool>,
    planner: Arc<Planner>,
    /// Those of sessions that go other ways than their client.
    planners: Mutex<HashMap<SessionId, Arc<Planner>>>,
    clock: Arc<dyn Clock>,
    identities: Identities<Whose>,
    dialer: Dialer,
    engine: Engine,
}

/// Looks on while an exchange is under way.
pub(crate) struct Watch {
    handle: Arc<Handle>,
    key: Key,
}

impl Watch {
    /// Why the connection must not go on, where it must not.
    pub(crate) fn withdrawn(&self) -> Option<Box<CertificateFacts>> {
        self.handle.withdrawn()
    }

    /// The error of what is under way: it names the proxy.
    pub(crate) fn told(&self, error: Error) -> Error {
        self.key.told(error)
    }
}

impl Connections {
    pub(crate) fn new(setup: Setup<'_>) -> Result<Self, Error> {
        let Setup { judge, clock, max_idle, abort_withdrawn, .. } = setup;
        let planner = Arc::new(Planner::new(setup.proxies, clock.clone()));
        let dialer = Dialer::new(setup.connect_to, setup.resolver, clock.clone(), setup.resumes)?;
        let pool = Pool::new(Arc::new(judge), clock.clone(), max_idle, abort_withdrawn);
        let pool = Arc::new(pool);
        let engine = Engine::new(setup.user_agent);
        let (identities, planners) = (setup.identities, Mutex::default());
        Ok(Self { pool, planner, planners, clock, identities, dialer, engine })
    }

    /// By what certificates are judged now.
    pub(crate) fn judge(&self) -> Arc<Judge> {
        self.pool.judge()
    }

    /// How often that has changed.
    pub(crate) fn generation(&self) -> u64 {
        self.pool.terms().1.generation
    }

    /// Judges by `judge` from now on; see [`Pool::replace`].
    pub(crate) fn replace(&self, judge: Judge) {
        self.pool.replace(Arc::new(judge));
    }

    /// Closes what is idle, and what is in use when its call ends: the network is another one.
    pub(crate) fn close_idle(&self) {
        self.planner.forget();
        self.planners().values().for_each(|planner| planner.forget());
        self.dialer.forget_routes();
        self.pool.close_idle();
    }

    /// Closes and forgets what belongs to a session.
    pub(crate) fn end_session(&self, session: SessionId) {
        self.pool.end_session(session);
        self.dialer.end_session(session);
        self.identities.retain(|(its, _)| *its != session);
    }

    /// Nobody has `session` any more. Not before: a call that is being ended still goes its own way.
    pub(crate) fn forget_session(&self, session: SessionId) {
        self.end_session(session);
        self.planners().remove(&session);
    }

    /// By which proxies `session` goes, which nobody has used yet.
    pub(crate) fn set_proxies(&self, session: SessionId, proxies: Proxies) {
        let planner = Planner::new(proxies, self.clock.clone());
        self.planners().insert(session, Arc::new(planner));
    }

    fn planner(&self, session: SessionId) -> Arc<Planner> {
        match session == SessionId::default() {
            true => self.planner.clone(),
            false => self.planners().get(&session).unwrap_or(&self.planner).clone(),
        }
    }

    fn planners(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Planner>>> {
        // The map is whole at every point where a panic could leave it.
        self.planners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who the client is to `host` in `session` from now on. What is idle there under another identity is
    /// closed.
    pub(crate) fn set_identity(
        &self,
        session: SessionId,
        host: &HostName,
        identity: Option<ClientIdentity>,
    ) {
        self.identities.set((session, host.clone()), identity.clone());
        self.pool.close_where(|key| {
            key.session == session && key.host() == host && key.identity != identity
        });
    }

    /// Closes what is idle, and keeps nothing from here on.
    pub(crate) fn close(&self) {
        self.pool.close();
    }

    /// Connects to `key`'s origin by the ways that there are, or takes a connection that is there.
    ///
    /// # Errors
    /// Why there is none; nothing of the request has been sent.
    pub(crate) fn lease(&self, key: &Key, context: &CallContext) -> Result<Leased<'_>, Error> {
        let deadline = context.connect_deadline();
        let ways = self.ways(key, deadline, context)?;
        let (mut pooled, mut buffers) = (None, None);
        for key in &ways {
            let (found, spare) = self.pool.take(key);
            (pooled, buffers) = (found, buffers.or(spare));
            if pooled.is_some() {
                break;
            }
        }
        let connection = match pooled {
            Some(connection) => connection,
            None => Box::new(self.dial(&ways, deadline, context)?),
        };
        connection.begin(context);
        context.events().tell(|| Event::Connected {
            host: key.host().to_string(),
            reused: connection.was_used(),
        });
        let buffers = buffers.unwrap_or_default();
        let lease = Lease { connection, buffers, pool: self.pool.clone() };
        Ok(Leased { engine: &self.engine, lease })
    }

    /// Has an idle connection for `key` there.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn prepare(&self, key: &Key, context: &CallContext) -> Result<(), Error> {
        let deadline = context.connect_deadline();
        let ways = self.ways(key, deadline, context)?;
        if !ways.iter().any(|key| self.pool.has(key)) {
            let mut connection = Box::new(self.dial(&ways, deadline, context)?);
            connection.begin(context);
            // It counts as one that has been used: the server may close it before anybody does.
            if connection.end(context) {
                self.pool.put(connection, None);
            }
        }
        Ok(())
    }

    /// The ways for `key`, as who the client is to its host.
    fn ways(
        &self,
        key: &Key,
        deadline: Option<Instant>,
        context: &CallContext,
    ) -> Result<Vec<Key>, Error> {
        let patience = Patience { deadline, cancel: context.cancel() };
        let identity = self.identities.of(&(key.session, key.host().clone()));
        let key = &Key { identity, ..key.clone() };
        self.planner(key.session).ways(key, patience).map_err(|e| no_way(e, key, context))
    }

    /// By the first of the ways that can be gone. As long as others wait, one may take a third of the
    /// time left.
    fn dial(
        &self,
        ways: &[Key],
        until: Option<Instant>,
        context: &CallContext,
    ) -> Result<Connection, Error> {
        let (judge, stamp) = self.pool.terms();
        let mut dialled = Err(Error::Internal { reason: "no way to go".into() });
        for (i, key) in ways.iter().enumerate() {
            let is_last = i + 1 == ways.len();
            let deadline = if is_last { until } else { until.map(a_third) };
            let dial = Dial { judge: &judge, stamp, deadline, context };
            dialled = self.dialer.dial(key, &dial).map(|connection| (connection, key));
            match dialled {
                Err(Error::ProxyFailed { .. }) if !is_last => {
                    self.planner(key.session).put_last(key);
                }
                _ => break,
            }
        }
        let (connection, key) = dialled?;
        match self.pool.register(&connection) {
            Ok(()) => Ok(connection),
            Err(facts) => Err(key.told(Error::PinMismatch(facts))),
        }
    }
}

fn no_way(why: NoWay, key: &Key, context: &CallContext) -> Error {
    let host = key.host().to_string();
    match why {
        NoWay::Impatient(Impatience::Cancelled) => Error::Cancelled,
        NoWay::Impatient(Impatience::TimedOut) => context.not_connected(&host),
        NoWay::Selector(reason) => Error::ProxyFailed { proxy: None, host, reason },
    }
}

/// A connection for one exchange.
pub(crate) struct Leased<'a> {
    engine: &'a Engine,
    lease: Lease,
}

impl Leased<'_> {
    /// What was decided about its certificate.
    pub(crate) fn verdict(&self) -> &Arc<Verdict> {
        self.lease.connection.verdict()
    }

    pub(crate) fn watch(&self) -> Watch {
        let connection = &self.lease.connection;
        Watch { handle: connection.handle().clone(), key: connection.key().clone() }
    }

    /// Sends a request and reads the head of its response.
    ///
    /// # Errors
    /// What came in between, or what the answer is instead of one.
    pub(crate) fn exchange(
        self,
        request: http::request::Builder,
        payload: Payload<'_>,
        context: &Arc<CallContext>,
    ) -> Result<(http::response::Parts, BodyReader), Error> {
        let key = self.lease.connection.key().clone();
        let is_about_client = self.lease.connection.is_about_client();
        let (head, body) = self.engine.exchange(request, payload, self.lease, context)?;
        if !is_about_client || !matches!(head.status.as_u16(), 400 | 495 | 496) {
            return Ok((head, body));
        }
        match body.about_client(head.status.as_u16()) {
            Ok(body) => Ok((head, body)),
            Err(reason) => Err(key.told(Error::client_refused(key.host().to_string(), &reason))),
        }
    }
}
