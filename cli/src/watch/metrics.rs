//! A look in Prometheus's text format, version 0.0.4: no timestamps, LF, and no series twice, for of
//! such a scrape Prometheus keeps nothing and still calls it up.

use std::collections::BTreeMap;

use super::hosts::{DocumentLook, HostLook};
use super::look::Look;
use super::mirrors::MirrorLook;

/// What the format is served as.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A metric's name, and what it says. All are gauges.
type Metric = (&'static str, &'static str);

/// In the order in which they are written.
pub(super) const METRICS: &[Metric] = &[
    ("pinfold_build_info", "1, with the version of the program."),
    (
        "pinfold_look_timestamp_seconds",
        "When the servers and mirrors were looked at, in seconds since 1970.",
    ),
    ("pinfold_look_duration_seconds", "How long that took."),
    ("pinfold_troubles", "How many things are wrong, by their code."),
    ("pinfold_pin_set_version", "The version of a pin set."),
    ("pinfold_pin_set_expiry_timestamp_seconds", "The end of a pin set, in seconds since 1970."),
    (
        "pinfold_entry_expiry_timestamp_seconds",
        "The end of an entry that has one of its own, in seconds since 1970.",
    ),
    ("pinfold_host_reachable", "Whether a server could be asked."),
    ("pinfold_host_pins_match", "Whether it is trusted and a pin matches."),
    ("pinfold_host_spare_pin", "Whether a pin is left that nothing uses."),
    (
        "pinfold_host_certificate_expiry_timestamp_seconds",
        "The end of a server's certificate, in seconds since 1970.",
    ),
    ("pinfold_host_chain_changed", "Whether its key or an authority is not that of the last time."),
    ("pinfold_mirror_up", "Whether an update URL has answered with a bundle."),
    ("pinfold_mirror_current", "Whether it has what git says, and the apps take it."),
    ("pinfold_mirror_version", "The version of its pin set."),
];

/// The samples of each metric, by their labels.
#[derive(Default)]
struct Samples(BTreeMap<&'static str, BTreeMap<String, f64>>);

impl Samples {
    /// Of two with the same labels, the lesser counts: none of these is better when it is less.
    fn add(&mut self, name: &'static str, labels: &[(&str, &str)], value: f64) {
        debug_assert!(METRICS.iter().any(|(known, _)| *known == name), "{name}");
        let labels: Vec<_> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let sample = self.0.entry(name).or_default().entry(labels).or_insert(value);
        *sample = sample.min(value);
    }

    fn of_document(&mut self, document: &DocumentLook) {
        let own = [("pin_set", document.path.as_str())];
        if let Some(version) = document.version {
            self.add("pinfold_pin_set_version", &own, version as f64);
        }
        if let Some(end) = document.expires {
            self.add("pinfold_pin_set_expiry_timestamp_seconds", &own, end as f64);
        }
        for host in &document.hosts {
            self.of_host(&document.path, host);
        }
    }

    fn of_host(&mut self, path: &str, host: &HostLook) {
        let address = host.address.map_or_else(String::new, |address| address.to_string());
        let labels = [("pin_set", path), ("server", &host.server), ("address", &address)];
        let mut add = |name, value| self.add(name, &labels, value);
        add("pinfold_host_reachable", flag(host.reachable));
        add("pinfold_host_pins_match", flag(host.matches));
        if host.reachable {
            add("pinfold_host_spare_pin", flag(host.spare));
            let changed =
                |t: &super::trouble::Trouble| t.code == super::trouble::Code::ChainChanged;
            add("pinfold_host_chain_changed", flag(host.troubles.iter().any(changed)));
        }
        if let Some(end) = host.certificate_until {
            add("pinfold_host_certificate_expiry_timestamp_seconds", end as f64);
        }
        if let Some(end) = host.expires {
            let labels = [("pin_set", path), ("host", &host.entry)];
            self.add("pinfold_entry_expiry_timestamp_seconds", &labels, end as f64);
        }
    }

    fn of_mirror(&mut self, mirror: &MirrorLook) {
        let labels = [("url", mirror.url.as_str())];
        self.add("pinfold_mirror_up", &labels, flag(mirror.up));
        self.add("pinfold_mirror_current", &labels, flag(mirror.troubles.is_empty()));
        if let Some((_, version)) = mirror.order {
            self.add("pinfold_mirror_version", &labels, version as f64);
        }
    }

    fn of_look(&mut self, look: &Look) {
        self.add("pinfold_look_timestamp_seconds", &[], look.at as f64);
        self.add("pinfold_look_duration_seconds", &[], look.took.as_secs_f64());
        let mut counts: BTreeMap<_, usize> =
            super::trouble::CODES.iter().map(|(_, name, _)| (*name, 0)).collect();
        for (_, trouble) in look.troubles() {
            *counts.entry(trouble.code.name()).or_default() += 1;
        }
        for (code, count) in counts {
            self.add("pinfold_troubles", &[("code", code)], count as f64);
        }
        look.documents.iter().for_each(|document| self.of_document(document));
        look.mirrors.iter().for_each(|mirror| self.of_mirror(mirror));
    }

    fn to_text(&self) -> String {
        let mut text = String::new();
        for (name, help) in METRICS {
            let Some(samples) = self.0.get(name) else { continue };
            text += &format!("# HELP {name} {help}\n# TYPE {name} gauge\n");
            for (labels, value) in samples {
                text += &format!("{name}{labels} {value}\n");
            }
        }
        text
    }
}

/// What a look says; without one, that the program is there.
pub(super) fn exposition(look: Option<&Look>) -> String {
    let mut samples = Samples::default();
    samples.add("pinfold_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    if let Some(look) = look {
        samples.of_look(look);
    }
    samples.to_text()
}

fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs;

    #[test]
    fn no_series_is_there_twice_and_no_label_ends_early() {
        let mut samples = Samples::default();
        samples.add("pinfold_mirror_up", &[("url", "a\"\\\nb")], 1.0);
        samples.add("pinfold_mirror_up", &[("url", "a\"\\\nb")], 0.0);
        let lines = "# HELP pinfold_mirror_up Whether an update URL has answered with a bundle.\n\
                     # TYPE pinfold_mirror_up gauge\npinfold_mirror_up{url=\"a\\\"\\\\\\nb\"} 0\n";
        assert_eq!(samples.to_text(), lines);
    }

    #[test]
    fn the_documentation_has_every_metric() {
        let rows = METRICS.iter().map(|(name, text)| vec![format!("`{name}`"), (*text).to_owned()]);
        docs::expect_table("metrics", &["metric", "what it says"], rows.collect());
    }
}
