//! Dates as servers write them in fact: in three forms by HTTP (RFC 9110 §5.6.7), in many more in
//! cookies. One algorithm reads them all, that of cookies (RFC 6265bis §5.1.1).

use crate::time::seconds;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Seconds since 1970; what was before counts as 1970. Whatever it says of a zone, it is UTC.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    // Each token is the first thing that it can be and that is not known yet.
    for token in text.as_bytes().split(|byte| is_delimiter(*byte)).filter(|it| !it.is_empty()) {
        if time.is_none() {
            time = time_of(token);
            if time.is_some() {
                continue;
            }
        }
        if day.is_none() {
            day = number(token, 1, 2);
            if day.is_some() {
                continue;
            }
        }
        if month.is_none() {
            month = month_of(token);
            if month.is_some() {
                continue;
            }
        }
        if year.is_none() {
            year = number(token, 2, 4);
        }
    }
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    match year >= 1601 {
        true => seconds(year, month?, day?, time?),
        false => None,
    }
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, 0x09 | 0x20..=0x2f | 0x3b..=0x40 | 0x5b..=0x60 | 0x7b..=0x7e)
}

/// A number of `min` to `max` digits, and anything behind it that is no digit.
fn number(token: &[u8], min: usize, max: usize) -> Option<u64> {
    let digits = token.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = || token[..digits].iter().fold(0, |n, digit| n * 10 + u64::from(digit - b'0'));
    (min..=max).contains(&digits).then(value)
}

fn time_of(token: &[u8]) -> Option<[u64; 3]> {
    let mut parts = token.splitn(3, |byte| *byte == b':');
    let whole = |part: &[u8]| number(part, 1, 2).filter(|_| part.iter().all(u8::is_ascii_digit));
    let (hours, minutes) = (whole(parts.next()?)?, whole(parts.next()?)?);
    Some([hours, minutes, number(parts.next()?, 1, 2)?])
}

fn month_of(token: &[u8]) -> Option<u64> {
    let name = token.get(..3)?;
    let at = MONTHS.iter().position(|month| month.as_bytes().eq_ignore_ascii_case(name))?;
    Some(at as u64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_servers_write_is_one_date() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            // One digit and another zone's name, as the JDK writes them.
            "Sun, 6 Nov 1994 8:49:37 UTC",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "6 november 1994 08:49:37",
            "1994 6th Nov 08:49:37+0000",
            "08:49:37 6 Nov 94",
            "Sun;06/Nov/94_08:49:37z",
        ] {
            assert_eq!(parse(text), Some(784_111_777), "{text}");
        }
        assert_eq!(parse("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(parse("Mon, 01 Jan 1601 00:00:00 GMT"), Some(0), "long ago");
        assert_eq!(parse("29 Feb 2024 00:00:00"), Some(1_709_164_800));
        assert_eq!(parse("31 Dec 69 23:59:59"), Some(3_155_759_999));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "0",
            "-1",
            "Sun, 06 Nov 1994",
            "06 Nov 08:49:37",
            "Nov 1994 08:49:37",
            "06 1994 08:49:37",
            "30 Feb 2026 00:00:00",
            "29 Feb 2026 00:00:00",
            "00 Nov 1994 08:49:37",
            "32 Nov 1994 08:49:37",
            "06 Nov 1994 24:00:00",
            "06 Nov 1994 08:60:37",
            "06 Nov 1994 08:49:60",
            "06 Nov 1994 08:49",
            "06 Nov 1994 008:49:37",
            "06 Nov 1600 08:49:37",
            "06 Nov 19945 08:49:37",
            "06 No 1994 08:49:37",
            "\u{ff10}6 Nov 1994 08:49:37",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
