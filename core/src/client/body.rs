//! A response's body that is pulled, and the call that goes on until it has been.

use std::fmt;
use std::io::{self, Read};

use super::calls::Listed;
use super::dispatcher::Permit;
use super::incoming::Incoming;
use super::{Client, ended};
use crate::cancel::CancelToken;
use crate::error::Error;
use crate::pin::HostName;

/// The decoded body of a response, pulled piece by piece: what nobody has asked for yet waits at the
/// server, so it needs the same little memory however long it is.
///
/// Its call is under way until it has been read to its end, has failed, or is dropped. Its connection
/// serves other calls only after it was read to its end; dropped before, it is closed. It may be
/// read from any thread.
///
/// As [`Read`] it gives its [`Error`] inside of an [`io::Error`]; [`Self::pull`] gives it as it is.
pub struct ResponseBody(State);

enum State {
    Open(Box<Open>),
    Ended,
    Failed(Error),
}

struct Open {
    incoming: Incoming,
    limit: u64,
    call: Ongoing,
}

/// A call beyond the function that began it.
struct Ongoing {
    client: Client,
    cancel: CancelToken,
    host: HostName,
}

impl ResponseBody {
    /// `permit` and `listed` are those of `client`, for the call that `cancel` ends.
    pub(super) fn new(
        incoming: Incoming,
        limit: u64,
        (client, cancel): (&Client, &CancelToken),
        permit: Permit<'_>,
        listed: Listed<'_>,
    ) -> Self {
        let call = Ongoing { client: client.clone(), cancel: cancel.clone(), host: permit.keep() };
        listed.keep();
        Self(State::Open(Box::new(Open { incoming, limit, call })))
    }

    /// How many bytes are to come in all, where the server has said so and nothing is decoded.
    pub fn length(&self) -> Option<u64> {
        match &self.0 {
            State::Open(open) => open.incoming.length(),
            _ => None,
        }
    }

    /// Reads it to its end, but not past `limit`.
    pub(super) fn into_bytes(self, limit: u64) -> Result<Vec<u8>, Error> {
        match self.0 {
            State::Open(open) => {
                let Open { incoming, call, .. } = *open;
                let read = incoming.into_bytes(limit);
                ended(read, call.client.is_closed(), call.cancel.is_cancelled())
            }
            State::Ended => Ok(Vec::new()),
            State::Failed(error) => Err(error),
        }
    }

    /// Waits for the next bytes and copies them into `buffer`; how many there are, 0 at the end. After
    /// an error comes the same one again.
    ///
    /// # Errors
    /// [`Error::Truncated`] where the connection broke, [`Error::Timeout`] where nothing came in time,
    /// [`Error::ResponseTooLarge`] beyond the request's own limit, and every other that can befall a
    /// call.
    pub fn pull(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let open = match &mut self.0 {
            State::Open(_) if buffer.is_empty() => return Ok(0),
            State::Open(open) => open,
            State::Ended => return Ok(0),
            State::Failed(error) => return Err(error.clone()),
        };
        match open.pull(buffer) {
            Ok(0) => {
                self.0 = State::Ended;
                Ok(0)
            }
            Ok(n) => Ok(n),
            Err(error) => {
                self.0 = State::Failed(error.clone());
                Err(error)
            }
        }
    }
}

impl Open {
    fn pull(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let read = match self.incoming.read(buffer) {
            Ok(_) if self.incoming.received > self.limit => {
                Err(self.incoming.too_large(self.limit))
            }
            read => read,
        };
        ended(read, self.call.client.is_closed(), self.call.cancel.is_cancelled())
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        self.client.0.calls.end(&self.cancel);
        self.client.0.shared.dispatcher.leave(&self.host);
    }
}

impl Read for ResponseBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pull(buffer).map_err(io::Error::other)
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            State::Open(_) => "ResponseBody(open)",
            State::Ended => "ResponseBody(ended)",
            State::Failed(_) => "ResponseBody(failed)",
        })
    }
}
