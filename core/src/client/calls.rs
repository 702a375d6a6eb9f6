//! The calls under way, for closing a client.

use std::sync::PoisonError;

use crate::cancel::CancelToken;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// Lists, so that calls that begin or end at the same time rarely meet at one lock.
const LISTS: usize = 16;

/// The calls of a client, until it is closed.
#[derive(Debug, Default)]
pub(super) struct Calls {
    closed: AtomicBool,
    lists: [Mutex<Vec<CancelToken>>; LISTS],
}

/// A call in its list.
pub(super) struct Listed<'a> {
    list: &'a Mutex<Vec<CancelToken>>,
    cancel: &'a CancelToken,
}

impl Calls {
    /// Lists a call; where the client is closed, it is cancelled.
    pub(super) fn begin<'a>(&'a self, cancel: &'a CancelToken) -> Listed<'a> {
        let list = &self.lists[cancel.number() % LISTS];
        lock(list).push(cancel.clone());
        // After the push: a close in between has either seen the call or is seen here.
        if self.is_closed() {
            cancel.cancel();
        }
        Listed { list, cancel }
    }

    /// Ends a call that has stayed listed; see [`Listed::keep`].
    pub(super) fn end(&self, cancel: &CancelToken) {
        remove(&self.lists[cancel.number() % LISTS], cancel);
    }

    /// Cancels them all, and those that begin later.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        for list in &self.lists {
            let calls = std::mem::take(&mut *lock(list));
            calls.iter().for_each(CancelToken::cancel);
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}

impl Listed<'_> {
    /// Stays listed beyond this scope; [`Calls::end`] with the same token must follow.
    pub(super) fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        remove(self.list, self.cancel);
    }
}

fn remove(list: &Mutex<Vec<CancelToken>>, cancel: &CancelToken) {
    let mut calls = lock(list);
    if let Some(i) = calls.iter().position(|call| call.is_same(cancel)) {
        calls.swap_remove(i);
    }
}

fn lock(list: &Mutex<Vec<CancelToken>>) -> MutexGuard<'_, Vec<CancelToken>> {
    // The list is whole at every point where a panic could leave it.
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn closing_cancels_what_runs_and_what_comes_and_nothing_that_has_ended() {
        let calls = Calls::default();
        let tokens = [(); 40].map(|()| CancelToken::new());
        let ended = CancelToken::new();
        drop(calls.begin(&ended));
        let _running = tokens.each_ref().map(|token| calls.begin(token));
        calls.close();
        assert!(calls.is_closed() && tokens.iter().all(CancelToken::is_cancelled));
        assert!(!ended.is_cancelled());
        let late = CancelToken::new();
        calls.begin(&late);
        assert!(late.is_cancelled());
    }
}

#[cfg(all(test, shuttle))]
mod interleavings {
    use std::sync::Arc;

    use shuttle::thread;

    use super::*;
    use crate::sync::in_every_order;

    #[test]
    fn a_call_that_begins_while_its_client_is_closed_is_ended() {
        in_every_order(|| {
            let (calls, cancel) = (Arc::new(Calls::default()), CancelToken::new());
            let closing = thread::spawn({
                let calls = calls.clone();
                move || calls.close()
            });
            let _listed = calls.begin(&cancel);
            closing.join().expect("no panic");
            assert!(cancel.is_cancelled(), "it runs on");
        });
    }
}
