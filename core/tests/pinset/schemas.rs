//! The JSON Schemas of `docs/schema` say what the readers do, as far as a schema can.

use std::path::Path;

use boon::{Compiler, SchemaIndex, Schemas};
use pinfold_core::PinSet;
use pinfold_core::pinset::{
    Bundle, Cause, Document, Embedded, Envelope, PINSET_TYPE, ROOT_TYPE, Rejection, Root,
};
use serde_json::{Value, json};

use crate::signer::{A, APP, B, STREAM, World, envelope};

struct Checked {
    schemas: Schemas,
    index: SchemaIndex,
    reader: fn(&[u8]) -> Result<(), Rejection>,
}

impl Checked {
    fn new(name: &str, reader: fn(&[u8]) -> Result<(), Rejection>) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema");
        let file = folder.join(format!("{name}.schema.json"));
        let mut schemas = Schemas::new();
        let index = Compiler::new().compile(file.to_str().expect("UTF-8"), &mut schemas);
        let index = index.unwrap_or_else(|e| panic!("{name}: {e:#}"));
        Self { schemas, index, reader }
    }

    fn is_valid(&self, document: &Value) -> bool {
        self.schemas.validate(document, self.index).is_ok()
    }

    fn accepts(&self, document: &Value) {
        if let Err(e) = self.schemas.validate(document, self.index) {
            panic!("{e:#}\n{document:#}");
        }
        (self.reader)(document.to_string().as_bytes()).unwrap_or_else(|e| panic!("{e}"));
    }

    /// Each edit makes the good document one that neither the schema nor the reader takes.
    fn refuses(&self, good: &Value, edits: &[(&str, Value)]) {
        self.accepts(good);
        for (pointer, value) in edits {
            let mut bad = good.clone();
            set(&mut bad, pointer, Some(value.clone()));
            let read = (self.reader)(bad.to_string().as_bytes());
            assert!(read.is_err(), "the reader takes {pointer}: {value}");
            assert!(!self.is_valid(&bad), "the schema takes {pointer}: {value}, but {read:?}");
        }
        self.every_member(good, good, "");
    }

    /// Schema and reader agree where any one member is missing, and where anything in the document
    /// is of another type.
    fn every_member(&self, good: &Value, part: &Value, place: &str) {
        let names: Vec<String> = match part {
            Value::Object(members) => members.keys().cloned().collect(),
            Value::Array(items) => (0..items.len()).map(|i| i.to_string()).collect(),
            _ => return,
        };
        for name in names {
            let pointer = format!("{place}/{name}");
            let others = [Value::Null, json!(-1), json!({}), json!("")].map(Some);
            // What hangs on the length of a list is said of each by itself.
            let missing = part.is_object().then_some(None);
            for value in missing.into_iter().chain(others) {
                let mut edited = good.clone();
                set(&mut edited, &pointer, value.clone());
                let read = (self.reader)(edited.to_string().as_bytes());
                assert_eq!(self.is_valid(&edited), read.is_ok(), "{pointer}: {value:?}: {read:?}");
            }
            self.every_member(good, part.pointer(&format!("/{name}")).expect("it"), &pointer);
        }
    }
}

/// Sets a member, or removes it.
fn set(document: &mut Value, pointer: &str, value: Option<Value>) {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    match (document.pointer_mut(parent).expect("a parent"), value) {
        (Value::Array(list), Some(value)) => list[name.parse::<usize>().expect("an index")] = value,
        (object, Some(value)) => object[name] = value,
        (object, None) => drop(object.as_object_mut().expect("an object").remove(name)),
    }
}

fn roots() -> Checked {
    Checked::new("root", |json| Root::parse(json).map(drop))
}

fn pinsets() -> Checked {
    Checked::new("pinset", |json| Document::parse(json, None).map(drop))
}

fn envelopes() -> Checked {
    Checked::new("envelope", |json| Envelope::parse(json).map(drop))
}

fn bundles() -> Checked {
    Checked::new("bundle", |json| expect_type(&Bundle::parse(json)?.pinset, PINSET_TYPE))
}

