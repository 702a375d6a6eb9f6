//! The ceremony and the rotation of `docs/pin-sets.md`, word for word, and what happens to whoever
//! misspells a member on the way.

use std::time::SystemTime;

use pinfold_core::format_rfc3339_utc;
use pinfold_core::pinset::es256::raw_from_der;
use pinfold_core::pinset::{Bundle, Envelope, PINSET_TYPE, ROOT_TYPE, Signature, pae};
use serde_json::{Value, json};

use super::{AT, Desk, pinset, words};

const GUIDE: &str = include_str!("../../../docs/pin-sets.md");

/// The block of a language in the section of a title.
fn block(title: &str, language: &str) -> String {
    let (_, section) = GUIDE.split_once(&format!("\n### {title}\n")).expect("a section");
    let section = section.split("\n### ").next().expect("a section");
    let begin = format!("```{language}\n");
    let mut blocks = section.split(&begin).skip(1);
    let block = blocks.next().expect("a block").split("```\n").next().expect("its end");
    assert_eq!(blocks.next(), None, "{title} has one");
    block.to_owned()
}

/// The document of the guide, but of today: nobody publishes one that has ended.
fn document() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").as_secs();
    let day = |days: u64| format_rfc3339_utc(now + days * 86_400);
    let text = block("The document", "json");
    let dated = text.replace("2026-11-20T09:00:00Z", &day(0));
    let dated = dated.replace("2027-01-19T09:00:00Z", &day(60));
    assert_ne!(dated, text);
    dated
}

/// Runs a block as a shell does in which `pinfold` is on the path.
fn play(desk: &Desk, script: &str) -> String {
    let bin = desk.path("bin");
    std::fs::create_dir_all(&bin).expect("a writable folder");
    let tool = bin.join("pinfold");
    if !tool.exists() {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pinfold"), tool).expect("a link");
    }
    let path = std::env::var("PATH").expect("a path");
    let output = desk
        .command("bash", &["-euo", "pipefail", "-c", script])
        .env("PATH", format!("{}:{path}", bin.display()))
        .output()
        .expect("bash");
    assert!(output.status.success(), "{}", words(&output));
    words(&output)
}

#[cfg(unix)]
#[test]
fn the_ceremony_and_the_rotation_of_the_guide_run_word_for_word() {
    let desk = Desk::new("guide");
    desk.write("pinset.json", document());
    let said = play(&desk, &block("The ceremony, and publishing", "sh"));
    assert!(said.contains("clean  pinset.json"), "{said}");
    assert!(said.contains("accepted  pinfold.json  root 1, epoch 0, pin set 57, fresh"), "{said}");
    assert!(said.contains("published  public/bundle.json"), "{said}");
    assert!(!said.contains("warning") && !said.contains("error"), "{said}");
    assert_eq!(desk.read("public/bundle.json"), desk.read("bundle.json"));

    let said = play(&desk, &block("Publish first, then rotate", "sh"));
    assert!(said.contains("clean  pinset-58.json"), "{said}");
    assert!(said.contains("accepted  pinfold.json  root 2, epoch 0, pin set 58, fresh"), "{said}");
    assert!(said.contains("published  public/bundle.json"), "{said}");
    assert!(!said.contains("warning") && !said.contains("error"), "{said}");
    assert_eq!(desk.read("public/bundle.json"), desk.read("bundle-58.json"));
    // What the rotation did not say anew is as it was.
    let payload = |file: &str| -> Value {
        let envelope = Envelope::parse(&desk.read(file)).expect("an envelope");
        serde_json::from_slice(&envelope.payload).expect("JSON")
    };
    let [first, second] = ["root-1.json", "root-2.json"].map(payload);
    assert_eq!(first["constraints"], second["constraints"]);
    assert_eq!(second["constraints"]["hosts"], json!(["example.com"]));
}

