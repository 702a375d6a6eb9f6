//! Rules about what logs of certificates show. No log is asked from here.

use std::collections::BTreeSet;

use pinfold_core::pin::{HostName, Mode};

use super::case::Case;
use super::logged::{self, Issued};
use super::{Found, Rule};
use crate::failure::Failure;
use crate::file::File;

pub(super) const RULES: &[Rule] = &[("W27", others_below)];

/// Reads such an answer.
pub(crate) fn read(path: &str) -> Result<Vec<Issued>, Failure> {
    let file = File::read(path)?;
    logged::of(&file.json()?).ok_or_else(|| file.wrong("not the JSON of a search at crt.sh"))
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
