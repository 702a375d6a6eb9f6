//! What a client can be told.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::HeaderValue;

use super::authenticator::{Auth, Authenticator};
use super::cookies::CookieJar;
use super::defaults::{Defaults, Raw};
use super::retry::Retries;
use super::session::Own;
use super::{Client, PinSource};
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::events::EventListener;
use crate::identity::{ClientIdentity, Identities};
use crate::net::{ConnectTo, Resolver, SessionId};
use crate::pin::{HostName, PinSet};
use crate::proxy::Proxies;
use crate::verify::Roots;

/// Longer than any request, short enough for every clock to add.
pub(super) const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3_600);

/// Nobody means more.
pub(super) const MAX_REDIRECTS: u32 = 50;

/// Each has a thread.
const MAX_REQUESTS: usize = 10_000;
const MAX_RETRIES: u32 = 20;
/// Each has a file descriptor.
const MAX_IDLE: usize = 1_000;

/// Sets a client up.
///
/// ```no_run
/// # use std::time::Duration;
/// # use pinfold_core::{Client, PinSet};
/// # fn main() -> Result<(), pinfold_core::Error> {
/// # let pins = PinSet::parse(b"{}")?;
/// let client = Client::builder(pins)
///     .timeout(Duration::from_secs(10))
///     .max_response_bytes(1 << 20)
///     .build()?;
/// # Ok(())
/// # }
/// ```
pub struct ClientBuilder {
    pins: PinSet,
    settings: Settings,
    connect_to: Vec<(String, u16, SocketAddr)>,
    base_url: Option<String>,
    headers: Vec<Raw>,
    cookies: Option<CookieJar>,
    authenticator: Option<Arc<dyn Authenticator>>,
    identities: Vec<(String, ClientIdentity)>,
}

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) source: Option<Arc<dyn PinSource>>,
    pub(super) deny_unpinned: bool,
    pub(super) abort_withdrawn: bool,
    pub(super) roots: Roots,
    pub(super) connect_timeout: Duration,
    pub(super) read_timeout: Duration,
    pub(super) timeout: Duration,
    pub(super) queue_timeout: Duration,
    pub(super) lookup_timeout: Duration,
    pub(super) tls_timeout: Duration,
    pub(super) first_byte_timeout: Duration,
    pub(super) retries: Retries,
    pub(super) max_response_bytes: u64,
    pub(super) max_redirects: u32,
    pub(super) user_agent: String,
    pub(super) connect_to: Arc<ConnectTo>,
    pub(super) resolver: Option<Arc<dyn Resolver>>,
    pub(super) listener: Option<Arc<dyn EventListener>>,
    pub(super) proxies: Proxies,
    pub(super) max_idle_connections: usize,
    pub(super) max_requests: usize,
    pub(super) max_requests_per_host: usize,
    pub(super) clock: Arc<dyn Clock>,
    /// Whether a server may recognise the client by a TLS ticket.
    pub(super) resumes: bool,
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("pins", &self.pins).finish_non_exhaustive()
    }
}

impl ClientBuilder {
    pub(super) fn new(pins: PinSet) -> Self {
        let settings = Settings {
            source: None,
            deny_unpinned: true,
            abort_withdrawn: false,
            roots: Roots::System,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            queue_timeout: Duration::ZERO,
            lookup_timeout: Duration::ZERO,
            tls_timeout: Duration::ZERO,
            first_byte_timeout: Duration::ZERO,
            retries: Retries::new(0),
            max_response_bytes: 16 << 20,
            max_redirects: 10,
            user_agent: concat!("pinfold/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_to: Arc::default(),
            resolver: None,
            listener: None,
            proxies: Proxies::None,
            max_idle_connections: 64,
            max_requests: 256,
            max_requests_per_host: 128,
            clock: Arc::new(SystemClock),
            resumes: true,
        };
        let (connect_to, base_url, headers) = Default::default();
        let (cookies, authenticator, identities) = Default::default();
        Self { pins, settings, connect_to, base_url, headers, cookies, authenticator, identities }
    }

    pub(crate) fn with_source(source: Arc<dyn PinSource>) -> Self {
        let mut builder = Self::new(source.pins());
        builder.settings.source = Some(source);
        builder
    }

    /// Whether hosts without a policy are refused; `true` by default, so that a forgotten entry is
    /// an error on the first request and not a host without pins. With `false` such hosts get the
    /// system's trust alone.
    pub fn deny_unpinned(mut self, deny: bool) -> Self {
        self.settings.deny_unpinned = deny;
        self
    }

    /// Whether requests in flight end at once, with `pin_mismatch`, when a new pin set withdraws the
    /// pin that their connection was accepted for; `false` by default: they end as they began, and
    /// the next ones meet the new pin set. A request that was ended may have reached its server.
    pub fn abort_withdrawn(mut self, abort: bool) -> Self {
        self.settings.abort_withdrawn = abort;
        self
    }

    /// The authorities behind `system_and_pin`; the system's by default.
    pub fn roots(mut self, roots: Roots) -> Self {
        self.settings.roots = roots;
        self
    }

    /// For name lookup, TCP and TLS together; 10 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// For the next bytes of an answer, from the end of the request on; 10 s by default, 0 for none.
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.settings.read_timeout = timeout;
        self
    }

