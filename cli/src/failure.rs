//! What went wrong, for people, for programs and as an exit code.

use std::process::ExitCode;

use pinfold_core::Error;
use pinfold_core::pinset::Rejection;
use serde_json::{Value, json};

use crate::terminal;

/// Shown at the end of the help.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
   0  success; `evaluate`: the connection is allowed; `verify`: clients accept the bundle
   1  `evaluate`: it is refused; `verify`: a client rejects the bundle; `publish`: one would be stranded,
      or a rule is broken; `lint`: a rule is broken; `diff`: something is weaker;
      `import`: something was left out
   2  unusable input: arguments, files, pin sets, URLs, keys, signatures
   3  a file cannot be written
  10  the certificate matches no pin
  11  the certificate is not trusted
  12  the host is not in the pin set
  13  the pin set blocks a key of the certificate's path
  14  the pin set has lapsed and allows nothing any more
  20  the name cannot be resolved
  21  no connection
  22  time ran out
  23  the connection broke, or the body ended early
  24  TLS failed otherwise, or the server wants another certificate of the client's
  25  the proxy cannot be used
  26  the proxy refuses
  30  a redirect was refused
  31  the response is unusable or too large
  70  a bug in pinfold";

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A file or an argument that cannot be used.
    Input { place: String, reason: String },
    /// The result cannot be written.
    Output { place: String, reason: String },
    /// A signed document, or a container of them, that no client would take.
    Rejected { place: String, rejection: Rejection },
    /// The library's own error.
    Library(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

impl Failure {
    pub(crate) fn input(place: impl Into<String>, reason: impl ToString) -> Self {
        Self::Input { place: place.into(), reason: reason.to_string() }
    }

    pub(crate) fn output(place: impl Into<String>, reason: impl ToString) -> Self {
        Self::Output { place: place.into(), reason: reason.to_string() }
    }

    pub(crate) fn rejected(place: impl Into<String>, rejection: Rejection) -> Self {
        Self::Rejected { place: place.into(), rejection }
    }

    /// Says it, in JSON on standard output or in words on standard error.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        let as_json = || json!({ "error": self.to_json() });
        // Where JSON cannot be printed, words may still be.
        if !json || terminal::print(format!("{:#}\n", as_json()).as_bytes()).is_err() {
            eprintln!("{} {}", terminal::red("error:"), self.message());
            if let Some(help) = self.help() {
                eprintln!("  {help}");
            }
        }
        ExitCode::from(self.exit_code())
    }

    pub(crate) fn message(&self) -> String {
        match self {
            Self::Input { place, reason } | Self::Output { place, reason } => {
                format!("{place}: {reason}")
            }
            Self::Rejected { place, rejection } => format!("{place}: {rejection}"),
            Self::Library(error) => error.to_string(),
        }
    }

    fn help(&self) -> Option<&'static str> {
        let Self::Library(error) = self else { return None };
        Some(match error {
            Error::PinMismatch(_) => {
                "Somebody is in the middle (look at the issuer), or the server's key has changed."
            }
            Error::HostNotPinned { .. } => {
                "Add an entry for it, or use --allow-unpinned to accept the system's trust alone."
            }
            _ => return None,
        })
    }

    fn to_json(&self) -> Value {
        let error = match self {
            Self::Input { place, .. } => {
                return json!({ "code": "invalid_input", "message": self.message(), "place": place });
            }
            Self::Output { place, .. } => {
                return json!({ "code": "output_failed", "message": self.message(), "place": place });
            }
            Self::Rejected { place, rejection } => {
                let code = rejection.code();
                return json!({ "code": code, "message": self.message(), "place": place });
            }
            Self::Library(error) => error,
        };
        let mut value = json!({
            "code": error.code(),
            "message": error.to_string(),
            "host": error.host(),
            "place": error.place(),
        });
        if let Some(proxy) = error.proxy() {
            value["proxy"] = json!(proxy);
        }
        if let Some(facts) = error.certificate() {
            value["certificate"] = terminal::facts(facts);
        }
        value["interception"] = json!(error.interception().map(|report| report.to_json()));
        value
    }

    fn exit_code(&self) -> u8 {
        let error = match self {
            Self::Input { .. } | Self::Rejected { .. } => return 2,
            Self::Output { .. } => return 3,
            Self::Library(error) => error,
        };
        match error {
            Error::InvalidCertificate { .. }
            | Error::InvalidConfig { .. }
            | Error::InvalidPinSet { .. }
            | Error::InvalidRequest { .. }
            | Error::InvalidUrl { .. } => 2,
            Error::PinMismatch(_) => 10,
            Error::Untrusted { .. } => 11,
            Error::HostNotPinned { .. } => 12,
            Error::BlockedKey(_) => 13,
            Error::PinSetLapsed(_) => 14,
            Error::DnsFailed { .. } | Error::Offline { .. } => 20,
            Error::ConnectFailed { .. } => 21,
            Error::Timeout { .. } => 22,
            Error::ConnectionLost { .. } | Error::Truncated { .. } => 23,
            Error::ClientCertificateRefused { .. } | Error::TlsFailed { .. } => 24,
            Error::ProxyFailed { .. } => 25,
            Error::ProxyRefused { .. } | Error::ProxyAuthRequired { .. } => 26,
            Error::InsecureRedirect { .. } | Error::TooManyRedirects { .. } => 30,
            Error::InvalidResponse { .. } | Error::ResponseTooLarge { .. } => 31,
            // Nothing here cancels, closes or handles files of a call.
            Error::Cancelled
            | Error::ClientClosed
            | Error::DigestMismatch { .. }
            | Error::Internal { .. }
            | Error::IoFailed { .. } => 70,
        }
    }
}
