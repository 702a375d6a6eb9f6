//! Bodies on their way: written and read piece by piece, and how far they have come.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pinfold_core::client::{BodyWriter, Multipart, Part, Progress, WrittenBody};
use pinfold_core::{CancelToken, Error, Request, ResponseBody};

/// Stands for a length that is not known.
const UNKNOWN: u64 = u64::MAX;

/// What a request's body is.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum BodyKind {
    /// There is none.
    Nothing,
    /// The bytes that follow the request, even if there are none.
    Bytes,
    /// A file.
    File {
        /// Where it is.
        path: String,
    },
    /// It is written to the call.
    Written {
        /// How long it is, where that is known.
        length: Option<u64>,
    },
    /// The form whose parts the call has.
    Form,
}

/// One field or file of a form.
#[derive(Clone, Debug, uniffi::Record)]
pub struct FormPart {
    /// The field's name.
    pub name: String,
    /// What the server is told the file is called; where it is a file, and none is given, as on disk.
    pub file_name: Option<String>,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// What is in it.
    pub content: PartContent,
}

/// What is in a part.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum PartContent {
    /// The bytes that follow the part.
    Bytes,
    /// A file.
    File {
        /// Where it is.
        path: String,
    },
    /// It is written to the call, when its turn comes.
    Written {
        /// How long it is, where that is known.
        length: Option<u64>,
    },
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, uniffi::Record)]
pub struct TransferProgress {
    /// How many bytes of the request's body were sent.
    pub sent: u64,
    /// How many it has, where that is known.
    pub to_send: Option<u64>,
    /// How many bytes of a download are there.
    pub received: u64,
    /// How many it has, where that is known.
    pub to_receive: Option<u64>,
}

/// The bodies of one call. Each is in a lock of its own, which is held while it waits; what cancels the
/// call is beside them.
#[derive(Default)]
pub(crate) struct Transfer {
    writer: Mutex<Option<BodyWriter>>,
    written: Mutex<Option<WrittenBody>>,
    form: Mutex<Option<Multipart>>,
    body: Mutex<Option<ResponseBody>>,
    sent: Counter,
    received: Counter,
}

#[derive(Default)]
struct Counter {
    done: AtomicU64,
    /// One more than it is, so that by default it is not known.
    total: AtomicU64,
}

impl Counter {
    fn set(&self, progress: Progress) {
        self.total.store(progress.total.map_or(0, |n| n.saturating_add(1)), Ordering::Relaxed);
        self.done.store(progress.done, Ordering::Relaxed);
    }

    fn get(&self) -> (u64, Option<u64>) {
        let total = self.total.load(Ordering::Relaxed);
        (self.done.load(Ordering::Relaxed), total.checked_sub(1))
    }
}

impl Transfer {
    /// The call's body, or parts of it, will be written.
    pub(crate) fn expect_writes(&self) {
        let (writer, written) = BodyWriter::pair();
        *lock(&self.writer) = Some(writer);
        *lock(&self.written) = Some(written);
    }

    pub(crate) fn add_part(&self, part: FormPart, bytes: Vec<u8>) -> Result<(), Error> {
        let mut made = match part.content {
            PartContent::Bytes => Part::bytes(&part.name, bytes),
            PartContent::File { path } => Part::file(&part.name, path.as_ref()),
            PartContent::Written { length } => Part::written(&part.name, length),
        }?;
        if let Some(file_name) = part.file_name {
            made = made.file_name(&file_name)?;
        }
        if let Some(content_type) = part.content_type {
            made = made.content_type(&content_type)?;
        }
        let mut form = lock(&self.form);
        *form = Some(form.take().unwrap_or_default().part(made));
        Ok(())
    }

    /// Waits until the bytes are on their way; whether more are wanted.
    pub(crate) fn write(&self, bytes: &[u8], cancel: &CancelToken) -> Result<bool, Error> {
        match lock(&self.writer).as_mut() {
            Some(writer) => writer.write(bytes, cancel),
            None => Ok(false),
        }
    }

    /// Ends a part, or the body.
    pub(crate) fn end_part(&self, cancel: &CancelToken) -> Result<bool, Error> {
        match lock(&self.writer).as_mut() {
            Some(writer) => writer.next_part(cancel),
            None => Ok(false),
        }
    }

    /// `request` with the body of this call, which tells how far it has come.
    pub(crate) fn with_body(
        self: &Arc<Self>,
        request: Request,
        body: BodyKind,
        bytes: Vec<u8>,
    ) -> Result<Request, Error> {
        let written = lock(&self.written).take();
        let missing = || Error::Internal { reason: "a call that nobody writes to".into() };
        let request = match body {
            BodyKind::Written { length } => {
                request.body_written(written.ok_or_else(missing)?, length)?
            }
            BodyKind::Form => {
                let form = lock(&self.form).take().unwrap_or_default();
                let form = written.into_iter().fold(form, Multipart::written);
                request.multipart(form)?
            }
            other => plain_body(request, other, bytes)?,
        };
        let transfer = self.clone();
        Ok(request.on_upload(move |progress| transfer.sent.set(progress)))
    }

    /// Takes the body of the response in, to be read.
    pub(crate) fn begin_reading(&self, body: ResponseBody) {
        *lock(&self.body) = Some(body);
    }

    /// Waits for the next bytes; how many there are, 0 at the end.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let not_open = || Error::Internal { reason: "a body that is not open".into() };
        lock(&self.body).as_mut().ok_or_else(not_open)?.pull(buffer)
    }

    /// Drops the body of the response, which closes its connection where it was not read to its end.
    pub(crate) fn end_reading(&self) {
        let body = lock(&self.body).take();
        drop(body);
    }

    pub(crate) fn set_received(&self, progress: Progress) {
        self.received.set(progress);
    }

    pub(crate) fn progress(&self) -> TransferProgress {
        let ((sent, to_send), (received, to_receive)) = (self.sent.get(), self.received.get());
        TransferProgress { sent, to_send, received, to_receive }
    }
}

impl TransferProgress {
    /// As the hot path hands it over: what is not known is [`u64::MAX`].
    pub(crate) fn numbers(self) -> [u64; 4] {
        let known = |total: Option<u64>| total.unwrap_or(UNKNOWN);
        [self.sent, known(self.to_send), self.received, known(self.to_receive)]
    }
}

/// `request` with a body that needs nothing of its call.
pub(crate) fn plain_body(
    request: Request,
    body: BodyKind,
    bytes: Vec<u8>,
) -> Result<Request, Error> {
    match body {
        BodyKind::Nothing => Ok(request),
        BodyKind::Bytes => request.body(bytes),
        BodyKind::File { path } => request.body_file(path.as_ref()),
        BodyKind::Written { .. } | BodyKind::Form => {
            Err(Error::Internal { reason: "a body that its call does not have".into() })
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A body that panicked fails when it is used again.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
