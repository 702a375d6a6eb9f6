//! The decision inside a TLS handshake that somebody else drives.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::judge::{Judge, Judgement};
use super::presented::Presented;
use super::refusal::{refusal, refused};
use super::signature::{schemes, verify_tls12, verify_tls13};
use super::trust::{Roots, SystemTrust};
use crate::error::Error;
use crate::pin::PinSet;

/// Judges a server's certificate by one pin set, for connections that are made with rustls without
/// [`Client`](crate::Client). An error that it ends a handshake with holds an
/// [`Error`](crate::Error); see [`PinningVerifier::refusal`].
///
/// The pin set never changes inside a verifier: rustls resumes sessions without asking it, so a
/// changed one would not be seen. A new pin set is a new verifier **with a new `ClientConfig`**, and
/// connections made under the old one are closed by whoever made them. So are those of an entry that
/// has lapsed meanwhile.
///
/// It blocks its thread where the system is asked, for seconds at worst: not for the thread of an
/// async reactor.
#[derive(Debug)]
pub struct PinningVerifier {
    judge: Judge,
}

impl PinningVerifier {
    /// A verifier by `pins` and, behind them, `roots`. Hosts that the pin set does not name are
    /// refused if `deny_unpinned`, else they get the trust of `roots` alone.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] where the roots cannot be used, [`Error::InvalidCertificate`] for
    /// one of them.
    pub fn new(pins: PinSet, roots: &Roots, deny_unpinned: bool) -> Result<Self, Error> {
        let system = SystemTrust::new(roots)?;
        Ok(Self { judge: Judge { pins, deny_unpinned, system, managed: None } })
    }

    /// Why this verifier ended a handshake; none where something else did.
    pub fn refusal(error: &rustls::Error) -> Option<&Error> {
        refusal(error)
    }
}

impl ServerCertVerifier for PinningVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let presented = Presented { end_entity, intermediates, name, ocsp, now, live: true };
        let verdict = self.judge.judge(&presented).and_then(Judgement::verdict);
        verdict.map(|_| ServerCertVerified::assertion()).map_err(refused)
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
