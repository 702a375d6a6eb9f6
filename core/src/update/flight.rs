//! One look: which URL is asked when, and when the look is over.

use std::time::Duration;

use super::status::UpdateError;

/// The next URL is asked when one has had so long to answer.
const STAGGER: Duration = Duration::from_millis(500);
/// Whoever waits for a look waits no longer where somebody has answered: the rest may hang.
pub(super) const LANDS: Duration = Duration::from_secs(5);
/// Of so many URLs a regular look asks every one, of more it asks half, and more until one answers.
const FEW: usize = 4;

/// A look that is under way. Times are since any fixed moment.
#[derive(Debug)]
pub(super) struct Flight {
    urls: Vec<String>,
    /// So many are asked in any case.
    least: usize,
    begun: Duration,
    /// How long it may take at most.
    total: Duration,
    asked: usize,
    last_asked: Duration,
    ended: usize,
    /// One has ended in vain since the last was asked.
    hurries: bool,
    answered: bool,
    failure: UpdateError,
}

/// What an answer was worth.
#[derive(Debug)]
pub(super) enum Worth {
    /// It has led to a newer pin set.
    Heals,
    /// It says that there is none.
    Answers,
    /// It says nothing.
    Fails(UpdateError),
}

impl Flight {
    /// A look at `urls`, in this order; at all of them, or at as many as a regular look takes.
    pub(super) fn new(urls: Vec<String>, all: bool, begun: Duration, total: Duration) -> Self {
        let least = if all { urls.len() } else { regular(urls.len()) };
        Self {
            urls,
            least,
            begun,
            total,
            asked: 0,
            last_asked: begun,
            ended: 0,
            hurries: false,
            answered: false,
            failure: UpdateError::Unavailable("no update URL".into()),
        }
    }

    fn has_more(&self) -> bool {
        self.asked < self.urls.len() && (self.asked < self.least || !self.answered)
    }

    /// The URL to ask now, if it is time for one.
    pub(super) fn next(&mut self, at: Duration) -> Option<String> {
        let first = self.asked == 0;
        let ready = first || self.hurries || at >= self.last_asked + STAGGER;
        if !self.has_more() || !ready || self.is_late(at) {
            return None;
        }
        self.hurries = false;
        self.last_asked = at;
        self.asked += 1;
        self.urls.get(self.asked - 1).cloned()
    }

    pub(super) fn ended(&mut self, worth: Worth) {
        self.ended += 1;
        self.hurries |= !matches!(worth, Worth::Heals);
        match worth {
            Worth::Heals | Worth::Answers => self.answered = true,
            Worth::Fails(error) => self.failure = error,
        }
    }

    fn is_late(&self, at: Duration) -> bool {
        at >= self.begun + self.total
    }

    /// Whether nothing more is waited for.
    pub(super) fn has_landed(&self, at: Duration) -> bool {
        let all_in = self.ended == self.asked;
        let long = self.answered && at >= self.begun + LANDS;
        self.is_late(at) || (!self.has_more() && (all_in || long))
    }

    /// When something happens by itself, at the latest.
    pub(super) fn wakes(&self) -> Duration {
        let end = self.begun + self.total;
        if self.has_more() {
            end.min(self.last_asked + STAGGER)
        } else if self.answered {
            end.min(self.begun + LANDS)
        } else {
            end
        }
    }

    /// How long whoever is asked now may take.
    pub(super) fn left(&self, at: Duration) -> Duration {
        (self.begun + self.total).saturating_sub(at)
    }

    /// Why it has come to nothing; none where somebody has answered.
    pub(super) fn failure(self) -> Option<UpdateError> {
        (!self.answered).then_some(self.failure)
    }
}

/// How many of so many URLs a regular look asks.
pub(super) fn regular(urls: usize) -> usize {
    urls.div_ceil(2).max(FEW.min(urls))
}

