//! One phone over 120 days: it sleeps, its process dies, its date is wrong, and its app sends requests.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::chance::Chance;
use super::mirror::{self, Content, Network, Reply, Trouble, newest};
use super::owner::{BEGIN, DAY, EMBEDDED, HOST, History, What, is_owners_fault, pin};
use crate::pin::{HostName, Mode, PinDigest};
use crate::pinset::enforcement::Freshness;
use crate::pinset::{Order, State, accept};
use crate::update::channel::{Action, Answer, Channel, Question, Why, judge};
use crate::update::kept::{Digest, Kept};
use crate::update::schedule::Moment;

const HOUR: u64 = 3_600;
/// A way to the mirrors, at least so long (seconds).
const WINDOW: u64 = 30;

/// How often a phone is given 30 s and a way to an honest mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rhythm {
    Hourly,
    Daily,
    /// Awake for this share of the hours (percent).
    Awake(u64),
}

/// Judgements that have been made before; of a thousand, one is made again for comparison.
#[derive(Default)]
pub(super) struct Memo {
    judged: HashMap<(usize, usize), Answer>,
    states: BTreeMap<(Order, Vec<u8>), State>,
    /// Which keys of the server a state's pins accept.
    keys: HashMap<usize, [bool; 10]>,
    asked: u64,
    pub(super) compared: u64,
}

/// The same for one state, however it was come by: states are made here once each.
fn id(state: &State) -> usize {
    state.pinset_payload().as_ptr() as usize
}

impl Memo {
    fn judge(&mut self, history: &History, first: &State, state: &State, number: usize) -> Answer {
        self.asked += 1;
        let body = &history.published[number].bundle;
        let key = (id(state), number);
        let real = || judge(state, first.order(), "fleet", body);
        let states = &mut self.states;
        let known = self.judged.entry(key).or_insert_with(|| match real() {
            Answer::Bundle { digest, verdict: Ok(new), older } => {
                let name = (new.order(), new.pinset_payload().to_vec());
                let new = if new == *state { state.clone() } else { new };
                let verdict = Ok(states.entry(name).or_insert(new).clone());
                Answer::Bundle { digest, verdict, older }
            }
            answer => answer,
        });
        let known = known.clone();
        if self.asked.is_multiple_of(1_000) {
            self.compared += 1;
            assert_eq!(format!("{:?}", real()), format!("{known:?}"), "a judgement has changed");
        }
        known
    }

    fn accepts(&mut self, state: &State, key: u8) -> bool {
        let keys = self.keys.entry(id(state)).or_insert_with(|| {
            let host = HostName::parse(HOST).expect("a name");
            let policy = state.pinset().pins().policy(&host).expect("an entry");
            let pinned = |key: u8| {
                let text = format!("sha256/{}", pin(key));
                policy.mode() != Mode::Enforce
                    || policy.pins().iter().any(|pin| match pin.digest {
                        PinDigest::Spki(spki) => spki.to_string() == text,
                        PinDigest::Certificate(_) => false,
                    })
            };
            std::array::from_fn(|key| pinned(key as u8))
        });
        keys[usize::from(key)]
    }
}

/// What a phone has gone through.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// How long after it was published each document, or what follows it, was in force.
    pub(super) took: Vec<(What, Option<u64>)>,
    pub(super) days: Vec<Day>,
    pub(super) locked_out: u32,
    pub(super) rollbacks: u32,
    /// Whether it had the newest, every six hours.
    pub(super) newest: Vec<bool>,
    /// Seconds.
    pub(super) awake: u64,
}

/// What a phone has asked for on one day.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Day {
    /// Looks that were due, and somebody answered.
    pub(super) answered: u32,
    /// Looks that were due, and nobody did.
    pub(super) failed: u32,
    pub(super) forced: u32,
    /// Those of them that nobody answered; each is followed by one that is due.
    pub(super) in_vain: u32,
    /// Requests to mirrors.
    pub(super) asked: u32,
    /// Whether the pin set was stale at any time.
    pub(super) stale: bool,
    /// Looks of which the phone knows nothing: it died in them, or its date has changed.
    pub(super) forgotten: u32,
}

