//! `pinfold monitor`: mirrors against git, a page for people, metrics for a real Prometheus.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::{Web, pem};
use super::{AT, Desk, parsed, words};

const HOST: &str = "pins.example.org";

/// Signs a pin set with this version and note, and bundles it.
fn signed(desk: &Desk, version: u64, note: &str) -> Vec<u8> {
    let mut document = super::pinset(version, 0);
    document["note"] = json!(note);
    document["hosts"] = json!([{ "host": "off.example.com", "mode": "off" }]);
    desk.write("p.json", document.to_string());
    let sign = ["sign", "--type", "pinset", "--in", "p.json", "--key", "pin.pem", "--id", "pin"];
    let _from_before = std::fs::remove_file(desk.path("p.dsse.json"));
    desk.ok(&[&sign[..], &["-o", "p.dsse.json"]].concat());
    desk.bundle("made.json", &["root-1.json"], "p.dsse.json");
    desk.read("made.json")
}

fn git(desk: &Desk, arguments: &[&str]) {
    let who = ["-c", "user.name=Owner", "-c", "user.email=owner@example.com"];
    desk.tool("git", &[&who[..], arguments].concat());
}

/// Two versions in git, and a server for mirrors.
fn published(desk: &Desk) -> (Web, [Vec<u8>; 2]) {
    let (old, new) = (signed(desk, 2, "old"), signed(desk, 3, "new"));
    git(desk, &["init", "-q"]);
    for bundle in [&old, &new] {
        desk.write("bundle.json", bundle);
        git(desk, &["add", "bundle.json"]);
        git(desk, &["commit", "-q", "-m", "publish"]);
    }
    let web = Web::start(&[HOST]);
    desk.write("web.pem", pem(std::slice::from_ref(&web.root)));
    (web, [old, new])
}

#[test]
fn mirrors_have_what_git_has_or_it_is_told() {
    let desk = Desk::after_the_ceremony("monitor-mirrors");
    let (web, [old, new]) = published(&desk);
    // Somebody has the key, and signs what was never in git.
    let (unknown, twin) = (signed(&desk, 9, "mine"), signed(&desk, 3, "another three"));
    web.put("/current.json", new);
    web.put("/stale.json", old);
    web.put("/unknown.json", unknown);
    web.put("/twin.json", twin);
    web.put("/garbage.json", "{}");
    web.answer("/down.json", 503, "");
    // An app that ships with more than is published.
    desk.pinset(9, 0, "pin", "root-1.json");
    desk.embed("app-9.json", "root-1.json", "pinset-0-9.dsse.json");
    let paths = ["current", "stale", "unknown", "twin", "garbage", "down", "absent"];
    let urls = paths.map(|path| format!("https://{HOST}/{path}.json"));
    let connect = web.connect(HOST);
    let look = |urls: &[String], more: &[&str]| {
        let given =
            ["monitor", "p.json", "--published", "bundle.json", "--once", "--roots", "web.pem"];
        let urls: Vec<_> = urls.iter().flat_map(|url| ["--url", url.as_str()]).collect();
        desk.run(&[&given[..], &["--at", AT, "--connect", &connect], &urls, more].concat())
    };
    let codes = |output: &std::process::Output| -> Vec<String> {
        let value = parsed(output);
        let mirrors = value["mirrors"].as_array().expect("mirrors");
        let of = |mirror: &Value| {
            let troubles = mirror["troubles"].as_array().expect("troubles").iter();
            let codes: Vec<_> = troubles.map(|t| t["code"].as_str().expect("a code")).collect();
            codes.join(" ")
        };
        mirrors.iter().map(of).collect()
    };
    let output = look(&urls[..1], &[]);
    assert!(output.status.success(), "{}", words(&output));
    let output = look(&urls, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    // The twin shows at both that have version 3.
    assert_eq!(
        codes(&output),
        [
            "mirror_equivocates",
            "mirror_stale",
            "mirror_unknown",
            "mirror_equivocates",
            "mirror_unreadable",
            "mirror_unreachable",
            "mirror_unreachable",
        ]
    );
    assert!(words(&look(&urls, &[])).contains("version 9 of epoch 0 was never in git"));
    // What was published on purpose elsewhere is no stranger.
    desk.write("extra.json", web.body("/unknown.json").expect("there"));
    let output = look(&urls[2..3], &["--known", "extra.json", "--json"]);
    assert_eq!(codes(&output), ["mirror_stale"]);
    // The apps' URLs are watched too, and what an app refuses is told.
    let output = look(&urls[..1], &["--embedded", "app-9.json", "--json"]);
    let found = codes(&output);
    assert_eq!(found[0], "mirror_rejected");
    assert_eq!(parsed(&output)["mirrors"][1]["url"], "https://pins.example.com/v1/bundle.json");
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _waited = self.0.wait();
    }
}

