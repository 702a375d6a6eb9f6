//! The limit: rustls over a socket with a GET written by hand. No URL, no pool, no deadline, no
//! cancellation, nothing parsed but the end of the head and the length of the body.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::place::{HOST, Place};

/// TLS settings that its connections share, as those of a client do.
pub struct Raw {
    config: Arc<ClientConfig>,
    place: Arc<Place>,
}

/// One connection.
pub struct Connection {
    stream: StreamOwned<ClientConnection, TcpStream>,
    buffer: Vec<u8>,
}

impl Raw {
    pub fn new(place: Arc<Place>) -> Self {
        let mut store = RootCertStore::empty();
        store.add(place.root.clone().into()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_root_certificates(store)
            .with_no_client_auth();
        Self { config: Arc::new(config), place }
    }

    pub fn connect(&self) -> Connection {
        let socket = TcpStream::connect(self.place.address).expect("the server of scripts/bench");
        socket.set_nodelay(true).expect("a socket");
        let name = HOST.try_into().expect("a name");
        let session = ClientConnection::new(self.config.clone(), name).expect("good settings");
        Connection { stream: StreamOwned::new(session, socket), buffer: vec![0; 64 * 1024] }
    }
}

impl Connection {
    /// Sends a GET and reads the body; its length.
    pub fn get(&mut self, path: &str) -> usize {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept-Encoding: gzip\r\nUser-Agent: raw\r\n\r\n"
        );
        self.stream.write_all(head.as_bytes()).expect("written");
        let (mut filled, end) = (0, b"\r\n\r\n");
        let (body, length) = loop {
            filled += self.read(filled);
            let found = self.buffer[..filled].windows(end.len()).position(|w| w == end);
            if let Some(at) = found {
                break (filled - at - end.len(), length(&self.buffer[..at]));
            }
        };
        let mut left = length - body;
        while left > 0 {
            left -= self.read(0);
        }
        length
    }

    fn read(&mut self, from: usize) -> usize {
        let n = self.stream.read(&mut self.buffer[from..]).expect("read");
        assert!(n > 0, "the server closed");
        n
    }
}

fn length(head: &[u8]) -> usize {
    let head = std::str::from_utf8(head).expect("text");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let line = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    line.and_then(|n| n.parse().ok()).expect("a Content-Length")
}
