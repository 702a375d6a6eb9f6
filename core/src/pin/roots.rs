//! The authorities of the public web, as far as they are compiled in: Mozilla's list.

use rustls_pki_types::TrustAnchor;

use super::spki::SpkiSha256;

/// Mozilla's roots with the pins of their keys.
pub(crate) fn public_roots() -> &'static [(SpkiSha256, TrustAnchor<'static>)] {
    use once_cell::sync::Lazy;
    static ROOTS: Lazy<Vec<(SpkiSha256, TrustAnchor<'static>)>> = Lazy::new(|| {
        let pin = |a: &TrustAnchor<'_>| SpkiSha256::of_spki_contents(&a.subject_public_key_info);
        webpki_roots::TLS_SERVER_ROOTS.iter().map(|a| (pin(a), a.clone())).collect()
    });
    &ROOTS
}

/// Whether a key is that of one of Mozilla's roots, as compiled in: an authority of the public web.
pub fn is_public_root(key: &SpkiSha256) -> bool {
    public_roots().iter().any(|(spki, _)| spki == key)
}
