//! URLs that can be requested.

use url::Url;

use crate::error::Error;
use crate::net::Origin;
use crate::pin::HostName;

/// Together with the headers it has to fit the connection's output buffer.
const MAX_URL: usize = 8 * 1024;

/// A checked `https` URL without fragment, and its origin, with the host as policies know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    url: Url,
    origin: Origin,
}

impl Target {
    /// Reads an absolute URL.
    ///
    /// The URL standard forgives much (backslashes, tabs, missing slashes). What has to be forgiven
    /// has been read in more than one way before, so those are errors here.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let fail = |reason: &str| {
            Err(Error::InvalidUrl { url: without_secrets(text), reason: reason.to_owned() })
        };
        if text.len() > MAX_URL {
            return fail("longer than 8 KiB");
        }
        if text.contains(is_forgiven) {
            return fail("contains a space, a control character or a backslash");
        }
        match text.split_once("://") {
            None => return fail("not an absolute URL"),
            Some((scheme, _)) if !scheme.eq_ignore_ascii_case("https") => {
                return fail("only https is allowed");
            }
            Some((_, rest)) if rest.starts_with(['/', '?', '#']) || rest.is_empty() => {
                return fail("the host is missing");
            }
            Some((_, rest)) => {
                let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
                if authority.contains('@') {
                    return fail("carries credentials; send them in a header");
                }
            }
        }
        match Url::parse(text) {
            Ok(url) => Self::new(url).or_else(|reason| fail(&reason)),
            Err(e) => fail(&e.to_string()),
        }
    }

    /// Reads the URL that relative ones begin with. One whose path does not end with a slash would lose
    /// its last part (RFC 3986 §5.2.3).
    pub(super) fn base(text: &str) -> Result<Self, Error> {
        let base = Self::parse(text)?;
        if text.contains(['?', '#']) || !base.url.path().ends_with('/') {
            let (url, reason) =
                (without_secrets(text), "a base ends with a slash, without a query");
            return Err(Error::InvalidUrl { url, reason: reason.to_owned() });
        }
        Ok(base)
    }

    /// Reads a URL that may begin here. What is not absolute stays at this server: `//host` would leave
    /// it, and is an error.
    pub(super) fn within(&self, text: &str) -> Result<Self, Error> {
        let path = text.split(['?', '#']).next().unwrap_or_default();
        let first = path.split('/').next().unwrap_or_default();
        if first.contains(':') {
            return Self::parse(text);
        }
        let fail = |reason: &str| {
            Err(Error::InvalidUrl { url: without_secrets(text), reason: reason.to_owned() })
        };
        if text.len() > MAX_URL {
            return fail("longer than 8 KiB");
        }
        if text.contains(is_forgiven) {
            return fail("contains a space, a control character or a backslash");
        }
        if path.starts_with("//") {
            return fail("names another host without a scheme");
        }
        let joined = self.url.join(text).map_err(|e| e.to_string());
        joined.and_then(Self::new).or_else(|reason| fail(&reason))
    }

    /// Where `location` leads from here (RFC 9110 §10.2.2): a target, or the scheme and host of
    /// one that is not `https`.
    pub(super) fn join(&self, location: &str) -> Result<Result<Self, String>, String> {
        if location.len() > MAX_URL {
            return Err("a redirect to a URL longer than 8 KiB".into());
        }
        let url = self.url.join(location).map_err(|e| format!("a redirect to no URL: {e}"))?;
        if url.scheme() != "https" {
            let host = url.host_str().unwrap_or_default();
            return Ok(Err(format!("{}://{host}", url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a redirect to a URL with credentials".into());
        }
        Self::new(url).map(Ok).map_err(|reason| format!("a redirect to no usable URL: {reason}"))
    }

    fn new(mut url: Url) -> Result<Self, String> {
        let host = match url.host() {
            Some(host) => HostName::from_url(&host)?,
            None => return Err("the host is missing".into()),
        };
        if url.port() == Some(0) {
            return Err("port 0".into());
        }
        url.set_fragment(None);
        // One form everywhere: the policy's, the TLS server name's and the Host header's.
        if url.host_str().is_some_and(|h| h.ends_with('.')) {
            url.set_host(Some(host.as_str())).map_err(|e| e.to_string())?;
        }
        let port = url.port_or_known_default().unwrap_or(443);
        Ok(Self { url, origin: Origin::new(host, port) })
    }

    pub(super) fn as_str(&self) -> &str {
        self.url.as_str()
    }

    pub(super) fn path(&self) -> &str {
        self.url.path()
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) fn host(&self) -> &HostName {
        self.origin.host()
    }

    /// Whether `other` has the same host and port (RFC 6454 §5; the scheme is always `https`).
    pub(super) fn same_origin(&self, other: &Self) -> bool {
        self.origin == other.origin
    }
}

/// What the URL standard passes over, or takes for something else.
fn is_forgiven(c: char) -> bool {
    c.is_control() || c.is_whitespace() || c == '\\'
}

/// What comes before query and fragment, without anything that could be credentials; at most 100
/// characters. It may not even be a URL, so this goes by the text alone.
fn without_secrets(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let scheme = text.find("://").map_or("", |i| &text[..i + 3]);
    let shown = match text.rfind('@') {
        Some(at) => format!("{scheme}{}", &text[at + 1..]),
        None => text.to_owned(),
    };
    shown.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_urls_are_normalised() {
        for (text, url, host) in [
            ("https://api.example.com", "https://api.example.com/", "api.example.com"),
            (
                "HTTPS://API.example.COM:443/a/../b?q#f",
                "https://api.example.com/b?q",
                "api.example.com",
            ),
            ("https://example.com./x", "https://example.com/x", "example.com"),
            (
                "https://bücher.example/ä",
                "https://xn--bcher-kva.example/%C3%A4",
                "xn--bcher-kva.example",
            ),
            ("https://[::1]:8443/", "https://[::1]:8443/", "::1"),
            ("https://127.0.0.1/", "https://127.0.0.1/", "127.0.0.1"),
            (
                "https://a.example/p@th?to=https://b.example",
                "https://a.example/p@th?to=https://b.example",
                "a.example",
            ),
        ] {
            let target = Target::parse(text).expect(text);
            assert_eq!((target.as_str(), target.host().as_str()), (url, host), "{text}");
        }
    }

    #[test]
    fn bad_urls_are_refused() {
        let long = format!("https://example.com/{}", "a".repeat(MAX_URL));
        let label = format!("https://{}.example.com/", "a".repeat(64));
        for text in [
            "",
            "/",
            "example.com",
            "https:",
            "https:/",
            "https://",
            "https:///x",
            "https:example.com",
            "https:/example.com",
            "http://example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "javascript://x",
            "https://user@example.com/",
            "https://user:pw@example.com/",
            "https://exa mple.com/",
            " https://example.com/",
            "https://example.com/\n",
            "https://a\0b/",
            "https://example.com\\@evil.example/",
            "https://example.com:0/",
            "https://example.com:65536/",
            "https://example.com:x/",
            "https://[::1/",
            "https://a..b/",
            "https://-a.example/",
            "https://ex%00ample.com/",
            "https://example.com/\u{7f}",
            "https://\u{202e}/",
            "//example.com",
            &long,
            &label,
        ] {
            let error = Target::parse(text).expect_err(text);
            assert_eq!(error.code(), "invalid_url", "{text}");
        }
    }

    #[test]
    fn errors_show_no_secrets() {
        for text in [
            "https://user:s3cret@example.com/?token=s3cret#s3cret",
            "http://example.com/?token=s3cret",
            "user:s3cret@example.com",
            "https://user:s3cret@[::1/?s3cret",
        ] {
            let error = Target::parse(text).expect_err(text).to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn origins_are_host_and_port() {
        let target = |text| Target::parse(text).expect("a good URL");
        let a = target("https://a.example/x");
        assert!(a.same_origin(&target("https://A.example:443/y")));
        assert!(!a.same_origin(&target("https://a.example:8443/x")));
        assert!(!a.same_origin(&target("https://b.a.example/x")));
    }

    #[test]
    fn redirect_targets_are_checked_like_urls() {
        let from = Target::parse("https://a.example/dir/page?q").expect("a good URL");
        let to = |location: &str| from.join(location);
        assert_eq!(
            to("next").expect("relative").expect("https").as_str(),
            "https://a.example/dir/next"
        );
        assert_eq!(to("//b.example/").expect("host").expect("https").host().as_str(), "b.example");
        assert_eq!(to("http://a.example/?s3cret").expect("read"), Err("http://a.example".into()));
        assert_eq!(to("ftp://a.example/").expect("read"), Err("ftp://a.example".into()));
        assert!(to("https://user:pw@a.example/").is_err());
        assert!(to("https://a..example/").is_err());
        assert!(to("https://[").is_err());
    }
}