/// The monitor, and where it listens.
fn monitor(desk: &Desk, web: &Web) -> (Running, String) {
    let connect = web.connect(HOST);
    let url = format!("https://{HOST}/current.json");
    // Whatever a file is called, the page has it as text.
    desk.write("<i>.json", r#"{"schema":1,"hosts":[]}"#);
    let given =
        ["monitor", "p.json", "<i>.json", "--published", "bundle.json", "--roots", "web.pem"];
    let more = ["--connect", &connect, "--url", &url, "--listen", "127.0.0.1:0", "--interval", "1"];
    let mut command = desk.command(env!("CARGO_BIN_EXE_pinfold"), &[&given[..], &more].concat());
    let mut child =
        Running(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary"));
    let mut line = String::new();
    let out = child.0.stdout.take().expect("piped");
    BufReader::new(out).read_line(&mut line).expect("a line");
    let address = line.trim().trim_end_matches('/').rsplit('/').next().expect("an address");
    (child, address.to_owned())
}

fn ask(address: &str, head: &str) -> String {
    let mut socket = TcpStream::connect(address).expect("it listens");
    socket.write_all(head.as_bytes()).expect("it reads");
    let mut text = String::new();
    socket.read_to_string(&mut text).expect("UTF-8");
    text
}

fn get(address: &str, path: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
}

#[test]
fn the_page_is_plain_and_locked_down() {
    let desk = Desk::after_the_ceremony("monitor-page");
    let (web, [_, new]) = published(&desk);
    web.put("/current.json", new);
    let (_child, address) = monitor(&desk, &web);
    let page = get(&address, "/");
    let (head, body) = page.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    for field in [
        "Content-Security-Policy: default-src 'none'; style-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options: nosniff",
        "Referrer-Policy: no-referrer",
        "Cache-Control: no-store",
        "Content-Type: text/html; charset=utf-8",
    ] {
        assert!(head.lines().any(|line| line == field), "{field}: {head}");
    }
    assert!(body.contains("&lt;i&gt;.json"), "{body}");
    for absent in ["<i>", "<script", "style=\"", "onclick", "http://", "<img"] {
        assert!(!body.contains(absent), "{absent}");
    }
    for there in ["<html lang=\"en\">", "href=\"#main\"", "https://pins.example.org/current.json"] {
        assert!(body.contains(there), "{there}: {body}");
    }
    assert!(get(&address, "/style.css").contains("prefers-color-scheme: dark"));
    assert!(get(&address, "/healthz").ends_with("\r\n\r\nok\n"));
    let metrics = get(&address, "/metrics");
    assert!(metrics.contains("Content-Type: text/plain; version=0.0.4"), "{metrics}");
    assert!(get(&address, "/nothing").starts_with("HTTP/1.1 404"));
    assert!(ask(&address, "POST / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
    assert!(ask(&address, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400"));
    assert!(ask(&address, &"x".repeat(8 * 1024)).starts_with("HTTP/1.1 400"));
    let head = ask(&address, "HEAD / HTTP/1.1\r\n\r\n");
    assert!(head.ends_with("\r\n\r\n") && head.contains("Content-Length: "), "{head}");
    // What it cannot read any more is told, and the last look stays.
    desk.write("p.json", "no pin set");
    until("the page says that a look failed", || {
        get(&address, "/").contains("The last look failed")
    });
    assert!(get(&address, "/").contains("https://pins.example.org/current.json"));
}

/// Waits for something that another process does.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::park_timeout(Duration::from_millis(200));
    }
}

#[test]
fn the_rules_for_alerts_fire_when_they_should() {
    let desk = Desk::new("monitor-rules");
    let rules = desk.run(&["monitor", "--print", "rules"]).stdout;
    desk.write("pinfold.rules.yml", &rules);
    desk.tool("promtool", &["check", "rules", "pinfold.rules.yml"]);
    desk.write("test.yml", include_str!("../data/pinfold.rules.test.yml"));
    desk.tool("promtool", &["test", "rules", "test.yml"]);
    let dashboard = desk.run(&["monitor", "--print", "dashboard"]).stdout;
    let dashboard: Value = serde_json::from_slice(&dashboard).expect("JSON");
    // Each metric that they ask for is there.
    let known: Vec<_> = include_str!("../../src/watch/metrics.rs").matches("(\"pinfold_").collect();
    assert!(known.len() > 10);
    let mut asked = dashboard["panels"].as_array().expect("panels").iter().flat_map(|panel| {
        panel["targets"]
            .as_array()
            .expect("targets")
            .iter()
            .map(|target| target["expr"].to_string())
    });
    let names = include_str!("../../src/watch/metrics.rs");
    let is_known = |expression: String| {
        let words = expression.split(|c: char| !c.is_alphanumeric() && c != '_');
        let mut own = words.filter(|word| word.starts_with("pinfold_")).peekable();
        own.peek().is_some() && own.all(|name| names.contains(&format!("\"{name}\"")))
    };
    assert!(asked.all(is_known));
}

#[test]
fn a_real_prometheus_has_the_series() {
    let desk = Desk::after_the_ceremony("monitor-prometheus");
    let (web, [_, new]) = published(&desk);
    web.put("/current.json", new);
    let (_child, address) = monitor(&desk, &web);
    desk.write("pinfold.rules.yml", desk.run(&["monitor", "--print", "rules"]).stdout);
    let config = json!({
        "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
        "rule_files": ["pinfold.rules.yml"],
        "scrape_configs": [{ "job_name": "pinfold", "static_configs": [{ "targets": [address] }] }],
    });
    desk.write("prometheus.yml", config.to_string());
    let given = ["--config.file=prometheus.yml", "--storage.tsdb.path=data"];
    let more = ["--web.listen-address=127.0.0.1:0", "--log.format=json"];
    let mut command = desk.command("prometheus", &[&given[..], &more].concat());
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut prometheus = Running(child.expect("prometheus: scripts/setup watch"));
    let log = BufReader::new(prometheus.0.stderr.take().expect("piped"));
    let mut lines = log.lines();
    let listening = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let line: Value = serde_json::from_str(&line).ok()?;
        (line["msg"] == "Listening on").then(|| line["address"].as_str().map(str::to_owned))?
    });
    let server = listening.expect("it says where it listens");
    // What it has to say should not stop it.
    std::thread::spawn(move || lines.for_each(drop));
    let values = |query: &str| -> Vec<Value> {
        let text = get(&server, &format!("/api/v1/query?query={query}"));
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        let from = body.find('{').unwrap_or_default();
        let to = body.rfind('}').map_or(0, |at| at + 1);
        let value: Value = serde_json::from_str(&body[from..to]).unwrap_or_default();
        value["data"]["result"].as_array().cloned().unwrap_or_default()
    };
    until("Prometheus has the mirror", || !values("pinfold_mirror_current").is_empty());
    let [mirror] = &values("pinfold_mirror_current")[..] else { panic!("one mirror") };
    assert_eq!(mirror["metric"]["url"], "https://pins.example.org/current.json");
    assert_eq!(mirror["value"][1], "1");
    assert_eq!(values("pinfold_pin_set_version")[0]["value"][1], "3");
    // Somebody swaps what the mirror has.
    web.put("/current.json", signed_elsewhere(&desk));
    until("the series has changed", || {
        values("pinfold_mirror_current").iter().any(|series| series["value"][1] == "0")
    });
    until("the alert fires", || {
        let name = "ALERTS%7Balertname%3D%22PinfoldForeignPinSet%22%7D";
        !values(name).is_empty()
    });
}

/// A pin set with the same key that is not in git; p.json, which is watched, stays.
fn signed_elsewhere(desk: &Desk) -> Vec<u8> {
    let before = desk.read("p.json");
    let bundle = signed(desk, 9, "mine");
    desk.write("p.json", before);
    bundle
}
