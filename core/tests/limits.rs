//! What the HTTP library below cannot be told to take, as `docs/upstream.md` has it. A test that
//! fails here is good news: take the limit out of that table.

mod common;

use common::*;

#[test]
fn folded_fields_and_more_than_128_of_them_are_errors_of_their_own() {
    let kit = kit();
    let client = client(&kit, pinned(&kit, "backend"), "backend");
    assert_eq!(client.get(&url("/fields/100")).expect("enough").text(), "ok");
    for path in ["/fields/129", "/folded"] {
        let error = client.get(&url(path)).expect_err(path);
        assert_eq!(error.code(), "invalid_response", "{path}: {error}");
        assert!(error.to_string().contains("not HTTP/1.1"), "{error}");
    }
}

#[test]
fn a_chunk_with_a_line_of_more_than_20_characters_is_an_error_of_its_own() {
    let kit = kit();
    let client = client(&kit, pinned(&kit, "backend"), "backend");
    for path in ["/chunk-extension/0", "/chunk-extension/10", "/chunk-zeros/19"] {
        assert_eq!(client.get(&url(path)).expect(path).text(), "hello", "{path}");
    }
    for path in ["/chunk-extension/19", "/chunk-extension/1000", "/chunk-zeros/20"] {
        let error = client.get(&url(path)).expect_err(path);
        assert_eq!(error.code(), "invalid_response", "{path}: {error}");
    }
}
