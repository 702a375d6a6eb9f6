//! The JSON of containers and documents: what is read, and what is refused before it is looked at.

use pinfold_core::pinset::{Bundle, Cause, Embedded, Envelope, PINSET_TYPE};
use serde_json::json;

use crate::signer::{World, embedded, envelope_of, pinset};

/// What the client says to a signed pin set of these bytes.
fn offered(json: &[u8]) -> Result<u64, Cause> {
    thread_local!(static WORLD: World = World::new());
    WORLD.with(|world| {
        let pins = envelope_of(PINSET_TYPE, json, &[&world.pin]);
        let state = world.offer(&[], pins);
        state.map(|state| state.pinset().version()).map_err(|why| why.cause)
    })
}

fn with(member: &str) -> String {
    format!("{{{member},{}", &pinset(2, 0).to_string()[1..])
}

#[test]
fn members_that_are_not_known_are_ignored() {
    for member in [
        r#""later":null"#,
        r#""later":{"a":[true,false,-1,0,"\u00e9\ud83d\ude00",{}]}"#,
        r#""later":[[[[[[[]]]]]]]"#,
        r#""later":9007199254740991"#,
        r#""later":-9007199254740991"#,
        " \t\r\n\"later\" : 1 ",
    ] {
        assert_eq!(offered(with(member).as_bytes()), Ok(2), "{member}");
    }
    assert_eq!(offered(with(&format!(r#""later":"{}""#, "x".repeat(1_024))).as_bytes()), Ok(2));
}

#[test]
fn but_they_are_walked_by_the_same_rules() {
    for member in [
        r#""later":1.0"#,
        r#""later":1e3"#,
        r#""later":1E3"#,
        r#""later":-0"#,
        r#""later":9007199254740992"#,
        r#""later":-9007199254740992"#,
        r#""later":99999999999999999999999999"#,
        r#""later":{"a":1,"a":1}"#,
        r#""later":{"a":1,"\u0061":2}"#,
        r#""later":[{"b":{"a":1,"a":1}}]"#,
        r#""later":1,"later":1"#,
        r#""later":[[[[[[[[]]]]]]]]"#,
        r#""later":"\ud800""#,
        r#""later":"\x""#,
        "\"later\":\"\n\"",
        r#""later":01"#,
        r#""later":+1"#,
        r#""later":.5"#,
        r#""later":NaN"#,
        r#""later":'a'"#,
        r#""later":[1,]"#,
        r#""later":tru"#,
        "\"later\":/* c */1",
    ] {
        assert_eq!(offered(with(member).as_bytes()), Err(Cause::Malformed), "{member}");
    }
    let long = format!(r#""later":"{}""#, "x".repeat(1_025));
    assert_eq!(offered(with(&long).as_bytes()), Err(Cause::Malformed));
    let name = format!(r#""{}":1"#, "x".repeat(1_025));
    assert_eq!(offered(with(&name).as_bytes()), Err(Cause::Malformed));
}

#[test]
fn the_document_is_one_object_of_utf_8_and_nothing_else() {
    let good = pinset(2, 0).to_string();
    for bad in [
        b"".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        format!("[{good}]").into_bytes(),
        format!("\u{feff}{good}").into_bytes(),
        format!("{good}{{}}").into_bytes(),
        format!("{good},").into_bytes(),
        good.replace("com.example", "com.\0example").into_bytes(),
        good.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        good.replace("enforce", "x").bytes().chain([0]).collect(),
        good.bytes().map(|b| if b == b'k' { 0xff } else { b }).collect(),
        b"[".repeat(100_000)[..60_000].to_vec(),
        br#"{"a":"#.repeat(10_000),
    ] {
        let text = String::from_utf8_lossy(&bad[..bad.len().min(60)]).into_owned();
        assert_eq!(offered(&bad), Err(Cause::Malformed), "{text}");
    }
}

#[test]
fn sizes_are_capped() {
    let world = World::new();
    let padded = |n: usize| {
        let good = pinset(2, 0).to_string();
        format!("{good}{}", " ".repeat(n - good.len()))
    };
    assert_eq!(offered(padded(64 * 1024).as_bytes()), Ok(2));
    let pins = envelope_of(PINSET_TYPE, padded(64 * 1024 + 1).as_bytes(), &[&world.pin]);
    let bundle = |pins: &Envelope| json!({"bundle": 1, "roots": [], "pinset": pins.to_json()});
    let cause = |json: &[u8]| Bundle::parse(json).expect_err("too large").cause;
    assert_eq!(cause(bundle(&pins).to_string().as_bytes()), Cause::TooLarge);
    let good = bundle(&world.pinset(2, 0)).to_string();
    let padded = |n: usize| format!("{good}{}", " ".repeat(n - good.len()));
    Bundle::parse(padded(256 * 1024).as_bytes()).expect("the cap itself");
    assert_eq!(cause(padded(256 * 1024 + 1).as_bytes()), Cause::TooLarge);
    Bundle::parse_stored(padded(1024 * 1024).as_bytes()).expect("the store's cap");
    Bundle::parse_stored(padded(1024 * 1024 + 1).as_bytes()).expect_err("too large");
    let mut signed = world.pinset(2, 0);
    signed.signatures = vec![signed.signatures[0].clone(); 17];
    assert_eq!(cause(bundle(&signed).to_string().as_bytes()), Cause::TooLarge);
}

#[test]
fn containers_are_read_strictly_and_name_the_place() {
    let world = World::new();
    let good = json!({"bundle": 1, "roots": [world.first.to_json()],
                      "pinset": world.pinset(2, 0).to_json(), "later": {"a": 1}});
    Bundle::parse(good.to_string().as_bytes()).expect("good");
    for (pointer, value, place, cause) in [
        ("/bundle", json!(2), "bundle", Cause::Unsupported),
        ("/bundle", json!(0), "bundle", Cause::Malformed),
        ("/bundle", json!("1"), "bundle", Cause::Malformed),
        ("/roots", json!({}), "roots", Cause::Malformed),
        ("/roots/0", json!("x"), "roots[0]", Cause::Malformed),
        ("/roots/0/payload", json!(1), "roots[0].payload", Cause::Malformed),
        ("/roots/0/signatures", json!(null), "roots[0].signatures", Cause::Malformed),
        ("/roots/0/signatures/1/sig", json!("A"), "roots[0].signatures[1].sig", Cause::Malformed),
        ("/roots/0/signatures/1/keyid", json!(1), "roots[0].signatures[1].keyid", Cause::Malformed),
        ("/pinset", json!([]), "pinset", Cause::Malformed),
        ("/pinset/payloadType", json!(null), "pinset.payloadType", Cause::Malformed),
        ("/pinset/payload", json!("e30"), "pinset.payload", Cause::Malformed),
        ("/pinset/payload", json!("e30=\n"), "pinset.payload", Cause::Malformed),
        ("/pinset/payload", json!("e31="), "pinset.payload", Cause::Malformed),
        ("/pinset/payload", json!("e30=="), "pinset.payload", Cause::Malformed),
        ("/pinset/payload", json!("-_+/"), "pinset.payload", Cause::Malformed),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect("a member") = value;
        let why = Bundle::parse(bad.to_string().as_bytes()).expect_err(pointer);
        assert_eq!((why.place.as_str(), why.cause), (place, cause), "{why}");
    }
}

#[test]
fn both_alphabets_of_base64_are_one() {
    let world = World::new();
    let pins = world.pinset_with(2, 0, |d| d["note"] = json!("\u{7f3}\u{7ff}>>>???~~~"));
    let standard = json!({"bundle": 1, "roots": [], "pinset": pins.to_json()}).to_string();
    let envelope = pins.to_json().to_string();
    let url_safe = envelope.replace("vnd.pinfold.pinset.v1+json", "@").replace("application/", "#");
    let url_safe = url_safe.replace('+', "-").replace('/', "_");
    let url_safe = url_safe.replace('#', "application/").replace('@', "vnd.pinfold.pinset.v1+json");
    assert_ne!(url_safe, envelope);
    let url_safe = format!(r#"{{"bundle":1,"roots":[],"pinset":{url_safe}}}"#);
    let [one, other] =
        [standard, url_safe].map(|json| Bundle::parse(json.as_bytes()).expect("good"));
    assert_eq!(one, other);
}

#[test]
fn the_embedded_file_is_read_strictly() {
    let world = World::new();
    let read = embedded(&world.first, &world.pinset(1, 0));
    assert!(!read.allow_block);
    let good = json!({
        "embedded": 1, "root": world.first.to_json(), "pinset": world.pinset(1, 0).to_json(),
        "stream": "s", "audience": "a", "update_urls": [], "built": "2026-11-21T00:00:00Z",
        "allow_block": true,
    });
    assert!(Embedded::parse(good.to_string().as_bytes()).expect("good").allow_block);
    for (pointer, value) in [
        ("/embedded", json!(2)),
        ("/stream", json!("")),
        ("/audience", json!(null)),
        ("/built", json!("2026-11-21")),
        ("/allow_block", json!("false")),
        ("/update_urls", json!(["http://pins.example.com/"])),
        ("/update_urls", json!(["https://user:secret@pins.example.com/"])),
        ("/update_urls", json!(vec!["https://pins.example.com/"; 9])),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect("a member") = value;
        let why = Embedded::parse(bad.to_string().as_bytes()).expect_err(pointer);
        assert!(why.place.starts_with(&pointer[1..]), "{why}");
    }
}
