//! Signed pin sets from the keys to the published file, as their owners make them.

mod ceremony;
mod documented;
mod errors;
mod lint;
mod lint_authorities;
mod lint_config;
mod lint_live;
mod machine;
mod mirrors;
mod monitoring;
mod pages;
mod passphrases;
mod playbooks;
mod publishing;
mod rules;
mod signers;
#[path = "../support/mod.rs"]
mod support;
mod watching;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const STREAM: &str = "com.example.bank/prod";
const APP: &str = "android:com.example.bank";
const ISSUED: &str = "2026-11-10T00:00:00Z";
const AT: &str = "2026-11-21T12:00:00Z";
/// The greatest version that there is.
const LAST: u64 = (1 << 53) - 1;

/// A folder with the files of a ceremony; every command runs in it.
struct Desk {
    dir: PathBuf,
}

impl Desk {
    fn new(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pinset").join(name);
        let _from_before = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a writable folder");
        Self { dir }
    }

    /// With three root keys of which two must sign and one for pin sets, the first root and pin
    /// set, and an app that ships with them.
    fn after_the_ceremony(name: &str) -> Self {
        let desk = Self::new(name);
        for key in ["root-a", "root-b", "root-c", "pin"] {
            desk.keygen(key);
        }
        desk.init("root-1.json");
        desk.sign("root-1.json", &["root-a", "root-b"]);
        desk.pinset(1, 0, "pin", "root-1.json");
        desk.embed("app-1.json", "root-1.json", "pinset-0-1.dsse.json");
        desk
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }

    fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(file), bytes).expect("a writable folder");
    }

    fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.path(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_slice(&self.read(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
    }

    fn command(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.dir).stdin(Stdio::null());
        command
    }

    /// Another program, which must succeed.
    fn tool(&self, program: &str, arguments: &[&str]) {
        let output = self.command(program, arguments).output();
        let output = output.unwrap_or_else(|e| panic!("{program}: {e}"));
        assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_pinfold"), arguments).output().expect("the binary")
    }

    /// Runs with `--json`, and answers what is printed.
    fn ok(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", words(&output));
        parsed(&output)
    }

    /// Runs with and without `--json`; answers the error's words after checking its code.
    fn fails(&self, exit: i32, arguments: &[&str]) -> String {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {}", words(&output));
        assert!(parsed(&output)["error"]["code"].is_string(), "{arguments:?}: {output:?}");
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {}", words(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
        words(&output)
    }

    fn keygen(&self, id: &str) -> Value {
        self.ok(&["keygen", "--out", &format!("{id}.pem"), "--id", id])
    }

    fn init(&self, file: &str) -> Value {
        let keys = ["root-a", "root-b", "root-c"].map(|id| format!("{id}={id}.pem.pub"));
        let [a, b, c] = keys.each_ref().map(String::as_str);
        self.ok(&[
            "root",
            "init",
            "--stream",
            STREAM,
            "--key",
            a,
            "--key",
            b,
            "--key",
            c,
            "--threshold",
            "2",
            "--pinset-key",
            "pin=pin.pem.pub",
            "--hosts",
            "example.com",
            "--max-validity-days",
            "120",
            "--max-grace-days",
            "90",
            "--issued",
            ISSUED,
            "-o",
            file,
        ])
    }

    /// Signs the envelope in `file` by the keys of these names.
    fn sign(&self, file: &str, ids: &[&str]) {
        for id in ids {
            self.ok(&["sign", "--in", file, "--key", &format!("{id}.pem"), "--id", id]);
        }
    }

    /// Makes `pinset-EPOCH-VERSION.dsse.json`, signed by one key of a root.
    fn pinset(&self, version: u64, epoch: u64, key: &str, root: &str) -> String {
        let payload = format!("pinset-{epoch}-{version}.json");
        let envelope = format!("pinset-{epoch}-{version}.dsse.json");
        self.write(&payload, pinset(version, epoch).to_string());
        self.ok(&[
            "sign",
            "--type",
            "pinset",
            "--in",
            &payload,
            "--key",
            &format!("{key}.pem"),
            "--id",
            key,
            "--root",
            root,
            "-o",
            &envelope,
        ]);
        envelope
    }

    fn embed(&self, file: &str, root: &str, pinset: &str) -> Value {
        self.ok(&[
            "embed",
            "--root",
            root,
            "--pinset",
            pinset,
            "--audience",
            APP,
            "--update-url",
            "https://pins.example.com/v1/bundle.json",
            "--built",
            ISSUED,
            "-o",
            file,
        ])
    }

    fn bundle(&self, file: &str, roots: &[&str], pinset: &str) -> Value {
        let given = ["bundle", "-o", file, "--pinset", pinset, "--root"];
        self.ok(&[&given[..], roots].concat())
    }

    /// What apps do with a bundle; the exit code, and a trace of each.
    fn verify(&self, bundle: &str, apps: &[&str]) -> (i32, Vec<Value>) {
        let given = ["verify", "--json", "--at", AT, "--bundle", bundle, "--embedded"];
        let output = self.run(&[&given[..], apps].concat());
        let traces = parsed(&output)["traces"].as_array().cloned();
        (output.status.code().expect("an end"), traces.unwrap_or_default())
    }
}

/// What the owner writes.
fn pinset(version: u64, epoch: u64) -> Value {
    json!({
        "schema": 1, "stream": STREAM, "aud": [APP], "version": version, "epoch": epoch,
        "issued": ISSUED, "expires": "2027-01-09T00:00:00Z", "grace_days": 60,
        "hosts": [{ "host": "api.example.com", "pins": [
            { "sha256": "YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=" },
            { "sha256": "sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=", "state": "backup" },
        ] }],
    })
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

/// What was printed for people, on both channels.
fn words(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|b| String::from_utf8_lossy(b));
    format!("{out}{err}")
}

/// Root version, epoch and version of a trace.
fn order(trace: &Value) -> [u64; 3] {
    ["root_version", "epoch", "version"].map(|member| trace[member].as_u64().expect("a number"))
}
