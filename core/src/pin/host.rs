//! Host names in one canonical form, so that a comparison of bytes is a comparison of hosts.

use std::fmt;
use std::net::IpAddr;

use rustls_pki_types::ServerName;

use super::suffix::is_public_suffix;

/// A host in canonical form: lower-case A-labels without a trailing dot, or an IP address as
/// RFC 5952 writes it, without brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(String);

impl HostName {
    /// Reads a host as a person or a URL writes it: any case, U-labels or A-labels (UTS #46), an
    /// IP literal with or without brackets, one trailing dot.
    ///
    /// # Errors
    /// The text says what is wrong: an empty name or label, a forbidden character, a label over 63
    /// or a name over 253 bytes (RFC 1035 §2.3.4), or a number that is no IP address.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_alone(text).map_err(|reason| match surplus(text) {
            Some((surplus, host)) => format!("{surplus} where a host alone belongs: write {host}"),
            None => reason,
        })
    }

    fn parse_alone(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a host is missing".into());
        }
        if text.len() > 1_024 {
            return Err("a host name has at most 253 characters".into());
        }
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(Self(ip.to_string()));
        }
        let host = match url::Host::parse(text) {
            Ok(url::Host::Domain(host)) => host,
            // Forms that only URLs know, such as 0x7f.1: one meaning everywhere, or none.
            Ok(_) => return Err("not an IP address in its usual form".into()),
            Err(e) => return Err(format!("not a host name: {e}")),
        };
        // The URL standard percent-decodes; a policy has no business with that.
        if text.contains('%') {
            return Err("not a host name: percent sign".into());
        }
        Self::from_a_labels(host)
    }

    /// The host that `url` parsed, already in lower-case A-labels.
    pub(crate) fn from_url(host: &url::Host<&str>) -> Result<Self, String> {
        match host {
            url::Host::Domain(name) => Self::from_a_labels((*name).to_owned()),
            url::Host::Ipv4(ip) => Ok(Self(ip.to_string())),
            url::Host::Ipv6(ip) => Ok(Self(ip.to_string())),
        }
    }

    /// The host of a TLS connection, which is A-labels already.
    pub(crate) fn of_server(name: &ServerName<'_>) -> Result<Self, String> {
        match name {
            ServerName::DnsName(name) => Self::from_a_labels(name.as_ref().to_ascii_lowercase()),
            name => Self::parse(&name.to_str()),
        }
    }

    fn from_a_labels(mut host: String) -> Result<Self, String> {
        if host.ends_with('.') {
            host.pop();
        }
        if host.is_empty() {
            return Err("a host is missing".into());
        }
        if host.len() > 253 {
            return Err("a host name has at most 253 characters".into());
        }
        for label in host.split('.') {
            let ends_in_hyphen = label.starts_with('-') || label.ends_with('-');
            let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
            if label.is_empty() {
                return Err("a host name has no empty labels".into());
            } else if label.len() > 63 {
                return Err("a label of a host name has at most 63 characters".into());
            } else if ends_in_hyphen || !label.bytes().all(known) {
                // Not the label, which may be anything that was pasted.
                let c = label.chars().find(|c| !c.is_ascii() || !known(*c as u8)).unwrap_or('-');
                return Err(format!("{c:?} is not allowed there in a host name"));
            }
        }
        Ok(Self(host))
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is an IP address: those match exactly, and have no subdomains.
    pub fn is_ip(&self) -> bool {
        self.0.parse::<IpAddr>().is_ok()
    }

    /// Whether it is a name under which anybody can register, such as `co.uk`.
    pub(crate) fn is_public_suffix(&self) -> bool {
        !self.is_ip() && is_public_suffix(&self.0)
    }

    /// The name that somebody registered, directly below the longest public suffix:
    /// `example.co.uk` of `a.b.example.co.uk`. Where the list knows none, the last label is the
    /// suffix (<https://github.com/publicsuffix/list/wiki/Format>). None for an IP address, for a
    /// public suffix itself and for a single label.
    pub fn registrable_domain(&self) -> Option<&str> {
        if self.is_public_suffix() {
            return None;
        }
        self.and_parents().find(|name| {
            let parent = name.split_once('.').map(|(_, parent)| parent);
            parent.is_some_and(|parent| is_public_suffix(parent) || !parent.contains('.'))
                && !self.is_ip()
        })
    }

    /// The name and then each parent, by label: `a.b.c`, `b.c`, `c`. An IP address has no parents.
    pub(crate) fn and_parents(&self) -> impl Iterator<Item = &str> {
        let is_ip = self.is_ip();
        std::iter::successors(Some(self.as_str()), move |name| {
            if is_ip { None } else { name.split_once('.').map(|(_, parent)| parent) }
        })
    }
}

