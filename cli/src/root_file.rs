//! Root documents as files: their keys, who has signed what, and whether one follows another.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use pinfold_core::pinset::es256::PublicKey;
use pinfold_core::pinset::{Cause, Embedded, Envelope, PINSET_TYPE, ROOT_TYPE, State, pae};
use serde_json::Value;

use crate::document::{self, Kind};
use crate::failure::Failure;

/// A root that the library reads without complaint; who has signed it is another question.
pub(crate) struct RootFile {
    pub(crate) path: String,
    pub(crate) envelope: Envelope,
    /// The payload, with members that this version does not know.
    pub(crate) payload: Value,
}

impl RootFile {
    pub(crate) fn read(path: &str) -> Result<Self, Failure> {
        Self::of(path, document::read_envelope(path, Kind::Root)?)
    }

    pub(crate) fn of(path: &str, envelope: Envelope) -> Result<Self, Failure> {
        let payload = serde_json::from_slice(&envelope.payload);
        let payload: Value = payload.map_err(|e| Failure::input(path, e))?;
        let embedded = embedded(&envelope, &payload, Vec::new(), Vec::new());
        match State::from_embedded(&embedded) {
            // It was read, and the empty pin set that came with it is signed by nobody.
            Err(rejection) if rejection.cause == Cause::Threshold => {}
            Err(mut rejection) => {
                if let Some(place) = rejection.place.strip_prefix("root.") {
                    rejection.place = place.to_owned();
                }
                return Err(Failure::rejected(path, rejection));
            }
            Ok(_) => return Err(Failure::input(path, "asks for no signatures at all")),
        }
        Ok(Self { path: path.to_owned(), envelope, payload })
    }

    pub(crate) fn stream(&self) -> &str {
        self.payload["stream"].as_str().unwrap_or_default()
    }

    pub(crate) fn version(&self) -> u64 {
        self.payload["version"].as_u64().unwrap_or_default()
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.payload["epoch"].as_u64().unwrap_or_default()
    }

    /// How many keys of a role must sign.
    pub(crate) fn threshold(&self, role: &str) -> usize {
        let threshold = self.payload["roles"][role]["threshold"].as_u64();
        threshold.map_or(usize::MAX, |n| n as usize)
    }

    /// The ids of a role.
    pub(crate) fn ids(&self, role: &str) -> Vec<&str> {
        let ids = self.payload["roles"][role]["keys"].as_array();
        ids.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The key of an id, if it has the role and this version knows its algorithm.
    pub(crate) fn key_of_role(&self, role: &str, id: &str) -> Option<PublicKey> {
        if self.ids(role).contains(&id) { self.key(id) } else { None }
    }

    fn key(&self, id: &str) -> Option<PublicKey> {
        let key = self.payload["keys"].as_array()?.iter().find(|key| key["id"] == id)?;
        let spki = key["spki"].as_str().filter(|_| key["alg"] == "ES256")?;
        let spki = STANDARD.decode(spki).or_else(|_| URL_SAFE.decode(spki)).ok()?;
        PublicKey::of_spki(&spki)
    }

    /// The ids of a role's keys that have signed, each once.
    pub(crate) fn signers(&self, role: &str, envelope: &Envelope) -> Vec<String> {
        let message = pae(&envelope.payload_type, &envelope.payload);
        let has_signed = |id: &&str| {
            let Some(key) = self.key(id) else { return false };
            envelope.signatures.iter().any(|s| key.verify(&message, &s.sig))
        };
        self.ids(role).into_iter().filter(has_signed).map(str::to_owned).collect()
    }

    /// Whether enough keys of this root have signed `envelope`.
    fn expect_signed(&self, role: &str, place: &str, envelope: &Envelope) -> Result<(), Failure> {
        let (signers, threshold) = (self.signers(role, envelope), self.threshold(role));
        if signers.len() >= threshold {
            return Ok(());
        }
        let reason = format!(
            "signed by {} of {threshold} {role} keys that must, by root {}",
            signers.len(),
            self.version(),
        );
        Err(Failure::input(place, reason))
    }
}

/// Whether the roots are a chain without gaps that clients can walk, in this order.
pub(crate) fn expect_chain(roots: &[RootFile]) -> Result<(), Failure> {
    for root in roots {
        root.expect_signed("root", &root.path, &root.envelope)?;
    }
    for pair in roots.windows(2) {
        let [old, new] = pair else { continue };
        let wrong = |reason| Err(Failure::input(&new.path, reason));
        if new.stream() != old.stream() {
            return wrong(format!("of {:?}, {} of {:?}", new.stream(), old.path, old.stream()));
        }
        if new.version() != old.version() + 1 {
            return wrong(format!("version {} behind {}", new.version(), old.version()));
        }
        if new.epoch() != old.epoch() && new.epoch() != old.epoch() + 1 {
            return wrong(format!("epoch {} after {}", new.epoch(), old.epoch()));
        }
        old.expect_signed("root", &new.path, &new.envelope)?;
    }
    Ok(())
}

/// Judges a pin set under a root as a client does that ships with both.
pub(crate) fn expect_pinset(root: &RootFile, path: &str, pinset: &Envelope) -> Result<(), Failure> {
    let payload: Value =
        serde_json::from_slice(&pinset.payload).map_err(|e| Failure::input(path, e))?;
    let mut embedded = embedded(&root.envelope, &root.payload, Vec::new(), Vec::new());
    embedded.pinset = pinset.clone();
    // It is for whom it says.
    embedded.audience = payload["aud"][0].as_str().unwrap_or_default().to_owned();
    match State::from_embedded(&embedded) {
        Ok(_) => Ok(()),
        Err(rejection) => Err(Failure::rejected(path, rejection)),
    }
}

fn embedded(
    root: &Envelope,
    payload: &Value,
    pinset: Vec<u8>,
    signatures: Vec<pinfold_core::pinset::Signature>,
) -> Embedded {
    debug_assert_eq!(root.payload_type, ROOT_TYPE);
    Embedded {
        root: root.clone(),
        pinset: Envelope { payload_type: PINSET_TYPE.to_owned(), payload: pinset, signatures },
        stream: payload["stream"].as_str().unwrap_or_default().to_owned(),
        audience: String::new(),
        update_urls: Vec::new(),
        built: 0,
        allow_block: false,
    }
}
