//! Which version of a file a server sends, and which part of it (RFC 9110 §8.8, §13.1.5, §14.4).
//!
//! Two versions of a file must never become one. So only what tells them apart for certain counts, and
//! what is not exactly as expected is another version.

use serde::{Deserialize, Serialize};

use crate::time::parse_http_date;

/// No server needs a longer one, and it goes into a request.
const MAX_VALIDATOR: usize = 1_024;

/// What two versions of a file never have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Validator {
    /// A strong entity tag, with its quotes.
    Etag(String),
    /// A date that is strong by RFC 9110 §8.8.2.2.
    LastModified(String),
}

/// Which part of a file an answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Its first byte.
    pub(super) first: u64,
    /// The byte behind its last.
    pub(super) end: u64,
    /// How long the file is.
    pub(super) total: u64,
}

impl Validator {
    /// The strong validator among the headers of an answer, if it has one. A weak tag is none, and its
    /// date is not taken either: two versions may share both (RFC 9110 §13.1.5).
    pub(super) fn of<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        if header("accept-ranges").is_some_and(|units| units.eq_ignore_ascii_case("none")) {
            return None;
        }
        if let Some(tag) = header("etag") {
            return is_strong(tag).then(|| Self::Etag(tag.to_owned()));
        }
        let (modified, sent) = (header("last-modified")?, header("date")?);
        // Within that second the file may have changed once more.
        let is_strong = parse_http_date(sent)? > parse_http_date(modified)?;
        is_strong.then(|| Self::LastModified(modified.to_owned()))
    }

    /// The value of `If-Range`.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Etag(text) | Self::LastModified(text) => text,
        }
    }

    /// Whether it can be sent: one from a file may be anything.
    pub(super) fn is_sound(&self) -> bool {
        match self {
            Self::Etag(tag) => is_strong(tag),
            Self::LastModified(date) => parse_http_date(date).is_some(),
        }
    }

    /// Whether a part with these headers is of this version. It need not repeat the validator (RFC
    /// 9110 §15.3.7), but must not have another.
    pub(super) fn allows<'a>(&self, header: impl Fn(&str) -> Option<&'a str>) -> bool {
        let (name, known) = match self {
            Self::Etag(tag) => ("etag", tag),
            Self::LastModified(date) => ("last-modified", date),
        };
        header(name).is_none_or(|found| found == known)
    }
}

/// `"…"`, not `W/"…"` (RFC 9110 §8.8.3).
fn is_strong(tag: &str) -> bool {
    let inner = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    tag.len() <= MAX_VALIDATOR
        && inner.is_some_and(|inner| inner.bytes().all(|b| b == b'!' || (b'#'..=b'~').contains(&b)))
}

impl Part {
    /// Reads `Content-Range`; none for what is no part of a file of a known length.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let (unit, range) = value.trim_matches([' ', '\t']).split_once(' ')?;
        let (range, total) = range.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last, total) = (number(first)?, number(last)?, number(total)?);
        let is_part = unit.eq_ignore_ascii_case("bytes") && first <= last && last < total;
        is_part.then(|| Self { first, end: last + 1, total })
    }
}

fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validator(headers: &[(&str, &'static str)]) -> Option<Validator> {
        Validator::of(|name| headers.iter().find(|(known, _)| *known == name).map(|(_, v)| *v))
    }

    const NOON: &str = "Sun, 06 Nov 1994 12:00:00 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 12:00:01 GMT";

    #[test]
    fn only_what_tells_two_versions_apart_for_certain_is_a_validator() {
        let etag = Some(Validator::Etag("\"a\"".into()));
        let date = Some(Validator::LastModified(NOON.into()));
        for (headers, expected) in [
            (&[("etag", "\"a\"")][..], etag.clone()),
            (&[("etag", "\"a\""), ("last-modified", NOON), ("date", NOON)], etag),
            (&[("etag", "W/\"a\"")], None),
            (&[("etag", "W/\"a\""), ("last-modified", NOON), ("date", LATER)], None),
            (&[("etag", "a")], None),
            (&[("etag", "\"a\"b\"")], None),
            (&[("etag", "\"a\""), ("accept-ranges", "none")], None),
            (&[("last-modified", NOON), ("date", LATER)], date),
            (&[("last-modified", NOON), ("date", NOON)], None),
            (&[("last-modified", LATER), ("date", NOON)], None),
            (&[("last-modified", NOON)], None),
            (&[("last-modified", "yesterday"), ("date", LATER)], None),
            (&[], None),
        ] {
            assert_eq!(validator(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_part_may_be_silent_about_its_version_but_not_of_another() {
        let known = Validator::Etag("\"a\"".into());
        let allows =
            |tag: Option<&'static str>| known.allows(|name| tag.filter(|_| name == "etag"));
        assert!(allows(None) && allows(Some("\"a\"")));
        assert!(!allows(Some("\"b\"")) && !allows(Some("W/\"a\"")));
    }

    #[test]
    fn content_ranges_are_read_exactly() {
        let part = |first, end, total| Some(Part { first, end, total });
        for (value, expected) in [
            ("bytes 0-0/1", part(0, 1, 1)),
            ("bytes 5-9/10", part(5, 10, 10)),
            ("Bytes 5-8/10", part(5, 9, 10)),
            ("bytes 5-9/9", None),
            ("bytes 9-5/10", None),
            ("bytes 5-9/*", None),
            ("bytes */10", None),
            ("bytes 5-/10", None),
            ("bytes +5-9/10", None),
            ("bytes=5-9/10", None),
            ("items 5-9/10", None),
            ("bytes 5-99999999999999999999/10", None),
            ("bytes 18446744073709551614-18446744073709551615/18446744073709551615", None),
            ("", None),
        ] {
            assert_eq!(Part::parse(value), expected, "{value:?}");
        }
    }
}
