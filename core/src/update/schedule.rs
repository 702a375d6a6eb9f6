//! When the channel is looked at.
//!
//! Everything goes by the time since the device was started, which counts sleep and never jumps. The
//! device's date is asked once, when a process begins: it may be wrong, and the worst that a wrong
//! one does is one look too many, or one that is late by an interval.

use std::collections::VecDeque;
use std::time::Duration;

use super::kept::{FORCED_A_DAY, Kept, MAX_FAILURES};

/// Mismatches are free for whoever sits in the middle; fetches are not.
const FORCED_APART: Duration = Duration::from_secs(60);
/// So many of a day may follow each other quickly. The others are kept for the rest of the day: an
/// owner who repairs a late rotation after hours must find phones that still look.
const FORCED_QUICKLY: usize = 8;
const FORCED_SLOWLY: Duration = Duration::from_secs(2 * 3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
const FIRST_BACKOFF: Duration = Duration::from_secs(60);
const MAX_BACKOFF: Duration = Duration::from_secs(6 * 3_600);

/// A moment, as everything in the channel takes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// The device's date, in seconds since 1970.
    pub(super) wall: u64,
    /// The time since the device was started.
    pub(super) boot: Duration,
    /// Between 0 and 1, by chance, so that a thousand devices do not come at once.
    pub(super) chance: f64,
}

/// What the document says of looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Between looks.
    pub(super) interval: Duration,
    /// Between looks while the pin set is stale.
    pub(super) urgent: Duration,
}

/// When to look again, and how many looks a mismatch may still cause.
#[derive(Debug)]
pub(super) struct Schedule {
    /// When the next look is due, and when it is while the pin set is stale.
    due: Duration,
    due_if_stale: Duration,
    /// Until when each look that was forced counts.
    forced: VecDeque<Duration>,
    may_force_from: Duration,
}

impl Schedule {
    /// Of a process that begins with what an earlier one has kept.
    pub(super) fn resume(kept: &Kept, pace: Pace, now: Moment) -> Self {
        let mut schedule = Self {
            due: now.boot,
            due_if_stale: now.boot,
            forced: VecDeque::new(),
            may_force_from: now.boot,
        };
        schedule.resume_due(kept, pace, now);
        // What was forced on a day counts until a day after the last.
        let age = kept.forced_last.and_then(|last| now.wall.checked_sub(last));
        if let Some(age) = age.map(Duration::from_secs)
            && age < DAY
        {
            let until = now.boot + (DAY - age);
            schedule.forced = std::iter::repeat_n(until, kept.forced.min(FORCED_A_DAY)).collect();
            let apart = apart(schedule.forced.len());
            schedule.may_force_from = now.boot + apart.saturating_sub(age);
        }
        schedule
    }

    fn resume_due(&mut self, kept: &Kept, pace: Pace, now: Moment) {
        let tried = kept.tried.or(kept.checked);
        // Never yet, or the date has gone back: now.
        let Some(age) = tried.and_then(|tried| now.wall.checked_sub(tried)) else { return };
        let age = Duration::from_secs(age);
        // What the store says can defer a look no longer than the document does.
        let longest = if kept.failures > 0 { MAX_BACKOFF } else { pace.interval };
        let pause = kept.due.and_then(|due| due.checked_sub(tried.unwrap_or(due)));
        let pause = pause.map_or(longest, Duration::from_secs).min(longest);
        let urgent = pace.urgent.mul_f64(0.5 + now.chance);
        self.due = now.boot + pause.saturating_sub(age);
        self.due_if_stale = now.boot + pause.min(urgent).saturating_sub(age);
    }

    /// After a look to which somebody has answered; how long until the next.
    pub(super) fn succeeded(&mut self, pace: Pace, now: Moment) -> Duration {
        let pause = pace.interval.mul_f64(0.75 + now.chance / 4.0);
        self.due = now.boot + pause;
        self.due_if_stale = now.boot + pace.urgent.mul_f64(0.5 + now.chance).min(pause);
        pause
    }

    /// After the `failures`-th look in a row to which nobody has: anywhere between none and all of a
    /// pause that doubles ("full jitter").
    pub(super) fn failed(&mut self, failures: u32, now: Moment) -> Duration {
        let backoff = FIRST_BACKOFF * 2_u32.pow(failures.clamp(1, MAX_FAILURES) - 1);
        let pause = backoff.min(MAX_BACKOFF).mul_f64(now.chance);
        self.due = now.boot + pause;
        self.due_if_stale = self.due;
        pause
    }

    /// How long until a look is due; none where it is.
    pub(super) fn due_in(&self, stale: bool, now: Moment) -> Duration {
        let due = if stale { self.due.min(self.due_if_stale) } else { self.due };
        due.saturating_sub(now.boot)
    }

    /// Whether a mismatch may cause a look now; then it counts.
    pub(super) fn may_force(&mut self, now: Moment) -> bool {
        self.forced.retain(|until| *until > now.boot);
        if now.boot < self.may_force_from || self.forced.len() >= FORCED_A_DAY {
            return false;
        }
        self.forced.push_back(now.boot + DAY);
        self.may_force_from = now.boot + apart(self.forced.len());
        true
    }

    /// How many looks have been forced within a day.
    pub(super) fn forced(&self) -> usize {
        self.forced.len()
    }
}

