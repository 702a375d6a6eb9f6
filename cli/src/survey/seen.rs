//! What servers presented the last time: a file, so that the next look can say what has changed.

use super::server::Answer;
use super::sights::{self, Sight, Sights};
use crate::failure::Failure;
use crate::file::File;
use crate::output;

/// What was presented, by `HOST:PORT`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen(Sights);

/// What has changed since the last time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// When that was.
    pub(crate) since: u64,
    /// Whether the end-entity has another key.
    pub(crate) leaf: bool,
    /// Pins of authorities that were not there.
    pub(crate) issuers: Vec<String>,
}

impl Seen {
    /// Reads the file; one that is not there yet is empty.
    pub(crate) fn read(path: &str) -> Result<Self, Failure> {
        if !std::path::Path::new(path).exists() {
            return Ok(Self::default());
        }
        let file = File::read(path)?;
        let json = file.json()?;
        sights::of(&json).map(Self).ok_or_else(|| file.wrong("not what --seen has written"))
    }

    /// Writes the file, whole or not at all.
    pub(crate) fn write(&self, path: &str) -> Result<(), Failure> {
        output::write_file(path, format!("{:#}\n", sights::to_json(&self.0)).as_bytes())
    }

    /// What has changed since the last time, where there was one.
    pub(crate) fn difference(&self, target: &str, answer: &Answer) -> Option<Difference> {
        let before = self.0.get(target)?;
        let keys: Vec<_> = answer.keys().map(|key| key.to_string()).collect();
        let new = keys.iter().skip(1).filter(|key| !before.keys.contains(key));
        let difference = Difference {
            since: before.at,
            leaf: keys.first() != before.keys.first(),
            issuers: new.cloned().collect(),
        };
        (difference.leaf || !difference.issuers.is_empty()).then_some(difference)
    }

    /// Keeps what is presented now.
    pub(crate) fn keep(&mut self, target: &str, answer: &Answer, at: u64) {
        let keys = answer.keys().map(|key| key.to_string()).collect();
        let until = answer.leaf().map_or(0, |leaf| leaf.not_after);
        self.0.insert(target.to_owned(), Sight { at, keys, until });
    }
}
