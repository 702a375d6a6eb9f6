//! A difference between two pin sets, and the table of all kinds of them.

use pinfold_core::pin::HostName;
use serde_json::{Value, json};

/// What a difference does to those who rely on the pins; the most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effect {
    /// Something is accepted that was refused, or refused less often.
    Weakens,
    /// Something is refused that was accepted: it may lock clients out.
    Tightens,
    /// Neither, or a plain addition.
    Changes,
}

impl Effect {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Weakens => "weakens",
            Self::Tightens => "tightens",
            Self::Changes => "changes",
        }
    }
}

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Entry,
    Subdomains,
    Mode,
    Trust,
    Anchors,
    Pin,
    PinAt,
    PinState,
    Carried,
    Expires,
    OnLapse,
    Blocked,
    Inspection,
    Grace,
    Audience,
    Order,
    Validity,
    Update,
    Reporting,
    Form,
    Note,
}

/// One row of the table: a kind, what it is called, and when it has each effect; `-` for never.
type Row = (Kind, &'static str, [&'static str; 3]);

/// Every kind of difference.
pub(crate) const KINDS: &[Row] = &[
    (
        Kind::Entry,
        "entry",
        [
            "an entry that refuses or reports is gone; a new one is `off`",
            "-",
            "a new entry enforces or reports; an entry that was `off` is gone",
        ],
    ),
    (
        Kind::Subdomains,
        "subdomains",
        [
            "names below a host were covered and are not any more",
            "-",
            "names below a host are covered now",
        ],
    ),
    (
        Kind::Mode,
        "mode",
        [
            "from `enforce` to `report_only` or `off`, from `report_only` to `off`, or a smaller \
         `enforce_percent`",
            "the other way",
            "-",
        ],
    ),
    (
        Kind::Trust,
        "trust",
        ["`private_ca` to `system_and_pin`, or any to `pin_only`", "the other way", "-"],
    ),
    (Kind::Anchors, "anchors", ["an authority of `private_ca` more", "one less", "-"]),
    (
        Kind::Pin,
        "pin",
        [
            "a pin more that an authority can match (`ca`, `any`): every certificate below it is accepted",
            "a pin less: servers that still present it are refused",
            "a pin more of an end-entity (`leaf`), or where nothing was refused; a pin less where nothing is; a label",
        ],
    ),
    (
        Kind::PinAt,
        "pin_at",
        [
            "a pin matches at a place more, or at authorities in place of the end-entity",
            "at a place less, or at the end-entity in place of authorities",
            "-",
        ],
    ),
    (Kind::PinState, "pin_state", ["-", "-", "`active`, `backup` or `retiring`"]),
    (
        Kind::Carried,
        "carried",
        ["-", "-", "certificates of pinned authorities that the entry carries"],
    ),
    (
        Kind::Expires,
        "expires",
        [
            "the entry ends earlier than the document, or earlier than before",
            "later than before",
            "-",
        ],
    ),
    (Kind::OnLapse, "on_lapse", ["`block` to `system_trust`", "the other way", "-"]),
    (Kind::Blocked, "blocked", ["a key is no longer blocked", "a key is blocked", "-"]),
    (
        Kind::Inspection,
        "inspection",
        [
            "an authority may inspect what none might before",
            "one may no longer inspect, or less",
            "-",
        ],
    ),
    (Kind::Grace, "grace", ["a longer grace", "-", "a shorter one"]),
    (Kind::Audience, "audience", ["-", "-", "an app more or less that the document is for"]),
    (Kind::Order, "order", ["-", "-", "the version or the epoch"]),
    (Kind::Validity, "validity", ["-", "-", "the time of issue or the end"]),
    (Kind::Update, "update", ["-", "-", "where and how often clients look for the next one"]),
    (Kind::Reporting, "reporting", ["-", "-", "where and how much is reported"]),
    (Kind::Form, "form", ["-", "-", "another series, or signed in place of static"]),
    (Kind::Note, "note", ["-", "-", "the note"]),
];

impl Kind {
    fn row(self) -> &'static Row {
        KINDS.iter().find(|(kind, ..)| *kind == self).expect("the table has a row for each")
    }

    pub(crate) fn name(self) -> &'static str {
        self.row().1
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) effect: Effect,
    pub(crate) kind: Kind,
    /// Of whose entry, if of one.
    pub(crate) host: Option<HostName>,
    pub(crate) text: String,
}

impl Change {
    pub(crate) fn new(effect: Effect, kind: Kind, host: Option<&HostName>, text: String) -> Self {
        Self { effect, kind, host: host.cloned(), text }
    }

    /// One line, for people.
    pub(crate) fn words(&self) -> String {
        let effect = match self.effect {
            Effect::Weakens => "WEAKENS",
            Effect::Tightens => "TIGHTENS",
            Effect::Changes => "CHANGES",
        };
        match &self.host {
            Some(host) => format!("{effect}: {host} {}", self.text),
            None => format!("{effect}: {}", self.text),
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let Self { effect, kind, host, text } = self;
        let host = host.as_ref().map(HostName::as_str);
        json!({ "effect": effect.name(), "kind": kind.name(), "host": host, "text": text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs;

    #[test]
    fn the_documentation_has_every_kind() {
        let head = ["kind", "WEAKENS", "TIGHTENS", "CHANGES"];
        let rows = KINDS.iter().map(|(_, name, when)| {
            let name = format!("`{name}`");
            [&[name.as_str()], when.as_slice()].concat().into_iter().map(str::to_owned).collect()
        });
        docs::expect_table("diff", &head, rows.collect());
    }
}
