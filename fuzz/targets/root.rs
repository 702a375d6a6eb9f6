//! A root: one that is read can be satisfied, and names no key twice.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use pinfold_core::pinset::Root;

fuzz_target!(|payload: &[u8]| {
    let Ok(root) = Root::parse(payload) else { return };
    assert!(root.issued() < root.expires());
    let keys = root.keys();
    let distinct: BTreeSet<_> = keys.iter().map(|key| key.spki()).collect();
    assert_eq!(distinct.len(), keys.len());
    let role = root.root_role();
    let usable = root.keys_of(role).iter().filter(|key| key.es256().is_some()).count();
    assert!(role.threshold() >= 1 && usable >= role.threshold());
});
