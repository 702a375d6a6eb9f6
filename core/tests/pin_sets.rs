//! Pin sets as files: what is accepted, and where an error points.

use pinfold_core::PinSet;
use pinfold_core::pin::{HostName, Mode, PinAt, Trust};

const A: &str = "YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=";
const B: &str = "sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=";

fn pins() -> String {
    format!(r#"[{{"sha256":"{A}"}},{{"sha256":"{B}","state":"backup"}}]"#)
}

fn with_host(members: &str) -> String {
    let pins = pins();
    format!(r#"{{"schema":1,"hosts":[{{"host":"api.example.com","pins":{pins}{members}}}]}}"#)
}

#[test]
fn a_small_file_takes_the_defaults() {
    let set = PinSet::parse(with_host("").as_bytes()).expect("good");
    let policy = &set.hosts()[0];
    assert_eq!(policy.mode(), Mode::Enforce);
    assert_eq!(policy.trust(), Trust::SystemAndPin);
    assert!(!policy.include_subdomains());
    assert_eq!(policy.pins()[0].at, PinAt::Any);
    assert_eq!(set.version(), None);
}

#[test]
fn every_member_is_read() {
    let json = format!(
        r#"{{"schema":1,"version":57,"note":"n",
            "defaults":{{"mode":"report_only","trust":"system_and_pin","on_lapse":"system_trust"}},
            "hosts":[
              {{"host":"API.Example.com.","include_subdomains":true,"mode":"enforce","enforce_percent":100,
                "trust":"system_and_pin","on_lapse":"system_trust","expires":"2027-01-10T00:00:00Z",
                "pins":[{{"sha256":"{A}","at":"leaf","state":"active","label":"l"}},
                        {{"cert_sha256":"{B}","at":"ca","state":"retiring"}}]}},
              {{"host":"status.example.com","mode":"off"}},
              {{"host":"bücher.example","pins":[{{"sha256":"{A}"}}]}},
              {{"host":"10.0.0.1","enforce_percent":0,"mode":"enforce","pins":[{{"sha256":"{A}"}}]}}]}}"#
    );
    let set = PinSet::parse(json.as_bytes()).expect("good");
    let hosts: Vec<_> = set.hosts().iter().map(|p| (p.host().as_str(), p.mode())).collect();
    assert_eq!(
        hosts,
        [
            ("api.example.com", Mode::Enforce),
            ("status.example.com", Mode::Off),
            ("xn--bcher-kva.example", Mode::ReportOnly),
            ("10.0.0.1", Mode::ReportOnly),
        ]
    );
    assert_eq!(set.version(), Some(57));
}

