//! What logs of certificates show: the answer of a search in them, as crt.sh gives it in JSON
//! (`https://crt.sh/?q=example.com&output=json`). No log is asked from here.

use std::collections::BTreeSet;

use pinfold_core::parse_rfc3339_utc;
use pinfold_core::pin::{HostName, Mode};
use serde_json::Value;

use super::case::{Case, Issued};
use super::{Found, Rule};
use crate::failure::Failure;
use crate::file::File;

pub(super) const RULES: &[Rule] = &[("W27", others_below)];

/// Reads such an answer.
pub(crate) fn read(path: &str) -> Result<Vec<Issued>, Failure> {
    let file = File::read(path)?;
    of(&file.json()?).ok_or_else(|| file.wrong("not the JSON of a search at crt.sh"))
}

fn of(json: &Value) -> Option<Vec<Issued>> {
    let mut issued = Vec::new();
    for item in json.as_array()? {
        let issuer = organisation(item["issuer_name"].as_str()?);
        let until = parse_rfc3339_utc(&format!("{}Z", item["not_after"].as_str()?.get(..19)?))?;
        for name in item["name_value"].as_str()?.lines() {
            let name = name.trim().to_lowercase();
            issued.push(Issued { name, issuer: issuer.clone(), until });
        }
    }
    Some(issued)
}

/// `C=US, O="Let's Encrypt, Inc.", CN=R13`: the O.
fn organisation(name: &str) -> String {
    let begin = name.find("O=").filter(|at| *at == 0 || name[..*at].ends_with(", "));
    let Some(rest) = begin.map(|at| &name[at + 2..]) else { return name.to_owned() };
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default().to_owned(),
        None => rest.split(", ").next().unwrap_or_default().to_owned(),
    }
}

/// Names below an entry that have certificates of somebody who issues none for its host: its pins
/// may not hold for them.
fn others_below(case: &Case) -> Vec<Found> {
    let valid: Vec<_> = case.issued.iter().filter(|issued| issued.until > case.at).collect();
    let mut found = Vec::new();
    for (i, entry) in case.pinset.pins.hosts().iter().enumerate() {
        if entry.mode() == Mode::Off || !entry.include_subdomains() {
            continue;
        }
        let own: BTreeSet<_> = valid
            .iter()
            .filter(|issued| issued.name == entry.host().as_str())
            .map(|issued| issued.issuer.as_str())
            .collect();
        if own.is_empty() {
            continue;
        }
        let below = valid.iter().filter(|issued| is_held(case, issued, entry.host()));
        let others = below.filter(|issued| !own.contains(issued.issuer.as_str()));
        let others: BTreeSet<_> =
            others.map(|issued| (issued.name.as_str(), issued.issuer.as_str())).collect();
        for (name, issuer) in others {
            let text = format!(
                "{name} has certificates of {issuer}, and {} none: make sure that its pins hold \
                 there, or give that name an entry of its own",
                entry.host(),
            );
            found.push((format!("hosts[{i}].include_subdomains"), text));
        }
    }
    found
}

/// Whether the entry of `host` holds for such a name, and no other does.
fn is_held(case: &Case, issued: &Issued, host: &HostName) -> bool {
    let name = issued.name.replacen("*.", "any-other-name.", 1);
    let Ok(name) = HostName::parse(&name) else { return false };
    name != *host && case.pinset.pins.policy(&name).is_some_and(|policy| policy.host() == host)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_organisation_is_found_wherever_it_stands() {
        for (name, organisation_) in [
            ("C=US, O=Let's Encrypt, CN=R13", "Let's Encrypt"),
            ("C=US, O=\"DigiCert, Inc.\", CN=x", "DigiCert, Inc."),
            ("O=x", "x"),
            ("CN=only, OU=FOO=1", "CN=only, OU=FOO=1"),
            ("", ""),
        ] {
            assert_eq!(organisation(name), organisation_);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let item = json!({
            "issuer_name": "C=US, O=A, CN=B", "name_value": "A.example.com\n*.example.com",
            "not_after": "2027-01-01T00:00:00",
        });
        let issued = of(&json!([item])).expect("two names");
        let names: Vec<_> = issued.iter().map(|issued| issued.name.as_str()).collect();
        assert_eq!(names, ["a.example.com", "*.example.com"]);
        for member in ["issuer_name", "name_value", "not_after"] {
            let mut wrong = item.clone();
            wrong[member] = json!(1);
            assert_eq!(of(&json!([wrong])), None, "{member}");
        }
        assert_eq!(of(&json!({})), None);
    }
}
