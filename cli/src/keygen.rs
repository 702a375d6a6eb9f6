//! `pinfold keygen`: a key that signs documents, in a file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use pinfold_core::SpkiSha256;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::json;

use crate::failure::Failure;
use crate::signer::FileKey;
use crate::{encrypted, output, passphrase};

/// Make a key that signs roots or pin sets: P-256, in a file that only its owner can read.
///
/// Writes the private key (PKCS#8 PEM) to FILE and the public one to FILE.pub, and prints what
/// others need to recognise it. The private key is never printed and no file is overwritten. With
/// --encrypt it is under a passphrase of 12 characters at least (scrypt and AES-256, as OpenSSL reads
/// it); a forgotten one is a lost key. Without, keep it on a medium that is encrypted, or use a key of
/// an HSM or a key service (`pinfold sign --pkcs11`, `--exec`).
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold keygen --out root-a.pem --encrypt          asks for the passphrase, twice
  pinfold keygen --out /media/token/key.pem --id pin-2027 --json")]
pub(crate) struct Arguments {
    /// Where the private key goes; must not exist
    #[arg(long, value_name = "FILE")]
    out: String,
    /// What documents will call it [default: the name of FILE without its extension]
    #[arg(long)]
    id: Option<String>,
    /// Put the private key under a passphrase
    #[arg(long)]
    encrypt: bool,
    #[command(flatten)]
    passphrase: passphrase::Source,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let path = std::path::Path::new(&arguments.out);
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let id = match arguments.id.as_deref().or(stem) {
        Some(id) if !id.is_empty() && !id.contains(char::is_control) && !id.contains('=') => id,
        _ => return Err(Failure::input("--id", "empty, or with `=` or a control character")),
    };
    if arguments.out == "-" {
        return Err(Failure::input("--out", "a private key goes to a file only"));
    }
    if !arguments.encrypt && arguments.passphrase.is_named() {
        return Err(Failure::input("--passphrase-file", "only with --encrypt"));
    }
    // Before there is anything to lose.
    let passphrase = arguments.encrypt.then(|| arguments.passphrase.chosen(&arguments.out));
    let passphrase = passphrase.transpose()?;
    let pkcs8 =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| Failure::input("the system", "has no random numbers"))?;
    let key = FileKey::of_pkcs8(pkcs8.as_ref(), &arguments.out)?;
    let spki = key.public().to_spki();

    let private = match &passphrase {
        Some(passphrase) => {
            let sealed = encrypted::seal(pkcs8.as_ref(), passphrase);
            pem(encrypted::LABEL, &sealed.map_err(|e| Failure::input(&arguments.out, e))?)
        }
        None => pem("PRIVATE KEY", pkcs8.as_ref()),
    };
    let public = format!("{}.pub", arguments.out);
    output::write_new(&arguments.out, private.as_bytes(), true)?;
    output::write_new(&public, pem("PUBLIC KEY", &spki).as_bytes(), false).inspect_err(|_| {
        // Half a pair would only be in the way of the next attempt.
        let _left = std::fs::remove_file(&arguments.out);
    })?;

    let (spki, digest) = (STANDARD.encode(&spki), SpkiSha256::of_spki(&spki).to_string());
    if arguments.json {
        return output::print_json(&json!({
            "id": id, "alg": "ES256", "spki": spki, "digest": digest,
            "private": arguments.out, "public": public, "encrypted": arguments.encrypt,
        }));
    }
    output::print_words(&[
        ("id", id.to_owned()),
        ("spki", spki),
        ("digest", digest),
        (
            "private",
            format!("{}{}", arguments.out, if arguments.encrypt { ", encrypted" } else { "" }),
        ),
        ("public", public),
    ])
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in base64.as_bytes().chunks(64) {
        pem.extend(line.iter().map(|b| char::from(*b)));
        pem.push('\n');
    }
    pem + &format!("-----END {label}-----\n")
}
