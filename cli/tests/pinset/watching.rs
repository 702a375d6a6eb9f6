//! `pinfold check-live`: what is wrong with a host is said, in every form.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::support::{authority, issue, key, pem, present, present_gathered, private};
use super::{AT, Desk, parsed, words};

const SPARE: &str = "sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=";

fn pin_of(desk: &Desk, der: &rustls::pki_types::CertificateDer<'_>) -> String {
    desk.write("one.pem", pem(std::slice::from_ref(der)));
    let pin = parsed(&desk.run(&["pin", "--json", "one.pem"]))["pins"][0]["pin"].clone();
    pin.as_str().expect("a pin").replace("sha256/", "")
}

/// A desk with servers below one authority, one for each of these hosts.
struct Field {
    desk: Desk,
    ca: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
    connects: Vec<String>,
    entries: Vec<Value>,
}

impl Field {
    fn new(name: &str) -> Self {
        let desk = Desk::new(name);
        let ca = authority("Root");
        desk.write("ca.pem", pem(&[ca.as_ref().der().clone()]));
        Self { desk, ca, connects: Vec::new(), entries: Vec::new() }
    }

    /// An entry with the pin of its server and a spare.
    fn host(&mut self, host: &str) -> &mut Value {
        let key = key();
        let leaf = issue(&[host], &key, &self.ca);
        let pin = pin_of(&self.desk, &leaf);
        let address = present(vec![leaf], private(&key));
        self.entry(host, address, &pin)
    }

    fn entry(&mut self, host: &str, address: SocketAddr, pin: &str) -> &mut Value {
        self.connects.push(format!("{host}:443:{address}"));
        let pins = json!([{ "sha256": pin, "at": "leaf" }, { "sha256": SPARE, "at": "leaf" }]);
        self.entries.push(json!({ "host": host, "pins": pins }));
        self.entries.last_mut().expect("one")
    }

    fn run(&self, more: &[&str]) -> std::process::Output {
        let document = json!({ "schema": 1, "version": 3, "hosts": self.entries });
        self.desk.write("pins.json", document.to_string());
        let at = if more.contains(&"--at") { &[][..] } else { &["--at", AT] };
        let connects = self.connects.iter().flat_map(|connect| ["--connect", connect.as_str()]);
        let connects: Vec<_> = connects.collect();
        let given = ["check-live", "pins.json", "--roots", "ca.pem"];
        self.desk.run(&[&given[..], at, &connects, more].concat())
    }

    /// The server and the codes of each host.
    fn codes(&self, more: &[&str]) -> Vec<(String, Vec<String>)> {
        let value = parsed(&self.run(&[more, &["--json"]].concat()));
        let hosts = value["pin_sets"][0]["hosts"].as_array().expect("hosts");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let of = |host: &Value| {
            let troubles = host["troubles"].as_array().expect("troubles").iter();
            (text(&host["server"]), troubles.map(|trouble| text(&trouble["code"])).collect())
        };
        hosts.iter().map(of).collect()
    }
}

