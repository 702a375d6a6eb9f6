//! What happens to calls, for whoever wants to log or count it: the one place through which everything
//! of the client tells.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Something that happened to a call. No header, body, path or query is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A call begins; it may still queue.
    Begun {
        /// Its method.
        method: String,
        /// The host in its URL.
        host: String,
    },
    /// A hop has its connection, whose certificate the pin set allows.
    Connected {
        /// The host.
        host: String,
        /// Whether it had served another call before.
        reused: bool,
    },
    /// A request is to be sent again after a wait; see [`crate::client::Retries`].
    Retried {
        /// The host.
        host: String,
        /// How often it has been before.
        before: u32,
        /// For how long it waits.
        wait: Duration,
        /// The code of the error, or the status, that is the reason.
        cause: String,
    },
    /// A request is to be sent again with another token.
    TokenRenewed {
        /// The host.
        host: String,
    },
    /// A redirect is followed.
    Redirected {
        /// Whose it was.
        host: String,
        /// The host that it leads to.
        to: String,
    },
    /// The head of the response is there; its body may follow.
    Answered {
        /// The host that has answered in the end.
        host: String,
        /// The status.
        status: u16,
        /// Since the call's beginning.
        after: Duration,
    },
    /// There is no response; or its body, where that was to be whole, has failed after its head was there.
    Failed {
        /// The host of the call's URL.
        host: String,
        /// The error's code.
        code: &'static str,
        /// Since the call's beginning.
        after: Duration,
    },
}

/// Somebody who wants to know.
pub trait EventListener: Send + Sync {
    /// Called on the thread of the call that `number` names, in order, while it waits: it has to be quick.
    /// A panic in it changes nothing.
    fn event(&self, number: u64, event: &Event);
}

/// Whom one call tells.
#[derive(Clone, Default)]
pub(crate) struct Events(Option<(Arc<dyn EventListener>, u64)>);

impl Events {
    pub(crate) fn new(
        listener: Option<&Arc<dyn EventListener>>,
        number: impl FnOnce() -> u64,
    ) -> Self {
        Self(listener.map(|listener| (listener.clone(), number())))
    }

    /// Tells what `event` makes, where anybody wants to know.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if let Some((listener, number)) = &self.0 {
            let event = event();
            let _its_own_affair =
                catch_unwind(AssertUnwindSafe(|| listener.event(*number, &event)));
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}
