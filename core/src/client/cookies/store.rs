//! The cookies themselves: who may set one, and who gets it (RFC 6265bis §5.7, §5.8).

use serde::{Deserialize, Serialize};

use super::line::{Line, MAX_PAIR};
use crate::client::url::Target;
use crate::pin::HostName;

/// What is kept at least by RFC 6265bis §6.1, and here at most.
const MAX_PER_DOMAIN: usize = 50;
const MAX: usize = 3_000;
/// The longest `Cookie` header: with a URL and an app's own headers it fits the buffer. Those that are
/// for more hosts and paths stay behind.
const MAX_HEADER: usize = 6 * 1024;

/// One cookie.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) domain: String,
    /// Whether it is for `domain` alone, and not for what is below.
    pub(super) host_only: bool,
    pub(super) path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<u64>,
    #[serde(default)]
    pub(super) secure: bool,
    #[serde(default)]
    pub(super) http_only: bool,
    /// How many came before it, and how many times any was used or set before it was last.
    pub(super) created: u64,
    #[serde(default)]
    pub(super) used: u64,
}

impl Stored {
    fn is_same(&self, other: &Self) -> bool {
        let key = |it: &Self| (it.name.clone(), it.domain.clone(), it.host_only, it.path.clone());
        key(self) == key(other)
    }

    fn has_ended(&self, now: u64) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }

    fn is_for(&self, host: &HostName, path: &str) -> bool {
        let domain = match self.host_only {
            true => self.domain == host.as_str(),
            false => domain_matches(host, &self.domain),
        };
        domain && path_matches(path, &self.path)
    }

    /// Whether it is one that could have been set: for those from a file.
    pub(super) fn is_sound(&self) -> bool {
        let text = [&self.name, &self.value, &self.path];
        let is_text = text.iter().all(|it| !it.bytes().any(|byte| byte.is_ascii_control()));
        let is_short = self.name.len() + self.value.len() <= MAX_PAIR;
        let is_host = HostName::parse(&self.domain).is_ok_and(|it| it.as_str() == self.domain);
        is_text
            && is_short
            && is_host
            && self.path.starts_with('/')
            && !self.name.contains('=')
            && !self.value.contains(';')
    }
}

/// A jar's cookies, in no order.
#[derive(Clone, Default)]
pub(super) struct Store {
    pub(super) all: Vec<Stored>,
    /// Counts what happens, so that it has an order that no clock can disturb.
    pub(super) moments: u64,
}

impl Store {
    /// Takes what a server at `target` has said at `now`; whether anything is another than before.
    pub(super) fn set(&mut self, target: &Target, field: &str, now: u64) -> bool {
        let Some(line) = Line::parse(field, now) else { return false };
        let Some(mut cookie) = cookie(target, line) else { return false };
        self.moments += 1;
        (cookie.created, cookie.used) = (self.moments, self.moments);
        let known = self.all.iter().position(|other| other.is_same(&cookie));
        if let Some(old) = known.map(|at| self.all.swap_remove(at)) {
            // It keeps its place among the others.
            cookie.created = old.created;
        }
        if cookie.has_ended(now) {
            return known.is_some();
        }
        let domain = cookie.domain.clone();
        self.all.push(cookie);
        self.make_room(&domain, now);
        true
    }

    /// What is sent to `target` at `now`; none where nothing is.
    pub(super) fn header(&mut self, target: &Target, now: u64) -> Option<String> {
        self.moments += 1;
        let moment = self.moments;
        let (host, path) = (target.host(), target.path());
        let is_for = |it: &&mut Stored| !it.has_ended(now) && it.is_for(host, path);
        let mut found = self.all.iter_mut().filter(is_for).collect::<Vec<_>>();
        // The longest path first, then the oldest.
        found.sort_by_key(|it| (std::cmp::Reverse(it.path.len()), it.created));
        let mut header = String::new();
        for cookie in found {
            let room = MAX_HEADER.saturating_sub(header.len());
            if cookie.name.len() + cookie.value.len() + 3 > room {
                continue;
            }
            cookie.used = moment;
            if !header.is_empty() {
                header.push_str("; ");
            }
            if !cookie.name.is_empty() {
                header.push_str(&cookie.name);
                header.push('=');
            }
            header.push_str(&cookie.value);
        }
        (!header.is_empty()).then_some(header)
    }

    /// Those that have not ended.
    pub(super) fn living(&self, now: u64) -> Vec<Stored> {
        let mut living =
            self.all.iter().filter(|it| !it.has_ended(now)).cloned().collect::<Vec<_>>();
        living.sort_by_key(|it| it.created);
        living
    }

