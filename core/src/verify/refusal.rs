//! How a refusal travels through rustls and ureq.

use std::fmt;
use std::sync::Arc;

use rustls::{CertificateError, OtherError};

use crate::error::Error;

/// Why something was refused; travels through other libraries as their one error that carries data.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Error);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refusal {}

/// What a verifier ends a handshake with.
pub(super) fn refused(error: Error) -> rustls::Error {
    let refusal = OtherError(Arc::new(Refusal(error)));
    rustls::Error::InvalidCertificate(CertificateError::Other(refusal))
}

/// Why a verifier ended a handshake; none where something else did.
pub(crate) fn refusal(error: &rustls::Error) -> Option<&Error> {
    let rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) = error
    else {
        return None;
    };
    cause.downcast_ref::<Refusal>().map(|Refusal(error)| error)
}
