//! A proxy's address, and who the client is to it.

use std::fmt;
use std::sync::Arc;

use crate::error::Error;
use crate::pin::HostName;

/// RFC 1929 §2 has one byte for each of them.
const MAX_SECRET: usize = 255;

/// A proxy. Cheap to clone; no `Debug` or `Display` of it holds the password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Proxy(Arc<Inner>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Inner {
    scheme: ProxyScheme,
    host: HostName,
    port: u16,
    credentials: Option<Credentials>,
}

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProxyScheme {
    /// CONNECT in the clear (RFC 9110 §9.3.6).
    Http,
    /// CONNECT over TLS to the proxy.
    Https,
    /// SOCKS5 (RFC 1928); names are looked up by the client.
    Socks5,
    /// The same; names are looked up by the proxy.
    Socks5h,
}

/// A user and a password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

impl Proxy {
    /// Reads what curl takes after `-x`: `[SCHEME://][USER:PASSWORD@]HOST[:PORT]`. The scheme is `http`,
    /// `https`, `socks5` or `socks5h`, and `http` without one; the port is 443 for `https` and 1080 for
    /// all others without one. User and password are percent-decoded.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for `proxy`; it does not repeat what it refuses.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::read(text.trim()).map_err(wrong)
    }

    /// The proxy of this kind at `host` and `port`.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for `proxy`: a host that is none, or the port 0.
    pub fn new(scheme: ProxyScheme, host: &str, port: u16) -> Result<Self, Error> {
        let host = HostName::parse(host).map_err(wrong)?;
        if port == 0 {
            return Err(wrong("no proxy listens on port 0".into()));
        }
        Ok(Self(Arc::new(Inner { scheme, host, port, credentials: None })))
    }

    /// The same proxy with who the client is to it: for Basic (RFC 7617), Digest (RFC 7616) or SOCKS5's
    /// user and password (RFC 1929), whichever it asks for. They are sent to no other proxy.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for `proxy`: an empty user, a colon in it, a control character, or more
    /// than 255 bytes.
    pub fn with_credentials(self, user: &str, password: &str) -> Result<Self, Error> {
        if user.is_empty() || user.contains(':') {
            return Err(wrong("its user is empty or has a colon".into()));
        }
        for (what, text) in [("user", user), ("password", password)] {
            if text.len() > MAX_SECRET || text.chars().any(char::is_control) {
                let reason = format!("its {what} has a control character or more than 255 bytes");
                return Err(wrong(reason));
            }
        }
        let credentials = Credentials { user: user.to_owned(), password: password.to_owned() };
        let inner = Inner { credentials: Some(credentials), ..(*self.0).clone() };
        Ok(Self(Arc::new(inner)))
    }

    fn read(text: &str) -> Result<Self, String> {
        let (scheme, rest) = match text.split_once("://") {
            None => (ProxyScheme::Http, text),
            Some((scheme, rest)) => (ProxyScheme::named(scheme)?, rest),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, place) = match rest.rsplit_once('@') {
            None => (None, rest),
            Some((login, place)) => (Some(login), place),
        };
        if place.contains(['/', '?', '#']) {
            return Err("it has a path, where a host and a port are all there is".into());
        }
        let (host, port) = host_and_port(place)?;
        let proxy = Self::new(scheme, host, port.unwrap_or_else(|| scheme.port()))
            .map_err(|e| reason_of(&e))?;
        match login {
            None => Ok(proxy),
            Some(login) => {
                let (user, password) = login.split_once(':').unwrap_or((login, ""));
                let (user, password) = (decoded(user)?, decoded(password)?);
                proxy.with_credentials(&user, &password).map_err(|e| reason_of(&e))
            }
        }
    }

    /// How it is spoken to.
    pub fn scheme(&self) -> ProxyScheme {
        self.0.scheme
    }

    /// Its host: also the name under which the certificate of an `https` proxy is judged.
    pub fn host(&self) -> &HostName {
        &self.0.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// The user and the password, where it comes with them.
    pub fn credentials(&self) -> Option<(&str, &str)> {
        self.login().map(|by| (by.user.as_str(), by.password.as_str()))
    }

    pub(super) fn login(&self) -> Option<&Credentials> {
        self.0.credentials.as_ref()
    }
}