fn codes(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

#[test]
fn each_host_is_asked_and_what_is_wrong_has_a_code() {
    let mut field = Field::new("check-live");
    field.host("good.example.com");
    assert!(field.run(&[]).status.success(), "{}", words(&field.run(&[])));
    assert!(words(&field.run(&[])).contains("ok       good.example.com:443  sha256/"));

    field.host("other-key.example.com")["pins"][0]["sha256"] =
        json!("YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=");
    let reporting = field.host("reporting.example.com");
    reporting["pins"][0]["sha256"] = json!("YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=");
    reporting["mode"] = json!("report_only");
    field.host("no-spare.example.com")["pins"][1]["state"] = json!("retiring");
    field.host("ends.example.com")["expires"] = json!("2026-12-01T00:00:00Z");
    // Nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("loopback");
    field.entry("down.example.com", closed, "YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=");
    field.host("off.example.com")["mode"] = json!("off");
    // Its own issuer.
    let ca_key = private(field.ca.key());
    let leaf = issue(&["proxy.example.com"], field.ca.key(), &field.ca);
    let pin = pin_of(&field.desk, &leaf);
    let proxy = present(vec![leaf, field.ca.as_ref().der().clone()], ca_key);
    field.entry("proxy.example.com", proxy, &pin);

    let found = field.codes(&[]);
    let expected = [
        ("good.example.com:443", &[][..]),
        ("other-key.example.com:443", &["refused"]),
        ("reporting.example.com:443", &["mismatch"]),
        ("no-spare.example.com:443", &["no_spare"]),
        ("ends.example.com:443", &["entry_ends"]),
        ("down.example.com:443", &["unreachable"]),
        ("proxy.example.com:443", &["inspected"]),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(server, list)| ((*server).to_owned(), codes(list))).collect();
    assert_eq!(found, expected);
    assert_eq!(field.run(&[]).status.code(), Some(1));
    // The certificates end in 2096.
    let late = field.codes(&["--at", "2095-12-25T00:00:00Z"]);
    assert_eq!(late[0].1, codes(&["certificate_ends"]));
    assert_eq!(field.codes(&["--at", "2095-12-25T00:00:00Z", "--warn-days", "3"])[0].1, codes(&[]));

    let files = ["--junit", "c.xml", "--prometheus", "c.prom"];
    field.run(&files);
    let xml = String::from_utf8(field.desk.read("c.xml")).expect("UTF-8");
    let report = quick_junit::Report::deserialize_from_str(&xml).expect("JUnit");
    assert_eq!((report.tests, report.failures), (8, 6));
    // Somebody else's reader of metrics.
    let metrics = String::from_utf8(field.desk.read("c.prom")).expect("UTF-8");
    let promtool = ["-c", "promtool check metrics < c.prom"];
    field.desk.tool("sh", &promtool);
    let has = |line: &str| assert!(metrics.lines().any(|l| l == line), "{line}\n{metrics}");
    let series = |name: &str, server: &str| {
        let i = field.connects.iter().position(|c| c.starts_with(server)).expect("a server");
        let address = field.connects[i].splitn(3, ':').nth(2).expect("an address");
        format!("{name}{{pin_set=\"pins.json\",server=\"{server}:443\",address=\"{address}\"}}")
    };
    has(&(series("pinfold_host_pins_match", "good.example.com") + " 1"));
    has(&(series("pinfold_host_pins_match", "other-key.example.com") + " 0"));
    has(&(series("pinfold_host_reachable", "down.example.com") + " 0"));
    has(&(series("pinfold_host_spare_pin", "no-spare.example.com") + " 0"));
    has("pinfold_troubles{code=\"inspected\"} 1");
    assert!(!metrics.contains('\r') && metrics.ends_with('\n'));

    for wrong in [&["--connect", "elsewhere.example.org:443:127.0.0.1"][..], &["--roots", "none"]] {
        assert_eq!(field.run(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn a_changed_chain_is_told_once() {
    let mut field = Field::new("check-seen");
    field.host("api.example.com");
    let seen = ["--seen", "seen.json"];
    let quiet = vec![("api.example.com:443".to_owned(), codes(&[]))];
    assert_eq!(field.codes(&seen), quiet);
    let (entry, connect) = (field.entries.pop().expect("one"), field.connects.pop());
    field.host("api.example.com");
    let changed = vec![("api.example.com:443".to_owned(), codes(&["chain_changed"]))];
    assert_eq!(field.codes(&seen), changed);
    assert_eq!(field.codes(&seen), quiet);
    assert_eq!(field.codes(&[]), quiet);
    field.entries = vec![entry];
    field.connects = connect.into_iter().collect();
    assert_eq!(field.codes(&seen), changed);
}

#[test]
fn a_thousand_hosts_are_asked_within_ten_seconds_and_not_all_at_once() {
    let desk = Desk::new("check-thousand");
    let (ca, key) = (authority("Root"), key());
    desk.write("ca.pem", pem(&[ca.as_ref().der().clone()]));
    let leaf = issue(&["*.example.com"], &key, &ca);
    let pin = pin_of(&desk, &leaf);
    let (address, most) = present_gathered(vec![leaf], private(&key), 9);
    let pins = json!([{ "sha256": pin, "at": "leaf" }, { "sha256": SPARE, "at": "leaf" }]);
    let mut given = vec!["check-live".to_owned()];
    for document in 0..4 {
        let hosts = (0..250).map(|i| format!("h{document}-{i}.example.com"));
        let entries: Vec<_> =
            hosts.clone().map(|host| json!({ "host": host, "pins": pins })).collect();
        let file = format!("pins-{document}.json");
        desk.write(&file, json!({ "schema": 1, "version": 1, "hosts": entries }).to_string());
        given.push(file);
        given.extend(hosts.flat_map(|host| ["--connect".into(), format!("{host}:443:{address}")]));
    }
    given.extend(["--roots", "ca.pem", "--jobs", "8", "--at", AT].map(str::to_owned));
    // By the time that processors spend on it: other tests share the machine.
    let script = "TIMEFORMAT='%U %S'; time \"$0\" \"$@\"";
    let pinfold = env!("CARGO_BIN_EXE_pinfold");
    let given: Vec<_> =
        ["-c", script, pinfold].into_iter().chain(given.iter().map(String::as_str)).collect();
    let output = desk.command("bash", &given).output().expect("bash");
    assert!(output.status.success(), "{}", words(&output));
    let lines = words(&output).lines().filter(|line| line.starts_with("ok       h")).count();
    assert_eq!(lines, 1_000);
    let times = String::from_utf8_lossy(&output.stderr).into_owned();
    let times = times.lines().last().unwrap_or_default().split(' ').map(str::parse::<f64>);
    let took: f64 = times.map(|time| time.expect("seconds")).sum();
    assert!(took < 10.0, "{took} s");
    assert_eq!(most.load(Ordering::SeqCst), 8, "as many as --jobs says");
}
