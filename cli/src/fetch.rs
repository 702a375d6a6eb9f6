//! `pinfold fetch`: a pinned request.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use pinfold_core::pin::Outcome;
use pinfold_core::update::{PinSetUpdater, UpdateEvent};
use pinfold_core::{Client, ClientBuilder, Error, Method, Request, Response, Roots};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::file::File;
use crate::{identity, input, output, pinset_file, proxy, terminal};

/// Send a pinned HTTPS request.
///
/// The body goes to standard output or to a file, what was decided about the certificate to
/// standard error. Each class of error has an exit code of its own: see `pinfold --help`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold fetch https://api.example.com/v1/me --pins pins.json
  pinfold fetch https://api.example.com/v1/orders --pins pins.json \\
      -H 'Content-Type: application/json' -d '{\"item\":7}'
  pinfold fetch https://api.example.com/ --embedded pinfold.json --store state
  pinfold fetch https://api.example.com/ --pins pins.json --roots ca.pem \\
      --connect api.example.com:443:127.0.0.1:8443 --json
  pinfold fetch https://api.example.com/ --pins pins.json -x proxy.example.com:3128 -U alice")]
pub(crate) struct Arguments {
    /// The URL; https only
    url: String,
    /// The pin set in any form: a static one, a payload, an envelope, a bundle or an embedded file
    #[arg(long, value_name = "FILE", required_unless_present = "embedded")]
    pins: Option<String>,
    /// Instead, what an app is built with (`pinfold embed`): the pin set is kept up to date as the
    /// app would, over the same authorities
    #[arg(long, value_name = "FILE", conflicts_with = "pins")]
    embedded: Option<String>,
    /// The folder in which the newest signed pin set outlives this command
    #[arg(long, value_name = "DIR", requires = "embedded")]
    store: Option<PathBuf>,
    /// The authorities behind `system_and_pin`: `system`, `bundled` or a file of certificates
    #[arg(long, value_name = "FILE|system|bundled", default_value = "system")]
    roots: String,
    /// Connect to ADDR instead of looking HOST up; may be given several times
    #[arg(long, value_name = "HOST:PORT:ADDR", value_parser = parse_connect)]
    connect: Vec<(String, u16, SocketAddr)>,
    #[command(flatten)]
    proxy: proxy::ProxyArguments,
    #[command(flatten)]
    identity: identity::IdentityArguments,
    /// The method [default: GET, or POST with -d]
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    method: Option<String>,
    /// A header; may be given several times
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The body, or @FILE; `@-` is standard input
    #[arg(short = 'd', long = "data", value_name = "DATA|@FILE")]
    data: Option<String>,
    /// Write the body to a file
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    output: Option<String>,
    /// Seconds for the whole request
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    timeout: f64,
    /// Accept hosts that the pin set does not name, by the system's trust alone
    #[arg(long)]
    allow_unpinned: bool,
    /// Print the whole response, or the error, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = settings(arguments)?.build()?;
    let request = request(arguments)?;
    if let Some(identity) = arguments.identity.identity()? {
        let url = url::Url::parse(request.url()).map_err(|e| Failure::input("URL", e))?;
        client.set_identity(url.host_str().unwrap_or_default(), Some(identity))?;
    }
    let response = client.send(&request)?;
    report(&response, arguments.json);
    if let Some(path) = &arguments.output {
        output::write_file(path, response.body())?;
    }
    if arguments.json {
        output::print_json(&to_json(&response, arguments.output.is_none()))
    } else if arguments.output.is_none() {
        output::print(response.body())
    } else {
        Ok(())
    }
}

fn settings(arguments: &Arguments) -> Result<ClientBuilder, Failure> {
    let roots = input::roots(&arguments.roots)?;
    let builder = match (&arguments.pins, &arguments.embedded) {
        (_, Some(file)) => Client::builder_with(&updater(arguments, file, roots.clone())?),
        (Some(file), None) => Client::builder(pinset_file::read(file, None)?.in_force()),
        (None, None) => return Err(Failure::input("--pins", "missing")),
    };
    let timeout = Duration::try_from_secs_f64(arguments.timeout)
        .map_err(|e| Failure::input("--timeout", e))?;
    let mut builder = builder
        .deny_unpinned(!arguments.allow_unpinned)
        .roots(roots)
        .proxies(arguments.proxy.proxies()?)
        .timeout(timeout)
        .user_agent(concat!("pinfold-cli/", env!("CARGO_PKG_VERSION")));
    for (host, port, address) in &arguments.connect {
        builder = builder.connect_to(host, *port, *address);
    }
    Ok(builder)
}

fn updater(arguments: &Arguments, file: &str, roots: Roots) -> Result<PinSetUpdater, Failure> {
    let json = arguments.json;
    let mut builder = PinSetUpdater::builder(File::read(file)?.bytes())
        .roots(roots)
        .proxies(arguments.proxy.proxies()?)
        .listener(move |event| {
            if !json {
                tell(event);
            }
        });
    if let Some(store) = &arguments.store {
        builder = builder.directory(store);
    }
    for (host, port, address) in &arguments.connect {
        builder = builder.connect_to(host, *port, *address);
    }
    Ok(builder.build()?)
}

