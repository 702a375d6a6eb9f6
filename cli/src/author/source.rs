//! Where pins come from: live servers, certificates, requests, public keys, or their digests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pinfold_core::format_rfc3339_utc;
use pinfold_core::pin::{PinAt, PinDigest, PinState};
use pinfold_core::verify::{CertificateIdentity, pin_of_public_key, pin_of_request};

use super::inline;
use super::text::quoted;
use crate::diff::{at_word, state_word};
use crate::failure::Failure;
use crate::input::{self, Item};

/// Longer labels no reader takes; what a certificate calls itself is cut well before.
const MAX_LABEL: usize = 120;

/// A pin as it is written.
#[derive(Clone, Debug)]
pub(crate) struct NewPin {
    pub(super) digest: PinDigest,
    pub(super) at: PinAt,
    pub(super) state: PinState,
    pub(super) label: Option<String>,
    /// The certificate of an authority, where it is to be carried.
    pub(super) cert: Option<String>,
}

/// How the pins of one command are written.
pub(super) struct Manner {
    /// Where they match, if that is told; else as what they are of.
    pub(super) at: Option<PinAt>,
    pub(super) label: Option<String>,
    /// Whether the certificates of authorities are carried.
    pub(super) carry: bool,
}

impl NewPin {
    /// A pin in use that nothing else is known of.
    pub(crate) fn plain(digest: PinDigest, at: PinAt) -> Self {
        Self { digest, at, state: PinState::Active, label: None, cert: None }
    }

    pub(super) fn to_text(&self) -> String {
        let text = self.digest.to_string();
        let (prefix, digest) = text.split_once('/').unwrap_or_default();
        let digest = Some(quoted(digest));
        let (key, certificate) = if prefix == "sha256" { (digest, None) } else { (None, digest) };
        inline(&[
            ("sha256", key),
            ("cert_sha256", certificate),
            ("at", Some(quoted(at_word(self.at)))),
            ("state", Some(quoted(state_word(self.state)))),
            ("label", self.label.as_deref().map(quoted)),
            ("cert", self.cert.as_deref().map(quoted)),
        ])
    }
}

/// The pins of what `text` names: `sha256/…`, `cert-sha256/…` or a file.
pub(super) fn pins(text: &str, state: PinState, how: &Manner) -> Result<Vec<NewPin>, Failure> {
    if text.starts_with("sha256/") || text.starts_with("cert-sha256/") {
        let digest = text.parse().map_err(|e: String| Failure::input(text, e))?;
        let at = how.at.unwrap_or_default();
        return Ok(vec![NewPin { digest, at, state, label: how.label.clone(), cert: None }]);
    }
    input::items(text)?.iter().map(|item| of_item(text, item, state, how)).collect()
}

fn of_item(path: &str, item: &Item, state: PinState, how: &Manner) -> Result<NewPin, Failure> {
    let (key, what) = match item {
        Item::Certificate(der) => return of_certificate(path, der, state, how),
        Item::Request(der) => (pin_of_request(der), "request"),
        Item::PublicKey(der) => (pin_of_public_key(der), "key"),
    };
    let key = key.ok_or_else(|| Failure::input(path, format!("a {what} that cannot be read")))?;
    let label = key.subject.map(|subject| format!("{subject}, {what}"));
    Ok(NewPin {
        digest: PinDigest::Spki(key.spki),
        // A key that its owner holds is a server's.
        at: how.at.unwrap_or(PinAt::Leaf),
        state,
        label: how.label.clone().or(label).map(tidy),
        cert: None,
    })
}

/// The pin of a certificate's key.
pub(super) fn of_certificate(
    place: &str,
    der: &[u8],
    state: PinState,
    how: &Manner,
) -> Result<NewPin, Failure> {
    let identity = CertificateIdentity::read(der, place)?;
    let own = if identity.is_ca { PinAt::Ca } else { PinAt::Leaf };
    let at = how.at.unwrap_or(own);
    let until = format_rfc3339_utc(identity.not_after);
    let subject = identity.subject.as_deref().unwrap_or("a certificate without a name");
    let label = format!("{subject}, until {}", &until[..10]);
    Ok(NewPin {
        digest: PinDigest::Spki(identity.spki),
        at,
        state,
        label: Some(tidy(how.label.clone().unwrap_or(label))),
        cert: (how.carry && identity.is_ca && at != PinAt::Leaf).then(|| STANDARD.encode(der)),
    })
}

/// What somebody else calls himself, for one line of the owner's file.
fn tidy(label: String) -> String {
    label.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_LABEL).collect()
}