fn embeddeds() -> Checked {
    Checked::new("embedded", |json| {
        let embedded = Embedded::parse(json)?;
        expect_type(&embedded.root, ROOT_TYPE)?;
        expect_type(&embedded.pinset, PINSET_TYPE)
    })
}

/// As clients do before they look at a signature.
fn expect_type(envelope: &Envelope, expected: &str) -> Result<(), Rejection> {
    let found = &envelope.payload_type;
    let wrong =
        || Rejection { cause: Cause::Type, place: "payloadType".into(), reason: found.into() };
    if found == expected { Ok(()) } else { Err(wrong()) }
}

fn fixed() -> Checked {
    Checked::new("static", |json| match PinSet::parse(json) {
        Ok(_) => Ok(()),
        Err(e) => Err(Rejection {
            cause: Cause::Malformed,
            place: e.place().unwrap_or_default().to_owned(),
            reason: e.to_string(),
        }),
    })
}

/// The same schema for people who write: nothing but what is listed.
fn strict(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), strict(value)));
            let mut closed: serde_json::Map<_, _> = members.collect();
            if closed.get("type") == Some(&json!("object")) && closed.contains_key("properties") {
                closed.insert("additionalProperties".into(), json!(false));
            }
            closed.into()
        }
        Value::Array(items) => items.iter().map(strict).collect(),
        Value::String(text) => json!(text.replace(
            "Members that are not listed are ignored",
            "Members that are not listed are mistakes",
        )),
        other => other.clone(),
    }
}

fn parsed(json: &[u8]) -> Value {
    serde_json::from_slice(json).expect("JSON")
}

/// A pin set that says everything that one can say.
fn full() -> Value {
    json!({
        "schema": 1, "crit": [], "stream": STREAM, "aud": [APP], "version": 57, "epoch": 0,
        "issued": "2026-11-20T09:00:00Z", "expires": "2027-01-19T09:00:00Z", "grace_days": 60,
        "note": "weekly", "later": { "any": [1, null, "x"] },
        "update": { "urls": ["https://pins.example.net/v1/bundle.json?x=1"],
                    "interval_s": 86_400, "min_interval_s": 3_600 },
        "defaults": { "mode": "enforce", "trust": "system_and_pin", "on_lapse": "block" },
        "blocked_spki": [B],
        "hosts": [
            { "host": "api.example.com", "include_subdomains": true, "mode": "enforce",
              "enforce_percent": 10, "trust": "system_and_pin", "on_lapse": "system_trust",
              "expires": "2027-01-10T00:00:00Z", "anchors": [], "pins": [
                { "sha256": A, "at": "leaf", "state": "active", "label": "2026" },
                { "sha256": B, "at": "ca", "state": "retiring" },
                { "cert_sha256": B, "at": "any", "state": "backup" },
            ] },
            { "host": "2001:db8::1", "mode": "report_only",
              "pins": [{ "sha256": A }, { "sha256": B }] },
            { "host": "status.example.com", "mode": "off", "pins": [] },
        ],
        "inspection_authorities": [{
            "id": "acme-2026", "spki_sha256": B, "hosts": ["api.example.com"],
            "never_hosts": ["auth.example.com"], "not_before": "2026-10-01T00:00:00Z",
            "not_after": "2027-03-31T00:00:00Z", "mode": "allow", "report": true,
            "require": { "managed_config": true, "managed_config_key": "inspection_authority_id",
                         "ca_installed_by_admin": true },
        }],
        "reporting": { "urls": ["https://reports.example.com/v1"], "sample_percent": 10,
                       "max_per_day": 5, "include_chain": false },
    })
}

