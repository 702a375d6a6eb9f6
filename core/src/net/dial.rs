//! New connections: the addresses of a host, one after the other, until a handshake is done.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::connection::{Connection, Stamp};
use super::context::CallContext;
use super::eyeballs::{self, Candidates};
use super::lookup::{self, LOOKUPS, Lookups, Resolver};
use super::online::or_offline;
use super::origin::{Key, Origin, SessionId};
use super::routes::{FailedRoutes, Route};
use super::tls::{Fault, Terms, Tls};
use crate::clock::Clock;
use crate::error::Error;
use crate::patience::{Impatience, Patience};
use crate::verify::Judge;

/// Addresses to connect to instead of looking a host's name up, by host and port.
pub(crate) type ConnectTo = HashMap<(String, u16), Vec<SocketAddr>>;

/// Makes connections.
#[derive(Debug)]
pub(super) struct Dialer {
    tls: Tls,
    connect_to: Arc<ConnectTo>,
    lookups: Arc<Lookups>,
    failed: FailedRoutes,
}

impl Dialer {
    pub(super) fn new(
        connect_to: Arc<ConnectTo>,
        resolver: Option<Arc<dyn Resolver>>,
        clock: Arc<dyn Clock>,
        resumes: bool,
    ) -> Result<Self, Error> {
        let failed = FailedRoutes::new(clock.clone());
        let lookups = resolver.map_or_else(|| LOOKUPS.clone(), Lookups::by);
        Ok(Self { tls: Tls::new(clock, resumes)?, connect_to, lookups, failed })
    }

    /// The network is another one: what failed on the last one may work.
    pub(super) fn forget_routes(&self) {
        self.failed.forget_all();
    }

    /// Forgets what belongs to a session.
    pub(super) fn end_session(&self, session: SessionId) {
        self.tls.forget(session);
    }

    /// A connection for `key` whose certificate `judge` accepts.
    ///
    /// After TCP has succeeded, whatever fails but the certificate is the address' fault, and the
    /// next one has its turn. As long as others wait, one may take a third of the time left.
    pub(super) fn dial(
        &self,
        key: &Key,
        judge: &Arc<Judge>,
        stamp: Stamp,
        context: &CallContext,
    ) -> Result<Connection, Error> {
        let host = key.host().as_str();
        let deadline = context.connect_deadline();
        let patience = Patience { deadline, cancel: context.cancel() };
        let mut candidates = self.candidates(&key.origin, patience, context)?;
        loop {
            let (stream, address) = match eyeballs::race(&mut candidates, patience) {
                Ok(connected) => connected,
                Err(eyeballs::Failure::Exhausted(reason)) => {
                    self.note(&candidates.failed);
                    let reason = match candidates.failed.len() {
                        0 | 1 => reason,
                        _ => told(&candidates.failed),
                    };
                    let failed = Error::ConnectFailed { host: host.to_owned(), reason };
                    let is_local = candidates.failed.iter().all(|(at, _)| at.ip().is_loopback());
                    return Err(if is_local { failed } else { or_offline(failed) });
                }
                Err(eyeballs::Failure::Impatient(e)) => return Err(impatient(e, host, context)),
            };
            let share = match candidates.waiting.is_empty() {
                true => deadline,
                false => deadline.map(a_third),
            };
            let begun = Instant::now();
            let tls = context.limits().tls.and_then(|tls| begun.checked_add(tls));
            let share = share.into_iter().chain(tls).min();
            let terms = Terms { judge, stamp, deadline: share };
            let (error, reason) = match self.tls.connect(stream, key, &terms, context) {
                Ok(connection) => {
                    self.note(&candidates.failed);
                    self.failed.forget(Route::Direct(address));
                    return Ok(connection);
                }
                Err(Fault::Final(error)) => return Err(error),
                Err(Fault::TimedOut) => {
                    (context.not_shaken(host, begun), "it did not answer in time".to_owned())
                }
                Err(Fault::OfAddress(error)) => {
                    let reason = error.to_string();
                    (error, reason)
                }
            };
            if context.cancel().is_cancelled() {
                return Err(Error::Cancelled);
            }
            if candidates.waiting.is_empty() || deadline.is_some_and(|at| Instant::now() >= at) {
                self.note(&candidates.failed);
                self.failed.remember(Route::Direct(address));
                return Err(with_others(error, &candidates.failed));
            }
            candidates.failed.push((address, reason));
        }
    }

