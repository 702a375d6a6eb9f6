//! Keys, roots and pin sets: made, changed, lost and stolen.

use serde_json::{Value, json};

use super::{APP, AT, Desk, ISSUED, LAST, STREAM, order, parsed, words};

#[test]
fn the_document_of_the_documentation_can_be_signed() {
    let desk = Desk::after_the_ceremony("documentation");
    let text = include_str!("../../../docs/pin-sets.md");
    let blocks = text.split("```json\n").skip(1).map(|block| block.split("```").next());
    let mut document = blocks.flatten().filter(|block| block.contains("\"stream\""));
    desk.write("pins.json", document.next().expect("a document"));
    assert_eq!(document.next(), None);
    let sign = ["sign", "--type", "pinset", "--in", "pins.json", "--root", "root-1.json"];
    desk.ok(&[&sign[..], &["--id", "pin", "--key", "pin.pem", "-o", "signed.json"]].concat());
    desk.bundle("bundle.json", &["root-1.json"], "signed.json");
    let (exit, traces) = desk.verify("bundle.json", &["app-1.json"]);
    assert_eq!((exit, order(&traces[0])), (0, [1, 0, 57]));
}

#[test]
fn a_key_is_for_its_owner_alone_and_never_printed() {
    let desk = Desk::new("keygen");
    let made = desk.keygen("root-a");
    assert_eq!((&made["id"], &made["alg"]), (&json!("root-a"), &json!("ES256")));
    let pem = String::from_utf8(desk.read("root-a.pem")).expect("PEM");
    let secret: Vec<_> = pem.lines().filter(|line| !line.starts_with('-')).collect();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n") && secret.len() >= 3, "no PKCS#8");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(desk.path("root-a.pem")).expect("written").permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }
    // Other tools read both files.
    desk.tool("openssl", &["pkey", "-in", "root-a.pem", "-check", "-noout"]);
    desk.tool("openssl", &["pkey", "-in", "root-a.pem", "-pubout", "-out", "again.pub"]);
    assert_eq!(desk.read("again.pub"), desk.read("root-a.pem.pub"));
    let pin = parsed(&desk.run(&["pin", "--json", "root-a.pem.pub"]));
    assert_eq!(pin["pins"][0]["pin"], made["digest"]);

    // Nothing is overwritten, and half a pair is not left behind.
    let before = desk.read("root-a.pem");
    assert!(desk.fails(3, &["keygen", "--out", "root-a.pem"]).contains("not overwritten"));
    assert_eq!(desk.read("root-a.pem"), before);
    desk.write("b.pem.pub", "");
    assert!(desk.fails(3, &["keygen", "--out", "b.pem"]).contains("b.pem.pub"));
    assert!(!desk.path("b.pem").exists());
    assert!(desk.fails(3, &["keygen", "--out", "none/b.pem"]).contains("none/b.pem"));
    desk.fails(2, &["keygen", "--out", "-"]);
    desk.fails(2, &["keygen", "--out", "c.pem", "--id", "a=b"]);

    // No command repeats what is in it, whatever goes wrong.
    for arguments in [
        &["keygen", "--out", "d.pem"][..],
        &["pin", "root-a.pem"],
        &[
            "root",
            "init",
            "--stream",
            "s",
            "--key",
            "a=root-a.pem",
            "--threshold",
            "1",
            "--pinset-key",
            "a=root-a.pem",
            "-o",
            "r.json",
        ],
        &["sign", "--type", "pinset", "--in", "root-a.pem", "--key", "root-a.pem", "--id", "a"],
        &["attach", "root-a.pem", "--type", "root", "--id", "a", "--sig", "root-a.pem"],
    ] {
        let said = words(&desk.run(arguments));
        assert!(!secret.iter().any(|line| said.contains(line)), "{arguments:?}: {said}");
        assert!(!said.contains("BEGIN"), "{arguments:?}: {said}");
    }
}

