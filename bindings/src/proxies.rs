//! Proxies, as Kotlin and Swift tell of them; and the system's own, asked of Kotlin or Swift.

use std::fmt;
use std::sync::Arc;

use pinfold_core::pin::HostName;
use pinfold_core::{Error, NoProxy};

/// Where proxies come from.
#[derive(Clone, uniffi::Enum)]
pub enum Proxies {
    /// There are none.
    None,
    /// One for every host that is not excluded.
    Fixed {
        /// The proxy.
        proxy: Proxy,
        /// The hosts that are reached directly.
        no_proxy: String,
    },
    /// What the environment says, by curl's rules.
    Environment,
    /// Somebody is asked for each host.
    Selector {
        /// Who is.
        selector: Arc<dyn ProxySelector>,
    },
}

/// A proxy.
#[derive(Clone, uniffi::Record)]
pub struct Proxy {
    /// How it is spoken to.
    pub scheme: ProxyScheme,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who the client is to it, where it wants to know.
    pub user: Option<String>,
    /// That user's password.
    pub password: Option<String>,
}

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum ProxyScheme {
    /// CONNECT in the clear.
    Http,
    /// CONNECT over TLS to the proxy.
    Https,
    /// SOCKS5; the client looks names up.
    Socks5,
    /// SOCKS5; the proxy looks names up.
    Socks5h,
}

/// One of the ways to a host.
#[derive(Clone, uniffi::Enum)]
pub enum ProxyRoute {
    /// Without a proxy.
    Direct,
    /// Through this one.
    Via {
        /// The proxy.
        proxy: Proxy,
    },
}

/// Says by which ways a host may be reached.
#[uniffi::export(with_foreign)]
pub trait ProxySelector: Send + Sync {
    /// The ways to `host` at `port`, the best first. Called on a thread of Pinfold's.
    fn select(&self, host: String, port: u16) -> Result<Vec<ProxyRoute>, SelectionFailure>;
}

/// Why there is no way.
#[derive(Clone, Debug, uniffi::Error)]
pub enum SelectionFailure {
    /// The only case.
    Failed {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for SelectionFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Failed { reason } = self;
        f.write_str(reason)
    }
}

impl std::error::Error for SelectionFailure {}

/// An exception that the foreign side did not declare.
impl From<uniffi::UnexpectedUniFFICallbackError> for SelectionFailure {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        // Kotlin's is a whole stack trace.
        Self::Failed { reason: error.reason.lines().next().unwrap_or_default().to_owned() }
    }
}

// Neither of these shows a password.
impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Fixed { proxy, .. } => write!(f, "{proxy:?}"),
            Self::Environment => f.write_str("Environment"),
            Self::Selector { .. } => f.write_str("Selector"),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}:{}", self.scheme, self.host, self.port)
    }
}

impl Proxies {
    pub(crate) fn into_core(self) -> Result<pinfold_core::Proxies, Error> {
        Ok(match self {
            Self::None => pinfold_core::Proxies::None,
            Self::Fixed { proxy, no_proxy } => pinfold_core::Proxies::Fixed {
                proxy: proxy.into_core()?,
                no_proxy: NoProxy::parse(&no_proxy)?,
            },
            Self::Environment => pinfold_core::Proxies::from_environment()?,
            Self::Selector { selector } => {
                pinfold_core::Proxies::Selector(Arc::new(Foreign(selector)))
            }
        })
    }
}

impl Proxy {
    fn into_core(self) -> Result<pinfold_core::Proxy, Error> {
        let scheme = match self.scheme {
            ProxyScheme::Http => pinfold_core::ProxyScheme::Http,
            ProxyScheme::Https => pinfold_core::ProxyScheme::Https,
            ProxyScheme::Socks5 => pinfold_core::ProxyScheme::Socks5,
            ProxyScheme::Socks5h => pinfold_core::ProxyScheme::Socks5h,
        };
        let proxy = pinfold_core::Proxy::new(scheme, &self.host, self.port)?;
        match self.user {
            None => Ok(proxy),
            Some(user) => proxy.with_credentials(&user, &self.password.unwrap_or_default()),
        }
    }
}

/// The foreign implementation, as core wants it.
struct Foreign(Arc<dyn ProxySelector>);

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Foreign")
    }
}

impl pinfold_core::ProxySelector for Foreign {
    fn select(&self, host: &HostName, port: u16) -> Result<Vec<pinfold_core::ProxyRoute>, String> {
        let routes = self.0.select(host.to_string(), port).map_err(|e| e.to_string())?;
        let route = |route| match route {
            ProxyRoute::Direct => Ok(pinfold_core::ProxyRoute::Direct),
            ProxyRoute::Via { proxy } => {
                proxy.into_core().map(pinfold_core::ProxyRoute::Via).map_err(|e| e.to_string())
            }
        };
        routes.into_iter().map(route).collect()
    }
}

/// The parts of a proxy's URL, for languages that take one: `[SCHEME://][USER:PASSWORD@]HOST[:PORT]`, as
/// curl has it.
#[uniffi::export]
pub fn parse_proxy(url: &str) -> Result<Proxy, crate::failure::PinfoldFailure> {
    let proxy = pinfold_core::Proxy::parse(url)?;
    let scheme = match proxy.scheme() {
        pinfold_core::ProxyScheme::Http => ProxyScheme::Http,
        pinfold_core::ProxyScheme::Https => ProxyScheme::Https,
        pinfold_core::ProxyScheme::Socks5 => ProxyScheme::Socks5,
        pinfold_core::ProxyScheme::Socks5h => ProxyScheme::Socks5h,
    };
    let (user, password) = match proxy.credentials() {
        Some((user, password)) => (Some(user.to_owned()), Some(password.to_owned())),
        None => (None, None),
    };
    Ok(Proxy { scheme, host: proxy.host().to_string(), port: proxy.port(), user, password })
}
