//! Finds a pin of an entry by what people call it.

use pinfold_core::pin::PinDigest;
use serde_json::Value;

use crate::failure::Failure;

/// Short enough to be typed, long enough to mean one thing.
const SHORTEST: usize = 6;

/// Where the pin is in the entry's list that `name` means: its text, the beginning of its digest, or
/// its label.
pub(super) fn position(place: &str, entry: &Value, name: &str) -> Result<usize, Failure> {
    let pins = entry["pins"].as_array().map(Vec::as_slice).unwrap_or_default();
    let matches = pins.iter().enumerate().filter(|(_, pin)| is_called(pin, name));
    let matches: Vec<_> = matches.map(|(i, _)| i).collect();
    match matches.as_slice() {
        [one] => Ok(*one),
        [] => Err(Failure::input(place, format!("no pin {name:?}; there are {}", listed(pins)))),
        _ => Err(Failure::input(place, format!("{name:?} is more than one of {}", listed(pins)))),
    }
}

fn is_called(pin: &Value, name: &str) -> bool {
    let Some(text) = text(pin) else { return false };
    let digest = text.split_once('/').map_or("", |(_, digest)| digest);
    let begins = |text: &str| text.starts_with(name) && name.len() >= SHORTEST;
    pin["label"] == name
        || begins(digest)
        || name
            .split_once('/')
            .is_some_and(|(_, rest)| rest.len() >= SHORTEST && text.starts_with(name))
}

fn text(pin: &Value) -> Option<String> {
    let digest = match (pin["sha256"].as_str(), pin["cert_sha256"].as_str()) {
        (Some(digest), _) => format!("sha256/{digest}"),
        (None, Some(digest)) => format!("cert-sha256/{digest}"),
        (None, None) => return None,
    };
    Some(digest.parse::<PinDigest>().ok()?.to_string())
}

fn listed(pins: &[Value]) -> String {
    let words = pins.iter().filter_map(|pin| {
        let text = text(pin)?;
        Some(
            pin["label"].as_str().map_or_else(|| text.clone(), |label| format!("{text} ({label})")),
        )
    });
    let words: Vec<_> = words.collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}
