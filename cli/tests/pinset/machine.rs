//! What a machine does with the tool: CI, settings that nobody types, and what shells and `man` read.

use std::process::Output;

use serde_json::{Value, json};

use super::support::{Web, authority, issue, key, pem, present, private};
use super::{AT, Desk, STREAM, parsed, pinset, words};

const STEPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ci/pinfold-ci");
const CDN: &str = "pins.example.net";
const DR: &str = "pins.example.org";

/// A repository of pins, as docs/ci.md lays it out.
struct Repository {
    desk: Desk,
    web: Web,
}

impl Repository {
    fn new() -> Self {
        let desk = Desk::new("ci");
        for id in ["root", "pins"] {
            desk.keygen(id);
        }
        for folder in ["roots", "releases", "public"] {
            std::fs::create_dir(desk.path(folder)).expect("a folder");
        }
        let init =
            ["root", "init", "--stream", STREAM, "--key", "root=root.pem.pub", "--threshold"];
        let more = ["1", "--pinset-key", "pins=pins.pem.pub", "--hosts", "example.com"];
        desk.ok(&[&init[..], &more, &["-o", "roots/1.json"]].concat());
        desk.ok(&["sign", "--in", "roots/1.json", "--key", "root.pem", "--id", "root"]);

        let urls = [CDN, DR].map(|host| format!("https://{host}/v1/bundle.json"));
        let init = ["init", "pins.json", "--stream", STREAM, "--app", super::APP];
        let [a, b] = &urls;
        desk.ok(&[&init[..], &["--update-url", a, "--update-url", b]].concat());
        let (ca, own) = (authority("Root"), key());
        let leaf = issue(&["api.example.com"], &own, &ca);
        desk.write("leaf.pem", pem(std::slice::from_ref(&leaf)));
        let address = present(vec![leaf], private(&own));
        let spare = "sha256/sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=";
        let add = ["host", "add", "pins.json", "api.example.com", "--pin", "leaf.pem"];
        desk.ok(&[&add[..], &["--backup", spare, "--mode", "enforce"]].concat());
        let sign = ["sign", "--type", "pinset", "--in", "pins.json", "--key", "pins.pem", "--id"];
        desk.ok(&[&sign[..], &["pins", "--root", "roots/1.json", "-o", "first.dsse.json"]].concat());
        let embed = ["embed", "--root", "roots/1.json", "--pinset", "first.dsse.json"];
        let more = ["--audience", super::APP, "--update-url", a, "--update-url", b];
        desk.ok(&[&embed[..], &more, &["-o", "releases/1.0.json"]].concat());
        desk.bundle("public/bundle.json", &["roots/1.json"], "first.dsse.json");

        let web = Web::start(&[CDN, DR]);
        web.put("/v1/bundle.json", desk.read("public/bundle.json"));
        let roots = [ca.as_ref().der().clone(), web.root.clone()];
        desk.write("all.pem", pem(&roots));
        // What nobody types: where servers are in the tests.
        let connect = [CDN, DR].map(|host| format!("\"{}\"", web.connect(host))).join(", ");
        let api = format!("\"api.example.com:443:{address}\"");
        let settings = format!(
            "[monitor]\nroots = \"all.pem\"\nconnect = [{connect}, {api}]\n\
             [publish]\nroots = \"all.pem\"\nconnect = [{connect}]\nwait = 0\n\
             [lint]\nroots = \"all.pem\"\nconnect = [{api}]\n"
        );
        desk.write("pinfold.toml", settings);
        Self { desk, web }
    }

    fn step(&self, step: &str, variables: &[(&str, &str)]) -> Output {
        let mut command = self.desk.command("bash", &[STEPS, step]);
        command.env("PINFOLD", env!("CARGO_BIN_EXE_pinfold")).envs(variables.iter().copied());
        let _from_before = std::fs::remove_file(self.desk.path("output"));
        command.env("GITHUB_OUTPUT", "output").env("GITHUB_STEP_SUMMARY", "summary.md");
        command.output().expect("bash")
    }

    fn ok(&self, step: &str, variables: &[(&str, &str)]) -> String {
        let output = self.step(step, variables);
        assert!(output.status.success(), "{step}: {}", words(&output));
        words(&output)
    }
}

