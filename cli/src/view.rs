//! What a pin set says, with its defaults filled in and without how it is written: what two of them
//! are compared by, and what is exported.

use std::collections::BTreeSet;

use pinfold_core::PinSet;
use pinfold_core::pin::{
    HostName, HostPolicy, InspectionAuthority, Mode, OnLapse, Pin, PinDigest, Trust,
};
use pinfold_core::pinset::{Document, Reporting, Update};
use serde_json::Value;

/// A pin set, signed or static.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) version: Option<u64>,
    pub(crate) note: Option<String>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) blocked: BTreeSet<PinDigest>,
    /// What only a signed one says.
    pub(crate) signed: Option<Signed>,
}

/// What only a signed pin set says.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) stream: String,
    pub(crate) audience: BTreeSet<String>,
    pub(crate) epoch: u64,
    pub(crate) issued: u64,
    pub(crate) expires: u64,
    /// Seconds.
    pub(crate) grace: u64,
    pub(crate) update: Update,
    pub(crate) inspection: Vec<InspectionAuthority>,
    pub(crate) reporting: Option<Reporting>,
}

/// What holds for a host, or for a host and every name below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) host: HostName,
    pub(crate) include_subdomains: bool,
    pub(crate) mode: Mode,
    /// The share of devices that enforce where the mode is `enforce`.
    pub(crate) percent: u8,
    pub(crate) trust: Trust,
    /// Base64 DER.
    pub(crate) anchors: BTreeSet<String>,
    /// An end of its own, in seconds since 1970.
    pub(crate) expires: Option<u64>,
    pub(crate) on_lapse: OnLapse,
    pub(crate) pins: Vec<Pin>,
    /// The certificates of pinned authorities that it carries, base64 DER.
    pub(crate) carried: BTreeSet<String>,
}

impl View {
    /// Of what the library has read; `json` is what it was read from.
    pub(crate) fn of(document: Option<&Document>, pins: &PinSet, json: &Value) -> Self {
        let entries = pins.hosts().iter().enumerate();
        let entries = entries.map(|(i, policy)| Entry::of(document, policy, &json["hosts"][i]));
        let blocked =
            texts(&json["blocked_spki"]).filter_map(|key| format!("sha256/{key}").parse().ok());
        Self {
            version: pins.version(),
            note: json["note"].as_str().map(str::to_owned),
            entries: entries.collect(),
            blocked: blocked.collect(),
            signed: document.map(Signed::of),
        }
    }

    /// The entry of exactly this host.
    pub(crate) fn entry(&self, host: &HostName) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.host == *host)
    }

    /// The entry that holds for this host: its own, else the closest above that includes it.
    pub(crate) fn holds_for(&self, host: &HostName) -> Option<&Entry> {
        self.entry(host).or_else(|| self.above(host))
    }

    /// The entry that holds for the names below this host that have none of their own.
    pub(crate) fn holds_below(&self, host: &HostName) -> Option<&Entry> {
        self.entry(host).filter(|own| own.include_subdomains).or_else(|| self.above(host))
    }

    /// The closest entry above a host that includes it.
    pub(crate) fn above(&self, host: &HostName) -> Option<&Entry> {
        let covers = |entry: &&Entry| entry.include_subdomains && entry.is_above(host);
        self.entries.iter().filter(covers).max_by_key(|entry| entry.host.as_str().len())
    }
}

impl Signed {
    fn of(document: &Document) -> Self {
        Self {
            stream: document.stream().to_owned(),
            audience: document.audience().iter().cloned().collect(),
            epoch: document.epoch(),
            issued: document.issued(),
            expires: document.expires(),
            grace: document.grace(),
            update: document.update().clone(),
            inspection: document.inspection_authorities().to_vec(),
            reporting: document.reporting().cloned(),
        }
    }
}

impl Entry {
    fn of(document: Option<&Document>, policy: &HostPolicy, json: &Value) -> Self {
        let rules = document.and_then(|document| document.rules(policy.host()));
        let carried = json["pins"].as_array().into_iter().flatten();
        Self {
            host: policy.host().clone(),
            include_subdomains: policy.include_subdomains(),
            mode: policy.mode(),
            percent: rules.map_or(100, |rules| rules.enforce_percent),
            trust: policy.trust(),
            anchors: texts(&json["anchors"]).map(str::to_owned).collect(),
            expires: rules.map_or_else(|| policy.expires(), |rules| rules.expires),
            on_lapse: rules.map_or_else(|| policy.on_lapse(), |rules| rules.on_lapse),
            pins: policy.pins().to_vec(),
            carried: carried.filter_map(|pin| pin["cert"].as_str()).map(str::to_owned).collect(),
        }
    }

    /// Whether a host lies below this one, at any depth.
    pub(crate) fn is_above(&self, host: &HostName) -> bool {
        let rest = host.as_str().strip_suffix(self.host.as_str());
        !self.host.is_ip() && rest.is_some_and(|rest| rest.ends_with('.'))
    }

    /// How much it refuses: 2 with the share of devices, 1 for reports, 0 for nothing.
    pub(crate) fn strictness(&self) -> (u8, u8) {
        match self.mode {
            Mode::Enforce => (2, self.percent),
            Mode::ReportOnly => (1, 0),
            Mode::Off => (0, 0),
        }
    }

    /// Its mode, in words.
    pub(crate) fn mode_words(&self) -> String {
        match self.strictness() {
            (0, _) => "off".to_owned(),
            (1, _) => "report_only".to_owned(),
            (_, 100) => "enforce".to_owned(),
            (_, percent) => format!("enforce for {percent} %"),
        }
    }
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}
