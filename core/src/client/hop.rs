//! From a request to its response: one hop after the other, and for each hop as many attempts as it
//! needs and may have.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use super::authenticator::{Auth, Token};
use super::dispatcher::Permit;
use super::exchange::{self, Extras, Retry};
use super::incoming::Incoming;
use super::request::Request;
use super::response::Response;
use super::retry::{self, Reason};
use super::{Client, redirect};
use crate::cancel::CancelToken;
use crate::error::Error;
use crate::events::{Event, Events};
use crate::net::{CallContext, Limits};
use crate::patience::{Impatience, Patience};
use crate::pin::{Outcome, PinSet};

/// One request on its way, within its call.
#[derive(Clone, Copy)]
pub(super) struct Hop<'a> {
    pub(super) request: &'a Request,
    pub(super) limits: &'a Limits,
    pub(super) cancel: &'a CancelToken,
    /// Whether its body is pulled.
    pub(super) is_pulled: bool,
    pub(super) events: &'a Events,
}

type Answered<'a> = (Response<Incoming>, Permit<'a>);

impl Hop<'_> {
    fn host(&self) -> &str {
        self.request.target.host().as_str()
    }

    fn patience(&self) -> Patience<'_> {
        Patience { deadline: self.limits.deadline, cancel: self.cancel }
    }

    fn context(&self) -> Arc<CallContext> {
        Arc::new(CallContext::new(self.cancel.clone(), *self.limits, self.events.clone()))
    }

    fn impatient(&self, impatience: Impatience) -> Error {
        match impatience {
            Impatience::Cancelled => Error::Cancelled,
            Impatience::TimedOut => self.context().timed_out(self.host()),
        }
    }
}

impl Client {
    /// Follows redirects to the response that is `finish`ed, whose request is under way until then.
    pub(super) fn follow<T>(
        &self,
        call: Hop<'_>,
        place: Option<Permit<'_>>,
        finish: impl FnOnce(Response<Incoming>, Permit<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (begun, host) = (Instant::now(), call.host().to_owned());
        let method = call.request.method;
        call.events.tell(|| Event::Begun { method: method.to_string(), host: host.clone() });
        let result = self.follow_on(call, place, |response, permit| {
            call.events.tell(|| Event::Answered {
                host: response.body.origin.host().to_string(),
                status: response.status,
                after: begun.elapsed(),
            });
            finish(response, permit)
        });
        if let Err(error) = &result {
            let (code, after) = (error.code(), begun.elapsed());
            call.events.tell(|| Event::Failed { host, code, after });
        }
        result
    }

    fn follow_on<T>(
        &self,
        call: Hop<'_>,
        mut place: Option<Permit<'_>>,
        finish: impl FnOnce(Response<Incoming>, Permit<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut hop = self.complete(call.request)?;
        let mut followed = 0;
        loop {
            let (response, permit) = self.hop(Hop { request: &hop, ..call }, place.take())?;
            let max = call.request.max_redirects.unwrap_or(self.0.shared.settings.max_redirects);
            let location = response.header("location");
            // A client that follows none hands redirects to its caller, and so it does with one that
            // leads where the body cannot be sent again.
            let next = match max {
                0 => Ok(None),
                _ => redirect::next(&hop, response.status, location),
            };
            let next = next.and_then(sendable);
            if matches!(next, Ok(None)) {
                return finish(response, permit);
            }
            response.into_body().drain();
            drop(permit);
            let next = next?;
            if followed == max {
                let host = hop.target.host().to_string();
                return Err(Error::TooManyRedirects { host, limit: max });
            }
            if let Some(next) = next {
                call.events.tell(|| Event::Redirected {
                    host: hop.target.host().to_string(),
                    to: next.target.host().to_string(),
                });
                followed += 1;
                hop = Cow::Owned(next);
            }
        }
    }

    /// `request` with the headers of its client or session.
    fn complete<'a>(&self, request: &'a Request) -> Result<Cow<'a, Request>, Error> {
        let defaults = &self.0.own.defaults;
        let mut request = Cow::Borrowed(request);
        if !defaults.is_empty() {
            defaults.complete(request.to_mut())?;
        }
        Ok(request)
    }

