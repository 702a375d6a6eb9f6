//! Private keys in files where none belongs, however damaged.
//!
//! Keys get lost in copies: newlines turn into spaces or into the two characters `\n`, dashes vanish,
//! a file is cut off, or is one more time base64 inside of YAML. What a key *is* survives all that:
//! the words around it, or the first bytes of its DER. Both are looked for anywhere in a file.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::pem::text_of;

/// What a file should not have held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secret {
    PrivateKey,
    Pkcs12,
    JavaKeyStore,
}

impl Secret {
    /// What to do about it.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::PrivateKey => {
                "a private key: keep it out of here, and pin its public key \
                 (openssl pkey -in FILE -pubout | pinfold pin -)"
            }
            Self::Pkcs12 => {
                "a PKCS#12 file, which may hold private keys: take the certificates out of it \
                 (openssl pkcs12 -in FILE -nokeys -out FILE.pem)"
            }
            Self::JavaKeyStore => {
                "a Java key store, which may hold private keys: take the certificate out of it \
                 (keytool -exportcert -rfc -keystore FILE -alias NAME)"
            }
        }
    }
}

/// Base64 whose last character may carry bits, because it may have been cut off anywhere.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// As much DER as shows what it is.
const HEAD: usize = 96;
/// Base64 inside of base64, as in a Kubernetes secret, and once more for good measure.
const MAX_DEPTH: usize = 3;

/// Words that stand in no other file.
const WORDS: [&str; 8] = [
    "putty-user-key-file",
    "age-secret-key-",
    "openssh-key-v1",
    "b3blbnnzac1rzxktdje", // the same in base64
    "ssh-private-key",
    "privateexponent",
    "\"privatekeypem\"",
    "private-lines:",
];

/// What stands between `BEGIN` and `PRIVATE KEY`.
const KINDS: [&str; 9] =
    ["", "any", "dsa", "ec", "encrypted", "openssh", "pgp", "rsa", "ssh2encrypted"];

/// The first secret in a file, if there is one.
pub(crate) fn find(bytes: &[u8]) -> Option<Secret> {
    find_within(bytes, MAX_DEPTH)
}

fn find_within(bytes: &[u8], depth: usize) -> Option<Secret> {
    if let Some(store) = of_store(bytes) {
        return Some(store);
    }
    if der_anywhere(bytes) {
        return Some(Secret::PrivateKey);
    }
    let text = text_of(bytes);
    if says_private_key(&text) {
        return Some(Secret::PrivateKey);
    }
    in_base64(&text, depth).or_else(|| in_hex(&text, depth))
}

fn of_store(bytes: &[u8]) -> Option<Secret> {
    match bytes {
        [0xfe, 0xed, 0xfe, 0xed, ..] | [0xce, 0xce, 0xce, 0xce, ..] => Some(Secret::JavaKeyStore),
        _ => is_pkcs12(bytes).then_some(Secret::Pkcs12),
    }
}

/// The words around a key: `BEGIN … PRIVATE KEY`, whatever has become of blanks and dashes.
fn says_private_key(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    if WORDS.iter().any(|word| lower.contains(word)) || is_json_web_key(&lower) {
        return true;
    }
    // Letters and digits only, with a dash where there were some.
    let mut squeezed = String::with_capacity(lower.len());
    for c in lower.chars().filter(|c| !c.is_whitespace()) {
        match c {
            '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' => {
                let after = squeezed.ends_with('-');
                squeezed.extend((!after).then_some('-'));
            }
            c if c.is_ascii_alphanumeric() => squeezed.push(c),
            _ => {}
        }
    }
    squeezed.match_indices("privatekey").any(|(at, found)| {
        let before = squeezed.get(at.saturating_sub(24)..at).unwrap_or_default();
        let begins = before.rsplit_once("begin").is_some_and(|(dashes, kind)| {
            dashes.ends_with('-') || KINDS.contains(&kind.trim_matches('-'))
        });
        let after = &squeezed[at + found.len()..];
        begins || before.contains("-end") || before.ends_with('-') && after.starts_with('-')
    })
}

