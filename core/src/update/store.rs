//! The file in which the pin set outlives the process.
//!
//! It is an untrusted cache and knows no signatures: whoever reads it verifies what it gives. What
//! it promises is less. A reader gets some content that was written, whole, or learns that there is
//! none, or that it cannot be had now. Wherever a writer is killed, the old content is there or the
//! new. Of all that several processes write, the greatest stays.
//!
//! Beside the file `NAME` lie `NAME.previous`, the content before it, for when `NAME` has rotted;
//! `NAME.lock`, which writers lock and nobody removes, because a lock on a removed file excludes
//! nobody; and during a write `NAME.tmp.<pid>.<n>`. Readers lock nothing.

use std::cmp::Ordering;
use std::fmt;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{self, AtomicU64};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, OFlags, flock};
use sha2::{Digest, Sha256};

/// The largest content: the longest chain of roots that is read back, and what is kept about it.
pub(crate) const MAX_CONTENT: usize = 1_100 * 1_024;

/// Before the content stand these bytes, the last being the version of the frame, and the content's
/// SHA-256. It finds rot, not forgery.
const MAGIC: &[u8; 8] = b"pinfold\x01";
const HEADER: usize = MAGIC.len() + 32;

/// A temporary file that nobody has touched for so long belongs to nobody.
const STALE: Duration = Duration::from_secs(3_600);

/// Should somebody have put a pipe where a file belongs, nobody waits for its other end. To a file
/// it means nothing.
const NONBLOCKING: i32 = OFlags::NONBLOCK.bits() as i32;

/// One content in a directory, shared by every process that names the same file.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    dir: PathBuf,
    name: String,
}

/// What [`Store::read`] found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Stored {
    /// The content last written, or the one before where that is damaged; none if there is neither.
    pub(crate) content: Option<Vec<u8>>,
    /// Whether a file on the way to it was not what had been written.
    pub(crate) damaged: bool,
    /// What [`Store::changed`] compares with.
    pub(crate) stamp: Stamp,
    /// Whether `NAME` itself gave the content.
    in_place: bool,
}

/// Which file lay there at some moment, by inode, length and time of writing; by default none.
///
/// A rename keeps all three. The very next write cannot get the same inode again, because
/// `NAME.previous` still has it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Stamp(Option<(u64, u64, i64, i64)>);

/// What came of a write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Written {
    /// The new content is on disk, and outlives a power cut.
    Done(Stamp),
    /// The content on disk is greater and stays; another process may have written it.
    Kept(Stored),
    /// Another writer was at it, so nothing was written. What is in memory is still good.
    Skipped,
}

/// Why the store could not be read or written. What is in memory is still good.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum StoreError {
    /// Something is there that cannot be read now, as before the first unlock of a device. Until it
    /// has been read nothing may be written, for it may be greater; `write` sees to that itself.
    Deferred {
        /// What the operating system said.
        reason: String,
    },
    /// The write failed. A reader gets the old content, or the new one if only its durability is in
    /// doubt.
    Failed {
        /// What was being done.
        what: &'static str,
        /// What the operating system said.
        reason: String,
    },
    /// The content is larger than what a reader would take.
    TooLarge {
        /// Its length in bytes.
        length: usize,
    },
}

impl Store {
    /// The store `name` in the directory `dir`; neither is created before the first write.
    pub(crate) fn new(dir: PathBuf, name: impl Into<String>) -> Self {
        Self { dir, name: name.into() }
    }

    /// The content as it was last written, or else the one before.
    ///
    /// # Errors
    ///
    /// [`StoreError::Deferred`] where a file is there but is not to be had now. That is not damage:
    /// the file before it would be a step back, and to write over it would make the step for good.
    pub(crate) fn read(&self) -> Result<Stored, StoreError> {
        let (current, stamp) = load(&self.path())?;
        if let Found::Intact(content) = current {
            return Ok(Stored { content: Some(content), damaged: false, stamp, in_place: true });
        }
        // Where `NAME` is missing although there was a write, a writer stands, or was killed,
        // between its two renames. Nobody removes `NAME.previous`, so it is there by then.
        let (previous, stamp_of_previous) = load(&self.beside("previous"))?;
        let stamp = if matches!(current, Found::Missing) { stamp_of_previous } else { stamp };
        let damaged = matches!(current, Found::Damaged) || matches!(previous, Found::Damaged);
        let content = match previous {
            Found::Intact(content) => Some(content),
            Found::Damaged | Found::Missing => None,
        };
        Ok(Stored { content, damaged, stamp, in_place: false })
    }

