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
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use pinfold_core::{CancelToken, Client, Error, Request};
use uniffi::{Lift, Lower};

use crate::UniFfiTag;
use crate::failure::Failure;
use crate::request::{
    DownloadTarget, Opened, RequestHead, ResponseHead, download, guarded, opened, parts, request,
};
use crate::transfer::{FormPart, Transfer};

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
    /// The body is to be read.
    Opened {
        /// The response without it.
        opened: Opened,
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
    /// For calls whose bodies go piece by piece.
    transfer: Option<Arc<Transfer>>,
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

/// A [`Reply`] as it crosses, and the body behind it.
type Answer = (Vec<u8>, Vec<u8>);

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
    // SAFETY: the caller promises both ranges.
    unsafe { answer(exchange, client, call, (input, input_len), (output, output_len)) }
}

/// Does as [`pinfold_call_execute`], but the body is left to [`pinfold_call_read`].
///
/// # Safety
/// As for [`pinfold_call_execute`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinfold_call_open(
    client: u64,
    call: u64,
    input: *const u8,
    input_len: u32,
    output: *mut u8,
    output_len: u32,
) -> i64 {
    // SAFETY: the caller promises both ranges.
    unsafe { answer(open, client, call, (input, input_len), (output, output_len)) }
}

/// Downloads a file: `input` is a [`DownloadTarget`] before the request. Answers as
/// [`pinfold_call_execute`] does; there is a body only where there is no file.
///
/// # Safety
/// As for [`pinfold_call_execute`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinfold_call_download(
    client: u64,
    call: u64,
    input: *const u8,
    input_len: u32,
    output: *mut u8,
    output_len: u32,
) -> i64 {
    // SAFETY: the caller promises both ranges.
    unsafe { answer(fetch, client, call, (input, input_len), (output, output_len)) }
}

/// Has `work` answer what is in `input`.
///
/// # Safety
/// As for [`pinfold_call_execute`].
unsafe fn answer(
    work: fn(u64, u64, &[u8]) -> Result<Answer, Error>,
    client: u64,
    call: u64,
    (input, input_len): (*const u8, u32),
    (output, output_len): (*mut u8, u32),
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
    let answer = guarded(|| work(client, call, input));
    reply(call, answer.unwrap_or_else(failed), output)
}

/// Waits for the next bytes of the response: how many are in `output`, 0 at its end. Where it has
/// failed, the negated length of the [`Reply`] that says why, for [`pinfold_call_take`]; [`i64::MIN`]
/// for a call that has ended.
///
/// # Safety
/// `output` must point to `output_len` bytes that can be written until the function returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinfold_call_read(call: u64, output: *mut u8, output_len: u32) -> i64 {
    if output.is_null() {
        return 0;
    }
    // SAFETY: the caller promises the range; it is not null.
    let output = unsafe { std::slice::from_raw_parts_mut(output, output_len as usize) };
    // Not an end: that would be a body that is cut off.
    let Some(transfer) = transfer(call) else { return i64::MIN };
    number(call, guarded(|| transfer.read(output)).map(|n| n as i64))
}

/// Somebody wants to know how far the call has come. Before it is sent.
#[unsafe(no_mangle)]
pub extern "C" fn pinfold_call_watch(call: u64) {
    let _made = make_transfer(call);
}

/// The body of the call, or parts of it, will be written by [`pinfold_call_write`]. Before it is sent.
#[unsafe(no_mangle)]
pub extern "C" fn pinfold_call_expect_writes(call: u64) {
    if let Some(transfer) = make_transfer(call) {
        transfer.expect_writes();
    }
}

/// Waits until the bytes in `input` are on their way: 1 where more are wanted, 0 where not, because the
/// server has answered or the call has ended. No bytes end a part or the body. Errors as for
/// [`pinfold_call_read`].
///
/// # Safety
/// `input` must point to `input_len` bytes that can be read until the function returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinfold_call_write(call: u64, input: *const u8, input_len: u32) -> i64 {
    if input.is_null() {
        return 0;
    }
    // SAFETY: the caller promises the range; it is not null.
    let input = unsafe { std::slice::from_raw_parts(input, input_len as usize) };
    let write = || {
        let (Some(cancel), Some(transfer)) = (cancel(call), transfer(call)) else {
            return Ok(false);
        };
        match input {
            [] => transfer.end_part(&cancel),
            bytes => transfer.write(bytes, &cancel),
        }
    };
    number(call, guarded(write).map(i64::from))
}

/// Adds a part to the form of the call: `input` is a [`FormPart`], and its bytes where it has some.
/// Before it is sent. 0, or errors as for [`pinfold_call_read`].
///
/// # Safety
/// `input` must point to `input_len` bytes that can be read until the function returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinfold_call_add_part(call: u64, input: *const u8, input_len: u32) -> i64 {
    if input.is_null() {
        return 0;
    }
    // SAFETY: the caller promises the range; it is not null.
    let mut input = unsafe { std::slice::from_raw_parts(input, input_len as usize) };
    let add = || {
        let part = decoded::<FormPart>(&mut input)?;
        make_transfer(call).map_or(Ok(()), |transfer| transfer.add_part(part, input.to_vec()))
    };
    number(call, guarded(add).map(|()| 0))
}

