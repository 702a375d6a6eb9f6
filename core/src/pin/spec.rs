//! A pin set as it is written, in JSON or in code, before any of it is believed.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Largest pin set, in bytes of JSON.
const MAX_BYTES: usize = 256 * 1024;

/// What to do when no pin matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Refuse the connection.
    #[default]
    Enforce,
    /// Use it, and say so.
    ReportOnly,
    /// Do not look at pins at all.
    Off,
}

/// What makes a certificate trusted before pins are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// The system's authorities, and a pin.
    #[default]
    SystemAndPin,
    /// The entry's own authorities (`anchors`) and no others, and a pin.
    PrivateCa,
    /// A pin of the end-entity alone, for self-signed servers. The handshake's signature, the host
    /// name and the validity are still checked.
    PinOnly,
}

/// Where on the verified path a pin may match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinAt {
    /// The end-entity certificate only.
    Leaf,
    /// An intermediate or the root only.
    Ca,
    /// Anywhere.
    #[default]
    Any,
}

/// Where in its life a pin is. Each of them matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinState {
    /// In use.
    #[default]
    Active,
    /// Kept ready, on no server yet.
    Backup,
    /// On its way out: a match tells that removal would be too early.
    Retiring,
}

/// What decides once an entry's `expires` has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLapse {
    /// The entry's trust without its pins: a forgotten renewal locks nobody out.
    #[default]
    SystemTrust,
    /// Refuse. It takes effect only where the app's own configuration allows it.
    Block,
}

/// A whole pin set; see `pin-sets.md` for each member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinSetSpec {
    /// Format version; 1.
    pub schema: u32,
    /// The pin set's own version, for errors and reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What entries leave out.
    #[serde(default)]
    pub defaults: DefaultsSpec,
    /// The entries, at most one a host.
    pub hosts: Vec<HostSpec>,
}

/// What entries leave out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultsSpec {
    /// See [`Mode`].
    #[serde(default)]
    pub mode: Mode,
    /// See [`Trust`].
    #[serde(default)]
    pub trust: Trust,
    /// See [`OnLapse`].
    #[serde(default)]
    pub on_lapse: OnLapse,
}

/// The entry of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostSpec {
    /// The host's name or IP address.
    pub host: String,
    /// Whether the entry also covers every name below it, at any depth.
    #[serde(default)]
    pub include_subdomains: bool,
    /// Overrides the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The share of devices that `enforce`; 0 or 100 in a static pin set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforce_percent: Option<u8>,
    /// Overrides the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<Trust>,
    /// Overrides the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_lapse: Option<OnLapse>,
    /// When the entry lapses, `YYYY-MM-DDTHH:MM:SSZ`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// The pins; two distinct ones at least under `enforce`.
    #[serde(default)]
    pub pins: Vec<PinSpec>,
    /// The authorities of `private_ca`, base64 DER.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anchors: Vec<String>,
}

/// One pin: exactly one of `sha256` and `cert_sha256`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinSpec {
    /// Base64 SHA-256 of a key's SubjectPublicKeyInfo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Base64 SHA-256 of a whole certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_sha256: Option<String>,
    /// See [`PinAt`].
    #[serde(default)]
    pub at: PinAt,
    /// See [`PinState`].
    #[serde(default)]
    pub state: PinState,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The pinned authority's certificate, base64 DER, where servers do not send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<String>,
}

impl PinSetSpec {
    /// Reads JSON strictly: unknown members, unknown values, duplicate keys and anything behind
    /// the document are errors that name the place.
    ///
    /// # Errors
    /// [`Error::InvalidPinSet`].
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        if json.len() > MAX_BYTES {
            let reason = format!("{} bytes where {MAX_BYTES} are allowed", json.len());
            return Err(Error::pin_set("document", reason));
        }
        if json.starts_with(b"\xef\xbb\xbf") {
            return Err(Error::pin_set("document", "begins with a byte order mark"));
        }
        let mut reader = serde_json::Deserializer::from_slice(json);
        let spec: Self = serde_path_to_error::deserialize(&mut reader).map_err(|e| {
            let place = match e.path().to_string() {
                // What serde_path_to_error says of the whole, and of a place before it knows one.
                path if path == "." || path == "?" => "document".to_owned(),
                path => path,
            };
            Error::pin_set(place, e.inner().to_string())
        })?;
        reader.end().map_err(|e| Error::pin_set("document", e.to_string()))?;
        Ok(spec)
    }
}
