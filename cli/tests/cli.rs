//! The tool as a person or a script runs it, against the testkit's servers.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use pinfold_testkit::{Owner, Testkit};
use serde_json::{Value, json};

const URL: &str = "https://api.example.test/echo";

/// A testkit with its certificates on disk, in a folder that goes with it.
struct Kit {
    testkit: Testkit,
    dir: PathBuf,
}

impl Kit {
    fn new(name: &str) -> Self {
        let testkit = Testkit::start().expect("loopback");
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        testkit.pki().write_to(&dir).expect("a writable folder");
        let roots = ["root", "other_root"]
            .map(|n| std::fs::read_to_string(dir.join(format!("{n}.pem"))).expect("a PEM file"));
        std::fs::write(dir.join("roots.pem"), roots.concat()).expect("a writable folder");
        Self { testkit, dir }
    }

    fn path(&self, file: &str) -> String {
        self.dir.join(file).to_str().expect("UTF-8").to_owned()
    }

    fn write(&self, file: &str, bytes: impl AsRef<[u8]>) -> String {
        std::fs::write(self.dir.join(file), bytes).expect("a writable folder");
        self.path(file)
    }

    fn pins(&self, name: &str, members: Value) -> String {
        let digest = |n: &str| self.testkit.pki().pin(n).replace("sha256/", "");
        let mut host = json!({
            "host": "api.example.test",
            "pins": [{ "sha256": digest(name) }, { "sha256": digest("backup") }],
        });
        for (key, value) in members.as_object().expect("an object") {
            host[key] = value.clone();
        }
        let set = json!({ "schema": 1, "version": 3, "hosts": [host] });
        self.write(&format!("{name}.json"), set.to_string())
    }

    fn fetch(&self, server: &str, pins: &str, more: &[&str]) -> Output {
        let connect = format!("api.example.test:443:{}", self.testkit.server(server).addr());
        let roots = self.path("roots.pem");
        let given = ["fetch", "--pins", pins, "--roots", &roots, "--connect", &connect];
        run(&[&given[..], more].concat(), b"")
    }
}

