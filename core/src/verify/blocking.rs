//! Blocked keys where a platform hides the path that it took, or stops short of its end.

use rustls_pki_types::CertificateDer;

use super::effort::Effort;
use super::path::{self, Subject, Wanted};
use super::presented::{Issuer, Presented, issuer_of};
use crate::der::Fields;
use crate::pin::{Anchors, PathFate, PinSet, SpkiSha256};

/// What was presented and what a platform told, in view of the blocked keys.
///
/// Names are not compared: platforms see the same name in two spellings, only keys are keys.
pub(super) struct Blocking<'a> {
    certificates: Vec<(&'a CertificateDer<'a>, Fields<'a>)>,
    pins: &'a PinSet,
    /// The blocked keys that are known in full: of certificates at hand and of public roots.
    authorities: Vec<Issuer<'a>>,
    effort: &'a Effort,
}

impl<'a> Blocking<'a> {
    pub(super) fn new(
        pins: &'a PinSet,
        presented: &Presented<'a>,
        told: &'a [CertificateDer<'a>],
        effort: &'a Effort,
    ) -> Self {
        let read = |der: &'a CertificateDer<'a>| Some((der, Fields::read(der)?));
        let all = std::iter::once(presented.end_entity).chain(presented.intermediates);
        let certificates = all.filter_map(read).collect::<Vec<_>>();
        let told = told.iter().filter_map(read).map(|(_, fields)| fields);
        let fields = certificates.iter().map(|(_, fields)| *fields).chain(told);
        let blocked = fields.filter(|fields| is_blocked(pins, fields));
        let blocked = blocked.filter_map(|fields| issuer_of(&fields)).collect::<Vec<_>>();
        let roots = pins.blocked_roots().list().iter().map(Issuer::from);
        let authorities = blocked.into_iter().chain(roots).collect();
        Self { certificates, pins, authorities, effort }
    }

    /// A blocked key on a path that a platform tells, or just beyond its end.
    pub(super) fn on_told(&self, path: &[CertificateDer<'_>]) -> Option<SpkiSha256> {
        let fields = path.iter().filter_map(|der| Fields::read(der)).collect::<Vec<_>>();
        let on_path = fields.iter().find(|fields| is_blocked(self.pins, fields));
        match (on_path, fields.last()) {
            (Some(fields), _) => Some(SpkiSha256::of_spki(fields.spki)),
            (None, Some(last)) => self.signer(last),
            (None, None) => None,
        }
    }

    /// A blocked key over which a hidden path may lead: of something presented, or of what has
    /// signed it.
    pub(super) fn on_hidden(&self) -> Option<SpkiSha256> {
        self.certificates.iter().find_map(|(_, fields)| {
            let own = SpkiSha256::of_spki(fields.spki);
            if self.pins.blocked().contains(&own) { Some(own) } else { self.signer(fields) }
        })
    }

    /// What was presented besides the end-entity without all that rests on blocked keys, and
    /// without what cannot be read; none where the end-entity rests on one.
    pub(super) fn independent(&self) -> Option<Vec<CertificateDer<'static>>> {
        let signs = |other: &Fields<'_>, fields: &Fields<'_>| {
            issuer_of(other).is_some_and(|issuer| self.is_by(fields, &issuer))
        };
        let signers = |fields: &Fields<'_>| {
            let others = 0..self.certificates.len();
            // Only among those of the right name: a path over another is not to be had from here.
            let others = others.filter(|i| self.certificates[*i].1.subject == fields.issuer);
            others.filter(|i| signs(&self.certificates[*i].1, fields)).collect::<Vec<_>>()
        };
        let signers =
            self.certificates.iter().map(|(_, fields)| signers(fields)).collect::<Vec<_>>();
        let rests =
            |fields: &Fields<'_>| is_blocked(self.pins, fields) || self.signer(fields).is_some();
        let mut depends = self.certificates.iter().map(|(_, f)| rests(f)).collect::<Vec<_>>();
        // A certificate whose every presented issuer depends does so too; as deep as it goes.
        for _ in 0..self.certificates.len().min(16) {
            for i in 0..depends.len() {
                let above = signers[i].iter().filter(|j| **j != i).collect::<Vec<_>>();
                depends[i] |= !above.is_empty() && above.iter().all(|j| depends[**j]);
            }
        }
        let free = self.certificates.iter().zip(&depends).filter(|(_, depends)| !**depends);
        let free = free.map(|((der, _), _)| (*der).clone().into_owned()).collect::<Vec<_>>();
        let leaf_is_free = depends.first() == Some(&false);
        leaf_is_free.then(|| free.into_iter().skip(1).collect())
    }

    fn signer(&self, fields: &Fields<'_>) -> Option<SpkiSha256> {
        let signer = self.authorities.iter().find(|issuer| self.is_by(fields, issuer))?;
        Some(SpkiSha256::of_spki_contents(signer.spki))
    }

    fn is_by(&self, fields: &Fields<'_>, issuer: &Issuer<'_>) -> bool {
        let (algorithm, signed) = (fields.signature_algorithm, fields.signed);
        let found = self.effort.verifies(issuer.spki, algorithm, signed, fields.signature);
        // Who makes us look at more than that has something to hide: then everything is taken for
        // signed by a blocked key.
        found == Some(true) || self.effort.cut_short().is_some()
    }
}

/// Whether a path without blocked keys leads to a public authority, whatever the platform's own
/// was.
pub(super) fn has_clean_public_path(
    subject: &Subject<'_>,
    certificates: &[CertificateDer<'_>],
    pins: &PinSet,
) -> bool {
    let mut anchors = Anchors::default();
    for anchor in super::provider::public_anchors() {
        let key = SpkiSha256::of_spki_contents(&anchor.subject_public_key_info);
        if !pins.blocked().contains(&key) {
            anchors.push(anchor.clone(), None);
        }
    }
    let wanted = Wanted { policy: None, blocked: pins.blocked() };
    path::search(subject, certificates, &anchors, wanted)
        .is_ok_and(|tried| tried.iter().any(|path| path.fate == PathFate::Accepted))
}

fn is_blocked(pins: &PinSet, fields: &Fields<'_>) -> bool {
    pins.blocked().contains(&SpkiSha256::of_spki(fields.spki))
}
