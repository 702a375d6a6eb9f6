//! Stapled OCSP responses, for a certificate that is good without one.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pinfold_core::verify::PinningVerifier;
use pinfold_core::{Error, PinSet, Roots, UntrustedReason};
use rustls::client::danger::ServerCertVerifier;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

static LEAF: LazyLock<CertificateDer<'static>> = LazyLock::new(pinfold_fuzz::leaf);

static VERIFIER: LazyLock<PinningVerifier> = LazyLock::new(|| {
    let pins = PinSet::parse(br#"{"schema":1,"hosts":[]}"#).expect("good");
    let roots = Roots::Only(vec![pinfold_fuzz::authority().to_vec()]);
    PinningVerifier::new(pins, &roots, false).expect("good settings")
});

fuzz_target!(|staple: &[u8]| {
    let name = ServerName::try_from("api.example.test").expect("a name");
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_795_305_600)); // 2026-11-22
    if let Err(error) = VERIFIER.verify_server_cert(&LEAF, &[], &name, staple, now) {
        let refusal = PinningVerifier::refusal(&error).expect("the verifier's own");
        let revoked = matches!(refusal, Error::Untrusted { reason: UntrustedReason::Revoked, .. });
        assert!(revoked, "{refusal}");
    }
});
