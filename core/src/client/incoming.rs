//! A response's body on its way in: decoded, counted, and with what its failures mean.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::codings;
use crate::error::Error;
use crate::net::{BodyReader, CallContext, Origin, Watch, failure};

/// How much of a body nobody wants is read so that its connection can be used again, and for how
/// long.
const DRAIN: u64 = 16 * 1024;
const DRAIN_TIME: Duration = Duration::from_millis(100);

/// A body that nobody has read yet. Read to its end it gives its connection back, dropped before
/// it closes it.
pub(super) struct Incoming {
    pub(super) reader: Reader,
    pub(super) origin: Origin,
    /// How many decoded bytes have come.
    pub(super) received: u64,
    pub(super) watch: Watch,
    pub(super) context: Arc<CallContext>,
}

pub(super) enum Reader {
    AsSent(BodyReader),
    Decoded(codings::Reader),
}

impl Incoming {
    /// How long it is, where that was said of what comes out here.
    pub(super) fn length(&self) -> Option<u64> {
        match &self.reader {
            Reader::AsSent(body) => body.length(),
            Reader::Decoded(_) => None,
        }
    }

    /// Reads what comes next; 0 at its end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        match self.reader.read(buffer) {
            Ok(n) => {
                self.received += n as u64;
                Ok(n)
            }
            Err(e) => Err(self.failure(e)),
        }
    }

    /// Reads it to its end, but not past the limit: a megabyte of gzip can become a gigabyte.
    pub(super) fn into_bytes(mut self, limit: u64) -> Result<Vec<u8>, Error> {
        let known = self.length();
        if known.is_some_and(|n| n > limit) {
            return Err(self.too_large(limit));
        }
        let mut body = Vec::with_capacity(known.unwrap_or(0).min(1 << 20) as usize);
        let read = self.reader.by_ref().take(limit.saturating_add(1)).read_to_end(&mut body);
        self.received = body.len() as u64;
        if self.received > limit {
            return Err(self.too_large(limit));
        }
        match read {
            Ok(_) => Ok(body),
            Err(e) => Err(self.failure(e)),
        }
    }

    /// Nobody reads it. What cannot be drained quickly costs the connection, no more.
    pub(super) fn drain(self) {
        if self.length().is_none_or(|n| n <= DRAIN) {
            self.context.give_up_at(Instant::now() + DRAIN_TIME);
            // One byte more, so that the end is seen.
            let _unread = io::copy(&mut self.reader.take(DRAIN + 1), &mut io::sink());
        }
    }

    pub(super) fn too_large(&self, limit: u64) -> Error {
        Error::ResponseTooLarge { host: self.origin.host().to_string(), limit }
    }

    fn failure(&self, e: io::Error) -> Error {
        match (self.watch.withdrawn(), failure(e.into(), self.origin.host().as_str())) {
            (Some(facts), _) if !self.context.cancel().is_cancelled() => {
                self.watch.told(Error::PinMismatch(facts))
            }
            (_, Error::ConnectionLost { host, .. }) => {
                let received = self.received;
                self.watch.told(Error::Truncated { host, proxy: None, received })
            }
            (_, e) => e,
        }
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::AsSent(body) => body.read(buffer),
            Self::Decoded(body) => body.read(buffer),
        }
    }
}
