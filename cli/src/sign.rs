//! `pinfold sign`, `tbs` and `attach`: signatures, made here or elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{ArgGroup, Args};
use pinfold_core::pinset::es256::PublicKey;
use pinfold_core::pinset::pae;
use ring::digest::{SHA256, digest};
use serde_json::json;

use crate::document::{self, Document, Kind};
use crate::failure::Failure;
use crate::file::File;
use crate::root_file::{self, RootFile};
use crate::signer::{self, FileKey};
use crate::{draft, output, passphrase, pkcs11};

/// Sign a document, alone or beside those who have signed it already.
///
/// The input is a payload as people write it, or an envelope; everybody signs the same bytes. The
/// signature is checked by the public key before anything is written: that of --key itself, of
/// --public, or the one that the root calls --id.
#[derive(Args)]
#[command(
    group = ArgGroup::new("signer").required(true),
    after_help = "\
The passphrase of an encrypted --key comes from --passphrase-file, from PINFOLD_PASSPHRASE, or from
whoever sits at the terminal, never from the command line.

The PIN for --pkcs11 comes from PINFOLD_PIN or from the URI's pin-source, never from the command
line; the module from module-path or PINFOLD_PKCS11_MODULE.

Examples:
  pinfold sign --type pinset --in pinset.json --key pin.pem --id pin -o pinset.dsse.json
  pinfold sign --in root.json --key root-b.pem --id root-b         adds to what is there
  pinfold sign --in pinset.dsse.json --root root.json --id pin-hsm \\
      --pkcs11 'pkcs11:token=pinfold;object=pin?module-path=/usr/lib/softhsm/libsofthsm2.so'
  pinfold sign --in pinset.dsse.json --root root.json --id pin-kms \\
      --exec 'openssl dgst -sha256 -binary > d && aws kms sign --key-id alias/pins \\
              --message-type DIGEST --message fileb://d --signing-algorithm ECDSA_SHA_256 \\
              --query Signature --output text'"
)]
pub(crate) struct SignArguments {
    #[command(flatten)]
    what: What,
    /// The document
    #[arg(long = "in", value_name = "FILE")]
    input: String,
    /// A private key: P-256, PKCS#8 PEM, under a passphrase or not
    #[arg(long, value_name = "FILE", group = "signer")]
    key: Option<String>,
    #[command(flatten)]
    passphrase: passphrase::Source,
    /// A key of an HSM, through `pkcs11-tool`
    #[arg(long, value_name = "URI", group = "signer")]
    pkcs11: Option<String>,
    /// A shell command that reads what is signed and prints the signature: DER or raw, or base64
    #[arg(long, value_name = "CMD", group = "signer")]
    exec: Option<String>,
}

/// Print the digest of what is signed, for signers elsewhere.
///
/// It is the same for every signer: compare it aloud. Key services take the bytes (`-o`) or the
/// digest (`--digest`); bring what they answer back with `pinfold attach`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold tbs root.json -o tbs.bin
  openssl dgst -sha256 -sign key.pem -out sig.bin tbs.bin
  pinfold tbs pinset.json --type pinset --digest digest.bin
  aws kms sign --message-type DIGEST --message fileb://digest.bin …")]
