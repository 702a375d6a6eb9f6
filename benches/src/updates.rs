//! What a signed pin set costs: accepting one, and beginning with one, in signatures of P-256.

use std::path::{Path, PathBuf};

use pinfold_core::pinset::{Bundle, Embedded, Root, Signature, State, accept};
use pinfold_core::update::{PinSetUpdater, Refreshed};
use pinfold_core::{Client, PinSet, Roots};

use crate::{Contender, HOST, Place, contender};

const AUDIENCE: &str = "bench";

/// `folder` holds what `scripts/bench` has signed: an app that ships with the first root, and a
/// bundle with five roots and twenty hosts.
pub fn contenders(folder: &Path, place: &Place) -> Vec<Contender> {
    let read = |file: &str| std::fs::read(folder.join(file)).expect("a file of scripts/bench");
    let (embedded_json, bundle_json) = (read("embedded.json"), read("bundle.json"));
    let embedded = Embedded::parse(&embedded_json).expect("a good file");
    let first = State::from_embedded(&embedded).expect("good documents");
    let bundle = Bundle::parse(&bundle_json).expect("a bundle");
    let newest = accept(&first, &bundle, AUDIENCE).expect("good");
    assert_eq!((newest.root().version(), newest.pinset().pins().hosts().len()), (5, 20));

    let roots = Roots::Only(vec![place.root.clone()]);
    let pins = PinSet::parse(&place.pins).expect("a pin set");
    let start_with = updater(&embedded_json, &roots);
    // Only this one reaches the server.
    let fetching = PinSetUpdater::builder(&embedded_json)
        .roots(roots.clone())
        .connect_to(HOST, place.address.port(), place.address)
        .directory(folder.join("store"))
        .build()
        .expect("a good file");
    assert_eq!(fetching.refresh(), Ok(Refreshed::Updated));
    let stored = folder.join("store");
    assert_eq!(start_with(Some(stored.clone())).status().order.root, 5);

    let (flooded, start) = (flooded(&bundle), first.clone());
    let plain = roots.clone();
    let client = move |updater: PinSetUpdater| {
        Client::builder_with(&updater).roots(plain.clone()).build().expect("good settings");
    };
    let (from_embedded, from_store) =
        (updater(&embedded_json, &roots), updater(&embedded_json, &roots));
    let client_of_stored = client.clone();
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
        contender("start a client without an updater", move || {
            Client::builder(pins.clone()).roots(roots.clone()).build().expect("good settings");
        }),
        contender("start one from what is embedded", move || client(from_embedded(None))),
        contender("start one from what is stored", move || {
            client_of_stored(from_store(Some(stored.clone())));
        }),
    ]
}

/// What makes updaters, with a store or without.
fn updater(embedded: &[u8], roots: &Roots) -> impl Fn(Option<PathBuf>) -> PinSetUpdater + use<> {
    let (embedded, roots) = (embedded.to_vec(), roots.clone());
    move |directory| {
        let builder = PinSetUpdater::builder(&embedded).roots(roots.clone());
        let builder = match directory {
            Some(directory) => builder.directory(directory),
            None => builder,
        };
        builder.build().expect("a good file")
    }
}

fn one_signature(bundle: &Bundle) -> Contender {
    let message = pinfold_core::pinset::pae("any", &bundle.pinset.payload);
    let root = Root::parse(&bundle.roots[0].payload).expect("a root");
    let key = root.keys()[0].es256().expect("of P-256").clone();
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
