//! Kotlin for libraries whose pins are code.

use super::plan::Plan;
use super::{base64, comments, remark};
use crate::view::View;

/// The last second of the year 9999, in milliseconds: Cronet wants an end where there is none.
const NEVER: u64 = 253_402_300_799_000;

pub(super) fn okhttp(view: &View, plan: &Plan, package: Option<&str>) -> String {
    let mut text = header(&comments(view, plan), package);
    text += "import okhttp3.CertificatePinner\n\n\
             val certificatePinner: CertificatePinner =\n    CertificatePinner\n        .Builder()\n        ";
    for entry in &plan.entries {
        let below = if entry.include_subdomains { "**." } else { "" };
        text += &format!(".add(\n            \"{below}{}\",\n", entry.host);
        for pin in entry.pins.iter().flatten() {
            text += &format!("            // {}\n", line(&remark(pin)));
            text += &format!("            \"sha256/{}\",\n", base64(pin));
        }
        text += "        )";
    }
    text + ".build()\n"
}

pub(super) fn cronet(view: &View, plan: &Plan, package: Option<&str>) -> String {
    let mut text = header(&comments(view, plan), package);
    text += "import java.util.Base64\nimport java.util.Date\nimport org.chromium.net.CronetEngine\n\n\
             private fun sha256(digest: String): ByteArray = Base64.getDecoder().decode(digest)\n\n\
             fun CronetEngine.Builder.addPins(): CronetEngine.Builder {\n    \
             // Otherwise authorities that users have added go around the pins.\n    \
             enablePublicKeyPinningBypassForLocalTrustAnchors(false)\n";
    for entry in &plan.entries {
        let end = entry.expires.map_or(NEVER, |at| at.saturating_mul(1_000));
        text += &format!("    addPublicKeyPins(\n        \"{}\",\n        setOf(\n", entry.host);
        for pin in entry.pins.iter().flatten() {
            text += &format!("            // {}\n", line(&remark(pin)));
            text += &format!("            sha256(\"{}\"),\n", base64(pin));
        }
        text += &format!(
            "        ),\n        {},\n        Date({end}L),\n    )\n",
            entry.include_subdomains
        );
    }
    text + "    return this\n}\n"
}

fn header(lines: &[String], package: Option<&str>) -> String {
    let lines: String = lines.iter().map(|text| format!("// {}\n", line(text))).collect();
    match package {
        Some(package) => format!("{lines}package {package}\n\n"),
        None => lines,
    }
}

/// A text that ends no line.
fn line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || c == '\u{2028}' || c == '\u{2029}' { ' ' } else { c })
        .collect()
}
