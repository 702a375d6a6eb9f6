//! Rules about what a pin set changes of the one that is published.

use std::cmp::Ordering;

use pinfold_core::format_rfc3339_utc;
use pinfold_core::pin::{HostName, Mode, Pin, PinDigest, PinState};
use pinfold_core::pinset::{Document, Root};

use super::case::{Case, Change};
use super::{DAY, Found, Rule};
use crate::diff::{self, Effect, Kind};

/// How long a pin goes on counting after the last server should have left it.
const RETIRING: u64 = 14 * DAY;

pub(super) const RULES: &[Rule] = &[
    ("E07", not_behind),
    ("W24", weaker),
    ("W25", removed_too_early),
    ("W26", straight_to_enforce),
];

fn not_behind(case: &Case) -> Vec<Found> {
    let Some(Change { old, new, .. }) = case.change() else { return Vec::new() };
    let mut found = Vec::new();
    let root_epoch = case.root.as_ref().map_or_else(|| old.epoch(), Root::epoch);
    if new.epoch() != root_epoch {
        let text = format!(
            "{} under a root of epoch {root_epoch}: write the root's, or name the root that begins \
             it with --root",
            new.epoch(),
        );
        found.push(("epoch".to_owned(), text));
    }
    match new.epoch().cmp(&old.epoch()) {
        Ordering::Less => {
            let (new, old) = (new.epoch(), old.epoch());
            let text = format!("{new} where {old} is published: an epoch never goes back");
            found.push(("epoch".to_owned(), text));
        }
        Ordering::Equal => {
            if new.version() <= old.version() {
                let (new, old) = (new.version(), old.version());
                let text = format!("{new} where {old} is published: write a greater number");
                found.push(("version".to_owned(), text));
            }
            if new.issued() < old.issued() {
                let [new, old] = [new.issued(), old.issued()].map(format_rfc3339_utc);
                let text = format!("{new} where {old} is published: write the time of signing");
                found.push(("issued".to_owned(), text));
            }
        }
        // Versions and times begin anew.
        Ordering::Greater => {}
    }
    found
}

/// What `diff` calls a weakening; here with its place.
fn weaker(case: &Case) -> Vec<Found> {
    let Some(Change { before, new, .. }) = case.change() else { return Vec::new() };
    let changes = diff::compare(&before.view(), &case.pinset.view());
    let weaker = changes.iter().filter(|change| change.effect == Effect::Weakens);
    let found = weaker.map(|change| {
        let host = change.host.as_ref().map_or_else(String::new, |host| format!("{host} "));
        let text = format!("{host}{}: make sure that it is meant, and say why", change.text);
        (place_of_change(new, change), text)
    });
    found.collect()
}

fn place_of_change(new: &Document, change: &diff::Change) -> String {
    match (&change.host, change.kind) {
        // Where its entry is gone, another may hold for it.
        (Some(host), _) => {
            new.pins().policy(host).map_or_else(|| "hosts".into(), |now| place_of(new, now.host()))
        }
        (None, Kind::Grace) => "grace_days".to_owned(),
        (None, Kind::Blocked) => "blocked_spki".to_owned(),
        (None, Kind::Inspection) => {
            let mut authorities = new.inspection_authorities().iter();
            let i = authorities.position(|a| change.text.starts_with(&format!("{} ", a.id)));
            i.map_or_else(String::new, |i| format!("inspection_authorities[{i}]"))
        }
        (None, kind) => kind.name().to_owned(),
    }
}

/// Apps that have not updated yet know the old pins only, and servers may still present them.
fn removed_too_early(case: &Case) -> Vec<Found> {
    let Some(Change { old, new, .. }) = case.change() else { return Vec::new() };
    let mut found = Vec::new();
    for policy in old.pins().hosts() {
        // Without pins nothing is refused; that is for another rule.
        let Some(now) = new.pins().policy(policy.host()) else { continue };
        if now.mode() == Mode::Off {
            continue;
        }
        let gone = |pin: &&Pin| now.pins().iter().all(|kept| kept.digest != pin.digest);
        for pin in policy.pins().iter().filter(gone).filter(|pin| !is_blocked(case, pin)) {
            let what = match pin.state {
                PinState::Active => "was active",
                PinState::Retiring if new.issued() < old.issued() + RETIRING => {
                    "has been retiring for less than 14 days, as far as the published pin set tells"
                }
                PinState::Backup | PinState::Retiring => continue,
            };
            let place = format!("{}.pins", place_of(new, now.host()));
            let text = format!(
                "{} {what}: keep it as \"retiring\" until no server presents it and no report \
                 names it",
                pin.digest,
            );
            found.push((place, text));
        }
    }
    found
}

/// A stolen key goes at once.
fn is_blocked(case: &Case, pin: &Pin) -> bool {
    let PinDigest::Spki(key) = pin.digest else { return false };
    let key = key.to_string();
    let blocked = case.pinset.texts("/blocked_spki");
    key.strip_prefix("sha256/").is_some_and(|key| blocked.contains(&key))
}

fn straight_to_enforce(case: &Case) -> Vec<Found> {
    let Some(Change { old, new, .. }) = case.change() else { return Vec::new() };
    let mut found = Vec::new();
    for policy in new.pins().hosts() {
        let host = policy.host();
        let was_off = old.pins().policy(host).is_none_or(|before| before.mode() == Mode::Off);
        let percent = new.rules(host).map_or(100, |rules| rules.enforce_percent);
        if was_off && policy.mode() == Mode::Enforce && percent == 100 {
            let text = format!(
                "{host} goes straight to enforce: begin with report_only and look at what is \
                 reported, or with a small enforce_percent"
            );
            found.push((place_of(new, host), text));
        }
    }
    found
}

fn place_of(document: &Document, host: &HostName) -> String {
    let i = document.pins().hosts().iter().position(|policy| policy.host() == host);
    i.map_or_else(|| "hosts".to_owned(), |i| format!("hosts[{i}]"))
}
