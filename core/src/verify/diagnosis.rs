//! Whose dates, name or issuer it is that a certificate is refused for.
//!
//! It decides nothing, it looks at what a server sent after that has been refused.

use rustls_pki_types::{CertificateDer, ServerName};
use webpki::EndEntityCert;

use super::effort::Effort;
use super::issuers::{is_named_by, may_issue};
use super::presented::{Presented, is_signed_by, issuer_of};
use crate::der::{Fields, SEQUENCE, context_primitive};
use crate::error::UntrustedReason;
use crate::interception::Evidence;
use crate::name::{Name, name_of, printable, read_name};
use crate::pin::SpkiSha256;

const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
/// Authority information access, which tells where the issuer's certificate is.
const AUTHORITY_INFORMATION: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];
/// webpki's bound on authorities between an end-entity and its anchor.
const MAX_DEPTH: usize = 7;

/// What a server sent, from its certificate upwards as far as signatures go.
pub(super) struct Chain<'a> {
    /// The end-entity first.
    pub(super) links: Vec<Fields<'a>>,
    /// Whether the last one has signed itself.
    pub(super) ends_in_itself: bool,
}

impl<'a> Chain<'a> {
    pub(super) fn new(leaf: Fields<'a>, all: &'a [CertificateDer<'_>], effort: &Effort) -> Self {
        let above = all.iter().filter_map(|der| Fields::read(der)).collect::<Vec<_>>();
        let signs = |issuer: &Fields<'_>, below: &Fields<'_>| {
            is_named_by(issuer, below)
                && issuer_of(issuer).is_some_and(|issuer| is_signed_by(below, &issuer, effort))
        };
        let mut links = vec![leaf];
        while links.len() <= MAX_DEPTH {
            let last = links[links.len() - 1];
            let ends_in_itself = signs(&last, &last);
            let known = |fields: &Fields<'_>| links.iter().any(|link| link.spki == fields.spki);
            let mut next = above.iter().filter(|fields| !known(fields) && signs(fields, &last));
            match next.next() {
                Some(next) if !ends_in_itself => links.push(*next),
                _ => return Self { links, ends_in_itself },
            }
        }
        Self { links, ends_in_itself: false }
    }

    /// The authorities whose keys have signed, directly or not; the nearest first.
    pub(super) fn authorities(&self) -> impl Iterator<Item = &Fields<'a>> {
        self.links.iter().skip(1)
    }

    /// The keys that have signed.
    pub(super) fn keys(&self) -> impl Iterator<Item = (SpkiSha256, &Fields<'a>)> {
        self.authorities().map(|fields| (SpkiSha256::of_spki(fields.spki), fields))
    }
}

/// What exactly is wrong, where more can be said than the reason itself does.
pub(super) fn cause(
    reason: &UntrustedReason,
    presented: &Presented<'_>,
    chain: &Chain<'_>,
) -> Option<Evidence> {
    let leaf = chain.links.first()?;
    let now = presented.now.as_secs();
    match reason {
        UntrustedReason::WrongHost => further_down(presented).or_else(|| no_name(leaf)),
        UntrustedReason::Expired | UntrustedReason::NotYetValid => {
            let own_is_good = (leaf.validity.0..=leaf.validity.1).contains(&now);
            own_is_good.then(|| out_of_date(chain, now).unwrap_or(Evidence::UnseenAuthority))
        }
        UntrustedReason::UnknownIssuer => {
            may_not_sign(chain).or_else(|| out_of_date(chain, now)).or_else(|| top(chain))
        }
        UntrustedReason::Invalid(_) => further_down(presented).or_else(|| may_not_sign(chain)),
        UntrustedReason::Revoked | UntrustedReason::Unverified(_) => None,
    }
}

