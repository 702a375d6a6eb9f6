//! Two pin sets are compared by what they mean, and no weakening is missed.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{A, B, C, CERT, D, Desk, words};

/// A signed pin set with one of everything.
fn everything() -> Value {
    json!({
        "schema": 1, "stream": "com.example.bank/prod", "aud": ["android:com.example.bank"],
        "version": 5, "epoch": 0, "issued": "2026-11-10T00:00:00Z", "expires": "2027-01-09T00:00:00Z",
        "grace_days": 30, "note": "n",
        "update": { "urls": ["https://pins.example.net/bundle.json"], "interval_s": 86400 },
        "blocked_spki": [D],
        "hosts": [
            { "host": "api.example.com", "enforce_percent": 50, "expires": "2026-12-24T00:00:00Z",
              "on_lapse": "block",
              "pins": [{ "sha256": A, "at": "leaf", "label": "a" }, { "sha256": B, "at": "leaf", "state": "backup" }] },
            { "host": "example.com", "include_subdomains": true, "mode": "report_only",
              "pins": [{ "sha256": A, "at": "any" }, { "sha256": B, "at": "ca" }] },
            { "host": "inner.example.net", "trust": "private_ca", "anchors": [CERT],
              "pins": [{ "sha256": A, "at": "leaf" }, { "sha256": B, "at": "leaf" }] },
            { "host": "status.example.org", "mode": "off" },
        ],
        "inspection_authorities": [
            { "id": "acme", "spki_sha256": C, "mode": "allow", "hosts": ["api.example.com"], "never_hosts": [],
              "not_before": "2026-10-01T00:00:00Z", "not_after": "2027-03-31T00:00:00Z",
              "require": { "managed_config": true, "managed_config_key": "k", "ca_installed_by_admin": true } }],
        "reporting": { "urls": ["https://reports.example.org/v1"] },
    })
}

fn changed(pointer: &str, value: Value) -> Value {
    let mut document = everything();
    let (outer, member) = pointer.rsplit_once('/').expect("a pointer");
    let outer = document.pointer_mut(outer).unwrap_or_else(|| panic!("{pointer}"));
    match (outer, value) {
        (Value::Object(members), Value::Null) => drop(members.remove(member)),
        (Value::Object(members), value) => drop(members.insert(member.to_owned(), value)),
        (Value::Array(items), Value::Null) => drop(items.remove(member.parse().expect("an index"))),
        (Value::Array(items), value) if member == "-" => items.push(value),
        (Value::Array(items), value) => items[member.parse::<usize>().expect("an index")] = value,
        _ => panic!("{pointer}"),
    }
    document
}

