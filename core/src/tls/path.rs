//! Pins on verified paths.
//!
//! "Presented" is what a server sends, "verified" is what signatures prove. Pins meet only the
//! end-entity and paths that webpki has built (RFC 5280 §6.1).

use std::cell::RefCell;

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath, anchor_from_trusted_cert};

use crate::pin::{
    Anchors, CertSha256, HostPolicy, MatchedPin, PathCertificate, PinAt, PinDigest, SpkiSha256,
};

/// Whether a valid path will do; an error makes webpki go on to others.
type Check<'a> = dyn Fn(&VerifiedPath<'_>) -> Result<(), webpki::Error> + 'a;

/// What a server presented, and when.
pub(super) struct Presented<'a> {
    pub(super) end_entity: &'a EndEntityCert<'a>,
    pub(super) end_entity_der: &'a CertificateDer<'a>,
    pub(super) intermediates: &'a [CertificateDer<'a>],
    pub(super) now: UnixTime,
    pub(super) algorithms: &'a WebPkiSupportedAlgorithms,
}

/// How the pins of a policy stand to the valid paths: the matching path, or the first valid one.
pub(super) struct PathMatch {
    pub(super) matched: Option<MatchedPin>,
    pub(super) path: Vec<PathCertificate>,
}

impl Presented<'_> {
    /// Builds a path to one of `anchors`, whatever the pins say.
    pub(super) fn verify(&self, anchors: &[TrustAnchor<'_>]) -> Result<(), webpki::Error> {
        self.build(anchors, None).map(|_| ())
    }

    /// Builds paths to `anchors`, which are trusted, until one carries a pin of `policy`.
    ///
    /// # Errors
    /// webpki's, where no valid path exists at all.
    pub(super) fn match_trusted(
        &self,
        anchors: &Anchors,
        policy: &HostPolicy,
    ) -> Result<PathMatch, webpki::Error> {
        let first_valid = RefCell::new(None);
        let matching = RefCell::new(None);
        let check = |verified: &VerifiedPath<'_>| {
            let path = self.path_of(verified, policy, |anchor| {
                let known = anchors.certificate(anchor);
                known.or_else(|| policy.pinned_roots().certificate(anchor))
            });
            if let Some(matched) = policy.match_path(&path) {
                matching.replace(Some(PathMatch { matched: Some(matched), path }));
                return Ok(());
            }
            first_valid.borrow_mut().get_or_insert(PathMatch { matched: None, path });
            // Not a verdict on the certificates: it makes webpki go on to other paths.
            Err(webpki::Error::UnknownIssuer)
        };
        let built = self.build(anchors.list(), Some(&check)).map(|_| ());
        match (built, matching.into_inner(), first_valid.into_inner()) {
            (Ok(()), Some(matching), _) => Ok(matching),
            (Err(_), _, Some(valid)) => Ok(valid),
            (Err(e), _, None) => Err(e),
            (Ok(()), None, _) => Err(webpki::Error::UnknownIssuer),
        }
    }

    /// Matches pins where the system has judged the chain but does not tell which path it took.
    ///
    /// The end-entity is compared directly. A pin above it is proved by building a path on which
    /// *only* pinned authorities are anchors: those among the presented certificates, those that
    /// the pin set carries and public roots that it pins.
    pub(super) fn match_rebuilt(&self, policy: &HostPolicy) -> PathMatch {
        let leaf = self.leaf(policy);
        if let Some(matched) = policy.match_path(std::slice::from_ref(&leaf)) {
            return PathMatch { matched: Some(matched), path: vec![leaf] };
        }
        let mut anchors = Vec::new();
        for der in self.intermediates {
            // As webpki does, what does not parse is ignored: servers send all sorts of things.
            let Ok(anchor) = anchor_from_trusted_cert(der) else { continue };
            let certificate = policy.pins_certificates().then(|| CertSha256::of_certificate(der));
            let entry = PathCertificate { spki: spki_of(&anchor), certificate };
            if pinned_above_leaf(policy, &entry) {
                anchors.push((anchor, entry.certificate));
            }
        }
        for root in policy.pinned_roots().list() {
            anchors.push((root.clone(), policy.pinned_roots().certificate(root)));
        }
        if anchors.is_empty() {
            return PathMatch { matched: None, path: vec![leaf] };
        }
        let (anchors, certificates): (Vec<_>, Vec<_>) = anchors.into_iter().unzip();
        let Ok(verified) = self.build(&anchors, None) else {
            // A pinned certificate that does not issue this end-entity proves nothing.
            return PathMatch { matched: None, path: vec![leaf] };
        };
        let path = self.path_of(&verified, policy, |anchor| {
            let found = anchors.iter().position(|known| known == anchor);
            found.and_then(|i| certificates[i])
        });
        PathMatch { matched: policy.match_path(&path), path }
    }

    /// The end-entity alone.
    pub(super) fn leaf(&self, policy: &HostPolicy) -> PathCertificate {
        PathCertificate {
            spki: SpkiSha256::of_spki(&self.end_entity.subject_public_key_info()),
            certificate: policy
                .pins_certificates()
                .then(|| CertSha256::of_certificate(self.end_entity_der)),
        }
    }

    /// The path, end-entity first; `certificate_of` knows the digest of an anchor's certificate.
    fn path_of(
        &self,
        verified: &VerifiedPath<'_>,
        policy: &HostPolicy,
        certificate_of: impl FnOnce(&TrustAnchor<'_>) -> Option<CertSha256>,
    ) -> Vec<PathCertificate> {
        let digests = policy.pins_certificates();
        let mut path = vec![self.leaf(policy)];
        path.extend(verified.intermediate_certificates().map(|cert| PathCertificate {
            spki: SpkiSha256::of_spki(&cert.subject_public_key_info()),
            certificate: digests.then(|| CertSha256::of_certificate(&cert.der())),
        }));
        let anchor = verified.anchor();
        let certificate = if digests { certificate_of(anchor) } else { None };
        path.push(PathCertificate { spki: spki_of(anchor), certificate });
        path
    }

    fn build<'p>(
        &'p self,
        anchors: &'p [TrustAnchor<'_>],
        check: Option<&Check<'_>>,
    ) -> Result<VerifiedPath<'p>, webpki::Error> {
        self.end_entity.verify_for_usage(
            self.algorithms.all,
            anchors,
            self.intermediates,
            self.now,
            KeyUsage::server_auth(),
            None,
            check,
        )
    }
}

fn spki_of(anchor: &TrustAnchor<'_>) -> SpkiSha256 {
    SpkiSha256::of_spki_contents(&anchor.subject_public_key_info)
}

fn pinned_above_leaf(policy: &HostPolicy, entry: &PathCertificate) -> bool {
    policy.pins().iter().any(|pin| {
        pin.at != PinAt::Leaf
            && match pin.digest {
                PinDigest::Spki(digest) => digest == entry.spki,
                PinDigest::Certificate(digest) => Some(digest) == entry.certificate,
            }
    })
}
