//! What the libraries below say of certificates, for people.

use std::error::Error;

use crate::error::UntrustedReason;

pub(super) fn untrusted(e: webpki::Error) -> UntrustedReason {
    match e {
        webpki::Error::CertExpired { .. } => UntrustedReason::Expired,
        webpki::Error::CertNotValidYet { .. } => UntrustedReason::NotYetValid,
        webpki::Error::UnknownIssuer => UntrustedReason::UnknownIssuer,
        webpki::Error::CertNotValidForName(_) => UntrustedReason::WrongHost,
        webpki::Error::CertRevoked => UntrustedReason::Revoked,
        e => UntrustedReason::Invalid(words(&e).to_owned()),
    }
}

/// What webpki says, for people.
fn words(e: &webpki::Error) -> &'static str {
    use webpki::Error as E;
    match e {
        E::BadDer | E::TrailingData(_) => "it cannot be read: its DER is broken",
        E::BadDerTime | E::InvalidCertValidity => "its dates are broken",
        E::CaUsedAsEndEntity => "it is an authority's certificate, not a server's",
        E::CertDistrusted => "one of its authorities is distrusted",
        E::EmptyEkuExtension => "its extended key usage is empty",
        E::EndEntityUsedAsCa => "it was issued by something that is no authority",
        E::ExtensionValueInvalid | E::MalformedExtensions => "an extension of it is broken",
        E::InvalidNetworkMaskConstraint | E::MalformedNameConstraint => {
            "a name constraint of an authority is broken"
        }
        E::InvalidSerialNumber => "its serial number is broken",
        E::InvalidSignatureForPublicKey => "a signature is not its issuer's",
        E::MalformedDnsIdentifier => "a name of it is no host's",
        E::MaximumNameConstraintComparisonsExceeded => {
            "more name constraints than are looked at for one server"
        }
        E::MaximumPathBuildCallsExceeded | E::MaximumSignatureChecksExceeded => {
            "more paths than are looked at for one server"
        }
        E::MaximumPathDepthExceeded => "more than six authorities above each other",
        E::NameConstraintViolation => {
            "a name constraint of an authority does not allow it, or is about directory names, \
             which cannot be judged here"
        }
        E::PathLenConstraintViolated => "more authorities above each other than one of them allows",
        E::RequiredEkuNotFoundContext(_) => "it is not meant for servers (extended key usage)",
        E::SignatureAlgorithmMismatch => "two signature algorithms",
        E::UnsupportedCertVersion => "it is not of version 3",
        E::UnsupportedCriticalExtension => "it has a critical extension that is not known here",
        E::UnsupportedNameType => "a name of a kind that is not known here",
        E::UnsupportedSignatureAlgorithmContext(_)
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            "a signature of a kind that is not verified here"
        }
        _ => "it is not usable",
    }
}

/// What a verifier of rustls says in its own way, or its platform's.
#[cfg_attr(target_os = "android", allow(dead_code))] // the app asks there
pub(super) fn words_of_other(e: &(dyn Error + Send + Sync + 'static)) -> String {
    match e.downcast_ref::<webpki::Error>() {
        Some(e) => words(e).to_owned(),
        None => e.to_string(),
    }
}

/// What a verifier of rustls says, for people; the reasons of their own are not among it.
#[cfg_attr(target_os = "android", allow(dead_code))] // the app asks there
pub(super) fn words_of_rustls(e: &rustls::CertificateError) -> &'static str {
    use rustls::CertificateError as E;
    match e {
        E::BadEncoding => words(&webpki::Error::BadDer),
        E::BadSignature => words(&webpki::Error::InvalidSignatureForPublicKey),
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            "it is not meant for servers (extended key usage)"
        }
        E::UnhandledCriticalExtension => words(&webpki::Error::UnsupportedCriticalExtension),
        E::UnsupportedSignatureAlgorithmContext { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "a signature of a kind that is not verified here"
        }
        E::UnknownRevocationStatus => "whether it is revoked cannot be found out",
        E::ExpiredRevocationList | E::ExpiredRevocationListContext { .. } => {
            "its revocation list is out of date"
        }
        E::InvalidOcspResponse => "its OCSP response is broken",
        E::ApplicationVerificationFailure => "the system refuses it",
        _ => "it is not usable",
    }
}
