//! Pin sets are written by commands, and what the owner wrote stays as it was written.

use serde_json::json;

use super::{A, B, C, D, Desk};

/// As somebody likes it, who is not this tool.
const BY_HAND: &str = "{\r\n\
    \x20 \"note\": \"ask Ana before you touch status\",  \"schema\" : 1,\r\n\
    \t\"hosts\": [ {\"pins\":[{\"label\":\"2026\", \"sha256\":\"YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=\"},\r\n\
    \t\t{\"sha256\":\"sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=\", \"state\":\"backup\"}], \"host\":\"API.example.com\"} ] }";

#[test]
fn nothing_but_what_was_asked_for_changes() {
    let desk = Desk::with("by-hand", "pins.json", BY_HAND);
    let said = desk.ok(&["host", "mode", "pins.json", "api.example.com", "report_only"]);
    assert_eq!(said, "WEAKENS: api.example.com was enforce and is report_only\n");
    let expected = BY_HAND.replace(
        "\"host\":\"API.example.com\"",
        "\"host\":\"API.example.com\", \"mode\": \"report_only\"",
    );
    assert_eq!(desk.text("pins.json"), expected);

    desk.ok(&["host", "promote", "pins.json", "api.example.com", B, "--retire-others"]);
    let expected = expected
        .replace("\"backup\"", "\"active\"")
        .replace("Fuihg=\"}", "Fuihg=\", \"state\": \"retiring\"}");
    assert_eq!(desk.text("pins.json"), expected);
}

#[test]
fn an_entry_is_written_as_a_person_would() {
    let desk = Desk::new("entry");
    desk.ok(&["init", "pins.json", "--static", "--note", "ours"]);
    let key = format!("sha256/{A}");
    let said = desk.ok(&[
        "host",
        "add",
        "pins.json",
        "Example.COM",
        "--subdomains",
        "--pin",
        &key,
        "--at",
        "ca",
        "--label",
        "root",
    ]);
    assert_eq!(said, "CHANGES: example.com has an entry now: report_only, 1 pins\n");
    let expected = format!(
        "{{\n  \"schema\": 1,\n  \"version\": 1,\n  \"note\": \"ours\",\n  \"hosts\": [\n    {{\n      \
         \"host\": \"example.com\",\n      \"include_subdomains\": true,\n      \"mode\": \"report_only\",\n      \
         \"pins\": [\n        {{ \"sha256\": \"{A}\", \"at\": \"ca\", \"state\": \"active\", \"label\": \"root\" }}\n      \
         ]\n    }}\n  ]\n}}\n"
    );
    assert_eq!(desk.text("pins.json"), expected);
    // One pin is a lock without a spare key: nothing is written.
    let error = desk.refused(&["host", "mode", "pins.json", "example.com", "enforce"]);
    assert!(error.contains("two distinct pins"), "{error}");
    assert_eq!(desk.text("pins.json"), expected);

    desk.ok(&["host", "add", "pins.json", "example.com", "--backup", &format!("sha256/{B}")]);
    desk.ok(&["host", "mode", "pins.json", "example.com", "enforce", "--percent", "100"]);
    desk.ok(&["host", "mode", "pins.json", "example.com", "enforce"]);
    let entry = &desk.json("pins.json")["hosts"][0];
    assert_eq!(entry["mode"], "enforce");
    assert!(entry.get("enforce_percent").is_none());
    assert_eq!(entry["pins"][1], json!({ "sha256": B, "at": "any", "state": "backup" }));
    let error =
        desk.refused(&["host", "add", "pins.json", "example.com", "--pin", &key, "--mode", "off"]);
    assert!(error.contains("host mode"), "{error}");
    let error = desk.refused(&[
        "host",
        "add",
        "pins.json",
        "example.com",
        "--backup",
        &format!("sha256/{B}"),
    ]);
    assert!(error.contains("listed before"), "{error}");
}

