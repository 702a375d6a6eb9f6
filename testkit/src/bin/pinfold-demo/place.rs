//! Where the scenario plays: the servers, what the clients are given, and what the servers saw.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use pinfold_testkit::{Event, Testkit};
use serde_json::json;

use crate::client::HOST;
use crate::process::{PATIENCE, Process};

pub(crate) struct Place {
    pub(crate) work: PathBuf,
    pub(crate) servers: Servers,
    testkit: Testkit,
    real: Option<Real>,
}

/// `IP:PORT` of each.
pub(crate) struct Servers {
    pub(crate) backend: String,
    pub(crate) impostor: String,
    pub(crate) interceptor: String,
}

/// What the servers saw of a client.
pub(crate) struct Seen {
    /// How often the interceptor was told that its certificate is not accepted.
    pub(crate) alerts: usize,
    /// How many requests got through to the interceptor; the one that was only reported may.
    pub(crate) intercepted: usize,
    /// Whether the backend saw the connection of the replaced pin set end.
    pub(crate) cut: Option<bool>,
    /// Whether the backend was told, by an alert, that the changed pin set refuses it.
    pub(crate) refused: bool,
    /// How many requests of the client itself the backend got: only the first is due.
    pub(crate) requests: usize,
    /// How many bytes came over the refused connections; nginx does not say.
    pub(crate) refused_bytes: Option<u64>,
}

struct Real {
    _processes: [Process; 2],
    logs: PathBuf,
}

impl Place {
    pub(crate) fn new(work: &Path, real: bool) -> Result<Self, String> {
        let testkit = Testkit::start().map_err(|e| format!("the testkit: {e}"))?;
        let io = |e: std::io::Error| format!("{}: {e}", work.display());
        fs::create_dir_all(work).map_err(io)?;
        let work = work.canonicalize().map_err(io)?;
        testkit.pki().write_to(&work.join("pki")).map_err(io)?;
        let mut roots = vec![fs::read_to_string(work.join("pki/root.pem")).map_err(io)?];

        let address = |name: &str| testkit.server(name).addr().to_string();
        let mut servers = Servers {
            backend: address("backend"),
            impostor: address("impostor"),
            interceptor: address("interceptor"),
        };
        let real = if real {
            let real = Real::start(&work, &mut servers)?;
            let authority = work.join("mitmproxy/mitmproxy-ca-cert.pem");
            roots.push(fs::read_to_string(authority).map_err(io)?);
            Some(real)
        } else {
            roots.push(fs::read_to_string(work.join("pki/other_root.pem")).map_err(io)?);
            None
        };
        fs::write(work.join("roots.pem"), roots.concat()).map_err(io)?;

        let pins = |mode: &str, leaf: &str, ca: &str| {
            let digest = |name: &str| testkit.pki().pin(name).replace("sha256/", "");
            let in_use = json!({ "sha256": digest(leaf), "at": "leaf", "label": "in use" });
            let spare = json!({ "sha256": digest(ca), "at": "ca", "state": "backup" });
            let host = json!({ "host": HOST, "mode": mode, "pins": [in_use, spare] });
            format!("{:#}\n", json!({ "schema": 1, "version": 1, "hosts": [host] }))
        };
        for (file, mode, leaf, ca) in [
            ("pins.json", "enforce", "backend", "intermediate"),
            ("report.json", "report_only", "backend", "intermediate"),
            // After a rotation: neither the key in use nor its authority.
            ("changed.json", "enforce", "rotated", "private_root"),
        ] {
            fs::write(work.join(file), pins(mode, leaf, ca)).map_err(io)?;
        }
        Ok(Self { work, servers, testkit, real })
    }

    pub(crate) fn is_real(&self) -> bool {
        self.real.is_some()
    }

    pub(crate) fn testkit(&self) -> &Testkit {
        &self.testkit
    }

