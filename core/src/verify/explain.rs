//! The whole decision as data, without a connection.

use std::time::Duration;

use serde_json::{Value, json};

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::EndEntityCert;

use super::judge::{Distrust, Judge};
use super::presented::Presented;
use crate::error::{CertificateFacts, Error, UntrustedReason};
use crate::interception::InterceptionReport;
use crate::pin::{
    Decision, HostName, HostPolicy, MatchedPin, Mode, Outcome, PathCertificate, Pin, TriedPath,
    Trust,
};
use crate::time::format_rfc3339_utc;

/// Seconds between asking for the time and asking about it.
const PRESENT: u64 = 300;

/// Stands for the names that a wildcard covers and no entry has for a host.
const ANY_LABEL: &str = "any-other-name";

/// Why a connection to a host that presents a chain would be allowed or refused.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The host in canonical form.
    pub host: HostName,
    /// When, in seconds since 1970.
    pub at: u64,
    /// What a client would do.
    pub decision: Decision,
    /// How the certificate stands to the pin set. Where it is not trusted, only the end-entity was
    /// compared.
    pub outcome: Outcome,
    /// Whether it is trusted before pins are looked at.
    pub trust: Result<(), UntrustedReason>,
    /// The pin set's entry that holds, and why this one.
    pub policy: Option<PolicyChoice>,
    /// Every path that was tried, the one that counts last. A path that is not verified is the
    /// end-entity alone.
    pub paths: Vec<TriedPath>,
    /// The error with which a client would fail.
    pub error: Option<Error>,
    facts: CertificateFacts,
}

/// The entry of a pin set that holds for a host.
#[derive(Clone, Debug)]
pub struct PolicyChoice {
    /// The entry's host.
    pub host: HostName,
    /// How it came to hold.
    pub reason: ChoiceReason,
    /// Its mode.
    pub mode: Mode,
    /// Its trust.
    pub trust: Trust,
    /// When it lapses, in seconds since 1970.
    pub expires: Option<u64>,
    /// Its pins.
    pub pins: Vec<Pin>,
}

/// Why an entry holds for a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChoiceReason {
    /// It names the host.
    Exact,
    /// It names the nearest parent of those that include their subdomains.
    Subdomain,
}

impl Explanation {
    /// The path that counts, end-entity first.
    pub fn path(&self) -> &[PathCertificate] {
        self.paths.last().map_or(&[], |path| &path.certificates)
    }

    /// The pin that matched, and whose certificate's it is.
    pub fn matched(&self) -> Option<(&MatchedPin, Option<String>)> {
        let Outcome::Match(matched) = &self.outcome else { return None };
        let certificate = self.path().get(matched.depth);
        Some((matched, certificate.and_then(PathCertificate::subject)))
    }

    /// What an error would say of the certificate.
    pub fn facts(&self) -> &CertificateFacts {
        &self.facts
    }

    /// Who is probably in the middle, where something speaks for anybody.
    pub fn interception(&self) -> Option<&InterceptionReport> {
        self.facts.interception.as_deref()
    }
}

