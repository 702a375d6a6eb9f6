//! Certificates and keys of a client's own, in PEM and in PKCS#12 stores, whatever they are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pinfold_core::{ClientIdentity, Error};

fn check(read: Result<ClientIdentity, Error>) {
    match read {
        Ok(identity) => assert!(!identity.certificate().is_empty()),
        Err(Error::InvalidConfig { field, reason }) => {
            assert!(field.starts_with("identity.") && field.len() < 40 && reason.len() < 100);
        }
        Err(other) => panic!("{other}"),
    }
}

fuzz_target!(|input: &[u8]| {
    check(ClientIdentity::from_pem(input, input));
    check(ClientIdentity::from_pkcs12(input, "secret"));
    let chain = input.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    check(ClientIdentity::with_signer(chain, std::sync::Arc::new(Nobody)));
});

#[derive(Debug)]
struct Nobody;

impl pinfold_core::ClientSigner for Nobody {
    fn algorithms(&self) -> Vec<pinfold_core::SignatureAlgorithm> {
        Vec::new()
    }

    fn sign(&self, _: pinfold_core::SignatureAlgorithm, _: &[u8]) -> Result<Vec<u8>, String> {
        Err("never".into())
    }
}