impl Day {
    /// What is more than the document and the budget of forced looks allow.
    pub(super) fn excess(&self) -> u32 {
        // 24 hours by three quarters of an interval of 24 hours; or by half an hour, once it is stale.
        let regular = if self.stale { 48 } else { 2 } + self.in_vain + self.forgotten;
        let failed = 60 + self.forgotten;
        let forced = 20 + self.forgotten;
        self.answered.saturating_sub(regular)
            + self.failed.saturating_sub(failed)
            + self.forced.saturating_sub(forced)
    }
}

pub(super) struct Phone<'a> {
    history: &'a History,
    first: State,
    memo: &'a mut Memo,
    chance: Chance,
    trouble: Trouble,
    rhythm: Rhythm,
    /// What the device's date is wrong by, in seconds.
    wrong: i64,
    booted: u64,
    /// How long the phone has been awake: what a clock that stops would say.
    awake: u64,
    process: Option<Channel>,
    stored: Option<(State, Kept)>,
    /// The order of everything it has had in force.
    order: Order,
    refused_since: Option<u64>,
    /// When it has had which state for the first time.
    had: Vec<(u64, Order)>,
    day: Day,
    report: Report,
}

impl<'a> Phone<'a> {
    pub(super) fn new(
        history: &'a History,
        first: State,
        memo: &'a mut Memo,
        seed: u64,
        trouble: Trouble,
        rhythm: Rhythm,
    ) -> Self {
        let mut chance = Chance(seed);
        let wrong = match trouble {
            Trouble::Clock => wrong_date(&mut chance),
            // As many as in Acer et al. 2017.
            _ if chance.percent(7) => -(chance.below(2 * DAY) as i64),
            _ => 0,
        };
        let order = first.order();
        Self {
            history,
            first,
            memo,
            trouble,
            rhythm,
            wrong,
            booted: 0,
            awake: 0,
            process: None,
            stored: None,
            order,
            refused_since: None,
            had: vec![(0, order)],
            day: Day::default(),
            report: Report::default(),
            chance,
        }
    }

    /// Lives for so many days.
    pub(super) fn live(mut self, days: u64) -> Report {
        // Its day begins when it does, and not at anybody else's hour.
        let offset = self.chance.below(HOUR);
        let daily = self.chance.below(24);
        for hour in 0..days * 24 {
            let at = hour * HOUR + offset;
            if let Some(length) = self.opportunity(hour, daily) {
                self.spend(at, length, hour % 24 == daily);
            }
            if hour % 6 == 5 {
                let end = (hour + 1) * HOUR;
                let newest = &self.history.published[newest(self.history, end - 300, false)];
                let has = self.state().order() >= newest.order;
                self.report.newest.push(has);
            }
            if hour % 24 == 23 {
                let day = std::mem::take(&mut self.day);
                self.report.days.push(day);
            }
        }
        self.report.awake = self.awake;
        for published in &self.history.published {
            let since = self.had.iter().find(|(_, order)| *order >= published.order);
            let took = since.map(|(at, _)| at.saturating_sub(published.at));
            self.report.took.push((published.what, took));
        }
        self.report
    }

    fn opportunity(&mut self, hour: u64, daily: u64) -> Option<u64> {
        match self.rhythm {
            Rhythm::Hourly => Some(WINDOW),
            Rhythm::Daily => (hour % 24 == daily).then_some(WINDOW),
            Rhythm::Awake(share) => {
                let awake = self.chance.percent(share);
                awake.then(|| WINDOW + self.chance.below(600))
            }
        }
    }

    /// The network of an hour; whoever has a way once a day has it then.
    fn network(&mut self, hour: u64, given: bool) -> Network {
        let (day, hour) = (hour / 24 % 7, hour % 24);
        let given = given && self.rhythm == Rhythm::Daily;
        match self.trouble {
            Trouble::Proxy if !given && day < 5 && (8..18).contains(&hour) => Network::Closed,
            Trouble::Portal if !given && self.chance.percent(30) => Network::Portal,
            _ => Network::Open,
        }
    }

