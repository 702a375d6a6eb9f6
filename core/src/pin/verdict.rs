//! The verdict, a fact, and the decision that follows from it.

use super::policy::{HostPolicy, Pin};
use super::spec::{Mode, OnLapse, PinAt, PinState};
use super::spki::{CertSha256, PinDigest, SpkiSha256};
use crate::der::Der;
use crate::error::CertificateFacts;
use crate::name::name_of;

/// One certificate of a path, as far as pins care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathCertificate {
    /// The pin of its key.
    pub spki: SpkiSha256,
    /// Its own digest; none for a trust anchor that is known by name and key only, or where the
    /// policy pins no certificates.
    pub certificate: Option<CertSha256>,
    /// The DER of its name; read only when somebody asks.
    name: Box<[u8]>,
}

impl PathCertificate {
    /// One without a name.
    pub fn new(spki: SpkiSha256, certificate: Option<CertSha256>) -> Self {
        Self::named(spki, certificate, &[])
    }

    pub(crate) fn named(spki: SpkiSha256, certificate: Option<CertSha256>, name: &[u8]) -> Self {
        Self { spki, certificate, name: name.into() }
    }

    /// Its subject's common name and organisation.
    pub fn subject(&self) -> Option<String> {
        name_of(Der(&self.name))
    }
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

/// A path that was tried, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriedPath {
    /// Its certificates, end-entity first.
    pub certificates: Vec<PathCertificate>,
    /// How it stands to the pin set.
    pub fate: PathFate,
}

/// How a path stands to the pin set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathFate {
    /// It is valid, and nothing more was asked of it.
    Accepted,
    /// This key on it is blocked.
    Blocked(SpkiSha256),
    /// A pin is on it.
    Match(MatchedPin),
    /// It is valid, but no pin is on it.
    NoPin,
}

/// How a verified path stands to the policy of its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The pin set blocks this key, and no valid path does without it.
    BlockedKey(SpkiSha256),
    /// No pin is on any valid path, but the pin set and the device's management both name the
    /// authority that has issued the certificate; this is its `id`.
    Inspected(String),
    /// The entry's time is over: trust without pins decided, or nothing does any more.
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

impl PathFate {
    /// A word for it, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Blocked(_) => "blocked",
            Self::Match(_) => "match",
            Self::NoPin => "no_pin",
        }
    }

    /// Whether a connection may rest on the path.
    pub(crate) fn is_good(&self) -> bool {
        matches!(self, Self::Accepted | Self::Match(_))
    }
}

impl HostPolicy {
    /// Whether nothing is allowed once the entry has lapsed.
    pub(crate) fn blocks_when_lapsed(&self) -> bool {
        self.on_lapse() == OnLapse::Block
    }
}

impl Outcome {
    /// A word for it, as in JSON. A host that is `off` is one without pins.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BlockedKey(_) => "blocked_key",
            Self::Inspected(_) => "inspected",
            Self::Lapsed => "lapsed",
            Self::Match(_) => "match",
            Self::NoMatch => "no_match",
            Self::NotPinned | Self::Off => "not_pinned",
        }
    }

    /// Follows from the outcome and the policy's mode alone.
    pub(crate) fn decision(&self, mode: Mode) -> Decision {
        match (self, mode) {
            (Self::BlockedKey(_), _) | (Self::NoMatch, Mode::Enforce) => Decision::Block,
            _ => Decision::Allow,
        }
    }
}

impl Verdict {
    /// Follows from the outcome and the mode alone.
    pub fn decision(&self) -> Decision {
        self.outcome.decision(self.mode)
    }
}

impl Pin {
    /// Whether it names this certificate or its key, wherever it is.
    pub(crate) fn is_of(&self, certificate: &PathCertificate) -> bool {
        match &self.digest {
            PinDigest::Spki(digest) => *digest == certificate.spki,
            PinDigest::Certificate(digest) => Some(digest) == certificate.certificate.as_ref(),
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
            let pin = self
                .pins()
                .iter()
                .find(|pin| (pin.at == at || pin.at == PinAt::Any) && pin.is_of(certificate))?;
            Some(MatchedPin { pin: pin.digest, at, depth, state: pin.state })
        })
    }
}
