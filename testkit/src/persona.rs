//! Who the servers are: what they present, and how they misbehave before any HTTP.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::ring;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};

use crate::pki::Pki;
use crate::proxy::Kind;

/// What a server does with a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Behaviour {
    Serve,
    ServeTls12,
    CloseOnAccept,
    CloseOnHello,
    ResetOnHello,
    CloseInHandshake,
    CloseAfterHandshake,
    HangOnAccept,
    Garbage,
    PlainHttp,
    Portal,
    /// Asks for a client's certificate, and wants one.
    ClientAuth,
    /// Speaks no TLS, and connects to others.
    Proxy(Kind),
}

/// The servers that are not merely a chain. They present `backend`.
const BEHAVIOURS: [(&str, Behaviour); 19] = [
    ("tls12", Behaviour::ServeTls12),
    ("close_on_accept", Behaviour::CloseOnAccept),
    ("close_on_hello", Behaviour::CloseOnHello),
    ("reset_on_hello", Behaviour::ResetOnHello),
    ("close_in_handshake", Behaviour::CloseInHandshake),
    ("close_after_handshake", Behaviour::CloseAfterHandshake),
    ("hang_on_accept", Behaviour::HangOnAccept),
    ("garbage", Behaviour::Garbage),
    ("plain_http", Behaviour::PlainHttp),
    ("portal", Behaviour::Portal),
    ("client_auth", Behaviour::ClientAuth),
    ("proxy", Behaviour::Proxy(Kind::Open)),
    ("proxy_login", Behaviour::Proxy(Kind::Login)),
    ("proxy_refusing", Behaviour::Proxy(Kind::Refusing)),
    ("proxy_slow", Behaviour::Proxy(Kind::Slow)),
    ("proxy_hanging", Behaviour::Proxy(Kind::Hanging)),
    ("proxy_dying", Behaviour::Proxy(Kind::Dying)),
    ("socks", Behaviour::Proxy(Kind::Socks)),
    ("socks_login", Behaviour::Proxy(Kind::SocksLogin)),
];

#[derive(Debug)]
pub(crate) struct Persona {
    pub(crate) name: &'static str,
    pub(crate) behaviour: Behaviour,
    pub(crate) config: Arc<ServerConfig>,
    presented: Arc<Presented>,
    pki: Arc<Pki>,
}

impl Persona {
    /// One for each chain of the PKI, and one for each misbehaviour.
    pub(crate) fn all(pki: &Arc<Pki>) -> Vec<Self> {
        let chains = pki.chain_names().map(|name| Self::new(name, name, Behaviour::Serve, pki));
        let others = BEHAVIOURS.map(|(name, behaviour)| Self::new(name, "backend", behaviour, pki));
        chains.chain(others).collect()
    }

    /// Presents another chain from now on. Only this changes: the configuration, and with it the
    /// key of the session tickets, outlives a new certificate on real servers too.
    pub(crate) fn present(&self, chain: &str) {
        let certified = self.pki.certified_key(chain);
        *self.presented.0.write().unwrap_or_else(PoisonError::into_inner) = certified;
    }

    fn new(name: &'static str, chain: &str, behaviour: Behaviour, pki: &Arc<Pki>) -> Self {
        let presented = Arc::new(Presented(RwLock::new(pki.certified_key(chain))));
        let versions = match behaviour {
            Behaviour::ServeTls12 => &[&TLS12][..],
            _ => &[&TLS13, &TLS12],
        };
        let config = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_protocol_versions(versions)
            .expect("ring has cipher suites for TLS 1.2 and 1.3");
        let config = match behaviour {
            Behaviour::ClientAuth => config.with_client_cert_verifier(client_verifier(pki)),
            _ => config.with_no_client_auth(),
        };
        let mut config = config.with_cert_resolver(presented.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.ticketer = ring::Ticketer::new().expect("the system has randomness");
        let (config, pki) = (Arc::new(config), pki.clone());
        Self { name, behaviour, config, presented, pki }
    }
}

/// Lets in whoever has a certificate of the PKI's root.
fn client_verifier(pki: &Pki) -> Arc<dyn ClientCertVerifier> {
    let mut roots = RootCertStore::empty();
    roots.add(pki.certificate("root").clone()).expect("a root");
    WebPkiClientVerifier::builder_with_provider(roots.into(), ring::default_provider().into())
        .build()
        .expect("a root")
}

#[derive(Debug)]
struct Presented(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Presented {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
