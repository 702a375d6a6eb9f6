//! The rules of `pinfold lint` about a Network Security Config: one that breaks each, and the same
//! repaired.

use serde_json::{Value, json};

use super::lint::lint;
use super::{AT, Desk, parsed, pinset, words};

/// What `pinset` pins for api.example.com, and another key.
const A: &str = "YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=";
const B: &str = "sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=";
const C: &str = "jQJTbIh0grw0/1TkHSumWb+Fs0Ggogr621gT3PvPKG0=";
const PINS: &str = "<pin digest=\"SHA-256\">A</pin> <pin digest=\"SHA-256\">B</pin>";

/// What is found in `config`, whose keys are written A, B and C, each with its line.
fn found(desk: &Desk, document: &Value, config: &str) -> Vec<String> {
    let config = config.replace("PINS", PINS);
    let config = [("A", A), ("B", B), ("C", C)].iter().fold(config, |text, (name, key)| {
        text.replace(&format!("-256\">{name}<"), &format!("-256\">{key}<"))
    });
    let config = format!("<network-security-config>{config}</network-security-config>");
    desk.write("n.xml", config);
    lint(desk, document, &["--network-security-config", "n.xml"]).1
}

/// A domain-config for api.example.com.
fn domain(inside: &str) -> String {
    format!("<domain-config>\n<domain>api.example.com</domain>\n{inside}\n</domain-config>")
}

fn pins(inside: &str) -> String {
    domain(&format!("<pin-set expiration=\"2027-11-21\">{inside}</pin-set>"))
}

#[test]
fn a_config_has_the_same_pins() {
    let desk = Desk::after_the_ceremony("lint-config-pins");
    let base = pinset(2, 0);
    let found = |document: &Value, config: &str| found(&desk, document, config);
    let nothing: [&str; 0] = [];
    assert_eq!(found(&base, &pins(PINS)), nothing);
    assert_eq!(found(&base, ""), nothing, "pinning is Pinfold's");
    let one = "<pin digest=\"SHA-256\">A</pin>";
    assert_eq!(found(&base, &pins(one)), ["W31 n.xml:3"], "B is missing");
    let three = format!("{PINS} <pin digest=\"SHA-256\">C</pin>");
    assert_eq!(found(&base, &pins(&three)), ["W31 n.xml:3"], "C is too many");
    assert_eq!(found(&base, &pins("")), nothing, "Android asks for none then");
    let over =
        domain("<pin-set expiration=\"2020-01-01\"><pin digest=\"SHA-256\">A</pin></pin-set>");
    assert_eq!(found(&base, &over), ["W32 n.xml:3"], "Android does not look at them any more");
    let mut both = base.clone();
    both["hosts"][0]["include_subdomains"] = json!(true);
    let line = format!(
        "<domain-config><domain includeSubdomains=\"TRUE\">api.example.com</domain>\
         <pin-set expiration=\"2027-11-21\">{one}</pin-set></domain-config>\
         <domain-config><domain>v1.api.example.com</domain>\
         <pin-set expiration=\"2027-11-21\">{one}</pin-set></domain-config>"
    );
    assert_eq!(found(&both, &line), ["W31 n.xml:1", "W31 n.xml:1"], "each of two in one line");
    let mut known = base.clone();
    known["hosts"][0]["pins"] = json!([A, B, C].map(|key| json!({ "sha256": key })));
    known["hosts"][0]["pins"][2]["state"] = json!("retiring");
    assert_eq!(found(&known, &pins(&three)), nothing);
    assert_eq!(found(&known, &pins(PINS)), ["W31 n.xml:3"], "a server may still present it");
    let mut whole = base.clone();
    whole["hosts"][0]["pins"] = json!([{ "sha256": A }, { "sha256": B }, { "cert_sha256": C }]);
    assert_eq!(found(&whole, &pins(PINS)), ["W31 n.xml:3"], "no config can say that");
    let mut off = base.clone();
    off["hosts"][0] = json!({ "host": "api.example.com", "mode": "off" });
    assert_eq!(found(&off, &pins(PINS)), ["W31 n.xml:2"], "the config goes on");
    assert_eq!(found(&off, ""), nothing);

    let mut blocked = base;
    blocked["blocked_spki"] = json!([C]);
    assert_eq!(found(&blocked, &pins(&three)), ["W31 n.xml:3"]);
    let output = desk.run(&["lint", "p.json", "--at", AT, "--network-security-config", "n.xml"]);
    assert!(words(&output).contains("the pin set blocks it"), "{}", words(&output));
}

