//! What a client adds to each of its requests: the beginning of its URL, and headers.

use super::headers::{Header, Headers};
use super::request::Request;
use super::url::Target;
use crate::error::Error;

/// So that each request has room for its own.
const MAX_BYTES: usize = 4 * 1024;

/// A header that was asked for: name, value, and whether it is a secret.
pub(super) type Raw = (String, String, bool);

/// The base of relative URLs, and the headers of every request.
#[derive(Clone, Default)]
pub(super) struct Defaults {
    base: Option<Target>,
    headers: Headers,
}

impl Defaults {
    /// # Errors
    /// [`Error::InvalidConfig`] names the setting.
    pub(super) fn new(base: Option<&str>, headers: &[Raw]) -> Result<Self, Error> {
        let base = base.map(Target::base).transpose().map_err(|e| fail("base_url", told(e)))?;
        Self { base, headers: Headers::default() }.with(headers)
    }

    /// The same with other headers, in the place of those of their names.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] names the setting.
    pub(super) fn with(&self, headers: &[Raw]) -> Result<Self, Error> {
        let mut all = self.clone();
        headers.iter().for_each(|(name, ..)| all.headers.remove(name));
        for (name, value, sensitive) in headers {
            let is_first = !all.headers.has(name);
            let added = all.headers.add(name, value, *sensitive);
            added.map_err(|e| fail("default_headers", told(e)))?;
            if !is_first {
                return Err(fail("default_headers", format!("{name:?} twice")));
            }
        }
        if all.headers.size() > MAX_BYTES {
            return Err(fail("default_headers", format!("more than {MAX_BYTES} bytes together")));
        }
        let secret = all.headers.iter().find(|header| header.sensitive);
        if let (None, Some(secret)) = (&all.base, secret) {
            let reason = format!("{:?} is for the server of a base_url only", secret.name);
            return Err(fail("default_headers", reason));
        }
        Ok(all)
    }

    pub(super) fn has_base(&self) -> bool {
        self.base.is_some()
    }

    /// The URL that a request is for.
    pub(super) fn target(&self, url: &str) -> Result<Target, Error> {
        match &self.base {
            Some(base) => base.within(url),
            None => Target::parse(url),
        }
    }

    /// `request` with what it does not say itself. Secrets go to the base URL's own server and to nobody
    /// else, however the request got its URL.
    pub(super) fn complete(&self, request: &mut Request) -> Result<(), Error> {
        let may_tell = self.may_tell(request);
        for header in self.missing(request).filter(|header| may_tell || !header.sensitive) {
            request.headers.push(header)?;
        }
        Ok(())
    }

    /// Whether `request` may carry a secret of the client's.
    pub(super) fn may_tell(&self, request: &Request) -> bool {
        let is_home = self.base.as_ref().is_some_and(|base| base.same_origin(&request.target));
        is_home && !request.method.is_trace()
    }

    fn missing(&self, request: &Request) -> impl Iterator<Item = Header> + use<> {
        let missing = |header: &&Header| !request.headers.has(header.name.as_str());
        self.headers.iter().filter(missing).cloned().collect::<Vec<_>>().into_iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.headers.size() == 0
    }
}

fn fail(field: &str, reason: String) -> Error {
    Error::InvalidConfig { field: field.into(), reason }
}

/// An error's reason without what it was said of: the setting is named instead.
fn told(error: Error) -> String {
    match error {
        Error::InvalidRequest { field, reason } => format!("{field}: {reason}"),
        Error::InvalidUrl { reason, .. } => reason,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://api.example.com/v2/";

    fn defaults(headers: &[(&str, &str, bool)]) -> Defaults {
        let raw = headers.iter().map(|(name, value, is)| ((*name).into(), (*value).into(), *is));
        Defaults::new(Some(BASE), &raw.collect::<Vec<Raw>>()).expect("good settings")
    }

    fn names(defaults: &Defaults, method: &str, url: &str) -> Vec<String> {
        let method = method.parse().expect("a method");
        let target = defaults.target(url).expect("a good URL");
        let mut request = Request::to(method, target).header("Accept", "own").expect("good");
        defaults.complete(&mut request).expect("they fit");
        request.headers.names().map(str::to_owned).collect()
    }

    #[test]
    fn urls_begin_at_the_base_and_stay_at_its_server() {
        let defaults = defaults(&[]);
        for (url, expected) in [
            ("me", "https://api.example.com/v2/me"),
            ("", "https://api.example.com/v2/"),
            ("me/../you?q=a:b//c", "https://api.example.com/v2/you?q=a:b//c"),
            ("/health", "https://api.example.com/health"),
            ("?page=2", "https://api.example.com/v2/?page=2"),
            ("@me", "https://api.example.com/v2/@me"),
            ("https://cdn.example.com/x", "https://cdn.example.com/x"),
        ] {
            assert_eq!(defaults.target(url).expect(url).as_str(), expected);
        }
        for url in [
            "//evil.example/",
            "\\\\evil.example/",
            "/\\evil.example/",
            "http://api.example.com/",
            "https:evil.example",
            "https:/evil.example",
            "javascript:x",
            "a b",
            " //evil.example",
            "\t//evil.example",
            "a:b",
        ] {
            assert_eq!(defaults.target(url).expect_err(url).code(), "invalid_url", "{url}");
        }
    }

    #[test]
    fn secrets_go_to_the_base_alone_and_what_a_request_says_counts() {
        let defaults = defaults(&[
            ("Accept", "default", false),
            ("X-App", "7", false),
            ("Authorization", "Bearer t", false),
            ("X-Key", "k", true),
        ]);
        let all = ["accept", "x-app", "authorization", "x-key"];
        assert_eq!(names(&defaults, "GET", "me"), all);
        assert_eq!(names(&defaults, "GET", "https://API.example.com:443/"), all);
        for other in ["https://cdn.example.com/", "https://api.example.com:8443/"] {
            assert_eq!(names(&defaults, "GET", other), ["accept", "x-app"], "{other}");
        }
        assert_eq!(names(&defaults, "TRACE", "me"), ["accept", "x-app"]);
    }

    #[test]
    fn settings_that_would_surprise_are_refused() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned(), false);
        let refused = |base: Option<&str>, headers: &[Raw]| {
            let error = Defaults::new(base, headers).err().expect("bad settings");
            assert!(!error.to_string().contains("s3cret"), "{error}");
            error.place().map(str::to_owned)
        };
        for base in [
            "https://api.example.com/v2",
            "https://api.example.com/?q",
            "https://api.example.com/#f",
            "http://api.example.com/",
            "api.example.com",
            "",
        ] {
            assert_eq!(refused(Some(base), &[]).as_deref(), Some("base_url"), "{base}");
        }
        let long = "v".repeat(MAX_BYTES);
        for headers in [
            vec![header("Host", "s3cret")],
            vec![header("X", "s3cret\r\n")],
            vec![header("X", "1"), header("x", "2")],
            vec![header("X", &long)],
        ] {
            assert_eq!(refused(Some(BASE), &headers).as_deref(), Some("default_headers"));
        }
        let token = [header("Authorization", "Bearer s3cret")];
        assert_eq!(refused(None, &token).as_deref(), Some("default_headers"), "to whom?");
        assert!(Defaults::new(None, &[header("X-App", "7")]).is_ok());
    }
}
