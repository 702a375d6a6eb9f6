//! What a signed pin set costs: accepting one, and beginning with one, in signatures of P-256.

use std::path::Path;

use pinfold_core::pinset::{Bundle, Embedded, PinSetUpdater, Signature, State, accept, es256};
use pinfold_core::{Client, PinSet, Roots};
use rustls::pki_types::CertificateDer;

use crate::{Contender, contender};

const AUDIENCE: &str = "bench";

/// `folder` holds what `scripts/bench` has signed: an app that ships with the first root, and a
/// bundle with five roots and twenty hosts.
pub fn contenders(folder: &Path, root: &[u8], pins: &[u8]) -> Vec<Contender> {
    let read = |file: &str| std::fs::read(folder.join(file)).expect("a file of scripts/bench");
    let (embedded_json, bundle_json) = (read("embedded.json"), read("bundle.json"));
    let embedded = Embedded::parse(&embedded_json).expect("a good file");
    let first = State::from_embedded(&embedded).expect("good documents");
    let bundle = Bundle::parse(&bundle_json).expect("a bundle");
    let newest = accept(&first, &bundle, AUDIENCE).expect("good");
    assert_eq!((newest.root().version(), newest.pinset().pins().hosts().len()), (5, 20));

    let roots = Roots::Only(vec![CertificateDer::from(root.to_vec()).to_vec()]);
    let (a, b) = (roots.clone(), roots);
    let pins = PinSet::parse(pins).expect("a pin set");
    let (flooded, start) = (flooded(&bundle), first.clone());
    vec![
        one_signature(&bundle),
        contender("accept 5 roots, 20 hosts", move || {
            let bundle = Bundle::parse(&bundle_json).expect("a bundle");
            accept(&first, &bundle, AUDIENCE).expect("good");
        }),
        contender("refuse the largest flood of signatures", move || {
            let bundle = Bundle::parse(&flooded).expect("a bundle");
            accept(&start, &bundle, AUDIENCE).expect_err("nobody has signed it");
        }),
        contender("a client without an updater", move || {
            Client::builder(pins.clone()).roots(a.clone()).build().expect("good settings");
        }),
        contender("a client with one, from what is embedded", move || {
            let updater = PinSetUpdater::builder(&embedded_json).roots(b.clone()).build();
            Client::builder_with(&updater.expect("a good file"))
                .roots(b.clone())
                .build()
                .expect("good settings");
        }),
    ]
}

fn one_signature(bundle: &Bundle) -> Contender {
    let message = pinfold_core::pinset::pae("any", &bundle.pinset.payload);
    let root = String::from_utf8_lossy(&bundle.roots[0].payload).into_owned();
    let key = root.split("\"spki\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let key = es256::PublicKey::of_spki(&base64(key.expect("a key"))).expect("of P-256");
    let sig = bundle.pinset.signatures[0].sig.clone();
    contender("one P-256 signature", move || assert!(!key.verify(&message, &sig)))
}

/// As many roots as there may be, each of which claims to be the next and is signed by nobody.
fn flooded(bundle: &Bundle) -> Vec<u8> {
    let mut bundle = bundle.clone();
    let strange = Signature { keyid: String::new(), sig: vec![7; 64] };
    let mut root = bundle.roots[1].clone();
    root.signatures = vec![strange; 16];
    bundle.roots = vec![root; 64];
    bundle.pinset.signatures.clear();
    bundle.to_json()
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
}
