//! `pinfold inspect`: authorities that may inspect an organisation's own connections.

use clap::{Args, Subcommand};
use pinfold_core::format_rfc3339_utc;
use pinfold_core::pin::{PinDigest, PinState};

use super::source::{self, Manner};
use super::text::{Step, quoted};
use super::{Common, Draft, inline, inline_list};
use crate::failure::Failure;
use crate::when;

/// The longest that lint lets an authority be named for.
const YEAR: u64 = 365 * 86_400;

/// Let an organisation inspect its own devices' connections, or no longer.
///
/// Neither the owner's signature nor the device's management is enough alone: docs/pin-sets.md,
/// "Inspection by consent".
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Add(Add),
    Remove(Remove),
}

/// Let an authority inspect.
#[derive(Args)]
#[command(after_help = "\
Example:
  pinfold inspect add pins.json acme-2026 --ca acme-proxy-ca.pem --host api.example.com \\
      --never auth.example.com --until 2027-03-31T00:00:00Z --root root-1.json")]
struct Add {
    #[command(flatten)]
    common: Common,
    /// What the device's management must name
    id: String,
    /// Its key: a pin, or the file of its certificate or public key
    #[arg(long, value_name = "PIN|FILE")]
    ca: String,
    /// A host that it may inspect; may be given several times
    #[arg(long = "host", value_name = "HOST", required = true)]
    hosts: Vec<String>,
    /// A host that it may not, with all below it
    #[arg(long = "never", value_name = "HOST")]
    never: Vec<String>,
    /// From when [default: the document's time of issue]
    #[arg(long, value_name = "RFC3339")]
    from: Option<String>,
    /// Until when [default: 365 days later]
    #[arg(long, value_name = "RFC3339")]
    until: Option<String>,
    /// The member of the managed configuration that names it
    #[arg(long, value_name = "NAME", default_value = "inspection_authority_id")]
    managed_config_key: String,
    /// Also where the platform cannot tell that an administrator has installed it, or tells that a
    /// user has
    #[arg(long)]
    installed_by_anybody: bool,
}

/// Let an authority no longer inspect.
#[derive(Args)]
struct Remove {
    #[command(flatten)]
    common: Common,
    /// Which
    id: String,
}

impl Arguments {
    pub(crate) fn json(&self) -> bool {
        match &self.action {
            Action::Add(Add { common, .. }) | Action::Remove(Remove { common, .. }) => common.json,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.action {
        Action::Add(add) => add.run(),
        Action::Remove(remove) => remove.run(),
    }
}

impl Add {
    fn run(&self) -> Result<(), Failure> {
        let mut draft = Draft::read(&self.common)?;
        let Some(signed) = draft.before.view().signed else {
            let reason = "static: only a signed pin set can let somebody inspect";
            return Err(Failure::input(&self.common.file, reason));
        };
        let how = Manner { at: None, label: None, carry: false };
        let pins = source::pins(&self.ca, PinState::Active, &how)?;
        let [pin] = pins.as_slice() else {
            return Err(Failure::input(&self.ca, "more than one key: name the authority's alone"));
        };
        let PinDigest::Spki(key) = pin.digest else {
            return Err(Failure::input(
                "--ca",
                "a certificate's digest where that of a key belongs",
            ));
        };
        let from = match &self.from {
            Some(_) => when::time_or_now("--from", self.from.as_deref())?,
            None => signed.issued,
        };
        let until = match &self.until {
            Some(_) => when::time_or_now("--until", self.until.as_deref())?,
            None => from.saturating_add(YEAR),
        };
        let names = |option: &str, names: &[String]| -> Result<String, Failure> {
            let names = names.iter().map(|name| super::host_name(option, name));
            Ok(inline_list(&names.collect::<Result<Vec<_>, _>>()?))
        };
        let key = key.to_string();
        let by_admin = !self.installed_by_anybody;
        let require = inline(&[
            ("managed_config", Some("true".to_owned())),
            ("managed_config_key", Some(quoted(&self.managed_config_key))),
            ("ca_installed_by_admin", Some(by_admin.to_string())),
        ]);
        let members = [
            ("id", quoted(&self.id)),
            ("spki_sha256", quoted(key.trim_start_matches("sha256/"))),
            ("mode", quoted("allow")),
            ("hosts", names("--host", &self.hosts)?),
            ("never_hosts", names("--never", &self.never)?),
            ("not_before", quoted(&format_rfc3339_utc(from))),
            ("not_after", quoted(&format_rfc3339_utc(until))),
            ("require", require),
        ];
        let lines = members.map(|(name, value)| format!("  {}: {value}", quoted(name)));
        draft.push_to("inspection_authorities", &format!("{{\n{}\n}}", lines.join(",\n")))?;
        draft.finish()
    }
}

impl Remove {
    fn run(&self) -> Result<(), Failure> {
        let mut draft = Draft::read(&self.common)?;
        let json = draft.json();
        let list = json["inspection_authorities"].as_array();
        let i = list.and_then(|list| list.iter().position(|known| known["id"] == self.id.as_str()));
        let i = i.ok_or_else(|| {
            Failure::input(&self.common.file, format!("no inspection authority {:?}", self.id))
        })?;
        draft.remove(&[Step::Member("inspection_authorities"), Step::Item(i)])?;
        draft.finish()
    }
}
