//! What the owner's tool reads from outside while it watches: requests to its page, what logs of
//! certificates answer, and what it has kept of the last time.
#![no_main]

#[allow(dead_code)]
#[path = "../../cli/src/lint"]
mod lint {
    pub(super) mod logged;
}
#[allow(dead_code)]
#[path = "../../cli/src/survey"]
mod survey {
    pub(super) mod sights;
}
#[allow(dead_code)]
#[path = "../../cli/src/watch"]
mod watch {
    pub(super) mod request;
}

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(Some(asked)) = watch::request::read(input) {
        // What follows a whole head is none of its business.
        let more = [input, b"GET /metrics HTTP/1.1\r\n\r\n"].concat();
        assert_eq!(watch::request::read(&more), Ok(Some(asked)));
    }
    let Ok(json) = serde_json::from_slice(input) else { return };
    for issued in lint::logged::of(&json).unwrap_or_default() {
        assert!(!issued.name.contains('\n'));
    }
    if let Some(sights) = survey::sights::of(&json) {
        assert_eq!(survey::sights::of(&survey::sights::to_json(&sights)), Some(sights));
    }
});
