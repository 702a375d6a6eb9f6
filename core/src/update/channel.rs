//! The channel as a machine without threads, sockets and clocks: what happens goes in with its time,
//! and what is to be done comes out. The updater drives it, and so does the simulation of a fleet
//! (`scripts/prove fleet`).

use std::collections::BTreeSet;
use std::time::Duration;

use super::flight::{Flight, Worth, mirrors, regular};
use super::kept::{Digest, Kept, MAX_FAILURES};
use super::schedule::{Moment, Pace, Schedule};
use super::status::{Refreshed, UpdateError, UpdateEvent};
use crate::pinset::enforcement::{Freshness, freshness};
use crate::pinset::{Bundle, Order, State, accept};
use crate::rejection::{Cause, Rejection};

/// What is in force, and what is done about what might be newer.
#[derive(Debug)]
pub(super) struct Channel {
    state: State,
    kept: Kept,
    schedule: Schedule,
    embedded_urls: Vec<String>,
    built: u64,
    /// How long a look may take at most.
    total: Duration,
    flight: Option<Flight>,
    /// Of the look that has begun last.
    number: u64,
    /// Where the look that is under way has begun.
    before: Order,
    last_error: Option<UpdateError>,
    /// Mirrors that are known to have nothing but what is older.
    stale: BTreeSet<String>,
}

/// Why somebody wants a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It is time.
    Due,
    /// The app or a refused connection asks for it.
    Asked,
}

/// What the machine wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Ask a URL; [`Channel::answered`] takes what comes of it.
    Ask(Question),
    /// Put the pin set in every client, and wake whoever waits for another one.
    Swap,
    /// Tell the app.
    Tell(UpdateEvent),
    /// Store what is in force, and what is known about the channel.
    Store,
    /// The look of this number is over.
    Land(u64, Result<Refreshed, UpdateError>),
}

/// A request of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// Of the look.
    pub(super) number: u64,
    pub(super) url: String,
    /// What the server need not send again.
    pub(super) known: Option<Digest>,
    /// How long it may take.
    pub(super) timeout: Duration,
}

/// What has come of a question.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// Nothing but what is known already (304).
    Known,
    /// A bundle, judged by the state that is in force still.
    Bundle { digest: Digest, verdict: Result<State, Rejection>, older: bool },
    /// None.
    Failed(String),
}

/// Judges what a mirror has sent by `state`; `first` is what the app was shipped with.
pub(super) fn judge(state: &State, first: Order, audience: &str, body: &[u8]) -> Answer {
    let digest = Digest::of(body);
    let bundle = match Bundle::parse(body) {
        Ok(bundle) => bundle,
        Err(rejection) => {
            return Answer::Bundle { digest, verdict: Err(rejection), older: false };
        }
    };
    let verdict = accept(state, &bundle, audience);
    let older = match &verdict {
        Ok(_) => false,
        Err(rejection) if rejection.cause == Cause::Rollback => true,
        // Its pin set is one of an older root, under which other keys have signed.
        Err(_) => bundle.newest_root().unwrap_or(first.root) < state.root().version(),
    };
    Answer::Bundle { digest, verdict, older }
}

impl Channel {
    pub(super) fn new(
        state: State,
        kept: Kept,
        embedded_urls: Vec<String>,
        built: u64,
        total: Duration,
        now: Moment,
    ) -> Self {
        let schedule = Schedule::resume(&kept, pace(&state), now);
        let before = state.order();
        let (flight, number, last_error, stale) = Default::default();
        Self {
            state,
            kept,
            schedule,
            embedded_urls,
            built,
            total,
            flight,
            number,
            before,
            last_error,
            stale,
        }
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn kept(&self) -> &Kept {
        &self.kept
    }

    pub(super) fn last_error(&self) -> Option<&UpdateError> {
        self.last_error.as_ref()
    }

    /// The number of the look that has begun last; 0 before the first.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn freshness(&self, now: Moment) -> Freshness {
        freshness(&self.state, now.wall, self.built)
    }

    /// How long until the next look; the same for requests, the foreground and platforms' jobs.
    pub(super) fn due_in(&self, now: Moment) -> Duration {
        self.schedule.due_in(self.freshness(now) != Freshness::Fresh, now)
    }

    pub(super) fn is_due(&self, now: Moment) -> bool {
        self.due_in(now).is_zero()
    }

    /// Whether a refused connection may cause a look now; then it counts.
    pub(super) fn may_force(&mut self, now: Moment) -> bool {
        let may = self.schedule.may_force(now);
        if may {
            self.kept.forced = self.schedule.forced();
            self.kept.forced_last = Some(now.wall);
        }
        may
    }

    /// What a store has given: the device's own number, and a state that follows from the embedded
    /// one. Whether that is newer than what is in force, and then is in force.
    pub(super) fn take_over(&mut self, state: State, kept: Kept, now: Moment) -> bool {
        let newer = state.order() > self.state.order();
        // The digest is of what is stored, and that may be older than what is in force.
        let digest = if newer || state == self.state { kept.digest } else { self.kept.digest };
        self.kept = Kept { digest, ..kept };
        if newer {
            self.adopt(state);
        }
        self.schedule = Schedule::resume(&self.kept, pace(&self.state), now);
        newer
    }

    /// The device's share of a rollout stays, whatever becomes of the document.
    pub(super) fn identify(&mut self, install_id: [u8; 16]) {
        self.kept.install_id = install_id;
    }

    fn adopt(&mut self, state: State) {
        self.state = state;
        self.stale.clear();
    }