#[test]
fn a_config_is_about_the_same_names() {
    let desk = Desk::after_the_ceremony("lint-config-names");
    let base = pinset(2, 0);
    let mut below = base.clone();
    below["hosts"][0]["include_subdomains"] = json!(true);
    let found = |document: &Value, config: &str| found(&desk, document, config);
    let nothing: [&str; 0] = [];
    let with = |domain: &str| {
        let pins = format!("<pin-set expiration=\"2027-11-21\">{PINS}</pin-set>");
        format!("<domain-config>\n{domain}\n{pins}</domain-config>")
    };
    let exact = with("<domain>api.example.com</domain>");
    let all = with("<domain includeSubdomains=\"true\"> API.example.com </domain>");
    assert_eq!(found(&base, &exact), nothing);
    assert_eq!(found(&below, &exact), ["W31 n.xml:2"]);
    assert_eq!(found(&base, &all), ["W31 n.xml:2"]);
    assert_eq!(found(&below, &all), nothing);
    // Its parent's entry holds for it, and its parent's domain for all that is below it.
    let two = "<domain>v1.api.example.com</domain>\
               <domain includeSubdomains=\"true\">api.example.com</domain>";
    assert_eq!(found(&below, &with(two)), nothing);
    let parent = with("<domain includeSubdomains=\"true\">example.com</domain>");
    assert_eq!(found(&base, &parent), ["W31 n.xml:2"], "example.com is not in the pin set");
    assert_eq!(found(&base, &with("<domain>other.example</domain>")), ["W31 n.xml:2"]);
    // The longest domain holds, wherever it is, and with pins of its own.
    let own = "<domain-config><domain includeSubdomains=\"true\">v1.api.example.com</domain>\n\
               <pin-set expiration=\"2027-11-21\"><pin digest=\"SHA-256\">A</pin></pin-set>\
               </domain-config>";
    assert_eq!(found(&below, &format!("{own}{all}")), ["W31 n.xml:2"]);
    // What is inside inherits what it does not say.
    let outer = || {
        let outer = with("<domain>status.example.com</domain>").replace("</domain-config>", "");
        let inner = "<domain-config><domain>api.example.com</domain>";
        format!("{outer}{inner}</domain-config></domain-config>")
    };
    assert_eq!(found(&base, &outer()), ["W31 n.xml:2"], "status.example.com is not in the pin set");
    let mut other = base;
    other["hosts"][0]["pins"][0]["sha256"] = json!(C);
    let three = ["W31 n.xml:3", "W31 n.xml:3", "W31 n.xml:2"];
    assert_eq!(found(&other, &outer()), three, "one is missing, one is too many");
}

#[test]
fn pins_that_no_update_reaches_end_in_time() {
    let desk = Desk::after_the_ceremony("lint-config-end");
    let ends =
        |end: &str| found(&desk, &pinset(2, 0), &domain(&format!("<pin-set {end}>PINS</pin-set>")));
    let nothing: [&str; 0] = [];
    assert_eq!(ends(""), ["W32 n.xml:3"]);
    assert_eq!(ends("expiration=\"2026-11-21\""), ["W32 n.xml:3"], "at its first hour");
    assert_eq!(ends("expiration=\"2026-11-22\""), nothing);
    let at = |at| lint(&desk, &pinset(2, 0), &["--network-security-config", "n.xml", "--at", at]).0;
    assert_eq!([at("2026-11-22T00:00:00Z"), at("2026-11-22T00:00:01Z")], [0, 1]);
}

