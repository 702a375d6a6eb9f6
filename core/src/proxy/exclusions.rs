//! Which hosts are reached without a proxy.

use std::net::IpAddr;

use super::address::host_and_port;
use crate::error::Error;
use crate::pin::HostName;

/// Longer lists are a mistake.
const MAX: usize = 1_000;

/// Hosts that are reached directly although there is a proxy: a list with commas or blanks between its
/// entries, as in `NO_PROXY`. An entry is
///
/// | entry | means |
/// |---|---|
/// | `*` | every host |
/// | `example.com`, `.example.com`, `*.example.com` | that name and all below it |
/// | `192.0.2.7`, `2001:db8::7`, `[2001:db8::7]` | that address |
/// | `10.0.0.0/8`, `fd00::/8` | the addresses that begin with so many of its bits |
///
/// and each may end in `:PORT`, an IPv6 address then in brackets: it holds for that port alone. Blanks
/// around entries and empty entries do not count, nor does a name's case or its last dot. Addresses
/// are compared with what the URL says: no name is looked up for this, so a name is never within
/// `10.0.0.0/8`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy(Vec<(Hosts, Option<u16>)>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// This name and those below it.
    Name(HostName),
    Network(IpAddr, u32),
}

impl NoProxy {
    /// Reads a list.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for `no_proxy[N]`, the number of the entry from 0.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let fail = |i: usize, reason: String| Error::InvalidConfig {
            field: format!("no_proxy[{i}]"),
            reason,
        };
        let entries = text.split(|c: char| c == ',' || c.is_whitespace());
        let entries = entries.filter(|entry| !entry.is_empty()).enumerate();
        let read = |(i, entry)| match i < MAX {
            true => entry_of(entry).map_err(|reason| fail(i, reason)),
            false => Err(fail(i, "more than 1,000 entries".into())),
        };
        entries.map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether `host` is reached directly at `port`.
    pub fn excludes(&self, host: &HostName, port: u16) -> bool {
        self.0.iter().any(|(hosts, only)| only.is_none_or(|only| only == port) && hosts.has(host))
    }
}

fn entry_of(entry: &str) -> Result<(Hosts, Option<u16>), String> {
    // An IPv6 address with or without its network needs no brackets where no port follows.
    if let Some(network) = network(entry)? {
        return Ok((network, None));
    }
    let (host, port) = host_and_port(entry)?;
    if host == "*" {
        return Ok((Hosts::All, port));
    }
    if let Some(network) = network(host)? {
        return Ok((network, port));
    }
    let name = host.strip_prefix("*.").or_else(|| host.strip_prefix('.')).unwrap_or(host);
    Ok((Hosts::Name(HostName::parse(name)?), port))
}

/// An address, or a network of them.
fn network(text: &str) -> Result<Option<Hosts>, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let (address, bits) = match bare.split_once('/') {
        None => (bare, None),
        Some((address, bits)) => (address, Some(bits)),
    };
    let Ok(address) = address.parse::<IpAddr>() else { return Ok(None) };
    let all = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        None => all,
        // A port behind a network is split off later.
        Some(bits) if bits.contains(':') => return Ok(None),
        Some(bits) => match bits.parse() {
            Ok(bits) if bits <= all => bits,
            _ => return Err(format!("a network of more than {all} bits, or no number")),
        },
    };
    Ok(Some(Hosts::Network(address, bits)))
}

impl Hosts {
    fn has(&self, host: &HostName) -> bool {
        match self {
            Self::All => true,
            Self::Name(name) => host.and_parents().any(|parent| parent == name.as_str()),
            Self::Network(network, bits) => {
                let address = host.as_str().parse();
                address.is_ok_and(|address| is_within(address, *network, *bits))
            }
        }
    }
}

fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address.to_canonical(), network.to_canonical()) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let differ = u32::from(address) ^ u32::from(network);
            bits == 0 || differ >> (32 - bits.min(32)) == 0
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let differ = u128::from(address) ^ u128::from(network);
            bits == 0 || differ >> (128 - bits) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excludes(list: &str, host: &str, port: u16) -> bool {
        let host = HostName::parse(host).expect(host);
        NoProxy::parse(list).expect(list).excludes(&host, port)
    }

    #[test]
    fn the_rules_are_those_of_the_documentation() {
        for (list, host, port, direct) in [
            ("", "example.com", 443, false),
            ("*", "example.com", 443, true),
            ("*:8443", "example.com", 443, false),
            ("*:8443", "example.com", 8443, true),
            ("example.com", "example.com", 443, true),
            ("example.com", "api.example.com", 443, true),
            (".example.com", "example.com", 443, true),
            ("*.Example.COM.", "a.b.example.com", 443, true),
            ("example.com", "notexample.com", 443, false),
            ("example.com", "example.com.evil.test", 443, false),
            ("api.example.com", "example.com", 443, false),
            (" a.test , ,\tb.test c.test,", "c.test", 443, true),
            ("a.test b.test", "b.test", 443, true),
            ("a.test:8443", "a.test", 443, false),
            ("a.test:8443", "x.a.test", 8443, true),
            ("192.0.2.7", "192.0.2.7", 443, true),
            ("192.0.2.7", "192.0.2.70", 443, false),
            ("192.0.2.7:443", "192.0.2.7", 8443, false),
            ("10.0.0.0/8", "10.255.0.1", 443, true),
            ("10.0.0.0/8", "11.0.0.1", 443, false),
            ("10.0.0.0/8:443", "10.0.0.1", 443, true),
            ("10.0.0.0/8:443", "10.0.0.1", 444, false),
            ("0.0.0.0/0", "203.0.113.9", 443, true),
            ("0.0.0.0/0", "::1", 443, false),
            ("10.0.0.0/8", "ten.test", 443, false),
            ("2001:db8::/32", "2001:db8:1::1", 443, true),
            ("2001:db8::/32", "2001:db9::1", 443, false),
            ("::1", "::1", 443, true),
            ("[::1]", "[::1]", 443, true),
            ("[::1]:8443", "::1", 443, false),
            ("[::1]:8443", "::1", 8443, true),
            ("localhost", "localhost", 1, true),
        ] {
            assert_eq!(excludes(list, host, port), direct, "{list:?} for {host}:{port}");
        }
    }

    #[test]
    fn a_wrong_entry_is_named_by_its_number() {
        for (list, place) in [
            ("a.test, 10.0.0.0/33", "no_proxy[1]"),
            ("10.0.0.0/x", "no_proxy[0]"),
            ("a.test b.test:http", "no_proxy[1]"),
            ("a.test:99999", "no_proxy[0]"),
            ("a..test", "no_proxy[0]"),
            ("http://a.test", "no_proxy[0]"),
            ("[::1", "no_proxy[0]"),
        ] {
            let error = NoProxy::parse(list).expect_err(list);
            assert_eq!((error.code(), error.place()), ("invalid_config", Some(place)), "{list}");
        }
        let error = NoProxy::parse(&"a.test,".repeat(1_001)).expect_err("too many");
        assert_eq!(error.place(), Some("no_proxy[1000]"));
    }
}
