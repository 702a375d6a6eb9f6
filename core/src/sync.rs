//! What threads share: the standard library's. Under `scripts/prove interleavings` it is shuttle's,
//! which runs one thread at a time and picks at every use of these which one goes on, so that a
//! test meets the orders that a processor shows once in a million runs.
//!
//! For code that such a test looks at; the rest uses the standard library.

#[cfg(not(all(test, shuttle)))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, atomic};
#[cfg(not(all(test, shuttle)))]
pub(crate) use std::thread;

#[cfg(all(test, shuttle))]
pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard, atomic};
#[cfg(all(test, shuttle))]
pub(crate) use shuttle::thread;

/// Runs `scenario` under many orders of its threads: at random, and with few but well-placed
/// switches, which is how most mistakes show.
#[cfg(all(test, shuttle))]
pub(crate) fn in_every_order(scenario: impl Fn() + Copy + Send + Sync + 'static) {
    use shuttle::scheduler::{PctScheduler, RandomScheduler};
    use shuttle::{Config, Runner};

    const RUNS: usize = 1_000;
    let config = || {
        let mut config = Config::new();
        // A handshake's certificates take more than the 32 KiB that there are by default.
        config.stack_size = 512 * 1_024;
        config
    };
    Runner::new(RandomScheduler::new(RUNS), config()).run(scenario);
    for switches in 1..=3 {
        Runner::new(PctScheduler::new(switches, RUNS), config()).run(scenario);
    }
}
