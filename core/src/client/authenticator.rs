//! Tokens: one question to the app for all calls that need one, and each call once more after a refusal.

use std::fmt;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use ureq::http::HeaderValue;

use super::Client;
use super::defaults::Defaults;
use super::request::Request;
use crate::cancel::Wake;
use crate::error::Error;
use crate::patience::{Bell, Impatience, Patience};

/// An answer that takes longer is not waited for by calls that begin later: they ask anew.
const HANGS_AFTER: Duration = Duration::from_secs(60);
/// How many questions that hang keep their threads; then nobody asks until one of them ends.
const MAX_HANGING: usize = 4;
/// Nobody's token is longer, and it has to fit into a request.
const MAX_TOKEN: usize = 8 * 1024;

/// Gives the value of the `Authorization` header, such as `Bearer …`, to requests to the server of
/// [`super::ClientBuilder::base_url`] that have none themselves.
pub trait Authenticator: Send + Sync {
    /// The value to send, or none to send nothing. Asked before the first request, and again after a 401:
    /// then `refused` is what the server did not take, and none says that the 401 is the answer. However
    /// many calls meet a 401 at the same time, it is asked once, and each call is sent once more.
    ///
    /// Called on a thread of its own, without a lock: it may block. What it asks for itself goes by `client`,
    /// which is the client or session that needs the token, but sends none: other calls of that one would
    /// wait for it. Calls that wait for it end with their own deadline or cancellation, and it goes on.
    ///
    /// # Errors
    /// For whatever reason: the calls that wait for it fail with [`Error::IoFailed`], and the next one
    /// asks again. The text must hold no secret.
    fn authorize(
        &self,
        refused: Option<&Refused>,
        client: &Client,
    ) -> Result<Option<String>, String>;
}

/// What a server did not take.
#[derive(Clone)]
#[non_exhaustive]
pub struct Refused {
    /// The value of `Authorization`.
    pub authorization: String,
    /// The values of `WWW-Authenticate`, which say what it wants (RFC 9110 §11.6.1).
    pub challenges: Vec<String>,
}

/// What is sent, and which one it is.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) value: HeaderValue,
    number: u64,
}

/// An authenticator, and what it has said last.
pub(super) struct Auth {
    hook: Arc<dyn Authenticator>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// None before the first answer, and after one that gave up.
    said: Option<Token>,
    number: u64,
    flight: Option<Arc<Flight>>,
    hanging: usize,
}

struct Flight {
    begun: Instant,
    landing: Mutex<Landing>,
}

#[derive(Default)]
struct Landing {
    said: Option<Result<Option<Token>, Error>>,
    waiting: Vec<Weak<Bell>>,
}

impl Auth {
    /// # Errors
    /// [`Error::InvalidConfig`] where there is no server that may have the tokens.
    pub(super) fn new(hook: Arc<dyn Authenticator>, defaults: &Defaults) -> Result<Self, Error> {
        match defaults.has_base() {
            true => Ok(Self { hook, state: Arc::default() }),
            false => {
                let reason = "its tokens are for the server of a base_url only".into();
                Err(Error::InvalidConfig { field: "authenticator".into(), reason })
            }
        }
    }

    /// Whether `request` gets a token: one of its own counts.
    pub(super) fn is_for(&self, request: &Request, defaults: &Defaults) -> bool {
        defaults.may_tell(request) && !request.headers.has("authorization")
    }

    /// What is to be sent, where that is known.
    pub(super) fn known(&self) -> Option<Token> {
        lock(&self.state).said.clone()
    }

    /// What `client` is to send.
    pub(super) fn token(
        &self,
        client: &Client,
        patience: &Patience<'_>,
        host: &str,
    ) -> Result<Option<Token>, Error> {
        let flight = {
            let mut state = lock(&self.state);
            match &state.said {
                Some(said) => return Ok(Some(said.clone())),
                None => self.flight(&mut state, client, None)?,
            }
        };
        wait(&flight, patience, host)
    }

