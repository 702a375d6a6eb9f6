//! PEM (RFC 7468): as many things come out as `-----BEGIN ` went in, or an error.
//!
//! Readers that skip what they do not know turn a chain into another one. This one is generous where
//! nothing can be misunderstood (text around blocks, blanks, indents, line ends, files that were
//! joined without one) and refuses everything else by label and line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a block begins with.
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
/// No label in use comes near it.
const MAX_LABEL: usize = 48;

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Such as `CERTIFICATE`.
    pub(crate) label: String,
    /// Its first line, from 1.
    pub(crate) line: usize,
    pub(crate) der: Vec<u8>,
}

/// What is wrong with a block; holds nothing of its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) line: usize,
    /// Where it could be read.
    pub(crate) label: Option<String>,
    pub(crate) reason: &'static str,
}

/// A file as characters, also where Windows has made two bytes of each.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    let (pairs, big) = match bytes {
        [0xff, 0xfe, rest @ ..] => (rest, false),
        [0xfe, 0xff, rest @ ..] => (rest, true),
        [0xef, 0xbb, 0xbf, rest @ ..] => return String::from_utf8_lossy(rest).into_owned(),
        _ => return String::from_utf8_lossy(bytes).into_owned(),
    };
    let unit = |pair: &[u8; 2]| {
        if big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) }
    };
    let units: Vec<_> = pairs.as_chunks().0.iter().map(unit).collect();
    String::from_utf16_lossy(&units)
}

/// Whether a text means to be PEM, however badly.
pub(crate) fn is_meant(text: &str) -> bool {
    text.lines().any(|line| line.contains(BEGIN) || is_damaged_marker(line))
}

/// Every block of a text, in its order.
pub(crate) fn blocks(text: &str) -> Result<Vec<Block>, Broken> {
    let mut blocks = Vec::new();
    let mut rest = text;
    loop {
        let begin = rest.find(BEGIN);
        let between = &rest[..begin.unwrap_or(rest.len())];
        let line = |at: &str| line_of(text, at);
        expect_no_marker(between, &line)?;
        let Some(begin) = begin else { return Ok(blocks) };
        let start = &rest[begin..];
        let (block, after) = block(start, line(start))?;
        blocks.push(block);
        rest = after;
    }
}

/// The block at the beginning of a text, and what follows.
fn block(text: &str, line: usize) -> Result<(Block, &str), Broken> {
    let broken =
        |label: Option<&str>, reason| Broken { line, label: label.map(str::to_owned), reason };
    let (label, rest) = label(&text[BEGIN.len()..])
        .ok_or_else(|| broken(None, "a BEGIN line that does not end in five dashes"))?;
    let wrong = |reason| broken(Some(label), reason);
    let end = rest.find(END).ok_or_else(|| wrong("no END line"))?;
    let (body, end) = rest.split_at(end);
    if body.contains(BEGIN) {
        return Err(wrong("no END line before the next block"));
    }
    let (end, after) = self::label(&end[END.len()..])
        .ok_or_else(|| wrong("an END line that does not end in five dashes"))?;
    if end != label {
        return Err(wrong("an END line with another label"));
    }
    let base64: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    if base64.is_empty() {
        return Err(wrong("empty"));
    }
    let der = STANDARD.decode(&base64).map_err(|_| {
        wrong(if base64.contains('\\') {
            "its line ends are the two characters \\n: write real ones (printf '%b')"
        } else if base64.contains(':') {
            "lines before its base64: only the base64 belongs there"
        } else {
            "not base64"
        })
    })?;
    Ok((Block { label: label.to_owned(), line, der }, after))
}

/// A label up to five dashes in the same line, and what follows them.
fn label(text: &str) -> Option<(&str, &str)> {
    let (label, rest) = text.split_once(DASHES)?;
    let known = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || " #-".contains(c);
    (!label.is_empty() && label.len() <= MAX_LABEL && label.chars().all(known))
        .then_some((label, rest))
}

/// Refuses what was a marker once, between blocks.
fn expect_no_marker(between: &str, line: &dyn Fn(&str) -> usize) -> Result<(), Broken> {
    match between.lines().find(|text| text.contains(END) || is_damaged_marker(text)) {
        None => Ok(()),
        Some(text) => {
            let reason = if text.contains(END) {
                "an END line without its BEGIN line"
            } else {
                "a damaged line: it should be -----BEGIN LABEL----- or -----END LABEL-----"
            };
            Err(Broken { line: line(text), label: None, reason })
        }
    }
}

