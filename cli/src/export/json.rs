//! `ssl_config.json` of react-native-ssl-manager, with what it says of each domain.

use pinfold_core::format_rfc3339_utc;
use serde_json::{Map, Value, json};

use super::plan::Plan;
use super::{base64, comments};
use crate::view::View;

pub(super) fn ssl_manager(view: &View, plan: &Plan) -> String {
    let (mut keys, mut domains) = (Map::new(), Map::new());
    for entry in &plan.entries {
        let pins = entry.pins.iter().flatten().map(|pin| format!("sha256/{}", base64(pin)));
        keys.insert(entry.host.to_string(), pins.collect());
        let mut domain = json!({
            "enforcePinning": entry.enforce,
            "includeSubdomains": entry.include_subdomains,
        });
        if let Some(at) = entry.expires {
            // The day that is named is the last one, to its end in UTC.
            let last = format_rfc3339_utc(at.saturating_sub(1));
            domain["expirationDate"] = json!(last[..10]);
        }
        domains.insert(entry.host.to_string(), domain);
    }
    let value: Value =
        json!({ "//": comments(view, plan), "sha256Keys": keys, "domains": domains });
    format!("{value:#}\n")
}
