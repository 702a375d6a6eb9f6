//! Every rule of `pinfold lint`: a document that breaks it, and the same repaired.

use serde_json::{Value, json};

use super::{AT, Desk, ISSUED, parsed, pinset, words};

const A: &str = "YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=";
const B: &str = "sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=";
const C: &str = "Vjs8r4z+80wjNcr1YKepWQboSIRi63WsWXhIMN+eWys=";
const D: &str = "++MBgDH5WGvL9Bcn5Be30cRcL0f5O+NyoXuWtQdX1aI=";
/// Let's Encrypt's root, which is in Mozilla's list.
const ISRG_ROOT_X1: &str = "C5+lpZ7tcVwmwQIMcRtPbsQtWLABXhQzejna0wHFr8M=";

/// The exit code, and the id and place of each finding.
pub(super) fn lint(desk: &Desk, document: &Value, more: &[&str]) -> (i32, Vec<String>) {
    desk.write("p.json", document.to_string());
    let at = if more.contains(&"--at") { &[][..] } else { &["--at", AT] };
    let output = desk.run(&[&["lint", "p.json", "--json"], at, more].concat());
    let found = parsed(&output)["findings"].as_array().cloned();
    let text = |member: &Value| member.as_str().expect("a text").to_owned();
    let line = |f: &Value| format!("{} {}", text(&f["id"]), text(&f["place"]));
    let code = output.status.code().expect("an end");
    let found = found.unwrap_or_else(|| panic!("{}", words(&output)));
    (code, found.iter().map(line).collect())
}

type Edit<'a> = &'a dyn Fn(&mut Value);

/// The document that `broken` makes of `base` has exactly this finding, and that of `repaired` none.
fn rule_fires(
    desk: &Desk,
    base: &Value,
    id: &str,
    broken: Edit<'_>,
    repaired: Edit<'_>,
    more: &[&str],
) {
    let made = |edit: Edit<'_>| {
        let mut document = base.clone();
        edit(&mut document);
        lint(desk, &document, more)
    };
    assert_eq!(made(broken), (1, vec![id.to_owned()]), "{id}");
    assert_eq!(made(repaired), (0, vec![]), "{id}, repaired");
}

fn push(document: &mut Value, entry: Value) {
    document["hosts"].as_array_mut().expect("hosts").push(entry);
}

/// A document with something of everything, published as bundle.json; and the same as the next version.
fn published(desk: &Desk) -> Value {
    let mut document = pinset(1, 0);
    document["blocked_spki"] = json!([D]);
    document["hosts"] = json!([
        { "host": "api.example.com", "include_subdomains": true, "pins": [
            { "sha256": A }, { "sha256": B, "state": "backup" }, { "sha256": C, "state": "retiring" },
        ] },
        { "host": "status.example.com", "mode": "off" },
    ]);
    document["inspection_authorities"] = json!([authority(B, "2027-03-31T00:00:00Z")]);
    desk.write("old.json", document.to_string());
    let sign = ["sign", "--type", "pinset", "--in", "old.json", "--key", "pin.pem", "--id", "pin"];
    let init = ["root", "init", "--stream", super::STREAM, "--issued", ISSUED, "-o", "any.json"];
    let keys = ["--key", "a=root-a.pem.pub", "--pinset-key", "pin=pin.pem.pub", "--threshold", "1"];
    desk.ok(&[&init[..], &keys, &["--inspection"]].concat());
    desk.ok(&["sign", "--in", "any.json", "--key", "root-a.pem", "--id", "a"]);
    desk.ok(&[&sign[..], &["-o", "old.dsse.json"]].concat());
    desk.bundle("bundle.json", &["any.json"], "old.dsse.json");
    document["version"] = json!(2);
    document
}

fn authority(spki: &str, until: &str) -> Value {
    json!({
        "id": "acme", "spki_sha256": spki, "mode": "allow", "hosts": ["api.example.com"],
        "never_hosts": ["auth.example.com"], "not_before": "2026-10-01T00:00:00Z",
        "not_after": until,
        "require": { "managed_config": true, "managed_config_key": "inspection" },
    })
}

