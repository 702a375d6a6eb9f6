//! Files, and what is in them.

use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

use pinfold_core::{Roots, parse_rfc3339_utc};
use rustls_pki_types::pem::{PemObject, SectionKind};

use crate::failure::Failure;

/// Nothing that this tool reads comes near it.
const MAX_FILE: u64 = 4 << 20;

/// Something with a public key in it.
pub(crate) enum Item {
    Certificate(Vec<u8>),
    PublicKey(Vec<u8>),
    Request(Vec<u8>),
}

/// Reads a file, or standard input where the path is `-`.
pub(crate) fn read(path: &str) -> Result<Vec<u8>, Failure> {
    let reader: Box<dyn Read> = if path == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(Path::new(path)).map_err(|e| Failure::input(path, e))?)
    };
    let mut bytes = Vec::new();
    reader.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|e| Failure::input(path, e))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Failure::input(path, "larger than 4 MiB"));
    }
    Ok(bytes)
}

/// The certificates, requests and public keys in PEM or DER.
pub(crate) fn items(path: &str) -> Result<Vec<Item>, Failure> {
    let bytes = read(path)?;
    if !bytes.windows(11).any(|w| w == b"-----BEGIN ") {
        return Ok(vec![der_item(path, bytes)?]);
    }
    let mut items = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(&bytes) {
        let (kind, der) = section.map_err(|e| Failure::input(path, format!("broken PEM: {e}")))?;
        items.push(match kind {
            SectionKind::Certificate => Item::Certificate(der),
            SectionKind::Csr => Item::Request(der),
            SectionKind::PublicKey => Item::PublicKey(der),
            SectionKind::RsaPrivateKey | SectionKind::PrivateKey | SectionKind::EcPrivateKey => {
                let reason = "a private key: keep it out of here, and pin its public key \
                              (openssl pkey -in FILE -pubout | pinfold pin -)";
                return Err(Failure::input(path, reason));
            }
            _ => continue,
        });
    }
    if items.is_empty() {
        return Err(Failure::input(path, "no certificate, request or public key in it"));
    }
    Ok(items)
}

/// The certificates in PEM or DER, DER each.
pub(crate) fn certificates(path: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let certificate = |item| match item {
        Item::Certificate(der) => Ok(der),
        Item::PublicKey(_) | Item::Request(_) => {
            Err(Failure::input(path, "not only certificates in it"))
        }
    };
    items(path)?.into_iter().map(certificate).collect()
}

/// `system`, `bundled` or a file of certificates.
pub(crate) fn roots(text: &str) -> Result<Roots, Failure> {
    Ok(match text {
        "system" => Roots::System,
        "bundled" => Roots::Bundled,
        path => Roots::Only(certificates(path)?),
    })
}

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

fn der_item(path: &str, der: Vec<u8>) -> Result<Item, Failure> {
    use pinfold_core::verify::{CertificateIdentity, pin_of_public_key, pin_of_request};
    if CertificateIdentity::read(&der, path).is_ok() {
        Ok(Item::Certificate(der))
    } else if pin_of_request(&der).is_some() {
        Ok(Item::Request(der))
    } else if pin_of_public_key(&der).is_some() {
        Ok(Item::PublicKey(der))
    } else {
        let reason = "neither PEM nor the DER of a certificate, request or public key";
        Err(Failure::input(path, reason))
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
