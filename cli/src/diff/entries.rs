//! What differs for one host, and for the names below it.

use std::cmp::Ordering;

use pinfold_core::format_rfc3339_utc;
use pinfold_core::pin::{HostName, OnLapse, Pin, PinAt, PinState, Trust};

use super::change::{Change, Effect, Kind};
use crate::view::{Entry, View};

/// Compares what holds for `host` and for the names below it, wherever it is written: an entry that
/// goes may leave its host to another one above.
pub(super) fn compare(host: &HostName, old: &View, new: &View, changes: &mut Vec<Change>) {
    let own = (old.holds_for(host), new.holds_for(host));
    let below = (old.holds_below(host), new.holds_below(host));
    let mut found = Found { host, changes };
    found.entries(own.0, own.1);
    // What is the same as for the host itself is not told twice.
    if !host.is_ip() && (!same(own.0, below.0) || !same(own.1, below.1)) {
        found.below(below.0, below.1);
    }
}

fn same(a: Option<&Entry>, b: Option<&Entry>) -> bool {
    a.map(|entry| &entry.host) == b.map(|entry| &entry.host)
}

struct Found<'a> {
    host: &'a HostName,
    changes: &'a mut Vec<Change>,
}

impl Found<'_> {
    fn push(&mut self, effect: Effect, kind: Kind, text: String) {
        self.changes.push(Change::new(effect, kind, Some(self.host), text));
    }

    fn entries(&mut self, old: Option<&Entry>, new: Option<&Entry>) {
        match (old, new) {
            (None, None) => {}
            (None, Some(new)) => {
                let off = new.strictness() == (0, 0);
                let effect = if off { Effect::Weakens } else { Effect::Changes };
                let pins = new.pins.len();
                let text = format!("has an entry now: {}, {pins} pins", new.mode_words());
                self.push(effect, Kind::Entry, text);
            }
            (Some(old), None) => {
                let off = old.strictness() == (0, 0);
                let effect = if off { Effect::Changes } else { Effect::Weakens };
                let text = format!("has no entry any more; it was {}", old.mode_words());
                self.push(effect, Kind::Entry, text);
            }
            (Some(old), Some(new)) => self.policies(old, new),
        }
    }

    fn below(&mut self, old: Option<&Entry>, new: Option<&Entry>) {
        let words = |entry: Option<&Entry>| match entry {
            Some(entry) => format!("{} by the entry of {}", entry.mode_words(), entry.host),
            None => "not covered".to_owned(),
        };
        let strictness = |entry: Option<&Entry>| entry.map_or((0, 0), Entry::strictness);
        // Whose pins those are is told of the entry's own host.
        if same(old, new) && strictness(old) == strictness(new) {
            return;
        }
        let effect = match (strictness(old).cmp(&strictness(new)), old, new) {
            (Ordering::Greater, ..) => Effect::Weakens,
            // Names that a client refuses by default may be reached.
            (Ordering::Equal, None, Some(_)) => Effect::Weakens,
            (Ordering::Equal, Some(old), Some(new)) if accepts_more(old, new) => Effect::Weakens,
            _ => Effect::Changes,
        };
        let text =
            format!("and the names below it: those were {} and are {}", words(old), words(new));
        self.push(effect, Kind::Subdomains, text);
    }

    fn policies(&mut self, old: &Entry, new: &Entry) {
        self.mode(old, new);
        self.trust(old, new);
        self.pins(old, new);
        self.ends(old, new);
        if old.carried != new.carried {
            let text = "carries other certificates of pinned authorities".to_owned();
            self.push(Effect::Changes, Kind::Carried, text);
        }
    }

    fn mode(&mut self, old: &Entry, new: &Entry) {
        let text = || format!("was {} and is {}", old.mode_words(), new.mode_words());
        match new.strictness().cmp(&old.strictness()) {
            Ordering::Less => self.push(Effect::Weakens, Kind::Mode, text()),
            Ordering::Greater => self.push(Effect::Tightens, Kind::Mode, text()),
            Ordering::Equal => {}
        }
    }

    fn trust(&mut self, old: &Entry, new: &Entry) {
        // How little is asked beside the pin.
        let ease = |trust| match trust {
            Trust::PrivateCa => 0,
            Trust::SystemAndPin => 1,
            Trust::PinOnly => 2,
        };
        let words = |trust| match trust {
            Trust::PrivateCa => "private_ca",
            Trust::SystemAndPin => "system_and_pin",
            Trust::PinOnly => "pin_only",
        };
        if old.trust != new.trust {
            let weaker = ease(new.trust) > ease(old.trust);
            let effect = if weaker { Effect::Weakens } else { Effect::Tightens };
            let text = format!("trusted by {} and now by {}", words(old.trust), words(new.trust));
            self.push(effect, Kind::Trust, text);
        }
        if old.trust != Trust::PrivateCa || new.trust != Trust::PrivateCa {
            return;
        }
        for (effect, n, what) in [
            (Effect::Weakens, new.anchors.difference(&old.anchors).count(), "more"),
            (Effect::Tightens, old.anchors.difference(&new.anchors).count(), "less"),
        ] {
            if n > 0 {
                self.push(
                    effect,
                    Kind::Anchors,
                    format!("trusts {n} authorities of its own {what}"),
                );
            }
        }
    }

    fn pins(&mut self, old: &Entry, new: &Entry) {
        // Without pins that are looked at, nothing is accepted or refused by them.
        if old.strictness() == (0, 0) && new.strictness() == (0, 0) && old.pins == new.pins {
            return;
        }
        for pin in &new.pins {
            match counterpart(pin, old, new) {
                None => {
                    // Where nothing was refused, nothing more is accepted.
                    let plain = pin.at == PinAt::Leaf || old.strictness() == (0, 0);
                    let effect = if plain { Effect::Changes } else { Effect::Weakens };
                    let text = format!("accepts {} too", pin_words(pin));
                    self.push(effect, Kind::Pin, text);
                }
                Some(before) => self.pin(before, pin),
            }
        }
        for pin in old.pins.iter().filter(|pin| counterpart(pin, new, old).is_none()) {
            let text = format!("no longer accepts {}", pin_words(pin));
            let effect =
                if new.strictness() == (0, 0) { Effect::Changes } else { Effect::Tightens };
            self.push(effect, Kind::Pin, text);
        }
    }

    fn pin(&mut self, old: &Pin, new: &Pin) {
        if old.at != new.at {
            let effect = if new.at == PinAt::Leaf || old.at == PinAt::Any {
                Effect::Tightens
            } else {
                Effect::Weakens
            };
            let [before, after] = [old.at, new.at].map(at_word);
            let text = format!("accepts {} at {after}, which was at {before}", new.digest);
            self.push(effect, Kind::PinAt, text);
        }
        if old.state != new.state {
            let [before, after] = [old.state, new.state].map(state_word);
            let text = format!("has {} as {after}, which was {before}", named(new));
            self.push(Effect::Changes, Kind::PinState, text);
        }
        if old.label != new.label {
            let text = format!("has another label for {}", new.digest);
            self.push(Effect::Changes, Kind::Pin, text);
        }
    }

    fn ends(&mut self, old: &Entry, new: &Entry) {
        let end = |entry: &Entry| entry.expires.unwrap_or(u64::MAX);
        if end(old) != end(new) {
            let words = |entry: &Entry| {
                entry.expires.map_or_else(
                    || "has no end of its own".to_owned(),
                    |at| format!("ends {}", format_rfc3339_utc(at)),
                )
            };
            let effect = if end(new) < end(old) { Effect::Weakens } else { Effect::Tightens };
            self.push(effect, Kind::Expires, format!("{}; before, it {}", words(new), words(old)));
        }
        if old.on_lapse != new.on_lapse {
            let (effect, text) = match new.on_lapse {
                OnLapse::SystemTrust => (Effect::Weakens, "is left to trust once it has lapsed"),
                OnLapse::Block => (Effect::Tightens, "is refused once it has lapsed"),
            };
            self.push(effect, Kind::OnLapse, text.to_owned());
        }
    }
}

