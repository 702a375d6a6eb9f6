//! Whether a server asks for a certificate, in one handshake, and what comes of signing.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;

use crate::cancel::CancelToken;
use crate::patience::Patience;

thread_local! {
    /// The handshake that this thread drives. rustls gives its resolver no place for anything that
    /// belongs to one connection, and resumes a session only with the very resolver of before.
    static DRIVEN: RefCell<Option<Arc<Asked>>> = const { RefCell::new(None) };
}

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

    /// Runs `work`: what a server asks for on this thread meanwhile is asked of this handshake.
    pub(crate) fn drive<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        struct Driving(Option<Arc<Asked>>);
        impl Drop for Driving {
            fn drop(&mut self) {
                DRIVEN.set(self.0.take());
            }
        }
        let _before = Driving(DRIVEN.replace(Some(self.clone())));
        work()
    }

    /// The one that this thread drives.
    pub(super) fn driven() -> Option<Arc<Self>> {
        DRIVEN.with_borrow(Clone::clone)
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

fn note() {
    if let Some(asked) = Asked::driven() {
        asked.asked.store(true, Ordering::Relaxed);
    }
}

/// Who has no certificate.
#[derive(Debug)]
pub(crate) struct Nobody;

impl ResolvesClientCert for Nobody {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        note();
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
pub(super) struct Somebody(pub(super) Arc<CertifiedKey>);

impl ResolvesClientCert for Somebody {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        note();
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
