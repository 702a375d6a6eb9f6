//! What a server presents: the one place that looks at certificates without refusing them. It
//! sends nothing but the handshake, and breaks that off.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pinfold_core::Error;
use pinfold_core::pin::HostName;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

use crate::failure::Failure;

const TIMEOUT: Duration = Duration::from_secs(10);

/// What a server presented.
#[derive(Clone, Debug)]
pub(crate) struct Presented {
    /// Its certificates, DER, end-entity first.
    pub(crate) chain: Vec<Vec<u8>>,
    /// Why this system does not trust them, if it does not.
    pub(crate) untrusted: Option<String>,
}

/// The chain that `target`, `HOST[:PORT]`, presents.
pub(crate) fn chain(target: &str, connect: Option<SocketAddr>) -> Result<Presented, Failure> {
    let (host, port) = split(target)
        .ok_or_else(|| Failure::input("--live", format!("{target:?} is not HOST or HOST:PORT")))?;
    let host = HostName::parse(host).map_err(|e| Failure::input("--live", e))?;
    let name = ServerName::try_from(host.to_string()).map_err(|e| Failure::input("--live", e))?;
    let addresses = match connect {
        Some(address) => vec![address],
        None => (host.as_str(), port)
            .to_socket_addrs()
            .map_err(|e| Error::DnsFailed { host: host.to_string(), reason: e.to_string() })?
            .collect(),
    };
    let mut socket = connect_any(&addresses)
        .map_err(|e| Error::ConnectFailed { host: host.to_string(), reason: e.to_string() })?;

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let capture = Arc::new(Capture { seen: Mutex::default(), provider: provider.clone() });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| tls(&host, &e))?
        .dangerous()
        .with_custom_certificate_verifier(capture.clone())
        .with_no_client_auth();
    let mut session = ClientConnection::new(Arc::new(config), name).map_err(|e| tls(&host, &e))?;
    let ended = session.complete_io(&mut socket);
    let seen = capture.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (seen, ended) {
        (Some(presented), _) => Ok(presented),
        (None, Err(e)) => Err(tls(&host, &e).into()),
        (None, Ok(_)) => Err(tls(&host, &"no certificate").into()),
    }
}

fn split(target: &str) -> Option<(&str, u16)> {
    match target.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            Some((host, port.parse().ok().filter(|port| *port != 0)?))
        }
        _ => Some((target, 443)),
    }
}

fn connect_any(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::other("it has no address");
    for address in addresses {
        match TcpStream::connect_timeout(address, TIMEOUT) {
            Ok(socket) => {
                socket.set_read_timeout(Some(TIMEOUT))?;
                socket.set_write_timeout(Some(TIMEOUT))?;
                return Ok(socket);
            }
            Err(e) => last = e,
        }
    }
    Err(last)
}

fn tls(host: &HostName, e: &impl ToString) -> Error {
    Error::TlsFailed { host: host.to_string(), reason: e.to_string() }
}

/// Keeps what it is shown and then breaks the handshake off.
#[derive(Debug)]
struct Capture {
    seen: Mutex<Option<Presented>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Capture {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let judged = rustls_platform_verifier::Verifier::new(self.provider.clone())
            .and_then(|v| v.verify_server_cert(end_entity, intermediates, name, ocsp, now));
        let chain = std::iter::once(end_entity).chain(intermediates).map(|der| der.to_vec());
        let untrusted = judged.err().map(|e| e.to_string());
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Presented { chain: chain.collect(), untrusted });
        Err(rustls::Error::General("seen enough".into()))
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("seen enough".into()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("seen enough".into()))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
