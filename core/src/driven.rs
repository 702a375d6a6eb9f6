//! What belongs to one piece of work, for code that is called in the midst of it and is given nothing of it:
//! rustls gives its verifiers and resolvers no place for what belongs to one connection, and it resumes a
//! session only with the very ones under which it was made.
//!
//! So there is one of these beside them, and it finds the work by the thread that does it, for as long as it
//! does. Nothing stays with the thread.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// What is being done, by whom.
pub(crate) struct Driven<T>(Mutex<Vec<(ThreadId, Arc<T>)>>);

struct Driving<'a, T>(&'a Driven<T>);

impl<T> Driven<T> {
    /// Runs `work`: who asks on this thread meanwhile is told `of`.
    pub(crate) fn drive<R>(&self, of: &Arc<T>, work: impl FnOnce() -> R) -> R {
        self.lock().push((thread::current().id(), of.clone()));
        let _driving = Driving(self);
        work()
    }

    /// What this thread drives.
    pub(crate) fn current(&self) -> Option<Arc<T>> {
        let thread = thread::current().id();
        let all = self.lock();
        // Of what it drives within something else, the inner.
        all.iter().rfind(|(by, _)| *by == thread).map(|(_, of)| of.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(ThreadId, Arc<T>)>> {
        // The list is whole at every point where a panic could leave it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Driving<'_, T> {
    fn drop(&mut self) {
        let thread = thread::current().id();
        let mut all = self.0.lock();
        if let Some(i) = all.iter().rposition(|(by, _)| *by == thread) {
            all.remove(i);
        }
    }
}

impl<T> Default for Driven<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> fmt::Debug for Driven<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Driven")
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn a_thread_finds_what_it_drives_while_it_does_and_no_other_does() {
        let driven = Driven::default();
        let found = || driven.current().map(|of| *of);
        let inner = driven.drive(&Arc::new(1), || {
            assert_eq!(found(), Some(1));
            thread::scope(|scope| scope.spawn(|| assert_eq!(found(), None)).join().expect("none"));
            let inner = driven.drive(&Arc::new(2), found);
            assert_eq!(found(), Some(1));
            inner
        });
        assert_eq!((inner, found()), (Some(2), None));
        let panics = || driven.drive(&Arc::new(3), || panic!("in the midst"));
        catch_unwind(AssertUnwindSafe(panics)).expect_err("it panics");
        assert_eq!(found(), None);
    }
}
