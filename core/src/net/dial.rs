//! New connections: the addresses of a host, one after the other, until a handshake is done.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use super::carrier::Carrier;
use super::connection::{Connection, Stamp};
use super::context::CallContext;
use super::eyeballs::{self, Candidates};
use super::lookup::{self, LOOKUPS, Lookups, Resolver};
use super::online::or_offline;
use super::origin::{Key, SessionId};
use super::routes::{FailedRoutes, Route};
use super::tls::{Fault, Terms, Tls};
use super::tunnel::{self, Stop, Tunnelling};
use super::wire::{Closer, Socket};
use crate::clock::Clock;
use crate::error::Error;
use crate::patience::{Impatience, Patience};
use crate::proxy::{Login, Logins, Proxy, ProxyScheme, Target};
use crate::verify::Judge;

/// How often a proxy may ask for another connection: after its challenge, and for each address of a
/// host that it cannot reach.
const MAX_ATTEMPTS: u32 = 8;
/// How many addresses of a host a proxy is asked for.
const MAX_TARGETS: usize = 4;

/// Addresses to connect to instead of looking a host's name up, by host and port.
pub(crate) type ConnectTo = HashMap<(String, u16), Vec<SocketAddr>>;

/// Makes connections.
#[derive(Debug)]
pub(super) struct Dialer {
    tls: Tls,
    connect_to: Arc<ConnectTo>,
    lookups: Arc<Lookups>,
    failed: FailedRoutes,
    logins: Logins,
}

/// By what and until when a connection is made.
pub(super) struct Dial<'a> {
    pub(super) judge: &'a Arc<Judge>,
    pub(super) stamp: Stamp,
    pub(super) deadline: Option<Instant>,
    pub(super) context: &'a CallContext,
}

