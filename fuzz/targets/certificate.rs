//! Certificates, keys and requests in DER, and the whole decision about a chain of them.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pinfold_core::pin::Decision;
use pinfold_core::verify::{CertificateIdentity, pin_of_public_key, pin_of_request};
use pinfold_core::{Client, PinSet, Roots};

static ROOT: LazyLock<Vec<u8>> = LazyLock::new(|| pinfold_fuzz::authority().to_vec());

static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let pins = r#"{"schema":1,"hosts":[{"host":"api.example.test","pins":[
        {"sha256":"YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg="},
        {"sha256":"sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis="}]}]}"#;
    let pins = PinSet::parse(pins.as_bytes()).expect("good");
    let roots = Roots::Only(vec![ROOT.to_vec()]);
    Client::builder(pins).roots(roots).build().expect("good settings")
});

fuzz_target!(|der: &[u8]| {
    if let Ok(read) = CertificateIdentity::read(der, "input") {
        let _ = read.validity();
    }
    let _ = (pin_of_request(der), pin_of_public_key(der));
    for chain in [vec![der.to_vec()], vec![ROOT.to_vec(), der.to_vec()]] {
        let explained = CLIENT.explain("api.example.test", &chain, 1_800_000_000);
        let explained = explained.expect("a host and a chain");
        assert_eq!(explained.decision, Decision::Block, "no pinned key is known to anybody");
        let _ = explained.to_json();
    }
});
