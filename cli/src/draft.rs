//! Documents before anybody has signed them: whether a client could read them once they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pinfold_core::pinset::es256::{PublicKey, raw_from_der};
use pinfold_core::pinset::{Envelope, PINSET_TYPE, ROOT_TYPE, Signature, pae};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

use crate::document::{Document, Kind};
use crate::failure::Failure;
use crate::input::{self, Item};
use crate::root_file::{self, RootFile};
use crate::signer::FileKey;

/// No document expires later.
const LATEST: &str = "9999-12-31T23:59:59Z";

/// Refuses what no client would read, whoever signed it; of a pin set also what `root` does not
/// let it say, where the root is known. A ceremony should not end with a document for the bin.
pub(crate) fn expect_readable(
    path: &str,
    document: &Document,
    root: Option<&RootFile>,
) -> Result<(), Failure> {
    match document.kind {
        Kind::Root => RootFile::of(path, document.envelope.clone()).map(drop),
        Kind::Pinset => expect_readable_pinset(path, &document.envelope, root),
    }
}

/// The library reads only what is signed. So a key of this moment signs a copy, under a root that
/// names no other key.
fn expect_readable_pinset(
    path: &str,
    envelope: &Envelope,
    root: Option<&RootFile>,
) -> Result<(), Failure> {
    let no_key = || Failure::input("the system", "cannot make a key");
    let payload: Value =
        serde_json::from_slice(&envelope.payload).map_err(|e| Failure::input(path, e))?;
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let key = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new());
    let key = FileKey::of_pkcs8(key.map_err(|_| no_key())?.as_ref(), path)?;
    let message = pae(PINSET_TYPE, &envelope.payload);
    let sig = raw_from_der(&key.sign(&message)?).ok_or_else(no_key)?;
    let signatures = vec![Signature { keyid: "draft".to_owned(), sig: sig.to_vec() }];
    let copy = Envelope { signatures, ..envelope.clone() };

    let mut draft = match root {
        Some(root) => root.payload.clone(),
        // One that allows everything and agrees with what the pin set says of itself.
        None => json!({
            "schema": 1, "version": 1,
            "stream": payload["stream"].as_str().unwrap_or("draft"),
            "epoch": payload["epoch"].as_u64().unwrap_or_default(),
            "issued": "1970-01-01T00:00:00Z", "expires": LATEST,
            "constraints": { "inspection": true },
        }),
    };
    let spki = STANDARD.encode(key.public().to_spki());
    let role = json!({ "keys": ["draft"], "threshold": 1 });
    draft["keys"] = json!([{ "id": "draft", "alg": "ES256", "spki": spki }]);
    draft["roles"] = json!({ "root": role, "pinset": role });
    let draft = Envelope {
        payload_type: ROOT_TYPE.to_owned(),
        payload: draft.to_string().into_bytes(),
        signatures: Vec::new(),
    };
    root_file::expect_pinset(&RootFile::of(path, draft)?, path, &copy)
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
