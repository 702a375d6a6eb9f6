//! Cookies as servers set them, dates as they write them, and the file in which cookies are kept.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pinfold_core::client::CookieJar;

#[allow(dead_code, unreachable_pub)]
#[path = "../../core/src/client/date.rs"]
mod date;
#[allow(dead_code, unreachable_pub)]
#[path = "../../core/src/time.rs"]
mod time;

const URL: &str = "https://api.example.com/v1/users/7";
const OTHERS: [&str; 3] =
    ["https://other.test/v1/users/7", "https://example.com.test/", "https://192.0.2.7/"];

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    // No year has more than four digits.
    assert!(date::parse(text).is_none_or(|at| at <= 253_402_300_799));

    let jar = CookieJar::new();
    for field in text.split('\n') {
        jar.set(URL, field).expect("a good URL");
    }
    check(&jar);
    for other in OTHERS {
        assert_eq!(jar.header(other), Ok(None), "nobody's business");
    }

    let path = std::env::temp_dir().join(format!("pinfold-fuzz-cookies-{}", std::process::id()));
    std::fs::write(&path, input).expect("written");
    let kept = CookieJar::persistent(&path).expect("whatever is in it");
    check(&kept);
    kept.clear().expect("written");
});

fn check(jar: &CookieJar) {
    if let Some(header) = jar.header(URL).expect("a good URL") {
        assert!(!header.is_empty() && header.len() <= 8 * 1024);
        // It goes into a request.
        assert!(!header.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t'));
    }
    for cookie in jar.cookies() {
        assert!(cookie.path.starts_with('/') && !cookie.name.contains(['=', ';']));
    }
}