#[test]
fn nothing_goes_around_the_pins() {
    let desk = Desk::after_the_ceremony("lint-config-around");
    let base = pinset(2, 0);
    let mut below = base.clone();
    below["hosts"][0]["include_subdomains"] = json!(true);
    let found = |document: &Value, config: &str| found(&desk, document, config);
    let nothing: [&str; 0] = [];

    let clear = |permitted: &str, inside: &str| {
        format!("\n<base-config cleartextTrafficPermitted=\"{permitted}\"/>\n{inside}")
    };
    for permitted in ["true", "TRUE", "no"] {
        assert_eq!(found(&base, &clear(permitted, "")), ["W33 n.xml:2"], "{permitted}");
    }
    for forbidden in ["false", "False"] {
        assert_eq!(found(&base, &clear(forbidden, "")), nothing);
    }
    let no = "<domain-config cleartextTrafficPermitted=\"false\">\
              <domain>api.example.com</domain></domain-config>";
    assert_eq!(found(&base, &clear("true", no)), nothing);
    assert_eq!(found(&below, &clear("true", no)), ["W33 n.xml:2"], "names below it");
    assert_eq!(found(&base, &clear("true", &domain(""))), ["W33 n.xml:2"], "inherited");
    let yes = no.replace("false", "true");
    assert_eq!(found(&base, &clear("false", &yes)), ["W33 n.xml:3"]);

    // Of several domains the longest holds, and only at a dot.
    let of = |name: &str, permitted: bool| {
        format!(
            "<domain-config cleartextTrafficPermitted=\"{permitted}\">\
             <domain includeSubdomains=\"true\">{name}</domain></domain-config>"
        )
    };
    let mut deeper = pinset(2, 0);
    deeper["hosts"][0]["host"] = json!("v1.api.example.com");
    for longest in [true, false] {
        let of = [of("example.com", !longest), of("api.example.com", longest)];
        let expected: &[&str] = if longest { &["W33 n.xml:1"] } else { &[] };
        assert_eq!(found(&deeper, &of.concat()), expected);
        assert_eq!(found(&deeper, &[of[1].as_str(), &of[0]].concat()), expected);
    }
    assert_eq!(found(&base, &of("ample.com", true)), nothing);

    let anchors = |inside: &str| format!("<trust-anchors>\n{inside}\n</trust-anchors>");
    let system = "<certificates src=\"system\"/>";
    let user = "<certificates src=\"user\"/>";
    assert_eq!(found(&base, &domain(&anchors(user))), ["W34 n.xml:4"]);
    assert_eq!(found(&base, &domain(&anchors(system))), nothing);
    let everywhere = format!("<base-config>{}</base-config>", anchors(user));
    assert_eq!(found(&base, &everywhere), ["W34 n.xml:2"]);
    assert_eq!(found(&base, &format!("{everywhere}{}", domain(&anchors(system)))), nothing);
    assert_eq!(found(&base, &format!("{everywhere}{}", domain(""))), ["W34 n.xml:2"], "inherited");
    let debugging = format!("<debug-overrides>{}</debug-overrides>", anchors(user));
    assert_eq!(found(&base, &debugging), nothing);

    let overriding = "<certificates src=\"@raw/ours\" overridePins=\"true\"/>";
    let pinned =
        format!("{}<pin-set expiration=\"2027-11-21\">PINS</pin-set>", anchors(overriding));
    assert_eq!(found(&base, &domain(&pinned)), ["W34 n.xml:4"]);
    assert_eq!(
        found(&base, &domain(&anchors(overriding))),
        nothing,
        "there is nothing to override"
    );
}

#[test]
fn who_may_inspect_can() {
    let desk = Desk::after_the_ceremony("lint-config-inspection");
    let mut document = pinset(2, 0);
    document["inspection_authorities"] = json!([{
        "id": "acme", "spki_sha256": B, "mode": "allow", "hosts": ["api.example.com"],
        "not_before": "2026-10-01T00:00:00Z", "not_after": "2027-03-31T00:00:00Z",
        "require": { "managed_config": true, "managed_config_key": "inspection" },
    }]);
    let trusting = |source: &str| {
        let certificates = format!("<certificates src=\"{source}\"/>");
        found(&desk, &document, &domain(&format!("<trust-anchors>{certificates}</trust-anchors>")))
    };
    let nothing: [&str; 0] = [];
    assert_eq!(trusting("system"), ["W35 inspection_authorities[0]"]);
    assert_eq!(found(&desk, &document, ""), ["W35 inspection_authorities[0]"]);
    assert_eq!(trusting("user"), nothing, "those of the device's management are among them");
    assert_eq!(trusting("@raw/acme"), nothing);
}

#[test]
fn what_android_throws_for_is_an_error() {
    let desk = Desk::after_the_ceremony("lint-config-faults");
    let base = pinset(2, 0);
    let twice = "<domain>a.example</domain><domain>A.example</domain>";
    let good = format!("<domain>a.example</domain><pin-set>{PINS}</pin-set>");
    for (config, line) in [
        (domain(twice), 3),
        (domain("<domain></domain>"), 3),
        (domain("<domain> </domain>"), 3),
        (domain("<domain>a.example<pin-set/></domain>"), 3),
        (domain("<pin-set><pin digest=\"SHA-1\">x</pin></pin-set>"), 3),
        (domain("<pin-set><pin>x</pin></pin-set>"), 3),
        (domain("<pin-set><pin digest=\"SHA-256\">x</pin></pin-set>"), 3),
        (domain("<pin-set><pin digest=\"SHA-256\"/></pin-set>"), 3),
        (domain("<pin-set><pin digest=\"SHA-256\">A<b/></pin></pin-set>"), 3),
        (domain("<pin-set expiration=\"soon\"/>"), 3),
        (domain("<pin-set expiration=\"2027-02-30\"/>"), 3),
        (domain("<pin-set/><pin-set/>"), 3),
        (domain("<trust-anchors/><trust-anchors/>"), 3),
        (domain("<trust-anchors><certificates/></trust-anchors>"), 3),
        (domain("<trust-anchors><certificates src=\"all\"/></trust-anchors>"), 3),
        (domain("<domain-config/>"), 3),
        (domain("<domain-config><domain>api.example.com</domain></domain-config>"), 3),
        ("<domain-config cleartextTrafficPermitted=\"true\"/>".to_owned(), 1),
        (format!("<domain-config>{good}</domain-config><domain-config>{good}</domain-config>"), 1),
        ("<base-config><domain>a.example</domain></base-config>".to_owned(), 1),
        ("<base-config><pin-set/></base-config>".to_owned(), 1),
        (format!("<base-config><domain-config>{good}</domain-config></base-config>"), 1),
        ("<base-config/><base-config/>".to_owned(), 1),
        ("<debug-overrides/><debug-overrides/>".to_owned(), 1),
    ] {
        assert_eq!(found(&desk, &base, &config), [format!("E14 n.xml:{line}")], "{config}");
    }
}