/// What is changed, what that does, and what the way back does.
fn table() -> Vec<(&'static str, Value, &'static str, &'static str, &'static str)> {
    let entry = |host: &str, mode: &str| json!({ "host": host, "mode": mode, "pins": [{ "sha256": A }, { "sha256": B }] });
    vec![
        (
            "/hosts/0",
            Value::Null,
            "weakens mode",
            "tightens mode",
            "the entry above reports with other pins",
        ),
        ("/hosts/1", Value::Null, "weakens entry", "changes entry", "an entry with subdomains"),
        (
            "/hosts/-",
            entry("new.example.org", "enforce"),
            "changes entry",
            "weakens entry",
            "a new host",
        ),
        (
            "/hosts/-",
            entry("new.example.org", "off"),
            "weakens entry",
            "changes entry",
            "a new host that is off",
        ),
        (
            "/hosts/-",
            entry("www.example.com", "off"),
            "weakens mode",
            "tightens mode",
            "an exemption below an entry",
        ),
        (
            "/hosts/1/include_subdomains",
            json!(false),
            "weakens subdomains",
            "changes subdomains",
            "",
        ),
        ("/hosts/0/mode", json!("report_only"), "weakens mode", "tightens mode", ""),
        ("/hosts/0/mode", json!("off"), "weakens mode", "tightens mode", ""),
        ("/hosts/0/enforce_percent", json!(51), "tightens mode", "weakens mode", ""),
        ("/hosts/1/mode", json!("off"), "weakens mode", "tightens mode", ""),
        ("/defaults", json!({ "mode": "off" }), "weakens mode", "tightens mode", "the kill switch"),
        ("/hosts/2/anchors/-", json!(OTHER_CERT), "weakens anchors", "tightens anchors", ""),
        (
            "/hosts/0/pins/-",
            json!({ "sha256": C, "at": "leaf" }),
            "changes pin",
            "tightens pin",
            "",
        ),
        ("/hosts/0/pins/-", json!({ "sha256": C, "at": "ca" }), "weakens pin", "tightens pin", ""),
        ("/hosts/0/pins/-", json!({ "sha256": C }), "weakens pin", "tightens pin", ""),
        (
            "/hosts/0/pins/-",
            json!({ "cert_sha256": C, "at": "leaf" }),
            "changes pin",
            "tightens pin",
            "",
        ),
        ("/hosts/0/pins/0/label", json!("b"), "changes pin", "changes pin", ""),
        ("/hosts/0/pins/0/at", json!("any"), "weakens pin_at", "tightens pin_at", ""),
        ("/hosts/0/pins/0/at", json!("ca"), "weakens pin_at", "tightens pin_at", ""),
        ("/hosts/1/pins/1/at", json!("any"), "weakens pin_at", "tightens pin_at", ""),
        ("/hosts/0/pins/1/state", json!("active"), "changes pin_state", "changes pin_state", ""),
        (
            "/hosts/0/expires",
            json!("2026-12-01T00:00:00Z"),
            "weakens expires",
            "tightens expires",
            "",
        ),
        ("/hosts/0/expires", Value::Null, "tightens expires", "weakens expires", ""),
        ("/hosts/0/on_lapse", json!("system_trust"), "weakens on_lapse", "tightens on_lapse", ""),
        ("/blocked_spki", json!([]), "weakens blocked", "tightens blocked", ""),
        ("/inspection_authorities", json!([]), "tightens inspection", "weakens inspection", ""),
        (
            "/inspection_authorities/0/hosts/-",
            json!("example.com"),
            "weakens inspection",
            "tightens inspection",
            "",
        ),
        (
            "/inspection_authorities/0/spki_sha256",
            json!(A),
            "weakens inspection",
            "weakens inspection",
            "",
        ),
        (
            "/inspection_authorities/0/require/ca_installed_by_admin",
            json!(false),
            "weakens inspection",
            "tightens inspection",
            "",
        ),
        ("/grace_days", json!(31), "weakens grace", "changes grace", ""),
        ("/aud/-", json!("ios:X"), "changes audience", "changes audience", ""),
        ("/version", json!(6), "changes order", "changes order", ""),
        ("/epoch", json!(1), "changes order", "changes order", ""),
        ("/issued", json!("2026-11-11T00:00:00Z"), "changes validity", "changes validity", ""),
        ("/expires", json!("2027-01-10T00:00:00Z"), "changes validity", "changes validity", ""),
        ("/update/interval_s", json!(7200), "changes update", "changes update", ""),
        ("/update/urls/-", json!("https://b.example.org/"), "changes update", "changes update", ""),
        ("/reporting", Value::Null, "changes reporting", "changes reporting", ""),
        ("/reporting/include_chain", json!(true), "changes reporting", "changes reporting", ""),
        ("/stream", json!("com.example.bank/test"), "changes form", "changes form", ""),
        ("/note", json!("other"), "changes note", "changes note", ""),
    ]
}

const CERT_SHA256: &str = "+zQPUBUCQ0DT9UYh20aWB78MG63fU6PzmZ0T6V/9xbY=";
const OTHER_CERT: &str = include_str!("other-anchor.b64").trim_ascii();

fn kinds(desk: &Desk, old: &Value, new: &Value) -> (i32, Vec<String>) {
    desk.write("old.json", old.to_string());
    desk.write("new.json", new.to_string());
    let output = desk.run(&["diff", "old.json", "new.json", "--json"]);
    let code = output.status.code().expect("an end");
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(code < 2, "{said:#}");
    let changes = said["changes"].as_array().expect("a list").iter();
    let kind = |change: &Value| {
        format!(
            "{} {}",
            change["effect"].as_str().expect("a text"),
            change["kind"].as_str().expect("a text")
        )
    };
    (code, changes.map(kind).collect())
}

