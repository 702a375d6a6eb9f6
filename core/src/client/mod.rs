//! The pinned HTTPS client.

mod builder;
mod codings;
mod exchange;
mod gzip;
mod redirect;
mod request;
mod response;
mod source;
mod url;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

pub use builder::ClientBuilder;
pub use request::{Method, Request};
pub use response::Response;
pub(crate) use source::{Patience, PinSource, WeakClient};

use crate::cancel::CancelToken;
use crate::error::Error;
use crate::net::Withdrawn;
use crate::pin::{HostName, Mode, Outcome, PinSet};
use crate::verify::{Explanation, SystemTrust};
use builder::Settings;
use exchange::{Generation, Limits, Retry};

/// Sends requests over connections whose certificate the pin set allows.
///
/// Cheap to clone, and meant to be shared: clones use the same connections. All methods may be
/// called from any thread; sending blocks the calling one.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    settings: Settings,
    system: SystemTrust,
    generation: RwLock<Arc<Generation>>,
    closed: AtomicBool,
    calls: Mutex<Vec<CancelToken>>,
}

impl Client {
    /// A client with default settings; see [`ClientBuilder`] for them.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] where the system's authorities cannot be used.
    pub fn new(pins: PinSet) -> Result<Self, Error> {
        Self::builder(pins).build()
    }

    /// A client with settings of its own.
    pub fn builder(pins: PinSet) -> ClientBuilder {
        ClientBuilder::new(pins)
    }

    fn start(pins: PinSet, settings: Settings) -> Result<Self, Error> {
        let system = SystemTrust::new(&settings.roots)?;
        let generation = Generation::new(pins, &settings, system.clone())?;
        let client = Self(Arc::new(Inner {
            settings,
            system,
            generation: RwLock::new(Arc::new(generation)),
            closed: AtomicBool::new(false),
            calls: Mutex::default(),
        }));
        if let Some(source) = &client.0.settings.source {
            source.attach(WeakClient::new(&client));
        }
        Ok(client)
    }

    /// Sends a GET request.
    ///
    /// # Errors
    /// Every code of `docs/errors.md` but `cancelled`.
    pub fn get(&self, url: &str) -> Result<Response, Error> {
        self.send(&Request::new(Method::Get, url)?)
    }

    /// Sends a request and waits for the whole response.
    ///
    /// # Errors
    /// Every code of `docs/errors.md` but `cancelled`.
    pub fn send(&self, request: &Request) -> Result<Response, Error> {
        self.send_cancellable(request, &CancelToken::new())
    }

    /// Sends a request that `cancel` can end at once from another thread.
    ///
    /// # Errors
    /// Every code of `docs/errors.md`.
    pub fn send_cancellable(
        &self,
        request: &Request,
        cancel: &CancelToken,
    ) -> Result<Response, Error> {
        let _listed = Listed::new(&self.0, cancel);
        let result = self.follow(request, cancel);
        ended(result, self.is_closed(), cancel.is_cancelled())
    }

    fn follow(&self, request: &Request, cancel: &CancelToken) -> Result<Response, Error> {
        let limits = Limits::new(&self.0.settings, request.timeout);
        let mut hop = std::borrow::Cow::Borrowed(request);
        let mut followed = 0;
        loop {
            let response = self.exchange(&hop, &limits, followed == 0, cancel)?;
            let max = self.0.settings.max_redirects;
            let location = response.header("location");
            // A client that follows none hands redirects to its caller.
            let next = match max {
                0 => None,
                _ => redirect::next(&hop, response.status, location)?,
            };
            match next {
                None => return Ok(response),
                Some(_) if followed == max => {
                    let host = hop.target.host().to_string();
                    return Err(Error::TooManyRedirects { host, limit: max });
                }
                Some(next) => {
                    followed += 1;
                    hop = std::borrow::Cow::Owned(next);
                }
            }
        }
    }

    fn exchange(
        &self,
        request: &Request,
        limits: &Limits,
        first: bool,
        cancel: &CancelToken,
    ) -> Result<Response, Error> {
        let host = request.target.host();
        let source = self.0.settings.source.as_deref();
        let patience = Patience { deadline: limits.deadline(), cancel };
        if let Some(source) = source {
            source.prepare(host, &patience);
        }
        let mut retried = false;
        let mut renewed = false;
        loop {
            if cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let generation = self.generation();
            let (result, retry) =
                generation.exchange(request, limits, first && !retried && !renewed, cancel);
            // A pooled connection that the server closed just then: nobody has seen an answer, and
            // asking again changes nothing (RFC 9112 §9.3.1).
            if retry == Retry::IfIdempotent && !retried && request.method.is_idempotent() {
                retried = true;
                continue;
            }
            // Nothing has been sent, so any method may be tried again.
            if let (Retry::UnderOtherPins, Some(source), false) = (retry, source, renewed) {
                renewed = true;
                if source.renew(host, &generation.pins(), &patience) {
                    continue;
                }
            }
            if let (Ok(response), Some(source)) = (&result, source)
                && let Outcome::Inspected(authority) = &response.verdict().outcome
            {
                source.inspected(host.as_str(), authority);
            }
            return result;
        }
    }

