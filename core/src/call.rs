//! What a call and the connection it runs on tell each other.
//!
//! ureq has no way to hand a value from a request to its transport, but it runs a call on one
//! thread from beginning to end, so that thread carries it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::cancel::CancelToken;
use crate::pin::Verdict;

/// One exchange of a request for a response.
#[derive(Debug, Default)]
pub(crate) struct Call {
    /// Cancels it.
    pub(crate) cancel: CancelToken,
    /// Whether it runs on a connection that served another call before.
    pub(crate) reused: Cell<bool>,
    /// Whether any byte of the response has arrived.
    pub(crate) answered: Cell<bool>,
    /// When connecting has to be done.
    pub(crate) deadline: Cell<Option<Instant>>,
    /// The verdict on its connection's certificate.
    pub(crate) verdict: RefCell<Option<Arc<Verdict>>>,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Call>>> = const { RefCell::new(None) };
}

impl Call {
    pub(crate) fn new(cancel: CancelToken) -> Rc<Self> {
        Rc::new(Self { cancel, ..Self::default() })
    }

    /// Runs `f`; all I/O that it does on this thread belongs to the call.
    pub(crate) fn scope<R>(self: &Rc<Self>, f: impl FnOnce() -> R) -> R {
        struct Restore(Option<Rc<Call>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.with_borrow_mut(|current| *current = self.0.take());
            }
        }
        let _restore = Restore(CURRENT.with_borrow_mut(|current| current.replace(self.clone())));
        f()
    }

    /// The call that runs on this thread.
    pub(crate) fn current() -> Option<Rc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }
}
