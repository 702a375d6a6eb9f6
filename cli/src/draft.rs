//! Documents before anybody has signed them: whether a client could read them once they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pinfold_core::pinset;
use pinfold_core::pinset::es256::PublicKey;
use serde_json::{Value, json};

use crate::document::{Document, Kind};
use crate::failure::Failure;
use crate::input::{self, Item};
use crate::root_file::RootFile;

/// Refuses what no client would read, whoever signed it; of a pin set also what `root` does not
/// let it say, where the root is known. A ceremony should not end with a document for the bin.
pub(crate) fn expect_readable(
    path: &str,
    document: &Document,
    root: Option<&RootFile>,
) -> Result<(), Failure> {
    match document.kind {
        Kind::Root => RootFile::of(path, document.envelope.clone()).map(drop),
        Kind::Pinset => {
            let read =
                pinset::Document::parse(&document.envelope.payload, root.map(|root| &root.root));
            read.map(drop).map_err(|e| Failure::rejected(path, e))
        }
    }
}

/// A P-256 public key from a file.
pub(crate) fn public_key(path: &str) -> Result<PublicKey, Failure> {
    let items = input::items(path)?;
    let [Item::PublicKey(spki)] = items.as_slice() else {
        return Err(Failure::input(path, "not one public key alone"));
    };
    PublicKey::of_spki(spki)
        .ok_or_else(|| Failure::input(path, "not a P-256 key with an uncompressed point"))
}

/// `ID=FILE`: an id, and the public key in a file, as a root lists it.
pub(crate) fn named_key(option: &str, text: &str) -> Result<(String, Value), Failure> {
    let (id, path) = text
        .split_once('=')
        .filter(|(id, path)| !id.is_empty() && !path.is_empty())
        .ok_or_else(|| Failure::input(option, format!("{text:?} is not ID=FILE")))?;
    let spki = STANDARD.encode(public_key(path)?.to_spki());
    Ok((id.to_owned(), json!({ "id": id, "alg": "ES256", "spki": spki })))
}