    /// Puts another pin set into force, at once and for good: idle connections are closed, TLS
    /// sessions made under the old one are never resumed, and requests that begin after this call
    /// see only the new one. Requests in flight end under the old one, but see
    /// [`ClientBuilder::abort_withdrawn`].
    ///
    /// # Errors
    /// [`Error::ClientClosed`].
    pub fn replace_pins(&self, pins: PinSet) -> Result<(), Error> {
        if self.is_closed() {
            return Err(Error::ClientClosed);
        }
        let new = Arc::new(Generation::new(pins.clone(), &self.0.settings, self.0.system.clone())?);
        let old = {
            let mut current = self.0.generation.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, new)
        };
        let withdrawn = self.0.settings.abort_withdrawn.then(|| withdrawn(pins));
        old.retire(withdrawn);
        Ok(())
    }

    /// Closes the idle connections, so that the next request makes one of its own: for a device
    /// whose network has changed, which leaves them dead without a word. Requests in flight go on,
    /// and their connections are closed after them. The pin set and the TLS sessions stay. Does
    /// nothing on a closed client.
    pub fn close_idle_connections(&self) {
        self.generation().close_idle();
    }

    /// The whole decision about a certificate as data, without a connection: what this client would
    /// do if `host` presented `chain` (DER, end-entity first) at `at`, in seconds since 1970. Asks
    /// the platform where its authorities count, so not on a main thread; a platform's own clock may
    /// be the one that holds.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a host that is none, and for no certificate or too many;
    /// [`Error::ClientClosed`].
    pub fn explain(&self, host: &str, chain: &[Vec<u8>], at: u64) -> Result<Explanation, Error> {
        if self.is_closed() {
            return Err(Error::ClientClosed);
        }
        self.generation().explain(host, chain, at)
    }

    /// The names in a certificate (DER) for which an entry of the pin set holds: the hosts of entries,
    /// what it lists itself, and where an entry holds for all that a wildcard covers, one of these.
    /// For somebody else's HTTP client, which may use one connection for all the names of its
    /// certificate (RFC 9113 §9.1.1): [`Client::explain`] tells for each whether that is allowed.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for what is no certificate; [`Error::ClientClosed`].
    pub fn pinned_names(&self, certificate: &[u8]) -> Result<Vec<HostName>, Error> {
        if self.is_closed() {
            return Err(Error::ClientClosed);
        }
        self.generation().pinned_names(certificate)
    }

    /// The pin set in force.
    pub fn pins(&self) -> PinSet {
        self.generation().pins()
    }

    /// Ends every call and closes every connection of this client and its clones; later calls
    /// fail with [`Error::ClientClosed`]. Closing twice does nothing.
    pub fn close(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
        let calls = std::mem::take(&mut *self.calls());
        calls.iter().for_each(CancelToken::cancel);
        self.generation().close();
    }

    fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::SeqCst)
    }

    fn generation(&self) -> Arc<Generation> {
        self.0.generation.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn calls(&self) -> std::sync::MutexGuard<'_, Vec<CancelToken>> {
        self.0.calls()
    }
}

impl Inner {
    fn calls(&self) -> std::sync::MutexGuard<'_, Vec<CancelToken>> {
        // The list is whole at every point where a panic could leave it.
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}

/// Whether a connection that was accepted for a pin, or for an inspecting authority, is accepted by
/// `pins` for none any more.
fn withdrawn(pins: PinSet) -> Withdrawn {
    Box::new(move |verdict| {
        if pins.blocked().first_of(verdict.path.iter().map(|c| c.spki)).is_some() {
            return true;
        }
        let Ok(host) = HostName::parse(&verdict.facts.host) else { return true };
        let enforced = pins.policy(&host).filter(|policy| policy.mode() == Mode::Enforce);
        match &verdict.outcome {
            Outcome::Match(_) => {
                enforced.is_some_and(|policy| policy.match_path(&verdict.path).is_none())
            }
            Outcome::Inspected(id) => {
                enforced.is_some() && !pins.inspection().iter().any(|by| by.id == *id)
            }
            _ => false,
        }
    })
}

/// What a call that was ended stumbles over while it ends is not the reason that it ended. But a
/// refused certificate is one, and stays one whatever else happens in that moment.
fn ended<T>(result: Result<T, Error>, closed: bool, cancelled: bool) -> Result<T, Error> {
    match result {
        Err(refused) if refused.certificate().is_some() => Err(refused),
        Err(_) if closed => Err(Error::ClientClosed),
        Err(_) if cancelled => Err(Error::Cancelled),
        result => result,
    }
}

/// A call in the list of those that [`Client::close`] ends.
struct Listed<'a> {
    client: &'a Inner,
    cancel: &'a CancelToken,
}

impl<'a> Listed<'a> {
    fn new(client: &'a Inner, cancel: &'a CancelToken) -> Self {
        client.calls().push(cancel.clone());
        // After the push: a close in between has either seen the call or is seen here.
        if client.closed.load(Ordering::SeqCst) {
            cancel.cancel();
        }
        Self { client, cancel }
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        let mut calls = self.client.calls();
        if let Some(i) = calls.iter().position(|call| call.is_same(self.cancel)) {
            calls.swap_remove(i);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_failure_is_never_called_cancelled_or_closed() {
        for refused in [Error::PinMismatch(Box::default()), Error::BlockedKey(Box::default())] {
            for (closed, cancelled) in [(false, true), (true, false), (true, true)] {
                assert_eq!(
                    ended::<()>(Err(refused.clone()), closed, cancelled),
                    Err(refused.clone())
                );
            }
        }
        let lost = || Err(Error::ConnectionLost { host: "h".into(), reason: "r".into() });
        assert_eq!(ended::<()>(lost(), false, true), Err(Error::Cancelled));
        assert_eq!(ended::<()>(lost(), true, true), Err(Error::ClientClosed));
        assert_eq!(ended(Ok(1), true, true), Ok(1));
    }
}
