//! Keys of an HSM, named by a PKCS#11 URI (RFC 7512) and used through OpenSC's `pkcs11-tool`.
//!
//! What it signs is the digest, by CKM_ECDSA, which every token with P-256 keys has.

use std::process::Command;

use ring::digest::{SHA256, digest};

use crate::failure::Failure;
use crate::signer;

const PLACE: &str = "--pkcs11";
const PIN: &str = "PINFOLD_PIN";
const NO_KEY: &str = "names no key: neither object nor id";
const MODULE: &str = "PINFOLD_PKCS11_MODULE";

/// What of a URI picks a key here.
#[derive(Debug, Default, PartialEq, Eq)]
struct Uri {
    token: Option<String>,
    slot: Option<String>,
    object: Option<String>,
    /// In hexadecimal.
    id: Option<String>,
    module: Option<String>,
    /// A file.
    pin_source: Option<String>,
}

/// Signs with the key of `uri`: r and s, raw.
pub(crate) fn sign(uri: &str, message: &[u8]) -> Result<Vec<u8>, Failure> {
    let uri = Uri::parse(uri).map_err(|e| Failure::input(PLACE, e))?;
    let module = uri.module.clone().or_else(|| std::env::var(MODULE).ok());
    let module = module.filter(|module| !module.is_empty()).ok_or_else(|| {
        let reason = format!("no module-path in the URI, and no {MODULE}");
        Failure::input(PLACE, reason)
    })?;
    let tool = Tool { uri: &uri, module, pin: pin(&uri)? };
    // `pkcs11-tool` finds a key to sign with by its id alone: a label that it is given as well is
    // ignored, and the first key of the token signs.
    let id = match (&uri.id, &uri.object) {
        (Some(id), None) => id.clone(),
        (_, Some(label)) => tool.id_of(label)?,
        (None, None) => return Err(Failure::input(PLACE, NO_KEY)),
    };
    let mechanism = ["--sign", "--mechanism", "ECDSA", "--id", &id];
    signer::answer(PLACE, &mut tool.command(&mechanism), digest(&SHA256, message).as_ref())
}

/// The PIN, from the file that the URI names or from the environment. Without, the token's own pad
/// may ask for it.
fn pin(uri: &Uri) -> Result<Option<String>, Failure> {
    let Some(path) = &uri.pin_source else { return Ok(std::env::var(PIN).ok()) };
    let pin = std::fs::read_to_string(path).map_err(|e| Failure::input(path, e))?;
    Ok(Some(pin.trim_end_matches(['\r', '\n']).to_owned()))
}

struct Tool<'a> {
    uri: &'a Uri,
    module: String,
    pin: Option<String>,
}

impl Tool<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("pkcs11-tool");
        command.args(["--module", &self.module, "--login"]).args(arguments);
        for (option, value) in [("--token-label", &self.uri.token), ("--slot", &self.uri.slot)] {
            if let Some(value) = value {
                command.arg(option).arg(value);
            }
        }
        if let Some(pin) = &self.pin {
            // By the environment: everybody on this machine can read arguments.
            command.env(PIN, pin).args(["--pin", "env:PINFOLD_PIN"]);
        }
        // What is read below is in English.
        command.env("LC_ALL", "C");
        command
    }

    /// The id of the one private key with this label, and with the URI's id if it has one.
    fn id_of(&self, label: &str) -> Result<String, Failure> {
        let list = &mut self.command(&["--list-objects", "--type", "privkey"]);
        let list = signer::answer(PLACE, list, b"")?;
        let mut ids = ids_of(label, &String::from_utf8_lossy(&list));
        ids.retain(|id| self.uri.id.as_ref().is_none_or(|wanted| wanted == id));
        match ids.as_slice() {
            [id] if !id.is_empty() => Ok(id.clone()),
            [] => Err(Failure::input(PLACE, format!("no private key {label:?} on the token"))),
            [_] => Err(Failure::input(PLACE, format!("the key {label:?} has no id on the token"))),
            _ => {
                let reason = format!("several private keys {label:?}: say which with id=");
                Err(Failure::input(PLACE, reason))
            }
        }
    }
}

