//! The one rule by which a client moves from one pin set to the next.
//!
//! It takes no clock: a wrong one can never keep an update out. It is all or nothing: a bundle that
//! fails anywhere changes nothing, so that splicing old and new parts gains no more than silence.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::bundle::Bundle;
use super::document::Document;
use super::dsse::{Envelope, MAX_PAYLOAD, PINSET_TYPE, ROOT_TYPE, Ring, Verify};
use super::embedded::Embedded;
use super::es256::PublicKey;
use super::root::{Root, other_stream};
use crate::json::{self, MAX_INTEGER, Node, Value};
use crate::rejection::{Cause, Rejection};
use crate::time::format_rfc3339_utc;

/// What a client trusts: a root, the pin set under it, and the links that led there. Cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct State {
    root: Arc<Root>,
    pinset: Arc<Document>,
    pinset_envelope: Arc<Envelope>,
    /// Every verified root from the oldest known, in the order of their versions.
    chain: Vec<Arc<Envelope>>,
}

/// The order of states: root version, epoch, pin set version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    /// The version of the root.
    pub root: u64,
    /// The epoch of both documents.
    pub epoch: u64,
    /// The version of the pin set.
    pub pinset: u64,
}

/// Judges a bundle, downloaded or stored, and returns the state that follows; it equals `state`
/// where the bundle holds nothing new.
///
/// `audience` is the app's own name among those that a pin set is for.
///
/// # Errors
/// A [`Rejection`]; then `state` stays the one to use.
pub fn accept(state: &State, bundle: &Bundle, audience: &str) -> Result<State, Rejection> {
    accept_with(state, bundle, audience, &Ring)
}

/// Signatures that are checked for each root of a bundle: it may replace all keys of the one before,
/// two of three of which must sign. What anybody can add to a genuine bundle ends there.
const CHECKS_A_ROOT: usize = 10;
/// A published chain may be so long, and with fewer roots nobody needs more. A stored one may be
/// longer, and must be walked to its end: it is what this client has verified.
const PUBLISHED_ROOTS: usize = 64;

struct Budget<'a> {
    verifier: &'a dyn Verify,
    left: Cell<usize>,
}

impl Verify for Budget<'_> {
    fn is_by(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0 && self.verifier.is_by(key, message, signature)
    }
}

pub(crate) fn accept_with(
    state: &State,
    bundle: &Bundle,
    audience: &str,
    verifier: &dyn Verify,
) -> Result<State, Rejection> {
    let checks = CHECKS_A_ROOT * bundle.roots.len().max(PUBLISHED_ROOTS);
    let verifier = &Budget { verifier, left: Cell::new(checks) };
    // 1. The container was read strictly, and within its limits, to make a `Bundle`.
    let mut candidates = by_version(bundle, state.root.version());

    // 2. Begin at the root in use.
    let mut root = Arc::clone(&state.root);
    let mut chain = state.chain.clone();
    let mut refused = None;

    // 3. Walk to the newest root, by links of one version each. An intermediate root may have
    //    expired: what it says of keys was said when it was signed.
    while let Some(next) = candidates.remove(&(root.version() + 1)) {
        let link = next.iter().find_map(|(i, envelope, value)| {
            root.endorse(envelope, value, verifier)
                .map_err(|why| refused = Some(why.within(&format!("roots[{i}]"))))
                .ok()
        });
        // A root that may not follow is as good as none: anybody can add one.
        let Some((next, envelope)) = link else { break };
        root = Arc::new(next);
        chain.push(Arc::new(envelope));
    }

    // 4 to 8. The pin set, under that root. In a new epoch numbers begin anew: that is how a
    //         version or a time that a thief has driven up is left behind.
    let current = (root.epoch() == state.root.epoch()).then_some(state);
    let pinset = judge(&root, &bundle.pinset, audience, current, verifier).map_err(|mut why| {
        if let Some(refused) = refused {
            why.reason = format!("{}; {refused}", why.reason);
        }
        why
    })?;

    // 9. Adopt everything at once.
    let pinset_envelope = Arc::new(bundle.pinset.clone());
    Ok(State { root, pinset: Arc::new(pinset), pinset_envelope, chain })
}

/// Roots that are newer than `version`, by the version that they claim.
///
/// The claim is read from unverified bytes, by the reader that read the container, and only says
/// which to try next. Their order in the bundle means nothing.
fn by_version(bundle: &Bundle, version: u64) -> BTreeMap<u64, Vec<(usize, &Envelope, Value)>> {
    let mut candidates = BTreeMap::<_, Vec<_>>::new();
    for (i, envelope) in bundle.roots.iter().enumerate() {
        if envelope.payload_type != ROOT_TYPE {
            continue;
        }
        let Ok(value) = json::parse(&envelope.payload, MAX_PAYLOAD) else { continue };
        let claim = Node::document(&value).and_then(|node| node.required("version"));
        let claim = claim.and_then(|version| version.integer(1..=MAX_INTEGER));
        if let Ok(claim) = claim
            && claim > version
        {
            candidates.entry(claim).or_default().push((i, envelope, value));
        }
    }
    candidates
}

