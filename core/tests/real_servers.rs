//! nginx and haproxy as the other side: codings, ranges, interim and early answers, and connections that end,
//! of servers that were not written for these tests. `scripts/setup proxies` installs them.

mod common;
#[path = "common/process.rs"]
mod process;

use std::fs;
use std::io::Write;
use std::path::Path;

use common::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use pinfold_core::client::{Download, Progress};
use pinfold_core::{CancelToken, Client, Error, Method, Request, Response};
use pinfold_testkit::Testkit;
use process::{Process, haproxy, nginx};

fn client_of(kit: &Testkit, server: &Process) -> Client {
    let builder = builder(kit, pinned(kit, "backend"), "backend");
    // The last one counts.
    builder.connect_to(HOST, 443, server.addr).build().expect("good settings")
}

fn send(client: &Client, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let request = Request::new(method, &url(path)).expect("a good URL");
    let with = |request: Request, (name, value): &(&str, &str)| request.header(name, value);
    let request = headers.iter().try_fold(request, with).expect("good headers");
    client.send(&request).unwrap_or_else(|e| panic!("{method} {path} {headers:?}: {e}"))
}

fn post(client: &Client, path: &str, size: usize) -> Response {
    let request = Request::new(Method::Post, &url(path)).expect("a good URL");
    let request = request.body(vec![b'x'; size]).expect("POST");
    client.send(&request).unwrap_or_else(|e| panic!("{path}, {size}: {e}"))
}

/// A version of a file of some size: no two have a line in common.
fn text(version: u8, size: usize) -> Vec<u8> {
    let lines = (0..).flat_map(|line: u32| format!("{version} {line:07}\n").into_bytes());
    lines.take(size).collect()
}

/// nginx over files, of which those below `static` are compressed beforehand and all others as they go.
fn files(kit: &Testkit, size: usize) -> Process {
    nginx(kit, |folder| {
        fs::create_dir_all(folder.join("files/static")).expect("room");
        publish(folder, 1, size);
        format!(
            "root {}; default_type text/plain; gzip on; gzip_types text/plain;\n\
             location /static/ {{ gzip off; gzip_static on; }}",
            folder.join("files").display()
        )
    })
}

fn publish(folder: &Path, version: u8, size: usize) {
    let text = text(version, size);
    let mut coded = GzEncoder::new(Vec::new(), Compression::fast());
    coded.write_all(&text).expect("memory");
    process::write(&folder.join("files/map"), &text);
    process::write(&folder.join("files/static/map"), &text);
    process::write(&folder.join("files/static/map.gz"), coded.finish().expect("memory"));
}

/// gzip as it goes makes a tag weak, and nginx then takes no range; both ways of it, a range is of the file.
#[test]
fn what_nginx_compresses_is_whole_and_a_range_is_of_the_file_itself() {
    let kit = kit();
    let size = 300_000;
    let server = files(&kit, size);
    let client = client_of(&kit, &server);
    for path in ["/map", "/static/map"] {
        let whole = send(&client, Method::Get, path, &[]);
        assert_eq!((whole.status(), whole.header("content-encoding")), (200, None), "{path}");
        assert!(whole.body() == text(1, size), "{path}");
        let tag = whole.header("etag").expect("nginx gives one").to_owned();
        assert_eq!(tag.starts_with("W/"), path == "/map", "{tag}");

        let head = send(&client, Method::Head, path, &[]);
        assert_eq!((head.status(), head.body().len()), (200, 0), "{path}");
        let same = send(&client, Method::Get, path, &[("If-None-Match", &tag)]);
        assert_eq!((same.status(), same.body().len()), (304, 0), "{path}");

        let part = send(&client, Method::Get, path, &[("Range", "bytes=100000-100009")]);
        assert_eq!((part.status(), part.header("content-encoding")), (206, None), "{path}");
        assert_eq!(part.body(), &text(1, size)[100_000..100_010], "{path}");
        assert!(!part.header("etag").expect("a tag").starts_with("W/"), "{path}");
        let beyond = send(&client, Method::Get, path, &[("Range", "bytes=300000-")]);
        assert_eq!(beyond.status(), 416, "{path}");
    }
    assert_eq!(send(&client, Method::Get, "/nothing", &[]).status(), 404);
}