pub(crate) struct TbsArguments {
    /// An envelope, or a payload with --type
    file: String,
    /// What a payload is
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<Kind>,
    /// Write the bytes that are signed
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,
    /// Write their SHA-256, 32 bytes
    #[arg(long, value_name = "FILE")]
    digest: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Add a signature that was made elsewhere, over what `pinfold tbs` wrote.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold attach root.json --id root-a --sig sig.bin
  pinfold attach pinset.json --type pinset --root root.json --id pin-kms --sig sig.b64 \\
      -o pinset.dsse.json")]
pub(crate) struct AttachArguments {
    /// An envelope, or a payload with --type
    file: String,
    #[command(flatten)]
    what: What,
    /// The signature: DER or raw r and s, or base64 of either
    #[arg(long, value_name = "FILE")]
    sig: String,
}

/// What is signed, by whom, and where it goes.
#[derive(Args)]
struct What {
    /// What a payload is
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<Kind>,
    /// What the root calls the signer's key
    #[arg(long)]
    id: String,
    /// The signer's public key, PEM
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    public: Option<String>,
    /// The root that names the signer's key [default: a root names its own]
    #[arg(long, value_name = "FILE")]
    root: Option<String>,
    /// The envelope to write [default: the one that is read]
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl SignArguments {
    pub(crate) fn json(&self) -> bool {
        self.what.json
    }
}

impl AttachArguments {
    pub(crate) fn json(&self) -> bool {
        self.what.json
    }
}

pub(crate) fn sign(arguments: &SignArguments) -> Result<(), Failure> {
    let what = &arguments.what;
    let mut task = what.task(&arguments.input)?;
    let key = arguments.key.as_deref().map(|path| FileKey::read(path, &arguments.passphrase));
    let key = key.transpose()?;
    let public = match (&key, task.public) {
        (Some(key), Some(named)) if *key.public() != named => {
            let reason = format!("not the key that is {:?} in {}", what.id, task.named_in);
            return Err(Failure::input(arguments.key.as_deref().unwrap_or("--key"), reason));
        }
        (Some(key), _) => Some(*key.public()),
        (None, named) => named,
    };
    let public = public.ok_or_else(no_public_key)?;
    let message = task.document.message();
    let (place, answer) = match (&key, &arguments.pkcs11, &arguments.exec) {
        (Some(key), ..) => ("--key", key.sign(&message)?),
        (None, Some(uri), _) => ("--pkcs11", pkcs11::sign(uri, &message)?),
        (None, None, Some(command)) => ("--exec", signer::exec(command, &message)?),
        (None, None, None) => return Err(Failure::input("arguments", "nobody to sign")),
    };
    let sig = signer::raw(&answer, &public, &message).map_err(|e| Failure::input(place, e))?;
    task.document.add(&what.id, &sig);
    task.finish(what)
}

pub(crate) fn attach(arguments: &AttachArguments) -> Result<(), Failure> {
    let what = &arguments.what;
    let mut task = what.task(&arguments.file)?;
    let public = task.public.ok_or_else(no_public_key)?;
    let answer = File::read(&arguments.sig)?.into_bytes();
    let sig = signer::raw(&answer, &public, &task.document.message());
    task.document.add(&what.id, &sig.map_err(|e| Failure::input(&arguments.sig, e))?);
    task.finish(what)
}

pub(crate) fn tbs(arguments: &TbsArguments) -> Result<(), Failure> {
    let document = document::read(&arguments.file, arguments.kind)?;
    draft::expect_readable(&arguments.file, &document, None)?;
    let message = document.message();
    let sha256 = digest(&SHA256, &message);
    if let Some(path) = &arguments.output {
        output::write_file(path, &message)?;
    }
    if let Some(path) = &arguments.digest {
        output::write_file(path, sha256.as_ref())?;
    }
    let hex: String = sha256.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    let base64 = STANDARD.encode(sha256.as_ref());
    let payload_type = document.kind.payload_type();
    if arguments.json {
        return output::print_json(&json!({
            "type": payload_type, "bytes": message.len(), "sha256": hex, "sha256_base64": base64,
        }));
    }
    output::print_words(&[
        ("type", payload_type.to_owned()),
        ("bytes", message.len().to_string()),
        ("sha256", hex),
        ("base64", base64),
    ])
}

fn no_public_key() -> Failure {
    let reason = "by which key is the signature checked? Say it with --root or --public";
    Failure::input("--id", reason)
}

/// A document on its way to one more signature.
struct Task {
    document: Document,
    root: Option<RootFile>,
    /// The key that the id stands for, and where it does.
    public: Option<PublicKey>,
    named_in: String,
    output: String,
}

impl What {
    fn task(&self, path: &str) -> Result<Task, Failure> {
        let mut document = document::read(path, self.kind)?;
        let output = match &self.output {
            Some(output) => output.clone(),
            None if document.enveloped && path != "-" => path.to_owned(),
            None => return Err(Failure::input("--output", "missing: where the envelope goes")),
        };
        let root = self.root.as_deref().map(RootFile::read).transpose()?;
        draft::expect_readable(path, &document, root.as_ref())?;
        if output != path {
            document.continue_from(&output)?;
        }
        let (public, named_in) = match &self.public {
            Some(file) => (Some(draft::public_key(file)?), file.clone()),
            None => self.named(path, &document, root.as_ref())?,
        };
        Ok(Task { document, root, public, named_in, output })
    }

    /// The key that the id stands for among those that may sign the document, and where it does.
    fn named(
        &self,
        path: &str,
        document: &Document,
        root: Option<&RootFile>,
    ) -> Result<(Option<PublicKey>, String), Failure> {
        // A root names its own signers; one that it drops is named by the root before.
        let own = match document.kind {
            Kind::Root => Some(RootFile::of(path, document.envelope.clone())?),
            Kind::Pinset => None,
        };
        let roots: Vec<_> = root.into_iter().chain(&own).collect();
        for root in &roots {
            if let Some(key) = root.key(document.kind, &self.id) {
                return Ok((Some(key), root.path.clone()));
            }
        }
        if roots.is_empty() {
            return Ok((None, path.to_owned()));
        }
        let places = roots.iter().map(|root| root.path.as_str()).collect::<Vec<_>>().join(", ");
        let kind = document.kind.name();
        let mut reason = format!("no ES256 key {:?} that signs a {kind} in {places}", self.id);
        if document.kind == Kind::Root && root.is_none() {
            reason += " (--root names the root before)";
        }
        Err(Failure::input("--id", reason))
    }
}

impl Task {
    /// Writes the envelope, and says how far it is.
    fn finish(self, what: &What) -> Result<(), Failure> {
        let Self { document, root, output, .. } = self;
        document::write(&output, &document.envelope)?;
        let progress = root_file::progress(&output, &document, root.as_ref())?;
        let ids: Vec<_> = document.envelope.signatures.iter().map(|s| s.keyid.as_str()).collect();
        if what.json {
            let counted = progress.as_ref().map(|(signers, _)| signers);
            let threshold = progress.as_ref().map(|(_, threshold)| threshold);
            return output::print_json(&json!({
                "output": output, "signatures": ids, "counted": counted, "threshold": threshold,
            }));
        }
        let mut lines = vec![("output", output), ("signed", ids.join(", "))];
        if let Some((signers, threshold)) = progress {
            lines.push(("counted", format!("{} where {threshold} must", signers.len())));
        }
        output::print_words(&lines)
    }
}

impl Document {
    /// The bytes that are signed.
    fn message(&self) -> Vec<u8> {
        pae(&self.envelope.payload_type, &self.envelope.payload)
    }
}
