//! How a pin set is enforced at a moment: the only place where the clock matters.
//!
//! Its end has two steps. A *stale* pin set is enforced as written while the client looks for
//! another; a *lapsed* one leaves the decision to `on_lapse`. So a forgotten renewal locks nobody
//! out for ever, and whoever keeps updates away gains nothing at a moment that he can foresee.

use sha2::{Digest, Sha256};

use super::accept::State;
use super::document::Document;
use super::embedded::Embedded;
use crate::pin::{HostName, HostPolicy, Mode, OnLapse, PinSet, Terms};

/// How a pin set, or one entry of it, stands to the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// The policy holds as written.
    Fresh,
    /// The policy holds as written; an update is overdue.
    Stale,
    /// After one more attempt at an update, [`OnLapse`] decides.
    Lapsed,
}

/// What holds for one host at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Enforcement<'a> {
    /// The entry that holds.
    pub policy: &'a HostPolicy,
    /// How it stands to the time.
    pub freshness: Freshness,
    /// What happens on this device when no pin matches, as long as it has not lapsed.
    pub mode: Mode,
    /// What decides once it has. `Block` only where the embedded configuration consents.
    pub on_lapse: OnLapse,
}

impl Freshness {
    /// A word for it, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Lapsed => "lapsed",
        }
    }

    fn at(now: u64, expires: u64, grace: u64) -> Self {
        if now < expires {
            Self::Fresh
        } else if now < expires.saturating_add(grace) {
            Self::Stale
        } else {
            Self::Lapsed
        }
    }
}

/// The time that counts: the device's, but never before what the documents and the build prove.
///
/// It is derived, never stored, so that it falls back with the documents it comes from, and an
/// excursion of the device's clock leaves no trace. All are seconds since 1970.
pub fn effective_now(device: u64, state: &State, built: u64) -> u64 {
    device.max(state.root().issued()).max(state.pinset().issued()).max(built)
}

/// How the document as a whole stands to the device's clock.
pub fn freshness(state: &State, device: u64, built: u64) -> Freshness {
    let pinset = state.pinset();
    Freshness::at(effective_now(device, state, built), pinset.expires(), pinset.grace())
}

/// What holds for `host` at the device's time `device`; none where the pin set has no entry.
///
/// An entry's own `expires` takes the document's place, and the document's grace follows it.
pub fn enforcement<'a>(
    state: &'a State,
    host: &HostName,
    device: u64,
    embedded: &Embedded,
    install_id: &[u8; 16],
) -> Option<Enforcement<'a>> {
    let policy = state.pinset().pins().policy(host)?;
    let terms = terms(state, policy, embedded, install_id);
    let now = effective_now(device, state, embedded.built);
    let freshness = Freshness::at(now, terms.expires, state.pinset().grace());
    Some(Enforcement { policy, freshness, mode: terms.mode, on_lapse: terms.on_lapse })
}

/// The pin set as it holds on this device: every entry with the mode, the end and the consequence
/// that [`enforcement`] gives it, and the clock never before what the documents prove.
pub(crate) fn in_force(state: &State, embedded: &Embedded, install_id: &[u8; 16]) -> PinSet {
    let pinset = state.pinset();
    let floor = effective_now(0, state, embedded.built);
    pinset.pins().on_terms(floor, pinset.inspection_authorities(), |policy| {
        let terms = terms(state, policy, embedded, install_id);
        Terms { expires: terms.expires.saturating_add(pinset.grace()), ..terms }
    })
}

/// The pin set of a document by itself, as devices hold it that enforce where any does: for the
/// tools of its owners. `consent` is the embedded configuration's, to `"on_lapse": "block"`.
pub fn on_its_own(document: &Document, consent: bool) -> PinSet {
    let authorities = document.inspection_authorities();
    document.pins().on_terms(document.issued(), authorities, |policy| {
        let terms = terms_of(document, policy, consent, 0);
        Terms { expires: terms.expires.saturating_add(document.grace()), ..terms }
    })
}

/// What holds of an entry at any time; its end is without the grace.
fn terms(state: &State, policy: &HostPolicy, embedded: &Embedded, install_id: &[u8; 16]) -> Terms {
    let pinset = state.pinset();
    let bucket = bucket(install_id, pinset.stream(), policy.host());
    terms_of(pinset, policy, embedded.allow_block, bucket)
}

fn terms_of(pinset: &Document, policy: &HostPolicy, consent: bool, bucket: u8) -> Terms {
    let rules = pinset.rules(policy.host());
    let percent = rules.map_or(100, |rules| rules.enforce_percent);
    let mode = match policy.mode() {
        Mode::Enforce if bucket >= percent => Mode::ReportOnly,
        mode => mode,
    };
    let expires = rules.and_then(|rules| rules.expires).unwrap_or(u64::MAX).min(pinset.expires());
    // Else the key of a pin set could lock users out until the next release of the app.
    let on_lapse = match rules {
        Some(rules) if consent => rules.on_lapse,
        _ => OnLapse::SystemTrust,
    };
    Terms { mode, expires, on_lapse }
}

/// The device's place in a gradual rollout, 0 to 99: it enforces where that is below
/// `enforce_percent`.
///
/// The first eight bytes, big-endian, of SHA-256(install id ‖ stream ‖ host), modulo 100, which
/// favours no bucket by more than 2^−57. The host is the entry's, so that all names under it agree.
/// The install id is random, 16 bytes, and never leaves the device.
pub fn bucket(install_id: &[u8; 16], stream: &str, host: &HostName) -> u8 {
    let mut hash = Sha256::new();
    hash.update(install_id);
    hash.update(stream);
    hash.update(host.as_str());
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(hash.finalize());
    (u64::from_be_bytes([a, b, c, d, e, f, g, h]) % 100) as u8
}
