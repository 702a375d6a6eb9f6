//! Name lookups. They block and cannot be interrupted, so each has a thread of its own that nobody
//! needs to wait for; who asks for the same name meanwhile waits for the same answer.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use once_cell::sync::Lazy;

use crate::cancel::Wake;
use crate::patience::{Bell, Impatience, Patience};
use crate::slots::{NoSlot, Place, Slot, Slots};
use crate::sync::{Mutex, MutexGuard, thread};

/// How many lookups may be under way, and how many may hang.
const MAX: usize = 64;
/// A lookup that takes longer hangs: nobody joins it any more.
const HANGS_AFTER: Duration = Duration::from_secs(10);

/// All lookups of the process: threads and resolvers are the process's, too.
pub(super) static LOOKUPS: Lazy<Arc<Lookups>> =
    Lazy::new(|| Lookups::new(Slots::new(MAX, HANGS_AFTER), resolve));

/// More than any host has.
const MAX_ADDRESSES: usize = 64;

/// Finds the addresses of hosts in the place of the system: DNS over HTTPS, or an app's own list.
pub trait Resolver: Send + Sync {
    /// The addresses of `host`, a name in A-labels, in the order in which they are to be tried; the first
    /// 64 count. Called on a thread of its own, once for all calls that ask for a name at the same time; it
    /// may block. An IP address in a URL is not asked for.
    ///
    /// # Errors
    /// For whatever reason, and for no address: the call fails with [`crate::Error::DnsFailed`].
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

type Resolve = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// The lookups under way, one for each name.
pub(super) struct Lookups {
    slots: Arc<Slots>,
    resolve: Box<Resolve>,
    flights: Mutex<HashMap<String, Arc<Flight>>>,
}

/// Why there are no addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Impatient(Impatience),
    /// What the resolver said.
    Resolver(String),
}

#[derive(Default)]
struct Flight(Mutex<State>);

#[derive(Default)]
struct State {
    begun: Option<Instant>,
    answer: Option<Result<Vec<IpAddr>, Failure>>,
    waiting: Vec<Weak<Bell>>,
}

impl fmt::Debug for Lookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookups").finish_non_exhaustive()
    }
}

