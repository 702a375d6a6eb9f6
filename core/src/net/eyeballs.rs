//! From a host to a TCP connection: lookup, and Happy Eyeballs (RFC 8305) over its addresses.
//!
//! Connection attempts do not block; the calling thread polls them all, so an open connection costs
//! no thread. A lookup blocks and cannot be interrupted, so it has a thread of its own that nobody
//! needs to wait for.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::socket_error;
use rustix::net::{AddressFamily, SocketType};

use crate::cancel::{CancelToken, Wake};
use crate::error::Error;

/// How long the next address waits for the one before it (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);

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

/// Wakes the polling thread. A datagram socket: writing to one whose other end is gone is an error
/// and never a SIGPIPE, which would end an app on Apple's systems.
struct Waker(UnixDatagram);

impl Wake for Waker {
    fn wake(&self) {
        // Full or gone: it is awake already, or waits for nothing any more.
        let _unsent = self.0.send(&[0]);
    }
}

type Lookup = Mutex<Option<io::Result<Vec<SocketAddr>>>>;

fn race(
    host: &str,
    deadline: Option<Instant>,
    cancel: &CancelToken,
    known: Option<SocketAddr>,
    resolve: impl FnOnce() -> io::Result<Vec<SocketAddr>> + Send + 'static,
) -> Result<TcpStream, Failure> {
    let failed =
        |reason: String| Failure::Error(Error::ConnectFailed { host: host.to_owned(), reason });
    let (woken, waker) = UnixDatagram::pair().map_err(|e| failed(e.to_string()))?;
    waker.set_nonblocking(true).map_err(|e| failed(e.to_string()))?;
    let waker = Arc::new(Waker(waker));
    cancel.watch(&waker);

    let mut waiting = VecDeque::from_iter(known);
    let mut lookup = None;
    if known.is_none() {
        lookup = Some(look_up(resolve, Arc::downgrade(&waker)).map_err(|e| failed(e.to_string()))?);
    }
    let mut attempts: Vec<TcpStream> = Vec::new();
    let mut next_attempt = Instant::now();
    let mut last_error = "it has no address".to_owned();
    loop {
        if cancel.is_cancelled() {
            return Err(Failure::Error(Error::Cancelled));
        }
        let now = Instant::now();
        if deadline.is_some_and(|deadline| now >= deadline) {
            return Err(Failure::TimedOut);
        }
        let done =
            lookup.as_ref().and_then(|l| l.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(result) = done {
            lookup = None;
            waiting = interleave(result.map_err(|e| {
                Failure::Error(Error::DnsFailed { host: host.to_owned(), reason: e.to_string() })
            })?);
        }
        if now >= next_attempt || attempts.is_empty() {
            match waiting.pop_front().map(start) {
                Some(Ok(attempt)) => {
                    attempts.push(attempt);
                    next_attempt = now + STAGGER;
                }
                Some(Err(e)) => {
                    last_error = io::Error::from(e).to_string();
                    continue;
                }
                None if attempts.is_empty() && lookup.is_none() => return Err(failed(last_error)),
                None => {}
            }
        }
        let until = match (deadline, waiting.is_empty()) {
            (deadline, true) => deadline,
            (Some(deadline), false) => Some(deadline.min(next_attempt)),
            (None, false) => Some(next_attempt),
        };
        let ready = wait(&woken, &attempts, until).map_err(|e| failed(e.to_string()))?;
        for i in ready.into_iter().rev() {
            let attempt = attempts.swap_remove(i);
            match finish(&attempt) {
                // The others close when they are dropped.
                Ok(()) => return Ok(attempt),
                Err(e) => {
                    next_attempt = Instant::now();
                    last_error = e.to_string();
                }
            }
        }
    }
}

/// Lookups cannot be ended, so those that hang are counted: an app that retries for hours over a
/// dead resolver would end without threads.
const MAX_LOOKUPS: usize = 64;
static LOOKUPS: AtomicUsize = AtomicUsize::new(0);

struct Counted;

impl Counted {
    fn new() -> io::Result<Self> {
        let counted = Self;
        if LOOKUPS.fetch_add(1, Ordering::Relaxed) >= MAX_LOOKUPS {
            return Err(io::Error::other("too many name lookups hang"));
        }
        Ok(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        LOOKUPS.fetch_sub(1, Ordering::Relaxed);
    }
}

fn look_up(
    resolve: impl FnOnce() -> io::Result<Vec<SocketAddr>> + Send + 'static,
    waker: Weak<Waker>,
) -> io::Result<Arc<Lookup>> {
    let lookup = Arc::new(Lookup::default());
    let answer = lookup.clone();
    let counted = Counted::new()?;
    let run = move || {
        let result = resolve();
        drop(counted);
        *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        // Gone, where nobody waits any more.
        if let Some(waker) = waker.upgrade() {
            waker.wake();
        }
    };
    thread::Builder::new().name("pinfold-lookup".into()).spawn(run)?;
    Ok(lookup)
}

/// Begins to connect.
fn start(address: SocketAddr) -> Result<TcpStream, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = open(family)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket.into()),
        Err(e) => Err(e),
    }
}

#[cfg(not(target_vendor = "apple"))]
fn open(family: AddressFamily) -> Result<OwnedFd, Errno> {
    use rustix::net::{SocketFlags, socket_with};
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(family, SocketType::STREAM, flags, None)
}

/// Where there are no such flags; and where a write to a closed socket would end the process.
#[cfg(target_vendor = "apple")]
fn open(family: AddressFamily) -> Result<OwnedFd, Errno> {
    use rustix::io::{ioctl_fioclex, ioctl_fionbio};
    use rustix::net::{socket, sockopt::set_socket_nosigpipe};
    let socket = socket(family, SocketType::STREAM, None)?;
    ioctl_fioclex(&socket)?;
    ioctl_fionbio(&socket, true)?;
    set_socket_nosigpipe(&socket, true)?;
    Ok(socket)
}

/// What became of an attempt that is no longer under way.
fn finish(attempt: &TcpStream) -> io::Result<()> {
    socket_error(attempt)??;
    attempt.set_nonblocking(false)
}

/// Waits for an attempt's end, a wake or `until`; the attempts that have ended, in order.
fn wait(
    woken: &UnixDatagram,
    attempts: &[TcpStream],
    until: Option<Instant>,
) -> io::Result<Vec<usize>> {
    let mut polled = vec![PollFd::new(woken, PollFlags::IN)];
    polled.extend(attempts.iter().map(|attempt| PollFd::new(attempt, PollFlags::OUT)));
    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
    let left = left.map(|left| Timespec {
        tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos() as _,
    });
    match poll(&mut polled, left.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(e) => return Err(e.into()),
    }
    if !polled[0].revents().is_empty() {
        let _drained = woken.recv(&mut [0]);
    }
    let ended = |(i, fd): (usize, &PollFd<'_>)| (!fd.revents().is_empty()).then_some(i);
    Ok(polled[1..].iter().enumerate().filter_map(ended).collect())
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
    use std::sync::mpsc::channel;

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
        let held = Mutex::new(held);
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
