//! For how long a call waits, and what wakes it.

use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use crate::cancel::{CancelToken, Wake};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// For how long a call waits: until its deadline, or until it is cancelled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience<'a> {
    /// None where only a cancellation ends the wait.
    pub(crate) deadline: Option<Instant>,
    pub(crate) cancel: &'a CancelToken,
}

/// Why a wait ended without what was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Impatience {
    Cancelled,
    TimedOut,
}

impl Patience<'_> {
    /// The same, but not beyond `until`.
    pub(crate) fn at_most(self, until: Instant) -> Self {
        Self { deadline: Some(self.deadline.map_or(until, |at| at.min(until))), ..self }
    }

    /// Whether there is any left.
    pub(crate) fn check(&self) -> Result<(), Impatience> {
        if self.cancel.is_cancelled() {
            return Err(Impatience::Cancelled);
        }
        match self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            true => Err(Impatience::TimedOut),
            false => Ok(()),
        }
    }

    /// Looks whether it is `ready`: now, whenever `bell` rings, and at the time that it names itself.
    pub(crate) fn wait<T>(
        &self,
        bell: &Arc<Bell>,
        mut ready: impl FnMut() -> ControlFlow<T, Option<Instant>>,
    ) -> Result<T, Impatience> {
        let mut watched = None;
        loop {
            let look_again = match ready() {
                ControlFlow::Break(found) => return Ok(found),
                ControlFlow::Continue(look_again) => look_again,
            };
            // What is there at once costs no entry in the token's list.
            watched.get_or_insert_with(|| Watched::new(self.cancel, bell));
            self.check()?;
            bell.wait([self.deadline, look_again].into_iter().flatten().min());
        }
    }
}

struct Watched<'a>(&'a CancelToken, &'a Arc<Bell>);

impl<'a> Watched<'a> {
    fn new(cancel: &'a CancelToken, bell: &'a Arc<Bell>) -> Self {
        cancel.watch(bell);
        Self(cancel, bell)
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.0.unwatch(self.1);
    }
}

/// Wakes the one thread that waits on it. A ring that nobody waits for yet is not lost.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    fn wait(&self, until: Option<Instant>) {
        let mut rung = self.lock();
        while !*rung {
            let Some(until) = until else {
                rung = self.changed.wait(rung).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(rung, left);
            rung = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *rung = false;
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        // A flag is whole whatever panics.
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(&self) {
        *self.lock() = true;
        self.changed.notify_one();
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_ready_counts_before_the_deadline_and_the_cancellation_do() {
        let cancel = CancelToken::new();
        cancel.cancel();
        let patience = Patience { deadline: Some(Instant::now()), cancel: &cancel };
        let bell = Arc::default();
        assert_eq!(patience.wait(&bell, || ControlFlow::Break(7)), Ok(7));
        let never = || ControlFlow::<(), _>::Continue(None);
        assert_eq!(patience.wait(&bell, never), Err(Impatience::Cancelled));
        let patience = Patience { deadline: Some(Instant::now()), cancel: &CancelToken::new() };
        assert_eq!(patience.wait(&bell, never), Err(Impatience::TimedOut));
    }

    #[test]
    fn a_ring_a_cancellation_and_the_named_time_each_end_the_wait() {
        let cancel = CancelToken::new();
        let patience = Patience { deadline: None, cancel: &cancel };
        let bell: Arc<Bell> = Arc::default();
        // One that came before anybody waited.
        bell.wake();
        let mut looks = 0;
        let looked = patience.wait(&bell, || {
            looks += 1;
            if looks == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(None) }
        });
        assert_eq!((looked, looks), (Ok(()), 2));

        let mut looks = 0;
        let soon = Some(Instant::now() + Duration::from_millis(5));
        let looked = patience.wait(&bell, || {
            looks += 1;
            if looks == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(soon) }
        });
        assert_eq!(looked, Ok(()));

        let canceller = cancel.clone();
        let other = thread::spawn(move || canceller.cancel());
        let never = || ControlFlow::<(), _>::Continue(None);
        assert_eq!(patience.wait(&bell, never), Err(Impatience::Cancelled));
        other.join().expect("it cancels");
    }
}
