//! The pinned HTTPS client.

mod authenticator;
mod body;
#[cfg(feature = "brotli")]
mod brotli;
mod builder;
mod calls;
mod charset;
mod codings;
mod cookies;
mod date;
mod defaults;
mod dispatcher;
mod download;
mod exchange;
mod gzip;
mod headers;
mod hop;
mod incoming;
#[cfg(feature = "json")]
mod json;
mod method;
mod multipart;
mod partial;
mod pipe;
mod redirect;
mod request;
mod response;
mod retry;
mod session;
mod source;
mod turn;
mod upload;
mod url;
mod version;
mod zstd;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

pub use crate::net::Resolver;
pub use authenticator::{Authenticator, Refused};
pub use body::ResponseBody;
pub use builder::ClientBuilder;
pub use charset::text;
pub use cookies::{Cookie, CookieJar};
pub use download::Download;
pub use method::{Method, MethodToken};
pub use multipart::{Multipart, Part};
pub use pipe::{BodyWriter, WrittenBody};
pub use request::Request;
pub use response::Response;
pub use retry::Retries;
pub use session::SessionBuilder;
pub(crate) use source::{PinSource, WeakClient};
pub use turn::{Queued, Turn};
pub use upload::{BodySource, Progress};

use crate::cancel::CancelToken;
use crate::error::Error;
use crate::events::Events;
use crate::identity::{ClientIdentity, Identities};
use crate::net::{CallContext, Connections, Key, Limits, SessionId, Setup, Whose};
use crate::patience::Patience;
use crate::pin::{HostName, HostPolicy, PinSet};
use crate::verify::{Explanation, Judge, Roots, SystemTrust};
use builder::Settings;
use calls::{Calls, Listed};
use dispatcher::{Dispatcher, Permit};
use hop::Hop;
use retry::Budget;
use session::{Life, Own, Sessions};

/// Sends requests over connections whose certificate the pin set allows.
///
/// Cheap to clone, and meant to be shared: clones use the same connections. All methods may be
/// called from any thread; sending blocks the calling one.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

/// A session, of which each client is one.
struct Inner {
    shared: Arc<Shared>,
    id: SessionId,
    own: Own,
    calls: Arc<Calls>,
    /// Of a session that was made.
    life: Option<Arc<Life>>,
}

/// What all sessions of a client have in common.
struct Shared {
    settings: Settings,
    system: SystemTrust,
    connections: Connections,
    dispatcher: Dispatcher,
    budget: Budget,
    sessions: Sessions,
    /// How many calls a listener has been told of.
    told: AtomicU64,
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

    fn start(
        pins: PinSet,
        settings: Settings,
        own: Own,
        identities: Identities<Whose>,
    ) -> Result<Self, Error> {
        let system = SystemTrust::new(&settings.roots)?;
        let connections = Connections::new(Setup {
            judge: judge(pins, &settings, &system),
            clock: settings.clock.clone(),
            connect_to: settings.connect_to.clone(),
            resolver: settings.resolver.clone(),
            proxies: settings.proxies.clone(),
            identities,
            max_idle: settings.max_idle_connections,
            abort_withdrawn: settings.abort_withdrawn,
            user_agent: &settings.user_agent,
            resumes: settings.resumes,
        })?;
        let dispatcher = Dispatcher::new(settings.max_requests, settings.max_requests_per_host);
        let (budget, sessions, told) = Default::default();
        let shared = Shared { settings, system, connections, dispatcher, budget, sessions, told };
        let shared = Arc::new(shared);
        if let Some(source) = &shared.settings.source {
            source.attach(WeakClient::new(&shared));
        }
        let (id, calls, life) = Default::default();
        Ok(Self(Arc::new(Inner { shared, id, own, calls, life })))
    }

    /// Sends a GET request.
    ///
    /// # Errors
    /// Every code of `docs/errors.md` but `cancelled`.
    pub fn get(&self, url: &str) -> Result<Response, Error> {
        self.send(&self.request(Method::Get, url)?)
    }

    /// A request to a URL that may be relative to [`ClientBuilder::base_url`].
    ///
    /// # Errors
    /// As [`Request::new`].
    pub fn request(&self, method: Method, url: &str) -> Result<Request, Error> {
        Ok(Request::to(method, self.0.own.defaults.target(url)?))
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
        let _listed = self.0.calls.begin(cancel);
        self.send_listed(request, cancel, self.limits(request), None)
    }

    /// Waits for the turn of `request` without a thread; [`Turn::send`] sends it, from a thread that may
    /// block. For async callers: a client sends only so many requests at a time
    /// ([`ClientBuilder::max_requests`]), and threads that wait for others' end are missed elsewhere.
    /// The request's time runs from here on.
    ///
    /// The future gives [`Error::Timeout`], [`Error::Cancelled`] or [`Error::ClientClosed`] where no
    /// turn has come. It may be polled from any executor.
    pub fn turn(&self, request: Request, cancel: &CancelToken) -> Queued {
        Queued::new(self.clone(), request, cancel.clone())
    }

