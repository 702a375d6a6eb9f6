//! Content codings (RFC 9110 §8.4): which are asked for, and what of an answer is decoded.
//!
//! Whoever sets `Accept-Encoding` wants the bytes as they are sent, and a part of a compressed file
//! (RFC 9110 §14.2) cannot be decoded: only where the caller has set neither is anything decoded.

use std::io::Read;

#[cfg(feature = "brotli")]
use super::brotli::BrotliDecoder;
use super::gzip::GzipDecoder;
use super::zstd::ZstdDecoder;

/// More layers than that are nobody's: each is decoded by itself.
const MAX_LAYERS: usize = 4;

/// A body on its way in.
pub(super) type Reader = Box<dyn Read + Send + Sync>;

/// What is done about codings for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The caller has a say of its own: nothing is decoded.
    ByCaller,
    /// For part of a file, which must be as it is: nothing is decoded.
    Identity,
    /// For a body that is wanted whole, in any coding that is known.
    Whole,
    /// For one that is pulled: in a coding whose bytes come out as they come in.
    Pulled,
}

/// A coding that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Zstd,
    #[cfg(feature = "brotli")]
    Brotli,
}

impl Asked {
    /// By the names of the request's header fields, in lower case.
    pub(super) fn of<'a>(
        mut names: impl Iterator<Item = &'a str> + Clone,
        is_pulled: bool,
    ) -> Self {
        if names.clone().any(|name| name == "accept-encoding") {
            Self::ByCaller
        } else if names.any(|name| name == "range") {
            Self::Identity
        } else if is_pulled {
            Self::Pulled
        } else {
            Self::Whole
        }
    }

    /// The value of `Accept-Encoding` that is added.
    pub(super) fn accept_encoding(self) -> Option<&'static str> {
        match self {
            Self::ByCaller => None,
            Self::Identity => Some("identity"),
            Self::Whole if cfg!(feature = "brotli") => Some("br, zstd, gzip"),
            Self::Whole => Some("zstd, gzip"),
            Self::Pulled if cfg!(feature = "brotli") => Some("br, gzip"),
            Self::Pulled => Some("gzip"),
        }
    }

    /// Whether an answer is decoded.
    pub(super) fn decodes(self) -> bool {
        matches!(self, Self::Whole | Self::Pulled)
    }
}

impl Coding {
    fn parse(name: &str) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match () {
            () if is("gzip") || is("x-gzip") => Some(Self::Gzip),
            () if is("zstd") => Some(Self::Zstd),
            #[cfg(feature = "brotli")]
            () if is("br") => Some(Self::Brotli),
            () => None,
        }
    }

    /// What is behind this coding.
    pub(super) fn decoded(self, body: Reader) -> Reader {
        match self {
            Self::Gzip => Box::new(GzipDecoder::new(body)),
            Self::Zstd => Box::new(ZstdDecoder::new(body)),
            #[cfg(feature = "brotli")]
            Self::Brotli => Box::new(BrotliDecoder::new(body)),
        }
    }
}

/// The codings of a body in the order in which they were applied, by the values of `Content-Encoding`
/// in order; none where one is not known, which nobody has asked for: then the app gets it as it was
/// sent.
pub(super) fn codings<'a>(values: impl Iterator<Item = &'a str>) -> Vec<Coding> {
    let mut codings = Vec::new();
    for name in values.flat_map(|value| value.split(',')) {
        let name = name.trim_matches([' ', '\t']);
        if name.is_empty() || name.eq_ignore_ascii_case("identity") {
            continue;
        }
        match Coding::parse(name) {
            Some(coding) if codings.len() < MAX_LAYERS => codings.push(coding),
            _ => return Vec::new(),
        }
    }
    codings
}

/// Whether an answer has a body at all (RFC 9112 §6.3): its header may speak of one that it would
/// have had.
pub(super) fn has_body(method: &str, status: u16) -> bool {
    method != "HEAD" && !matches!(status, 100..=199 | 204 | 304)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_are_asked_for_where_the_caller_set_neither_one_nor_a_range() {
        for (names, asked) in [
            (&["accept"][..], Asked::Whole),
            (&[], Asked::Whole),
            (&["range"], Asked::Identity),
            (&["accept-encoding"], Asked::ByCaller),
            (&["range", "accept-encoding"], Asked::ByCaller),
            (&["if-range", "accept-ranges"], Asked::Whole),
        ] {
            assert_eq!(Asked::of(names.iter().copied(), false), asked, "{names:?}");
            assert_eq!(asked.decodes(), asked == Asked::Whole);
        }
        assert_eq!(Asked::of(std::iter::empty(), true), Asked::Pulled);
        let zstd = |asked: Asked| asked.accept_encoding().is_some_and(|it| it.contains("zstd"));
        // Of a frame nothing comes out before a window of it is there.
        assert!(zstd(Asked::Whole) && !zstd(Asked::Pulled) && Asked::Pulled.decodes());
        assert_eq!(Asked::Identity.accept_encoding(), Some("identity"));
        assert_eq!(Asked::ByCaller.accept_encoding(), None);
    }

    #[test]
    fn codings_are_read_in_any_case_over_several_fields_and_with_identity() {
        use Coding::{Gzip, Zstd};
        for (values, expected) in [
            (&[][..], &[][..]),
            (&["gzip"], &[Gzip]),
            (&["GZIP"], &[Gzip]),
            (&["x-gzip"], &[Gzip]),
            (&["X-GZip"], &[Gzip]),
            (&["Zstd"], &[Zstd]),
            (&["identity"], &[]),
            (&["identity, gzip"], &[Gzip]),
            (&["gzip ,\tIdentity"], &[Gzip]),
            (&["identity", "gzip"], &[Gzip]),
            (&["gzip", "x-gzip"], &[Gzip, Gzip]),
            (&["gzip, zstd"], &[Gzip, Zstd]),
            (&[",gzip,,"], &[Gzip]),
            (&[""], &[]),
            (&["gzip, gzip, gzip, gzip, gzip"], &[]),
            (&["deflate"], &[]),
            (&["gzip, deflate"], &[]),
            (&["gzip;q=1"], &[]),
            (&["gzip gzip"], &[]),
            (&["\u{a0}gzip"], &[]),
        ] {
            assert_eq!(codings(values.iter().copied()), expected, "{values:?}");
        }
    }

    #[test]
    fn some_answers_have_no_body_whatever_they_say() {
        for (method, status, body) in [
            ("GET", 200, true),
            ("HEAD", 200, false),
            ("GET", 204, false),
            ("GET", 304, false),
            ("GET", 205, true),
            ("POST", 404, true),
        ] {
            assert_eq!(has_body(method, status), body, "{method} {status}");
        }
    }
}
