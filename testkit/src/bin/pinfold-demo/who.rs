//! Who is in the middle: one request a step, each against somebody else or at another time, and what
//! the error says of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::client::{Client, HOST};
use crate::place::Place;
use crate::table::{WIDE, row};

struct Step {
    shows: &'static str,
    server: &'static str,
    host: &'static str,
    roots: Trusted,
    /// What the wall clock says; the right time without.
    clock: Option<&'static str>,
    /// Code, kind, confidence and product.
    expected: &'static str,
}

/// Whom the client trusts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trusted {
    /// The system, which trusts the testkit's and the interceptor's authorities.
    System,
    /// The public web's authorities, compiled in.
    Bundled,
    /// Only the testkit's.
    Given,
}

const PUBLIC: &str = "cryptography.io";
const MITMPROXY: &str = "interceptor";

const STEPS: &[Step] = &[
    Step {
        shows: "mitmproxy, trusted by the device",
        server: MITMPROXY,
        host: HOST,
        roots: Trusted::System,
        clock: None,
        expected: "pin_mismatch debugging_proxy likely mitmproxy",
    },
    Step {
        shows: "mitmproxy, not trusted",
        server: MITMPROXY,
        host: HOST,
        roots: Trusted::Given,
        clock: None,
        expected: "certificate_unknown_issuer debugging_proxy likely mitmproxy",
    },
    Step {
        shows: "an authority added to the device",
        server: "testkit:interceptor",
        host: HOST,
        roots: Trusted::System,
        clock: None,
        expected: "pin_mismatch local_authority likely -",
    },
    Step {
        shows: "a captive portal, self-signed",
        server: "testkit:self_signed",
        host: HOST,
        roots: Trusted::System,
        clock: None,
        expected: "certificate_unknown_issuer captive_portal possible -",
    },
    Step {
        shows: "a captive portal, in the clear",
        server: "testkit:portal",
        host: HOST,
        roots: Trusted::System,
        clock: None,
        expected: "tls_failed captive_portal likely -",
    },
    Step {
        shows: "a public authority's, unpinned, in 2023",
        server: "testkit:public_ca",
        host: PUBLIC,
        roots: Trusted::Bundled,
        clock: Some("2023-07-10 00:00:00"),
        expected: "pin_mismatch rotated_or_misissued likely -",
    },
    Step {
        shows: "an impostor",
        server: "testkit:impostor",
        host: HOST,
        roots: Trusted::System,
        clock: None,
        expected: "certificate_unknown_issuer unknown_authority possible -",
    },
    Step {
        shows: "another host's certificate",
        server: "testkit:wrong_host",
        host: HOST,
        roots: Trusted::System,
        clock: None,
        expected: "certificate_wrong_host wrong_name likely -",
    },
    Step {
        shows: "an expired certificate",
        server: "testkit:expired",
        host: HOST,
        roots: Trusted::System,
        clock: None,
        expected: "certificate_expired expired likely -",
    },
    Step {
        shows: "the backend, with the clock in 2019",
        server: "testkit:backend",
        host: HOST,
        roots: Trusted::System,
        clock: Some("2019-06-01 00:00:00"),
        expected: "certificate_not_yet_valid wrong_clock certain -",
    },
    Step {
        shows: "the backend, with the clock in 2060",
        server: "testkit:backend",
        host: HOST,
        roots: Trusted::System,
        clock: Some("2060-01-01 00:00:00"),
        expected: "certificate_expired wrong_clock possible -",
    },
    Step {
        shows: "a certificate revoked by its staple",
        server: "testkit:revoked",
        host: HOST,
        roots: Trusted::System,
        clock: None,
        expected: "certificate_revoked - - -",
    },
];

/// Plays every step that can be played here with every client; whether all of it is right.
pub(crate) fn run(place: &Place, clients: &[&Client]) -> Result<bool, String> {
    let files = Files::new(place)?;
    println!("\nWho is in the middle, as the error says (code, kind, confidence, product):\n");
    let names = clients.iter().map(|client| client.name.clone()).collect::<Vec<_>>();
    row(WIDE, "a request to", "must end with", &names);
    let mut good = true;
    for step in STEPS {
        let address = match step.server.strip_prefix("testkit:") {
            Some(name) => place.testkit_address(name),
            None if place.is_real() => place.servers.interceptor.clone(),
            None => continue,
        };
        let mut cells = Vec::new();
        for client in clients {
            let said = client.who(&files.question(step, &address))?;
            cells.push(if said == step.expected { "ok".into() } else { format!("WRONG: {said}") });
        }
        good &= row(WIDE, step.shows, step.expected, &cells);
    }
    println!("\n{}", if good { "All as it should be." } else { "NOT as it should be." });
    Ok(good)
}

/// One request: what a client is told, by variables of the environment.
pub(crate) struct Question {
    pub(crate) host: String,
    pub(crate) address: String,
    pub(crate) pins: PathBuf,
    pub(crate) roots: String,
    pub(crate) clock: Option<&'static str>,
    /// The system's authorities as OpenSSL and as Java read them.
    pub(crate) system: Option<(PathBuf, PathBuf)>,
}

