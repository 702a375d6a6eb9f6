//! Android's Network Security Config, and TrustKit's form of it: the pins as Android itself reads
//! them, and a word for everything else.

use pinfold_core::pin::{Mode, PinAt};
use roxmltree::Node;

use super::entries::{FAR, Found, Import};
use crate::failure::Failure;
use crate::network_security::{self, Config, NetworkSecurityConfig};

/// Reads a config; `trustkit` where `<trustkit-config>` decides whether it enforces.
pub(super) fn read(
    path: &str,
    text: &str,
    trustkit: bool,
    import: &mut Import,
) -> Result<(), Failure> {
    let document = network_security::document(path, text)?;
    let config = NetworkSecurityConfig::of(path, document.root_element());
    for (line, what) in &config.faults {
        import.leave(config.place(*line), format!("{what}: Android throws for it"));
    }
    for node in document.root_element().descendants().filter(Node::is_element) {
        left_behind(&config, node, import);
    }
    for domain in &config.domains {
        let place = config.place(domain.line);
        let Some(host) = domain.host() else {
            let what =
                format!("{:?}: Android takes it, and no host ever has the name", domain.name);
            import.leave(place, what);
            continue;
        };
        let pin_set = domain.config.pins();
        let pins = pin_set.map_or(&[][..], |pins| &pins.digests);
        let pins: Vec<_> = pins.iter().map(|digest| (*digest, PinAt::Any)).collect();
        let expires = pin_set.and_then(|pins| pins.expiration.as_ref());
        let expires = expires.map(|(_, at)| *at).filter(|at| *at < FAR);
        let mode = if pins.is_empty() {
            Mode::Off
        } else {
            mode(&domain.config, trustkit, &place, import)
        };
        let include_subdomains = domain.subdomains;
        import.add(Found { place, host, include_subdomains, mode, expires, pins });
    }
    Ok(())
}

fn mode(config: &Config, trustkit: bool, place: &str, import: &mut Import) -> Mode {
    if !trustkit || config.trustkit_enforces {
        return Mode::Enforce;
    }
    let what = "TrustKit only reports, but Android itself enforces the <pin-set>; here it reports";
    import.leave(place, what);
    Mode::ReportOnly
}

/// Lists what an element says besides pins.
fn left_behind(config: &NetworkSecurityConfig, node: Node<'_, '_>, import: &mut Import) {
    let place = || config.place(network_security::line(node));
    let around = node.parent_element().map_or("", |around| around.tag_name().name());
    let name = node.tag_name().name();
    if matches!(name, "base-config" | "domain-config")
        && node.attribute("cleartextTrafficPermitted").is_some()
    {
        import.leave(place(), "cleartextTrafficPermitted: keep it in the config");
    }
    match (around, name) {
        ("network-security-config", "debug-overrides") => {
            import.leave(place(), "<debug-overrides>: use the artifact pinfold-debug");
        }
        ("domain-config", "pin-set") if node.attribute("expiration").is_some() => {
            import.leave(place(), "expiration: midnight where the device is, and UTC's here");
        }
        ("base-config" | "domain-config", "domain" | "domain-config" | "pin-set") => {}
        ("base-config" | "domain-config", "trust-anchors") if only_system(node) => {}
        ("domain-config", "trustkit-config") if node.first_element_child().is_none() => {}
        ("base-config" | "domain-config", name) => {
            import.leave(place(), format!("<{name}>: not carried over"));
        }
        _ => {}
    }
}

fn only_system(anchors: Node<'_, '_>) -> bool {
    let mut certificates = anchors.children().filter(Node::is_element);
    certificates.all(|node| {
        let overrides = network_security::is_true(node, "overridePins");
        node.attribute("src") == Some("system") && !overrides
    })
}

#[cfg(test)]
mod tests {
    use pinfold_core::format_rfc3339_utc;
    use serde_json::{Value, json};

    use super::*;

    /// The table that Android's own reader has filled in.
    const TABLE: &str = include_str!("../../tests/data/network-security-configs.json");

    #[test]
    fn every_config_is_imported_as_android_reads_it() {
        let table: Value = serde_json::from_str(TABLE).expect("JSON");
        let hosts: Vec<_> = table["hosts"].as_array().expect("a list").iter().collect();
        let mut compared = 0;
        for case in table["cases"].as_array().expect("a list") {
            let xml = case["xml"].as_str().expect("text");
            let mut import = Import::default();
            read("x", xml, false, &mut import).unwrap_or_else(|e| panic!("{e:?}: {xml}"));
            if case["android"] == "error" {
                assert!(import.left.iter().any(|(_, what)| what.contains("throws")), "{xml}");
                continue;
            }
            for (host, android) in hosts.iter().zip(case["android"].as_array().expect("a list")) {
                let found = import.entries.iter().find(|found| **host == found.host.as_str());
                let Some(found) = found else { continue };
                let mut pins: Vec<_> = found.pins.iter().map(|(pin, _)| pin.to_string()).collect();
                pins.sort_unstable();
                assert_eq!(json!(pins), android["pins"], "{host}: {xml}");
                let expires = found.expires.map(format_rfc3339_utc);
                let far = android["expiration"].as_str().is_some_and(|end| end.len() > 20);
                assert!(far || json!(expires) == android["expiration"], "{host}: {xml}");
                compared += 1;
            }
        }
        assert!(compared >= 150, "{compared}");
    }
}
