//! What the store holds: a line of JSON about the device, then the bundle.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::pinset::Bundle;
use crate::rejection::Rejection;

/// How many looks may be forced within a day.
pub(super) const FORCED_A_DAY: usize = 20;
/// More failures than lead to the longest pause.
pub(super) const MAX_FAILURES: u32 = 10;

/// The SHA-256 of a bundle as it was published, which is what servers are asked with: unlike an
/// `ETag` of theirs it is the same on every device, and no server can choose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(published: &[u8]) -> Self {
        Self(Sha256::digest(published).into())
    }

    /// Reads 64 hexadecimal digits.
    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a device keeps about its pin set. None of it is secret, and none leaves the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Decides the share of a gradual rollout that this device belongs to.
    pub(super) install_id: [u8; 16],
    /// Of the published bytes that made the document; none where it is the embedded one.
    pub(super) digest: Option<Digest>,
    /// When a server last said what is newest, in seconds since 1970, as are the others.
    pub(super) checked: Option<u64>,
    /// When a look last ended, and when the next is due.
    pub(super) tried: Option<u64>,
    pub(super) due: Option<u64>,
    /// How many looks in a row nobody has answered.
    pub(super) failures: u32,
    /// At which of the URLs the next look begins.
    pub(super) begin: u64,
    /// How many looks were forced on the day before the last of them, and when that was.
    pub(super) forced: usize,
    pub(super) forced_last: Option<u64>,
}

impl Kept {
    /// Of a device that has just begun.
    pub(super) fn new() -> Result<Self, String> {
        let mut install_id = [0; 16];
        let random = SystemRandom::new().fill(&mut install_id);
        random.map_err(|_| "the system has no randomness".to_owned())?;
        Ok(Self::of(install_id))
    }

    pub(super) fn of(install_id: [u8; 16]) -> Self {
        Self {
            install_id,
            digest: None,
            checked: None,
            tried: None,
            due: None,
            failures: 0,
            begin: 0,
            forced: 0,
            forced_last: None,
        }
    }

    /// What is stored. Earlier versions read `install_id` and `checked` of it, and would send an
    /// `etag`.
    pub(super) fn with(&self, bundle: &Bundle) -> Vec<u8> {
        let line = json!({
            "install_id": STANDARD.encode(self.install_id),
            "digest": self.digest.map(|digest| digest.to_string()),
            "checked": self.checked,
            "tried": self.tried,
            "due": self.due,
            "failures": self.failures,
            "begin": self.begin,
            "forced": self.forced,
            "forced_last": self.forced_last,
        });
        let mut content = line.to_string().into_bytes();
        content.push(b'\n');
        content.extend(bundle.to_json());
        content
    }

    /// Reads both; the bundle is believed no more than a download.
    pub(super) fn parse(content: &[u8]) -> Result<(Self, Bundle), Rejection> {
        let (kept, bundle) = Self::split(content)?;
        Ok((kept, Bundle::parse_stored(bundle)?))
    }

    /// Reads what is about the device, whatever the rest may be.
    pub(super) fn parse_device(content: &[u8]) -> Result<Self, Rejection> {
        Self::split(content).map(|(kept, _)| kept)
    }

    fn split(content: &[u8]) -> Result<(Self, &[u8]), Rejection> {
        let broken = |reason: &str| Rejection::malformed("store", reason);
        let end =
            content.iter().position(|byte| *byte == b'\n').ok_or_else(|| broken("no line"))?;
        let (line, bundle) = (&content[..end], &content[end + 1..]);
        let line: Value = serde_json::from_slice(line).map_err(|e| broken(&e.to_string()))?;
        let install_id = line["install_id"].as_str().and_then(|id| STANDARD.decode(id).ok());
        let install_id = install_id.and_then(|id| id.try_into().ok());
        let install_id = install_id.ok_or_else(|| broken("no install_id"))?;
        let number = |name: &str| line[name].as_u64();
        let kept = Self {
            // A version of old kept an `etag`: a server's word, which could freeze it for good.
            digest: line["digest"].as_str().and_then(Digest::parse),
            checked: number("checked"),
            tried: number("tried"),
            due: number("due"),
            failures: number("failures").map_or(0, |n| n.min(u64::from(MAX_FAILURES)) as u32),
            begin: number("begin").unwrap_or(0),
            forced: number("forced").map_or(0, |n| n.min(FORCED_A_DAY as u64) as usize),
            forced_last: number("forced_last"),
            ..Self::of(install_id)
        };
        Ok((kept, bundle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> Bundle {
        let golden = include_bytes!("../../tests/data/pinset/golden/bundle.json");
        Bundle::parse(golden).expect("the golden bundle")
    }

    /// What version 0.1 looks at, and how: an app that goes back to it keeps its share of a rollout.
    #[test]
    fn an_earlier_version_reads_what_this_one_writes() {
        let mut kept = Kept::new().expect("randomness");
        kept.digest = Some(Digest::of(b"a bundle"));
        kept.checked = Some(1_796_048_964);
        let content = kept.with(&bundle());
        let end = content.iter().position(|byte| *byte == b'\n').expect("a line");
        let line: Value = serde_json::from_slice(&content[..end]).expect("JSON");
        let id = line["install_id"].as_str().and_then(|id| STANDARD.decode(id).ok());
        assert_eq!(id.as_deref(), Some(&kept.install_id[..]));
        assert_eq!(line["etag"].as_str(), None, "nothing that it would send");
        assert_eq!(line["checked"].as_u64(), kept.checked);
        assert_eq!(Bundle::parse_stored(&content[end + 1..]), Ok(bundle()));
    }

    #[test]
    fn what_is_written_is_read_as_itself() {
        let kept = Kept {
            install_id: [7; 16],
            digest: Some(Digest::of(b"a bundle")),
            checked: Some(1),
            tried: Some(2),
            due: Some(3),
            failures: 4,
            begin: 5,
            forced: 6,
            forced_last: Some(7),
        };
        assert_eq!(Kept::parse(&kept.with(&bundle())), Ok((kept, bundle())));
    }

    #[test]
    fn the_device_is_found_in_what_an_earlier_version_wrote() {
        let old = include_bytes!("../../tests/data/pinset/golden/store-0.1");
        let (kept, _) = Kept::parse(&old[40..]).expect("readable");
        assert_eq!(STANDARD.encode(kept.install_id), "ziksuUt1kwsYKxiw0jcm2Q==");
        assert_eq!((kept.digest, kept.checked), (None, Some(1_796_048_964)), "no etag");
    }

    #[test]
    fn a_digest_is_64_hexadecimal_digits_or_none() {
        let digest = Digest::of(b"a bundle");
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        for bad in ["", "*", &"+1".repeat(32), &"0".repeat(63), &"\u{e9}".repeat(32)] {
            assert_eq!(Digest::parse(bad), None, "{bad}");
        }
    }
}
