//! A body that is written while it is sent, by another thread than the one that sends it.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};

use super::upload::Supply;
use crate::cancel::{CancelToken, Wake};
use crate::error::Error;
use crate::patience::{Bell, Impatience, Patience};
use crate::sync::{Mutex, MutexGuard};

/// How much is kept that has been written and not been sent: whoever writes more waits.
const CAPACITY: usize = 64 * 1024;

/// The writing end of a request's body: of [`Request::body_written`](super::Request::body_written),
/// or of parts of a [`Multipart`](super::Multipart).
///
/// ```no_run
/// # use pinfold_core::{CancelToken, Client, Method, Request};
/// use pinfold_core::client::BodyWriter;
///
/// # fn f(client: &Client) -> Result<(), pinfold_core::Error> {
/// let (mut writer, written) = BodyWriter::pair();
/// let request = Request::new(Method::Post, "https://api.example.com/v1/log")?;
/// let request = request.body_written(written, None)?;
/// let cancel = CancelToken::new();
/// std::thread::scope(|scope| {
///     let sending = scope.spawn(|| client.send_cancellable(&request, &cancel));
///     writer.write(b"a line\n", &cancel)?;
///     writer.finish(&cancel)?;
///     sending.join().expect("no panic").map(drop)
/// })
/// # }
/// ```
///
/// Dropped before [`Self::finish`] it fails the request: the server sees a body that is cut off,
/// never one that seems whole.
#[derive(Debug)]
pub struct BodyWriter(Arc<Pipe>);

/// What a [`BodyWriter`] writes.
#[derive(Debug)]
pub struct WrittenBody(Arc<Pipe>);

/// It, as a request's body.
#[derive(Debug)]
pub(super) struct PipeReader {
    written: WrittenBody,
    length: Option<u64>,
    begun: bool,
}

#[derive(Debug, Default)]
struct Pipe {
    state: Mutex<State>,
    /// Rings for who reads.
    readable: Arc<Bell>,
    /// Rings for who writes.
    writable: Arc<Bell>,
}

#[derive(Debug, Default)]
struct State {
    bytes: VecDeque<u8>,
    /// The bytes end a section: nothing is written until they were read.
    ended: bool,
    /// Nobody writes any more.
    abandoned: bool,
    /// Nobody reads any more.
    unwanted: bool,
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Each flag and the queue are whole whatever panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BodyWriter {
    /// Both ends of a body.
    pub fn pair() -> (Self, WrittenBody) {
        let pipe = Arc::<Pipe>::default();
        (Self(pipe.clone()), WrittenBody(pipe))
    }

    /// Waits until all of `bytes` is on its way; whether anybody still wants more. Nobody does once
    /// the server has answered, or the call has failed: what is left need not be written then.
    ///
    /// # Errors
    /// [`Error::Cancelled`], by a token that need not be the call's own.
    pub fn write(&mut self, mut bytes: &[u8], cancel: &CancelToken) -> Result<bool, Error> {
        let patience = Patience { deadline: None, cancel };
        let mut is_wanted = true;
        while is_wanted && !bytes.is_empty() {
            let room = patience.wait(&self.0.writable, || {
                let mut state = self.0.lock();
                let room = CAPACITY - state.bytes.len();
                match (state.unwanted, room) {
                    (true, _) => ControlFlow::Break(None),
                    (false, 0) => ControlFlow::Continue(None),
                    _ if state.ended => ControlFlow::Continue(None),
                    _ => {
                        let n = bytes.len().min(room);
                        state.bytes.extend(&bytes[..n]);
                        ControlFlow::Break(Some(n))
                    }
                }
            });
            // No deadline: only a cancellation ends the wait.
            let room = room.map_err(|_| Error::Cancelled)?;
            is_wanted = room.is_some();
            bytes = &bytes[room.unwrap_or(0)..];
            self.0.readable.wake();
        }
        Ok(is_wanted && !self.0.lock().unwanted)
    }

    /// Ends a part of a multipart body: what is written next belongs to the next one that is written.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn next_part(&mut self, cancel: &CancelToken) -> Result<bool, Error> {
        let patience = Patience { deadline: None, cancel };
        let ended = patience.wait(&self.0.writable, || {
            let mut state = self.0.lock();
            match state.ended && !state.unwanted {
                true => ControlFlow::Continue(None),
                false => {
                    state.ended = true;
                    ControlFlow::Break(!state.unwanted)
                }
            }
        });
        self.0.readable.wake();
        ended.map_err(|_| Error::Cancelled)
    }

    /// Ends the body. Without it the request fails.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn finish(mut self, cancel: &CancelToken) -> Result<(), Error> {
        self.next_part(cancel).map(drop)
    }
}

impl Drop for BodyWriter {
    fn drop(&mut self) {
        self.0.lock().abandoned = true;
        self.0.readable.wake();
    }
}

impl PipeReader {
    pub(super) fn new(written: WrittenBody, length: Option<u64>) -> Self {
        Self { written, length, begun: false }
    }
}

impl WrittenBody {
    fn end(&self) {
        self.0.lock().unwanted = true;
        self.0.writable.wake();
    }
}

impl Supply for PipeReader {
    fn length(&self) -> Option<u64> {
        self.length
    }