#[test]
fn two_of_three_root_keys_begin_a_series() {
    let desk = Desk::new("ceremony");
    for key in ["root-a", "root-b", "root-c", "pin"] {
        desk.keygen(key);
    }
    let made = desk.init("root-1.json");
    assert_eq!(
        order(&json!({ "root_version": made["version"], "epoch": made["epoch"], "version": 0 })),
        [1, 0, 0]
    );
    assert_eq!(made["expires"], "2028-11-09T00:00:00Z");
    assert_eq!(desk.json("root-1.json")["signatures"], json!([]));

    // One signature is not enough, and two by one key are one.
    desk.pinset(1, 0, "pin", "root-1.json");
    let bundle = ["bundle", "--root", "root-1.json", "--pinset", "pinset-0-1.dsse.json", "-o", "b"];
    for _ in 0..2 {
        desk.sign("root-1.json", &["root-c"]);
        assert_eq!(desk.json("root-1.json")["signatures"].as_array().map(Vec::len), Some(1));
        assert!(desk.fails(2, &bundle).contains("signed by 1 of 2"));
    }
    let signed = ["sign", "--in", "root-1.json", "--key", "root-a.pem", "--id", "root-a"];
    let signed = desk.ok(&signed);
    assert_eq!(
        (&signed["counted"], &signed["threshold"]),
        (&json!(["root-a", "root-c"]), &json!(2))
    );

    desk.embed("app-1.json", "root-1.json", "pinset-0-1.dsse.json");
    desk.bundle("bundle.json", &["root-1.json"], "pinset-0-1.dsse.json");
    let (exit, traces) = desk.verify("bundle.json", &["app-1.json"]);
    assert_eq!((exit, traces.len()), (0, 1));
    let expected = json!({
        "embedded": "app-1.json", "accepted": true, "stranded": false, "reason": null,
        "detail": null, "root_version": 1, "version": 1, "epoch": 0, "state": "fresh",
    });
    assert_eq!(traces[0], expected);

    // What the app compiles in.
    let embedded = desk.json("app-1.json");
    let members = ["embedded", "stream", "audience", "built", "allow_block", "update_urls"];
    let members = members.map(|member| embedded[member].clone());
    let urls = json!(["https://pins.example.com/v1/bundle.json"]);
    assert_eq!(members, [json!(1), json!(STREAM), json!(APP), json!(ISSUED), json!(false), urls]);
}

#[test]
fn the_state_is_a_matter_of_the_time_and_acceptance_is_not() {
    let desk = Desk::after_the_ceremony("times");
    desk.bundle("bundle.json", &["root-1.json"], "pinset-0-1.dsse.json");
    for (at, state) in [
        ("1970-01-01T00:00:00Z", "fresh"),
        ("2027-01-08T23:59:59Z", "fresh"),
        ("2027-01-09T00:00:00Z", "stale"),
        ("2027-03-10T00:00:00Z", "lapsed"),
        ("2106-01-01T01:00:00+01:00", "lapsed"),
    ] {
        let value =
            desk.ok(&["verify", "--embedded", "app-1.json", "--bundle", "bundle.json", "--at", at]);
        assert_eq!(value["traces"][0]["state"], state, "{at}");
        assert_eq!(value["traces"][0]["accepted"], true, "{at}");
    }
}

#[test]
fn a_lost_key_is_replaced_and_apps_follow() {
    let desk = Desk::after_the_ceremony("rotation");
    desk.keygen("root-d");
    let made = desk.ok(&[
        "root",
        "rotate",
        "root-1.json",
        "--add",
        "root-d=root-d.pem.pub",
        "--drop",
        "root-c",
        "--issued",
        ISSUED,
        "-o",
        "root-2.json",
    ]);
    assert_eq!(made["root"], json!({ "keys": ["root-a", "root-b", "root-d"], "threshold": 2 }));
    assert_eq!((&made["version"], &made["epoch"]), (&json!(2), &json!(0)));

    // One old and one new key are enough for the new root, and not for the old.
    desk.sign("root-2.json", &["root-d", "root-a"]);
    desk.pinset(2, 0, "pin", "root-2.json");
    let both =
        ["bundle", "--root", "root-1.json", "root-2.json", "--pinset", "pinset-0-2.dsse.json"];
    let both = [&both[..], &["-o", "bundle.json"]].concat();
    let text = desk.fails(2, &both);
    assert!(text.contains("root-2.json") && text.contains("by root 1"), "{text}");
    desk.sign("root-2.json", &["root-b"]);
    desk.ok(&both);

    desk.embed("app-2.json", "root-2.json", "pinset-0-2.dsse.json");
    let (exit, traces) = desk.verify("bundle.json", &["app-1.json", "app-2.json"]);
    assert_eq!(exit, 0, "{traces:?}");
    assert!(traces.iter().all(|trace| order(trace) == [2, 0, 2]), "{traces:?}");

    // A key that is dropped may sign the root that drops it, for the one before.
    let dropped = ["sign", "--in", "root-2.json", "--key", "root-c.pem", "--id", "root-c"];
    assert!(desk.fails(2, &dropped).contains("--root names the root before"));
    let signed = desk.ok(&[&dropped[..], &["--root", "root-1.json", "-o", "more-2.json"]].concat());
    assert_eq!(signed["counted"], json!(["root-a", "root-b", "root-c"]));

    // Later it is as good as any other.
    desk.ok(&[
        "root",
        "add-key",
        "root-2.json",
        "--pinset-key",
        "spare=root-c.pem.pub",
        "--issued",
        ISSUED,
        "-o",
        "root-3.json",
    ]);
    let sign = ["sign", "--in", "root-3.json", "--key", "root-c.pem", "--id", "root-c"];
    assert!(desk.fails(2, &sign).contains("root-c"));
    let made = desk.json("root-3.json");
    assert_eq!(made["signatures"], json!([]));
}