    fn state(&self) -> &State {
        let stored = self.stored.as_ref().map_or(&self.first, |(state, _)| state);
        self.process.as_ref().map_or(stored, Channel::state)
    }

    fn now(&mut self, at: u64) -> Moment {
        let wall = (BEGIN + at).saturating_add_signed(self.wrong);
        // With the time that it has slept.
        let boot = Duration::from_secs(at - self.booted);
        Moment { wall, boot, chance: self.chance.share() }
    }

    /// A process begins, with what an earlier one has stored.
    fn start(&mut self, at: u64) {
        let kept = Kept::of(self.chance.next().to_be_bytes().repeat(2).try_into().expect("16"));
        let urls = self.history.embedded.update_urls.clone();
        let now = self.now(at);
        let total = Duration::from_secs(20);
        let built = self.history.embedded.built;
        let mut channel = Channel::new(self.first.clone(), kept, urls, built, total, now);
        if let Some((state, kept)) = self.stored.clone() {
            self.memo.asked += 1;
            if self.memo.asked.is_multiple_of(1_000) {
                self.memo.compared += 1;
                let content = kept.with(&state.to_bundle());
                let (read, bundle) = Kept::parse(&content).expect("what was written");
                assert_eq!(read, kept);
                assert_eq!(accept(&self.first, &bundle, "fleet"), Ok(state.clone()));
            }
            channel.take_over(state, kept, now);
        }
        // What was not stored in time is forgotten.
        self.order = channel.state().order();
        self.process = Some(channel);
    }

    /// A window in which the phone is awake and may reach the mirrors.
    fn spend(&mut self, at: u64, length: u64, given: bool) {
        self.awake += length;
        let died = self.chance.percent(if self.trouble == Trouble::Death { 50 } else { 5 });
        let restarted = self.chance.percent(1);
        if restarted {
            self.booted = at;
            if self.trouble == Trouble::Clock {
                self.wrong = wrong_date(&mut self.chance);
            }
        }
        if died || restarted {
            self.process = None;
        }
        if self.process.is_none() {
            self.start(at);
            // A date that has changed costs a look.
            self.day.forgotten += u32::from(restarted && self.trouble == Trouble::Clock);
        }
        let network = self.network(at / HOUR, given);
        let end = at + length;
        // A request at once, and others until the window closes.
        for offset in [0, length / 3, length - 2] {
            if self.process.is_none() {
                break;
            }
            let now = self.now(at + offset);
            self.day.stale |= self.channel().freshness(now) != Freshness::Fresh;
            if self.channel().is_due(now) {
                self.look(Why::Due, at + offset, end, network);
            }
            if self.process.is_some() {
                self.request(at + offset, end, network);
            }
        }
    }

    fn channel(&mut self) -> &mut Channel {
        self.process.as_mut().expect("a process")
    }

    /// A request to the server, whose key may be another than those that are pinned.
    fn request(&mut self, at: u64, end: u64, network: Network) {
        let key = History::server_key(at);
        let accepted = |phone: &mut Self| {
            let now = phone.now(at);
            let state = phone.state().clone();
            phone.memo.accepts(&state, key)
                || phone.process.as_ref().is_some_and(|c| c.freshness(now) == Freshness::Lapsed)
        };
        if accepted(self) {
            self.refused_since = None;
            return;
        }
        let now = self.now(at);
        if self.channel().may_force(now) {
            self.look(Why::Asked, at, end, network);
        }
        if self.process.is_none() || accepted(self) || network != Network::Open {
            return;
        }
        if is_owners_fault(at) {
            self.refused_since = None;
            return;
        }
        let since = *self.refused_since.get_or_insert(at);
        if at - since > 3 * HOUR {
            self.report.locked_out += 1;
        }
    }

