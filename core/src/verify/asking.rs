//! Asking a platform about one chain, and what it said.

use std::cell::RefCell;
use std::time::Instant;

use super::platform::{Failure, Platform, TrustQuestion, TrustedPath};
use crate::cancel::CancelToken;
use crate::error::UntrustedReason;
use crate::patience::Patience;

/// What a platform said about one chain: what it was asked about, DER, and the path that it trusts.
pub(super) type Said = (Vec<Vec<u8>>, TrustedPath);

/// On whose behalf a platform is asked.
pub(super) struct Asking<'a> {
    /// None where nobody waits for it: then only what it has said counts.
    patience: Option<Patience<'a>>,
    said: RefCell<Vec<Said>>,
}

impl<'a> Asking<'a> {
    /// For a call.
    pub(super) fn by(patience: Patience<'a>) -> Self {
        Self { patience: Some(patience), said: RefCell::default() }
    }

    /// For no call in particular: for as long as the platform may take.
    pub(super) fn nobodys() -> Asking<'static> {
        use once_cell::sync::Lazy;
        static NEVER: Lazy<CancelToken> = Lazy::new(CancelToken::new);
        Asking::by(Patience { deadline: None, cancel: &NEVER })
    }

    /// By when everything has to be done.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.patience.and_then(|patience| patience.deadline)
    }

    /// Of what the platform has said before, and nothing else.
    pub(super) fn only(said: Vec<Said>) -> Self {
        Self { patience: None, said: RefCell::new(said) }
    }

    /// What it has said yes to.
    pub(super) fn said(self) -> Vec<Said> {
        self.said.into_inner()
    }

    pub(super) fn ask(
        &self,
        platform: &Platform,
        question: TrustQuestion,
        until: Instant,
    ) -> Result<TrustedPath, Failure> {
        let Some(patience) = self.patience else {
            let said = self.said.borrow();
            let found = said.iter().find(|(chain, _)| *chain == question.chain);
            return found.map(|(_, path)| path.clone()).ok_or_else(|| {
                let reason = "the platform would have to be asked".to_owned();
                Failure::Untrusted(UntrustedReason::Unverified(reason))
            });
        };
        let chain = question.chain.clone();
        let path = platform.verify(question, patience.at_most(until))?;
        self.said.borrow_mut().push((chain, path.clone()));
        Ok(path)
    }
}