#[test]
fn pins_are_retired_and_removed_by_name() {
    let pins = json!({ "schema": 1, "hosts": [{ "host": "a.example.com", "pins": [
        { "sha256": A, "label": "2026" }, { "sha256": B, "state": "backup" }, { "cert_sha256": C } ] }] });
    let desk = Desk::with("by-name", "pins.json", &pins.to_string());
    let said = desk.ok(&["host", "retire", "pins.json", "a.example.com", "2026"]);
    assert_eq!(
        said,
        format!("CHANGES: a.example.com has sha256/{A} (2026) as retiring, which was active\n")
    );
    let said = desk.ok(&["host", "remove", "pins.json", "a.example.com", &A[..8]]);
    assert_eq!(
        said,
        format!("TIGHTENS: a.example.com no longer accepts sha256/{A} (2026) at any, retiring\n")
    );
    let before = desk.text("pins.json");
    let error = desk.refused(&[
        "host",
        "remove",
        "pins.json",
        "a.example.com",
        &format!("cert-sha256/{C}"),
    ]);
    assert!(error.contains("two distinct pins"), "{error}");
    for (name, words) in [("sha256/", "no pin"), (A, "no pin"), (&B[..3], "no pin"), ("", "no pin")]
    {
        let error = desk.refused(&["host", "retire", "pins.json", "a.example.com", name]);
        assert!(error.contains(words) && error.contains(B), "{name}: {error}");
    }
    let error = desk.refused(&["host", "mode", "pins.json", "b.example.com", "off"]);
    assert!(error.contains("no entry for b.example.com"), "{error}");
    assert_eq!(desk.text("pins.json"), before);
    let said = desk.ok(&["host", "remove", "pins.json", "a.example.com", "--entry"]);
    assert!(said.starts_with("WEAKENS: a.example.com has no entry any more"), "{said}");
    assert_eq!(desk.json("pins.json")["hosts"], json!([]));
}

#[test]
fn a_dry_run_writes_nothing_and_an_output_leaves_the_file() {
    let desk = Desk::with("dry", "pins.json", BY_HAND);
    let mode = ["host", "mode", "pins.json", "api.example.com", "off"];
    let said = desk.ok(&[&mode[..], &["--dry-run", "--json"]].concat());
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(said["output"], json!(null));
    assert_eq!(said["changes"][0]["effect"], "weakens");
    assert_eq!(desk.text("pins.json"), BY_HAND);
    desk.ok(&[&mode[..], &["-o", "new.json"]].concat());
    assert_eq!(desk.text("pins.json"), BY_HAND);
    assert_eq!(desk.json("new.json")["hosts"][0]["mode"], "off");
}

#[test]
fn a_private_key_is_no_source_of_pins_and_is_not_printed() {
    let desk = Desk::with("key", "pins.json", BY_HAND);
    desk.ok(&["keygen", "--out", "key.pem", "--id", "k"]);
    let key = desk.text("key.pem");
    for option in ["--pin", "--backup"] {
        let error = desk.refused(&["host", "add", "pins.json", "b.example.com", option, "key.pem"]);
        assert!(error.contains("key.pem") && error.contains("private key"), "{error}");
        for line in key.lines().filter(|line| !line.starts_with("-----")) {
            assert!(!error.contains(line), "{error}");
        }
    }
    let error = desk.refused(&["block", "pins.json", "key.pem"]);
    assert!(error.contains("private key"), "{error}");
    assert_eq!(desk.text("pins.json"), BY_HAND);
    desk.ok(&["host", "add", "pins.json", "b.example.com", "--pin", "key.pem.pub"]);
    assert_eq!(desk.json("pins.json")["hosts"][1]["pins"][0]["at"], "leaf");
}