/// Judges a pin set under `root`; `current` is the state whose numbers it must not fall behind.
fn judge(
    root: &Root,
    envelope: &Envelope,
    audience: &str,
    current: Option<&State>,
    verifier: &dyn Verify,
) -> Result<Document, Rejection> {
    // 4. The type belongs to the place and is signed with the payload; enough keys have signed.
    envelope.expect_type(PINSET_TYPE).map_err(|why| why.within("pinset"))?;
    envelope
        .verify(&root.keys_of(root.pinset_role()), root.pinset_role().threshold(), verifier)
        .map_err(|why| why.within("pinset"))?;
    let value = json::parse(&envelope.payload, MAX_PAYLOAD)?;
    let document = Node::document(&value)?;

    // 5. For this version, this series, this app and this epoch.
    let head = Document::read_head(&document)?;
    head.check_stream(root)?;
    if !head.audience.iter().any(|name| name == audience) {
        return Err(Rejection::new(Cause::Audience, "aud", format!("without {audience:?}")));
    }
    head.check_epoch(root)?;

    // 6. A validity within the root's and within the limits; likewise the grace.
    head.check_window(root)?;

    // 7. Not behind the one in use.
    if let Some(state) = current {
        let pinset = state.pinset();
        if head.version < pinset.version() {
            let reason = format!("{} where {} is in use", head.version, pinset.version());
            return Err(Rejection::new(Cause::Rollback, "version", reason));
        }
        if head.version == pinset.version() && envelope.payload != state.pinset_envelope.payload {
            let reason = format!("{} with other contents than the one in use", head.version);
            return Err(Rejection::new(Cause::Equivocation, "version", reason));
        }
        if head.issued < pinset.issued() {
            let reason = format!("before the one in use, {}", format_rfc3339_utc(pinset.issued()));
            return Err(Rejection::new(Cause::TimeRollback, "issued", reason));
        }
    }

    // 8. What it says makes sense, and the root lets its signers say so (of step 5).
    Document::read(&document, head, root.constraints())
}

impl State {
    /// Where a client begins: the embedded documents.
    ///
    /// # Errors
    /// A [`Rejection`] means that the app was built wrongly.
    pub fn from_embedded(embedded: &Embedded) -> Result<Self, Rejection> {
        Self::from_embedded_with(embedded, &Ring)
    }

    pub(crate) fn from_embedded_with(
        embedded: &Embedded,
        verifier: &dyn Verify,
    ) -> Result<Self, Rejection> {
        let Embedded { root: root_envelope, pinset: pinset_envelope, stream, audience, .. } =
            embedded;
        let in_root = |why: Rejection| why.within("root");
        root_envelope.expect_type(ROOT_TYPE).map_err(in_root)?;
        let root = Root::parse(&root_envelope.payload).map_err(in_root)?;
        if root.stream() != stream {
            return Err(other_stream(root.stream(), stream).within("root"));
        }
        let pinset = judge(&root, pinset_envelope, audience, None, verifier)?;
        Ok(Self {
            root: Arc::new(root),
            pinset: Arc::new(pinset),
            pinset_envelope: Arc::new(pinset_envelope.clone()),
            chain: vec![Arc::new(root_envelope.clone())],
        })
    }

    /// The root in use.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The pin set in use.
    pub fn pinset(&self) -> &Document {
        &self.pinset
    }

    /// The bytes of the pin set, as signed.
    pub fn pinset_payload(&self) -> &[u8] {
        &self.pinset_envelope.payload
    }

    /// Where it stands among states of the same series.
    pub fn order(&self) -> Order {
        Order { root: self.root.version(), epoch: self.root.epoch(), pinset: self.pinset.version() }
    }

    /// What a store keeps: the links that this client has verified itself, never the bytes that it
    /// downloaded. A bundle may lack links that the client did not need, and would then lead
    /// nowhere after a restart.
    pub fn to_bundle(&self) -> Bundle {
        Bundle {
            roots: self.chain.iter().map(|envelope| (**envelope).clone()).collect(),
            pinset: (*self.pinset_envelope).clone(),
        }
    }
}

impl PartialEq for State {
    /// Whether both trust the same documents, byte for byte.
    fn eq(&self, other: &Self) -> bool {
        fn root(state: &State) -> Option<&[u8]> {
            state.chain.last().map(|envelope| envelope.payload.as_slice())
        }
        self.pinset_envelope.payload == other.pinset_envelope.payload && root(self) == root(other)
    }
}

impl Eq for State {}