#[test]
fn what_a_pin_set_says_by_itself() {
    let desk = Desk::after_the_ceremony("lint-rules");
    let base = pinset(2, 0);
    let fires = |id, broken: Edit<'_>, repaired: Edit<'_>, more: &[&str]| {
        rule_fires(&desk, &base, id, broken, repaired, more);
    };
    let urls =
        |urls: &'static [&'static str]| move |d: &mut Value| d["update"] = json!({ "urls": urls });
    assert_eq!(lint(&desk, &base, &[]), (0, vec![]));

    let on_api: &[_] = &["https://api.example.com/b.json", "https://pins.example.org/v1/b.json"];
    let apart: &[_] = &["https://pins.example.com/v1/b.json", "https://pins.example.org/v1/b.json"];
    fires("E04 update.urls", &urls(on_api), &urls(apart), &[]);
    // The apps' own URLs count as well, and an entry above them covers them.
    let above = |exempt: bool| {
        move |d: &mut Value| {
            d["update"] = json!({ "urls": ["https://pins.example.org/v1/b.json"] });
            d["hosts"][0]["host"] = json!("example.com");
            d["hosts"][0]["include_subdomains"] = json!(true);
            if exempt {
                push(d, json!({ "host": "pins.example.com", "mode": "off" }));
            }
        }
    };
    fires("E04 app-1.json", &above(false), &above(true), &["--embedded", "app-1.json"]);

    let issued = |at: &'static str| move |d: &mut Value| d["issued"] = json!(at);
    let (late, soon) = ("2026-11-21T12:05:01Z", "2026-11-21T12:05:00Z");
    fires("E07 issued", &issued(late), &issued(soon), &[]);

    let inspected = |spki: &'static str, until: &'static str| {
        move |d: &mut Value| d["inspection_authorities"] = json!([authority(spki, until)])
    };
    let (year, long) = ("2027-11-03T00:00:00Z", "2027-11-03T00:00:01Z");
    fires("E11 inspection_authorities[0].not_after", &inspected(B, long), &inspected(B, year), &[]);
    let (public, private) = (inspected(ISRG_ROOT_X1, year), inspected(B, year));
    fires("E11 inspection_authorities[0].spki_sha256", &public, &private, &[]);

    let none = |_: &mut Value| {};
    let entry = |end: &'static str| move |d: &mut Value| d["hosts"][0]["expires"] = json!(end);
    let last = "2026-12-05T12:00:00Z";
    fires("W28 hosts[0].expires", &entry("2026-12-05T11:59:59Z"), &entry(last), &[]);
    let at = ["--at", "2026-12-26T00:00:01Z"];
    let longer = |d: &mut Value| d["expires"] = json!("2027-01-09T00:00:01Z");
    fires("W28 expires", &none, &longer, &at);

    let labels = |length: usize| {
        move |d: &mut Value| {
            let mut host = d["hosts"][0].clone();
            host["pins"][0]["label"] = json!("x".repeat(length));
            let hosts = (0..42).map(|i| {
                host["host"] = json!(format!("h{i}.example.com"));
                host.clone()
            });
            d["hosts"] = hosts.collect();
        }
    };
    fires("W29 document", &labels(1_024), &labels(900), &[]);
    // The root counts as well.
    let fits = |length: &usize| {
        let mut document = base.clone();
        labels(*length)(&mut document);
        lint(&desk, &document, &[]).0 == 0
    };
    let lengths: Vec<_> = (900..1_024).collect();
    let longest = lengths[lengths.partition_point(fits) - 1];
    fires("W29 document", &labels(longest), &labels(900), &["--root", "root-1.json"]);

    let one: &[_] = &["https://pins.example.com/v1/b.json"];
    let near: &[_] = &["https://pins.example.com/v1/b.json", "https://b.example.com/v1/b.json"];
    fires("W30 update.urls", &urls(one), &urls(apart), &[]);
    fires("W30 update.urls", &urls(near), &urls(apart), &[]);
    let nothing: &[_] = &[];
    fires(
        "W30 app-1.json",
        &urls(nothing),
        &urls(&["https://pins.example.org/v1/b.json"]),
        &["--embedded", "app-1.json"],
    );
}

