//! The owner of the fleet's pins, what they publish in 120 days, and a thief of their key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::pinset::{Embedded, Order, PINSET_TYPE, ROOT_TYPE, pae};
use crate::time::format_rfc3339_utc;

/// Everything of a P-256 SubjectPublicKeyInfo but the point (RFC 5480 §2).
const SPKI: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 3, 1, 7, 3, 0x42, 0,
];
/// When everything begins.
pub(in crate::update) const BEGIN: u64 = 1_800_000_000;
pub(in crate::update) const DAY: u64 = 86_400;
pub(in crate::update) const HOST: &str = "api.example.com";
/// Of the document, of the app, and of a thief.
pub(in crate::update) const DOCUMENT: [&str; 2] =
    ["https://d0.example.net/b", "https://d1.example.net/b"];
pub(in crate::update) const EMBEDDED: [&str; 2] =
    ["https://e0.example.org/b", "https://e1.example.org/b"];
pub(in crate::update) const THIEF: &str = "https://thief";

/// What is published from some time on.
#[derive(Debug)]
pub(in crate::update) struct Published {
    /// Seconds since [`BEGIN`].
    pub(in crate::update) at: u64,
    pub(in crate::update) bundle: Vec<u8>,
    pub(in crate::update) order: Order,
    pub(in crate::update) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::update) enum What {
    Issue,
    /// A server's key is stolen, and its pin goes.
    Withdrawal,
    /// The server's key has been another one for twelve hours.
    LateRotation,
    /// A signer's key was stolen: the epoch rises.
    Recovery,
    /// Of the thief; only hostile mirrors have it.
    Theft,
    /// What has lapsed is issued again.
    Renewal,
    /// A signer's key was lost: a new root names another.
    NewSigner,
}

/// Everything that is ever published, in its order.
#[derive(Debug)]
pub(in crate::update) struct History {
    pub(in crate::update) embedded: Embedded,
    pub(in crate::update) published: Vec<Published>,
}

struct Keys {
    root: EcdsaKeyPair,
    signers: Vec<EcdsaKeyPair>,
}

fn day(day: f64) -> u64 {
    (day * DAY as f64) as u64
}

impl History {
    pub(in crate::update) fn new() -> Self {
        let keys = Keys { root: key(), signers: (0..3).map(|_| key()).collect() };
        let roots = [keys.root(1, 0, 0), keys.root(2, 1, 1), keys.root(3, 1, 2)];
        let mut history = Vec::new();
        // Version, day, signer and root, epoch, the keys of the server that are pinned.
        let mut issue = |at: f64, version: u64, root: usize, pins: [u8; 2], what| {
            let payload = payload(day(at), version, u64::from(root > 0), pins, &DOCUMENT, what);
            let pinset = envelope(PINSET_TYPE, &payload, "p", &keys.signers[root]);
            let bundle = json!({ "bundle": 1, "roots": roots[1..=root], "pinset": pinset });
            let bundle = bundle.to_string().into_bytes();
            let order =
                Order { root: root as u64 + 1, epoch: u64::from(root > 0), pinset: version };
            history.push(Published { at: day(at), bundle, order, what });
            pinset
        };
        let first = issue(0.0, 1, 0, [0, 1], What::Issue);
        issue(7.0, 2, 0, [0, 1], What::Issue);
        issue(10.3, 3, 0, [1, 2], What::Withdrawal);
        issue(17.0, 4, 0, [1, 2], What::Issue);
        issue(24.0, 5, 0, [1, 2], What::Issue);
        issue(31.7, 6, 0, [2, 3], What::Withdrawal);
        issue(38.0, 7, 0, [2, 3], What::Issue);
        issue(40.5, 8, 0, [4, 5], What::LateRotation);
        issue(47.0, 9, 0, [4, 5], What::Issue);
        issue(52.4, 10, 0, [5, 6], What::Withdrawal);
        issue(59.0, 11, 0, [5, 6], What::Issue);
        issue(60.2, (1 << 53) - 1, 0, [7, 8], What::Theft);
        issue(61.0, 1, 1, [5, 6], What::Recovery);
        issue(68.0, 2, 1, [5, 6], What::Issue);
        issue(75.0, 3, 1, [5, 6], What::Issue);
        // Nobody thinks of it until three days after the end of the grace.
        issue(99.0, 4, 1, [5, 6], What::Renewal);
        issue(105.0, 5, 2, [6, 9], What::NewSigner);
        issue(112.0, 6, 2, [6, 9], What::Issue);
        let embedded = json!({
            "embedded": 1, "root": roots[0], "pinset": first, "stream": "fleet", "audience": "fleet",
            "update_urls": EMBEDDED, "built": format_rfc3339_utc(BEGIN - DAY), "allow_block": false,
        });
        let embedded = Embedded::parse(embedded.to_string().as_bytes()).expect("a good file");
        Self { embedded, published: history }
    }

