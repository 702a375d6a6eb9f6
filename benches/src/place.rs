//! What `scripts/bench` has prepared: a server, its certificates, a pin set.

use std::net::SocketAddr;
use std::path::PathBuf;

/// The server's name.
pub const HOST: &str = "api.example.test";

/// Where the server is, and what its clients have to know.
pub struct Place {
    pub folder: PathBuf,
    pub address: SocketAddr,
    pub root: Vec<u8>,
    pub pins: Vec<u8>,
}

impl Place {
    pub fn new() -> Self {
        let folder = PathBuf::from(setting("PINFOLD_BENCH_DIR"));
        let read = |file: &str| std::fs::read(folder.join(file)).expect("a file of scripts/bench");
        Self {
            address: setting("PINFOLD_BENCH_SERVER").parse().expect("IP:PORT"),
            root: read("root.der"),
            pins: read("pins.json"),
            folder,
        }
    }

    pub fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.folder.join(file)).expect("a file of scripts/bench")
    }
}

pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run scripts/bench"))
}