fn signed(desk: &Desk) {
    desk.ok(&[
        "init",
        "pins.json",
        "--stream",
        "com.example.bank/prod",
        "--app",
        "android:com.example.bank",
        "--app",
        "ios:ABCDE12345.com.example.bank",
        "--update-url",
        "https://pins.example.net/bundle.json",
        "--issued",
        "2026-11-10T00:00:00Z",
    ]);
    let (key, spare) = (format!("sha256/{A}"), format!("sha256/{B}"));
    desk.ok(&[
        "host",
        "add",
        "pins.json",
        "api.example.com",
        "--pin",
        &key,
        "--backup",
        &spare,
        "--at",
        "leaf",
        "--mode",
        "enforce",
    ]);
}

#[test]
fn from_nothing_to_a_bundle_that_apps_accept() {
    let desk = Desk::new("to-bundle");
    signed(&desk);
    for id in ["root-a", "root-b", "pin"] {
        desk.ok(&["keygen", "--out", &format!("{id}.pem"), "--id", id]);
    }
    desk.ok(&[
        "root",
        "init",
        "--stream",
        "com.example.bank/prod",
        "--threshold",
        "2",
        "--key",
        "root-a=root-a.pem.pub",
        "--key",
        "root-b=root-b.pem.pub",
        "--pinset-key",
        "pin=pin.pem.pub",
        "--hosts",
        "example.com",
        "--issued",
        "2026-11-10T00:00:00Z",
        "-o",
        "root-1.json",
    ]);
    for id in ["root-a", "root-b"] {
        desk.ok(&["sign", "--in", "root-1.json", "--id", id, "--key", &format!("{id}.pem")]);
    }
    desk.ok(&[
        "lint",
        "pins.json",
        "--root",
        "root-1.json",
        "--at",
        "2026-11-11T00:00:00Z",
        "--allow",
        "W30=one mirror for now",
        "--allow",
        "W08=new",
    ]);
    desk.ok(&[
        "sign",
        "--type",
        "pinset",
        "--in",
        "pins.json",
        "--root",
        "root-1.json",
        "--id",
        "pin",
        "--key",
        "pin.pem",
        "-o",
        "pinset.json",
    ]);
    desk.ok(&["bundle", "--root", "root-1.json", "--pinset", "pinset.json", "-o", "bundle.json"]);
    desk.ok(&[
        "embed",
        "--root",
        "root-1.json",
        "--pinset",
        "pinset.json",
        "--audience",
        "android:com.example.bank",
        "--update-url",
        "https://pins.example.net/bundle.json",
        "--built",
        "2026-11-10T00:00:00Z",
        "-o",
        "app.json",
    ]);
    desk.ok(&[
        "verify",
        "--embedded",
        "app.json",
        "--bundle",
        "bundle.json",
        "--at",
        "2026-11-20T00:00:00Z",
    ]);

    // A root that does not allow a host is heeded before anything is written.
    let before = desk.text("pins.json");
    let error = desk.refused(&[
        "host",
        "add",
        "pins.json",
        "api.example.org",
        "--pin",
        &format!("sha256/{A}"),
        "--root",
        "root-1.json",
    ]);
    assert!(error.contains("the root does not allow api.example.org"), "{error}");
    assert_eq!(desk.text("pins.json"), before);
    // What is signed is not edited.
    let error = desk.refused(&["host", "mode", "pinset.json", "api.example.com", "off"]);
    assert!(error.contains("signed"), "{error}");
    let error = desk.refused(&["renew", "bundle.json"]);
    assert!(error.contains("signed"), "{error}");
    // What is published is what is in git, and then it is not.
    assert_eq!(desk.ok(&["diff", "bundle.json", "pins.json"]), "nothing changes for clients\n");
    desk.ok(&["host", "mode", "pins.json", "api.example.com", "off"]);
    assert!(
        desk.ends(1, &["diff", "bundle.json", "pins.json"])
            .starts_with("WEAKENS: api.example.com was")
    );
    // The next version follows the published one.
    desk.ok(&["renew", "pins.json", "--against", "bundle.json", "--root", "root-1.json"]);
    assert_eq!(desk.json("pins.json")["version"], 2);
}

