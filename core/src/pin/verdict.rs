//! The verdict, a fact, and the decision that follows from it.

use super::policy::HostPolicy;
use super::spec::{Mode, PinAt, PinState};
use super::spki::{CertSha256, PinDigest, SpkiSha256};
use crate::error::CertificateFacts;

/// One certificate of a path, as far as pins care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathCertificate {
    /// The pin of its key.
    pub spki: SpkiSha256,
    /// Its own digest; none for a trust anchor that is known by name and key only, or where the
    /// policy pins no certificates.
    pub certificate: Option<CertSha256>,
}

/// The pin that satisfied a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchedPin {
    /// What the policy pins.
    pub pin: PinDigest,
    /// Where it was found: the end-entity or an authority above it.
    pub at: PinAt,
    /// The position in the verified path: 0 is the end-entity.
    pub depth: usize,
    /// What the policy says of the pin; `Retiring` tells when removal is safe.
    pub state: PinState,
}

/// How a verified path stands to the policy of its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The policy's time is over: the system's trust alone decided.
    Lapsed,
    /// A pin is on the path.
    Match(MatchedPin),
    /// No pin is on any valid path.
    NoMatch,
    /// The pin set says nothing about the host.
    NotPinned,
    /// The pin set switches pinning off for the host.
    Off,
}

/// What is known after a handshake's certificate was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How the path stands to the policy.
    pub outcome: Outcome,
    /// The policy's mode; `Off` where there is no policy.
    pub mode: Mode,
    /// The verified path, end-entity first, as far as it is known.
    pub path: Vec<PathCertificate>,
    /// The same facts that an error would carry.
    pub facts: CertificateFacts,
}

/// What to do with the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Use it.
    Allow,
    /// Refuse it, before a byte of the request.
    Block,
}

impl Verdict {
    /// Follows from the outcome and the mode alone.
    pub fn decision(&self) -> Decision {
        match (&self.outcome, self.mode) {
            (Outcome::NoMatch, Mode::Enforce) => Decision::Block,
            _ => Decision::Allow,
        }
    }
}

impl HostPolicy {
    /// The first pin of the policy on a **verified** path, from the end-entity up.
    ///
    /// Never call it with the certificates that a server merely presented: anybody can paste a
    /// pinned certificate behind another (CVE-2016-2402).
    pub fn match_path(&self, path: &[PathCertificate]) -> Option<MatchedPin> {
        path.iter().enumerate().find_map(|(depth, certificate)| {
            let at = if depth == 0 { PinAt::Leaf } else { PinAt::Ca };
            let pin = self.pins().iter().find(|pin| {
                (pin.at == at || pin.at == PinAt::Any)
                    && match &pin.digest {
                        PinDigest::Spki(digest) => *digest == certificate.spki,
                        PinDigest::Certificate(digest) => {
                            Some(digest) == certificate.certificate.as_ref()
                        }
                    }
            })?;
            Some(MatchedPin { pin: pin.digest, at, depth, state: pin.state })
        })
    }
}
