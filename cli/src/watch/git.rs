//! What was ever published, as git has it: the versions of a file that its commits hold.

use std::path::Path;
use std::process::{Command, Stdio};

use pinfold_core::pinset::Bundle;

use crate::failure::Failure;
use crate::file::File;
use crate::verify;

/// More versions than phones in the field remember.
const MAX_VERSIONS: usize = 200;

/// A bundle that was published on purpose.
pub(super) struct Published {
    /// What is signed in its pin set.
    pub(super) payload: Vec<u8>,
    pub(super) order: (u64, u64),
}

impl Published {
    fn of(bundle: &Bundle) -> Option<Self> {
        let document = pinfold_core::pinset::Document::parse(&bundle.pinset.payload, None).ok()?;
        let order = (document.epoch(), document.version());
        Some(Self { payload: bundle.pinset.payload.clone(), order })
    }
}

/// The file as it is, and as it was: the newest first. A file that is not in git has no history.
pub(super) fn history(path: &str) -> Result<Vec<Published>, Failure> {
    let unreadable = || Failure::input(path, "its pin set cannot be read");
    let now = Published::of(&verify::read_published(path)?).ok_or_else(unreadable)?;
    let mut versions = vec![now];
    let folder = Path::new(path).parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let name = Path::new(path).file_name().and_then(|name| name.to_str());
    let Some(name) = name else { return Ok(versions) };
    let format = format!("--max-count={MAX_VERSIONS}");
    let commits = git(folder, &["log", "--format=%H", &format, "--", name]).unwrap_or_default();
    for commit in String::from_utf8_lossy(&commits).lines() {
        let spec = format!("{commit}:./{name}");
        let Some(bytes) = git(folder, &["show", &spec]) else { continue };
        // What somebody has mended since is no reason to stop.
        let bundle = Bundle::parse(&bytes).ok();
        versions.extend(bundle.as_ref().and_then(Published::of));
    }
    Ok(versions)
}

/// Other bundles that count as published, for those who keep them beside each other.
pub(super) fn others(paths: &[String]) -> Result<Vec<Published>, Failure> {
    let read = |path: &String| {
        let bundle = Bundle::parse(File::read(path)?.bytes());
        let bundle = bundle.map_err(|e| Failure::rejected(path, e))?;
        Published::of(&bundle).ok_or_else(|| Failure::input(path, "its pin set cannot be read"))
    };
    paths.iter().map(read).collect()
}

fn git(folder: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok()?;
    output.status.success().then_some(output.stdout)
}
