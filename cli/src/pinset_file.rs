//! What an owner's file is: a static pin set, a payload, an envelope, a bundle or an embedded file,
//! told by its members. Whoever takes a pin set takes all of them.

use pinfold_core::PinSet;
use pinfold_core::pinset::{Bundle, Document, Embedded, Envelope, Root, enforcement};
use serde_json::Value;

use crate::document::{self, Kind};
use crate::failure::Failure;
use crate::file::File;
use crate::members::{self, Shape};
use crate::root_file::last_root;
use crate::view::View;

/// A pin set, whatever it came in.
pub(crate) struct PinSetFile {
    /// What a signed one says.
    pub(crate) document: Option<Document>,
    /// Its entries and blocked keys, without ends where it is signed.
    pub(crate) pins: PinSet,
    /// Its JSON, for what the readers check and do not keep.
    pub(crate) json: Value,
    /// What is signed, or the whole file.
    pub(crate) payload: Vec<u8>,
    /// What it came in.
    pub(crate) around: Around,
}

/// What is around a pin set.
pub(crate) enum Around {
    /// It is as people write it.
    Written,
    /// What does not matter.
    Nothing,
    Envelope(Envelope),
    Bundle {
        bundle: Bundle,
        bytes: usize,
    },
    Embedded(Embedded),
}

/// Reads a pin set in any form, with the members that there are and no others.
pub(crate) fn read(path: &str, root: Option<&Root>) -> Result<PinSetFile, Failure> {
    of(&File::read(path)?, root)
}

fn of(file: &File, root: Option<&Root>) -> Result<PinSetFile, Failure> {
    let path = file.path();
    match document::shape_of(&file.json()?) {
        Some(Shape::Bundle) => {
            let bytes = file.bytes().len();
            let bundle = document::bundle(file)?;
            let own = last_root(&bundle);
            let pinset = bundle.pinset.clone();
            let around = Around::Bundle { bundle, bytes };
            PinSetFile::signed(path, &pinset, root.or(own.as_ref()), around)
        }
        Some(Shape::Embedded) => {
            let embedded = document::embedded(file)?;
            let own = Root::parse(&embedded.root.payload);
            let own = own.map_err(|e| Failure::rejected(path, e))?;
            let pinset = embedded.pinset.clone();
            let around = Around::Embedded(embedded);
            PinSetFile::signed(path, &pinset, Some(root.unwrap_or(&own)), around)
        }
        Some(Shape::Envelope) => {
            let envelope = document::of_file(file, Some(Kind::Pinset))?.envelope;
            PinSetFile::signed(path, &envelope, root, Around::Envelope(envelope.clone()))
        }
        Some(Shape::Root) => Err(file.wrong("a root where a pin set belongs")),
        Some(Shape::PinSet | Shape::StaticPinSet) => written(path, file.bytes(), root),
        None => Err(file.wrong(
            "not a pin set: neither a static one (\"hosts\"), nor a signed one in any form",
        )),
    }
}

/// Reads one that is published already, whatever members it has: nobody can change those any more.
pub(crate) fn read_published(path: &str) -> Result<PinSetFile, Failure> {
    let file = File::read(path)?;
    match document::shape_of(&file.json()?) {
        Some(Shape::Bundle) => {
            let bundle = Bundle::parse(file.bytes()).map_err(|e| Failure::rejected(path, e))?;
            document::warn_unknown(path, "pinset", Kind::Pinset, &bundle.pinset);
            PinSetFile::signed(path, &bundle.pinset, None, Around::Nothing)
        }
        Some(Shape::Envelope) => {
            let envelope = document::of_any(&file, Some(Kind::Pinset))?.envelope;
            document::warn_unknown(path, "", Kind::Pinset, &envelope);
            PinSetFile::signed(path, &envelope, None, Around::Nothing)
        }
        _ => of(&file, None),
    }
}

/// Reads one that is as people write it, from its bytes.
pub(crate) fn written(
    path: &str,
    bytes: &[u8],
    root: Option<&Root>,
) -> Result<PinSetFile, Failure> {
    let json = serde_json::from_slice(bytes).map_err(|_| Failure::input(path, "not JSON"))?;
    if document::shape_of(&json) == Some(Shape::StaticPinSet) {
        members::expect_known(path, "", Shape::StaticPinSet, &json)?;
        let pins = PinSet::parse(bytes)?;
        let (payload, around) = (bytes.to_vec(), Around::Written);
        return Ok(PinSetFile { document: None, pins, json, payload, around });
    }
    members::expect_known(path, "", Shape::PinSet, &json)?;
    let envelope = document::unsigned(path, Kind::Pinset, bytes)?;
    PinSetFile::signed(path, &envelope, root, Around::Written)
}

impl PinSetFile {
    /// A signed one, whoever has signed it.
    pub(crate) fn signed(
        path: &str,
        pinset: &Envelope,
        root: Option<&Root>,
        around: Around,
    ) -> Result<Self, Failure> {
        let document = Document::parse(&pinset.payload, root);
        let document = document.map_err(|e| Failure::rejected(path, e))?;
        let json = serde_json::from_slice(&pinset.payload)
            .map_err(|_| Failure::input(path, "not JSON"))?;
        let pins = document.pins().clone();
        let payload = pinset.payload.clone();
        Ok(Self { document: Some(document), pins, json, payload, around })
    }

    /// As devices that enforce hold it: with its ends, and what decides after them.
    pub(crate) fn in_force(&self) -> PinSet {
        let consent = matches!(&self.around, Around::Embedded(embedded) if embedded.allow_block);
        match &self.document {
            Some(document) => enforcement::on_its_own(document, consent),
            None => self.pins.clone(),
        }
    }

    /// Its bytes, where the file is one that people write.
    pub(crate) fn text(&self) -> Option<&[u8]> {
        matches!(self.around, Around::Written).then_some(&*self.payload)
    }

    pub(crate) fn view(&self) -> View {
        View::of(self.document.as_ref(), &self.pins, &self.json)
    }

    /// The texts of a list.
    pub(crate) fn texts(&self, pointer: &str) -> Vec<&str> {
        let list = self.json.pointer(pointer).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }
}
