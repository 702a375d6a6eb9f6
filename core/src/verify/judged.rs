//! A certificate that was judged, and whether the judgement still holds.

use std::ops::Range;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::asking::{Asking, Said};
use super::identity;
use super::inspection::is_named;
use super::judge::Judge;
use super::presented::Presented;
use crate::error::{CertificateFacts, Error};
use crate::patience::Patience;
use crate::pin::{HostName, HostPolicy, Outcome, PinSet, Verdict};

/// A certificate that was accepted, with everything that the verdict rests on, so that it can be
/// judged again without a handshake: for a connection that is used again, and for a TLS session that
/// is resumed, about which rustls asks nobody.
#[derive(Debug)]
pub(crate) struct Judged {
    name: ServerName<'static>,
    /// As presented, end-entity first.
    chain: Vec<CertificateDer<'static>>,
    ocsp: Vec<u8>,
    /// What the platform said, where it was asked.
    said: Vec<Said>,
    verdict: Arc<Verdict>,
    /// When the verdict holds, in seconds since 1970: until the end-entity's end, the entry's and the
    /// inspecting authority's. A lapsed entry's begins with the lapse, for clocks are put back.
    valid: Range<u64>,
    /// Under which it was judged.
    pins: PinSet,
}

impl Judged {
    pub(crate) fn verdict(&self) -> &Arc<Verdict> {
        &self.verdict
    }

    /// Whether a server presented this chain.
    pub(crate) fn is_of(&self, chain: &[CertificateDer<'_>]) -> bool {
        self.chain == chain
    }
}

impl Judge {
    /// Judges what a server presented.
    ///
    /// # Errors
    /// Why it is refused.
    pub(super) fn accept(
        &self,
        presented: &Presented<'_>,
        patience: Patience<'_>,
    ) -> Result<Judged, Error> {
        let chain = std::iter::once(presented.end_entity).chain(presented.intermediates);
        let judged = Unjudged {
            name: presented.name.to_owned(),
            chain: chain.map(|der| der.clone().into_owned()).collect(),
            ocsp: presented.ocsp.to_vec(),
        };
        self.decide(judged, presented.now, Asking::by(patience))
    }

    /// The same judgement if it still holds at `now`, in seconds since 1970, or another that accepts
    /// the certificate; none where it is refused, or where the platform would have to be asked.
    pub(crate) fn again(&self, judged: &Arc<Judged>, now: u64) -> Option<Arc<Judged>> {
        let holds = self.pins.is_same(&judged.pins) && judged.valid.contains(&now);
        if holds && self.consents(&judged.verdict) {
            return Some(judged.clone());
        }
        self.judge_again(judged, now).ok().map(Arc::new)
    }

    /// What is to be said where the pins or blocked keys refuse by now what was accepted before.
    pub(crate) fn withdrawn(&self, judged: &Judged, now: u64) -> Option<Box<CertificateFacts>> {
        match self.judge_again(judged, now) {
            Err(Error::PinMismatch(facts) | Error::BlockedKey(facts)) => Some(facts),
            _ => None,
        }
    }

    fn judge_again(&self, judged: &Judged, now: u64) -> Result<Judged, Error> {
        let unjudged = Unjudged {
            name: judged.name.clone(),
            chain: judged.chain.clone(),
            ocsp: judged.ocsp.clone(),
        };
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
        self.decide(unjudged, now, Asking::only(judged.said.clone()))
    }

    fn decide(&self, of: Unjudged, now: UnixTime, asking: Asking<'_>) -> Result<Judged, Error> {
        let Unjudged { name, chain, ocsp } = of;
        let Some((end_entity, intermediates)) = chain.split_first() else {
            return Err(Error::Internal { reason: "a session without certificates".into() });
        };
        let presented =
            Presented { end_entity, intermediates, name: &name, ocsp: &ocsp, now, live: true };
        let judgement = self.judge_asking(&presented, &asking)?;
        let policy = judgement.policy;
        let verdict = judgement.verdict()?;
        let valid = self.validity(end_entity, policy, &verdict);
        let (verdict, pins) = (Arc::new(verdict), self.pins.clone());
        Ok(Judged { name, chain, ocsp, said: asking.said(), verdict, valid, pins })
    }

    fn validity(
        &self,
        end_entity: &CertificateDer<'_>,
        policy: Option<&HostPolicy>,
        verdict: &Verdict,
    ) -> Range<u64> {
        let ended = identity::validity(end_entity).map_or(0, |(_, last)| last.saturating_add(1));
        let entry = policy.and_then(HostPolicy::expires).unwrap_or(u64::MAX);
        match &verdict.outcome {
            // Where the pin set proves a later time than the entry's end, no clock undoes the lapse.
            Outcome::Lapsed if self.pins.effective_now(0) >= entry => 0..ended,
            Outcome::Lapsed => entry..ended,
            Outcome::Inspected(id) => {
                let by = self.pins.inspection().iter().find(|authority| authority.id == *id);
                0..ended.min(entry).min(by.map_or(0, |by| by.not_after.saturating_add(1)))
            }
            _ => 0..ended.min(entry),
        }
    }

    /// Whether the device's management still consents to what is inspected; it may withdraw that at
    /// any time.
    fn consents(&self, verdict: &Verdict) -> bool {
        let Outcome::Inspected(id) = &verdict.outcome else { return true };
        let Ok(host) = HostName::parse(&verdict.facts.host) else { return false };
        self.managed.as_deref().is_some_and(|managed| {
            self.pins.inspection().iter().any(|authority| {
                authority.id == *id
                    && authority.hosts.contains(&host)
                    && is_named(managed, authority)
            })
        })
    }
}

/// What is to be judged.
struct Unjudged {
    name: ServerName<'static>,
    chain: Vec<CertificateDer<'static>>,
    ocsp: Vec<u8>,
}

#[cfg(all(test, shuttle))]
impl Judge {
    /// Judges a certificate alone, as if a server had just presented it.
    pub(crate) fn accepted(
        &self,
        host: &'static str,
        certificate: &CertificateDer<'static>,
        now: u64,
    ) -> Option<Arc<Judged>> {
        let name = ServerName::try_from(host).ok()?;
        let of = Unjudged { name, chain: vec![certificate.clone()], ocsp: Vec::new() };
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
        self.decide(of, now, Asking::nobodys()).ok().map(Arc::new)
    }
}
