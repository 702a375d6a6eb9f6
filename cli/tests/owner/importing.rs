//! What others' files say is taken over, and what cannot be is listed.

use serde_json::{Value, json};

use super::{A, B, C, Desk, words};

/// Imports, and answers the exit code, the entries, and what was left out.
fn import(desk: &Desk, from: &str, files: &[&str], more: &[&str]) -> (i32, Value, String) {
    let given = [&["import", "--from", from, "-o", "out.json"], more, files].concat();
    let output = desk.run(&given);
    let code = output.status.code().expect("an end");
    assert!(code < 2, "{given:?}: {}", words(&output));
    (code, desk.json("out.json")["hosts"].clone(), words(&output))
}

fn entry(host: &str, members: Value, pins: &[&str], at: &str) -> Value {
    let pins: Vec<_> =
        pins.iter().map(|pin| json!({ "sha256": pin, "at": at, "state": "active" })).collect();
    let mut entry = json!({ "host": host, "mode": "enforce", "pins": pins });
    entry
        .as_object_mut()
        .expect("an object")
        .extend(members.as_object().expect("an object").clone());
    entry
}

#[test]
fn what_is_exported_comes_back() {
    let desk = Desk::new("round-trip");
    let all = entry("example.com", json!({ "include_subdomains": true }), &[A, B], "any");
    let ends =
        entry("api.example.org", json!({ "expires": "2027-01-09T00:00:00Z" }), &[A, C], "any");
    let off = entry("off.example.com", json!({ "mode": "off" }), &[], "any");
    let reports = entry("r.example.org", json!({ "mode": "report_only" }), &[A, B], "any");
    let leaf = entry("leaf.example.org", json!({}), &[A, B], "leaf");
    let ca = entry("ca.example.org", json!({}), &[B, C], "ca");
    let plain = entry("plain.example.org", json!({}), &[A, B], "any");
    for (format, entries) in [
        ("nsc", json!([all, off, plain])),
        ("trustkit-android", json!([all, plain])),
        ("trustkit-ios", json!([all, ends, off, reports])),
        ("nspinneddomains", json!([leaf, ca])),
        ("okhttp", json!([all, plain])),
        ("cronet", json!([all, ends, plain])),
        ("ssl-manager", json!([all, ends, reports])),
    ] {
        desk.write("pins.json", json!({ "schema": 1, "version": 1, "hosts": entries }).to_string());
        desk.ok(&["export", "pins.json", "--to", format, "-o", "theirs"]);
        let (code, _, said) = import(&desk, format, &["theirs"], &[]);
        assert_eq!((code, said.as_str()), (0, ""), "{format}");
        assert_eq!(
            desk.ok(&["diff", "pins.json", "out.json"]),
            "nothing changes for clients\n",
            "{format}"
        );
    }
}

#[test]
fn calls_of_okhttp_in_kotlin_and_java() {
    let desk = Desk::new("okhttp");
    desk.write("Pins.kt", format!(
        "// .add(\"commented.example.com\", \"sha256/{A}\")\nval p = CertificatePinner.Builder()\n  \
         .add(\"**.example.com\", \"sha256/{A}\",\n       \"sha256/{B}\")\n  .add(\"api.example.com\", \"sha256/{C}\")\n  \
         .add(\"*.one.example.org\", \"sha256/{A}\")\n  .add(\"old.example.org\", \"sha1/AAAA\")\n  \
         .add(\"$host\", \"sha256/{A}\")\n  .add(HOST, PIN)\n  .build()\nlist.add(item)\n"
    ));
    desk.write(
        "Pins.java",
        format!(
            "b.add(\"java.example.org\", \"sha256/{A}\").add(\"java.example.org\", \"sha256/{B}\");"
        ),
    );
    let (code, entries, said) = import(&desk, "okhttp", &["Pins.kt", "Pins.java"], &[]);
    assert_eq!(code, 1, "{said}");
    // In OkHttp pins of all patterns count, here those of the closest entry.
    assert_eq!(
        entries,
        json!([
            entry("api.example.com", json!({}), &[A, B, C], "any"),
            entry("example.com", json!({ "include_subdomains": true }), &[A, B], "any"),
            entry("java.example.org", json!({}), &[A, B], "any"),
        ])
    );
    for (line, words) in
        [(6, "one label below"), (7, "a pin: "), (8, "not only literals"), (9, "no literal")]
    {
        assert!(
            said.lines().any(|l| l.contains(&format!("Pins.kt:{line}")) && l.contains(words)),
            "{line}: {said}"
        );
    }
    assert_eq!(said.lines().count(), 5, "{said}");
    // A list of strings.
    desk.write("pins.txt", format!("# ours\nlist.example.org sha256/{A} sha256/{B}\n"));
    let (code, entries, said) = import(&desk, "okhttp", &["pins.txt"], &[]);
    assert_eq!(
        (code, entries),
        (0, json!([entry("list.example.org", json!({}), &[A, B], "any")])),
        "{said}"
    );
}

