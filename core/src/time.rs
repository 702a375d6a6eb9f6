//! Instants of documents and certificates, without a calendar library.

/// When this version was made, 2026-11-21: no right clock says less. Raised with each release.
pub(crate) const RELEASED: u64 = 1_795_219_200;

/// Seconds since 1970 of `YYYY-MM-DDTHH:MM:SSZ`, exactly that form; none where it is another.
pub fn parse_rfc3339_utc(text: &str) -> Option<u64> {
    let b = text.as_bytes();
    let form = b.len() == 20
        && b[4] == b'-'
        && b[7] == b'-'
        && b[10] == b'T'
        && b[13] == b':'
        && b[16] == b':'
        && b[19] == b'Z';
    if !form {
        return None;
    }
    seconds(
        digits(&b[0..4])?,
        digits(&b[5..7])?,
        digits(&b[8..10])?,
        [digits(&b[11..13])?, digits(&b[14..16])?, digits(&b[17..19])?],
    )
}

/// Seconds since 1970 of an X.509 time: `YYMMDDHHMMSSZ` (UTCTime, 1950 to 2049) or
/// `YYYYMMDDHHMMSSZ` (GeneralizedTime), RFC 5280 §4.1.2.5. Before 1970 counts as 1970.
pub(crate) fn parse_x509(text: &[u8], generalized: bool) -> Option<u64> {
    let digits_of_year = if generalized { 4 } else { 2 };
    if text.len() != digits_of_year + 11 || text.last() != Some(&b'Z') {
        return None;
    }
    let (year, rest) = text.split_at(digits_of_year);
    let year = match (digits(year)?, generalized) {
        (year, true) => year,
        (year @ 0..50, false) => 2000 + year,
        (year, false) => 1900 + year,
    };
    let two = |i: usize| digits(&rest[i..i + 2]);
    seconds(year, two(0)?, two(2)?, [two(4)?, two(6)?, two(8)?])
}

/// Seconds since 1970 of an HTTP date as every server has to write it, `Sun, 06 Nov 1994 08:49:37 GMT`
/// (RFC 9110 §5.6.7); none for the two obsolete forms and for anything else.
pub(crate) fn parse_http_date(text: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const DAYS: &str = "SunMonTueWedThuFriSat";
    let b = text.as_bytes();
    let form = b.len() == 29
        && text.is_ascii()
        && DAYS.find(&text[..3]).is_some_and(|at| at % 3 == 0)
        && [(3, ", "), (7, " "), (11, " "), (16, " "), (19, ":"), (22, ":"), (25, " GMT")]
            .iter()
            .all(|(at, fixed)| text[*at..].starts_with(fixed));
    if !form {
        return None;
    }
    let month = MONTHS.find(&text[8..11]).filter(|at| at % 3 == 0)? / 3 + 1;
    seconds(
        digits(&b[12..16])?,
        month as u64,
        digits(&b[5..7])?,
        [digits(&b[17..19])?, digits(&b[20..22])?, digits(&b[23..25])?],
    )
}

/// `YYYY-MM-DDTHH:MM:SSZ` of seconds since 1970, for people and JSON.
pub fn format_rfc3339_utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days to a date of the proleptic Gregorian calendar, by 400-year eras that begin in March.
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    let (h, m, s) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}Z")
}

fn digits(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0, |n, c| c.is_ascii_digit().then(|| n * 10 + u64::from(c - b'0')))
}

pub(crate) fn seconds(year: u64, month: u64, day: u64, [h, m, s]: [u64; 3]) -> Option<u64> {
    let leap = is_leap(year);
    let length = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day == 0 || day > length || h > 23 || m > 59 || s > 59 {
        return None;
    }
    if year < 1970 {
        return Some(0);
    }
    let before = (1970..year).map(|y| 365 + u64::from(is_leap(y)));
    let days_before_month = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let days = before.sum::<u64>()
        + days_before_month[month as usize - 1]
        + u64::from(leap && month > 2)
        + day
        - 1;
    Some(days * 86_400 + h * 3_600 + m * 60 + s)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_the_same_instant() {
        for (text, at) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2026-11-21T09:00:00Z", 1_795_251_600),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(parse_rfc3339_utc(text), Some(at), "{text}");
            assert_eq!(format_rfc3339_utc(at), text);
        }
    }

    #[test]
    fn refuses_every_other_form() {
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T09:00:00",
            "2026-11-21T09:00:00+00:00",
            "2026-11-21t09:00:00z",
            "2026-11-21 09:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-11-00T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T09:00:60Z",
            "+026-11-21T09:00:00Z",
            "２026-11-21T09:00:0Z",
        ] {
            assert_eq!(parse_rfc3339_utc(text), None, "{text}");
        }
    }

    #[test]
    fn http_dates_have_one_form() {
        let at = parse_rfc3339_utc("1994-11-06T08:49:37Z");
        assert_eq!(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), at);
        for text in [
            "",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:60 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "unM, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 anF 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:3é GM",
            "Sün, 06 Nov 1994 08:49:37 GM",
        ] {
            assert_eq!(parse_http_date(text), None, "{text}");
        }
    }

    #[test]
    fn x509_times_have_two_forms() {
        assert_eq!(parse_x509(b"491231235959Z", false), parse_rfc3339_utc("2049-12-31T23:59:59Z"));
        assert_eq!(parse_x509(b"500101000000Z", false), Some(0));
        assert_eq!(parse_x509(b"20500101000000Z", true), parse_rfc3339_utc("2050-01-01T00:00:00Z"));
        assert_eq!(parse_x509(b"20500101000000Z", false), None);
        assert_eq!(parse_x509(b"2050010100000Z", true), None);
        assert_eq!(parse_x509(b"20500101000000+", true), None);
    }
}