#[test]
fn a_download_from_nginx_goes_on_and_never_mixes_two_versions() {
    let kit = kit();
    let size = 8 << 20;
    let server = files(&kit, size);
    let client = client_of(&kit, &server);
    let to = server.folder().join("downloaded");
    let get = || Request::new(Method::Get, &url("/map")).expect("a good URL");
    let break_off = || {
        let cancel = CancelToken::new();
        let at = cancel.clone();
        let download = Download::new(get(), &to).on_progress(move |progress: Progress| {
            if progress.done > 0 {
                at.cancel();
            }
        });
        assert_eq!(client.download(&download, &cancel).expect_err("broken off"), Error::Cancelled);
        let part = fs::metadata(server.folder().join("downloaded.pinfold-part")).expect("kept");
        assert!((1..size as u64).contains(&part.len()), "{}", part.len());
    };
    let go_on = || {
        let download = Download::new(get(), &to);
        client.download(&download, &CancelToken::new()).expect("pinned").status()
    };
    break_off();
    assert_eq!(go_on(), 206);
    assert!(fs::read(&to).expect("there") == text(1, size));
    break_off();
    publish(server.folder(), 2, size + 1);
    assert_eq!(go_on(), 200);
    assert!(fs::read(&to).expect("there") == text(2, size + 1));
}

#[test]
fn where_nginx_ends_connections_no_request_is_lost_or_doubled() {
    let kit = kit();
    let server = nginx(&kit, |_| "keepalive_requests 3; return 200 \"hello\";".to_owned());
    let client = client_of(&kit, &server);
    for _ in 0..20 {
        assert_eq!(post(&client, "/pay", 3).text(), "hello");
        assert_eq!(send(&client, Method::Get, "/", &[]).text(), "hello");
    }
    let log = fs::read_to_string(server.folder().join("access")).expect("nginx writes it");
    assert_eq!(log.matches("\"POST /pay ").count(), 20, "{log}");
    assert_eq!(log.matches("\"GET / ").count(), 20, "{log}");
}

/// Both answer after the head, whatever follows; haproxy closes then, and nginx reads on for a while.
#[test]
fn an_answer_before_the_body_is_the_answer() {
    let kit = kit();
    let rules = " http-request return status 413 content-type text/plain string large if { path /small }\n \
                 http-request return status 401 content-type text/plain string who if { path /early }\n \
                 http-request return status 200 content-type text/plain string hello";
    let servers = [
        (
            "nginx",
            nginx(&kit, |_| {
                "location /small { client_max_body_size 1k; return 200 \"small\"; }\n\
                 location /early { client_max_body_size 0; return 401 \"who\"; }\n\
                 location / { return 200 \"hello\"; }"
                    .to_owned()
            }),
        ),
        ("haproxy", haproxy(&kit, |_| String::new(), rules)),
    ];
    for (what, server) in &servers {
        let client = client_of(&kit, server);
        for size in [2_000, 200_000, 8 << 20] {
            assert_eq!(post(&client, "/small", size).status(), 413, "{what}, {size}");
            assert_eq!(post(&client, "/early", size).status(), 401, "{what}, {size}");
            assert_eq!(send(&client, Method::Get, "/", &[]).text(), "hello", "{what}, {size}");
        }
    }
}

#[test]
fn haproxy_hints_before_its_answer() {
    let kit = kit();
    let rules = " http-request early-hint Link \"</style.css>; rel=preload\"\n \
                 http-request return status 200 content-type text/plain string hello";
    let server = haproxy(&kit, |_| String::new(), rules);
    let client = client_of(&kit, &server);
    for _ in 0..3 {
        let response = send(&client, Method::Get, "/", &[]);
        assert_eq!((response.status(), response.text().as_ref()), (200, "hello"));
        assert_eq!(response.header("link"), None);
        assert_eq!(post(&client, "/", 3).text(), "hello");
    }
}

