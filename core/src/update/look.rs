//! Runs looks, and has calls wait for them: the threads and the requests of the channel.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::channel::{Action, Answer, Question, Why, judge};
use super::engine::Engine;
use super::status::{Refreshed, UpdateError, UpdateEvent};
use crate::cancel::{CancelToken, Wake};
use crate::client::{Method, Request};
use crate::error::Error;
use crate::pin::PinSet;
use crate::sync::thread;

/// Looks, and waits for it. Whoever asks during a look has one more: what that one was told may be
/// from before the reason for this. Where it is merely time, the one under way will do.
pub(super) fn refresh(engine: &Arc<Engine>, why: Why) -> Result<Refreshed, UpdateError> {
    if engine.is_telling() {
        // What tells it may be the look that it would wait for.
        refresh_in_background(engine);
        return Err(UpdateError::Unavailable("a listener cannot wait for a refresh".into()));
    }
    let mut live = engine.live();
    let flying = live.landed.0 < live.channel.number();
    let next = live.channel.number() + 1;
    let wanted = if flying && why == Why::Due { next - 1 } else { next };
    let before = live.channel.state().order();
    while live.landed.0 < wanted {
        // Its number is taken when it begins, and comes back when everything of it is done.
        if live.landed.0 == live.channel.number() {
            drop(live);
            begin(engine, why);
            live = engine.live();
        } else {
            live = engine.wait(live, None);
        }
    }
    match live.landed.1.clone() {
        _ if live.channel.state().order() > before => Ok(Refreshed::Updated),
        outcome => outcome,
    }
}

/// Looks because it is time, without anybody waiting; if nobody does already.
pub(super) fn refresh_in_background(engine: &Arc<Engine>) {
    begin(engine, Why::Due);
}

/// A look that a call waits for until `until` or `done`, if looks are not too frequent already.
pub(super) fn refresh_for(
    engine: &Arc<Engine>,
    until: Instant,
    cancel: &CancelToken,
    done: &dyn Fn(&PinSet) -> bool,
) {
    cancel.watch(engine);
    wait_for(engine, until, cancel, done);
    // Not under the engine's lock, which whoever cancels takes under the one of the token.
    cancel.unwatch(engine);
}

fn wait_for(
    engine: &Arc<Engine>,
    until: Instant,
    cancel: &CancelToken,
    done: &dyn Fn(&PinSet) -> bool,
) {
    let mut live = engine.live();
    // What is under way may have been answered before there was anything newer.
    let wanted = live.channel.number() + 1;
    let mut judged = None::<PinSet>;
    loop {
        let pins = live.pins.clone();
        drop(live);
        let left = until.saturating_duration_since(Instant::now());
        // It may ask the platform, which takes its time: once for each pin set.
        let is_new = judged.as_ref().is_none_or(|judged| !judged.is_same(&pins));
        if (is_new && done(&pins)) || cancel.is_cancelled() || left.is_zero() {
            break;
        }
        live = engine.live();
        if !live.pins.is_same(&pins) {
            continue;
        }
        judged = Some(pins);
        if live.landed.0 >= wanted {
            break;
        }
        if live.landed.0 < live.channel.number() {
            live = engine.wait(live, Some(left));
            continue;
        }
        let now = engine.now();
        let why = match live.channel.may_force(now) {
            true => Why::Asked,
            // As any other request would.
            false if live.channel.is_due(now) => Why::Due,
            false => break,
        };
        drop(live);
        begin(engine, why);
        live = engine.live();
    }
}

/// Begins a look, on threads of its own.
fn begin(engine: &Arc<Engine>, why: Why) {
    let (number, actions) = {
        let channel = &mut engine.live().channel;
        let actions = channel.begin(why, engine.now(), engine.at());
        (channel.number(), actions)
    };
    if actions.is_empty() {
        return;
    }
    let landing = Landing(engine.clone(), number);
    // Without a thread it lands at once, and the next request tries again.
    let work = move || fly(&landing, actions);
    let _thread = thread::Builder::new().name("pinfold-update".into()).spawn(work);
}

