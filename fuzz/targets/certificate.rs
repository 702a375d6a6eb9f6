//! Certificates, keys and requests in DER, and the whole decision about a chain of them.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use pinfold_core::pin::Decision;
use pinfold_core::verify::{
    CertificateIdentity, PlatformTrust, TrustQuestion, TrustedPath, check_certificate,
    pin_of_public_key, pin_of_request, usable_key, verifiable_signature,
};
use pinfold_core::{Client, PinSet, Roots, UntrustedReason};

static ROOT: LazyLock<Vec<u8>> = LazyLock::new(|| pinfold_fuzz::authority().to_vec());

/// Trusts everything, so that all the rest is looked at: names, keys, the copy for webpki.
#[derive(Debug)]
struct Generous;

impl PlatformTrust for Generous {
    fn verify(&self, _: &TrustQuestion) -> Result<TrustedPath, UntrustedReason> {
        Ok(TrustedPath::default())
    }
}

/// By given roots, by the pin alone, and by a platform.
static CLIENTS: LazyLock<[Client; 3]> = LazyLock::new(|| {
    let client = |host: &str, roots: Roots| {
        let pins = format!(
            r#"{{"schema":1,"hosts":[{{"host":"api.example.test",{host}"pins":[
            {{"sha256":"YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=","at":"leaf"}},
            {{"sha256":"sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=","at":"leaf"}}]}}]}}"#
        );
        let pins = PinSet::parse(pins.as_bytes()).expect("good");
        Client::builder(pins).roots(roots).build().expect("good settings")
    };
    let given = || Roots::Only(vec![ROOT.to_vec()]);
    let platform = Roots::Platform(Arc::new(Generous));
    [client("", given()), client(r#""trust":"pin_only","#, given()), client("", platform)]
});

fuzz_target!(|der: &[u8]| {
    if let Ok(read) = CertificateIdentity::read(der, "input") {
        let _ = read.validity();
    }
    let _ = (pin_of_request(der), pin_of_public_key(der), usable_key(der));
    let _ = (check_certificate(der), verifiable_signature(der));
    for chain in [vec![der.to_vec()], vec![ROOT.to_vec(), der.to_vec()]] {
        for client in CLIENTS.iter() {
            let explained = client.explain("api.example.test", &chain, 1_800_000_000);
            let explained = explained.expect("a host and a chain");
            assert_eq!(explained.decision, Decision::Block, "no pinned key is known to anybody");
            let _ = (explained.to_json(), explained.error.map(|error| error.to_string()));
        }
    }
});
