//! Property lists for an iOS app's Info.plist: NSPinnedDomains, and TrustKit's dictionary.

use pinfold_core::format_rfc3339_utc;
use pinfold_core::pin::{Pin, PinAt};

use super::config::{header, safe};
use super::plan::{Plan, Planned};
use super::{base64, comments, remark};
use crate::view::View;

const DAY: u64 = 86_400;

pub(super) fn pinned_domains(view: &View, plan: &Plan) -> String {
    let entries = plan.entries.iter().filter_map(|entry| {
        let pins = entry.pins.as_deref()?;
        let mut lines =
            vec!["<key>NSIncludesSubdomains</key>".to_owned(), flag(entry.include_subdomains)];
        for (name, at) in
            [("NSPinnedLeafIdentities", PinAt::Leaf), ("NSPinnedCAIdentities", PinAt::Ca)]
        {
            let pins = pins.iter().filter(|pin| pin.at == at);
            let items = pins.flat_map(|pin| {
                let digest = base64(pin);
                [
                    comment(pin),
                    "<dict>".to_owned(),
                    "    <key>SPKI-SHA256-BASE64</key>".to_owned(),
                    format!("    <string>{digest}</string>"),
                    "</dict>".to_owned(),
                ]
            });
            let items: Vec<_> = items.collect();
            if !items.is_empty() {
                lines.push(format!("<key>{name}</key>"));
                lines.extend(within("array", items));
            }
        }
        Some((entry, lines))
    });
    let domains = entries.flat_map(|(entry, lines)| named(entry, lines)).collect();
    file(view, plan, &["NSAppTransportSecurity", "NSPinnedDomains"], domains, Vec::new())
}

pub(super) fn trustkit(view: &View, plan: &Plan) -> String {
    let domains = plan.entries.iter().flat_map(|entry| {
        let lines = match &entry.pins {
            Some(pins) => policy(entry, pins),
            None => vec!["<key>TSKExcludeSubdomainFromParentPolicy</key>".to_owned(), flag(true)],
        };
        named(entry, lines)
    });
    let beside = vec!["<key>TSKSwizzleNetworkDelegates</key>".to_owned(), flag(false)];
    file(view, plan, &["TSKConfiguration", "TSKPinnedDomains"], domains.collect(), beside)
}

fn policy(entry: &Planned, pins: &[Pin]) -> Vec<String> {
    let mut lines = vec![
        "<key>TSKEnforcePinning</key>".to_owned(),
        flag(entry.enforce),
        "<key>TSKIncludeSubdomains</key>".to_owned(),
        flag(entry.include_subdomains),
        // Reports would go to the library's vendor.
        "<key>TSKDisableDefaultReportUri</key>".to_owned(),
        flag(true),
    ];
    if let Some(at) = entry.expires {
        let midnight = at.div_ceil(DAY) * DAY;
        lines.push("<key>TSKExpirationDate</key>".to_owned());
        lines.push(format!("<string>{}</string>", &format_rfc3339_utc(midnight)[..10]));
    }
    lines.push("<key>TSKPublicKeyHashes</key>".to_owned());
    let items =
        pins.iter().flat_map(|pin| [comment(pin), format!("<string>{}</string>", base64(pin))]);
    lines.extend(within("array", items.collect()));
    lines
}

fn comment(pin: &Pin) -> String {
    format!("<!-- {} -->", safe(&remark(pin)))
}

fn flag(on: bool) -> String {
    if on { "<true/>".to_owned() } else { "<false/>".to_owned() }
}

fn named(entry: &Planned, lines: Vec<String>) -> Vec<String> {
    let mut named = vec![format!("<key>{}</key>", entry.host)];
    named.extend(within("dict", lines));
    named
}

fn within(tag: &str, lines: Vec<String>) -> Vec<String> {
    let mut all = vec![format!("<{tag}>")];
    all.extend(lines.iter().map(|line| format!("    {line}")));
    all.push(format!("</{tag}>"));
    all
}

/// A whole property list; the innermost of two dictionaries holds the domains.
fn file(
    view: &View,
    plan: &Plan,
    keys: &[&str; 2],
    domains: Vec<String>,
    mut beside: Vec<String>,
) -> String {
    beside.push(format!("<key>{}</key>", keys[1]));
    beside.extend(within("dict", domains));
    let mut lines = vec![format!("<key>{}</key>", keys[0])];
    lines.extend(within("dict", beside));
    let body: String = within("dict", lines).iter().map(|line| format!("{line}\n")).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         {}<plist version=\"1.0\">\n{body}</plist>\n",
        header(&comments(view, plan)),
    )
}
