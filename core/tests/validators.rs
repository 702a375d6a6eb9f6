//! What a server says of its files' sameness, and what it may learn of who asks: nothing that could
//! freeze a phone on an old pin set, and nothing that tells it from others.

mod common;

use std::path::PathBuf;

use common::*;
use pinfold_core::Roots;
use pinfold_core::update::{PinSetUpdater, Refreshed};
use pinfold_testkit::{Event, Owner, Testkit};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const PATH: &str = "/bundle.json";

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("validators").join(name)
}

fn new_folder(name: &str) -> PathBuf {
    let folder = folder(name);
    let _not_there = std::fs::remove_dir_all(&folder);
    folder
}

/// One that asks one server for [`PATH`].
fn updater(kit: &Testkit, embedded: &Value, directory: &PathBuf) -> PinSetUpdater {
    let mut embedded = embedded.clone();
    embedded["update_urls"] = json!([format!("https://www.example.test{PATH}")]);
    PinSetUpdater::builder(embedded.to_string().as_bytes())
        .roots(Roots::Only(vec![kit.pki().certificate("root").to_vec()]))
        .connect_to("www.example.test", 443, kit.server("rsa").addr())
        .directory(directory)
        .build()
        .expect("a good updater")
}

fn embedded(kit: &Testkit) -> Value {
    kit.owner().embedded(&Owner::payload(kit.pki(), 1, &["backend"]))
}

fn bundle(kit: &Testkit, version: u64) -> Vec<u8> {
    kit.owner().bundle(&Owner::payload(kit.pki(), version, &["backend"]))
}

fn tag(bundle: &[u8]) -> String {
    let hex = Sha256::digest(bundle).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("\"{hex}\"")
}

/// The header fields of each request.
fn asked(kit: &Testkit) -> Vec<Vec<(String, String)>> {
    let events = kit.server("rsa").events().into_iter();
    let headers = events.filter_map(|event| match event {
        Event::Request { headers, .. } => Some(headers),
        _ => None,
    });
    headers.collect()
}

fn field<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.as_str())
}

#[test]
fn no_validator_of_a_server_freezes_the_channel() {
    let kit = kit();
    let withheld = bundle(&kit, 3);
    for (i, poison) in ["*", "\"caf\u{e9}\"", &tag(&withheld), "\"65a1-20f\""].iter().enumerate() {
        let folder = new_folder(&format!("poison-{i}"));
        let updater = updater(&kit, &embedded(&kit), &folder);
        kit.server("rsa").publish_tagged(PATH, bundle(&kit, 2), poison);
        assert_eq!(updater.refresh(), Ok(Refreshed::Updated), "{poison}");
        // What comes is genuine: under the tag that every file of this second has, or its own.
        for version in [3, 4] {
            match version {
                3 => kit.server("rsa").publish_tagged(PATH, withheld.clone(), poison),
                _ => kit.server("rsa").publish(PATH, bundle(&kit, 4)),
            }
            let running = updater.refresh();
            assert_eq!(running, Ok(Refreshed::Updated), "{poison}");
            let restarted = self::updater(&kit, &embedded(&kit), &folder);
            assert_eq!(restarted.status().order.pinset, version, "{poison}");
        }
    }
}

/// The file is one that version 0.1 has written, of the embedded pin set.
#[test]
fn a_store_poisoned_by_an_earlier_version_heals_when_it_is_read() {
    let kit = kit();
    let embedded = include_bytes!("data/pinset/golden/embedded.json");
    let embedded: Value = serde_json::from_slice(embedded).expect("JSON");
    let old = include_bytes!("data/pinset/golden/store-0.1");
    let line = old[40..].iter().position(|byte| *byte == b'\n').expect("a line") + 40;
    let newer = include_bytes!("data/pinset/golden/bundle.json");
    for (i, poison) in ["*", "caf\u{e9}", &tag(newer)].iter().enumerate() {
        let mut kept: Value = serde_json::from_slice(&old[40..line]).expect("JSON");
        assert!(kept["etag"].is_string());
        kept["etag"] = json!(poison);
        let content = [kept.to_string().as_bytes(), &old[line..]].concat();
        let frame = [&b"pinfold\x01"[..], &Sha256::digest(&content), &content].concat();
        let folder = new_folder(&format!("old-{i}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("pinset"), frame).expect("a file");
        let updater = updater(&kit, &embedded, &folder);
        assert!(updater.status().checked.is_some(), "it was read");
        kit.server("rsa").publish(PATH, newer.to_vec());
        assert_eq!(updater.refresh(), Ok(Refreshed::Updated), "{poison}");
    }
}

#[test]
fn a_server_is_asked_with_the_digest_of_what_is_in_force_and_nothing_else() {
    let kit = kit();
    let v2 = bundle(&kit, 2);
    kit.server("rsa").publish_tagged(PATH, v2.clone(), "\"of the server's own making\"");
    let phones = ["one", "other"].map(|name| updater(&kit, &embedded(&kit), &new_folder(name)));
    for (i, phone) in phones.iter().enumerate() {
        assert_eq!(phone.refresh(), Ok(Refreshed::Updated));
        assert_eq!(phone.refresh(), Ok(Refreshed::Unchanged), "its own tag is not this one: 200");
        assert_eq!(asked(&kit).len(), 2 * (i + 1));
    }
    // A server that tags as it should is asked for nothing but whether there is something new.
    kit.server("rsa").publish(PATH, v2.clone());
    let restarted = updater(&kit, &embedded(&kit), &folder("one"));
    assert_eq!(restarted.refresh(), Ok(Refreshed::Unchanged));
    let asked = asked(&kit);
    let tags = asked.iter().map(|headers| field(headers, "if-none-match")).collect::<Vec<_>>();
    let own = tag(&v2);
    assert_eq!(tags, [None, Some(own.as_str()), None, Some(&own), Some(&own)]);
    for headers in &asked {
        assert_eq!(field(headers, "cache-control"), Some("no-cache"));
        let names = headers.iter().map(|(name, _)| name.to_ascii_lowercase());
        let other = names.filter(|name| {
            let known = ["host", "user-agent", "accept", "accept-encoding", "cache-control"];
            name != "if-none-match" && !known.contains(&name.as_str())
        });
        assert_eq!(other.collect::<Vec<_>>(), [""; 0]);
        assert_eq!(field(headers, "user-agent"), field(&asked[0], "user-agent"));
    }
}

/// A ticket would tell the server which phone it sees again, on whatever network.
#[test]
fn no_session_is_resumed_on_the_channel() {
    let kit = kit();
    kit.server("rsa").publish(PATH, bundle(&kit, 2));
    let updater = updater(&kit, &embedded(&kit), &new_folder("sessions"));
    for _ in 0..3 {
        updater.refresh().expect("fetched");
    }
    let events = kit.server("rsa").events().into_iter();
    let resumed = events.filter_map(|event| match event {
        Event::Handshake { resumed, .. } => Some(resumed),
        _ => None,
    });
    assert_eq!(resumed.collect::<Vec<_>>(), [false; 3]);
}