#[test]
fn a_root_that_ends_is_renewed_in_time() {
    let desk = Desk::after_the_ceremony("lint-root");
    desk.ok(&["root", "rotate", "root-1.json", "--issued", "2027-11-01T00:00:00Z", "-o", "root-2"]);
    let at = |issued: &str, at: &str, root: &str| {
        let mut document = pinset(2, 0);
        document["issued"] = json!(issued);
        document["expires"] = json!(issued.replace("-05-", "-08-").replace("2027-11-", "2028-02-"));
        lint(&desk, &document, &["--at", at, "--root", root])
    };
    // The first ends on 2028-11-09.
    let none = (0, vec![]);
    let (error, warning) = (vec!["E08 root.expires".into()], vec!["W08 root.expires".into()]);
    assert_eq!(at("2027-11-01T00:00:00Z", "2027-11-10T00:00:00Z", "root-1.json"), none);
    assert_eq!(at("2027-11-01T00:00:00Z", "2027-11-10T00:00:01Z", "root-1.json"), (1, warning));
    assert_eq!(at("2027-11-01T00:00:00Z", "2027-11-10T00:00:01Z", "root-2"), none);
    let (issued, due) = ("2028-05-10T00:00:00Z", "2028-05-13T00:00:01Z");
    let (code, found) = at(issued, "2028-05-13T00:00:00Z", "root-1.json");
    assert_eq!((code, found), (1, vec!["W08 root.expires".into()]));
    assert_eq!(at(issued, due, "root-1.json"), (1, error.clone()));
    assert_eq!(at(issued, due, "root-2"), none);

    // What is published has a root too.
    desk.bundle("bundle.json", &["root-1.json"], "pinset-0-1.dsse.json");
    let mut document = pinset(2, 0);
    (document["issued"], document["expires"]) = (json!(issued), json!("2028-08-10T00:00:00Z"));
    assert_eq!(lint(&desk, &document, &["--against", "bundle.json", "--at", due]), (1, error));
}

#[test]
fn a_carried_certificate_is_strong() {
    let desk = Desk::after_the_ceremony("lint-certificates");
    let root = |name: &str, key: &str, hash: &str| {
        let given = ["req", "-x509", "-nodes", "-newkey", key, hash, "-days", "30", "-subj"];
        let (file, cert) = (format!("{name}.key"), format!("{name}.pem"));
        let name = format!("/CN={name}");
        desk.tool("openssl", &[&given[..], &[&name, "-keyout", &file, "-out", &cert]].concat());
    };
    let below = |name: &str, hash: &str| {
        let (key, csr, cert) =
            (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        let given =
            ["req", "-new", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=below", "-keyout"];
        desk.tool("openssl", &[&given[..], &[&key, "-out", &csr]].concat());
        let given = ["x509", "-req", "-days", "30", "-CA", "strong.pem", "-CAkey", "strong.key"];
        desk.tool("openssl", &[&given[..], &[hash, "-in", &csr, "-out", &cert]].concat());
    };
    root("strong", "rsa:2048", "-sha256");
    root("old", "rsa:2048", "-sha1");
    root("short", "rsa:1024", "-sha256");
    below("sha1", "-sha1");
    below("sha256", "-sha256");
    let carried = |name: &'static str| {
        let file = format!("{name}.pem");
        let pin = parsed(&desk.run(&["pin", "--json", &file]))["pins"][0]["pin"].clone();
        let pem = String::from_utf8(desk.read(&file)).expect("PEM");
        let lines = pem.lines().filter(|line| !line.starts_with('-')).collect::<String>();
        move |d: &mut Value| {
            let key = pin.as_str().expect("a pin").replace("sha256/", "");
            d["hosts"][0]["pins"][1] = json!({ "sha256": key, "at": "ca", "cert": lines });
        }
    };
    let base = pinset(2, 0);
    let place = "E10 hosts[0].pins[1].cert";
    rule_fires(&desk, &base, place, &carried("short"), &carried("strong"), &[]);
    // Those are intermediates besides, which is for another rule.
    for (name, found) in
        [("sha1", &[place, "W22 hosts[0].pins[1]"][..]), ("sha256", &["W22 hosts[0].pins[1]"])]
    {
        let mut document = base.clone();
        carried(name)(&mut document);
        assert_eq!(lint(&desk, &document, &[]).1, found, "{name}");
    }
    // What a root signs itself with proves nothing, whatever it is.
    rule_fires(&desk, &base, "E10 hosts[0].pins[1].cert", &carried("short"), &carried("old"), &[]);
    let anchor = |name: &'static str| {
        let carry = carried(name);
        move |d: &mut Value| {
            let mut copy = d.clone();
            carry(&mut copy);
            d["hosts"][0]["trust"] = json!("private_ca");
            d["hosts"][0]["anchors"] = json!([copy["hosts"][0]["pins"][1]["cert"]]);
        }
    };
    rule_fires(&desk, &base, "E10 hosts[0].anchors[0]", &anchor("short"), &anchor("strong"), &[]);
}

