//! One `Set-Cookie` field, as a server has written it (RFC 6265bis §5.6).

use crate::client::date;

/// The name and value of a cookie together, and each value of an attribute (RFC 6265bis §5.6).
pub(super) const MAX_PAIR: usize = 4_096;
const MAX_ATTRIBUTE: usize = 1_024;

/// No cookie lives longer (RFC 6265bis §5.5): 400 days.
const MAX_AGE: u64 = 400 * 86_400;

/// What a field says, before anybody asks who said it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) value: String,
    /// When it ends, in seconds since 1970; none for one that ends with its session.
    pub(super) expires: Option<u64>,
    /// Without the dot before it; empty where there is none.
    pub(super) domain: String,
    /// None where it is the default.
    pub(super) path: Option<String>,
    pub(super) secure: bool,
    pub(super) http_only: bool,
    pub(super) same_site_none: bool,
}

impl Line {
    /// Reads a field at `now`; none where it is to be ignored as a whole.
    pub(super) fn parse(text: &str, now: u64) -> Option<Self> {
        if text.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
            return None;
        }
        let mut parts = text.split(';');
        let (name, value) = pair(parts.next().unwrap_or_default());
        // Without an equals sign all of it is the value of a cookie without a name.
        let (name, value) = value.map_or(("", name), |value| (name, value));
        if name.len() + value.len() > MAX_PAIR || (name.is_empty() && value.is_empty()) {
            return None;
        }
        let mut line = Self { name: name.into(), value: value.into(), ..Self::default() };
        let (mut max_age, mut expires) = (None, None);
        for (attribute, value) in parts.map(pair) {
            let value = value.unwrap_or_default();
            if value.len() > MAX_ATTRIBUTE {
                continue;
            }
            // The last one of each name counts.
            match attribute.to_ascii_lowercase().as_str() {
                "expires" => expires = date::parse(value).or(expires),
                "max-age" => max_age = end_of(value, now).or(max_age),
                "domain" => {
                    line.domain = value.strip_prefix('.').unwrap_or(value).to_ascii_lowercase();
                }
                "path" => line.path = value.starts_with('/').then(|| value.to_owned()),
                "secure" => line.secure = true,
                "httponly" => line.http_only = true,
                "samesite" => line.same_site_none = value.eq_ignore_ascii_case("none"),
                _ => {}
            }
        }
        line.expires = max_age.or(expires).map(|at| at.min(now.saturating_add(MAX_AGE)));
        line.may_have_its_name().then_some(line)
    }

    /// Whether it is what its name promises (RFC 6265bis §4.1.3), in any letter case, also where the
    /// promise is made by a value without a name.
    fn may_have_its_name(&self) -> bool {
        let has = |text: &str, prefix: &str| {
            text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        const PREFIXES: [&str; 4] = ["__Host-Http-", "__Http-", "__Host-", "__Secure-"];
        if self.name.is_empty() {
            return !PREFIXES.iter().any(|prefix| has(&self.value, prefix));
        }
        let is_of_host = self.domain.is_empty() && self.path.as_deref() == Some("/");
        match PREFIXES.iter().position(|prefix| has(&self.name, prefix)) {
            Some(0) => self.secure && self.http_only && is_of_host,
            Some(1) => self.secure && self.http_only,
            Some(2) => self.secure && is_of_host,
            Some(_) => self.secure,
            None => true,
        }
    }
}

/// What is before and behind the first equals sign, without blanks around it.
fn pair(text: &str) -> (&str, Option<&str>) {
    match text.split_once('=') {
        Some((name, value)) => (without_blanks(name), Some(without_blanks(value))),
        None => (without_blanks(text), None),
    }
}

