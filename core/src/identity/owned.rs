//! Keys that are in the app's hands.

use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::sign::SigningKey;
use rustls_pki_types::{PrivateKeyDer, PrivateSec1KeyDer};

use super::key::Leaf;
use super::signer::KeyKind;
use super::wrong;
use crate::der::{Der, INTEGER, OCTET_STRING, SEQUENCE};
use crate::error::Error;

/// Signs with `key`, which is that of the certificate.
///
/// ring wants the public point beside a key on a curve, which the JDK leaves out (RFC 5915 §3 lets it):
/// it is in the certificate.
pub(super) fn load(
    key: &PrivateKeyDer<'static>,
    leaf: &Leaf,
) -> Result<Arc<dyn SigningKey>, Error> {
    let loaded = match (leaf.kind, any_supported_type(key)) {
        (_, Ok(loaded)) => Some(loaded),
        (KeyKind::P256 | KeyKind::P384, Err(_)) => with_point(key, leaf),
        _ => None,
    };
    loaded.ok_or_else(|| {
        let reason = match leaf.kind {
            KeyKind::Rsa => {
                "no RSA key of 2048 to 4096 bits, which are those that can be used here"
            }
            KeyKind::P521 => "keys on P-521 can be used with a signer alone",
            KeyKind::P256 | KeyKind::P384 | KeyKind::Ed25519 => "it is damaged, or of another kind",
        };
        wrong("identity.key", reason)
    })
}

fn with_point(key: &PrivateKeyDer<'_>, leaf: &Leaf) -> Option<Arc<dyn SigningKey>> {
    let secret = match key {
        PrivateKeyDer::Pkcs8(key) => {
            let (key, _) = Der(key.secret_pkcs8_der()).expect(SEQUENCE)?;
            let (_, key) = key.expect(INTEGER)?;
            let (_, key) = key.expect(SEQUENCE)?;
            secret_of(key.expect(OCTET_STRING)?.0.0)?
        }
        PrivateKeyDer::Sec1(key) => secret_of(key.secret_sec1_der())?,
        _ => return None,
    };
    let point = tlv(3, &[&[0], leaf.public_key.as_slice()].concat())?;
    let parts = [tlv(2, &[1])?, tlv(4, secret)?, tlv(0xa1, &point)?].concat();
    let whole = PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(tlv(0x30, &parts)?));
    any_supported_type(&whole).ok()
}

/// The number of an ECPrivateKey (RFC 5915 §3).
fn secret_of(key: &[u8]) -> Option<&[u8]> {
    let (key, _) = Der(key).expect(SEQUENCE)?;
    let (_, key) = key.expect(INTEGER)?;
    Some(key.expect(OCTET_STRING)?.0.0)
}

/// At most 255 bytes, which is more than any of it has.
fn tlv(tag: u8, contents: &[u8]) -> Option<Vec<u8>> {
    let length = u8::try_from(contents.len()).ok()?;
    let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
    Some([&head, contents].concat())
}
