//! The proxy of a command, told as curl is told.

use clap::Args;
use pinfold_core::{NoProxy, Proxies, Proxy};

use crate::failure::Failure;

const PASSWORD: &str = "PINFOLD_PROXY_PASSWORD";

#[derive(Args)]
pub(crate) struct ProxyArguments {
    /// Go through a proxy: http (without a scheme), https, socks5 or socks5h, which looks names up itself;
    /// `environment` takes https_proxy, all_proxy and no_proxy. Without this no proxy is used
    #[arg(short = 'x', long = "proxy", value_name = "[SCHEME://]HOST[:PORT]|environment")]
    proxy: Option<String>,
    /// Who to be to the proxy, by whichever of Basic, Digest and SOCKS5's password it asks for; without
    /// PASSWORD it is taken from the variable PINFOLD_PROXY_PASSWORD
    #[arg(short = 'U', long, value_name = "USER[:PASSWORD]", requires = "proxy")]
    proxy_user: Option<String>,
    /// Hosts that are reached directly: names with all below them, addresses, networks, `*`; each may end
    /// in :PORT
    #[arg(long, value_name = "HOST,…", requires = "proxy")]
    noproxy: Option<String>,
}

impl ProxyArguments {
    pub(crate) fn proxies(&self) -> Result<Proxies, Failure> {
        let Some(url) = &self.proxy else { return Ok(Proxies::None) };
        let told = match url.as_str() {
            "environment" => Proxies::from_environment()?,
            url => Proxies::Fixed { proxy: Proxy::parse(url)?, no_proxy: NoProxy::default() },
        };
        let Proxies::Fixed { mut proxy, mut no_proxy } = told else { return Ok(told) };
        if let Some(login) = &self.proxy_user {
            let from_environment;
            let (user, password) = match login.split_once(':') {
                Some(login) => login,
                None => {
                    from_environment = std::env::var(PASSWORD).unwrap_or_default();
                    (login.as_str(), from_environment.as_str())
                }
            };
            proxy = proxy.with_credentials(user, password)?;
        }
        if let Some(list) = &self.noproxy {
            no_proxy = NoProxy::parse(list)?;
        }
        Ok(Proxies::Fixed { proxy, no_proxy })
    }
}
