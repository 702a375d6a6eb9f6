//! What is exported means what the pin set says, or is refused; and others can read it.

use std::process::Command;

use serde_json::{Value, json};

use super::{A, B, C, Desk, words};

const TARGETS: [&str; 7] = [
    "nsc",
    "nspinneddomains",
    "okhttp",
    "trustkit-ios",
    "trustkit-android",
    "cronet",
    "ssl-manager",
];

fn set(hosts: Value) -> Value {
    json!({ "schema": 1, "version": 7, "hosts": hosts })
}

fn pins(at: &str) -> Value {
    json!([{ "sha256": A, "at": at, "label": "a --> b" }, { "sha256": B, "at": at, "state": "backup" }])
}

/// A pin set in which one thing is said, and what each format does with it.
fn table() -> Vec<(&'static str, Value, [&'static str; 7])> {
    let host = |more: Value| {
        let mut entry = json!({ "host": "api.example.com", "pins": pins("any") });
        entry
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        set(json!([entry]))
    };
    let under = |more: Value| {
        let mut entry =
            json!({ "host": "api.example.com", "pins": [{ "sha256": A }, { "sha256": C }] });
        entry
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        set(
            json!([{ "host": "example.com", "include_subdomains": true, "pins": pins("any") }, entry]),
        )
    };
    vec![
        (
            "subdomains",
            host(json!({ "include_subdomains": true, "pins": pins("ca") })),
            ["~", "instead", "~", "~", "~", "~", "~"],
        ),
        ("overlap", under(json!({})), ["ok", "no", "no", "ok", "ok", "ok", "no"]),
        ("exempt", under(json!({ "mode": "off" })), ["ok", "no", "no", "ok", "no", "no", "no"]),
        (
            "report_only",
            host(json!({ "mode": "report_only" })),
            ["instead", "instead", "instead", "ok", "instead", "instead", "ok"],
        ),
        (
            "expiry",
            host(json!({ "expires": "2027-01-09T00:00:00Z", "pins": pins("ca") })),
            ["~", "instead", "instead", "~", "~", "~", "~"],
        ),
        (
            "leaf_only",
            host(json!({ "pins": pins("leaf") })),
            ["instead", "ok", "instead", "instead", "instead", "instead", "instead"],
        ),
        (
            "ca_only",
            host(json!({ "pins": pins("ca") })),
            ["instead", "ok", "instead", "instead", "instead", "instead", "instead"],
        ),
        ("any_place", host(json!({})), ["ok", "no", "ok", "ok", "ok", "ok", "ok"]),
        (
            "either_place",
            host(json!({ "pins": [{ "sha256": A, "at": "leaf" }, { "sha256": B, "at": "ca" }] })),
            ["~", "no", "~", "~", "~", "~", "~"],
        ),
        (
            "certificate",
            host(
                json!({ "pins": [{ "sha256": A, "at": "ca" }, { "cert_sha256": B, "at": "ca" }] }),
            ),
            ["no"; 7],
        ),
        ("private_ca", host(json!({ "trust": "private_ca", "anchors": [super::CERT] })), ["no"; 7]),
        ("pin_only", host(json!({ "trust": "pin_only", "pins": pins("leaf") })), ["no"; 7]),
        (
            "ip_address",
            host(json!({ "host": "192.0.2.1", "pins": pins("any") })),
            ["no", "no", "ok", "no", "no", "no", "no"],
        ),
        (
            "blocked_keys",
            json!({ "schema": 1, "blocked_spki": [C], "hosts": [
            { "host": "api.example.com", "pins": pins("ca") }] }),
            ["instead", "instead", "instead", "instead", "instead", "instead", "instead"],
        ),
    ]
}

