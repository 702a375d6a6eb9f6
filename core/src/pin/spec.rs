//! A pin set as it is written, in JSON or in code, before any of it is believed.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::Error;

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
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinSetSpec {
    /// Format version; 1.
    pub schema: u32,
    /// The pin set's own version, for errors and reports.
    #[serde(default, deserialize_with = "some")]
    pub version: Option<u64>,
    /// For people.
    #[serde(default, deserialize_with = "some")]
    pub note: Option<String>,
    /// What entries leave out.
    #[serde(default, deserialize_with = "object")]
    pub defaults: DefaultsSpec,
    /// Keys that no path may contain, for any host and whatever vouches for them: base64 SHA-256 of
    /// their SubjectPublicKeyInfo.
    #[serde(default)]
    pub blocked_spki: Vec<String>,
    /// The entries, at most one a host.
    #[serde(deserialize_with = "objects")]
    pub hosts: Vec<HostSpec>,
}

/// What entries leave out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultsSpec {
    /// See [`Mode`].
    #[serde(default, deserialize_with = "word")]
    pub mode: Mode,
    /// See [`Trust`].
    #[serde(default, deserialize_with = "word")]
    pub trust: Trust,
    /// See [`OnLapse`].
    #[serde(default, deserialize_with = "word")]
    pub on_lapse: OnLapse,
}

/// The entry of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostSpec {
    /// The host's name or IP address.
    pub host: String,
    /// Whether the entry also covers every name below it, at any depth.
    #[serde(default)]
    pub include_subdomains: bool,
    /// Overrides the default.
    #[serde(default, deserialize_with = "some_word")]
    pub mode: Option<Mode>,
    /// The share of devices that `enforce`; 0 or 100 in a static pin set.
    #[serde(default, deserialize_with = "some")]
    pub enforce_percent: Option<u8>,
    /// Overrides the default.
    #[serde(default, deserialize_with = "some_word")]
    pub trust: Option<Trust>,
    /// Overrides the default.
    #[serde(default, deserialize_with = "some_word")]
    pub on_lapse: Option<OnLapse>,
    /// When the entry lapses, `YYYY-MM-DDTHH:MM:SSZ`.
    #[serde(default, deserialize_with = "some")]
    pub expires: Option<String>,
    /// The pins; two distinct ones at least under `enforce`.
    #[serde(default, deserialize_with = "objects")]
    pub pins: Vec<PinSpec>,
    /// The authorities of `private_ca`, base64 DER.
    #[serde(default)]
    pub anchors: Vec<String>,
}

/// One pin: exactly one of `sha256` and `cert_sha256`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinSpec {
    /// Base64 SHA-256 of a key's SubjectPublicKeyInfo.
    #[serde(default, deserialize_with = "some")]
    pub sha256: Option<String>,
    /// Base64 SHA-256 of a whole certificate.
    #[serde(default, deserialize_with = "some")]
    pub cert_sha256: Option<String>,
    /// See [`PinAt`].
    #[serde(default, deserialize_with = "word")]
    pub at: PinAt,
    /// See [`PinState`].
    #[serde(default, deserialize_with = "word")]
    pub state: PinState,
    /// For people.
    #[serde(default, deserialize_with = "some")]
    pub label: Option<String>,
    /// The pinned authority's certificate, base64 DER, where servers do not send it.
    #[serde(default, deserialize_with = "some")]
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
        let read: Result<Object<Self>, _> = serde_path_to_error::deserialize(&mut reader);
        let Object(spec) = read.map_err(|e| {
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

/// A struct that is written as an object. serde's own would also read an array of its members.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyMap<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMap<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(OnlyMap(PhantomData))
    }
}

fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(d: D) -> Result<T, D::Error> {
    Object::deserialize(d).map(|Object(value)| value)
}

fn objects<'de, T: Deserialize<'de>, D: Deserializer<'de>>(d: D) -> Result<Vec<T>, D::Error> {
    let list = Vec::<Object<T>>::deserialize(d)?;
    Ok(list.into_iter().map(|Object(value)| value).collect())
}

/// An enum that is written as a string. serde's own would also read `{"off": null}`.
fn word<'de, T: Deserialize<'de>, D: Deserializer<'de>>(d: D) -> Result<T, D::Error> {
    T::deserialize(String::deserialize(d)?.into_deserializer())
}

fn some_word<'de, T: Deserialize<'de>, D: Deserializer<'de>>(d: D) -> Result<Option<T>, D::Error> {
    word(d).map(Some)
}

/// A member that may be absent, but is not null where it is there.
fn some<'de, T: Deserialize<'de>, D: Deserializer<'de>>(d: D) -> Result<Option<T>, D::Error> {
    T::deserialize(d).map(Some)
}