    /// Where `origin` may be, in order: those that have failed on this network come last.
    fn candidates(
        &self,
        origin: &Origin,
        patience: Patience<'_>,
        context: &CallContext,
    ) -> Result<Candidates, Error> {
        let (host, port) = (origin.host().as_str(), origin.port());
        let addresses = match self.connect_to.get(&(host.to_owned(), port)) {
            Some(fixed) => fixed.clone(),
            None => match host.parse::<IpAddr>() {
                Ok(ip) => vec![SocketAddr::new(ip, port)],
                Err(_) => {
                    let begun = Instant::now();
                    let end = context.limits().lookup.and_then(|it| begun.checked_add(it));
                    let patience = end.map_or(patience, |end| patience.at_most(end));
                    let found =
                        self.lookups.find(host, patience).map_err(|failure| match failure {
                            lookup::Failure::Impatient(Impatience::Cancelled) => Error::Cancelled,
                            lookup::Failure::Impatient(Impatience::TimedOut) => {
                                context.not_found(host, begun)
                            }
                            lookup::Failure::Resolver(reason) => {
                                or_offline(Error::DnsFailed { host: host.to_owned(), reason })
                            }
                        })?;
                    found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect()
                }
            },
        };
        let in_turn = eyeballs::interleave(addresses);
        let has_failed = |address: &SocketAddr| self.failed.has(Route::Direct(*address));
        let (failed, good): (Vec<_>, Vec<_>) = in_turn.into_iter().partition(has_failed);
        let waiting = good.into_iter().chain(failed).collect();
        Ok(Candidates { waiting, failed: Vec::new() })
    }

    fn note(&self, failed: &[(SocketAddr, String)]) {
        failed.iter().for_each(|(address, _)| self.failed.remember(Route::Direct(*address)));
    }
}

/// The end of a third of the time until `deadline`.
fn a_third(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / 3
}

fn impatient(e: Impatience, host: &str, context: &CallContext) -> Error {
    match e {
        Impatience::Cancelled => Error::Cancelled,
        Impatience::TimedOut => context.not_connected(host),
    }
}

