//! How many threads may be at work on what nobody can interrupt: a name lookup, a platform's
//! judgement.
//!
//! Who finds no slot free queues for one. Work that takes longer than anybody waits for it hangs: it
//! keeps its thread, but not its slot, so that it does not delay the others. Only of those that hang
//! there can be too many: an app that tries for hours would end without threads.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::cancel::Wake;
use crate::patience::Bell;
use crate::sync::{Mutex, MutexGuard};

/// Slots for work of one kind.
#[derive(Debug)]
pub(crate) struct Slots {
    /// How many may be at work, and how many may hang.
    max: usize,
    /// Who takes longer hangs.
    hangs_after: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// Those at work, oldest first.
    begun: VecDeque<(u64, Instant)>,
    queue: VecDeque<Arc<Bell>>,
}

/// Work under way; dropped by its own thread at the end.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    id: u64,
}

/// A place in the queue for a slot.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    slots: &'a Arc<Slots>,
    bell: &'a Arc<Bell>,
    queued: bool,
}

/// Why there is no slot.
#[derive(Debug)]
pub(crate) enum NoSlot {
    /// Until the bell rings, or this time has come.
    Yet(Option<Instant>),
    /// Too many hang.
    Full,
}

impl Slots {
    pub(crate) fn new(max: usize, hangs_after: Duration) -> Arc<Self> {
        Arc::new(Self { max, hangs_after, state: Mutex::default() })
    }

    /// A place for whoever waits on `bell`.
    pub(crate) fn place<'a>(self: &'a Arc<Self>, bell: &'a Arc<Bell>) -> Place<'a> {
        Place { slots: self, bell, queued: false }
    }

    /// Whether work that began `at` hangs.
    fn hangs(&self, at: Instant) -> bool {
        at.elapsed() >= self.hangs_after
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The lists are whole at every point where a panic could leave them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Rings for as many as there are slots free.
    fn ring(&self, slots: &Slots) {
        let hung = self.begun.iter().take_while(|(_, at)| slots.hangs(*at)).count();
        let free = slots.max.saturating_sub(self.begun.len() - hung);
        self.queue.iter().take(free).for_each(|bell| bell.wake());
    }
}

impl Place<'_> {
    /// A slot, where it is this one's turn.
    pub(crate) fn take(&mut self) -> Result<Slot, NoSlot> {
        let mut state = self.slots.lock();
        let hung = state.begun.iter().take_while(|(_, at)| self.slots.hangs(*at)).count();
        if hung >= self.slots.max {
            return Err(NoSlot::Full);
        }
        let free = self.slots.max.saturating_sub(state.begun.len() - hung);
        let queued = state.queue.iter().position(|bell| Arc::ptr_eq(bell, self.bell));
        if queued.unwrap_or(state.queue.len()) >= free {
            if !std::mem::replace(&mut self.queued, true) {
                state.queue.push_back(self.bell.clone());
            }
            let oldest = state.begun.get(hung).map(|(_, at)| *at + self.slots.hangs_after);
            return Err(NoSlot::Yet(oldest));
        }
        let id = state.next;
        state.next += 1;
        state.begun.push_back((id, Instant::now()));
        Ok(Slot { slots: self.slots.clone(), id })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.queued {
            let mut state = self.slots.lock();
            state.queue.retain(|bell| !Arc::ptr_eq(bell, self.bell));
            // This one's turn may be another's now.
            state.ring(self.slots);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.slots.lock();
        state.begun.retain(|(id, _)| *id != self.id);
        state.ring(&self.slots);
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    fn taken(slots: &Arc<Slots>) -> Result<Slot, NoSlot> {
        slots.place(&Arc::default()).take()
    }

    #[test]
    fn slots_are_given_in_the_order_of_the_queue() {
        let slots = Slots::new(2, LONG);
        let (one, _two) = (taken(&slots).expect("free"), taken(&slots).expect("free"));
        let bells: [Arc<Bell>; 2] = Default::default();
        let [mut first, mut second] = bells.each_ref().map(|bell| slots.place(bell));
        assert!(matches!(first.take(), Err(NoSlot::Yet(Some(_)))));
        assert!(matches!(second.take(), Err(NoSlot::Yet(Some(_)))));
        drop(one);
        assert!(matches!(second.take(), Err(NoSlot::Yet(Some(_)))), "out of turn");
        let slot = first.take().expect("its turn");
        drop(first);
        drop(slot);
        second.take().expect("its turn");
    }

    #[test]
    fn who_leaves_the_queue_lets_the_next_one_in() {
        let slots = Slots::new(1, LONG);
        let one = taken(&slots).expect("free");
        let bells: [Arc<Bell>; 2] = Default::default();
        let [mut first, mut second] = bells.each_ref().map(|bell| slots.place(bell));
        first.take().expect_err("taken");
        second.take().expect_err("taken");
        drop((first, one));
        second.take().expect("its turn");
    }

    #[test]
    fn what_hangs_keeps_no_slot_and_only_that_can_be_too_much() {
        let slots = Slots::new(3, Duration::ZERO);
        let hung = [(); 3].map(|()| taken(&slots).expect("those before hang"));
        assert!(matches!(taken(&slots), Err(NoSlot::Full)));
        drop(hung);
        taken(&slots).expect("they came back");
    }
}

#[cfg(all(test, shuttle))]
mod interleavings {
    use std::ops::ControlFlow;

    use shuttle::thread;

    use super::*;
    use crate::cancel::CancelToken;
    use crate::patience::{Impatience, Patience};
    use crate::sync::atomic::{AtomicUsize, Ordering};
    use crate::sync::in_every_order;

    /// Waits for a slot; none where the wait was cancelled.
    fn slot(slots: &Arc<Slots>, cancel: &CancelToken) -> Result<Slot, Impatience> {
        let bell = Arc::default();
        let mut place = slots.place(&bell);
        Patience { deadline: None, cancel }.wait(&bell, || match place.take() {
            Ok(slot) => ControlFlow::Break(slot),
            Err(NoSlot::Yet(_)) => ControlFlow::Continue(None),
            Err(NoSlot::Full) => panic!("nothing hangs"),
        })
    }

    #[test]
    fn nobody_is_forgotten_in_the_queue_not_even_behind_one_who_leaves_it() {
        in_every_order(|| {
            let slots = Slots::new(1, Duration::from_secs(3_600));
            let (at_work, cancel) = (Arc::new(AtomicUsize::new(0)), CancelToken::new());
            let cancels = [CancelToken::new(), cancel.clone(), CancelToken::new()];
            let work = cancels.map(|cancel| {
                let (slots, at_work) = (slots.clone(), at_work.clone());
                thread::spawn(move || {
                    let slot = slot(&slots, &cancel)?;
                    assert_eq!(at_work.fetch_add(1, Ordering::SeqCst), 0, "more than one");
                    at_work.fetch_sub(1, Ordering::SeqCst);
                    drop(slot);
                    Ok::<_, Impatience>(())
                })
            });
            cancel.cancel();
            let [one, _impatient, other] = work.map(|work| work.join().expect("no panic"));
            assert_eq!((one, other), (Ok(()), Ok(())));
            let state = slots.lock();
            assert!(state.begun.is_empty() && state.queue.is_empty());
        });
    }
}
