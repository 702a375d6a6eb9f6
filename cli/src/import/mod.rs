//! `pinfold import`: the pins of other libraries and platforms.

mod code;
mod config;
mod entries;
mod lexer;
mod plist;
mod ssl_manager;

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use pinfold_core::pin::HostName;
use serde_json::json;

use entries::{Found, Import};

use crate::author::{self, Entry, NewPin};
use crate::failure::Failure;
use crate::file::File;
use crate::{output, terminal};

/// Take over pins from the files of another library or platform.
///
/// Writes a static pin set, or with --into adds the entries to one that is there, signed or static.
/// What could not be carried over is listed, with its place. Exit code 0: everything was carried
/// over; 1: something was not; 2: a file cannot be used.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold import --from nsc app/src/main/res/xml/network_security_config.xml -o pins.json
  pinfold import --from trustkit-ios Info.plist --into pins.json
  pinfold import --from okhttp Network.kt Pins.java -o pins.json
  pinfold import --from list pins.dart --host api.example.com --certificates -o pins.json")]
pub(crate) struct Arguments {
    /// What the files are
    #[arg(long)]
    from: Source,
    /// The files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// Add the entries to this pin set
    #[arg(long, value_name = "PINSET", conflicts_with = "output")]
    into: Option<String>,
    /// The pin set to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,
    /// The host of a list of digests
    #[arg(long, value_name = "HOST", required_if_eq("from", "list"))]
    host: Option<String>,
    /// The digests of a list are for all names below the host as well
    #[arg(long, requires = "host")]
    subdomains: bool,
    /// The digests of a list are of certificates, not of keys: Flutter's packages have those
    #[arg(long, requires = "host")]
    certificates: bool,
    /// Print what was left out as JSON, on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where pins come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Source {
    /// Android's Network Security Config
    Nsc,
    /// NSPinnedDomains in an iOS app's Info.plist
    Nspinneddomains,
    /// Kotlin or Java with OkHttp's CertificatePinner, or lines of a pattern and its pins
    Okhttp,
    /// TrustKit's dictionary in an iOS app's Info.plist
    TrustkitIos,
    /// TrustKit's form of Android's Network Security Config
    TrustkitAndroid,
    /// Kotlin or Java with addPublicKeyPins of Cronet and HttpEngine
    Cronet,
    /// ssl_config.json of react-native-ssl-manager
    SslManager,
    /// Digests in hexadecimal digits or base64, in any language, for one host
    List,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let host = arguments.host.as_deref().map(HostName::parse).transpose();
    let host = host.map_err(|e| Failure::input("--host", e))?;
    let mut import = Import::default();
    for path in &arguments.files {
        let bytes = File::read(path)?.into_bytes();
        let text = String::from_utf8(bytes).map_err(|e| match e.as_bytes() {
            [b'b', b'p', b'l', b'i', b's', b't', ..] => {
                let reason =
                    "a binary property list: convert it (plutil -convert xml1 -o OUT FILE)";
                Failure::input(path, reason)
            }
            _ => Failure::input(path, "not UTF-8"),
        })?;
        let (text, import) = (text.trim_start_matches('\u{feff}'), &mut import);
        match (arguments.from, &host) {
            (Source::Nsc, _) => config::read(path, text, false, import)?,
            (Source::TrustkitAndroid, _) => config::read(path, text, true, import)?,
            (Source::Nspinneddomains, _) => plist::pinned_domains(path, text, import)?,
            (Source::TrustkitIos, _) => plist::trustkit(path, text, import)?,
            (Source::Okhttp, _) => code::okhttp(path, text, import),
            (Source::Cronet, _) => code::cronet(path, text, import),
            (Source::SslManager, _) => ssl_manager::read(path, text, import)?,
            (Source::List, Some(host)) => {
                let (below, certificates) = (arguments.subdomains, arguments.certificates);
                code::list(path, text, host, below, certificates, import);
            }
            (Source::List, None) => return Err(Failure::input("--host", "missing")),
        }
    }
    import.settle();
    if import.entries.is_empty() {
        for (place, what) in &import.left {
            terminal::warn(&format!("{place}: {what}"));
        }
        return Err(Failure::input(arguments.files.join(", "), "no pins found"));
    }
    let entries: Vec<_> = import.entries.iter().map(entry).collect();
    let printed = match (&arguments.into, &arguments.output) {
        (Some(path), _) => author::add_entries(path, &entries)?,
        (None, path) => {
            let text = author::static_pin_set(&entries)?;
            match path {
                Some(path) => output::write_file(path, text.as_bytes())?,
                // JSON has standard output for itself.
                None if arguments.json => {}
                None => output::print(text.as_bytes())?,
            }
            String::new()
        }
    };
    if arguments.json {
        let left = import.left.iter().map(|(place, what)| json!({ "place": place, "text": what }));
        let left: Vec<_> = left.collect();
        output::print_json(&json!({ "entries": entries.len(), "left_out": left }))?;
    } else {
        output::print(printed.as_bytes())?;
        for (place, what) in &import.left {
            terminal::warn(&format!("{place}: {what}"));
        }
    }
    Ok(ExitCode::from(u8::from(!import.left.is_empty())))
}

fn entry(found: &Found) -> Entry {
    Entry {
        host: found.host.clone(),
        include_subdomains: found.include_subdomains,
        mode: found.mode,
        expires: found.expires,
        pins: found.pins.iter().map(|(digest, at)| NewPin::plain(*digest, *at)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs;

    #[test]
    fn the_documentation_has_every_source() {
        let rows = Source::value_variants().iter().map(|source| {
            let value = source.to_possible_value().expect("each has a name");
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            vec![format!("`{}`", value.get_name()), help]
        });
        docs::expect_table("import", &["source", "what it is"], rows.collect());
    }
}
