//! TLS sessions that can be resumed, each with the judgement that it rests on.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls_pki_types::ServerName;

use super::origin::{Key, SessionId};
use crate::clock::Clock;
use crate::verify::{Handshake, Judged};

/// How many servers' sessions are kept, and how many tickets of one.
const MAX_SERVERS: usize = 64;
const MAX_TICKETS: usize = 8;

/// The sessions of a client, by way: rustls' own key is the name alone, so that another server on
/// another port of the same name would get the first one's tickets, and so would one whom a proxy
/// leads to.
#[derive(Debug, Default)]
pub(super) struct Tickets(Mutex<VecDeque<Server>>);

#[derive(Debug)]
struct Server {
    key: Key,
    group: Option<NamedGroup>,
    tls12: Option<(Tls12ClientSessionValue, Arc<Judged>)>,
    tls13: VecDeque<(Tls13ClientSessionValue, Arc<Judged>)>,
}

impl Tickets {
    /// Changes or looks up what is kept for `key`, which becomes the one that was used last.
    fn with<T>(&self, key: &Key, f: impl FnOnce(&mut Server) -> T) -> T {
        let mut servers = self.lock();
        let known = servers.iter().position(|server| server.key == *key);
        let mut server = known.and_then(|i| servers.remove(i)).unwrap_or_else(|| Server {
            key: key.clone(),
            group: None,
            tls12: None,
            tls13: VecDeque::new(),
        });
        let result = f(&mut server);
        if servers.len() == MAX_SERVERS {
            servers.pop_front();
        }
        servers.push_back(server);
        result
    }

    /// Forgets what belongs to a session.
    pub(super) fn forget(&self, session: SessionId) {
        self.lock().retain(|server| server.key.session != session);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Server>> {
        // The queue is whole at every point where a panic could leave it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What rustls sees of the sessions in one handshake: those of its way, as far as what they rest
/// on still holds.
#[derive(Debug)]
pub(super) struct Resuming {
    pub(super) tickets: Arc<Tickets>,
    pub(super) key: Key,
    pub(super) handshake: Arc<Handshake>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Resuming {
    /// Judged outside of the lock: after a change of the pin set it takes a while.
    fn allows(&self, judged: &Arc<Judged>) -> bool {
        self.handshake.may_resume(judged, self.clock.wall())
    }
}

impl ClientSessionStore for Resuming {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.tickets.with(&self.key, |server| server.group = Some(group));
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.tickets.with(&self.key, |server| server.group)
    }

    fn set_tls12_session(&self, _: ServerName<'static>, session: Tls12ClientSessionValue) {
        let Some(judged) = self.handshake.judged() else { return };
        self.tickets.with(&self.key, |server| server.tls12 = Some((session, judged)));
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        let (session, judged) = self.tickets.with(&self.key, |server| server.tls12.clone())?;
        if self.allows(&judged) {
            return Some(session);
        }
        self.tickets.with(&self.key, |server| server.tls12 = None);
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.tickets.with(&self.key, |server| server.tls12 = None);
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        let Some(judged) = self.handshake.judged() else { return };
        self.tickets.with(&self.key, |server| {
            if server.tls13.len() == MAX_TICKETS {
                server.tls13.pop_front();
            }
            server.tls13.push_back((ticket, judged));
        });
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        loop {
            let newest = self.tickets.with(&self.key, |server| server.tls13.pop_back());
            let (ticket, judged) = newest?;
            if self.allows(&judged) {
                return Some(ticket);
            }
        }
    }
}