/// What owners misspell: where, and the member that was meant.
const TYPOS: [(&str, &str, &str); 12] = [
    ("/hosts/0", "mdoe", "mode"),
    ("/hosts/0", "enforce_pct", "enforce_percent"),
    ("/hosts/0", "includeSubdomains", "include_subdomains"),
    ("/hosts/0", "on_lapsed", "on_lapse"),
    ("/hosts/0", "expire", "expires"),
    ("/hosts/0/pins/0", "sate", "state"),
    ("/hosts/0/pins/1", "lable", "label"),
    ("", "blocked_spkis", "blocked_spki"),
    ("", "updates", "update"),
    ("", "default", "defaults"),
    ("", "inspection_authority", "inspection_authorities"),
    ("/update", "url", "urls"),
];

/// A document in an envelope with a good signature that `pinfold sign` would not have made.
fn signed(desk: &Desk, payload_type: &str, document: &Value, keys: &[&str]) -> Envelope {
    let payload = document.to_string().into_bytes();
    desk.write("message", pae(payload_type, &payload));
    let signature = |id: &&str| {
        let key = format!("{id}.pem");
        desk.tool("openssl", &["dgst", "-sha256", "-sign", &key, "-out", "sig", "message"]);
        let sig = raw_from_der(&desk.read("sig")).expect("a signature").to_vec();
        Signature { keyid: (*id).to_owned(), sig }
    };
    let signatures = keys.iter().map(signature).collect();
    Envelope { payload_type: payload_type.to_owned(), payload, signatures }
}

#[test]
fn a_misspelt_member_is_refused_by_every_command_of_an_owner() {
    let desk = Desk::after_the_ceremony("typos");
    desk.bundle("good.json", &["root-1.json"], "pinset-0-1.dsse.json");
    let good = Bundle::parse(&desk.read("good.json")).expect("a bundle");
    desk.write("sig", [0x30; 64]);
    let pin = "sha256/YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=";
    desk.write("pins.txt", format!("c.example.com {pin}\n"));
    desk.write(
        "chain.pem",
        rcgen::generate_simple_self_signed(vec!["a.example".into()]).expect("good").cert.pem(),
    );
    let public = ["--public", "pin.pem.pub", "--id", "pin"];
    let by_root = ["--root", "root-1.json", "--id", "pin"];
    let url = ["--update-url", "https://pins.example.net/bundle.json"];
    for (place, typo, meant) in TYPOS {
        let mut document = pinset(2, 0);
        document["update"] = json!({});
        document.pointer_mut(place).expect("it is there")[typo] = json!({});
        desk.write("p.json", document.to_string());
        let envelope = signed(&desk, PINSET_TYPE, &document, &["pin"]);
        desk.write("e.json", envelope.to_json().to_string());
        let bundle = Bundle { roots: good.roots.clone(), pinset: envelope.clone() };
        desk.write("b.json", bundle.to_json());
        let mut embedded = desk.json("app-1.json");
        embedded["pinset"] = envelope.to_json();
        desk.write("a.json", embedded.to_string());
        let evaluate = |pins| {
            vec!["evaluate", "--host", "api.example.com", "--chain", "chain.pem", "--pins", pins]
        };
        let out = ["-o", "out.json"];
        let payload = ["--type", "pinset"];
        for arguments in [
            vec!["lint", "p.json"],
            vec!["lint", "e.json"],
            vec!["lint", "b.json"],
            vec!["lint", "a.json"],
            evaluate("p.json"),
            evaluate("e.json"),
            evaluate("b.json"),
            evaluate("a.json"),
            [&["sign", "--in", "p.json", "--key", "pin.pem"], &payload[..], &by_root, &out]
                .concat(),
            [&["sign", "--in", "e.json", "--exec", "cat sig"], &public[..]].concat(),
            [&["tbs", "p.json"], &payload[..]].concat(),
            vec!["tbs", "e.json"],
            [&["attach", "p.json", "--sig", "sig"], &payload[..], &public, &out].concat(),
            [&["attach", "e.json", "--sig", "sig"], &by_root[..]].concat(),
            [&["bundle", "--root", "root-1.json", "--pinset", "e.json"], &out[..]].concat(),
            [
                &["embed", "--root", "root-1.json", "--pinset", "e.json"],
                &url[..],
                &out,
                &["--audience", super::APP],
            ]
            .concat(),
            vec!["host", "add", "p.json", "b.example.com", "--pin", "pin.pem.pub"],
            vec!["host", "promote", "p.json", "api.example.com", "sRHd"],
            vec!["host", "retire", "p.json", "api.example.com", "YLh1"],
            vec!["host", "remove", "p.json", "api.example.com", "--entry"],
            vec!["host", "mode", "p.json", "api.example.com", "off"],
            vec!["block", "p.json", "pin.pem.pub"],
            vec!["inspect", "add", "p.json", "x", "--ca", "pin.pem.pub", "--host", "a.example"],
            vec!["inspect", "remove", "p.json", "x"],
            vec!["renew", "p.json"],
            vec!["diff", "pinset-0-1.json", "p.json"],
            vec!["import", "--from", "okhttp", "pins.txt", "--into", "p.json"],
            vec!["verify", "--embedded", "app-1.json", "--bundle", "b.json"],
            vec!["publish", "--embedded", "app-1.json", "--bundle", "b.json", "--to", "public"],
        ] {
            let text = desk.fails(2, &arguments);
            let hint = format!("no such member, the nearest is {meant:?}");
            assert!(text.contains(typo) && text.contains(&hint), "{arguments:?}: {text}");
        }
        // It prints no JSON.
        for file in ["p.json", "e.json", "b.json", "a.json"] {
            let output = desk.run(&["export", file, "--to", "okhttp", "-o", "out.json"]);
            assert_eq!(output.status.code(), Some(2), "{file}: {output:?}");
            assert!(words(&output).contains(typo), "{file}: {output:?}");
        }
        assert_eq!(desk.json("p.json"), document, "nothing was changed");
        // What is in the field goes on: it is only said.
        let output = desk.run(&["verify", "--embedded", "a.json", "--bundle", "good.json"]);
        let said = words(&output);
        assert!(said.contains("warning:") && said.contains(typo), "{said}");
    }
    assert!(!desk.path("out.json").exists() && !desk.path("public").exists());
}