    /// What `client` is to send in the place of `used`, which was refused with `challenges`; none where there
    /// is nothing else.
    pub(super) fn renew(
        &self,
        client: &Client,
        used: &Token,
        challenges: Vec<String>,
        patience: &Patience<'_>,
        host: &str,
    ) -> Result<Option<Token>, Error> {
        let flight = {
            let mut state = lock(&self.state);
            match &state.said {
                // Another call was refused before.
                Some(said) if said.number != used.number => return Ok(Some(said.clone())),
                _ => {
                    let text = String::from_utf8_lossy(used.value.as_bytes()).into_owned();
                    let refused = Refused { authorization: text, challenges };
                    self.flight(&mut state, client, Some(refused))?
                }
            }
        };
        let next = wait(&flight, patience, host)?;
        // The same once more would be refused once more.
        Ok(next.filter(|next| next.value != used.value))
    }

    /// The question that is under way, or a new one.
    fn flight(
        &self,
        state: &mut State,
        client: &Client,
        refused: Option<Refused>,
    ) -> Result<Arc<Flight>, Error> {
        if let Some(flight) = &state.flight {
            if flight.begun.elapsed() < HANGS_AFTER {
                return Ok(flight.clone());
            }
            if state.hanging + 1 >= MAX_HANGING {
                return Err(failed("it does not answer"));
            }
            state.hanging += 1;
        }
        let flight = Arc::new(Flight { begun: Instant::now(), landing: Mutex::default() });
        let (hook, shared, landing) = (self.hook.clone(), self.state.clone(), flight.clone());
        let client = client.without_tokens();
        let ask = move || {
            let asked = || hook.authorize(refused.as_ref(), &client);
            let said = catch_unwind(AssertUnwindSafe(asked));
            let said = said.unwrap_or_else(|_| Err("it panicked".into()));
            land(&shared, &landing, said);
        };
        thread::Builder::new()
            .name("pinfold-auth".into())
            .spawn(ask)
            .map_err(|e| failed(&format!("no thread for it: {e}")))?;
        state.flight = Some(flight.clone());
        Ok(flight)
    }
}

fn land(shared: &Mutex<State>, flight: &Arc<Flight>, said: Result<Option<String>, String>) {
    let value = said.map_err(|reason| failed(&reason)).and_then(|text| text.map(value).transpose());
    let mut state = lock(shared);
    let is_current = state.flight.as_ref().is_some_and(|it| Arc::ptr_eq(it, flight));
    state.number += 1;
    let number = state.number;
    let token = value.map(|value| value.map(|value| Token { value, number }));
    if is_current {
        state.flight = None;
        if let Ok(token) = &token {
            state.said.clone_from(token);
        }
    } else {
        state.hanging = state.hanging.saturating_sub(1);
    }
    drop(state);
    let mut landing = lock(&flight.landing);
    landing.said = Some(token);
    let waiting = std::mem::take(&mut landing.waiting);
    drop(landing);
    waiting.iter().filter_map(Weak::upgrade).for_each(|bell| bell.wake());
}

fn wait(flight: &Flight, patience: &Patience<'_>, host: &str) -> Result<Option<Token>, Error> {
    let bell = Arc::<Bell>::default();
    lock(&flight.landing).waiting.push(Arc::downgrade(&bell));
    let waited = patience.wait(&bell, || match &lock(&flight.landing).said {
        Some(said) => ControlFlow::Break(said.clone()),
        None => ControlFlow::Continue(None),
    });
    match waited {
        Ok(said) => said,
        Err(Impatience::Cancelled) => Err(Error::Cancelled),
        Err(Impatience::TimedOut) => {
            let (phase, after) = (crate::error::TimeoutPhase::Total, flight.begun.elapsed());
            Err(Error::Timeout { host: host.to_owned(), phase, after })
        }
    }
}

fn value(text: String) -> Result<HeaderValue, Error> {
    let is_good = text.is_ascii() && !text.is_empty() && text.len() <= MAX_TOKEN;
    let value = HeaderValue::from_str(&text).ok().filter(|_| is_good);
    let mut value = value.ok_or_else(|| failed("what it gave is no value of a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn failed(reason: &str) -> Error {
    Error::IoFailed { place: "authenticator".into(), reason: reason.to_owned() }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Everything under these locks is whole at every point where a panic could leave it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Refused {
    /// Without the values: those may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("challenges", &self.challenges.len())
            .finish_non_exhaustive()
    }
}
