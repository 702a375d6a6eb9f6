//! What a phone meets when it asks a URL: the network it is in, and mirrors of every kind.

use super::chance::Chance;
use super::owner::{DAY, DOCUMENT, EMBEDDED, History, THIEF, What};
use crate::update::kept::Digest;

/// What goes wrong for a phone, in all of its 120 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    None,
    /// Three mirrors of four stay where they were for weeks.
    Stuck,
    /// Three of four are an attacker's: old bundles, those of a stolen key, lies about what is new,
    /// rubbish, silence.
    Hostile,
    /// Three of four take connections and say nothing; the fourth takes its time.
    Slow,
    /// Genuine bundles under validators that freeze whoever sends them back.
    Validators,
    /// At work the company's proxy lets nothing through that the channel knows of.
    Proxy,
    /// Three networks of ten answer everything with a page to log in.
    Portal,
    /// The date is wrong by hours or years, and jumps.
    Clock,
    /// The process dies at any point, also within a look.
    Death,
}

impl Trouble {
    pub(super) const ALL: [Self; 9] = [
        Self::None,
        Self::Stuck,
        Self::Hostile,
        Self::Slow,
        Self::Validators,
        Self::Proxy,
        Self::Portal,
        Self::Clock,
        Self::Death,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Stuck => "stuck mirrors",
            Self::Hostile => "hostile mirrors",
            Self::Slow => "hanging mirrors",
            Self::Validators => "any validator",
            Self::Proxy => "company proxy",
            Self::Portal => "captive portal",
            Self::Clock => "wrong clock",
            Self::Death => "process death",
        }
    }
}

/// An answer, and how long it takes, in milliseconds; none is no answer at all.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) after: Option<u64>,
    pub(super) what: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    /// 304.
    Known,
    /// The bundle of this number in the history, and the validator that the server gives with it.
    Bundle {
        number: usize,
        tag: Digest,
    },
    /// A page that is no bundle.
    Page,
    Failed,
}

/// What every file of some second has as its validator, or a careless server's `*`.
pub(super) fn wild() -> Digest {
    Digest::of(b"*")
}

/// What is newest at `at`, of the owner's or of anybody's.
pub(super) fn newest(history: &History, at: u64, thief: bool) -> usize {
    let is_out = |i: &usize| {
        let one = &history.published[*i];
        one.at <= at && (thief || one.what != What::Theft)
    };
    (0..history.published.len()).rev().find(is_out).unwrap_or(0)
}

/// The network that a phone is in for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    Open,
    /// Nothing of the channel comes through.
    Closed,
    /// Everything is answered with a page.
    Portal,
}

/// Asks `url` at `at` (seconds); `known` is the validator sent along.
pub(super) fn ask(
    history: &History,
    trouble: Trouble,
    network: Network,
    url: &str,
    known: Option<Digest>,
    at: u64,
    chance: &mut Chance,
) -> Reply {
    let after = Some(50 + chance.below(350));
    match network {
        Network::Closed => return Reply { after, what: Content::Failed },
        Network::Portal if chance.percent(50) => return Reply { after, what: Content::Page },
        Network::Portal => return Reply { after, what: Content::Failed },
        Network::Open => {}
    }
    // The one that is honest whatever the trouble is.
    let honest = url == EMBEDDED[1];
    // A CDN has what is published within five minutes.
    let now = newest(history, at.saturating_sub(chance.below(300)), false);
    let bundle = |number: usize, tag: Digest| {
        let what = match known {
            Some(known) if known == tag || known == wild() => Content::Known,
            _ => Content::Bundle { number, tag },
        };
        Reply { after, what }
    };
    let own = |number: usize| Digest::of(&history.published[number].bundle);
    if url.starts_with(THIEF) {
        return bundle(newest(history, at, true), own(0));
    }
    match trouble {
        Trouble::Stuck if !honest => {
            // Each at a bundle of its own, for three weeks at a time.
            let weeks = at / (21 * DAY) * 21 * DAY;
            let offset = u64::from(url == DOCUMENT[0]) * 5 * DAY;
            let number = newest(history, weeks.saturating_sub(offset), false);
            bundle(number, own(number))
        }
        Trouble::Hostile if !honest => match chance.below(6) {
            0 if known.is_some() => Reply { after, what: Content::Known },
            1 => bundle(0, wild()),
            2 => bundle(chance.below(now as u64 + 1) as usize, wild()),
            3 => Reply { after, what: Content::Page },
            4 => Reply { after: None, what: Content::Failed },
            _ => bundle(newest(history, at, true), wild()),
        },
        Trouble::Slow if !honest => Reply { after: None, what: Content::Failed },
        Trouble::Slow => {
            let Reply { what, .. } = bundle(now, own(now));
            Reply { after: Some(500 + chance.below(2_500)), what }
        }
        Trouble::Validators => match chance.below(4) {
            0 => bundle(now, wild()),
            // Of files of one length, published within one second.
            1 => bundle(now, Digest::of(b"65a1-20f")),
            // Of what is withheld as yet.
            2 => bundle(now, own((now + 1).min(history.published.len() - 1))),
            _ => bundle(now, own(now)),
        },
        _ if chance.percent(2) => Reply { after, what: Content::Failed },
        _ => bundle(now, own(now)),
    }
}
