//! What there is of a file that is being downloaded.
//!
//! Beside the file `NAME` lie `NAME.pinfold-part`, its first bytes, and `NAME.pinfold-part.about`, which
//! version they are of and how many are certain. The latter is written after the bytes that it speaks
//! of are on disk, and is gone before bytes of another version come: whenever a process is killed
//! or the power goes, the two fit together or nothing is resumed.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::upload::io_failed;
use super::version::Validator;
use crate::error::Error;

/// It says little; a larger file is not ours.
const MAX_ABOUT: u64 = 16 * 1_024;
/// After so many bytes they are made certain: on a phone that takes some milliseconds.
const CERTAIN_EVERY: u64 = 8 << 20;

/// The first bytes of a file, which nobody else is writing.
#[derive(Debug)]
pub(super) struct Partial {
    to: PathBuf,
    path: PathBuf,
    about: PathBuf,
    file: File,
    known: Option<About>,
    /// How many bytes there are.
    length: u64,
    finished: bool,
}

/// What is known about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    schema: u32,
    /// SHA-256 of what was asked for, in hexadecimal digits: a URL may hold secrets.
    request: String,
    pub(super) validator: Validator,
    pub(super) total: Option<u64>,
    /// How many are certain.
    pub(super) length: u64,
}

impl Partial {
    /// What there is of `to`, as an answer to the request with this digest.
    ///
    /// # Errors
    /// [`Error::IoFailed`] where it cannot be written there, or somebody is at it.
    pub(super) fn open(to: &Path, request: &str) -> Result<Self, Error> {
        if to.is_dir() || to.file_name().is_none() {
            return Err(failed("a folder is there", None));
        }
        let (path, about) = (beside(to, ".pinfold-part"), beside(to, ".pinfold-part.about"));
        let file = locked(&path)?;
        let length = file.metadata().map_err(io)?.len();
        let known = read_about(&about)
            .filter(|known| known.request == request && known.length <= length)
            .filter(|known| known.total.is_none_or(|total| known.length < total));
        let mut partial =
            Self { to: to.to_owned(), path, about, file, known, length, finished: false };
        match &partial.known {
            // What is behind it may never have reached the disk.
            Some(known) => partial.cut(known.length)?,
            None => partial.discard()?,
        }
        Ok(partial)
    }

