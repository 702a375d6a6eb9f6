//! Certificates, requests and public keys from files.

use pinfold_core::Roots;
use pinfold_core::verify::{CertificateIdentity, pin_of_public_key, pin_of_request};

use crate::failure::Failure;
use crate::file::File;
use crate::pem::{self, Block};

/// Something with a public key in it.
pub(crate) enum Item {
    Certificate(Vec<u8>),
    PublicKey(Vec<u8>),
    Request(Vec<u8>),
}

/// The certificates, requests and public keys in PEM or DER: all that a file holds, or an error.
pub(crate) fn items(path: &str) -> Result<Vec<Item>, Failure> {
    let file = File::read(path)?;
    let text = file.text();
    if !pem::is_meant(&text) {
        return Ok(vec![der_item(file)?]);
    }
    let blocks =
        pem::blocks(&text).map_err(|e| file.wrong_at(e.line, e.label.as_deref(), e.reason))?;
    blocks.into_iter().map(|block| pem_item(&file, block)).collect()
}

/// The certificates in PEM or DER, DER each.
pub(crate) fn certificates(path: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let certificate = |item| match item {
        Item::Certificate(der) => Ok(der),
        Item::PublicKey(_) | Item::Request(_) => {
            Err(Failure::input(path, "not only certificates in it"))
        }
    };
    items(path)?.into_iter().map(certificate).collect()
}

/// `system`, `bundled` or a file of certificates.
pub(crate) fn roots(text: &str) -> Result<Roots, Failure> {
    Ok(match text {
        "system" => Roots::System,
        "bundled" => Roots::Bundled,
        path => Roots::Only(certificates(path)?),
    })
}

/// RFC 7468 §5 to §13, and the labels of OpenSSL and Java.
fn pem_item(file: &File, block: Block) -> Result<Item, Failure> {
    let Block { label, line, der } = block;
    let wrong = |reason| Err(file.wrong_at(line, Some(&label), reason));
    let (item, damaged) = match label.as_str() {
        // Whoever presents one that cannot be read is judged for it.
        "CERTIFICATE" | "X509 CERTIFICATE" => (Some(Item::Certificate(der)), ""),
        // A certificate, and behind it what it is trusted for.
        "TRUSTED CERTIFICATE" => {
            (first_element(&der).and_then(certificate), "not a certificate in DER")
        }
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
            (request(&der), "not a certificate request in DER")
        }
        "PUBLIC KEY" => (public_key(&der), "not a SubjectPublicKeyInfo in DER"),
        "RSA PUBLIC KEY" => (public_key(&spki_of_rsa(&der)), "not an RSA public key in DER"),
        "PKCS7" | "PKCS #7 SIGNED DATA" | "CMS" => return wrong(PKCS7),
        _ => return wrong("nothing to be pinned, and not read: take it out of the file"),
    };
    item.map_or_else(|| wrong(damaged), Ok)
}

const PKCS7: &str = "not read: take the certificates out of it \
                     (openssl pkcs7 -print_certs -in FILE -out FILE.pem)";

fn der_item(file: File) -> Result<Item, Failure> {
    let der = file.bytes();
    let item = certificate(der).or_else(|| request(der)).or_else(|| public_key(der));
    if let Some(item) = item.or_else(|| public_key(&spki_of_rsa(der))) {
        return Ok(item);
    }
    // ContentInfo of signedData (RFC 5652 §3, §5.1).
    let signed_data = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
    let is_base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/=\r\n".contains(b);
    Err(file.wrong(if der.is_empty() {
        "empty"
    } else if der.first() == Some(&0x30) && der.windows(11).take(8).any(|w| w == signed_data) {
        "PKCS#7 in DER, which is not read: take the certificates out of it \
         (openssl pkcs7 -inform DER -print_certs -in FILE -out FILE.pem)"
    } else if der.iter().all(is_base64) {
        "base64 without its lines -----BEGIN LABEL----- and -----END LABEL-----"
    } else {
        "neither PEM nor the DER of a certificate, request or public key"
    }))
}

fn certificate(der: &[u8]) -> Option<Item> {
    CertificateIdentity::read(der, "").ok().map(|_| Item::Certificate(der.to_vec()))
}

fn request(der: &[u8]) -> Option<Item> {
    pin_of_request(der).map(|_| Item::Request(der.to_vec()))
}

fn public_key(der: &[u8]) -> Option<Item> {
    pin_of_public_key(der).map(|_| Item::PublicKey(der.to_vec()))
}

/// The first of one or two SEQUENCEs that make up the whole.
fn first_element(der: &[u8]) -> Option<&[u8]> {
    let (first, rest) = der.split_at_checked(sequence_length(der)?)?;
    (rest.is_empty() || sequence_length(rest) == Some(rest.len())).then_some(first)
}

/// How long the SEQUENCE is that some DER begins with, its header included.
fn sequence_length(der: &[u8]) -> Option<usize> {
    match *der {
        [0x30, n @ ..=0x7f, ..] => Some(2 + usize::from(n)),
        [0x30, 0x81, n, ..] => Some(3 + usize::from(n)),
        [0x30, 0x82, a, b, ..] => Some(4 + usize::from(u16::from_be_bytes([a, b]))),
        _ => None,
    }
}

/// The SubjectPublicKeyInfo of an RSAPublicKey (RFC 3279 §2.3.1); nothing that can be read where it
/// is none.
fn spki_of_rsa(key: &[u8]) -> Vec<u8> {
    // rsaEncryption, with NULL as its parameters.
    let algorithm = [0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
    // Two numbers, and nothing but them.
    if sequence_length(key) != Some(key.len()) || rsa_numbers(key).is_none() {
        return Vec::new();
    }
    let bits = element(3, &[&[0], key].concat());
    element(0x30, &[&algorithm, bits.as_slice()].concat())
}

/// What is left behind the two INTEGERs of an RSAPublicKey: nothing.
fn rsa_numbers(key: &[u8]) -> Option<()> {
    let mut inside = &key[if key.get(1)? < &0x80 { 2 } else { 2 + usize::from(key[1] & 0x7f) }..];
    for _ in 0..2 {
        // Read as if it were a SEQUENCE, for the length alone.
        let (tag, rest) = inside.split_first()?;
        let length = sequence_length(&[&[0x30], rest].concat())?;
        inside = inside.get(length..).filter(|_| *tag == 2)?;
    }
    inside.is_empty().then_some(())
}

fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let n = contents.len();
    let mut der = match n {
        0..=0x7f => vec![tag, n as u8],
        0x80..=0xff => vec![tag, 0x81, n as u8],
        0x100..=0xffff => vec![tag, 0x82, (n >> 8) as u8, n as u8],
        _ => return Vec::new(),
    };
    der.extend(contents);
    der
}
