//! Rules that a pin set keeps or breaks by itself, at a time.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pinfold_core::format_rfc3339_utc;
use pinfold_core::pin::is_public_root;
use pinfold_core::pin::{HostName, Mode, Pin, PinState};
use pinfold_core::pinset::Document;
use pinfold_core::verify::check_certificate;
use serde_json::Value;

use super::case::Case;
use super::{DAY, Found, Rule};
use crate::stores::stores;

/// How far a signer's clock may be ahead, in seconds.
const SKEW: u64 = 300;
/// A root ends a series that nobody renews in time, and its holders are hard to gather.
const ROOT_ERROR: u64 = 180 * DAY;
const ROOT_WARNING: u64 = 365 * DAY;
/// As long as a certificate of the public web once was.
const MAX_INSPECTION: u64 = 398 * DAY;
/// Enough for two weekly re-issues to fail.
const MIN_LEFT: u64 = 14 * DAY;
/// Every device downloads it.
const MAX_BUNDLE: usize = 64 * 1024;

/// What has ended; `publish` lets it pass where it is told to.
pub(crate) const ENDED: &str = "E13";

pub(super) const RULES: &[Rule] = &[
    ("E04", update_host_enforced),
    ("E07", issued_in_the_future),
    ("E08", root_ends_soon),
    ("W08", root_ends_within_a_year),
    ("E10", weak_certificate),
    ("E11", inspection_too_wide),
    (ENDED, ended),
    ("W28", ends_soon),
    ("W29", large),
    ("W30", one_source_of_updates),
    ("W37", blocked_pins),
];

fn update_host_enforced(case: &Case) -> Vec<Found> {
    let mut found = BTreeSet::new();
    for (place, hosts) in case.channels() {
        for host in hosts {
            let Some(policy) = case.pinset.pins.policy(&host) else { continue };
            if policy.mode() == Mode::Enforce {
                let entry = policy.host();
                let text = format!(
                    "updates come from {host}, which the entry of {entry} enforces: use a host \
                     without pins, or give it an entry with \"mode\": \"off\""
                );
                found.insert((place.to_owned(), text));
            }
        }
    }
    found.into_iter().collect()
}

fn issued_in_the_future(case: &Case) -> Vec<Found> {
    let Some(issued) = case.document().map(Document::issued) else { return Vec::new() };
    if issued <= case.at + SKEW {
        return Vec::new();
    }
    let [issued, now] = [issued, case.at].map(format_rfc3339_utc);
    let text = format!("{issued} is more than 5 minutes after {now}: write the time of signing");
    vec![("issued".into(), text)]
}

fn root_ends_soon(case: &Case) -> Vec<Found> {
    root_ends(case, |left| left < ROOT_ERROR)
}

fn root_ends_within_a_year(case: &Case) -> Vec<Found> {
    root_ends(case, |left| (ROOT_ERROR..ROOT_WARNING).contains(&left))
}

fn root_ends(case: &Case, wrong: impl Fn(u64) -> bool) -> Vec<Found> {
    let Some(root) = &case.root else { return Vec::new() };
    let left = root.expires().saturating_sub(case.at);
    if !wrong(left) {
        return Vec::new();
    }
    let (version, days) = (root.version(), left / DAY);
    let text = format!(
        "root {version} ends in {days} days, and every pin set with it: gather its holders for \
         `pinfold root rotate`"
    );
    vec![("root.expires".into(), text)]
}

