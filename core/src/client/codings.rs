//! Content codings (RFC 9110 §8.4): when gzip is asked for, and what of an answer is decoded.
//!
//! Whoever sets `Accept-Encoding` wants the bytes as they are sent, and a part of a compressed file
//! (RFC 9110 §14.2) is no gzip: only where the caller has set neither is anything decoded.

/// More layers than that are nobody's: each is decoded by itself.
const MAX_LAYERS: usize = 4;

/// What is done about codings for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The caller has a say of its own: nothing is decoded.
    ByCaller,
    /// For part of a file, which must be as it is: nothing is decoded.
    Identity,
    /// For gzip, which is decoded.
    Gzip,
}

impl Asked {
    /// By the names of the request's header fields, in lower case.
    pub(super) fn of<'a>(mut names: impl Iterator<Item = &'a str> + Clone) -> Self {
        if names.clone().any(|name| name == "accept-encoding") {
            Self::ByCaller
        } else if names.any(|name| name == "range") {
            Self::Identity
        } else {
            Self::Gzip
        }
    }

    /// The value of `Accept-Encoding` that is added.
    pub(super) fn accept_encoding(self) -> Option<&'static str> {
        match self {
            Self::ByCaller => None,
            Self::Identity => Some("identity"),
            Self::Gzip => Some("gzip"),
        }
    }
}

/// How many layers of gzip a body has, by the values of `Content-Encoding` in order; none where it
/// is in another coding, which nobody has asked for: then the app gets it as it was sent.
pub(super) fn layers_of_gzip<'a>(values: impl Iterator<Item = &'a str>) -> Option<usize> {
    let mut layers = 0;
    for coding in values.flat_map(|value| value.split(',')) {
        let coding = coding.trim_matches([' ', '\t']);
        if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
            layers += 1;
        } else if !coding.is_empty() && !coding.eq_ignore_ascii_case("identity") {
            return None;
        }
    }
    (layers <= MAX_LAYERS).then_some(layers)
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
    fn gzip_is_asked_for_where_the_caller_set_neither_a_coding_nor_a_range() {
        for (names, asked, value) in [
            (&["accept"][..], Asked::Gzip, Some("gzip")),
            (&[], Asked::Gzip, Some("gzip")),
            (&["range"], Asked::Identity, Some("identity")),
            (&["accept-encoding"], Asked::ByCaller, None),
            (&["range", "accept-encoding"], Asked::ByCaller, None),
            (&["if-range", "accept-ranges"], Asked::Gzip, Some("gzip")),
        ] {
            let found = Asked::of(names.iter().copied());
            assert_eq!((found, found.accept_encoding()), (asked, value), "{names:?}");
        }
    }

    #[test]
    fn codings_are_read_in_any_case_over_several_fields_and_with_identity() {
        for (values, layers) in [
            (&[][..], Some(0)),
            (&["gzip"], Some(1)),
            (&["GZIP"], Some(1)),
            (&["x-gzip"], Some(1)),
            (&["X-GZip"], Some(1)),
            (&["identity"], Some(0)),
            (&["identity, gzip"], Some(1)),
            (&["gzip ,\tIdentity"], Some(1)),
            (&["identity", "gzip"], Some(1)),
            (&["gzip", "x-gzip"], Some(2)),
            (&[",gzip,,"], Some(1)),
            (&[""], Some(0)),
            (&["gzip, gzip, gzip, gzip, gzip"], None),
            (&["br"], None),
            (&["gzip, br"], None),
            (&["gzip;q=1"], None),
            (&["gzip gzip"], None),
            (&["\u{a0}gzip"], None),
        ] {
            assert_eq!(layers_of_gzip(values.iter().copied()), layers, "{values:?}");
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
