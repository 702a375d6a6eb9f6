//! The file in which cookies outlive the process.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::store::Stored;
use crate::error::Error;

/// More than the most cookies of the largest size need.
const MAX_FILE: u64 = 32 << 20;

#[derive(Serialize, Deserialize)]
struct Content {
    schema: u32,
    cookies: Vec<Stored>,
}

/// Where a jar is kept. Whoever reads it gets what was written last, whole.
pub(super) struct Kept {
    path: PathBuf,
    /// What lies there.
    written: Vec<u8>,
}

impl Kept {
    /// Opens it, and reads what lies there at `now`. What is damaged is put aside as `NAME.damaged`: an
    /// app can get its cookies once more, and may not be able to start without.
    pub(super) fn open(path: &Path, now: u64) -> Result<(Self, Vec<Stored>), Error> {
        let mut written = Vec::new();
        match File::open(path) {
            Ok(file) => {
                file.take(MAX_FILE + 1).read_to_end(&mut written).map_err(failed)?;
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(failed(e)),
        }
        let cookies = match (parse(&written), written.is_empty()) {
            (Some(cookies), _) => cookies,
            (None, true) => Vec::new(),
            (None, false) => {
                fs::rename(path, beside(path, ".damaged")).map_err(failed)?;
                written.clear();
                Vec::new()
            }
        };
        let lives = |it: &Stored| it.expires.is_some_and(|at| at > now);
        let cookies = cookies.into_iter().filter(lives).collect();
        Ok((Self { path: path.to_owned(), written }, cookies))
    }

    /// Writes those that outlive their session, where they are others than those that lie there.
    pub(super) fn write(&mut self, mut cookies: Vec<Stored>) -> Result<(), Error> {
        cookies.retain(|it| it.expires.is_some());
        let content = serde_json::to_vec(&Content { schema: 1, cookies })
            .map_err(|e| Error::Internal { reason: format!("cookies: {e}") })?;
        if content == self.written {
            return Ok(());
        }
        let new = beside(&self.path, ".new");
        let write = || {
            let mut options = OpenOptions::new();
            // Whoever has them is logged in.
            let mut file =
                options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(&content)?;
            file.sync_data()?;
            fs::rename(&new, &self.path)
        };
        write().map_err(failed)?;
        self.written = content;
        Ok(())
    }
}

/// The cookies in a file; none where it is not as it was written. What cannot have been a cookie is
/// passed over.
pub(super) fn parse(text: &[u8]) -> Option<Vec<Stored>> {
    if text.len() as u64 > MAX_FILE {
        return None;
    }
    let content = serde_json::from_slice::<Content>(text).ok()?;
    let sound = content.cookies.into_iter().filter(Stored::is_sound);
    (content.schema == 1).then(|| sound.collect())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn failed(e: io::Error) -> Error {
    Error::IoFailed { place: "cookies".into(), reason: e.to_string() }
}
