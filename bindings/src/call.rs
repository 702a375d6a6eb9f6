//! One call, as Swift sees it.

use std::sync::Arc;

use pinfold_core::CancelToken;

use crate::failure::PinfoldFailure;
use crate::request::guarded;
use crate::transfer::{FormPart, Transfer, TransferProgress};

/// One call: for cancelling it, and for its bodies.
#[derive(Default, uniffi::Object)]
pub struct Call {
    pub(crate) cancel: CancelToken,
    pub(crate) transfer: Arc<Transfer>,
}

#[uniffi::export]
impl Call {
    /// A call that has not begun.
    #[uniffi::constructor]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Ends the call at once.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// The call's body, or parts of it, will be written. Before it is sent.
    pub fn expect_writes(&self) {
        self.transfer.expect_writes();
    }

    /// Adds a part to the call's form. Before it is sent.
    pub fn add_part(&self, part: FormPart, bytes: Vec<u8>) -> Result<(), PinfoldFailure> {
        Ok(guarded(|| self.transfer.add_part(part, bytes))?)
    }

    /// Waits until the bytes are on their way; whether more are wanted.
    pub async fn write(self: Arc<Self>, bytes: Vec<u8>) -> Result<bool, PinfoldFailure> {
        let work = move || guarded(|| self.transfer.write(&bytes, &self.cancel));
        Ok(blocking::unblock(work).await?)
    }

    /// Ends a part, or the body; whether more are wanted.
    pub async fn end_part(self: Arc<Self>) -> Result<bool, PinfoldFailure> {
        let work = move || guarded(|| self.transfer.end_part(&self.cancel));
        Ok(blocking::unblock(work).await?)
    }

    /// Waits for the next bytes of the response, at most `max`; none at its end.
    pub async fn read(self: Arc<Self>, max: u32) -> Result<Vec<u8>, PinfoldFailure> {
        let work = move || {
            guarded(|| {
                let mut bytes = vec![0; max as usize];
                let n = self.transfer.read(&mut bytes)?;
                bytes.truncate(n);
                Ok(bytes)
            })
        };
        Ok(blocking::unblock(work).await?)
    }

    /// Nobody reads any more of the response.
    pub fn end(&self) {
        // Whoever reads in this moment is ended first, or this would wait for them.
        self.cancel.cancel();
        self.transfer.end_reading();
    }

    /// How far it has come.
    pub fn progress(&self) -> TransferProgress {
        self.transfer.progress()
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("cancel", &self.cancel).finish_non_exhaustive()
    }
}
