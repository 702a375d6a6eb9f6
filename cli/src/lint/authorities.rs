//! Rules about pinned authorities: who they are, and which phones know them.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pinfold_core::format_rfc3339_utc;
use pinfold_core::pin::{HostPolicy, Mode, Pin, PinAt, PinDigest, PinState, Trust};
use pinfold_core::verify::CertificateIdentity;
use serde_json::Value;

use super::case::Case;
use super::{DAY, Found, Rule};
use crate::stores::{Authority, Store, stores};

/// A pin of a root should hold for as long as an app of today is in the field.
const MIN_LEFT: u64 = 730 * DAY;

pub(super) const RULES: &[Rule] =
    &[("W21", one_organisation), ("W22", intermediate), ("W23", not_everywhere)];

/// An entry whose pins are looked at, and its place.
fn entries(case: &Case) -> impl Iterator<Item = (usize, &HostPolicy)> {
    let entries = case.pinset.pins.hosts().iter().enumerate();
    // Authorities of one's own are nobody else's business.
    entries.filter(|(_, entry)| entry.mode() != Mode::Off && entry.trust() == Trust::SystemAndPin)
}

/// What is known of a pin that an authority can match.
fn authority(pin: &Pin) -> Option<&'static Authority> {
    match pin.digest {
        PinDigest::Spki(key) if pin.at != PinAt::Leaf => stores().authority(&key),
        _ => None,
    }
}

fn one_organisation(case: &Case) -> Vec<Found> {
    let mut found = Vec::new();
    for (i, entry) in entries(case) {
        let pins = entry.pins().iter().filter(|pin| pin.state != PinState::Retiring);
        let names: Option<BTreeSet<_>> =
            pins.map(|pin| authority(pin).map(|a| short(a.organisation))).collect();
        let Some(names) = names.filter(|names| names.len() == 1) else { continue };
        let text = format!(
            "only authorities of {} are pinned: when it is distrusted, or refuses to issue, {} is \
             unreachable; add a key of your own, or another authority",
            names.first().map_or("", String::as_str),
            entry.host(),
        );
        found.push((format!("hosts[{i}].pins"), text));
    }
    found
}

/// A company's name without its form and its punctuation, by which it is the same everywhere.
fn short(organisation: &str) -> String {
    let forms = ["inc", "llc", "ltd", "limited", "gmbh", "corporation", "corp", "co", "ag", "sa"];
    let words = organisation.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    let words = words.filter(|word| !forms.contains(&&*word.to_lowercase()));
    words.collect::<Vec<_>>().join(" ")
}

/// Authorities change intermediates without notice; that a certificate is carried shows what it is.
fn intermediate(case: &Case) -> Vec<Found> {
    let mut found = Vec::new();
    for (i, entry) in entries(case) {
        let carried = case.pinset.json["hosts"][i]["pins"].as_array();
        for (j, pin) in entry.pins().iter().enumerate() {
            let certificate = carried.and_then(|pins| pins.get(j)).map(|pin| &pin["cert"]);
            let der =
                certificate.and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok());
            let identity = der.and_then(|der| CertificateIdentity::read(&der, "").ok());
            let is_below = identity.is_some_and(|identity| !identity.is_self_issued);
            if is_below && pin.at != PinAt::Leaf && authority(pin).is_none() {
                found.push((format!("hosts[{i}].pins[{j}]"), intermediate_words(pin)));
            }
        }
    }
    found
}

/// For what a file and what a server show.
pub(super) fn intermediate_words(pin: &Pin) -> String {
    format!(
        "{} is of an intermediate, which its authority replaces without notice: pin the root \
         above it, or the server's key",
        pin.digest,
    )
}

fn not_everywhere(case: &Case) -> Vec<Found> {
    let mut found = Vec::new();
    for (i, entry) in entries(case) {
        for (j, pin) in entry.pins().iter().enumerate() {
            let Some(known) = authority(pin).filter(|_| pin.state != PinState::Retiring) else {
                continue;
            };
            let why = troubles(case, known);
            if !why.is_empty() {
                let text = format!(
                    "{} ({}): {}; by the lists of {}. Pin another authority beside it, or the \
                     server's key",
                    known.name,
                    pin.digest,
                    why.join("; "),
                    stores().made,
                );
                found.push((format!("hosts[{i}].pins[{j}]"), text));
            }
        }
    }
    found
}

fn troubles(case: &Case, known: &Authority) -> Vec<String> {
    let day = |at: u64| format_rfc3339_utc(at)[..10].to_owned();
    let mut why = Vec::new();
    for (store, oldest) in [
        (Store::Android, &case.phones.android),
        (Store::Apple, &case.phones.ios),
        (Store::Mozilla, &Vec::new()),
    ] {
        why.extend(known.missing(store, oldest).map(|how| format!("{}: {how}", store.name())));
    }
    if let Some(at) = known.distrusted {
        why.push(format!("Mozilla takes nothing that it issued after {}", day(at)));
    }
    if known.until < case.at + MIN_LEFT {
        why.push(format!("it ends on {}", day(known.until)));
    }
    why
}
