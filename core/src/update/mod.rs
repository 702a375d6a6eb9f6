//! Keeps the signed pin set up to date: fetches, accepts, stores and hands it to running clients.
//!
//! `channel` decides, as a machine without threads; `engine` has what is in force, the store and
//! the clients; `look` runs looks and has calls wait for them; `updater` is what apps see.

mod channel;
mod engine;
#[cfg(test)]
mod fleet;
mod flight;
mod kept;
mod look;
mod schedule;
mod status;
mod store;
mod updater;

pub use status::{PinSetStatus, Refreshed, UpdateError, UpdateEvent};
pub use updater::{PinSetUpdater, PinSetUpdaterBuilder};
