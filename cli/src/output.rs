//! Results, printed or in files.

use std::io::{self, Write};
use std::path::Path;

use serde_json::Value;

use crate::failure::Failure;
use crate::terminal;

/// Prints to standard output.
pub(crate) fn print(bytes: &[u8]) -> Result<(), Failure> {
    terminal::print(bytes).map_err(|e| Failure::output("standard output", e))
}

pub(crate) fn print_json(value: &Value) -> Result<(), Failure> {
    print(format!("{value:#}\n").as_bytes())
}

/// Writes a file whole or not at all.
pub(crate) fn write_file(path: &str, bytes: &[u8]) -> Result<(), Failure> {
    let target = Path::new(path);
    // A device such as /dev/null has nothing to be renamed over.
    if target.exists() && !target.is_file() {
        return std::fs::write(target, bytes).map_err(|e| Failure::output(path, e));
    }
    let mut part = target.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let written = std::fs::write(&part, bytes).and_then(|()| std::fs::rename(&part, target));
    written.map_err(|e| {
        let _left = std::fs::remove_file(&part);
        Failure::output(path, e)
    })
}

/// Writes a file that must not exist yet, for the owner's eyes alone where it is `private`.
pub(crate) fn write_new(path: &str, bytes: &[u8], private: bool) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if private {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let mut file = options.open(path).map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => Failure::output(path, "exists; it is not overwritten"),
        _ => Failure::output(path, e),
    })?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|e| {
        let _left = std::fs::remove_file(path);
        Failure::output(path, e)
    })
}

/// One line each of a name and a text, for people.
pub(crate) fn print_words(lines: &[(&str, String)]) -> Result<(), Failure> {
    let lines: String = lines.iter().map(|(name, text)| format!("{name:<9} {text}\n")).collect();
    print(lines.as_bytes())
}
