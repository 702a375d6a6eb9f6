//! Other ways in which digests are written: none is taken, but people are told the right one.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, ANY_PADDING);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, ANY_PADDING);

/// Longer than any of them.
const MAX_TEXT: usize = 256;
/// What stands before the digest in headers, in curl's options and in what programs print.
const PREFIXES: [&str; 8] =
    ["pin-sha256=", "sha256//", "sha256/", "sha-256/", "sha256:", "sha256=", "sha-256:", "0x"];

/// The digest in another notation than base64 alone, and that notation's name. A placeholder is
/// none.
pub(super) fn read(text: &str) -> Option<(&'static str, [u8; 32])> {
    if text.len() > MAX_TEXT {
        return None;
    }
    // `openssl dgst` prints a name and `= ` before it, sha256sum blanks and a name behind it.
    let line = text.rsplit_once(")= ").map_or(text, |(_, rest)| rest);
    let line = line.split("  ").next()?.split(';').next()?;
    let blank = |c: char| c.is_whitespace() || "\"',".contains(c);
    let bare = without_prefixes(line.trim_matches(blank)).trim_matches(blank);
    let digits: String = bare.chars().filter(|c| !": -".contains(*c)).collect();
    let found = match of_hex(&digits) {
        Some(digest) => ("hexadecimal", digest),
        None => {
            let is_url = bare.contains(['-', '_']);
            let bytes = if is_url { BASE64_URL.decode(bare) } else { BASE64.decode(bare) };
            let digest = bytes.ok()?.try_into().ok()?;
            let name = match () {
                () if bare.len() < line.len() || line.len() < text.len() => "more than the base64",
                () if is_url => "base64url",
                () => "base64 without its padding",
            };
            (name, digest)
        }
    };
    let (_, digest) = found;
    (!digest.iter().all(|byte| *byte == digest[0])).then_some(found)
}

fn without_prefixes(text: &str) -> &str {
    let prefix = |prefix: &&&str| {
        text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    // What is left of curl's form where the first half of it has been taken off.
    let whole = |rest: &&str| rest.len() == 44 && rest.ends_with('=');
    match (PREFIXES.iter().find(prefix), text.strip_prefix('/').filter(whole)) {
        (Some(prefix), _) => without_prefixes(&text[prefix.len()..]),
        (None, Some(rest)) => rest,
        (None, None) => text,
    }
}

fn of_hex(digits: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    Some(digest)
}
