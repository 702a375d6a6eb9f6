//! Android's Network Security Config, in what concerns pins: which part of it holds for a host.
//!
//! Rule by rule as `XmlConfigSource`, `Pin`, `Domain` and `ApplicationConfig` of the platform
//! (`android.security.net.config`) read what aapt2 has compiled: what they take is taken, what they
//! throw for is a fault. `android/robolectric` runs the platform's own classes over the same files.

mod android;

use std::rc::Rc;

use pinfold_core::pin::{HostName, PinDigest};
use roxmltree::{Document, Node, ParsingOptions};

use android::{base64, boolean, day};

use crate::failure::Failure;
use crate::file::File;

/// More than anybody mends before the next attempt.
const MAX_FAULTS: usize = 32;

/// More than any app's config has.
const MAX_NODES: u32 = 1 << 16;

/// What a file says.
pub(crate) struct NetworkSecurityConfig {
    pub(crate) path: String,
    base: Rc<Config>,
    pub(crate) domains: Vec<Domain>,
    /// What Android throws for, with the line: the app ends at its first connection.
    pub(crate) faults: Vec<(u32, &'static str)>,
}

/// A `<domain>`, with the config around it.
pub(crate) struct Domain {
    /// As Android compares it with the names of hosts.
    pub(crate) name: String,
    pub(crate) subdomains: bool,
    pub(crate) line: u32,
    pub(crate) config: Rc<Config>,
}

/// A `<domain-config>` or `<base-config>`, with what it inherits. None where nobody says anything:
/// then the platform's defaults hold.
#[derive(Clone, Default)]
pub(crate) struct Config {
    /// Whether plain HTTP is permitted, and the line.
    pub(crate) cleartext: Option<(bool, u32)>,
    pub(crate) anchors: Option<Rc<Vec<Anchor>>>,
    /// One without pins is as good as none, and takes the place of the outer one's all the same.
    pin_set: Option<Rc<Pins>>,
    /// Whether TrustKit, where the app has it, refuses what it finds wrong. Android knows nothing of it.
    pub(crate) trustkit_enforces: bool,
}

/// A `<certificates>`.
pub(crate) struct Anchor {
    /// `system`, `user` or a resource.
    pub(crate) source: String,
    pub(crate) overrides_pins: bool,
    pub(crate) line: u32,
}

/// A `<pin-set>`.
#[derive(Default)]
pub(crate) struct Pins {
    pub(crate) digests: Vec<PinDigest>,
    /// The day from which they do not count any more, as it is written and in seconds since 1970.
    pub(crate) expiration: Option<(String, u64)>,
    pub(crate) line: u32,
}

impl Config {
    /// The pins, if there are any.
    pub(crate) fn pins(&self) -> Option<&Rc<Pins>> {
        self.pin_set.as_ref().filter(|pins| !pins.digests.is_empty())
    }
}

impl Pins {
    /// Whether Android looks at them at all.
    pub(crate) fn hold(&self, at: u64) -> bool {
        self.expiration.as_ref().is_none_or(|(_, end)| *end >= at)
    }
}

impl Domain {
    /// The host, where any can have the name: Android knows neither wildcards nor ports, compares
    /// letter by letter, and asks for A-labels without a dot at the end.
    pub(crate) fn host(&self) -> Option<HostName> {
        HostName::parse(&self.name).ok().filter(|host| host.as_str() == self.name)
    }
}

impl NetworkSecurityConfig {
    pub(crate) fn read(path: &str) -> Result<Self, Failure> {
        let file = File::read(path)?;
        let text = file.text();
        Ok(Self::of(path, document(path, &text)?.root_element()))
    }

    /// Reads what a file at `path` says.
    pub(crate) fn of(path: &str, root: Node<'_, '_>) -> Self {
        let mut reader = Reader::default();
        // Wherever it stands, it is behind every domain.
        let mut bases = children(root, "base-config");
        let base = bases.next().map(|node| reader.config(node, &Config::default(), false));
        let base = Rc::new(base.unwrap_or_default());
        for node in bases {
            reader.fault(node, "a second <base-config>");
        }
        for node in children(root, "debug-overrides").skip(1) {
            reader.fault(node, "a second <debug-overrides>");
        }
        let mut open: Vec<_> = children(root, "domain-config").map(|n| (n, base.clone())).collect();
        open.reverse();
        // Without recursion: a file may nest as deep as it likes.
        while let Some((node, outer)) = open.pop() {
            let config = Rc::new(reader.config(node, &outer, true));
            let mut domains = children(node, "domain").peekable();
            if domains.peek().is_none() {
                reader.fault(node, "a <domain-config> without a <domain>");
            }
            for domain in domains {
                reader.domain(domain, &config);
            }
            let inner: Vec<_> = children(node, "domain-config").collect();
            open.extend(inner.into_iter().rev().map(|node| (node, config.clone())));
        }
        let Reader { domains, mut faults } = reader;
        faults.sort_unstable();
        faults.truncate(MAX_FAULTS);
        // To count lines takes as long as a file is.
        let line = |at| root.document().text_pos_at(at).row;
        let faults = faults.into_iter().map(|(at, what)| (line(at), what)).collect();
        Self { path: path.to_owned(), base, domains, faults }
    }