#[test]
fn the_steps_of_ci_from_a_review_to_a_renewal() {
    let repository = Repository::new();
    let desk = &repository.desk;
    let weakens = || String::from_utf8(desk.read("output")).expect("UTF-8").trim().to_owned();
    repository.ok("review", &[]);
    assert_eq!(weakens(), "weakens=false");

    // A change that weakens asks for a second reviewer, and has to say why.
    repository.ok("renew", &[]);
    assert_eq!(desk.json("pins.json")["version"], 2);
    let good = desk.read("pins.json");
    desk.run(&["host", "mode", "pins.json", "api.example.com", "report_only"]);
    let output = repository.step("review", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    assert_eq!(weakens(), "weakens=true");
    assert!(words(&output).contains("WEAKENS: api.example.com was enforce and is report_only"));
    let summary = String::from_utf8(desk.read("summary.md")).expect("UTF-8");
    assert!(summary.contains("WEAKENS: api.example.com"), "{summary}");
    let allowed = [("PINFOLD_LINT_ALLOW", "W24=a trial")];
    repository.ok("review", &allowed);
    let strict = [allowed[0], ("PINFOLD_STRICT", "1")];
    assert_eq!(repository.step("review", &strict).status.code(), Some(1));
    desk.write("pins.json", good);
    let sarif: Value = serde_json::from_slice(&desk.read("lint.sarif")).expect("SARIF");
    assert_eq!(sarif["version"], "2.1.0");

    // A key that never leaves its own tool.
    let targets = format!("site https://{CDN}/v1/bundle.json");
    let signer = ("PINFOLD_SIGNER", "openssl dgst -sha256 -sign pins.pem");
    let publish = [signer, ("PINFOLD_KEY_ID", "pins"), ("PINFOLD_TARGETS", &targets)];
    assert_eq!(repository.step("publish", &publish[..2]).status.code(), Some(2));
    let wrong = [("PINFOLD_SIGNER", "openssl dgst -sha256 -sign root.pem"), publish[1], publish[2]];
    assert_ne!(repository.step("publish", &wrong).status.code(), Some(0));
    assert!(!desk.path("site").exists(), "nothing is published under a wrong key");
    let said = repository.ok("publish", &publish);
    assert!(said.contains("published  site/bundle.json"), "{said}");
    assert_eq!(desk.read("public/bundle.json"), desk.read("site/bundle.json"));
    assert_eq!(repository.web.body("/v1/bundle.json"), Some(desk.read("site/bundle.json")));

    let said = repository.ok("watch", &[]);
    assert!(said.contains("ok       https://pins.example.org/v1/bundle.json"), "{said}");
    repository.web.answer("/v1/bundle.json", 500, "");
    assert_eq!(repository.step("watch", &[]).status.code(), Some(1));
    repository.ok("renew", &[]);
    assert_eq!(desk.json("pins.json")["version"], 3);
    assert_eq!(repository.step("dance", &[]).status.code(), Some(2));
}

#[test]
fn what_nobody_types_comes_from_the_environment_and_from_a_file() {
    let desk = Desk::after_the_ceremony("settings");
    desk.write("p.json", pinset(2, 0).to_string());
    let lint = |variables: &[(&str, &str)], more: &[&str]| {
        let mut command =
            desk.command(env!("CARGO_BIN_EXE_pinfold"), &[&["lint", "p.json"], more].concat());
        command.envs(variables.iter().copied()).output().expect("the binary")
    };
    let late = "2027-03-01T00:00:00Z";
    desk.write("pinfold.toml", format!("[lint]\nat = \"{AT}\"\njson = true\n"));
    let output = lint(&[], &[]);
    assert_eq!((output.status.code(), &parsed(&output)["clean"]), (Some(0), &json!(true)));
    // The environment before the file, and what is typed before both.
    let variable = [("PINFOLD_LINT_AT", late)];
    assert_eq!(lint(&variable, &[]).status.code(), Some(1));
    assert_eq!(lint(&variable, &["--at", AT]).status.code(), Some(0));
    assert!(!words(&lint(&[("PINFOLD_LINT_JSON", "0")], &[])).contains('{'));
    assert_eq!(lint(&[("PINFOLD_LINT_JSON", "perhaps")], &[]).status.code(), Some(2));
    for (file, said) in [
        ("[lint]\natt = 1\n", "lint.att: no such option"),
        ("[lnit]\nat = 1\n", "lnit: no such command"),
        ("[lint]\nat = \n", "pinfold.toml:2: not TOML"),
    ] {
        desk.write("pinfold.toml", file);
        let output = desk.run(&["renew", "p.json"]);
        assert_eq!(output.status.code(), Some(2), "{file}");
        assert!(words(&output).contains(said), "{file}: {}", words(&output));
    }
}

#[test]
fn shells_and_man_have_the_same_words_as_the_help() {
    let desk = Desk::new("extras");
    let run = |arguments: &[&str]| {
        let output = desk.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", words(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let text = run(&["completions", shell]);
        assert!(text.contains("check-live") && text.contains("network-security-config"), "{shell}");
    }
    desk.write("complete", run(&["completions", "bash"]));
    desk.tool("bash", &["-n", "complete"]);
    run(&["man", "man1"]);
    let page = |name: &str| String::from_utf8(desk.read(&format!("man1/{name}.1"))).expect("UTF-8");
    assert!(page("pinfold").contains("Exit codes"));
    assert!(page("pinfold-host-add").contains("accept\\-untrusted"));
    let version = run(&["--version"]);
    for fact in ["pinfold 0.", "commit", "target", "profile", "compiler rustc "] {
        assert!(version.contains(fact), "{fact}: {version}");
    }
    assert_eq!(run(&["-V"]).lines().count(), 1);
    // Every command has an example.
    let help = run(&["help"]);
    let commands = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    // What is indented further goes on with the line above.
    let own = commands.filter(|line| !line.starts_with("   "));
    let names: Vec<_> = own.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names.iter().filter(|name| !["help", "host", "root", "inspect"].contains(name)) {
        assert!(run(&[*name, "--help"]).contains("Example"), "{name}");
    }
}

#[test]
fn a_pin_is_what_openssl_makes_of_a_key() {
    let desk = Desk::new("openssl-pins");
    for (name, key) in [
        ("rsa", "rsa:2048"),
        ("p256", "ec -pkeyopt ec_paramgen_curve:P-256"),
        ("p384", "ec -pkeyopt ec_paramgen_curve:P-384"),
        ("p521", "ec -pkeyopt ec_paramgen_curve:P-521"),
        ("ed25519", "ed25519"),
    ] {
        let script = format!(
            "openssl req -x509 -nodes -newkey {key} -subj /CN={name} -days 30 -keyout k -out {name}.pem \
             2>/dev/null; openssl x509 -in {name}.pem -pubkey -noout | openssl pkey -pubin -outform der | \
             openssl dgst -sha256 -binary | openssl enc -base64 -A > {name}.pin"
        );
        desk.tool("bash", &["-euo", "pipefail", "-c", &script]);
        let expected = String::from_utf8(desk.read(&format!("{name}.pin"))).expect("base64");
        let value = parsed(&desk.run(&["pin", "--json", &format!("{name}.pem")]));
        assert_eq!(value["pins"][0]["pin"], format!("sha256/{expected}"), "{name}");
        // A key with which no handshake succeeds is told; an authority's may be pinned all the same.
        let trouble = value["pins"][0]["trouble"].as_str();
        assert_eq!(trouble.is_some(), name == "p521", "{name}: {trouble:?}");
    }
}

/// OpenSSL 3.0 cannot print such a key; Python's `cryptography` 50 has made the certificate and the
/// digest of its SubjectPublicKeyInfo.
#[test]
fn a_pin_of_a_key_that_openssl_cannot_read_is_taken_from_the_certificate() {
    let desk = Desk::new("ml-dsa-pin");
    desk.write("ca.pem", include_str!("../data/ml-dsa-44.pem"));
    let value = parsed(&desk.run(&["pin", "--json", "ca.pem"]));
    assert_eq!(value["pins"][0]["pin"], "sha256/xnjmBfBVpLB8L/3St8HmQFLK0L+iZ4O3l+TCyrns6sI=");
    assert!(value["pins"][0]["trouble"].is_string());
}
