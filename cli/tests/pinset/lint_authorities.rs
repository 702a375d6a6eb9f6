//! The rules of `pinfold lint` about pinned authorities, and what it says to other programs.

use serde_json::{Value, json};

use super::lint::lint;
use super::{AT, Desk, parsed, pinset, words};

const A: &str = "YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=";
const ISRG_ROOT_X1: &str = "C5+lpZ7tcVwmwQIMcRtPbsQtWLABXhQzejna0wHFr8M=";
/// The same organisation's; no Android before 14 knows it.
const ISRG_ROOT_X2: &str = "diGVwiVYbubAI3RW4hB9xU8e/CH2GnkuvVFZE8zmgzI=";
const GTS_ROOT_R1: &str = "hxqRlPTu1bMS/0DITB1SSu0vd4u/8l8TjPgfaAp63Gc=";
/// Distrusted by Mozilla for what it issues after 2024-11-30, and gone from its list.
const ENTRUST_G2: &str = "du6FkDdMcVQ3u8prumAo6t3i3G27uMP2EOhR8R0at/U=";

fn with_pins(pins: Value) -> Value {
    let mut document = pinset(2, 0);
    document["hosts"][0]["pins"] = pins;
    document
}

fn text(desk: &Desk, more: &[&str]) -> String {
    words(&desk.run(&[&["lint", "p.json", "--at", AT], more].concat()))
}

#[test]
fn authorities_of_one_organisation_are_one_risk() {
    let desk = Desk::after_the_ceremony("lint-organisation");
    let android = ["--android", "14", "--ios", "17"];
    let one = with_pins(json!([
        { "sha256": ISRG_ROOT_X1, "at": "ca" },
        { "sha256": ISRG_ROOT_X2, "at": "ca", "state": "backup" },
    ]));
    assert_eq!(lint(&desk, &one, &android), (1, vec!["W21 hosts[0].pins".into()]));
    assert!(text(&desk, &android).contains("Internet Security Research Group"));
    let clean = (0, vec![]);
    for other in
        [json!({ "sha256": A, "at": "leaf" }), json!({ "sha256": GTS_ROOT_R1, "at": "ca" })]
    {
        let mut two = one.clone();
        two["hosts"][0]["pins"][1] = other;
        assert_eq!(lint(&desk, &two, &android), clean);
    }
    // One that is leaving helps nobody.
    let mut leaving = one;
    leaving["hosts"][0]["pins"]
        .as_array_mut()
        .expect("pins")
        .push(json!({ "sha256": GTS_ROOT_R1, "at": "ca", "state": "retiring" }));
    assert_eq!(lint(&desk, &leaving, &android), (1, vec!["W21 hosts[0].pins".into()]));
}

#[test]
fn it_is_said_which_phone_misses_a_pinned_root_and_since_when() {
    let desk = Desk::after_the_ceremony("lint-phones");
    let pinned = |key: &str| {
        with_pins(json!([{ "sha256": key, "at": "ca" }, { "sha256": A, "at": "leaf" }]))
    };
    let (clean, found) = ((0, vec![]), (1, vec!["W23 hosts[0].pins[0]".to_owned()]));
    assert_eq!(lint(&desk, &pinned(ISRG_ROOT_X1), &[]), clean);
    assert_eq!(lint(&desk, &pinned(ISRG_ROOT_X2), &[]), found);
    let said = text(&desk, &[]);
    assert!(said.contains("Android: not before Android 14 (2023-10-08)"), "{said}");
    assert!(said.contains("by the lists of 20"), "{said}");
    assert_eq!(lint(&desk, &pinned(ISRG_ROOT_X2), &["--android", "14", "--ios", "17"]), clean);
    let old = ["--android", "14", "--ios", "13"];
    assert_eq!(lint(&desk, &pinned(ISRG_ROOT_X2), &old), found);
    assert_eq!(lint(&desk, &pinned(ENTRUST_G2), &["--android", "16"]), found);
    let said = text(&desk, &["--android", "16"]);
    assert!(said.contains("Mozilla: gone since certifi"), "{said}");
    assert!(said.contains("Mozilla takes nothing that it issued after 2024-11-30"), "{said}");
    // It ends on 2035-06-04.
    let mut late = pinned(ISRG_ROOT_X1);
    (late["issued"], late["expires"]) =
        (json!("2033-06-01T00:00:00Z"), json!("2033-09-01T00:00:00Z"));
    assert_eq!(lint(&desk, &late, &["--at", "2033-06-04T12:00:00Z"]), clean);
    assert_eq!(lint(&desk, &late, &["--at", "2033-06-06T12:00:00Z"]), found);
    // Its own authorities, and the server's key, are on no list.
    for (member, value) in [("at", json!("leaf")), ("state", json!("retiring"))] {
        let mut other = pinned(ISRG_ROOT_X2);
        other["hosts"][0]["pins"][0][member] = value;
        other["hosts"][0]["pins"]
            .as_array_mut()
            .expect("pins")
            .push(json!({ "sha256": ISRG_ROOT_X1, "at": "any" }));
        assert_eq!(lint(&desk, &other, &[]), clean, "{member}");
    }
    for wrong in ["", "eight", "8."] {
        desk.fails(2, &["lint", "p.json", "--android", wrong]);
    }
}

