//! The characters of a body: by its byte order mark, else by the `charset` of its `Content-Type`
//! (RFC 9110 §8.3.2), else in UTF-8. So does OkHttp, beside which Kotlin's tests hold this.

use std::borrow::Cow;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Charset {
    Ascii,
    Latin1,
    Utf8,
    Utf16Be,
    Utf16Le,
    Utf32Be,
    Utf32Le,
}

/// The marks (Unicode 16 §23.8); that of UTF-32LE begins as that of UTF-16LE does.
const MARKS: &[(&[u8], Charset)] = &[
    (&[0xEF, 0xBB, 0xBF], Charset::Utf8),
    (&[0xFF, 0xFE, 0, 0], Charset::Utf32Le),
    (&[0xFF, 0xFE], Charset::Utf16Le),
    (&[0xFE, 0xFF], Charset::Utf16Be),
    (&[0, 0, 0xFE, 0xFF], Charset::Utf32Be),
];

/// The text of a body with this `Content-Type`; see [`Response::text`](super::Response::text).
pub fn text<'a>(body: &'a [u8], content_type: Option<&str>) -> Cow<'a, str> {
    let marked = MARKS.iter().find(|(mark, _)| body.starts_with(mark));
    let (body, charset) = match marked {
        Some((mark, charset)) => (&body[mark.len()..], *charset),
        None => (body, content_type.and_then(parameter).and_then(named).unwrap_or(Charset::Utf8)),
    };
    decode(body, charset)
}

/// The value of the first `charset` of a `Content-Type`.
fn parameter(content_type: &str) -> Option<&str> {
    let mut parameters = content_type.split(';').skip(1).filter_map(|it| it.split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    Some(value.trim().trim_matches(['"', '\'']))
}

/// By the names of the IANA's registry that occur.
fn named(name: &str) -> Option<Charset> {
    let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
    Some(match () {
        () if is(&["utf-8", "utf8"]) => Charset::Utf8,
        () if is(&["iso-8859-1", "iso8859-1", "latin1", "l1"]) => Charset::Latin1,
        () if is(&["us-ascii", "ascii"]) => Charset::Ascii,
        // Without a mark the first byte is the higher one (RFC 2781 §4.3).
        () if is(&["utf-16", "utf-16be"]) => Charset::Utf16Be,
        () if is(&["utf-16le"]) => Charset::Utf16Le,
        () if is(&["utf-32", "utf-32be"]) => Charset::Utf32Be,
        () if is(&["utf-32le"]) => Charset::Utf32Le,
        () => return None,
    })
}

fn decode(body: &[u8], charset: Charset) -> Cow<'_, str> {
    match charset {
        Charset::Utf8 => String::from_utf8_lossy(body),
        Charset::Latin1 => body.iter().map(|byte| char::from(*byte)).collect(),
        Charset::Ascii => body.iter().map(|byte| ascii(*byte)).collect(),
        Charset::Utf16Be => utf16(body, u16::from_be_bytes),
        Charset::Utf16Le => utf16(body, u16::from_le_bytes),
        Charset::Utf32Be => utf32(body, u32::from_be_bytes),
        Charset::Utf32Le => utf32(body, u32::from_le_bytes),
    }
}

fn ascii(byte: u8) -> char {
    if byte.is_ascii() { char::from(byte) } else { char::REPLACEMENT_CHARACTER }
}

fn utf16(body: &[u8], unit: fn([u8; 2]) -> u16) -> Cow<'static, str> {
    let (units, rest) = body.as_chunks();
    let units = char::decode_utf16(units.iter().map(|bytes| unit(*bytes)));
    let text = units.map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
    text.chain(cut_off(rest)).collect()
}

fn utf32(body: &[u8], unit: fn([u8; 4]) -> u32) -> Cow<'static, str> {
    let (units, rest) = body.as_chunks();
    let units = units.iter().map(|bytes| char::from_u32(unit(*bytes)));
    let text = units.map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
    text.chain(cut_off(rest)).collect()
}

/// For a last character that is not whole.
fn cut_off(rest: &[u8]) -> Option<char> {
    (!rest.is_empty()).then_some(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_comes_before_the_content_type_and_utf_8_is_last() {
        for (body, content_type, expected) in [
            (&b"\xC3\xBC"[..], None, "ü"),
            (b"\xFC", Some("text/plain"), "\u{FFFD}"),
            (b"\xFC", Some("text/plain; charset=ISO-8859-1"), "ü"),
            (b"\xFC", Some("text/plain;a=b; Charset = \"latin1\" ; c=d"), "ü"),
            (b"\xFC", Some("text/plain; charset=us-ascii"), "\u{FFFD}"),
            (b"\xC3\xBC", Some("text/plain; charset=klingon"), "ü"),
            (b"\xEF\xBB\xBF\xC3\xBC", Some("text/plain; charset=iso-8859-1"), "ü"),
            (b"\xFE\xFF\x00\xFC", None, "ü"),
            (b"\xFF\xFE\xFC\x00", None, "ü"),
            (b"\xFF\xFE\x00\x00\xFC\x00\x00\x00", None, "ü"),
            (b"\x00\x00\xFE\xFF\x00\x01\xF6\x00", None, "😀"),
            (b"\x00\xFC", Some("text/plain; charset=utf-16"), "ü"),
            (b"\xFC\x00\x3D\xD8", Some("text/plain; charset=utf-16le"), "ü\u{FFFD}"),
            (b"\x00\xFC\x00", Some("text/plain; charset=utf-16be"), "ü\u{FFFD}"),
            (b"\x00\x11\x00\x00\x00", Some("text/plain; charset=utf-32"), "\u{FFFD}\u{FFFD}"),
            (b"", Some("; charset="), ""),
        ] {
            assert_eq!(text(body, content_type), expected, "{body:?} {content_type:?}");
        }
    }
}