/// The ids of the private keys with this label, in what `pkcs11-tool --list-objects` prints.
fn ids_of(label: &str, list: &str) -> Vec<String> {
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for line in list.lines() {
        if line.starts_with("Private Key Object") {
            keys.push(("", ""));
        } else if let Some(key) = keys.last_mut()
            && let Some((name, value)) = line.trim_start().split_once(':')
        {
            match name {
                "label" => key.0 = value.trim(),
                "ID" => key.1 = value.trim(),
                _ => {}
            }
        }
    }
    keys.into_iter().filter(|key| key.0 == label).map(|key| key.1.to_owned()).collect()
}

impl Uri {
    fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("pkcs11:").ok_or("does not begin with pkcs11:")?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::default();
        for attribute in path.split(';').filter(|a| !a.is_empty()) {
            let (name, value) = decode(attribute)?;
            match name {
                "token" => uri.token = Some(text_of(name, value)?),
                "slot-id" => uri.slot = Some(text_of(name, value)?),
                "object" => uri.object = Some(text_of(name, value)?),
                "id" => uri.id = Some(value.iter().map(|b| format!("{b:02x}")).collect()),
                "type" if value == b"private" => {}
                // Ignored, it could be another token's key that signs.
                name => return Err(format!("{name}: not supported")),
            }
        }
        for attribute in query.split('&').filter(|a| !a.is_empty()) {
            let (name, value) = decode(attribute)?;
            match name {
                "module-path" => uri.module = Some(text_of(name, value)?),
                "pin-source" => {
                    let source = text_of(name, value)?;
                    let path = source.strip_prefix("file:").unwrap_or(&source);
                    uri.pin_source = Some(path.strip_prefix("//").unwrap_or(path).to_owned());
                }
                "pin-value" => {
                    return Err(format!(
                        "pin-value: everybody can see it; use pin-source or {PIN}"
                    ));
                }
                name => return Err(format!("{name}: not supported")),
            }
        }
        if uri.object.is_none() && uri.id.is_none() {
            return Err(NO_KEY.to_owned());
        }
        Ok(uri)
    }
}

/// Name and value of an attribute, percent-encoding undone.
fn decode(attribute: &str) -> Result<(&str, Vec<u8>), String> {
    let (name, value) =
        attribute.split_once('=').ok_or_else(|| format!("{attribute:?} has no value"))?;
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = tail.split_at_checked(2).and_then(|(digits, tail)| {
            rest = tail;
            let digits = str::from_utf8(digits).ok().filter(|d| !d.starts_with('+'))?;
            u8::from_str_radix(digits, 16).ok()
        });
        bytes.push(digits.ok_or_else(|| format!("{name}: % without two digits"))?);
    }
    Ok((name, bytes))
}

fn text_of(name: &str, value: Vec<u8>) -> Result<String, String> {
    match String::from_utf8(value) {
        Ok(text) if !text.is_empty() && !text.contains('\0') => Ok(text),
        _ => Err(format!("{name}: empty, or not text")),
    }
}

#[cfg(test)]
mod tests {
    use super::Uri;

    #[test]
    fn a_uri_names_a_key() {
        let uri = "pkcs11:token=My%20token;object=pin-kms;id=%01%aB;type=private\
                   ?module-path=/usr/lib/a.so&pin-source=file:///run/pin";
        let text = |text: &str| Some(text.to_owned());
        let expected = Uri {
            token: text("My token"),
            slot: None,
            object: text("pin-kms"),
            id: text("01ab"),
            module: text("/usr/lib/a.so"),
            pin_source: text("/run/pin"),
        };
        assert_eq!(Uri::parse(uri), Ok(expected));
    }

    #[test]
    fn what_would_be_ignored_or_seen_by_all_is_refused() {
        for (uri, part) in [
            ("token=a;object=b", "begin"),
            ("pkcs11:", "no key"),
            ("pkcs11:token=a", "no key"),
            ("pkcs11:object=a;serial=1", "serial"),
            ("pkcs11:object=a;type=cert", "type"),
            ("pkcs11:object", "no value"),
            ("pkcs11:object=", "empty"),
            ("pkcs11:object=%4", "digits"),
            ("pkcs11:object=%+4", "digits"),
            ("pkcs11:object=%é", "digits"),
            ("pkcs11:object=%ff", "not text"),
            ("pkcs11:object=a?pin-value=1234", "pin-source"),
            ("pkcs11:object=a?module-name=b", "module-name"),
        ] {
            let error = Uri::parse(uri).expect_err(uri);
            assert!(error.contains(part), "{uri}: {error}");
            assert!(!error.contains("1234"), "the PIN is repeated");
        }
    }
}
