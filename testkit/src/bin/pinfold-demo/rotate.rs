//! A rotation without a release: the server's key changes, the owner of the pins publishes a signed
//! pin set, and running clients follow within one request.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use pinfold_testkit::{Owner, Testkit};
use serde_json::Value;

use crate::client::{Client, HOST, Kind};
use crate::place::{Place, local};
use crate::process::Process;
use crate::table::{NARROW, row};

/// What is shown, and how a request ends then.
const STEPS: [(&str, &str); 3] = [
    ("the backend, under the pins of the app", "200 pin set 1"),
    ("its new key, which a newer pin set pins", "200 pin set 2"),
    ("the old key again, which is withdrawn", "pin_mismatch pin set 2"),
];

/// Plays the rotation for each client and prints what came of it; whether that is as it should be.
pub(crate) fn run(place: &Place, clients: &[&Client]) -> Result<bool, String> {
    let mut columns = Vec::new();
    for client in clients {
        eprintln!("» rotation, {}", client.name);
        let mut scene = Scene::new(place)?;
        let mut player = Player::begin(&client.kind, &scene)?;
        let mut ends = Vec::new();
        for act in [Scene::begin, Scene::rotate, Scene::go_back] {
            act(&mut scene)?;
            ends.push(player.request()?);
        }
        columns.push(ends);
    }
    println!("\nA rotation without a release, by {}:\n", place.rotated_by());
    let names = clients.iter().map(|client| client.name.clone()).collect::<Vec<_>>();
    row(NARROW, "a request to", "must end with", &names);
    let mut good = true;
    for (i, (shows, expected)) in STEPS.iter().enumerate() {
        let cell = |ends: &Vec<String>| match ends[i].as_str() {
            end if end == *expected => "ok".to_owned(),
            end => format!("WRONG: {end}"),
        };
        good &= row(NARROW, shows, expected, &columns.iter().map(cell).collect::<Vec<_>>());
    }
    println!("\n{}", if good { "All as it should be." } else { "NOT as it should be." });
    Ok(good)
}

/// The servers of one rotation, and whose pins they are.
struct Scene<'a> {
    kit: &'a Testkit,
    owner: Owner,
    folder: PathBuf,
    nginx: Option<Nginx>,
    /// `IP:PORT` of each.
    backend: String,
    updates: String,
}

impl<'a> Scene<'a> {
    fn new(place: &'a Place) -> Result<Self, String> {
        let (kit, owner) = (place.testkit(), Owner::new());
        let folder = place.work.join("rotation");
        let _not_there = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("site")).map_err(|e| e.to_string())?;
        let app = owner.embedded(&Owner::payload(kit.pki(), 1, &["backend"]));
        fs::write(folder.join("embedded.json"), app.to_string()).map_err(|e| e.to_string())?;
        let nginx = if place.is_real() { Some(Nginx::new(place)?) } else { None };
        let (backend, updates) = match &nginx {
            Some(nginx) => (local(nginx.backend), local(nginx.updates)),
            None => (place.testkit_address("backend"), place.testkit_address("rsa")),
        };
        Ok(Self { kit, owner, folder, nginx, backend, updates })
    }

    fn begin(&mut self) -> Result<(), String> {
        self.publish(1, "backend")?;
        self.present("backend")
    }

    fn rotate(&mut self) -> Result<(), String> {
        self.publish(2, "rotated")?;
        self.present("rotated")
    }

    /// The server's TLS tickets of before are good again.
    fn go_back(&mut self) -> Result<(), String> {
        self.present("backend")
    }

    fn publish(&self, version: u64, pinned: &str) -> Result<(), String> {
        let bundle = self.owner.bundle(&Owner::payload(self.kit.pki(), version, &[pinned]));
        self.kit.server("rsa").publish("/bundle.json", bundle.clone());
        fs::write(self.folder.join("site/bundle.json"), bundle).map_err(|e| e.to_string())
    }

    fn present(&mut self, name: &str) -> Result<(), String> {
        match &mut self.nginx {
            Some(nginx) => nginx.present(name),
            None => {
                self.kit.server("backend").present(name);
                self.kit.server("backend").drop_connections();
                Ok(())
            }
        }
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        self.kit.server("backend").present("backend");
    }
}

/// Backend and update server in one.
struct Nginx {
    process: Option<Process>,
    work: PathBuf,
    backend: u16,
    updates: u16,
}

impl Nginx {
    /// It listens already, so that its ports are its own from now on.
    fn new(place: &Place) -> Result<Self, String> {
        let work = place.work.clone();
        // So that its tickets survive that it is started again.
        let key = (0..80).collect::<Vec<u8>>();
        fs::write(work.join("rotation/ticket.key"), key).map_err(|e| e.to_string())?;
        let [file, pid, log] = Self::files(&work);
        let (process, [backend, updates]) =
            Process::nginx(&work, &file, &pid, &log, |[backend, updates]| {
                Self::configuration(&work, backend, updates, "backend")
            })?;
        Ok(Self { process: Some(process), work, backend, updates })
    }

