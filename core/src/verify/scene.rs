//! What `interception` gets to see of a refused certificate.

use rustls_pki_types::CertificateDer;

use super::diagnosis::{self, Chain};
use super::judge::{Distrust, Finding, Judge, Judgement};
use super::path::Subject;
use super::presented::Presented;
use super::trust::SystemTrust;
use crate::der::Fields;
use crate::interception::{Cause, Evidence, InterceptionReport, Scene};
use crate::name::read_name;
use crate::pin::{HostPolicy, Outcome, PinAt, PinDigest, SpkiSha256, Trust};

impl Judge {
    /// What exactly is wrong, and who is in the middle, where the judgement is one to wonder about.
    pub(super) fn interception(
        &self,
        judgement: &Judgement<'_>,
        presented: &Presented<'_>,
        issuers: &[CertificateDer<'_>],
        subject: &Subject<'_>,
        finding: &Finding,
    ) -> (Option<Evidence>, Option<InterceptionReport>) {
        let nothing = (None, None);
        let cause = match (&judgement.trust, &judgement.outcome) {
            (Err(Distrust::Untrusted(reason)), _) => Cause::Untrusted(reason),
            (Ok(()), Outcome::NoMatch) => Cause::Mismatch,
            _ => return nothing,
        };
        let Some(leaf) = Fields::read(presented.end_entity) else { return nothing };
        let mut pool = presented.intermediates.to_vec();
        pool.extend(finding.above.iter().cloned());
        let chain = Chain::new(leaf, &pool, subject.effort);
        let exactly = match &cause {
            Cause::Untrusted(reason) => diagnosis::cause(reason, presented, &chain),
            Cause::Mismatch => None,
        };
        let others = pool.iter().filter_map(|der| Fields::read(der));
        let all = std::iter::once(leaf).chain(others).collect::<Vec<_>>();
        let names = |fields: &Fields<'_>| {
            let read = |name| read_name(name).unwrap_or_default();
            (read(fields.subject), read(fields.issuer))
        };
        let now = presented.now.as_secs();
        let further_down = match &exactly {
            Some(Evidence::FurtherDown(place)) => diagnosis::own_key(presented, *place),
            _ => None,
        };
        let pinned = |policy: &HostPolicy, key: SpkiSha256, except: PinAt| {
            let digest = PinDigest::Spki(key);
            policy.pins().iter().any(|pin| pin.digest == digest && pin.at != except)
        };
        let own_key = |policy: &HostPolicy| {
            pinned(policy, further_down.unwrap_or(subject.leaf.spki), PinAt::Ca)
        };
        let authority =
            |policy: &HostPolicy| chain.keys().find(|(key, _)| pinned(policy, *key, PinAt::Leaf));
        let mut searched = issuers.to_vec();
        searched.extend(finding.above.iter().cloned());
        let scene = Scene {
            cause,
            exactly: exactly.clone(),
            names: all.iter().map(names).collect(),
            host: presented.name.to_str().into_owned(),
            self_signed: chain.ends_in_itself && chain.links.len() == 1,
            hosts: diagnosis::names(&leaf),
            validity: Some(leaf.validity),
            authorities_expired: all.len() > 1
                && all[1..].iter().all(|fields| fields.validity.1 < now),
            now,
            live: presented.live,
            public: public(subject, &searched),
            added: finding.added,
            own_authority: match judgement.policy {
                Some(policy) if policy.trust() == Trust::PrivateCa => true,
                _ => matches!(self.system, SystemTrust::Anchors { public: false, .. }),
            },
            pinned_key: judgement.policy.is_some_and(own_key),
            pinned_authority: judgement
                .policy
                .and_then(authority)
                .map(|(_, fields)| diagnosis::subject(fields)),
        };
        let report = scene.classify();
        (exactly, report)
    }
}

/// Whether a path leads to one of the public web's authorities; none where those are not compiled
/// in.
fn public(subject: &Subject<'_>, pool: &[CertificateDer<'_>]) -> Option<bool> {
    let roots = super::provider::public_anchors();
    (!roots.is_empty()).then(|| subject.reaches(pool, roots))
}
