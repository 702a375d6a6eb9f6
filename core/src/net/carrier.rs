//! What carries the TLS of a connection: a socket, or TLS to a proxy over one.

use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConnection;

use super::wire::{Socket, Unasked};
use crate::verify::{Judge, Judged};

/// Reads and writes that end in time, whatever is below.
pub(super) enum Carrier {
    Socket(Socket),
    /// Through a proxy that speaks TLS itself.
    Tls(Box<Outer>),
}

/// TLS to a proxy.
pub(super) struct Outer {
    session: ClientConnection,
    socket: Socket,
    /// What was decided about its certificate.
    judged: Arc<Judged>,
}

impl Carrier {
    pub(super) fn over_tls(session: ClientConnection, socket: Socket, judged: Arc<Judged>) -> Self {
        Self::Tls(Box::new(Outer { session, socket, judged }))
    }

    /// Whether what carries it may go on under `judge`, at `now` in seconds since 1970.
    pub(super) fn is_accepted_by(&mut self, judge: &Judge, now: u64) -> bool {
        let Self::Tls(outer) = self else { return true };
        let again = judge.of_proxies().again(&outer.judged, now);
        let accepted = again.is_some();
        outer.judged = again.unwrap_or_else(|| outer.judged.clone());
        accepted
    }

    fn socket(&mut self) -> &mut Socket {
        match self {
            Self::Socket(socket) => socket,
            Self::Tls(outer) => &mut outer.socket,
        }
    }

    /// From now on everything ends at `deadline`, and a read or a write `patience` after it began.
    pub(super) fn set_limits(&mut self, deadline: Option<Instant>, patience: Option<Duration>) {
        self.socket().set_limits(deadline, patience);
    }

    /// See [`Socket::acknowledge`].
    pub(super) fn acknowledge(&mut self) {
        self.socket().acknowledge();
    }

    /// Whether there is anything to read, without waiting and without taking it. A proxy's own tickets
    /// are taken in, and are nothing.
    pub(super) fn unasked(&mut self) -> Unasked {
        match self {
            Self::Socket(socket) => socket.unasked(),
            Self::Tls(outer) => outer.unasked(),
        }
    }

    /// Waits until bytes can be written or the peer has something to say, which is told.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] at the deadline, and where patience ends.
    pub(super) fn wait_writable(&mut self) -> io::Result<Unasked> {
        match self {
            Self::Socket(socket) => socket.wait_writable(),
            Self::Tls(outer) => {
                while outer.socket.wait_writable()? == Unasked::Something {
                    if outer.unasked() == Unasked::Something {
                        return Ok(Unasked::Something);
                    }
                }
                Ok(Unasked::Nothing)
            }
        }
    }

    /// Reads what is there, without waiting.
    pub(super) fn at_hand(&mut self) -> AtHand<'_> {
        AtHand(self)
    }

    /// A last word, which may neither wait nor fail; then the end.
    pub(super) fn close(&mut self, say: impl FnOnce(&mut dyn Write)) {
        match self {
            Self::Socket(socket) => socket.close(say),
            Self::Tls(outer) => {
                say(&mut outer.session.writer());
                outer.session.send_close_notify();
                let session = &mut outer.session;
                outer.socket.close(|mut socket| {
                    let _unsent = session.write_tls(&mut socket);
                });
            }
        }
    }
}

impl Outer {
    fn unasked(&mut self) -> Unasked {
        // A proxy that sends tickets without end has something to say.
        for _ in 0..8 {
            if self.holds_news() {
                return Unasked::Something;
            }
            if self.socket.unasked() == Unasked::Nothing {
                return Unasked::Nothing;
            }
            let read = self.session.read_tls(&mut self.socket.at_hand());
            if !read.is_ok_and(|n| n > 0) {
                return Unasked::Something;
            }
        }
        Unasked::Something
    }

    /// Whether it has plaintext, its end or a fault inside.
    fn holds_news(&mut self) -> bool {
        let state = self.session.process_new_packets();
        state.is_err()
            || state.is_ok_and(|it| it.plaintext_bytes_to_read() > 0 || it.peer_has_closed())
    }

    /// Reads by `more` until there is plaintext. See `Connection::read` about the order.
    fn read_by(
        &mut self,
        buffer: &mut [u8],
        mut more: impl FnMut(&mut ClientConnection, &mut Socket) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            let read = more(&mut self.session, &mut self.socket);
            let taken_in = self.session.process_new_packets();
            // An alert, or the answer to a change of keys.
            while self.session.wants_write()
                && self.session.write_tls(&mut self.socket).is_ok_and(|n| n > 0)
            {}
            taken_in.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
            read?;
        }
    }
}

impl Read for Carrier {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Socket(socket) => socket.read(buffer),
            Self::Tls(outer) => outer.read_by(buffer, |session, socket| session.read_tls(socket)),
        }
    }
}

impl Write for Carrier {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Socket(socket) => socket.write_vectored(slices),
            Self::Tls(outer) => {
                let n = outer.session.writer().write_vectored(slices)?;
                while outer.session.wants_write() {
                    outer.session.write_tls(&mut outer.socket)?;
                }
                Ok(n)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What can be read without waiting.
pub(super) struct AtHand<'a>(&'a mut Carrier);

impl Read for AtHand<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Carrier::Socket(socket) => socket.at_hand().read(buffer),
            Carrier::Tls(outer) => {
                outer.read_by(buffer, |session, socket| match socket.unasked() {
                    Unasked::Nothing => Err(io::ErrorKind::WouldBlock.into()),
                    Unasked::Something => session.read_tls(&mut socket.at_hand()),
                })
            }
        }
    }
}