/// How long after the last of so many forced looks the next may come.
fn apart(forced: usize) -> Duration {
    if forced < FORCED_QUICKLY { FORCED_APART } else { FORCED_SLOWLY }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);
    const PACE: Pace = Pace { interval: DAY, urgent: HOUR };
    const NOW: u64 = 1_800_000_000;

    fn at(wall: u64, boot: Duration, chance: f64) -> Moment {
        Moment { wall, boot, chance }
    }

    fn kept(checked: Option<u64>) -> Kept {
        Kept { checked, tried: checked, ..Kept::new().expect("randomness") }
    }

    #[test]
    fn a_look_is_due_after_three_quarters_of_the_interval_to_all_of_it() {
        let boot = 90 * HOUR;
        for (chance, fresh, stale) in [(0.0, 18.0, 0.5), (0.5, 21.0, 1.0), (1.0, 24.0, 1.5)] {
            let mut schedule = Schedule::resume(&kept(None), PACE, at(NOW, boot, 0.3));
            assert!(schedule.due_in(false, at(NOW, boot, 0.3)).is_zero(), "never looked");
            assert_eq!(schedule.succeeded(PACE, at(NOW, boot, chance)), HOUR.mul_f64(fresh));
            // Whatever the date does meanwhile.
            assert_eq!(schedule.due_in(false, at(0, boot, 0.9)), HOUR.mul_f64(fresh));
            assert_eq!(schedule.due_in(true, at(u64::MAX, boot, 0.9)), HOUR.mul_f64(stale));
            let due = boot + HOUR.mul_f64(fresh);
            assert!(schedule.due_in(false, at(NOW, due, 0.5)).is_zero());
            assert!(
                !schedule.due_in(false, at(NOW, due - Duration::from_millis(1), 0.5)).is_zero()
            );
        }
    }

    #[test]
    fn a_failure_doubles_the_pause_up_to_six_hours() {
        let mut schedule = Schedule::resume(&kept(None), PACE, at(NOW, HOUR, 0.0));
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        for (failures, longest) in [(1, 1), (2, 2), (3, 4), (9, 256), (10, 360), (99, 360)] {
            assert_eq!(schedule.failed(failures, at(NOW, HOUR, 1.0)), minutes(longest));
            assert_eq!(schedule.due_in(true, at(NOW, HOUR, 1.0)), minutes(longest));
            assert_eq!(schedule.failed(failures, at(NOW, HOUR, 0.5)), minutes(longest) / 2);
            assert_eq!(schedule.failed(failures, at(NOW, HOUR, 0.0)), Duration::ZERO);
        }
    }

    #[test]
    fn a_process_goes_on_where_the_one_before_ended() {
        let boot = Duration::from_secs(30);
        let due_in = |kept: &Kept, wall: u64, stale: bool| {
            let now = at(wall, boot, 0.5);
            Schedule::resume(kept, PACE, now).due_in(stale, now)
        };
        let mut kept = kept(Some(NOW));
        assert_eq!(due_in(&kept, NOW + 3_600, false), 23 * HOUR, "an earlier version kept no due");
        kept.due = Some(NOW + 20 * 3_600);
        assert_eq!(due_in(&kept, NOW + 3_600, false), 19 * HOUR);
        assert_eq!(due_in(&kept, NOW + 600, true), Duration::from_secs(3_000));
        assert_eq!(due_in(&kept, NOW + 30 * 3_600, false), Duration::ZERO);
        assert_eq!(due_in(&kept, NOW - 1, false), Duration::ZERO, "the date has gone back");
        kept.due = Some(u64::MAX);
        assert_eq!(due_in(&kept, NOW, false), DAY, "no store defers a look for longer");
        kept.due = Some(NOW - 1);
        assert_eq!(due_in(&kept, NOW, false), DAY);
        kept.failures = 3;
        kept.due = Some(NOW + 240);
        assert_eq!(due_in(&kept, NOW + 60, false), Duration::from_secs(180));
        kept.due = Some(u64::MAX);
        assert_eq!(due_in(&kept, NOW, false), MAX_BACKOFF);
    }

    #[test]
    fn mismatches_force_eight_looks_a_minute_apart_and_twelve_two_hours_also_over_restarts() {
        let mut kept = kept(Some(NOW));
        let mut boot = HOUR;
        let mut schedule = Schedule::resume(&kept, PACE, at(NOW, boot, 0.5));
        for n in 1..=19 {
            assert!(schedule.may_force(at(NOW, boot, 0.5)), "{n}");
            assert_eq!(schedule.forced(), n);
            let apart = if n < 8 { Duration::from_secs(60) } else { 2 * HOUR };
            boot += apart;
            assert!(!schedule.may_force(at(NOW, boot - Duration::from_millis(1), 0.5)), "{n}");
        }
        // By then the first of them are more than a day old.
        assert!(schedule.may_force(at(NOW, boot, 0.5)));
        assert_eq!(schedule.forced(), 12);

        kept.forced = 5;
        kept.forced_last = Some(NOW);
        let soon = Duration::from_secs(10);
        let mut schedule = Schedule::resume(&kept, PACE, at(NOW + 10, soon, 0.5));
        assert_eq!(schedule.forced(), 5);
        assert!(!schedule.may_force(at(NOW, soon + Duration::from_secs(49), 0.5)));
        assert!(schedule.may_force(at(NOW, soon + Duration::from_secs(50), 0.5)));
        assert_eq!(schedule.forced(), 6);
        kept.forced = 1_000;
        let mut full = Schedule::resume(&kept, PACE, at(NOW + 3_600, soon, 0.5));
        assert!(!full.may_force(at(0, soon + 23 * HOUR - Duration::from_millis(1), 0.5)));
        assert!(full.may_force(at(0, soon + 23 * HOUR, 0.5)));
        let mut later = Schedule::resume(&kept, PACE, at(NOW + 24 * 3_600, soon, 0.5));
        assert!(later.may_force(at(0, soon, 0.5)));
        let mut back = Schedule::resume(&kept, PACE, at(NOW - 1, soon, 0.5));
        assert!(back.may_force(at(0, soon, 0.5)), "the date has gone back");
    }
}
