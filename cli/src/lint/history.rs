//! Rules about what a pin set changes of the one that is published.

use std::cmp::Ordering;

use pinfold_core::format_rfc3339_utc;
use pinfold_core::pin::{
    HostName, HostPolicy, InspectionAuthority, Mode, Pin, PinDigest, PinState,
};
use pinfold_core::pinset::{Document, Root};

use super::case::{Case, Change};
use super::{DAY, Found, Rule};

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

fn weaker(case: &Case) -> Vec<Found> {
    let Some(Change { before, old, new }) = case.change() else { return Vec::new() };
    let mut found = Vec::new();
    let mut weaker = |place: String, what: String| {
        found.push((place, format!("{what}: make sure that it is meant, and say why")));
    };
    for policy in old.pins().hosts() {
        let host = policy.host();
        match new.pins().policy(host) {
            None if strictness(old, policy).0 > 0 => {
                weaker("hosts".into(), format!("the entry of {host} is gone"));
            }
            None => {}
            Some(now) => {
                let place = place_of(new, now.host());
                let (was, is) = (strictness(old, policy), strictness(new, now));
                if is < was {
                    weaker(
                        place.clone(),
                        format!("{host} was {} and is {}", words(was), words(is)),
                    );
                }
                if policy.include_subdomains() && !now.include_subdomains() {
                    weaker(place, format!("names below {host} were covered"));
                }
            }
        }
    }
    if new.grace() > old.grace() {
        let [new, old] = [new.grace(), old.grace()].map(|seconds| seconds / DAY);
        weaker("grace_days".into(), format!("the grace was {old} days and is {new}"));
    }
    for (i, authority) in new.inspection_authorities().iter().enumerate() {
        if !old.inspection_authorities().iter().any(|known| is_within(authority, known)) {
            let (place, id) = (format!("inspection_authorities[{i}]"), &authority.id);
            weaker(place, format!("{id} may inspect what nobody might before"));
        }
    }
    let blocked = case.pinset.texts("/blocked_spki");
    for key in before.texts("/blocked_spki") {
        if !blocked.contains(&key) {
            weaker("blocked_spki".into(), format!("sha256/{key} is no longer blocked"));
        }
    }
    found
}

/// How much an entry refuses: 2 with the share of devices, 1 for reports, 0 for nothing.
fn strictness(document: &Document, policy: &HostPolicy) -> (u8, u8) {
    match policy.mode() {
        Mode::Enforce => {
            (2, document.rules(policy.host()).map_or(100, |rules| rules.enforce_percent))
        }
        Mode::ReportOnly => (1, 0),
        Mode::Off => (0, 0),
    }
}

fn words(strictness: (u8, u8)) -> String {
    match strictness {
        (0, _) => "off".to_owned(),
        (1, _) => "report_only".to_owned(),
        (_, 100) => "enforce".to_owned(),
        (_, percent) => format!("enforce for {percent}%"),
    }
}

/// Whether an authority may inspect nothing that `known` may not.
fn is_within(authority: &InspectionAuthority, known: &InspectionAuthority) -> bool {
    let never = |host: &HostName| authority.never_hosts.contains(host);
    authority.spki == known.spki
        && authority.id == known.id
        && authority.managed_config_key == known.managed_config_key
        && authority.hosts.iter().all(|host| known.hosts.contains(host))
        && known.never_hosts.iter().all(never)
        && authority.not_before >= known.not_before
        && authority.not_after <= known.not_after
        && (authority.ca_installed_by_admin || !known.ca_installed_by_admin)
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
        if was_off && strictness(new, policy) == (2, 100) {
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
