//! The envelope of signed documents: DSSE 1.0 in a fixed profile
//! (<https://github.com/secure-systems-lab/dsse>).
//!
//! The type of the payload is inside of what is signed, and the algorithm belongs to the key: an
//! envelope has nothing to choose from. The payload is read only after enough keys have signed it,
//! and then from the bytes that they have signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::es256::PublicKey;
use super::key::Key;
use crate::json::{self, Node};
use crate::rejection::{Cause, Rejection};

/// The type of a root document.
pub const ROOT_TYPE: &str = "application/vnd.pinfold.root.v1+json";
/// The type of a pin set.
pub const PINSET_TYPE: &str = "application/vnd.pinfold.pinset.v1+json";

/// Largest payload, in bytes.
pub(super) const MAX_PAYLOAD: usize = 64 * 1024;
const MAX_SIGNATURES: usize = 16;
/// Largest envelope that stands alone, in bytes: what a bundle could hold.
const MAX_ENVELOPE: usize = 256 * 1024;

/// A payload and who claims to have signed it. Nothing in it is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What the payload is: [`ROOT_TYPE`] or [`PINSET_TYPE`].
    pub payload_type: String,
    /// The document's bytes, exactly as signed.
    pub payload: Vec<u8>,
    /// The signatures over [`pae`].
    pub signatures: Vec<Signature>,
}

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// A hint as to the key; it decides nothing.
    pub keyid: String,
    /// For ES256, r and s of 32 bytes each.
    pub sig: Vec<u8>,
}

/// How a signature is checked: ring, or in tests something that can be counted or is fast.
pub(crate) trait Verify {
    fn is_by(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool;
}

pub(crate) struct Ring;

impl Verify for Ring {
    fn is_by(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        key.verify(message, signature)
    }
}

/// What is signed: the pre-authentication encoding (DSSE protocol, "Signature Definition").
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut signed =
        format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    signed.extend(payload);
    signed
}

impl Envelope {
    /// Reads an envelope that stands alone, as owners pass it from signer to signer, by the rules for
    /// those in a [`Bundle`](super::Bundle).
    ///
    /// # Errors
    /// `malformed` or `too_large`.
    pub fn parse(json: &[u8]) -> Result<Self, Rejection> {
        let value = json::parse(json, MAX_ENVELOPE)?;
        Self::read(&Node::document(&value)?)
    }

    pub(super) fn read(node: &Node<'_>) -> Result<Self, Rejection> {
        let payload_type = node.required("payloadType")?.text()?.to_owned();
        let payload = node.required("payload")?;
        let payload = payload.base64(MAX_PAYLOAD)?;
        let mut signatures = Vec::new();
        for signature in node.required("signatures")?.list(MAX_SIGNATURES)? {
            let keyid = signature.optional("keyid")?.map_or(Ok(""), |id| id.text())?.to_owned();
            let sig = signature.required("sig")?.base64(MAX_PAYLOAD)?;
            signatures.push(Signature { keyid, sig });
        }
        Ok(Self { payload_type, payload, signatures })
    }

    /// As JSON, in standard base64.
    pub fn to_json(&self) -> serde_json::Value {
        let signatures = self.signatures.iter().map(|signature| {
            serde_json::json!({
                "keyid": signature.keyid,
                "sig": STANDARD.encode(&signature.sig),
            })
        });
        serde_json::json!({
            "payloadType": self.payload_type,
            "payload": STANDARD.encode(&self.payload),
            "signatures": signatures.collect::<Vec<_>>(),
        })
    }

    /// Refuses any type but the one that the envelope's place asks for.
    pub(super) fn expect_type(&self, expected: &str) -> Result<(), Rejection> {
        if self.payload_type == expected {
            return Ok(());
        }
        let reason = format!("{:?} where {expected:?} belongs", self.payload_type);
        Err(Rejection::new(Cause::Type, "payloadType", reason))
    }

    /// The signatures, by index, with which at least `threshold` of `keys` have signed; one for
    /// each key. Signatures that are bad or by unknown keys are skipped.
    ///
    /// The keys are distinct by their SubjectPublicKeyInfo, which [`Root`](super::Root) sees to, so
    /// that counting keys counts signers.
    pub(super) fn verify(
        &self,
        keys: &[&Key],
        threshold: usize,
        verifier: &dyn Verify,
    ) -> Result<Vec<usize>, Rejection> {
        let message = pae(&self.payload_type, &self.payload);
        let mut signers: Vec<&Key> = Vec::new();
        let mut counted = Vec::new();
        for (i, signature) in self.signatures.iter().enumerate() {
            let named = keys.iter().find(|key| key.id() == signature.keyid);
            let candidates = named.map_or(keys, std::slice::from_ref);
            let signer = candidates.iter().find(|candidate| {
                // Signed twice is signed once, and a key of an unknown algorithm never counts.
                !signers.iter().any(|signer| signer.spki() == candidate.spki())
                    && candidate
                        .es256()
                        .is_some_and(|key| verifier.is_by(key, &message, &signature.sig))
            });
            if let Some(signer) = signer {
                signers.push(signer);
                counted.push(i);
            }
            if signers.len() >= threshold {
                return Ok(counted);
            }
        }
        let reason = format!("signed by {} of {threshold} keys that must", signers.len());
        Err(Rejection::new(Cause::Threshold, "signatures", reason))
    }

    /// The same with only the signatures at `indices`.
    pub(super) fn with_signatures(&self, indices: &[usize]) -> Self {
        let kept = self.signatures.iter().enumerate().filter(|(i, _)| indices.contains(i));
        Self {
            payload_type: self.payload_type.clone(),
            payload: self.payload.clone(),
            signatures: kept.map(|(_, signature)| signature.clone()).collect(),
        }
    }
}
