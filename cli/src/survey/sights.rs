//! The file of what servers presented the last time.

use std::collections::BTreeMap;

use pinfold_core::{format_rfc3339_utc, parse_rfc3339_utc};
use serde_json::{Value, json};

/// The version of the file's form.
const FORM: u64 = 1;

/// What was presented, by `HOST:PORT`.
pub(crate) type Sights = BTreeMap<String, Sight>;

/// What a server presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    /// In seconds since 1970.
    pub(crate) at: u64,
    /// The pins of the keys, end-entity first.
    pub(crate) keys: Vec<String>,
    /// The last second of the end-entity.
    pub(crate) until: u64,
}

/// Reads it; nothing where it is something else.
pub(crate) fn of(json: &Value) -> Option<Sights> {
    if json["seen"].as_u64() != Some(FORM) {
        return None;
    }
    let servers = json["servers"].as_object()?.iter();
    let sight = |(target, value): (&String, &Value)| {
        let keys = value["keys"].as_array()?.iter();
        let keys = keys.map(|key| key.as_str().map(str::to_owned)).collect::<Option<_>>()?;
        let time = |member: &str| parse_rfc3339_utc(value[member].as_str()?);
        Some((target.clone(), Sight { at: time("at")?, keys, until: time("until")? }))
    };
    servers.map(sight).collect()
}

pub(crate) fn to_json(sights: &Sights) -> Value {
    let servers = sights.iter().map(|(target, sight)| {
        let [at, until] = [sight.at, sight.until].map(format_rfc3339_utc);
        (target.clone(), json!({ "at": at, "keys": sight.keys, "until": until }))
    });
    json!({ "seen": FORM, "servers": servers.collect::<serde_json::Map<_, _>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_back_and_nothing_else_is() {
        let sight = Sight { at: 86_400, keys: vec!["sha256/x".into()], until: 172_800 };
        let seen = BTreeMap::from([("a:443".to_owned(), sight)]);
        assert_eq!(of(&to_json(&seen)), Some(seen));
        for wrong in [
            json!({}),
            json!({ "seen": 2, "servers": {} }),
            json!({ "seen": 1, "servers": { "a": {} } }),
            json!({ "seen": 1, "servers": { "a": { "at": "x", "keys": [], "until": "x" } } }),
        ] {
            assert_eq!(of(&wrong), None, "{wrong}");
        }
    }
}
