//! Who signs: a key in a file, a key of an HSM, or a command that talks to whatever holds it.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use pinfold_core::pinset::es256::{PublicKey, raw_from_der};
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::sign::SigningKey;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::failure::Failure;
use crate::file::File;
use crate::{encrypted, passphrase, pem, terminal};

/// No signature in any form comes near it, nor the list of a token's keys.
const MAX_ANSWER: u64 = 1 << 20;

/// A private key from a file.
pub(crate) struct FileKey {
    key: std::sync::Arc<dyn SigningKey>,
    public: PublicKey,
    path: String,
}

impl FileKey {
    /// Reads a P-256 key in PKCS#8 PEM, which may be under a passphrase.
    pub(crate) fn read(path: &str, passphrase: &passphrase::Source) -> Result<Self, Failure> {
        let file = File::read_secret(path)?;
        let blocks = pem::blocks(&file.text()).unwrap_or_default();
        let mut keys =
            blocks.into_iter().filter(|b| b.label == "PRIVATE KEY" || b.label == encrypted::LABEL);
        let key = keys.next().ok_or_else(|| {
            file.wrong("no private key in PKCS#8 PEM (openssl pkcs8 -topk8 -scrypt -in FILE)")
        })?;
        if key.label == encrypted::LABEL {
            let wrong = |reason| file.wrong_at(key.line, Some(&key.label), reason);
            // What can never be opened, nobody is asked for.
            encrypted::read(&key.der).map_err(wrong)?;
            let pkcs8 = encrypted::open(&key.der, &passphrase.known(path)?).map_err(wrong)?;
            return Self::of_pkcs8(&pkcs8, path);
        }
        #[cfg(unix)]
        if std::fs::metadata(path).is_ok_and(|m| {
            m.is_file() && std::os::unix::fs::PermissionsExt::mode(&m.permissions()) & 0o077 != 0
        }) {
            terminal::warn(&format!("{path}: others can read this private key (chmod 600)"));
        }
        Self::of_pkcs8(&key.der, path)
    }

    pub(crate) fn of_pkcs8(der: &[u8], path: &str) -> Result<Self, Failure> {
        let wrong = || Failure::input(path, "not a P-256 private key");
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der));
        let key = any_ecdsa_type(&der).map_err(|_| wrong())?;
        let public = key.public_key().and_then(|spki| PublicKey::of_spki(&spki));
        Ok(Self { public: public.ok_or_else(wrong)?, key, path: path.to_owned() })
    }

    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// A DER signature.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let signer = self.key.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256]);
        let signature = signer.and_then(|signer| signer.sign(message).ok());
        signature.ok_or_else(|| Failure::input(&self.path, "cannot sign"))
    }
}

/// Runs a shell command with `message` on its standard input; what it prints is the signature.
pub(crate) fn exec(command: &str, message: &[u8]) -> Result<Vec<u8>, Failure> {
    answer("--exec", Command::new("sh").args(["-c", command]), message)
}

/// What a program prints; it may talk to people on standard error.
pub(crate) fn answer(place: &str, command: &mut Command, input: &[u8]) -> Result<Vec<u8>, Failure> {
    let wrong = |e| Failure::input(place, e);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| wrong(format!("{}: {e}", command.get_program().display())))?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let mut answer = Vec::new();
    let read = std::thread::scope(|scope| {
        // Beside the reading: a program may print before it has read everything.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
        stdout.map(|stdout| stdout.take(MAX_ANSWER).read_to_end(&mut answer))
    });
    let status = child.wait().map_err(|e| wrong(e.to_string()))?;
    if !status.success() {
        return Err(wrong(format!("the program failed ({status})")));
    }
    match read {
        Some(Err(e)) => Err(wrong(e.to_string())),
        _ => Ok(answer),
    }
}

/// The raw form of a signature that is DER or raw, or base64 of either, and really is by `key`.
pub(crate) fn raw(answer: &[u8], key: &PublicKey, message: &[u8]) -> Result<[u8; 64], String> {
    let mut forms = vec![answer.to_vec()];
    if let Ok(text) = str::from_utf8(answer) {
        let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let unpadded = text.trim_end_matches('=');
        forms.extend(STANDARD.decode(&text).or_else(|_| URL_SAFE_NO_PAD.decode(unpadded)));
    }
    let mut read = false;
    for form in &forms {
        for raw in [form.as_slice().try_into().ok(), raw_from_der(form)].into_iter().flatten() {
            read = true;
            // Sixty-four bytes can be either form; the key tells.
            if key.verify(message, &raw) {
                return Ok(raw);
            }
        }
    }
    Err(if read {
        "a signature, but not by this key over this document".to_owned()
    } else {
        format!(
            "{} bytes that are no ES256 signature: neither DER nor raw r and s, nor base64 of them",
            answer.len(),
        )
    })
}
