//! What a client can be told.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::HeaderValue;

use super::{Client, PinSource};
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::net::ConnectTo;
use crate::pin::{HostName, PinSet};
use crate::verify::Roots;

/// Longer than any request, short enough for every clock to add.
pub(super) const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3_600);

/// Each has a thread.
const MAX_REQUESTS: usize = 10_000;
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
    pub(super) max_response_bytes: u64,
    pub(super) max_redirects: u32,
    pub(super) user_agent: String,
    pub(super) connect_to: Arc<ConnectTo>,
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
            max_response_bytes: 16 << 20,
            max_redirects: 10,
            user_agent: concat!("pinfold/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_to: Arc::default(),
            max_idle_connections: 64,
            max_requests: 256,
            max_requests_per_host: 128,
            clock: Arc::new(SystemClock),
            resumes: true,
        };
        Self { pins, settings, connect_to: Vec::new() }
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

    /// Connects to `address` for `host` and `port` instead of looking the name up, as curl's
    /// `--connect-to` does: for staging servers and tests. Trust, host name and pins are judged as
    /// ever.
    pub fn connect_to(mut self, host: &str, port: u16, address: SocketAddr) -> Self {
        self.connect_to.push((host.to_owned(), port, address));
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
        if self.settings.read_timeout > MAX_TIMEOUT {
            return fail("read_timeout", "more than 24 hours");
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
        if self.settings.max_redirects > 50 {
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
        Client::start(self.pins, self.settings)
    }
}
