//! Host names: one form each, and an entry that holds is the name's own or a parent's.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pinfold_core::PinSet;
use pinfold_core::pin::HostName;

static PINS: LazyLock<PinSet> = LazyLock::new(|| {
    let entry = |host: &str, subdomains: bool| {
        format!(r#"{{"host":"{host}","mode":"off","include_subdomains":{subdomains}}}"#)
    };
    let hosts = [
        entry("example.com", true),
        entry("api.example.com", false),
        entry("xn--bcher-kva.example", true),
        entry("192.0.2.1", false),
        entry("2001:db8::1", false),
    ];
    let json = format!(r#"{{"schema":1,"hosts":[{}]}}"#, hosts.join(","));
    PinSet::parse(json.as_bytes()).expect("good")
});

fuzz_target!(|text: &str| {
    let Ok(host) = HostName::parse(text) else { return };
    assert_eq!(HostName::parse(host.as_str()).as_ref(), Ok(&host), "one form");
    assert!(host.as_str().len() <= 253 && host.as_str().is_ascii());
    if let Some(policy) = PINS.policy(&host) {
        let entry = policy.host().as_str();
        let front = host.as_str().strip_suffix(entry).expect("its own or a parent's");
        assert!(front.is_empty() || front.ends_with('.') && policy.include_subdomains());
        assert!(front.is_empty() || !host.is_ip());
    }
});
