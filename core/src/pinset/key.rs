//! The public keys of a root.

use std::collections::BTreeSet;

use super::es256::PublicKey;
use crate::json::Node;
use crate::rejection::Rejection;

const MAX_KEYS: usize = 32;
const MAX_SPKI: usize = 8 * 1024;

/// A public key that may sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    id: String,
    spki: Vec<u8>,
    /// None where this version does not know the algorithm: the key never counts.
    es256: Option<PublicKey>,
}

impl Key {
    /// Its label; unique in a root, and nothing more than a label.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its DER SubjectPublicKeyInfo, by which it is told from others.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The key, where this version knows its algorithm.
    pub fn es256(&self) -> Option<&PublicKey> {
        self.es256.as_ref()
    }
}

pub(super) fn read_keys(node: &Node<'_>) -> Result<Vec<Key>, Rejection> {
    let mut keys: Vec<Key> = Vec::new();
    let mut ids = BTreeSet::new();
    for node in node.list(MAX_KEYS)? {
        let id = node.required("id")?;
        if !ids.insert(id.label()?) {
            return Err(id.wrong("listed before"));
        }
        let encoded = node.required("spki")?;
        let spki = encoded.base64(MAX_SPKI)?;
        // Two names for one key would let it count twice.
        if keys.iter().any(|key| key.spki == spki) {
            return Err(encoded.wrong("the same key is listed before"));
        }
        let es256 = match node.required("alg")?.label()? {
            "ES256" => match PublicKey::of_spki(&spki) {
                Some(key) => Some(key),
                None => return Err(encoded.wrong("not an uncompressed P-256 key")),
            },
            _ => None,
        };
        keys.push(Key { id: id.label()?.to_owned(), spki, es256 });
    }
    Ok(keys)
}
