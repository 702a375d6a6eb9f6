//! Times that people write.

use std::time::SystemTime;

use pinfold_core::parse_rfc3339_utc;

use crate::failure::Failure;

/// Seconds since 1970 of an RFC 3339 time; fractions of a second are dropped.
pub(crate) fn time(text: &str) -> Option<u64> {
    let (date, rest) = text.split_at_checked(19)?;
    let date = parse_rfc3339_utc(&format!("{}Z", date.to_ascii_uppercase().replace(' ', "T")))?;
    let zone = match rest.strip_prefix('.') {
        Some(rest) => {
            let zone = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            (zone.len() < rest.len()).then_some(zone)?
        }
        None => rest,
    };
    let (sign, offset) = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => return Some(date),
        (sign @ ("+" | "-"), offset) => (sign, offset),
        _ => return None,
    };
    let (hours, minutes) = offset.split_once(':')?;
    let two_digits = |text: &str| -> Option<u64> {
        let fits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        if fits { text.parse().ok() } else { None }
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let offset = hours * 3_600 + minutes * 60;
    if sign == "+" { date.checked_sub(offset) } else { date.checked_add(offset) }
}

/// The time that an option gives, or now.
pub(crate) fn time_or_now(option: &str, text: Option<&str>) -> Result<u64, Failure> {
    match text {
        Some(text) => time(text)
            .ok_or_else(|| Failure::input(option, "not a time such as 2027-01-31T00:00:00Z")),
        None => Ok(SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_err(|e| Failure::input("the clock", e))?
            .as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_are_read_in_every_form_of_rfc_3339() {
        for (text, at) in [
            ("1970-01-02T00:00:00Z", Some(86_400)),
            ("1970-01-02t00:00:00z", Some(86_400)),
            ("1970-01-02 00:00:00.999Z", Some(86_400)),
            ("1970-01-02T01:30:00+01:30", Some(86_400)),
            ("1970-01-01T22:00:00.5-02:00", Some(86_400)),
            ("1970-01-02T00:00:00", None),
            ("1970-01-02T00:00:00.Z", None),
            ("1970-01-02T00:00:00+1:00", None),
            ("1970-01-02T00:00:00+24:00", None),
            ("1970-01-02T00:00:00+01:00Z", None),
            ("1970-01-02", None),
            ("", None),
            ("é970-01-02T00:00:00Z", None),
        ] {
            assert_eq!(time(text), at, "{text}");
        }
    }
}