#[test]
fn an_inspector_that_only_phones_know_is_public_too() {
    let desk = Desk::after_the_ceremony("lint-inspector");
    // Mozilla's newest list has it no more, Apple's has.
    let mut document = pinset(2, 0);
    document["inspection_authorities"] = json!([{
        "id": "acme", "spki_sha256": ENTRUST_G2, "mode": "allow", "hosts": ["api.example.com"],
        "never_hosts": [], "not_before": "2026-10-01T00:00:00Z", "not_after": "2027-03-31T00:00:00Z",
        "require": { "managed_config": true, "managed_config_key": "inspection" },
    }]);
    let place = "E11 inspection_authorities[0].spki_sha256";
    assert_eq!(lint(&desk, &document, &[]), (1, vec![place.into()]));
    assert!(text(&desk, &[]).contains("Mozilla, Android, Apple"));
    document["inspection_authorities"][0]["spki_sha256"] = json!(A);
    assert_eq!(lint(&desk, &document, &[]), (0, vec![]));
}

#[test]
fn a_carried_intermediate_is_known_by_its_certificate() {
    let desk = Desk::after_the_ceremony("lint-intermediate");
    let kit = pinfold_testkit::Testkit::start().expect("loopback");
    use base64::Engine as _;
    let carried = |name: &str| {
        let der = kit.pki().certificate(name);
        let cert = base64::engine::general_purpose::STANDARD.encode(der);
        let key = kit.pki().pin(name).replace("sha256/", "");
        with_pins(json!([{ "sha256": key, "at": "ca", "cert": cert }, { "sha256": A }]))
    };
    let found = (1, vec!["W22 hosts[0].pins[0]".to_owned()]);
    assert_eq!(lint(&desk, &carried("intermediate"), &[]), found);
    assert_eq!(lint(&desk, &carried("root"), &[]), (0, vec![]));
}

#[test]
fn a_blocked_pin_is_no_spare() {
    let desk = Desk::after_the_ceremony("lint-blocked");
    let mut document = pinset(2, 0);
    document["blocked_spki"] = json!([A]);
    let found = (1, vec!["W37 hosts[0].pins".to_owned()]);
    assert_eq!(lint(&desk, &document, &[]), found);
    assert!(text(&desk, &[]).contains("one pin of api.example.com is left"));
    let pins = document["hosts"][0]["pins"].as_array_mut().expect("pins");
    pins.push(json!({ "sha256": ISRG_ROOT_X1, "at": "any", "state": "backup" }));
    assert_eq!(lint(&desk, &document, &[]), (0, vec![]));
    document["hosts"][0]["pins"][2]["state"] = json!("retiring");
    assert_eq!(lint(&desk, &document, &[]), found);
    let all = document["hosts"][0]["pins"].as_array().expect("pins").iter();
    document["blocked_spki"] = all.map(|pin| pin["sha256"].clone()).collect();
    assert_eq!(lint(&desk, &document, &[]), found);
    assert!(text(&desk, &[]).contains("clients refuse it"));
}

