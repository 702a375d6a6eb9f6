//! What a server says of a file's version and of its parts, and what was kept of that.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, unreachable_pub)]
#[path = "../../core/src/time.rs"]
mod time;
#[allow(dead_code, unreachable_pub)]
#[path = "../../core/src/client/version.rs"]
mod version;

use version::{Part, Validator};

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Some(part) = Part::parse(text) {
        assert!(part.first < part.end && part.end <= part.total);
    }
    let mut lines = text.lines();
    let fields: Vec<_> = ["etag", "last-modified", "date"].into_iter().zip(&mut lines).collect();
    let header = |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, line)| *line);
    let told = Validator::of(header).filter(|_| !fields.is_empty());
    let kept = serde_json::from_slice::<Validator>(input).ok().filter(Validator::is_sound);
    for validator in [told, kept].into_iter().flatten() {
        assert!(validator.is_sound());
        // It goes into a request.
        assert!(validator.text().bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        assert!(!validator.text().starts_with("W/"));
    }
});
