//! The clients that play the scenario.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::place::Place;
use crate::who::Question;

/// Names the host in every pin set and URL.
pub(crate) const HOST: &str = "api.example.test";

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) name: String,
    /// Whether it is one process with one client, so that a changed pin set has something to cut.
    pub(crate) keeps_connections: bool,
    pub(crate) kind: Kind,
}

#[derive(Clone)]
pub(crate) enum Kind {
    Cli(PathBuf),
    Shell(String),
}

/// What came out of each step, in the words of the error codes.
pub(crate) type Outcomes = BTreeMap<String, String>;

impl Client {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, command) = text.split_once('=').ok_or("expected NAME=COMMAND")?;
        let kind = Kind::Shell(command.to_owned());
        Ok(Self { name: name.to_owned(), keeps_connections: true, kind })
    }

    pub(crate) fn cli(binary: &Path) -> Self {
        let kind = Kind::Cli(binary.to_owned());
        Self { name: "command line".to_owned(), keeps_connections: false, kind }
    }

    pub(crate) fn run(&self, place: &Place) -> Result<Outcomes, String> {
        match &self.kind {
            Kind::Cli(binary) => run_cli(binary, place),
            Kind::Shell(command) => run_shell(command, place),
        }
    }
}

impl Client {
    /// What the error of one request says of whoever is in the middle.
    pub(crate) fn who(&self, question: &Question) -> Result<String, String> {
        let command = match &self.kind {
            Kind::Cli(binary) => return question.ask(binary),
            Kind::Shell(command) => command,
        };
        let output = Command::new("sh")
            .args(["-c", command])
            .envs(question.variables())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|e| format!("{command}: {e}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            return Err(format!("{command}: {}\n{text}", output.status));
        }
        Ok(text.trim().to_owned())
    }
}

fn run_cli(binary: &Path, place: &Place) -> Result<Outcomes, String> {
    let servers = &place.servers;
    let steps = [
        ("pinned", &servers.backend, "pins.json"),
        ("impostor", &servers.impostor, "pins.json"),
        ("interceptor", &servers.interceptor, "pins.json"),
        ("report_only", &servers.interceptor, "report.json"),
        ("changed", &servers.backend, "changed.json"),
    ];
    let mut outcomes = Outcomes::new();
    for (step, server, pins) in steps {
        let output = Command::new(binary)
            .args(["fetch", "--json", &format!("https://{HOST}/")])
            .args(["--connect", &format!("{HOST}:443:{server}")])
            .arg("--pins")
            .arg(place.work.join(pins))
            .arg("--roots")
            .arg(place.work.join("roots.pem"))
            .output()
            .map_err(|e| format!("{}: {e}", binary.display()))?;
        let printed: Value = serde_json::from_slice(&output.stdout)
            .map_err(|e| format!("{step}: {e}: {}", String::from_utf8_lossy(&output.stderr)))?;
        let outcome = match printed["error"]["code"].as_str() {
            Some(code) => code,
            None => printed["pinning"]["outcome"].as_str().unwrap_or("?"),
        };
        outcomes.insert(step.to_owned(), outcome.to_owned());
        if let ("interceptor", Some(issuer)) =
            (step, printed["error"]["certificate"]["issuer"].as_str())
        {
            outcomes.insert("issuer".to_owned(), issuer.to_owned());
        }
    }
    Ok(outcomes)
}

fn run_shell(command: &str, place: &Place) -> Result<Outcomes, String> {
    let output = Command::new("sh")
        .args(["-c", command])
        .env("PINFOLD_DEMO_DIR", &place.work)
        .env("PINFOLD_DEMO_URL", format!("https://{HOST}/"))
        .env("PINFOLD_DEMO_HOST", HOST)
        .env("PINFOLD_DEMO_BACKEND", &place.servers.backend)
        .env("PINFOLD_DEMO_IMPOSTOR", &place.servers.impostor)
        .env("PINFOLD_DEMO_INTERCEPTOR", &place.servers.interceptor)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("{command}: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("{command}: {}\n{text}", output.status));
    }
    let pair = |line: &str| line.split_once(' ').map(|(step, o)| (step.to_owned(), o.to_owned()));
    Ok(text.lines().filter_map(pair).collect())
}
