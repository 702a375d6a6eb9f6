//! What may be wrong with a host, a pin set or a mirror: a closed set of codes, for programs.

use serde_json::{Value, json};

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Code {
    Unreachable,
    Refused,
    Mismatch,
    NoSpare,
    CertificateEnds,
    Inspected,
    ChainChanged,
    EntryEnds,
    DocumentEnds,
    MirrorUnreachable,
    MirrorUnreadable,
    MirrorRejected,
    MirrorStale,
    MirrorUnknown,
    MirrorEquivocates,
}

/// A code, its name, and what it means.
pub(super) type Row = (Code, &'static str, &'static str);

/// All of them.
pub(super) const CODES: &[Row] = &[
    (Code::Unreachable, "unreachable", "the server cannot be asked from here"),
    (
        Code::Refused,
        "refused",
        "clients refuse it: no pin matches, it is not trusted, or a key is blocked",
    ),
    (Code::Mismatch, "mismatch", "the same, where the entry only reports"),
    (Code::NoSpare, "no_spare", "every pin is of something that is in use"),
    (
        Code::CertificateEnds,
        "certificate_ends",
        "the server's certificate ends within --warn-days, or has ended",
    ),
    (
        Code::Inspected,
        "inspected",
        "the server has the key of its own issuer: a proxy that inspects is in between",
    ),
    (
        Code::ChainChanged,
        "chain_changed",
        "the key or an authority is not that of the last time (`--seen`)",
    ),
    (Code::EntryEnds, "entry_ends", "the entry ends within --warn-days, or has ended"),
    (Code::DocumentEnds, "document_ends", "the pin set ends within --warn-days, or has ended"),
    (
        Code::MirrorUnreachable,
        "mirror_unreachable",
        "an update URL cannot be asked, or does not answer with 200",
    ),
    (Code::MirrorUnreadable, "mirror_unreadable", "what it has is no bundle"),
    (Code::MirrorRejected, "mirror_rejected", "an app in the field refuses what it has"),
    (Code::MirrorStale, "mirror_stale", "it has an older bundle of git's history"),
    (
        Code::MirrorUnknown,
        "mirror_unknown",
        "it has a pin set that was never in git: somebody else has signed it",
    ),
    (
        Code::MirrorEquivocates,
        "mirror_equivocates",
        "it has another pin set under a version that is in git, or not the one that other mirrors have",
    ),
];

impl Code {
    pub(super) fn name(self) -> &'static str {
        let row = CODES.iter().find(|(code, ..)| *code == self);
        row.map(|(_, name, _)| *name).expect("the table has a row for each")
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) code: Code,
    pub(super) text: String,
}

impl Trouble {
    pub(super) fn new(code: Code, text: String) -> Self {
        Self { code, text }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({ "code": self.code.name(), "text": self.text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs;

    #[test]
    fn the_documentation_has_every_code() {
        assert!(CODES.is_sorted_by_key(|(code, ..)| *code));
        let rows =
            CODES.iter().map(|(_, name, text)| vec![format!("`{name}`"), (*text).to_owned()]);
        docs::expect_table("troubles", &["code", "what is wrong"], rows.collect());
    }
}
