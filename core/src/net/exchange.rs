//! One request and one response over a connection that the pin set allows.

use std::sync::Arc;

use ureq::http;

use super::connection::{Connection, Handle};
use super::context::CallContext;
use super::dial::{ConnectTo, Dialer};
use super::engine::{BodyReader, Engine, Lease, Payload};
use super::lookup::Resolver;
use super::origin::{Key, SessionId};
use super::pool::Pool;
use crate::clock::Clock;
use crate::error::{CertificateFacts, Error};
use crate::events::Event;
use crate::pin::Verdict;
use crate::verify::Judge;

/// What a client's connections are made with.
pub(crate) struct Setup<'a> {
    pub(crate) judge: Judge,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) connect_to: Arc<ConnectTo>,
    pub(crate) resolver: Option<Arc<dyn Resolver>>,
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
    dialer: Dialer,
    engine: Engine,
}

/// Looks on while an exchange is under way.
pub(crate) struct Watch(Arc<Handle>);

impl Watch {
    /// Why the connection must not go on, where it must not.
    pub(crate) fn withdrawn(&self) -> Option<Box<CertificateFacts>> {
        self.0.withdrawn()
    }
}

impl Connections {
    pub(crate) fn new(setup: Setup<'_>) -> Result<Self, Error> {
        let Setup { judge, clock, max_idle, abort_withdrawn, .. } = setup;
        let dialer = Dialer::new(setup.connect_to, setup.resolver, clock.clone(), setup.resumes)?;
        let pool = Pool::new(Arc::new(judge), clock, max_idle, abort_withdrawn);
        Ok(Self { pool: Arc::new(pool), dialer, engine: Engine::new(setup.user_agent) })
    }

    /// By what certificates are judged now.
    pub(crate) fn judge(&self) -> Arc<Judge> {
        self.pool.judge()
    }

    /// Judges by `judge` from now on; see [`Pool::replace`].
    pub(crate) fn replace(&self, judge: Judge) {
        self.pool.replace(Arc::new(judge));
    }

    /// Closes what is idle, and what is in use when its call ends: the network is another one.
    pub(crate) fn close_idle(&self) {
        self.dialer.forget_routes();
        self.pool.close_idle();
    }

    /// Closes and forgets what belongs to a session.
    pub(crate) fn end_session(&self, session: SessionId) {
        self.pool.end_session(session);
        self.dialer.end_session(session);
    }

    /// Closes what is idle, and keeps nothing from here on.
    pub(crate) fn close(&self) {
        self.pool.close();
    }

    /// Connects to `key`'s origin, or takes a connection that is there.
    ///
    /// # Errors
    /// Why there is none; nothing of the request has been sent.
    pub(crate) fn lease(&self, key: &Key, context: &CallContext) -> Result<Leased<'_>, Error> {
        let (pooled, buffers) = self.pool.take(key);
        let connection = match pooled {
            Some(connection) => connection,
            None => Box::new(self.dial(key, context)?),
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
        if !self.pool.has(key) {
            let mut connection = Box::new(self.dial(key, context)?);
            connection.begin(context);
            // It counts as one that has been used: the server may close it before anybody does.
            if connection.end(context) {
                self.pool.put(connection, None);
            }
        }
        Ok(())
    }

    fn dial(&self, key: &Key, context: &CallContext) -> Result<Connection, Error> {
        let (judge, stamp) = self.pool.terms();
        let connection = self.dialer.dial(key, &judge, stamp, context)?;
        match self.pool.register(&connection) {
            Ok(()) => Ok(connection),
            Err(facts) => Err(Error::PinMismatch(facts)),
        }
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
        Watch(self.lease.connection.handle().clone())
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
        self.engine.exchange(request, payload, self.lease, context)
    }
}
