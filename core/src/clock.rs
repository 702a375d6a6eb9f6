//! What time it is: the one place that asks the system.

use std::fmt;
use std::time::Duration;
use std::time::SystemTime;

/// The two clocks that everything goes by which waits longer than one call. Tests bring their own.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The device's date, in seconds since 1970. It may be wrong, and jump.
    fn wall(&self) -> u64;

    /// The time since the device was started, with the time it has slept. It never goes back while
    /// the device runs. [`std::time::Instant`] stops during sleep on Linux, Android and Apple's
    /// systems, so a phone's day would be five.
    fn boot(&self) -> Duration;
}

/// The device's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| since.as_secs())
    }

    #[cfg(unix)]
    fn boot(&self) -> Duration {
        use rustix::time::{ClockId, clock_gettime};
        // CLOCK_MONOTONIC counts sleep on Apple's systems (clock_gettime(3)), elsewhere it does not.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let clock = ClockId::Boottime;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let clock = ClockId::Monotonic;
        let now = clock_gettime(clock);
        let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
        Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
    }

    #[cfg(not(unix))]
    fn boot(&self) -> Duration {
        use std::time::Instant;

        use once_cell::sync::Lazy;
        static START: Lazy<Instant> = Lazy::new(Instant::now);
        START.elapsed()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Mutex, MutexGuard};

    use super::*;

    /// A clock that is set by hand; a day after boot in the beginning, on 2026-11-21 at noon.
    #[derive(Debug)]
    pub(crate) struct Hands(Mutex<(u64, Duration)>);

    impl Default for Hands {
        fn default() -> Self {
            Self(Mutex::new((1_795_262_400, Duration::from_secs(86_400))))
        }
    }

    impl Hands {
        /// Time goes by on both clocks.
        pub(crate) fn pass(&self, time: Duration) {
            let mut now = self.lock();
            *now = (now.0 + time.as_secs(), now.1 + time);
        }

        fn lock(&self) -> MutexGuard<'_, (u64, Duration)> {
            self.0.lock().expect("no panic")
        }
    }

    impl Clock for Hands {
        fn wall(&self) -> u64 {
            self.lock().0
        }

        fn boot(&self) -> Duration {
            self.lock().1
        }
    }

    #[test]
    fn time_passes() {
        let (wall, boot) = (SystemClock.wall(), SystemClock.boot());
        assert!(wall > crate::time::RELEASED, "{wall}");
        assert!(!boot.is_zero());
        assert!(SystemClock.boot() >= boot);
        assert!(SystemClock.wall() >= wall);
    }
}
