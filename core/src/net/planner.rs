//! By which ways an origin may be reached.

use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::origin::{Key, Origin};
use crate::cancel::Wake;
use crate::clock::Clock;
use crate::patience::{Bell, Impatience, Patience};
use crate::proxy::{Proxies, Proxy, ProxyRoute, ProxySelector};
use crate::slots::{NoSlot, Slots};

/// How long an answer of a selector is used; a change of the network ends it before.
const USED_FOR: Duration = Duration::from_secs(60);
/// Of how many origins answers are kept, and how many ways of one are tried.
const MAX_ORIGINS: usize = 64;
const MAX_WAYS: usize = 8;
/// How many selectors may be at work, and how many may hang; one that takes longer hangs.
const MAX_THREADS: usize = 16;
const HANGS_AFTER: Duration = Duration::from_secs(10);

/// Knows the ways.
pub(super) struct Planner {
    proxies: Proxies,
    clock: Arc<dyn Clock>,
    slots: Arc<Slots>,
    /// What a selector has said, and when since boot; what was asked last comes last.
    answers: Mutex<VecDeque<Answer>>,
}

/// The proxies to go through to an origin, none for a direct connection.
type Answer = (Origin, Duration, Vec<Option<Proxy>>);

/// Why there is no way.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoWay {
    Impatient(Impatience),
    Selector(String),
}

impl fmt::Debug for Planner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Planner").field("proxies", &self.proxies).finish_non_exhaustive()
    }
}

impl Planner {
    pub(super) fn new(proxies: Proxies, clock: Arc<dyn Clock>) -> Self {
        let slots = Slots::new(MAX_THREADS, HANGS_AFTER);
        Self { proxies, clock, slots, answers: Mutex::default() }
    }

    /// The ways to the origin of `key`, the best first; at least one.
    pub(super) fn ways(&self, key: &Key, patience: Patience<'_>) -> Result<Vec<Key>, NoWay> {
        let (host, port) = (key.host(), key.origin.port());
        let proxies = match &self.proxies {
            Proxies::None => vec![None],
            Proxies::Fixed { no_proxy, .. } if no_proxy.excludes(host, port) => vec![None],
            Proxies::Fixed { proxy, .. } => vec![Some(proxy.clone())],
            Proxies::Selector(selector) => match self.known(&key.origin) {
                Some(known) => known,
                None => self.selected(selector, &key.origin, patience)?,
            },
        };
        Ok(proxies.into_iter().map(|proxy| key.through(proxy)).collect())
    }

    fn selected(
        &self,
        selector: &Arc<dyn ProxySelector>,
        origin: &Origin,
        patience: Patience<'_>,
    ) -> Result<Vec<Option<Proxy>>, NoWay> {
        let routes = self.ask(selector, origin, patience)?;
        let proxies = routes.into_iter().take(MAX_WAYS).map(|route| match route {
            ProxyRoute::Direct => None,
            ProxyRoute::Via(proxy) => Some(proxy),
        });
        let proxies = proxies.collect::<Vec<_>>();
        if proxies.is_empty() {
            return Err(NoWay::Selector("it names no way, not even a direct one".into()));
        }
        self.remember(origin, &proxies);
        Ok(proxies)
    }

    /// A way could not be gone: while the others are known, they come first.
    pub(super) fn put_last(&self, key: &Key) {
        let mut answers = self.lock();
        let known = answers.iter_mut().find(|(known, ..)| *known == key.origin);
        if let Some((.., ways)) = known
            && let Some(i) = ways.iter().position(|proxy| *proxy == key.proxy)
        {
            ways[i..].rotate_left(1);
        }
    }