    pub(crate) fn rotated_by(&self) -> &'static str {
        if self.is_real() { "an nginx that is started again" } else { "the testkit" }
    }

    /// `IP:PORT` of one of the testkit's servers.
    pub(crate) fn testkit_address(&self, name: &str) -> String {
        self.testkit.server(name).addr().to_string()
    }

    /// The pin of one of the testkit's keys.
    pub(crate) fn pin(&self, name: &str) -> String {
        self.testkit.pki().pin(name)
    }

    /// Who the interceptor's authority is, as its certificate says.
    pub(crate) fn interceptor(&self) -> &'static str {
        if self.real.is_some() { "mitmproxy" } else { "Interception Authority" }
    }

    pub(crate) fn description(&self) -> String {
        match &self.real {
            Some(_) => "nginx as backend and impostor, mitmproxy as interceptor".to_owned(),
            None => "the testkit as backend, impostor and interceptor".to_owned(),
        }
    }

    /// Begins a client: what the servers saw until now is another's.
    pub(crate) fn forget(&self) -> Result<(), String> {
        match &self.real {
            Some(real) => real.forget(),
            None => {
                for name in ["backend", "interceptor"] {
                    self.testkit.server(name).clear();
                }
                Ok(())
            }
        }
    }

    pub(crate) fn seen(&self, keeps_connections: bool) -> Result<Seen, String> {
        match &self.real {
            Some(real) => real.seen(keeps_connections),
            None => Ok(self.seen_by_testkit(keeps_connections)),
        }
    }

    fn seen_by_testkit(&self, keeps_connections: bool) -> Seen {
        let interceptor = self.testkit.server("interceptor");
        let alerted = |events: &[Event]| count(events, "alert") > 0;
        // Alerts arrive when the client is gone already.
        let intercepted = interceptor.wait_for(alerted, PATIENCE).unwrap_or_default();
        let backend = self.testkit.server("backend");
        let events = backend.wait_for(alerted, PATIENCE).unwrap_or_default();
        let (refused, requests) = (count(&events, "alert") == 1, count(&events, "request"));
        let cut = keeps_connections.then(|| {
            let first = |events: &[Event]| {
                let closed = events.iter().position(|e| matches!(e, Event::Closed { .. }));
                let refused = events.iter().position(|e| matches!(e, Event::Alert { .. }));
                // The old connection ends before the new one is even refused.
                closed.zip(refused).is_some_and(|(closed, refused)| closed < refused)
            };
            backend.wait_for(first, PATIENCE).is_some()
        });
        Seen {
            alerts: count(&intercepted, "alert"),
            intercepted: count(&intercepted, "request"),
            cut,
            refused,
            requests,
            refused_bytes: Some(refused_bytes(&events) + refused_bytes(&intercepted)),
        }
    }
}

/// The application bytes of the connections that ended with an alert.
fn refused_bytes(events: &[Event]) -> u64 {
    let alerted =
        |conn: &u64| events.iter().any(|e| matches!(e, Event::Alert { conn: c, .. } if c == conn));
    let bytes = |e: &Event| match e {
        Event::Closed { conn, application_bytes } if alerted(conn) => Some(*application_bytes),
        _ => None,
    };
    events.iter().filter_map(bytes).sum()
}

fn count(events: &[Event], kind: &str) -> usize {
    events.iter().filter(|event| event.kind() == kind).count()
}

impl Real {
    fn start(work: &Path, servers: &mut Servers) -> Result<Self, String> {
        let logs = work.join("logs");
        fs::create_dir_all(&logs).map_err(|e| format!("{}: {e}", logs.display()))?;
        let (nginx, [backend, impostor]) = Process::nginx(
            work,
            &work.join("nginx.conf"),
            &work.join("nginx.pid"),
            &logs.join("nginx.out"),
            |[backend, impostor]| nginx(work, backend, impostor),
        )?;
        let log = logs.join("mitmdump.out");
        let mut mitmdump = Process::start(
            &[
                "mitmdump",
                "--mode",
                &format!("reverse:https://127.0.0.1:{backend}"),
                "--listen-host",
                "127.0.0.1",
                "--listen-port",
                "0",
                "--ssl-insecure",
                "--set",
                "flow_detail=1",
                "--set",
                &format!("confdir={}", work.join("mitmproxy").display()),
            ],
            &log,
        )?;
        let said = || mitmproxy_address(&fs::read_to_string(&log).ok()?);
        let interceptor = mitmdump.await_that(said, "mitmdump")?;
        servers.interceptor =
            interceptor.ok_or_else(|| format!("mitmdump ended: see {}", log.display()))?;
        (servers.backend, servers.impostor) = (local(backend), local(impostor));
        Ok(Self { _processes: [nginx, mitmdump], logs })
    }