#[test]
fn what_changes_of_the_published_one() {
    let desk = Desk::after_the_ceremony("lint-history");
    let base = published(&desk);
    let against = ["--against", "bundle.json"];
    let fires = |id, broken: Edit<'_>, repaired: Edit<'_>| {
        rule_fires(&desk, &base, id, broken, repaired, &against);
    };
    let none = |_: &mut Value| {};
    let set = |member: &'static str, value: Value| {
        move |d: &mut Value| *d.pointer_mut(member).expect("a member") = value.clone()
    };
    let api = |member: &'static str, value: Value| {
        move |d: &mut Value| d["hosts"][0][member] = value.clone()
    };
    // The very same once more, under another root perhaps, is nothing new.
    let old = desk.json("old.json");
    assert_eq!(lint(&desk, &old, &against), (0, vec![]));

    let noted = |d: &mut Value| (d["version"], d["note"]) = (json!(1), json!("other contents"));
    fires("E07 version", &noted, &set("/version", json!(2)));
    let early = json!("2026-11-09T23:59:59Z");
    fires("E07 issued", &set("/issued", early), &none);
    fires("E07 epoch", &set("/epoch", json!(1)), &none);

    fires("W24 hosts[0]", &api("mode", json!("report_only")), &none);
    fires("W24 hosts[0]", &api("mode", json!("off")), &none);
    fires("W24 hosts[0]", &api("enforce_percent", json!(99)), &api("enforce_percent", json!(100)));
    fires("W24 hosts[0]", &api("include_subdomains", json!(false)), &none);
    let gone =
        |i: usize| move |d: &mut Value| drop(d["hosts"].as_array_mut().expect("hosts").remove(i));
    fires("W24 hosts", &gone(0), &gone(1));
    fires("W24 grace_days", &set("/grace_days", json!(61)), &set("/grace_days", json!(59)));
    fires(
        "W24 blocked_spki",
        &set("/blocked_spki", json!([])),
        &set("/blocked_spki", json!([C, D])),
    );
    let inspected =
        |spki: &str, until: &str| set("/inspection_authorities", json!([authority(spki, until)]));
    let (until, later) = ("2027-03-30T00:00:00Z", "2027-04-01T00:00:00Z");
    fires("W24 inspection_authorities[0]", &inspected(A, until), &inspected(B, until));
    fires("W24 inspection_authorities[0]", &inspected(B, later), &inspected(B, until));

    // A that was active, and C that has been retiring since the published one at the latest.
    let pins = |pins: Value| api("pins", pins);
    let backup = json!({ "sha256": B });
    let retiring = json!({ "sha256": A, "state": "retiring" });
    let leaving = json!({ "sha256": C, "state": "retiring" });
    let without_a = json!([backup, leaving]);
    let with_a = json!([backup, leaving, retiring]);
    fires("W25 hosts[0].pins", &pins(without_a.clone()), &pins(with_a));
    // Stolen keys go at once.
    let blocked = |d: &mut Value| {
        pins(without_a.clone())(d);
        d["blocked_spki"] = json!([D, A]);
    };
    fires("W25 hosts[0].pins", &pins(without_a.clone()), &blocked);
    let without_c = |issued: &'static str| {
        move |d: &mut Value| {
            d["issued"] = json!(issued);
            d["hosts"][0]["pins"] = json!([{ "sha256": A }, { "sha256": B }]);
        }
    };
    let mut later = base.clone();
    later["expires"] = json!("2027-02-01T00:00:00Z");
    let more = [&against[..], &["--at", "2026-11-24T00:00:00Z"]].concat();
    let (broken, repaired) = (without_c("2026-11-23T23:59:59Z"), without_c("2026-11-24T00:00:00Z"));
    rule_fires(&desk, &later, "W25 hosts[0].pins", &broken, &repaired, &more);

    let new = |mode: &'static str, percent: u64| {
        move |d: &mut Value| {
            let pins = d["hosts"][0]["pins"].clone();
            let mut entry = json!({ "host": "new.example.com", "mode": mode, "pins": pins });
            entry["enforce_percent"] = json!(percent);
            push(d, entry);
        }
    };
    fires("W26 hosts[2]", &new("enforce", 100), &new("report_only", 100));
    fires("W26 hosts[2]", &new("enforce", 100), &new("enforce", 10));
    let status = |mode: &'static str| {
        move |d: &mut Value| {
            d["hosts"][1] = json!({ "host": "status.example.com", "mode": mode });
            d["hosts"][1]["pins"] = d["hosts"][0]["pins"].clone();
        }
    };
    fires("W26 hosts[1]", &status("enforce"), &status("report_only"));

    let mut other = base.clone();
    other["stream"] = json!("com.example.shop");
    desk.write("other.json", other.to_string());
    let text = desk.fails(2, &["lint", "other.json", "--against", "bundle.json"]);
    assert!(text.contains("of another series"), "{text}");
}