/// The same pin in another entry; one key may be pinned at two places.
fn counterpart<'a>(pin: &Pin, there: &'a Entry, here: &Entry) -> Option<&'a Pin> {
    let same = |other: &&Pin| other.digest == pin.digest;
    let exact = there.pins.iter().find(|other| same(other) && other.at == pin.at);
    // One that has moved is not also the counterpart of one that has stayed.
    let stayed =
        |other: &&Pin| here.pins.iter().any(|own| own.digest == other.digest && own.at == other.at);
    exact.or_else(|| there.pins.iter().filter(same).find(|other| !stayed(other)))
}

/// Whether an entry accepts by its pins what another does not.
fn accepts_more(old: &Entry, new: &Entry) -> bool {
    let known = |pin: &Pin| old.pins.iter().any(|p| p.digest == pin.digest && p.at == pin.at);
    !new.pins.iter().all(known)
}

fn pin_words(pin: &Pin) -> String {
    format!("{} at {}, {}", named(pin), at_word(pin.at), state_word(pin.state))
}

fn named(pin: &Pin) -> String {
    match &pin.label {
        Some(label) => format!("{} ({label})", pin.digest),
        None => pin.digest.to_string(),
    }
}

pub(crate) fn at_word(at: PinAt) -> &'static str {
    match at {
        PinAt::Leaf => "leaf",
        PinAt::Ca => "ca",
        PinAt::Any => "any",
    }
}

pub(crate) fn state_word(state: PinState) -> &'static str {
    match state {
        PinState::Active => "active",
        PinState::Backup => "backup",
        PinState::Retiring => "retiring",
    }
}
