//! Which routes have failed on the network that the device is in.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;

/// How long a failure counts; a change of the network ends it before.
const REMEMBERED: Duration = Duration::from_secs(24 * 3_600);
const MAX: usize = 256;

/// An address, and what it was to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Route {
    /// A server's own.
    Direct(SocketAddr),
    /// A proxy's.
    Proxy(SocketAddr),
}

/// Routes that have failed; in memory only.
#[derive(Debug)]
pub(super) struct FailedRoutes {
    clock: Arc<dyn Clock>,
    /// With the time since boot; the oldest comes first.
    failed: Mutex<VecDeque<(Route, Duration)>>,
}

impl FailedRoutes {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, failed: Mutex::default() }
    }

    pub(super) fn remember(&self, route: Route) {
        let now = self.clock.boot();
        let mut failed = self.lock();
        failed.retain(|(known, _)| *known != route);
        if failed.len() == MAX {
            failed.pop_front();
        }
        failed.push_back((route, now));
    }

    /// It works.
    pub(super) fn forget(&self, route: Route) {
        self.lock().retain(|(known, _)| *known != route);
    }

    /// The network is another one.
    pub(super) fn forget_all(&self) {
        self.lock().clear();
    }

    /// Whether it has failed of late.
    pub(super) fn has(&self, route: Route) -> bool {
        let now = self.clock.boot();
        let mut failed = self.lock();
        failed.retain(|(_, at)| now.saturating_sub(*at) < REMEMBERED);
        failed.iter().any(|(known, _)| *known == route)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Route, Duration)>> {
        // The queue is whole at every point where a panic could leave it.
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::tests::Hands;

    fn route(port: u16) -> Route {
        Route::Direct(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    #[test]
    fn a_failure_counts_for_a_day_of_sleep_and_waking_or_until_the_network_changes() {
        let hands = Arc::new(Hands::default());
        let routes = FailedRoutes::new(hands.clone());
        routes.remember(route(1));
        assert!(routes.has(route(1)) && !routes.has(route(2)));
        hands.pass(REMEMBERED - Duration::from_secs(1));
        assert!(routes.has(route(1)));
        hands.pass(Duration::from_secs(1));
        assert!(!routes.has(route(1)));

        routes.remember(route(1));
        routes.forget(route(1));
        assert!(!routes.has(route(1)));
        routes.remember(route(1));
        routes.forget_all();
        assert!(!routes.has(route(1)));
    }

    #[test]
    fn only_the_latest_are_remembered() {
        let routes = FailedRoutes::new(Arc::new(Hands::default()));
        let max = u16::try_from(MAX).expect("small");
        (0..=max).for_each(|port| routes.remember(route(port)));
        assert!(!routes.has(route(0)) && routes.has(route(1)) && routes.has(route(max)));
    }
}
