//! The rules of good practice of `docs/cli.md` that the tool holds by itself, one by one.

use serde_json::{Value, json};

use super::{Desk, pinset, words};

const A: &str = "YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=";

#[test]
fn what_must_not_be_signed_is_refused_by_the_rule_it_breaks() {
    let desk = Desk::after_the_ceremony("rules");
    let pins = |value: Value| json!({ "/hosts/0/pins": value });
    let host = |name: &str| json!({ "/hosts/0/host": name });
    let other = "sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=";
    for (rule, edit, said) in [
        ("E01 no pin", pins(json!([])), "two distinct pins"),
        ("E01 one pin", pins(json!([{ "sha256": A }])), "two distinct pins"),
        (
            "E01 one pin in two places",
            pins(json!([{ "sha256": A, "at": "leaf" }, { "sha256": A, "at": "ca" }])),
            "two distinct pins",
        ),
        ("E05 wildcard", host("*.example.com"), "hosts[0].host"),
        ("E05 case", host("API.example.com"), "not canonical"),
        ("E05 U-label", host("b\u{fc}cher.example.com"), "not canonical"),
        ("E05 trailing dot", host("api.example.com."), "not canonical"),
        ("E06 another domain", host("api.example.org"), "the root does not allow"),
        ("E06 the end of a text", host("evilexample.com"), "the root does not allow"),
        ("E06 an address", host("192.0.2.1"), "the root does not allow"),
        ("E07 no version", json!({ "/version": 0 }), "malformed: version"),
        ("E07 another epoch", json!({ "/epoch": 1 }), "epoch: epoch"),
        ("E07 no validity", json!({ "/expires": "2026-11-10T00:00:00Z" }), "window: expires"),
        ("E07 a long validity", json!({ "/expires": "2027-03-11T00:00:00Z" }), "window: expires"),
        (
            "E07 beyond the root",
            json!({ "/issued": "2028-10-01T00:00:00Z", "/expires": "2028-12-01T00:00:00Z" }),
            "after the root's",
        ),
        ("E07 a long grace", json!({ "/grace_days": 91 }), "grace: grace_days"),
        (
            "E09 zeros",
            pins(json!([{ "sha256": A }, { "sha256": format!("{}=", "A".repeat(43)) }])),
            "placeholder",
        ),
        (
            "E09 of nothing",
            pins(json!([
                { "sha256": A }, { "sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }
            ])),
            "placeholder",
        ),
        (
            "E09 SHA-1",
            pins(json!([{ "sha256": A }, { "sha256": "2jmj7l5rSw0yVb/vlWAYkK/YBwk=" }])),
            "SHA-1",
        ),
        (
            "E09 twice",
            pins(json!([{ "sha256": A }, { "sha256": other }, { "sha256": A }])),
            "listed before",
        ),
    ] {
        let mut document = pinset(2, 0);
        for (pointer, value) in edit.as_object().expect("edits") {
            *document.pointer_mut(pointer).expect("a member") = value.clone();
        }
        desk.write("p.json", document.to_string());
        let sign =
            ["sign", "--type", "pinset", "--in", "p.json", "--key", "pin.pem", "--id", "pin"];
        let text = desk.fails(2, &[&sign[..], &["--root", "root-1.json", "-o", "out"]].concat());
        assert!(text.contains(said), "{rule}: {text}");
        assert!(!desk.path("out").exists(), "{rule}");
    }
    // A public suffix shows under a root that would allow it.
    let keys = ["--key", "a=root-a.pem.pub", "--pinset-key", "pin=pin.pem.pub", "--threshold", "1"];
    let init = ["root", "init", "--stream", super::STREAM, "--issued", super::ISSUED, "-o", "any"];
    desk.ok(&[&init[..], &keys].concat());
    let mut document = pinset(2, 0);
    document["hosts"][0]["host"] = json!("co.uk");
    desk.write("p.json", document.to_string());
    let sign = ["sign", "--type", "pinset", "--in", "p.json", "--key", "pin.pem", "--id", "pin"];
    let text = desk.fails(2, &[&sign[..], &["--root", "any", "-o", "out"]].concat());
    assert!(text.contains("public suffix"), "{text}");
}

/// E12: what follows a root is signed by enough keys of both, and can be followed in its turn.
#[test]
fn what_must_not_follow_a_root_is_refused() {
    let desk = Desk::after_the_ceremony("root-rules");
    desk.keygen("root-d");
    let next = |file: &str, signers: &[&str]| {
        let change = ["--add", "root-d=root-d.pem.pub", "--drop", "root-a", "-o", file];
        desk.ok(&[&["root", "rotate", "root-1.json"], &change[..]].concat());
        for id in signers {
            // A key that the new root drops is named by the one before.
            let by = ["--key", &format!("{id}.pem"), "--id", id, "--root", "root-1.json"];
            desk.ok(&[&["sign", "--in", file], &by[..]].concat());
        }
    };
    let bundle = |file: &str| {
        let roots = ["--root", "root-1.json", "--root", file, "--pinset", "pinset-0-1.dsse.json"];
        desk.run(&[&["bundle", "-o", "out"], &roots[..]].concat())
    };
    for (file, signers, good) in [
        ("nobody", &[][..], false),
        ("old-alone", &["root-a", "root-b"], false),
        ("new-alone", &["root-c", "root-d"], false),
        ("one-of-the-new", &["root-a", "root-c"], false),
        ("both", &["root-a", "root-b", "root-d"], true),
        ("old-and-new-at-once", &["root-b", "root-c"], true),
    ] {
        next(file, signers);
        let output = bundle(file);
        assert_eq!(output.status.success(), good, "{file}: {}", words(&output));
        if !good {
            assert_eq!(output.status.code(), Some(2), "{file}");
            assert!(words(&output).contains("threshold: signatures"), "{}", words(&output));
            assert!(!desk.path("out").exists(), "{file}");
        }
    }
    // A signature that claims to be another key's is nobody's.
    let mut relabelled = desk.json("both");
    relabelled["signatures"][1]["keyid"] = json!("root-c");
    desk.write("relabelled", relabelled.to_string());
    assert!(words(&bundle("relabelled")).contains("signed by 1 of 2"), "{relabelled}");
    // Whoever signs alone, and whoever cannot lose a key, is told.
    let root = |keys: &[&str], threshold: &str, file: &str| {
        let keys = keys.iter().map(|id| format!("{id}={id}.pem.pub")).collect::<Vec<_>>();
        let keys = keys.iter().flat_map(|key| ["--key", key]).collect::<Vec<_>>();
        let given = ["--stream", "s", "--pinset-key", "pin=pin.pem.pub", "-o", file];
        desk.run(&[&["root", "init", "--threshold", threshold], &given[..], &keys].concat())
    };
    assert!(words(&root(&["root-a", "root-b"], "1", "alone")).contains("one root key alone"));
    assert!(words(&root(&["root-a", "root-b"], "2", "all")).contains("every root key must sign"));
    assert!(!words(&root(&["root-a", "root-b", "root-c"], "2", "some")).contains("root key"));
    assert!(words(&root(&["root-a"], "2", "none")).contains("2 of 1"));
}
