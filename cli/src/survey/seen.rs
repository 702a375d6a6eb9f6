//! What servers presented the last time: a file, so that the next look can say what has changed.

use std::collections::BTreeMap;

use pinfold_core::format_rfc3339_utc;
use serde_json::{Value, json};

use super::server::Answer;
use crate::failure::Failure;
use crate::file::File;
use crate::{output, when};

/// The version of the file's form.
const FORM: u64 = 1;

/// What was presented, by `HOST:PORT`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen(BTreeMap<String, Sight>);

/// What a server presented.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sight {
    /// In seconds since 1970.
    at: u64,
    /// The pins of the keys, end-entity first.
    keys: Vec<String>,
    /// The last second of the end-entity.
    until: u64,
}

/// What has changed since the last time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// When that was.
    pub(crate) since: u64,
    /// Whether the end-entity has another key.
    pub(crate) leaf: bool,
    /// Pins of authorities that were not there.
    pub(crate) issuers: Vec<String>,
}

impl Seen {
    /// Reads the file; one that is not there yet is empty.
    pub(crate) fn read(path: &str) -> Result<Self, Failure> {
        if !std::path::Path::new(path).exists() {
            return Ok(Self::default());
        }
        let file = File::read(path)?;
        let json = file.json()?;
        Self::of(&json).ok_or_else(|| file.wrong("not what --seen has written"))
    }

    fn of(json: &Value) -> Option<Self> {
        if json["seen"].as_u64() != Some(FORM) {
            return None;
        }
        let servers = json["servers"].as_object()?.iter();
        let sight = |(target, value): (&String, &Value)| {
            let keys = value["keys"].as_array()?.iter();
            let keys = keys.map(|key| key.as_str().map(str::to_owned)).collect::<Option<_>>()?;
            let time = |member: &str| when::time(value[member].as_str()?);
            Some((target.clone(), Sight { at: time("at")?, keys, until: time("until")? }))
        };
        servers.map(sight).collect::<Option<_>>().map(Self)
    }

    fn to_json(&self) -> Value {
        let servers = self.0.iter().map(|(target, sight)| {
            let [at, until] = [sight.at, sight.until].map(format_rfc3339_utc);
            (target.clone(), json!({ "at": at, "keys": sight.keys, "until": until }))
        });
        json!({ "seen": FORM, "servers": servers.collect::<serde_json::Map<_, _>>() })
    }

    /// Writes the file, whole or not at all.
    pub(crate) fn write(&self, path: &str) -> Result<(), Failure> {
        output::write_file(path, format!("{:#}\n", self.to_json()).as_bytes())
    }

    /// What has changed since the last time, where there was one.
    pub(crate) fn difference(&self, target: &str, answer: &Answer) -> Option<Difference> {
        let before = self.0.get(target)?;
        let keys: Vec<_> = answer.keys().map(|key| key.to_string()).collect();
        let new = keys.iter().skip(1).filter(|key| !before.keys.contains(key));
        let difference = Difference {
            since: before.at,
            leaf: keys.first() != before.keys.first(),
            issuers: new.cloned().collect(),
        };
        (difference.leaf || !difference.issuers.is_empty()).then_some(difference)
    }

    /// Keeps what is presented now.
    pub(crate) fn keep(&mut self, target: &str, answer: &Answer, at: u64) {
        let keys = answer.keys().map(|key| key.to_string()).collect();
        let until = answer.leaf().map_or(0, |leaf| leaf.not_after);
        self.0.insert(target.to_owned(), Sight { at, keys, until });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_back_and_nothing_else_is() {
        let sight = Sight { at: 86_400, keys: vec!["sha256/x".into()], until: 172_800 };
        let seen = Seen(BTreeMap::from([("a:443".to_owned(), sight)]));
        assert_eq!(Seen::of(&seen.to_json()), Some(seen));
        for wrong in [
            json!({}),
            json!({ "seen": 2, "servers": {} }),
            json!({ "seen": 1, "servers": { "a": {} } }),
            json!({ "seen": 1, "servers": { "a": { "at": "x", "keys": [], "until": "x" } } }),
        ] {
            assert_eq!(Seen::of(&wrong), None, "{wrong}");
        }
    }
}
