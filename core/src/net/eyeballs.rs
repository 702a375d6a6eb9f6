//! TCP connections by Happy Eyeballs (RFC 8305): an address that does not answer costs a quarter of
//! a second, not the whole timeout; and everything can be cancelled from another thread.
//!
//! Attempts do not block; the calling thread polls them all, so an open connection costs no thread.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt::socket_error;
use rustix::net::{AddressFamily, SocketType};

use super::wire::timespec;
use crate::cancel::Wake;
use crate::patience::{Impatience, Patience};

/// How long the next address waits for the one before it (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);

/// Addresses to connect to, and what became of those that failed.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// The next one comes first.
    pub(super) waiting: VecDeque<SocketAddr>,
    pub(super) failed: Vec<(SocketAddr, String)>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Failure {
    Impatient(Impatience),
    /// Every address has failed, or the system has.
    Exhausted(String),
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

/// Connects to the first of the candidates that answers; the others stay candidates, those that
/// have failed excepted.
pub(super) fn race(
    candidates: &mut Candidates,
    patience: Patience<'_>,
) -> Result<(TcpStream, SocketAddr), Failure> {
    let failed = |e: io::Error| Failure::Exhausted(e.to_string());
    let (woken, waker) = UnixDatagram::pair().map_err(failed)?;
    waker.set_nonblocking(true).map_err(failed)?;
    let waker = Arc::new(Waker(waker));
    patience.cancel.watch(&waker);

    let mut attempts: Vec<(TcpStream, SocketAddr)> = Vec::new();
    let mut next_attempt = Instant::now();
    loop {
        if patience.cancel.is_cancelled() {
            return Err(Failure::Impatient(Impatience::Cancelled));
        }
        let now = Instant::now();
        if patience.deadline.is_some_and(|deadline| now >= deadline) {
            return Err(Failure::Impatient(Impatience::TimedOut));
        }
        if now >= next_attempt || attempts.is_empty() {
            match candidates.waiting.pop_front().map(|address| (start(address), address)) {
                Some((Ok(attempt), address)) => {
                    attempts.push((attempt, address));
                    next_attempt = now + STAGGER;
                }
                Some((Err(e), address)) => {
                    candidates.failed.push((address, io::Error::from(e).to_string()));
                    continue;
                }
                None if attempts.is_empty() => {
                    let last = candidates.failed.last().map(|(_, reason)| reason.clone());
                    let none = || "it has no address".to_owned();
                    return Err(Failure::Exhausted(last.unwrap_or_else(none)));
                }
                None => {}
            }
        }
        let until = match (patience.deadline, candidates.waiting.is_empty()) {
            (deadline, true) => deadline,
            (Some(deadline), false) => Some(deadline.min(next_attempt)),
            (None, false) => Some(next_attempt),
        };
        let ready = wait(&woken, &attempts, until).map_err(failed)?;
        for i in ready.into_iter().rev() {
            let (attempt, address) = attempts.remove(i);
            match finish(&attempt) {
                // The others close when they are dropped, and may have their turn later.
                Ok(()) => {
                    attempts.iter().rev().for_each(|(_, a)| candidates.waiting.push_front(*a));
                    return Ok((attempt, address));
                }
                Err(e) => {
                    next_attempt = Instant::now();
                    candidates.failed.push((address, e.to_string()));
                }
            }
        }
    }
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
    attempts: &[(TcpStream, SocketAddr)],
    until: Option<Instant>,
) -> io::Result<Vec<usize>> {
    let mut polled = vec![PollFd::new(woken, PollFlags::IN)];
    polled.extend(attempts.iter().map(|(attempt, _)| PollFd::new(attempt, PollFlags::OUT)));
    let left = until.map(|until| timespec(until.saturating_duration_since(Instant::now())));
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
pub(super) fn interleave(addresses: impl IntoIterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let addresses = addresses.into_iter().collect::<Vec<_>>();
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

    use super::*;
    use crate::cancel::CancelToken;

    fn v4(last: u8) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 1))
    }

    fn v6() -> SocketAddr {
        SocketAddr::from((Ipv6Addr::LOCALHOST, 1))
    }

    fn among(addresses: &[SocketAddr]) -> Candidates {
        Candidates { waiting: addresses.iter().copied().collect(), failed: Vec::new() }
    }

    fn connect(candidates: &mut Candidates) -> Result<SocketAddr, Failure> {
        let deadline = Some(Instant::now() + Duration::from_secs(20));
        let patience = Patience { deadline, cancel: &CancelToken::new() };
        let (stream, address) = race(candidates, patience)?;
        assert_eq!(stream.peer_addr().expect("connected"), address);
        Ok(address)
    }

    fn refused() -> SocketAddr {
        let closed = TcpListener::bind("127.0.0.1:0").expect("loopback");
        closed.local_addr().expect("bound")
    }

    #[test]
    fn families_take_turns() {
        let order = interleave([v6(), v6(), v4(1), v4(2), v4(3)]);
        assert_eq!(order, [v6(), v4(1), v6(), v4(2), v4(3)]);
        assert_eq!(interleave([v4(1), v6()]), [v4(1), v6()]);
        assert!(interleave([]).is_empty());
    }

    #[test]
    fn a_refused_address_gives_way_to_the_next_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let good = listener.local_addr().expect("bound");
        let (one, two) = (refused(), refused());
        let mut candidates = among(&[one, two, good]);
        assert_eq!(connect(&mut candidates).expect("the third"), good);
        let failed = candidates.failed.iter().map(|(address, _)| *address);
        assert_eq!(failed.collect::<Vec<_>>(), [one, two]);
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
        let mut candidates = among(&[address, good]);
        assert_eq!(connect(&mut candidates).expect("the second"), good);
        assert!(begun.elapsed() >= STAGGER);
        // It has not failed, it was only slower.
        assert_eq!(candidates.waiting, [address]);
        assert!(candidates.failed.is_empty());

        let cancel = CancelToken::new();
        let canceller = cancel.clone();
        let other = std::thread::spawn(move || canceller.cancel());
        let cancelled = race(&mut candidates, Patience { deadline: None, cancel: &cancel });
        other.join().expect("it cancels");
        assert!(matches!(cancelled, Err(Failure::Impatient(Impatience::Cancelled))));

        let deadline = Some(Instant::now() + Duration::from_millis(20));
        let patience = Patience { deadline, cancel: &CancelToken::new() };
        let late = race(&mut among(&[address]), patience);
        assert!(matches!(late, Err(Failure::Impatient(Impatience::TimedOut))), "{late:?}");
    }

    #[test]
    fn every_address_refused_names_the_reason() {
        match connect(&mut among(&[refused()])) {
            Err(Failure::Exhausted(reason)) => assert!(reason.contains("refused"), "{reason}"),
            other => panic!("{other:?}"),
        }
        match connect(&mut among(&[])) {
            Err(Failure::Exhausted(reason)) => assert_eq!(reason, "it has no address"),
            other => panic!("{other:?}"),
        }
    }
}
