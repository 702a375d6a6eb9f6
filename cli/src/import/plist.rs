//! Property lists in XML: NSPinnedDomains, and TrustKit's dictionary.

use pinfold_core::pin::{Mode, PinAt};
use roxmltree::{Document, Node, ParsingOptions};

use super::entries::{Found, Import, day};
use crate::failure::Failure;

/// A value of a property list, as far as pins need it.
enum Value {
    Dict(Vec<(String, Self)>),
    Array(Vec<Self>),
    Flag(bool),
    Text(String),
}

impl Value {
    fn read(node: Node<'_, '_>) -> Self {
        let text = |node: Node<'_, '_>| {
            let parts = node.descendants().filter(Node::is_text).filter_map(|part| part.text());
            parts.collect::<String>().trim().to_owned()
        };
        let children = || node.children().filter(Node::is_element);
        match node.tag_name().name() {
            "dict" => {
                let mut members = Vec::new();
                let mut children = children();
                while let (Some(key), Some(value)) = (children.next(), children.next()) {
                    members.push((text(key), Self::read(value)));
                }
                Self::Dict(members)
            }
            "array" => Self::Array(children().map(Self::read).collect()),
            "true" => Self::Flag(true),
            "false" => Self::Flag(false),
            _ => Self::Text(text(node)),
        }
    }

    fn get(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    fn members(&self) -> &[(String, Self)] {
        if let Self::Dict(members) = self { members } else { &[] }
    }

    fn items(&self) -> &[Self] {
        if let Self::Array(items) = self { items } else { &[] }
    }

    fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn flag(&self) -> Option<bool> {
        match self {
            Self::Flag(on) => Some(*on),
            Self::Text(text) => Some(matches!(text.as_str(), "YES" | "yes" | "true" | "1")),
            _ => None,
        }
    }
}

/// Deeper property lists are no configuration, and nested calls have an end.
const MAX_DEPTH: usize = 64;

fn read(path: &str, text: &str, keys: &[&str]) -> Result<Value, Failure> {
    if text.starts_with("bplist") {
        let reason = "a binary property list: convert it (plutil -convert xml1 -o FILE.xml FILE)";
        return Err(Failure::input(path, reason));
    }
    let options =
        ParsingOptions { allow_dtd: true, nodes_limit: 1 << 16, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options)
        .map_err(|e| Failure::input(path, format!("not XML at {}", e.pos())))?;
    let root = document.root_element();
    if root.descendants().any(|node| node.ancestors().nth(MAX_DEPTH).is_some()) {
        return Err(Failure::input(path, "nested too deep"));
    }
    let top = if root.has_tag_name("plist") { root.first_element_child() } else { Some(root) };
    let mut value = top.map_or(Value::Dict(Vec::new()), Value::read);
    // An excerpt may begin at any of the keys.
    for (i, key) in keys.iter().enumerate() {
        match value {
            Value::Dict(members) => {
                let found = members.into_iter().partition::<Vec<_>, _>(|(name, _)| name == key);
                value = match (found.0.into_iter().next(), i + 1 == keys.len()) {
                    (Some((_, inner)), _) => inner,
                    (None, false) => Value::Dict(found.1),
                    (None, true) => {
                        return Err(Failure::input(path, format!("no {key} in it")));
                    }
                };
            }
            _ => return Err(Failure::input(path, format!("no {key} in it"))),
        }
    }
    Ok(value)
}

pub(super) fn pinned_domains(path: &str, text: &str, import: &mut Import) -> Result<(), Failure> {
    let domains = read(path, text, &["NSAppTransportSecurity", "NSPinnedDomains"])?;
    for (name, domain) in domains.members() {
        let place = format!("{path}: {name}");
        let Some(host) = import.host(&place, name) else { continue };
        let mut lists = Vec::new();
        for (list, at) in
            [("NSPinnedLeafIdentities", PinAt::Leaf), ("NSPinnedCAIdentities", PinAt::Ca)]
        {
            let items = domain.get(list).map(Value::items).unwrap_or_default();
            let digests = items.iter().filter_map(|item| item.get("SPKI-SHA256-BASE64")?.text());
            let pins = import.pins(&place, digests, at);
            if !pins.is_empty() {
                lists.push(pins);
            }
        }
        if lists.len() == 2 {
            let what = "one pin of each list must match there; here those of the end-entity must";
            import.leave(&place, what);
            lists.truncate(1);
        }
        let include_subdomains =
            domain.get("NSIncludesSubdomains").and_then(Value::flag) == Some(true);
        if include_subdomains {
            import.leave(&place, "one label below is covered there, every depth here");
        }
        let known = ["NSIncludesSubdomains", "NSPinnedLeafIdentities", "NSPinnedCAIdentities"];
        others(&place, domain, &known, import);
        let pins = lists.concat();
        let (mode, expires) = (Mode::Enforce, None);
        import.add(Found { place, host, include_subdomains, mode, expires, pins });
    }
    Ok(())
}

pub(super) fn trustkit(path: &str, text: &str, import: &mut Import) -> Result<(), Failure> {
    let domains = read(path, text, &["TSKConfiguration", "TSKPinnedDomains"])?;
    for (name, domain) in domains.members() {
        let place = format!("{path}: {name}");
        let Some(host) = import.host(&place, name) else { continue };
        let flag = |key: &str| domain.get(key).and_then(Value::flag);
        let known = [
            "TSKEnforcePinning",
            "TSKExcludeSubdomainFromParentPolicy",
            "TSKExpirationDate",
            "TSKIncludeSubdomains",
            "TSKPublicKeyHashes",
            // Says nothing about the pins.
            "TSKDisableDefaultReportUri",
        ];
        others(&place, domain, &known, import);
        let hashes = domain.get("TSKPublicKeyHashes").map(Value::items).unwrap_or_default();
        let pins = import.pins(&place, hashes.iter().filter_map(Value::text), PinAt::Any);
        let mode = match flag("TSKExcludeSubdomainFromParentPolicy") {
            Some(true) => Mode::Off,
            _ if flag("TSKEnforcePinning") == Some(false) => Mode::ReportOnly,
            _ => Mode::Enforce,
        };
        let expires = domain.get("TSKExpirationDate").and_then(Value::text);
        let expires = expires.and_then(|text| {
            let at = day(text.get(..10).unwrap_or(text));
            at.or_else(|| {
                import.leave(&place, format!("TSKExpirationDate {text:?} is no day YYYY-MM-DD"));
                None
            })
        });
        let include_subdomains = flag("TSKIncludeSubdomains") == Some(true);
        import.add(Found { place, host, include_subdomains, mode, expires, pins });
    }
    Ok(())
}

fn others(place: &str, domain: &Value, known: &[&str], import: &mut Import) {
    for (key, _) in domain.members().iter().filter(|(key, _)| !known.contains(&key.as_str())) {
        import.leave(place, format!("{key} is not carried over"));
    }
}
