//! `pinfold pin`: what to write into a pin set.

use std::net::SocketAddr;

use clap::Args;
use pinfold_core::pin::{CertSha256, SpkiSha256};
use pinfold_core::verify::{
    CertificateIdentity, pin_of_public_key, pin_of_request, verifiable_signature,
};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::input::{self, Item};
use crate::{output, survey, terminal};

/// Print the pins of certificates, requests, public keys or a live server.
///
/// One line each: the pin, its role, the subject and the last day of its validity. The pin of a
/// certificate is that of its key, so it is the same for the next certificate with the same key,
/// and for the request that it will be issued for. A key with which no server can complete a
/// handshake with the library is refused; of an authority's it is only said.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold pin server.pem chain.pem          each certificate of both files
  pinfold pin next.csr                      a backup pin, before any certificate exists
  openssl pkey -in key.pem -pubout | pinfold pin -
  pinfold pin --live api.example.com        what the server presents now
  pinfold pin --live api.example.com --connect 10.0.0.7:8443 --json")]
pub(crate) struct Arguments {
    /// PEM or DER files; `-` is standard input
    #[arg(required_unless_present = "live", conflicts_with = "live")]
    files: Vec<String>,
    /// Ask a server instead
    #[arg(long, value_name = "HOST[:PORT]")]
    live: Option<String>,
    /// Connect to this address instead of looking the host up
    #[arg(long, value_name = "IP:PORT", requires = "live")]
    connect: Option<SocketAddr>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

struct Row {
    source: String,
    role: &'static str,
    spki: SpkiSha256,
    certificate: Option<(CertSha256, CertificateIdentity)>,
    subject: Option<String>,
    /// Why the pin will not match everywhere.
    trouble: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut rows = Vec::new();
    let mut untrusted = None;
    if let Some(target) = &arguments.live {
        let presented = survey::chain(target, arguments.connect)?;
        untrusted = presented.untrusted(target)?;
        for der in &presented.chain {
            rows.push(certificate_row(target, der)?);
        }
    }
    for path in &arguments.files {
        for item in input::items(path)? {
            rows.push(row(path, &item)?);
        }
    }
    if arguments.json {
        let pins: Vec<_> = rows.iter().map(Row::to_json).collect();
        let mut value = json!({ "pins": pins });
        if arguments.live.is_some() {
            value["trusted"] = json!(untrusted.is_none());
            value["untrusted_reason"] = json!(untrusted);
        }
        output::print_json(&value)?;
    } else {
        rows.iter().try_for_each(Row::print)?;
        if let Some(reason) = untrusted {
            eprintln!(
                "{} this system does not trust the server ({reason}). Pins taken over such a \
                 connection may be an impostor's: compare them with the server's own files.",
                terminal::yellow("warning:"),
            );
        }
    }
    Ok(())
}

fn row(path: &str, item: &Item) -> Result<Row, Failure> {
    let (role, key) = match item {
        Item::Certificate(der) => return certificate_row(path, der),
        Item::PublicKey(der) => ("key", pin_of_public_key(der)),
        Item::Request(der) => ("request", pin_of_request(der)),
    };
    let key = key.ok_or_else(|| Failure::input(path, format!("a {role} that cannot be read")))?;
    if let Some(reason) = key.unusable {
        return Err(Failure::input(path, reason));
    }
    let (source, subject) = (path.to_owned(), key.subject);
    Ok(Row { source, role, spki: key.spki, certificate: None, subject, trouble: None })
}

fn certificate_row(source: &str, der: &[u8]) -> Result<Row, Failure> {
    let identity = CertificateIdentity::read(der, source)?;
    let trouble = match &identity.unusable {
        Some(reason) if !identity.is_ca => return Err(Failure::input(source, reason)),
        Some(reason) => Some(reason.clone()),
        None if identity.is_self_issued => None,
        None => verifiable_signature(der).err(),
    };
    Ok(Row {
        trouble,
        source: source.to_owned(),
        role: if identity.is_ca { "ca" } else { "leaf" },
        spki: identity.spki,
        subject: identity.subject.clone(),
        certificate: Some((CertSha256::of_certificate(der), identity)),
    })
}

impl Row {
    fn print(&self) -> Result<(), Failure> {
        let subject = self.subject.as_deref().unwrap_or("-");
        let until = match &self.certificate {
            Some((_, identity)) => format!("until {}", &identity.validity().1[..10]),
            None => String::new(),
        };
        let line = format!("{}  {:<7}  {subject}  {until}", self.spki, self.role);
        output::print(format!("{}\n", line.trim_end()).as_bytes())?;
        if let Some(trouble) = &self.trouble {
            terminal::warn(&format!("{}: {subject}: {trouble}", self.source));
        }
        Ok(())
    }

    fn to_json(&self) -> Value {
        let mut value = json!({
            "pin": self.spki.to_string(),
            "role": self.role,
            "subject": self.subject,
            "source": self.source,
            "trouble": self.trouble,
        });
        if let Some((certificate, identity)) = &self.certificate {
            let (not_before, not_after) = identity.validity();
            value["certificate_pin"] = json!(certificate.to_string());
            value["issuer"] = json!(identity.issuer);
            value["not_before"] = json!(not_before);
            value["not_after"] = json!(not_after);
        }
        value
    }
}
