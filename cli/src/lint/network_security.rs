//! Android's Network Security Config, in what concerns pins: which part of it holds for a host.
//!
//! As <https://developer.android.com/privacy-and-security/security-config> has it, and where that is
//! silent, `android.security.net.config` of the platform.

use std::collections::HashMap;
use std::rc::Rc;

use pinfold_core::pin::{HostName, PinDigest};
use roxmltree::{Document, Node};

use crate::failure::Failure;
use crate::input;

/// What a file says.
pub(super) struct NetworkSecurityConfig {
    pub(super) path: String,
    base: Rc<Config>,
    pub(super) domains: Vec<Domain>,
}

/// A `<domain>`, with the config around it.
pub(super) struct Domain {
    pub(super) host: HostName,
    pub(super) subdomains: bool,
    pub(super) line: u32,
    pub(super) config: Rc<Config>,
}

/// A `<domain-config>` or `<base-config>`, with what it inherits. None where nobody says anything:
/// then the platform's defaults hold.
#[derive(Default)]
pub(super) struct Config {
    /// Whether plain HTTP is permitted, and the line.
    pub(super) cleartext: Option<(bool, u32)>,
    pub(super) anchors: Option<Rc<Vec<Anchor>>>,
    pub(super) pins: Option<Rc<Pins>>,
}

/// A `<certificates>`.
pub(super) struct Anchor {
    /// `system`, `user` or a resource.
    pub(super) source: String,
    pub(super) overrides_pins: bool,
    pub(super) line: u32,
}

/// A `<pin-set>`.
pub(super) struct Pins {
    pub(super) digests: Vec<PinDigest>,
    /// The day from which they do not count any more, as it is written and in seconds since 1970.
    pub(super) expiration: Option<(String, u64)>,
    pub(super) line: u32,
}

impl Pins {
    /// Whether Android looks at them at all.
    pub(super) fn hold(&self, at: u64) -> bool {
        !self.digests.is_empty() && self.expiration.as_ref().is_none_or(|(_, end)| *end >= at)
    }
}

impl NetworkSecurityConfig {
    pub(super) fn read(path: &str) -> Result<Self, Failure> {
        let bytes = input::read(path)?;
        let text = std::str::from_utf8(&bytes).map_err(|e| Failure::input(path, e))?;
        let document = Document::parse(text).map_err(|e| Failure::input(path, e))?;
        let root = document.root_element();
        if !root.has_tag_name("network-security-config") {
            return Err(Failure::input(path, "not a <network-security-config>"));
        }
        let reader = Reader { path };
        let nothing = Config::default();
        let base = children(root, "base-config").next();
        let base = base.map(|node| reader.config(node, &nothing)).transpose()?;
        let base = Rc::new(base.unwrap_or_default());
        // By document order, and so the outer ones first: a file may nest as deep as it likes.
        let mut configs = HashMap::new();
        let mut domains: Vec<Domain> = Vec::new();
        for node in root.descendants().filter(|node| node.has_tag_name("domain-config")) {
            let outer = node.parent().and_then(|outer| configs.get(&outer.id())).unwrap_or(&base);
            let config = Rc::new(reader.config(node, outer)?);
            configs.insert(node.id(), config.clone());
            for node in children(node, "domain") {
                let domain = reader.domain(node, config.clone())?;
                if domains.iter().any(|known| known.host == domain.host) {
                    return Err(reader.wrong(node, format!("{} is there twice", domain.host)));
                }
                domains.push(domain);
            }
        }
        Ok(Self { path: path.to_owned(), base, domains })
    }

    /// The place of a finding.
    pub(super) fn place(&self, line: u32) -> String {
        format!("{}:{line}", self.path)
    }

    /// What holds for `host`: its own domain, else the longest that includes it.
    pub(super) fn of(&self, host: &HostName) -> &Config {
        let own = self.domains.iter().find(|domain| domain.host == *host);
        own.map_or_else(|| self.of_name_below(host), |domain| &domain.config)
    }

