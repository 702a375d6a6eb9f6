//! What is published and what is stored: one that was read is written and read as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pinfold_core::pinset::{Bundle, Embedded};

fuzz_target!(|json: &[u8]| {
    if let Ok(bundle) = Bundle::parse_stored(json) {
        assert_eq!(Bundle::parse_stored(&bundle.to_json()).as_ref(), Ok(&bundle));
    }
    if let Ok(bundle) = Bundle::parse(json) {
        assert_eq!(Bundle::parse_stored(json), Ok(bundle), "a store takes what a download may be");
    }
    let _ = Embedded::parse(json);
});
