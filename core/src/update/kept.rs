//! What the store holds: a line of JSON about the device, then the bundle.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};

use crate::pinset::Bundle;
use crate::rejection::Rejection;

/// What a device keeps about its pin set. None of it is secret, and none leaves the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Decides the share of a gradual rollout that this device belongs to.
    pub(super) install_id: [u8; 16],
    /// Of the document, as the server named it.
    pub(super) etag: Option<String>,
    /// When a server last said what is newest, in seconds since 1970.
    pub(super) checked: Option<u64>,
}

impl Kept {
    /// Of a device that has just begun.
    pub(super) fn new() -> Result<Self, String> {
        let mut install_id = [0; 16];
        let random = SystemRandom::new().fill(&mut install_id);
        random.map_err(|_| "the system has no randomness".to_owned())?;
        Ok(Self { install_id, etag: None, checked: None })
    }

    pub(super) fn with(&self, bundle: &Bundle) -> Vec<u8> {
        let line = json!({
            "install_id": STANDARD.encode(self.install_id),
            "etag": self.etag,
            "checked": self.checked,
        });
        let mut content = line.to_string().into_bytes();
        content.push(b'\n');
        content.extend(bundle.to_json());
        content
    }

    /// Reads both; the bundle is believed no more than a download.
    pub(super) fn parse(content: &[u8]) -> Result<(Self, Bundle), Rejection> {
        let broken = |reason: &str| Rejection::malformed("store", reason);
        let end =
            content.iter().position(|byte| *byte == b'\n').ok_or_else(|| broken("no line"))?;
        let (line, bundle) = (&content[..end], &content[end + 1..]);
        let line: Value = serde_json::from_slice(line).map_err(|e| broken(&e.to_string()))?;
        let install_id = line["install_id"].as_str().and_then(|id| STANDARD.decode(id).ok());
        let install_id = install_id.and_then(|id| id.try_into().ok());
        let install_id = install_id.ok_or_else(|| broken("no install_id"))?;
        let kept = Self {
            install_id,
            etag: line["etag"].as_str().map(str::to_owned),
            checked: line["checked"].as_u64(),
        };
        Ok((kept, Bundle::parse_stored(bundle)?))
    }
}