fn tell(event: &UpdateEvent) {
    let what = match event {
        UpdateEvent::Updated { order } => format!("version {} is in force", order.pinset),
        UpdateEvent::Rejected { url, rejection } => {
            format!("{} was refused: {rejection}", url.as_deref().unwrap_or("what is stored"))
        }
        UpdateEvent::Equivocation { url } => {
            format!("{url} has other contents under the version in force")
        }
        UpdateEvent::StaleMirror { url } => format!("{url} has nothing but an older one"),
        UpdateEvent::Unavailable { reason } | UpdateEvent::Store { reason } => reason.clone(),
        UpdateEvent::Stale => "stale: an update is overdue".to_owned(),
        UpdateEvent::Lapsed { host: None } => "lapsed".to_owned(),
        UpdateEvent::Lapsed { host: Some(host) } => format!("the entry of {host} has lapsed"),
        // No management is asked here.
        UpdateEvent::Inspected { .. } => return,
    };
    eprintln!("{} {what}", terminal::yellow("pin set:"));
}

fn request(arguments: &Arguments) -> Result<Request, Failure> {
    let body = match arguments.data.as_deref() {
        None => None,
        Some(data) => Some(match data.strip_prefix('@') {
            Some(path) => File::read_secret(path)?.into_bytes(),
            None => data.as_bytes().to_vec(),
        }),
    };
    let method = match (&arguments.method, &body) {
        (Some(method), _) => method.parse()?,
        (None, Some(_)) => Method::Post,
        (None, None) => Method::Get,
    };
    let mut request = Request::new(method, &arguments.url)?;
    for header in &arguments.headers {
        let (name, value) = header.split_once(':').ok_or_else(|| Error::InvalidRequest {
            field: "-H".into(),
            reason: "a header is written NAME: VALUE".into(),
        })?;
        request = request.add_header(name.trim(), value.trim())?;
    }
    match body {
        Some(body) => Ok(request.body(body)?),
        None => Ok(request),
    }
}

fn report(response: &Response, json: bool) {
    let verdict = response.verdict();
    let status = response.status();
    match &verdict.outcome {
        Outcome::NoMatch => {
            let mismatch = Error::PinMismatch(Box::new(verdict.facts.clone()));
            eprintln!("{} only reported: {mismatch}", terminal::yellow("warning:"));
        }
        _ if json => {}
        Outcome::Match(matched) => {
            let place = if matched.depth == 0 { "end-entity" } else { "authority" };
            let pinned = terminal::green("pinned:");
            eprintln!("{pinned} {} ({place}), status {status}", matched.pin);
        }
        // No response comes over a blocked key, and nobody inspects this client.
        outcome @ (Outcome::BlockedKey(_)
        | Outcome::Inspected(_)
        | Outcome::Lapsed
        | Outcome::NotPinned
        | Outcome::Off) => {
            let warning = terminal::yellow("not pinned:");
            eprintln!("{warning} {}, status {status}", name(outcome));
        }
    }
}

fn to_json(response: &Response, with_body: bool) -> Value {
    let verdict = response.verdict();
    let headers: Vec<_> = response.headers().iter().map(|(n, v)| json!([n, v])).collect();
    let mut value = json!({
        "status": response.status(),
        "url": response.url(),
        "headers": headers,
        "pinning": { "outcome": name(&verdict.outcome), "certificate": terminal::facts(&verdict.facts) },
    });
    if let Some(matched) = response.matched_pin() {
        value["pinning"]["pin"] = json!(matched.pin.to_string());
        value["pinning"]["depth"] = json!(matched.depth);
    }
    if let Some(report) = &verdict.facts.interception {
        value["pinning"]["interception"] = report.to_json();
    }
    if with_body {
        match std::str::from_utf8(response.body()) {
            Ok(text) => value["body"] = json!(text),
            Err(_) => value["body_base64"] = json!(STANDARD.encode(response.body())),
        }
    }
    value
}

fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::NoMatch => "report_only",
        Outcome::Off => "off",
        outcome => outcome.name(),
    }
}

/// `HOST:PORT:ADDR`; ADDR is `IP:PORT`, or an IP with the same port.
pub(crate) fn parse_connect(text: &str) -> Result<(String, u16, SocketAddr), String> {
    let usage = || "expected HOST:PORT:ADDR, such as api.example.com:443:127.0.0.1:8443".to_owned();
    let end_of_host = if text.starts_with('[') { text.find(']').map_or(0, |i| i + 1) } else { 0 };
    let colon = text[end_of_host..].find(':').ok_or_else(usage)? + end_of_host;
    let (host, rest) = (&text[..colon], &text[colon + 1..]);
    let (port, address) = rest.split_once(':').ok_or_else(usage)?;
    let port: u16 = port.parse().map_err(|_| usage())?;
    let ip = address.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let address = match (address.parse::<SocketAddr>(), ip) {
        (Ok(address), _) => address,
        (Err(_), Ok(ip)) => SocketAddr::new(ip, port),
        (Err(_), Err(_)) => return Err(usage()),
    };
    Ok((host.to_owned(), port, address))
}
