//! The whole decision as data.

use pinfold_core::pin;
use pinfold_core::verify::{ChoiceReason, Explanation as Core, PolicyChoice as Policy};

use crate::failure::Failure;
use crate::interception::Interception;
use crate::pins::{Mode, PinAt, PinState, Trust};

/// Why a connection to a host that presents a chain would be allowed or refused.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Explanation {
    /// The host in canonical form.
    pub host: String,
    /// When, in seconds since 1970.
    pub at: u64,
    /// Whether a client would use the connection.
    pub allowed: bool,
    /// How the certificate stands to the pin set.
    pub verdict: Verdict,
    /// Why it is not trusted; none where it is. The word is that of the error's code.
    pub distrust: Option<String>,
    /// The pin set's entry that holds, and why this one.
    pub policy: Option<PolicyChoice>,
    /// Every path that was tried, the one that counts last.
    pub paths: Vec<TriedPath>,
    /// The pin that matched.
    pub matched: Option<Matched>,
    /// The error with which a client would fail.
    pub failure: Option<Failure>,
    /// Who is probably in the middle.
    pub interception: Option<Interception>,
    /// The whole as JSON, the form of `pinfold evaluate --json`.
    pub json: String,
}

/// How a certificate stands to the pin set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Verdict {
    /// The pin set blocks a key on every valid path.
    BlockedKey,
    /// No pin is on any valid path, but an authority that may inspect the connection is.
    Inspected,
    /// The entry's time is over.
    Lapsed,
    /// A pin is on the path.
    Match,
    /// No pin is on any valid path.
    NoMatch,
    /// The pin set says nothing about the host.
    NotPinned,
    /// The entry switches pinning off.
    Off,
}

/// The entry that holds.
#[derive(Clone, Debug, uniffi::Record)]
pub struct PolicyChoice {
    /// Its host.
    pub host: String,
    /// Whether it names the host itself; else a parent with `include_subdomains`.
    pub is_exact: bool,
    /// Its mode.
    pub mode: Mode,
    /// Its trust.
    pub trust: Trust,
    /// When it lapses, in seconds since 1970.
    pub expires: Option<u64>,
    /// Its pins.
    pub pins: Vec<PolicyPin>,
}

/// A pin of an entry.
#[derive(Clone, Debug, uniffi::Record)]
pub struct PolicyPin {
    /// The pin.
    pub pin: String,
    /// Where it may match.
    pub at: PinAt,
    /// Where in its life it is.
    pub state: PinState,
    /// For people.
    pub label: Option<String>,
}

/// A path that was tried.
#[derive(Clone, Debug, uniffi::Record)]
pub struct TriedPath {
    /// Its certificates, end-entity first.
    pub certificates: Vec<PathCertificate>,
    /// What became of it.
    pub fate: PathFate,
}

/// How a path stands to the pin set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum PathFate {
    /// Valid, and nothing more was asked of it.
    Accepted,
    /// A key on it is blocked.
    Blocked,
    /// A pin is on it.
    Match,
    /// Valid, but no pin is on it.
    NoPin,
}

/// A certificate of a path.
#[derive(Clone, Debug, uniffi::Record)]
pub struct PathCertificate {
    /// The pin of its key.
    pub pin: String,
    /// Its subject.
    pub subject: Option<String>,
}

/// The pin that matched.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Matched {
    /// The pin.
    pub pin: String,
    /// Where it was found.
    pub at: PinAt,
    /// Whose certificate's it is.
    pub subject: Option<String>,
    /// The position in the path; 0 is the end-entity.
    pub depth: u32,
    /// What the pin set says of it.
    pub state: PinState,
}

impl From<Core> for Explanation {
    fn from(core: Core) -> Self {
        let matched = core.matched().map(|(matched, subject)| Matched {
            pin: matched.pin.to_string(),
            at: matched.at.into(),
            subject,
            depth: u32::try_from(matched.depth).unwrap_or(u32::MAX),
            state: matched.state.into(),
        });
        Self {
            host: core.host.to_string(),
            at: core.at,
            allowed: core.decision == pin::Decision::Allow,
            verdict: match &core.outcome {
                pin::Outcome::BlockedKey(_) => Verdict::BlockedKey,
                pin::Outcome::Inspected(_) => Verdict::Inspected,
                pin::Outcome::Lapsed => Verdict::Lapsed,
                pin::Outcome::Match(_) => Verdict::Match,
                pin::Outcome::NoMatch => Verdict::NoMatch,
                pin::Outcome::NotPinned => Verdict::NotPinned,
                pin::Outcome::Off => Verdict::Off,
            },
            distrust: core.trust.as_ref().err().map(|reason| reason.name().to_owned()),
            policy: core.policy.as_ref().map(policy),
            paths: core.paths.iter().map(tried).collect(),
            matched,
            interception: core.interception().map(Interception::from),
            json: core.to_json().to_string(),
            failure: core.error.map(Failure::from),
        }
    }
}

fn policy(policy: &Policy) -> PolicyChoice {
    let pin = |pin: &pin::Pin| PolicyPin {
        pin: pin.digest.to_string(),
        at: pin.at.into(),
        state: pin.state.into(),
        label: pin.label.clone(),
    };
    PolicyChoice {
        host: policy.host.to_string(),
        is_exact: policy.reason == ChoiceReason::Exact,
        mode: policy.mode.into(),
        trust: policy.trust.into(),
        expires: policy.expires,
        pins: policy.pins.iter().map(pin).collect(),
    }
}

fn tried(path: &pin::TriedPath) -> TriedPath {
    let certificate = |certificate: &pin::PathCertificate| PathCertificate {
        pin: certificate.spki.to_string(),
        subject: certificate.subject(),
    };
    TriedPath {
        certificates: path.certificates.iter().map(certificate).collect(),
        fate: match path.fate {
            pin::PathFate::Accepted => PathFate::Accepted,
            pin::PathFate::Blocked(_) => PathFate::Blocked,
            pin::PathFate::Match(_) => PathFate::Match,
            pin::PathFate::NoPin => PathFate::NoPin,
        },
    }
}
