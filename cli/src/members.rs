//! Members that no reader knows, in what owners write.
//!
//! Readers on phones ignore them, because a later version may know more. An owner who misspells
//! `mode` would switch off what it says, in silence; so whoever writes documents is held to the
//! members that there are. Which these are, the JSON Schemas of `docs/schema` say.

use std::sync::LazyLock;

use serde_json::Value;

use crate::failure::Failure;
use crate::terminal;
use pinfold_core::pinset::{Cause, Rejection};

/// No member has a longer name: what has may be a key, and is not told.
const MAX_NAME: usize = 24;

/// What a file or a part of it is meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Bundle,
    Embedded,
    Envelope,
    PinSet,
    Root,
    StaticPinSet,
}

/// A member that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    place: String,
    nearest: Option<String>,
}

static SCHEMAS: LazyLock<[(&str, Value); 6]> = LazyLock::new(|| {
    [
        ("bundle.schema.json", include_str!("../../docs/schema/bundle.schema.json")),
        ("embedded.schema.json", include_str!("../../docs/schema/embedded.schema.json")),
        ("envelope.schema.json", include_str!("../../docs/schema/envelope.schema.json")),
        ("pinset.schema.json", include_str!("../../docs/schema/pinset.schema.json")),
        ("root.schema.json", include_str!("../../docs/schema/root.schema.json")),
        ("static.schema.json", include_str!("../../docs/schema/static.schema.json")),
    ]
    .map(|(name, text)| (name, serde_json::from_str(text).expect("the tests read it")))
});

impl Shape {
    fn schema(self) -> Schema {
        let [bundle, embedded, envelope, pinset, root, fixed] = &*SCHEMAS;
        let (file, value) = match self {
            Self::Bundle => bundle,
            Self::Embedded => embedded,
            Self::Envelope => envelope,
            Self::PinSet => pinset,
            Self::Root => root,
            Self::StaticPinSet => fixed,
        };
        Schema { file, value }
    }
}

/// The members of `value` that its shape does not have, at any depth. What `crit` names is left to
/// the readers, which refuse what they do not know of it.
pub(crate) fn unknown(shape: Shape, value: &Value) -> Vec<Unknown> {
    let mut found = Vec::new();
    walk(&[shape.schema()], value, "", &mut found);
    let crit = value["crit"].as_array().cloned().unwrap_or_default();
    found.retain(|unknown| !crit.iter().any(|name| name == unknown.place.as_str()));
    found
}

/// Refuses a file with such members; `within` is where the value lies in the file.
pub(crate) fn expect_known(
    path: &str,
    within: &str,
    shape: Shape,
    value: &Value,
) -> Result<(), Failure> {
    let unknown = unknown(shape, value);
    let Some((first, others)) = unknown.split_first() else { return Ok(()) };
    let mut reason = format!("no such member{}", first.hint());
    for other in others {
        reason += &format!("; nor {}{}", other.place(within), other.hint());
    }
    let place = first.place(within);
    Err(Failure::rejected(path, Rejection { cause: Cause::Malformed, place, reason }))
}

/// The same of what is in the field already, where nothing can be mended.
pub(crate) fn warn_unknown(path: &str, within: &str, shape: Shape, value: &Value) {
    for unknown in unknown(shape, value) {
        let place = unknown.place(within);
        terminal::warn(&format!("{path}: {place}: no such member{}", unknown.hint()));
    }
}

impl Unknown {
    fn place(&self, within: &str) -> String {
        match within {
            "" => self.place.clone(),
            within => format!("{within}.{}", self.place),
        }
    }

    fn hint(&self) -> String {
        self.nearest.as_ref().map_or_else(String::new, |name| format!(", the nearest is {name:?}"))
    }
}

/// A part of one of the schemas.
#[derive(Clone, Copy)]
struct Schema {
    file: &'static str,
    value: &'static Value,
}

impl Schema {
    fn at(self, name: &str) -> Option<Self> {
        self.value.get(name).map(|value| Self { value, ..self })
    }

    /// What it refers to, such as `root.schema.json#/$defs/time`.
    fn referred(self) -> Option<Self> {
        let (file, pointer) = match self.value.get("$ref")?.as_str()?.split_once('#') {
            Some(("", pointer)) => (self.file, pointer),
            Some(parts) => parts,
            None => (self.value.get("$ref")?.as_str()?, ""),
        };
        let (file, whole) = SCHEMAS.iter().find(|(name, _)| *name == file)?;
        Some(Self { file, value: whole.pointer(pointer)? })
    }
}

/// A schema, and all that it refers to.
fn with_references(schemas: &[Schema]) -> Vec<Schema> {
    let mut all = schemas.to_vec();
    let mut next = 0;
    while let Some(schema) = all.get(next) {
        all.extend(schema.referred());
        next += 1;
    }
    all
}