impl Lookups {
    fn new(
        slots: Arc<Slots>,
        resolve: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { slots, resolve: Box::new(resolve), flights: Mutex::default() })
    }

    /// Lookups by an app's own resolver, apart from all others.
    pub(super) fn by(resolver: Arc<dyn Resolver>) -> Arc<Self> {
        Self::new(Slots::new(MAX, HANGS_AFTER), move |name| {
            let found = catch_unwind(AssertUnwindSafe(|| resolver.resolve(name)));
            let mut found =
                found.unwrap_or_else(|_| Err(io::Error::other("the resolver panicked")))?;
            found.truncate(MAX_ADDRESSES);
            match found.is_empty() {
                true => Err(io::Error::other("the resolver found no address")),
                false => Ok(found),
            }
        })
    }

    /// The addresses of `name`.
    pub(super) fn find(
        self: &Arc<Self>,
        name: &str,
        patience: Patience<'_>,
    ) -> Result<Vec<IpAddr>, Failure> {
        let bell = Arc::default();
        let flight = self.join(name, &bell);
        let mut place = Some(self.slots.place(&bell));
        let answer = patience.wait(&bell, || {
            let mut state = flight.lock();
            if let Some(answer) = &state.answer {
                return ControlFlow::Break(answer.clone());
            }
            if state.begun.is_some() {
                drop(state);
                // Somebody else's slot serves this call, too.
                place = None;
                return ControlFlow::Continue(None);
            }
            match place.as_mut().map(Place::take) {
                Some(Ok(slot)) => {
                    state.begun = Some(Instant::now());
                    drop(state);
                    place = None;
                    self.begin(name, &flight, slot);
                    ControlFlow::Continue(None)
                }
                Some(Err(NoSlot::Yet(look_again))) => ControlFlow::Continue(look_again),
                Some(Err(NoSlot::Full)) | None => {
                    let reason = "too many name lookups hang".to_owned();
                    ControlFlow::Break(Err(Failure::Resolver(reason)))
                }
            }
        });
        answer.unwrap_or_else(|impatience| Err(Failure::Impatient(impatience)))
    }

    /// The lookup of `name` that is under way, or a new one.
    fn join(&self, name: &str, bell: &Arc<Bell>) -> Arc<Flight> {
        let mut flights = self.lock();
        let known = flights.get(name).filter(|flight| !flight.lock().hangs()).cloned();
        let flight = known.unwrap_or_else(|| {
            let flight = Arc::<Flight>::default();
            flights.insert(name.to_owned(), flight.clone());
            flight
        });
        flight.lock().waiting.push(Arc::downgrade(bell));
        flight
    }

    fn begin(self: &Arc<Self>, name: &str, flight: &Arc<Flight>, slot: Slot) {
        // The others that wait for it leave the queue.
        flight.ring();
        let for_name = name.to_owned();
        let (lookups, name, landing) = (self.clone(), name.to_owned(), flight.clone());
        let work = move || {
            let found = (lookups.resolve)(&name);
            drop(slot);
            lookups.land(&name, &landing, found.map_err(|e| Failure::Resolver(e.to_string())));
        };
        if let Err(e) = thread::Builder::new().name("pinfold-lookup".into()).spawn(work) {
            let failed = Failure::Resolver(format!("no thread for it: {e}"));
            self.land(&for_name, flight, Err(failed));
        }
    }

    fn land(&self, name: &str, flight: &Arc<Flight>, answer: Result<Vec<IpAddr>, Failure>) {
        let mut flights = self.lock();
        if flights.get(name).is_some_and(|current| Arc::ptr_eq(current, flight)) {
            flights.remove(name);
        }
        drop(flights);
        flight.lock().answer = Some(answer);
        flight.ring();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Flight>>> {
        // The map is whole at every point where a panic could leave it.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    fn ring(&self) {
        let waiting = self.lock().waiting.clone();
        waiting.iter().filter_map(Weak::upgrade).for_each(|bell| bell.wake());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole at every point where a panic could leave it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn hangs(&self) -> bool {
        self.begun.is_some_and(|begun| begun.elapsed() >= HANGS_AFTER)
    }
}

fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
    Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;

    use super::*;
    use crate::cancel::CancelToken;

    const LONG: Duration = Duration::from_secs(3_600);
    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn patience(cancel: &CancelToken) -> Patience<'_> {
        Patience { deadline: Some(Instant::now() + Duration::from_secs(20)), cancel }
    }

    #[test]
    fn a_hundred_calls_for_one_name_make_one_lookup() {
        let asked = Arc::new(AtomicUsize::new(0));
        let (release, held) = channel::<()>();
        let (count, held) = (asked.clone(), Mutex::new(held));
        let lookups = Lookups::new(Slots::new(1, LONG), move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            let _released = held.lock().map(|held| held.recv());
            Ok(vec![ADDRESS])
        });
        let cancel = CancelToken::new();
        thread::scope(|scope| {
            let calls: Vec<_> =
                (0..100).map(|_| scope.spawn(|| lookups.find("h", patience(&cancel)))).collect();
            let deadline = Instant::now() + Duration::from_secs(10);
            let joined = || lookups.lock().get("h").map_or(0, |f| f.lock().waiting.len());
            while joined() < 100 && Instant::now() < deadline {
                thread::yield_now();
            }
            drop(release);
            for call in calls {
                assert_eq!(call.join().expect("no panic"), Ok(vec![ADDRESS]));
            }
        });
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert!(lookups.lock().is_empty());
    }

    #[test]
    fn more_names_than_slots_queue_and_all_are_found() {
        let lookups = Lookups::new(Slots::new(2, LONG), |_| Ok(vec![ADDRESS]));
        let cancel = CancelToken::new();
        thread::scope(|scope| {
            let find = |i: usize| lookups.find(&format!("h{i}"), patience(&cancel));
            let calls: Vec<_> = (0..100).map(|i| scope.spawn(move || find(i))).collect();
            for call in calls {
                assert_eq!(call.join().expect("no panic"), Ok(vec![ADDRESS]));
            }
        });
    }

    #[test]
    fn what_hangs_is_not_joined_does_not_block_others_and_cannot_pile_up() {
        let (_hold, held) = channel::<()>();
        let held = Mutex::new(held);
        // Each hangs from the beginning.
        let lookups = Lookups::new(Slots::new(3, Duration::ZERO), move |_| {
            let _released = held.lock().map(|held| held.recv());
            Ok(Vec::new())
        });
        let cancel = CancelToken::new();
        let short = || Patience { deadline: Some(Instant::now()), cancel: &cancel };
        for name in ["a", "b", "c"] {
            let late = lookups.find(name, short());
            assert_eq!(late, Err(Failure::Impatient(Impatience::TimedOut)), "{name}");
        }
        let full = Failure::Resolver("too many name lookups hang".into());
        assert_eq!(lookups.find("d", patience(&cancel)), Err(full));
    }

    #[test]
    fn the_deadline_and_a_cancellation_end_the_wait_and_leave_the_lookup_to_others() {
        let (release, held) = channel::<()>();
        let held = Mutex::new(held);
        let lookups = Lookups::new(Slots::new(1, LONG), move |_| {
            let _released = held.lock().map(|held| held.recv());
            Err(io::Error::other("no such host"))
        });
        let cancel = CancelToken::new();
        let short = Patience { deadline: Some(Instant::now()), cancel: &cancel };
        let late = lookups.find("h", short);
        assert_eq!(late, Err(Failure::Impatient(Impatience::TimedOut)));
        cancel.cancel();
        let cancelled = lookups.find("h", patience(&cancel));
        assert_eq!(cancelled, Err(Failure::Impatient(Impatience::Cancelled)));
        drop(release);
        let cancel = CancelToken::new();
        let answer = lookups.find("h", patience(&cancel));
        assert_eq!(answer, Err(Failure::Resolver("no such host".into())));
    }
}

