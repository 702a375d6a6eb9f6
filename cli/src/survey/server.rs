//! One server: what it presents, and what a client would do.

use std::net::SocketAddr;

use pinfold_core::pin::{CertSha256, HostName, Pin, PinDigest, SpkiSha256};
use pinfold_core::verify::CertificateIdentity;
use pinfold_core::{Client, Explanation};

use super::handshake;
use crate::failure::Failure;

/// A server, and what came of asking it.
pub(crate) struct Server {
    /// `HOST:PORT`.
    pub(crate) target: String,
    pub(crate) host: HostName,
    /// Where it was asked, if not where its name leads.
    pub(crate) address: Option<SocketAddr>,
    pub(crate) answer: Result<Answer, Failure>,
}

/// What a server presents, and what a client would think of it.
pub(crate) struct Answer {
    /// DER, end-entity first.
    pub(crate) chain: Vec<Vec<u8>>,
    /// What can be read of that, in the same order.
    pub(crate) identities: Vec<CertificateIdentity>,
    pub(crate) explanation: Explanation,
}

impl Server {
    pub(super) fn ask(
        client: &Client,
        host: &HostName,
        port: u16,
        address: Option<SocketAddr>,
        at: u64,
    ) -> Self {
        let name = host.as_str();
        let target =
            if name.contains(':') { format!("[{name}]:{port}") } else { format!("{name}:{port}") };
        let answer = handshake::chain(&target, address).and_then(|presented| {
            let explanation = client.explain(name, &presented.chain, at)?;
            Ok(Answer::new(presented.chain, explanation))
        });
        Self { target, host: host.clone(), address, answer }
    }
}

impl Answer {
    fn new(chain: Vec<Vec<u8>>, explanation: Explanation) -> Self {
        let identities = chain.iter().filter_map(|der| CertificateIdentity::read(der, "").ok());
        Self { identities: identities.collect(), chain, explanation }
    }

    /// The end-entity.
    pub(crate) fn leaf(&self) -> Option<&CertificateIdentity> {
        self.identities.first()
    }

    /// Whether a pin is of something that the server presents, or that its path leads over.
    pub(crate) fn has(&self, pin: &Pin) -> bool {
        let path = || self.explanation.paths.iter().flat_map(|path| &path.certificates);
        match pin.digest {
            PinDigest::Spki(key) => {
                path().any(|certificate| certificate.spki == key)
                    || self.keys().any(|presented| presented == key)
            }
            PinDigest::Certificate(digest) => {
                path().any(|certificate| certificate.certificate == Some(digest))
                    || self.chain.iter().any(|der| CertSha256::of_certificate(der) == digest)
            }
        }
    }

    /// The keys of what it presents, the end-entity's first.
    pub(crate) fn keys(&self) -> impl Iterator<Item = SpkiSha256> {
        self.identities.iter().map(|identity| identity.spki)
    }

    pub(crate) fn is_end_entity(&self, pin: &Pin) -> bool {
        match (pin.digest, self.chain.first()) {
            (PinDigest::Spki(key), _) => self.keys().next() == Some(key),
            (PinDigest::Certificate(digest), Some(der)) => {
                CertSha256::of_certificate(der) == digest
            }
            (PinDigest::Certificate(_), None) => false,
        }
    }

    /// Whether the end-entity's key is that of one of its issuers, as with proxies that inspect.
    pub(crate) fn is_its_own_issuer(&self) -> bool {
        let mut keys = self.keys();
        let leaf = keys.next();
        self.chain.len() > 1 && keys.any(|key| Some(key) == leaf)
    }
}