    /// For the wait for its turn, of each request; none by default, and 0 for none.
    pub fn queue_timeout(mut self, timeout: Duration) -> Self {
        self.settings.queue_timeout = timeout;
        self
    }

    /// For the lookup of a name, within [`Self::connect_timeout`]; none by default, and 0 for none.
    pub fn lookup_timeout(mut self, timeout: Duration) -> Self {
        self.settings.lookup_timeout = timeout;
        self
    }

    /// For the TLS handshake with one address, the judgement of the certificate included, within
    /// [`Self::connect_timeout`]; none by default, and 0 for none.
    pub fn tls_timeout(mut self, timeout: Duration) -> Self {
        self.settings.tls_timeout = timeout;
        self
    }

    /// For the first byte of an answer, from the end of the request on, in the place of
    /// [`Self::read_timeout`], which holds for those that follow; none by default, and 0 for none.
    pub fn first_byte_timeout(mut self, timeout: Duration) -> Self {
        self.settings.first_byte_timeout = timeout;
        self
    }

    /// How often a request is sent again that failed for a moment, or that a server could not answer for
    /// now (408, 429, 502, 503 and 504); never by default.
    ///
    /// A request of which nothing was sent is whatever its method is; others only where their method is
    /// idempotent ([`super::Method::is_idempotent`]) and their body can begin again. A server's
    /// `Retry-After` is waited for. All of it happens within the call's timeout: what cannot be had until
    /// then is not waited for, and the answer or the error is the last one's. All requests of a client
    /// and its sessions share a budget, so that they send little more when everything fails.
    pub fn retries(mut self, retries: Retries) -> Self {
        self.settings.retries = retries;
        self
    }

    /// Where the client's own cookies are kept; by default none are, and those that come are headers like
    /// others. Its sessions have jars of their own.
    pub fn cookies(mut self, jar: CookieJar) -> Self {
        self.cookies = Some(jar);
        self
    }

    /// Who gives the tokens of the client's own requests, of those to the server of [`Self::base_url`].
    pub fn authenticator(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.authenticator = Some(authenticator);
        self
    }

    /// For a whole call, with redirects, the body, and the wait for its turn; 30 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// The largest body accepted, counted after gzip; 16 MiB by default.
    pub fn max_response_bytes(mut self, bytes: u64) -> Self {
        self.settings.max_response_bytes = bytes;
        self
    }

    /// How many redirects are followed; 10 by default. With 0 a redirect is a response like others.
    pub fn max_redirects(mut self, redirects: u32) -> Self {
        self.settings.max_redirects = redirects;
        self
    }

    /// How many connections are kept for later requests, whatever their hosts; 64 by default. They are
    /// closed after a minute.
    pub fn max_idle_connections(mut self, connections: usize) -> Self {
        self.settings.max_idle_connections = connections;
        self
    }

    /// How many requests may be under way; 256 by default. Others wait for their turn, within their
    /// timeout.
    pub fn max_requests(mut self, requests: usize) -> Self {
        self.settings.max_requests = requests;
        self
    }

    /// How many of them may be to one host; 128 by default.
    pub fn max_requests_per_host(mut self, requests: usize) -> Self {
        self.settings.max_requests_per_host = requests;
        self
    }

