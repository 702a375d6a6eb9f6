//! What is published strands nobody.

use serde_json::json;

use super::{AT, Desk, order, parsed, words};

fn publish(desk: &Desk, apps: &[&str], bundle: &str) -> std::process::Output {
    let _there = std::fs::create_dir(desk.path("site"));
    let given = ["publish", "--json", "--at", AT, "--bundle", bundle, "--to", "site", "--embedded"];
    desk.run(&[&given[..], apps].concat())
}

#[test]
fn publishing_refuses_to_strand_an_app() {
    let desk = Desk::after_the_ceremony("strand");
    // A second root, a third with another key for pin sets, and an app of each.
    desk.ok(&["root", "rotate", "root-1.json", "-o", "root-2.json"]);
    desk.sign("root-2.json", &["root-a", "root-c"]);
    desk.keygen("pin-2");
    let change = ["--pinset-add", "pin-2=pin-2.pem.pub", "--pinset-drop", "pin"];
    desk.ok(&[&["root", "rotate", "root-2.json", "-o", "root-3.json"], &change[..]].concat());
    desk.sign("root-3.json", &["root-a", "root-b"]);
    desk.pinset(3, 0, "pin-2", "root-3.json");
    desk.embed("app-3.json", "root-3.json", "pinset-0-3.dsse.json");

    let short = ["root-2.json", "root-3.json"];
    let all = ["root-3.json", "root-1.json", "root-2.json"];
    desk.bundle("short.json", &["root-3.json"], "pinset-0-3.dsse.json");
    desk.bundle("long.json", &all, "pinset-0-3.dsse.json");
    let apps = ["app-1.json", "app-3.json"];

    let (exit, traces) = desk.verify("short.json", &apps);
    assert_eq!(exit, 1);
    assert_eq!(
        (&traces[0]["accepted"], &traces[0]["reason"]),
        (&json!(false), &json!("threshold"))
    );
    assert_eq!(order(&traces[0]), [1, 0, 1], "it keeps what it has");
    assert_eq!(traces[1]["accepted"], true);

    let output = publish(&desk, &apps, "short.json");
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    assert_eq!(parsed(&output)["published"], false);
    assert!(!desk.path("site/bundle.json").exists());
    // Where the first app is no longer in the field, that is enough.
    assert!(publish(&desk, &apps[1..], "short.json").status.success());
    assert!(publish(&desk, &apps, "long.json").status.success());
    assert_eq!(desk.read("site/bundle.json"), desk.read("long.json"));
    assert_eq!(std::fs::read_dir(desk.path("site")).expect("a folder").count(), 1);
    // Again is fine.
    assert!(publish(&desk, &apps, "long.json").status.success());

    // With the same key for pin sets, the app takes what leads away from the roots to come.
    desk.pinset(2, 0, "pin", "root-2.json");
    desk.bundle("cut.json", &["root-2.json"], "pinset-0-2.dsse.json");
    assert_eq!(desk.verify("cut.json", &["app-1.json"]).0, 0, "root 2 follows root 1");
    desk.ok(&["root", "rotate", "root-2.json", "-o", "same-3.json"]);
    desk.sign("same-3.json", &["root-a", "root-b"]);
    desk.bundle("cut.json", &["same-3.json"], "pinset-0-2.dsse.json");
    let (exit, traces) = desk.verify("cut.json", &["app-1.json"]);
    // It takes the pin set, but no later root: `publish` refuses that.
    assert_eq!((exit, &traces[0]["reason"]), (0, &json!("incomplete_chain")));
    assert_eq!((&traces[0]["accepted"], &traces[0]["stranded"]), (&json!(true), &json!(true)));
    let gap = ["bundle", "--pinset", "pinset-0-3.dsse.json", "-o", "b", "--root"];
    assert!(
        desk.fails(2, &[&gap[..], &["root-1.json", "root-3.json"]].concat()).contains("behind")
    );
    desk.bundle("b", &short, "pinset-0-3.dsse.json");
}

#[test]
fn what_is_published_is_never_older() {
    let desk = Desk::after_the_ceremony("rollback");
    desk.pinset(2, 0, "pin", "root-1.json");
    for version in ["1", "2"] {
        let pinset = format!("pinset-0-{version}.dsse.json");
        desk.bundle(&format!("bundle-{version}.json"), &["root-1.json"], &pinset);
    }
    assert!(publish(&desk, &["app-1.json"], "bundle-2.json").status.success());
    let output = publish(&desk, &["app-1.json"], "bundle-1.json");
    assert_eq!(output.status.code(), Some(1));
    let value = parsed(&output);
    assert_eq!(value["traces"][1]["reason"], "rollback", "{value:#}");
    assert!(value["reason"].as_str().is_some_and(|text| text.contains("newer")), "{value:#}");
    assert_eq!(desk.read("site/bundle.json"), desk.read("bundle-2.json"));

    // The same number with other contents.
    desk.write("other.json", format!("{:#}", super::pinset(2, 0)));
    desk.ok(&[
        "sign",
        "--type",
        "pinset",
        "--in",
        "other.json",
        "--key",
        "pin.pem",
        "--id",
        "pin",
        "-o",
        "other.dsse.json",
    ]);
    desk.bundle("other-2.json", &["root-1.json"], "other.dsse.json");
    let value = parsed(&publish(&desk, &["app-1.json"], "other-2.json"));
    assert_eq!(value["traces"][1]["reason"], "equivocation", "{value:#}");

    // Fewer roots than are published: clients would take it, and new ones would stay behind.
    desk.ok(&["root", "rotate", "root-1.json", "-o", "root-2.json"]);
    desk.sign("root-2.json", &["root-a", "root-b"]);
    desk.bundle("roots.json", &["root-1.json", "root-2.json"], "pinset-0-2.dsse.json");
    assert!(publish(&desk, &["app-1.json"], "roots.json").status.success());
    let value = parsed(&publish(&desk, &["app-1.json"], "bundle-2.json"));
    assert_eq!(value["published"], false);
    assert!(value["traces"].as_array().expect("traces").iter().all(|t| t["accepted"] == true));
}
