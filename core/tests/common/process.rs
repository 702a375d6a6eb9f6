//! Real servers as the other side, each on a free port of loopback, with its files in a folder of its
//! own; gone with the test that has started it.
#![allow(dead_code, unreachable_pub)] // each test file uses its part

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Slow machines take their time to start mitmproxy.
const START: Duration = Duration::from_secs(60);

/// A server that has started.
pub struct Process {
    child: Child,
    folder: PathBuf,
    pub addr: SocketAddr,
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("bound").port()
}

/// A folder for one server; everybody may read it, for some change their user.
pub fn folder(name: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let name = format!("pinfold-{name}-{}-{}", std::process::id(), free_port());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).expect("a temporary folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("it is ours");
    folder
}

/// Writes a file that everybody may read.
pub fn write(path: &Path, text: impl AsRef<[u8]>) {
    fs::write(path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

impl Process {
    /// Starts `command`, which writes into `folder` and listens on `port`.
    ///
    /// # Panics
    /// Where it is not installed (`scripts/setup proxies`) or does not listen.
    pub fn start(command: &mut Command, folder: PathBuf, port: u16) -> Self {
        Self::start_at(command, folder, SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// The same for another address of loopback.
    pub fn start_at(command: &mut Command, folder: PathBuf, addr: SocketAddr) -> Self {
        let log = fs::File::create(folder.join("log")).expect("a file");
        let errors = log.try_clone().expect("a descriptor");
        // Debian keeps servers out of an ordinary user's path.
        let path = std::env::var("PATH").unwrap_or_default();
        let command = command.env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin"));
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        let child = child.unwrap_or_else(|e| panic!("{command:?}: {e} (scripts/setup proxies)"));
        let mut process = Self { child, folder, addr };
        let deadline = Instant::now() + START;
        while TcpStream::connect(addr).is_err() {
            let ended = process.child.try_wait().expect("a child");
            let late = Instant::now() > deadline;
            assert!(ended.is_none() && !late, "{command:?}: {ended:?}\n{}", process.log());
            thread::sleep(Duration::from_millis(20));
        }
        process
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends it at once, and every connection through it.
    pub fn kill(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        let _left = fs::remove_dir_all(&self.folder);
    }
}
