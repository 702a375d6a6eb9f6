//! Android's Network Security Config, and TrustKit's form of it.

use pinfold_core::pin::{Mode, PinAt};
use roxmltree::{Document, Node, ParsingOptions};

use super::entries::{Found, Import, day};
use crate::failure::Failure;

/// Reads a config; `trustkit` where `<trustkit-config>` decides whether it enforces.
pub(super) fn read(
    path: &str,
    text: &str,
    trustkit: bool,
    import: &mut Import,
) -> Result<(), Failure> {
    let options = ParsingOptions { nodes_limit: 1 << 16, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options)
        .map_err(|e| Failure::input(path, format!("not XML at {}", e.pos())))?;
    let root = document.root_element();
    if !root.has_tag_name("network-security-config") {
        return Err(Failure::input(path, "not a <network-security-config>"));
    }
    let reader = Reader { path, trustkit };
    for node in root.children().filter(Node::is_element) {
        if node.has_tag_name("debug-overrides") {
            import.leave(reader.place(node), "<debug-overrides>: use the artifact pinfold-debug");
        } else if node.has_tag_name("base-config") {
            reader.others(node, import);
        }
    }
    for node in root.descendants().filter(|node| node.has_tag_name("domain-config")) {
        reader.domain_config(node, import);
    }
    Ok(())
}

struct Reader<'a> {
    path: &'a str,
    trustkit: bool,
}

impl Reader<'_> {
    fn place(&self, node: Node<'_, '_>) -> String {
        format!("{}:{}", self.path, node.document().text_pos_at(node.range().start).row)
    }

    fn domain_config(&self, node: Node<'_, '_>, import: &mut Import) {
        self.others(node, import);
        let place = self.place(node);
        let pin_set = inherited(node, "pin-set");
        let digests =
            pin_set.iter().flat_map(|set| set.children()).filter(|n| n.has_tag_name("pin"));
        let mut texts = Vec::new();
        for pin in digests {
            match pin.attribute("digest") {
                Some("SHA-256") => texts.push(pin.text().unwrap_or_default().trim()),
                _ => import.leave(self.place(pin), "a pin that is not SHA-256"),
            }
        }
        let pins = import.pins(&place, texts.into_iter(), PinAt::Any);
        let expiration = pin_set.and_then(|set| set.attribute("expiration"));
        let expires = expiration.and_then(day);
        if let Some(text) = expiration {
            let what = match expires {
                Some(_) => "expiration: midnight where the device is, and UTC's here".to_owned(),
                None => format!("expiration {text:?} is no day YYYY-MM-DD"),
            };
            import.leave(&place, what);
        }
        let mode = if pins.is_empty() { Mode::Off } else { self.mode(node, &place, import) };
        for domain in node.children().filter(|n| n.has_tag_name("domain")) {
            let place = self.place(domain);
            let Some(host) = import.host(&place, domain.text().unwrap_or_default().trim()) else {
                continue;
            };
            let include_subdomains = is_true(domain.attribute("includeSubdomains"));
            let pins = pins.clone();
            import.add(Found { place, host, include_subdomains, mode, expires, pins });
        }
    }

    fn mode(&self, node: Node<'_, '_>, place: &str, import: &mut Import) -> Mode {
        let enforces = inherited(node, "trustkit-config")
            .is_some_and(|config| is_true(config.attribute("enforcePinning")));
        if !self.trustkit || enforces {
            return Mode::Enforce;
        }
        let what =
            "TrustKit only reports, but Android itself enforces the <pin-set>; here it reports";
        import.leave(place, what);
        Mode::ReportOnly
    }

    /// What is said besides pins.
    fn others(&self, node: Node<'_, '_>, import: &mut Import) {
        if node.attribute("cleartextTrafficPermitted").is_some() {
            import.leave(self.place(node), "cleartextTrafficPermitted: keep it in the config");
        }
        for below in node.children().filter(Node::is_element) {
            let what = match below.tag_name().name() {
                "domain" | "domain-config" | "pin-set" => continue,
                "trust-anchors" if only_system(below) => continue,
                "trustkit-config" if below.first_element_child().is_none() => continue,
                name => format!("<{name}>: not carried over"),
            };
            import.leave(self.place(below), what);
        }
    }
}

fn only_system(anchors: Node<'_, '_>) -> bool {
    let mut certificates = anchors.children().filter(Node::is_element);
    certificates
        .all(|c| c.attribute("src") == Some("system") && !is_true(c.attribute("overridePins")))
}

/// A config's own element, else that of the closest one around it.
fn inherited<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    let configs = node.ancestors().filter(|n| n.has_tag_name("domain-config"));
    configs.flat_map(|config| config.children()).find(|n| n.has_tag_name(name))
}

fn is_true(text: Option<&str>) -> bool {
    text.is_some_and(|text| text.eq_ignore_ascii_case("true"))
}