/// What became of several addresses, for people.
fn told(failed: &[(SocketAddr, String)]) -> String {
    let one = |(address, reason): &(SocketAddr, String)| format!("{address}: {reason}");
    failed.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// The last address' error, with what became of the others.
fn with_others(error: Error, failed: &[(SocketAddr, String)]) -> Error {
    if failed.is_empty() {
        return error;
    }
    let others = told(failed);
    let add = |reason: String| format!("{reason} (before that {others})");
    match error {
        Error::ConnectionLost { host, reason } => {
            Error::ConnectionLost { host, reason: add(reason) }
        }
        Error::TlsFailed { host, reason, interception } => {
            Error::TlsFailed { host, reason: add(reason), interception }
        }
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pinfold_testkit::{Event, Server, Testkit};

    use super::*;
    use crate::cancel::CancelToken;
    use crate::clock::SystemClock;
    use crate::events::Events;
    use crate::net::Limits;
    use crate::pin::{HostName, PinSet};
    use crate::verify::{Roots, SystemTrust};

    const HOST: &str = "api.example.test";

    /// A dialer that finds the host at these servers, in this order, and what judges.
    fn dialer(kit: &Testkit, servers: &[&str]) -> (Dialer, Arc<Judge>) {
        let digest = |name: &str| kit.pki().pin(name).replace("sha256/", "");
        let pins = format!(
            r#"{{"schema":1,"hosts":[{{"host":"{HOST}","pins":[{{"sha256":"{}"}},{{"sha256":"{}"}}]}}]}}"#,
            digest("backend"),
            digest("backup"),
        );
        let roots = ["root", "other_root"].map(|name| kit.pki().certificate(name).to_vec());
        let judge = Judge {
            pins: PinSet::parse(pins.as_bytes()).expect("a good pin set"),
            deny_unpinned: true,
            system: SystemTrust::new(&Roots::Only(roots.into())).expect("good roots"),
            managed: None,
        };
        let addresses = servers.iter().map(|name| kit.server(name).addr()).collect();
        let connect_to = ConnectTo::from([((HOST.to_owned(), 443), addresses)]);
        let dialer = Dialer::new(Arc::new(connect_to), None, Arc::new(SystemClock), true);
        (dialer.expect("a dialer"), Arc::new(judge))
    }

    fn dial(dialer: &Dialer, judge: &Arc<Judge>, connect: Duration) -> Result<Connection, Error> {
        let total = Duration::from_secs(20);
        let deadline = Instant::now().checked_add(total);
        let limits = Limits::for_tests(connect, total, deadline);
        let origin = Origin::new(HostName::parse(HOST).expect("a name"), 443);
        let key = Key { origin, session: SessionId::default() };
        let context = CallContext::new(CancelToken::new(), limits, Events::default());
        dialer.dial(&key, judge, Stamp::default(), &context)
    }

    fn accepted(server: &Server) -> usize {
        server.events().iter().filter(|e| matches!(e, Event::Accepted { .. })).count()
    }

    #[test]
    fn after_a_handshake_that_fails_the_next_address_has_its_turn_and_is_the_first_from_then_on() {
        let long = Duration::from_secs(20);
        for bad in ["close_on_hello", "reset_on_hello", "close_in_handshake", "garbage"] {
            let kit = Testkit::start().expect("loopback");
            let (dialer, judge) = dialer(&kit, &[bad, "backend"]);
            dial(&dialer, &judge, long).expect(bad);
            assert_eq!(accepted(kit.server(bad)), 1, "{bad}");
            dial(&dialer, &judge, long).expect(bad);
            assert_eq!(accepted(kit.server(bad)), 1, "{bad} is remembered");
            dialer.forget_routes();
            dial(&dialer, &judge, long).expect(bad);
            assert_eq!(accepted(kit.server(bad)), 2, "{bad} on another network");
        }
    }

    #[test]
    fn an_address_that_hangs_takes_a_third_of_the_time_that_is_left() {
        let kit = Testkit::start().expect("loopback");
        let (dialer, judge) = dialer(&kit, &["hang_on_accept", "backend"]);
        let begun = Instant::now();
        let connect = Duration::from_millis(1_500);
        dial(&dialer, &judge, connect).expect("the second");
        assert!(begun.elapsed() >= connect / 3 && begun.elapsed() < connect);
    }

    #[test]
    fn a_refused_certificate_is_the_hosts_and_ends_the_search() {
        let kit = Testkit::start().expect("loopback");
        let (dialer, judge) = dialer(&kit, &["interceptor", "backend"]);
        let error = dial(&dialer, &judge, Duration::from_secs(20)).expect_err("not its key");
        assert_eq!(error.code(), "pin_mismatch");
        assert_eq!(accepted(kit.server("backend")), 0);
    }

    #[test]
    fn when_all_have_failed_all_are_told() {
        let kit = Testkit::start().expect("loopback");
        let (dialer, judge) = dialer(&kit, &["close_on_hello", "garbage"]);
        let error = dial(&dialer, &judge, Duration::from_secs(20)).expect_err("both are bad");
        assert_eq!(error.code(), "tls_failed");
        let first = kit.server("close_on_hello").addr().to_string();
        assert!(error.to_string().contains(&first), "{error}");
    }
}
