//! The whole decision about a server's certificate: trust, then blocked keys, then pins on verified
//! paths.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::asking::Asking;
use super::blocking::{Blocking, has_clean_public_path};
use super::effort::{CutShort, Effort};
use super::keys::usable_key;
use super::ocsp::{self, Staple};
use super::path::{self, Subject, Wanted};
use super::platform::{Failure, Platform, TrustQuestion, TrustedPath};
use super::presented::{Issuer, Presented, issuer_of};
use super::provider::public_anchors;
use super::readable::{Readable, unknown_in_words};
use super::trust::SystemTrust;
use super::words::untrusted;
use super::{identity, issuers, strength};
use crate::der::Fields;
use crate::error::{CertificateFacts, Error, TimeoutPhase, UntrustedReason};
use crate::name::{name_of, printable};
use crate::pin::{
    Decision, HostName, HostPolicy, ManagedConfiguration, Mode, Outcome, PathFate, PinSet,
    SpkiSha256, TriedPath, Trust, Verdict,
};

/// By what a client judges.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) pins: PinSet,
    /// Whether hosts that the pin set does not name are refused.
    pub(crate) deny_unpinned: bool,
    pub(crate) system: SystemTrust,
    /// What the device's management says of authorities that inspect connections.
    pub(crate) managed: Option<Arc<dyn ManagedConfiguration>>,
}

/// Everything that the decision rests on.
#[derive(Debug)]
pub(super) struct Judgement<'p> {
    pub(super) policy: Option<&'p HostPolicy>,
    pub(super) trust: Result<(), Distrust>,
    pub(super) outcome: Outcome,
    /// Every path tried; the one that counts comes last.
    pub(super) tried: Vec<TriedPath>,
    pub(super) staple: Staple,
    pub(super) facts: CertificateFacts,
    /// Whether the client refuses hosts that the pin set does not name, and this is one.
    denied: bool,
}

/// Why there is no trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Distrust {
    Untrusted(UntrustedReason),
    /// The platform did not answer in time, or the call was cancelled meanwhile.
    Unanswered(Error),
}

impl From<UntrustedReason> for Distrust {
    /// Its words may be a server's or a platform's, and end on screens and in logs.
    fn from(reason: UntrustedReason) -> Self {
        Self::Untrusted(match reason {
            UntrustedReason::Invalid(why) => UntrustedReason::Invalid(printable(&why, MAX_REASON)),
            UntrustedReason::Unverified(why) => {
                UntrustedReason::Unverified(printable(&why, MAX_REASON))
            }
            reason => reason,
        })
    }
}

/// Longer reasons are nobody's to read.
const MAX_REASON: usize = 240;

/// What trust, blocked keys and pins make of a chain that is trusted.
#[derive(Default)]
pub(super) struct Finding {
    tried: Vec<TriedPath>,
    /// What the platform verified above the end-entity, where it tells.
    pub(super) above: Vec<CertificateDer<'static>>,
    /// Whether the platform says that the authority was added to the device, and by whom.
    pub(super) added: Option<bool>,
    pub(super) added_by_admin: Option<bool>,
}

/// What a platform trusts, and the certificates that may prove a pin.
type Trusted = (TrustedPath, Vec<CertificateDer<'static>>);

/// Who decides about an end-entity, pins aside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decider {
    Webpki,
    Platform,
    /// Nobody: the pin is all there is.
    Pin,
}

impl Judge {
    /// Whether nothing is asked of `host` at all.
    pub(crate) fn denies(&self, host: &HostName) -> bool {
        self.deny_unpinned && self.pins.policy(host).is_none()
    }

    /// By what the certificates of proxies are judged: the same, but a proxy that the pin set does not
    /// name is as good as the system's trust in it, and nobody may inspect the way to it.
    pub(crate) fn of_proxies(&self) -> Self {
        Self {
            pins: self.pins.clone(),
            deny_unpinned: false,
            system: self.system.clone(),
            managed: None,
        }
    }

