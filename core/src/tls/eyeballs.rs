//! From a host to a TCP connection: lookup, and Happy Eyeballs (RFC 8305) over its addresses.
//!
//! Lookups and connection attempts block and cannot be interrupted, so they run on threads of
//! their own and the caller waits for what comes first: a result, the deadline or a cancellation.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::cancel::{CancelToken, Wake};
use crate::error::Error;

/// How long the next address waits for the one before it (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);
/// An attempt's own limit where the caller sets none.
const ATTEMPT: Duration = Duration::from_secs(60);

enum Event {
    Resolved(io::Result<Vec<SocketAddr>>),
    Connected(io::Result<TcpStream>),
    Cancelled,
}

struct Waker(Sender<Event>);

impl Wake for Waker {
    fn wake(&self) {
        // A receiver that is gone waits for nothing any more.
        let _gone = self.0.send(Event::Cancelled);
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Failure {
    Error(Error),
    TimedOut,
}

/// Connects to `host`, at `fixed` where that is given.
pub(super) fn connect(
    host: &str,
    port: u16,
    fixed: Option<SocketAddr>,
    deadline: Option<Instant>,
    cancel: &CancelToken,
) -> Result<TcpStream, Failure> {
    let known = fixed.or_else(|| host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port)));
    let name = host.to_owned();
    race(host, deadline, cancel, known, move || {
        (name.as_str(), port).to_socket_addrs().map(Iterator::collect)
    })
}

fn race(
    host: &str,
    deadline: Option<Instant>,
    cancel: &CancelToken,
    known: Option<SocketAddr>,
    resolve: impl FnOnce() -> io::Result<Vec<SocketAddr>> + Send + 'static,
) -> Result<TcpStream, Failure> {
    let (sender, events) = channel();
    let waker = Arc::new(Waker(sender.clone()));
    cancel.watch(&waker);

    let mut waiting = VecDeque::from_iter(known);
    let mut resolving = known.is_none();
    if resolving {
        let sender = sender.clone();
        spawn(host, move || Event::Resolved(resolve()), sender)?;
    }
    let mut in_flight = 0_usize;
    let mut next_attempt = Instant::now();
    let mut last_error = "it has no address".to_owned();
    loop {
        let now = Instant::now();
        if deadline.is_some_and(|deadline| now >= deadline) {
            return Err(Failure::TimedOut);
        }
        if now >= next_attempt || in_flight == 0 {
            if let Some(address) = waiting.pop_front() {
                let limit = deadline.map_or(ATTEMPT, |deadline| deadline - now);
                let attempt = move || Event::Connected(TcpStream::connect_timeout(&address, limit));
                spawn(host, attempt, sender.clone())?;
                in_flight += 1;
                next_attempt = now + STAGGER;
            } else if in_flight == 0 && !resolving {
                let (host, reason) = (host.to_owned(), last_error);
                return Err(Failure::Error(Error::ConnectFailed { host, reason }));
            }
        }
        let wake_at = match (deadline, waiting.is_empty()) {
            (deadline, true) => deadline,
            (Some(deadline), false) => Some(deadline.min(next_attempt)),
            (None, false) => Some(next_attempt),
        };
        let event = match wake_at {
            None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => events.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match event {
            Err(RecvTimeoutError::Timeout) => {}
            // Not before `sender` is dropped.
            Err(RecvTimeoutError::Disconnected) | Ok(Event::Cancelled) => {
                return Err(Failure::Error(Error::Cancelled));
            }
            Ok(Event::Connected(Ok(stream))) => return Ok(stream),
            Ok(Event::Connected(Err(e))) => {
                in_flight -= 1;
                next_attempt = Instant::now();
                last_error = e.to_string();
            }
            Ok(Event::Resolved(Ok(addresses))) => {
                resolving = false;
                waiting = interleave(addresses);
            }
            Ok(Event::Resolved(Err(e))) => {
                let (host, reason) = (host.to_owned(), e.to_string());
                return Err(Failure::Error(Error::DnsFailed { host, reason }));
            }
        }
    }
}

/// Families in turn, beginning with the one that the system prefers (RFC 8305 §4).
fn interleave(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut preferred, mut other): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut order = VecDeque::with_capacity(preferred.len() + other.len());
    while !(preferred.is_empty() && other.is_empty()) {
        order.extend(preferred.pop_front());
        order.extend(other.pop_front());
    }
    order
}

