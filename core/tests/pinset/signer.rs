//! Keys, documents and envelopes for the tests, with real signatures.

use std::sync::Arc;

use pinfold_core::pinset::{
    Bundle, Embedded, Envelope, PINSET_TYPE, ROOT_TYPE, Rejection, Signature, State, accept, pae,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use pinfold_core::pinset::es256;

pub(crate) const APP: &str = "android:com.example.bank";
pub(crate) const STREAM: &str = "com.example.bank/prod";
pub(crate) const A: &str = "YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=";
pub(crate) const B: &str = "sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=";
pub(crate) const DAY: u64 = 86_400;
/// 2026-11-10T00:00:00Z.
pub(crate) const START: u64 = 1_794_268_800;

pub(crate) struct Signer {
    pub(crate) id: String,
    key: EcdsaKeyPair,
}

impl Signer {
    pub(crate) fn new(id: &str) -> Arc<Self> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a key");
        Arc::new(Self { id: id.to_owned(), key })
    }

    pub(crate) fn spki(&self) -> String {
        let header = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
        let header = (0..26).map(|i| u8::from_str_radix(&header[2 * i..2 * i + 2], 16));
        let mut spki: Vec<u8> = header.map(|b| b.expect("hex")).collect();
        spki.extend(self.key.public_key().as_ref());
        assert!(es256::PublicKey::of_spki(&spki).is_some());
        base64(&spki)
    }

    pub(crate) fn sign(&self, payload_type: &str, payload: &[u8]) -> Signature {
        let message = pae(payload_type, payload);
        let sig = self.key.sign(&SystemRandom::new(), &message).expect("signed");
        Signature { keyid: self.id.clone(), sig: sig.as_ref().to_vec() }
    }
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    // Through the envelope's own writer, so that the tests need no base64 of their own.
    let envelope =
        Envelope { payload_type: String::new(), payload: bytes.to_vec(), signatures: Vec::new() };
    let mut text = String::new();
    let _ = write!(text, "{}", envelope.to_json()["payload"].as_str().expect("text"));
    text
}

pub(crate) fn time(at: u64) -> String {
    // Days to a civil date, by trying: the tests need a few years only.
    let (mut day, mut year) = (at / DAY, 1970);
    let length = |year: u64| 365 + u64::from(year.is_multiple_of(4) && year != 2100);
    while day >= length(year) {
        day -= length(year);
        year += 1;
    }
    let leap = length(year) - 365;
    let mut month = 0;
    for days in [31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        month += 1;
        if day < days {
            break;
        }
        day -= days;
    }
    let (h, m, s) = (at / 3_600 % 24, at / 60 % 60, at % 60);
    format!("{year:04}-{month:02}-{:02}T{h:02}:{m:02}:{s:02}Z", day + 1)
}

pub(crate) fn envelope(payload_type: &str, document: &Value, signers: &[&Signer]) -> Envelope {
    envelope_of(payload_type, document.to_string().as_bytes(), signers)
}

pub(crate) fn envelope_of(payload_type: &str, payload: &[u8], signers: &[&Signer]) -> Envelope {
    let signatures = signers.iter().map(|signer| signer.sign(payload_type, payload)).collect();
    Envelope { payload_type: payload_type.to_owned(), payload: payload.to_vec(), signatures }
}

