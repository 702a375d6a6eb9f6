//! Keys that the owner has withdrawn.

use std::collections::BTreeSet;

use super::spki::SpkiSha256;

/// Keys that no path may contain, whatever vouches for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Blocked(BTreeSet<SpkiSha256>);

impl Blocked {
    pub(crate) fn new(keys: BTreeSet<SpkiSha256>) -> Self {
        Self(keys)
    }

    pub(crate) fn contains(&self, key: &SpkiSha256) -> bool {
        self.0.contains(key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn first_of(
        &self,
        mut keys: impl Iterator<Item = SpkiSha256>,
    ) -> Option<SpkiSha256> {
        keys.find(|key| self.contains(key))
    }
}