#[test]
fn every_document_of_the_tests_is_valid() {
    let world = World::new();
    for version in [1, 2, 9_007_199_254_740_991_u64] {
        pinsets().accepts(&parsed(&world.pinset(2, 0).payload));
        let edited = world.root_with(2, 0, |d| d["version"] = json!(version));
        roots().accepts(&parsed(&edited.payload));
        envelopes().accepts(&edited.to_json());
    }
    let bundle = include_bytes!("../data/pinset/golden/bundle.json");
    let embedded = include_bytes!("../data/pinset/golden/embedded.json");
    bundles().accepts(&parsed(bundle));
    embeddeds().accepts(&parsed(embedded));
    let read = Bundle::parse(bundle).expect("good");
    pinsets().accepts(&parsed(&read.pinset.payload));
    for root in &read.roots {
        roots().accepts(&parsed(&root.payload));
        envelopes().accepts(&root.to_json());
    }
    let later = Bundle { roots: vec![world.first.clone(); 64], pinset: world.pinset(2, 0) };
    bundles().accepts(&parsed(&later.to_json()));
    // And the one that people read.
    let text = include_str!("../../../docs/pin-sets.md");
    let shown = text.split("```json\n").filter_map(|block| block.split("```").next());
    let shown: Vec<_> = shown.filter(|json| json.contains("\"stream\"")).collect();
    assert_eq!(shown.len(), 1);
    pinsets().accepts(&parsed(shown[0].as_bytes()));
}

#[test]
fn what_a_root_cannot_say_is_in_no_schema() {
    let world = World::new();
    let mut good = parsed(&world.first.payload);
    good["later"] = json!({ "any": [1, null, "x"] });
    let spki = good["keys"][0]["spki"].as_str().expect("text").to_owned();
    roots().refuses(
        &good,
        &[
            ("/schema", json!(2)),
            ("/schema", json!("1")),
            ("/crit", json!(["x"])),
            ("/stream", json!("a\nb")),
            ("/stream", json!("x".repeat(1_025))),
            ("/version", json!(0)),
            ("/version", json!(1_u64 << 53)),
            ("/version", json!(1.5)),
            ("/epoch", json!("0")),
            ("/issued", json!("2026-11-10T00:00:00+00:00")),
            ("/issued", json!("2026-13-10T00:00:00Z")),
            ("/issued", json!("2026-11-10T24:00:00Z")),
            ("/expires", json!(0)),
            ("/keys", json!([])),
            ("/keys", json!({})),
            ("/keys/0/id", json!("a\u{7f}")),
            ("/keys/0/alg", json!(256)),
            ("/keys/0/spki", json!("AAAA")),
            ("/keys/0/spki", json!(format!("{spki}\n"))),
            ("/keys/0/spki", json!(spki.trim_end_matches('='))),
            ("/roles/root/keys", json!(["root-a", "root-a"])),
            ("/roles/root/keys", json!("root-a")),
            ("/roles/root/threshold", json!(17)),
            ("/roles/pinset/threshold", json!(0)),
            ("/constraints/hosts", json!(["EXAMPLE.com"])),
            ("/constraints/hosts", json!(["example.com."])),
            ("/constraints/hosts", json!(["*.example.com"])),
            ("/constraints/hosts", json!(["-a.example.com"])),
            ("/constraints/max_validity_days", json!(0)),
            ("/constraints/max_grace_days", json!(-1)),
            ("/constraints/inspection", json!("no")),
        ],
    );
    let mut later = good.clone();
    later["keys"][2]["alg"] = json!("ML-DSA-65");
    later["keys"][2]["spki"] = json!("AAEC_-8=");
    roots().accepts(&later);
}