/// The server's own certificate behind others, as in files that begin with the root.
fn further_down(presented: &Presented<'_>) -> Option<Evidence> {
    let is_for = |der: &CertificateDer<'_>, name: &ServerName<'_>| {
        !is_authority(der)
            && EndEntityCert::try_from(der)
                .is_ok_and(|it| it.verify_is_valid_for_subject_name(name).is_ok())
    };
    if is_for(presented.end_entity, presented.name) {
        return None;
    }
    let mut others = presented.intermediates.iter();
    let place = others.position(|der| is_for(der, presented.name))?;
    Some(Evidence::FurtherDown(place + 2))
}

/// The certificate that stands further down.
pub(super) fn own_key(presented: &Presented<'_>, place: usize) -> Option<SpkiSha256> {
    let fields = Fields::read(presented.intermediates.get(place.checked_sub(2)?)?)?;
    Some(SpkiSha256::of_spki(fields.spki))
}

fn is_authority(der: &CertificateDer<'_>) -> bool {
    let constraints = Fields::read(der).and_then(|fields| fields.extension(BASIC_CONSTRAINTS)?);
    let constraints = constraints.and_then(|value| value.expect(SEQUENCE));
    constraints.is_some_and(|(constraints, _)| {
        constraints.expect(crate::der::BOOLEAN).is_some_and(|(flag, _)| flag.0 == [0xff])
    })
}

fn no_name(leaf: &Fields<'_>) -> Option<Evidence> {
    names(leaf).is_empty().then(|| {
        let common_name = read_name(leaf.subject).and_then(|name: Name| name.common_name);
        Evidence::NoName(common_name)
    })
}

/// The DNS names and addresses that a certificate is for.
pub(super) fn names(fields: &Fields<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let Some(Some(value)) = fields.extension(SUBJECT_ALT_NAME) else { return found };
    let Some((mut list, _)) = value.expect(SEQUENCE) else { return found };
    while let Some((tag, _, name, rest)) = list.next() {
        list = rest;
        match (tag, name) {
            (_, name) if tag == context_primitive(2) => {
                found.push(printable(&String::from_utf8_lossy(name), MAX_NAME));
            }
            (_, [a, b, c, d]) if tag == context_primitive(7) => {
                found.push(std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string());
            }
            (_, name) if tag == context_primitive(7) => {
                let address = <[u8; 16]>::try_from(name).map(std::net::Ipv6Addr::from);
                found.extend(address.map(|address| address.to_string()));
            }
            _ => {}
        }
    }
    found
}

/// Longer names are no host's (RFC 1035 §2.3.4).
const MAX_NAME: usize = 255;

fn out_of_date(chain: &Chain<'_>, now: u64) -> Option<Evidence> {
    chain.authorities().find_map(|fields| {
        let (from, until) = fields.validity;
        if now > until {
            Some(Evidence::AuthorityExpired { name: subject(fields), until })
        } else if now < from {
            Some(Evidence::AuthorityNotYetValid { name: subject(fields), from })
        } else {
            None
        }
    })
}

fn may_not_sign(chain: &Chain<'_>) -> Option<Evidence> {
    // The last one may be an anchor of somebody's, which need not say what it may do.
    let links = chain.authorities().collect::<Vec<_>>();
    let links = if chain.ends_in_itself { &links[..links.len().saturating_sub(1)] } else { &links };
    let found = links.iter().find(|fields| !may_issue(fields))?;
    Some(Evidence::IssuerMayNotSign(subject(found)))
}

/// Where the chain ends.
fn top(chain: &Chain<'_>) -> Option<Evidence> {
    let last = chain.links.last()?;
    if chain.ends_in_itself {
        return (chain.links.len() > 1).then(|| Evidence::UntrustedAuthority(subject(last)));
    }
    Some(Evidence::IssuerMissing {
        name: name_of(last.issuer).unwrap_or_else(|| "without a name".into()),
        published: matches!(last.extension(AUTHORITY_INFORMATION), Some(Some(_))),
    })
}

pub(super) fn subject(fields: &Fields<'_>) -> String {
    name_of(fields.subject).unwrap_or_else(|| "without a name".into())
}