#[test]
fn what_a_format_cannot_say_is_refused_and_named() {
    let desk = Desk::new("refused");
    for (meaning, pinset, expected) in table() {
        desk.write("pins.json", pinset.to_string());
        for (target, expected) in TARGETS.into_iter().zip(expected) {
            let case = format!("{meaning} to {target}");
            let export = ["export", "pins.json", "--to", target];
            let strict = desk.run(&export);
            let told = words(&strict);
            let loose = desk.run(&[&export[..], &["--approximate"]].concat());
            match expected {
                // Another meaning of the same pin set decides.
                "~" => assert!(loose.status.success(), "{case}: {}", words(&loose)),
                "ok" => assert!(strict.status.success(), "{case}: {told}"),
                "instead" => {
                    assert_eq!(strict.status.code(), Some(2), "{case}: {told}");
                    assert!(
                        strict.stdout.is_empty()
                            && told.contains(&format!("--approximate={meaning}")),
                        "{told}"
                    );
                    assert!(loose.status.success(), "{case}: {}", words(&loose));
                    let file = String::from_utf8_lossy(&loose.stdout);
                    let comment =
                        file.lines().any(|l| l.contains("APPROXIMATE") && l.contains(meaning));
                    assert!(comment, "{case}: {file}");
                }
                _ => {
                    for output in [&strict, &loose] {
                        assert_eq!(output.status.code(), Some(2), "{case}: {}", words(output));
                        assert!(
                            output.stdout.is_empty() && words(output).contains(meaning),
                            "{case}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn only_what_is_named_is_let_through_and_a_refusal_writes_nothing() {
    let desk = Desk::new("named");
    let entry =
        json!({ "host": "a.example.com", "expires": "2027-01-09T00:00:00Z", "pins": pins("leaf") });
    desk.write("pins.json", set(json!([entry])).to_string());
    desk.write("Pins.kt", "good");
    let export = ["export", "pins.json", "--to", "okhttp", "-o", "Pins.kt"];
    let error = desk.refused(&[&export[..], &["--approximate=expiry"]].concat());
    assert!(error.contains("leaf_only") && !error.contains("expiry"), "{error}");
    assert_eq!(desk.text("Pins.kt"), "good");
    desk.ok(&[&export[..], &["--approximate=expiry,leaf_only"]].concat());
    assert!(
        desk.text("Pins.kt")
            .contains(&format!("// active: a --> b\n            \"sha256/{A}\",\n")),
        "{}",
        desk.text("Pins.kt")
    );
    let error = desk.refused(&[&export[..], &["--approximate=everything"]].concat());
    assert!(error.contains("everything"), "{error}");
}

/// In OkHttp the pins of all entries that match count; where that changes nothing it is exact.
#[test]
fn a_union_is_let_through_where_it_is_the_same() {
    let desk = Desk::new("union");
    let with = |below: Value| {
        set(json!([{ "host": "example.com", "include_subdomains": true, "pins": pins("any") },
                   { "host": "api.example.com", "pins": below }]))
        .to_string()
    };
    desk.write("pins.json", with(json!([{ "sha256": A }, { "sha256": B }, { "sha256": C }])));
    let kotlin = desk.ok(&["export", "pins.json", "--to", "okhttp"]);
    assert!(
        kotlin.contains("\"**.example.com\"") && kotlin.contains("\"api.example.com\""),
        "{kotlin}"
    );
    desk.write("pins.json", with(json!([{ "sha256": A }, { "sha256": C }])));
    assert!(desk.refused(&["export", "pins.json", "--to", "okhttp"]).contains("overlap"));
}

/// Reads a file with Python's own parsers, which are not ours.
fn python(desk: &Desk, program: &str, file: &str) -> Value {
    let output =
        Command::new("python3").args(["-c", program, file]).current_dir(&desk.dir).output();
    let output = output.expect("python3");
    assert!(output.status.success(), "{}", words(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

const PLIST: &str =
    "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))";
const XML: &str = "
import json, sys, xml.etree.ElementTree as E
def tree(n): return [n.tag, n.attrib, (n.text or '').strip(), [tree(c) for c in n]]
print(json.dumps(tree(E.parse(sys.argv[1]).getroot())))";

#[test]
fn property_lists_are_read_by_another_reader() {
    let desk = Desk::new("plists");
    let entries = json!([
        { "host": "example.com", "include_subdomains": true, "expires": "2027-01-09T00:00:01Z", "pins": pins("any") },
        { "host": "report.example.org", "mode": "report_only", "pins": pins("any") },
        { "host": "off.example.com", "mode": "off" },
    ]);
    desk.write("pins.json", set(entries).to_string());
    desk.ok(&["export", "pins.json", "--to", "trustkit-ios", "-o", "tk.plist"]);
    let policy = |enforce: bool, subdomains: bool| {
        json!({
            "TSKEnforcePinning": enforce, "TSKIncludeSubdomains": subdomains, "TSKDisableDefaultReportUri": true,
            "TSKPublicKeyHashes": [A, B],
        })
    };
    let mut first = policy(true, true);
    first["TSKExpirationDate"] = json!("2027-01-10");
    assert_eq!(
        python(&desk, PLIST, "tk.plist"),
        json!({ "TSKConfiguration": {
        "TSKSwizzleNetworkDelegates": false,
        "TSKPinnedDomains": {
            "example.com": first,
            "report.example.org": policy(false, false),
            "off.example.com": { "TSKExcludeSubdomainFromParentPolicy": true },
        } } })
    );

    let entries = json!([
        { "host": "leaf.example.com", "pins": pins("leaf") }, { "host": "ca.example.com", "pins": pins("ca") }]);
    desk.write("pins.json", set(entries).to_string());
    desk.ok(&["export", "pins.json", "--to", "nspinneddomains", "-o", "ats.plist"]);
    let identities = json!([{ "SPKI-SHA256-BASE64": A }, { "SPKI-SHA256-BASE64": B }]);
    assert_eq!(
        python(&desk, PLIST, "ats.plist"),
        json!({ "NSAppTransportSecurity": { "NSPinnedDomains": {
        "leaf.example.com": { "NSIncludesSubdomains": false, "NSPinnedLeafIdentities": identities },
        "ca.example.com": { "NSIncludesSubdomains": false, "NSPinnedCAIdentities": identities },
    } } })
    );
}

#[test]
fn configs_are_read_by_another_reader_and_by_lint() {
    let desk = Desk::new("configs");
    let entries = json!([
        { "host": "example.com", "include_subdomains": true, "expires": "2027-01-09T00:00:00Z", "pins": pins("any") },
        { "host": "off.example.com", "mode": "off" }]);
    desk.write("pins.json", set(entries).to_string());
    desk.ok(&["export", "pins.json", "--to", "nsc", "-o", "nsc.xml"]);
    let pin = |text: &str| json!(["pin", { "digest": "SHA-256" }, text, []]);
    let domain = |all: &str, host: &str| json!(["domain", { "includeSubdomains": all }, host, []]);
    let pin_set = json!(["pin-set", { "expiration": "2027-01-10" }, "", [pin(A), pin(B)]]);
    assert_eq!(
        python(&desk, XML, "nsc.xml"),
        json!([
            "network-security-config",
            {},
            "",
            [
                ["domain-config", {}, "", [domain("true", "example.com"), pin_set]],
                ["domain-config", {}, "", [domain("false", "off.example.com")]],
            ]
        ])
    );
    // TrustKit has no words for an exemption.
    assert!(desk.refused(&["export", "pins.json", "--to", "trustkit-android"]).contains("exempt"));
    let entry = json!({ "host": "example.com", "pins": pins("any") });
    desk.write("pins.json", set(json!([entry])).to_string());
    desk.ok(&["export", "pins.json", "--to", "trustkit-android", "-o", "tk.xml"]);
    let tk = python(&desk, XML, "tk.xml");
    let own = json!(["trustkit-config", { "enforcePinning": "true", "disableDefaultReportUri": "true" }, "", []]);
    assert_eq!(tk[3][0][3][2], own);
}

#[test]
fn a_signed_pin_sets_end_and_grace_are_carried() {
    let desk = Desk::new("signed-export");
    let document = json!({
        "schema": 1, "stream": "s--s", "aud": ["android:a"], "version": 5, "epoch": 0, "grace_days": 30,
        "issued": "2026-11-10T00:00:00Z", "expires": "2027-01-09T00:00:00Z",
        "hosts": [{ "host": "a.example.com", "pins": pins("any") },
                  { "host": "b.example.com", "expires": "2026-12-31T00:00:00Z", "pins": pins("any") }],
    });
    desk.write("pins.json", document.to_string());
    let file: Value =
        serde_json::from_str(&desk.ok(&["export", "pins.json", "--to", "ssl-manager"]))
            .expect("JSON");
    // The last day that counts, to its end: the lapse is the midnight after it.
    assert_eq!(file["domains"]["a.example.com"]["expirationDate"], "2027-02-07");
    assert_eq!(file["domains"]["b.example.com"]["expirationDate"], "2027-01-29");
    assert_eq!(
        file["sha256Keys"]["a.example.com"],
        json!([format!("sha256/{A}"), format!("sha256/{B}")])
    );
    let kotlin = desk.ok(&["export", "pins.json", "--to", "cronet"]);
    assert!(kotlin.contains("Date(1802044800000L)"), "{kotlin}");
    desk.ok(&["export", "pins.json", "--to", "nsc", "-o", "nsc.xml"]);
    assert_eq!(python(&desk, XML, "nsc.xml")[3][0][3][1][1]["expiration"], "2027-02-09");
}

/// `ExportedPinsTest` of the Kotlin tests asks OkHttp itself what this file means.
#[test]
fn what_okhttp_is_asked_about_is_what_is_exported() {
    let desk = Desk::with("okhttp-export", "pins.json", include_str!("exported/pins.json"));
    let export = ["export", "pins.json", "--to", "okhttp", "--package"];
    let theirs =
        include_str!("../../../android/pinfold/src/test/kotlin/dev/pinfold/exported/Pins.kt");
    assert_eq!(desk.ok(&[&export[..], &["dev.pinfold.exported"]].concat()), theirs);
    let error = desk.refused(&[&export[..], &["a.b;import x"]].concat());
    assert!(error.contains("com.example.bank"), "{error}");
}