    /// What holds for the names below `host` that have no domain of their own.
    pub(super) fn below(&self, host: &HostName) -> &Config {
        let own = self.domains.iter().find(|domain| domain.host == *host && domain.subdomains);
        own.map_or_else(|| self.of_name_below(host), |domain| &domain.config)
    }

    fn of_name_below(&self, host: &HostName) -> &Config {
        let above = |domain: &&Domain| {
            let rest = host.as_str().strip_suffix(domain.host.as_str());
            domain.subdomains && rest.is_some_and(|rest| rest.ends_with('.'))
        };
        let longest = self.domains.iter().filter(above).max_by_key(|d| d.host.as_str().len());
        longest.map_or(&self.base, |domain| &domain.config)
    }
}

struct Reader<'a> {
    path: &'a str,
}

impl Reader<'_> {
    fn config(&self, node: Node<'_, '_>, outer: &Config) -> Result<Config, Failure> {
        let cleartext = node.attribute("cleartextTrafficPermitted");
        // What is no boolean is permission, as by default.
        let cleartext = cleartext.map(|text| (boolean(text) != Some(false), line(node)));
        let anchors = children(node, "trust-anchors").next().map(anchors).map(Rc::new);
        let mut pin_sets = children(node, "pin-set");
        let pins = pin_sets.next().map(|node| self.pins(node)).transpose()?;
        if let Some(second) = pin_sets.next() {
            return Err(self.wrong(second, "a second <pin-set>"));
        }
        if let Some(pins) = &pins
            && node.has_tag_name("base-config")
        {
            let place = format!("{}:{}", self.path, pins.line);
            return Err(Failure::input(place, "a <pin-set> is for a <domain-config> only"));
        }
        Ok(Config {
            cleartext: cleartext.or(outer.cleartext),
            anchors: anchors.or_else(|| outer.anchors.clone()),
            pins: pins.map(Rc::new).or_else(|| outer.pins.clone()),
        })
    }

    fn domain(&self, node: Node<'_, '_>, config: Rc<Config>) -> Result<Domain, Failure> {
        let host = HostName::parse(text(node)).map_err(|e| self.wrong(node, e))?;
        let subdomains = is_true(node, "includeSubdomains");
        Ok(Domain { host, subdomains, line: line(node), config })
    }

    fn pins(&self, node: Node<'_, '_>) -> Result<Pins, Failure> {
        let mut digests = Vec::new();
        for pin in children(node, "pin") {
            if pin.attribute("digest") != Some("SHA-256") {
                return Err(self.wrong(pin, "Android knows pins with digest=\"SHA-256\" only"));
            }
            let digest = format!("sha256/{}", text(pin)).parse();
            digests.push(digest.map_err(|e: String| self.wrong(pin, e))?);
        }
        let expiration = match node.attribute("expiration") {
            Some(day) => {
                let at = input::time(&format!("{day}T00:00:00Z"));
                let at = at.ok_or_else(|| self.wrong(node, "expiration is no day YYYY-MM-DD"))?;
                Some((day.to_owned(), at))
            }
            None => None,
        };
        Ok(Pins { digests, expiration, line: line(node) })
    }

    fn wrong(&self, node: Node<'_, '_>, reason: impl ToString) -> Failure {
        Failure::input(format!("{}:{}", self.path, line(node)), reason)
    }
}

fn anchors(node: Node<'_, '_>) -> Vec<Anchor> {
    let anchor = |node: Node<'_, '_>| Anchor {
        source: node.attribute("src").unwrap_or_default().to_owned(),
        overrides_pins: is_true(node, "overridePins"),
        line: line(node),
    };
    children(node, "certificates").map(anchor).collect()
}

/// As Android's resources have it.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

fn is_true(node: Node<'_, '_>, name: &str) -> bool {
    node.attribute(name).and_then(boolean) == Some(true)
}

fn children<'a, 'i>(
    node: Node<'a, 'i>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'i>> + use<'a, 'i> {
    node.children().filter(move |node| node.has_tag_name(name))
}

fn text<'a>(node: Node<'a, '_>) -> &'a str {
    node.text().unwrap_or_default().trim()
}

fn line(node: Node<'_, '_>) -> u32 {
    node.document().text_pos_at(node.range().start).row
}