#[test]
fn what_a_pin_set_cannot_say_is_in_no_schema() {
    let pin = json!({ "sha256": A });
    let host = |i: usize| json!({ "host": format!("h{i}.example.com"), "mode": "off" });
    let hosts = |n: usize| (0..n).map(host).collect::<Vec<_>>();
    let authority = full()["inspection_authorities"][0].clone();
    let good = full();
    pinsets().refuses(
        &good,
        &[
            ("/aud", json!([])),
            ("/aud", json!(vec![APP; 65])),
            ("/aud", json!([""])),
            ("/grace_days", json!(181)),
            ("/note", json!("a\u{7}b")),
            ("/note", json!("x".repeat(1_025))),
            ("/update/urls", json!(["http://pins.example.net/"])),
            ("/update/urls", json!(["https://me:secret@pins.example.net/"])),
            ("/update/urls", json!(["https://pins.example.net/#part"])),
            ("/update/urls", json!(vec!["https://pins.example.net/"; 9])),
            ("/update/interval_s", json!("1")),
            ("/defaults/mode", json!("ask")),
            ("/defaults/trust", json!("tofu")),
            ("/defaults/on_lapse", json!("open")),
            ("/blocked_spki", json!(["AAAA"])),
            ("/hosts", json!(hosts(257))),
            ("/hosts/0/host", json!("API.example.com")),
            ("/hosts/0/host", json!("b\u{fc}cher.example")),
            ("/hosts/0/host", json!("a..example.com")),
            ("/hosts/0/include_subdomains", json!(1)),
            ("/hosts/0/mode", json!("loud")),
            ("/hosts/0/enforce_percent", json!(101)),
            ("/hosts/0/trust", json!("private_ca")),
            ("/hosts/0/trust", json!("pin_only")),
            ("/hosts/0/expires", json!("2027-01-10")),
            ("/hosts/0/pins", json!([pin])),
            ("/hosts/0/pins", json!(vec![pin; 17])),
            ("/hosts/0/pins/0", json!({ "sha256": A, "cert_sha256": B })),
            ("/hosts/0/pins/0/sha256", json!(format!("sha256/{A}"))),
            ("/hosts/0/pins/0/sha256", json!(A.trim_end_matches('='))),
            ("/hosts/0/pins/0/at", json!("root")),
            ("/hosts/0/pins/0/state", json!("old")),
            ("/hosts/0/pins/0/label", json!("a\u{80}")),
            ("/hosts/0/pins/0/cert", json!("AAAA")),
            ("/hosts/0/anchors", json!(["AAAA"])),
            ("/hosts/1/pins", json!([])),
            ("/inspection_authorities", json!(vec![authority; 9])),
            ("/inspection_authorities/0/hosts", json!(["*"])),
            ("/inspection_authorities/0/mode", json!("always")),
            ("/inspection_authorities/0/report", json!(false)),
            ("/inspection_authorities/0/require/managed_config", json!(false)),
            ("/reporting/sample_percent", json!(101)),
            ("/reporting/max_per_day", json!(1_001)),
        ],
    );
}

#[test]
fn what_the_containers_cannot_hold_is_in_no_schema() {
    let world = World::new();
    let (root, pins) = (world.first.to_json(), world.pinset(2, 0).to_json());
    let signature = root["signatures"][0].clone();
    let long = envelope(PINSET_TYPE, &json!("x".repeat(65_540)), &[&world.pin]).to_json();
    let edits = |place: &str| {
        [
            ("payloadType", json!(null)),
            ("payload", json!("e30")),
            ("payload", json!("e31=")),
            ("payload", json!("e30=\n")),
            ("payload", json!("-_+/")),
            ("payload", long["payload"].clone()),
            ("signatures", json!({})),
            ("signatures", json!(vec![signature.clone(); 17])),
            ("signatures", json!([{ "keyid": 1, "sig": "" }])),
        ]
        .map(|(member, value)| (format!("{place}/{member}"), value))
    };
    let check = |checked: &Checked, good: &Value, places: &[&str], more: &[(&str, Value)]| {
        let all: Vec<_> = places.iter().flat_map(|place| edits(place)).collect();
        let all: Vec<_> = all.iter().map(|(p, v)| (p.as_str(), v.clone())).collect();
        checked.refuses(good, &[&all[..], more].concat());
    };
    check(&envelopes(), &root, &[""], &[]);
    let bundle = json!({ "bundle": 1, "roots": [root], "pinset": pins, "later": [null] });
    check(
        &bundles(),
        &bundle,
        &["/roots/0"],
        &[
            ("/bundle", json!(2)),
            ("/bundle", json!("1")),
            ("/roots", json!(vec![json!({}); 65])),
            ("/pinset", json!([])),
        ],
    );
    let embedded = json!({
        "embedded": 1, "root": root, "pinset": pins, "stream": "s", "audience": "a",
        "update_urls": ["https://pins.example.com/"], "built": "2026-11-21T00:00:00Z",
        "allow_block": true, "later": [null],
    });
    check(
        &embeddeds(),
        &embedded,
        &["/root", "/pinset"],
        &[
            ("/embedded", json!(2)),
            ("/stream", json!("")),
            ("/audience", json!("a\u{9f}")),
            ("/built", json!("2026-11-21")),
            ("/allow_block", json!("false")),
            ("/update_urls", json!(["ftp://pins.example.com/"])),
            ("/update_urls", json!(vec!["https://pins.example.com/"; 9])),
        ],
    );
}