    /// What can be gone on from.
    pub(super) fn known(&self) -> Option<&About> {
        self.known.as_ref().filter(|known| known.length > 0)
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Begins again, with another version or one that cannot be told from others.
    pub(super) fn begin(
        &mut self,
        request: &str,
        validator: Option<Validator>,
        total: Option<u64>,
    ) -> Result<(), Error> {
        self.discard()?;
        self.known = validator.map(|validator| About {
            schema: 1,
            request: request.to_owned(),
            validator,
            total,
            length: 0,
        });
        Ok(())
    }

    /// Forgets everything, in the order in which it may be forgotten.
    pub(super) fn discard(&mut self) -> Result<(), Error> {
        self.known = None;
        if fs::remove_file(&self.about).is_ok() {
            self.sync_folder()?;
        }
        self.cut(0)
    }

    fn cut(&mut self, length: u64) -> Result<(), Error> {
        self.file.set_len(length).map_err(io)?;
        self.file.seek(SeekFrom::Start(length)).map_err(io)?;
        self.length = length;
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(io)?;
        self.length += bytes.len() as u64;
        match self.known.as_ref().is_some_and(|it| self.length - it.length >= CERTAIN_EVERY) {
            true => self.keep(),
            false => Ok(()),
        }
    }

    /// Makes what there is certain, so that it can be gone on from.
    pub(super) fn keep(&mut self) -> Result<(), Error> {
        let Some(known) = &mut self.known else { return Ok(()) };
        self.file.sync_data().map_err(io)?;
        known.length = self.length;
        let text = serde_json::to_vec(known).expect("a map of text and numbers");
        let new = beside(&self.about, ".new");
        fs::write(&new, text).and_then(|()| fs::rename(&new, &self.about)).map_err(io)
    }

    /// The SHA-256 of what is on disk. `go_on` is asked now and then.
    pub(super) fn sha256(
        &mut self,
        mut go_on: impl FnMut() -> Result<(), Error>,
    ) -> Result<[u8; 32], Error> {
        self.file.rewind().map_err(io)?;
        let (mut digest, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
        loop {
            go_on()?;
            match self.file.read(&mut buffer).map_err(io)? {
                0 => return Ok(digest.finalize().into()),
                n => digest.update(&buffer[..n]),
            }
        }
    }

    /// Puts the file in its place, whole: from here on it is there even if the power goes.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        self.file.sync_all().map_err(io)?;
        fs::rename(&self.path, &self.to).map_err(io)?;
        self.finished = true;
        // The file is there: what is left over is nobody's.
        let _left_over = fs::remove_file(&self.about);
        self.sync_folder()
    }

    fn sync_folder(&self) -> Result<(), Error> {
        let folder = self.to.parent().filter(|folder| *folder != Path::new(""));
        match File::open(folder.unwrap_or_else(|| Path::new(".")))
            .and_then(|folder| folder.sync_all())
        {
            // Not every file system can do that with a folder, and none says so in advance.
            Err(e) if e.kind() != io::ErrorKind::InvalidInput => Err(io(e)),
            _ => Ok(()),
        }
    }
}

impl Drop for Partial {
    /// What cannot be gone on from is not left lying about.
    fn drop(&mut self) {
        if !self.finished && self.known().is_none() {
            let _gone = fs::remove_file(&self.path);
        }
    }
}

/// Opens the file for one process and one call at a time.
fn locked(path: &Path) -> Result<File, Error> {
    loop {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(io)?;
        if let Err(e) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            return Err(failed("it is being downloaded by another call", Some(&e.into())));
        }
        // Whoever had it may have put it into its place meanwhile: then it is not ours to write.
        let (ours, there) = (file.metadata().map_err(io)?, fs::metadata(path));
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            return Ok(file);
        }
    }
}

/// What is written there, if it is ours and whole.
fn read_about(path: &Path) -> Option<About> {
    let mut text = Vec::new();
    File::open(path).ok()?.take(MAX_ABOUT + 1).read_to_end(&mut text).ok()?;
    parse_about(&text)
}

