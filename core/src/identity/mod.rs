//! Who the client is to servers that ask for a certificate (mutual TLS, RFC 8446 §4.4.2). No sockets.
//!
//! An identity belongs to one host of one session: no other host, session or proxy is ever shown it.

mod alert;
mod asked;
mod key;
mod owned;
#[cfg(feature = "pkcs12")]
mod pkcs12;
mod set;
mod signer;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use alert::refuses_client;
pub(crate) use asked::{Asked, Nobody, NotSigned};
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
pub(crate) use set::Identities;
pub use signer::{ClientSigner, SignatureAlgorithm};

use crate::driven::Driven;
use crate::error::Error;
use asked::Somebody;

/// More certificates are no chain.
const MAX_CHAIN: usize = 16;

/// A certificate of the client's own with its key, or with somebody who signs by it. Cheap to clone;
/// nothing of it prints the key.
#[derive(Clone)]
pub struct ClientIdentity(Arc<Inner>);

struct Inner {
    /// No two identities are the same one, though they may hold the same certificate.
    id: u64,
    leaf: Vec<u8>,
    resolver: Arc<dyn ResolvesClientCert>,
    /// The handshakes that ask for it.
    driven: Arc<Driven<Asked>>,
}

impl ClientIdentity {
    /// Reads PEM: the certificates of `certificates`, the client's own first, and the private key of `key`
    /// (PKCS#8, SEC1 or PKCS#1; unencrypted). Both may be one file. Keys are P-256, P-384, Ed25519, or RSA
    /// of 2048 to 4096 bits.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for `identity.certificate` or `identity.key`, without a word of what is in
    /// there.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, Error> {
        let chain = key::chain(certificates)?;
        let key = key::read(key)?;
        Self::with_key(chain, &key)
    }

    /// Reads a PKCS#12 store (RFC 7292), as OpenSSL, `keytool` and the systems' own tools write them: its
    /// one private key, and that key's certificates.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for `identity.pkcs12`: a wrong password, no key or several, or what is no
    /// store. Without the feature `pkcs12` there is no reader for them, and that is the error.
    pub fn from_pkcs12(store: &[u8], password: &str) -> Result<Self, Error> {
        #[cfg(feature = "pkcs12")]
        {
            let (chain, key) = pkcs12::read(store, password)?;
            Self::with_key(chain, &key)
        }
        #[cfg(not(feature = "pkcs12"))]
        {
            let _unread = (store, password);
            let reason = "the library was built without the feature pkcs12";
            Err(wrong("identity.pkcs12", reason))
        }
    }

    /// The certificates of `chain` (DER, the client's own first) with a key that is elsewhere: in a
    /// keystore of the system's, a token, an enclave.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for `identity.certificate`.
    pub fn with_signer(chain: Vec<Vec<u8>>, signer: Arc<dyn ClientSigner>) -> Result<Self, Error> {
        let chain = chain.into_iter().map(CertificateDer::from).collect::<Vec<_>>();
        let leaf = key::checked(&chain)?;
        let driven = Arc::<Driven<Asked>>::default();
        let key = Arc::new(signer::Foreign::new(signer, leaf.kind, driven.clone()));
        Ok(Self::new(CertifiedKey::new(chain, key), driven))
    }

    fn with_key(
        chain: Vec<CertificateDer<'static>>,
        key: &rustls_pki_types::PrivateKeyDer<'static>,
    ) -> Result<Self, Error> {
        let leaf = key::checked(&chain)?;
        let key = owned::load(key, &leaf)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
                Ok(Self::new(certified, Arc::default()))
            }
            Err(_) => Err(wrong("identity.key", "it is not the key of the certificate")),
        }
    }

    fn new(certified: CertifiedKey, driven: Arc<Driven<Asked>>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let leaf = certified.cert.first().map(|leaf| leaf.to_vec()).unwrap_or_default();
        let certified = Arc::new(certified);
        let resolver = Arc::new(Somebody { certified, driven: driven.clone() });
        Self(Arc::new(Inner { id, leaf, resolver, driven }))
    }

    /// The client's own certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.0.leaf
    }

    /// The same one for the whole life of the identity: rustls resumes sessions by it.
    pub(crate) fn resolver(&self) -> Arc<dyn ResolvesClientCert> {
        self.0.resolver.clone()
    }

    /// The handshakes that are done under it.
    pub(crate) fn driven(&self) -> &Driven<Asked> {
        &self.0.driven
    }
}

fn wrong(field: &str, reason: impl Into<String>) -> Error {
    Error::InvalidConfig { field: field.to_owned(), reason: reason.into() }
}

impl PartialEq for ClientIdentity {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for ClientIdentity {}

impl Hash for ClientIdentity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientIdentity({})", self.0.id)
    }
}
