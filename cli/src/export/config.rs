//! Android's Network Security Config, and TrustKit's form of it.

use pinfold_core::format_rfc3339_utc;
use pinfold_core::pin::Pin;

use super::plan::{Plan, Planned};
use super::{base64, comments, remark};
use crate::view::View;

const DAY: u64 = 86_400;
/// No day begins earlier before UTC's: Kiribati's zone is +14:00.
const FIRST_ZONE: u64 = 14 * 3_600;

pub(super) fn nsc(view: &View, plan: &Plan) -> String {
    write(view, plan, false)
}

pub(super) fn trustkit(view: &View, plan: &Plan) -> String {
    write(view, plan, true)
}

fn write(view: &View, plan: &Plan, trustkit: bool) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n".to_owned();
    text += &header(&comments(view, plan));
    text += "<network-security-config>\n";
    for entry in &plan.entries {
        text += "    <domain-config>\n";
        text += &format!(
            "        <domain includeSubdomains=\"{}\">{}</domain>\n",
            entry.include_subdomains, entry.host
        );
        if let Some(pins) = &entry.pins {
            text += &pin_set(entry, pins);
            if trustkit {
                text += "        <trustkit-config enforcePinning=\"true\" disableDefaultReportUri=\"true\" />\n";
            }
        }
        text += "    </domain-config>\n";
    }
    text + "</network-security-config>\n"
}

fn pin_set(entry: &Planned, pins: &[Pin]) -> String {
    let end = entry
        .expires
        .map_or_else(String::new, |at| format!(" expiration=\"{}\"", first_day_after(at)));
    let mut text = format!("        <pin-set{end}>\n");
    for pin in pins {
        text += &format!("            <!-- {} -->\n", safe(&remark(pin)));
        text += &format!("            <pin digest=\"SHA-256\">{}</pin>\n", base64(pin));
    }
    text + "        </pin-set>\n"
}

/// The first day that begins in no zone before this time: Android reads it in the device's.
fn first_day_after(at: u64) -> String {
    let midnight = (at.saturating_add(FIRST_ZONE)).div_ceil(DAY) * DAY;
    format_rfc3339_utc(midnight)[..10].to_owned()
}

/// Comments of XML, one a line.
pub(super) fn header(lines: &[String]) -> String {
    lines.iter().map(|line| format!("<!-- {} -->\n", safe(line))).collect()
}

/// A text that ends no comment (XML 1.0 §2.5).
pub(super) fn safe(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.replace("--", "- -").replace("--", "- -");
    if text.ends_with('-') { text + " " } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_comment_ends_early() {
        for text in ["a --> b", "----", "---", "-", "a-", "\u{0}\n"] {
            let safe = safe(text);
            assert!(!safe.contains("--") && !safe.ends_with('-'), "{text:?}: {safe:?}");
        }
    }

    #[test]
    fn no_zone_opens_early() {
        // 2027-01-09T00:00:00Z, a second before, and a second after.
        for (at, day) in [
            (1_799_452_800, "2027-01-10"),
            (1_799_452_799, "2027-01-10"),
            (1_799_452_801, "2027-01-10"),
            (1_799_452_800 + 10 * 3_600, "2027-01-10"),
            (1_799_452_801 + 10 * 3_600, "2027-01-11"),
        ] {
            assert_eq!(first_day_after(at), day, "{at}");
        }
    }
}
