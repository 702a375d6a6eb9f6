//! The command line's readers of what others have: no panic, and no entry that pins less than its
//! mode says.
#![no_main]

#[allow(dead_code)]
#[path = "../../cli/src/failure.rs"]
mod failure;
#[allow(dead_code)]
#[path = "../../cli/src/file.rs"]
mod file;
#[allow(dead_code)]
#[path = "../../cli/src/network_security/mod.rs"]
mod network_security;
#[allow(dead_code)]
#[path = "../../cli/src/pem.rs"]
mod pem;
#[allow(dead_code)]
#[path = "../../cli/src/secret.rs"]
mod secret;
#[allow(dead_code)]
#[path = "../../cli/src/terminal.rs"]
mod terminal;

#[path = "../../cli/src/import"]
mod import {
    mod code;
    mod config;
    mod entries;
    mod lexer;
    mod plist;
    mod ssl_manager;

    use pinfold_core::pin::{HostName, Mode};

    /// Reads `text` as the form of this number.
    pub(super) fn read(form: u8, text: &str) {
        let mut import = entries::Import::default();
        let host = HostName::parse("api.example.com").expect("a name");
        let read = match form % 8 {
            0 => config::read("file", text, false, &mut import),
            1 => config::read("file", text, true, &mut import),
            2 => plist::pinned_domains("file", text, &mut import),
            3 => plist::trustkit("file", text, &mut import),
            4 => Ok(code::okhttp("file", text, &mut import)),
            5 => Ok(code::cronet("file", text, &mut import)),
            6 => ssl_manager::read("file", text, &mut import),
            _ => Ok(code::list("file", text, &host, true, form >= 128, &mut import)),
        };
        if read.is_err() {
            return;
        }
        import.settle();
        for entry in &import.entries {
            assert!(entry.mode == Mode::Off || !entry.pins.is_empty(), "{entry:?}");
        }
    }
}

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((form, bytes)) = input.split_first() else { return };
    let Ok(text) = str::from_utf8(bytes) else { return };
    import::read(*form, text);
});