    /// Sends a request whose first hop may hold its place already.
    fn send_listed(
        &self,
        request: &Request,
        cancel: &CancelToken,
        limits: Limits,
        place: Option<Permit<'_>>,
    ) -> Result<Response, Error> {
        let max = request.max_response_bytes.unwrap_or(self.0.shared.settings.max_response_bytes);
        let events = &self.events();
        let hop = Hop { request, limits: &limits, cancel, is_pulled: false, events };
        let result =
            self.follow(hop, place, |response, _permit| response.with(|body| body.into_bytes(max)));
        ended(result, self.is_closed(), cancel.is_cancelled())
    }

    /// Who is told of a call.
    fn events(&self) -> Events {
        let listener = self.0.shared.settings.listener.as_ref();
        Events::new(listener, || self.0.shared.told.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// What `request` may use up, from now on.
    fn limits(&self, request: &Request) -> Limits {
        exchange::limits(&self.0.shared.settings, request)
    }

    /// Sends a request and waits for the head of its response; the body is pulled by the caller. The
    /// client's own timeout and its limit of bytes hold for bodies in memory and not for this one,
    /// which may be as long as it is and take as long as something comes; the request's own hold
    /// here too.
    ///
    /// ```no_run
    /// # use pinfold_core::{CancelToken, Client, Method, Request};
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let request = Request::new(Method::Get, "https://api.example.com/v1/log")?;
    /// let mut response = client.stream(&request, &CancelToken::new())?;
    /// let mut buffer = vec![0; 64 * 1024];
    /// loop {
    ///     match response.body_mut().pull(&mut buffer)? {
    ///         0 => break,
    ///         n => println!("{} bytes", buffer[..n].len()),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Every code of `docs/errors.md`. Cancelling ends the call while its body is pulled, too.
    pub fn stream(
        &self,
        request: &Request,
        cancel: &CancelToken,
    ) -> Result<Response<ResponseBody>, Error> {
        let listed = self.0.calls.begin(cancel);
        self.stream_listed(request, cancel, self.limits(request), None, listed)
    }

    fn stream_listed(
        &self,
        request: &Request,
        cancel: &CancelToken,
        limits: Limits,
        place: Option<Permit<'_>>,
        listed: Listed<'_>,
    ) -> Result<Response<ResponseBody>, Error> {
        let max = request.max_response_bytes.unwrap_or(u64::MAX);
        let events = &self.events();
        let hop = Hop { request, limits: &limits, cancel, is_pulled: true, events };
        let result = self.follow(hop, place, |response, permit| {
            response.with(|body| {
                if request.timeout.is_none() {
                    body.context.set_open_ended();
                }
                Ok(ResponseBody::new(body, max, (self, cancel), permit, listed))
            })
        });
        ended(result, self.is_closed(), cancel.is_cancelled())
    }

    /// A session of this client: another one for whoever uses it, with the same pins, settings and limits,
    /// but with connections, TLS sessions, cookies, tokens and identities ([`Self::set_identity`]) of its
    /// own, of which nobody else gets any. For an app with several accounts, and for automation. A session
    /// costs about a kilobyte.
    ///
    /// Closing a session ends its own calls and closes its connections; closing the client does that for
    /// all. Pins that are replaced through one are replaced for all.
    ///
    /// ```no_run
    /// # use pinfold_core::client::CookieJar;
    /// # fn f(client: &pinfold_core::Client) -> Result<(), pinfold_core::Error> {
    /// let alice = client.session().cookies(CookieJar::new()).build()?;
    /// let bob = client.session().cookies(CookieJar::new()).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn session(&self) -> SessionBuilder {
        SessionBuilder::new(self.clone())
    }

    /// The cookies of this client or session, where it has a jar.
    pub fn cookies(&self) -> Option<&CookieJar> {
        self.0.own.cookies.as_ref()
    }

    /// Puts another pin set into force, at once and for good: requests that begin after this call see
    /// only the new one. Connections and TLS sessions made under the old one are used again if the
    /// new one accepts what the server presented there; the other connections are closed, and so are
    /// those about which the platform would have to be asked. Requests in flight end under the old
    /// one, but see [`ClientBuilder::abort_withdrawn`].
    ///
    /// # Errors
    /// [`Error::ClientClosed`].
    pub fn replace_pins(&self, pins: PinSet) -> Result<(), Error> {
        if self.is_closed() {
            return Err(Error::ClientClosed);
        }
        self.0.shared.replace_pins(pins);
        Ok(())
    }

    /// Who this client, or this session of one, is to `host` from now on, where that asks for a
    /// certificate; none for nobody. Other sessions of the client are not concerned. A
    /// certificate that is renewed takes its place so, without a restart: idle connections under the last
    /// one are closed, requests under way end as they began, and TLS sessions are not shared by two
    /// identities. No other host is ever shown it, not those below it either, nor a proxy.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for `identity`: a host that is none; [`Error::ClientClosed`].
    pub fn set_identity(&self, host: &str, identity: Option<ClientIdentity>) -> Result<(), Error> {
        if self.is_closed() {
            return Err(Error::ClientClosed);
        }
        let host = HostName::parse(host)
            .map_err(|reason| Error::InvalidConfig { field: "identity".into(), reason })?;
        self.0.shared.connections.set_identity(self.0.id, &host, identity);
        Ok(())
    }

    /// Closes the idle connections, so that the next request makes one of its own: for a device
    /// whose network has changed, which leaves them dead without a word. Requests in flight go on,
    /// and their connections are closed after them. The pin set and the TLS sessions stay. Does
    /// nothing on a closed client.
    pub fn close_idle_connections(&self) {
        self.0.shared.connections.close_idle();
    }

    /// Connects to the server of `url`, where no idle connection to it is there: name, TCP, TLS and the
    /// decision about its certificate are done when the first request comes. Nothing of a request is sent.
    /// The connection is kept for a minute, as others are.
    ///
    /// # Errors
    /// Why there is none, as for a request.
    pub fn preconnect(&self, url: &str, cancel: &CancelToken) -> Result<(), Error> {
        let target = self.0.own.defaults.target(url)?;
        let _listed = self.0.calls.begin(cancel);
        if self.0.shared.connections.judge().denies(target.host()) {
            return Err(Error::HostNotPinned { host: target.host().to_string() });
        }
        let limits = self.limits(&Request::to(Method::Get, target.clone()));
        let context = CallContext::new(cancel.clone(), limits, self.events());
        let key = Key::new(target.origin().clone(), self.0.id);
        let connected = self.0.shared.connections.prepare(&key, &context);
        ended(connected, self.is_closed(), cancel.is_cancelled())
    }

    /// The whole decision about a certificate as data, without a connection: what this client would
    /// do if `host` presented `chain` (DER, end-entity first) at `at`, in seconds since 1970. Asks
    /// the platform where its authorities count, so not on a main thread; a platform's own clock may
    /// be the one that holds. After a refusal that the pin set demands, a client of an updater looks
    /// for a newer one, as it does for a request.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a host that is none, and for no certificate;
    /// [`Error::ClientClosed`].
    pub fn explain(&self, host: &str, chain: &[Vec<u8>], at: u64) -> Result<Explanation, Error> {
        if self.is_closed() {
            return Err(Error::ClientClosed);
        }
        let used = self.0.shared.connections.judge();
        let told = used.explain(host, chain, at)?;
        let by_pin_set = told.error.as_ref().is_some_and(|e| used.is_by_pin_set(e, &told.host));
        let Some(source) = self.0.shared.settings.source.as_deref().filter(|_| by_pin_set) else {
            return Ok(told);
        };
        let accepts = |pins: &PinSet| {
            let judge = judge(pins.clone(), &self.0.shared.settings, &self.0.shared.system);
            judge.explain(host, chain, at).is_ok_and(|told| told.error.is_none())
        };
        let deadline = Instant::now().checked_add(self.0.shared.settings.timeout);
        let patience = Patience { deadline, cancel: &CancelToken::new() };
        if source.renew(&told.host, &used.pins, &accepts, &patience) {
            return self.0.shared.connections.judge().explain(host, chain, at);
        }
        Ok(told)
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
        self.0.shared.connections.judge().pinned_names(certificate)
    }

    /// The pin set in force.
    pub fn pins(&self) -> PinSet {
        self.0.shared.connections.judge().pins.clone()
    }

    /// The certificates (DER) of the authorities that are known here and may end a path: those of
    /// [`Roots::Only`] and of the pin set's entries. For somebody else's HTTP client, which wants to
    /// show whole paths; it decides nothing.
    pub fn authorities(&self) -> Vec<Vec<u8>> {
        let own = match &self.0.shared.settings.roots {
            Roots::Only(certificates) => certificates.as_slice(),
            _ => &[],
        };
        let judge = self.0.shared.connections.judge();
        let entries = judge.pins.hosts().iter().flat_map(HostPolicy::authorities);
        own.iter().chain(entries).cloned().collect()
    }

    /// How often another pin set has been put into force. For somebody else's HTTP client, which makes
    /// new connections and TLS sessions when this has changed.
    pub fn pins_generation(&self) -> u64 {
        self.0.shared.connections.generation()
    }

    /// Ends every call and closes every connection of this client, its clones and its sessions, or of this
    /// session and its clones; later calls fail with [`Error::ClientClosed`]. Closing twice does nothing.
    pub fn close(&self) {
        self.0.calls.close();
        match self.0.is_session() {
            true => self.0.shared.connections.end_session(self.0.id),
            false => {
                self.0.shared.sessions.close();
                self.0.shared.connections.close();
            }
        }
    }

    fn is_closed(&self) -> bool {
        self.0.calls.is_closed()
    }
}

impl Inner {
    fn is_session(&self) -> bool {
        self.life.is_some()
    }
}

impl Shared {
    fn replace_pins(&self, pins: PinSet) {
        self.connections.replace(judge(pins, &self.settings, &self.system));
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}

/// By what a client with these settings judges.
fn judge(pins: PinSet, settings: &Settings, system: &SystemTrust) -> Judge {
    Judge {
        pins,
        deny_unpinned: settings.deny_unpinned,
        system: system.clone(),
        managed: settings.source.as_ref().and_then(|source| source.managed()),
    }
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