#[test]
fn a_renewal_changes_three_members() {
    let desk = Desk::new("renew");
    signed(&desk);
    let before = desk.text("pins.json");
    assert_eq!(desk.json("pins.json")["expires"], "2027-01-09T00:00:00Z");
    let said = desk.ok(&["renew", "pins.json", "--issued", "2026-11-17T00:00:00Z"]);
    assert_eq!(
        said,
        "CHANGES: issued 2026-11-10T00:00:00Z is 2026-11-17T00:00:00Z\n\
         CHANGES: expires 2027-01-09T00:00:00Z is 2027-01-16T00:00:00Z\n\
         CHANGES: version 1 is 2\n"
    );
    let expected = before
        .replace("\"version\": 1", "\"version\": 2")
        .replace("2026-11-10T", "2026-11-17T")
        .replace("2027-01-09T", "2027-01-16T");
    assert_eq!(desk.text("pins.json"), expected);
    let error = desk.refused(&["renew", "pins.json", "--days", "400"]);
    assert!(error.contains("398 days"), "{error}");
    let error = desk.refused(&["renew", "pins.json", "--days", "99999999999999999"]);
    assert!(error.contains("too many"), "{error}");
    assert_eq!(desk.text("pins.json"), expected);
    desk.ok(&["init", "static.json", "--static"]);
    assert!(desk.refused(&["renew", "static.json"]).contains("static"));
    let error = desk.run(&["init", "static.json", "--static"]);
    assert_eq!(error.status.code(), Some(3), "it is not overwritten");
}

#[test]
fn keys_are_blocked_and_no_longer() {
    let desk = Desk::new("block");
    signed(&desk);
    let before = desk.text("pins.json");
    let (key, other) = (format!("sha256/{A}"), format!("sha256/{D}"));
    let output = desk.run(&["block", "pins.json", &key, &other]);
    let said = super::words(&output);
    assert!(said.contains(&format!("TIGHTENS: {key} is blocked for every host\n")), "{said}");
    assert!(said.contains("api.example.com pins a blocked key"), "{said}");
    assert_eq!(desk.json("pins.json")["blocked_spki"], json!([A, D]));
    assert!(desk.refused(&["block", "pins.json", &key]).contains("already"));
    assert!(
        desk.refused(&["block", "pins.json", &format!("cert-sha256/{C}")]).contains("only keys")
    );
    let said = desk.ok(&["block", "pins.json", &key, &other, "--lift"]);
    assert!(said.starts_with("WEAKENS: sha256/"), "{said}");
    assert!(desk.refused(&["block", "pins.json", &key, "--lift"]).contains("not blocked"));
    // An empty list is left; nothing else.
    assert_eq!(desk.text("pins.json").replace("  \"blocked_spki\": [],\n", ""), before);
}

#[test]
fn inspection_is_let_in_and_ended() {
    let desk = Desk::new("inspect");
    signed(&desk);
    let ca = format!("sha256/{C}");
    let add = [
        "inspect",
        "add",
        "pins.json",
        "acme-2026",
        "--ca",
        &ca,
        "--host",
        "api.example.com",
        "--never",
        "auth.example.com",
        "--until",
        "2027-03-31T00:00:00Z",
    ];
    let said = desk.ok(&add);
    assert_eq!(said, "WEAKENS: acme-2026 may inspect api.example.com until 2027-03-31T00:00:00Z\n");
    let written = &desk.json("pins.json")["inspection_authorities"][0];
    assert_eq!(written["spki_sha256"], C);
    assert_eq!(written["require"]["ca_installed_by_admin"], true);
    assert!(desk.refused(&add).contains("listed before"));
    let said = desk.ok(&["inspect", "remove", "pins.json", "acme-2026"]);
    assert_eq!(said, "TIGHTENS: acme-2026 may no longer inspect\n");
    assert!(
        desk.refused(&["inspect", "remove", "pins.json", "acme-2026"]).contains("no inspection")
    );
    desk.ok(&["init", "static.json", "--static"]);
    let error = desk.refused(&[&["inspect", "add", "static.json"], &add[3..]].concat());
    assert!(error.contains("static"), "{error}");
}