#[test]
fn an_epoch_is_begun_by_a_root() {
    let desk = Desk::after_the_ceremony("lint-epoch");
    desk.bundle("bundle.json", &["root-1.json"], "pinset-0-1.dsse.json");
    let rotate = ["root", "rotate", "root-1.json", "--recover", "--issued", ISSUED, "-o", "root-2"];
    desk.ok(&rotate);
    let (against, root) = (["--against", "bundle.json"], ["--root", "root-2"]);
    let document = pinset(1, 1);
    assert_eq!(lint(&desk, &document, &against), (1, vec!["E07 epoch".into()]));
    assert_eq!(lint(&desk, &document, &[against, root].concat()), (0, vec![]));
    // Back again: the root that is named is an old one.
    desk.sign("root-2", &["root-a", "root-b"]);
    desk.pinset(1, 1, "pin", "root-2");
    desk.bundle("next.json", &["root-1.json", "root-2"], "pinset-1-1.dsse.json");
    let old = ["--against", "next.json", "--root", "root-1.json"];
    assert_eq!(lint(&desk, &pinset(2, 0), &old), (1, vec!["E07 epoch".into()]));
    assert_eq!(lint(&desk, &pinset(2, 1), &old[..2]), (0, vec![]));
}

#[test]
fn warnings_may_stand_for_a_reason_and_errors_may_not() {
    let desk = Desk::after_the_ceremony("lint-allow");
    let mut document = pinset(2, 0);
    document["update"] = json!({ "urls": ["https://pins.example.com/b.json"] });
    document["hosts"][0]["expires"] = json!("2026-12-01T00:00:00Z");
    desk.write("p.json", document.to_string());
    let lint = |more: &[&str]| desk.run(&[&["lint", "p.json", "--at", AT], more].concat());

    let (one, both) = (["--allow", "W28=a trial"], ["--allow", "W30= one CDN so far "]);
    assert_eq!(lint(&one).status.code(), Some(1));
    let output = lint(&[one, both].concat());
    assert!(output.status.success(), "{}", words(&output));
    let text = words(&output);
    assert!(text.contains("(allowed: one CDN so far)") && text.contains("clean  p.json"), "{text}");
    let value = parsed(&lint(&[&["--json"], &one[..]].concat()));
    assert_eq!((&value["clean"], &value["version"]), (&json!(false), &json!(2)));
    let allowed = |i: usize| [&value["findings"][i]["id"], &value["findings"][i]["allowed"]];
    assert_eq!(allowed(0), [&json!("W28"), &json!("a trial")]);
    assert_eq!(allowed(1), [&json!("W30"), &Value::Null]);
    // Each line says which rule, where and what to do.
    let text = words(&lint(&[]));
    assert!(text.contains("W30  update.urls: updates come from example.com alone"), "{text}");
    assert!(!text.contains("clean"), "{text}");

    for wrong in ["W30", "W30=", "W30=  ", "=why", "W99=why", "w30=why", "E04=why", "E02=why"] {
        let text = desk.fails(2, &["lint", "p.json", "--allow", wrong]);
        assert!(text.contains("--allow"), "{wrong}: {text}");
    }
    desk.fails(2, &["lint", "p.json", "--at", "tomorrow"]);
    desk.fails(2, &["lint", "p.json", "--connect", "a:443:127.0.0.1"]);
}

