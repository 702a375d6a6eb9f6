//! `pinfold block`: a key that no path may contain any more.

use clap::Args;
use pinfold_core::pin::{PinDigest, PinState, SpkiSha256};

use super::source::{self, Manner};
use super::text::{Step, quoted};
use super::{Common, Draft};
use crate::failure::Failure;
use crate::terminal;

/// Block keys: a stolen one, or that of an authority which must not vouch for anything.
///
/// A blocked key is refused for every host and whatever vouches for it, also where it is pinned.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold block pins.json sha256/YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=
  pinfold block pins.json stolen.pem
  pinfold block pins.json stolen.pem --lift        it is blocked no longer")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The keys: pins, or files of certificates, requests or public keys
    #[arg(value_name = "PIN|FILE", required = true)]
    keys: Vec<String>,
    /// Do not block them any more
    #[arg(long)]
    lift: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut draft = Draft::read(&arguments.common)?;
    for text in &arguments.keys {
        let how = Manner { at: None, label: None, carry: false };
        for pin in source::pins(text, PinState::Active, &how)? {
            let PinDigest::Spki(key) = pin.digest else {
                return Err(Failure::input(text, "a certificate; only keys can be blocked"));
            };
            if arguments.lift { lift(&mut draft, key)? } else { block(&mut draft, key)? }
        }
    }
    let view = draft.before.view();
    for entry in view.entries.iter().filter(|_| !arguments.lift) {
        let blocked = draft.after()?.view().blocked;
        let left = entry.pins.iter().filter(|pin| !blocked.contains(&pin.digest)).count();
        if left < entry.pins.len() {
            let host = &entry.host;
            terminal::warn(&format!(
                "{host} pins a blocked key, which counts no more: {left} of its pins do"
            ));
        }
    }
    draft.finish()
}

fn position(draft: &Draft<'_>, key: SpkiSha256) -> Option<usize> {
    let json = draft.json();
    let wanted = PinDigest::Spki(key);
    json["blocked_spki"].as_array()?.iter().position(|text| {
        text.as_str().is_some_and(|text| format!("sha256/{text}").parse() == Ok(wanted))
    })
}

fn block(draft: &mut Draft<'_>, key: SpkiSha256) -> Result<(), Failure> {
    if position(draft, key).is_some() {
        return Err(Failure::input(&draft.common.file, format!("{key} is blocked already")));
    }
    let text = key.to_string();
    draft.push_to("blocked_spki", &quoted(text.trim_start_matches("sha256/")))
}

fn lift(draft: &mut Draft<'_>, key: SpkiSha256) -> Result<(), Failure> {
    let i = position(draft, key)
        .ok_or_else(|| Failure::input(&draft.common.file, format!("{key} is not blocked")))?;
    draft.remove(&[Step::Member("blocked_spki"), Step::Item(i)])
}