    pub(super) fn judge(&self, presented: &Presented<'_>) -> Result<Judgement<'_>, Error> {
        self.judge_asking(presented, &Asking::nobodys())
    }

    /// The same for a call that waits no longer than `asking` says.
    pub(super) fn judge_asking(
        &self,
        presented: &Presented<'_>,
        asking: &Asking<'_>,
    ) -> Result<Judgement<'_>, Error> {
        let host = HostName::of_server(presented.name)
            .map_err(|e| Error::Internal { reason: format!("a host that TLS takes: {e}") })?;
        let policy = self.pins.policy(&host);
        let now = self.pins.effective_now(presented.now.as_secs());
        let lapsed = policy.and_then(HostPolicy::expires).is_some_and(|at| now >= at);
        let without_pins = match policy {
            None => Some(Outcome::NotPinned),
            Some(_) if lapsed => Some(Outcome::Lapsed),
            Some(policy) if policy.mode() == Mode::Off => Some(Outcome::Off),
            Some(_) => None,
        };
        // The policy as far as its pins count.
        let pinning = policy.filter(|_| without_pins.is_none());
        let mut judgement = Judgement {
            policy,
            trust: Ok(()),
            outcome: without_pins.clone().unwrap_or(Outcome::NoMatch),
            tried: Vec::new(),
            staple: Staple::None,
            facts: CertificateFacts {
                host: host.to_string(),
                rule: policy.map(|p| p.host().to_string()),
                expected_pins: policy
                    .map_or_else(Vec::new, |p| p.pins().iter().map(|p| p.digest).collect()),
                pin_set_version: self.pins.version(),
                ..CertificateFacts::default()
            },
            denied: policy.is_none() && self.deny_unpinned,
        };
        if let Some(leaf) = Fields::read(presented.end_entity) {
            judgement.facts.presented_pin = Some(SpkiSha256::of_spki(leaf.spki));
            judgement.facts.subject = name_of(leaf.subject);
            judgement.facts.issuer = name_of(leaf.issuer);
        }
        if let Some(excess) = presented.excess() {
            judgement.trust = Err(UntrustedReason::Invalid(excess).into());
            return Ok(judgement);
        }
        // What only webpki does not know is for somebody else to decide, where there is somebody.
        let readable = match self.decider(policy, pinning) {
            Decider::Webpki => None,
            decider => Readable::new(presented.end_entity)
                .filter(|readable| decider == Decider::Platform || readable.harmless),
        };
        let der = readable.as_ref().map_or(presented.end_entity, |readable| &readable.der);
        let end_entity = match EndEntityCert::try_from(der) {
            Ok(end_entity) => end_entity,
            Err(e) => {
                let unknown = matches!(e, webpki::Error::UnsupportedCriticalExtension);
                let words = unknown_in_words(presented.end_entity).filter(|_| unknown);
                let reason = words.map_or_else(|| untrusted(e), UntrustedReason::Invalid);
                judgement.trust = Err(reason.into());
                return Ok(judgement);
            }
        };
        let effort = Effort::new(asking.deadline(), readable.as_ref().map(|it| it.signed.clone()));
        let subject =
            Subject::new(&end_entity, presented.end_entity, presented.now, &effort, pinning);
        let issuers = match Fields::read(presented.end_entity) {
            Some(leaf) => issuers::issuers(&leaf, presented.intermediates, &effort),
            None => Vec::new(),
        };

        let wanted = Wanted { policy: pinning, blocked: self.pins.blocked() };
        let found = self.find(presented, &issuers, &subject, policy, wanted, asking);
        let mut finding = match found {
            Ok(finding) => finding,
            Err(distrust) => {
                judgement.trust = Err(distrust);
                Finding::default()
            }
        };
        if judgement.trust.is_ok() {
            judgement.staple = self.staple(presented, &issuers, policy, &finding.above, &effort);
            if judgement.staple == Staple::Revoked {
                judgement.trust = Err(UntrustedReason::Revoked.into());
            }
        }
        judgement.tried = std::mem::take(&mut finding.tried);
        if judgement.tried.is_empty() {
            // The end-entity's own key is known without any path.
            judgement.tried.push(wanted.judge(vec![subject.leaf.clone()]));
        }
        judgement.outcome = outcome_of(&judgement.tried, without_pins);
        let refused = judgement.trust.is_err() || judgement.outcome == Outcome::NoMatch;
        if let Some(why) = effort.cut_short().filter(|_| refused) {
            judgement.trust = Err(cut_short(why, &judgement.facts));
            return Ok(judgement);
        }
        let (cause, report) =
            self.interception(&judgement, presented, &issuers, &subject, &finding);
        (judgement.facts.cause, judgement.facts.interception) = (cause, report.map(Box::new));
        if let Some(by) =
            self.inspecting(&judgement, presented, &issuers, &subject, &finding, &host)
        {
            judgement.outcome = Outcome::Inspected(by.id.clone());
        }
        Ok(judgement)
    }

