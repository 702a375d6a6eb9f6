//! Whether the device has a network at all.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::error::Error;

/// Documentation's own (RFC 5737, RFC 3849): public as far as routes go, and nobody's.
const PUBLIC: [SocketAddr; 2] = [
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9),
    SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 9),
];

/// What to call a name that was not found, or a host or a proxy that was not reached: where there is no route to
/// anybody, the name and the host are not to blame.
pub(super) fn or_offline(error: Error) -> Error {
    match error {
        Error::DnsFailed { host, reason }
        | Error::ConnectFailed { host, reason }
        | Error::ProxyFailed { host, reason, .. }
            if !has_route() =>
        {
            Error::Offline { host, reason }
        }
        error => error,
    }
}

/// Asks the routing table alone: connecting a datagram socket sends nothing.
fn has_route() -> bool {
    PUBLIC.iter().any(|public| {
        let any: SocketAddr = match public {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        UdpSocket::bind(any).is_ok_and(|socket| socket.connect(public).is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_without_a_route_is_it_the_network() {
        let (host, reason) = ("a.test".to_owned(), "r".to_owned());
        let unknown = Error::DnsFailed { host: host.clone(), reason: reason.clone() };
        let expected = match has_route() {
            true => unknown.clone(),
            false => Error::Offline { host, reason },
        };
        assert_eq!(or_offline(unknown), expected);
        assert_eq!(or_offline(Error::Cancelled), Error::Cancelled);
    }
}