impl Dial<'_> {
    fn patience(&self) -> Patience<'_> {
        Patience { deadline: self.deadline, cancel: self.context.cancel() }
    }
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
        let logins = Logins::default();
        Ok(Self { tls: Tls::new(clock, resumes)?, connect_to, lookups, failed, logins })
    }

    /// The network is another one: what failed on the last one may work.
    pub(super) fn forget_routes(&self) {
        self.failed.forget_all();
    }

    /// Forgets what belongs to a session.
    pub(super) fn end_session(&self, session: SessionId) {
        self.tls.forget(session);
    }

    /// A connection for `key` whose certificate the judge accepts.
    ///
    /// After TCP has succeeded, whatever fails but the certificate is the address' fault, and the
    /// next one has its turn. As long as others wait, one may take a third of the time left. What
    /// fails behind a proxy is not the proxy's address' fault.
    pub(super) fn dial(&self, key: &Key, dial: &Dial<'_>) -> Result<Connection, Error> {
        let Dial { deadline, context, .. } = *dial;
        let mut tunnelling = match &key.proxy {
            None => None,
            Some(proxy) => {
                let login = Login::new(&self.logins, proxy);
                let targets = self.targets(key, proxy, dial)?;
                Some(Tunnelling::new(key, proxy, login, targets))
            }
        };
        let mut candidates = self.candidates(key, dial)?;
        let mut attempts = 0;
        loop {
            let (stream, address) = match eyeballs::race(&mut candidates, dial.patience()) {
                Ok(connected) => connected,
                Err(eyeballs::Failure::Exhausted(reason)) => {
                    self.note(key, &candidates.failed);
                    let reason = match candidates.failed.len() {
                        0 | 1 => reason,
                        _ => told(&candidates.failed),
                    };
                    let failed = not_reached(key, reason);
                    let is_local = candidates.failed.iter().all(|(at, _)| at.ip().is_loopback());
                    return Err(if is_local { failed } else { or_offline(failed) });
                }
                Err(eyeballs::Failure::Impatient(e)) => return Err(impatient(e, key, context)),
            };
            let share = match candidates.waiting.is_empty() {
                true => deadline,
                false => deadline.map(a_third),
            };
            let begun = Instant::now();
            let tls = context.limits().tls.and_then(|tls| begun.checked_add(tls));
            let share = share.into_iter().chain(tls).min();
            let terms = Terms { judge: dial.judge, stamp: dial.stamp, deadline: share };
            let done = self.open(stream, key, tunnelling.as_mut(), &terms, context);
            let (error, reason) = match done {
                Ok(connection) => {
                    self.note(key, &candidates.failed);
                    self.failed.forget(route(key, address));
                    return Ok(connection);
                }
                // It can tell the difference only so often.
                Err(Stop::Again) if attempts < MAX_ATTEMPTS && !context.cancel().is_cancelled() => {
                    attempts += 1;
                    candidates.waiting.push_front(address);
                    continue;
                }
                Err(Stop::Again) => {
                    let reason = "it wants the same request on another connection, again and again";
                    (not_reached(key, reason.to_owned()), reason.to_owned())
                }
                Err(Stop::Fault(Fault::Final(error))) => return Err(error),
                Err(Stop::Fault(Fault::TimedOut)) => {
                    let error = context.not_shaken(key.host().as_str(), begun);
                    (error, "it did not answer in time".to_owned())
                }
                Err(Stop::Fault(Fault::OfAddress(error))) => {
                    let reason = error.to_string();
                    (error, reason)
                }
            };
            if context.cancel().is_cancelled() {
                return Err(Error::Cancelled);
            }
            if candidates.waiting.is_empty() || deadline.is_some_and(|at| Instant::now() >= at) {
                self.note(key, &candidates.failed);
                self.failed.remember(route(key, address));
                return Err(with_others(error, &candidates.failed));
            }
            candidates.failed.push((address, reason));
        }
    }

    /// Has a TCP connection become one to the origin.
    fn open(
        &self,
        stream: TcpStream,
        key: &Key,
        tunnelling: Option<&mut Tunnelling<'_>>,
        terms: &Terms<'_>,
        context: &CallContext,
    ) -> Result<Connection, Stop> {
        if let Err(e) = stream.set_nodelay(true) {
            return Err(Stop::Fault(Fault::OfAddress(match &key.proxy {
                Some(proxy) => tunnel::failed(proxy, key.host().as_str(), e.to_string()),
                None => {
                    let reason = format!("before the TLS handshake: {e}");
                    Error::ConnectionLost { host: key.host().to_string(), reason }
                }
            })));
        }
        let stream = Arc::new(stream);
        let closer = Arc::new(Closer::new(stream.clone()));
        context.cancel().watch(&closer);
        let mut socket = Socket::new(stream);
        socket.set_limits(terms.deadline, None);
        let Some(tunnelling) = tunnelling else {
            let direct = self.tls.connect(Carrier::Socket(socket), closer, key, terms, context);
            return direct.map_err(Stop::Fault);
        };
        let begun = Instant::now();
        let carrier = tunnelling.open(&self.tls, socket, terms, context)?;
        self.tls.connect(carrier, closer, key, terms, context).map_err(|fault| {
            Stop::Fault(Fault::Final(match fault {
                Fault::Final(error) | Fault::OfAddress(error) => key.told(error),
                Fault::TimedOut => context.not_shaken(key.host().as_str(), begun),
            }))
        })
    }

    /// Where the origin or the proxy may be, in order: those that have failed on this network come last.
    fn candidates(&self, key: &Key, dial: &Dial<'_>) -> Result<Candidates, Error> {
        let (host, port) = match &key.proxy {
            None => (key.host().as_str(), key.origin.port()),
            Some(proxy) => (proxy.host().as_str(), proxy.port()),
        };
        let begun = Instant::now();
        let addresses = self.addresses(host, port, dial).map_err(|failure| match failure {
            lookup::Failure::Impatient(Impatience::TimedOut) if key.proxy.is_none() => {
                dial.context.not_found(host, begun)
            }
            lookup::Failure::Impatient(e) => impatient(e, key, dial.context),
            lookup::Failure::Resolver(reason) => or_offline(not_found(key, reason)),
        })?;
        let in_turn = eyeballs::interleave(addresses);
        let has_failed = |address: &SocketAddr| self.failed.has(route(key, *address));
        let (failed, good): (Vec<_>, Vec<_>) = in_turn.into_iter().partition(has_failed);
        let waiting = good.into_iter().chain(failed).collect();
        Ok(Candidates { waiting, failed: Vec::new() })
    }

    fn addresses(
        &self,
        host: &str,
        port: u16,
        dial: &Dial<'_>,
    ) -> Result<Vec<SocketAddr>, lookup::Failure> {
        if let Some(fixed) = self.connect_to.get(&(host.to_owned(), port)) {
            return Ok(fixed.clone());
        }
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let end = dial.context.limits().lookup.and_then(|it| Instant::now().checked_add(it));
        let patience = dial.patience();
        let patience = end.map_or(patience, |end| patience.at_most(end));
        let found = self.lookups.find(host, patience)?;
        Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }

    /// What a proxy is asked to connect to: the name, unless the client is to look it up.
    fn targets(
        &self,
        key: &Key,
        proxy: &Proxy,
        dial: &Dial<'_>,
    ) -> Result<VecDeque<Target>, Error> {
        let (host, port) = (key.host().as_str(), key.origin.port());
        let is_fixed = self.connect_to.contains_key(&(host.to_owned(), port));
        let is_address = host.parse::<IpAddr>().is_ok();
        if proxy.scheme() != ProxyScheme::Socks5 && !is_fixed && !is_address {
            return Ok([Target::Name(host.to_owned(), port)].into());
        }
        let addresses = self.addresses(host, port, dial).map_err(|failure| match failure {
            lookup::Failure::Impatient(e) => impatient(e, key, dial.context),
            lookup::Failure::Resolver(reason) => {
                or_offline(Error::DnsFailed { host: host.to_owned(), reason })
            }
        })?;
        let targets = eyeballs::interleave(addresses).into_iter();
        Ok(targets.take(MAX_TARGETS).map(|at| Target::Address(at.ip(), at.port())).collect())
    }

    fn note(&self, key: &Key, failed: &[(SocketAddr, String)]) {
        failed.iter().for_each(|(address, _)| self.failed.remember(route(key, *address)));
    }
}

