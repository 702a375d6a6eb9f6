//! An envelope: one that was read is written and read as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pinfold_core::pinset::Envelope;

fuzz_target!(|json: &[u8]| {
    if let Ok(envelope) = Envelope::parse(json) {
        let written = envelope.to_json().to_string();
        assert_eq!(Envelope::parse(written.as_bytes()), Ok(envelope));
    }
});
