//! What a server presents: the one place that looks at certificates without refusing them. It
//! sends nothing but the handshake, and breaks that off.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pinfold_core::Error;
use pinfold_core::pin::HostName;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

use crate::failure::Failure;

/// For connecting and the handshake together, however slowly a server drips.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a server presented.
#[derive(Clone, Debug)]
pub(crate) struct Presented {
    /// Its certificates, DER, end-entity first.
    pub(crate) chain: Vec<Vec<u8>>,
    /// What it staples.
    ocsp: Vec<u8>,
}

impl Presented {
    /// Why this system does not trust them for `target`, if it does not.
    pub(crate) fn untrusted(&self, target: &str) -> Result<Option<String>, Failure> {
        let host = host(target)?;
        let name = ServerName::try_from(host.to_string());
        let name = name.map_err(|e| Failure::input("--live", e))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain: Vec<_> = self.chain.iter().map(|der| CertificateDer::from(&der[..])).collect();
        let Some((leaf, others)) = chain.split_first() else { return Ok(None) };
        let judged = rustls_platform_verifier::Verifier::new(provider).and_then(|verifier| {
            verifier.verify_server_cert(leaf, others, &name, &self.ocsp, UnixTime::now())
        });
        Ok(judged.err().map(|e| e.to_string()))
    }
}

/// The host of `target`, `HOST[:PORT]`.
pub(crate) fn host(target: &str) -> Result<HostName, Failure> {
    Ok(host_and_port(target)?.0)
}

fn host_and_port(target: &str) -> Result<(HostName, u16), Failure> {
    let (host, port) = split(target)
        .ok_or_else(|| Failure::input("--live", format!("{target:?} is not HOST or HOST:PORT")))?;
    Ok((HostName::parse(host).map_err(|e| Failure::input("--live", e))?, port))
}

/// The chain that `target`, `HOST[:PORT]`, presents.
pub(crate) fn chain(target: &str, connect: Option<SocketAddr>) -> Result<Presented, Failure> {
    let (host, port) = host_and_port(target)?;
    let name = ServerName::try_from(host.to_string()).map_err(|e| Failure::input("--live", e))?;
    let addresses = match connect {
        Some(address) => vec![address],
        None => (host.as_str(), port)
            .to_socket_addrs()
            .map_err(|e| Error::DnsFailed { host: host.to_string(), reason: e.to_string() })?
            .collect(),
    };
    let mut socket = connect_any(&addresses, Instant::now() + TIMEOUT)
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

fn connect_any(addresses: &[SocketAddr], deadline: Instant) -> io::Result<Timed> {
    let mut last = io::Error::other("it has no address");
    for address in addresses {
        match left(deadline).and_then(|left| TcpStream::connect_timeout(address, left)) {
            Ok(socket) => return Ok(Timed { socket, deadline }),
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// A socket whose every operation ends at one deadline.
struct Timed {
    socket: TcpStream,
    deadline: Instant,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(left(self.deadline)?))?;
        self.socket.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(left(self.deadline)?))?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    match deadline.checked_duration_since(Instant::now()) {
        Some(left) if !left.is_zero() => Ok(left),
        _ => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")),
    }
}

fn tls(host: &HostName, e: &impl ToString) -> Error {
    Error::TlsFailed { host: host.to_string(), reason: e.to_string(), interception: None }
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
        _: &ServerName<'_>,
        ocsp: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(end_entity).chain(intermediates).map(|der| der.to_vec());
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Presented { chain: chain.collect(), ocsp: ocsp.to_vec() });
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