/// A root with three keys of which two must sign, and one key for pin sets.
pub(crate) fn root(version: u64, epoch: u64, roots: &[&Signer], pinset: &[&Signer]) -> Value {
    let issued = START + version;
    let mut keys: Vec<Value> = Vec::new();
    for signer in roots.iter().chain(pinset) {
        let key = json!({"id": signer.id, "alg": "ES256", "spki": signer.spki()});
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let ids = |signers: &[&Signer]| signers.iter().map(|s| s.id.clone()).collect::<Vec<_>>();
    json!({
        "schema": 1, "crit": [], "stream": STREAM, "version": version, "epoch": epoch,
        "issued": time(issued), "expires": time(issued + 730 * DAY),
        "keys": keys,
        "roles": {
            "root": {"keys": ids(roots), "threshold": roots.len().min(2)},
            "pinset": {"keys": ids(pinset), "threshold": 1},
        },
        "constraints": {"hosts": ["example.com"], "max_validity_days": 120,
                        "max_grace_days": 90, "inspection": true},
    })
}

pub(crate) fn pinset(version: u64, epoch: u64) -> Value {
    let issued = START + version * 3_600;
    json!({
        "schema": 1, "crit": [], "stream": STREAM, "aud": [APP, "ios:ABCDE12345.com.example.bank"],
        "version": version, "epoch": epoch, "issued": time(issued),
        "expires": time(issued + 60 * DAY), "grace_days": 60,
        "hosts": [{"host": "api.example.com", "pins": [{"sha256": A}, {"sha256": B}]}],
    })
}

/// A publisher with keys, a first root and a first pin set, and a client that ships with both.
pub(crate) struct World {
    pub(crate) a: Arc<Signer>,
    pub(crate) b: Arc<Signer>,
    pub(crate) c: Arc<Signer>,
    pub(crate) pin: Arc<Signer>,
    pub(crate) first: Envelope,
    pub(crate) state: State,
}

impl World {
    pub(crate) fn new() -> Self {
        let [a, b, c, pin] = ["root-a", "root-b", "root-c", "pin-kms"].map(Signer::new);
        let first = envelope(ROOT_TYPE, &root(1, 0, &[&a, &b, &c], &[&pin]), &[&a, &b]);
        let pins = envelope(PINSET_TYPE, &pinset(1, 0), &[&pin]);
        let state = State::from_embedded(&embedded(&first, &pins)).expect("a good build");
        Self { a, b, c, pin, first, state }
    }

    /// Root `version` with the usual keys, signed by two of them.
    pub(crate) fn root(&self, version: u64, epoch: u64) -> Envelope {
        self.root_with(version, epoch, |_| {})
    }

    pub(crate) fn root_with(
        &self,
        version: u64,
        epoch: u64,
        edit: impl FnOnce(&mut Value),
    ) -> Envelope {
        let mut document = root(version, epoch, &[&self.a, &self.b, &self.c], &[&self.pin]);
        edit(&mut document);
        envelope(ROOT_TYPE, &document, &[&self.a, &self.b])
    }

    pub(crate) fn pinset(&self, version: u64, epoch: u64) -> Envelope {
        self.pinset_with(version, epoch, |_| {})
    }

    pub(crate) fn pinset_with(
        &self,
        version: u64,
        epoch: u64,
        edit: impl FnOnce(&mut Value),
    ) -> Envelope {
        let mut document = pinset(version, epoch);
        edit(&mut document);
        envelope(PINSET_TYPE, &document, &[&self.pin])
    }

    /// What the client says to a bundle of the first root, `roots` and `pinset`.
    pub(crate) fn offer(&self, roots: &[Envelope], pinset: Envelope) -> Result<State, Rejection> {
        let roots = [std::slice::from_ref(&self.first), roots].concat();
        accept(&self.state, &reread(&Bundle { roots, pinset }), APP)
    }

    /// The stable code of its refusal of an edited pin set.
    pub(crate) fn refusal(&self, edit: impl FnOnce(&mut Value)) -> Rejection {
        self.offer(&[], self.pinset_with(2, 0, edit)).expect_err("refused")
    }
}

/// Through JSON, as from the network.
pub(crate) fn reread(bundle: &Bundle) -> Bundle {
    let read = Bundle::parse(&bundle.to_json()).expect("what was written can be read");
    assert_eq!(&read, bundle);
    read
}

pub(crate) fn embedded(root: &Envelope, pinset: &Envelope) -> Embedded {
    let json = json!({
        "embedded": 1, "root": root.to_json(), "pinset": pinset.to_json(),
        "stream": STREAM, "audience": APP,
        "update_urls": ["https://pins.example.com/v1/bundle.json"],
        "built": time(START), "allow_block": false,
    });
    Embedded::parse(json.to_string().as_bytes()).expect("a good file")
}
