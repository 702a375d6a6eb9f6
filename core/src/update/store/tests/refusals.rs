//! What the operating system refuses, really: nothing here is simulated.

use std::os::unix::process::CommandExt;
use std::process::Command;

use super::processes::{REPORT, arguments, play, report, this_binary};
use super::*;

#[test]
fn what_is_not_a_file_defers_and_is_not_touched() {
    let dir = Dir::new();
    let store = dir.store();
    fs::create_dir(dir.file()).unwrap();
    assert_deferred(store.read());
    assert_deferred(write(&store, b"v1"));
    fs::remove_dir(dir.file()).unwrap();
    assert_eq!(dir.names(), ["pins.lock"]);
}

#[test]
#[cfg(not(target_vendor = "apple"))] // where there is no call of rustix's to make one
fn a_pipe_in_the_way_keeps_nobody_waiting() {
    use rustix::fs::{CWD, Mode, mkfifoat};

    let dir = Dir::new();
    let store = dir.store();
    mkfifoat(CWD, dir.file(), Mode::RWXU).unwrap();
    assert_deferred(store.read());
    assert_deferred(write(&store, b"v1"));
    for name in dir.names() {
        fs::remove_file(dir.0.join(name)).unwrap();
    }
    mkfifoat(CWD, dir.0.join("pins.lock"), Mode::RWXU).unwrap();
    assert_failed(write(&store, b"v1"), "lock");
    assert_eq!(dir.names(), ["pins.lock"]);
}

#[test]
#[cfg(target_os = "linux")]
fn an_input_error_defers_and_nothing_is_written() {
    let dir = Dir::new();
    let store = dir.store();
    two(&dir);
    fs::remove_file(dir.file()).unwrap();
    // Nothing is mapped at a process's address 0: to read there is EIO.
    std::os::unix::fs::symlink("/proc/self/mem", dir.file()).unwrap();
    let Err(StoreError::Deferred { reason }) = store.read() else { panic!("it was read") };
    assert!(reason.contains("os error 5"), "{reason}");
    assert_deferred(store.write(b"v3", |_| panic!("compared with what was not read")));
    assert_eq!(fs::read_link(dir.file()).unwrap(), Path::new("/proc/self/mem"));
    assert_eq!(dir.names(), ["pins", "pins.lock", "pins.previous"]);
}

/// Plays the part as somebody whom permissions bind: root they do not.
fn as_nobody(part: &str) {
    let dir = Dir::new();
    let mut command = play(this_binary(), part, &dir.0, "");
    if fs::metadata(&dir.0).unwrap().uid() == 0 {
        command.uid(65_534).gid(65_534);
    }
    match command.output() {
        Ok(output) => assert!(output.status.success(), "{output:#?}"),
        Err(e) => println!("skipped: no process as another user: {e}"),
    }
}

#[test]
fn an_unreadable_file_defers_and_is_not_touched() {
    as_nobody("unreadable");
}

pub(super) fn unreadable() {
    let dir = Dir::new();
    let store = dir.store();
    two(&dir);
    let refuses = |file: &Path| {
        let (before, bytes) = (dir.names(), fs::read(file).unwrap());
        let mode = |mode| fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
        mode(0);
        let Err(StoreError::Deferred { reason }) = store.read() else { panic!("it was read") };
        assert!(reason.contains("os error 13"), "{reason}");
        assert_deferred(store.write(b"v3", |_| panic!("compared with what was not read")));
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0);
        mode(0o600);
        assert_eq!(fs::read(file).unwrap(), bytes);
        assert_eq!(dir.names(), before);
    };
    refuses(&dir.file());
    assert_eq!(content(&store).as_deref(), Some(&b"v2"[..]));
    rot(&dir.file());
    refuses(&dir.previous());
    fs::remove_file(dir.file()).unwrap();
    refuses(&dir.previous());
    assert_eq!(content(&store).as_deref(), Some(&b"v1"[..]));
    // As soon as it can be read, it is as if nothing had been.
    done(&store, b"v3");
}

#[test]
fn a_read_only_directory_keeps_its_content() {
    as_nobody("read-only");
}

pub(super) fn read_only() {
    let dir = Dir::new();
    let store = dir.store();
    done(&store, b"v1");
    let before = dir.names();
    fs::set_permissions(&dir.0, fs::Permissions::from_mode(0o500)).unwrap();
    assert_failed(write(&store, b"v2"), "create a temporary file");
    let within = Store::new(dir.0.join("new"), "pins");
    assert_failed(write(&within, b"v2"), "create the directory");
    assert_eq!(content(&store).as_deref(), Some(&b"v1"[..]));
    assert_eq!(dir.names(), before);
    fs::set_permissions(&dir.0, fs::Permissions::from_mode(0o700)).unwrap();
    done(&store, b"v2");
}

#[test]
fn a_full_disk_keeps_the_old_content() {
    let dir = Dir::new();
    let is_root = fs::metadata(&dir.0).unwrap().uid() == 0;
    // In a namespace of its own, so that the mount goes with the process.
    let mut command = Command::new("unshare");
    command
        .arg(if is_root { "-m" } else { "-Urm" })
        .args(["sh", "-c", r#"mount -t tmpfs -o size=64k,nr_inodes=20 none "$0" && exec "$@""#])
        .arg(&dir.0)
        .arg(env::current_exe().unwrap())
        .args(arguments());
    match play(command, "full", &dir.0, "").output() {
        Ok(output) if String::from_utf8_lossy(&output.stdout).contains(REPORT) => {
            assert!(output.status.success(), "{output:#?}");
        }
        result => println!("skipped: no small disk can be mounted: {result:?}"),
    }
}

pub(super) fn full(store: &Store, dir: &Path) {
    report("mounted");
    done(store, &[b'a'; 20_000]);
    let no_space = |result, doing| {
        let (before, old) = (names(dir), content(store));
        assert_failed(result, doing);
        assert_eq!((names(dir), content(store)), (before, old));
    };
    // More than is left; then nothing is left; then no file can be created.
    no_space(write(store, &[b'b'; 100_000]), "write the content");
    done(store, b"c");
    let filler = dir.join("filler");
    while fs::write(&filler, vec![0; 4_096 * 32]).is_ok() {}
    no_space(write(store, b"d"), "write the content");
    fs::remove_file(&filler).unwrap();
    done(store, b"d");
    let mut n = 0;
    while File::create(dir.join(n.to_string())).is_ok() {
        n += 1;
    }
    no_space(write(store, b"e"), "create a temporary file");
    let other = Store::new(dir.to_owned(), "other");
    fs::remove_file(dir.join("0")).unwrap();
    no_space(write(&other, b"e"), "lock");
    assert_eq!(content(&other), None);
    done(store, b"e");
}
