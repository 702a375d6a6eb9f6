//! What `interception` gets to see of a refused certificate.

use super::judge::{Distrust, Finding, Judge, Judgement};
use super::path::Subject;
use super::presented::{Presented, is_signed_by, issuer_of};
use super::trust::SystemTrust;
use crate::der::Fields;
use crate::interception::{Cause, InterceptionReport, Scene};
use crate::name::read_name;
use crate::pin::{Outcome, PinDigest, Trust};

impl Judge {
    /// Who is in the middle, where the judgement is one to wonder about.
    pub(super) fn interception(
        &self,
        judgement: &Judgement<'_>,
        presented: &Presented<'_>,
        subject: &Subject<'_>,
        finding: &Finding,
    ) -> Option<InterceptionReport> {
        let cause = match (&judgement.trust, &judgement.outcome) {
            (Err(Distrust::Untrusted(reason)), _) => Cause::Untrusted(reason),
            (Ok(()), Outcome::NoMatch) => Cause::Mismatch,
            _ => return None,
        };
        let mut pool = presented.intermediates.to_vec();
        pool.extend(finding.above.iter().cloned());
        let all = std::iter::once(presented.end_entity).chain(&pool);
        let all = all.filter_map(|der| Fields::read(der)).collect::<Vec<_>>();
        let leaf = Fields::read(presented.end_entity);
        let names = |fields: &Fields<'_>| {
            let read = |name| read_name(name).unwrap_or_default();
            (read(fields.subject), read(fields.issuer))
        };
        let now = presented.now.as_secs();
        let pinned = |policy: &crate::pin::HostPolicy| {
            let key = PinDigest::Spki(subject.leaf.spki);
            policy.pins().iter().any(|pin| pin.digest == key)
        };
        let scene = Scene {
            cause,
            names: all.iter().map(names).collect(),
            self_signed: leaf.as_ref().is_some_and(is_self_signed),
            hosts: subject.end_entity.valid_dns_names().map(str::to_owned).collect(),
            validity: leaf.as_ref().map(|fields| fields.validity),
            authorities_expired: all.len() > 1
                && all[1..].iter().all(|fields| fields.validity.1 < now),
            now,
            live: presented.live,
            public: public(subject, &pool),
            added: finding.added,
            own_authority: match judgement.policy {
                Some(policy) if policy.trust() == Trust::PrivateCa => true,
                _ => matches!(self.system, SystemTrust::Anchors { public: false, .. }),
            },
            pinned_key: judgement.policy.is_some_and(pinned),
        };
        scene.classify()
    }
}

fn is_self_signed(fields: &Fields<'_>) -> bool {
    issuer_of(fields).is_some_and(|issuer| is_signed_by(fields, &issuer))
}

/// Whether a path leads to one of the public web's authorities; none where those are not compiled
/// in.
fn public(subject: &Subject<'_>, pool: &[rustls_pki_types::CertificateDer<'_>]) -> Option<bool> {
    let roots = super::provider::public_anchors();
    (!roots.is_empty()).then(|| subject.reaches(pool, roots))
}