fn run(arguments: &[&str], stdin: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pinfold"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    // A command that reads nothing may be gone by now.
    let _gone = child.stdin.take().expect("piped").write_all(stdin);
    child.wait_with_output().expect("an end")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

#[test]
fn prints_one_pin_a_certificate_with_role_subject_and_expiry() {
    let kit = Kit::new("chain");
    let output = run(&["pin", &kit.path("backend_root.chain.pem")], b"");
    let lines: Vec<_> = stdout(&output).lines().map(str::to_owned).collect();
    let pki = kit.testkit.pki();
    assert_eq!(lines.len(), 3, "{output:?}");
    for (line, (name, role)) in
        lines.iter().zip([("backend", "leaf"), ("intermediate", "ca"), ("root", "ca")])
    {
        assert!(line.starts_with(&format!("{}  {role}", pki.pin(name))), "{line}");
        assert!(line.ends_with("until 2049-12-31"), "{line}");
    }
    assert!(lines[2].contains("Pinfold Test Root"), "{}", lines[2]);
    assert!(output.stderr.is_empty());
}

#[test]
fn reads_every_form_of_a_key_alike() {
    let kit = Kit::new("forms");
    let key = rcgen::KeyPair::generate().expect("a key");
    let parameters = rcgen::CertificateParams::new(vec!["a.example".into()]).expect("good");
    let request = parameters.serialize_request(&key).expect("a request");
    let request_pem = request.pem().expect("PEM");
    let pin = {
        use rcgen::PublicKeyData as _;
        pinfold_core::SpkiSha256::of_spki(&key.subject_public_key_info()).to_string()
    };
    for (file, bytes) in [
        ("key.pem", key.public_key_pem().into_bytes()),
        ("key.der", {
            use rcgen::PublicKeyData as _;
            key.subject_public_key_info()
        }),
        ("request.pem", request_pem.clone().into_bytes()),
        ("request.der", request.der().to_vec()),
        ("crlf.pem", request_pem.replace('\n', "\r\n").into_bytes()),
    ] {
        let from_file = run(&["pin", &kit.write(file, &bytes)], b"");
        assert!(stdout(&from_file).starts_with(&pin), "{file}: {from_file:?}");
        let from_stdin = run(&["pin", "-"], &bytes);
        assert!(stdout(&from_stdin).starts_with(&pin), "{file}: {from_stdin:?}");
    }
    let der = std::fs::read(kit.path("backend.der")).expect("a DER file");
    assert!(stdout(&run(&["pin", "-"], &der)).starts_with(&kit.testkit.pki().pin("backend")));
}

#[test]
fn unusable_files_are_exit_2_and_name_the_file() {
    let kit = Kit::new("unusable");
    let private = kit.path("backend.key.pem");
    for (file, reason) in [
        (private, "private key"),
        (kit.write("empty", b""), "empty"),
        (kit.write("rubbish", [0xff; 100]), "neither"),
        (
            kit.write("nul", b"-----BEGIN CERTIFICATE-----\n\0\0\n-----END CERTIFICATE-----"),
            "not base64",
        ),
        (kit.write("cut", b"-----BEGIN CERTIFICATE-----\nMIIB"), "no END"),
        (
            kit.write(
                "not-a-cert",
                b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
            ),
            "certificate",
        ),
        (kit.write("huge", vec![b'a'; 5 << 20]), "larger"),
        (kit.path("missing"), "No such file"),
    ] {
        let output = run(&["pin", &file], b"");
        assert_eq!(output.status.code(), Some(2), "{file}: {output:?}");
        let text = stderr(&output);
        assert!(text.contains(&file) && text.contains(reason), "{text}");
        assert!(output.stdout.is_empty());
        let output = run(&["pin", "--json", &file], b"");
        assert!(parsed(&output)["error"]["code"].is_string(), "{output:?}");
    }
}

#[test]
fn a_live_server_is_shown_and_not_believed() {
    let kit = Kit::new("live");
    let address = kit.testkit.server("backend").addr().to_string();
    let output = run(&["pin", "--live", "api.example.test", "--connect", &address], b"");
    assert!(output.status.success(), "{output:?}");
    assert!(stdout(&output).starts_with(&kit.testkit.pki().pin("backend")), "{output:?}");
    assert!(stderr(&output).contains("does not trust"), "{output:?}");
    let output = run(
        &["pin", "--json", "--live", &format!("localhost:{}", kit.testkit.server("tls12").port())],
        b"",
    );
    let value = parsed(&output);
    assert_eq!(value["pins"][1]["pin"], kit.testkit.pki().pin("intermediate"));
    assert_eq!(value["trusted"], false);

    for target in ["", "a b", "a:0", "a:99999", "*.example.com"] {
        assert_eq!(run(&["pin", "--live", target], b"").status.code(), Some(2), "{target}");
    }
    for (server, code) in [("garbage", 24), ("close_on_accept", 24)] {
        let address = kit.testkit.server(server).addr().to_string();
        let output = run(&["pin", "--live", "api.example.test", "--connect", &address], b"");
        assert_eq!(output.status.code(), Some(code), "{server}");
    }
}

#[test]
fn a_pinned_request_prints_the_body_and_says_what_matched() {
    let kit = Kit::new("fetch");
    let pins = kit.pins("backend", json!({}));
    let output = kit.fetch("backend", &pins, &[URL, "-H", "X-One: 1", "-d", "hello"]);
    assert!(output.status.success(), "{output:?}");
    let echo = parsed(&output);
    assert_eq!((&echo["method"], &echo["body_base64"]), (&json!("POST"), &json!("aGVsbG8=")));
    assert!(stderr(&output).contains(&kit.testkit.pki().pin("backend")), "{output:?}");

    let output = kit.fetch("backend", &pins, &[URL, "--json", "-X", "DELETE"]);
    let value = parsed(&output);
    assert_eq!((&value["status"], &value["pinning"]["outcome"]), (&json!(200), &json!("match")));

    let file = kit.path("body");
    let output = kit.fetch("backend", &pins, &["https://api.example.test/bytes/1000", "-o", &file]);
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert_eq!(std::fs::read(file).expect("written").len(), 1_000);
}

#[test]
fn a_request_takes_a_pin_set_in_every_form() {
    let kit = Kit::new("forms");
    let owner = kit.testkit.owner();
    let payload = Owner::payload(kit.testkit.pki(), 1, &["backend"]);
    for (name, pins) in [
        ("payload.json", payload.to_string().into_bytes()),
        ("bundle.json", owner.bundle(&payload)),
        ("embedded.json", owner.embedded(&payload).to_string().into_bytes()),
    ] {
        let pins = kit.write(name, pins);
        let output = kit.fetch("backend", &pins, &[URL]);
        assert!(output.status.success(), "{name}: {output:?}");
        let output = kit.fetch("rotated", &pins, &[URL]);
        assert_eq!(output.status.code(), Some(10), "{name}: {output:?}");
    }
}

#[test]
fn each_class_of_error_has_its_exit_code() {
    let kit = Kit::new("codes");
    let pins = kit.pins("backend", json!({}));
    let to = |path: &str| format!("https://api.example.test{path}");
    for (server, url, exit, code) in [
        ("interceptor", to("/"), 10, "pin_mismatch"),
        ("impostor", to("/"), 11, "certificate_unknown_issuer"),
        ("expired", to("/"), 11, "certificate_expired"),
        ("backend", "https://www.example.test/".into(), 12, "host_not_pinned"),
        ("backend", to("/hang"), 22, "timeout_total"),
        ("backend", to("/truncated"), 23, "truncated"),
        ("backend", to("/close"), 23, "connection_lost"),
        ("garbage", to("/"), 24, "tls_failed"),
        ("backend", to("/redirect?code=302&to=http%3A%2F%2Fa.example"), 30, "insecure_redirect"),
        ("backend", to("/garbage"), 31, "invalid_response"),
        ("backend", "http://api.example.test/".into(), 2, "invalid_url"),
    ] {
        // The others end by themselves, on a slow machine too.
        let seconds = if code == "timeout_total" { "1" } else { "30" };
        let output = kit.fetch(server, &pins, &[&url, "--json", "--timeout", seconds]);
        assert_eq!(output.status.code(), Some(exit), "{server} {url}: {output:?}");
        assert_eq!(parsed(&output)["error"]["code"], code, "{server} {url}");
    }
}

#[test]
fn a_mismatch_is_explained() {
    let kit = Kit::new("explained");
    let pins = kit.pins("backend", json!({}));
    let output = kit.fetch("interceptor", &pins, &[URL]);
    let text = stderr(&output);
    for part in ["matches no pin", "Interception Authority", "pin set 3", "in the middle"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('\x1b'), "colours without a terminal");
    let certificate =
        &parsed(&kit.fetch("interceptor", &pins, &[URL, "--json"]))["error"]["certificate"];
    assert_eq!(certificate["presented_pin"], kit.testkit.pki().pin("interceptor"));
}

/// `evaluate` by the roots of the testkit's "system".
fn evaluate(kit: &Kit, pins: &str, chain: &str, more: &[&str]) -> Output {
    let (chain, roots) = (kit.path(&format!("{chain}.chain.pem")), kit.path("roots.pem"));
    let given = ["evaluate", "--pins", pins, "--chain", &chain, "--roots", &roots, "--json"];
    let host = if more.contains(&"--host") { &[][..] } else { &["--host", "api.example.test"] };
    run(&[&given[..], host, more].concat(), b"")
}

#[test]
fn a_chain_is_judged_without_a_connection() {
    let kit = Kit::new("evaluate");
    let pki = kit.testkit.pki();
    let pins = kit.pins("intermediate", json!({ "include_subdomains": true }));
    let blocked = kit.write("blocked.json", json!({
        "schema": 1, "hosts": [], "blocked_spki": [pki.pin("intermediate").replace("sha256/", "")],
    }).to_string());
    let lapsed = kit.pins("rotated", json!({ "expires": "2026-01-01T00:00:00Z" }));
    let [at, late] = ["2026-11-21T12:00:00Z", "2060-01-01T00:00:00+02:00"];
    for (pins, chain, more, exit, decision, verdict, trust) in [
        (&pins, "backend", &["--at", at][..], 0, "allow", "match", "trusted"),
        (&pins, "backend_root", &["--at", at], 0, "allow", "match", "trusted"),
        (&pins, "interceptor", &["--at", at], 1, "block", "no_match", "trusted"),
        (&pins, "pasted", &["--at", at], 1, "block", "no_match", "trusted"),
        (&pins, "impostor", &["--at", at], 1, "block", "no_match", "unknown_issuer"),
        (&pins, "backend", &["--at", late], 1, "block", "no_match", "expired"),
        (&pins, "not_yet_valid", &["--at", at], 1, "block", "no_match", "not_yet_valid"),
        (&pins, "wrong_host", &["--at", at], 1, "block", "no_match", "wrong_host"),
        (&pins, "self_signed_ca", &["--at", at], 1, "block", "no_match", "invalid"),
        (&pins, "backend", &["--host", "127.0.0.1"], 0, "allow", "not_pinned", "trusted"),
        (
            &pins,
            "backend",
            &["--host", "127.0.0.1", "--deny-unpinned"],
            1,
            "block",
            "not_pinned",
            "trusted",
        ),
        (&blocked, "backend", &["--at", at], 1, "block", "blocked_key", "trusted"),
        (&lapsed, "backend", &["--at", at], 0, "allow", "lapsed", "trusted"),
    ] {
        let output = evaluate(&kit, pins, chain, more);
        assert_eq!(output.status.code(), Some(exit), "{chain} {more:?}: {output:?}");
        let value = parsed(&output);
        let found = ["decision", "verdict", "trust"].map(|member| value[member].clone());
        assert_eq!(found, [decision, verdict, trust], "{chain} {more:?}");
    }
}

#[test]
fn the_judgement_says_which_entry_pin_and_path_and_who_is_in_the_middle() {
    let kit = Kit::new("evaluate-json");
    let pki = kit.testkit.pki();
    let pins = kit.pins("intermediate", json!({ "trust": "system_and_pin" }));
    let value = parsed(&evaluate(&kit, &pins, "backend", &[]));
    let policy = ["host", "mode", "trust"].map(|member| value["policy"][member].clone());
    assert_eq!(policy, ["api.example.test", "enforce", "system_and_pin"]);
    let matched = ["pin", "at", "subject"].map(|member| value["matched"][member].clone());
    assert_eq!(matched, [&pki.pin("intermediate")[..], "ca", "Pinfold Test Intermediate"]);
    assert_eq!(value["path"], json!(["backend", "intermediate", "root"].map(|name| pki.pin(name))));
    assert_eq!(value["interception"], Value::Null);

    let value = parsed(&evaluate(&kit, &pins, "interceptor", &[]));
    assert_eq!(value["matched"], Value::Null);
    assert_eq!(value["path"], json!(["interceptor", "other_root"].map(|name| pki.pin(name))));
    let report = &value["interception"];
    assert_eq!(report["kind"], "rotated_or_misissued");
    assert_eq!(report["evidence"][0]["code"], "not_public");
    assert!(report["message"].as_str().is_some_and(|text| text.contains("Update the app")));
    assert_eq!(value["error"]["code"], "pin_mismatch");

    let unpinned = ["--host", "localhost"];
    let value = parsed(&evaluate(&kit, &pins, "backend", &unpinned));
    assert_eq!((&value["policy"], &value["matched"]), (&Value::Null, &Value::Null));

    // The same in words.
    let (chain, roots) = (kit.path("interceptor.chain.pem"), kit.path("roots.pem"));
    let output = run(
        &[
            "evaluate",
            "--pins",
            &pins,
            "--host",
            "api.example.test",
            "--chain",
            &chain,
            "--roots",
            &roots,
        ],
        b"",
    );
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    for part in ["decision  block", "verdict   no_match", "rotated_or_misissued", "pin_mismatch"] {
        assert!(stdout(&output).contains(part), "{part}: {output:?}");
    }
}

#[test]
fn input_that_cannot_be_judged_is_exit_2() {
    let kit = Kit::new("evaluate-bad");
    let pins = kit.pins("backend", json!({}));
    let chain = kit.path("backend.chain.pem");
    let broken =
        kit.write("broken.pem", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
    let empty = kit.write("empty.pem", "");
    let key = kit.path("backend.key.pem");
    let text = kit.write("text.json", "no JSON");
    let host = "api.example.test";
    for (pins, chain, host, more) in [
        (&text, &chain, host, &[][..]),
        (&pins, &broken, host, &[]),
        (&pins, &empty, host, &[]),
        (&pins, &key, host, &[]),
        (&pins, &kit.path("none.pem"), host, &[]),
        (&pins, &chain, "*", &[]),
        (&pins, &chain, "", &[]),
        (&pins, &chain, host, &["--at", "yesterday"]),
        (&pins, &chain, host, &["--roots", "/nonexistent"]),
        (&pins, &chain, host, &["--roots", &key]),
    ] {
        let given = ["evaluate", "--pins", pins, "--chain", chain, "--host", host, "--json"];
        let output = run(&[&given[..], more].concat(), b"");
        assert_eq!(output.status.code(), Some(2), "{chain} {host} {more:?}: {output:?}");
        assert!(parsed(&output)["error"]["code"].is_string());
    }
    // A certificate that cannot be read is a server's fault, and a refusal.
    let rubbish = kit
        .write("rubbish.pem", "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n");
    let given = ["evaluate", "--pins", &pins, "--chain", &rubbish, "--host", host, "--json"];
    let output = run(&given, b"");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(parsed(&output)["trust"], "invalid");
}

#[test]
fn a_refusal_says_who_is_in_the_middle() {
    let kit = Kit::new("middle");
    let pins = kit.pins("backend", json!({}));
    for (server, kind) in [("interceptor", "rotated_or_misissued"), ("portal", "captive_portal")] {
        let value = parsed(&kit.fetch(server, &pins, &[URL, "--json"]));
        assert_eq!(value["error"]["interception"]["kind"], kind, "{value:#}");
    }
    let value = parsed(&kit.fetch("garbage", &pins, &[URL, "--json"]));
    assert_eq!(value["error"]["interception"], Value::Null);
}

#[test]
fn report_only_passes_and_warns() {
    let kit = Kit::new("report");
    let pins = kit.pins("backend", json!({ "mode": "report_only" }));
    let output = kit.fetch("interceptor", &pins, &[URL, "--json"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(parsed(&output)["pinning"]["outcome"], "report_only");
    assert!(stderr(&output).contains("only reported"), "{output:?}");
}

#[test]
fn bad_arguments_are_exit_2() {
    let kit = Kit::new("arguments");
    let pins = kit.pins("backend", json!({}));
    let broken = kit.write("broken.json", b"{\"schema\":1,\"hosts\":[{}]}");
    for more in [
        vec![URL, "-H", "no colon"],
        vec![URL, "-H", "Host: a"],
        vec![URL, "-X", "CONNECT"],
        vec![URL, "-X", "GET", "-d", "x"],
        vec![URL, "-d", "@/nonexistent"],
        vec![URL, "--timeout", "-1"],
        vec![URL, "--timeout", "NaN"],
        vec![URL, "--timeout", "0"],
        vec![URL, "--connect", "a:443"],
        vec![URL, "--connect", "a:443:b"],
        vec![URL, "--unknown"],
    ] {
        let output = kit.fetch("backend", &pins, &more);
        assert_eq!(output.status.code(), Some(2), "{more:?}: {output:?}");
    }
    let output = kit.fetch("backend", &broken, &[URL]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("hosts[0]"), "{output:?}");
    let unwritable = kit.fetch("backend", &pins, &[URL, "-o", "/nonexistent/file"]);
    assert_eq!(unwritable.status.code(), Some(3));
}

/// ureq would take its proxy from there by default.
#[test]
fn proxies_in_the_environment_are_not_used() {
    let kit = Kit::new("proxy");
    let pins = kit.pins("backend", json!({}));
    let connect = format!("api.example.test:443:{}", kit.testkit.server("backend").addr());
    let roots = kit.path("roots.pem");
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinfold"));
    command.args(["fetch", URL, "--pins", &pins, "--roots", &roots, "--connect", &connect]);
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY"] {
        command.env(name, "http://127.0.0.1:9");
    }
    let output = command.output().expect("the binary");
    assert!(output.status.success(), "{output:?}");
}

/// The real platform verifier, told by the environment which authorities this system has.
#[cfg(target_os = "linux")]
#[test]
fn the_systems_own_verifier_judges_before_pins_do() {
    let kit = Kit::new("system");
    for (server, pinned, exit) in [
        ("backend", "backend", 0),
        ("backend", "intermediate", 0),
        ("backend_root", "root", 0),
        ("interceptor", "root", 10),
        ("pasted", "intermediate", 10),
        ("pasted", "root", 10),
        ("same_name_ca", "intermediate", 10),
        ("impostor", "impostor", 11),
        ("expired", "expired", 11),
        ("wrong_host", "wrong_host", 11),
    ] {
        let pins = kit.pins(pinned, json!({}));
        let connect = format!("api.example.test:443:{}", kit.testkit.server(server).addr());
        let output = Command::new(env!("CARGO_BIN_EXE_pinfold"))
            .args(["fetch", URL, "--pins", &pins, "--roots", "system", "--connect", &connect])
            .env("SSL_CERT_FILE", kit.path("roots.pem"))
            .env("SSL_CERT_DIR", "/nonexistent")
            .output()
            .expect("the binary");
        assert_eq!(output.status.code(), Some(exit), "{server} pinned {pinned}: {output:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_exit_3() {
    let kit = Kit::new("full");
    let full = std::fs::File::options().write(true).open("/dev/full").expect("a full device");
    let status = Command::new(env!("CARGO_BIN_EXE_pinfold"))
        .args(["pin", &kit.path("backend.pem")])
        .stdout(full)
        .stderr(Stdio::null())
        .status();
    assert_eq!(status.expect("the binary").code(), Some(3));
}

#[test]
fn wrong_arguments_are_json_where_json_was_asked_for() {
    let output = run(&["pin", "--json", "--bogus"], b"");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(parsed(&output)["error"]["code"], "invalid_input");
    let help = run(&["fetch", "--json", "--help"], b"");
    assert!(help.status.success() && stdout(&help).contains("Examples:"), "{help:?}");
}

#[test]
fn commands_of_the_readme_are_understood() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"));
    let readme = readme.expect("the README");
    let commands: Vec<_> = readme.lines().filter(|l| l.starts_with("pinfold ")).collect();
    assert!(commands.len() >= 4, "{commands:?}");
    for command in commands {
        let words = command.split('#').next().expect("a part").split_whitespace().skip(1);
        // Everything up to --help is parsed.
        let output = run(&words.chain(["--help"]).collect::<Vec<_>>(), b"");
        assert!(output.status.success(), "{command}: {output:?}");
    }
}
