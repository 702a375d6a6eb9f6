//! The words of `mode`, as arguments.

use clap::ValueEnum;

/// A mode as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum ModeWord {
    /// The connection is refused
    Enforce,
    /// It is used, and reported
    ReportOnly,
    /// Pins are not looked at
    Off,
}

impl ModeWord {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::ReportOnly => "report_only",
            Self::Off => "off",
        }
    }
}