#[test]
fn what_android_takes_is_taken() {
    let desk = Desk::after_the_ceremony("lint-config-generous");
    let base = pinset(2, 0);
    let nothing: [&str; 0] = [];
    for config in [
        pins(PINS).replace("SHA-256", "sha-256"),
        pins(PINS).replace("SHA-256", "Sha-256"),
        pins(PINS).replace("2027-11-21", "2027-9-3"),
        pins(PINS).replace("2027-11-21", " 2027-11-21T00:00:00Z"),
        pins(PINS).replace("A</pin>", &format!("\n {A} \t</pin>")),
        pins(PINS).replace("A</pin>", &format!("<!-- 2026 -->{A}</pin>")),
        pins(
            "<pin digest=\"SHA-256\">YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg</pin>\
              <pin digest=\"SHA-256\">B</pin>",
        ),
        pins(&format!("{PINS}<other><pin-set/></other>")),
        domain("<pin-set/>"),
        "<domain-config><domain>cdn.example.org</domain><pin-set></pin-set></domain-config>".into(),
        "<other><domain-config/></other>".into(),
    ] {
        assert_eq!(found(&desk, &base, &config), nothing, "{config}");
    }
    // Taken, and never of any use.
    for name in [
        "*.example.com",
        "https://api.example.com",
        "api.example.com:443",
        "api.example.com/v1",
        "api.example.com.",
        "b\u{fc}cher.example",
    ] {
        let config = format!("<domain-config>\n<domain>{name}</domain>\n</domain-config>");
        assert_eq!(found(&desk, &base, &config), ["W36 n.xml:2"], "{config}");
    }
    // Below a name with pins, an empty one takes them away.
    let mut below = base;
    below["hosts"][0]["include_subdomains"] = json!(true);
    let config = format!(
        "<domain-config>\n<domain includeSubdomains=\"true\">api.example.com</domain>\n\
         <pin-set expiration=\"2027-11-21\">{PINS}</pin-set>\n<domain-config>\n\
         <domain>static.api.example.com</domain>\n<pin-set/></domain-config></domain-config>"
    );
    assert_eq!(found(&desk, &below, &config), ["W31 n.xml:5"]);
}

#[test]
fn a_config_that_android_would_not_read_is_no_input() {
    let desk = Desk::after_the_ceremony("lint-config-input");
    desk.write("p.json", pinset(2, 0).to_string());
    for (config, place) in [
        ("", "n.xml"),
        ("<network-security-config>", "n.xml:1: not well-formed"),
        ("<resources/>", "n.xml: not a <network-security-config>"),
        ("<!DOCTYPE x [<!ENTITY e \"e\">]><network-security-config/>", "n.xml:1: not well-formed"),
    ] {
        desk.write("n.xml", config);
        let text = desk.fails(2, &["lint", "p.json", "--network-security-config", "n.xml"]);
        assert!(text.contains(place), "{text}");
    }
    desk.fails(2, &["lint", "p.json", "--network-security-config", "none.xml"]);

    let (open, close) = ("<domain-config>".repeat(50_000), "</domain-config>".repeat(50_000));
    let deep = format!("<network-security-config>{open}{close}</network-security-config>");
    desk.write("n.xml", deep);
    let output = desk.run(&["lint", "p.json", "--network-security-config", "n.xml"]);
    assert!(output.status.code().is_some(), "{output:?}");

    // Of several versions of the app each is looked at, and a finding may stand for a reason.
    desk.write("n.xml", "<network-security-config/>");
    let user = "<network-security-config><base-config><trust-anchors>\
                <certificates src=\"user\"/></trust-anchors></base-config></network-security-config>";
    desk.write("old.xml", user);
    let both = ["lint", "p.json", "--at", AT, "--network-security-config", "n.xml", "old.xml"];
    let lint = |more: &[&str]| desk.run(&[&both, more].concat());
    assert_eq!(parsed(&lint(&["--json"]))["findings"][0]["place"], "old.xml:1");
    assert_eq!(lint(&["--allow", "W34=testers only"]).status.code(), Some(0));
}