#[test]
fn a_stolen_pinset_key_at_the_last_version_is_healed_by_an_epoch() {
    let desk = Desk::after_the_ceremony("stolen");
    // The thief leaves no room above.
    desk.pinset(LAST, 0, "pin", "root-1.json");
    desk.bundle("theft.json", &["root-1.json"], &format!("pinset-0-{LAST}.dsse.json"));
    let (exit, traces) = desk.verify("theft.json", &["app-1.json"]);
    assert_eq!((exit, order(&traces[0])), (0, [1, 0, LAST]));
    std::fs::create_dir(desk.path("site")).expect("a folder");
    let publish = |bundle| {
        let given = ["publish", "--at", AT, "--to", "site", "--embedded", "app-1.json", "--bundle"];
        desk.run(&[&given[..], &[bundle]].concat())
    };
    assert!(publish("theft.json").status.success());

    // Without an epoch nobody who has seen that takes anything more.
    desk.keygen("pin-2");
    let change =
        ["--pinset-add", "pin-2=pin-2.pem.pub", "--pinset-drop", "pin", "--issued", ISSUED];
    let rotate =
        |more: &[&str]| desk.ok(&[&["root", "rotate", "root-1.json"], &change[..], more].concat());
    rotate(&["-o", "weak-2.json"]);
    desk.sign("weak-2.json", &["root-a", "root-b"]);
    desk.pinset(2, 0, "pin-2", "weak-2.json");
    desk.bundle("weak.json", &["root-1.json", "weak-2.json"], "pinset-0-2.dsse.json");
    let refused = publish("weak.json");
    assert_eq!(refused.status.code(), Some(1));
    assert!(words(&refused).contains("rollback"), "{}", words(&refused));

    let made = rotate(&["--recover", "-o", "root-2.json"]);
    assert_eq!((&made["version"], &made["epoch"]), (&json!(2), &json!(1)));
    desk.sign("root-2.json", &["root-b", "root-c"]);
    desk.pinset(1, 1, "pin-2", "root-2.json");
    desk.bundle("healed.json", &["root-1.json", "root-2.json"], "pinset-1-1.dsse.json");
    let output = publish("healed.json");
    assert!(output.status.success(), "{}", words(&output));
    assert!(words(&output).contains("root 2, epoch 1, pin set 1"), "{}", words(&output));
    // Nor does the thief come back.
    let text = words(&publish("theft.json"));
    assert!(text.contains("threshold") || text.contains("newer"), "{text}");
}

#[test]
fn a_root_says_what_it_was_told() {
    let desk = Desk::after_the_ceremony("bounds");
    let payload = |file: &str| -> Value {
        use base64::Engine as _;
        let text = desk.json(file)["payload"].as_str().expect("base64").to_owned();
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).expect("base64");
        serde_json::from_slice(&bytes).expect("JSON")
    };
    let first = payload("root-1.json");
    let bounds =
        json!({ "hosts": ["example.com"], "max_validity_days": 120, "max_grace_days": 90 });
    assert_eq!(first["constraints"], bounds);
    desk.ok(&[
        "root",
        "rotate",
        "root-1.json",
        "--hosts",
        "example.com,example.org",
        "--inspection",
        "--max-grace-days",
        "10",
        "--pinset-add",
        "root-a=root-a.pem.pub",
        "--pinset-threshold",
        "2",
        "--expires",
        "2027-05-01T00:00:00+02:00",
        "-o",
        "root-2.json",
    ]);
    let second = payload("root-2.json");
    let bounds = json!({
        "hosts": ["example.com", "example.org"], "max_validity_days": 120, "max_grace_days": 10,
        "inspection": true,
    });
    assert_eq!(second["constraints"], bounds);
    assert_eq!(second["expires"], "2027-04-30T22:00:00Z");
    // A key with both roles is one key.
    assert_eq!(second["keys"].as_array().map(Vec::len), Some(4));
    assert_eq!(second["roles"]["pinset"], json!({ "keys": ["pin", "root-a"], "threshold": 2 }));
}