fn walk(schemas: &[Schema], value: &Value, place: &str, found: &mut Vec<Unknown>) {
    let schemas = with_references(schemas);
    match value {
        Value::Object(members) => {
            let lists: Vec<_> =
                schemas.iter().filter_map(|schema| schema.at("properties")).collect();
            if lists.is_empty() {
                return;
            }
            let known = || {
                lists.iter().filter_map(|list| list.value.as_object()).flat_map(|list| list.keys())
            };
            for (name, value) in members {
                let below: Vec<_> = lists.iter().filter_map(|list| list.at(name)).collect();
                let place = join(place, name);
                if below.is_empty() {
                    found.push(Unknown { place, nearest: nearest(name, known()) });
                } else {
                    walk(&below, value, &place, found);
                }
            }
        }
        Value::Array(items) => {
            let below: Vec<_> = schemas.iter().filter_map(|schema| schema.at("items")).collect();
            for (i, value) in items.iter().enumerate() {
                walk(&below, value, &format!("{place}[{i}]"), found);
            }
        }
        _ => {}
    }
}

fn join(place: &str, name: &str) -> String {
    let is_word = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    let name = if is_word && name.len() <= MAX_NAME { name } else { "…" };
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

/// The known name that takes the fewest edits.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> Option<String> {
    known.min_by_key(|known| edits(&plain(name), &plain(known))).cloned()
}

/// `includeSubdomains` and `include-subdomains` are `include_subdomains`.
fn plain(name: &str) -> Vec<char> {
    let letters = name.chars().filter(|c| c.is_alphanumeric()).take(MAX_NAME);
    letters.flat_map(char::to_lowercase).collect()
}

/// How many letters to insert, remove, replace, or swap with their neighbour (optimal string
/// alignment), in halves: what is only left out, as in `pct`, counts half.
fn edits(written: &[char], known: &[char]) -> usize {
    let mut rows = vec![(0..=known.len()).collect::<Vec<_>>()];
    for (i, a) in written.iter().enumerate() {
        let mut row = vec![(i + 1) * 2];
        for (j, b) in known.iter().enumerate() {
            let same = usize::from(a != b) * 2;
            let mut best = (rows[i][j] + same).min(rows[i][j + 1] + 2).min(row[j] + 1);
            if i > 0 && j > 0 && *a == known[j - 1] && written[i - 1] == *b {
                best = best.min(rows[i - 1][j - 1] + 2);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[written.len()][known.len()]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(shape: Shape, value: Value) -> Vec<(String, String)> {
        let found = unknown(shape, &value).into_iter();
        found.map(|unknown| (unknown.place, unknown.nearest.unwrap_or_default())).collect()
    }

    #[test]
    fn the_nearest_known_member_is_named_at_any_depth() {
        for (written, place, nearest) in [
            (json!({ "hosts": [{ "mdoe": 1 }] }), "hosts[0].mdoe", "mode"),
            (
                json!({ "hosts": [{}, { "enforce_pct": 1 }] }),
                "hosts[1].enforce_pct",
                "enforce_percent",
            ),
            (
                json!({ "hosts": [{ "includeSubdomains": 1 }] }),
                "hosts[0].includeSubdomains",
                "include_subdomains",
            ),
            (json!({ "hosts": [{ "onlapse": 1 }] }), "hosts[0].onlapse", "on_lapse"),
            (
                json!({ "hosts": [{ "pins": [{ "sha265": 1 }] }] }),
                "hosts[0].pins[0].sha265",
                "sha256",
            ),
            (json!({ "hosts": [{ "pins": [{ "sate": 1 }] }] }), "hosts[0].pins[0].sate", "state"),
            (json!({ "blocked_spkis": [] }), "blocked_spkis", "blocked_spki"),
            (json!({ "updates": {} }), "updates", "update"),
            (json!({ "update": { "url": [] } }), "update.url", "urls"),
            (json!({ "default": {} }), "default", "defaults"),
            (json!({ "defaults": { "on_laps": 1 } }), "defaults.on_laps", "on_lapse"),
            (
                json!({ "inspection_authorities": [{ "require": { "managed": 1 } }] }),
                "inspection_authorities[0].require.managed",
                "managed_config",
            ),
            (json!({ "reporting": { "sample": 1 } }), "reporting.sample", "sample_percent"),
        ] {
            let expected = vec![(place.to_owned(), nearest.to_owned())];
            assert_eq!(names(Shape::PinSet, written), expected);
        }
        let root = json!({ "constraint": {}, "roles": { "root": { "treshold": 1 } } });
        assert_eq!(names(Shape::Root, root).len(), 2);
        let envelope = json!({ "signatures": [{ "keyId": 1 }], "payloadtype": 1 });
        assert_eq!(names(Shape::Envelope, envelope).len(), 2);
        let bundle = json!({ "roots": [{ "signature": 1 }], "pinset": { "payloads": 1 } });
        assert_eq!(names(Shape::Bundle, bundle).len(), 2);
        let fixed = json!({ "hosts": [{ "pins": [{ "stat": 1 }] }], "stream": "s" });
        assert_eq!(names(Shape::StaticPinSet, fixed).len(), 2);
    }

    #[test]
    fn what_crit_names_is_left_to_the_readers() {
        let value = json!({ "crit": ["later"], "later": 1, "hosts": [{ "later": 1 }] });
        assert_eq!(names(Shape::PinSet, value).len(), 1);
    }
}