/// `-----begin certificate-----`, `----BEGIN CERTIFICATE----`, `BEGIN CERTIFICATE`, and with the
/// dashes that word processors make.
fn is_damaged_marker(line: &str) -> bool {
    let is_dash = |c: char| matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}');
    let upper = line.to_ascii_uppercase();
    let marks = ["BEGIN", "END"].into_iter().flat_map(|word| upper.match_indices(word));
    for (at, word) in marks {
        let before = upper[..at].trim_end();
        let after = upper[at + word.len()..].trim_start();
        if before.ends_with(is_dash) {
            let dashes = before.chars().rev().take_while(|c| is_dash(*c)).count();
            let words = after.split(is_dash).next().unwrap_or_default();
            if dashes >= 4 || names_something(words) {
                return true;
            }
        }
        let words = after.trim_end_matches(|c: char| is_dash(c) || c.is_whitespace());
        if before.trim().is_empty() && !after.is_empty() && names_something(words) {
            return true;
        }
    }
    false
}

/// Whether words are the label of something with a key in it.
fn names_something(words: &str) -> bool {
    let words = words.trim();
    let nouns = ["CERTIFICATE", "CERTIFICATE REQUEST", "KEY", "PKCS7", "CMS", "CRL", "BLOCK"];
    words.len() <= MAX_LABEL
        && words.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ')
        && nouns.iter().any(|noun| words.ends_with(noun))
}

/// The number of the line in which a part of a text begins, from 1.
fn line_of(text: &str, part: &str) -> usize {
    let at = part.as_ptr() as usize - text.as_ptr() as usize;
    let before = &text[..at.min(text.len())];
    // A file of old has carriage returns alone.
    let ends = before.matches('\n').count();
    1 + if ends == 0 { before.matches('\r').count() } else { ends }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "-----BEGIN A-----\nMDEy\nMzQ1\n-----END A-----\n";
    const B: &str = "-----BEGIN B C-----\nNjc4\n-----END B C-----\n";

    fn read(text: &str) -> Vec<(String, usize, Vec<u8>)> {
        let blocks = blocks(text).unwrap_or_else(|e| panic!("{text:?}: {e:?}"));
        blocks.into_iter().map(|block| (block.label, block.line, block.der)).collect()
    }

    #[test]
    fn every_block_of_a_generous_form_comes_out() {
        let a = |line| ("A".to_owned(), line, b"012345".to_vec());
        let b = |line| ("B C".to_owned(), line, b"678".to_vec());
        for (text, expected) in [
            (format!("{A}{B}"), vec![a(1), b(5)]),
            // Joined without a line end.
            (format!("{}{B}", A.trim_end()), vec![a(1), b(4)]),
            (format!("{A}{B}").replace('\n', "\r\n"), vec![a(1), b(5)]),
            (format!("{A}{B}").replace('\n', "\r"), vec![a(1), b(5)]),
            (format!("{A}{B}").replace('\n', " \t\n   "), vec![a(1), b(5)]),
            (format!("subject=/CN=x\n{A}\n# next\n{B}# end\n"), vec![a(2), b(8)]),
            (format!("cert: {}", A.replace('\n', " ")), vec![a(1)]),
            (A.replace('\n', ""), vec![a(1)]),
            (A.replace('\n', "\n\n"), vec![a(1)]),
            ("in the beginning, and in the end\n".to_owned(), vec![]),
            ("Attributes: -end-entity-\n".to_owned(), vec![]),
            (String::new(), vec![]),
        ] {
            assert_eq!(read(&text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_does_not_come_out_is_refused_by_line() {
        for (text, line, label, reason) in [
            (A.replace("-----END A-----\n", ""), 1, Some("A"), "no END"),
            (format!("{}{B}", A.replace("-----END A-----\n", "")), 1, Some("A"), "next block"),
            (format!("{A}{}", B.replace("END B C", "END B D")), 5, Some("B C"), "another label"),
            (format!("{A}{}", A.replace("-----BEGIN A-----\n", "")), 7, None, "without its BEGIN"),
            (format!("{A}{}", B.replace("BEGIN B C-----", "BEGIN B C")), 5, None, "five dashes"),
            (format!("{A}-----begin certificate-----\nMDEy\n"), 5, None, "damaged"),
            (format!("{A}----BEGIN CERTIFICATE----\nMDEy\n"), 5, None, "damaged"),
            (format!("{A}\u{2013}\u{2013}BEGIN PUBLIC KEY\u{2014}\n"), 5, None, "damaged"),
            (format!("{A}  BEGIN CERTIFICATE\nMDEy\n"), 5, None, "damaged"),
            (format!("{A}-----BEGINCERTIFICATE-----\n"), 5, None, "damaged"),
            (A.replace("\nMDEy\nMzQ1\n", "\n"), 1, Some("A"), "empty"),
            (A.replace("MDEy", "MDE*"), 1, Some("A"), "not base64"),
            (A.replace("MDEy", "MDE="), 1, Some("A"), "not base64"),
            (A.replace("MDEy\n", "MDEy\\n"), 1, Some("A"), "two characters"),
            (A.replace("MDEy", "Comment: x\n\nMDEy"), 1, Some("A"), "lines before"),
        ] {
            let broken = blocks(&text).expect_err(&text);
            assert_eq!((broken.line, broken.label.as_deref()), (line, label), "{text:?}");
            assert!(broken.reason.contains(reason), "{text:?}: {broken:?}");
        }
    }
}
