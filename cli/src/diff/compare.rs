//! The differences between two pin sets, by what they mean for a client that goes from one to the
//! other.

use std::collections::BTreeSet;

use pinfold_core::format_rfc3339_utc;
use pinfold_core::pin::HostName;
use pinfold_core::pin::InspectionAuthority;

use super::change::{Change, Effect, Kind};
use super::entries;
use crate::view::{Signed, View};

const DAY: u64 = 86_400;

/// Every difference, weakenings first; within an effect in the order of the documents.
pub(crate) fn compare(old: &View, new: &View) -> Vec<Change> {
    let mut changes = Vec::new();
    for host in hosts(old, new) {
        entries::compare(host, old, new, &mut changes);
    }
    blocked(old, new, &mut changes);
    match (&old.signed, &new.signed) {
        (Some(before), Some(after)) => signed(before, after, &mut changes),
        (None, None) => {}
        (None, Some(after)) => {
            change(&mut changes, Kind::Form, format!("signed now, in the series {}", after.stream));
            inspection(&[], &after.inspection, &mut changes);
        }
        (Some(before), None) => {
            change(&mut changes, Kind::Form, "static now: it has no end, and no update".to_owned());
            inspection(&before.inspection, &[], &mut changes);
        }
    }
    if old.version != new.version {
        let words = |version: Option<u64>| version.map_or_else(|| "none".into(), |v| v.to_string());
        let back = old.version > new.version && epoch(old) == epoch(new);
        let back = if back { ", which clients refuse" } else { "" };
        let text = format!("version {} is {}{back}", words(old.version), words(new.version));
        change(&mut changes, Kind::Order, text);
    }
    if old.note != new.note {
        change(&mut changes, Kind::Note, "the note is another".to_owned());
    }
    changes.sort_by_key(|change| change.effect);
    changes
}

fn epoch(view: &View) -> Option<u64> {
    view.signed.as_ref().map(|signed| signed.epoch)
}

fn change(changes: &mut Vec<Change>, kind: Kind, text: String) {
    changes.push(Change::new(Effect::Changes, kind, None, text));
}

/// The hosts of both, in the new one's order and then the old one's.
fn hosts<'a>(old: &'a View, new: &'a View) -> Vec<&'a HostName> {
    let mut seen = BTreeSet::new();
    let all = new.entries.iter().chain(&old.entries).map(|entry| &entry.host);
    all.filter(|host| seen.insert(*host)).collect()
}

fn blocked(old: &View, new: &View, changes: &mut Vec<Change>) {
    for key in old.blocked.difference(&new.blocked) {
        let text = format!("{key} is no longer blocked");
        changes.push(Change::new(Effect::Weakens, Kind::Blocked, None, text));
    }
    for key in new.blocked.difference(&old.blocked) {
        let text = format!("{key} is blocked for every host");
        changes.push(Change::new(Effect::Tightens, Kind::Blocked, None, text));
    }
}

fn signed(old: &Signed, new: &Signed, changes: &mut Vec<Change>) {
    if old.stream != new.stream {
        change(changes, Kind::Form, format!("of the series {}, not {}", new.stream, old.stream));
    }
    inspection(&old.inspection, &new.inspection, changes);
    for app in new.audience.difference(&old.audience) {
        change(changes, Kind::Audience, format!("for {app} too"));
    }
    for app in old.audience.difference(&new.audience) {
        change(changes, Kind::Audience, format!("no longer for {app}, which keeps what it has"));
    }
    let days = |seconds: u64| seconds / DAY;
    if old.grace != new.grace {
        let effect = if new.grace > old.grace { Effect::Weakens } else { Effect::Changes };
        let text = format!("the grace of {} days is {}", days(old.grace), days(new.grace));
        changes.push(Change::new(effect, Kind::Grace, None, text));
    }
    if old.epoch != new.epoch {
        let text = format!("epoch {} is {}: versions begin anew", old.epoch, new.epoch);
        change(changes, Kind::Order, text);
    }
    for (what, before, after) in
        [("issued", old.issued, new.issued), ("expires", old.expires, new.expires)]
    {
        if before != after {
            let [before, after] = [before, after].map(format_rfc3339_utc);
            change(changes, Kind::Validity, format!("{what} {before} is {after}"));
        }
    }
    if old.update != new.update {
        change(changes, Kind::Update, update_words(old, new));
    }
    if old.reporting != new.reporting {
        let text = match (&old.reporting, &new.reporting) {
            (None, _) => "reports are asked for",
            (_, None) => "reports are no longer asked for",
            _ => "reports are asked for in another way",
        };
        change(changes, Kind::Reporting, text.to_owned());
    }
}

fn update_words(old: &Signed, new: &Signed) -> String {
    let urls = |signed: &Signed| signed.update.urls.iter().cloned().collect::<BTreeSet<_>>();
    let (before, after) = (urls(old), urls(new));
    let mut parts: Vec<_> =
        after.difference(&before).map(|url| format!("{url} is asked")).collect();
    parts.extend(before.difference(&after).map(|url| format!("{url} is no longer asked")));
    let times = |signed: &Signed| (signed.update.interval, signed.update.min_interval);
    if times(old) != times(new) {
        let ((a, b), (c, d)) = (times(old), times(new));
        parts.push(format!("every {a} s ({b} s where it is stale) is every {c} s ({d} s)"));
    }
    if parts.is_empty() {
        parts.push("the URLs are in another order".to_owned());
    }
    format!("updates: {}", parts.join(", "))
}

fn inspection(old: &[InspectionAuthority], new: &[InspectionAuthority], changes: &mut Vec<Change>) {
    let mut push = |effect, text| changes.push(Change::new(effect, Kind::Inspection, None, text));
    for authority in new {
        let id = &authority.id;
        let hosts: Vec<_> = authority.hosts.iter().map(HostName::as_str).collect();
        match old.iter().find(|known| known.id == *id) {
            Some(known) if known == authority => {}
            Some(known) if is_within(authority, known) => {
                push(Effect::Tightens, format!("{id} may inspect less than before"));
            }
            Some(_) => push(Effect::Weakens, format!("{id} may inspect what it might not before")),
            None => {
                let until = format_rfc3339_utc(authority.not_after);
                let text = format!("{id} may inspect {} until {until}", hosts.join(", "));
                push(Effect::Weakens, text);
            }
        }
    }
    for gone in old.iter().filter(|known| new.iter().all(|kept| kept.id != known.id)) {
        push(Effect::Tightens, format!("{} may no longer inspect", gone.id));
    }
}

/// Whether an authority may inspect nothing that `known` may not.
fn is_within(authority: &InspectionAuthority, known: &InspectionAuthority) -> bool {
    authority.spki == known.spki
        && authority.managed_config_key == known.managed_config_key
        && authority.hosts.iter().all(|host| known.hosts.contains(host))
        && known.never_hosts.iter().all(|host| authority.never_hosts.contains(host))
        && authority.not_before >= known.not_before
        && authority.not_after <= known.not_after
        && (authority.ca_installed_by_admin || !known.ca_installed_by_admin)
}
