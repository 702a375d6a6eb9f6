//! Real servers as the other side, each on a free port of loopback, with its files in a folder of its
//! own; gone with the test that has started it.
#![allow(dead_code, unreachable_pub)] // each test file uses its part

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pinfold_testkit::Testkit;

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

/// nginx with the certificate of `backend`, and with what `server` has in its folder to say about a server:
/// where its files may be, and what it does.
pub fn nginx(kit: &Testkit, server: impl FnOnce(&Path) -> String) -> Process {
    let (folder, port) = (folder("nginx"), free_port());
    kit.pki().write_to(&folder).expect("a folder");
    let at = |file: &str| folder.join(file).display().to_string();
    let config = format!(
        "daemon off; master_process off; pid {pid}; error_log stderr;\nevents {{}}\n\
         http {{ access_log {log}; client_body_temp_path {body}; proxy_temp_path {body};\n\
         fastcgi_temp_path {body}; uwsgi_temp_path {body}; scgi_temp_path {body};\n\
         server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {chain}; ssl_certificate_key {key};\n\
         {server} }} }}\n",
        pid = at("pid"),
        log = at("access"),
        body = at("body"),
        chain = at("backend.chain.pem"),
        key = at("backend.key.pem"),
        server = server(&folder),
    );
    write(&folder.join("conf"), config);
    let mut command = Command::new("nginx");
    command.args(["-e", "stderr", "-c", &at("conf"), "-p", &folder.display().to_string()]);
    Process::start(&mut command, folder, port)
}

/// haproxy with the certificate of `backend`, more `options` of its TLS, and `rules`; it logs to its output.
pub fn haproxy(kit: &Testkit, options: impl FnOnce(&Path) -> String, rules: &str) -> Process {
    let (folder, port) = (folder("haproxy"), free_port());
    kit.pki().write_to(&folder).expect("a folder");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("just written");
    write(&folder.join("server.pem"), read("backend.chain.pem") + &read("backend.key.pem"));
    let config = format!(
        "global\n log stdout format raw local0\n\
         defaults\n mode http\n log global\n option httplog\n timeout client 60s\n \
         timeout server 60s\n timeout connect 10s\n\
         frontend all\n bind 127.0.0.1:{port} ssl crt {} {}\n{rules}\n",
        folder.join("server.pem").display(),
        options(&folder),
    );
    write(&folder.join("conf"), config);
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(folder.join("conf"));
    Process::start(&mut command, folder, port)
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

    /// Waits until it has said `text`.
    pub fn await_log(&self, text: &str) {
        let deadline = Instant::now() + START;
        while !self.log().contains(text) {
            assert!(Instant::now() < deadline, "no {text:?} in {}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
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