    /// Begins a look; none where one is under way. `at` is the time since any fixed moment, as in
    /// all that follows.
    pub(super) fn begin(&mut self, why: Why, now: Moment, at: Duration) -> Vec<Action> {
        if self.flight.is_some() {
            return Vec::new();
        }
        let mut urls = mirrors(&self.state.pinset().update().urls, &self.embedded_urls);
        // What is overdue is looked for everywhere.
        let all = why == Why::Asked || self.freshness(now) != Freshness::Fresh;
        let count = urls.len().max(1);
        urls.rotate_left(self.kept.begin as usize % count);
        // So that two looks of halves see all of it, and whole ones begin elsewhere each time.
        let least = if all { urls.len() } else { regular(urls.len()) };
        let step = if least == urls.len() { 1 } else { least };
        self.kept.begin = (self.kept.begin as usize % count + step) as u64;
        self.flight = Some(Flight::new(urls, all, at, self.total));
        self.number += 1;
        self.before = self.state.order();
        self.proceed(now, at)
    }

    /// What is to be done at `at`, if anything.
    pub(super) fn proceed(&mut self, now: Moment, at: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        let Some(flight) = &mut self.flight else { return actions };
        while let Some(url) = flight.next(at) {
            actions.push(Action::Ask(Question {
                number: self.number,
                url,
                known: self.kept.digest,
                timeout: flight.left(at),
            }));
        }
        if flight.has_landed(at) {
            self.land(now, &mut actions);
        }
        actions
    }

    /// When [`Self::proceed`] has something to do, at the latest.
    pub(super) fn wakes(&self) -> Option<Duration> {
        self.flight.as_ref().map(Flight::wakes)
    }

    /// Takes what has come of `question`; a late answer is as good as another, but the look that it
    /// was asked for is over.
    pub(super) fn answered(
        &mut self,
        question: &Question,
        answer: Answer,
        now: Moment,
        at: Duration,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        let worth = self.weigh(question, answer, now, &mut actions);
        let good = !matches!(worth, Worth::Fails(_));
        match &mut self.flight {
            Some(flight) if self.number == question.number => flight.ended(worth),
            _ if good => {
                self.succeed(now);
                actions.push(Action::Store);
            }
            _ => {}
        }
        actions.extend(self.proceed(now, at));
        if actions.contains(&Action::Swap) && !actions.contains(&Action::Store) {
            actions.push(Action::Store);
        }
        actions
    }

    fn weigh(
        &mut self,
        question: &Question,
        answer: Answer,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> Worth {
        let url = question.url.clone();
        let (digest, verdict, older) = match answer {
            Answer::Failed(reason) => return Worth::Fails(UpdateError::Unavailable(reason)),
            // Another mirror may have had something newer meanwhile: then this one is behind.
            Answer::Known if question.known != self.kept.digest => return Worth::Answers,
            Answer::Known => {
                self.kept.checked = Some(now.wall);
                return Worth::Answers;
            }
            Answer::Bundle { digest, verdict, older } => (digest, verdict, older),
        };
        match verdict {
            Ok(state) => {
                self.stale.remove(&url);
                self.kept.checked = Some(now.wall);
                self.kept.digest = Some(digest);
                if state == self.state {
                    return Worth::Answers;
                }
                self.adopt(state);
                actions.push(Action::Swap);
                actions.push(Action::Tell(UpdateEvent::Updated { order: self.state.order() }));
                Worth::Heals
            }
            Err(rejection) => {
                if older {
                    if self.stale.insert(url.clone()) {
                        actions.push(Action::Tell(UpdateEvent::StaleMirror { url }));
                    }
                } else if rejection.cause == Cause::Equivocation {
                    actions.push(Action::Tell(UpdateEvent::Equivocation { url }));
                } else {
                    let (url, rejection) = (Some(url), rejection.clone());
                    actions.push(Action::Tell(UpdateEvent::Rejected { url, rejection }));
                }
                Worth::Fails(UpdateError::Rejected(rejection))
            }
        }
    }

    /// Ends the look of this number if it is under way, whatever has become of it.
    pub(super) fn abandon(&mut self, number: u64, now: Moment) -> Vec<Action> {
        let mut actions = Vec::new();
        if number == self.number {
            self.land(now, &mut actions);
        }
        actions
    }

    fn land(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Some(flight) = self.flight.take() else { return };
        let failure = flight.failure();
        if failure.is_none() {
            self.succeed(now);
        } else {
            self.kept.failures = (self.kept.failures + 1).min(MAX_FAILURES);
            self.kept.tried = Some(now.wall);
            let pause = self.schedule.failed(self.kept.failures, now);
            self.kept.due = Some(now.wall.saturating_add(pause.as_secs()));
        }
        self.last_error.clone_from(&failure);
        if let Some(UpdateError::Unavailable(reason)) = &failure {
            let reason = reason.clone();
            actions.push(Action::Tell(UpdateEvent::Unavailable { reason }));
        }
        actions.push(Action::Store);
        let outcome = match failure {
            None if self.state.order() > self.before => Ok(Refreshed::Updated),
            None => Ok(Refreshed::Unchanged),
            Some(error) => Err(error),
        };
        actions.push(Action::Land(self.number, outcome));
    }

    fn succeed(&mut self, now: Moment) {
        self.kept.failures = 0;
        self.kept.tried = Some(now.wall);
        let pause = self.schedule.succeeded(pace(&self.state), now);
        self.kept.due = Some(now.wall.saturating_add(pause.as_secs()));
        self.last_error = None;
    }
}

fn pace(state: &State) -> Pace {
    let update = state.pinset().update();
    Pace {
        interval: Duration::from_secs(update.interval),
        urgent: Duration::from_secs(update.min_interval),
    }
}

#[cfg(test)]
mod tests;
