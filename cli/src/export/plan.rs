//! What goes into an exported file, and what of the pin set's meaning does not.

use pinfold_core::pin::{HostName, Mode, OnLapse, Pin, PinAt, PinDigest, Trust};

use super::target::{Carry, Meaning, Target};
use crate::view::{Entry, View};

/// An entry as a format has it.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) host: HostName,
    pub(super) include_subdomains: bool,
    pub(super) enforce: bool,
    /// None for a host that is exempt from the entry above.
    pub(super) pins: Option<Vec<Pin>>,
    /// In seconds since 1970.
    pub(super) expires: Option<u64>,
}

/// What a format does not say as the pin set does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) host: Option<HostName>,
    pub(super) meaning: Meaning,
    pub(super) carry: Carry,
}

/// A file to be.
pub(super) struct Plan {
    pub(super) entries: Vec<Planned>,
    pub(super) losses: Vec<Loss>,
}

pub(super) fn plan(view: &View, target: Target) -> Plan {
    let mut planner = Planner { view, target, losses: Vec::new() };
    let entries = view.entries.iter().filter_map(|entry| planner.entry(entry)).collect();
    if !view.blocked.is_empty() {
        planner.lose(None, Meaning::BlockedKeys);
    }
    if view.signed.as_ref().is_some_and(|signed| !signed.inspection.is_empty()) {
        planner.lose(None, Meaning::Inspection);
    }
    Plan { entries, losses: planner.losses }
}

struct Planner<'a> {
    view: &'a View,
    target: Target,
    losses: Vec<Loss>,
}

impl Planner<'_> {
    /// Notes what is not said exactly, and says how it is said.
    fn lose(&mut self, host: Option<&HostName>, meaning: Meaning) -> Carry {
        let carry = self.target.carry(meaning);
        if carry != Carry::Exactly {
            self.losses.push(Loss { host: host.cloned(), meaning, carry });
        }
        carry
    }

    fn entry(&mut self, entry: &Entry) -> Option<Planned> {
        let host = Some(&entry.host);
        if entry.mode == Mode::Off {
            return self.exempt(entry);
        }
        let enforce = entry.strictness() == (2, 100);
        if !enforce {
            let partly = entry.mode == Mode::Enforce;
            self.lose(host, if partly { Meaning::Percent } else { Meaning::ReportOnly });
            if self.target.carry(Meaning::ReportOnly) != Carry::Exactly {
                return self.exempt(entry);
            }
        }
        self.address(entry);
        if entry.include_subdomains {
            self.lose(host, Meaning::Subdomains);
        }
        match entry.trust {
            Trust::SystemAndPin => {}
            Trust::PrivateCa => drop(self.lose(host, Meaning::PrivateCa)),
            Trust::PinOnly => drop(self.lose(host, Meaning::PinOnly)),
        }
        let pins = self.pins(entry);
        self.overlap(entry, enforce, &pins);
        let expires = self.end(entry);
        Some(Planned {
            host: entry.host.clone(),
            include_subdomains: entry.include_subdomains,
            enforce,
            pins: Some(pins),
            expires,
        })
    }

    fn address(&mut self, entry: &Entry) {
        if !entry.host.is_ip() {
            return;
        }
        self.lose(Some(&entry.host), Meaning::IpAddress);
        if entry.host.as_str().contains(':') {
            let carry = Carry::Refused("the formats differ in how IPv6 is written");
            let host = Some(entry.host.clone());
            self.losses.push(Loss { host, meaning: Meaning::IpAddress, carry });
        }
    }

    /// An entry without pins: nothing at all, unless another one would hold.
    fn exempt(&mut self, entry: &Entry) -> Option<Planned> {
        self.view.above(&entry.host)?;
        let carry = self.lose(Some(&entry.host), Meaning::Exempt);
        if entry.include_subdomains && self.target == Target::TrustkitIos {
            let carry = Carry::Refused("the entry above would hold for the names below it");
            let host = Some(entry.host.clone());
            self.losses.push(Loss { host, meaning: Meaning::Exempt, carry });
        }
        let planned = Planned {
            host: entry.host.clone(),
            include_subdomains: entry.include_subdomains,
            enforce: false,
            pins: None,
            expires: None,
        };
        (!matches!(carry, Carry::Refused(_))).then_some(planned)
    }

    /// The pins that count; one that is blocked does not.
    fn pins(&mut self, entry: &Entry) -> Vec<Pin> {
        let host = Some(&entry.host);
        let counts = |pin: &&Pin| !self.view.blocked.contains(&pin.digest);
        let pins: Vec<_> = entry.pins.iter().filter(counts).cloned().collect();
        let has = |at| pins.iter().any(|pin| pin.at == at);
        let (leaf, ca, any) = (has(PinAt::Leaf), has(PinAt::Ca), has(PinAt::Any));
        for (there, meaning) in [
            (leaf, Meaning::LeafOnly),
            (ca, Meaning::CaOnly),
            (any, Meaning::AnyPlace),
            (leaf && ca, Meaning::EitherPlace),
            (
                pins.iter().any(|pin| matches!(pin.digest, PinDigest::Certificate(_))),
                Meaning::Certificate,
            ),
        ] {
            if there {
                self.lose(host, meaning);
            }
        }
        pins
    }

    /// Where the pins of the entries above count as well, it must have them all itself, and refuse as
    /// they do.
    fn overlap(&mut self, entry: &Entry, enforce: bool, pins: &[Pin]) {
        let own = |pin: &Pin| pins.iter().any(|own| own.digest == pin.digest);
        let adds_nothing = |above: &Entry| match self.target {
            Target::Okhttp | Target::SslManager => {
                above.strictness() != (2, 100) || (enforce && above.pins.iter().all(own))
            }
            _ => false,
        };
        let mut above =
            self.view.entries.iter().filter(|e| e.include_subdomains && e.is_above(&entry.host));
        if !above.all(adds_nothing) {
            self.lose(Some(&entry.host), Meaning::Overlap);
        }
    }

    fn end(&mut self, entry: &Entry) -> Option<u64> {
        let signed = self.view.signed.as_ref();
        let grace = signed.map_or(0, |signed| signed.grace);
        let end = entry.expires.or_else(|| signed.map(|signed| signed.expires))?;
        if entry.on_lapse == OnLapse::Block {
            self.lose(Some(&entry.host), Meaning::Block);
        }
        match self.lose(Some(&entry.host), Meaning::Expiry) {
            Carry::Instead(_) | Carry::Refused(_) => None,
            Carry::Exactly | Carry::Rounded(_) => Some(end.saturating_add(grace)),
        }
    }
}
