//! Signatures outside of paths.

use rustls::crypto::WebPkiSupportedAlgorithms;

use crate::der::PublicKey;

/// Whether the key of a SubjectPublicKeyInfo, given by its contents, has signed `message` with the
/// algorithm of an AlgorithmIdentifier, given by its contents.
pub(super) fn is_by(
    spki: &[u8],
    algorithm: &[u8],
    message: &[u8],
    signature: &[u8],
    algorithms: &WebPkiSupportedAlgorithms,
) -> bool {
    let Some(key) = PublicKey::of_contents(spki) else { return false };
    algorithms.all.iter().any(|known| {
        known.signature_alg_id().as_ref() == algorithm
            && known.public_key_alg_id().as_ref() == key.algorithm
            && known.verify_signature(key.key, message, signature).is_ok()
    })
}