#[test]
fn a_misspelt_member_of_a_static_pin_set_is_refused_too() {
    let desk = Desk::new("typos-static");
    desk.keygen("pin");
    let good = json!({ "schema": 1, "version": 1, "hosts": pinset(1, 0)["hosts"] });
    desk.write("good.json", good.to_string());
    let leaf = rcgen::generate_simple_self_signed(vec!["a.example".into()]).expect("good");
    desk.write("chain.pem", leaf.cert.pem());
    desk.write("pins.txt", "c.example.com sha256/YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=\n");
    for (place, typo, meant) in TYPOS.iter().chain(&[("", "verison", "version")]) {
        let mut document = good.clone();
        if *place == "/update" || ["updates", "inspection_authority"].contains(typo) {
            continue; // of signed ones only
        }
        document.pointer_mut(place).expect("it is there")[typo] = json!({});
        desk.write("s.json", document.to_string());
        for arguments in [
            &["lint", "s.json"][..],
            &["evaluate", "--host", "a.example", "--chain", "chain.pem", "--pins", "s.json"],
            &["host", "add", "s.json", "b.example.com", "--pin", "pin.pem.pub"],
            &["host", "mode", "s.json", "api.example.com", "off"],
            &["block", "s.json", "pin.pem.pub"],
            &["diff", "good.json", "s.json"],
            &["import", "--from", "okhttp", "pins.txt", "--into", "s.json"],
            &["fetch", "https://api.example.com/", "--pins", "s.json"],
        ] {
            let text = desk.fails(2, arguments);
            assert!(text.contains(typo), "{arguments:?}: {text}");
            let hint = format!("the nearest is {meant:?}");
            assert!(text.contains(&hint), "{arguments:?}: {text}");
        }
        assert_eq!(desk.json("s.json"), document, "nothing was changed");
    }
}

