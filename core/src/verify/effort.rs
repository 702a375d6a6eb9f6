//! What one judgement may cost, whatever a server sends: its signatures are counted and remembered,
//! and its time is the call's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ring::digest::{Context, SHA256};
use rustls_pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm as Algorithm,
};

use super::provider::algorithms;
use crate::der::PublicKey;

/// Signatures that are looked at for one server, each once, whoever asks: for trust, for pins, for
/// blocked keys, for a staple and for who is in the middle. An honest one has four at most.
const MAX_SIGNATURES: usize = 64;

/// Counts and remembers, for one judgement.
#[derive(Debug)]
pub(super) struct Effort {
    algorithms: Vec<Metered>,
    ledger: Arc<Ledger>,
}

/// Why a judgement was cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CutShort {
    Late,
    Signatures,
}

#[derive(Debug)]
struct Ledger {
    until: Option<Instant>,
    /// A certificate's signed part as webpki can read it, and as it was signed.
    readable: Option<(Vec<u8>, Vec<u8>)>,
    accounts: Mutex<Accounts>,
}

#[derive(Debug, Default)]
struct Accounts {
    known: HashMap<[u8; 32], bool>,
    cut_short: Option<CutShort>,
}

/// An algorithm of the provider's.
#[derive(Debug)]
struct Metered {
    algorithm: &'static dyn Algorithm,
    ledger: Arc<Ledger>,
}

impl Effort {
    /// Until a point in time; with the signed part of a certificate that is verified in place of
    /// the one that webpki can read.
    pub(super) fn new(until: Option<Instant>, readable: Option<(Vec<u8>, Vec<u8>)>) -> Self {
        let ledger = Arc::new(Ledger { until, readable, accounts: Mutex::default() });
        let metered = |algorithm: &&'static dyn Algorithm| Metered {
            algorithm: *algorithm,
            ledger: ledger.clone(),
        };
        Self { algorithms: algorithms().all.iter().map(metered).collect(), ledger }
    }

    /// The provider's algorithms, for webpki.
    pub(super) fn algorithms(&self) -> Vec<&dyn Algorithm> {
        self.algorithms.iter().map(|algorithm| algorithm as &dyn Algorithm).collect()
    }

    /// Whether the key of a SubjectPublicKeyInfo, given by its contents, has signed `message` with
    /// the algorithm of an AlgorithmIdentifier, given by its contents; none where that combination
    /// cannot be verified here.
    pub(super) fn verifies(
        &self,
        spki: &[u8],
        algorithm: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        let key = PublicKey::of_contents(spki)?;
        let mut fitting = self.algorithms.iter().filter(|metered| {
            metered.signature_alg_id().as_ref() == algorithm
                && metered.public_key_alg_id().as_ref() == key.algorithm
        });
        let verifies =
            |metered: &Metered| metered.verify_signature(key.key, message, signature).is_ok();
        let first = fitting.next()?;
        Some(verifies(first) || fitting.any(verifies))
    }

    /// Why not everything was looked at, where that is so.
    pub(super) fn cut_short(&self) -> Option<CutShort> {
        self.ledger.accounts().cut_short
    }
}

impl Ledger {
    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        // Whole at every point where a panic could leave it.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verifies(
        &self,
        algorithm: &dyn Algorithm,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let message = match &self.readable {
            Some((readable, signed)) if readable == message => signed,
            _ => message,
        };
        let mut accounts = self.accounts();
        let id = id([algorithm.signature_alg_id().as_ref(), key, message, signature]);
        if let Some(known) = accounts.known.get(&id) {
            return *known;
        }
        if self.until.is_some_and(|until| Instant::now() >= until) {
            accounts.cut_short = Some(CutShort::Late);
        } else if accounts.known.len() >= MAX_SIGNATURES {
            accounts.cut_short = accounts.cut_short.or(Some(CutShort::Signatures));
        } else {
            let good = algorithm.verify_signature(key, message, signature).is_ok();
            accounts.known.insert(id, good);
            return good;
        }
        false
    }
}

/// One name for several strings, whatever is in them.
fn id(parts: [&[u8]; 4]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&part.len().to_le_bytes());
        context.update(part);
    }
    let mut id = [0; 32];
    id.copy_from_slice(context.finish().as_ref());
    id
}

impl Algorithm for Metered {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let good = self.ledger.verifies(self.algorithm, key, message, signature);
        if good { Ok(()) } else { Err(InvalidSignature) }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }
}
