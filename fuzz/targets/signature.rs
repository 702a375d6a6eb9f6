//! Signatures from DER to raw and back: what is read has one form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pinfold_core::pinset::es256::{PublicKey, der_from_raw, raw_from_der};

fuzz_target!(|bytes: &[u8]| {
    if let Some(raw) = raw_from_der(bytes) {
        assert_eq!(der_from_raw(&raw).as_deref(), Some(bytes));
    }
    if let Some(der) = der_from_raw(bytes) {
        assert_eq!(raw_from_der(&der).as_ref().map(|raw| raw.as_slice()), Some(bytes));
    }
    if let Some(key) = PublicKey::of_spki(bytes) {
        assert_eq!(key.to_spki(), bytes);
        assert!(!key.verify(b"", &[1; 64]), "nobody has signed that");
    }
});
