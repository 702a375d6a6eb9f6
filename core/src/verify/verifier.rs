//! The decision inside the TLS handshake.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::judge::{Judge, Judgement};
use super::presented::Presented;
use super::provider::provider;
use super::trust::{Roots, SystemTrust};
use crate::error::Error;
use crate::pin::{ManagedConfiguration, Outcome, PinSet, Verdict};

/// How many verdicts are kept for resumed sessions, which rustls does not ask about again.
const VERDICTS: usize = 32;

/// Judges a server's certificate by one pin set, for connections that are made with rustls without
/// [`Client`](crate::Client). An error that it ends a handshake with holds an
/// [`Error`](crate::Error); see [`PinningVerifier::refusal`].
///
/// The pin set never changes inside a verifier: rustls resumes sessions without asking it, so a
/// changed one would not be seen. A new pin set is a new verifier **with a new `ClientConfig`**, and
/// connections made under the old one are closed by whoever made them.
///
/// It blocks its thread where the system is asked, for seconds at worst: not for the thread of an
/// async reactor.
#[derive(Debug)]
pub struct PinningVerifier {
    judge: Judge,
    verdicts: Mutex<VecDeque<Judged>>,
}

#[derive(Debug)]
struct Judged {
    host: ServerName<'static>,
    chain: Vec<CertificateDer<'static>>,
    verdict: Arc<Verdict>,
}

/// Why a handshake was refused; travels through rustls as its one error that carries data.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Error);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refusal {}

impl PinningVerifier {
    /// A verifier by `pins` and, behind them, `roots`. Hosts that the pin set does not name are
    /// refused if `deny_unpinned`, else they get the trust of `roots` alone.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] where the roots cannot be used, [`Error::InvalidCertificate`] for
    /// one of them.
    pub fn new(pins: PinSet, roots: &Roots, deny_unpinned: bool) -> Result<Self, Error> {
        Ok(Self::with_system(pins, SystemTrust::new(roots)?, deny_unpinned, None))
    }

    /// Why this verifier ended a handshake; none where something else did.
    pub fn refusal(error: &rustls::Error) -> Option<&Error> {
        let rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) = error
        else {
            return None;
        };
        cause.downcast_ref::<Refusal>().map(|Refusal(error)| error)
    }

    pub(crate) fn with_system(
        pins: PinSet,
        system: SystemTrust,
        deny_unpinned: bool,
        managed: Option<Arc<dyn ManagedConfiguration>>,
    ) -> Self {
        let judge = Judge { pins, deny_unpinned, system, managed };
        Self { judge, verdicts: Mutex::default() }
    }

    pub(crate) fn pins(&self) -> &PinSet {
        &self.judge.pins
    }

    /// Decides without a connection.
    pub(crate) fn judge(&self) -> &Judge {
        &self.judge
    }

    /// The verdict on a connection that is open. A resumed session was judged by this same
    /// verifier when it was new; where that is forgotten, it is judged again.
    pub(crate) fn verdict(
        &self,
        name: &ServerName<'static>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Arc<Verdict>, Error> {
        let known = |judged: &&Judged| judged.host == *name && judged.chain == chain;
        if let Some(judged) = self.lock().iter().find(known) {
            return Ok(judged.verdict.clone());
        }
        let Some((end_entity, intermediates)) = chain.split_first() else {
            return Err(Error::Internal { reason: "a session without certificates".into() });
        };
        let presented = Presented { end_entity, intermediates, name, ocsp: &[], now, live: true };
        self.judge.judge(&presented)?.verdict().map(Arc::new)
    }

    fn remember(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        verdict: Verdict,
    ) {
        // The device's management may withdraw its consent at any time.
        if matches!(verdict.outcome, Outcome::Inspected(_)) {
            return;
        }
        let chain = std::iter::once(end_entity).chain(intermediates);
        let chain = chain.map(|der| der.clone().into_owned()).collect::<Vec<_>>();
        let host = name.to_owned();
        let mut verdicts = self.lock();
        verdicts.retain(|judged| judged.host != host || judged.chain != chain);
        if verdicts.len() == VERDICTS {
            verdicts.pop_front();
        }
        verdicts.push_back(Judged { host, chain, verdict: Arc::new(verdict) });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Judged>> {
        // The queue is whole at every point where a panic could leave it.
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerCertVerifier for PinningVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let presented = Presented {
            end_entity,
            intermediates,
            name: server_name,
            ocsp: ocsp_response,
            now,
            live: true,
        };
        match self.judge.judge(&presented).and_then(Judgement::verdict) {
            Ok(verdict) => {
                self.remember(end_entity, intermediates, server_name, verdict);
                Ok(ServerCertVerified::assertion())
            }
            Err(error) => Err(rustls::Error::InvalidCertificate(CertificateError::Other(
                OtherError(Arc::new(Refusal(error))),
            ))),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
