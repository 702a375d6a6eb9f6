//! `pinfold root`: which keys count. Writes envelopes that nobody has signed yet.

use clap::{Args, Subcommand};
use pinfold_core::format_rfc3339_utc;
use pinfold_core::pinset::{Envelope, ROOT_TYPE};
use serde_json::{Value, json};

use crate::document::Kind;
use crate::failure::Failure;
use crate::root_file::RootFile;
use crate::{document, draft, output, terminal, when};

/// Two years: a ceremony a year leaves room for one that fails.
const VALIDITY: u64 = 730 * 86_400;

/// Say which keys sign, how many of them must, and what pin sets may say.
///
/// Each command writes a root without signatures; then `pinfold sign` or `tbs` and `attach`. A root
/// that follows another needs enough signatures by the keys of both.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Init(Init),
    AddKey(AddKey),
    Rotate(Rotate),
}

/// Make the first root of a series.
#[derive(Args)]
#[command(after_help = "\
Example:
  pinfold root init --stream com.example.bank/prod --threshold 2 \\
      --key root-a=root-a.pem.pub --key root-b=root-b.pem.pub --key root-c=root-c.pem.pub \\
      --pinset-key pin-kms=kms.pub.pem --pinset-key pin-spare=spare.pem.pub \\
      --hosts example.com --max-validity-days 120 --max-grace-days 90 -o root-1.json")]
struct Init {
    /// The name of the series; every document and app says it
    #[arg(long)]
    stream: String,
    /// A key that signs roots
    #[arg(long = "key", value_name = "ID=PUB.pem", required = true)]
    keys: Vec<String>,
    /// How many of them must
    #[arg(long, value_name = "N")]
    threshold: usize,
    /// A key that signs pin sets
    #[arg(long = "pinset-key", value_name = "ID=PUB.pem", required = true)]
    pinset_keys: Vec<String>,
    /// How many of them must
    #[arg(long, value_name = "N", default_value_t = 1)]
    pinset_threshold: usize,
    #[command(flatten)]
    bounds: Bounds,
    #[command(flatten)]
    common: Common,
}

/// Make the next root with one more key.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("added").required(true).multiple(true), after_help = "\
Example:
  pinfold root add-key root-1.json --pinset-key pin-spare=spare.pem.pub -o root-2.json")]
struct AddKey {
    /// The root before
    file: String,
    /// A key that signs roots
    #[arg(long = "key", value_name = "ID=PUB.pem", group = "added")]
    keys: Vec<String>,
    /// A key that signs pin sets
    #[arg(long = "pinset-key", value_name = "ID=PUB.pem", group = "added")]
    pinset_keys: Vec<String>,
    #[command(flatten)]
    thresholds: Thresholds,
    #[command(flatten)]
    common: Common,
}

/// Make the next root, with other keys or a later end.
///
/// What is not said anew stays as it was: keys, thresholds and constraints. --hosts, the longest
/// validity and grace and --inspection each replace what the root before says of it; a constraint
/// can be changed and not be taken away.
///
/// With --recover it begins an epoch: the versions of pin sets start anew, so that one that a thief
/// has driven up is left behind. Sign the next pin set with that epoch.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold root rotate root-1.json --add root-d=d.pem.pub --drop root-c -o root-2.json
  pinfold root rotate root-2.json --pinset-add pin-2=p.pub --pinset-drop pin-1 --recover \\
      -o root-3.json
  pinfold root rotate root-3.json -o root-4.json        the same keys for another two years")]
