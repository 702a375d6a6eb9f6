//! Errors on their way across: one record with the stable code and every fact there is.

use pinfold_core::Error;

use crate::interception::Interception;

/// An error of `pinfold-core`, flattened. Which members are set follows from the code.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Failure {
    /// The stable code.
    pub code: String,
    /// What happened, for a log.
    pub message: String,
    /// The host concerned.
    pub host: Option<String>,
    /// Where in the caller's input the fault is.
    pub place: Option<String>,
    /// The pin set's entry that applied.
    pub rule: Option<String>,
    /// The pin of the end-entity certificate that was presented.
    pub presented_pin: Option<String>,
    /// The pins that would have been accepted.
    pub expected_pins: Vec<String>,
    /// The subject of that certificate.
    pub subject: Option<String>,
    /// Who issued it.
    pub issuer: Option<String>,
    /// The version of the pin set.
    pub pin_set_version: Option<u64>,
    /// The proxy that failed or refused, or that the certificate came through.
    pub proxy: Option<String>,
    /// What the proxy answered, where it refused.
    pub proxy_status: Option<u16>,
    /// Who is probably in the middle.
    pub interception: Option<Interception>,
}

/// [`Failure`] as what UniFFI throws.
#[derive(Debug, uniffi::Error)]
pub enum PinfoldFailure {
    /// The only case: languages map the code to their own types.
    Failed {
        /// What failed.
        failure: Failure,
    },
}

impl std::fmt::Display for PinfoldFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::Failed { failure } = self;
        f.write_str(&failure.message)
    }
}

impl std::error::Error for PinfoldFailure {}

impl From<Error> for PinfoldFailure {
    fn from(error: Error) -> Self {
        Self::Failed { failure: Failure::from(error) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let facts = error.certificate().cloned().unwrap_or_default();
        Self {
            code: error.code().to_owned(),
            message: error.to_string(),
            host: error.host().map(str::to_owned),
            place: error.place().map(str::to_owned),
            proxy: error.proxy().map(str::to_owned),
            proxy_status: match &error {
                Error::ProxyRefused { status, .. } => Some(*status),
                _ => None,
            },
            rule: facts.rule,
            presented_pin: facts.presented_pin.map(|pin| pin.to_string()),
            expected_pins: facts.expected_pins.iter().map(ToString::to_string).collect(),
            subject: facts.subject,
            issuer: facts.issuer,
            pin_set_version: facts.pin_set_version,
            interception: error.interception().map(Interception::from),
        }
    }
}

/// Every code there is, for the tests that every language knows each of them.
#[uniffi::export]
pub fn error_codes() -> Vec<String> {
    Error::CODES.iter().map(|&code| code.to_owned()).collect()
}