    fn read(&mut self, buffer: &mut [u8], patience: &Patience<'_>) -> Result<usize, Error> {
        self.begun = true;
        let pipe = &self.written.0;
        let read = patience.wait(&pipe.readable, || {
            let mut state = pipe.lock();
            if !state.bytes.is_empty() {
                let (first, second) = state.bytes.as_slices();
                let piece = if first.is_empty() { second } else { first };
                let n = piece.len().min(buffer.len());
                buffer[..n].copy_from_slice(&piece[..n]);
                state.bytes.drain(..n);
                return ControlFlow::Break(Ok(n));
            }
            if state.ended {
                state.ended = false;
                return ControlFlow::Break(Ok(0));
            }
            match state.abandoned {
                true => ControlFlow::Break(Err(Error::IoFailed {
                    place: "body".into(),
                    reason: "whoever wrote it gave up".into(),
                })),
                false => ControlFlow::Continue(None),
            }
        });
        pipe.writable.wake();
        match read {
            Ok(read) => read,
            Err(Impatience::Cancelled) => Err(Error::Cancelled),
            Err(Impatience::TimedOut) => Err(Error::IoFailed {
                place: "body".into(),
                reason: "not written within the call's time".into(),
            }),
        }
    }

    fn rewind(&mut self) -> Result<bool, Error> {
        Ok(!self.begun)
    }

    fn end(&mut self) {
        self.written.end();
    }
}

impl Drop for WrittenBody {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::thread;

    use super::*;

    fn pipe() -> (BodyWriter, PipeReader) {
        let (writer, written) = BodyWriter::pair();
        (writer, PipeReader::new(written, None))
    }

    fn read_all(reader: &mut PipeReader, cancel: &CancelToken) -> Result<Vec<u8>, Error> {
        let (mut all, mut buffer) = (Vec::new(), [0; 1_000]);
        let patience = Patience { deadline: None, cancel };
        loop {
            match reader.read(&mut buffer, &patience)? {
                0 => return Ok(all),
                n => all.extend_from_slice(&buffer[..n]),
            }
        }
    }

    #[test]
    fn bytes_come_in_order_and_no_more_than_fit_wait() {
        let (mut writer, mut reader) = pipe();
        let cancel = CancelToken::new();
        let sent: Vec<u8> = (0..1_000_000_u32).map(|i| (i >> 3) as u8).collect();
        thread::scope(|scope| {
            scope.spawn(|| {
                for piece in sent.chunks(100_000) {
                    assert_eq!(writer.write(piece, &cancel), Ok(true));
                    assert!(writer.0.lock().bytes.len() <= CAPACITY);
                }
                writer.finish(&cancel).expect("not cancelled");
            });
            assert!(read_all(&mut reader, &cancel).expect("finished") == sent);
        });
    }

    #[test]
    fn what_is_not_finished_is_no_body() {
        let (mut writer, mut reader) = pipe();
        let cancel = CancelToken::new();
        writer.write(b"the beginning", &cancel).expect("room");
        drop(writer);
        assert_eq!(read_all(&mut reader, &cancel).expect_err("cut off").code(), "io_failed");
    }

    #[test]
    fn parts_end_where_they_were_ended() {
        let (mut writer, mut reader) = pipe();
        let cancel = CancelToken::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                for part in [&b"one"[..], b"", b"three"] {
                    writer.write(part, &cancel).expect("wanted");
                    writer.next_part(&cancel).expect("wanted");
                }
            });
            for part in [&b"one"[..], b"", b"three"] {
                assert_eq!(read_all(&mut reader, &cancel).expect("ended"), part);
            }
        });
    }

    #[test]
    fn who_writes_is_told_when_nobody_reads_and_woken_when_it_waits() {
        for by_cancel in [false, true] {
            let (mut writer, reader) = pipe();
            let cancel = CancelToken::new();
            let full = writer.write(&[0; CAPACITY], &cancel);
            assert_eq!(full, Ok(true));
            thread::scope(|scope| {
                let waiting = scope.spawn(|| writer.write(&[0], &cancel));
                if by_cancel {
                    cancel.cancel();
                    assert_eq!(waiting.join().expect("no panic"), Err(Error::Cancelled));
                } else {
                    drop(reader);
                    assert_eq!(waiting.join().expect("no panic"), Ok(false));
                }
            });
        }
    }

    #[test]
    fn who_reads_is_woken_by_a_cancellation() {
        let (_writer, mut reader) = pipe();
        let cancel = CancelToken::new();
        thread::scope(|scope| {
            let reading = scope.spawn(|| read_all(&mut reader, &cancel));
            cancel.cancel();
            assert_eq!(reading.join().expect("no panic"), Err(Error::Cancelled));
        });
    }
}

#[cfg(all(test, shuttle))]
mod interleavings {
    use shuttle::thread;

    use super::*;
    use crate::sync::in_every_order;

    #[test]
    fn every_byte_and_every_end_arrives() {
        in_every_order(|| {
            let (mut writer, written) = BodyWriter::pair();
            let mut reader = PipeReader::new(written, None);
            let writing = thread::spawn(move || {
                let cancel = CancelToken::new();
                for part in [&[1; 3][..], &[2]] {
                    writer.write(part, &cancel).expect("wanted");
                    writer.next_part(&cancel).expect("wanted");
                }
            });
            let cancel = CancelToken::new();
            let patience = Patience { deadline: None, cancel: &cancel };
            for part in [3, 1] {
                let (mut got, mut buffer) = (0, [0; 2]);
                while let n @ 1.. = reader.read(&mut buffer, &patience).expect("written") {
                    got += n;
                }
                assert_eq!(got, part);
            }
            writing.join().expect("no panic");
        });
    }
}