    /// Flies a look until it has landed or the phone sleeps.
    fn look(&mut self, why: Why, at: u64, end: u64, network: Network) {
        self.day.forced += u32::from(why == Why::Asked);
        let mut time = at * 1_000;
        let mut coming = Vec::<(u64, Question, Content)>::new();
        let now = self.now(at);
        let mut actions = self.channel().begin(why, now, ms(time));
        // Who is given 30 s a day is not killed in them.
        let deadly = self.trouble == Trouble::Death && self.rhythm != Rhythm::Daily;
        let deadly = deadly && self.chance.percent(10);
        loop {
            for action in std::mem::take(&mut actions) {
                // Between any two steps.
                if deadly && self.chance.percent(15) {
                    self.process = None;
                    self.day.forgotten += 1;
                    return;
                }
                match action {
                    Action::Ask(question) => {
                        self.day.asked += 1;
                        let Reply { after, what } = mirror::ask(
                            self.history,
                            self.trouble,
                            network,
                            &question.url,
                            question.known,
                            time / 1_000,
                            &mut self.chance,
                        );
                        // Nobody is locked out for want of a way to an honest mirror.
                        if question.url == EMBEDDED[1] && matches!(what, Content::Failed) {
                            self.refused_since = None;
                        }
                        // What hangs is given up when the look ends.
                        let left = question.timeout.as_millis() as u64;
                        let (after, what) = match after {
                            Some(after) if after < left => (after, what),
                            _ => (left, Content::Failed),
                        };
                        coming.push((time + after, question, what));
                    }
                    Action::Swap => self.swapped(time / 1_000),
                    Action::Store => self.store(),
                    Action::Land(_, outcome) if why == Why::Due => match outcome {
                        Ok(_) => self.day.answered += 1,
                        Err(_) => self.day.failed += 1,
                    },
                    Action::Land(_, outcome) => self.day.in_vain += u32::from(outcome.is_err()),
                    Action::Tell(_) => {}
                }
            }
            let next = (0..coming.len()).min_by_key(|i| coming[*i].0);
            let answer_at = next.map(|next| coming[next].0);
            let wakes = self.channel().wakes().map(|wakes| wakes.as_millis() as u64);
            let Some(next_at) = answer_at.into_iter().chain(wakes).min() else { return };
            // The phone sleeps, and what has not come by then does not.
            if next_at > end * 1_000 {
                let number = self.channel().number();
                let now = self.now(end);
                let landed = self.channel().abandon(number, now);
                if !landed.is_empty() {
                    let count =
                        if why == Why::Due { &mut self.day.failed } else { &mut self.day.in_vain };
                    *count += 1;
                    self.store();
                }
                return;
            }
            time = next_at.max(time);
            let now = self.now(time / 1_000);
            actions = match (next, answer_at == Some(next_at)) {
                (Some(next), true) => {
                    let (_, question, what) = coming.swap_remove(next);
                    let answer = self.answer(what);
                    self.channel().answered(&question, answer, now, ms(time))
                }
                _ => self.channel().proceed(now, ms(time)),
            };
        }
    }

    fn answer(&mut self, what: Content) -> Answer {
        match what {
            Content::Failed => Answer::Failed(String::new()),
            Content::Known => Answer::Known,
            Content::Page => judge(self.state(), self.first.order(), "fleet", b"<html>log in"),
            Content::Bundle { number, tag } => {
                let state = self.state().clone();
                let answer = self.memo.judge(self.history, &self.first, &state, number);
                with_validator(answer, tag)
            }
        }
    }

    fn store(&mut self) {
        let channel = self.channel();
        self.stored = Some((channel.state().clone(), channel.kept().clone()));
    }

    /// Another pin set is in force.
    fn swapped(&mut self, at: u64) {
        let order = self.state().order();
        self.report.rollbacks += u32::from(order <= self.order);
        self.order = order;
        self.had.push((at, order));
    }
}

/// The server's validator changes nothing of an answer.
fn with_validator(answer: Answer, _tag: Digest) -> Answer {
    answer
}

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// By hours mostly, and by years for some.
fn wrong_date(chance: &mut Chance) -> i64 {
    let hours = chance.below(24 * HOUR) as i64 - 12 * HOUR as i64;
    match chance.below(4) {
        0 => -((8 * 365 * DAY) as i64) + hours,
        1 => (3 * 365 * DAY) as i64 + hours,
        _ => hours,
    }
}
