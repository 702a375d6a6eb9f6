//! What is known about a certificate that was refused.

use std::fmt;

use crate::interception::{Evidence, InterceptionReport};
use crate::pin::{PinDigest, SpkiSha256};

/// Why a certificate is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UntrustedReason {
    /// Its validity has ended, or the device's clock is ahead.
    Expired,
    /// It, or every path from it to an authority, is unusable; the text says how.
    Invalid(String),
    /// Its validity has not begun, or the device's clock is behind.
    NotYetValid,
    /// Its authority has revoked it.
    Revoked,
    /// No trusted authority vouches for it.
    UnknownIssuer,
    /// The platform could not judge it; the text says why.
    Unverified(String),
    /// It is for another host.
    WrongHost,
}

/// What a support desk needs to see about a refused certificate.
///
/// Nothing here is secret: pins and names of a server are public.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The host asked for.
    pub host: String,
    /// The pin set's entry that applied, or none.
    pub rule: Option<String>,
    /// The pin of the end-entity certificate that the server presented.
    pub presented_pin: Option<SpkiSha256>,
    /// The pins that would have been accepted.
    pub expected_pins: Vec<PinDigest>,
    /// The subject of that certificate.
    pub subject: Option<String>,
    /// Who issued it: the first thing to look at when somebody is in the middle.
    pub issuer: Option<String>,
    /// The version of the pin set, where it has one.
    pub pin_set_version: Option<u64>,
    /// Whose dates, name or issuer it is that the certificate is refused for, where more can be
    /// said than the code does.
    pub cause: Option<Evidence>,
    /// Who is probably in the middle, where something speaks for anybody.
    pub interception: Option<Box<InterceptionReport>>,
    /// The URL of the proxy that the connection went through, or that presented the certificate
    /// itself where it is `host`; without user and password.
    pub proxy: Option<String>,
}

impl UntrustedReason {
    /// A word for it: the code without `certificate_`.
    pub fn name(&self) -> &'static str {
        let code = self.code();
        code.strip_prefix("certificate_").unwrap_or(code)
    }

    /// The stable code, `certificate_` and the reason.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Expired => "certificate_expired",
            Self::Invalid(_) => "certificate_invalid",
            Self::NotYetValid => "certificate_not_yet_valid",
            Self::Revoked => "certificate_revoked",
            Self::UnknownIssuer => "certificate_unknown_issuer",
            Self::Unverified(_) => "certificate_unverified",
            Self::WrongHost => "certificate_wrong_host",
        }
    }
}

impl CertificateFacts {
    /// What is said of them behind an error's own words.
    pub(crate) fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pin) = &self.presented_pin {
            write!(f, "; presented {pin}")?;
        }
        if let Some(issuer) = &self.issuer {
            write!(f, ", issued by {issuer:?}")?;
        }
        for (i, pin) in self.expected_pins.iter().enumerate() {
            f.write_str(if i == 0 { "; expected " } else { " or " })?;
            write!(f, "{pin}")?;
        }
        if let Some(rule) = &self.rule {
            write!(f, " (rule {rule}")?;
            if let Some(version) = self.pin_set_version {
                write!(f, ", pin set {version}")?;
            }
            f.write_str(")")?;
        }
        if let Some(proxy) = &self.proxy {
            write!(f, "; through the proxy {proxy}")?;
        }
        match &self.interception {
            Some(report) => write!(f, "; {}", report.beside(self.cause.as_ref())),
            None => Ok(()),
        }
    }
}
