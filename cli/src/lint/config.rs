//! Rules about what a Network Security Config says of the hosts that are pinned.
//!
//! It holds for all of an Android app: for what does not go through Pinfold, and for whom Pinfold
//! itself trusts. No update over the air reaches it. What it says in `debug-overrides` holds in
//! debuggable builds only and is not looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

use pinfold_core::pin::{HostName, HostPolicy, Mode, Pin, PinDigest};

use super::Found;
use super::case::Case;
use crate::network_security::{Anchor, Config, Domain, NetworkSecurityConfig, Pins};

/// A rule, and what it says of a config.
type ConfigRule = (&'static str, fn(&Case, &NetworkSecurityConfig) -> Vec<Found>);

pub(super) const RULES: &[ConfigRule] = &[
    ("E14", faults),
    ("W36", never_matching),
    ("W31", other_pins),
    ("W32", pins_end),
    ("W33", plain_http),
    ("W34", users_authorities),
    ("W34", overridden_pins),
    ("W35", no_inspection),
];

/// Names that the pin set pins, and what the config says of them.
struct Names<'a> {
    policy: &'a HostPolicy,
    host: HostName,
    /// Those below the host, instead of the host.
    below: bool,
    config: &'a Config,
}

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "names below " } else { "" }, self.host)
    }
}

/// The hosts of the entries, and those that the config names itself.
fn pinned<'a>(case: &'a Case, config: &'a NetworkSecurityConfig) -> Vec<Names<'a>> {
    let own = case.pinset.pins.hosts().iter().map(HostPolicy::host);
    let hosts = own.cloned().chain(config.domains.iter().filter_map(Domain::host));
    let hosts: BTreeSet<_> = hosts.collect();
    let mut names = Vec::new();
    for host in hosts {
        let Some(policy) = entry(case, &host) else { continue };
        let of_host = config.of_host(&host);
        let below = config.below(&host);
        names.push(Names { policy, host: host.clone(), below: false, config: of_host });
        if policy.include_subdomains() && !std::ptr::eq(of_host, below) {
            names.push(Names { policy, host, below: true, config: below });
        }
    }
    names
}

/// The entry that pins `host`.
fn entry<'a>(case: &'a Case, host: &HostName) -> Option<&'a HostPolicy> {
    case.pinset.pins.policy(host).filter(|policy| policy.mode() != Mode::Off)
}

/// The app would end at its first connection, and so no other rule is about anything.
fn faults(_: &Case, config: &NetworkSecurityConfig) -> Vec<Found> {
    let faults = config.faults.iter();
    let text = |what: &str| format!("{what}: Android throws for it, and no connection is made");
    faults.map(|(line, what)| (config.place(*line), text(what))).collect()
}

fn never_matching(_: &Case, config: &NetworkSecurityConfig) -> Vec<Found> {
    let domains = config.domains.iter().filter(|domain| domain.host().is_none());
    let text = "Android takes this <domain>, but no host ever has the name: write a host alone, with \
                A-labels and without a wildcard, a scheme, a port or a dot at the end \
                (includeSubdomains=\"true\" is for the names below)";
    domains.map(|domain| (config.place(domain.line), text.to_owned())).collect()
}

/// An empty `<pin-set>` inside of one with pins.
fn pins_taken_away(case: &Case, config: &NetworkSecurityConfig, domain: &Domain) -> Option<String> {
    let host = domain.host().filter(|_| domain.config.pins().is_none())?;
    let others = config.domains.iter().filter(|other| other.config.pins().is_some());
    let above = others.filter_map(|other| Some(format!(".{}", other.host()?)));
    let is_below = above.into_iter().any(|above| host.as_str().ends_with(&above));
    (is_below && entry(case, &host).is_some())
        .then(|| format!("{host} has no pins, and some in the pin set: remove the empty <pin-set>"))
}

fn other_pins(case: &Case, config: &NetworkSecurityConfig) -> Vec<Found> {
    let mut found = Vec::new();
    let mut compared = BTreeSet::new();
    for names in pinned(case, config) {
        if let Some(pins) = names.config.pins()
            && compared.insert((Rc::as_ptr(pins), names.policy.host().as_str()))
        {
            let missing = if pins.hold(case.at) { missing(&names, pins) } else { Vec::new() };
            let texts = [missing, surplus(case, &names, pins)].concat();
            found.extend(texts.into_iter().map(|text| (config.place(pins.line), text)));
        }
    }
    for domain in config.domains.iter().filter(|domain| domain.config.pins().is_some()) {
        let Some(host) = domain.host() else { continue };
        let text = other_names(case, config, &host);
        found.extend(text.map(|text| (config.place(domain.line), text)));
    }
    for domain in &config.domains {
        let text = pins_taken_away(case, config, domain);
        found.extend(text.map(|text| (config.place(domain.line), text)));
    }
    found
}

/// Android refuses a chain that no pin of its config fits, whatever the pin set says.
fn missing(names: &Names<'_>, pins: &Pins) -> Vec<String> {
    let missing = |pin: &&Pin| !pins.digests.contains(&pin.digest);
    let text = |pin: &Pin| match pin.digest {
        PinDigest::Spki(key) => format!(
            "{key}, which the pin set has for {names}, is missing, and Android refuses a server \
             that has no other: add it, or remove the <pin-set>"
        ),
        PinDigest::Certificate(digest) => format!(
            "{digest}, which the pin set has for {names}, is a certificate's, and Android knows \
             keys only: remove the <pin-set>"
        ),
    };
    names.policy.pins().iter().filter(missing).map(text).collect()
}

