//! What logs of certificates show: the answer of a search in them, as crt.sh gives it in JSON
//! (`https://crt.sh/?q=example.com&output=json`).

use pinfold_core::parse_rfc3339_utc;
use serde_json::Value;

/// A certificate that was logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Issued {
    /// The name as it stands there, with a wildcard perhaps.
    pub(crate) name: String,
    /// The organisation that issued it, else all of its name.
    pub(crate) issuer: String,
    /// In seconds since 1970.
    pub(crate) until: u64,
}

/// Reads such an answer; nothing where it is none.
pub(crate) fn of(json: &Value) -> Option<Vec<Issued>> {
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