#[test]
fn each_kind_of_difference_is_told_as_what_it_does() {
    let desk = Desk::new("kinds");
    let mut told = BTreeSet::new();
    let mut cases = Vec::new();
    for (pointer, value, there, back, why) in table() {
        let case = format!("{pointer} {value} {why}");
        cases.push((everything(), changed(pointer, value), there, back, case));
    }
    let mut trusting = changed("/hosts/2/trust", json!("system_and_pin"));
    trusting["hosts"][2]["anchors"] = json!([]);
    let mut pin_only = trusting.clone();
    pin_only["hosts"][2]["trust"] = json!("pin_only");
    cases.push((
        everything(),
        trusting.clone(),
        "weakens trust",
        "tightens trust",
        "private_ca".into(),
    ));
    cases.push((trusting, pin_only, "weakens trust", "tightens trust", "pin_only".into()));
    let mut carrying = everything();
    carrying["hosts"][1]["pins"][1] =
        json!({ "cert_sha256": CERT_SHA256, "at": "ca", "cert": CERT });
    let mut bare = carrying.clone();
    bare["hosts"][1]["pins"][1].as_object_mut().expect("an object").remove("cert");
    cases.push((
        carrying,
        bare,
        "changes carried",
        "changes carried",
        "a carried certificate".into(),
    ));

    for (old, new, there, back, case) in cases {
        for (old, new, expected) in [(&old, &new, there), (&new, &old, back)] {
            let (code, kinds) = kinds(&desk, old, new);
            assert!(kinds.iter().any(|kind| kind == expected), "{case}: {kinds:?}");
            let weakens = kinds.iter().any(|kind| kind.starts_with("weakens"));
            assert_eq!(code, i32::from(weakens), "{case}: {kinds:?}");
            assert!(
                kinds.is_sorted_by_key(|kind| ["weakens", "tightens", "changes"]
                    .iter()
                    .position(|effect| kind.starts_with(effect))),
                "{case}: {kinds:?}"
            );
            told.extend(kinds);
        }
    }
    // Every cell of the table in the documentation was told once.
    let docs = include_str!("../../../docs/cli.md");
    let (_, rest) = docs.split_once("<!-- table diff -->").expect("the table");
    let (rows, _) = rest.split_once("<!-- end -->").expect("its end");
    let mut cells = 0;
    for row in rows.lines().skip(3) {
        let row: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let name = row[0].trim_matches('`');
        for (effect, _) in ["weakens", "tightens", "changes"]
            .iter()
            .zip(&row[1..])
            .filter(|(_, cell)| **cell != "-")
        {
            assert!(told.contains(&format!("{effect} {name}")), "nobody saw {effect} {name}");
            cells += 1;
        }
    }
    assert!(cells > 30, "{cells}");
}

#[test]
fn how_it_is_written_is_no_difference() {
    let desk = Desk::new("written");
    let mut other = everything();
    other["defaults"] =
        json!({ "mode": "enforce", "trust": "system_and_pin", "on_lapse": "system_trust" });
    other["hosts"].as_array_mut().expect("a list").reverse();
    for entry in other["hosts"].as_array_mut().expect("a list") {
        if let Some(pins) = entry.get_mut("pins").and_then(Value::as_array_mut) {
            pins.reverse();
        }
        entry["host"] = json!(entry["host"].as_str().expect("a text"));
    }
    assert_eq!(kinds(&desk, &everything(), &other), (0, vec![]));
    assert_eq!(desk.ok(&["diff", "old.json", "new.json"]), "nothing changes for clients\n");
}

#[test]
fn an_entry_that_goes_leaves_its_host_to_the_one_above() {
    let desk = Desk::new("above");
    let entry = |host: &str, mode: &str, more: bool| json!({ "host": host, "mode": mode, "include_subdomains": more, "pins": [{ "sha256": A }, { "sha256": B }] });
    let above = entry("example.com", "enforce", true);
    let with = |more: &[Value]| {
        let hosts = [std::slice::from_ref(&above), more].concat();
        json!({ "schema": 1, "hosts": hosts })
    };
    let off = with(&[entry("api.example.com", "off", true)]);
    assert_eq!(kinds(&desk, &off, &with(&[])), (0, vec!["tightens mode".to_owned()]));
    assert_eq!(kinds(&desk, &with(&[]), &off), (1, vec!["weakens mode".to_owned()]));
    // For the host alone, the names below stay with the one above.
    let alone = with(&[entry("api.example.com", "off", false)]);
    let (code, kinds) = kinds(&desk, &off, &alone);
    assert_eq!((code, kinds), (0, vec!["changes subdomains".to_owned()]));
}

#[test]
fn the_old_one_may_come_from_a_pipe() {
    let desk = Desk::new("piped");
    desk.write("new.json", everything().to_string());
    let mut command = desk.command(&["diff", "-", "new.json"]);
    let piped = std::fs::File::open(desk.dir.join("new.json")).expect("a file");
    let output = command.stdin(piped).output().expect("the binary");
    assert_eq!(words(&output), "nothing changes for clients\n");
}

#[test]
fn a_file_that_is_no_pin_set_is_named() {
    let desk = Desk::with("no-pinset", "pins.json", r#"{ "schema": 1, "hosts": [] }"#);
    desk.write("page.html", "<html>");
    let error = desk.refused(&["diff", "pins.json", "page.html"]);
    assert!(error.contains("page.html"), "{error}");
    assert!(desk.refused(&["diff", "gone.json", "pins.json"]).contains("gone.json"));
}
