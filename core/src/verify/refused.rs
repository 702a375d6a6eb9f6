//! A certificate that was refused, for another pin set to judge.

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::judge::{Judge, Judgement};
use super::presented::Presented;
use crate::error::{Error, UntrustedReason};
use crate::pin::{HostName, PinSet, Trust};

/// What a server presented in a handshake that was refused.
#[derive(Debug)]
pub(crate) struct RefusedCertificate {
    name: ServerName<'static>,
    chain: Vec<CertificateDer<'static>>,
    ocsp: Vec<u8>,
    now: UnixTime,
}

impl RefusedCertificate {
    pub(super) fn of(presented: &Presented<'_>) -> Self {
        let chain = std::iter::once(presented.end_entity).chain(presented.intermediates);
        Self {
            name: presented.name.to_owned(),
            chain: chain.map(|der| der.clone().into_owned()).collect(),
            ocsp: presented.ocsp.to_vec(),
            now: presented.now,
        }
    }

    /// Whether `judge` would accept it if it went by `pins`. Blocks for as long as the platform takes.
    pub(crate) fn is_accepted_by(&self, judge: &Judge, pins: &PinSet) -> bool {
        let Some((end_entity, intermediates)) = self.chain.split_first() else { return false };
        let (name, ocsp, now) = (&self.name, self.ocsp.as_slice(), self.now);
        let presented = Presented { end_entity, intermediates, name, ocsp, now, live: true };
        let judge = Judge {
            pins: pins.clone(),
            deny_unpinned: judge.deny_unpinned,
            system: judge.system.clone(),
            managed: judge.managed.clone(),
        };
        judge.judge(&presented).and_then(Judgement::verdict).is_ok()
    }
}

impl Judge {
    /// Whether `error`, which ended a handshake with `host`, is what the pin set itself demands: then
    /// another pin set may be the remedy.
    pub(crate) fn is_by_pin_set(&self, error: &Error, host: &HostName) -> bool {
        let is_private =
            || self.pins.policy(host).is_some_and(|policy| policy.trust() == Trust::PrivateCa);
        // A proxy's pins come over the same proxy.
        if error.host() != Some(host.as_str()) {
            return false;
        }
        match error {
            Error::BlockedKey(_) | Error::PinMismatch(_) | Error::PinSetLapsed(_) => true,
            // The authority is the pin set's own; a new one may bear the name of the old.
            Error::Untrusted { reason, .. } => {
                use UntrustedReason::{Invalid, UnknownIssuer};
                matches!(reason, UnknownIssuer | Invalid(_)) && is_private()
            }
            _ => false,
        }
    }
}