#[test]
fn the_strict_schemas_are_the_others_without_members_that_are_not_listed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema");
    for name in ["bundle", "embedded", "envelope", "pinset", "root"] {
        let read = |file: String| parsed(&std::fs::read(folder.join(file)).expect("a schema"));
        let lenient = read(format!("{name}.schema.json"));
        assert_eq!(read(format!("strict/{name}.schema.json")), strict(&lenient), "{name}");
    }
    // What readers take that say everything, and an editor marks what they ignore.
    let pinsets = Checked::new("strict/pinset", |_| Ok(()));
    let mut good = full();
    assert!(!pinsets.is_valid(&good), "`later` is not listed");
    good.as_object_mut().expect("an object").remove("later");
    assert!(pinsets.is_valid(&good));
    for (pointer, name) in [
        ("", "updates"),
        ("/hosts/0", "mdoe"),
        ("/hosts/0/pins/0", "sate"),
        ("/defaults", "on_laps"),
        ("/update", "url"),
        ("/inspection_authorities/0", "never_host"),
        ("/inspection_authorities/0/require", "managed"),
        ("/reporting", "sample"),
    ] {
        let mut bad = good.clone();
        set(&mut bad, &format!("{pointer}/{name}"), Some(json!(1)));
        assert!(!pinsets.is_valid(&bad), "{pointer}/{name}");
        assert!(pinsets_take(&bad), "readers on phones are lenient");
    }
}

fn pinsets_take(document: &Value) -> bool {
    Document::parse(document.to_string().as_bytes(), None).is_ok()
}

#[test]
fn a_static_pin_set_has_a_schema_too() {
    let good = json!({
        "schema": 1, "version": 7, "note": "weekly",
        "defaults": { "mode": "enforce", "trust": "system_and_pin", "on_lapse": "system_trust" },
        "blocked_spki": [B],
        "hosts": [
            { "host": "API.example.com", "include_subdomains": true, "mode": "enforce",
              "enforce_percent": 100, "trust": "system_and_pin", "on_lapse": "system_trust",
              "expires": "2027-01-10T00:00:00Z", "anchors": [], "pins": [
                { "sha256": A, "at": "leaf", "state": "active", "label": "2026" },
                { "cert_sha256": B, "at": "any", "state": "backup" },
            ] },
        ],
    });
    fixed().accepts(&good);
    for (pointer, value) in [
        ("/later", json!(1)),
        ("/schema", json!(2)),
        ("/version", json!(0)),
        ("/defaults/mdoe", json!("off")),
        ("/hosts/0/mdoe", json!("off")),
        ("/hosts/0/enforce_percent", json!(50)),
        ("/hosts/0/on_lapse", json!("block")),
        ("/hosts/0/pins/0/sate", json!("backup")),
        ("/hosts/0/pins/0/sha256", json!("AAAA")),
    ] {
        let mut bad = good.clone();
        set(&mut bad, pointer, Some(value));
        assert!(!fixed().is_valid(&bad), "the schema takes {pointer}");
        assert!((fixed().reader)(bad.to_string().as_bytes()).is_err(), "the reader: {pointer}");
    }
    let text = include_str!("../../../docs/pin-sets.md");
    let shown = text.split("```json\n").nth(1).and_then(|block| block.split("```").next());
    fixed().accepts(&parsed(shown.expect("the first one").as_bytes()));
}