    /// One hop, which is under way until its permit is dropped. It is sent again where that helps, is
    /// safe, and time and budget are left; and once with another token after a 401.
    fn hop<'a>(
        &'a self,
        hop: Hop<'a>,
        mut place: Option<Permit<'a>>,
    ) -> Result<Answered<'a>, Error> {
        let auth = self.0.own.auth.as_deref();
        let auth = auth.filter(|auth| auth.is_for(hop.request, &self.0.own.defaults));
        let patience = hop.patience();
        let mut token = auth.and_then(Auth::known);
        if let (None, Some(auth)) = (&token, auth) {
            // Whoever gives it may need a place for that.
            drop(place.take());
            token = auth.token(self, &patience, hop.host())?;
        }
        let (mut retried, mut renewed) = (0, false);
        loop {
            let permit = match place.take() {
                Some(permit) => permit,
                None => self.enter(&hop)?,
            };
            let (result, sent) = self.attempt(&hop, token.as_ref());
            if let (Ok(response), Some(auth), Some(used)) = (&result, auth, &token)
                && response.status == 401
                && !renewed
                && hop.request.rewind()?
            {
                renewed = true;
                drop(permit);
                let challenges = response.values("www-authenticate").map(str::to_owned).collect();
                if let Some(next) = auth.renew(self, used, challenges, &patience, hop.host())? {
                    hop.events.tell(|| Event::TokenRenewed { host: hop.host().to_owned() });
                    token = Some(next);
                    result?.into_body().drain();
                    continue;
                }
                let permit = self.enter(&hop)?;
                return result.map(|response| (response, permit));
            }
            let Some(at) = self.again(&hop, &result, sent, retried)? else {
                return result.map(|response| (response, permit));
            };
            hop.events.tell(|| Event::Retried {
                host: hop.host().to_owned(),
                before: retried,
                wait: at.saturating_duration_since(Instant::now()),
                cause: match &result {
                    Ok(response) => response.status.to_string(),
                    Err(error) => error.code().to_owned(),
                },
            });
            retried += 1;
            drop(permit);
            if let Ok(response) = result {
                response.into_body().drain();
            }
            pause(&patience, at).map_err(|e| hop.impatient(e))?;
        }
    }

    /// When a request is to be sent again; none where what came of it is what the caller gets.
    fn again(
        &self,
        hop: &Hop<'_>,
        result: &Result<Response<Incoming>, Error>,
        sent: bool,
        done: u32,
    ) -> Result<Option<Instant>, Error> {
        let settings = &self.0.shared.settings;
        let most = settings.retries.most;
        if done >= most {
            return Ok(None);
        }
        let Some(reason) = retry::reason(result, sent, settings.clock.wall()) else {
            if done == 0 && result.is_ok() {
                self.0.shared.budget.answered();
            }
            return Ok(None);
        };
        if reason != Reason::NothingSent && !hop.request.method.is_idempotent() {
            return Ok(None);
        }
        let mut wait = settings.retries.wait(done, chance());
        if let Reason::NotNow(Some(asked)) = reason {
            wait = wait.max(asked);
        }
        // What cannot be had in time is not waited for.
        let at = Instant::now().checked_add(wait);
        let at = at.filter(|at| hop.limits.deadline.is_none_or(|deadline| *at < deadline));
        // Before the budget is touched: a body that cannot begin again costs nothing.
        if at.is_none() || !hop.request.rewind()? {
            return Ok(None);
        }
        Ok(at.filter(|_| self.0.shared.budget.take(settings.clock.boot())))
    }

    /// Waits for the place of a request.
    fn enter<'a>(&'a self, hop: &Hop<'a>) -> Result<Permit<'a>, Error> {
        let begun = Instant::now();
        let patience = Patience { deadline: hop.limits.queue_end(begun), ..hop.patience() };
        let entered = self.0.shared.dispatcher.enter(hop.request.target.host(), patience);
        entered.map_err(|impatience| match impatience {
            Impatience::Cancelled => Error::Cancelled,
            Impatience::TimedOut => hop.context().not_admitted(hop.host()),
        })
    }

    /// Sends a request once, or twice where the first cannot have been read by anybody; and whether any
    /// of it may have been sent.
    fn attempt(
        &self,
        hop: &Hop<'_>,
        token: Option<&Token>,
    ) -> (Result<Response<Incoming>, Error>, bool) {
        let host = hop.request.target.host();
        let patience = hop.patience();
        let shared = &*self.0.shared;
        let source = shared.settings.source.as_deref();
        if let Some(source) = source {
            source.prepare(host, &patience);
        }
        let (mut retried, mut renewed) = (false, false);
        loop {
            if let Err(impatience) = patience.check() {
                return (Err(hop.impatient(impatience)), retried);
            }
            let judge_now = shared.connections.judge();
            if judge_now.denies(host) {
                return (Err(Error::HostNotPinned { host: host.to_string() }), false);
            }
            let context = hop.context();
            let cookies = self.0.own.cookies.as_ref();
            let cookies = cookies.filter(|_| hop.request.takes_cookies());
            let extras = Extras {
                session: self.0.id,
                cookie: cookies.and_then(|jar| jar.of_request(&hop.request.target)),
                authorization: token.map(|token| token.value.clone()),
            };
            let (result, retry) = exchange::exchange(
                &shared.connections,
                hop.request,
                extras,
                &context,
                hop.is_pulled,
            );
            // A pooled connection that the server closed just then: nobody has seen an answer, and
            // asking again changes nothing (RFC 9112 §9.3.1), where all of it can be asked again.
            if retry == Retry::IfIdempotent && !retried && hop.request.method.is_idempotent() {
                retried = true;
                match hop.request.rewind() {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(error) => return (Err(error), true),
                }
            }
            // Nothing has been sent, so any method may be tried again.
            if let (Retry::UnderOtherPins, Some(source), false) = (retry, source, renewed) {
                renewed = true;
                let refused = context.refused();
                let accepts = |pins: &PinSet| {
                    refused.is_some_and(|refused| refused.is_accepted_by(&judge_now, pins))
                };
                if source.renew(host, &judge_now.pins, &accepts, &patience) {
                    continue;
                }
            }
            if let Ok(response) = &result {
                if let (Some(source), Outcome::Inspected(authority)) =
                    (source, &response.verdict().outcome)
                {
                    source.inspected(host.as_str(), authority);
                }
                if let Some(jar) = cookies {
                    // What is no UTF-8 cannot be sent back as it was.
                    let fields =
                        response.values("set-cookie").filter(|it| !it.contains('\u{fffd}'));
                    jar.take_all(&hop.request.target, fields);
                }
            }
            let sent = retried || retry != Retry::NothingSent;
            return (result, sent);
        }
    }
}

/// A hop, where its body can be sent once more.
fn sendable(hop: Option<Request>) -> Result<Option<Request>, Error> {
    match hop {
        Some(hop) if !hop.rewind()? => Ok(None),
        hop => Ok(hop),
    }
}

fn pause(patience: &Patience<'_>, until: Instant) -> Result<(), Impatience> {
    let bell = Arc::default();
    patience.wait(&bell, || match Instant::now() >= until {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(Some(until)),
    })
}

/// From 0 to 1, another one each time and on each device. Nobody gains by guessing it.
fn chance() -> f64 {
    let number = RandomState::new().hash_one(0) >> 32;
    number as f64 / f64::from(u32::MAX)
}
