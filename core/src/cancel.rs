//! Cancelling a call from another thread.

use std::fmt;
use std::sync::{Arc, PoisonError, Weak};

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// Cancels one call, from any thread and at any stage: it closes the call's sockets and wakes its
/// waits, so the call ends at once with [`Error::Cancelled`](crate::Error::Cancelled).
///
/// A token is for one call. A call begun with a token that is already cancelled ends at once.
#[derive(Clone, Default)]
pub struct CancelToken(Arc<Inner>);

#[derive(Default)]
struct Inner {
    cancelled: AtomicBool,
    waits: Mutex<Vec<Weak<dyn Wake>>>,
}

/// Something that a call waits on.
pub(crate) trait Wake: Send + Sync {
    /// Ends the wait; it may come at any time, and more than once.
    fn wake(&self);
}

impl CancelToken {
    /// A token that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels the call. Cancelling twice is cancelling once.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        // Under the lock, so that after `unwatch` has returned nothing is woken any more.
        let mut waits = self.waits();
        for wait in waits.drain(..) {
            if let Some(wait) = wait.upgrade() {
                wait.wake();
            }
        }
    }

    /// Whether [`Self::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Whether both cancel the same call.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Much the same for no two calls at a time.
    pub(crate) fn number(&self) -> usize {
        // What lies beside each other in memory differs above the size of an entry.
        Arc::as_ptr(&self.0).addr() / align_of::<Inner>() / 8
    }

    /// Has `wait` woken on cancellation, at once where that has happened already.
    pub(crate) fn watch<W: Wake + 'static>(&self, wait: &Arc<W>) {
        let weak: Weak<dyn Wake> = Arc::<W>::downgrade(wait);
        let mut waits = self.waits();
        if !waits.iter().any(|known| known.ptr_eq(&weak)) {
            waits.retain(|known| known.strong_count() > 0);
            waits.push(weak);
        }
        drop(waits);
        // After the push: a cancellation in between has either seen the wait or is seen here.
        if self.is_cancelled() {
            wait.wake();
        }
    }

    /// Forgets `wait`, which no longer belongs to the call.
    pub(crate) fn unwatch<W: Wake + 'static>(&self, wait: &Arc<W>) {
        let weak: Weak<dyn Wake> = Arc::<W>::downgrade(wait);
        self.waits().retain(|known| !known.ptr_eq(&weak));
    }

    fn waits(&self) -> MutexGuard<'_, Vec<Weak<dyn Wake>>> {
        // The list is whole at every point where a panic could leave it.
        self.0.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken").field("cancelled", &self.is_cancelled()).finish()
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn wakes_what_came_before_and_what_comes_after() {
        let (before, after) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let token = CancelToken::new();
        let other_hand = token.clone();
        token.watch(&before);
        token.watch(&before);
        other_hand.cancel();
        token.watch(&after);
        assert!(token.is_cancelled());
        assert_eq!(before.0.load(Ordering::SeqCst), 1);
        assert_eq!(after.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_wait_that_is_over_is_left_alone() {
        let token = CancelToken::new();
        let wait = Arc::new(Count::default());
        token.watch(&wait);
        token.unwatch(&wait);
        token.cancel();
        assert_eq!(wait.0.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn keeps_nothing_alive() {
        let token = CancelToken::new();
        let wait = Arc::new(Count::default());
        token.watch(&wait);
        assert_eq!(Arc::strong_count(&wait), 1);
        drop(wait);
        token.cancel();
    }
}

#[cfg(all(test, shuttle))]
mod interleavings {
    use shuttle::thread;

    use super::*;
    use crate::sync::atomic::AtomicUsize;
    use crate::sync::in_every_order;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_wait_that_begins_while_its_call_is_cancelled_is_woken() {
        in_every_order(|| {
            let (token, wait) = (CancelToken::new(), Arc::new(Count::default()));
            let canceller = token.clone();
            let cancelling = thread::spawn(move || canceller.cancel());
            token.watch(&wait);
            cancelling.join().expect("no panic");
            assert!(wait.0.load(Ordering::SeqCst) > 0, "it sleeps for ever");
        });
    }

    #[test]
    fn a_connection_that_its_call_has_given_back_is_not_closed_by_it() {
        in_every_order(|| {
            let (token, wait) = (CancelToken::new(), Arc::new(Count::default()));
            token.watch(&wait);
            let canceller = token.clone();
            let cancelling = thread::spawn(move || canceller.cancel());
            token.unwatch(&wait);
            let before = wait.0.load(Ordering::SeqCst);
            // From here on it is another call's.
            cancelling.join().expect("no panic");
            assert_eq!(wait.0.load(Ordering::SeqCst), before, "somebody else's call is cut off");
        });
    }
}