/// Reads what is known about the first bytes of a file; nothing where it is not as it was written.
pub(super) fn parse_about(text: &[u8]) -> Option<About> {
    if text.len() as u64 > MAX_ABOUT {
        return None;
    }
    let about = serde_json::from_slice::<About>(text).ok()?;
    (about.schema == 1 && about.validator.is_sound()).then_some(about)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn io(e: io::Error) -> Error {
    io_failed("file", &e)
}

fn failed(what: &str, e: Option<&io::Error>) -> Error {
    let reason = e.map_or_else(|| what.to_owned(), |e| format!("{what} ({e})"));
    Error::IoFailed { place: "file".into(), reason }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A folder that is gone with the value.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let n = NEXT.fetch_add(1, Ordering::Relaxed);
            let path =
                std::env::temp_dir().join(format!("pinfold-partial-{}-{n}", std::process::id()));
            fs::create_dir(&path).expect("room");
            Self(path)
        }

        fn file(&self) -> PathBuf {
            self.0.join("file")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).expect("ours");
        }
    }

    fn tag(text: &str) -> Option<Validator> {
        Some(Validator::Etag(format!("\"{text}\"")))
    }

    #[test]
    fn what_was_made_certain_is_gone_on_from_and_nothing_else() {
        let folder = Folder::new();
        let mut partial = Partial::open(&folder.file(), "r").expect("room");
        assert!(partial.known().is_none());
        partial.begin("r", tag("a"), Some(100)).expect("room");
        partial.write(b"certain").expect("room");
        partial.keep().expect("room");
        partial.write(b"and more").expect("room");
        drop(partial);
        let mut partial = Partial::open(&folder.file(), "r").expect("room");
        assert_eq!(partial.known().map(|known| known.length), Some(7));
        assert_eq!(fs::read(&partial.path).expect("there"), b"certain");
        partial.write(b" after all").expect("room");
        partial.finish().expect("room");
        assert_eq!(fs::read(folder.file()).expect("there"), b"certain after all");
        assert_eq!(fs::read_dir(&folder.0).expect("there").count(), 1, "nothing is left over");
    }

    #[test]
    fn bytes_of_another_request_or_version_are_not_kept() {
        let folder = Folder::new();
        let written = |validator, request: &str| {
            let mut partial = Partial::open(&folder.file(), request).expect("room");
            partial.begin(request, validator, None).expect("room");
            partial.write(b"bytes").expect("room");
            partial.keep().expect("room");
        };
        let known = |request: &str| {
            let partial = Partial::open(&folder.file(), request).expect("room");
            (partial.known().is_some(), partial.length())
        };
        written(tag("a"), "r");
        assert_eq!(known("other"), (false, 0));
        assert_eq!(known("r"), (false, 0), "they are gone");
        written(None, "r");
        assert_eq!(known("r"), (false, 0), "it has no validator");
        written(tag("a"), "r");
        let mut partial = Partial::open(&folder.file(), "r").expect("room");
        partial.begin("r", tag("b"), None).expect("room");
        partial.write(b"bytes of b").expect("room");
        // Killed here: the bytes of the new version are there, and nothing speaks of them.
        let (path, bytes) = (partial.path.clone(), fs::read(&partial.path).expect("there"));
        drop(partial);
        fs::write(path, bytes).expect("room");
        assert_eq!(known("r"), (false, 0));
    }

    #[test]
    fn a_file_that_is_too_short_or_not_as_it_was_written_is_begun_again() {
        let folder = Folder::new();
        for damage in [&b""[..], b"{", b"{}", &[b' '; MAX_ABOUT as usize + 1]] {
            let mut partial = Partial::open(&folder.file(), "r").expect("room");
            partial.begin("r", tag("a"), None).expect("room");
            partial.write(b"bytes").expect("room");
            partial.keep().expect("room");
            fs::write(&partial.about, damage).expect("room");
            drop(partial);
            let partial = Partial::open(&folder.file(), "r").expect("room");
            assert!(partial.known().is_none() && partial.length() == 0);
        }
        let mut partial = Partial::open(&folder.file(), "r").expect("room");
        partial.begin("r", tag("a"), None).expect("room");
        partial.write(b"bytes").expect("room");
        partial.keep().expect("room");
        partial.file.set_len(3).expect("shorter");
        drop(partial);
        assert!(Partial::open(&folder.file(), "r").expect("room").known().is_none());
    }

    #[test]
    fn one_call_at_a_time_writes_a_file() {
        let folder = Folder::new();
        let first = Partial::open(&folder.file(), "r").expect("room");
        let error = Partial::open(&folder.file(), "r").expect_err("taken");
        assert_eq!((error.code(), error.place()), ("io_failed", Some("file")));
        first.finish().expect("room");
        assert!(Partial::open(&folder.file(), "r").is_ok());
        for nowhere in [folder.0.clone(), folder.0.join("no/such/folder")] {
            assert_eq!(Partial::open(&nowhere, "r").expect_err("nowhere").code(), "io_failed");
        }
    }

    #[test]
    fn a_validator_that_cannot_be_sent_is_none() {
        let about = |validator: &str| {
            let text = format!(
                r#"{{"schema":1,"request":"r","validator":{validator},"total":null,"length":1}}"#
            );
            parse_about(text.as_bytes())
        };
        assert!(about(r#"{"etag":"\"a\""}"#).is_some());
        for bad in [
            r#"{"etag":"a"}"#,
            r#"{"etag":"W/\"a\""}"#,
            r#"{"etag":"\"a\r\nX: 1\""}"#,
            r#"{"last_modified":"now\r\nX: 1"}"#,
            r#"{"other":"\"a\""}"#,
            "null",
        ] {
            assert!(about(bad).is_none(), "{bad}");
        }
    }
}