#[test]
fn a_misspelt_member_of_a_root_is_refused_too() {
    let desk = Desk::after_the_ceremony("typos-root");
    let first = Envelope::parse(&desk.read("root-1.json")).expect("an envelope");
    let mut root: Value = serde_json::from_slice(&first.payload).expect("JSON");
    root["constraint"] = json!({ "hosts": ["example.com"] });
    root["roles"]["pinset"]["treshold"] = json!(2);
    desk.write("payload.json", root.to_string());
    let envelope = signed(&desk, ROOT_TYPE, &root, &["root-a", "root-b"]);
    desk.write("r.json", envelope.to_json().to_string());
    for arguments in [
        &["tbs", "payload.json", "--type", "root"][..],
        &["tbs", "r.json"],
        &["sign", "--in", "r.json", "--key", "root-c.pem", "--id", "root-c"],
        &[
            "sign",
            "--in",
            "pinset-0-1.dsse.json",
            "--root",
            "r.json",
            "--key",
            "pin.pem",
            "--id",
            "pin",
        ],
        &["root", "rotate", "r.json", "-o", "out.json"],
        &["root", "add-key", "r.json", "--pinset-key", "x=root-a.pem.pub", "-o", "out.json"],
        &["bundle", "--root", "r.json", "--pinset", "pinset-0-1.dsse.json", "-o", "out.json"],
        &["lint", "pinset-0-1.dsse.json", "--root", "r.json"],
    ] {
        let text = desk.fails(2, arguments);
        for said in ["constraint", "\"constraints\"", "roles.pinset.treshold", "\"threshold\""] {
            assert!(text.contains(said), "{arguments:?}: {text}");
        }
    }
    assert!(!desk.path("out.json").exists());
}

#[test]
fn lint_and_evaluate_take_every_form() {
    let desk = Desk::after_the_ceremony("forms");
    desk.bundle("bundle.json", &["root-1.json"], "pinset-0-1.dsse.json");
    let signed = pinset(1, 0);
    let fixed = json!({ "schema": 1, "version": 1, "hosts": signed["hosts"] });
    desk.write("static.json", fixed.to_string());
    desk.write(
        "chain.pem",
        rcgen::generate_simple_self_signed(vec!["api.example.com".into()])
            .expect("good")
            .cert
            .pem(),
    );
    let forms =
        ["static.json", "pinset-0-1.json", "pinset-0-1.dsse.json", "bundle.json", "app-1.json"];
    for form in forms {
        let allow = ["--allow", "W30=one is enough here"];
        let lint = desk.ok(&[&["lint", form, "--at", AT], &allow[..]].concat());
        assert_eq!((&lint["clean"], &lint["version"]), (&json!(true), &json!(1)), "{form}");
        let evaluate =
            ["evaluate", "--host", "api.example.com", "--chain", "chain.pem", "--at", AT];
        let output = desk.run(&[&evaluate[..], &["--json", "--pins", form]].concat());
        assert_eq!(output.status.code(), Some(1), "{form}: {}", words(&output));
        assert_eq!(super::parsed(&output)["policy"]["host"], "api.example.com", "{form}");
    }
    // What has ended is an error in each that can end as a whole, and an entry by itself.
    for form in &forms[1..] {
        for (at, said) in [("2027-01-09T00:00:00Z", "expired"), ("2027-03-10T00:00:00Z", "lapsed")]
        {
            let output = desk.run(&["lint", form, "--at", at]);
            assert_eq!(output.status.code(), Some(1), "{form}: {}", words(&output));
            let text = words(&output);
            assert!(text.contains("E13  expires") && text.contains(said), "{form}: {text}");
        }
    }
    let mut ended = fixed;
    ended["hosts"][0]["expires"] = json!("2026-11-21T00:00:00Z");
    desk.write("ended.json", ended.to_string());
    let text = words(&desk.run(&["lint", "ended.json", "--at", AT]));
    assert!(text.contains("E13  hosts[0].expires"), "{text}");
    // And what is none of them is told without a word of what is in it.
    desk.write("other.json", r#"{"password": "correct horse battery"}"#);
    for arguments in [
        &["lint", "other.json"][..],
        &["evaluate", "--pins", "other.json", "--host", "a.example", "--chain", "chain.pem"],
    ] {
        let text = desk.fails(2, arguments);
        assert!(text.contains("not a pin set") && !text.contains("horse"), "{text}");
        assert!(!text.contains("password"), "{text}");
    }
}