    /// The server's key at a time: the one that is pinned first then.
    pub(in crate::update) fn server_key(at: u64) -> u8 {
        let from = [(0.0, 0), (9.0, 1), (30.0, 2), (40.0, 4), (51.0, 5), (104.0, 6)];
        from.iter().rev().find(|(from, _)| at >= day(*from)).map_or(0, |(_, key)| *key)
    }
}

/// Whether nothing that is published has the server's key, or has reached every CDN.
pub(in crate::update) fn is_owners_fault(at: u64) -> bool {
    (day(40.0)..day(40.5) + 300).contains(&at)
}

/// A pin of the server's key of this number.
pub(in crate::update) fn pin(key: u8) -> String {
    STANDARD.encode(Sha256::digest([key]))
}

fn payload(at: u64, version: u64, epoch: u64, pins: [u8; 2], urls: &[&str], what: What) -> Value {
    let theft = what == What::Theft;
    let filled = (0..8).map(|i| format!("{THIEF}{i}.example.com/b")).collect::<Vec<_>>();
    let urls = if theft { filled } else { urls.iter().map(|url| (*url).to_owned()).collect() };
    let pins = pins.map(|key| json!({ "sha256": pin(key), "at": "leaf" }));
    json!({
        "schema": 1, "stream": "fleet", "aud": ["fleet"], "version": version, "epoch": epoch,
        "issued": format_rfc3339_utc(BEGIN + at), "expires": format_rfc3339_utc(BEGIN + at + 14 * DAY),
        "grace_days": 7,
        "update": { "urls": urls, "interval_s": 86_400, "min_interval_s": 3_600 },
        "hosts": [{ "host": HOST, "pins": pins, "mode": if theft { "off" } else { "enforce" } }],
    })
}

impl Keys {
    /// A root under which the signer of this number counts.
    fn root(&self, version: u64, epoch: u64, signer: usize) -> Value {
        let key = |id: &str, key: &EcdsaKeyPair| {
            let spki = STANDARD.encode([SPKI, key.public_key().as_ref()].concat());
            json!({ "id": id, "alg": "ES256", "spki": spki })
        };
        let payload = json!({
            "schema": 1, "stream": "fleet", "version": version, "epoch": epoch,
            "issued": format_rfc3339_utc(BEGIN - DAY), "expires": format_rfc3339_utc(BEGIN + 700 * DAY),
            "keys": [key("r", &self.root), key("p", &self.signers[signer])],
            "roles": {
                "root": { "keys": ["r"], "threshold": 1 },
                "pinset": { "keys": ["p"], "threshold": 1 },
            },
            "constraints": {
                "hosts": ["example.com"], "max_validity_days": 120, "max_grace_days": 90,
            },
        });
        envelope(ROOT_TYPE, &payload, "r", &self.root)
    }
}

fn key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let der = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("randomness");
    EcdsaKeyPair::from_pkcs8(algorithm, der.as_ref(), &random).expect("a key")
}

fn envelope(kind: &str, payload: &Value, id: &str, key: &EcdsaKeyPair) -> Value {
    let payload = payload.to_string();
    let sig = key.sign(&SystemRandom::new(), &pae(kind, payload.as_bytes())).expect("signed");
    json!({
        "payloadType": kind,
        "payload": STANDARD.encode(payload),
        "signatures": [{ "keyid": id, "sig": STANDARD.encode(sig) }],
    })
}
