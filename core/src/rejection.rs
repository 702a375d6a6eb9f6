//! Why a document was not accepted, as one closed set with stable codes.

use std::fmt;

use crate::error::Error;

/// Why a bundle was refused as a whole; the pin set in use stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// What an updater, a report and a dashboard act on.
    pub cause: Cause,
    /// Where, such as `hosts[0].pins[1].sha256`.
    pub place: String,
    /// What is wrong there, for people.
    pub reason: String,
}

/// The rule that a document broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// It is for other apps.
    Audience,
    /// The root does not let its signers say so.
    Constraints,
    /// It belongs to another epoch than the root.
    Epoch,
    /// The version in use again, with other contents: somebody shows different truths.
    Equivocation,
    /// It would outlive its end for longer than allowed.
    Grace,
    /// It is not in the form of such a document.
    Malformed,
    /// Older than the one in use.
    Rollback,
    /// It belongs to another series of documents.
    Stream,
    /// Too few of the keys that count have signed it.
    Threshold,
    /// Issued before the one in use, although its version is not lower.
    TimeRollback,
    /// Larger than any honest one.
    TooLarge,
    /// A document of another type than its place asks for.
    Type,
    /// It needs a newer version of this library.
    Unsupported,
    /// Its validity is empty, longer than allowed, or longer than the root's.
    Window,
}

impl Cause {
    /// Every cause, in the order of the codes.
    pub const ALL: &'static [Self] = &[
        Self::Audience,
        Self::Constraints,
        Self::Epoch,
        Self::Equivocation,
        Self::Grace,
        Self::Malformed,
        Self::Rollback,
        Self::Stream,
        Self::Threshold,
        Self::TimeRollback,
        Self::TooLarge,
        Self::Type,
        Self::Unsupported,
        Self::Window,
    ];

    /// The stable code: lower case, never renamed.
    pub fn code(self) -> &'static str {
        match self {
            Self::Audience => "audience",
            Self::Constraints => "constraints",
            Self::Epoch => "epoch",
            Self::Equivocation => "equivocation",
            Self::Grace => "grace",
            Self::Malformed => "malformed",
            Self::Rollback => "rollback",
            Self::Stream => "stream",
            Self::Threshold => "threshold",
            Self::TimeRollback => "time_rollback",
            Self::TooLarge => "too_large",
            Self::Type => "type",
            Self::Unsupported => "unsupported",
            Self::Window => "window",
        }
    }
}

impl Rejection {
    pub(crate) fn new(cause: Cause, place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { cause, place: place.into(), reason: reason.into() }
    }

    pub(crate) fn malformed(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(Cause::Malformed, place, reason)
    }

    /// The stable code of its cause.
    pub fn code(&self) -> &'static str {
        self.cause.code()
    }

    /// The same, with its place inside of `outer`.
    pub(crate) fn within(mut self, outer: &str) -> Self {
        self.place = match self.place.as_str() {
            "document" => outer.to_owned(),
            place => format!("{outer}.{place}"),
        };
        self
    }
}

impl From<Error> for Rejection {
    /// Of an error that a pin set's own rules found.
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidPinSet { place, reason } => Self::malformed(place, reason),
            error => Self::malformed("document", error.to_string()),
        }
    }
}

impl From<Rejection> for Error {
    /// Of a static pin set, which nobody but its own app could have refused.
    fn from(rejection: Rejection) -> Self {
        Self::pin_set(rejection.place, rejection.reason)
    }
}

impl std::error::Error for Rejection {}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.code(), self.place, self.reason)
    }
}