#[cfg(all(test, shuttle))]
mod interleavings {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::cancel::CancelToken;
    use crate::sync::atomic::{AtomicUsize, Ordering};
    use crate::sync::in_every_order;

    const FOUND: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// Three calls, of which the first may give up, over so many slots.
    fn scenario(names: [&'static str; 3], slots: usize) -> usize {
        let asked = Arc::new(AtomicUsize::new(0));
        let resolve = {
            let (asked, resolving) = (asked.clone(), AtomicUsize::new(0));
            move |_: &str| {
                assert!(resolving.fetch_add(1, Ordering::SeqCst) < slots, "more than may be");
                asked.fetch_add(1, Ordering::SeqCst);
                thread::yield_now();
                resolving.fetch_sub(1, Ordering::SeqCst);
                Ok(vec![FOUND])
            }
        };
        let lookups = Lookups::new(Slots::new(slots, HANGS_AFTER), resolve);
        let cancel = CancelToken::new();
        let cancels = [cancel.clone(), CancelToken::new(), CancelToken::new()];
        let mut calls = names.into_iter().zip(cancels).map(|(name, cancel)| {
            let lookups = lookups.clone();
            thread::spawn(move || lookups.find(name, Patience { deadline: None, cancel: &cancel }))
        });
        let calls = [(); 3].map(|()| calls.next().expect("three"));
        cancel.cancel();
        let [impatient, one, other] = calls.map(|call| call.join().expect("no panic"));
        assert_eq!((one, other), (Ok(vec![FOUND]), Ok(vec![FOUND])));
        let gave_up = Err(Failure::Impatient(Impatience::Cancelled));
        assert!(impatient == Ok(vec![FOUND]) || impatient == gave_up);
        asked.load(Ordering::SeqCst)
    }

    #[test]
    fn one_name_is_looked_up_once_for_all_who_wait_and_one_who_gives_up_takes_it_from_nobody() {
        in_every_order(|| {
            assert!((1..=3).contains(&scenario(["a.test"; 3], 2)));
        });
    }

    #[test]
    fn other_names_wait_for_a_slot_and_get_it() {
        in_every_order(|| {
            assert!(scenario(["a.test", "b.test", "b.test"], 1) >= 1);
        });
    }
}
