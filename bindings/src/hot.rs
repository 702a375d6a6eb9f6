//! The hot path: Kotlin's requests, by JNA direct mapping.
//!
//! A call through UniFFI's Kotlin costs four JNA structures and, for async, a thread attached at
//! every callback: three times OkHttp's whole request. These functions take primitives and direct
//! buffers only. What lies in the buffers is what UniFFI itself would write, so both sides use its
//! generated converters; a body follows its head as it is, to the end of the buffer.
//!
//! Clients and calls are named by ids that are never used again: a stale one is an error, not
//! somebody else's client.

#![allow(unsafe_code)] // the only file that may

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use pinfold_core::{CancelToken, Client, Error};
use uniffi::{Lift, Lower};

use crate::UniFfiTag;
use crate::failure::Failure;
use crate::request::{RequestHead, ResponseHead, execute};

/// What the output buffer begins with.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum Reply {
    /// The body follows.
    Response {
        /// All but the body.
        head: ResponseHead,
        /// How many bytes it has.
        body_size: u64,
    },
    /// Nothing follows.
    Failed {
        /// What failed.
        failure: Failure,
    },
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);
static CLIENTS: RwLock<Option<HashMap<u64, Client>>> = RwLock::new(None);
/// The calls between begin and end, in lists by id: those that begin or end at the same time rarely
/// meet at one lock.
static CALLS: [Mutex<Option<HashMap<u64, Entry>>>; 16] = [const { Mutex::new(None) }; 16];

#[derive(Default)]
struct Entry {
    cancel: CancelToken,
    kept: Option<Kept>,
}

/// What of a reply that was larger than the caller's buffer has not been taken yet.
struct Kept {
    /// Empty once it has been taken.
    reply: Vec<u8>,
    body: Vec<u8>,
    /// How much of the body has been taken.
    taken: usize,
}

pub(crate) fn register(client: Client) -> u64 {
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    let mut clients = CLIENTS.write().unwrap_or_else(PoisonError::into_inner);
    clients.get_or_insert_default().insert(id, client);
    id
}

pub(crate) fn forget(id: u64) {
    let mut clients = CLIENTS.write().unwrap_or_else(PoisonError::into_inner);
    clients.get_or_insert_default().remove(&id);
}

/// The list that has `call`, if anyone has.
fn calls(call: u64) -> MutexGuard<'static, Option<HashMap<u64, Entry>>> {
    CALLS[call as usize % CALLS.len()].lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins a call: its id, for the functions below. [`pinfold_call_end`] must follow.
#[unsafe(no_mangle)]
pub extern "C" fn pinfold_call_begin() -> u64 {
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    calls(id).get_or_insert_default().insert(id, Entry::default());
    id
}

/// Cancels a call, from any thread. An id that is not in use is nobody's call.
#[unsafe(no_mangle)]
pub extern "C" fn pinfold_call_cancel(call: u64) {
    // Outside the lock: cancelling closes sockets.
    let cancel = calls(call).get_or_insert_default().get(&call).map(|entry| entry.cancel.clone());
    if let Some(cancel) = cancel {
        cancel.cancel();
    }
}

/// Ends a call and drops what is kept of it.
#[unsafe(no_mangle)]
pub extern "C" fn pinfold_call_end(call: u64) {
    let ended = calls(call).get_or_insert_default().remove(&call);
    // Outside the lock: a reply that nobody has taken may be large.
    drop(ended);
}

/// Sends the request in `input` and blocks until the [`Reply`] and its body are in `output`: their
/// length. Where `output` is too small for both, the negated length of the [`Reply`] alone; it is
/// then taken by [`pinfold_call_take`], and the body after it in pieces.
///
/// # Safety
/// `input` must point to `input_len` bytes that can be read and `output` to `output_len` bytes that
/// can be written, both until the function returns, and they must not overlap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinfold_call_execute(
    client: u64,
    call: u64,
    input: *const u8,
    input_len: u32,
    output: *mut u8,
    output_len: u32,
) -> i64 {
    if input.is_null() || output.is_null() {
        return 0;
    }
    // SAFETY: the caller promises both ranges; they are not null.
    let (input, output) = unsafe {
        (
            std::slice::from_raw_parts(input, input_len as usize),
            std::slice::from_raw_parts_mut(output, output_len as usize),
        )
    };
    let answer = catch_unwind(AssertUnwindSafe(|| answer(client, call, input)));
    let (reply, body) =
        answer.unwrap_or_else(|_| failed(Error::Internal { reason: "a panic".into() }));
    match output.get_mut(..reply.len() + body.len()) {
        Some(output) => {
            let (head, rest) = output.split_at_mut(reply.len());
            head.copy_from_slice(&reply);
            rest.copy_from_slice(&body);
            output.len() as i64
        }
        None => {
            let needed = reply.len() as i64;
            if let Some(entry) = calls(call).get_or_insert_default().get_mut(&call) {
                entry.kept = Some(Kept { reply, body, taken: 0 });
            }
            -needed
        }
    }
}

