//! Logging in at a proxy: which challenge has been answered, here and by earlier connections.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::address::Proxy;
use super::challenge::Challenge;
use super::reply::Reply;

/// Of how many proxies the last challenge is remembered.
const MAX: usize = 16;
/// A proxy that calls every answer stale is not asked for ever.
const MAX_ANSWERS: u8 = 2;

/// The challenges that were answered well, so that the next connection to the same proxy answers
/// before it is asked. By proxy and credentials: what one was sent, no other gets.
#[derive(Clone, Default)]
pub(crate) struct Logins(Arc<Mutex<VecDeque<(Proxy, Challenge)>>>);

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logins")
    }
}

impl Logins {
    fn lock(&self) -> MutexGuard<'_, VecDeque<(Proxy, Challenge)>> {
        // The queue is whole at every point where a panic could leave it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The login of one connection, which may need several attempts.
pub(crate) struct Login<'a> {
    logins: &'a Logins,
    proxy: &'a Proxy,
    challenge: Option<Challenge>,
    /// How many answers were to challenges of this very connection.
    answers: u8,
}

impl<'a> Login<'a> {
    pub(crate) fn new(logins: &'a Logins, proxy: &'a Proxy) -> Self {
        Self { logins, proxy, challenge: None, answers: 0 }
    }

    /// What the next request says about who the client is.
    ///
    /// # Errors
    /// Why nothing can be said, in words.
    pub(super) fn authorization(&mut self, target: &str) -> Result<Option<String>, String> {
        let Some(by) = self.proxy.login() else { return Ok(None) };
        if let Some(challenge) = &mut self.challenge {
            return challenge.answer(by, target).map(Some);
        }
        let mut known = self.logins.lock();
        // Answered in there, so that no number of a nonce is used twice.
        let known = known.iter_mut().find(|(proxy, _)| proxy == self.proxy);
        known.map(|(_, challenge)| challenge.answer(by, target)).transpose()
    }

    /// The proxy wants to know more.
    ///
    /// # Errors
    /// Why it cannot be told, in words.
    pub(super) fn challenged(&mut self, reply: &Reply) -> Result<(), String> {
        if self.proxy.login().is_none() {
            return Err("it wants a user and a password".into());
        }
        let best = Challenge::best(reply.fields("proxy-authenticate"))?;
        // What an earlier connection was told may be out of date in every way.
        let is_news = self.challenge.is_none() || best.is_stale();
        if !is_news || self.answers == MAX_ANSWERS {
            self.logins.lock().retain(|(proxy, _)| proxy != self.proxy);
            return Err("it does not accept the user and the password".into());
        }
        self.answers += 1;
        self.challenge = Some(best);
        Ok(())
    }

    /// The proxy has let the client in.
    pub(super) fn accepted(&mut self) {
        let Some(challenge) = self.challenge.take() else { return };
        let mut known = self.logins.lock();
        known.retain(|(proxy, _)| proxy != self.proxy);
        if known.len() == MAX {
            known.pop_front();
        }
        known.push_back((self.proxy.clone(), challenge));
    }

    /// What a proxy says, unless it says the password with it.
    pub(super) fn without_secret(&self, text: String) -> String {
        let told = self.proxy.login().is_some_and(|by| {
            let mut basic = Challenge::Basic;
            let token = basic.answer(by, "").unwrap_or_default().replace("Basic ", "");
            (!by.password.is_empty() && text.contains(&by.password)) || text.contains(&token)
        });
        if told { "its reason holds the password, so it is not repeated".into() } else { text }
    }

    pub(crate) fn proxy(&self) -> &Proxy {
        self.proxy
    }
}
