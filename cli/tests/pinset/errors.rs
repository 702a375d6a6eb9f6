//! Every error says where, has its exit code, and leaves the files as they were.

use serde_json::{Value, json};

use super::{Desk, pinset, words};

#[test]
fn what_no_client_would_read_is_not_signed() {
    let desk = Desk::after_the_ceremony("unreadable");
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut value = pinset(2, 0);
        edit(&mut value);
        value.to_string()
    };
    for (text, reason) in [
        ("no JSON".to_owned(), "p.json:1: not JSON"),
        ("[]".to_owned(), "p.json"),
        (edited(&|v| v["version"] = json!(0)), "malformed: version"),
        (edited(&|v| v["version"] = json!(1_u64 << 53)), "malformed"),
        (edited(&|v| v["schema"] = json!(2)), "unsupported: schema"),
        (edited(&|v| v["crit"] = json!(["x"])), "unsupported: crit[0]"),
        (edited(&|v| v["aud"] = json!([])), "aud"),
        (edited(&|v| v["stream"] = json!("other")), "stream"),
        (edited(&|v| v["epoch"] = json!(1)), "epoch: epoch"),
        (edited(&|v| v["expires"] = json!("2027-11-09T00:00:00Z")), "window: expires"),
        (edited(&|v| v["grace_days"] = json!(91)), "grace: grace_days"),
        (edited(&|v| v["hosts"][0]["host"] = json!("example.org")), "constraints: hosts[0].host"),
        (edited(&|v| v["hosts"][0]["mode"] = json!("loud")), "unsupported: hosts[0].mode"),
        (pinset(2, 0).to_string().replacen('{', r#"{"note":"a","note":"b","#, 1), "twice"),
        (format!("{}{}", pinset(2, 0), " ".repeat(66_000)), "too_large: payload"),
    ] {
        desk.write("p.json", &text);
        let given = ["--type", "pinset", "--id", "pin", "--root", "root-1.json", "-o", "out.json"];
        let sign = [&["sign", "--in", "p.json", "--key", "pin.pem"], &given[..]].concat();
        let said = desk.fails(2, &sign);
        assert!(said.contains("p.json") && said.contains(reason), "{text}: {said}");
        desk.write("sig", [0x30; 64]);
        desk.fails(2, &[&["attach", "p.json", "--sig", "sig"], &given[..]].concat());
        assert!(!desk.path("out.json").exists());
    }
    // Without a root, by its own measure.
    desk.write("p.json", edited(&|v| v["hosts"][0]["pins"] = json!([])));
    assert!(desk.fails(2, &["tbs", "p.json", "--type", "pinset"]).contains("hosts[0]"));
}

#[test]
fn unusable_input_is_exit_2_and_says_where() {
    let desk = Desk::after_the_ceremony("unusable");
    desk.write("text", "no JSON");
    desk.write("p.json", pinset(2, 0).to_string());
    desk.bundle("bundle.json", &["root-1.json"], "pinset-0-1.dsse.json");
    desk.tool("openssl", &["genpkey", "-algorithm", "ed25519", "-out", "ed.pem"]);
    desk.tool("openssl", &["pkey", "-in", "ed.pem", "-pubout", "-out", "ed.pub"]);
    desk.tool(
        "openssl",
        &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", "p384.pem"],
    );
    desk.tool(
        "openssl",
        &["pkcs8", "-topk8", "-in", "pin.pem", "-out", "locked.pem", "-passout", "pass:x"],
    );
    let sign = ["sign", "--in", "pinset-0-1.dsse.json", "--id", "pin"];
    let payload = ["sign", "--type", "pinset", "--in", "p.json", "--id", "pin", "--key", "pin.pem"];
    let root = ["--root", "root-1.json"];
    let init = ["root", "init", "--stream", "s", "--key", "a=root-a.pem.pub", "-o", "new.json"];
    let pin = ["--pinset-key", "pin=pin.pem.pub"];
    let rotate = ["root", "rotate", "root-1.json", "-o", "new.json"];
    let bundle = ["bundle", "-o", "new.json", "--root", "root-1.json"];
    let embed = ["embed", "-o", "new.json", "--root", "root-1.json", "--update-url"];
    let url = "https://pins.example.com/bundle.json";
    let verify = ["verify", "--embedded", "app-1.json", "--bundle"];
    let signed = ["--pinset", "pinset-0-1.dsse.json"];
    let app = ["--audience", "android:com.example.bank"];
    for (arguments, reason) in [
        ([&sign[..], &["--key", "none.pem"]].concat(), "none.pem"),
        ([&sign[..], &["--key", "text"]].concat(), "PKCS#8"),
        (
            [&sign[..], &["--key", "locked.pem", "--passphrase-file", "text"]].concat(),
            "another passphrase",
        ),
        ([&sign[..], &["--key", "pin.pem.pub"]].concat(), "PKCS#8"),
        ([&sign[..], &["--key", "ed.pem"]].concat(), "not a P-256"),
        ([&sign[..], &["--key", "p384.pem"]].concat(), "not a P-256"),
        ([&sign[..], &["--key", "root-a.pem"], &root].concat(), "not the key"),
        ([&sign[..], &["--exec", "cat"]].concat(), "--root or --public"),
        ([&sign[..], &["--exec", "cat", "--public", "ed.pub"]].concat(), "not a P-256"),
        ([&sign[..], &["--pkcs11", "pin"]].concat(), "--root or --public"),
        ([&sign[..], &["--pkcs11", "pin"], &root].concat(), "pkcs11:"),
        ([&sign[..], &["--key", "pin.pem", "--type", "root"]].concat(), "a pinset where a root"),
        (payload.to_vec(), "--output"),
        ([&["sign", "--in", "p.json"], &payload[5..]].concat(), "--type"),
        ([&payload[..], &["-o", "root-1.json"]].concat(), "root-1.json"),
        (vec!["tbs", "p.json"], "--type"),
        (vec!["tbs", "bundle.json"], "a bundle where one document belongs"),
        (vec!["tbs", "app-1.json"], "an embedded file where one document belongs"),
        (vec!["tbs", "p.json"], "--type"),
        ([&init[..], &pin, &["--threshold", "2"]].concat(), "2 of 1"),
        ([&init[..], &pin, &["--threshold", "0"]].concat(), "threshold"),
        (
            [&init[..], &["--threshold", "1", "--pinset-key", "a=pin.pem.pub"]].concat(),
            "another key",
        ),
        (
            [&init[..], &["--threshold", "1", "--pinset-key", "b=root-a.pem.pub"]].concat(),
            "same key",
        ),
        ([&init[..], &["--threshold", "1", "--pinset-key", "pin.pem.pub"]].concat(), "ID=FILE"),
        ([&init[..], &["--threshold", "1", "--pinset-key", "p=pin.pem"]].concat(), "private key"),
        ([&init[..], &["--threshold", "1", "--pinset-key", "p=ed.pub"]].concat(), "P-256"),
        ([&init[..], &["--threshold", "1"], &pin, &["--hosts", "*.a"]].concat(), "hosts[0]"),
        ([&init[..], &["--threshold", "1"], &pin, &["--expires", "soon"]].concat(), "--expires"),
        (
            [&init[..], &["--threshold", "1"], &pin, &["--expires", "1999-01-01T00:00:00Z"]]
                .concat(),
            "window",
        ),
        ([&rotate[..], &["--drop", "root-x"]].concat(), "root-x"),
        ([&rotate[..], &["--pinset-drop", "pin"]].concat(), "1 of 0"),
        ([&rotate[..], &["--add", "root-a=root-a.pem.pub"]].concat(), "already"),
        (vec!["root", "rotate", "pinset-0-1.dsse.json", "-o", "new.json"], "a pinset where a root"),
        ([&bundle[..], &["--pinset", "root-1.json"]].concat(), "a root where a pinset"),
        ([&bundle[..], &["--pinset", "p.json"]].concat(), "not signed"),
        ([&bundle[..], &["root-1.json"], &signed].concat(), "version: 1 behind 1"),
        ([&embed[..], &["http://a.example/"], &signed, &app].concat(), "https"),
        ([&embed[..], &[url], &signed, &["--audience", "ios:other"]].concat(), "audience"),
        ([&embed[..], &[url], &signed, &app, &["--built", "now"]].concat(), "--built"),
        ([&verify[..], &["none.json"]].concat(), "none.json"),
        ([&verify[..], &["text"]].concat(), "not JSON"),
        ([&verify[..], &["app-1.json"]].concat(), "not a bundle"),
        ([&verify[..], &["bundle.json", "--at", "now"]].concat(), "--at"),
        (vec!["verify", "--embedded", "bundle.json", "--bundle", "bundle.json"], "embedded"),
        (vec!["verify", "--bundle", "bundle.json"], "--embedded"),
    ] {
        let text = desk.fails(2, &arguments);
        assert!(text.contains(reason), "{arguments:?}: {text}");
        assert!(!desk.path("new.json").exists(), "{arguments:?}");
    }
    // A key of the other role would not count.
    let other = ["--key", "root-a.pem", "--id", "root-a", "--root", "root-1.json"];
    let other = [&["sign", "--in", "pinset-0-1.dsse.json"], &other[..]].concat();
    assert!(desk.fails(2, &other).contains("root-a"));
    // What is published cannot be read: nobody knows what it would be compared with.
    std::fs::create_dir(desk.path("site")).expect("a folder");
    desk.write("site/bundle.json", "<html>");
    let publish = ["publish", "--embedded", "app-1.json", "--bundle", "bundle.json", "--to"];
    assert!(desk.fails(2, &[&publish[..], &["site"]].concat()).contains("site/bundle.json"));
    // Nor is another app's pin set replaced by ours.
    let mut other = desk.json("bundle.json");
    other["pinset"]["payload"] = json!("eyJzdHJlYW0iOiJvdGhlciJ9");
    desk.write("site/bundle.json", other.to_string());
    assert!(desk.fails(2, &[&publish[..], &["site"]].concat()).contains("another series"));
}

#[test]
fn output_that_cannot_be_written_is_exit_3() {
    let desk = Desk::after_the_ceremony("unwritable");
    desk.bundle("bundle.json", &["root-1.json"], "pinset-0-1.dsse.json");
    let signed = ["--root", "root-1.json", "--pinset", "pinset-0-1.dsse.json"];
    for arguments in [
        ["root", "rotate", "root-1.json", "-o", "none/file"].to_vec(),
        ["root", "rotate", "root-1.json", "-o", "root-1.json"].to_vec(),
        ["sign", "--in", "root-1.json", "--key", "root-c.pem", "--id", "root-c", "-o", "none/file"]
            .to_vec(),
        ["tbs", "root-1.json", "-o", "none/file"].to_vec(),
        ["tbs", "root-1.json", "--digest", "none/file"].to_vec(),
        [&["bundle", "-o", "none/file"], &signed[..]].concat(),
        [
            &["embed", "-o", "none/file", "--audience", "android:com.example.bank"][..],
            &["--update-url", "https://a.example/"][..],
            &signed[..],
        ]
        .concat(),
        ["publish", "--embedded", "app-1.json", "--bundle", "bundle.json", "--to", "bundle.json"]
            .to_vec(),
    ] {
        let place = match arguments[1] {
            "rotate" => arguments[4],
            "--embedded" => "bundle.json",
            _ => "none",
        };
        assert!(desk.fails(3, &arguments).contains(place), "{arguments:?}");
    }
}

#[test]
fn a_key_that_others_can_read_is_remarked_on() {
    let desk = Desk::after_the_ceremony("open-key");
    desk.tool("chmod", &["644", "root-c.pem"]);
    let sign = ["sign", "--in", "root-1.json", "--key", "root-c.pem", "--id", "root-c"];
    let output = desk.run(&sign);
    assert!(output.status.success() && words(&output).contains("warning:"), "{}", words(&output));
}

#[test]
fn every_command_explains_itself() {
    let desk = Desk::new("help");
    for command in [
        &["keygen"][..],
        &["root", "init"],
        &["root", "add-key"],
        &["root", "rotate"],
        &["sign"],
        &["tbs"],
        &["attach"],
        &["bundle"],
        &["embed"],
        &["verify"],
        &["publish"],
    ] {
        let output = desk.run(&[command, &["--help"]].concat());
        let text = words(&output);
        assert!(output.status.success() && text.contains("Example"), "{command:?}: {text}");
        // Their own examples are understood, up to --help.
        assert!(text.contains(&format!("pinfold {}", command.join(" "))), "{command:?}: {text}");
    }
}