    /// The place of a finding.
    pub(crate) fn place(&self, line: u32) -> String {
        format!("{}:{line}", self.path)
    }

    /// What holds for `host`: its own domain, else the longest that includes it.
    pub(crate) fn of_host(&self, host: &HostName) -> &Config {
        let own = self.domains.iter().find(|domain| domain.name == host.as_str());
        own.map_or_else(|| self.of_name_below(host), |domain| &domain.config)
    }

    /// What holds for the names below `host` that have no domain of their own.
    pub(crate) fn below(&self, host: &HostName) -> &Config {
        let own = self.domains.iter().find(|d| d.name == host.as_str() && d.subdomains);
        own.map_or_else(|| self.of_name_below(host), |domain| &domain.config)
    }

    fn of_name_below(&self, host: &HostName) -> &Config {
        let above = |domain: &&Domain| {
            let rest = host.as_str().strip_suffix(domain.name.as_str());
            domain.subdomains && rest.is_some_and(|rest| rest.ends_with('.'))
        };
        let longest = self.domains.iter().filter(above).max_by_key(|domain| domain.name.len());
        longest.map_or(&self.base, |domain| &domain.config)
    }
}

/// The XML of a file at `path`, whose root is a `<network-security-config>`.
pub(crate) fn document<'t>(path: &str, text: &'t str) -> Result<Document<'t>, Failure> {
    let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|e| match e {
        roxmltree::Error::NodesLimitReached => Failure::input(path, "more than 65536 nodes"),
        e => {
            Failure::input(format!("{path}:{}", e.pos().row), "not well-formed XML, or with a DTD")
        }
    })?;
    if document.root_element().tag_name().name() != "network-security-config" {
        return Err(Failure::input(path, "not a <network-security-config>"));
    }
    Ok(document)
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    domains: Vec<Domain>,
    /// Each with its place in the text.
    faults: Vec<(usize, &'static str)>,
}

impl Reader {
    fn fault(&mut self, node: Node<'_, '_>, what: &'static str) {
        self.faults.push((node.range().start, what));
    }

    fn config(&mut self, node: Node<'_, '_>, outer: &Config, is_domain: bool) -> Config {
        let mut config = outer.clone();
        if let Some(text) = node.attribute("cleartextTrafficPermitted") {
            // What is no boolean is permission, as by default.
            config.cleartext = Some((boolean(text).unwrap_or(true), line(node)));
        }
        let mut anchors = children(node, "trust-anchors");
        if let Some(node) = anchors.next() {
            config.anchors = Some(Rc::new(self.anchors(node)));
        }
        for node in anchors {
            self.fault(node, "a second <trust-anchors>");
        }
        let mut pin_sets = children(node, "pin-set");
        if let Some(node) = pin_sets.next() {
            if !is_domain {
                self.fault(node, "a <pin-set> in a <base-config>");
            }
            config.pin_set = Some(Rc::new(self.pins(node)));
        }
        for node in pin_sets {
            self.fault(node, "a second <pin-set>");
        }
        if let Some(node) = children(node, "trustkit-config").next() {
            config.trustkit_enforces = is_true(node, "enforcePinning");
        }
        if !is_domain {
            for node in children(node, "domain") {
                self.fault(node, "a <domain> in a <base-config>");
            }
            for node in children(node, "domain-config") {
                self.fault(node, "a <domain-config> in a <base-config>");
            }
        }
        config
    }

    fn domain(&mut self, node: Node<'_, '_>, config: &Rc<Config>) {
        let Some(text) = self.text(node, "a <domain> without a name", "a child of <domain>") else {
            return;
        };
        let name = android::trim(&text).to_lowercase();
        if self.domains.iter().any(|known| known.name == name) {
            return self.fault(node, "a <domain> for the second time");
        }
        let subdomains = is_true(node, "includeSubdomains");
        self.domains.push(Domain { name, subdomains, line: line(node), config: config.clone() });
    }

