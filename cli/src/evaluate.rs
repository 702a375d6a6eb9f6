//! `pinfold evaluate`: what a pin set says of a chain, and why.

use std::process::ExitCode;

use clap::Args;
use pinfold_core::pin::Decision;
use pinfold_core::{Client, Explanation};

use crate::failure::Failure;
use crate::{input, output, pinset_file, when};

/// Judge a certificate chain by a pin set, without a connection.
///
/// Exit code 0: the connection is allowed; 1: it is refused; 2: the input is unusable. A host that
/// the pin set does not name is judged by trust alone, unless --deny-unpinned says otherwise.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold evaluate --pins pins.json --host api.example.com --chain chain.pem
  pinfold evaluate --pins pins.json --host 10.0.0.7 --chain chain.pem --roots ca.pem \\
      --at 2027-01-31T00:00:00Z --json")]
pub(crate) struct Arguments {
    /// The pin set in any form: a static one, a payload, an envelope, a bundle or an embedded file
    #[arg(long, value_name = "FILE")]
    pins: String,
    /// The host that presents the chain
    #[arg(long, value_name = "NAME|IP")]
    host: String,
    /// The chain, the end-entity first
    #[arg(long, value_name = "FILE")]
    chain: String,
    /// The authorities behind `system_and_pin`: `system`, `bundled` or a file of certificates
    #[arg(long, value_name = "FILE|system|bundled", default_value = "system")]
    roots: String,
    /// When [default: now]
    #[arg(long, value_name = "RFC3339")]
    at: Option<String>,
    /// Refuse hosts that the pin set does not name, as a client does unless it is told otherwise
    #[arg(long)]
    deny_unpinned: bool,
    /// Print the whole decision as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let at = when::time_or_now("--at", arguments.at.as_deref())?;
    let pins = pinset_file::read(&arguments.pins, None)?.in_force();
    let chain = input::certificates(&arguments.chain)?;
    let client = Client::builder(pins)
        .deny_unpinned(arguments.deny_unpinned)
        .roots(input::roots(&arguments.roots)?)
        .build()?;
    let explanation = client.explain(&arguments.host, &chain, at)?;
    if arguments.json {
        output::print_json(&explanation.to_json())?;
    } else {
        output::print(words(&explanation).as_bytes())?;
    }
    Ok(match explanation.decision {
        Decision::Allow => ExitCode::SUCCESS,
        Decision::Block => ExitCode::from(1),
    })
}

fn words(explanation: &Explanation) -> String {
    let mut lines = Vec::new();
    let decision = match explanation.decision {
        Decision::Allow => "allow",
        Decision::Block => "block",
    };
    lines.push(("decision", decision.to_owned()));
    lines.push(("verdict", explanation.outcome.name().to_owned()));
    let trust = explanation.trust.as_ref().map_or_else(|e| e.name(), |()| "trusted");
    lines.push(("trust", trust.to_owned()));
    let json = explanation.to_json();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("none").to_owned();
    match &json["policy"] {
        serde_json::Value::Null => lines.push(("policy", "none for this host".to_owned())),
        policy => {
            let [host, mode, trust] = ["host", "mode", "trust"].map(|member| text(&policy[member]));
            lines.push(("policy", format!("{host}, {mode}, {trust}")));
        }
    }
    if let Some((matched, subject)) = explanation.matched() {
        let subject = subject.unwrap_or_else(|| "a certificate without a name".into());
        lines.push(("matched", format!("{} of {subject}", matched.pin)));
    }
    for path in &explanation.paths {
        let names = path.certificates.iter().map(|c| c.subject().unwrap_or_else(|| "?".into()));
        let names = names.collect::<Vec<_>>().join(" < ");
        lines.push(("path", format!("{names}: {}", path.fate.name())));
    }
    if let Some(report) = explanation.interception() {
        lines.push(("who", report.to_string()));
    }
    if let Some(error) = &explanation.error {
        lines.push(("error", format!("{}: {error}", error.code())));
    }
    lines.iter().map(|(name, text)| format!("{name:<9} {text}\n")).collect()
}
