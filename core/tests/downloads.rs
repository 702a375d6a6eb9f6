//! Straight to a file.

mod common;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::{env, fs, process, thread};

use common::*;
use pinfold_core::client::{Download, Progress};
use pinfold_core::{CancelToken, Client, Error, Method, Request, Response};
use pinfold_testkit::{Event, Testkit};
use sha2::{Digest, Sha256};

const SIZE: usize = 300_000;

/// A folder that is gone with the value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("pinfold-download-{}-{n}", process::id()));
        fs::create_dir(&path).expect("room");
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("map.bin")
    }

    /// The names in it.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("there");
        let names = entries.map(|entry| entry.expect("there").file_name());
        let mut names = names.map(|name| name.into_string().expect("ours")).collect::<Vec<_>>();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("ours");
    }
}

fn pinned_client(kit: &Testkit) -> Client {
    client(kit, pinned(kit, "backend"), "backend")
}

/// A version of a file: no two have a byte in common.
fn version(n: u8) -> Vec<u8> {
    (0..SIZE).map(|i| (i % 120) as u8 + 120 * (n % 2)).collect()
}

fn request(headers: &[(&str, &str)]) -> Request {
    let request = Request::new(Method::Get, &url("/map")).expect("a good URL");
    let with = |request: Request, (name, value): &(&str, &str)| request.header(name, value);
    headers.iter().try_fold(request, with).expect("good headers")
}

fn download(client: &Client, folder: &Folder, headers: &[(&str, &str)]) -> Result<Response, Error> {
    client.download(&Download::new(request(headers), folder.file()), &CancelToken::new())
}

/// The values of a header in the requests that came, or none.
fn sent(kit: &Testkit, name: &str) -> Vec<Option<String>> {
    let value = |headers: &[(String, String)]| {
        let found = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    };
    let seen = |e: &Event| match e {
        Event::Request { headers, .. } => Some(value(headers)),
        _ => None,
    };
    kit.server("backend").events().iter().filter_map(seen).collect()
}

/// Leaves the first 100,000 bytes of the version that is published.
fn broken_off(kit: &Testkit, folder: &Folder) {
    // Of six attempts, each brings a part.
    let error = download(&pinned_client(kit), folder, &[("X-Cut-After", "20000")]);
    assert_eq!(error.expect_err("cut").code(), "truncated");
    let names = folder.names();
    assert!(names.ends_with(&["map.bin.pinfold-part".into(), "map.bin.pinfold-part.about".into()]));
    let part = fs::read(folder.0.join("map.bin.pinfold-part")).expect("there");
    assert_eq!(part.len(), 120_000);
    kit.server("backend").clear();
}

#[test]
fn a_file_appears_whole_under_its_name_and_nothing_else_stays() {
    let (kit, folder) = (kit(), Folder::new());
    kit.server("backend").publish("/map", version(1));
    let client = pinned_client(&kit);
    for _ in 0..2 {
        let response = download(&client, &folder, &[]).expect("pinned");
        assert_eq!((response.status(), response.body().len()), (200, 0));
        assert!(fs::read(folder.file()).expect("there") == version(1));
        assert_eq!(folder.names(), ["map.bin"]);
    }
    assert_eq!(sent(&kit, "accept-encoding"), vec![Some("identity".to_owned()); 2]);
    assert_eq!(connections(kit.server("backend")), 1);
}

#[test]
fn what_breaks_off_goes_on_at_once_and_later() {
    let (kit, folder) = (kit(), Folder::new());
    kit.server("backend").publish("/map", version(1));
    let client = pinned_client(&kit);
    let response = download(&client, &folder, &[("X-Cut-After", "70000")]).expect("in five pieces");
    assert_eq!(response.status(), 206);
    assert!(fs::read(folder.file()).expect("there") == version(1));
    let ranges = [None, Some(70_000), Some(140_000), Some(210_000), Some(280_000)];
    let ranges = ranges.map(|first| first.map(|first| format!("bytes={first}-")));
    assert_eq!(sent(&kit, "range"), ranges);
    kit.server("backend").clear();

    broken_off(&kit, &folder);
    assert!(fs::read(folder.file()).expect("the old one") == version(1));
    let later = pinned_client(&kit);
    assert_eq!(download(&later, &folder, &[]).expect("the rest").status(), 206);
    assert_eq!(sent(&kit, "range"), [Some("bytes=120000-".to_owned())]);
    assert!(fs::read(folder.file()).expect("there") == version(1));
    assert_eq!(folder.names(), ["map.bin"]);
}

#[test]
fn a_resumed_download_never_mixes_two_versions() {
    let kit = kit();
    for lie in ["", "tag", "first", "total", "condition"] {
        let folder = Folder::new();
        kit.server("backend").publish("/map", version(1));
        broken_off(&kit, &folder);
        let other = if lie == "condition" { version(2) } else { version(1) };
        kit.server("backend").publish("/map", if lie.is_empty() { version(2) } else { other });
        download(&pinned_client(&kit), &folder, &[("X-Lie", lie)]).expect("begun again");
        let found = fs::read(folder.file()).expect("there");
        assert!(found == version(1) || found == version(2), "{lie}: a mixture");
        assert_eq!(folder.names(), ["map.bin"]);
    }
}

