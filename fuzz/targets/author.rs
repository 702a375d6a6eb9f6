//! JSON that the command line changes in its place: what comes out is the same document but for the
//! change.
#![no_main]

#[allow(dead_code)]
#[path = "../../cli/src/author"]
mod author {
    mod text;

    use pinfold_core::pinset::Document;
    use serde_json::{Value, json};

    use text::Step::{Item, Member};
    use text::Text;

    pub(super) fn change(written: &str) {
        // What the library does not read is not changed.
        let Ok(document) = Document::parse(written.as_bytes(), None) else { return };
        let read = |text: &str| serde_json::from_str::<Value>(text).expect("still JSON");
        let mut value = read(written);
        let mut text = Text::new(written);
        let hosts = document.pins().hosts().len();
        for i in (0..hosts).rev() {
            let entry = [Member("hosts"), Item(i)];
            text.set(&entry, "mode", "\"off\"", &["host", "include_subdomains"]).expect("an entry");
            value["hosts"][i]["mode"] = json!("off");
            assert_eq!(read(text.as_str()), value);
            if i % 2 == 1 {
                text.remove(&entry).expect("an entry");
                value["hosts"].as_array_mut().expect("a list").remove(i);
                assert_eq!(read(text.as_str()), value);
            }
        }
        text.push(&[Member("hosts")], "{\n  \"host\": \"new.example.com\"\n}").expect("a list");
        value["hosts"].as_array_mut().expect("a list").push(json!({ "host": "new.example.com" }));
        assert_eq!(read(text.as_str()), value);
        text.set(&[], "series", "\"next\"", &["version"]).expect("an object");
        value["series"] = json!("next");
        assert_eq!(read(text.as_str()), value);
    }
}

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = str::from_utf8(bytes) {
        author::change(text);
    }
});
