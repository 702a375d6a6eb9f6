//! The command line's reader of PEM, its eye for private keys, and what it takes for a key under a
//! passphrase: no panic, no block that vanishes, and nothing of the contents in an error.
#![no_main]

#[allow(dead_code)]
#[path = "../../cli/src/encrypted.rs"]
mod encrypted;
#[allow(dead_code)]
#[path = "../../cli/src/pem.rs"]
mod pem;
#[allow(dead_code)]
#[path = "../../cli/src/secret.rs"]
mod secret;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _found = secret::find(bytes);
    let _costs = encrypted::read(bytes).map(drop);
    let text = pem::text_of(bytes);
    let _meant = pem::is_meant(&text);
    if let Ok(blocks) = pem::blocks(&text) {
        assert_eq!(blocks.len(), text.matches("-----BEGIN ").count());
        for block in blocks {
            let _costs = encrypted::read(&block.der).map(drop);
        }
    }
});
