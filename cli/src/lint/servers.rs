//! Rules about what servers present now, for the entries that enforce.

use std::collections::{BTreeMap, BTreeSet};

use pinfold_core::format_rfc3339_utc;
use pinfold_core::pin::{CertSha256, Decision, HostName, Pin, PinAt, PinState, Trust};
use pinfold_core::verify::{CertificateIdentity, verifiable_signature};

use super::DAY;
use super::authorities::intermediate_words;
use crate::stores::stores;
use crate::survey::{Answer, Entry, Seen, Server};

/// Authorities that issue for less renew by machine, and as a rule with a new key.
const SHORT_LIVED: u64 = 100 * DAY;
/// How long certificates are valid from 2029 on (CA/Browser Forum, ballot SC-081v3), in days.
const DAYS_OF_2029: u64 = 47;

/// What the rules look at: all entries that were asked, and what they presented the last time.
pub(super) struct Survey<'a> {
    pub(super) entries: Vec<Entry<'a>>,
    pub(super) seen: Seen,
}

/// A place, and what is wrong there.
type Found = (String, String);
/// A rule, and what it says of all entries.
type LiveRule = (&'static str, fn(&Survey<'_>) -> Vec<Found>);

pub(super) const RULES: &[LiveRule] = &[
    ("E02", |survey| each(survey, no_spare)),
    ("E03", |survey| each(survey, no_match)),
    ("E15", |survey| each(survey, its_own_issuer)),
    ("W20", |survey| each(survey, renewed_with_new_keys)),
    ("W22", |survey| each(survey, intermediates)),
    ("W38", one_key_for_strangers),
    ("W39", |survey| changed(survey, new_leaf)),
    ("W40", |survey| changed(survey, new_issuers)),
    ("W41", |survey| each(survey, not_verifiable)),
];

/// What a rule about one entry says of each.
fn each(survey: &Survey<'_>, rule: fn(&Entry<'_>) -> Vec<String>) -> Vec<Found> {
    let found = survey.entries.iter().flat_map(|entry| {
        rule(entry).into_iter().map(|text| (entry.place(), text)).collect::<Vec<_>>()
    });
    found.collect()
}

/// RFC 7469 §4.3: one of the pins must be of a key that is not in use.
fn no_spare(entry: &Entry<'_>) -> Vec<String> {
    let in_use = |pin: &Pin| entry.answers().any(|(_, answer)| answer.has(pin));
    let spare = |pin: &Pin| pin.state != PinState::Retiring && !in_use(pin);
    if entry.answers().next().is_none() || entry.policy.pins().iter().any(spare) {
        return Vec::new();
    }
    vec![format!(
        "every pin of {} is in use by its servers: add one of a key that is kept elsewhere, as \
         \"backup\"",
        entry.policy.host(),
    )]
}

fn no_match(entry: &Entry<'_>) -> Vec<String> {
    let refused = |server: &Server| match &server.answer {
        Err(e) => Some(format!(
            "{} cannot be asked ({}): name a server of the entry that can be, with --connect",
            server.target,
            e.message(),
        )),
        Ok(Answer { explanation, .. }) if explanation.decision == Decision::Block => {
            let why = explanation
                .error
                .as_ref()
                .map_or_else(|| "refused".to_owned(), ToString::to_string);
            Some(format!(
                "clients would refuse {} ({why}): pin what it presents, or begin with report_only",
                server.target,
            ))
        }
        Ok(_) => None,
    };
    entry.servers.iter().filter_map(refused).collect()
}

fn renewed_with_new_keys(entry: &Entry<'_>) -> Vec<String> {
    let short = |(target, answer): (&str, &Answer)| {
        let leaf = answer.leaf()?;
        let validity = leaf.not_after.saturating_sub(leaf.not_before);
        let at_leaf = |pin: &Pin| match pin.at {
            PinAt::Leaf => true,
            PinAt::Any => answer.is_end_entity(pin),
            PinAt::Ca => false,
        };
        let leaves = entry.policy.pins().iter().all(at_leaf);
        (leaves && validity < SHORT_LIVED).then(|| {
            format!(
                "only end-entities are pinned, and that of {target} is valid for {} days: renew \
                 it with the same key, or pin an authority as well",
                validity.div_ceil(DAY),
            )
        })
    };
    entry.answers().filter_map(short).collect()
}

/// RFC 7469 knows no such thing; whoever inspects connections often has one key for everything.
fn its_own_issuer(entry: &Entry<'_>) -> Vec<String> {
    let inspecting = entry.answers().filter(|(_, answer)| answer.is_its_own_issuer());
    let text = |(target, _)| {
        format!(
            "{target} has the key of its own issuer, as with proxies that inspect: somebody is \
             between you and it, so pin nothing that you see from here"
        )
    };
    inspecting.map(text).collect()
}

