//! `pinfold bundle` and `embed`: what is published, and what apps are built with.

use clap::Args;
use pinfold_core::format_rfc3339_utc;
use pinfold_core::pinset::{Bundle, Embedded, State};
use serde_json::json;

use crate::document::{self, Kind};
use crate::failure::Failure;
use crate::root_file::{self, RootFile};
use crate::{output, when};

/// Put roots and a pin set into the one file that is published.
///
/// The roots must be a chain without gaps, from the oldest that an app in the field ships with,
/// each signed by enough keys of itself and of the one before. The pin set must hold under the last.
#[derive(Args)]
#[command(after_help = "\
Example:
  pinfold bundle --root root-1.json --root root-2.json --pinset pinset.dsse.json -o bundle.json
  pinfold bundle --root root-*.json --pinset pinset.dsse.json -o bundle.json")]
pub(crate) struct BundleArguments {
    /// A signed root, in any order
    #[arg(long = "root", value_name = "FILE", required = true, num_args = 1..)]
    roots: Vec<String>,
    /// The signed pin set
    #[arg(long, value_name = "FILE")]
    pinset: String,
    /// The bundle to write
    #[arg(short, long, value_name = "FILE")]
    output: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Write what an app compiles in: where its trust begins.
#[derive(Args)]
#[command(after_help = "\
Example:
  pinfold embed --root root-2.json --pinset pinset.dsse.json --audience android:com.example.bank \\
      --update-url https://pins.example-cdn.net/v1/bundle.json \\
      --update-url https://pins.example-dr.org/v1/bundle.json -o pinfold.json")]
pub(crate) struct EmbedArguments {
    /// The newest signed root
    #[arg(long, value_name = "FILE")]
    root: String,
    /// The newest signed pin set
    #[arg(long, value_name = "FILE")]
    pinset: String,
    /// The app's own name among those that the pin set is for
    #[arg(long, value_name = "NAME")]
    audience: String,
    /// Where updates come from, in this order
    #[arg(long = "update-url", value_name = "URL", required = true)]
    update_urls: Vec<String>,
    /// When the app is built: no right clock says less [default: now]
    #[arg(long, value_name = "RFC3339")]
    built: Option<String>,
    /// Let documents say `"on_lapse": "block"`: a pin set that is forgotten then locks users out
    #[arg(long)]
    allow_block: bool,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    output: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn bundle(arguments: &BundleArguments) -> Result<(), Failure> {
    let roots = arguments.roots.iter().map(|path| RootFile::read_in_field(path));
    let mut roots = roots.collect::<Result<Vec<_>, _>>()?;
    roots.sort_by_key(|root| root.root.version());
    if let Some((newest, older)) = roots.split_last() {
        newest.expect_known()?;
        for root in older {
            document::warn_unknown(&root.path, "", Kind::Root, &root.envelope);
        }
    }
    root_file::expect_chain(&roots)?;
    let pinset = document::read_envelope(&arguments.pinset, Kind::Pinset)?;
    let last = roots.last().ok_or_else(|| Failure::input("--root", "missing"))?;
    root_file::expect_pinset(last, &arguments.pinset, &pinset)?;

    let versions: Vec<_> = roots.iter().map(|root| root.root.version()).collect();
    let roots = roots.into_iter().map(|root| root.envelope).collect();
    let json = Bundle { roots, pinset }.to_json();
    // So many roots may be too many.
    Bundle::parse(&json).map_err(|e| Failure::rejected(&arguments.output, e))?;
    output::write_file(&arguments.output, &json)?;
    if arguments.json {
        return output::print_json(&json!({
            "output": arguments.output, "bytes": json.len(), "roots": versions,
        }));
    }
    let versions: Vec<_> = versions.iter().map(ToString::to_string).collect();
    output::print_words(&[
        ("output", arguments.output.clone()),
        ("bytes", json.len().to_string()),
        ("roots", versions.join(", ")),
    ])
}

pub(crate) fn embed(arguments: &EmbedArguments) -> Result<(), Failure> {
    let root = RootFile::read(&arguments.root)?;
    root_file::expect_chain(std::slice::from_ref(&root))?;
    let pinset = document::read_envelope(&arguments.pinset, Kind::Pinset)?;
    let built = when::time_or_now("--built", arguments.built.as_deref())?;
    let text = format!(
        "{:#}\n",
        json!({
            "embedded": 1,
            "root": root.envelope.to_json(),
            "pinset": pinset.to_json(),
            "stream": root.root.stream(),
            "audience": arguments.audience,
            "update_urls": arguments.update_urls,
            "built": format_rfc3339_utc(built),
            "allow_block": arguments.allow_block,
        }),
    );
    let embedded =
        Embedded::parse(text.as_bytes()).map_err(|e| Failure::rejected(&arguments.output, e))?;
    let state =
        State::from_embedded(&embedded).map_err(|e| Failure::rejected(&arguments.pinset, e))?;
    output::write_file(&arguments.output, text.as_bytes())?;
    let order = state.order();
    if arguments.json {
        return output::print_json(&json!({
            "output": arguments.output, "stream": root.root.stream(), "audience": arguments.audience,
            "root_version": order.root, "version": order.pinset, "epoch": order.epoch,
        }));
    }
    output::print_words(&[
        ("output", arguments.output.clone()),
        ("stream", root.root.stream().to_owned()),
        ("audience", arguments.audience.clone()),
        ("root", order.root.to_string()),
        ("pin set", format!("{} of epoch {}", order.pinset, order.epoch)),
    ])
}
