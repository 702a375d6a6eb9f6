//! The decision inside the TLS handshakes of our own client.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::judge::Judge;
use super::judged::Judged;
use super::presented::Presented;
use super::refusal::refused;
use super::refused::RefusedCertificate;
use super::signature::{schemes, verify_tls12, verify_tls13};
use crate::cancel::CancelToken;
use crate::driven::Driven;
use crate::error::Error;
use crate::patience::Patience;

/// One handshake: by what its certificate is judged, who waits for it, and what came of it.
#[derive(Debug)]
pub(crate) struct Handshake {
    judge: Arc<Judge>,
    cancel: CancelToken,
    deadline: Option<Instant>,
    judged: Mutex<Option<Arc<Judged>>>,
    refused: OnceLock<Arc<RefusedCertificate>>,
}

impl Handshake {
    /// One that `cancel` ends, and `deadline` the questions that it asks.
    pub(crate) fn new(
        judge: Arc<Judge>,
        cancel: CancelToken,
        deadline: Option<Instant>,
    ) -> Arc<Self> {
        Arc::new(Self {
            judge,
            cancel,
            deadline,
            judged: Mutex::default(),
            refused: OnceLock::new(),
        })
    }

    /// What was decided about the certificate: in this handshake, or in the one whose session it
    /// resumes.
    pub(crate) fn judged(&self) -> Option<Arc<Judged>> {
        self.lock().clone()
    }

    /// The certificate, where it was refused.
    pub(crate) fn refused(&self) -> Option<Arc<RefusedCertificate>> {
        self.refused.get().cloned()
    }

    /// Whether the session of an earlier handshake may be resumed at `now`, in seconds since 1970;
    /// its judgement is then this one's.
    pub(crate) fn may_resume(&self, session: &Arc<Judged>, now: u64) -> bool {
        let again = self.judge.again(session, now);
        let may = again.is_some();
        *self.lock() = again;
        may
    }

    /// Also where a server resumes no session although it could: then what it presents counts.
    fn verify(&self, presented: &Presented<'_>) -> Result<(), Error> {
        let patience = Patience { deadline: self.deadline, cancel: &self.cancel };
        *self.lock() = None;
        let judged = self.judge.accept(presented, patience).inspect_err(|_| {
            let _only_one = self.refused.set(Arc::new(RefusedCertificate::of(presented)));
        })?;
        *self.lock() = Some(Arc::new(judged));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Judged>>> {
        // What is in there is whole whatever panics.
        self.judged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Judges the certificates of handshakes that [`Self::drive`] drives.
///
/// There is one for all connections; a certificate that comes while nobody drives is refused.
#[derive(Debug, Default)]
pub(crate) struct HandshakeVerifier(Driven<Handshake>);

impl HandshakeVerifier {
    /// Runs `work`: a certificate that rustls has judged on this thread meanwhile is `handshake`'s.
    pub(crate) fn drive<T>(&self, handshake: &Arc<Handshake>, work: impl FnOnce() -> T) -> T {
        self.0.drive(handshake, work)
    }
}

impl ServerCertVerifier for HandshakeVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let presented = Presented { end_entity, intermediates, name, ocsp, now, live: true };
        let verified = match self.0.current() {
            Some(handshake) => handshake.verify(&presented),
            None => Err(Error::Internal { reason: "a handshake that nobody drives".into() }),
        };
        verified.map(|()| ServerCertVerified::assertion()).map_err(refused)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}