/// A connection that was made before it is needed says nothing, and haproxy tells it so with a whole answer.
#[test]
fn what_haproxy_says_to_a_silent_connection_is_nobodys_answer() {
    let kit = kit();
    let rules = " timeout http-request 100ms\n \
                 http-request return status 200 content-type text/plain string hello";
    let server = haproxy(&kit, |_| String::new(), rules);
    let client = client_of(&kit, &server);
    client.preconnect(&url("/"), &CancelToken::new()).expect("pinned");
    server.await_log(" 408 ");
    let response = post(&client, "/pay", 3);
    assert_eq!((response.status(), response.text().as_ref()), (200, "hello"));
    server.await_log("\"POST /pay HTTP/1.1\"");
    assert_eq!(server.log().matches(" 200 ").count(), 1, "{}", server.log());
}

#[cfg(target_os = "linux")]
mod gigabyte {
    use std::process::{Command, Stdio};
    use std::time::Instant;

    use super::*;

    const GIGABYTE: u64 = 1 << 30;
    const ROUNDS: usize = 3;

    /// Each takes its turn, so that what else the machine does meets both.
    fn medians(what: &str, mut curl: impl FnMut(), mut ours: impl FnMut()) {
        let timed = |work: &mut dyn FnMut()| {
            let begun = Instant::now();
            work();
            begun.elapsed()
        };
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            times[0].push(timed(&mut curl));
            times[1].push(timed(&mut ours));
        }
        let [curl, ours] = times.map(|mut all| {
            all.sort();
            all[ROUNDS / 2].as_secs_f64()
        });
        println!("{what}: curl {curl:.2} s, Pinfold {ours:.2} s, {:.2} of its speed", curl / ours);
        assert!(curl / ours >= 0.9, "{what}");
    }

    fn resident() -> u64 {
        let status = fs::read_to_string("/proc/self/status").expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") << 10
    }

    #[test]
    #[ignore = "twelve gigabytes: cargo test --release --test real_servers -- --ignored --nocapture"]
    fn a_gigabyte_takes_as_long_as_curl_and_no_memory() {
        let kit = kit();
        let server = nginx(&kit, |folder| format!("root {};", folder.display()));
        let file = server.folder().join("gigabyte");
        fs::File::create(&file).expect("room").set_len(GIGABYTE).expect("a sparse file");
        let curl = |addr: std::net::SocketAddr, arguments: &[&str]| {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--show-error", "--fail", "--cacert"]);
            curl.arg(server.folder().join("root.pem"));
            curl.args(["--connect-to", &format!("{HOST}:443:{addr}"), "--output", "/dev/null"]);
            let status = curl.args(arguments).stdout(Stdio::null()).status().expect("curl");
            assert!(status.success(), "{status}");
        };

        let client = client_of(&kit, &server);
        let mut buffer = vec![0; 64 << 10];
        let before = resident();
        let mut most = before;
        medians(
            "down",
            || curl(server.addr, &[&url("/gigabyte")]),
            || {
                let request = Request::new(Method::Get, &url("/gigabyte")).expect("a good URL");
                let mut response = client.stream(&request, &CancelToken::new()).expect("pinned");
                let (mut received, mut next) = (0, 0);
                loop {
                    match response.body_mut().pull(&mut buffer).expect("whole") {
                        0 => break,
                        n => received += n as u64,
                    }
                    if received >= next {
                        (most, next) = (most.max(resident()), received + (64 << 20));
                    }
                }
                assert_eq!(received, GIGABYTE);
            },
        );
        println!("down: +{} KiB", (most - before) >> 10);
        assert!(most - before < 16 << 20);

        // Whoever reads it is in this process, for both.
        let to = kit.server("backend").addr();
        let client = super::client(&kit, pinned(&kit, "backend"), "backend");
        let path = file.display().to_string();
        medians(
            "up",
            || curl(to, &["--header", "Expect:", "--upload-file", &path, &url("/sink")]),
            || {
                let request = Request::new(Method::Put, &url("/sink")).expect("a good URL");
                let request = request.body_file(&file).expect("a file");
                assert_eq!(client.send(&request).expect("pinned").status(), 200);
            },
        );
        let up = resident().saturating_sub(before);
        println!("up: +{} KiB", up >> 10);
        assert!(up < 16 << 20);
    }
}
