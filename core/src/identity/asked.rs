//! Whether a server asks for a certificate, in one handshake, and what comes of signing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;

use crate::cancel::CancelToken;
use crate::driven::Driven;
use crate::patience::Patience;

/// What one handshake has to do with a client's certificate.
#[derive(Debug)]
pub(crate) struct Asked {
    cancel: CancelToken,
    deadline: Option<Instant>,
    asked: AtomicBool,
    not_signed: OnceLock<NotSigned>,
}

/// Why a signer has not signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotSigned {
    Cancelled,
    TimedOut,
    /// In its own words.
    Failed(String),
}

impl Asked {
    pub(crate) fn new(cancel: CancelToken, deadline: Option<Instant>) -> Arc<Self> {
        let (asked, not_signed) = Default::default();
        Arc::new(Self { cancel, deadline, asked, not_signed })
    }

    /// Whether the server has asked for a certificate.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    pub(crate) fn not_signed(&self) -> Option<&NotSigned> {
        self.not_signed.get()
    }

    pub(super) fn set_not_signed(&self, why: NotSigned) {
        let _only_once = self.not_signed.set(why);
    }

    pub(super) fn patience(&self) -> Patience<'_> {
        Patience { deadline: self.deadline, cancel: &self.cancel }
    }
}

fn note(driven: &Driven<Asked>) {
    if let Some(asked) = driven.current() {
        asked.asked.store(true, Ordering::Relaxed);
    }
}

/// Who has no certificate.
#[derive(Debug, Default)]
pub(crate) struct Nobody {
    pub(crate) driven: Driven<Asked>,
}

impl ResolvesClientCert for Nobody {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        note(&self.driven);
        None
    }

    /// rustls asks the rest only of those who have: it would not be known that a server has asked.
    fn has_certs(&self) -> bool {
        true
    }
}

/// Who has one, and shows it to the server of their choice whatever authorities it names: a server that
/// does not know this one's says so.
#[derive(Debug)]
pub(super) struct Somebody {
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) driven: Arc<Driven<Asked>>,
}

impl ResolvesClientCert for Somebody {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        note(&self.driven);
        Some(self.certified.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
