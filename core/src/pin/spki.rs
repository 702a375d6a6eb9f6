//! The digests that pins are, and their text form.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::notation;

/// SHA-256 of a certificate's SubjectPublicKeyInfo (RFC 7469 §2.4): survives renewal with the same
/// key. Its text is `sha256/` and 44 characters of base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpkiSha256([u8; 32]);

/// SHA-256 of a whole certificate. Its text is `cert-sha256/` and 44 characters of base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CertSha256([u8; 32]);

/// What a pin names: a key or a whole certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PinDigest {
    /// One certificate, byte for byte.
    Certificate(CertSha256),
    /// A public key.
    Spki(SpkiSha256),
}

const SPKI_PREFIX: &str = "sha256/";
const CERT_PREFIX: &str = "cert-sha256/";

impl SpkiSha256 {
    /// From the digest itself.
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Of a DER SubjectPublicKeyInfo, its outer SEQUENCE included.
    pub fn of_spki(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// Of a SubjectPublicKeyInfo's contents. webpki's `TrustAnchor` leaves the outer SEQUENCE
    /// header out, but a pin is over the whole, so it is put back.
    pub(crate) fn of_spki_contents(contents: &[u8]) -> Self {
        let n = contents.len();
        let mut hash = Sha256::new();
        match n {
            0..=0x7f => hash.update([0x30, n as u8]),
            0x80..=0xff => hash.update([0x30, 0x81, n as u8]),
            0x100..=0xffff => hash.update([0x30, 0x82, (n >> 8) as u8, n as u8]),
            _ => hash.update([0x30, 0x83, (n >> 16) as u8, (n >> 8) as u8, n as u8]),
        }
        hash.update(contents);
        Self(hash.finalize().into())
    }

    /// The digest's 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl CertSha256 {
    /// From the digest itself.
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Of a DER certificate.
    pub fn of_certificate(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// The digest's 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for SpkiSha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SPKI_PREFIX}{}", STANDARD.encode(self.0))
    }
}

impl fmt::Display for CertSha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{CERT_PREFIX}{}", STANDARD.encode(self.0))
    }
}

impl fmt::Display for PinDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(digest) => digest.fmt(f),
            Self::Spki(digest) => digest.fmt(f),
        }
    }
}

impl fmt::Debug for SpkiSha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for CertSha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PinDigest {
    type Err = String;

    /// Reads `sha256/…` or `cert-sha256/…`; the error says what is wrong with the text.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(base64) = text.strip_prefix(SPKI_PREFIX) {
            Ok(Self::Spki(SpkiSha256(decode_digest(base64)?)))
        } else if let Some(base64) = text.strip_prefix(CERT_PREFIX) {
            Ok(Self::Certificate(CertSha256(decode_digest(base64)?)))
        } else if text.starts_with("sha1/") {
            Err("SHA-1 pins are not accepted; use sha256/".into())
        } else {
            let reason = "a pin begins with sha256/ (a key) or cert-sha256/ (a certificate)";
            Err(match notation::read(text) {
                Some((_, digest)) => format!("{reason}: write {SPKI_PREFIX}{}", text_of(&digest)),
                None => reason.into(),
            })
        }
    }
}

/// Decodes the base64 of a SHA-256 digest, refusing everything that only looks like a pin.
pub(super) fn decode_digest(base64: &str) -> Result<[u8; 32], String> {
    if base64.starts_with(SPKI_PREFIX) || base64.starts_with(CERT_PREFIX) {
        let reason = "write the base64 alone here, without its prefix";
        return Err(match notation::read(base64) {
            Some((_, digest)) => format!("{reason}: {}", text_of(&digest)),
            None => reason.into(),
        });
    }
    let digest: Result<[u8; 32], String> = match STANDARD.decode(base64) {
        Err(_) => Err("not base64 (standard alphabet, padded, 44 characters)".to_owned()),
        Ok(bytes) => bytes.try_into().map_err(|bytes: Vec<u8>| {
            let hint = if bytes.len() == 20 { " (is this SHA-1?)" } else { "" };
            format!("{} bytes where SHA-256 has 32{hint}", bytes.len())
        }),
    };
    let digest = digest.map_err(|reason| match notation::read(base64) {
        Some((notation, digest)) => {
            format!("{notation}, and so {reason}: write {}", text_of(&digest))
        }
        None => reason,
    })?;
    if is_placeholder(base64, &digest) {
        return Err("a placeholder, not the digest of any key".into());
    }
    Ok(digest)
}