/// The certificates that the document carries: pinned authorities, and those of `private_ca`.
fn weak_certificate(case: &Case) -> Vec<Found> {
    let list = |value: &Value, member: &str| -> Vec<Value> {
        value.get(member).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let mut found = Vec::new();
    for (i, host) in list(&case.pinset.json, "hosts").iter().enumerate() {
        let pins = list(host, "pins").into_iter().enumerate();
        let pins = pins.map(|(j, pin)| (format!("pins[{j}].cert"), pin["cert"].clone()));
        let anchors = list(host, "anchors").into_iter().enumerate();
        let anchors = anchors.map(|(j, anchor)| (format!("anchors[{j}]"), anchor));
        for (place, text) in pins.chain(anchors) {
            let Some(der) = text.as_str().and_then(|text| STANDARD.decode(text).ok()) else {
                continue;
            };
            if let Err(weakness) = check_certificate(&der) {
                let text = format!("{weakness}: pin an authority with a stronger one");
                found.push((format!("hosts[{i}].{place}"), text));
            }
        }
    }
    found
}

fn inspection_too_wide(case: &Case) -> Vec<Found> {
    let mut found = Vec::new();
    for (i, authority) in case.authorities().iter().enumerate() {
        let known = stores().authority(&authority.spki);
        if known.is_some() || is_public_root(&authority.spki) {
            let by = known.map_or_else(|| "Mozilla".to_owned(), |known| known.stores().join(", "));
            let text = format!(
                "an authority of the public web (known to {by}), which may issue for anybody: name \
                 the organisation's own"
            );
            found.push((format!("inspection_authorities[{i}].spki_sha256"), text));
        }
        if authority.not_after - authority.not_before > MAX_INSPECTION {
            let text = "more than 398 days after not_before: shorten it, and renew the consent";
            found.push((format!("inspection_authorities[{i}].not_after"), text.to_owned()));
        }
    }
    found
}

fn ended(case: &Case) -> Vec<Found> {
    let grace = case.document().map_or(0, Document::grace);
    let over = |(place, at): (String, u64)| {
        let day = format_rfc3339_utc(at);
        let text = if at.saturating_add(grace) <= case.at {
            format!("it has lapsed: its end was {day}, and no pin counts any more: sign a new one")
        } else {
            format!("it has expired on {day}, and clients look in vain for a newer one: sign that")
        };
        (at <= case.at).then_some((place, text))
    };
    ends(case).into_iter().filter_map(over).collect()
}

fn ends_soon(case: &Case) -> Vec<Found> {
    let soon = |(place, at): (String, u64)| {
        let text = format!(
            "{} is less than 14 days away: issue it for longer, or device after device goes \
             without",
            format_rfc3339_utc(at),
        );
        (case.at < at && at < case.at + MIN_LEFT).then_some((place, text))
    };
    ends(case).into_iter().filter_map(soon).collect()
}

/// When the whole ends, and entries of it.
fn ends(case: &Case) -> Vec<(String, u64)> {
    let document = case.document();
    let hosts = case.pinset.pins.hosts().iter().enumerate().filter_map(|(i, policy)| {
        let rules = document.and_then(|document| document.rules(policy.host()));
        let end = rules.map_or_else(|| policy.expires(), |rules| rules.expires)?;
        Some((format!("hosts[{i}].expires"), end))
    });
    let whole = document.map(|document| ("expires".to_owned(), document.expires()));
    whole.into_iter().chain(hosts).collect()
}

fn large(case: &Case) -> Vec<Found> {
    if case.bytes <= MAX_BUNDLE {
        return Vec::new();
    }
    let text = format!(
        "the bundle has {} bytes and every device downloads it: drop entries, carried \
         certificates, or roots that no app in the field needs, to get below {MAX_BUNDLE}",
        case.bytes,
    );
    vec![("document".into(), text)]
}

fn one_source_of_updates(case: &Case) -> Vec<Found> {
    let mut found = Vec::new();
    for (place, hosts) in case.channels() {
        let domain =
            |host: &HostName| host.registrable_domain().unwrap_or(host.as_str()).to_owned();
        let domains: BTreeSet<_> = hosts.iter().map(domain).collect();
        let Some(domain) = domains.first().filter(|_| domains.len() == 1) else { continue };
        let text = format!(
            "updates come from {domain} alone: add a URL under another domain, at another provider"
        );
        found.push((place.to_owned(), text));
    }
    found
}

/// Two pins are asked for so that one may fail; a blocked one has.
fn blocked_pins(case: &Case) -> Vec<Found> {
    let blocked = case.pinset.texts("/blocked_spki");
    let counts = |pin: &&Pin| {
        let digest = pin.digest.to_string();
        !digest.strip_prefix("sha256/").is_some_and(|key| blocked.contains(&key))
    };
    let mut found = Vec::new();
    for (i, policy) in case.pinset.pins.hosts().iter().enumerate() {
        let left = policy.pins().iter().filter(counts);
        let left = left.filter(|pin| pin.state != PinState::Retiring).count();
        let all = policy.pins().len();
        if policy.mode() != Mode::Enforce || policy.pins().iter().filter(counts).count() == all {
            continue;
        }
        let host = policy.host();
        let text = match left {
            0 => format!("every pin of {host} is blocked or on its way out: clients refuse it"),
            1 => format!("one pin of {host} is left beside the blocked ones: add a spare"),
            _ => continue,
        };
        found.push((format!("hosts[{i}].pins"), text));
    }
    found
}