    fn present(&mut self, name: &str) -> Result<(), String> {
        self.process = None;
        let [file, pid, log] = Self::files(&self.work);
        let configuration = Self::configuration(&self.work, self.backend, self.updates, name);
        let process = Process::nginx_at(&self.work, &file, &pid, &log, &configuration)?;
        let ended = || format!("nginx ended: see {}", log.display());
        self.process = Some(process.ok_or_else(ended)?);
        Ok(())
    }

    fn files(work: &Path) -> [PathBuf; 3] {
        ["rotation/nginx.conf", "rotation/nginx.pid", "logs/rotation.out"].map(|it| work.join(it))
    }

    fn configuration(work: &Path, backend: u16, updates: u16, name: &str) -> String {
        let work = work.display();
        format!(
            r#"daemon off;
master_process off;
error_log "{work}/logs/rotation.log";
pid "{work}/rotation/nginx.pid";
events {{}}
http {{
  access_log off;
  ssl_session_ticket_key "{work}/rotation/ticket.key";
  client_body_temp_path "{work}/tmp"; proxy_temp_path "{work}/tmp"; fastcgi_temp_path "{work}/tmp";
  uwsgi_temp_path "{work}/tmp"; scgi_temp_path "{work}/tmp";
  server {{
    listen 127.0.0.1:{backend} ssl;
    ssl_certificate "{work}/pki/{name}.chain.pem";
    ssl_certificate_key "{work}/pki/{name}.key.pem";
    return 200 'ok';
  }}
  server {{
    listen 127.0.0.1:{updates} ssl;
    ssl_certificate "{work}/pki/rsa.chain.pem";
    ssl_certificate_key "{work}/pki/rsa.key.pem";
    root "{work}/rotation/site";
  }}
}}
"#
        )
    }
}

/// Whoever sends the requests: one process that waits for a line before each but the first, or the
/// command line anew for each.
enum Player {
    Process { child: Child, lines: BufReader<std::process::ChildStdout>, begun: bool },
    Cli { binary: PathBuf, arguments: Vec<String> },
}

impl Player {
    fn begin(kind: &Kind, scene: &Scene<'_>) -> Result<Self, String> {
        let embedded = scene.folder.join("embedded.json").display().to_string();
        let roots = scene.folder.with_file_name("roots.pem").display().to_string();
        let command = match kind {
            Kind::Cli(binary) => {
                let connect =
                    |host: &str, to: &str| ["--connect".to_owned(), format!("{host}:443:{to}")];
                let store = scene.folder.join("store").display().to_string();
                let mut arguments = vec!["fetch".into(), "--json".into()];
                arguments.push(format!("https://{HOST}/"));
                arguments.extend(["--embedded".into(), embedded, "--store".into(), store]);
                arguments.extend(["--roots".into(), roots]);
                arguments.extend(connect(HOST, &scene.backend));
                arguments.extend(connect("www.example.test", &scene.updates));
                return Ok(Self::Cli { binary: binary.clone(), arguments });
            }
            Kind::Shell(command) => command,
        };
        let mut child = Command::new("sh")
            .args(["-c", command])
            .env("PINFOLD_DEMO_ROTATE", embedded)
            .env("PINFOLD_DEMO_ROOTS", roots)
            .env("PINFOLD_DEMO_URL", format!("https://{HOST}/"))
            .env("PINFOLD_DEMO_HOST", HOST)
            .env("PINFOLD_DEMO_BACKEND", &scene.backend)
            .env("PINFOLD_DEMO_UPDATES", &scene.updates)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{command}: {e}"))?;
        let lines = child.stdout.take().map(BufReader::new).ok_or("no output")?;
        Ok(Self::Process { child, lines, begun: false })
    }

    /// How one more request ends: `<status or error code> pin set <version>`.
    fn request(&mut self) -> Result<String, String> {
        match self {
            Self::Cli { binary, arguments } => {
                let output = Command::new(&*binary).args(&*arguments).output();
                let output = output.map_err(|e| format!("{}: {e}", binary.display()))?;
                let said = String::from_utf8_lossy(&output.stderr);
                let printed: Value =
                    serde_json::from_slice(&output.stdout).map_err(|e| format!("{e}: {said}"))?;
                let (end, facts) = match printed["error"]["code"].as_str() {
                    Some(code) => (code.to_owned(), &printed["error"]["certificate"]),
                    None => (printed["status"].to_string(), &printed["pinning"]["certificate"]),
                };
                Ok(format!("{end} pin set {}", facts["pin_set_version"]))
            }
            Self::Process { child, lines, begun } => {
                if std::mem::replace(begun, true) {
                    let stdin = child.stdin.as_mut().ok_or("no input")?;
                    stdin.write_all(b"next\n").map_err(|e| e.to_string())?;
                }
                let mut line = String::new();
                lines.read_line(&mut line).map_err(|e| e.to_string())?;
                Ok(line.trim_end().to_owned())
            }
        }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        if let Self::Process { child, .. } = self {
            // It ends with its input.
            drop(child.stdin.take());
            let _ended = child.wait();
        }
    }
}