/// The URLs of the document and of the app by turns, so that whoever writes the one list cannot
/// crowd out the other.
pub(super) fn mirrors(document: &[String], embedded: &[String]) -> Vec<String> {
    let mut mirrors = Vec::new();
    for i in 0..document.len().max(embedded.len()) {
        for url in [document.get(i), embedded.get(i)].into_iter().flatten() {
            if !mirrors.contains(url) {
                mirrors.push(url.clone());
            }
        }
    }
    mirrors
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const TOTAL: Duration = ms(20_000);

    fn urls(n: usize) -> Vec<String> {
        (0..n).map(|i| i.to_string()).collect()
    }

    fn flight(n: usize, all: bool) -> Flight {
        Flight::new(urls(n), all, ms(1_000), TOTAL)
    }

    fn fails() -> Worth {
        Worth::Fails(UpdateError::Unavailable("gone".into()))
    }

    #[test]
    fn each_is_asked_half_a_second_after_the_one_before_or_once_that_has_ended_in_vain() {
        let mut flight = flight(4, true);
        assert_eq!(flight.next(ms(1_000)).as_deref(), Some("0"));
        assert_eq!(flight.next(ms(1_499)), None);
        assert_eq!(flight.wakes(), ms(1_500));
        assert_eq!(flight.next(ms(1_500)).as_deref(), Some("1"));
        flight.ended(fails());
        assert_eq!(flight.next(ms(1_501)).as_deref(), Some("2"));
        assert_eq!(flight.next(ms(1_501)), None, "one for one");
        flight.ended(Worth::Heals);
        assert_eq!(flight.next(ms(2_000)), None);
        assert_eq!(flight.next(ms(2_001)).as_deref(), Some("3"));
        flight.ended(Worth::Answers);
        assert_eq!(flight.next(ms(9_000)), None);
        assert!(!flight.has_landed(ms(2_100)));
        flight.ended(fails());
        assert!(flight.has_landed(ms(2_100)));
        assert_eq!(flight.failure(), None);
    }

    #[test]
    fn a_regular_look_asks_half_of_many_and_all_of_few() {
        let asked = [0, 1, 2, 3, 4, 5, 8, 9, 16].map(regular);
        assert_eq!(asked, [0, 1, 2, 3, 4, 4, 4, 5, 8]);
        let mut flight = flight(6, false);
        for _ in 0..4 {
            assert!(flight.next(ms(1_000)).is_some());
            assert!(!flight.has_landed(ms(1_000)));
            flight.ended(Worth::Answers);
        }
        assert_eq!(flight.next(ms(9_000)), None);
        assert!(flight.has_landed(ms(1_000)));
    }

    #[test]
    fn a_look_that_nobody_answers_goes_on_to_the_last() {
        let mut flight = flight(6, false);
        for _ in 0..6 {
            assert!(flight.next(ms(1_000)).is_some());
            flight.ended(fails());
        }
        assert_eq!(flight.next(ms(1_000)), None);
        assert!(flight.has_landed(ms(1_000)));
        assert_eq!(flight.failure(), Some(UpdateError::Unavailable("gone".into())));
    }

    #[test]
    fn what_hangs_is_waited_for_until_anybody_has_answered_for_five_seconds_or_for_twenty() {
        let mut flight = flight(2, true);
        assert!(flight.next(ms(1_000)).is_some() && flight.next(ms(1_500)).is_some());
        assert_eq!(flight.wakes(), ms(21_000));
        assert!(!flight.has_landed(ms(20_999)));
        assert!(flight.has_landed(ms(21_000)));
        flight.ended(Worth::Answers);
        assert_eq!(flight.wakes(), ms(6_000));
        assert!(!flight.has_landed(ms(5_999)));
        assert!(flight.has_landed(ms(6_000)));
        assert_eq!(flight.left(ms(6_000)), ms(15_000));
    }

    #[test]
    fn nobody_is_asked_when_the_time_is_over() {
        let mut flight = Flight::new(urls(3), true, ms(0), ms(400));
        assert!(flight.next(ms(0)).is_some());
        assert_eq!(flight.wakes(), ms(400));
        assert_eq!(flight.next(ms(500)), None);
        assert!(flight.has_landed(ms(400)));
        let mut none = Flight::new(Vec::new(), true, ms(0), TOTAL);
        assert_eq!(none.next(ms(0)), None);
        assert!(none.has_landed(ms(0)));
        assert_eq!(none.failure().map(|e| e.code()), Some("unavailable"));
    }

    #[test]
    fn nobody_who_writes_one_list_crowds_out_the_other() {
        let list = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let many = list(&["a", "b", "c", "d"]);
        assert_eq!(mirrors(&many, &list(&["x", "y"])), ["a", "x", "b", "y", "c", "d"]);
        assert_eq!(mirrors(&list(&["x", "a", "x"]), &list(&["x", "y"])), ["x", "a", "y"]);
        assert_eq!(mirrors(&[], &many), many);
    }
}
