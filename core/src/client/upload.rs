//! What a request sends: bytes, or something that is read while it is sent.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use crate::error::Error;
use crate::net::{CallContext, Outgoing};
use crate::patience::Patience;

/// A body that an app makes while it is sent.
///
/// ```
/// use std::io::{self, Cursor, Read};
///
/// use pinfold_core::client::BodySource;
///
/// struct Report(Cursor<Vec<u8>>);
///
/// impl BodySource for Report {
///     fn length(&self) -> Option<u64> {
///         Some(self.0.get_ref().len() as u64)
///     }
///
///     fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
///         self.0.read(buffer)
///     }
///
///     fn rewind(&mut self) -> io::Result<bool> {
///         self.0.set_position(0);
///         Ok(true)
///     }
/// }
/// ```
pub trait BodySource: Send {
    /// How many bytes it has. Where that is not known before, the body is sent in chunks (RFC 9112
    /// §7.1), which not every server takes.
    fn length(&self) -> Option<u64>;

    /// Reads the next bytes; 0 at the end, and no more bytes than its length. It may block; cancelling
    /// the call does not wake it.
    ///
    /// # Errors
    /// Whatever the reason, the request fails with [`Error::IoFailed`], and its connection is closed:
    /// the server sees a body that is cut off, never one that seems whole.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Goes back to the beginning; whether it can. By default it cannot, and what cannot is sent once
    /// at most: neither on another connection after the first one turned out to be dead, nor to where
    /// a redirect leads.
    ///
    /// # Errors
    /// As for [`Self::read`].
    fn rewind(&mut self) -> io::Result<bool> {
        Ok(false)
    }
}

/// How far a body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many bytes have been sent or received.
    pub done: u64,
    /// How many there are, where that is known.
    pub total: Option<u64>,
}

/// Somebody who wants to know.
pub(super) type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// What a request sends.
#[derive(Clone)]
pub(super) enum Body {
    Bytes(Arc<Vec<u8>>),
    /// Shared by the clones of a request; one call at a time has it.
    Supplied(Arc<Mutex<Supplied>>),
}

/// Where the bytes of a body come from.
pub(super) trait Supply: Send {
    fn length(&self) -> Option<u64>;

    /// Waits for the next bytes no longer than `patience` lasts; 0 at the end.
    fn read(&mut self, buffer: &mut [u8], patience: &Patience<'_>) -> Result<usize, Error>;

    /// Goes back to the beginning; whether it can.
    fn rewind(&mut self) -> Result<bool, Error>;

    /// Nobody wants more of it, for now or for good.
    fn end(&mut self) {}
}

/// A supply, and whether anything has been taken from it.
pub(super) struct Supplied {
    supply: Box<dyn Supply>,
    begun: bool,
}

impl Body {
    pub(super) fn supplied(supply: impl Supply + 'static) -> Self {
        Self::Supplied(Arc::new(Mutex::new(Supplied { supply: Box::new(supply), begun: false })))
    }

    /// Whether it is read while it is sent.
    pub(super) fn is_supplied(&self) -> bool {
        matches!(self, Self::Supplied(_))
    }

    /// Whether it can be sent from its beginning, once more if need be.
    pub(super) fn rewind(&self) -> Result<bool, Error> {
        match self {
            Self::Bytes(_) => Ok(true),
            Self::Supplied(supplied) => take(supplied)?.rewind(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Supplied(_) => f.write_str("a source"),
        }
    }
}

fn take(supplied: &Mutex<Supplied>) -> Result<MutexGuard<'_, Supplied>, Error> {
    match supplied.try_lock() {
        Ok(supplied) => Ok(supplied),
        // It is read on or rewound, whichever panicked.
        Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => {
            Err(Error::request("body", "another call is sending this source"))
        }
    }
}

impl Supplied {
    fn rewind(&mut self) -> Result<bool, Error> {
        if self.begun && self.supply.rewind()? {
            self.begun = false;
        }
        Ok(!self.begun)
    }
}

/// A body on its way out, with somebody who looks on.
pub(super) struct Sending<'a> {
    left: Left<'a>,
    context: &'a CallContext,
    sent: u64,
    on_progress: Option<&'a OnProgress>,
}

