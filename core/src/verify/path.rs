//! Pins on verified paths.
//!
//! "Presented" is what a server sends, "verified" is what signatures prove. Pins meet only the
//! end-entity and paths that webpki has built (RFC 5280 §6.1).

use std::cell::RefCell;

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath, anchor_from_trusted_cert};

use super::effort::Effort;
use crate::pin::{
    Anchors, Blocked, CertSha256, HostPolicy, PathCertificate, PathFate, PinAt, SpkiSha256,
    TriedPath,
};

/// Whether a valid path will do; an error makes webpki go on to others.
type Check<'a> = dyn Fn(&VerifiedPath<'_>) -> Result<(), webpki::Error> + 'a;

/// Paths beyond these are tried, but not remembered.
const MAX_REMEMBERED: usize = 16;

/// The end-entity, when, and what may be spent on it.
pub(super) struct Subject<'a> {
    pub(super) end_entity: &'a EndEntityCert<'a>,
    pub(super) now: UnixTime,
    pub(super) effort: &'a Effort,
    /// Whether any pin is of a whole certificate, so that hashing those is worth it.
    digests: bool,
    /// It as the first certificate of every path.
    pub(super) leaf: PathCertificate,
}

impl<'a> Subject<'a> {
    pub(super) fn new(
        end_entity: &'a EndEntityCert<'a>,
        der: &CertificateDer<'_>,
        now: UnixTime,
        effort: &'a Effort,
        policy: Option<&HostPolicy>,
    ) -> Self {
        let digests = policy.is_some_and(HostPolicy::pins_certificates);
        let leaf = PathCertificate::named(
            SpkiSha256::of_spki(&end_entity.subject_public_key_info()),
            digests.then(|| CertSha256::of_certificate(der)),
            end_entity.subject(),
        );
        Self { end_entity, now, effort, digests, leaf }
    }

    fn anchor(
        &self,
        anchor: &TrustAnchor<'_>,
        certificate_of: impl FnOnce(&TrustAnchor<'_>) -> Option<CertSha256>,
    ) -> PathCertificate {
        PathCertificate::named(
            SpkiSha256::of_spki_contents(&anchor.subject_public_key_info),
            if self.digests { certificate_of(anchor) } else { None },
            &anchor.subject,
        )
    }

    /// A certificate above the end-entity; none where it is not one.
    fn authority(&self, der: &CertificateDer<'_>) -> Option<PathCertificate> {
        let anchor = anchor_from_trusted_cert(der).ok()?;
        Some(self.anchor(&anchor, |_| Some(CertSha256::of_certificate(der))))
    }

    /// Certificates as a path, on the word of whoever verified it.
    pub(super) fn path_of(&self, above: &[CertificateDer<'_>]) -> Vec<PathCertificate> {
        let above = above.iter().filter_map(|der| self.authority(der));
        std::iter::once(self.leaf.clone()).chain(above).collect()
    }

    /// Whether there is a valid path to one of `anchors`.
    pub(super) fn reaches(
        &self,
        intermediates: &[CertificateDer<'_>],
        anchors: &[TrustAnchor<'_>],
    ) -> bool {
        self.build(intermediates, anchors, None).is_ok()
    }

    fn build<'p>(
        &'p self,
        intermediates: &'p [CertificateDer<'_>],
        anchors: &'p [TrustAnchor<'_>],
        check: Option<&Check<'_>>,
    ) -> Result<VerifiedPath<'p>, webpki::Error> {
        self.end_entity.verify_for_usage(
            &self.effort.algorithms(),
            anchors,
            intermediates,
            self.now,
            KeyUsage::server_auth(),
            None,
            check,
        )
    }
}

/// What a path has to satisfy.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Whose pins; none where every valid path will do.
    pub(super) policy: Option<&'a HostPolicy>,
    /// Keys that no path may contain.
    pub(super) blocked: &'a Blocked,
}

impl Wanted<'_> {
    pub(super) fn judge(&self, path: Vec<PathCertificate>) -> TriedPath {
        let fate = match (self.blocked.first_of(path.iter().map(|c| c.spki)), self.policy) {
            (Some(key), _) => PathFate::Blocked(key),
            (None, None) => PathFate::Accepted,
            (None, Some(policy)) => {
                policy.match_path(&path).map_or(PathFate::NoPin, PathFate::Match)
            }
        };
        TriedPath { certificates: path, fate }
    }
}