    fn decider(&self, policy: Option<&HostPolicy>, pinning: Option<&HostPolicy>) -> Decider {
        match (policy.map(HostPolicy::trust), &self.system) {
            (Some(Trust::PrivateCa), _) => Decider::Webpki,
            // Without its pins there would be nothing left of it: then the system's trust decides.
            (Some(Trust::PinOnly), _) if pinning.is_some() => Decider::Pin,
            (_, SystemTrust::Anchors { .. }) => Decider::Webpki,
            (_, SystemTrust::Platform(_)) => Decider::Platform,
        }
    }

    /// Trust first; then every path, for blocked keys and pins.
    fn find(
        &self,
        presented: &Presented<'_>,
        issuers: &[CertificateDer<'_>],
        subject: &Subject<'_>,
        policy: Option<&HostPolicy>,
        wanted: Wanted<'_>,
        asking: &Asking<'_>,
    ) -> Result<Finding, Distrust> {
        // The name is always checked here, whatever the system's verifier does about it.
        let named = subject.end_entity.verify_is_valid_for_subject_name(presented.name);
        named.map_err(untrusted)?;
        usable_key(&subject.end_entity.subject_public_key_info())
            .map_err(UntrustedReason::Invalid)?;
        let anchors = match (policy, &self.system) {
            (Some(policy), _) if policy.trust() == Trust::PrivateCa => policy.anchors(),
            // Without its pins there would be nothing left of it: then the system's trust decides.
            (Some(policy), _) if policy.trust() == Trust::PinOnly && wanted.policy.is_some() => {
                check_validity(presented)?;
                return Ok(Finding::default());
            }
            (_, SystemTrust::Anchors { anchors, .. }) => anchors,
            (_, SystemTrust::Platform(platform)) => {
                return self
                    .find_by_platform(platform, presented, issuers, subject, wanted, asking);
            }
        };
        let tried = path::search(subject, issuers, anchors, wanted);
        Ok(Finding { tried: tried.map_err(untrusted)?, ..Finding::default() })
    }

    fn find_by_platform(
        &self,
        platform: &Platform,
        presented: &Presented<'_>,
        issuers: &[CertificateDer<'_>],
        subject: &Subject<'_>,
        wanted: Wanted<'_>,
        asking: &Asking<'_>,
    ) -> Result<Finding, Distrust> {
        let unblocked = self.unblocked(platform, presented, issuers, subject, asking)?;
        let (path, mut intermediates) = match unblocked {
            Ok(found) => found,
            Err(key) => {
                let certificates = vec![subject.leaf.clone()];
                let tried = vec![TriedPath { certificates, fate: PathFate::Blocked(key) }];
                return Ok(Finding { tried, ..Finding::default() });
            }
        };
        // The anchor's own signature says nothing.
        let below_anchor = path.certificates.len().saturating_sub(1).max(1);
        let told = path.certificates.iter().map(Vec::as_slice).take(below_anchor);
        for der in told.clone().chain([presented.end_entity.as_ref()]) {
            strength::check_signature(der).map_err(UntrustedReason::Invalid)?;
        }
        for (i, fields) in told.filter_map(Fields::read).enumerate() {
            strength::check_key(fields.spki).map_err(UntrustedReason::Invalid)?;
            // The anchor is trusted for being known, not for what it says of itself.
            if i > 0 && !issuers::may_issue(&fields) {
                return Err(UntrustedReason::Invalid(issuers::forbidden(&fields)).into());
            }
        }

        let above = path.certificates.into_iter().skip(1).map(CertificateDer::from);
        let mut finding = Finding {
            tried: Vec::new(),
            above: above.collect(),
            added: path.added_authority,
            added_by_admin: path.added_by_admin,
        };
        let verified = wanted.judge(subject.path_of(&finding.above));
        // A platform's path is taken for granted as to trust, but a pin above the end-entity must
        // be proved: then no mistake of the platform's side can let a pasted certificate match.
        let at_leaf = matches!(&verified.fate, PathFate::Match(matched) if matched.depth == 0);
        let proved = match (wanted.policy, at_leaf) {
            (Some(policy), false) => {
                intermediates.extend(finding.above.iter().cloned());
                path::prove_pin(subject, &intermediates, policy, wanted.blocked)
            }
            _ => None,
        };
        match (&verified.fate, proved) {
            // The platform's own path, once it is proved.
            (PathFate::Match(_), Some(proved)) => finding.tried.push(proved),
            (PathFate::Match(_), None) if !at_leaf => {
                finding.tried.push(TriedPath { fate: PathFate::NoPin, ..verified });
            }
            (_, proved) => finding.tried.extend([verified].into_iter().chain(proved)),
        }
        Ok(finding)
    }

    /// What the platform trusts without blocked keys, and the certificates that may prove a pin;
    /// the inner error is the key without which there is nothing.
    fn unblocked(
        &self,
        platform: &Platform,
        presented: &Presented<'_>,
        issuers: &[CertificateDer<'_>],
        subject: &Subject<'_>,
        asking: &Asking<'_>,
    ) -> Result<Result<Trusted, SpkiSha256>, Distrust> {
        // Its clock may not be the one that was asked about.
        check_validity(presented)?;
        let until = Instant::now() + platform.limit();
        // Exactly those that are judged here.
        let intermediates = issuers.iter().map(|der| der.clone().into_owned()).collect::<Vec<_>>();
        let path = ask(platform, presented, &intermediates, asking, until)?;
        if self.pins.blocked().is_empty() {
            return Ok(Ok((path, intermediates)));
        }
        let told = path.certificates.iter().map(|der| CertificateDer::from(der.as_slice()));
        let told = told.collect::<Vec<_>>();
        let blocking = Blocking::new(&self.pins, presented, &told, subject.effort);
        let key = if told.is_empty() { blocking.on_hidden() } else { blocking.on_told(&told) };
        let Some(key) = key else {
            if told.is_empty() && public_anchors().is_empty() {
                let reason = "the platform hides its path, which may lead to a blocked authority";
                return Err(UntrustedReason::Unverified(reason.to_owned()).into());
            }
            return Ok(Ok((path, intermediates)));
        };
        // There may be a path that does without it: one that can be proved here, or one that the
        // platform finds among what is left.
        let mut pool = intermediates.clone();
        pool.extend(told.iter().map(|der| der.clone().into_owned()));
        if has_clean_public_path(subject, &pool, &self.pins) {
            let hidden = TrustedPath { certificates: Vec::new(), ..path };
            return Ok(Ok((hidden, intermediates)));
        }
        let Some(mut rest) = blocking.independent() else { return Ok(Err(key)) };
        rest.retain(|der| issuers.contains(der));
        let Ok(other) = ask(platform, presented, &rest, asking, until) else {
            return Ok(Err(key));
        };
        let told = other.certificates.iter().map(|der| CertificateDer::from(der.as_slice()));
        let told = told.collect::<Vec<_>>();
        let blocked = Blocking::new(&self.pins, presented, &told, subject.effort);
        let blocked = blocked.on_told(&told);
        Ok(if blocked.is_some() { Err(key) } else { Ok((other, rest)) })
    }

    /// What the end-entity's authority says of it, by way of the server.
    fn staple(
        &self,
        presented: &Presented<'_>,
        issuers: &[CertificateDer<'_>],
        policy: Option<&HostPolicy>,
        above: &[CertificateDer<'_>],
        effort: &Effort,
    ) -> Staple {
        if presented.ocsp.is_empty() {
            return Staple::None;
        }
        let certificates = issuers.iter().chain(above);
        let fields = certificates.filter_map(|der| Fields::read(der));
        let mut issuers = fields.filter_map(|fields| issuer_of(&fields)).collect::<Vec<_>>();
        let anchors = match (policy, &self.system) {
            (Some(policy), _) if policy.trust() == Trust::PrivateCa => policy.anchors().list(),
            (_, SystemTrust::Anchors { anchors, .. }) => anchors.list(),
            (_, SystemTrust::Platform(_)) => &[],
        };
        issuers.extend(anchors.iter().map(Issuer::from));
        // Those need not be presented.
        for anchor in public_anchors() {
            issuers.push(Issuer::from(anchor));
        }
        if let Some(policy) = policy {
            issuers.extend(policy.pinned_roots().list().iter().map(Issuer::from));
        }
        ocsp::read(presented.ocsp, presented.end_entity, &issuers, presented.now, effort)
    }
}

impl Judgement<'_> {
    /// What a client does about it.
    pub(super) fn decision(&self) -> Decision {
        if self.denied || self.trust.is_err() {
            return Decision::Block;
        }
        if self.outcome == Outcome::Lapsed
            && self.policy.is_some_and(HostPolicy::blocks_when_lapsed)
        {
            return Decision::Block;
        }
        self.outcome.decision(self.mode())
    }

    pub(super) fn mode(&self) -> Mode {
        self.policy.map_or(Mode::Off, HostPolicy::mode)
    }

    /// The verdict on a connection that may be used.
    ///
    /// # Errors
    /// Why it may not.
    pub(super) fn verdict(mut self) -> Result<Verdict, Error> {
        let (mode, decision) = (self.mode(), self.decision());
        let facts = self.facts;
        if self.denied {
            return Err(Error::HostNotPinned { host: facts.host });
        }
        match (self.trust, self.outcome) {
            (_, Outcome::BlockedKey(_)) => Err(Error::BlockedKey(Box::new(facts))),
            (Err(Distrust::Unanswered(error)), _) => Err(error),
            (Err(Distrust::Untrusted(reason)), _) => {
                Err(Error::Untrusted { reason, facts: Box::new(facts) })
            }
            (Ok(()), Outcome::Lapsed) if decision == Decision::Block => {
                Err(Error::PinSetLapsed(Box::new(facts)))
            }
            (Ok(()), outcome) => match decision {
                Decision::Block => Err(Error::PinMismatch(Box::new(facts))),
                Decision::Allow => {
                    // Under `report_only` a blocked path is none that the connection rests on.
                    self.tried.retain(|path| !matches!(path.fate, PathFate::Blocked(_)));
                    let path = self.tried.pop().map_or_else(Vec::new, |path| path.certificates);
                    Ok(Verdict { outcome, mode, path, facts })
                }
            },
        }
    }
}

/// One good path is enough. Where there is none, a pin that is missing counts for more than a key
/// that is blocked on some other path.
fn outcome_of(tried: &[TriedPath], without_pins: Option<Outcome>) -> Outcome {
    match (tried.last().map(|path| &path.fate), without_pins) {
        (Some(PathFate::Match(matched)), _) => Outcome::Match(matched.clone()),
        (Some(PathFate::Accepted), Some(without_pins)) => without_pins,
        _ => {
            let blocked = |path: &TriedPath| match path.fate {
                PathFate::Blocked(key) => Some(key),
                _ => None,
            };
            let all = tried.iter().map(blocked).collect::<Option<Vec<_>>>();
            let first = all.and_then(|keys| keys.into_iter().next());
            first.map_or(Outcome::NoMatch, Outcome::BlockedKey)
        }
    }
}

fn ask(
    platform: &Platform,
    presented: &Presented<'_>,
    intermediates: &[CertificateDer<'_>],
    asking: &Asking<'_>,
    until: Instant,
) -> Result<TrustedPath, Distrust> {
    let chain = std::iter::once(presented.end_entity).chain(intermediates);
    let host = presented.name.to_str().into_owned();
    let question = TrustQuestion {
        chain: chain.map(|der| der.to_vec()).collect(),
        host: host.clone(),
        ocsp_response: presented.ocsp.to_vec(),
        at: presented.now.as_secs(),
    };
    let path = asking.ask(platform, question, until).map_err(|failure| match failure {
        Failure::Untrusted(reason) => Distrust::Untrusted(reason),
        Failure::Cancelled => Distrust::Unanswered(Error::Cancelled),
        Failure::TimedOut(after) => {
            Distrust::Unanswered(Error::Timeout { host, phase: TimeoutPhase::Trust, after })
        }
    })?;
    let unverified = |reason: &str| Err(UntrustedReason::Unverified(reason.to_owned()).into());
    match path.certificates.first() {
        Some(first) if first.as_slice() != presented.end_entity.as_ref() => {
            unverified("it answered for another certificate than the server's")
        }
        _ if path.certificates.iter().any(|der| Fields::read(der).is_none()) => {
            unverified("it answered with something that is no certificate")
        }
        _ => Ok(path),
    }
}

/// Nothing is accepted that was not looked at to the end.
fn cut_short(why: CutShort, facts: &CertificateFacts) -> Distrust {
    match why {
        CutShort::Late => Distrust::Unanswered(Error::Timeout {
            host: facts.host.clone(),
            phase: TimeoutPhase::Trust,
            after: Duration::ZERO,
        }),
        CutShort::Signatures => {
            let reason = "more signatures than are looked at for one server";
            UntrustedReason::Invalid(reason.to_owned()).into()
        }
    }
}

/// For those that ask nobody who would look at the dates, or not by this clock.
fn check_validity(presented: &Presented<'_>) -> Result<(), UntrustedReason> {
    let now = presented.now.as_secs();
    match identity::validity(presented.end_entity) {
        None => Err(UntrustedReason::Invalid("its validity cannot be read".into())),
        Some((not_before, _)) if now < not_before => Err(UntrustedReason::NotYetValid),
        Some((_, not_after)) if now > not_after => Err(UntrustedReason::Expired),
        Some(_) => Ok(()),
    }
}