impl Question {
    /// The variables for a client that is a program of its own.
    pub(crate) fn variables(&self) -> BTreeMap<&'static str, String> {
        let mut variables = BTreeMap::from([
            ("PINFOLD_DEMO_WHO", "1".to_owned()),
            ("PINFOLD_DEMO_URL", format!("https://{}/", self.host)),
            ("PINFOLD_DEMO_HOST", self.host.clone()),
            ("PINFOLD_DEMO_CONNECT", self.address.clone()),
            ("PINFOLD_DEMO_PINS", self.pins.display().to_string()),
            ("PINFOLD_DEMO_ROOTS", self.roots.clone()),
        ]);
        if let Some(clock) = self.clock {
            variables.insert("PINFOLD_DEMO_CLOCK", format!("@{clock}"));
        }
        if let Some((pem, java)) = &self.system {
            variables.insert("PINFOLD_DEMO_SYSTEM_PEM", pem.display().to_string());
            variables.insert("PINFOLD_DEMO_SYSTEM_JAVA", java.display().to_string());
        }
        variables
    }

    /// Asks the tool.
    pub(crate) fn ask(&self, binary: &Path) -> Result<String, String> {
        let mut command = match self.clock {
            Some(clock) => {
                let mut command = Command::new("faketime");
                command.args(["-f", &format!("@{clock}")]).arg(binary);
                // Timeouts go by the other clock.
                command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("TZ", "UTC");
                command
            }
            None => Command::new(binary),
        };
        if let Some((pem, _)) = &self.system {
            command.env("SSL_CERT_FILE", pem).env_remove("SSL_CERT_DIR");
        }
        command
            .args(["fetch", "--json", &format!("https://{}/", self.host)])
            .args(["--connect", &format!("{}:443:{}", self.host, self.address)])
            .args(["--roots", &self.roots, "--pins"])
            .arg(&self.pins);
        let output = command.output().map_err(|e| format!("{}: {e}", binary.display()))?;
        said(&output)
    }
}

fn said(output: &Output) -> Result<String, String> {
    let printed: Value = serde_json::from_slice(&output.stdout)
        .map_err(|e| format!("{e}: {}", String::from_utf8_lossy(&output.stderr)))?;
    let error = &printed["error"];
    let report = &error["interception"];
    let words = [&error["code"], &report["kind"], &report["confidence"], &report["product"]];
    Ok(words.map(|word| word.as_str().unwrap_or("-")).join(" "))
}

struct Files {
    work: PathBuf,
}

impl Files {
    fn new(place: &Place) -> Result<Self, String> {
        let work = place.work.clone();
        let read =
            |file: &str| fs::read_to_string(work.join(file)).map_err(|e| format!("{file}: {e}"));
        let mut system = read("roots.pem")? + &read("pki/stapled_root.pem")?;
        if place.is_real() {
            system += &read("pki/other_root.pem")?;
        }
        fs::write(work.join("system.pem"), &system).map_err(|e| e.to_string())?;
        fs::copy(work.join("pki/root.pem"), work.join("given.pem")).map_err(|e| e.to_string())?;
        java_store(&work.join("system.p12"), &system, &work)?;

        let pin = |name: &str| json!({ "sha256": place.pin(name).replace("sha256/", "") });
        let host = |name: &str| json!({ "host": name, "pins": [pin("backend"), pin("backup")] });
        let pins = json!({ "schema": 1, "hosts": [host(HOST), host(PUBLIC)] });
        fs::write(work.join("who.json"), pins.to_string()).map_err(|e| e.to_string())?;
        Ok(Self { work })
    }

    fn question(&self, step: &Step, address: &str) -> Question {
        let file = |name: &str| self.work.join(name);
        Question {
            host: step.host.into(),
            address: address.into(),
            pins: file("who.json"),
            roots: match step.roots {
                Trusted::System => "system".into(),
                Trusted::Bundled => "bundled".into(),
                Trusted::Given => file("given.pem").display().to_string(),
            },
            clock: step.clock,
            system: (step.roots == Trusted::System)
                .then(|| (file("system.pem"), file("system.p12"))),
        }
    }
}

/// Java reads its authorities from a store of its own, made by its own tool.
fn java_store(store: &Path, pem: &str, work: &Path) -> Result<(), String> {
    let tool = match std::env::var_os("JAVA_HOME") {
        Some(home) => Path::new(&home).join("bin/keytool"),
        None => PathBuf::from("keytool"),
    };
    if store.exists() {
        fs::remove_file(store).map_err(|e| e.to_string())?;
    }
    for (i, part) in pem.split_inclusive("-----END CERTIFICATE-----").enumerate() {
        if !part.contains("BEGIN CERTIFICATE") {
            continue;
        }
        let file = work.join("one.pem");
        fs::write(&file, part.trim_start()).map_err(|e| e.to_string())?;
        let output = Command::new(&tool)
            .args(["-importcert", "-noprompt", "-storetype", "PKCS12", "-storepass", "changeit"])
            .args(["-alias", &i.to_string(), "-keystore"])
            .arg(store)
            .arg("-file")
            .arg(&file)
            .output()
            .map_err(|e| format!("{}: {e}", tool.display()))?;
        if !output.status.success() {
            return Err(format!("keytool: {}", String::from_utf8_lossy(&output.stdout)));
        }
    }
    Ok(())
}