/// What people paste around a host, and the host: none where nothing is left that is one.
fn surplus(text: &str) -> Option<(&'static str, HostName)> {
    if text.len() > 1_024 {
        return None;
    }
    let trimmed = text.trim();
    let (scheme, rest) = match trimmed.split_once("://") {
        Some((_, rest)) => (true, rest),
        None => (false, trimmed.trim_start_matches("//")),
    };
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|b| b.is_ascii_digit()) => bare,
        _ => host,
    };
    let name = bare.trim_start_matches("*.").trim_start_matches('.');
    let found = HostName::parse_alone(name).ok()?;
    let what = match () {
        () if name != bare => {
            return Some(("a wildcard (for the names below there is include_subdomains)", found));
        }
        () if scheme => "a URL",
        () if authority != rest => "a path",
        () if host != authority => "a user",
        () if bare != host => "a port",
        () => "white space",
    };
    Some((what, found))
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_has_one_form() {
        for (text, canonical) in [
            ("api.example.com", "api.example.com"),
            ("API.Example.COM", "api.example.com"),
            ("example.com.", "example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("example。com", "example.com"),
            ("_dmarc.example.com", "_dmarc.example.com"),
            ("localhost", "localhost"),
            ("127.0.0.1", "127.0.0.1"),
            ("[::1]", "::1"),
            ("2001:DB8:0:0::1", "2001:db8::1"),
        ] {
            assert_eq!(HostName::parse(text).expect(text).as_str(), canonical);
        }
    }

    #[test]
    fn the_registrable_domain_is_one_label_longer_than_the_suffix() {
        for (text, registered) in [
            ("example.com", Some("example.com")),
            ("a.b.example.com", Some("example.com")),
            ("a.b.example.co.uk", Some("example.co.uk")),
            ("a.b.anything.ck", Some("b.anything.ck")),
            ("a.www.ck", Some("www.ck")),
            ("a.b.example.test", Some("example.test")),
            ("co.uk", None),
            ("com", None),
            ("localhost", None),
            ("192.0.2.1", None),
            ("2001:db8::1", None),
        ] {
            let host = HostName::parse(text).expect(text);
            assert_eq!(host.registrable_domain(), registered, "{text}");
        }
    }

    #[test]
    fn the_error_for_what_is_around_a_host_says_how_to_write_it() {
        for text in [
            "https://api.example.com",
            "HTTPS://API.example.com/",
            "https://api.example.com:8443/v1?x#y",
            "https://me:secret@api.example.com/",
            "api.example.com:443",
            "api.example.com/v1",
            "//api.example.com",
            "me@api.example.com",
            "*.api.example.com",
            ".api.example.com",
            " api.example.com\n",
        ] {
            let error = HostName::parse(text).expect_err(text);
            assert!(error.ends_with("write api.example.com"), "{text:?}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let error = HostName::parse("https://[2001:db8::1]:443/").expect_err("a URL");
        assert!(error.ends_with("write 2001:db8::1"), "{error}");
        for text in ["api.example.com:port", "https://", "*", "a_b!.example.com"] {
            let error = HostName::parse(text).expect_err(text);
            assert!(!error.contains("write"), "{text:?}: {error}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let long_label = "a".repeat(64) + ".example.com";
        let long_name = "a.".repeat(130) + "com";
        let huge = "a".repeat(1 << 20);
        for text in [
            "",
            ".",
            "..",
            "a..b",
            ".example.com",
            "example.com..",
            "exa mple.com",
            "example.com:443",
            "https://example.com",
            "example.com/",
            "user@example.com",
            "*.example.com",
            "a\0b",
            "ex%61mple.com",
            "-a.example.com",
            "a-.example.com",
            "0x7f.1",
            "1.2.3",
            "256.1.1.1",
            "1.2.3.4.",
            "[::1",
            "fe80::1%eth0",
            "xn--a",
            "exämple\u{202e}.com",
            "a\n.com",
            &long_label,
            &long_name,
            &huge,
        ] {
            assert!(HostName::parse(text).is_err(), "{:?}", &text[..text.len().min(40)]);
        }
    }
}
