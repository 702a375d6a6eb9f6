//! Sessions of a client: what keeps the traffic of several users apart.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::authenticator::{Auth, Authenticator};
use super::calls::Calls;
use super::cookies::CookieJar;
use super::defaults::{Defaults, Raw};
use super::{Client, Inner, Shared};
use crate::error::Error;
use crate::net::SessionId;
use crate::proxy::Proxies;

/// What belongs to one session alone.
#[derive(Clone, Default)]
pub(super) struct Own {
    pub(super) defaults: Defaults,
    pub(super) cookies: Option<CookieJar>,
    pub(super) auth: Option<Arc<Auth>>,
}

/// Sets up a session of a client, which is a client, too; see [`Client::session`].
#[must_use]
pub struct SessionBuilder {
    client: Client,
    cookies: Option<CookieJar>,
    headers: Vec<Raw>,
    authenticator: Option<Arc<dyn Authenticator>>,
    proxies: Option<Proxies>,
}

/// Ends a session that nobody has any more.
pub(super) struct Life {
    shared: Arc<Shared>,
    id: SessionId,
}

/// The sessions of a client, for closing it.
#[derive(Default)]
pub(super) struct Sessions {
    closed: AtomicBool,
    made: AtomicU64,
    calls: Mutex<Vec<Weak<Calls>>>,
}

impl SessionBuilder {
    pub(super) fn new(client: Client) -> Self {
        Self { client, cookies: None, headers: Vec::new(), authenticator: None, proxies: None }
    }

    /// The session's cookies; by default none are kept, whatever its client does.
    pub fn cookies(mut self, jar: CookieJar) -> Self {
        self.cookies = Some(jar);
        self
    }

    /// A header of every request of the session that has none of this name itself, in the place of the
    /// client's own; see [`super::ClientBuilder::default_header`].
    pub fn default_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned(), false));
        self
    }

    /// One with a secret; see [`super::ClientBuilder::sensitive_default_header`].
    pub fn sensitive_default_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned(), true));
        self
    }

    /// Who gives the session's tokens; by default nobody does, whoever gives its client's.
    pub fn authenticator(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.authenticator = Some(authenticator);
        self
    }

    /// The proxies of the session, in the place of the client's; [`Proxies::None`] for none.
    pub fn proxies(mut self, proxies: Proxies) -> Self {
        self.proxies = Some(proxies);
        self
    }

    /// The session.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] names the setting; [`Error::ClientClosed`].
    pub fn build(self) -> Result<Client, Error> {
        let Self { client, cookies, headers, authenticator, proxies } = self;
        if client.is_closed() {
            return Err(Error::ClientClosed);
        }
        let defaults = client.0.own.defaults.with(&headers)?;
        let auth = authenticator.map(|it| Auth::new(it, &defaults)).transpose()?;
        let own = Own { defaults, cookies, auth: auth.map(Arc::new) };
        let shared = client.0.shared.clone();
        let (id, calls) = shared.sessions.begin();
        if let Some(proxies) = proxies {
            shared.connections.set_proxies(id, proxies);
        }
        let life = Some(Arc::new(Life { shared: shared.clone(), id }));
        Ok(Client(Arc::new(Inner { shared, id, own, calls, life })))
    }
}

impl Client {
    /// The same session with nobody who gives tokens: for whoever gives them.
    pub(super) fn without_tokens(&self) -> Self {
        let Inner { shared, id, own, calls, life } = &*self.0;
        let own = Own { auth: None, ..own.clone() };
        let (shared, calls, life) = (shared.clone(), calls.clone(), life.clone());
        Self(Arc::new(Inner { shared, id: *id, own, calls, life }))
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.shared.connections.forget_session(self.id);
    }
}

impl Sessions {
    fn begin(&self) -> (SessionId, Arc<Calls>) {
        let id = SessionId(self.made.fetch_add(1, Ordering::Relaxed) + 1);
        let calls = Arc::<Calls>::default();
        let mut all = self.lock();
        // Those that are gone are looked for whenever the list would grow.
        if all.len() == all.capacity() {
            all.retain(|calls| calls.strong_count() > 0);
        }
        all.push(Arc::downgrade(&calls));
        drop(all);
        // After it is listed: a close in between has either seen it or is seen here.
        if self.are_closed() {
            calls.close();
        }
        (id, calls)
    }

    pub(super) fn are_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Closes them all, and those to come.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let all = std::mem::take(&mut *self.lock());
        all.iter().filter_map(Weak::upgrade).for_each(|calls| calls.close());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Calls>>> {
        // The list is whole at every point where a panic could leave it.
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SessionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionBuilder").field("client", &self.client).finish_non_exhaustive()
    }
}