    /// Whether another file lies there than the one the stamp is of.
    pub(crate) fn changed(&self, since: Stamp) -> bool {
        let metadata = fs::metadata(self.path()).or_else(|_| fs::metadata(self.beside("previous")));
        metadata.map_or_else(|_| Stamp::default(), |metadata| Stamp::of(&metadata)) != since
    }

    /// Writes `new` unless the content on disk is greater. `order` tells how `new` compares with
    /// that: only on `Less` is it kept. A content on disk that does not stand the caller's own test
    /// is less than any other, so that a forged one cannot stay for ever.
    ///
    /// # Errors
    ///
    /// [`StoreError::Deferred`] where the content on disk cannot be read, hence not compared; it is
    /// left as it is.
    pub(crate) fn write(
        &self,
        new: &[u8],
        order: impl Fn(&[u8]) -> Ordering,
    ) -> Result<Written, StoreError> {
        self.write_by_steps(new, order, |_| {})
    }

    fn write_by_steps(
        &self,
        new: &[u8],
        order: impl Fn(&[u8]) -> Ordering,
        step: impl Fn(Step),
    ) -> Result<Written, StoreError> {
        if new.len() > MAX_CONTENT {
            return Err(StoreError::TooLarge { length: new.len() });
        }
        let created = DirBuilder::new().recursive(true).mode(0o700).create(&self.dir);
        created.map_err(failed("create the directory"))?;
        self.remove_stale();
        let mut tmp = Tmp::create(self).map_err(failed("create a temporary file"))?;
        step(Step::Created);
        let stamp = tmp.fill(new, &step).map_err(failed("write the content"))?;
        // The slow part is over: the lock is held for a read and two renames. Nobody waits for it,
        // and iOS kills an app that is suspended while it holds one on a file it shares.
        let Some(lock) = Lock::acquire(self).map_err(failed("lock"))? else {
            return Ok(Written::Skipped);
        };
        step(Step::Locked);
        let stored = self.read()?;
        step(Step::Compared);
        if stored.content.as_deref().is_some_and(|content| order(content).is_lt()) {
            return Ok(Written::Kept(stored));
        }
        // Somebody may have taken it for stale; seen here, that costs nothing but this write.
        let own = fs::symlink_metadata(&tmp.path).map_err(failed("find the temporary file"))?;
        if Stamp::of(&own) != stamp {
            return Err(StoreError::Failed {
                what: "find the temporary file",
                reason: "another file has its name".to_owned(),
            });
        }
        // By rename, because Android forbids apps hard links, and a copy would have to be synced.
        // Only what is intact: else the one good copy there is would go.
        if stored.in_place {
            let kept = fs::rename(self.path(), self.beside("previous"));
            kept.map_err(failed("keep the previous content"))?;
            step(Step::PreviousKept);
        }
        tmp.rename(&self.path()).map_err(failed("rename"))?;
        step(Step::Renamed);
        drop(lock);
        step(Step::Unlocked);
        // Until this is done a power cut may undo either rename; a reader copes with what is left.
        sync_directory(&self.dir).map_err(failed("sync the directory"))?;
        step(Step::Synced);
        Ok(Written::Done(stamp))
    }

    /// Removes what killed writers left. Only the age decides: the process id in a name may be
    /// another container's or given out again, and a sandbox need not tell whether it lives. A
    /// writer that was frozen for as long, or whose clock leapt, loses its write, but no content.
    fn remove_stale(&self) {
        let prefix = format!("{}.tmp.", self.name);
        let now = SystemTime::now();
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let is_tmp = entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix));
            let stale = || {
                let written = entry.metadata()?.modified()?;
                // A time to come is as strange as one long past.
                let age = now.duration_since(written).unwrap_or_else(|ahead| ahead.duration());
                Ok::<_, io::Error>(age > STALE)
            };
            if is_tmp && stale().unwrap_or(false) {
                let _removed = fs::remove_file(entry.path());
            }
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.join(&self.name)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        self.dir.join(format!("{}.{suffix}", self.name))
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self(Some((metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec())))
    }
}

