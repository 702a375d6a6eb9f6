//! The decision inside the TLS handshake: trust, then verified path, then pins.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::EndEntityCert;

use super::path::{PathMatch, Presented};
use super::trust::{SystemTrust, untrusted};
use super::{identity, provider};
use crate::error::{CertificateFacts, Error, UntrustedReason};
use crate::pin::{
    Decision, HostName, HostPolicy, Mode, Outcome, PinSet, SpkiSha256, Trust, Verdict,
};

/// How many verdicts are kept for resumed sessions, which rustls does not ask about again.
const VERDICTS: usize = 32;

/// Judges a server's certificate by one pin set.
///
/// The pin set never changes inside a verifier: rustls resumes sessions without asking it, so a
/// changed one would not be seen. A new pin set is a new verifier with a new `ClientConfig`.
#[derive(Debug)]
pub(crate) struct PinningVerifier {
    pins: PinSet,
    deny_unpinned: bool,
    system: SystemTrust,
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
    pub(crate) fn new(pins: PinSet, deny_unpinned: bool, system: SystemTrust) -> Self {
        Self { pins, deny_unpinned, system, verdicts: Mutex::default() }
    }

    pub(crate) fn pins(&self) -> &PinSet {
        &self.pins
    }

    /// The whole decision.
    pub(crate) fn judge(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<Verdict, Error> {
        let host = HostName::parse(&name.to_str()).map_err(|reason| Error::Internal {
            reason: format!("a host that TLS takes: {reason}"),
        })?;
        let policy = self.pins.policy(&host);
        let mut facts = CertificateFacts {
            host: host.to_string(),
            rule: policy.map(|p| p.host().to_string()),
            expected_pins: policy
                .map_or_else(Vec::new, |p| p.pins().iter().map(|p| p.digest).collect()),
            pin_set_version: self.pins.version(),
            ..CertificateFacts::default()
        };
        let refuse = |facts: CertificateFacts, reason| {
            Err(Error::Untrusted { reason, facts: Box::new(facts) })
        };
        if policy.is_none() && self.deny_unpinned {
            return Err(Error::HostNotPinned { host: facts.host });
        }

        let cert = match EndEntityCert::try_from(end_entity) {
            Ok(cert) => cert,
            Err(e) => return refuse(facts, untrusted(e)),
        };
        facts.presented_pin = Some(SpkiSha256::of_spki(&cert.subject_public_key_info()));
        (facts.subject, facts.issuer) = identity::names(&cert);
        let presented = Presented {
            end_entity: &cert,
            end_entity_der: end_entity,
            intermediates,
            now,
            algorithms: &provider().signature_verification_algorithms,
        };
        // The name is always checked here, whatever the system's verifier does about it.
        if let Err(e) = cert.verify_is_valid_for_subject_name(name) {
            return refuse(facts, untrusted(e));
        }

        let Some(policy) = policy else {
            return match self.system.verify(&presented, name, ocsp) {
                Ok(()) => Ok(verdict(Outcome::NotPinned, Mode::Off, Vec::new(), facts)),
                Err(reason) => refuse(facts, reason),
            };
        };
        match self.apply(policy, &presented, name, ocsp) {
            Ok((outcome, path)) => {
                let verdict = verdict(outcome, policy.mode(), path, facts);
                match verdict.decision() {
                    Decision::Allow => Ok(verdict),
                    Decision::Block => Err(Error::PinMismatch(Box::new(verdict.facts))),
                }
            }
            Err(reason) => refuse(facts, reason),
        }
    }

    fn apply(
        &self,
        policy: &HostPolicy,
        presented: &Presented<'_>,
        name: &ServerName<'_>,
        ocsp: &[u8],
    ) -> Result<(Outcome, Vec<crate::pin::PathCertificate>), UntrustedReason> {
        let lapsed = policy.expires().is_some_and(|at| presented.now.as_secs() >= at);
        if lapsed || policy.mode() == Mode::Off {
            match policy.trust() {
                Trust::PrivateCa => presented.verify(policy.anchors().list()).map_err(untrusted)?,
                Trust::SystemAndPin | Trust::PinOnly => {
                    self.system.verify(presented, name, ocsp)?;
                }
            }
            let outcome = if lapsed { Outcome::Lapsed } else { Outcome::Off };
            return Ok((outcome, Vec::new()));
        }
        let PathMatch { matched, path } = match policy.trust() {
            Trust::PrivateCa => {
                presented.match_trusted(policy.anchors(), policy).map_err(untrusted)?
            }
            Trust::SystemAndPin => match &self.system {
                SystemTrust::Anchors(anchors) => {
                    presented.match_trusted(anchors, policy).map_err(untrusted)?
                }
                SystemTrust::Platform(_) => {
                    self.system.verify(presented, name, ocsp)?;
                    presented.match_rebuilt(policy)
                }
            },
            Trust::PinOnly => {
                check_validity(presented)?;
                let leaf = presented.leaf(policy);
                let matched = policy.match_path(std::slice::from_ref(&leaf));
                PathMatch { matched, path: vec![leaf] }
            }
        };
        Ok((matched.map_or(Outcome::NoMatch, Outcome::Match), path))
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
        self.judge(end_entity, intermediates, name, &[], now).map(Arc::new)
    }

    fn remember(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        verdict: Verdict,
    ) {
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

/// `pin_only` asks no authority, so nobody else looks at the dates.
fn check_validity(presented: &Presented<'_>) -> Result<(), UntrustedReason> {
    let now = presented.now.as_secs();
    match identity::validity(presented.end_entity_der) {
        None => Err(UntrustedReason::Invalid("its validity cannot be read".into())),
        Some((not_before, _)) if now < not_before => Err(UntrustedReason::NotYetValid),
        Some((_, not_after)) if now > not_after => Err(UntrustedReason::Expired),
        Some(_) => Ok(()),
    }
}

fn verdict(
    outcome: Outcome,
    mode: Mode,
    path: Vec<crate::pin::PathCertificate>,
    facts: CertificateFacts,
) -> Verdict {
    Verdict { outcome, mode, path, facts }
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
        match self.judge(end_entity, intermediates, server_name, ocsp_response, now) {
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