struct Rotate {
    /// The root before
    file: String,
    /// A key that signs roots from now on
    #[arg(long, value_name = "ID=PUB.pem")]
    add: Vec<String>,
    /// A key that no longer signs roots
    #[arg(long, value_name = "ID")]
    drop: Vec<String>,
    /// A key that signs pin sets from now on
    #[arg(long, value_name = "ID=PUB.pem")]
    pinset_add: Vec<String>,
    /// A key that no longer signs pin sets
    #[arg(long, value_name = "ID")]
    pinset_drop: Vec<String>,
    /// Begin an epoch
    #[arg(long)]
    recover: bool,
    #[command(flatten)]
    thresholds: Thresholds,
    #[command(flatten)]
    bounds: Bounds,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Thresholds {
    /// How many root keys must sign [default: as before]
    #[arg(long, value_name = "N")]
    threshold: Option<usize>,
    /// How many pin set keys must sign [default: as before]
    #[arg(long, value_name = "N")]
    pinset_threshold: Option<usize>,
}

/// What pin sets may say: the bounds of what a stolen key can do.
#[derive(Args)]
struct Bounds {
    /// The hosts that they may name, with all below them [default: any]
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    hosts: Vec<String>,
    /// Their longest validity
    #[arg(long, value_name = "N")]
    max_validity_days: Option<u64>,
    /// Their longest grace after that
    #[arg(long, value_name = "N")]
    max_grace_days: Option<u64>,
    /// Whether they may name inspection authorities
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    inspection: Option<bool>,
}

#[derive(Args)]
struct Common {
    /// When it is issued [default: now]
    #[arg(long, value_name = "RFC3339")]
    issued: Option<String>,
    /// No pin set under it is valid for longer [default: 730 days after the issue]
    #[arg(long, value_name = "RFC3339")]
    expires: Option<String>,
    /// The envelope to write; must not exist
    #[arg(short, long, value_name = "FILE")]
    output: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(crate) fn json(&self) -> bool {
        match &self.action {
            Action::Init(Init { common, .. })
            | Action::AddKey(AddKey { common, .. })
            | Action::Rotate(Rotate { common, .. }) => common.json,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.action {
        Action::Init(init) => {
            let no_role = |threshold| json!({ "keys": [], "threshold": threshold });
            let mut root = json!({
                "schema": 1, "crit": [], "stream": init.stream, "version": 1, "epoch": 0,
                "keys": [], "constraints": {},
                "roles": {
                    "root": no_role(init.threshold), "pinset": no_role(init.pinset_threshold),
                },
            });
            add(&mut root, "root", "--key", &init.keys)?;
            add(&mut root, "pinset", "--pinset-key", &init.pinset_keys)?;
            init.bounds.apply(&mut root);
            init.common.write(root)
        }
        Action::AddKey(more) => {
            let mut root = next(&more.file, false)?;
            add(&mut root, "root", "--key", &more.keys)?;
            add(&mut root, "pinset", "--pinset-key", &more.pinset_keys)?;
            more.thresholds.apply(&mut root);
            more.common.write(root)
        }
        Action::Rotate(rotate) => {
            let mut root = next(&rotate.file, rotate.recover)?;
            // Away first: an id may go to another key.
            drop_keys(&mut root, "root", "--drop", &rotate.drop)?;
            drop_keys(&mut root, "pinset", "--pinset-drop", &rotate.pinset_drop)?;
            forget_unused_keys(&mut root);
            add(&mut root, "root", "--add", &rotate.add)?;
            add(&mut root, "pinset", "--pinset-add", &rotate.pinset_add)?;
            rotate.thresholds.apply(&mut root);
            rotate.bounds.apply(&mut root);
            rotate.common.write(root)
        }
    }
}

/// The root after the one in a file, as yet without times.
fn next(path: &str, recover: bool) -> Result<Value, Failure> {
    let before = RootFile::read(path)?;
    // Members that this version does not know stay.
    let payload = serde_json::from_slice(&before.envelope.payload);
    let mut root: Value = payload.map_err(|e| Failure::input(path, e))?;
    root["version"] = json!(before.root.version() + 1);
    root["epoch"] = json!(before.root.epoch() + u64::from(recover));
    Ok(root)
}

fn list<'a>(value: &'a mut Value, place: &str) -> Result<&'a mut Vec<Value>, Failure> {
    value.as_array_mut().ok_or_else(|| Failure::input(place, "not a list in the root before"))
}

/// Adds keys to a role; a key of the other role is not listed twice.
fn add(root: &mut Value, role: &str, option: &str, keys: &[String]) -> Result<(), Failure> {
    for text in keys {
        let (id, key) = draft::named_key(option, text)?;
        let known = list(&mut root["keys"], "keys")?;
        match known.iter().find(|known| known["id"] == key["id"]) {
            None => known.push(key),
            Some(there) if there["spki"] == key["spki"] => {}
            Some(_) => {
                return Err(Failure::input(option, format!("{id:?} is the id of another key")));
            }
        }
        let ids = list(&mut root["roles"][role]["keys"], "roles")?;
        if ids.contains(&json!(id)) {
            return Err(Failure::input(option, format!("{id:?} has this role already")));
        }
        ids.push(json!(id));
    }
    Ok(())
}

fn drop_keys(root: &mut Value, role: &str, option: &str, ids: &[String]) -> Result<(), Failure> {
    for id in ids {
        let there = list(&mut root["roles"][role]["keys"], "roles")?;
        let before = there.len();
        there.retain(|known| known != id);
        if there.len() == before {
            return Err(Failure::input(option, format!("no {role} key {id:?} in the root before")));
        }
    }
    Ok(())
}

fn forget_unused_keys(root: &mut Value) {
    let used: Vec<Value> = ["root", "pinset"]
        .iter()
        .filter_map(|role| root["roles"][role]["keys"].as_array().cloned())
        .flatten()
        .collect();
    if let Some(keys) = root["keys"].as_array_mut() {
        keys.retain(|key| used.contains(&key["id"]));
    }
}

impl Thresholds {
    fn apply(&self, root: &mut Value) {
        for (role, n) in [("root", self.threshold), ("pinset", self.pinset_threshold)] {
            if let Some(n) = n {
                root["roles"][role]["threshold"] = json!(n);
            }
        }
    }
}

impl Bounds {
    fn apply(&self, root: &mut Value) {
        if !self.hosts.is_empty() {
            root["constraints"]["hosts"] = json!(self.hosts);
        }
        for (member, n) in
            [("max_validity_days", self.max_validity_days), ("max_grace_days", self.max_grace_days)]
        {
            if let Some(n) = n {
                root["constraints"][member] = json!(n);
            }
        }
        if let Some(inspection) = self.inspection {
            root["constraints"]["inspection"] = json!(inspection);
        }
    }
}

impl Common {
    /// Writes the root once the library has read it.
    fn write(&self, mut root: Value) -> Result<(), Failure> {
        let issued = when::time_or_now("--issued", self.issued.as_deref())?;
        let expires = match &self.expires {
            Some(_) => when::time_or_now("--expires", self.expires.as_deref())?,
            None => issued.saturating_add(VALIDITY),
        };
        root["issued"] = json!(format_rfc3339_utc(issued));
        root["expires"] = json!(format_rfc3339_utc(expires));
        let envelope = Envelope {
            payload_type: ROOT_TYPE.to_owned(),
            payload: format!("{root:#}").into_bytes(),
            signatures: Vec::new(),
        };
        let root = RootFile::of(&self.output, envelope)?;
        output::write_new(&self.output, document::text(&root.envelope).as_bytes(), false)?;

        let of = |kind| (root.ids(kind), root.role(kind).threshold());
        let ((keys, threshold), (pinset_keys, pinset_threshold)) =
            (of(Kind::Root), of(Kind::Pinset));
        let read = &root.root;
        if threshold < 2 {
            terminal::warn("one root key alone decides: whoever steals it has every app");
        } else if keys.len() == threshold {
            terminal::warn("every root key must sign: one that is lost ends the series");
        }
        if self.json {
            return output::print_json(&json!({
                "output": self.output, "stream": read.stream(),
                "version": read.version(), "epoch": read.epoch(),
                "issued": format_rfc3339_utc(issued), "expires": format_rfc3339_utc(expires),
                "root": { "keys": keys, "threshold": threshold },
                "pinset": { "keys": pinset_keys, "threshold": pinset_threshold },
            }));
        }
        let role = |ids: &[&str], threshold| format!("{threshold} of {}", ids.join(", "));
        output::print_words(&[
            ("output", self.output.clone()),
            ("root", format!("{} of {}", read.version(), read.stream())),
            ("epoch", read.epoch().to_string()),
            ("expires", format_rfc3339_utc(expires)),
            ("roots by", role(&keys, threshold)),
            ("pins by", role(&pinset_keys, pinset_threshold)),
        ])
    }
}