impl std::error::Error for StoreError {}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deferred { reason } => write!(f, "the store cannot be read now: {reason}"),
            Self::Failed { what, reason } => write!(f, "the store could not {what}: {reason}"),
            Self::TooLarge { length } => {
                write!(f, "{length} bytes are more than the {MAX_CONTENT} that the store takes")
            }
        }
    }
}

/// Where a write stands; tests stop it there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    Created,
    Begun,
    Filled,
    Flushed,
    Locked,
    Compared,
    PreviousKept,
    Renamed,
    Unlocked,
    Synced,
}

enum Found {
    Damaged,
    Intact(Vec<u8>),
    Missing,
}

fn load(path: &Path) -> Result<(Found, Stamp), StoreError> {
    let deferred = |e: io::Error| StoreError::Deferred { reason: e.to_string() };
    let file = match OpenOptions::new().read(true).custom_flags(NONBLOCKING).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Ok((Found::Missing, Stamp::default()));
        }
        Err(e) => return Err(deferred(e)),
    };
    let metadata = file.metadata().map_err(deferred)?;
    if !metadata.is_file() {
        return Err(StoreError::Deferred { reason: "not a file".to_owned() });
    }
    let mut frame = Vec::new();
    let limit = HEADER + MAX_CONTENT + 1;
    file.take(limit as u64).read_to_end(&mut frame).map_err(deferred)?;
    let found = if is_intact(&frame) {
        frame.drain(..HEADER);
        Found::Intact(frame)
    } else {
        Found::Damaged
    };
    Ok((found, Stamp::of(&metadata)))
}

fn is_intact(frame: &[u8]) -> bool {
    frame.strip_prefix(MAGIC).and_then(|rest| rest.split_first_chunk::<32>()).is_some_and(
        |(digest, content)| {
            content.len() <= MAX_CONTENT && *digest == <[u8; 32]>::from(Sha256::digest(content))
        },
    )
}

/// A file of a writer's own, gone with it unless it is renamed.
struct Tmp {
    path: PathBuf,
    file: File,
    renamed: bool,
}

impl Tmp {
    fn create(store: &Store) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let n = NEXT.fetch_add(1, atomic::Ordering::Relaxed);
            let path = store.beside(&format!("tmp.{}.{n}", process::id()));
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                // A dead process had the same id, or one in another container has it.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                result => return result.map(|file| Self { path, file, renamed: false }),
            }
        }
    }

    fn fill(&mut self, content: &[u8], step: impl Fn(Step)) -> io::Result<Stamp> {
        self.file.write_all(MAGIC)?;
        self.file.write_all(&Sha256::digest(content))?;
        step(Step::Begun);
        self.file.write_all(content)?;
        step(Step::Filled);
        // Before the rename, or a power cut could leave the name of a file without its content. On
        // Apple's systems this is F_FULLFSYNC: fsync leaves it in the drive's cache there.
        self.file.sync_all()?;
        step(Step::Flushed);
        self.file.metadata().map(|metadata| Stamp::of(&metadata))
    }

    fn rename(&mut self, to: &Path) -> io::Result<()> {
        fs::rename(&self.path, to)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Tmp {
    fn drop(&mut self) {
        if !self.renamed {
            let _removed = fs::remove_file(&self.path);
        }
    }
}

/// The right to rename. The kernel takes it back from a process that dies.
struct Lock(File);

impl Lock {
    fn acquire(store: &Store) -> io::Result<Option<Self>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(NONBLOCKING)
            .open(store.beside("lock"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // To close it would not do: a child forked this moment has the file open until it execs.
        let _unlocked = flock(&self.0, FlockOperation::Unlock);
    }
}

fn sync_directory(dir: &Path) -> io::Result<()> {
    match File::open(dir)?.sync_all() {
        // Some file systems keep their directories otherwise.
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        result => result,
    }
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> StoreError {
    move |e| StoreError::Failed { what, reason: e.to_string() }
}

#[cfg(test)]
mod tests;
