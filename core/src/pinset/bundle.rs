//! The container that is published and stored: the whole chain of roots, and one pin set.

use super::dsse::{Envelope, MAX_PAYLOAD};
use crate::json::{self, Node};
use crate::rejection::{Cause, Rejection};

/// What publishers may use, decompressed.
const PUBLISHED: Limits = Limits { bytes: 256 * 1024, roots: 64 };
/// What a client keeps may be more: it kept links that publishers no longer need.
const STORED: Limits = Limits { bytes: 1024 * 1024, roots: 1_024 };

struct Limits {
    bytes: usize,
    roots: usize,
}

/// Envelopes that belong together; nothing in them is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Root documents, in any order.
    pub roots: Vec<Envelope>,
    /// The pin set.
    pub pinset: Envelope,
}

impl Bundle {
    /// Reads a downloaded `bundle.json`: at most 256 KiB and 64 roots.
    ///
    /// # Errors
    /// `malformed`, `too_large` or `unsupported`.
    pub fn parse(json: &[u8]) -> Result<Self, Rejection> {
        Self::read(json, &PUBLISHED)
    }

    /// Reads what [`State::to_bundle`](super::State::to_bundle) wrote. It is believed no more than
    /// a download, but may be longer: a limit that cut off what a client had itself verified would
    /// throw it back to what it was shipped with.
    ///
    /// # Errors
    /// `malformed`, `too_large` or `unsupported`.
    pub fn parse_stored(json: &[u8]) -> Result<Self, Rejection> {
        Self::read(json, &STORED)
    }

    fn read(json: &[u8], limits: &Limits) -> Result<Self, Rejection> {
        let value = json::parse(json, limits.bytes)?;
        let container = Node::document(&value)?;
        expect_format(&container, "bundle")?;
        let roots = container.required("roots")?.list(limits.roots)?;
        let roots = roots.iter().map(Envelope::read).collect::<Result<_, _>>()?;
        let pinset = Envelope::read(&container.required("pinset")?)?;
        Ok(Self { roots, pinset })
    }

    /// The highest version that a root in it claims; nothing of that is verified.
    pub(crate) fn newest_root(&self) -> Option<u64> {
        let claim = |envelope: &Envelope| {
            let value = json::parse(&envelope.payload, MAX_PAYLOAD).ok()?;
            let version = Node::document(&value).and_then(|node| node.required("version"));
            version.and_then(|version| version.integer(1..=json::MAX_INTEGER)).ok()
        };
        self.roots.iter().filter_map(claim).max()
    }

    /// As JSON, in the order of `roots`.
    pub fn to_json(&self) -> Vec<u8> {
        let roots: Vec<_> = self.roots.iter().map(Envelope::to_json).collect();
        let json = serde_json::json!({
            "bundle": 1,
            "roots": roots,
            "pinset": self.pinset.to_json(),
        });
        json.to_string().into_bytes()
    }
}

/// A container's first member names it, and its value is the format's version.
pub(super) fn expect_format(container: &Node<'_>, name: &str) -> Result<(), Rejection> {
    let format = container.required(name)?;
    match format.integer(1..=json::MAX_INTEGER)? {
        1 => Ok(()),
        n => Err(format.rejected(Cause::Unsupported, format!("{n} where this version reads 1"))),
    }
}
