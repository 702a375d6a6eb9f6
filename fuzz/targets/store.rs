//! A store, as an app finds it when it starts: never less than what the app ships with.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pinfold_core::Roots;
use pinfold_core::update::PinSetUpdater;
use sha2::{Digest, Sha256};

static EMBEDDED: &[u8] = include_bytes!("../../core/tests/data/pinset/golden/embedded.json");

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("pinfold-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a writable folder");
    folder
});

fuzz_target!(|input: &[u8]| {
    let Some((framed, content)) = input.split_first() else { return };
    // Behind a good checksum, or with whatever there is.
    let file = match framed % 8 {
        0 => content.to_vec(),
        _ => [b"pinfold\x01", Sha256::digest(content).as_slice(), content].concat(),
    };
    fs::write(FOLDER.join("pinset"), file).expect("a writable folder");
    let updater = PinSetUpdater::builder(EMBEDDED)
        .roots(Roots::Only(vec![pinfold_fuzz::authority().to_vec()]))
        .directory(&*FOLDER)
        .build()
        .expect("the store is not the app's fault");
    assert!(updater.status().order.pinset >= 1);
    assert!(!updater.pins().hosts().is_empty());
});
