//! PKCS#12 stores (RFC 7292).

use p12_keystore::{KeyStore, KeyStoreEntry, Pkcs12ImportPolicy};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::wrong;
use crate::error::Error;

const STORE: &str = "identity.pkcs12";
/// Larger stores hold more than one identity.
const MAX: usize = 1 << 20;

/// The chain and the key of a store with one key.
pub(super) fn read(
    store: &[u8],
    password: &str,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
    if store.len() > MAX {
        return Err(wrong(STORE, "larger than 1 MiB"));
    }
    // What the reader says may quote what it reads.
    let store = KeyStore::from_pkcs12(store, password, Pkcs12ImportPolicy::Relaxed)
        .map_err(|_| wrong(STORE, "it is no store, or the password is wrong"))?;
    let keys = store.entries().filter_map(|(_, entry)| match entry {
        KeyStoreEntry::PrivateKeyChain(chain) => Some(chain),
        _ => None,
    });
    let keys = keys.collect::<Vec<_>>();
    let [chain] = keys.as_slice() else {
        let reason = match keys.len() {
            0 => "there is no private key in it",
            _ => "there are several private keys in it",
        };
        return Err(wrong(STORE, reason));
    };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(chain.key().as_der().to_vec()));
    let certificates = chain.certs().iter().map(|it| CertificateDer::from(it.as_der().to_vec()));
    Ok((certificates.collect(), key))
}