enum Left<'a> {
    Bytes(&'a [u8]),
    Supplied(MutexGuard<'a, Supplied>),
}

impl<'a> Sending<'a> {
    /// # Errors
    /// [`Error::InvalidRequest`] for a source that another call has, or that has been sent and cannot
    /// begin again.
    pub(super) fn new(
        body: &'a Body,
        on_progress: Option<&'a OnProgress>,
        context: &'a CallContext,
    ) -> Result<Self, Error> {
        let left = match body {
            Body::Bytes(bytes) => Left::Bytes(bytes),
            Body::Supplied(supplied) => {
                let mut supplied = take(supplied)?;
                if !supplied.rewind()? {
                    return Err(Error::request("body", "sent before, and it cannot begin again"));
                }
                Left::Supplied(supplied)
            }
        };
        Ok(Self { left, context, sent: 0, on_progress })
    }
}

impl Outgoing for Sending<'_> {
    fn length(&self) -> Option<u64> {
        match &self.left {
            Left::Bytes(bytes) => Some(bytes.len() as u64 + self.sent),
            Left::Supplied(supplied) => supplied.supply.length(),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let n = match &mut self.left {
            Left::Bytes(bytes) => {
                let n = bytes.len().min(buffer.len());
                let (now, left) = bytes.split_at(n);
                buffer[..n].copy_from_slice(now);
                *bytes = left;
                n
            }
            Left::Supplied(supplied) => {
                supplied.begun = true;
                supplied.supply.read(buffer, &self.context.patience())?
            }
        };
        self.sent += n as u64;
        if let (Some(on_progress), 1..) = (self.on_progress, n) {
            on_progress(Progress { done: self.sent, total: self.length() });
        }
        Ok(n)
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if let Left::Supplied(supplied) = &mut self.left
            && supplied.begun
        {
            supplied.supply.end();
        }
    }
}

/// An app's own source.
pub(super) struct Custom<S>(pub(super) S);

impl<S: BodySource> Supply for Custom<S> {
    fn length(&self) -> Option<u64> {
        self.0.length()
    }

    fn read(&mut self, buffer: &mut [u8], _: &Patience<'_>) -> Result<usize, Error> {
        loop {
            match self.0.read(buffer) {
                Ok(n) if n > buffer.len() => {
                    return Err(Error::request("body", "its source says it read more than fits"));
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => return read.map_err(|e| io_failed("body", &e)),
            }
        }
    }

    fn rewind(&mut self) -> Result<bool, Error> {
        self.0.rewind().map_err(|e| io_failed("body", &e))
    }
}

/// A file, opened when its first bytes are wanted.
pub(super) struct FromFile {
    path: PathBuf,
    length: u64,
    file: Option<File>,
}

impl FromFile {
    /// # Errors
    /// [`Error::IoFailed`] for what is no file, or cannot be looked at.
    pub(super) fn new(path: &Path) -> Result<Self, Error> {
        let about = path.metadata().map_err(|e| io_failed("body", &e))?;
        if !about.is_file() {
            return Err(Error::IoFailed { place: "body".into(), reason: "not a file".into() });
        }
        Ok(Self { path: path.to_owned(), length: about.len(), file: None })
    }
}

impl Supply for FromFile {
    fn length(&self) -> Option<u64> {
        Some(self.length)
    }

    fn read(&mut self, buffer: &mut [u8], _: &Patience<'_>) -> Result<usize, Error> {
        let failed = |e| io_failed("body", &e);
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::open(&self.path).map_err(failed)?),
        };
        file.read(buffer).map_err(failed)
    }

    fn rewind(&mut self) -> Result<bool, Error> {
        if let Some(file) = &mut self.file {
            file.rewind().map_err(|e| io_failed("body", &e))?;
        }
        Ok(true)
    }

    fn end(&mut self) {
        self.file = None;
    }
}

/// What the operating system said of the app's side.
pub(super) fn io_failed(place: &str, e: &io::Error) -> Error {
    Error::IoFailed { place: place.to_owned(), reason: e.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::CancelToken;

    struct Counting {
        left: u8,
        rewinds: bool,
    }

    impl BodySource for Counting {
        fn length(&self) -> Option<u64> {
            None
        }

        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.left == 0 {
                return Ok(0);
            }
            self.left -= 1;
            buffer[0] = self.left;
            Ok(1)
        }

        fn rewind(&mut self) -> io::Result<bool> {
            self.left = 3;
            Ok(self.rewinds)
        }
    }

    fn body(rewinds: bool) -> Body {
        Body::supplied(Custom(Counting { left: 3, rewinds }))
    }

    fn read(body: &Body, context: &CallContext) -> Result<usize, Error> {
        Sending::new(body, None, context)?.read(&mut [0; 10])
    }

    #[test]
    fn what_cannot_be_rewound_is_sent_once_unless_nothing_was_taken() {
        let context = CallContext::for_tests(CancelToken::new());
        let (once, again) = (body(false), body(true));
        for untouched in 0..3 {
            drop(Sending::new(&once, None, &context).expect("not begun"));
            assert_eq!(once.rewind(), Ok(true), "{untouched}");
        }
        for source in [&once, &again] {
            assert_eq!(read(source, &context), Ok(1));
        }
        assert_eq!((once.rewind(), again.rewind()), (Ok(false), Ok(true)));
        let error = read(&once, &context).expect_err("sent before");
        assert_eq!((error.code(), error.place()), ("invalid_request", Some("body")));
        assert_eq!(read(&again, &context), Ok(1));
    }

    #[test]
    fn two_calls_never_share_the_bytes_of_one_source() {
        let context = CallContext::for_tests(CancelToken::new());
        let body = body(true);
        let sending = Sending::new(&body, None, &context).expect("free");
        assert_eq!(read(&body.clone(), &context).expect_err("taken").place(), Some("body"));
        drop(sending);
        assert_eq!(read(&body, &context), Ok(1));
    }
}