/// Sees a look through to its end.
fn fly(Landing(engine, number): &Landing, actions: Vec<Action>) {
    perform(engine, actions);
    let mut live = engine.live();
    while let Some(wakes) = live.channel.wakes().filter(|_| live.channel.number() == *number) {
        live = engine.wait(live, Some(wakes.saturating_sub(engine.at())));
        let actions = live.channel.proceed(engine.now(), engine.at());
        if !actions.is_empty() {
            drop(live);
            perform(engine, actions);
            live = engine.live();
        }
    }
}

/// A look ends, whatever becomes of the thread that flies it: else there would be none after it.
struct Landing(Arc<Engine>, u64);

impl Drop for Landing {
    fn drop(&mut self) {
        let actions = self.0.live().channel.abandon(self.1, self.0.now());
        perform(&self.0, actions);
    }
}

fn perform(engine: &Arc<Engine>, actions: Vec<Action>) {
    for action in actions {
        match action {
            Action::Ask(question) => ask(engine, question),
            Action::Swap => engine.swap(),
            Action::Tell(event) => engine.tell(&event),
            Action::Store => {
                // Another process may have stored a still newer one.
                if engine.persist() {
                    engine.swap();
                    tell_updated(engine);
                }
            }
            Action::Land(number, outcome) => {
                // It would lie there for hours until the next look, and by then the device's network
                // may be another, which leaves it dead without a word.
                engine.fetcher.close_idle_connections();
                engine.tell_time(None);
                let mut live = engine.live();
                if number > live.landed.0 {
                    live.landed = (number, outcome);
                }
                drop(live);
                engine.wake();
            }
        }
    }
}

pub(super) fn tell_updated(engine: &Engine) {
    let order = engine.live().channel.state().order();
    engine.tell(&UpdateEvent::Updated { order });
}

/// Asks on a thread of its own: one that hangs holds up nobody.
fn ask(engine: &Arc<Engine>, question: Question) {
    let asking = engine.clone();
    let asked = question.clone();
    let work = move || {
        let answer = fetch(&asking, &asked);
        take(&asking, &asked, answer);
    };
    if thread::Builder::new().name("pinfold-mirror".into()).spawn(work).is_err() {
        take(engine, &question, Err("no thread for it".into()));
    }
}

/// The body of a 200, or none where nothing has changed.
fn fetch(engine: &Engine, question: &Question) -> Result<Option<Vec<u8>>, String> {
    let text = |e: Error| e.to_string();
    let mut request = Request::new(Method::Get, &question.url).map_err(text)?;
    // A cache on the way asks its server.
    request = request.header("Cache-Control", "no-cache").map_err(text)?;
    if let Some(known) = question.known {
        request = request.header("If-None-Match", &format!("\"{known}\"")).map_err(text)?;
    }
    let left = question.timeout.max(Duration::from_millis(1));
    let request = request.timeout(left).map_err(text)?;
    let response = engine.fetcher.send(&request).map_err(text)?;
    match response.status() {
        200 => Ok(Some(response.body().to_vec())),
        304 if question.known.is_some() => Ok(None),
        status => Err(format!("{}: status {status}", question.url)),
    }
}

fn take(engine: &Arc<Engine>, question: &Question, answer: Result<Option<Vec<u8>>, String>) {
    let mut state = engine.live().channel.state().clone();
    let (first, audience) = (engine.first.order(), &engine.embedded.audience);
    let actions = loop {
        let answer = match &answer {
            Ok(Some(body)) => judge(&state, first, audience, body),
            Ok(None) => Answer::Known,
            Err(reason) => Answer::Failed(reason.clone()),
        };
        let mut live = engine.live();
        // Meanwhile another mirror may have had something, or another process: never back.
        if *live.channel.state() != state {
            state = live.channel.state().clone();
            continue;
        }
        let actions = live.channel.answered(question, answer, engine.now(), engine.at());
        if actions.contains(&Action::Swap) {
            engine.refresh_pins(&mut live);
            live.forget_told();
        }
        break actions;
    };
    perform(engine, actions);
    // The thread that flies it has a new moment to wake at.
    engine.wake();
}