/// A JSON Web Key with its private part (RFC 7517 §4, RFC 7518 §6).
fn is_json_web_key(lower: &str) -> bool {
    let member = |name: &str| {
        lower
            .match_indices(name)
            .any(|(at, name)| lower[at + name.len()..].trim_start().starts_with(':'))
    };
    member("\"kty\"") && (member("\"d\"") || member("\"k\"") || member("\"p\""))
}

/// Base64 anywhere: of a key's DER, or of a file that itself holds one.
fn in_base64(text: &str, depth: usize) -> Option<Secret> {
    // What stands between the pieces of one key that has been wrapped, quoted or escaped.
    let joined = text.replace("\\r", "").replace("\\n", "");
    let between = |c: char| c.is_whitespace() || "\"'\\,|>".contains(c);
    let joined: String = joined.chars().filter(|c| !between(*c)).collect();
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/".contains(c);
    let is_base64_url = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let standard = joined.split(|c| !is_base64(c)).filter(|run| run.len() >= 16);
    let url = joined.split(|c| !is_base64_url(c)).filter(|run| run.len() >= 16);
    let url = url.filter(|run| run.contains(['-', '_']));
    let runs = standard.map(|run| (run, &BASE64)).chain(url.map(|run| (run, &BASE64_URL)));
    for (run, alphabet) in runs {
        // Every DER SEQUENCE begins with 0x30, which is an M.
        for (at, _) in run.match_indices('M') {
            let end = run.len().min(at + HEAD * 4 / 3);
            let head = decoded(alphabet, &run[at..end]);
            if is_pkcs12(&head) {
                return Some(Secret::Pkcs12);
            }
            if is_private_der(&head) {
                return Some(Secret::PrivateKey);
            }
        }
        if depth > 0 && run.len() >= 64 {
            for run in (0..4).map(|at| &run[at..]) {
                if is_text(&decoded(alphabet, &run[..60])) {
                    let found = find_within(&decoded(alphabet, run), depth - 1);
                    if found.is_some() {
                        return found;
                    }
                }
            }
        }
    }
    None
}

/// What can be decoded from the beginning of some base64.
fn decoded(alphabet: &GeneralPurpose, text: &str) -> Vec<u8> {
    let whole = text.len() - usize::from(text.len() % 4 == 1);
    alphabet.decode(&text[..whole]).unwrap_or_default()
}

/// Whether it could be text.
fn is_text(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|b| (0x20..0x7f).contains(b) || b"\r\n\t".contains(b))
}

/// Bytes in hexadecimal, with or without anything between them: of a key's DER, or of a file that
/// itself holds one.
fn in_hex(text: &str, depth: usize) -> Option<Secret> {
    let between = |c: char| c.is_whitespace() || ":,".contains(c);
    let digits: String = text.replace("0x", "").chars().filter(|c| !between(*c)).collect();
    let runs = digits.split(|c: char| !c.is_ascii_hexdigit()).filter(|run| run.len() >= 32);
    for run in runs {
        for (at, _) in run.match_indices("30") {
            let end = run.len().min(at + HEAD * 2);
            if is_private_der(&of_hex(&run[at..end])) {
                return Some(Secret::PrivateKey);
            }
        }
        if depth > 0 && is_text(&of_hex(&run[..32])) {
            let found = find_within(&of_hex(run), depth - 1);
            if found.is_some() {
                return found;
            }
        }
    }
    None
}

fn of_hex(digits: &str) -> Vec<u8> {
    let nibble = |c: u8| char::from(c).to_digit(16).unwrap_or_default() as u8;
    let (pairs, _) = digits.as_bytes().as_chunks::<2>();
    pairs.iter().map(|[a, b]| nibble(*a) << 4 | nibble(*b)).collect()
}

/// The DER of a private key behind whatever.
fn der_anywhere(bytes: &[u8]) -> bool {
    if is_private_der(bytes) {
        return true;
    }
    let starts = bytes.iter().enumerate().skip(1).filter(|(_, byte)| **byte == 0x30);
    // Deeper inside, only what is unmistakable.
    starts.take(1 << 16).any(|(at, _)| {
        let end = bytes.len().min(at + HEAD);
        let head = &bytes[at..end];
        head.len() == HEAD && is_private_der(head)
    })
}

