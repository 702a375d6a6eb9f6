//! Whom the client trusts before pins are looked at.

use std::fmt;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use webpki::anchor_from_trusted_cert;

use super::platform::{Platform, PlatformTrust};
use crate::error::Error;
use crate::pin::{Anchors, CertSha256};

/// The authorities behind `system_and_pin`, and behind hosts without a policy.
#[derive(Clone, Debug, Default)]
pub enum Roots {
    /// The operating system's, judged by the operating system.
    #[default]
    System,
    /// The platform's, by way of the app: what `System` is on Android, where Rust cannot ask.
    Platform(Arc<dyn PlatformTrust>),
    /// Mozilla's list, as compiled in: the same on every device, blind to authorities that a user
    /// or an administrator has added.
    #[cfg(feature = "bundled-roots")]
    Bundled,
    /// These certificates (DER) and no others.
    Only(Vec<Vec<u8>>),
}

/// [`Roots`], ready for use.
#[derive(Clone)]
pub(crate) enum SystemTrust {
    /// Authorities that are known here, so that every path to them can be tried.
    Anchors {
        anchors: Arc<Anchors>,
        /// Whether they are the public web's, or the app's own.
        public: bool,
    },
    Platform(Platform),
}

impl fmt::Debug for SystemTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anchors { anchors, .. } => write!(f, "{} anchors", anchors.list().len()),
            Self::Platform(_) => f.write_str("platform"),
        }
    }
}

impl SystemTrust {
    /// # Errors
    /// [`Error::InvalidCertificate`] for an unusable root, [`Error::InvalidConfig`] for none at all
    /// or where the system has no verifier.
    pub(crate) fn new(roots: &Roots) -> Result<Self, Error> {
        match roots {
            Roots::System => system(),
            Roots::Platform(trust) => Ok(Self::Platform(Platform::new(trust.clone()))),
            #[cfg(feature = "bundled-roots")]
            Roots::Bundled => {
                let mut anchors = Anchors::default();
                webpki_roots::TLS_SERVER_ROOTS.iter().for_each(|a| anchors.push(a.clone(), None));
                Ok(Self::Anchors { anchors: Arc::new(anchors), public: true })
            }
            Roots::Only(certificates) if certificates.is_empty() => Err(Error::InvalidConfig {
                field: "roots".into(),
                reason: "no certificate: nothing would be trusted".into(),
            }),
            Roots::Only(certificates) => {
                let mut anchors = Anchors::default();
                for (i, der) in certificates.iter().enumerate() {
                    let anchor = anchor_from_trusted_cert(&CertificateDer::from(der.as_slice()))
                        .map_err(|e| Error::InvalidCertificate {
                            place: format!("roots[{i}]"),
                            reason: e.to_string(),
                        })?
                        .to_owned();
                    anchors.push(anchor, Some(CertSha256::of_certificate(der)));
                }
                Ok(Self::Anchors { anchors: Arc::new(anchors), public: false })
            }
        }
    }
}

#[cfg(not(target_os = "android"))]
fn system() -> Result<SystemTrust, Error> {
    let verifier = rustls_platform_verifier::Verifier::new(super::provider::provider());
    let verifier = verifier.map_err(|e| Error::InvalidConfig {
        field: "roots".into(),
        reason: format!("the system's authorities cannot be used: {e}"),
    })?;
    let trust = super::platform::RustlsTrust(Arc::new(verifier));
    Ok(SystemTrust::Platform(Platform::new(Arc::new(trust))))
}

/// rustls-platform-verifier bypasses the app's Network Security Config there and trusts
/// user-added authorities, so nothing is better than it.
#[cfg(target_os = "android")]
fn system() -> Result<SystemTrust, Error> {
    Err(Error::InvalidConfig {
        field: "roots".into(),
        reason: "Android's authorities are asked by way of Roots::Platform".into(),
    })
}
