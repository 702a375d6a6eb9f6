//! A pin set as it is written, in JSON or in code, before any of it is believed.

use serde::{Deserialize, Serialize};

use super::limits::{MAX_ANCHORS, MAX_BLOCKED, MAX_HOSTS, MAX_PINS};
use crate::error::Error;
use crate::json::{self, MAX_INTEGER, Node};
use crate::rejection::Rejection;

/// Largest pin set, in bytes of JSON.
const MAX_BYTES: usize = 256 * 1024;

/// What to do when no pin matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLapse {
    /// The entry's trust without its pins: a forgotten renewal locks nobody out.
    #[default]
    SystemTrust,
    /// Refuse. A static pin set cannot say so.
    Block,
}

/// A whole pin set; see `pin-sets.md` for each member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PinSetSpec {
    /// Format version; 1.
    pub schema: u32,
    /// The pin set's own version, for errors and reports.
    pub version: Option<u64>,
    /// For people.
    pub note: Option<String>,
    /// What entries leave out.
    pub defaults: DefaultsSpec,
    /// Keys that no path may contain, for any host and whatever vouches for them: base64 SHA-256 of
    /// their SubjectPublicKeyInfo.
    pub blocked_spki: Vec<String>,
    /// The entries, at most one a host.
    pub hosts: Vec<HostSpec>,
}

/// What entries leave out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefaultsSpec {
    /// See [`Mode`].
    pub mode: Mode,
    /// See [`Trust`].
    pub trust: Trust,
    /// See [`OnLapse`].
    pub on_lapse: OnLapse,
}

/// The entry of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostSpec {
    /// The host's name or IP address.
    pub host: String,
    /// Whether the entry also covers every name below it, at any depth.
    pub include_subdomains: bool,
    /// Overrides the default.
    pub mode: Option<Mode>,
    /// The share of devices that `enforce`; 0 or 100 in a static pin set.
    pub enforce_percent: Option<u8>,
    /// Overrides the default.
    pub trust: Option<Trust>,
    /// Overrides the default.
    pub on_lapse: Option<OnLapse>,
    /// When the entry lapses, `YYYY-MM-DDTHH:MM:SSZ`.
    pub expires: Option<String>,
    /// The pins; two distinct ones at least under `enforce`.
    pub pins: Vec<PinSpec>,
    /// The authorities of `private_ca`, base64 DER.
    pub anchors: Vec<String>,
}

/// One pin: exactly one of `sha256` and `cert_sha256`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PinSpec {
    /// Base64 SHA-256 of a key's SubjectPublicKeyInfo.
    pub sha256: Option<String>,
    /// Base64 SHA-256 of a whole certificate.
    pub cert_sha256: Option<String>,
    /// See [`PinAt`].
    pub at: PinAt,
    /// See [`PinState`].
    pub state: PinState,
    /// For people.
    pub label: Option<String>,
    /// The pinned authority's certificate, base64 DER, where servers do not send it.
    pub cert: Option<String>,
}

impl PinSetSpec {
    /// Reads JSON strictly: unknown members, unknown values, duplicate keys and anything behind
    /// the document are errors that name the place.
    ///
    /// # Errors
    /// [`Error::InvalidPinSet`].
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        let value = json::parse(json, MAX_BYTES)?;
        Ok(Self::read(&Node::document(&value)?)?)
    }

    fn read(node: &Node<'_>) -> Result<Self, Rejection> {
        node.only(&["schema", "version", "note", "defaults", "blocked_spki", "hosts"])?;
        let version = node.optional("version")?;
        let defaults = node.optional("defaults")?;
        let host = |node: &Node<'_>| {
            node.only(HostSpec::MEMBERS)?;
            let pins = node.optional_list("pins", MAX_PINS)?;
            pins.iter().try_for_each(|pin| pin.only(PinSpec::MEMBERS))?;
            HostSpec::read(node)
        };
        Ok(Self {
            schema: node.required("schema")?.integer(0..=u32::MAX.into())? as u32,
            version: version.map(|n| n.integer(0..=MAX_INTEGER)).transpose()?,
            note: node.optional_text("note")?,
            defaults: match defaults {
                None => DefaultsSpec::default(),
                Some(node) => {
                    node.only(&["mode", "trust", "on_lapse"])?;
                    DefaultsSpec::read(&node)?
                }
            },
            blocked_spki: node.texts("blocked_spki", MAX_BLOCKED)?,
            hosts: node
                .required("hosts")?
                .list(MAX_HOSTS)?
                .iter()
                .map(host)
                .collect::<Result<_, _>>()?,
        })
    }
}

// Members with other names are skipped here: a signed document may hold those of later versions.

impl DefaultsSpec {
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, Rejection> {
        Ok(Self {
            mode: node.optional_word("mode")?.unwrap_or_default(),
            trust: node.optional_word("trust")?.unwrap_or_default(),
            on_lapse: node.optional_word("on_lapse")?.unwrap_or_default(),
        })
    }
}

impl HostSpec {
    const MEMBERS: &[&str] = &[
        "host",
        "include_subdomains",
        "mode",
        "enforce_percent",
        "trust",
        "on_lapse",
        "expires",
        "pins",
        "anchors",
    ];

    pub(crate) fn read(node: &Node<'_>) -> Result<Self, Rejection> {
        let percent = node.optional("enforce_percent")?;
        let pins = node.optional_list("pins", MAX_PINS)?;
        Ok(Self {
            host: node.required("host")?.text()?.to_owned(),
            include_subdomains: node
                .optional("include_subdomains")?
                .map_or(Ok(false), |flag| flag.flag())?,
            mode: node.optional_word("mode")?,
            enforce_percent: percent.map(|n| n.integer(0..=100)).transpose()?.map(|n| n as u8),
            trust: node.optional_word("trust")?,
            on_lapse: node.optional_word("on_lapse")?,
            expires: node.optional_text("expires")?,
            pins: pins.iter().map(PinSpec::read).collect::<Result<_, _>>()?,
            anchors: node.texts("anchors", MAX_ANCHORS)?,
        })
    }
}

impl PinSpec {
    const MEMBERS: &[&str] = &["sha256", "cert_sha256", "at", "state", "label", "cert"];

    fn read(node: &Node<'_>) -> Result<Self, Rejection> {
        Ok(Self {
            sha256: node.optional_text("sha256")?,
            cert_sha256: node.optional_text("cert_sha256")?,
            at: node.optional_word("at")?.unwrap_or_default(),
            state: node.optional_word("state")?.unwrap_or_default(),
            label: node.optional_text("label")?,
            cert: node.optional_text("cert")?,
        })
    }
}