#[test]
fn without_a_strong_validator_nothing_is_resumed() {
    let kit = kit();
    for (tag, resumes) in [
        ("W/\"weak\"", false),
        ("Mon, 30 Nov 2026 11:00:00 GMT", true),
        ("Mon, 30 Nov 2026 12:00:00 GMT", false),
        ("yesterday", false),
    ] {
        let folder = Folder::new();
        kit.server("backend").publish_tagged("/map", version(1), tag);
        let client = pinned_client(&kit);
        let cut = download(&client, &folder, &[("X-Cut-After", "40000")]);
        assert_eq!(cut.expect_err("cut").code(), "truncated");
        kit.server("backend").clear();
        download(&client, &folder, &[]).expect("whole");
        let if_range = sent(&kit, "if-range");
        assert_eq!(if_range, [resumes.then(|| tag.to_owned())], "{tag}");
        assert!(fs::read(folder.file()).expect("there") == version(1));
    }
}

#[test]
fn a_server_may_send_a_file_in_pieces() {
    let (kit, folder) = (kit(), Folder::new());
    kit.server("backend").publish("/map", version(1));
    broken_off(&kit, &folder);
    download(&pinned_client(&kit), &folder, &[("X-Piece", "100000")]).expect("piece by piece");
    assert_eq!(sent(&kit, "range").len(), 2);
    assert!(fs::read(folder.file()).expect("there") == version(1));
}

#[test]
fn a_file_that_became_shorter_is_fetched_from_its_beginning() {
    let (kit, folder) = (kit(), Folder::new());
    kit.server("backend").publish_tagged("/map", version(1), "\"same\"");
    broken_off(&kit, &folder);
    kit.server("backend").publish_tagged("/map", b"short".to_vec(), "\"same\"");
    download(&pinned_client(&kit), &folder, &[]).expect("begun again");
    assert_eq!(fs::read(folder.file()).expect("there"), b"short");
}

#[test]
fn a_digest_that_is_not_the_expected_one_leaves_no_file() {
    let (kit, folder) = (kit(), Folder::new());
    kit.server("backend").publish("/map", version(1));
    let client = pinned_client(&kit);
    let expecting = |content: &[u8]| {
        let digest = Sha256::digest(content).into();
        let download = Download::new(request(&[]), folder.file()).sha256(digest);
        client.download(&download, &CancelToken::new())
    };
    let error = expecting(&version(2)).expect_err("another file");
    assert_eq!(error, Error::DigestMismatch { host: HOST.into() });
    assert!(folder.names().is_empty(), "nothing of it is kept");
    broken_off(&kit, &folder);
    assert_eq!(expecting(&version(1)).expect("the same").status(), 206);
    assert!(fs::read(folder.file()).expect("there") == version(1));
}

#[test]
fn another_status_is_a_response_and_leaves_what_there_is() {
    let (kit, folder) = (kit(), Folder::new());
    fs::write(folder.file(), "the old one").expect("room");
    let missing = Request::new(Method::Get, &url("/status/404")).expect("a good URL");
    let download = Download::new(missing, folder.file());
    let response = pinned_client(&kit).download(&download, &CancelToken::new()).expect("404");
    assert_eq!((response.status(), response.text().as_ref()), (404, "status 404"));
    assert_eq!(fs::read(folder.file()).expect("there"), b"the old one");
}

#[test]
fn what_cannot_be_downloaded_is_refused_before_anything_is_sent() {
    let (kit, folder) = (kit(), Folder::new());
    let client = pinned_client(&kit);
    let post = Request::new(Method::Post, &url("/map")).expect("a good URL");
    let ranged = request(&[("Range", "bytes=1-")]);
    for (request, to, code) in [
        (post, folder.file(), "invalid_request"),
        (ranged, folder.file(), "invalid_request"),
        (request(&[]), folder.0.clone(), "io_failed"),
        (request(&[]), folder.0.join("no/such/map"), "io_failed"),
    ] {
        let error = client.download(&Download::new(request, to), &CancelToken::new());
        assert_eq!(error.expect_err("refused").code(), code);
    }
    assert_eq!(requests(kit.server("backend")), 0);
}

#[test]
fn cancelling_ends_a_download_and_keeps_what_there_is() {
    let (kit, folder) = (kit(), Folder::new());
    let slow = Request::new(Method::Get, &url("/slow")).expect("a good URL");
    let cancel = CancelToken::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let download = Download::new(slow, folder.file()).on_progress({
        let (seen, cancel) = (seen.clone(), cancel.clone());
        move |progress: Progress| {
            seen.lock().expect("no panic").push(progress);
            if progress.done >= 3 {
                cancel.cancel();
            }
        }
    });
    let client = pinned_client(&kit);
    let downloading = thread::spawn(move || client.download(&download, &cancel));
    assert_eq!(downloading.join().expect("no panic").expect_err("ended"), Error::Cancelled);
    assert!(!folder.file().exists());
    let seen = seen.lock().expect("no panic");
    assert!(seen.is_sorted_by_key(|progress| progress.done));
    assert!(seen.iter().all(|progress| progress.total == Some(1_000)));
}
