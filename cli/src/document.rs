//! Signed documents as files: the payloads that people write, and the envelopes around them.

use clap::ValueEnum;
use pinfold_core::pinset::{Bundle, Embedded, Envelope, PINSET_TYPE, ROOT_TYPE, Signature};
use serde_json::Value;

use crate::failure::Failure;
use crate::file::File;
use crate::members::{self, Shape};
use crate::output;

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

    fn shape(self) -> Shape {
        match self {
            Self::Root => Shape::Root,
            Self::Pinset => Shape::PinSet,
        }
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

/// What a file's members say that it is.
pub(crate) fn shape_of(value: &Value) -> Option<Shape> {
    let has = |name: &str| value.get(name).is_some();
    Some(if has("payloadType") {
        Shape::Envelope
    } else if has("bundle") {
        Shape::Bundle
    } else if has("embedded") {
        Shape::Embedded
    } else if has("roles") || has("keys") {
        Shape::Root
    } else if ["stream", "aud", "issued", "epoch", "grace_days"].into_iter().any(has) {
        Shape::PinSet
    } else if has("hosts") || has("schema") {
        Shape::StaticPinSet
    } else {
        return None;
    })
}

/// Reads an envelope, or the payload of a document of the given kind, with the members that there
/// are and no others.
pub(crate) fn read(path: &str, kind: Option<Kind>) -> Result<Document, Failure> {
    of_file(&File::read(path)?, kind)
}

/// The same of a file that has been read.
pub(crate) fn of_file(file: &File, kind: Option<Kind>) -> Result<Document, Failure> {
    let document = of_any(file, kind)?;
    document.expect_known(file.path())?;
    Ok(document)
}

/// The same of what is signed and in the field, whose members nobody can change any more.
pub(crate) fn of_any(file: &File, kind: Option<Kind>) -> Result<Document, Failure> {
    let path = file.path();
    let value = file.json()?;
    match shape_of(&value) {
        Some(Shape::Envelope) => {}
        Some(Shape::Bundle) => return Err(file.wrong("a bundle where one document belongs")),
        Some(Shape::Embedded) => {
            return Err(file.wrong("an embedded file where one document belongs"));
        }
        _ => {
            let Some(kind) = kind else {
                let reason = "not an envelope: say with --type what it is, root or pinset";
                return Err(file.wrong(reason));
            };
            let envelope = unsigned(path, kind, file.bytes())?;
            return Ok(Document { kind, envelope, enveloped: false });
        }
    }
    members::expect_known(path, "", Shape::Envelope, &value)?;
    let envelope = parse(path, file.bytes())?;
    let found = Kind::of(&envelope.payload_type)
        .ok_or_else(|| file.wrong("its payloadType is that of no document"))?;
    match kind {
        Some(kind) if kind != found => {
            let reason = format!("a {} where a {} belongs", found.name(), kind.name());
            Err(Failure::input(path, reason))
        }
        _ => Ok(Document { kind: found, envelope, enveloped: true }),
    }
}

/// A payload in an envelope that nobody has signed; what a reader would refuse for its size is found
/// before anybody does.
pub(crate) fn unsigned(path: &str, kind: Kind, payload: &[u8]) -> Result<Envelope, Failure> {
    let payload_type = kind.payload_type().to_owned();
    let envelope = Envelope { payload_type, payload: payload.to_vec(), signatures: Vec::new() };
    parse(path, envelope.to_json().to_string().as_bytes())?;
    Ok(envelope)
}

/// Reads an envelope of one kind.
pub(crate) fn read_envelope(path: &str, kind: Kind) -> Result<Envelope, Failure> {
    let document = read(path, Some(kind))?;
    document.expect_enveloped(path)?;
    Ok(document.envelope)
}

/// Reads a bundle. Its pin set and its newest root have the members that there are and no others;
/// of older roots, which are in the field, it warns.
pub(crate) fn bundle(file: &File) -> Result<Bundle, Failure> {
    let path = file.path();
    let value = file.json()?;
    if let Some(Shape::Embedded | Shape::Envelope) = shape_of(&value) {
        return Err(file.wrong("not a bundle (`pinfold bundle` makes one)"));
    }
    members::expect_known(path, "", Shape::Bundle, &value)?;
    let bundle = Bundle::parse(file.bytes()).map_err(|e| Failure::rejected(path, e))?;
    expect_known(path, "pinset", Kind::Pinset, &bundle.pinset)?;
    let version = |root: &Envelope| payload(root)["version"].as_u64();
    let newest = bundle.roots.iter().map(version).max().flatten();
    for (i, root) in bundle.roots.iter().enumerate() {
        let within = format!("roots[{i}]");
        if version(root) == newest {
            expect_known(path, &within, Kind::Root, root)?;
        } else {
            members::warn_unknown(path, &within, Shape::Root, &payload(root));
        }
    }
    Ok(bundle)
}

/// Reads what apps are built with, with the members that there are and no others.
pub(crate) fn embedded(file: &File) -> Result<Embedded, Failure> {
    let embedded = embedded_in_field(file)?;
    expect_known(file.path(), "root", Kind::Root, &embedded.root)?;
    expect_known(file.path(), "pinset", Kind::Pinset, &embedded.pinset)?;
    Ok(embedded)
}

/// The same of an app in the field: nobody can change what is signed there, and to refuse it would
/// end all publishing.
pub(crate) fn embedded_in_field(file: &File) -> Result<Embedded, Failure> {
    let path = file.path();
    let value = file.json()?;
    if let Some(Shape::Bundle | Shape::Envelope) = shape_of(&value) {
        return Err(file.wrong("not an embedded file (`pinfold embed` makes one)"));
    }
    members::expect_known(path, "", Shape::Embedded, &value)?;
    Embedded::parse(file.bytes()).map_err(|e| Failure::rejected(path, e))
}

/// Says which members of documents in the field no reader knows.
pub(crate) fn warn_unknown(path: &str, within: &str, kind: Kind, envelope: &Envelope) {
    members::warn_unknown(path, within, kind.shape(), &payload(envelope));
}

/// Refuses members that no reader knows.
pub(crate) fn expect_known(
    path: &str,
    within: &str,
    kind: Kind,
    envelope: &Envelope,
) -> Result<(), Failure> {
    members::expect_known(path, within, kind.shape(), &payload(envelope))
}

/// The JSON of a document; null where it is none, which its reader will say.
fn payload(envelope: &Envelope) -> Value {
    serde_json::from_slice(&envelope.payload).unwrap_or_default()
}

fn parse(path: &str, json: &[u8]) -> Result<Envelope, Failure> {
    Envelope::parse(json).map_err(|e| Failure::rejected(path, e))
}

impl Document {
    /// Refuses members that no reader knows.
    pub(crate) fn expect_known(&self, path: &str) -> Result<(), Failure> {
        expect_known(path, "", self.kind, &self.envelope)
    }

    /// Refuses a payload alone.
    pub(crate) fn expect_enveloped(&self, path: &str) -> Result<(), Failure> {
        if self.enveloped {
            return Ok(());
        }
        Err(Failure::input(path, "not signed: an envelope belongs here (`pinfold sign`)"))
    }

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
