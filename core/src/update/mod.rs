//! Keeps the signed pin set up to date: fetches, accepts, stores and hands it to running clients.

mod jitter;
mod kept;
mod refresh;
mod status;
mod store;
mod updater;

pub use status::{PinSetStatus, Refreshed, UpdateError, UpdateEvent};
pub use updater::{PinSetUpdater, PinSetUpdaterBuilder};
