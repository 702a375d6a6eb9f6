//! How many requests may be under way, in all and to one host; the others queue.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};

use crate::cancel::Wake;
use crate::patience::{Bell, Impatience, Patience};
use crate::pin::HostName;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// How many hosts are known at most beside those with requests under way.
const MAX_KNOWN: usize = 64;

/// Lets requests begin in the order in which they came, as far as the limits allow: who waits for
/// one host holds nobody up who is for another.
#[derive(Debug)]
pub(super) struct Dispatcher {
    max: usize,
    max_per_host: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    /// Those of late, too: a name that is there need not be copied for the next request.
    hosts: HashMap<HostName, usize>,
    /// Nobody in it could begin: whoever can is let in when somebody else ends.
    queue: VecDeque<Arc<Waiting>>,
}

/// A place in the queue, until it is left.
pub(super) struct Waiting {
    host: HostName,
    /// Woken when it is this one's turn.
    waits: Arc<dyn Wake>,
    admitted: AtomicBool,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("host", &self.host).finish_non_exhaustive()
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    dispatcher: &'a Dispatcher,
    host: &'a HostName,
}

impl Dispatcher {
    pub(super) fn new(max: usize, max_per_host: usize) -> Self {
        Self { max, max_per_host, state: Mutex::default() }
    }

    /// Waits for this request's turn.
    pub(super) fn enter<'a>(
        &'a self,
        host: &'a HostName,
        patience: Patience<'_>,
    ) -> Result<Permit<'a>, Impatience> {
        let mut bell = None;
        let queued = self.queue(host, || bell.get_or_insert_with(Arc::<Bell>::default).clone());
        let (Some(waiting), Some(bell)) = (queued, bell) else { return Ok(self.kept(host)) };
        let waited = patience.wait(&bell, || match waiting.is_admitted() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(None),
        });
        match waited {
            Ok(()) => Ok(self.kept(host)),
            Err(impatience) => {
                self.give_up(&waiting);
                Err(impatience)
            }
        }
    }

    /// Lets a request in, or has it queue and `waits` woken when its turn comes. Let in it holds a
    /// place, which [`Self::kept`] hands over; a place in the queue is to be given up.
    pub(super) fn queue<W: Wake + 'static>(
        &self,
        host: &HostName,
        waits: impl FnOnce() -> Arc<W>,
    ) -> Option<Arc<Waiting>> {
        let mut state = self.lock();
        if self.admits(&state, host) {
            state.admit(host);
            return None;
        }
        let admitted = AtomicBool::new(false);
        let waiting = Arc::new(Waiting { host: host.clone(), waits: waits(), admitted });
        state.queue.push_back(waiting.clone());
        Some(waiting)
    }

    /// Leaves the queue without a place.
    pub(super) fn give_up(&self, waiting: &Arc<Waiting>) {
        let mut state = self.lock();
        match state.queue.iter().position(|other| Arc::ptr_eq(other, waiting)) {
            Some(i) => drop(state.queue.remove(i)),
            // It was let in at the last moment, and leaves at once.
            None => {
                drop(state);
                self.leave(&waiting.host);
            }
        }
    }

    /// The place that a request to `host` holds.
    pub(super) fn kept<'a>(&'a self, host: &'a HostName) -> Permit<'a> {
        Permit { dispatcher: self, host }
    }

    fn admits(&self, state: &State, host: &HostName) -> bool {
        state.running < self.max && state.to(host) < self.max_per_host
    }

    /// Ends a request that has kept its place; see [`Permit::keep`].
    pub(super) fn leave(&self, host: &HostName) {
        let mut state = self.lock();
        state.running -= 1;
        if let Some(running) = state.hosts.get_mut(host) {
            *running -= 1;
        }
        if state.hosts.len() > MAX_KNOWN {
            state.hosts.retain(|_, running| *running > 0);
        }
        let next = state.queue.iter().position(|waiting| self.admits(&state, &waiting.host));
        let Some(next) = next.and_then(|i| state.queue.remove(i)) else { return };
        state.admit(&next.host);
        drop(state);
        next.admitted.store(true, Ordering::SeqCst);
        next.waits.wake();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The counts are whole at every point where a panic could leave them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    #[cfg(test)]
    fn is_idle(&self) -> bool {
        self.running == 0 && self.hosts.values().all(|n| *n == 0) && self.queue.is_empty()
    }

    fn to(&self, host: &HostName) -> usize {
        self.hosts.get(host).copied().unwrap_or(0)
    }

    fn admit(&mut self, host: &HostName) {
        self.running += 1;
        match self.hosts.get_mut(host) {
            Some(running) => *running += 1,
            None => {
                self.hosts.insert(host.clone(), 1);
            }
        }
    }
}

impl Waiting {
    /// Whether it holds a place by now.
    pub(super) fn is_admitted(&self) -> bool {
        self.admitted.load(Ordering::SeqCst)
    }
}

