//! Who owns the pins: keys, and the documents that they sign.
//!
//! Written against the format alone, so that a mistake of the library's does not repeat itself here.

use std::sync::OnceLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime};

use crate::Pki;

/// Everything of a P-256 SubjectPublicKeyInfo but the point (RFC 5480 §2).
const SPKI: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 3, 1, 7, 3, 0x42, 0,
];

/// One key for each role, of the series `test`, for the audience `test`.
#[derive(Debug)]
pub struct Owner {
    root: EcdsaKeyPair,
    pinset: EcdsaKeyPair,
}

impl Owner {
    /// With new keys.
    ///
    /// # Panics
    ///
    /// Without randomness.
    #[expect(clippy::new_without_default, reason = "no two are the same")]
    pub fn new() -> Self {
        let key = || {
            let random = SystemRandom::new();
            let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let der = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("randomness");
            EcdsaKeyPair::from_pkcs8(algorithm, der.as_ref(), &random).expect("a key")
        };
        Self { root: key(), pinset: key() }
    }

    /// A root that lets the pin set's key do everything for `example.test`.
    pub fn root(&self) -> Value {
        let key = |id: &str, key: &EcdsaKeyPair| {
            let spki = [SPKI, key.public_key().as_ref()].concat();
            json!({ "id": id, "alg": "ES256", "spki": BASE64_STANDARD.encode(spki) })
        };
        let payload = json!({
            "schema": 1, "stream": "test", "version": 1, "epoch": 0,
            "issued": Self::time(-10), "expires": Self::time(700),
            "keys": [key("r", &self.root), key("p", &self.pinset)],
            "roles": {
                "root": { "keys": ["r"], "threshold": 1 },
                "pinset": { "keys": ["p"], "threshold": 1 },
            },
            "constraints": {
                "hosts": ["example.test"], "max_validity_days": 120, "max_grace_days": 90,
                "inspection": true,
            },
        });
        sign("application/vnd.pinfold.root.v1+json", &payload, "r", &self.root)
    }

    /// What a pin set says that pins these keys of `pki` and its `backup` for `api.example.test`.
    /// Valid from yesterday for 60 days, and 60 more.
    pub fn payload(pki: &Pki, version: u64, names: &[&str]) -> Value {
        let pin = |name: &&str| {
            let pin = pki.pin(name);
            json!({ "sha256": pin.trim_start_matches("sha256/"), "at": "leaf" })
        };
        let pins = names.iter().chain(&["backup"]).map(pin).collect::<Vec<_>>();
        json!({
            "schema": 1, "stream": "test", "aud": ["test"], "version": version, "epoch": 0,
            "issued": Self::time(-1), "expires": Self::time(60), "grace_days": 60,
            "update": { "urls": [], "interval_s": 86_400, "min_interval_s": 3_600 },
            "hosts": [{ "host": "api.example.test", "pins": pins }],
        })
    }

    /// A pin set, signed.
    pub fn pinset(&self, payload: &Value) -> Value {
        sign("application/vnd.pinfold.pinset.v1+json", payload, "p", &self.pinset)
    }

    /// What a server offers.
    pub fn bundle(&self, payload: &Value) -> Vec<u8> {
        let bundle = json!({ "bundle": 1, "roots": [], "pinset": self.pinset(payload) });
        bundle.to_string().into_bytes()
    }

    /// What an app is built with; it looks for updates at `www.example.test`, then at
    /// `other.example.test`.
    pub fn embedded(&self, payload: &Value) -> Value {
        json!({
            "embedded": 1, "root": self.root(), "pinset": self.pinset(payload),
            "stream": "test", "audience": "test",
            "update_urls": [
                "https://www.example.test/bundle.json", "https://other.example.test/bundle.json",
            ],
            "built": Self::time(-20), "allow_block": false,
        })
    }

    /// That many days from the start of this process, as documents write it: what is made twice is
    /// the same, and what is made later is not issued later.
    ///
    /// # Panics
    ///
    /// Far outside of the years 1970 to 9999.
    pub fn time(days: i64) -> String {
        static BEGUN: OnceLock<OffsetDateTime> = OnceLock::new();
        let at = *BEGUN.get_or_init(OffsetDateTime::now_utc) + Duration::days(days);
        let (date, time) = (at.date(), at.time());
        format!("{date}T{:02}:{:02}:{:02}Z", time.hour(), time.minute(), time.second())
    }
}

/// `payload` with the members of `edits` in the place of its own.
pub(crate) fn edited(mut payload: Value, edits: Map<String, Value>) -> Value {
    if let Some(members) = payload.as_object_mut() {
        members.extend(edits);
    }
    payload
}

fn sign(kind: &str, payload: &Value, id: &str, key: &EcdsaKeyPair) -> Value {
    let payload = payload.to_string();
    let signed = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
    let sig = key.sign(&SystemRandom::new(), signed.as_bytes()).expect("signed");
    json!({
        "payloadType": kind,
        "payload": BASE64_STANDARD.encode(payload),
        "signatures": [{ "keyid": id, "sig": BASE64_STANDARD.encode(sig) }],
    })
}