fn without_blanks(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// When an age in seconds is reached; none for what is no number.
fn end_of(age: &str, now: u64) -> Option<u64> {
    let digits = age.strip_prefix('-').unwrap_or(age);
    if age.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if age.starts_with('-') {
        return Some(0);
    }
    // A number that does not fit is a long time.
    let age = digits.parse().unwrap_or(u64::MAX);
    Some(if age == 0 { 0 } else { now.saturating_add(age) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_262_400;

    fn line(text: &str) -> Line {
        Line::parse(text, NOW).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn names_and_values_are_what_stands_there() {
        for (text, name, value) in [
            ("a=b", "a", "b"),
            (" a \t= \tb ; Path=/", "a", "b"),
            ("a=", "a", ""),
            ("a", "", "a"),
            ("=a", "", "a"),
            ("a=b=c", "a", "b=c"),
            ("a=\"b;c\"", "a", "\"b"),
            ("a=b, c=d", "a", "b, c=d"),
            ("größe=ä", "größe", "ä"),
            ("a\tb=c\td", "a\tb", "c\td"),
        ] {
            let read = line(text);
            assert_eq!((read.name.as_str(), read.value.as_str()), (name, value), "{text}");
        }
    }

    #[test]
    fn what_is_no_cookie_is_none() {
        let long = format!("a={}", "b".repeat(MAX_PAIR));
        for text in
            ["", " ", "=", ";", "; Path=/", "a=b\0", "a=b\r\nX: y", "a=b\x7f", "a\x01=b", &long]
        {
            assert_eq!(Line::parse(text, NOW), None, "{text:?}");
        }
        assert!(Line::parse(&long[..long.len() - 1], NOW).is_some());
    }

    #[test]
    fn the_last_attribute_of_a_name_counts_and_unknown_ones_do_not() {
        let read =
            line("a=b; domain=.A.Test; DOMAIN=b.test; path=/x; Path=/y; SECURE; HttpOnly=no; X=y");
        assert_eq!((read.domain.as_str(), read.path.as_deref()), ("b.test", Some("/y")));
        assert!(read.secure && read.http_only);
        assert_eq!(line("a=b; path=/x; path=y").path, None, "no path is the default");
        let long = format!("a=b; path=/x; path=/{}", "y".repeat(MAX_ATTRIBUTE));
        assert_eq!(line(&long).path.as_deref(), Some("/x"), "too long to count");
    }

    #[test]
    fn a_cookie_ends_when_it_says_but_within_400_days() {
        let day = 86_400;
        for (attributes, expires) in [
            ("", None),
            ("Max-Age=60", Some(NOW + 60)),
            ("Max-Age=0", Some(0)),
            ("Max-Age=-1", Some(0)),
            ("Max-Age=-", Some(0)),
            ("Max-Age=", None),
            ("Max-Age=+60", None),
            ("Max-Age=6e1", None),
            ("Max-Age=60; Max-Age=x", Some(NOW + 60)),
            ("Max-Age=99999999999999999999999", Some(NOW + 400 * day)),
            ("Expires=Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Expires=Sun, 06 Nov 2094 08:49:37 GMT", Some(NOW + 400 * day)),
            ("Expires=soon", None),
            ("Expires=Sun, 06 Nov 1994 08:49:37 GMT; Max-Age=60", Some(NOW + 60)),
            ("Max-Age=60; Expires=Sun, 06 Nov 1994 08:49:37 GMT", Some(NOW + 60)),
        ] {
            assert_eq!(line(&format!("a=b; {attributes}")).expires, expires, "{attributes}");
        }
    }

    #[test]
    fn a_cookie_is_what_its_name_promises() {
        for good in [
            "__Secure-a=b; Secure",
            "__Host-a=b; Secure; Path=/",
            "__Http-a=b; Secure; HttpOnly",
            "__Host-Http-a=b; Secure; HttpOnly; Path=/",
            "_Host-a=b",
        ] {
            assert!(Line::parse(good, NOW).is_some(), "{good}");
        }
        for bad in [
            "__Secure-a=b",
            "__secure-a=b",
            "__SECURE-=b",
            "__Host-a=b; Secure",
            "__Host-a=b; Path=/",
            "__Host-a=b; Secure; Path=/x",
            "__Host-a=b; Secure; Path=/; Domain=a.test",
            "__Http-a=b; Secure",
            "__Host-Http-a=b; Secure; Path=/",
            "__Host-a",
            "=__Secure-a=b; Secure",
        ] {
            assert_eq!(Line::parse(bad, NOW), None, "{bad}");
        }
    }
}