/// A pinned authority that a server presents and that is nobody's root.
fn intermediates(entry: &Entry<'_>) -> Vec<String> {
    if entry.policy.trust() != Trust::SystemAndPin {
        return Vec::new();
    }
    let mut found = BTreeSet::new();
    let pins = entry.policy.pins().iter().filter(|pin| pin.state != PinState::Retiring);
    for pin in pins.filter(|pin| pin.at != PinAt::Leaf) {
        for (_, answer) in entry.answers() {
            let below_root = |identity: &&CertificateIdentity| {
                pin.digest.to_string() == identity.spki.to_string()
                    && !identity.is_self_issued
                    && stores().authority(&identity.spki).is_none()
            };
            if answer.identities.iter().skip(1).any(|identity| below_root(&identity)) {
                found.insert(intermediate_words(pin));
            }
        }
    }
    found.into_iter().collect()
}

/// The domain that somebody has registered, by which hosts are strangers or not.
fn domain(host: &HostName) -> &str {
    host.registrable_domain().unwrap_or(host.as_str())
}

fn one_key_for_strangers(survey: &Survey<'_>) -> Vec<Found> {
    let mut by_key = BTreeMap::<_, Vec<(&Entry<'_>, &Server, CertSha256)>>::new();
    for entry in &survey.entries {
        for server in &entry.servers {
            let Ok(answer) = &server.answer else { continue };
            let (Some(leaf), Some(der)) = (answer.leaf(), answer.chain.first()) else { continue };
            let certificate = CertSha256::of_certificate(der);
            by_key.entry(leaf.spki).or_default().push((entry, server, certificate));
        }
    }
    let mut found = Vec::new();
    for servers in by_key.values() {
        let domains: BTreeSet<_> = servers.iter().map(|(_, s, _)| domain(&s.host)).collect();
        let certificates: BTreeSet<_> = servers.iter().map(|(.., digest)| digest).collect();
        // One certificate may name them all; several with one key are made as they are asked for.
        let (Some((entry, ..)), true) =
            (servers.first(), domains.len() > 1 && certificates.len() > 1)
        else {
            continue;
        };
        let targets: Vec<_> = servers.iter().map(|(_, server, _)| server.target.as_str()).collect();
        let text = format!(
            "{} have one key in different certificates, as with proxies that inspect: make sure \
             that nobody is between you and them before you pin it",
            targets.join(", "),
        );
        found.push((entry.place(), text));
    }
    found
}

/// What a rule says of each server that presents something else than the last time.
fn changed(
    survey: &Survey<'_>,
    rule: fn(&Entry<'_>, &str, &Answer, &crate::survey::Difference) -> Option<String>,
) -> Vec<Found> {
    let mut found = Vec::new();
    for entry in &survey.entries {
        for (target, answer) in entry.answers() {
            let difference = survey.seen.difference(target, answer);
            let text = difference.and_then(|difference| rule(entry, target, answer, &difference));
            found.extend(text.map(|text| (entry.place(), text)));
        }
    }
    found
}

fn new_leaf(
    entry: &Entry<'_>,
    target: &str,
    answer: &Answer,
    difference: &crate::survey::Difference,
) -> Option<String> {
    let pinned = |pin: &Pin| match pin.at {
        PinAt::Leaf => true,
        PinAt::Any => answer.is_end_entity(pin),
        PinAt::Ca => false,
    };
    if !difference.leaf || !entry.policy.pins().iter().any(pinned) {
        return None;
    }
    Some(format!(
        "{target} has another key than on {}: a pin of it costs a new pin set at every renewal, \
         which is {} a year with certificates of {DAYS_OF_2029} days; renew with the same key",
        day(difference.since),
        365_u64.div_ceil(DAYS_OF_2029),
    ))
}

fn new_issuers(
    _: &Entry<'_>,
    target: &str,
    _: &Answer,
    difference: &crate::survey::Difference,
) -> Option<String> {
    if difference.issuers.is_empty() {
        return None;
    }
    Some(format!(
        "{target} is issued by way of {}, which was not there on {}: no pin of an intermediate \
         would have lasted",
        difference.issuers.join(", "),
        day(difference.since),
    ))
}

fn day(at: u64) -> String {
    format_rfc3339_utc(at)[..10].to_owned()
}

/// Certificates with keys and signatures that clients of the library, or phones, do not take.
fn not_verifiable(entry: &Entry<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (target, answer) in entry.answers() {
        for (der, identity) in answer.chain.iter().zip(&answer.identities) {
            let signature = || match identity.is_self_issued {
                true => None,
                false => verifiable_signature(der).err(),
            };
            let why = identity.unusable.clone().or_else(signature);
            let name = identity.subject.as_deref().unwrap_or("a certificate without a name");
            found.extend(why.map(|why| format!("{target} presents {name}, which has {why}")));
        }
    }
    found
}