impl Explanation {
    /// The whole as JSON, the form of `pinfold evaluate --json`.
    pub fn to_json(&self) -> Value {
        let pins = |path: &[PathCertificate]| -> Vec<_> {
            path.iter().map(|certificate| certificate.spki.to_string()).collect()
        };
        let trust = match &self.trust {
            Ok(()) => "trusted",
            Err(reason) => reason.name(),
        };
        let mut json = json!({
            "decision": match self.decision { Decision::Allow => "allow", Decision::Block => "block" },
            "verdict": self.outcome.name(),
            "trust": trust,
            "host": self.host.as_str(),
            "at": format_rfc3339_utc(self.at),
            "policy": self.policy.as_ref().map(|policy| self.policy_json(policy)),
            "matched": self.matched().map(|(matched, subject)| json!({
                "pin": matched.pin.to_string(),
                "at": matched.at,
                "subject": subject,
                "depth": matched.depth,
                "state": matched.state,
            })),
            "path": pins(self.path()),
            "paths": self.paths.iter().map(|path| json!({
                "fate": path.fate.name(),
                "path": pins(&path.certificates),
                "subjects": path.certificates.iter().map(PathCertificate::subject).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "interception": self.interception().map(InterceptionReport::to_json),
            "error": self.error.as_ref().map(|error| json!({
                "code": error.code(),
                "message": error.to_string(),
            })),
        });
        if let Err(UntrustedReason::Invalid(why) | UntrustedReason::Unverified(why)) = &self.trust {
            json["trust_detail"] = json!(why);
        }
        json
    }

    fn policy_json(&self, policy: &PolicyChoice) -> Value {
        let matched = self.matched().map(|(matched, _)| (matched.pin, matched.state));
        let pin = |pin: &Pin| {
            json!({
                "pin": pin.digest.to_string(),
                "at": pin.at,
                "state": pin.state,
                "label": pin.label,
                "matched": matched == Some((pin.digest, pin.state)),
            })
        };
        json!({
            "host": policy.host.as_str(),
            "reason": match policy.reason {
                ChoiceReason::Exact => "exact",
                ChoiceReason::Subdomain => "subdomain",
            },
            "mode": policy.mode,
            "trust": policy.trust,
            "expires": policy.expires.map(format_rfc3339_utc),
            "pins": policy.pins.iter().map(pin).collect::<Vec<_>>(),
        })
    }
}

impl Judge {
    /// Judges `chain` (DER, end-entity first) for `host` as a handshake would be.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a host that is none or an empty chain.
    pub(crate) fn explain(
        &self,
        host: &str,
        chain: &[Vec<u8>],
        at: u64,
    ) -> Result<Explanation, Error> {
        let host = HostName::parse(host).map_err(|reason| Error::request("host", reason))?;
        let name = ServerName::try_from(host.as_str())
            .map_err(|e| Error::request("host", e.to_string()))?;
        let chain = chain.iter().map(|der| CertificateDer::from(der.as_slice()));
        let chain = chain.collect::<Vec<_>>();
        let Some((end_entity, intermediates)) = chain.split_first() else {
            return Err(Error::request("chain", "no certificate"));
        };
        let now = UnixTime::since_unix_epoch(Duration::from_secs(at));
        // Asked about the present, a wrong time is the clock's fault, as in a handshake.
        let live = UnixTime::now().as_secs().abs_diff(at) <= PRESENT;
        let presented = Presented { end_entity, intermediates, name: &name, ocsp: &[], now, live };
        let judgement = self.judge(&presented)?;
        let trust = match &judgement.trust {
            Ok(()) => Ok(()),
            Err(Distrust::Untrusted(reason)) => Err(reason.clone()),
            Err(Distrust::Unanswered(error)) => Err(UntrustedReason::Unverified(error.to_string())),
        };
        Ok(Explanation {
            at,
            decision: judgement.decision(),
            outcome: judgement.outcome.clone(),
            trust,
            policy: judgement.policy.map(|policy| choice(policy, &host)),
            paths: judgement.tried.clone(),
            facts: judgement.facts.clone(),
            error: judgement.verdict().err(),
            host,
        })
    }

    /// The names of a certificate (DER) for which an entry of the pin set holds. For a wildcard
    /// these are the entries' hosts that it covers, and one more name where an entry holds for all.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for what is no certificate.
    pub(crate) fn pinned_names(&self, certificate: &[u8]) -> Result<Vec<HostName>, Error> {
        let der = CertificateDer::from(certificate);
        let certificate = EndEntityCert::try_from(&der)
            .map_err(|e| Error::request("certificate", e.to_string()))?;
        let is_for = |host: &HostName| {
            ServerName::try_from(host.as_str())
                .is_ok_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
        };
        let own = self.pins.hosts().iter().map(HostPolicy::host).filter(|host| is_for(host));
        let mut names = own.cloned().collect::<Vec<_>>();
        let listed =
            certificate.valid_dns_names().filter_map(|name| match name.strip_prefix('*') {
                Some(parent) => HostName::parse(&format!("{ANY_LABEL}{parent}")).ok(),
                None => HostName::parse(name).ok(),
            });
        names.extend(listed.filter(|name| self.pins.policy(name).is_some()));
        names.sort();
        names.dedup();
        Ok(names)
    }
}

fn choice(policy: &HostPolicy, host: &HostName) -> PolicyChoice {
    let exact = policy.host() == host;
    PolicyChoice {
        host: policy.host().clone(),
        reason: if exact { ChoiceReason::Exact } else { ChoiceReason::Subdomain },
        mode: policy.mode(),
        trust: policy.trust(),
        expires: policy.expires(),
        pins: policy.pins().to_vec(),
    }
}
