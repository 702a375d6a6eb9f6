//! Everything that can go wrong, as one closed set with stable codes.
//!
//! A variant exists only where an app, or the person it asks for help, acts differently on it.
//! `docs/errors.md` lists each code with what the app should do; Kotlin and Swift map the same
//! codes one to one. No variant carries a request's payload, header values or query.

use std::fmt;
use std::time::Duration;

pub use crate::facts::{CertificateFacts, UntrustedReason};
use crate::interception::InterceptionReport;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The pin set blocks a key of the certificate's path, whatever vouches for it.
    BlockedKey(Box<CertificateFacts>),
    /// The caller cancelled; never used for anything else.
    Cancelled,
    /// The server wants a certificate of the client's, and got none, or does not accept the one it got.
    ClientCertificateRefused {
        /// The host asked for.
        host: String,
        /// What it says.
        reason: String,
    },
    /// The client was closed before or during the request.
    ClientClosed,
    /// No address of the host accepted a TCP connection.
    ConnectFailed {
        /// The host asked for.
        host: String,
        /// What the operating system said.
        reason: String,
    },
    /// The connection broke before the response was complete.
    ConnectionLost {
        /// The host asked for.
        host: String,
        /// What the operating system said.
        reason: String,
    },
    /// The host's name could not be resolved.
    DnsFailed {
        /// The host asked for.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// The pin set has no entry for the host, and the client refuses such hosts.
    HostNotPinned {
        /// The host asked for.
        host: String,
    },
    /// The server redirected to something that is not HTTPS.
    InsecureRedirect {
        /// The host that sent the redirect.
        host: String,
        /// The target's scheme and host; its path and query are left out.
        target: String,
    },
    /// A bug in Pinfold, caught before it could do harm. Please report it.
    Internal {
        /// What happened.
        reason: String,
    },
    /// A certificate that the caller handed over is not one.
    InvalidCertificate {
        /// Which one, such as `roots[2]`.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting is out of range.
    InvalidConfig {
        /// The setting.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A pin set was refused as a whole; the one in use, if any, stays.
    InvalidPinSet {
        /// Where, such as `hosts[0].pins[1].sha256`, or line and column where it is not JSON.
        place: String,
        /// What is wrong there.
        reason: String,
    },
    /// A request was refused before anything was sent.
    InvalidRequest {
        /// Which part, such as `header "Accept"`.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The app's own side failed: a file could not be read or written, or the source of a body.
    IoFailed {
        /// Which part: `body` or `file`.
        place: String,
        /// What the operating system said.
        reason: String,
    },
    /// What was downloaded is not what was expected; nothing of it is kept.
    DigestMismatch {
        /// The host that answered.
        host: String,
    },
    /// The server's answer is not HTTP, or its body does not decode.
    InvalidResponse {
        /// The host that answered.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The URL cannot be requested.
    InvalidUrl {
        /// The URL without credentials, query and fragment, shortened.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The device has no network: there is no route to any public address.
    Offline {
        /// The host asked for.
        host: String,
        /// What was found out first.
        reason: String,
    },
    /// The certificate is trusted, but no pin of the host's policy is on its verified path.
    PinMismatch(Box<CertificateFacts>),
    /// The host's entry has lapsed, and the app has consented that nothing is allowed then.
    PinSetLapsed(Box<CertificateFacts>),
    /// The decoded body is larger than the client allows.
    ResponseTooLarge {
        /// The host that answered.
        host: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// Time ran out.
    Timeout {
        /// The host asked for.
        host: String,
        /// Which of the client's timeouts it was.
        phase: TimeoutPhase,
        /// The timeout that was set.
        after: Duration,
    },
    /// The TLS handshake failed for a reason other than the certificate.
    TlsFailed {
        /// The host asked for.
        host: String,
        /// What went wrong.
        reason: String,
        /// Who probably answered in the server's place.
        interception: Option<Box<InterceptionReport>>,
    },
    /// More redirects than the client follows.
    TooManyRedirects {
        /// The host that sent the last one.
        host: String,
        /// How many the client follows.
        limit: u32,
    },
    /// A proxy wants to know who the client is, or does not know who it says it is.
    ProxyAuthRequired {
        /// The proxy's URL, without user and password.
        proxy: String,
        /// The host asked for.
        host: String,
        /// What it wants.
        reason: String,
    },
    /// The proxy cannot be used: it is not found, cannot be reached, or does not do what a proxy does;
    /// or nobody can say which it is.
    ProxyFailed {
        /// The proxy's URL, without user and password; none where it could not be found out.
        proxy: Option<String>,
        /// The host asked for.
        host: String,
        /// What went wrong.
        reason: String,
    },
    /// The proxy will not, or cannot, connect to the host.
    ProxyRefused {
        /// The proxy's URL, without user and password.
        proxy: String,
        /// The host asked for.
        host: String,
        /// Its answer: a status of HTTP, or a reply of SOCKS (1 to 8, RFC 1928 §6).
        status: u16,
        /// Why, in its own words.
        reason: String,
    },
    /// The body ended early: fewer bytes than announced, or no TLS `close_notify` (RFC 8446 §6.1).
    Truncated {
        /// The host that answered.
        host: String,
        /// The URL of the proxy between, without user and password; none where there is none.
        proxy: Option<String>,
        /// How many decoded bytes had arrived.
        received: u64,
    },
    /// The certificate is not trusted; pins were not even asked.
    Untrusted {
        /// Why it is not trusted.
        reason: UntrustedReason,
        /// What the server presented and what was expected.
        facts: Box<CertificateFacts>,
    },
}

/// Which timeout ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutPhase {
    /// Name resolution, TCP and TLS together.
    Connect,
    /// The first byte of the answer.
    FirstByte,
    /// Name resolution alone.
    Lookup,
    /// The wait for the request's turn.
    Queue,
    /// The next bytes of the answer.
    Read,
    /// The TLS handshake with one address.
    Tls,
    /// The whole call: redirects and the body included.
    Total,
    /// The platform's judgement of the certificate.
    Trust,
}

impl Error {
    /// The stable code: lower case, never renamed, the same in every language.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BlockedKey(_) => "blocked_key",
            Self::Cancelled => "cancelled",
            Self::ClientCertificateRefused { .. } => "client_certificate_refused",
            Self::ClientClosed => "client_closed",
            Self::ConnectFailed { .. } => "connect_failed",
            Self::ConnectionLost { .. } => "connection_lost",
            Self::DigestMismatch { .. } => "digest_mismatch",
            Self::DnsFailed { .. } => "dns_failed",
            Self::HostNotPinned { .. } => "host_not_pinned",
            Self::InsecureRedirect { .. } => "insecure_redirect",
            Self::Internal { .. } => "internal",
            Self::InvalidCertificate { .. } => "invalid_certificate",
            Self::InvalidConfig { .. } => "invalid_config",
            Self::InvalidPinSet { .. } => "invalid_pin_set",
            Self::InvalidRequest { .. } => "invalid_request",
            Self::InvalidResponse { .. } => "invalid_response",
            Self::InvalidUrl { .. } => "invalid_url",
            Self::IoFailed { .. } => "io_failed",
            Self::Offline { .. } => "offline",
            Self::PinMismatch(_) => "pin_mismatch",
            Self::PinSetLapsed(_) => "pin_set_lapsed",
            Self::ProxyAuthRequired { .. } => "proxy_auth_required",
            Self::ProxyFailed { .. } => "proxy_failed",
            Self::ProxyRefused { .. } => "proxy_refused",
            Self::ResponseTooLarge { .. } => "response_too_large",
            Self::Timeout { phase: TimeoutPhase::Connect, .. } => "timeout_connect",
            Self::Timeout { phase: TimeoutPhase::FirstByte, .. } => "timeout_first_byte",
            Self::Timeout { phase: TimeoutPhase::Lookup, .. } => "timeout_lookup",
            Self::Timeout { phase: TimeoutPhase::Queue, .. } => "timeout_queue",
            Self::Timeout { phase: TimeoutPhase::Read, .. } => "timeout_read",
            Self::Timeout { phase: TimeoutPhase::Tls, .. } => "timeout_tls",
            Self::Timeout { phase: TimeoutPhase::Total, .. } => "timeout_total",
            Self::Timeout { phase: TimeoutPhase::Trust, .. } => "timeout_trust",
            Self::TlsFailed { .. } => "tls_failed",
            Self::TooManyRedirects { .. } => "too_many_redirects",
            Self::Truncated { .. } => "truncated",
            Self::Untrusted { reason, .. } => reason.code(),
        }
    }

    /// Every code there is, in alphabetical order: what the tests of each language go through.
    pub const CODES: &'static [&'static str] = &[
        "blocked_key",
        "cancelled",
        "certificate_expired",
        "certificate_invalid",
        "certificate_not_yet_valid",
        "certificate_revoked",
        "certificate_unknown_issuer",
        "certificate_unverified",
        "certificate_wrong_host",
        "client_certificate_refused",
        "client_closed",
        "connect_failed",
        "connection_lost",
        "digest_mismatch",
        "dns_failed",
        "host_not_pinned",
        "insecure_redirect",
        "internal",
        "invalid_certificate",
        "invalid_config",
        "invalid_pin_set",
        "invalid_request",
        "invalid_response",
        "invalid_url",
        "io_failed",
        "offline",
        "pin_mismatch",
        "pin_set_lapsed",
        "proxy_auth_required",
        "proxy_failed",
        "proxy_refused",
        "response_too_large",
        "timeout_connect",
        "timeout_first_byte",
        "timeout_lookup",
        "timeout_queue",
        "timeout_read",
        "timeout_tls",
        "timeout_total",
        "timeout_trust",
        "tls_failed",
        "too_many_redirects",
        "truncated",
    ];

    /// The facts about the refused certificate, where it was one.
    pub fn certificate(&self) -> Option<&CertificateFacts> {
        match self {
            Self::BlockedKey(facts)
            | Self::PinMismatch(facts)
            | Self::PinSetLapsed(facts)
            | Self::Untrusted { facts, .. } => Some(facts),
            _ => None,
        }
    }

    /// Who is probably in the middle, where something speaks for anybody.
    pub fn interception(&self) -> Option<&InterceptionReport> {
        match self {
            Self::TlsFailed { interception, .. } => interception.as_deref(),
            error => error.certificate()?.interception.as_deref(),
        }
    }

    /// The host concerned, where there is one.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::ClientCertificateRefused { host, .. }
            | Self::ConnectFailed { host, .. }
            | Self::ConnectionLost { host, .. }
            | Self::DigestMismatch { host }
            | Self::DnsFailed { host, .. }
            | Self::HostNotPinned { host }
            | Self::InsecureRedirect { host, .. }
            | Self::InvalidResponse { host, .. }
            | Self::Offline { host, .. }
            | Self::ProxyAuthRequired { host, .. }
            | Self::ProxyFailed { host, .. }
            | Self::ProxyRefused { host, .. }
            | Self::ResponseTooLarge { host, .. }
            | Self::Timeout { host, .. }
            | Self::TlsFailed { host, .. }
            | Self::TooManyRedirects { host, .. }
            | Self::Truncated { host, .. } => Some(host),
            error => error.certificate().map(|facts| facts.host.as_str()),
        }
    }

    /// The URL of the proxy that failed or refused, or through which a certificate came that was
    /// refused, or a body that was cut off; without user and password.
    pub fn proxy(&self) -> Option<&str> {
        match self {
            Self::ProxyAuthRequired { proxy, .. } | Self::ProxyRefused { proxy, .. } => Some(proxy),
            Self::ProxyFailed { proxy, .. } | Self::Truncated { proxy, .. } => proxy.as_deref(),
            error => error.certificate()?.proxy.as_deref(),
        }
    }

    /// The same, of a connection through `proxy`.
    pub(crate) fn through(mut self, proxy: &str) -> Self {
        match &mut self {
            Self::ClientCertificateRefused { reason, .. }
            | Self::ConnectionLost { reason, .. }
            | Self::TlsFailed { reason, .. } => {
                reason.push_str(&format!(" (through the proxy {proxy})"));
            }
            Self::BlockedKey(facts)
            | Self::PinMismatch(facts)
            | Self::PinSetLapsed(facts)
            | Self::Untrusted { facts, .. } => facts.proxy = Some(proxy.to_owned()),
            Self::Truncated { proxy: its, .. } => *its = Some(proxy.to_owned()),
            _ => {}
        }
        self
    }

    /// Where in the caller's input the fault is, where it is there.
    pub fn place(&self) -> Option<&str> {
        match self {
            Self::InvalidCertificate { place, .. } | Self::InvalidPinSet { place, .. } => {
                Some(place)
            }
            Self::InvalidConfig { field, .. } | Self::InvalidRequest { field, .. } => Some(field),
            Self::IoFailed { place, .. } => Some(place),
            Self::InvalidUrl { url, .. } => Some(url),
            _ => None,
        }
    }

    pub(crate) fn pin_set(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::InvalidPinSet { place: place.into(), reason: reason.into() }
    }

    pub(crate) fn client_refused(host: String, reason: &str) -> Self {
        Self::ClientCertificateRefused { host, reason: reason.to_owned() }
    }

    pub(crate) fn request(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::InvalidRequest { field: field.into(), reason: reason.into() }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BlockedKey(facts) => {
                write!(f, "a key of the certificate of {} is blocked by the pin set", facts.host)?;
                facts.describe(f)
            }
            Self::Cancelled => f.write_str("the request was cancelled by the app"),
            Self::ClientCertificateRefused { host, reason } => {
                write!(
                    f,
                    "{host} does not accept the client's certificate, or its absence: {reason}"
                )
            }
            Self::ClientClosed => f.write_str("the client is closed"),
            Self::ConnectFailed { host, reason } => write!(f, "cannot connect to {host}: {reason}"),
            Self::ConnectionLost { host, reason } => {
                write!(f, "the connection to {host} was lost: {reason}")
            }
            Self::DnsFailed { host, reason } => write!(f, "cannot find {host}: {reason}"),
            Self::HostNotPinned { host } => write!(
                f,
                "{host} is not in the pin set, and this client refuses hosts that are not"
            ),
            Self::InsecureRedirect { host, target } => {
                write!(f, "{host} redirected to {target}, which is not HTTPS")
            }
            Self::Internal { reason } => write!(f, "a bug in Pinfold: {reason}"),
            Self::InvalidCertificate { place, reason } => {
                write!(f, "{place} is not a usable certificate: {reason}")
            }
            Self::InvalidConfig { field, reason } => write!(f, "setting {field}: {reason}"),
            Self::InvalidPinSet { place, reason } => write!(f, "pin set, {place}: {reason}"),
            Self::InvalidRequest { field, reason } => write!(f, "request, {field}: {reason}"),
            Self::InvalidResponse { host, reason } => {
                write!(f, "{host} sent an unusable response: {reason}")
            }
            Self::IoFailed { place, reason } => write!(f, "the {place} of a call: {reason}"),
            Self::DigestMismatch { host } => {
                write!(f, "what {host} sent has not the SHA-256 that was expected")
            }
            Self::InvalidUrl { url, reason } => write!(f, "cannot request {url:?}: {reason}"),
            Self::Offline { host, reason } => {
                write!(f, "the device has no network, so not to {host}: {reason}")
            }
            Self::PinMismatch(facts) => {
                write!(f, "the certificate of {} matches no pin", facts.host)?;
                facts.describe(f)
            }
            Self::PinSetLapsed(facts) => {
                write!(f, "the pin set has lapsed for {}: it was not renewed in time", facts.host)?;
                facts.describe(f)
            }
            Self::ProxyAuthRequired { proxy, host, reason } => {
                write!(f, "the proxy {proxy} does not connect to {host}: {reason}")
            }
            Self::ProxyFailed { proxy: Some(proxy), host, reason } => {
                write!(f, "the proxy {proxy} cannot be used for {host}: {reason}")
            }
            Self::ProxyFailed { proxy: None, host, reason } => {
                write!(f, "cannot find out the proxy for {host}: {reason}")
            }
            Self::ProxyRefused { proxy, host, status, reason } => {
                write!(f, "the proxy {proxy} did not connect to {host}: {status} {reason}")
            }
            Self::ResponseTooLarge { host, limit } => {
                write!(f, "the response of {host} is larger than {limit} bytes")
            }
            Self::Timeout { host, phase, after } => {
                let what = match phase {
                    TimeoutPhase::Connect => "connecting to",
                    TimeoutPhase::FirstByte => "the first byte of the answer of",
                    TimeoutPhase::Lookup => "looking up",
                    TimeoutPhase::Queue => "the wait for the turn of a request to",
                    TimeoutPhase::Read => "the answer of",
                    TimeoutPhase::Tls => "the TLS handshake with",
                    TimeoutPhase::Total => "the request to",
                    TimeoutPhase::Trust => "the system's judgement of the certificate of",
                };
                write!(f, "{what} {host} took longer than {} ms", after.as_millis())
            }
            Self::TlsFailed { host, reason, interception } => {
                write!(f, "TLS with {host} failed: {reason}")?;
                describe(interception.as_deref(), f)
            }
            Self::TooManyRedirects { host, limit } => {
                write!(f, "more than {limit} redirects, the last one from {host}")
            }
            Self::Truncated { host, proxy, received } => {
                write!(f, "the response of {host} was cut off after {received} bytes")?;
                if let Some(proxy) = proxy {
                    write!(f, " (through the proxy {proxy})")?;
                }
                f.write_str(": incomplete, do not use it")
            }
            Self::Untrusted { reason, facts } => {
                let host = &facts.host;
                match reason {
                    UntrustedReason::Expired if facts.cause.is_some() => {
                        write!(f, "an authority's certificate behind that of {host} has expired")
                    }
                    UntrustedReason::Expired => write!(f, "the certificate of {host} has expired"),
                    UntrustedReason::Invalid(why) => {
                        write!(f, "the certificate of {host} is invalid: {why}")
                    }
                    UntrustedReason::NotYetValid if facts.cause.is_some() => {
                        write!(
                            f,
                            "an authority's certificate behind that of {host} is not valid yet"
                        )
                    }
                    UntrustedReason::NotYetValid => write!(
                        f,
                        "the certificate of {host} is not valid yet: is the device's clock right?"
                    ),
                    UntrustedReason::Revoked => {
                        write!(f, "the certificate of {host} has been revoked")
                    }
                    UntrustedReason::UnknownIssuer => write!(
                        f,
                        "the certificate of {host} was issued by nobody this device trusts"
                    ),
                    UntrustedReason::Unverified(why) => {
                        write!(f, "the system cannot judge the certificate of {host}: {why}")
                    }
                    UntrustedReason::WrongHost if facts.cause.is_some() => {
                        write!(f, "the certificate presented for {host} is not for it")
                    }
                    UntrustedReason::WrongHost => {
                        write!(f, "the certificate presented for {host} is for another host")
                    }
                }?;
                if let Some(cause) = &facts.cause {
                    write!(f, ": {cause}")?;
                }
                facts.describe(f)
            }
        }
    }
}

fn describe(report: Option<&InterceptionReport>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match report {
        Some(report) => write!(f, "; {report}"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pin::{PinDigest, SpkiSha256};

    #[test]
    fn codes_are_sorted_and_distinct() {
        assert!(Error::CODES.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_pin_mismatch_reads_as_one() {
        let facts = CertificateFacts {
            host: "api.example.com".into(),
            rule: Some("example.com".into()),
            presented_pin: Some(SpkiSha256::new([1; 32])),
            expected_pins: vec![PinDigest::Spki(SpkiSha256::new([2; 32]))],
            issuer: Some("Corporate Proxy".into()),
            pin_set_version: Some(7),
            ..CertificateFacts::default()
        };
        let text = Error::PinMismatch(Box::new(facts)).to_string();
        assert!(text.starts_with("the certificate of api.example.com matches no pin"), "{text}");
        assert!(text.contains("issued by \"Corporate Proxy\""), "{text}");
        assert!(text.contains("rule example.com, pin set 7"), "{text}");
    }
}