    fn pins(&mut self, node: Node<'_, '_>) -> Pins {
        let mut pins = Pins { line: line(node), ..Pins::default() };
        if let Some(text) = node.attribute("expiration") {
            match day(text) {
                Some(at) => pins.expiration = Some((android::trim(text).to_owned(), at)),
                None => self.fault(node, "an expiration that is no day YYYY-MM-DD"),
            }
        }
        for pin in children(node, "pin") {
            let digest = pin.attribute("digest").unwrap_or_default();
            if !digest.eq_ignore_ascii_case("SHA-256") {
                self.fault(pin, "a <pin> whose digest is not SHA-256");
                continue;
            }
            let text = self.text(pin, "a <pin> without a digest", "a child of <pin>");
            let Some(text) = text else { continue };
            match base64(&text).map(<[u8; 32]>::try_from) {
                Some(Ok(digest)) => {
                    let digest = PinDigest::Spki(pinfold_core::SpkiSha256::new(digest));
                    if !pins.digests.contains(&digest) {
                        pins.digests.push(digest);
                    }
                }
                Some(Err(_)) => self.fault(pin, "a <pin> that is not base64 of 32 bytes"),
                None => self.fault(pin, "a <pin> that is not base64"),
            }
        }
        pins
    }

    fn anchors(&mut self, node: Node<'_, '_>) -> Vec<Anchor> {
        let mut anchors = Vec::new();
        for node in children(node, "certificates") {
            let source = node.attribute("src").unwrap_or_default();
            let is_known = matches!(source, "system" | "user" | "wfa");
            if !is_known && !source.trim_start().starts_with('@') {
                self.fault(node, "<certificates> whose src is neither system, user nor a resource");
                continue;
            }
            let source = source.to_owned();
            let overrides_pins = is_true(node, "overridePins");
            anchors.push(Anchor { source, overrides_pins, line: line(node) });
        }
        anchors
    }

    /// The text of an element that has nothing else in it. aapt2 joins what comments part, and drops
    /// what is only blank.
    fn text(
        &mut self,
        node: Node<'_, '_>,
        missing: &'static str,
        child: &'static str,
    ) -> Option<String> {
        let text: String =
            node.children().filter(Node::is_text).filter_map(|node| node.text()).collect();
        if node.children().any(|node| node.is_element()) {
            self.fault(node, child);
            None
        } else if text.trim().is_empty() {
            self.fault(node, missing);
            None
        } else {
            Some(text)
        }
    }
}

/// Whether an attribute is a boolean that says so.
pub(crate) fn is_true(node: Node<'_, '_>, name: &str) -> bool {
    node.attribute(name).and_then(boolean) == Some(true)
}

/// By their local names, as Android looks at them.
fn children<'a, 'i>(
    node: Node<'a, 'i>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'i>> + use<'a, 'i> {
    node.children().filter(move |node| node.is_element() && node.tag_name().name() == name)
}

/// Where an element begins.
pub(crate) fn line(node: Node<'_, '_>) -> u32 {
    node.document().text_pos_at(node.range().start).row
}

#[cfg(test)]
mod tests {
    use pinfold_core::format_rfc3339_utc;
    use serde_json::{Value, json};

    use super::*;

    /// What is asked of each file, as `NetworkSecurityConfigTest` of Kotlin asks it of Android.
    fn answers(xml: &str, hosts: &[Value]) -> Value {
        let document = Document::parse(xml).unwrap_or_else(|e| panic!("{e}: {xml}"));
        let config = NetworkSecurityConfig::of("x", document.root_element());
        if !config.faults.is_empty() {
            return json!("error");
        }
        let answer = |host: &Value| {
            let host = HostName::parse(host.as_str().expect("text")).expect("a host");
            let config = config.of_host(&host);
            let pins = config.pins();
            let mut digests: Vec<_> = pins
                .map_or(&[][..], |pins| &pins.digests)
                .iter()
                .map(ToString::to_string)
                .collect();
            digests.sort_unstable();
            let end = pins.and_then(|pins| pins.expiration.as_ref());
            let name = |anchor: &Anchor| {
                let name = if anchor.source.starts_with('@') { "@" } else { &anchor.source };
                format!("{name}{}", if anchor.overrides_pins { "!" } else { "" })
            };
            // The platform's default.
            let mut anchors = vec!["system".to_owned()];
            if let Some(own) = &config.anchors {
                anchors = own.iter().map(name).collect();
            }
            anchors.sort_unstable();
            json!({
                "pins": digests,
                "expiration": end.map(|(_, at)| format_rfc3339_utc(*at)),
                "cleartext": config.cleartext.is_none_or(|(permitted, _)| permitted),
                "anchors": anchors,
            })
        };
        hosts.iter().map(answer).collect()
    }

    #[test]
    fn files_are_read_as_android_reads_them() {
        let table = include_str!("../../tests/data/network-security-configs.json");
        let table: Value = serde_json::from_str(table).expect("JSON");
        let hosts = table["hosts"].as_array().expect("a list");
        let cases = table["cases"].as_array().expect("a list");
        assert!(cases.len() >= 200, "{}", cases.len());
        for case in cases {
            let xml = case["xml"].as_str().expect("text");
            assert_eq!(answers(xml, hosts), case["android"], "{xml}");
        }
    }
}
