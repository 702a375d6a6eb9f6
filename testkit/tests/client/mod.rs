//! A plain rustls client, with the roots a test gives it and no pins.

#![allow(dead_code, reason = "each test binary uses some of it")]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use pinfold_testkit::{Event, Server, Testkit};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

pub(crate) const SOON: Duration = Duration::from_secs(10);

/// One for all tests that do not change a server.
pub(crate) static TESTKIT: LazyLock<Testkit> = LazyLock::new(|| Testkit::start().expect("ports"));

pub(crate) fn config(testkit: &Testkit, roots: &[&str]) -> Arc<ClientConfig> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(testkit.pki().certificate(root).clone()).expect("a root");
    }
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(store)
        .with_no_client_auth();
    Arc::new(config)
}

/// Connects and completes the handshake, or says why not.
pub(crate) fn connect(server: &Server, config: &Arc<ClientConfig>) -> io::Result<Stream> {
    let name = ServerName::try_from("api.example.test").expect("a name");
    let socket = TcpStream::connect(server.addr())?;
    socket.set_read_timeout(Some(SOON))?;
    let tls = ClientConnection::new(config.clone(), name).expect("a configuration");
    let mut stream = StreamOwned::new(tls, socket);
    stream.conn.complete_io(&mut stream.sock)?;
    Ok(stream)
}

pub(crate) fn ask(stream: &mut Stream, path: &str) -> io::Result<()> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: api.example.test\r\n\r\n")?;
    stream.flush()
}

/// The raw answer of a fresh connection to `backend` until it ends, and how it ended.
pub(crate) fn get_all(path: &str) -> (String, io::Result<()>) {
    let config = config(&TESTKIT, &["root"]);
    let mut stream = connect(TESTKIT.server("backend"), &config).expect("a good server");
    ask(&mut stream, path).expect("an open connection");
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer).map(|_| ());
    (answer.iter().map(|byte| char::from(*byte)).collect(), end)
}

/// The body of an answer with a `Content-Length`, which leaves the connection open.
pub(crate) fn read_answer(stream: &mut Stream) -> io::Result<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head: String = head.into_iter().map(char::from).collect();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    Ok((head, body))
}

pub(crate) fn get(stream: &mut Stream, path: &str) -> io::Result<(String, Vec<u8>)> {
    ask(stream, path)?;
    read_answer(stream)
}

/// Waits until a server is done with `count` connections.
pub(crate) fn closed(server: &Server, count: usize) -> Vec<Event> {
    let all = |events: &[Event]| events.iter().filter(|e| e.kind() == "closed").count() >= count;
    server.wait_for(all, SOON).expect("the server closes")
}