fn surplus(case: &Case, names: &Names<'_>, pins: &Pins) -> Vec<String> {
    let blocked = case.pinset.texts("/blocked_spki");
    let surplus = |digest: &&PinDigest| {
        let mut known = names.policy.pins().iter().map(|pin| &pin.digest);
        known.all(|known| known != *digest)
    };
    let text = |digest: &PinDigest| {
        let digest = digest.to_string();
        let is_blocked = digest.strip_prefix("sha256/").is_some_and(|key| blocked.contains(&key));
        let why = if is_blocked { "blocks it" } else { "does not have it" };
        format!("{digest} counts for {names}, and the pin set {why}: remove it")
    };
    pins.digests.iter().filter(surplus).map(text).collect()
}

/// Where a domain with pins and its entry are not about the same names.
fn other_names(case: &Case, config: &NetworkSecurityConfig, host: &HostName) -> Option<String> {
    let Some(policy) = entry(case, host) else {
        return Some(format!("{host} has pins, and none in the pin set: give it an entry there"));
    };
    match (policy.include_subdomains(), config.below(host).pins().is_some()) {
        (true, false) => Some(format!(
            "names below {host} have no pins, and some in the pin set: say \
             includeSubdomains=\"true\""
        )),
        (false, true) => Some(format!(
            "names below {host} have pins, and none in the pin set: say \
             \"include_subdomains\": true there"
        )),
        _ => None,
    }
}

fn pins_end(case: &Case, config: &NetworkSecurityConfig) -> Vec<Found> {
    let mut found = BTreeMap::new();
    for pins in config.domains.iter().filter_map(|domain| domain.config.pins()) {
        let text = match &pins.expiration {
            None => "it has no expiration, and no update reaches it: an app that nobody updates \
                     refuses its servers once their keys are others"
                .to_owned(),
            Some((day, end)) if *end < case.at => format!(
                "it has expired on {day}: what does not go through Pinfold has no pins any more"
            ),
            Some(_) => continue,
        };
        found.insert(config.place(pins.line), text);
    }
    found.into_iter().collect()
}

fn plain_http(case: &Case, config: &NetworkSecurityConfig) -> Vec<Found> {
    let names = pinned(case, config).into_iter();
    let permitted = names.filter_map(|names| match names.config.cleartext {
        Some((true, line)) => Some((line, names)),
        _ => None,
    });
    by_line(config, permitted, |names| {
        format!(
            "{names}: plain HTTP is permitted, which no pin protects: say \
             cleartextTrafficPermitted=\"false\""
        )
    })
}

fn users_authorities(case: &Case, config: &NetworkSecurityConfig) -> Vec<Found> {
    let trusted = anchors(case, config, |names, anchor| {
        anchor.source == "user" && !is_inspected(case, names)
    });
    by_line(config, trusted, |names| {
        format!(
            "{names}: authorities that the device's user adds are trusted: leave them to \
             <debug-overrides>"
        )
    })
}

fn overridden_pins(case: &Case, config: &NetworkSecurityConfig) -> Vec<Found> {
    let overriding = anchors(case, config, |names, anchor| {
        anchor.overrides_pins && names.config.pins().is_some()
    });
    by_line(config, overriding, |names| {
        format!("{names}: under these authorities no pin of the config counts: remove overridePins")
    })
}

/// Android has the authorities of a device's management among those of its user.
fn no_inspection(case: &Case, config: &NetworkSecurityConfig) -> Vec<Found> {
    let mut found = Vec::new();
    for (i, authority) in case.authorities().iter().enumerate() {
        for host in authority.hosts.iter().filter(|host| entry(case, host).is_some()) {
            let mut anchors =
                config.of_host(host).anchors.iter().flat_map(|anchors| anchors.iter());
            // A resource may be the authority itself.
            if anchors.all(|anchor| anchor.source == "system") {
                let text = format!(
                    "{} may inspect {host}, and {} does not have Android trust it: add \
                     <certificates src=\"user\"/>",
                    authority.id, config.path,
                );
                found.push((format!("inspection_authorities[{i}]"), text));
            }
        }
    }
    found
}

fn is_inspected(case: &Case, names: &Names<'_>) -> bool {
    let mut authorities = case.authorities().iter();
    !names.below && authorities.any(|authority| authority.hosts.contains(&names.host))
}

/// The authorities trusted for pinned names, as far as `wanted`, with their lines.
fn anchors<'a>(
    case: &'a Case,
    config: &'a NetworkSecurityConfig,
    wanted: impl Fn(&Names<'_>, &Anchor) -> bool,
) -> Vec<(u32, Names<'a>)> {
    let mut found = Vec::new();
    for names in pinned(case, config) {
        let anchors = names.config.anchors.iter().flat_map(|anchors| anchors.iter());
        if let Some(anchor) = anchors.into_iter().find(|anchor| wanted(&names, anchor)) {
            found.push((anchor.line, names));
        }
    }
    found
}

/// One finding for a line, however many names it holds for.
fn by_line<'a>(
    config: &NetworkSecurityConfig,
    found: impl IntoIterator<Item = (u32, Names<'a>)>,
    text: impl Fn(String) -> String,
) -> Vec<Found> {
    let mut lines = BTreeMap::<u32, Vec<String>>::new();
    for (line, names) in found {
        lines.entry(line).or_default().push(names.to_string());
    }
    let found = lines.into_iter();
    found.map(|(line, names)| (config.place(line), text(names.join(", ")))).collect()
}