    fn forget(&self) -> Result<(), String> {
        for log in ["access.log", "mitmdump.out", "error.log"] {
            // Truncated in place: their writers append.
            fs::File::create(self.logs.join(log)).map_err(|e| format!("{log}: {e}"))?;
        }
        Ok(())
    }

    /// mitmproxy names the alert with which a client broke the handshake off, and passes requests on
    /// to nginx. nginx names the alert (46 is certificate_unknown, RFC 8446 §6.2) and
    /// lists the requests: the pinned one and the one that mitmproxy passed on.
    fn seen(&self, keeps_connections: bool) -> Result<Seen, String> {
        let proxy = self.await_line("mitmdump.out", "alert certificate unknown")?;
        let nginx = self.await_line("error.log", "SSL alert number 46")?;
        let told = |line: &&str| line.contains("alert certificate unknown");
        let failed = proxy.lines().filter(told).count();
        let intercepted = proxy.lines().filter(|line| line.contains("GET https://")).count();
        let refused = nginx.contains("SSL alert number 46");
        // What mitmproxy passed on is its own, not the client's.
        let requests = self.log("access.log")?.lines().count().saturating_sub(intercepted);
        let cut = keeps_connections.then(|| {
            let closed = nginx.find("closed keepalive connection");
            closed.zip(nginx.find("SSL alert number 46")).is_some_and(|(cut, told)| cut < told)
        });
        Ok(Seen { alerts: failed, intercepted, cut, refused, requests, refused_bytes: None })
    }

    /// The log, once it says so or patience is at its end.
    fn await_line(&self, log: &str, text: &str) -> Result<String, String> {
        let begun = Instant::now();
        loop {
            let log = self.log(log)?;
            if log.contains(text) || begun.elapsed() > PATIENCE {
                return Ok(log);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn log(&self, name: &str) -> Result<String, String> {
        let bytes = fs::read(self.logs.join(name)).map_err(|e| format!("{name}: {e}"))?;
        // A truncated log begins with the hole where its text was.
        Ok(String::from_utf8_lossy(&bytes).trim_start_matches('\0').to_owned())
    }
}

fn nginx(work: &Path, backend: u16, impostor: u16) -> String {
    let work = work.display();
    let server = |port: u16, chain: &str| {
        format!(
            r#"  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate "{work}/pki/{chain}.chain.pem";
    ssl_certificate_key "{work}/pki/{chain}.key.pem";
    return 200 'ok';
  }}
"#
        )
    };
    format!(
        r#"daemon off;
master_process off;
error_log "{work}/logs/error.log" info;
pid "{work}/nginx.pid";
events {{}}
http {{
  access_log "{work}/logs/access.log";
  client_body_temp_path "{work}/tmp"; proxy_temp_path "{work}/tmp"; fastcgi_temp_path "{work}/tmp";
  uwsgi_temp_path "{work}/tmp"; scgi_temp_path "{work}/tmp";
{}{}}}
"#,
        server(backend, "backend"),
        server(impostor, "impostor"),
    )
}

/// Where mitmproxy says that it listens: `… listening at 127.0.0.1:40123.`
fn mitmproxy_address(log: &str) -> Option<String> {
    let (_, rest) = log.split_once("listening at ")?;
    let line = rest.lines().next()?;
    Some(line.trim_end_matches('.').to_owned())
}

/// `IP:PORT` of a port of this machine.
pub(crate) fn local(port: u16) -> String {
    format!("127.0.0.1:{port}")
}