fn route(key: &Key, address: SocketAddr) -> Route {
    match key.proxy {
        None => Route::Direct(address),
        Some(_) => Route::Proxy(address),
    }
}

/// The name of the origin, or of the proxy, is not known.
fn not_found(key: &Key, reason: String) -> Error {
    match &key.proxy {
        None => Error::DnsFailed { host: key.host().to_string(), reason },
        Some(proxy) => {
            tunnel::failed(proxy, key.host().as_str(), format!("cannot find it: {reason}"))
        }
    }
}

/// No address of the origin, or of the proxy, accepts a connection.
fn not_reached(key: &Key, reason: String) -> Error {
    match &key.proxy {
        None => Error::ConnectFailed { host: key.host().to_string(), reason },
        Some(proxy) => tunnel::failed(proxy, key.host().as_str(), reason),
    }
}

/// The end of a third of the time until `deadline`.
pub(super) fn a_third(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / 3
}

fn impatient(e: Impatience, key: &Key, context: &CallContext) -> Error {
    match (e, &key.proxy) {
        (Impatience::Cancelled, _) => Error::Cancelled,
        (Impatience::TimedOut, Some(proxy)) if !context.is_over() => {
            let reason = "it could not be reached in time".to_owned();
            tunnel::failed(proxy, key.host().as_str(), reason)
        }
        (Impatience::TimedOut, _) => context.not_connected(key.host().as_str()),
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
        Error::ProxyFailed { proxy, host, reason } => {
            Error::ProxyFailed { proxy, host, reason: add(reason) }
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
    use crate::net::{Limits, Origin, SessionId};
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
        let context = CallContext::new(CancelToken::new(), limits, Events::default());
        let (stamp, deadline) = (Stamp::default(), context.connect_deadline());
        let dial = Dial { judge, stamp, deadline, context: &context };
        dialer.dial(&Key::new(origin, SessionId::default()), &dial)
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
