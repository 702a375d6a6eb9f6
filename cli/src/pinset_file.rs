//! A pin set from a file, in whatever form it is there.

use pinfold_core::PinSet;
use pinfold_core::pinset::{Bundle, Document, Embedded, Root};
use serde_json::Value;

use crate::document::{self, Kind};
use crate::failure::Failure;
use crate::input;
use crate::view::View;

/// A pin set that can be read, whoever has signed it.
pub(crate) struct PinSetFile {
    /// What a signed one says.
    pub(crate) document: Option<Document>,
    pub(crate) pins: PinSet,
    pub(crate) json: Value,
    /// Its bytes, where the file is one that people write.
    pub(crate) payload: Option<Vec<u8>>,
}

/// Reads a pin set in any form.
pub(crate) fn read(path: &str, root: Option<&Root>) -> Result<PinSetFile, Failure> {
    let bytes = input::read(path)?;
    let value: Value =
        serde_json::from_slice(&bytes).map_err(|_| Failure::input(path, "not JSON"))?;
    let has = |member: &str| value.get(member).is_some();
    let rejected = |e| Failure::rejected(path, e);
    if has("bundle") {
        let bundle = Bundle::parse(&bytes).map_err(rejected)?;
        return signed(path, &bundle.pinset.payload, root, false);
    }
    if has("embedded") {
        let embedded = Embedded::parse(&bytes).map_err(rejected)?;
        return signed(path, &embedded.pinset.payload, root, false);
    }
    if has("payloadType") {
        return signed(path, &document::read_envelope(path, Kind::Pinset)?.payload, root, false);
    }
    written(path, bytes, root)
}

/// Reads one that is as people write it, from its bytes.
pub(crate) fn written(
    path: &str,
    bytes: Vec<u8>,
    root: Option<&Root>,
) -> Result<PinSetFile, Failure> {
    let json: Value =
        serde_json::from_slice(&bytes).map_err(|_| Failure::input(path, "not JSON"))?;
    if ["stream", "aud", "issued"].iter().any(|member| json.get(member).is_some()) {
        return signed(path, &bytes, root, true);
    }
    let pins = PinSet::parse(&bytes)?;
    Ok(PinSetFile { document: None, pins, json, payload: Some(bytes) })
}

fn signed(
    path: &str,
    payload: &[u8],
    root: Option<&Root>,
    written: bool,
) -> Result<PinSetFile, Failure> {
    let document = Document::parse(payload, root).map_err(|e| Failure::rejected(path, e))?;
    let json = serde_json::from_slice(payload).map_err(|_| Failure::input(path, "not JSON"))?;
    let pins = document.pins().clone();
    let payload = written.then(|| payload.to_vec());
    Ok(PinSetFile { document: Some(document), pins, json, payload })
}

impl PinSetFile {
    pub(crate) fn view(&self) -> View {
        View::of(self.document.as_ref(), &self.pins, &self.json)
    }
}
