//! The decision about a three-certificate chain beside plain webpki validation, as rustls does it:
//! no network, no handshake, one thread.

use std::sync::Arc;

use pinfold_core::pin::{HostSpec, PinAt, PinSetSpec, PinSpec};
use pinfold_core::verify::{
    CertificateIdentity, PinningVerifier, PlatformTrust, TrustQuestion, TrustedPath,
};
use pinfold_core::{PinSet, Roots, UntrustedReason};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use crate::{Contender, HOST, contender};

/// Certificates of `scripts/bench` by name.
pub struct Chain {
    pub leaf: Vec<u8>,
    pub intermediate: Vec<u8>,
    pub root: Vec<u8>,
}

/// A platform that says yes at once: what is left is the cost of asking.
#[derive(Debug)]
struct Yes;

impl PlatformTrust for Yes {
    fn verify(&self, _: &TrustQuestion) -> Result<TrustedPath, UntrustedReason> {
        Ok(TrustedPath::default())
    }
}

pub fn contenders(chain: &Chain) -> Vec<Contender> {
    let mut store = RootCertStore::empty();
    store.add(CertificateDer::from(chain.root.clone())).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
    let pinned = |roots: Roots, certificate: &[u8], at: PinAt| {
        let pin = |digest: String| PinSpec { sha256: Some(digest), at, ..PinSpec::default() };
        let spki = CertificateIdentity::read(certificate, "it").expect("a certificate").spki;
        let digest = spki.to_string().replace("sha256/", "");
        let spare = "YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=".to_owned();
        let pins = vec![pin(spare), pin(digest)];
        let host = HostSpec { host: HOST.into(), pins, ..HostSpec::default() };
        let spec = PinSetSpec { schema: 1, hosts: vec![host], ..PinSetSpec::default() };
        let pins = PinSet::new(spec).expect("a pin set");
        Arc::new(PinningVerifier::new(pins, &roots, true).expect("good roots"))
    };
    let given = || Roots::Only(vec![chain.root.clone()]);
    let platform = || Roots::Platform(Arc::new(Yes));
    vec![
        decide("webpki", chain, webpki.expect("a verifier")),
        decide("leaf pin", chain, pinned(given(), &chain.leaf, PinAt::Leaf)),
        decide("issuer pin, intermediate", chain, pinned(given(), &chain.intermediate, PinAt::Ca)),
        decide("issuer pin, root", chain, pinned(given(), &chain.root, PinAt::Ca)),
        decide("the platform's thread", chain, pinned(platform(), &chain.leaf, PinAt::Leaf)),
        decide(
            "the same, and one path build",
            chain,
            pinned(platform(), &chain.intermediate, PinAt::Ca),
        ),
    ]
}

fn decide(
    name: &'static str,
    chain: &Chain,
    verifier: Arc<impl ServerCertVerifier + 'static>,
) -> Contender {
    let end_entity = CertificateDer::from(chain.leaf.clone());
    let intermediates = [CertificateDer::from(chain.intermediate.clone())];
    let host = ServerName::try_from(HOST).expect("a name");
    let now = UnixTime::now();
    contender(name, move || {
        let verified = verifier.verify_server_cert(&end_entity, &intermediates, &host, &[], now);
        verified.expect("a good chain");
    })
}
