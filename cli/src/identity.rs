//! The client's own certificate, told as curl is told.

use std::sync::Arc;

use clap::Args;
use pinfold_core::{ClientIdentity, ClientSigner, SignatureAlgorithm};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::failure::Failure;
use crate::file::File;
use crate::{passphrase, pkcs11};

#[derive(Args)]
pub(crate) struct IdentityArguments {
    /// The client's certificate with those above it, in PEM, for the host of the URL and no other
    #[arg(short = 'E', long, value_name = "FILE", conflicts_with = "pkcs12")]
    cert: Option<String>,
    /// Its private key in PEM, where it is not in the same file
    #[arg(long, value_name = "FILE", requires = "cert", conflicts_with = "pkcs11")]
    key: Option<String>,
    /// Instead, a PKCS#12 store with both
    #[arg(long, value_name = "FILE", conflicts_with = "pkcs11")]
    pkcs12: Option<String>,
    /// The key on a token: an RFC 7512 URI, as `sign` takes it; P-256
    #[arg(long, value_name = "URI", requires = "cert")]
    pkcs11: Option<String>,
    #[command(flatten)]
    passphrase: passphrase::Source,
}

impl IdentityArguments {
    pub(crate) fn identity(&self) -> Result<Option<ClientIdentity>, Failure> {
        if let Some(path) = &self.pkcs12 {
            let store = File::read_secret(path)?;
            let passphrase = self.passphrase.known(path)?;
            return Ok(Some(ClientIdentity::from_pkcs12(store.bytes(), &passphrase)?));
        }
        let Some(path) = &self.cert else { return Ok(None) };
        let certificates = File::read_secret(path)?;
        if let Some(uri) = &self.pkcs11 {
            let chain = CertificateDer::pem_slice_iter(certificates.bytes());
            let chain = chain.map(|der| der.map(|der| der.to_vec())).collect::<Result<Vec<_>, _>>();
            let chain = chain.map_err(|_| Failure::input(path, "not PEM"))?;
            let token = Token { uri: uri.clone() };
            return Ok(Some(ClientIdentity::with_signer(chain, Arc::new(token))?));
        }
        let identity = match &self.key {
            Some(key) => {
                let key = File::read_secret(key)?;
                ClientIdentity::from_pem(certificates.bytes(), key.bytes())?
            }
            None => ClientIdentity::from_pem(certificates.bytes(), certificates.bytes())?,
        };
        Ok(Some(identity))
    }
}

/// A key on a token.
#[derive(Debug)]
struct Token {
    uri: String,
}

impl ClientSigner for Token {
    fn algorithms(&self) -> Vec<SignatureAlgorithm> {
        vec![SignatureAlgorithm::EcdsaP256Sha256]
    }

    fn sign(&self, _: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, String> {
        let raw = pkcs11::sign(&self.uri, message).map_err(|failure| failure.message())?;
        let halves = raw.split_at_checked(32).filter(|(_, s)| s.len() == 32);
        let (r, s) = halves.ok_or("the token has signed by another key than one on P-256")?;
        let (r, s) = (integer(r), integer(s));
        let length = (r.len() + s.len()) as u8;
        Ok([&[0x30, length], r.as_slice(), &s].concat())
    }
}

/// A positive number of at most 32 bytes, in DER.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
    let bytes = &bytes[first..];
    let sign = if bytes[0] >= 0x80 { &[0][..] } else { &[] };
    let length = (sign.len() + bytes.len()) as u8;
    [&[2, length], sign, bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::integer;

    #[test]
    fn numbers_are_written_as_short_as_they_are_and_positive() {
        assert_eq!(integer(&[0, 0, 5]), [2, 1, 5]);
        assert_eq!(integer(&[0x80, 1]), [2, 3, 0, 0x80, 1]);
        assert_eq!(integer(&[0, 0]), [2, 1, 0]);
    }
}
