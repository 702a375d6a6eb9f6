//! What happens to calls, told to Kotlin or Swift.

use std::sync::Arc;

use pinfold_core::{Event, EventListener};

/// Something that happened to the call `call`; times in milliseconds.
#[derive(Clone, Debug, uniffi::Enum)]
#[allow(missing_docs)] // as in the core
pub enum CallEvent {
    Begun { call: u64, host: String, method: String },
    Connected { call: u64, host: String, reused: bool },
    Retried { call: u64, host: String, before: u32, wait_ms: u64, cause: String },
    TokenRenewed { call: u64, host: String },
    Redirected { call: u64, host: String, to: String },
    Answered { call: u64, host: String, status: u16, after_ms: u64 },
    Failed { call: u64, host: String, code: String, after_ms: u64 },
}

/// Somebody who wants to know.
#[uniffi::export(with_foreign)]
pub trait CallListener: Send + Sync {
    /// Called on the thread of the call.
    fn event(&self, event: CallEvent);
}

pub(crate) struct Listener(pub(crate) Arc<dyn CallListener>);

impl EventListener for Listener {
    fn event(&self, call: u64, event: &Event) {
        let ms = |time: &std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.0.event(match event.clone() {
            Event::Begun { method, host } => CallEvent::Begun { call, host, method },
            Event::Connected { host, reused } => CallEvent::Connected { call, host, reused },
            Event::Retried { host, before, wait, cause } => {
                CallEvent::Retried { call, host, before, wait_ms: ms(&wait), cause }
            }
            Event::TokenRenewed { host } => CallEvent::TokenRenewed { call, host },
            Event::Redirected { host, to } => CallEvent::Redirected { call, host, to },
            Event::Answered { host, status, after } => {
                CallEvent::Answered { call, host, status, after_ms: ms(&after) }
            }
            Event::Failed { host, code, after } => {
                CallEvent::Failed { call, host, code: code.to_owned(), after_ms: ms(&after) }
            }
            // A kind that this boundary does not know yet.
            _ => return,
        });
    }
}
