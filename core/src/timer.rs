//! Wakes what waits without a thread when its time has come.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Instant;

use once_cell::sync::Lazy;

use crate::cancel::Wake;
use crate::sync::{Condvar, Mutex, MutexGuard, thread};

/// All of the process: it has one thread for as long as anybody waits, and none otherwise.
pub(crate) static TIMER: Lazy<Arc<Timer>> = Lazy::new(Arc::default);

#[derive(Default)]
pub(crate) struct Timer {
    state: Mutex<State>,
    /// The first to be woken is another one.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next: u64,
    waiting: BTreeMap<(Instant, u64), Weak<dyn Wake>>,
    runs: bool,
}

/// Somebody who waits, until it is dropped.
pub(crate) struct Alarm {
    timer: Arc<Timer>,
    key: (Instant, u64),
}

impl Timer {
    /// Has `wait` woken at that time.
    ///
    /// # Errors
    /// Of the system, which has no thread left.
    pub(crate) fn wake_at<W: Wake + 'static>(
        self: &Arc<Self>,
        at: Instant,
        wait: &Arc<W>,
    ) -> io::Result<Alarm> {
        let weak: Weak<dyn Wake> = Arc::<W>::downgrade(wait);
        let mut state = self.lock();
        let key = (at, state.next);
        state.next += 1;
        state.waiting.insert(key, weak);
        let alarm = Alarm { timer: self.clone(), key };
        let is_first = state.waiting.first_key_value().is_some_and(|(first, _)| *first == key);
        let begins = !std::mem::replace(&mut state.runs, true);
        drop(state);
        if begins {
            let timer = self.clone();
            let begun = thread::Builder::new().name("pinfold-timer".into());
            if let Err(e) = begun.spawn(move || timer.run()) {
                self.lock().runs = false;
                return Err(e);
            }
        } else if is_first {
            self.changed.notify_one();
        }
        Ok(alarm)
    }

    fn run(&self) {
        let mut state = self.lock();
        while let Some((key, _)) = state.waiting.first_key_value() {
            let (key, now) = (*key, Instant::now());
            if key.0 > now {
                let waited = self.changed.wait_timeout(state, key.0 - now);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            let due = state.waiting.remove(&key).and_then(|wait| wait.upgrade());
            drop(state);
            if let Some(wait) = due {
                wait.wake();
            }
            state = self.lock();
        }
        state.runs = false;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The list is whole at every point where a panic could leave it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let mut state = self.timer.lock();
        state.waiting.remove(&self.key);
        if state.waiting.is_empty() {
            // Its thread has nothing more to do.
            self.timer.changed.notify_one();
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::ops::ControlFlow;
    use std::time::Duration;

    use super::*;
    use crate::cancel::CancelToken;
    use crate::patience::{Bell, Patience};

    /// Whether the bell rings before the test gives up.
    fn rings(bell: &Arc<Bell>) -> bool {
        let late = Instant::now() + Duration::from_secs(20);
        let patience = Patience { deadline: Some(late), cancel: &CancelToken::new() };
        let mut looks = 0;
        let waited = patience.wait(bell, || {
            looks += 1;
            if looks == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(None) }
        });
        waited.is_ok()
    }

    #[test]
    fn each_is_woken_at_its_time_whoever_came_first() {
        let timer = Arc::<Timer>::default();
        let now = Instant::now();
        let [hour, soon, sooner] = [(); 3].map(|()| Arc::<Bell>::default());
        let _never = timer.wake_at(now + Duration::from_secs(3_600), &hour).expect("a thread");
        let _one = timer.wake_at(now + Duration::from_millis(40), &soon).expect("a thread");
        let _two = timer.wake_at(now + Duration::from_millis(20), &sooner).expect("a thread");
        assert!(rings(&sooner) && rings(&soon));
        assert!(now.elapsed() >= Duration::from_millis(40));
        assert_eq!(timer.lock().waiting.len(), 1, "the one of an hour");
    }

    #[test]
    fn its_thread_ends_with_the_last_who_waits() {
        let timer = Arc::<Timer>::default();
        for _ in 0..2 {
            let later = Instant::now() + Duration::from_secs(3_600);
            let alarm = timer.wake_at(later, &Arc::<Bell>::default()).expect("a thread");
            assert!(timer.lock().runs);
            drop(alarm);
            while timer.lock().runs {
                thread::yield_now();
            }
        }
    }
}

#[cfg(all(test, shuttle))]
mod interleavings {
    use std::ops::ControlFlow;

    use super::*;
    use crate::cancel::CancelToken;
    use crate::patience::{Bell, Patience};
    use crate::sync::in_every_order;

    #[test]
    fn who_comes_while_its_thread_ends_is_woken_all_the_same() {
        in_every_order(|| {
            let timer = Arc::<Timer>::default();
            let waiting = [(); 3].map(|()| {
                let timer = timer.clone();
                thread::spawn(move || {
                    let (bell, cancel) = (Arc::<Bell>::default(), CancelToken::new());
                    let _alarm = timer.wake_at(Instant::now(), &bell).expect("a thread");
                    let mut looks = 0;
                    let rung = Patience { deadline: None, cancel: &cancel }.wait(&bell, || {
                        looks += 1;
                        if looks == 2 {
                            ControlFlow::Break(())
                        } else {
                            ControlFlow::Continue(None)
                        }
                    });
                    assert_eq!(rung, Ok(()));
                })
            });
            // Whoever were forgotten would hang here, which shuttle reports.
            waiting.into_iter().for_each(|thread| thread.join().expect("no panic"));
        });
    }
}