impl Permit<'_> {
    /// Keeps the place beyond this scope; [`Dispatcher::leave`] for the same host must follow.
    pub(super) fn keep(self) -> HostName {
        let host = self.host.clone();
        std::mem::forget(self);
        host
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.dispatcher.leave(self.host);
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::thread;
    use std::time::Instant;

    use super::*;
    use crate::cancel::CancelToken;

    fn host(name: &str) -> HostName {
        HostName::parse(name).expect("a name")
    }

    fn now(cancel: &CancelToken) -> Patience<'_> {
        Patience { deadline: Some(Instant::now()), cancel }
    }

    #[test]
    fn limits_hold_in_all_and_for_one_host() {
        let dispatcher = Dispatcher::new(3, 2);
        let (a, b, cancel) = (host("a.test"), host("b.test"), CancelToken::new());
        let enter = |host| dispatcher.enter(host, now(&cancel));
        let first = enter(&a).expect("free");
        let _second = enter(&a).expect("free");
        assert_eq!(enter(&a).expect_err("two are under way"), Impatience::TimedOut);
        let _other = enter(&b).expect("another host");
        assert_eq!(enter(&b).expect_err("three in all"), Impatience::TimedOut);
        drop(first);
        enter(&b).expect("two in all");
        // Who gave up is not in the queue any more.
        assert!(dispatcher.lock().queue.is_empty());
    }

    #[test]
    fn hosts_are_forgotten_where_there_are_too_many_of_them() {
        let (dispatcher, cancel) = (Dispatcher::new(3, 2), CancelToken::new());
        let held = host("held.test");
        let _held = dispatcher.enter(&held, now(&cancel)).expect("free");
        for i in 0..3 * MAX_KNOWN {
            dispatcher.enter(&host(&format!("h{i}.test")), now(&cancel)).expect("free");
            let state = dispatcher.lock();
            assert!(state.hosts.len() <= MAX_KNOWN + 1 && state.to(&held) == 1);
        }
    }

    #[test]
    fn who_waits_for_one_host_holds_nobody_up_who_is_for_another() {
        let dispatcher = Dispatcher::new(10, 1);
        let (a, b, cancel) = (host("a.test"), host("b.test"), CancelToken::new());
        let held = dispatcher.enter(&a, now(&cancel)).expect("free");
        let patience = Patience { deadline: None, cancel: &cancel };
        thread::scope(|scope| {
            let waiting = scope.spawn(|| dispatcher.enter(&a, patience).map(drop));
            while dispatcher.lock().queue.is_empty() {
                thread::yield_now();
            }
            dispatcher.enter(&b, now(&cancel)).expect("another host");
            drop(held);
            waiting.join().expect("no panic").expect("its turn");
        });
        assert_eq!(dispatcher.lock().running, 0);
    }

    #[test]
    fn a_cancellation_ends_the_wait_and_leaves_no_trace() {
        let dispatcher = Dispatcher::new(1, 1);
        let (a, cancel) = (host("a.test"), CancelToken::new());
        let held = dispatcher.enter(&a, now(&cancel)).expect("free");
        let patience = Patience { deadline: None, cancel: &cancel };
        thread::scope(|scope| {
            let waiting = scope.spawn(|| dispatcher.enter(&a, patience).map(drop));
            while dispatcher.lock().queue.is_empty() {
                thread::yield_now();
            }
            cancel.cancel();
            let ended = waiting.join().expect("no panic");
            assert_eq!(ended, Err(Impatience::Cancelled));
        });
        drop(held);
        let state = dispatcher.lock();
        assert!(state.is_idle());
    }
}

#[cfg(all(test, shuttle))]
mod interleavings {
    use shuttle::thread;

    use super::*;
    use crate::cancel::CancelToken;
    use crate::sync::atomic::AtomicUsize;
    use crate::sync::in_every_order;

    fn hosts() -> [HostName; 2] {
        ["a.test", "b.test"].map(|name| HostName::parse(name).expect("a name"))
    }

    #[test]
    fn limits_hold_and_everybody_gets_a_turn() {
        in_every_order(|| {
            let dispatcher = Arc::new(Dispatcher::new(2, 1));
            let running = Arc::new([(); 2].map(|()| AtomicUsize::new(0)));
            let requests = [0, 0, 1, 0].map(|to| {
                let (dispatcher, running) = (dispatcher.clone(), running.clone());
                thread::spawn(move || {
                    let (host, cancel) = (&hosts()[to], CancelToken::new());
                    let patience = Patience { deadline: None, cancel: &cancel };
                    let _permit = dispatcher.enter(host, patience).expect("its turn");
                    let with_it = running[to].fetch_add(1, Ordering::SeqCst);
                    assert_eq!(with_it, 0, "one to a host");
                    running[to].fetch_sub(1, Ordering::SeqCst);
                })
            });
            // Whoever were forgotten in the queue would hang here, which shuttle reports.
            requests.into_iter().for_each(|request| request.join().expect("no panic"));
            let state = dispatcher.lock();
            assert!(state.is_idle());
        });
    }

    #[test]
    fn who_is_let_in_while_giving_up_takes_nobody_s_place() {
        in_every_order(|| {
            let (dispatcher, [host, _]) = (Arc::new(Dispatcher::new(1, 1)), hosts());
            let (never, cancel) = (CancelToken::new(), CancelToken::new());
            let patience = Patience { deadline: None, cancel: &never };
            let held = dispatcher.enter(&host, patience).expect("free");
            let enter = |cancel: CancelToken| {
                let (dispatcher, host) = (dispatcher.clone(), host.clone());
                thread::spawn(move || {
                    let patience = Patience { deadline: None, cancel: &cancel };
                    dispatcher.enter(&host, patience).map(drop)
                })
            };
            let (impatient, patient) = (enter(cancel.clone()), enter(never.clone()));
            let cancelling = thread::spawn(move || cancel.cancel());
            drop(held);
            cancelling.join().expect("no panic");
            let _either = impatient.join().expect("no panic");
            assert_eq!(patient.join().expect("no panic"), Ok(()));
            let state = dispatcher.lock();
            assert!(state.running == 0 && state.queue.is_empty());
        });
    }
}
