//! What was found in the files of others, and how it becomes entries.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pinfold_core::parse_rfc3339_utc;
use pinfold_core::pin::{CertSha256, HostName, Mode, PinAt, PinDigest, SpkiSha256};

/// The year 9000: an end so late is none.
pub(super) const FAR: u64 = 221_845_392_000;

/// An entry as another format has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) place: String,
    pub(super) host: HostName,
    pub(super) include_subdomains: bool,
    pub(super) mode: Mode,
    /// In seconds since 1970.
    pub(super) expires: Option<u64>,
    pub(super) pins: Vec<(PinDigest, PinAt)>,
}

/// All that was found. What is left out is told by its place and never quoted: a file that is read as
/// something else may be anything, keys as well.
#[derive(Debug, Default)]
pub(super) struct Import {
    pub(super) entries: Vec<Found>,
    /// Places, and what of them could not be carried over.
    pub(super) left: Vec<(String, String)>,
}

impl Import {
    pub(super) fn leave(&mut self, place: impl Into<String>, what: impl Into<String>) {
        self.left.push((place.into(), what.into()));
    }

    /// Reads a host; one that is none is left out.
    pub(super) fn host(&mut self, place: &str, text: &str) -> Option<HostName> {
        HostName::parse(text).map_err(|e| self.leave(place, format!("a host: {e}"))).ok()
    }

    /// Reads pins of keys; what is none is left out.
    pub(super) fn pins<'t>(
        &mut self,
        place: &str,
        texts: impl Iterator<Item = &'t str>,
        at: PinAt,
    ) -> Vec<(PinDigest, PinAt)> {
        let mut pins = Vec::new();
        for text in texts {
            match format!("sha256/{}", text.trim().trim_start_matches("sha256/")).parse() {
                Ok(pin) if pins.contains(&(pin, at)) => {}
                Ok(pin) => pins.push((pin, at)),
                Err(e) => self.leave(place, format!("a pin: {e}")),
            }
        }
        pins
    }

    /// Adds an entry; of two for one host only what is the same in both is one.
    pub(super) fn add(&mut self, found: Found) {
        let Some(first) = self.entries.iter().find(|known| known.host == found.host) else {
            self.entries.push(found);
            return;
        };
        if (Found { place: first.place.clone(), ..found.clone() }) != *first {
            let what = format!("{} differs from {}, which counts", found.host, first.place);
            self.leave(found.place, what);
        }
    }

    /// What a pin set refuses is made what it takes, and said.
    pub(super) fn settle(&mut self) {
        let mut left = Vec::new();
        for found in &mut self.entries {
            if found.mode == Mode::Enforce && found.pins.len() < 2 {
                found.mode = if found.pins.is_empty() { Mode::Off } else { Mode::ReportOnly };
                let what = format!(
                    "{} has less than two pins, and so no spare: it only reports until you add one",
                    found.host
                );
                left.push((found.place.clone(), what));
            } else if found.mode == Mode::ReportOnly && found.pins.is_empty() {
                found.mode = Mode::Off;
            }
        }
        self.left.append(&mut left);
    }
}

/// A pattern whose pins count beside those of all others that match: OkHttp's way.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) place: String,
    pub(super) host: HostName,
    pub(super) reach: Reach,
    pub(super) mode: Mode,
    pub(super) expires: Option<u64>,
    pub(super) pins: Vec<(PinDigest, PinAt)>,
}

/// What a pattern matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Host,
    /// `*.`: one label below, and not the host itself.
    OneBelow,
    /// `**.`: the host and all below.
    All,
}

impl Pattern {
    fn matches(&self, host: &HostName) -> bool {
        let above = host.as_str().strip_suffix(self.host.as_str());
        let below = above.and_then(|rest| rest.strip_suffix('.'));
        match self.reach {
            Reach::Host => self.host == *host,
            Reach::OneBelow => below.is_some_and(|label| !label.contains('.')),
            Reach::All => self.host == *host || below.is_some(),
        }
    }
}

/// Turns patterns into entries: in a pin set the most specific entry holds alone, so each gets the
/// pins of all patterns that match it.
pub(super) fn from_union(patterns: &[Pattern], import: &mut Import) {
    let mut hosts: BTreeMap<&HostName, &Pattern> = BTreeMap::new();
    for pattern in patterns {
        if pattern.reach == Reach::OneBelow {
            let host = &pattern.host;
            let what = format!(
                "*.{host} is for the names one label below {host} and not for itself: add an entry \
                 for each, or one for {host} with subdomains"
            );
            import.leave(&pattern.place, what);
            continue;
        }
        let there = hosts.entry(&pattern.host).or_insert(pattern);
        if pattern.reach == Reach::All {
            *there = pattern;
        }
    }
    for (host, pattern) in &hosts {
        let all = pattern.reach == Reach::All;
        let mut pins: Vec<(PinDigest, PinAt)> = Vec::new();
        for other in patterns.iter().filter(|other| other.matches(host)) {
            for pin in &other.pins {
                if pins.contains(pin) {
                } else if all && other.reach == Reach::Host && !below_has(patterns, host, *pin) {
                    let what = format!(
                        "{} is for {host} alone there, and would be for all below it here",
                        pin.0
                    );
                    import.leave(&other.place, what);
                } else {
                    pins.push(*pin);
                }
            }
        }
        import.add(Found {
            place: pattern.place.clone(),
            host: (*host).clone(),
            include_subdomains: all,
            mode: pattern.mode,
            expires: pattern.expires,
            pins,
        });
    }
}

/// Whether a pin counts for the names below a host as well.
fn below_has(patterns: &[Pattern], host: &HostName, pin: (PinDigest, PinAt)) -> bool {
    patterns.iter().any(|p| p.reach == Reach::All && p.matches(host) && p.pins.contains(&pin))
}

/// A digest in hexadecimal digits, with or without colons, or in base64.
pub(super) fn digest(text: &str, certificate: bool) -> Option<PinDigest> {
    let text = text.trim_start_matches("sha256/");
    let hex: String = text.chars().filter(|c| *c != ':').collect();
    let bytes = if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        let byte = |i: usize| u8::from_str_radix(hex.get(i * 2..i * 2 + 2)?, 16).ok();
        (0..32).map(byte).collect::<Option<Vec<_>>>()?
    } else {
        STANDARD.decode(text).ok()?
    };
    let bytes: [u8; 32] = bytes.try_into().ok()?;
    Some(if certificate {
        PinDigest::Certificate(CertSha256::new(bytes))
    } else {
        PinDigest::Spki(SpkiSha256::new(bytes))
    })
}

/// Midnight of a day `YYYY-MM-DD`, UTC.
pub(super) fn day(text: &str) -> Option<u64> {
    parse_rfc3339_utc(&format!("{text}T00:00:00Z"))
}