/// Whether some DER begins like a private key: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017 §A.1.2), DSA's
/// traditional form, SEC 1 (RFC 5915), or PKCS#8 under a password (RFC 5958 §3). It may be cut off.
fn is_private_der(bytes: &[u8]) -> bool {
    let Some((0x30, inside)) = header(bytes) else { return false };
    match inside {
        // The algorithm, and behind it the key; in a certificate it would be the issuer.
        [2, 1, 0 | 1, 0x30, n, rest @ ..] if *n <= 0x7f => {
            rest.first() == Some(&6)
                && !is_field_type(rest)
                && rest.get(usize::from(*n)).is_none_or(|tag| *tag == 4)
        }
        [2, 1, 0 | 1, 0x30, 0x81, n, rest @ ..] => {
            rest.first() == Some(&6) && rest.get(usize::from(*n)).is_none_or(|tag| *tag == 4)
        }
        [2, 1, 0 | 1, 0x30, 0x82, _, _, 6, ..] => true,
        // A version and a long number.
        [2, 1, 0 | 1, 2, 0x81 | 0x82, ..] | [2, 1, 0, 2, 0x20..=0x7f, ..] => true,
        // A version and the key's own octets.
        [2, 1, 1, 4, n, ..] => (0x10..=0x48).contains(n),
        // An algorithm of PKCS#5 or PKCS#12, and octets.
        [0x30, ..] => {
            let oid = header(inside).map(|(_, algorithm)| algorithm).unwrap_or_default();
            let pkcs = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1];
            let rest = match oid {
                [6, _, rest @ ..] => rest.strip_prefix(&pkcs).unwrap_or_default(),
                _ => return false,
            };
            rest.starts_with(&[5]) || rest.starts_with(&[12, 1])
        }
        _ => false,
    }
}

/// Whether an OID is of a field, as where a public key has the parameters of its curve written out
/// (RFC 3279 §2.3.5): those begin with a version as well.
fn is_field_type(oid: &[u8]) -> bool {
    oid.starts_with(&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 1])
}

/// Whether some DER begins like a PFX (RFC 7292 §4): version 3, and contents of PKCS#7.
fn is_pkcs12(bytes: &[u8]) -> bool {
    let Some((0x30, [2, 1, 3, 0x30, rest @ ..])) = header(bytes) else { return false };
    let pkcs7 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7];
    rest.windows(pkcs7.len()).take(8).any(|window| window == pkcs7)
}

/// The tag of an element, and what follows its length; the length itself is not believed.
fn header(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let more = match first {
        ..=0x80 => 0,
        0x81..=0x84 => usize::from(first & 0x7f),
        _ => return None,
    };
    Some((tag, rest.get(more..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_requests_and_public_keys_are_no_secrets() {
        let key = rcgen::KeyPair::generate().expect("a key");
        let parameters = rcgen::CertificateParams::new(vec!["a.example".into()]).expect("good");
        let request = parameters.serialize_request(&key).expect("a request");
        let mut files = vec![request.der().to_vec(), key.public_key_pem().into_bytes()];
        files.push(request.pem().expect("PEM").into_bytes());
        for _ in 0..16 {
            let made = rcgen::generate_simple_self_signed(vec!["a.example".into()]).expect("good");
            files.push(made.cert.der().to_vec());
            files.push(made.cert.pem().into_bytes());
        }
        files.push(b"the private key stays in the vault\n".to_vec());
        files.push(br#"{"schema":1,"note":"private key in the HSM","hosts":[]}"#.to_vec());
        files.push(Vec::new());
        // The parameters of P-256 written out, wherever a certificate has them.
        let parameters = [
            &[0x30, 0x81, 0xf7, 2, 1, 1, 0x30, 0x2c, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 1, 1][..],
            &[2, 0x21, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0xff; 12],
            &[0x30, 0x5b, 4, 0x20],
            &[0xff; 64],
        ];
        for before in 0..3 {
            let der = [&vec![2; before][..], &parameters.concat()].concat();
            let base64 = BASE64.encode(&der);
            files.push(format!("-----BEGIN CERTIFICATE-----\n{base64}\n").into_bytes());
            files.push(BASE64_URL.encode(&der).into_bytes());
            files.extend([der, base64.into_bytes()]);
        }
        for file in files {
            assert_eq!(find(&file), None, "{:?}", String::from_utf8_lossy(&file));
        }
    }
}
