//! What one process sees; `processes.rs` has what several do to each other, `refusals.rs` what the
//! operating system may refuse.

mod processes;
mod refusals;

use std::cell::RefCell;
use std::env;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// A directory of a test's own, removed with it.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        Self::within(&env::temp_dir())
    }

    fn within(parent: &Path) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let n = NEXT.fetch_add(1, atomic::Ordering::Relaxed);
        let path = parent.join(format!("pinfold-store-{}-{n}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn store(&self) -> Store {
        Store::new(self.0.clone(), "pins")
    }

    fn file(&self) -> PathBuf {
        self.0.join("pins")
    }

    fn previous(&self) -> PathBuf {
        self.0.join("pins.previous")
    }

    fn names(&self) -> Vec<String> {
        names(&self.0)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _removed = fs::remove_dir_all(&self.0);
    }
}

/// For many writes: a directory in memory where there is one, as no power cut is tested.
fn fast_dir() -> Dir {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() { Dir::within(shm) } else { Dir::new() }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

fn content(store: &Store) -> Option<Vec<u8>> {
    store.read().unwrap().content
}

/// Writes what is the greatest by the order of bytes.
fn write(store: &Store, new: &[u8]) -> Result<Written, StoreError> {
    store.write(new, |on_disk| new.cmp(on_disk))
}

fn done(store: &Store, new: &[u8]) {
    let written = write(store, new).unwrap();
    assert!(matches!(written, Written::Done(_)), "{written:?}");
    assert_eq!(content(store).as_deref(), Some(new));
}

/// Leaves `v2`, and `v1` before it.
fn two(dir: &Dir) {
    done(&dir.store(), b"v1");
    done(&dir.store(), b"v2");
}

fn rot(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(file, bytes).unwrap();
}

#[track_caller]
fn assert_deferred<T: fmt::Debug>(result: Result<T, StoreError>) {
    let Err(error @ StoreError::Deferred { .. }) = &result else { panic!("{result:?}") };
    assert!(error.to_string().starts_with("the store cannot be read now: "), "{error}");
}

#[track_caller]
fn assert_failed(result: Result<Written, StoreError>, doing: &str) {
    assert!(
        matches!(&result, Err(StoreError::Failed { what, .. }) if *what == doing),
        "{result:?} while to {doing}"
    );
}

#[test]
fn nothing_is_created_before_the_first_write() {
    let dir = Dir::new();
    let store = Store::new(dir.0.join("a/b"), "pins");
    let stored = store.read().unwrap();
    assert_eq!((stored.content, stored.damaged, stored.stamp), (None, false, Stamp::default()));
    assert!(!store.changed(stored.stamp));
    assert_eq!(dir.names(), Vec::<String>::new());
    done(&store, b"v1");
    assert_eq!(names(&dir.0.join("a/b")), ["pins", "pins.lock"]);
}

#[test]
fn what_was_written_is_read_back_and_is_the_owners_alone() {
    let dir = Dir::new();
    for content in [vec![], b"v1".to_vec(), vec![b'w'; MAX_CONTENT]] {
        done(&dir.store(), &content);
    }
    assert_eq!(dir.names(), ["pins", "pins.lock", "pins.previous"]);
    for name in dir.names() {
        let mode = fs::metadata(dir.0.join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn what_no_reader_would_take_is_not_written() {
    let dir = Dir::new();
    let length = MAX_CONTENT + 1;
    let too_large = Err(StoreError::TooLarge { length });
    assert_eq!(dir.store().write(&vec![0; length], |_| Ordering::Greater), too_large);
    assert_eq!(dir.names(), Vec::<String>::new());
}

#[test]
fn the_greater_stays_and_an_equal_is_replaced() {
    let dir = Dir::new();
    let store = dir.store();
    done(&store, b"v2");
    let Ok(Written::Kept(kept)) = write(&store, b"v1") else { panic!("the lesser was written") };
    assert_eq!(kept, store.read().unwrap());
    assert_eq!(kept.content.as_deref(), Some(&b"v2"[..]));
    assert_eq!(dir.names(), ["pins", "pins.lock"]);
    let written = store.write(b"v2, again", |_| Ordering::Equal).unwrap();
    assert_eq!(written, Written::Done(store.read().unwrap().stamp));
    assert_eq!(content(&store).as_deref(), Some(&b"v2, again"[..]));
}

#[test]
fn no_flipped_bit_gives_other_bytes() {
    let dir = fast_dir();
    let store = dir.store();
    let before: Vec<u8> = (0..200).collect();
    let last: Vec<u8> = (50..250).collect();
    done(&store, &before);
    done(&store, &last);
    let frame = fs::read(dir.file()).unwrap();
    // In the file, with the one before it beside it; in the one before it, alone; in both.
    for place in 0..frame.len() * 8 {
        let mut flipped = frame.clone();
        flipped[place / 8] ^= 1 << (place % 8);
        fs::write(dir.file(), &flipped).unwrap();
        let stored = store.read().unwrap();
        assert_eq!((stored.content.as_ref(), stored.damaged), (Some(&before), true), "{place}");
    }
    let previous = fs::read(dir.previous()).unwrap();
    for place in 0..previous.len() * 8 {
        let mut flipped = previous.clone();
        flipped[place / 8] ^= 1 << (place % 8);
        fs::write(dir.previous(), &flipped).unwrap();
        let stored = store.read().unwrap();
        assert_eq!((stored.content, stored.damaged), (None, true), "{place}");
    }
    fs::remove_file(dir.file()).unwrap();
    let stored = store.read().unwrap();
    assert_eq!((stored.content, stored.damaged), (None, true));
    fs::write(dir.file(), &frame).unwrap();
    let stored = store.read().unwrap();
    assert_eq!((stored.content, stored.damaged), (Some(last), false));
}

#[test]
fn no_prefix_and_nothing_longer_gives_other_bytes() {
    let dir = fast_dir();
    let store = dir.store();
    done(&store, b"before");
    done(&store, &[b'c'; 100]);
    let frame = fs::read(dir.file()).unwrap();
    let longer = [&frame[..], &[0]].concat();
    let far_longer = [&frame[..], &vec![0; MAX_CONTENT]].concat();
    let prefixes = (0..frame.len()).map(|end| &frame[..end]);
    for bytes in prefixes.chain([&longer[..], &far_longer]) {
        fs::write(dir.file(), bytes).unwrap();
        let stored = store.read().unwrap();
        let found = (stored.content.as_deref(), stored.damaged);
        assert_eq!(found, (Some(&b"before"[..]), true), "{} bytes", bytes.len());
    }
    // Whole, but by a writer that knew another limit.
    let beyond = vec![0; MAX_CONTENT + 1];
    let beyond = [&MAGIC[..], &Sha256::digest(&beyond), &beyond].concat();
    // As long as it may be, and a byte more.
    let longest = vec![0; MAX_CONTENT];
    let longest = [&MAGIC[..], &Sha256::digest(&longest), &longest, &[0]].concat();
    fs::remove_file(dir.previous()).unwrap();
    for bytes in
        [&beyond, &longest, &frame[..0], &frame[..HEADER], &frame[..frame.len() - 1], &far_longer]
    {
        fs::write(dir.file(), bytes).unwrap();
        let stored = store.read().unwrap();
        assert_eq!((stored.content, stored.damaged), (None, true), "{} bytes", bytes.len());
    }
}

#[test]
fn a_damaged_file_never_replaces_the_one_before_it() {
    let dir = Dir::new();
    let store = dir.store();
    two(&dir);
    rot(&dir.file());
    done(&store, b"v3");
    rot(&dir.file());
    assert_eq!(content(&store).as_deref(), Some(&b"v1"[..]));
    // The one before is compared with as well: otherwise damage would be a way back.
    assert!(matches!(write(&store, b"v0"), Ok(Written::Kept(kept)) if kept.damaged));
}

#[test]
fn a_reader_at_any_step_gets_the_old_content_or_the_new() {
    let dir = Dir::new();
    let store = dir.store();
    done(&store, b"v1");
    let seen = RefCell::new(Vec::new());
    let look = |step| {
        let stored = store.read().unwrap();
        assert!(!stored.damaged && !store.changed(stored.stamp), "{step:?}");
        seen.borrow_mut().push((step, stored.content.unwrap()));
    };
    store.write_by_steps(b"v2", |_| Ordering::Greater, look).unwrap();
    let seen = seen.into_inner();
    let renamed = seen.iter().position(|(step, _)| *step == Step::Renamed).unwrap();
    assert!(seen[..renamed].iter().all(|(_, content)| content == b"v1"), "{seen:?}");
    assert!(seen[renamed..].iter().all(|(_, content)| content == b"v2"), "{seen:?}");
}

#[test]
fn two_writers_of_one_process_exclude_each_other() {
    let dir = Dir::new();
    let store = dir.store();
    let inner = |step| {
        if matches!(step, Step::Locked | Step::Compared | Step::Renamed) {
            assert_eq!(write(&store, b"v3"), Ok(Written::Skipped), "{step:?}");
        }
    };
    store.write_by_steps(b"v2", |_| Ordering::Greater, inner).unwrap();
    assert_eq!(content(&store).as_deref(), Some(&b"v2"[..]));
    assert_eq!(dir.names(), ["pins", "pins.lock"]);
}

#[test]
fn a_lost_temporary_file_costs_the_write_but_no_content() {
    let dir = Dir::new();
    let store = dir.store();
    done(&store, b"v1");
    let tmp = || {
        let name = dir.names().into_iter().find(|name| name.contains(".tmp.")).unwrap();
        dir.0.join(name)
    };
    let remove_at = |at| {
        let remove = |step| {
            if step == at {
                fs::remove_file(tmp()).unwrap();
            }
        };
        store.write_by_steps(b"v2", |_| Ordering::Greater, remove)
    };
    assert_failed(remove_at(Step::Locked), "find the temporary file");
    assert_eq!(dir.names(), ["pins", "pins.lock"]);
    assert_failed(remove_at(Step::PreviousKept), "rename");
    assert_eq!(content(&store).as_deref(), Some(&b"v1"[..]));
    done(&store, b"v2");
    let replace = |step| {
        if step == Step::Locked {
            fs::write(dir.0.join("foreign"), "half of a fra").unwrap();
            fs::rename(dir.0.join("foreign"), tmp()).unwrap();
        }
    };
    let written = store.write_by_steps(b"v3", |_| Ordering::Greater, replace);
    assert_failed(written, "find the temporary file");
    assert_eq!(content(&store).as_deref(), Some(&b"v2"[..]));
}

#[test]
fn only_temporary_files_of_long_ago_are_removed() {
    let dir = Dir::new();
    let (hours, now) = (|n: u64| Duration::from_secs(n * 3_600), SystemTime::now());
    for (name, written) in [
        ("pins.tmp.1.0", now - hours(2)),
        ("pins.tmp.1.1", now - hours(2) / 4),
        ("pins.tmp.1.2", now + hours(2)),
        ("pins.tmp", now - hours(2)),
        ("pins.tmpl.1.0", now - hours(2)),
        ("spins.tmp.1.0", now - hours(2)),
    ] {
        File::create(dir.0.join(name)).unwrap().set_modified(written).unwrap();
    }
    done(&dir.store(), b"v1");
    let left = ["pins", "pins.lock", "pins.tmp", "pins.tmp.1.1", "pins.tmpl.1.0", "spins.tmp.1.0"];
    assert_eq!(dir.names(), left);
}

#[test]
fn a_temporary_file_in_the_way_is_left_alone() {
    let dir = fast_dir();
    let mut first = RefCell::new(String::new());
    let note = |step| {
        if step == Step::Created {
            first.replace(dir.names().remove(0));
        }
    };
    dir.store().write_by_steps(b"v1", |_| Ordering::Greater, note).unwrap();
    let (stem, n) = first.get_mut().rsplit_once('.').unwrap();
    let n: u64 = n.parse().unwrap();
    for n in n + 1..n + 500 {
        fs::write(dir.0.join(format!("{stem}.{n}")), "another's").unwrap();
    }
    done(&dir.store(), b"v2");
    for n in n + 1..n + 500 {
        assert_eq!(fs::read(dir.0.join(format!("{stem}.{n}"))).unwrap(), b"another's");
    }
}
