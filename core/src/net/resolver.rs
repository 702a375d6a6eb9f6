//! Name resolution, where it costs nothing.

use std::net::{Ipv4Addr, SocketAddr};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// ureq resolves before it looks into its pool, so a request on an open connection would pay for a
/// lookup that nobody needs. This one looks nothing up; the connector does, when it connects.
#[derive(Debug)]
pub(crate) struct LateResolver;

impl Resolver for LateResolver {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        // ureq wants at least one address; ours are found later.
        addresses.push(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        Ok(addresses)
    }
}
