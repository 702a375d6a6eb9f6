//! So that a thousand devices do not come at once.

use std::time::Duration;

/// `time`, more or less by up to `percent`.
pub(super) fn jittered(time: Duration, percent: u32) -> Duration {
    let mut random = [0; 4];
    // Without randomness there is no jitter, and still an update.
    let _filled = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random);
    let share = f64::from(u32::from_ne_bytes(random)) / f64::from(u32::MAX) * 2.0 - 1.0;
    time.mul_f64(1.0 + share * f64::from(percent) / 100.0)
}
