//! How Android and its tools read what stands in XML: more generously than anything else here.

use pinfold_core::parse_rfc3339_utc;

/// Java's `String.trim`.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

/// What aapt2 makes a boolean of, or a number that is as good as one; None where the attribute's
/// default holds.
pub(super) fn boolean(text: &str) -> Option<bool> {
    let text = text.trim();
    match text {
        "true" | "True" | "TRUE" => return Some(true),
        "false" | "False" | "FALSE" => return Some(false),
        _ => {}
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let number = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    number.ok().filter(|_| !digits.starts_with('+')).map(|number| number != 0)
}

/// The beginning of a day, as `SimpleDateFormat("yyyy-MM-dd")` reads it without lenience, in seconds
/// since 1970 by UTC: blanks before a number, and anything behind the day.
pub(super) fn day(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut numbers = [0_u64; 3];
    for (i, number) in numbers.iter_mut().enumerate() {
        if i > 0 {
            rest = rest.strip_prefix('-')?;
        }
        rest = rest.trim_start_matches([' ', '\t']);
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        *number = rest[..end].parse().ok()?;
        rest = &rest[end..];
    }
    let [year, month, day] = numbers;
    if year > 9_999 {
        // The end of time, for all that is decided here.
        return ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some(u64::MAX / 4);
    }
    // Before 1970 there is nothing, and every such day has been.
    parse_rfc3339_utc(&format!("{:04}-{month:02}-{day:02}T00:00:00Z", year.max(1_970)))
        .filter(|_| year > 0)
        .map(|at| if year < 1_970 { 0 } else { at })
}

/// `android.util.Base64` with its default flags: what is no letter of its alphabet is skipped, and
/// padding may be missing, but not stand in the wrong place.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut letters, mut padding) = (0_u32, 0, 0);
    for byte in text.bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                if letters < 2 || letters + padding > 4 {
                    return None;
                }
                continue;
            }
            _ => continue,
        };
        if padding > 0 {
            return None;
        }
        bits = bits << 6 | u32::from(six);
        letters += 1;
        if letters == 4 {
            bytes.extend(&bits.to_be_bytes()[1..]);
            (bits, letters) = (0, 0);
        }
    }
    match (letters, padding) {
        (0, _) => {}
        (2, 0 | 2) => bytes.push((bits >> 4) as u8),
        (3, 0 | 1) => bytes.extend(&(bits >> 2).to_be_bytes()[2..]),
        _ => return None,
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_as_android_does() {
        for (text, bytes) in [
            ("", Some(&b""[..])),
            ("MDEy", Some(b"012")),
            ("M-D_E y\n", Some(b"012")),
            ("MDE=", Some(b"01")),
            ("MDE", Some(b"01")),
            ("MA==", Some(b"0")),
            ("MA", Some(b"0")),
            ("MA=", None),
            ("M", None),
            ("MDE==", None),
            ("=", None),
            ("MDEy=", None),
            ("MD=E", None),
        ] {
            assert_eq!(base64(text).as_deref(), bytes, "{text:?}");
        }
    }

    #[test]
    fn days_are_read_as_java_does() {
        for (text, at) in [
            ("1970-01-02", Some(86_400)),
            ("1970-1-2", Some(86_400)),
            (" 1970- 01-\t02T10:00", Some(86_400)),
            ("1969-12-31", Some(0)),
            ("1970-02-30", None),
            ("1970-13-01", None),
            ("1970-00-01", None),
            ("1970/01/02", None),
            ("1970-01", None),
            ("1970-01-", None),
            ("02.01.1970", None),
            ("", None),
        ] {
            assert_eq!(day(text), at, "{text:?}");
        }
    }
}