impl ProxyScheme {
    fn named(name: &str) -> Result<Self, String> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "http" => Self::Http,
            "https" => Self::Https,
            "socks5" => Self::Socks5,
            "socks5h" => Self::Socks5h,
            _ => return Err("its scheme is none of http, https, socks5 and socks5h".into()),
        })
    }

    /// As in a proxy's URL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        }
    }

    /// Where curl looks for one that does not say its port.
    fn port(self) -> u16 {
        match self {
            Self::Https => 443,
            _ => 1_080,
        }
    }
}

/// Splits `HOST[:PORT]`, with brackets around an IPv6 address.
pub(super) fn host_and_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let end = match text.strip_prefix('[') {
        Some(rest) => rest.find(']').map(|end| end + 2).ok_or("a bracket is missing")?,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at(end);
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        None => return Err("something follows the bracket that is no port".into()),
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) && !port.is_empty() => {
            Some(port.parse().map_err(|_| "its port is above 65535")?)
        }
        Some(_) => {
            return Err("its port is no number (an IPv6 address stands in brackets)".into());
        }
    };
    Ok((host, port))
}

fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    let digit = |digit: Option<u8>| digit.and_then(|digit| char::from(digit).to_digit(16));
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => match (digit(rest.next()), digit(rest.next())) {
                (Some(high), Some(low)) => (high * 16 + low) as u8,
                _ => return Err("a percent sign in its user or password is written %25".into()),
            },
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| "its user or password is not UTF-8".into())
}

fn wrong(reason: String) -> Error {
    Error::InvalidConfig { field: "proxy".into(), reason }
}

fn reason_of(error: &Error) -> String {
    match error {
        Error::InvalidConfig { reason, .. } => reason.clone(),
        error => error.to_string(),
    }
}

impl fmt::Display for Proxy {
    /// Its URL, without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (self.host(), self.port());
        match host.as_str().contains(':') {
            true => write!(f, "{}://[{host}]:{port}", self.scheme().name()),
            false => write!(f, "{}://{host}:{port}", self.scheme().name()),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_curl_takes_is_taken() {
        for (text, url, login) in [
            ("proxy.test", "http://proxy.test:1080", None),
            (" proxy.test:3128 ", "http://proxy.test:3128", None),
            ("HTTPS://Proxy.Test/", "https://proxy.test:443", None),
            ("http://[::1]:8080", "http://[::1]:8080", None),
            ("socks5h://u@10.0.0.1", "socks5h://10.0.0.1:1080", Some(("u", ""))),
            ("socks5://u:p%40%3a%25@h:1", "socks5://h:1", Some(("u", "p@:%"))),
            ("u:a@b:c@proxy.test:80", "http://proxy.test:80", Some(("u", "a@b:c"))),
        ] {
            let proxy = Proxy::parse(text).expect(text);
            assert_eq!(proxy.to_string(), url);
            assert_eq!(proxy.credentials(), login, "{text}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_being_repeated() {
        let long = format!("http://u:{}@h", "s".repeat(256));
        for text in [
            "",
            "ftp://secret:secret@h",
            "socks4://secret@h",
            "http://h:99999",
            "http://h:",
            "http://h:0",
            "http://:secret@h",
            "http://u:secret%@h",
            "http://u:secret%0a@h",
            "http://u:secret%ff@h",
            "http://u:secret@h/path",
            "http://u:secret@::1:80",
            "http://u:secret@[::1",
            "http://u:secret@[::1]80",
            "http://u:secret@h h",
            &long,
        ] {
            let error = Proxy::parse(text).expect_err(text);
            assert_eq!((error.code(), error.place()), ("invalid_config", Some("proxy")), "{text}");
            assert!(!format!("{error}{error:?}").contains("secret"), "{text}");
        }
    }

    #[test]
    fn nothing_that_is_printed_holds_a_password() {
        let proxy = Proxy::parse("http://user:hunter2@proxy.test").expect("a proxy");
        assert!(proxy.credentials().is_some());
        let printed = format!("{proxy} {proxy:?} {:?}", Some(&proxy));
        assert!(!printed.contains("hunter2") && !printed.contains("user"), "{printed}");
    }

    #[test]
    fn proxies_with_other_credentials_are_others() {
        let one = Proxy::parse("http://a:1@h").expect("a proxy");
        assert_eq!(one, Proxy::parse("http://a:1@h:1080/").expect("a proxy"));
        assert_ne!(one, Proxy::parse("http://a:2@h").expect("a proxy"));
        assert_ne!(one, Proxy::parse("http://h").expect("a proxy"));
    }
}