    /// The clocks that certificates, pin sets and idle connections are judged by; the device's own by
    /// default. For tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.clock = clock;
        self
    }

    /// The `User-Agent` header; `pinfold/VERSION` by default.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.settings.user_agent = user_agent.into();
        self
    }

    /// What relative URLs begin with (RFC 3986 §5), as in `client.get("v1/me")`: an absolute URL whose
    /// path ends with a slash, without a query. None by default, and every URL is absolute.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// A header of every request that has none of this name itself.
    pub fn default_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned(), false));
        self
    }

    /// A header with a secret, of every request to the server of [`Self::base_url`]; nobody else gets it.
    /// `Authorization` and `Cookie` are secrets by themselves.
    pub fn sensitive_default_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned(), true));
        self
    }

    /// Connects to `address` for `host` and `port` instead of looking the name up, as curl's
    /// `--connect-to` does: for staging servers and tests. A proxy is asked for that address, too.
    /// Trust, host name and pins are judged as ever.
    pub fn connect_to(mut self, host: &str, port: u16, address: SocketAddr) -> Self {
        self.connect_to.push((host.to_owned(), port, address));
        self
    }

    /// Who finds the addresses of hosts, in the place of the system; [`Self::connect_to`] counts before.
    pub fn resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.settings.resolver = Some(resolver);
        self
    }

    /// Who is told what happens to each call; nobody by default.
    pub fn listener(mut self, listener: Arc<dyn EventListener>) -> Self {
        self.settings.listener = Some(listener);
        self
    }

    /// The proxies to go through; none by default, whatever the environment says. Pins hold through
    /// them: a tunnel's other end is judged as ever. The certificate of an `https` proxy is judged under
    /// its own name, by the entry of the pin set for it where there is one, and by the roots where not.
    pub fn proxies(mut self, proxies: Proxies) -> Self {
        self.settings.proxies = proxies;
        self
    }

    /// Who the client is to `host` where that asks for a certificate; nobody by default. No other host is
    /// ever shown it, not those below it either, nor a proxy. See
    /// [`Client::set_identity`](crate::Client::set_identity).
    pub fn identity(mut self, host: &str, identity: ClientIdentity) -> Self {
        self.identities.push((host.to_owned(), identity));
        self
    }

    /// Has every handshake be a full one: for servers that shall not tell the client from others.
    pub(crate) fn without_resumption(mut self) -> Self {
        self.settings.resumes = false;
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] names the setting, [`Error::InvalidCertificate`] the root.
    pub fn build(mut self) -> Result<Client, Error> {
        let fail = |field: &str, reason: &str| {
            Err(Error::InvalidConfig { field: field.into(), reason: reason.into() })
        };
        for (field, timeout) in
            [("connect_timeout", self.settings.connect_timeout), ("timeout", self.settings.timeout)]
        {
            if timeout.is_zero() || timeout > MAX_TIMEOUT {
                return fail(field, "not between 1 ms and 24 hours");
            }
        }
        for (field, timeout) in [
            ("read_timeout", self.settings.read_timeout),
            ("queue_timeout", self.settings.queue_timeout),
            ("lookup_timeout", self.settings.lookup_timeout),
            ("tls_timeout", self.settings.tls_timeout),
            ("first_byte_timeout", self.settings.first_byte_timeout),
        ] {
            if timeout > MAX_TIMEOUT {
                return fail(field, "more than 24 hours");
            }
        }
        if self.settings.retries.most > MAX_RETRIES {
            return fail("retries", "more than 20");
        }
        for (field, requests) in [
            ("max_requests", self.settings.max_requests),
            ("max_requests_per_host", self.settings.max_requests_per_host),
        ] {
            if !(1..=MAX_REQUESTS).contains(&requests) {
                return fail(field, "not between 1 and 10,000");
            }
        }
        if self.settings.max_idle_connections > MAX_IDLE {
            return fail("max_idle_connections", "more than 1,000");
        }
        if self.settings.max_response_bytes == 0 {
            return fail("max_response_bytes", "zero");
        }
        if self.settings.max_redirects > MAX_REDIRECTS {
            return fail("max_redirects", "more than 50");
        }
        if self.settings.user_agent.len() > 256
            || HeaderValue::from_str(&self.settings.user_agent).is_err()
        {
            return fail("user_agent", "not a header value of at most 256 characters");
        }
        let mut connect_to = ConnectTo::new();
        for (host, port, address) in &self.connect_to {
            match HostName::parse(host) {
                Ok(host) => connect_to.insert((host.to_string(), *port), vec![*address]),
                Err(reason) => return fail("connect_to", &reason),
            };
        }
        self.settings.connect_to = Arc::new(connect_to);
        let defaults = Defaults::new(self.base_url.as_deref(), &self.headers)?;
        let auth = self.authenticator.map(|it| Auth::new(it, &defaults)).transpose()?;
        let own = Own { defaults, cookies: self.cookies, auth: auth.map(Arc::new) };
        let identities = Identities::default();
        for (host, identity) in self.identities {
            match HostName::parse(&host) {
                Ok(host) => identities.set((SessionId::default(), host), Some(identity)),
                Err(reason) => return fail("identity", &reason),
            }
        }
        Client::start(self.pins, self.settings, own, identities)
    }
}