    /// The network is another one, and so may the proxies be.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    fn known(&self, origin: &Origin) -> Option<Vec<Option<Proxy>>> {
        let now = self.clock.boot();
        let mut answers = self.lock();
        answers.retain(|(_, at, _)| now.saturating_sub(*at) < USED_FOR);
        let known = answers.iter().find(|(known, ..)| known == origin);
        known.map(|(.., ways)| ways.clone())
    }

    fn remember(&self, origin: &Origin, ways: &[Option<Proxy>]) {
        let now = self.clock.boot();
        let mut answers = self.lock();
        answers.retain(|(known, ..)| known != origin);
        if answers.len() == MAX_ORIGINS {
            answers.pop_front();
        }
        answers.push_back((origin.clone(), now, ways.to_vec()));
    }

    /// Asks on a thread of its own, which is left to itself where it does not come back in time.
    fn ask(
        &self,
        selector: &Arc<dyn ProxySelector>,
        origin: &Origin,
        patience: Patience<'_>,
    ) -> Result<Vec<ProxyRoute>, NoWay> {
        let bell: Arc<Bell> = Arc::default();
        let mut place = self.slots.place(&bell);
        let slot = patience.wait(&bell, || match place.take() {
            Err(NoSlot::Yet(look_again)) => ControlFlow::Continue(look_again),
            taken => ControlFlow::Break(taken),
        });
        drop(place);
        let slot = slot.map_err(NoWay::Impatient)?.map_err(|_| {
            NoWay::Selector("too many earlier questions are still unanswered".to_owned())
        })?;
        let answer = Arc::new(Mutex::new(None));
        let (selector, origin) = (selector.clone(), origin.clone());
        let (answered, ring) = (answer.clone(), bell.clone());
        let work = move || {
            let select = || selector.select(origin.host(), origin.port());
            // What a panic may have left half done is the selector's own.
            let routes = catch_unwind(AssertUnwindSafe(select));
            drop(slot);
            let routes = routes.unwrap_or_else(|_| Err("it panicked".into()));
            *answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(routes);
            ring.wake();
        };
        thread::Builder::new()
            .name("pinfold-proxies".into())
            .spawn(work)
            .map_err(|e| NoWay::Selector(format!("no thread for it: {e}")))?;
        let routes = patience.wait(&bell, || {
            match answer.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(routes) => ControlFlow::Break(routes),
                None => ControlFlow::Continue(None),
            }
        });
        routes.map_err(NoWay::Impatient)?.map_err(NoWay::Selector)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Answer>> {
        // The queue is whole at every point where a panic could leave it.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Instant;

    use super::*;
    use crate::cancel::CancelToken;
    use crate::clock::tests::Hands;
    use crate::net::SessionId;
    use crate::pin::HostName;

    fn key(host: &str) -> Key {
        let origin = Origin::new(HostName::parse(host).expect("a name"), 443);
        Key::new(origin, SessionId::default())
    }

    fn proxy(url: &str) -> Proxy {
        Proxy::parse(url).expect("a proxy")
    }

    fn selecting(selector: impl ProxySelector + 'static) -> (Planner, Arc<Hands>) {
        let hands = Arc::new(Hands::default());
        (Planner::new(Proxies::Selector(Arc::new(selector)), hands.clone()), hands)
    }

    fn ask(planner: &Planner, host: &str) -> Result<Vec<Option<Proxy>>, NoWay> {
        let deadline = Some(Instant::now() + Duration::from_secs(20));
        let patience = Patience { deadline, cancel: &CancelToken::new() };
        let ways = planner.ways(&key(host), patience)?;
        Ok(ways.into_iter().map(|key| key.proxy).collect())
    }

    #[derive(Debug)]
    struct Says(Arc<AtomicUsize>, Result<Vec<ProxyRoute>, String>);

    impl ProxySelector for Says {
        fn select(&self, _: &HostName, _: u16) -> Result<Vec<ProxyRoute>, String> {
            self.0.fetch_add(1, Ordering::SeqCst);
            self.1.clone()
        }
    }

    #[derive(Debug)]
    struct Panics;

    impl ProxySelector for Panics {
        fn select(&self, _: &HostName, _: u16) -> Result<Vec<ProxyRoute>, String> {
            panic!("in the app");
        }
    }

    #[derive(Debug)]
    struct Hangs(Mutex<Receiver<()>>);

    impl ProxySelector for Hangs {
        fn select(&self, _: &HostName, _: u16) -> Result<Vec<ProxyRoute>, String> {
            let _released = self.0.lock().map(|held| held.recv());
            Ok(vec![ProxyRoute::Direct])
        }
    }

    #[test]
    fn what_a_selector_says_holds_for_a_minute_or_until_the_network_changes() {
        let asked = Arc::new(AtomicUsize::new(0));
        let via = ProxyRoute::Via(proxy("http://p:1"));
        let (planner, hands) = selecting(Says(asked.clone(), Ok(vec![via, ProxyRoute::Direct])));
        let expected = Ok(vec![Some(proxy("http://p:1")), None]);
        for (pass, times) in [(0, 1), (59, 1), (1, 2), (0, 2)] {
            hands.pass(Duration::from_secs(pass));
            assert_eq!(ask(&planner, "a.test"), expected);
            assert_eq!(asked.load(Ordering::SeqCst), times, "after {pass} s");
        }
        ask(&planner, "b.test").expect("ways");
        assert_eq!(asked.load(Ordering::SeqCst), 3, "another host is another question");
        planner.put_last(&key("a.test").through(Some(proxy("http://p:1"))));
        assert_eq!(ask(&planner, "a.test"), Ok(vec![None, Some(proxy("http://p:1"))]));
        planner.forget();
        assert_eq!(ask(&planner, "a.test"), expected);
        assert_eq!(asked.load(Ordering::SeqCst), 4);
    }

    #[test]
    fn no_answer_is_no_way() {
        for (says, words) in [(Ok(Vec::new()), "no way"), (Err("no PAC".into()), "no PAC")] {
            let (planner, _) = selecting(Says(Arc::default(), says));
            match ask(&planner, "a.test") {
                Err(NoWay::Selector(reason)) => assert!(reason.contains(words), "{reason}"),
                other => panic!("{other:?}"),
            }
        }
        let (planner, _) = selecting(Panics);
        assert_eq!(ask(&planner, "a.test"), Err(NoWay::Selector("it panicked".into())));
    }

    #[test]
    fn a_selector_that_hangs_is_given_up_in_time_and_when_the_call_is_cancelled() {
        let (_hold, held) = channel();
        let (planner, _) = selecting(Hangs(Mutex::new(held)));
        let (host, cancel) = (key("a.test"), CancelToken::new());
        let short = Some(Instant::now() + Duration::from_millis(20));
        let late = planner.ways(&host, Patience { deadline: short, cancel: &cancel });
        assert_eq!(late, Err(NoWay::Impatient(Impatience::TimedOut)));
        let canceller = cancel.clone();
        let other = thread::spawn(move || canceller.cancel());
        let cancelled = planner.ways(&host, Patience { deadline: None, cancel: &cancel });
        assert_eq!(cancelled, Err(NoWay::Impatient(Impatience::Cancelled)));
        other.join().expect("it cancels");
    }
}
