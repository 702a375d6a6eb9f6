//! Real servers as the other side, each on a free port of loopback, with its files in a folder of its
//! own; gone with the test that has started it.
#![allow(dead_code, unreachable_pub)] // each test file uses its part

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
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

/// Below what systems give out to whoever asks for any port: such a one could be anybody's a moment later.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// How often a server is started whose port was taken first.
const TRIES: usize = 20;

/// What no other call in this process got, nor soon one in another.
fn next() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.subsec_nanos());
    let first = std::process::id().wrapping_mul(7_919).wrapping_add(now);
    let _set = NEXT.compare_exchange(0, first, Ordering::Relaxed, Ordering::Relaxed);
    let next = NEXT.fetch_add(1, Ordering::Relaxed) % u32::from(PORTS.end - PORTS.start);
    PORTS.start + u16::try_from(next).expect("below the end")
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let free =
        |port: &u16| ["127.0.0.1", "::1"].iter().all(|at| TcpListener::bind((*at, *port)).is_ok());
    (0..PORTS.end).map(|_| next()).find(free).expect("a port that nobody has")
}

/// The sockets that listen on `port`, as the system numbers them.
fn listeners(port: u16) -> Vec<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"]
        .map(|path| fs::read_to_string(path).unwrap_or_default());
    let end = format!(":{port:04X}");
    let lines = tables.iter().flat_map(|table| table.lines().skip(1));
    let fields = lines.map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let ours = fields.filter(|line| line[1].ends_with(&end) && line[3] == "0A");
    ours.map(|line| format!("socket:[{}]", line[9])).collect()
}

/// The sockets of `process`.
fn sockets(process: u32) -> Vec<String> {
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.map(|target| target.display().to_string()).collect()
}

/// A folder for one server; everybody may read it, for some change their user.
pub fn folder(name: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let name = format!("pinfold-{name}-{}-{}", std::process::id(), next());
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
pub fn nginx(kit: &Testkit, server: impl Fn(&Path) -> String) -> Process {
    Process::start("nginx", |folder, port| {
        kit.pki().write_to(folder).expect("a folder");
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
            server = server(folder),
        );
        write(&folder.join("conf"), config);
        let mut command = Command::new("nginx");
        command.args(["-e", "stderr", "-c", &at("conf"), "-p", &folder.display().to_string()]);
        command
    })
}

/// haproxy with the certificate of `backend`, more `options` of its TLS, and `rules`; it logs to its output.
pub fn haproxy(kit: &Testkit, options: impl Fn(&Path) -> String, rules: &str) -> Process {
    Process::start("haproxy", |folder, port| {
        kit.pki().write_to(folder).expect("a folder");
        let read = |name: &str| fs::read_to_string(folder.join(name)).expect("just written");
        write(&folder.join("server.pem"), read("backend.chain.pem") + &read("backend.key.pem"));
        let config = format!(
            "global\n log stdout format raw local0\n\
         defaults\n mode http\n log global\n option httplog\n timeout client 60s\n \
         timeout server 60s\n timeout connect 10s\n\
         frontend all\n bind 127.0.0.1:{port} ssl crt {} {}\n{rules}\n",
            folder.join("server.pem").display(),
            options(folder),
        );
        write(&folder.join("conf"), config);
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(folder.join("conf"));
        command
    })
}

impl Process {
    /// Starts what `command` makes, which writes into that folder and listens on that port of loopback.
    ///
    /// # Panics
    /// Where it is not installed (`scripts/setup proxies`) or does not listen.
    pub fn start(name: &str, command: impl FnMut(&Path, u16) -> Command) -> Self {
        Self::start_at("127.0.0.1", name, command)
    }

    /// The same for another address of loopback.
    pub fn start_at(
        host: &str,
        name: &str,
        mut command: impl FnMut(&Path, u16) -> Command,
    ) -> Self {
        let host: IpAddr = host.parse().expect("an address");
        let mut said = String::new();
        for _ in 0..TRIES {
            let (folder, port) = (folder(name), free_port());
            let mut command = command(&folder, port);
            match Self::start_once(&mut command, folder, (host, port).into()) {
                Ok(process) => return process,
                Err(why) => said = format!("{command:?}: {why}"),
            }
            // Only a port that another has in the meantime is a reason to try another one.
            assert!(!listeners(port).is_empty(), "{said}");
        }
        panic!("{said}")
    }

    /// # Errors
    /// It ended, did not listen in time, or its port is another's too.
    fn start_once(
        command: &mut Command,
        folder: PathBuf,
        addr: SocketAddr,
    ) -> Result<Self, String> {
        let log = fs::File::create(folder.join("log")).expect("a file");
        let errors = log.try_clone().expect("a descriptor");
        // Debian keeps servers out of an ordinary user's path.
        let path = std::env::var("PATH").unwrap_or_default();
        let command = command.env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin"));
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        let child = child.unwrap_or_else(|e| panic!("{command:?}: {e} (scripts/setup proxies)"));
        let mut process = Self { child, folder, addr };
        let deadline = Instant::now() + START;
        loop {
            // Whether it has ended is asked last: until then nobody else has its number.
            let its = sockets(process.child.id());
            let all = listeners(addr.port());
            if let Some(status) = process.child.try_wait().expect("a child") {
                return Err(format!("{status}\n{}", process.log()));
            }
            if !all.is_empty() && all.iter().all(|socket| its.contains(socket)) {
                TcpStream::connect(addr).map_err(|e| e.to_string())?;
                return Ok(process);
            }
            if Instant::now() > deadline {
                return Err(format!("{addr} is not its own: {all:?}\n{}", process.log()));
            }
            thread::sleep(Duration::from_millis(20));
        }
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
