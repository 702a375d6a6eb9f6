//! Whether a request is sent again, and when: what has failed for a moment, and what a server says that
//! it could not do yet.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::date;
use super::incoming::Incoming;
use super::response::Response;
use crate::error::{Error, TimeoutPhase};

/// No wait between two attempts grows beyond this by itself.
const LONGEST: Duration = Duration::from_secs(10);
/// What is left when nobody has tried again for a while, in thousandths of an attempt: a client whose
/// servers are all down sends a tenth more requests at most, and not several times as many.
const FULL: u64 = 10_000;
const ONE: u64 = 1_000;
const PER_ANSWER: u64 = 100;
const PER_SECOND: u64 = 50;

/// How often a request is sent again, and how soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    pub(super) most: u32,
    first: Duration,
}

impl Retries {
    /// At most so many times, the first after about a quarter of a second, the next after twice that, and
    /// so on.
    pub fn new(most: u32) -> Self {
        Self { most, first: Duration::from_millis(250) }
    }

    /// How long the first wait is at most; half of it at least.
    pub fn first_wait(mut self, wait: Duration) -> Self {
        self.first = wait;
        self
    }

    /// The wait before the attempt after `done` of them, for a `chance` from 0 to 1: between half of what
    /// doubles each time and all of it, so that clients that failed together do not come back together.
    pub(super) fn wait(&self, done: u32, chance: f64) -> Duration {
        let whole = self.first.saturating_mul(1 << done.min(16)).min(LONGEST);
        whole / 2 + (whole / 2).mul_f64(chance)
    }
}

/// Why a request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Nothing of it was sent: whatever its method is.
    NothingSent,
    /// It may have been done: where twice is as good as once.
    Unanswered,
    /// The server has not done it for now; when it may be asked again, where it says so.
    NotNow(Option<Duration>),
}

/// Why what came of a request may come otherwise next time; none where it will not. `now` is the device's
/// date, for a server that names a date and not its own.
pub(super) fn reason(
    result: &Result<Response<Incoming>, Error>,
    sent: bool,
    now: u64,
) -> Option<Reason> {
    match result {
        Err(Error::ConnectFailed { .. } | Error::DnsFailed { .. }) => Some(Reason::NothingSent),
        Err(Error::Timeout { phase, .. }) => match phase {
            TimeoutPhase::Connect | TimeoutPhase::Lookup | TimeoutPhase::Tls => {
                Some(Reason::NothingSent)
            }
            TimeoutPhase::FirstByte | TimeoutPhase::Read => Some(Reason::Unanswered),
            TimeoutPhase::Queue | TimeoutPhase::Total | TimeoutPhase::Trust => None,
        },
        Err(Error::ConnectionLost { .. }) => {
            Some(if sent { Reason::Unanswered } else { Reason::NothingSent })
        }
        Ok(response) if matches!(response.status, 408 | 429 | 502 | 503 | 504) => {
            let asked = response.header("retry-after");
            Some(Reason::NotNow(asked.and_then(|it| after(it, response.header("date"), now))))
        }
        _ => None,
    }
}

/// How long a server wants to be left alone (RFC 9110 §10.2.3): for some seconds, or until a date, by its
/// own clock where it tells that.
fn after(text: &str, date: Option<&str>, now: u64) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let from = date.and_then(date::parse).unwrap_or(now);
    Some(Duration::from_secs(date::parse(text)?.saturating_sub(from)))
}

/// How many attempts all requests of a client have left together.
#[derive(Debug)]
pub(super) struct Budget(Mutex<(u64, Duration)>);

impl Default for Budget {
    fn default() -> Self {
        Self(Mutex::new((FULL, Duration::ZERO)))
    }
}

impl Budget {
    /// Takes one, at a time since boot; whether there was one.
    pub(super) fn take(&self, now: Duration) -> bool {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let grown = now.saturating_sub(left.1).as_secs().saturating_mul(PER_SECOND);
        *left = (left.0.saturating_add(grown).min(FULL), now);
        match left.0.checked_sub(ONE) {
            Some(rest) => {
                left.0 = rest;
                true
            }
            None => false,
        }
    }

    /// A request was answered at once.
    pub(super) fn answered(&self) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.0 = (left.0 + PER_ANSWER).min(FULL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_with_a_spread_up_to_a_limit() {
        let retries = Retries::new(3);
        let ms = Duration::from_millis;
        assert_eq!((retries.wait(0, 0.0), retries.wait(0, 1.0)), (ms(125), ms(250)));
        assert_eq!((retries.wait(1, 0.0), retries.wait(1, 1.0)), (ms(250), ms(500)));
        assert_eq!(retries.wait(2, 0.5), ms(750));
        assert_eq!((retries.wait(40, 1.0), retries.wait(40, 0.0)), (LONGEST, LONGEST / 2));
    }

    #[test]
    fn a_server_says_when_it_may_be_asked_again_in_seconds_or_by_a_date() {
        const NOW: u64 = 784_111_777;
        let seconds = |n| Some(Duration::from_secs(n));
        let at = "Sun, 06 Nov 1994 08:49:47 GMT";
        for (text, date, expected) in [
            ("120", None, seconds(120)),
            (" 0 ", None, seconds(0)),
            ("99999999999999999999999", None, seconds(u64::MAX)),
            (at, None, seconds(10)),
            ("Sunday, 06-Nov-94 08:49:47 GMT", None, seconds(10)),
            // The device's clock is wrong by a day; the server's own date counts.
            (at, Some("Sun, 06 Nov 1994 08:49:37 GMT"), seconds(10)),
            (at, Some("Sat, 05 Nov 1994 08:49:47 GMT"), seconds(86_400)),
            (at, Some("never"), seconds(10)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", None, seconds(0)),
            ("", None, None),
            ("soon", None, None),
            ("-1", None, None),
            ("1.5", None, None),
            ("30 Feb 1994 00:00:00", None, None),
        ] {
            assert_eq!(after(text, date, NOW), expected, "{text} {date:?}");
        }
    }

    #[test]
    fn when_everything_fails_little_more_is_sent_and_time_and_answers_give_it_back() {
        let (budget, mut now) = (Budget::default(), Duration::from_secs(86_400));
        let taken = |budget: &Budget, now| (0..100).filter(|_| budget.take(now)).count();
        assert_eq!(taken(&budget, now), 10);
        now += Duration::from_secs(60);
        assert_eq!(taken(&budget, now), 3, "20 seconds each");
        (0..25).for_each(|_| budget.answered());
        assert_eq!(taken(&budget, now), 2, "ten answers each");
        now += Duration::from_secs(86_400);
        assert_eq!(taken(&budget, now), 10, "not more than in the beginning");
    }
}
