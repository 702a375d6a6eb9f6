//! Signed documents as files: the payloads that people write, and the envelopes around them.

use clap::ValueEnum;
use pinfold_core::pinset::{Envelope, PINSET_TYPE, ROOT_TYPE, Signature};
use serde_json::Value;

use crate::failure::Failure;
use crate::{input, output};

/// The types of documents that are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Which keys count
    Root,
    /// The pins themselves
    Pinset,
}

impl Kind {
    pub(crate) fn payload_type(self) -> &'static str {
        match self {
            Self::Root => ROOT_TYPE,
            Self::Pinset => PINSET_TYPE,
        }
    }

    fn of(payload_type: &str) -> Option<Self> {
        Self::value_variants().iter().copied().find(|kind| kind.payload_type() == payload_type)
    }

    /// The role of those who sign it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Pinset => "pinset",
        }
    }
}

/// A document in its envelope, and what it is.
pub(crate) struct Document {
    pub(crate) kind: Kind,
    pub(crate) envelope: Envelope,
    /// Whether the file held an envelope, and not a payload alone.
    pub(crate) enveloped: bool,
}

/// Reads an envelope, or the payload of a document of the given kind.
pub(crate) fn read(path: &str, kind: Option<Kind>) -> Result<Document, Failure> {
    let bytes = input::read(path)?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|e| Failure::input(path, e))?;
    if value.get("payloadType").is_none() {
        let Some(kind) = kind else {
            let reason = "not an envelope: say with --type what it is, root or pinset";
            return Err(Failure::input(path, reason));
        };
        let payload_type = kind.payload_type().to_owned();
        let envelope = Envelope { payload_type, payload: bytes, signatures: Vec::new() };
        // What a reader would refuse for its size is found before anybody signs it.
        parse(path, envelope.to_json().to_string().as_bytes())?;
        return Ok(Document { kind, envelope, enveloped: false });
    }
    let envelope = parse(path, &bytes)?;
    let found = Kind::of(&envelope.payload_type).ok_or_else(|| {
        Failure::input(path, format!("{:?} is no type of a document", envelope.payload_type))
    })?;
    match kind {
        Some(kind) if kind != found => {
            let reason = format!("a {} where a {} belongs", found.name(), kind.name());
            Err(Failure::input(path, reason))
        }
        _ => Ok(Document { kind: found, envelope, enveloped: true }),
    }
}

/// Reads an envelope of one kind.
pub(crate) fn read_envelope(path: &str, kind: Kind) -> Result<Envelope, Failure> {
    let document = read(path, Some(kind))?;
    if !document.enveloped {
        return Err(Failure::input(path, "not signed: an envelope belongs here (`pinfold sign`)"));
    }
    Ok(document.envelope)
}

fn parse(path: &str, json: &[u8]) -> Result<Envelope, Failure> {
    Envelope::parse(json).map_err(|e| Failure::rejected(path, e))
}

impl Document {
    /// Adds a signature, in the place of one with the same id.
    pub(crate) fn add(&mut self, id: &str, sig: &[u8; 64]) {
        let signature = Signature { keyid: id.to_owned(), sig: sig.to_vec() };
        match self.envelope.signatures.iter_mut().find(|signature| signature.keyid == id) {
            Some(old) => *old = signature,
            None => self.envelope.signatures.push(signature),
        }
    }

    /// Takes over the signatures of the envelope at `path`, where there is one: it must hold the
    /// same bytes, for everybody signs the same.
    pub(crate) fn continue_from(&mut self, path: &str) -> Result<(), Failure> {
        if !std::path::Path::new(path).is_file() {
            return Ok(());
        }
        let there = read_envelope(path, self.kind)?;
        if there.payload != self.envelope.payload {
            let reason = "holds another document; it is not overwritten";
            return Err(Failure::input(path, reason));
        }
        self.envelope.signatures = there.signatures;
        Ok(())
    }
}

/// Writes an envelope, whole or not at all, once the library's reader has read it back.
pub(crate) fn write(path: &str, envelope: &Envelope) -> Result<(), Failure> {
    let json = text(envelope);
    parse(path, json.as_bytes())?;
    output::write_file(path, json.as_bytes())
}

/// An envelope as it is written to files.
pub(crate) fn text(envelope: &Envelope) -> String {
    format!("{:#}\n", envelope.to_json())
}