#[test]
fn every_error_names_its_place() {
    let pins = pins();
    let cases = [
        ("".to_owned(), "document"),
        ("\u{feff}{}".to_owned(), "document"),
        ("[]".to_owned(), "document"),
        ("{}".to_owned(), "schema"),
        ("{".to_owned(), "document"),
        (r#"{"schema":1}"#.to_owned(), "hosts"),
        (r#"{"schema":2,"hosts":[]}"#.to_owned(), "schema"),
        (r#"{"schema":1.0,"hosts":[]}"#.to_owned(), "schema"),
        (r#"{"schema":"1","hosts":[]}"#.to_owned(), "schema"),
        (r#"{"schema":-1,"hosts":[]}"#.to_owned(), "schema"),
        (r#"{"schema":1,"schema":1,"hosts":[]}"#.to_owned(), "document"),
        (r#"{"schema":1,"hosts":[]} x"#.to_owned(), "document"),
        (r#"{"schema":1,"hosts":[]}{}"#.to_owned(), "document"),
        (r#"{"schema":1,"version":0,"hosts":[]}"#.to_owned(), "version"),
        (r#"{"schema":1,"version":9007199254740992,"hosts":[]}"#.to_owned(), "version"),
        (r#"{"schema":1,"version":1e3,"hosts":[]}"#.to_owned(), "version"),
        (r#"{"schema":1,"host":[]}"#.to_owned(), "host"),
        (r#"{"schema":1,"defaults":{"mode":"enforced"},"hosts":[]}"#.to_owned(), "defaults.mode"),
        (r#"{"schema":1,"hosts":{}}"#.to_owned(), "hosts"),
        (format!(r#"{{"schema":1,"hosts":[{{"pins":{pins}}}]}}"#), "hosts[0].host"),
        (
            format!(r#"{{"schema":1,"hosts":[{{"host":"*.example.com","pins":{pins}}}]}}"#),
            "hosts[0].host",
        ),
        (format!(r#"{{"schema":1,"hosts":[{{"host":"co.uk","pins":{pins}}}]}}"#), "hosts[0].host"),
        (
            format!(r#"{{"schema":1,"hosts":[{{"host":"a\u0000b","pins":{pins}}}]}}"#),
            "hosts[0].host",
        ),
        (
            format!(
                r#"{{"schema":1,"hosts":[{{"host":"a.example","pins":{pins}}},{{"host":"A.example.","pins":{pins}}}]}}"#
            ),
            "hosts[1].host",
        ),
        (
            format!(
                r#"{{"schema":1,"hosts":[{{"host":"10.0.0.1","include_subdomains":true,"pins":{pins}}}]}}"#
            ),
            "hosts[0].include_subdomains",
        ),
        (r#"{"schema":1,"hosts":[{"host":"a.example"}]}"#.to_owned(), "hosts[0].pins"),
        (
            format!(
                r#"{{"schema":1,"hosts":[{{"host":"a.example","pins":[{{"sha256":"{A}"}}]}}]}}"#
            ),
            "hosts[0].pins",
        ),
        (
            format!(
                r#"{{"schema":1,"hosts":[{{"host":"a.example","pins":[{{"sha256":"{A}","at":"leaf"}},{{"sha256":"{A}","at":"ca"}}]}}]}}"#
            ),
            "hosts[0].pins",
        ),
        (
            format!(
                r#"{{"schema":1,"hosts":[{{"host":"a.example","pins":[{{"sha256":"{A}"}},{{"sha256":"{A}"}}]}}]}}"#
            ),
            "hosts[0].pins[1]",
        ),
        (
            r#"{"schema":1,"hosts":[{"host":"a.example","pins":[{"sha256":"AAAA"}]}]}"#.to_owned(),
            "hosts[0].pins[0].sha256",
        ),
        (
            format!(
                r#"{{"schema":1,"hosts":[{{"host":"a.example","pins":[{{"sha256":"sha256/{A}"}}]}}]}}"#
            ),
            "hosts[0].pins[0].sha256",
        ),
        (
            format!(
                r#"{{"schema":1,"hosts":[{{"host":"a.example","pins":[{{"sha256":"{A}","at":"root"}}]}}]}}"#
            ),
            "hosts[0].pins[0].at",
        ),
        (
            format!(
                r#"{{"schema":1,"hosts":[{{"host":"a.example","pins":[{{"sha256":"{A}","cert_sha256":"{B}"}}]}}]}}"#
            ),
            "hosts[0].pins[0]",
        ),
        (
            r#"{"schema":1,"hosts":[{"host":"a.example","pins":[{}]}]}"#.to_owned(),
            "hosts[0].pins[0]",
        ),
        (
            format!(
                r#"{{"schema":1,"hosts":[{{"host":"a.example","pins":[{{"sha256":"{A}","at":"ca","cert":"AAAA"}}]}}]}}"#
            ),
            "hosts[0].pins[0].cert",
        ),
        (r#"{"schema":1,"note":"a\u0000b","hosts":[]}"#.to_owned(), "note"),
        (with_host(r#","mode":"off","mode":"enforce""#), "hosts[0]"),
        (with_host(r#","include_subdomain":true"#), "hosts[0].include_subdomain"),
        (with_host(r#","enforce_percent":50"#), "hosts[0].enforce_percent"),
        (with_host(r#","enforce_percent":101"#), "hosts[0].enforce_percent"),
        (with_host(r#","expires":"2027-01-10""#), "hosts[0].expires"),
        (with_host(r#","on_lapse":"block""#), "hosts[0].on_lapse"),
        // Some readers would take all of these; people and other tools would not see the same.
        ("[1,null,null,[],[]]".to_owned(), "document"),
        (r#"{"schema":1,"hosts":[["api.example.com",true,"off"]]}"#.to_owned(), "hosts[0]"),
        (r#"{"schema":1,"defaults":["off"],"hosts":[]}"#.to_owned(), "defaults"),
        (
            r#"{"schema":1,"hosts":[{"host":"a.example","pins":[["AAAA"]]}]}"#.to_owned(),
            "hosts[0].pins[0]",
        ),
        (with_host(r#","mode":{"off":null}"#), "hosts[0].mode"),
        (with_host(r#","mode":null"#), "hosts[0].mode"),
        (with_host(r#","expires":null"#), "hosts[0].expires"),
        (with_host(r#","anchors":null"#), "hosts[0].anchors"),
        (r#"{"schema":1,"version":null,"hosts":[]}"#.to_owned(), "version"),
        (
            r#"{"schema":1,"defaults":{"on_lapse":"block"},"hosts":[]}"#.to_owned(),
            "defaults.on_lapse",
        ),
        (with_host(r#","trust":"private_ca""#), "hosts[0].anchors"),
        (with_host(r#","trust":"private_ca","anchors":["AAAA"]"#), "hosts[0].anchors[0]"),
        (
            with_host(r#","trust":"private_ca","anchors":["-----BEGIN CERTIFICATE-----"]"#),
            "hosts[0].anchors[0]",
        ),
        (with_host(r#","anchors":["AAAA"]"#), "hosts[0].anchors[0]"),
        (with_host(r#","trust":"pin_only""#), "hosts[0].pins"),
        (with_host(r#","trust":"pin_only","mode":"report_only""#), "hosts[0].mode"),
        (with_host(r#","trust":"system""#), "hosts[0].trust"),
    ];
    for (json, expected) in cases {
        let error = PinSet::parse(json.as_bytes()).expect_err(&json);
        assert_eq!(error.code(), "invalid_pin_set", "{json}");
        assert_eq!(error.place(), Some(expected), "{json}: {error}");
    }
}

#[test]
fn what_is_not_text_is_an_error_too() {
    let good = with_host("").into_bytes();
    for i in 0..good.len() {
        assert!(PinSet::parse(&good[..i]).is_err(), "prefix of {i} bytes");
        for byte in [0x00, 0xff, 0x80] {
            let mut bad = good.clone();
            bad[i] = byte;
            assert!(PinSet::parse(&bad).is_err(), "byte {i} is {byte:#x}");
        }
    }
    let deep = "[".repeat(100_000);
    assert!(PinSet::parse(deep.as_bytes()).is_err());
    let huge = vec![b' '; 10 << 20];
    assert!(PinSet::parse(&huge).is_err());
}

#[test]
fn too_much_of_anything_is_refused() {
    let pins = pins();
    let many_hosts: Vec<_> =
        (0..257).map(|i| format!(r#"{{"host":"h{i}.example","pins":{pins}}}"#)).collect();
    let json = format!(r#"{{"schema":1,"hosts":[{}]}}"#, many_hosts.join(","));
    assert_eq!(PinSet::parse(json.as_bytes()).expect_err("257 hosts").place(), Some("hosts"));

    let many_pins = vec![format!(r#"{{"sha256":"{A}"}}"#); 17].join(",");
    let json = format!(r#"{{"schema":1,"hosts":[{{"host":"a.example","pins":[{many_pins}]}}]}}"#);
    assert_eq!(PinSet::parse(json.as_bytes()).expect_err("17 pins").place(), Some("hosts[0].pins"));

    let label = "x".repeat(1_025);
    let json = format!(
        r#"{{"schema":1,"hosts":[{{"host":"a.example","pins":[{{"sha256":"{A}","label":"{label}"}}]}}]}}"#
    );
    let error = PinSet::parse(json.as_bytes()).expect_err("a long label");
    assert_eq!(error.place(), Some("hosts[0].pins[0].label"));
}

/// The host patterns of OkHttp's CertificatePinnerTest, as entries: `**.` is `include_subdomains`,
/// which here covers the host itself in the same way, and `*.` has no counterpart.
#[test]
fn okhttps_host_patterns_hold_as_entries() {
    let pins = pins();
    for (entry, subdomains, covered, not_covered) in [
        (
            "example.com",
            false,
            &["example.com", "EXAMPLE.COM", "example.com."][..],
            &["www.example.com", "a.example.com", "example.com.au", "xexample.com", "com"][..],
        ),
        (
            "example.co.uk",
            true,
            &["example.co.uk", "www.example.co.uk", "a.b.c.example.co.uk"],
            &["co.uk", "badexample.co.uk", "example.co.uk.evil.test", "gle.co.uk", "uk"],
        ),
        (
            // U-labels and A-labels are one name.
            "*.\u{3c3}khttp.com",
            false,
            &[],
            &[],
        ),
        (
            "\u{3c3}khttp.com",
            true,
            &["xn--khttp-fde.com", "\u{3c3}khttp.com", "www.xn--khttp-fde.com", "\u{3a3}KHTTP.com"],
            &["khttp.com", "xn--khttp-fde.com.test"],
        ),
        ("10.1.2.3", false, &["10.1.2.3"], &["10.1.2.4", "1.10.1.2.3.test", "0xa010203.test"]),
        ("::1", false, &["::1", "[::1]", "0:0:0:0:0:0:0:1"], &["::2"]),
    ] {
        let json = format!(
            r#"{{"schema":1,"hosts":[{{"host":"{entry}","include_subdomains":{subdomains},"pins":{pins}}}]}}"#
        );
        let Ok(set) = PinSet::parse(json.as_bytes()) else {
            assert!(entry.starts_with('*'), "{entry}");
            continue;
        };
        let covers = |name: &str| set.policy(&HostName::parse(name).expect(name)).is_some();
        for name in covered {
            assert!(covers(name), "{entry} covers {name}");
        }
        for name in not_covered {
            assert!(!covers(name), "{entry} does not cover {name}");
        }
    }
    // What OkHttp refuses as a pattern, and its wildcards, are no hosts.
    for entry in [
        "*",
        "*.",
        "**.",
        "*.example.com",
        "**.example.com",
        "*example.com",
        "example.*",
        "a.*.example.com",
        "**.*.example.com",
        "*.*.example.com",
        "***.example.com",
        "ex*mple.com",
        "*..example.com",
        ".example.com",
        "example..com",
        "",
        " ",
    ] {
        let json = format!(r#"{{"schema":1,"hosts":[{{"host":"{entry}","pins":{pins}}}]}}"#);
        assert!(PinSet::parse(json.as_bytes()).is_err(), "{entry:?}");
    }
}

#[test]
fn blocked_keys_are_read_and_their_errors_name_the_place() {
    let with = |keys: &str| format!(r#"{{"schema":1,"blocked_spki":{keys},"hosts":[]}}"#);
    for good in ["[]".to_owned(), format!(r#"["{A}"]"#), format!(r#"["{A}","{B}"]"#)] {
        PinSet::parse(with(&good).as_bytes()).expect("good");
    }
    let many = (0..257_u32).map(|i| format!("\"{i:043}=\"")).collect::<Vec<_>>().join(",");
    for (keys, place) in [
        (format!(r#"["{A}","{A}"]"#), "blocked_spki[1]"),
        (format!(r#"["{B}","short"]"#), "blocked_spki[1]"),
        ("[7]".to_owned(), "blocked_spki[0]"),
        ("{}".to_owned(), "blocked_spki"),
        ("null".to_owned(), "blocked_spki"),
        (format!("[{many}]"), "blocked_spki"),
    ] {
        let error = PinSet::parse(with(&keys).as_bytes()).expect_err(place);
        assert_eq!(error.place(), Some(place), "{error}");
    }
}
