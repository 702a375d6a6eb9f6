//! The names in certificates, as far as people are told.

use crate::der::{BMP_STRING, Der, OID, SEQUENCE, SET, T61_STRING, UNIVERSAL_STRING};

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANISATION: &[u8] = &[0x55, 4, 10];

/// A certificate's name as far as people are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) common_name: Option<String>,
    pub(crate) organisation: Option<String>,
}

impl Name {
    /// The common name and, in parentheses, the organisation where that is another.
    pub(crate) fn text(self) -> Option<String> {
        match (self.common_name, self.organisation) {
            (Some(name), Some(organisation)) if name != organisation => {
                Some(format!("{name} ({organisation})"))
            }
            (name, organisation) => name.or(organisation),
        }
    }
}

/// Reads the contents of an RDNSequence (RFC 5280 §4.1.2.4), control characters removed.
pub(crate) fn read_name(mut name: Der<'_>) -> Option<Name> {
    let mut read = Name::default();
    while !name.is_empty() {
        let (mut set, rest) = name.expect(SET)?;
        name = rest;
        while !set.is_empty() {
            let (attribute, rest) = set.expect(SEQUENCE)?;
            set = rest;
            let (oid, value) = attribute.expect(OID)?;
            let (tag, _, text, _) = value.next()?;
            match oid.0 {
                COMMON_NAME => read.common_name = Some(text_of(tag, text)),
                ORGANISATION => read.organisation = Some(text_of(tag, text)),
                _ => {}
            }
        }
    }
    Some(read)
}

/// The text of an RDNSequence's contents.
pub(crate) fn name_of(name: Der<'_>) -> Option<String> {
    read_name(name)?.text()
}

fn text_of(tag: u8, bytes: &[u8]) -> String {
    let text = match tag {
        BMP_STRING => {
            let (units, _) = bytes.as_chunks::<2>();
            let units = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect::<Vec<_>>();
            String::from_utf16_lossy(&units)
        }
        UNIVERSAL_STRING => {
            let (units, _) = bytes.as_chunks::<4>();
            let letter = |unit: &[u8; 4]| char::from_u32(u32::from_be_bytes(*unit));
            units.iter().map(|unit| letter(unit).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        // By X.690 T.61; in fact Latin-1, as OpenSSL has it, or UTF-8.
        T61_STRING => match str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
        },
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    printable(&text, MAX_NAME)
}

const MAX_NAME: usize = 128;

/// Somebody else's text for a log or a screen: its first characters, without those that are not
/// seen or that turn around what is (Unicode TR #36 §3).
pub(crate) fn printable(text: &str, max: usize) -> String {
    let hidden = |c: &char| {
        c.is_control()
            || matches!(*c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}')
            || matches!(*c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
            || matches!(*c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    text.chars().filter(|c| !hidden(c)).take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_string_of_a_name_is_readable() {
        let wide = |width: usize| -> Vec<u8> {
            let letters = "Größe €".chars();
            letters.flat_map(|c| (c as u32).to_be_bytes()[4 - width..].to_vec()).collect()
        };
        for (tag, bytes, text) in [
            (0x0c, "Größe €".as_bytes().to_vec(), "Größe €"),
            (0x13, b"Plain".to_vec(), "Plain"),
            (T61_STRING, b"Soci\xe9t\xe9".to_vec(), "Société"),
            (T61_STRING, "Société".as_bytes().to_vec(), "Société"),
            (BMP_STRING, wide(2), "Größe €"),
            (UNIVERSAL_STRING, wide(4), "Größe €"),
            (UNIVERSAL_STRING, vec![0, 0x11, 0, 0, 0, 0, 0, b'a', 0, 0], "\u{fffd}a"),
            (UNIVERSAL_STRING, vec![0, 0, 0x20, 0x2e, 0, 0, 0, b'b'], "b"),
        ] {
            assert_eq!(text_of(tag, &bytes), text, "{tag:#x}");
        }
    }
}
