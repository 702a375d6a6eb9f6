//! `ssl_config.json` of react-native-ssl-manager, with and without what it says of each domain.

use pinfold_core::pin::{Mode, PinAt};
use serde_json::Value;

use super::entries::{Import, Pattern, Reach, day, from_union};
use crate::failure::Failure;

const DAY: u64 = 86_400;

pub(super) fn read(path: &str, text: &str, import: &mut Import) -> Result<(), Failure> {
    let json: Value = serde_json::from_str(text).map_err(|_| Failure::input(path, "not JSON"))?;
    let keys = json["sha256Keys"].as_object();
    let keys = keys.ok_or_else(|| Failure::input(path, "no \"sha256Keys\" in it"))?;
    for name in json.as_object().into_iter().flat_map(|members| members.keys()) {
        let known = ["sha256Keys", "domains", "enforcePinning", "expiration", "//"];
        if !known.contains(&name.as_str()) {
            import.leave(path, format!("{name:?} is not carried over"));
        }
    }
    let mut patterns = Vec::new();
    for (name, pins) in keys {
        let place = format!("{path}: {name}");
        let Some(host) = import.host(&place, name) else { continue };
        let texts = pins.as_array().into_iter().flatten().filter_map(Value::as_str);
        let pins = import.pins(&place, texts, PinAt::Any);
        let options = &json["domains"][name];
        // Version 1 says it once for all.
        let option = |name: &str, older: &str| {
            options.get(name).or_else(|| json.get(older)).cloned().unwrap_or_default()
        };
        let enforce = option("enforcePinning", "enforcePinning").as_bool().unwrap_or(true);
        let expires = option("expirationDate", "expiration");
        let expires = expires.as_str().and_then(|text| {
            // The day that is named is the last one.
            day(text).map(|at| at + DAY).or_else(|| {
                import.leave(&place, format!("the end {text:?} is no day YYYY-MM-DD"));
                None
            })
        });
        let below = options["includeSubdomains"].as_bool().unwrap_or(true);
        let reach = if below { Reach::All } else { Reach::Host };
        let mode = if enforce { Mode::Enforce } else { Mode::ReportOnly };
        patterns.push(Pattern { place, host, reach, mode, expires, pins });
    }
    from_union(&patterns, import);
    Ok(())
}