#[test]
fn logs_show_names_that_the_pins_may_not_fit() {
    let desk = Desk::after_the_ceremony("lint-log");
    let mut document = pinset(2, 0);
    document["hosts"][0]["host"] = json!("example.com");
    document["hosts"][0]["include_subdomains"] = json!(true);
    let log = |issuer: &str, until: &str| {
        let item = |names: &str, organisation: &str, until: &str| {
            json!({ "issuer_name": format!("C=US, O={organisation}, CN=x"), "name_value": names,
                    "not_after": until })
        };
        let items = json!([
            item("example.com\nwww.example.com", "Own", "2027-01-01T00:00:00"),
            item("*.shop.example.com", issuer, until),
            item("elsewhere.example.org", "Other", "2027-01-01T00:00:00"),
        ]);
        desk.write("log.json", items.to_string());
    };
    let more = ["--certificate-log", "log.json"];
    let (clean, found) = ((0, vec![]), (1, vec!["W27 hosts[0].include_subdomains".to_owned()]));
    log("Other", "2027-01-01T00:00:00");
    assert_eq!(lint(&desk, &document, &more), found);
    assert!(text(&desk, &more).contains("*.shop.example.com has certificates of Other"));
    assert_eq!(lint(&desk, &document, &[]), clean);
    for (issuer, until) in [("Own", "2027-01-01T00:00:00"), ("Other", "2026-11-01T00:00:00")] {
        log(issuer, until);
        assert_eq!(lint(&desk, &document, &more), clean, "{issuer} {until}");
    }
    log("Other", "2027-01-01T00:00:00");
    let entry = json!({ "host": "shop.example.com", "include_subdomains": true, "mode": "off" });
    document["hosts"].as_array_mut().expect("hosts").push(entry);
    assert_eq!(lint(&desk, &document, &more), clean);
    desk.write("log.json", "{}");
    let said = desk.fails(2, &["lint", "p.json", "--certificate-log", "log.json"]);
    assert!(said.contains("crt.sh"), "{said}");
}

#[test]
fn other_programs_read_the_findings() {
    let desk = Desk::after_the_ceremony("lint-report");
    let mut document = pinset(2, 0);
    document["update"] = json!({ "urls": ["https://api.example.com/b.json"] });
    desk.write("p.json", document.to_string());
    let lint = |more: &[&str]| {
        let files = ["--sarif", "l.sarif", "--junit", "l.xml"];
        desk.run(&[&["lint", "p.json", "--at", AT], more, &files].concat())
    };
    let output = lint(&["--allow", "W30=one \"CDN\" <so far>"]);
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));

    let sarif: serde_sarif::sarif::Sarif =
        serde_json::from_slice(&desk.read("l.sarif")).expect("SARIF");
    let [run] = sarif.runs.as_slice() else { panic!("one run") };
    let results = run.results.as_ref().expect("results");
    let ids: Vec<_> = results.iter().map(|result| result.rule_id.as_deref()).collect();
    assert_eq!(ids, [Some("E04"), Some("W30")]);
    let waived: Vec<_> =
        results.iter().map(|result| result.suppressions.as_ref().map(Vec::len)).collect();
    assert_eq!(waived, [Some(0), Some(1)]);
    for result in results {
        let place = &result.locations.as_ref().expect("a place")[0];
        let file = place.physical_location.as_ref().and_then(|p| p.artifact_location.as_ref());
        let uri = file.and_then(|file| file.uri.as_deref()).expect("a URI");
        let path = url::Url::parse(uri).expect("absolute").to_file_path().expect("a file's");
        assert_eq!(path, desk.path("p.json"));
    }
    let rules = run.tool.driver.rules.as_ref().expect("rules");
    assert!(ids.iter().all(|id| rules.iter().any(|rule| Some(rule.id.as_str()) == *id)));

    let xml = String::from_utf8(desk.read("l.xml")).expect("UTF-8");
    let report = quick_junit::Report::deserialize_from_str(&xml).expect("JUnit");
    let cases = &report.test_suites[0].test_cases;
    let status = |id: &str| {
        let case = cases.iter().find(|case| case.name.starts_with(id)).expect(id);
        match &case.status {
            quick_junit::TestCaseStatus::Success { .. } => "passed".to_owned(),
            quick_junit::TestCaseStatus::NonSuccess { .. } => "failed".to_owned(),
            quick_junit::TestCaseStatus::Skipped { message, .. } => {
                message.as_ref().map(|text| text.as_str().to_owned()).unwrap_or_default()
            }
        }
    };
    assert_eq!(status("E04"), "failed");
    assert_eq!(status("W30"), "one \"CDN\" <so far>");
    assert_eq!(status("W28"), "passed");
    assert!(cases.iter().all(|case| !case.name.starts_with("E03")), "nobody was asked");

    // Nothing found is an empty list, not none.
    desk.write("p.json", pinset(2, 0).to_string());
    assert!(lint(&[]).status.success());
    let value: Value = serde_json::from_slice(&desk.read("l.sarif")).expect("JSON");
    assert_eq!(value["runs"][0]["results"], json!([]));
    let value = parsed(&desk.run(&["lint", "p.json", "--at", AT, "--json"]));
    assert!(value["root_stores"].as_str().is_some_and(|day| day.starts_with("20")), "{value}");
}
