//! The pin sets that the documentation shows are good ones.

use std::path::Path;

use pinfold_core::PinSet;

#[test]
fn every_pin_set_of_the_documentation_is_accepted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for file in ["README.md", "docs/pin-sets.md"] {
        let text = std::fs::read_to_string(root.join(file)).expect(file);
        let blocks: Vec<_> = text.split("```json\n").skip(1).collect();
        assert!(!blocks.is_empty(), "{file}");
        for block in blocks {
            let json = block.split("```").next().expect("an end");
            // A document to be signed is the command line's to check.
            if json.contains("\"stream\"") {
                continue;
            }
            PinSet::parse(json.as_bytes()).unwrap_or_else(|e| panic!("{file}: {e}"));
        }
    }
}