/// How far a call has come: bytes sent, bytes to send, received, to receive, as numbers of 8 bytes in
/// the machine's order; [`u64::MAX`] for what is not known. 1, or 0 where there is no room.
///
/// # Safety
/// `output` must point to `output_len` bytes that can be written until the function returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinfold_call_progress(call: u64, output: *mut u8, output_len: u32) -> i64 {
    if output.is_null() || output_len < 32 {
        return 0;
    }
    // SAFETY: the caller promises the range; it is not null.
    let output = unsafe { std::slice::from_raw_parts_mut(output, 32) };
    let Some(transfer) = transfer(call) else { return 0 };
    for (to, number) in output.chunks_exact_mut(8).zip(transfer.progress().numbers()) {
        to.copy_from_slice(&number.to_ne_bytes());
    }
    1
}

/// Copies a reply and its body to `output`, or keeps what does not fit.
fn reply(call: u64, (reply, body): Answer, output: &mut [u8]) -> i64 {
    match output.get_mut(..reply.len() + body.len()) {
        Some(output) => {
            let (head, rest) = output.split_at_mut(reply.len());
            head.copy_from_slice(&reply);
            rest.copy_from_slice(&body);
            output.len() as i64
        }
        None => {
            let needed = reply.len() as i64;
            keep(call, reply, body);
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

/// A whole exchange: the reply as UniFFI writes it, and its body.
fn exchange(client: u64, call: u64, input: &[u8]) -> Result<Answer, Error> {
    let (client, cancel) = found(client, call)?;
    let request = read_request(&client, input, call)?;
    client.send_cancellable(&request, &cancel).map(|response| responded(parts(response)))
}

/// The head of a response.
fn open(client: u64, call: u64, input: &[u8]) -> Result<Answer, Error> {
    let (client, cancel) = found(client, call)?;
    let transfer = make_transfer(call).ok_or_else(ended)?;
    let request = read_request(&client, input, call)?;
    let opened = opened(client.stream(&request, &cancel)?, &transfer);
    let mut reply = Vec::with_capacity(1_024);
    <Reply as Lower<UniFfiTag>>::write(Reply::Opened { opened }, &mut reply);
    Ok((reply, Vec::new()))
}

fn fetch(client: u64, call: u64, mut input: &[u8]) -> Result<Answer, Error> {
    let (client, cancel) = found(client, call)?;
    let transfer = make_transfer(call).ok_or_else(ended)?;
    let target = decoded::<DownloadTarget>(&mut input)?;
    let request = read_request(&client, input, call)?;
    download(&client, request, target, &transfer, &cancel).map(responded)
}

fn responded((head, body): (ResponseHead, Vec<u8>)) -> Answer {
    let mut reply = Vec::with_capacity(1_024);
    let body_size = body.len() as u64;
    <Reply as Lower<UniFfiTag>>::write(Reply::Response { head, body_size }, &mut reply);
    (reply, body)
}

/// What the ids stand for.
fn found(client: u64, call: u64) -> Result<(Client, CancelToken), Error> {
    let clients = CLIENTS.read().unwrap_or_else(PoisonError::into_inner);
    let found = clients.as_ref().and_then(|clients| clients.get(&client)).cloned();
    drop(clients);
    Ok((found.ok_or(Error::ClientClosed)?, cancel(call).ok_or_else(ended)?))
}

fn cancel(call: u64) -> Option<CancelToken> {
    calls(call).get_or_insert_default().get(&call).map(|entry| entry.cancel.clone())
}

fn ended() -> Error {
    Error::Internal { reason: "a call that has ended".into() }
}

fn transfer(call: u64) -> Option<Arc<Transfer>> {
    calls(call).get_or_insert_default().get(&call).and_then(|entry| entry.transfer.clone())
}

fn make_transfer(call: u64) -> Option<Arc<Transfer>> {
    let mut calls = calls(call);
    let entry = calls.get_or_insert_default().get_mut(&call)?;
    Some(entry.transfer.get_or_insert_default().clone())
}

fn read_request(client: &Client, mut input: &[u8], call: u64) -> Result<Request, Error> {
    if !claims_fit(input) {
        let reason = "a request that claims more headers than it has".into();
        return Err(Error::Internal { reason });
    }
    let head = decoded::<RequestHead>(&mut input)?;
    request(client, head, input.to_vec(), transfer(call).as_ref())
}

fn decoded<T: Lift<UniFfiTag>>(input: &mut &[u8]) -> Result<T, Error> {
    T::try_read(input)
        .map_err(|e| Error::Internal { reason: format!("a request that does not decode: {e}") })
}

/// A number, or the negated length of the reply that says what failed.
fn number(call: u64, result: Result<i64, Error>) -> i64 {
    let (reply, body) = match result {
        Ok(number) => return number,
        Err(error) => failed(error),
    };
    let needed = reply.len() as i64;
    keep(call, reply, body);
    -needed
}

fn keep(call: u64, reply: Vec<u8>, body: Vec<u8>) {
    if let Some(entry) = calls(call).get_or_insert_default().get_mut(&call) {
        entry.kept = Some(Kept { reply, body, taken: 0 });
    }
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

fn failed(error: Error) -> Answer {
    let mut reply = Vec::with_capacity(512);
    <Reply as Lower<UniFfiTag>>::write(Reply::Failed { failure: error.into() }, &mut reply);
    (reply, Vec::new())
}
