//! One TCP socket: reads and writes that end in time, and closing it under whoever blocks on it.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_linger;
use rustix::net::{RecvFlags, recv};
#[cfg(not(target_vendor = "apple"))]
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

use crate::cancel::Wake;

/// A socket whose reads and writes end at a deadline, however slowly the peer drips.
pub(super) struct Socket {
    stream: Arc<TcpStream>,
    /// By when everything has to be done.
    deadline: Option<Instant>,
    /// How long one read may wait for its first byte, and one write for room.
    patience: Option<Duration>,
    /// What the kernel goes by now.
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

/// What a socket has to say before it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unasked {
    Nothing,
    /// Bytes, or the end.
    Something,
}

impl Socket {
    pub(super) fn new(stream: Arc<TcpStream>) -> Self {
        Self { stream, deadline: None, patience: None, read_timeout: None, write_timeout: None }
    }

    /// From now on everything ends at `deadline`, and a read or a write `patience` after it began.
    pub(super) fn set_limits(&mut self, deadline: Option<Instant>, patience: Option<Duration>) {
        (self.deadline, self.patience) = (deadline, patience);
    }

    /// By when what begins now has to be done.
    fn end_of_wait(&self) -> Option<Instant> {
        let waits = self.patience.and_then(|patience| Instant::now().checked_add(patience));
        self.deadline.into_iter().chain(waits).min()
    }

    /// Repeats `operation` until it is done or its time has passed. The socket's own timeout is set
    /// only where the one in force is far off: a system call a request less.
    fn until<T>(
        &mut self,
        at: Option<Instant>,
        set: fn(&TcpStream, Option<Duration>) -> io::Result<()>,
        in_force: fn(&mut Self) -> &mut Option<Duration>,
        mut operation: impl FnMut(&TcpStream) -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            let left = match at {
                None => None,
                Some(at) => match at.checked_duration_since(Instant::now()) {
                    Some(left) if !left.is_zero() => Some(left),
                    _ => return Err(io::ErrorKind::TimedOut.into()),
                },
            };
            let fits = match (left, *in_force(self)) {
                (None, None) => true,
                (Some(left), Some(now)) => now >= left / 2 && now <= left + left / 32,
                _ => false,
            };
            if !fits {
                match set(&self.stream, left) {
                    Ok(()) => *in_force(self) = left,
                    // Apple's systems refuse it once the peer has closed, although its answer may
                    // still be there to be read. What the socket says then is what counts.
                    Err(e)
                        if cfg!(target_vendor = "apple")
                            && e.kind() == io::ErrorKind::InvalidInput => {}
                    Err(e) => return Err(e),
                }
            }
            match operation(&self.stream) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted || is_timeout(&e) => {}
                result => return result,
            }
        }
    }

    /// Whether there is anything to read, without waiting and without taking it.
    pub(super) fn unasked(&self) -> Unasked {
        let mut byte = [0];
        match recv(&*self.stream, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Err(Errno::AGAIN) => Unasked::Nothing,
            _ => Unasked::Something,
        }
    }

    /// Tells the peer at once what has arrived. A server may hold its answer back until its tickets are
    /// acknowledged (RFC 896), and where it refuses a body and closes, such an answer is lost.
    pub(super) fn acknowledge(&self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let _later = rustix::net::sockopt::set_tcp_quickack(&*self.stream, true);
    }

    /// Waits until bytes can be written or the peer has something to say, which is told.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] at the deadline, and where patience ends.
    pub(super) fn wait_writable(&self) -> io::Result<Unasked> {
        let at = self.end_of_wait();
        loop {
            let left = at.map(|at| at.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let mut fds = [PollFd::new(&*self.stream, PollFlags::IN | PollFlags::OUT)];
            match poll(&mut fds, left.map(timespec).as_ref()) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) if fds[0].revents() == PollFlags::OUT => return Ok(Unasked::Nothing),
                Ok(_) => return Ok(Unasked::Something),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Reads what is there, without waiting.
    pub(super) fn at_hand(&self) -> impl Read + '_ {
        &*self.stream
    }

    /// A last word, which may neither wait nor fail; then the end.
    pub(super) fn close(&self, say: impl FnOnce(&mut dyn Write)) {
        if self.stream.set_nonblocking(true).is_ok() {
            say(&mut Once(&self.stream));
        }
        let _closed = self.stream.shutdown(Shutdown::Both);
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.until(
            self.end_of_wait(),
            TcpStream::set_read_timeout,
            |s| &mut s.read_timeout,
            |mut stream| stream.read(buffer),
        )
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.until(
            self.end_of_wait(),
            TcpStream::set_write_timeout,
            |s| &mut s.write_timeout,
            |stream| send(stream, slices),
        )
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Closes a socket under the thread that is blocked on it.
pub(super) struct Closer {
    stream: Arc<TcpStream>,
    idle: AtomicBool,
}

impl Closer {
    pub(super) fn new(stream: Arc<TcpStream>) -> Self {
        Self { stream, idle: AtomicBool::new(false) }
    }

    /// Whether no call uses the connection.
    pub(super) fn is_idle(&self) -> bool {
        self.idle.load(Ordering::SeqCst)
    }

    pub(super) fn set_idle(&self, idle: bool) {
        self.idle.store(idle, Ordering::SeqCst);
    }
}

impl Wake for Closer {
    fn wake(&self) {
        if !self.is_idle() {
            // Closing then resets the connection: a server in the midst of a long answer stops at
            // once instead of waiting for somebody to read it.
            let _unset = set_socket_linger(&*self.stream, Some(Duration::ZERO));
        }
        let _closed = self.stream.shutdown(Shutdown::Both);
    }
}

/// A socket that is written to once, whatever comes of it.
struct Once<'a>(&'a TcpStream);

impl Write for Once<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        send(self.0, &[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        send(self.0, slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes without SIGPIPE: where the peer has closed, `writev` would end every process that does not
/// ignore that signal, and only programs written in Rust do by themselves.
fn send(stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    #[cfg(not(target_vendor = "apple"))]
    {
        let mut nothing = SendAncillaryBuffer::default();
        Ok(sendmsg(stream, slices, &mut nothing, SendFlags::NOSIGNAL)?)
    }
    // There it is a property of the socket: `eyeballs.rs` sets it.
    #[cfg(target_vendor = "apple")]
    {
        let mut stream = stream;
        stream.write_vectored(slices)
    }
}

pub(super) fn is_timeout(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

pub(super) fn timespec(left: Duration) -> Timespec {
    Timespec {
        tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos() as _,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_peer_that_takes_nothing_more_ends_a_write_and_the_wait_for_one() {
        let server = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let stream = TcpStream::connect(server.local_addr().expect("bound")).expect("loopback");
        let (_silent, _) = server.accept().expect("loopback");
        let mut socket = Socket::new(Arc::new(stream));
        socket.set_limits(None, Some(Duration::from_millis(50)));
        let full = (0..10_000).find_map(|_| socket.write(&[0; 64 * 1024]).err());
        assert!(is_timeout(&full.expect("buffers have an end")));
        assert!(is_timeout(&socket.wait_writable().expect_err("still full")));
    }
}