fn text_of(digest: &[u8; 32]) -> String {
    STANDARD.encode(digest)
}

/// `AAAA…=`, `BBBB…=`, one byte repeated, and the digest of nothing, which a broken `openssl` pipe
/// prints: pins that are copied from documentation or mistakes and would never match.
fn is_placeholder(base64: &str, digest: &[u8; 32]) -> bool {
    // The last character before the padding carries only four bits, so it may differ.
    let text = base64.trim_end_matches('=').as_bytes();
    let one_character = text[..text.len() - 1].iter().all(|c| *c == text[0]);
    let one_byte = digest.iter().all(|b| *b == digest[0]);
    one_character || one_byte || *digest == <[u8; 32]>::from(Sha256::digest([]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIN: &str = "YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=";

    #[test]
    fn text_forms_round_trip() {
        for text in [format!("sha256/{PIN}"), format!("cert-sha256/{PIN}")] {
            assert_eq!(text.parse::<PinDigest>().expect("a pin").to_string(), text);
        }
    }

    #[test]
    fn everything_that_only_looks_like_a_pin_is_refused() {
        for (text, reason) in [
            ("", "begins with"),
            (PIN, "begins with"),
            ("sha1/2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "SHA-1"),
            ("SHA256/YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=", "begins with"),
            ("sha256/", "0 bytes"),
            ("sha256/AAAA", "3 bytes"),
            ("sha256/2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "SHA-1"),
            ("sha256/YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg", "not base64"),
            ("sha256/YLh1dUR9y6Kja30RrAn7JKnbQG_uEtLMkBgFF2Fuihg=", "not base64"),
            ("sha256/YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=\n", "not base64"),
            ("sha256/YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihh=", "not base64"),
            ("sha256/sha256/YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=", "prefix"),
            ("sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "placeholder"),
            ("sha256/BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=", "placeholder"),
            ("sha256///////////////////////////////////////////8=", "placeholder"),
            ("sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "placeholder"),
            ("sha256/\0", "not base64"),
        ] {
            let error = text.parse::<PinDigest>().expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn the_error_for_another_notation_says_how_to_write_it() {
        let hex: String =
            STANDARD.decode(PIN).expect("base64").iter().map(|b| format!("{b:02x}")).collect();
        let pairs: Vec<_> =
            hex.as_bytes().chunks(2).map(|b| str::from_utf8(b).expect("hex")).collect();
        for text in [
            hex.clone(),
            hex.to_uppercase(),
            pairs.join(":"),
            pairs.join(" "),
            format!("SHA2-256(stdin)= {hex}"),
            format!("SHA256(key.der)= {hex}\n"),
            format!("(stdin)= {hex}"),
            format!("{hex}  -"),
            format!("0x{hex}"),
            PIN.replace('+', "-").replace('/', "_"),
            PIN.trim_end_matches('=').to_owned(),
            PIN.replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned(),
            format!(" {PIN}\n"),
            format!("\"{PIN}\""),
            format!("pin-sha256=\"{PIN}\""),
            format!("pin-sha256=\"{PIN}\"; max-age=5184000"),
            format!("sha256//{PIN}"),
            format!("SHA256:{PIN}"),
            format!("sha256={PIN}"),
            format!("sha-256/{PIN}"),
            format!("SHA256/{PIN}"),
        ] {
            for error in [decode_digest(&text), text.parse::<PinDigest>().map(|_| [0; 32])] {
                let error = error.expect_err(&text);
                assert!(error.ends_with(PIN), "{text:?}: {error}");
            }
        }
        // Nothing is said to be right that would be refused.
        assert!(!decode_digest(&"00".repeat(32)).expect_err("zeros").contains("write"));
    }

    #[test]
    fn contents_hash_like_the_whole() {
        for n in [5_usize, 0x7f, 0x80, 0xff, 0x100, 0x1234] {
            let contents = vec![7; n];
            let mut whole = vec![0x30];
            match n {
                0..=0x7f => whole.push(n as u8),
                0x80..=0xff => whole.extend([0x81, n as u8]),
                _ => whole.extend([0x82, (n >> 8) as u8, n as u8]),
            }
            whole.extend(&contents);
            assert_eq!(SpkiSha256::of_spki_contents(&contents), SpkiSha256::of_spki(&whole));
        }
    }
}
