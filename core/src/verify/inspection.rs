//! Connections that an organisation inspects with the consent of the owner of the pins.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rustls_pki_types::CertificateDer;

use super::judge::{Finding, Judge, Judgement};
use super::path::{self, Subject};
use super::presented::Presented;
use super::trust::SystemTrust;
use crate::pin::{
    HostName, InspectionAuthority, ManagedConfiguration, Outcome, PathFate, SpkiSha256, Trust,
};

impl Judge {
    /// The authority under which a connection without a pin may be used all the same: named by the
    /// signed pin set for this host and time, named by the device's management, and proved to have
    /// issued the certificate, which is trusted before anybody asks for this.
    pub(super) fn inspecting(
        &self,
        judgement: &Judgement<'_>,
        presented: &Presented<'_>,
        issuers: &[CertificateDer<'_>],
        subject: &Subject<'_>,
        finding: &Finding,
        host: &HostName,
    ) -> Option<&InspectionAuthority> {
        let managed = self.managed.as_deref()?;
        let policy = judgement.policy?;
        // The organisation of an internal server has its own authority for it already.
        if policy.trust() != Trust::SystemAndPin
            || judgement.trust.is_err()
            || judgement.outcome != Outcome::NoMatch
        {
            return None;
        }
        let now = self.pins.effective_now(presented.now.as_secs());
        let by_admin = finding.added != Some(false) && finding.added_by_admin != Some(false);
        self.pins.inspection().iter().find(|authority| {
            authority.covers(host, now)
                && (by_admin || !authority.ca_installed_by_admin)
                && is_named(managed, authority)
                && self.has_issued(authority.spki, judgement, issuers, subject, finding)
        })
    }

    /// Whether a verified path leads over a certificate with this key.
    fn has_issued(
        &self,
        key: SpkiSha256,
        judgement: &Judgement<'_>,
        issuers: &[CertificateDer<'_>],
        subject: &Subject<'_>,
        finding: &Finding,
    ) -> bool {
        match &self.system {
            SystemTrust::Anchors { .. } => judgement.tried.iter().any(|path| {
                path.fate == PathFate::NoPin
                    && path.certificates.iter().skip(1).any(|above| above.spki == key)
            }),
            // What the platform tells of its path is proved, and so is what it does not tell.
            SystemTrust::Platform(_) => {
                let told = match finding.above.as_slice() {
                    [] => issuers,
                    above => above,
                };
                path::prove_authority(subject, told, key, self.pins.blocked())
            }
        }
    }
}

/// Whether the device's management names the authority, too.
pub(super) fn is_named(
    managed: &dyn ManagedConfiguration,
    authority: &InspectionAuthority,
) -> bool {
    let asked = catch_unwind(AssertUnwindSafe(|| managed.value(&authority.managed_config_key)));
    asked.is_ok_and(|value| value.as_deref() == Some(authority.id.as_str()))
}