    /// Drops what has ended, and then those that nobody has used for longest, of a domain that has too
    /// many before others (RFC 6265bis §5.7).
    fn make_room(&mut self, domain: &str, now: u64) {
        let of_domain = |it: &Stored| it.domain == domain;
        let too_many =
            |all: &[Stored]| all.iter().filter(|it| of_domain(it)).count() > MAX_PER_DOMAIN;
        if !too_many(&self.all) && self.all.len() <= MAX {
            return;
        }
        self.all.retain(|it| !it.has_ended(now));
        while too_many(&self.all) {
            self.drop_oldest(|it| of_domain(it));
        }
        while self.all.len() > MAX {
            self.drop_oldest(|_| true);
        }
    }

    /// Those that may travel without TLS elsewhere go first.
    fn drop_oldest(&mut self, among: impl Fn(&Stored) -> bool) {
        let among = self.all.iter().enumerate().filter(|(_, it)| among(it));
        let oldest = among.min_by_key(|(_, it)| (it.secure, it.used)).map(|(at, _)| at);
        if let Some(at) = oldest {
            self.all.swap_remove(at);
        }
    }
}

/// The cookie of a line, where the server at `target` may set it (RFC 6265bis §5.7).
fn cookie(target: &Target, line: Line) -> Option<Stored> {
    let host = target.host();
    // None of whom a browser would ask where it came from is without Secure.
    if line.same_site_none && !line.secure {
        return None;
    }
    let (domain, host_only) = match line.domain.as_str() {
        "" => (host.to_string(), true),
        domain => {
            let parsed = HostName::parse(domain).ok().filter(|it| it.as_str() == domain)?;
            match parsed.is_public_suffix() {
                // Whoever is a suffix may speak for itself.
                true if parsed == *host => (host.to_string(), true),
                true => return None,
                false if domain_matches(host, domain) => (domain.to_owned(), false),
                false => return None,
            }
        }
    };
    let path = line.path.unwrap_or_else(|| default_path(target.path()).to_owned());
    let Line { name, value, expires, secure, http_only, .. } = line;
    let (created, used) = (0, 0);
    Some(Stored { name, value, domain, host_only, path, expires, secure, http_only, created, used })
}

/// RFC 6265bis §5.1.3.
fn domain_matches(host: &HostName, domain: &str) -> bool {
    match host.as_str().strip_suffix(domain) {
        Some("") => true,
        Some(below) => below.ends_with('.') && !host.is_ip(),
        None => false,
    }
}

