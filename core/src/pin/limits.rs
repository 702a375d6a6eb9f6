//! How much a pin set may hold: far more than any honest one, and little enough to judge by.

pub(crate) const MAX_HOSTS: usize = 256;
pub(crate) const MAX_PINS: usize = 16;
pub(crate) const MAX_ANCHORS: usize = 16;
pub(crate) const MAX_BLOCKED: usize = 256;
