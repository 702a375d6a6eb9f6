//! A pin set: one that is read ends within the limits, and enforces nothing with a single pin.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pinfold_core::pin::Mode;
use pinfold_core::pinset::Document;

const DAY: u64 = 86_400;

fuzz_target!(|payload: &[u8]| {
    let Ok(document) = Document::parse(payload, None) else { return };
    assert!(document.issued() < document.expires());
    assert!(document.expires() - document.issued() + document.grace() <= (398 + 180) * DAY);
    let update = document.update();
    assert!((3_600..=7 * DAY).contains(&update.interval) && update.min_interval >= 60);
    for policy in document.pins().hosts() {
        assert!(policy.mode() != Mode::Enforce || policy.pins().len() >= 2);
        assert!(document.rules(policy.host()).is_some_and(|rules| rules.enforce_percent <= 100));
        assert_eq!(document.pins().policy(policy.host()), Some(policy));
    }
});
