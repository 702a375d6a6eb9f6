//! Secrets for stores: from the environment, or from files that nobody else may read.

use crate::failure::Failure;
use crate::file::File;

/// The environment variable, or the file, of a secret; without blanks around it.
pub(super) fn read(path: &str) -> Result<String, Failure> {
    expect_private(path)?;
    let file = File::read_secret(path)?;
    let text = str::from_utf8(file.bytes()).map(str::trim).unwrap_or_default();
    let usable = !text.is_empty() && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if usable { Ok(text.to_owned()) } else { Err(file.wrong("not one line of text")) }
}

/// Refuses a file that others than its owner may read or write.
#[cfg(unix)]
fn expect_private(path: &str) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).map_err(|e| Failure::input(path, e))?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(Failure::input(
        path,
        "others may read this secret: chmod 600 it, and best change the secret",
    ))
}

#[cfg(not(unix))]
fn expect_private(_: &str) -> Result<(), Failure> {
    Ok(())
}