/// RFC 6265bis §5.1.4.
fn path_matches(path: &str, of_cookie: &str) -> bool {
    match path.strip_prefix(of_cookie) {
        Some(rest) => rest.is_empty() || of_cookie.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}

/// RFC 6265bis §5.1.4.
fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(end) => &path[..end],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_262_400;

    fn target(url: &str) -> Target {
        Target::parse(url).expect("a good URL")
    }

    fn jar(at: &str, fields: &[&str]) -> Store {
        let mut store = Store::default();
        fields.iter().for_each(|field| {
            store.set(&target(at), field, NOW);
        });
        store
    }

    fn sent(store: &mut Store, to: &str) -> String {
        store.header(&target(to), NOW).unwrap_or_default()
    }

    #[test]
    fn a_cookie_goes_back_to_its_host_and_below_only_where_it_says_so() {
        let at = "https://api.example.com/";
        let mut store =
            jar(at, &["own=1", "all=2; Domain=example.com", "dot=3; Domain=.example.com"]);
        assert_eq!(sent(&mut store, at), "own=1; all=2; dot=3");
        assert_eq!(sent(&mut store, "https://api.example.com:8443/"), "own=1; all=2; dot=3");
        for below in
            ["https://example.com/", "https://www.example.com/", "https://a.api.example.com/"]
        {
            assert_eq!(sent(&mut store, below), "all=2; dot=3", "{below}");
        }
        for other in ["https://example.org/", "https://badexample.com/", "https://com/"] {
            assert_eq!(sent(&mut store, other), "", "{other}");
        }
    }

    #[test]
    fn nobody_sets_a_cookie_for_others() {
        for (at, domain) in [
            ("https://api.example.com/", "other.com"),
            ("https://api.example.com/", "www.example.com"),
            ("https://api.example.com/", "a.api.example.com"),
            ("https://api.example.com/", "com"),
            ("https://api.example.co.uk/", "co.uk"),
            ("https://api.example.com/", "ple.com"),
            ("https://api.example.com/", "example.com."),
            ("https://api.example.com/", "ex ample.com"),
            ("https://api.example.com/", "EXÄMPLE.com"),
            ("https://192.0.2.7/", "2.7"),
            ("https://192.0.2.7/", "0.2.7"),
            ("https://[2001:db8::7]/", "::7"),
        ] {
            let store = jar(at, &[&format!("a=b; Domain={domain}")]);
            assert!(store.all.is_empty(), "{domain} by {at}");
        }
        let mut ip = jar("https://192.0.2.7/", &["a=b; Domain=192.0.2.7", "c=d"]);
        assert_eq!(sent(&mut ip, "https://192.0.2.7/"), "a=b; c=d");
        let mut suffix = jar("https://co.uk/", &["a=b; Domain=co.uk"]);
        assert_eq!(sent(&mut suffix, "https://co.uk/"), "a=b");
        assert_eq!(sent(&mut suffix, "https://bbc.co.uk/"), "");
        assert!(jar("https://a.example.com/", &["a=b; SameSite=None"]).all.is_empty());
    }

    #[test]
    fn paths_are_by_whole_parts_and_the_longest_comes_first() {
        let at = "https://api.example.com/v1/users/7";
        let mut store = jar(
            at,
            &["root=1; Path=/", "default=2", "deep=3; Path=/v1/users/7", "slash=4; Path=/v1/"],
        );
        assert_eq!(sent(&mut store, at), "deep=3; default=2; slash=4; root=1");
        assert_eq!(
            sent(&mut store, "https://api.example.com/v1/users"),
            "default=2; slash=4; root=1"
        );
        assert_eq!(sent(&mut store, "https://api.example.com/v1/users70"), "slash=4; root=1");
        assert_eq!(sent(&mut store, "https://api.example.com/v1"), "root=1");
        assert_eq!(sent(&mut store, "https://api.example.com/?/v1/users/7"), "root=1");
    }

    #[test]
    fn the_same_cookie_is_replaced_in_its_place_and_taken_out_by_one_that_has_ended() {
        let at = "https://api.example.com/";
        let mut store = jar(at, &["a=1", "b=2", "a=3"]);
        assert_eq!(sent(&mut store, at), "a=3; b=2");
        let mut apart = jar(at, &["a=1", "a=2; Domain=api.example.com", "a=3; Path=/x"]);
        assert_eq!(sent(&mut apart, "https://api.example.com/x"), "a=3; a=1; a=2");
        assert!(store.set(&target(at), "a=; Max-Age=0", NOW), "it was there");
        assert!(!store.set(&target(at), "c=; Max-Age=0", NOW), "it was not");
        assert_eq!(sent(&mut store, at), "b=2");
        store.set(&target(at), "d=4; Max-Age=60", NOW);
        assert_eq!(store.header(&target(at), NOW + 59).as_deref(), Some("b=2; d=4"));
        assert_eq!(store.header(&target(at), NOW + 60).as_deref(), Some("b=2"));
    }

    #[test]
    fn a_server_that_sets_no_end_of_cookies_fills_its_own_place_only() {
        let at = "https://api.example.com/";
        let mut store = jar("https://other.example.com/", &["mine=1"]);
        (0..200).for_each(|i| {
            store.set(&target(at), &format!("c{i}=1"), NOW);
        });
        assert_eq!(store.all.len(), MAX_PER_DOMAIN + 1);
        let left = sent(&mut store, at);
        assert!(left.starts_with("c150=1") && left.ends_with("c199=1"), "{left}");
        assert_eq!(sent(&mut store, "https://other.example.com/"), "mine=1");
        // One that is used stays.
        let mut used = jar(at, &["path=1; Path=/x"]);
        for i in 0..100 {
            used.set(&target(at), &format!("c{i}=1; Path=/y"), NOW);
            assert_eq!(sent(&mut used, "https://api.example.com/x"), "path=1");
        }
        // Many hosts do not make it grow without end, and no header grows beyond its limit.
        for i in 0..MAX + 100 {
            store.set(&target(&format!("https://h{i}.example.org/")), "a=b", NOW);
        }
        assert_eq!(store.all.len(), MAX);
        let large = "v".repeat(4_000);
        let mut large = jar(at, &[&format!("a={large}"), &format!("b={large}"), "c=1"]);
        let header = sent(&mut large, at);
        assert!(header.starts_with("a=v") && header.ends_with("; c=1") && !header.contains("b="));
    }
}