#[test]
fn what_no_client_reads_is_told_as_that() {
    let desk = Desk::after_the_ceremony("lint-unreadable");
    let mut document = pinset(2, 0);
    document["hosts"][0]["pins"] = json!([{ "sha256": A }]);
    desk.write("one-pin.json", document.to_string());
    assert!(desk.fails(2, &["lint", "one-pin.json"]).contains("two distinct pins"));
    document = pinset(2, 0);
    document["hosts"][0]["host"] = json!("api.example.org");
    desk.write("other.json", document.to_string());
    let text = desk.fails(2, &["lint", "other.json", "--root", "root-1.json"]);
    assert!(text.contains("the root does not allow"), "{text}");
    for file in ["root-1.json", "root-1.json.pub", "none.json"] {
        desk.fails(2, &["lint", file]);
    }
    desk.fails(2, &["lint", "other.json", "--against", "app-1.json"]);
    desk.fails(2, &["lint", "other.json", "--embedded", "root-1.json"]);
    // In its envelope it is the same.
    let signed = ["lint", "pinset-0-1.dsse.json", "--root", "root-1.json", "--at", AT];
    assert_eq!(desk.ok(&signed)["clean"], true);
}

#[test]
fn publishing_refuses_what_has_to_be_repaired_and_warns_of_the_rest() {
    let desk = Desk::after_the_ceremony("lint-publish");
    std::fs::create_dir(desk.path("site")).expect("a folder");
    let publish = |bundle: &str, more: &[&str]| {
        let given = ["publish", "--embedded", "app-1.json", "--to", "site", "--bundle", bundle];
        desk.run(&[&given[..], more].concat())
    };
    desk.bundle("bundle-1.json", &["root-1.json"], "pinset-0-1.dsse.json");
    // A day before the issue.
    let early = ["--at", "2026-11-09T00:00:00Z"];
    let output = publish("bundle-1.json", &early);
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    assert!(words(&output).contains("error: E07"), "{}", words(&output));
    let value = parsed(&publish("bundle-1.json", &[&early[..], &["--json"]].concat()));
    assert_eq!(value["published"], false);
    assert!(value["reason"].as_str().is_some_and(|reason| reason.starts_with("E07")), "{value:#}");
    assert!(!desk.path("site/bundle.json").exists());
    // What has expired, or lapsed, is published only for whoever says so.
    for at in ["2027-01-09T00:00:00Z", "2028-06-01T00:00:00Z"] {
        let output = publish("bundle-1.json", &["--at", at]);
        assert_eq!(output.status.code(), Some(1), "{}", words(&output));
        assert!(words(&output).contains("error: E13"), "{}", words(&output));
        assert!(!desk.path("site/bundle.json").exists());
    }
    // As late as that the root is about to end: an emergency must get out all the same.
    let output = publish("bundle-1.json", &["--at", "2028-06-01T00:00:00Z", "--even-lapsed"]);
    assert!(output.status.success(), "{}", words(&output));
    assert!(words(&output).contains("warning: E08"), "{}", words(&output));
    assert!(words(&output).contains("warning: E13"), "{}", words(&output));
    let output = publish("bundle-1.json", &["--at", AT]);
    assert!(output.status.success(), "{}", words(&output));
    assert!(words(&output).contains("warning: W30"), "{}", words(&output));
    // Against what is published: version 2 was issued before version 1.
    let mut document = pinset(2, 0);
    document["issued"] = json!("2026-11-09T00:00:00Z");
    document["grace_days"] = json!(61);
    desk.write("p.json", document.to_string());
    let sign = ["sign", "--type", "pinset", "--in", "p.json", "--key", "pin.pem", "--id", "pin"];
    desk.ok(&[&sign[..], &["-o", "p.dsse.json"]].concat());
    desk.bundle("bundle-2.json", &["root-1.json"], "p.dsse.json");
    let value = parsed(&publish("bundle-2.json", &["--at", AT, "--json"]));
    assert_eq!(value["published"], false);
    let ids: Vec<_> =
        value["findings"].as_array().expect("findings").iter().map(|f| &f["id"]).collect();
    assert_eq!(ids, ["W30", "E07", "W24"]);
    assert_eq!(desk.read("site/bundle.json"), desk.read("bundle-1.json"));
}