/// Tries the valid paths from `subject` over `intermediates` to `anchors`, until one is what is
/// `wanted`. Returns all that were tried, the wanted one last.
///
/// # Errors
/// webpki's, where no valid path exists at all.
pub(super) fn search(
    subject: &Subject<'_>,
    intermediates: &[CertificateDer<'_>],
    anchors: &Anchors,
    wanted: Wanted<'_>,
) -> Result<Vec<TriedPath>, webpki::Error> {
    let tried = RefCell::new(Vec::new());
    let check = |verified: &VerifiedPath<'_>| {
        let mut path = Vec::with_capacity(4);
        path.push(subject.leaf.clone());
        path.extend(verified.intermediate_certificates().map(|cert| {
            PathCertificate::named(
                SpkiSha256::of_spki(&cert.subject_public_key_info()),
                subject.digests.then(|| CertSha256::of_certificate(&cert.der())),
                cert.subject(),
            )
        }));
        path.push(subject.anchor(verified.anchor(), |anchor| {
            let carried = || wanted.policy?.pinned_roots().certificate(anchor);
            anchors.certificate(anchor).or_else(carried)
        }));
        let judged = wanted.judge(path);
        let good = judged.fate.is_good();
        let mut tried = tried.borrow_mut();
        // The last place is kept for the path without a pin, which decides between the outcomes.
        let tells = good || (judged.fate == PathFate::NoPin && tried.len() == MAX_REMEMBERED);
        if tells || tried.len() < MAX_REMEMBERED {
            tried.push(judged);
        }
        // Not a verdict on the certificates: it makes webpki go on to other paths.
        if good { Ok(()) } else { Err(webpki::Error::UnknownIssuer) }
    };
    let built = subject.build(intermediates, anchors.list(), Some(&check)).map(|_| ());
    let tried = tried.into_inner();
    match built {
        Err(e) if tried.is_empty() => Err(e),
        _ => Ok(tried),
    }
}

/// Tries to prove a pin above the end-entity where the system has judged the chain in its own way.
///
/// A path is built on which *only* pinned authorities are anchors: those among `certificates`,
/// those that the pin set carries and public roots that it pins. A pinned certificate that does
/// not issue this end-entity proves nothing.
pub(super) fn prove_pin(
    subject: &Subject<'_>,
    certificates: &[CertificateDer<'_>],
    policy: &HostPolicy,
    blocked: &Blocked,
) -> Option<TriedPath> {
    let mut anchors = Anchors::default();
    for der in certificates {
        // As webpki does, what does not parse is ignored: servers send all sorts of things.
        let Ok(anchor) = anchor_from_trusted_cert(der) else { continue };
        let entry = subject.anchor(&anchor, |_| Some(CertSha256::of_certificate(der)));
        if policy.pins().iter().any(|pin| pin.at != PinAt::Leaf && pin.is_of(&entry)) {
            anchors.push(anchor.to_owned(), entry.certificate);
        }
    }
    for root in policy.pinned_roots().list() {
        anchors.push(root.clone(), policy.pinned_roots().certificate(root));
    }
    if anchors.list().is_empty() {
        return None;
    }
    let wanted = Wanted { policy: Some(policy), blocked };
    let tried = search(subject, certificates, &anchors, wanted).ok()?;
    tried.into_iter().next_back().filter(|path| path.fate.is_good())
}

/// Whether a certificate with this key among `certificates` has issued the end-entity, directly or
/// not, over a path without blocked keys.
pub(super) fn prove_authority(
    subject: &Subject<'_>,
    certificates: &[CertificateDer<'_>],
    key: SpkiSha256,
    blocked: &Blocked,
) -> bool {
    let mut anchors = Anchors::default();
    for der in certificates {
        let Ok(anchor) = anchor_from_trusted_cert(der) else { continue };
        if SpkiSha256::of_spki_contents(&anchor.subject_public_key_info) == key {
            anchors.push(anchor.to_owned(), None);
        }
    }
    let wanted = Wanted { policy: None, blocked };
    !anchors.list().is_empty()
        && search(subject, certificates, &anchors, wanted)
            .is_ok_and(|tried| tried.iter().any(|path| path.fate == PathFate::Accepted))
}