/// Copies what follows of the reply that [`pinfold_call_execute`] could not hand over: first the
/// [`Reply`], whole, then as much of its body as `output` takes. How many bytes that are, or 0 where
/// there are no more or `output` is too small for the [`Reply`].
///
/// # Safety
/// `output` must point to `output_len` bytes that can be written until the function returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinfold_call_take(call: u64, output: *mut u8, output_len: u32) -> i64 {
    if output.is_null() {
        return 0;
    }
    // SAFETY: the caller promises the range; it is not null.
    let output = unsafe { std::slice::from_raw_parts_mut(output, output_len as usize) };
    let kept = calls(call).get_or_insert_default().get_mut(&call).and_then(|e| e.kept.take());
    let Some(mut kept) = kept else { return 0 };
    // Outside the lock.
    let copied = kept.copy(output);
    let is_left = kept.taken < kept.body.len() || !kept.reply.is_empty();
    if is_left && let Some(entry) = calls(call).get_or_insert_default().get_mut(&call) {
        entry.kept = Some(kept);
    }
    copied as i64
}

impl Kept {
    fn copy(&mut self, output: &mut [u8]) -> usize {
        if !self.reply.is_empty() {
            let Some(output) = output.get_mut(..self.reply.len()) else { return 0 };
            output.copy_from_slice(&self.reply);
            self.reply.clear();
            return output.len();
        }
        let left = &self.body[self.taken..];
        let n = left.len().min(output.len());
        output[..n].copy_from_slice(&left[..n]);
        self.taken += n;
        n
    }
}

/// The reply as UniFFI writes it, and its body.
fn answer(client: u64, call: u64, input: &[u8]) -> (Vec<u8>, Vec<u8>) {
    match exchange(client, call, input) {
        Ok((head, body)) => {
            let mut reply = Vec::with_capacity(1_024);
            let body_size = body.len() as u64;
            <Reply as Lower<UniFfiTag>>::write(Reply::Response { head, body_size }, &mut reply);
            (reply, body)
        }
        Err(error) => failed(error),
    }
}

fn exchange(client: u64, call: u64, mut input: &[u8]) -> Result<(ResponseHead, Vec<u8>), Error> {
    let clients = CLIENTS.read().unwrap_or_else(PoisonError::into_inner);
    let found = clients.as_ref().and_then(|clients| clients.get(&client)).cloned();
    drop(clients);
    let client = found.ok_or(Error::ClientClosed)?;
    let cancel = calls(call).get_or_insert_default().get(&call).map(|entry| entry.cancel.clone());
    let cancel =
        cancel.ok_or_else(|| Error::Internal { reason: "a call that has ended".into() })?;
    if !claims_fit(input) {
        let reason = "a request that claims more headers than it has".into();
        return Err(Error::Internal { reason });
    }
    let head = <RequestHead as Lift<UniFfiTag>>::try_read(&mut input)
        .map_err(|e| Error::Internal { reason: format!("a request that does not decode: {e}") })?;
    execute(&client, head, input.to_vec(), &cancel)
}

/// Whether a [`RequestHead`] has room for as many headers as it claims: UniFFI reserves memory for all
/// of them before it reads one, and where that fails the process ends.
fn claims_fit(input: &[u8]) -> bool {
    /// Two texts without a letter, and a flag.
    const HEADER: usize = 4 + 4 + 1;
    fn number(input: &[u8]) -> Option<(usize, &[u8])> {
        let (bytes, rest) = input.split_first_chunk::<4>()?;
        Some((usize::try_from(i32::from_be_bytes(*bytes)).ok()?, rest))
    }
    fn after_text(input: &[u8]) -> Option<&[u8]> {
        number(input).and_then(|(length, rest)| rest.get(length..))
    }
    // The method and the URL come first.
    let headers = after_text(input).and_then(after_text).and_then(number);
    headers.is_some_and(|(count, rest)| count <= rest.len() / HEADER)
}

fn failed(error: Error) -> (Vec<u8>, Vec<u8>) {
    let mut reply = Vec::with_capacity(512);
    <Reply as Lower<UniFfiTag>>::write(Reply::Failed { failure: error.into() }, &mut reply);
    (reply, Vec::new())
}
