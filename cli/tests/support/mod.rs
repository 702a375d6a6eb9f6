//! A server that presents what it is told to, on loopback, for as long as the test runs.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

type Stream = StreamOwned<ServerConnection, TcpStream>;

/// Shakes hands with everybody, however often; what follows is thrown away.
pub(crate) fn present(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> SocketAddr {
    listen(chain, key, |mut stream| drain(&mut stream))
}

fn drain(stream: &mut Stream) {
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).is_ok_and(|n| n > 0) {}
}

fn listen(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    serve: impl Fn(Stream) + Send + Sync + 'static,
) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the defaults")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a chain and its key");
    let (config, serve) = (Arc::new(config), Arc::new(serve));
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let connection = ServerConnection::new(config.clone()).expect("a good configuration");
            let serve = serve.clone();
            std::thread::spawn(move || serve(StreamOwned::new(connection, socket)));
        }
    });
    address
}

/// An authority, valid from 2026 to 2096.
pub(crate) fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    CertifiedIssuer::self_signed(authority_params(name), key()).expect("an authority")
}

pub(crate) fn authority_params(name: &str) -> CertificateParams {
    let mut params = params(&[], name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub(crate) fn params(hosts: &[&str], name: &str) -> CertificateParams {
    let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(hosts).expect("names");
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2096, 1, 1);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

pub(crate) fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// A certificate for these hosts.
pub(crate) fn issue(
    hosts: &[&str],
    key: &KeyPair,
    issuer: &Issuer<'_, KeyPair>,
) -> CertificateDer<'static> {
    let certificate = params(hosts, hosts[0]).signed_by(key, issuer).expect("a certificate");
    certificate.der().clone()
}

pub(crate) fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(key.serialize_der()).expect("PKCS#8")
}

/// PEM of some certificates.
pub(crate) fn pem(chain: &[CertificateDer<'_>]) -> String {
    use base64::Engine as _;
    let block = |der: &CertificateDer<'_>| {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    };
    chain.iter().map(block).collect()
}

/// A server that begins no handshake before `wanted` wait for theirs, or nobody came for a while; and how
/// many waited at most: whoever waits has been told nothing, and can have begun nothing else.
pub(crate) fn present_gathered(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    wanted: usize,
) -> (SocketAddr, Arc<AtomicUsize>) {
    // How many wait, and how often those who waited were let go.
    let (waiting, gathered) = (Mutex::new((0, 0)), Condvar::new());
    let most = Arc::new(AtomicUsize::new(0));
    let counted = most.clone();
    let address = listen(chain, key, move |mut stream| {
        let mut now = waiting.lock().expect("no panic");
        now.0 += 1;
        counted.fetch_max(now.0, Ordering::SeqCst);
        let round = now.1;
        if now.0 >= wanted {
            now.1 += 1;
            gathered.notify_all();
        }
        let patience = Duration::from_millis(20);
        let waited = gathered.wait_timeout_while(now, patience, |now| now.1 == round);
        waited.expect("no panic").0.0 -= 1;
        drain(&mut stream);
    });
    (address, most)
}

/// An HTTPS server for files that are fetched and put.
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    /// The authority that it is trusted by.
    pub(crate) root: CertificateDer<'static>,
    pub(crate) files: Files,
    /// Each request: its line, and its fields in lower case.
    pub(crate) requests: Arc<Log>,
}

/// Lines of requests, with their fields.
type Log = Mutex<Vec<(String, Vec<String>)>>;

/// What is at each path: a status and a body.
pub(crate) type Files = Arc<Mutex<HashMap<String, (u16, Vec<u8>)>>>;

impl Web {
    /// For these hosts. Answers 304 to whoever knows the file by its SHA-256; `--frozen` in a path
    /// makes it always do so.
    pub(crate) fn start(hosts: &[&str]) -> Self {
        let (ca, key) = (authority("A CDN's authority"), key());
        let leaf = issue(hosts, &key, &ca);
        let (files, requests) = (Files::default(), Arc::default());
        let (there, log) = (files.clone(), Arc::clone(&requests));
        let address = listen(vec![leaf], private(&key), move |mut stream| {
            while exchange(&mut stream, &there, &log).is_some() {}
        });
        Self { address, root: ca.as_ref().der().clone(), files, requests }
    }

    pub(crate) fn put(&self, path: &str, body: impl Into<Vec<u8>>) {
        self.answer(path, 200, body);
    }

    pub(crate) fn answer(&self, path: &str, status: u16, body: impl Into<Vec<u8>>) {
        self.files.lock().expect("no panic").insert(path.to_owned(), (status, body.into()));
    }

    pub(crate) fn body(&self, path: &str) -> Option<Vec<u8>> {
        self.files.lock().expect("no panic").get(path).map(|(_, body)| body.clone())
    }

    /// `--connect` for one of its hosts.
    pub(crate) fn connect(&self, host: &str) -> String {
        format!("{host}:443:{}", self.address)
    }
}

fn exchange(stream: &mut Stream, files: &Files, log: &Log) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let fields: Vec<_> = lines.filter(|line| !line.is_empty()).map(str::to_lowercase).collect();
    let field = |name: &str| {
        fields.iter().find_map(|field| field.strip_prefix(&format!("{name}: ")).map(str::to_owned))
    };
    let mut body = vec![0; field("content-length").and_then(|n| n.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    let known = field("if-none-match");
    log.lock().expect("no panic").push((line.clone(), fields));
    let mut parts = line.split(' ');
    let (method, path) = (parts.next()?, parts.next()?);
    let mut files = files.lock().expect("no panic");
    let there = files.get(path).cloned();
    let (status, body) = match (method, there) {
        ("PUT", Some((status, _))) if status >= 400 => (status, Vec::new()),
        ("PUT", _) => {
            files.insert(path.to_owned(), (200, body));
            (201, Vec::new())
        }
        (_, None) => (404, Vec::new()),
        (_, Some((status, body))) => {
            let digest = ring::digest::digest(&ring::digest::SHA256, &body);
            let digest: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
            let same = known.as_deref() == Some(&format!("\"{digest}\""));
            let frozen = path.contains("--frozen") && known.is_some();
            if status == 200 && (same || frozen) { (304, Vec::new()) } else { (status, body) }
        }
    };
    drop(files);
    let length =
        if status == 304 { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let head = format!("HTTP/1.1 {status} x\r\n{length}\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&body).ok()?;
    stream.flush().ok()
}
