//! Which way a connection goes.

use std::fmt;
use std::sync::Arc;

use super::address::Proxy;
use super::exclusions::NoProxy;
use crate::error::Error;
use crate::pin::HostName;

/// Where a client's proxies come from.
#[derive(Clone, Debug, Default)]
pub enum Proxies {
    /// There are none: every connection is direct, whatever the environment or the system says.
    #[default]
    None,
    /// One for every host that is not excluded.
    Fixed {
        /// The proxy.
        proxy: Proxy,
        /// The hosts that are reached directly.
        no_proxy: NoProxy,
    },
    /// Somebody is asked for each host: the system, which knows its settings and evaluates PAC files.
    Selector(Arc<dyn ProxySelector>),
}

/// One of the ways to a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProxyRoute {
    /// Without a proxy.
    Direct,
    /// Through this one.
    Via(Proxy),
}

/// Says by which ways a host may be reached.
///
/// It is called on a thread of Pinfold's, never on the caller's, and waited for as long as the call's
/// connect timeout. Its answer is used for a minute, or until the network changes.
pub trait ProxySelector: fmt::Debug + Send + Sync {
    /// The ways to `host` at `port`, the best first. The next one is taken where a proxy cannot be
    /// reached or used, and not where it refuses.
    ///
    /// # Errors
    /// Why there is no answer; the call fails then and no way is guessed. So does an empty list, and a
    /// panic.
    fn select(&self, host: &HostName, port: u16) -> Result<Vec<ProxyRoute>, String>;
}

impl Proxies {
    /// What the environment says, by curl's rules for HTTPS: the first of `https_proxy`, `HTTPS_PROXY`,
    /// `all_proxy` and `ALL_PROXY` that is not empty, and the first of `no_proxy` and `NO_PROXY` that is
    /// not. None of them: no proxy.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for what is set and cannot be used.
    pub fn from_environment() -> Result<Self, Error> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let first = |names: &[&str]| {
            let values = names.iter().filter_map(|name| get(name));
            values.into_iter().find(|value| !value.is_empty())
        };
        let Some(proxy) = first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]) else {
            return Ok(Self::None);
        };
        let no_proxy = first(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
        Ok(Self::Fixed { proxy: Proxy::parse(&proxy)?, no_proxy: NoProxy::parse(&no_proxy)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_counts_by_curl_s_rules() {
        let read = |variables: &[(&str, &str)]| {
            let get = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            Proxies::from_variables(get)
        };
        let chosen = |variables: &[(&str, &str)]| match read(variables).expect("good ones") {
            Proxies::Fixed { proxy, .. } => Some(proxy.to_string()),
            _ => None,
        };
        assert_eq!(chosen(&[]), None);
        // It is for http:// alone, and there is no such URL.
        assert_eq!(chosen(&[("http_proxy", "h:1")]), None);
        assert_eq!(chosen(&[("https_proxy", "")]), None);
        let both = [("ALL_PROXY", "socks5h://a:1"), ("HTTPS_PROXY", "h:1")];
        assert_eq!(chosen(&both).as_deref(), Some("http://h:1"));
        assert_eq!(chosen(&both[..1]).as_deref(), Some("socks5h://a:1"));
        let lower = [("HTTPS_PROXY", "upper:1"), ("https_proxy", "lower:1")];
        assert_eq!(chosen(&lower).as_deref(), Some("http://lower:1"));
        let excluded = read(&[("all_proxy", "h:1"), ("NO_PROXY", " a.test , b.test")]);
        match excluded.expect("good ones") {
            Proxies::Fixed { no_proxy, .. } => {
                let b = HostName::parse("x.b.test").expect("a name");
                assert!(no_proxy.excludes(&b, 443));
            }
            other => panic!("{other:?}"),
        }
        let wrong = read(&[("https_proxy", "h:1"), ("no_proxy", "a.test:b")]);
        assert_eq!(wrong.expect_err("no port").place(), Some("no_proxy[0]"));
    }
}