fn spawn(
    host: &str,
    work: impl FnOnce() -> Event + Send + 'static,
    sender: Sender<Event>,
) -> Result<(), Failure> {
    let run = move || {
        // Nobody waits for an attempt that lost; its socket closes here.
        let _lost = sender.send(work());
    };
    thread::Builder::new().name("pinfold-connect".into()).spawn(run).map(|_| ()).map_err(|e| {
        let reason = format!("no thread: {e}");
        Failure::Error(Error::ConnectFailed { host: host.to_owned(), reason })
    })
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

    use super::*;

    fn v4(last: u8) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 1))
    }

    fn v6() -> SocketAddr {
        SocketAddr::from((Ipv6Addr::LOCALHOST, 1))
    }

    fn soon() -> Option<Instant> {
        Some(Instant::now() + Duration::from_secs(20))
    }

    #[test]
    fn families_take_turns() {
        let order = interleave(vec![v6(), v6(), v4(1), v4(2), v4(3)]);
        assert_eq!(order, [v6(), v4(1), v6(), v4(2), v4(3)]);
        assert_eq!(interleave(vec![v4(1), v6()]), [v4(1), v6()]);
        assert!(interleave(Vec::new()).is_empty());
    }

    #[test]
    fn a_refused_address_gives_way_to_the_next_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let good = listener.local_addr().expect("bound");
        let refused = {
            let closed = TcpListener::bind("127.0.0.1:0").expect("loopback");
            closed.local_addr().expect("bound")
        };
        let addresses = vec![refused, refused, good];
        let stream = race("h", soon(), &CancelToken::new(), None, || Ok(addresses));
        assert_eq!(stream.expect("the third").peer_addr().expect("connected"), good);
    }

    /// A listener with a full backlog swallows connections: what a broken IPv6 route looks like.
    #[cfg(target_os = "linux")]
    #[test]
    fn an_address_that_swallows_connections_delays_the_next_by_the_stagger_only() {
        use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
        let hole = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        bind(&hole, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        listen(&hole, 0).expect("listening");
        let address: SocketAddr =
            getsockname(&hole).expect("bound").try_into().expect("an IP address");
        let attempt = || TcpStream::connect_timeout(&address, Duration::from_millis(100));
        let _full: Vec<_> = (0..3).map(|_| attempt()).collect();

        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let good = listener.local_addr().expect("bound");
        let begun = Instant::now();
        let stream = race("h", soon(), &CancelToken::new(), None, move || Ok(vec![address, good]));
        assert_eq!(stream.expect("the second").peer_addr().expect("connected"), good);
        assert!(begun.elapsed() >= STAGGER);

        let cancel = CancelToken::new();
        let canceller = cancel.clone();
        let resolve = move || {
            canceller.cancel();
            Ok(vec![address])
        };
        let cancelled = race("h", None, &cancel, None, resolve);
        assert!(matches!(cancelled, Err(Failure::Error(Error::Cancelled))), "{cancelled:?}");
    }

    #[test]
    fn every_address_refused_names_the_reason() {
        let refused = {
            let closed = TcpListener::bind("127.0.0.1:0").expect("loopback");
            closed.local_addr().expect("bound")
        };
        let failure = race("h", soon(), &CancelToken::new(), Some(refused), || Ok(Vec::new()));
        match failure {
            Err(Failure::Error(Error::ConnectFailed { host, reason })) => {
                assert_eq!(host, "h");
                assert!(reason.contains("refused"), "{reason}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_name_without_addresses_cannot_be_connected_to() {
        let none = race("h", soon(), &CancelToken::new(), None, || Ok(Vec::new()));
        assert!(matches!(none, Err(Failure::Error(Error::ConnectFailed { .. }))), "{none:?}");
        let error = || Err(io::Error::other("no such host"));
        let failed = race("h", soon(), &CancelToken::new(), None, error);
        assert!(matches!(failed, Err(Failure::Error(Error::DnsFailed { .. }))), "{failed:?}");
    }

    #[test]
    fn a_hanging_lookup_ends_with_the_deadline_or_a_cancellation() {
        let (hold, held) = channel::<()>();
        let held = std::sync::Mutex::new(held);
        let hang = move || {
            let _released = held.lock().map(|held| held.recv());
            Ok(Vec::new())
        };
        let deadline = Some(Instant::now() + Duration::from_millis(30));
        let late = race("h", deadline, &CancelToken::new(), None, hang);
        assert!(matches!(late, Err(Failure::TimedOut)), "{late:?}");
        drop(hold);

        let cancel = CancelToken::new();
        let canceller = cancel.clone();
        let (hold, held) = channel::<()>();
        let hang = move || {
            canceller.cancel();
            let _released = held.recv();
            Ok(Vec::new())
        };
        let cancelled = race("h", None, &cancel, None, hang);
        assert!(matches!(cancelled, Err(Failure::Error(Error::Cancelled))), "{cancelled:?}");
        drop(hold);
    }
}
