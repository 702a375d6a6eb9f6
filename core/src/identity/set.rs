//! Which identity is whose.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ClientIdentity;

/// Identities by whom they are for: a host of a session. They may change at any time.
#[derive(Debug)]
pub(crate) struct Identities<K>(Mutex<HashMap<K, ClientIdentity>>);

impl<K> Default for Identities<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Identities<K> {
    pub(crate) fn of(&self, whose: &K) -> Option<ClientIdentity> {
        self.lock().get(whose).cloned()
    }

    /// From now on.
    pub(crate) fn set(&self, whose: K, identity: Option<ClientIdentity>) {
        match identity {
            Some(identity) => self.lock().insert(whose, identity),
            None => self.lock().remove(&whose),
        };
    }

    /// Forgets all but these.
    pub(crate) fn retain(&self, is_kept: impl Fn(&K) -> bool) {
        self.lock().retain(|whose, _| is_kept(whose));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, ClientIdentity>> {
        // The map is whole at every point where a panic could leave it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