#[test]
fn a_config_with_all_that_android_knows() {
    let desk = Desk::new("nsc-import");
    let pins = format!("<pin digest=\"SHA-256\">{A}</pin><pin digest=\"SHA-256\">{B}</pin>");
    desk.write("nsc.xml", format!(
        "<network-security-config>\n<base-config cleartextTrafficPermitted=\"true\"/>\n<domain-config>\n\
         <domain includeSubdomains=\"true\">Example.com</domain><domain>two.example.org</domain>\n\
         <trust-anchors><certificates src=\"system\"/></trust-anchors>\n\
         <pin-set expiration=\"2027-01-09\">{pins}</pin-set>\n<domain-config>\n<domain>inner.example.com</domain>\n\
         <trust-anchors><certificates src=\"@raw/ca\"/></trust-anchors>\n</domain-config>\n</domain-config>\n\
         <domain-config>\n<domain>off.example.com</domain></domain-config>\n<debug-overrides/>\n\
         </network-security-config>"
    ));
    let (code, entries, said) = import(&desk, "nsc", &["nsc.xml"], &[]);
    assert_eq!(code, 1);
    let ends = json!({ "expires": "2027-01-09T00:00:00Z" });
    let mut all = ends.clone();
    all["include_subdomains"] = json!(true);
    assert_eq!(
        entries,
        json!([
            entry("example.com", all, &[A, B], "any"),
            entry("two.example.org", ends.clone(), &[A, B], "any"),
            entry("inner.example.com", ends, &[A, B], "any"),
            entry("off.example.com", json!({ "mode": "off" }), &[], "any"),
        ])
    );
    for what in [
        "nsc.xml:2: cleartext",
        "nsc.xml:9: <trust-anchors>",
        "debug-overrides",
        "nsc.xml:6: expiration",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
    // As generous as Android, and no more: what it throws for is said, and what it takes is taken.
    desk.write("odd.xml", format!(
        "<network-security-config>\n<domain-config><domain> a.example.com\n</domain>\n<pin-set expiration=\"2030-1-9\">\
         <pin digest=\"sha-256\"> {} </pin><pin digest=\"SHA-256\">{B}</pin></pin-set>\n<domain-config>\
         <domain>b.a.example.com</domain><pin-set/></domain-config>\n<domain-config><domain>*.example.org</domain>\
         <domain>a.example.com</domain></domain-config>\n<domain-config><pin-set><pin digest=\"SHA-1\">{A}</pin></pin-set>\
         </domain-config></domain-config></network-security-config>", A.trim_end_matches('=')
    ));
    let (code, entries, said) = import(&desk, "nsc", &["odd.xml"], &[]);
    let ends = json!({ "expires": "2030-01-09T00:00:00Z" });
    let off = entry("b.a.example.com", json!({ "mode": "off" }), &[], "any");
    assert_eq!((code, entries), (1, json!([entry("a.example.com", ends, &[A, B], "any"), off])));
    for what in [
        "odd.xml:6: a <domain> for the second time",
        "odd.xml:6: \"*.example.org\": Android takes it, and no host ever has the name",
        "odd.xml:7: a <pin> whose digest is not SHA-256",
        "odd.xml:7: a <domain-config> without a <domain>",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
    // TrustKit reports by default there.
    desk.write("tk.xml", format!(
        "<network-security-config><domain-config><domain>a.example.com</domain><pin-set>{pins}</pin-set>\
         <trustkit-config><report-uri>https://r.example.com/</report-uri></trustkit-config>\
         </domain-config></network-security-config>"
    ));
    let (_, entries, said) = import(&desk, "trustkit-android", &["tk.xml"], &[]);
    assert_eq!(entries[0]["mode"], "report_only");
    assert!(said.contains("only reports") && said.contains("<trustkit-config>"), "{said}");
}

#[test]
fn property_lists_with_what_pins_are_not() {
    let desk = Desk::new("plist-import");
    desk.write("Info.plist", format!(
        "<?xml version=\"1.0\"?><!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\"><plist version=\"1.0\"><dict><key>CFBundleName</key>\
         <string>x</string><key>NSAppTransportSecurity</key><dict><key>NSPinnedDomains</key><dict>\
         <key>both.example.com</key><dict><key>NSIncludesSubdomains</key><true/><key>NSPinnedLeafIdentities</key><array>\
         <dict><key>SPKI-SHA256-BASE64</key><string><![CDATA[{A}]]></string></dict></array>\
         <key>NSPinnedCAIdentities</key><array><dict><key>SPKI-SHA256-BASE64</key><string>{B}</string></dict></array>\
         </dict></dict></dict><key>TSKConfiguration</key><dict><key>TSKPinnedDomains</key><dict>\
         <key>tk.example.com</key><dict><key>TSKPublicKeyHashes</key><array><string>{A}</string><string>AAAA</string>\
         <string>{B}</string></array><key>TSKReportUris</key><array/><key>TSKEnforcePinning</key><false/></dict>\
         </dict></dict></dict></plist>"
    ));
    let (code, entries, said) = import(&desk, "nspinneddomains", &["Info.plist"], &[]);
    assert_eq!(code, 1);
    let expected = json!({ "include_subdomains": true, "mode": "report_only" });
    assert_eq!(entries, json!([entry("both.example.com", expected, &[A], "leaf")]));
    for what in ["one pin of each list", "one label below", "less than two pins"] {
        assert!(said.contains(what), "{what}: {said}");
    }
    let (code, entries, said) = import(&desk, "trustkit-ios", &["Info.plist"], &[]);
    assert_eq!(code, 1);
    assert_eq!(
        entries,
        json!([entry("tk.example.com", json!({ "mode": "report_only" }), &[A, B], "any")])
    );
    assert!(said.contains("a pin: 3 bytes") && said.contains("TSKReportUris"), "{said}");
    desk.write("binary.plist", b"bplist00\xd0\x08");
    assert!(desk.refused(&["import", "--from", "trustkit-ios", "binary.plist"]).contains("plutil"));
}

#[test]
fn both_forms_of_ssl_config_and_lists_of_digests() {
    let desk = Desk::new("lists");
    desk.write("ssl_config.json", json!({ "sha256Keys": { "api.example.com": [format!("sha256/{A}"), format!("sha256/{B}")] } }).to_string());
    let (code, entries, _) = import(&desk, "ssl-manager", &["ssl_config.json"], &[]);
    assert_eq!(
        (code, entries),
        (
            0,
            json!([entry(
                "api.example.com",
                json!({ "include_subdomains": true }),
                &[A, B],
                "any"
            )])
        )
    );
    let hex = "60:B8:75:75:44:7D:CB:A2:A3:6B:7D:11:AC:09:FB:24:A9:DB:40:6F:EE:12:D2:CC:90:18:05:17:61:6E:8A:18";
    desk.write(
        "pins.dart",
        format!("const pins = ['{hex}', // sha256/{C}\n '{B}', 'AAAAAAAAAAAAAAAAAAAAAAAAAA'];\n"),
    );
    let list = ["--host", "api.example.com"];
    let (code, entries, said) = import(&desk, "list", &["pins.dart"], &list);
    assert_eq!(
        (code, entries),
        (1, json!([entry("api.example.com", json!({}), &[A, B], "any")])),
        "{said}"
    );
    assert!(said.contains("pins.dart:2") && said.contains("no digest"), "{said}");
    let (_, entries, _) =
        import(&desk, "list", &["pins.dart"], &[&list[..], &["--certificates"]].concat());
    assert_eq!(entries[0]["pins"][0]["cert_sha256"], A);
    // Slashes are letters of base64, and two of them no comment.
    let slashes = "//P0qaYJBnhcm6QTtl5LdCGNQ+uSVP0OcXeMb//gU+0=";
    desk.write("pins.txt", format!("sha256/{slashes} // ours\n{B} //sha256/{C}\n"));
    let (code, entries, said) = import(&desk, "list", &["pins.txt"], &list);
    let expected = json!([entry("api.example.com", json!({}), &[slashes, B], "any")]);
    assert_eq!((code, entries), (0, expected), "{said}");
}

#[test]
fn entries_go_into_a_pin_set_that_is_there() {
    let desk = Desk::new("into");
    desk.ok(&["init", "pins.json", "--stream", "s", "--app", "android:a"]);
    desk.write(
        "ssl_config.json",
        json!({ "sha256Keys": { "api.example.com": [A, B] } }).to_string(),
    );
    let into = ["import", "--from", "ssl-manager", "ssl_config.json", "--into", "pins.json"];
    let said = desk.ok(&into);
    assert_eq!(said, "CHANGES: api.example.com has an entry now: enforce, 2 pins\n");
    let before = desk.text("pins.json");
    assert!(desk.refused(&into).contains("api.example.com already"));
    assert_eq!(desk.text("pins.json"), before);
    desk.write("empty.json", r#"{ "sha256Keys": {} }"#);
    assert!(
        desk.refused(&["import", "--from", "ssl-manager", "empty.json"]).contains("no pins found")
    );
    assert!(desk.refused(&["import", "--from", "nsc", "pins.json"]).contains("XML"));
}

/// Bytes of any kind end in an answer: what is not read is said, and nothing is lost by a panic.
#[test]
fn no_reader_panics_on_what_is_cut_or_changed() {
    let desk = Desk::new("damaged");
    let all = json!([entry("example.com", json!({ "include_subdomains": true }), &[A, B], "any")]);
    desk.write("pins.json", json!({ "schema": 1, "hosts": all }).to_string());
    for format in ["nsc", "trustkit-ios", "okhttp", "cronet", "ssl-manager"] {
        let file = desk.ok(&["export", "pins.json", "--to", format]);
        for i in 1..12 {
            let mut cut = file.as_bytes()[..file.len() * i / 12].to_vec();
            desk.write("cut", &cut);
            let code = desk.run(&["import", "--from", format, "cut"]).status.code();
            assert!(matches!(code, Some(0..=2)), "{format} {i}: {code:?}");
            if let Some(last) = cut.last_mut() {
                *last = b"\"\\<(\x80"[i % 5];
            }
            desk.write("cut", [&cut, &file.as_bytes()[cut.len()..]].concat());
            let code = desk.run(&["import", "--from", format, "cut"]).status.code();
            assert!(matches!(code, Some(0..=2)), "{format} {i}: {code:?}");
        }
    }
}

/// What is given as a list of pins may be a key, or whatever else lies in the folder.
#[test]
fn nothing_of_a_file_that_is_something_else_is_told() {
    let desk = Desk::new("something-else");
    let secret = "c29tZXRoaW5nIHRoYXQgbm9ib2R5IG1heSBzZWU";
    let texts = [
        format!("{secret}\n"),
        format!("password={secret}\ntoken: \"{secret}\"\n"),
        format!("{{\"{secret}\": \"{secret}\"}}"),
        format!("builder.add(\"{secret}\", \"{secret}\")"),
        format!("engine.addPublicKeyPins(\"a.example.org\", setOf(\"{secret}\"), true, end)"),
        format!("<resources><string name=\"{secret}\">{secret}</string></resources>"),
        format!("<dict><key>{secret}</key><string>{secret}</string></dict>"),
    ];
    for text in &texts {
        desk.write("something", text);
        for form in [
            "nsc",
            "nspinneddomains",
            "okhttp",
            "trustkit-ios",
            "trustkit-android",
            "cronet",
            "ssl-manager",
            "list",
        ] {
            for more in [&[][..], &["--json"]] {
                let given = [&["import", "--from", form, "something"], more].concat();
                let host: &[&str] =
                    if form == "list" { &["--host", "api.example.com"] } else { &[] };
                let output = desk.run(&[&given[..], host].concat());
                assert_ne!(output.status.code(), Some(0), "{form}: {text}");
                let told = words(&output);
                let leaks = secret
                    .as_bytes()
                    .windows(8)
                    .any(|part| told.contains(str::from_utf8(part).expect("ASCII")));
                assert!(!leaks, "{form}: {text}: {told}");
            }
        }
    }
}
