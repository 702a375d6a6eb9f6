//! The pinned HTTPS client.

mod body;
#[cfg(feature = "brotli")]
mod brotli;
mod builder;
mod calls;
mod charset;
mod codings;
mod dispatcher;
mod download;
mod exchange;
mod gzip;
mod incoming;
mod multipart;
mod partial;
mod pipe;
mod redirect;
mod request;
mod response;
mod source;
mod turn;
mod upload;
mod url;
mod version;
mod zstd;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

pub use body::ResponseBody;
pub use builder::ClientBuilder;
pub use charset::text;
pub use download::Download;
pub use multipart::{Multipart, Part};
pub use pipe::{BodyWriter, WrittenBody};
pub use request::{Method, Request};
pub use response::Response;
pub(crate) use source::{PinSource, WeakClient};
pub use turn::{Queued, Turn};
pub use upload::{BodySource, Progress};

use crate::cancel::CancelToken;
use crate::error::Error;
use crate::net::{CallContext, Connections, Limits, SessionId, Setup};
use crate::patience::{Impatience, Patience};
use crate::pin::{HostName, Outcome, PinSet};
use crate::verify::{Explanation, Judge, SystemTrust};
use builder::Settings;
use calls::{Calls, Listed};
use dispatcher::{Dispatcher, Permit};
use exchange::Retry;
use incoming::Incoming;

/// Sends requests over connections whose certificate the pin set allows.
///
/// Cheap to clone, and meant to be shared: clones use the same connections. All methods may be
/// called from any thread; sending blocks the calling one.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    settings: Settings,
    system: SystemTrust,
    connections: Connections,
    dispatcher: Dispatcher,
    calls: Calls,
}

impl Client {
    /// A client with default settings; see [`ClientBuilder`] for them.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] where the system's authorities cannot be used.
    pub fn new(pins: PinSet) -> Result<Self, Error> {
        Self::builder(pins).build()
    }

    /// A client with settings of its own.
    pub fn builder(pins: PinSet) -> ClientBuilder {
        ClientBuilder::new(pins)
    }

    fn start(pins: PinSet, settings: Settings) -> Result<Self, Error> {
        let system = SystemTrust::new(&settings.roots)?;
        let connections = Connections::new(Setup {
            judge: judge(pins, &settings, &system),
            clock: settings.clock.clone(),
            connect_to: settings.connect_to.clone(),
            max_idle: settings.max_idle_connections,
            abort_withdrawn: settings.abort_withdrawn,
            user_agent: &settings.user_agent,
            resumes: settings.resumes,
        })?;
        let dispatcher = Dispatcher::new(settings.max_requests, settings.max_requests_per_host);
        let calls = Calls::default();
        let client = Self(Arc::new(Inner { settings, system, connections, dispatcher, calls }));
        if let Some(source) = &client.0.settings.source {
            source.attach(WeakClient::new(&client));
        }
        Ok(client)
    }

    /// Sends a GET request.
    ///
    /// # Errors
    /// Every code of `docs/errors.md` but `cancelled`.
    pub fn get(&self, url: &str) -> Result<Response, Error> {
        self.send(&Request::new(Method::Get, url)?)
    }

    /// Sends a request and waits for the whole response.
    ///
    /// # Errors
    /// Every code of `docs/errors.md` but `cancelled`.
    pub fn send(&self, request: &Request) -> Result<Response, Error> {
        self.send_cancellable(request, &CancelToken::new())
    }

    /// Sends a request that `cancel` can end at once from another thread.
    ///
    /// # Errors
    /// Every code of `docs/errors.md`.
    pub fn send_cancellable(
        &self,
        request: &Request,
        cancel: &CancelToken,
    ) -> Result<Response, Error> {
        let _listed = self.0.calls.begin(cancel);
        self.send_listed(request, cancel, self.limits(request), None)
    }

    /// Waits for the turn of `request` without a thread; [`Turn::send`] sends it, from a thread that may
    /// block. For async callers: a client sends only so many requests at a time
    /// ([`ClientBuilder::max_requests`]), and threads that wait for others' end are missed elsewhere.
    /// The request's time runs from here on.
    ///
    /// The future gives [`Error::Timeout`], [`Error::Cancelled`] or [`Error::ClientClosed`] where no
    /// turn has come. It may be polled from any executor.
    pub fn turn(&self, request: Request, cancel: &CancelToken) -> Queued {
        Queued::new(self.clone(), request, cancel.clone())
    }

    /// Sends a request whose first hop may hold its place already.
    fn send_listed(
        &self,
        request: &Request,
        cancel: &CancelToken,
        limits: Limits,
        place: Option<Permit<'_>>,
    ) -> Result<Response, Error> {
        let max = request.max_response_bytes.unwrap_or(self.0.settings.max_response_bytes);
        let result = self.follow(request, cancel, limits, place, false, |response, _permit| {
            response.with(|body| body.into_bytes(max))
        });
        ended(result, self.is_closed(), cancel.is_cancelled())
    }

    /// What `request` may use up, from now on.
    fn limits(&self, request: &Request) -> Limits {
        exchange::limits(&self.0.settings, request)
    }

    /// Sends a request and waits for the head of its response; the body is pulled by the caller. The
    /// client's own timeout and its limit of bytes hold for bodies in memory and not for this one,
    /// which may be as long as it is and take as long as something comes; the request's own hold
    /// here too.
    ///
    /// ```no_run
    /// # use pinfold_core::{CancelToken, Client, Method, Request};
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let request = Request::new(Method::Get, "https://api.example.com/v1/log")?;
    /// let mut response = client.stream(&request, &CancelToken::new())?;
    /// let mut buffer = vec![0; 64 * 1024];
    /// loop {
    ///     match response.body_mut().pull(&mut buffer)? {
    ///         0 => break,
    ///         n => println!("{} bytes", buffer[..n].len()),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Every code of `docs/errors.md`. Cancelling ends the call while its body is pulled, too.
    pub fn stream(
        &self,
        request: &Request,
        cancel: &CancelToken,
    ) -> Result<Response<ResponseBody>, Error> {
        let listed = self.0.calls.begin(cancel);
        self.stream_listed(request, cancel, self.limits(request), None, listed)
    }

    fn stream_listed(
        &self,
        request: &Request,
        cancel: &CancelToken,
        limits: Limits,
        place: Option<Permit<'_>>,
        listed: Listed<'_>,
    ) -> Result<Response<ResponseBody>, Error> {
        let max = request.max_response_bytes.unwrap_or(u64::MAX);
        let result = self.follow(request, cancel, limits, place, true, |response, permit| {
            response.with(|body| {
                if request.timeout.is_none() {
                    body.context.set_open_ended();
                }
                Ok(ResponseBody::new(body, max, (self, cancel), permit, listed))
            })
        });
        ended(result, self.is_closed(), cancel.is_cancelled())
    }

    /// Follows redirects to the response that is `finish`ed, whose request is under way until then.
    fn follow<T>(
        &self,
        request: &Request,
        cancel: &CancelToken,
        limits: Limits,
        mut place: Option<Permit<'_>>,
        is_pulled: bool,
        finish: impl FnOnce(Response<Incoming>, Permit<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut hop = std::borrow::Cow::Borrowed(request);
        let mut followed = 0;
        loop {
            let (response, permit) =
                self.exchange(&hop, &limits, cancel, place.take(), is_pulled)?;
            let max = self.0.settings.max_redirects;
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
                followed += 1;
                hop = std::borrow::Cow::Owned(next);
            }
        }
    }

    /// One hop. It is under way until its permit is dropped.
    fn exchange<'a>(
        &'a self,
        request: &'a Request,
        limits: &Limits,
        cancel: &CancelToken,
        place: Option<Permit<'a>>,
        is_pulled: bool,
    ) -> Result<(Response<Incoming>, Permit<'a>), Error> {
        let host = request.target.host();
        let source = self.0.settings.source.as_deref();
        let patience = Patience { deadline: limits.deadline, cancel };
        let context = || Arc::new(CallContext::new(cancel.clone(), *limits));
        let impatient = |impatience| match impatience {
            Impatience::Cancelled => Error::Cancelled,
            Impatience::TimedOut => context().timed_out(host.as_str()),
        };
        let permit = match place {
            Some(permit) => permit,
            None => self.0.dispatcher.enter(host, patience).map_err(impatient)?,
        };
        if let Some(source) = source {
            source.prepare(host, &patience);
        }
        let mut retried = false;
        let mut renewed = false;
        loop {
            patience.check().map_err(impatient)?;
            let judge = self.0.connections.judge();
            if judge.denies(host) {
                return Err(Error::HostNotPinned { host: host.to_string() });
            }
            let context = context();
            let (result, retry) = exchange::exchange(
                &self.0.connections,
                SessionId::default(),
                request,
                &context,
                is_pulled,
            );
            // A pooled connection that the server closed just then: nobody has seen an answer, and
            // asking again changes nothing (RFC 9112 §9.3.1), where all of it can be asked again.
            if retry == Retry::IfIdempotent && !retried && request.method.is_idempotent() {
                retried = true;
                if request.rewind()? {
                    continue;
                }
            }
            // Nothing has been sent, so any method may be tried again.
            if let (Retry::UnderOtherPins, Some(source), false) = (retry, source, renewed) {
                renewed = true;
                let refused = context.refused();
                let accepts = |pins: &PinSet| {
                    refused.is_some_and(|refused| refused.is_accepted_by(&judge, pins))
                };
                if source.renew(host, &judge.pins, &accepts, &patience) {
                    continue;
                }
            }
            if let (Ok(response), Some(source)) = (&result, source)
                && let Outcome::Inspected(authority) = &response.verdict().outcome
            {
                source.inspected(host.as_str(), authority);
            }
            return result.map(|response| (response, permit));
        }
    }

    /// Puts another pin set into force, at once and for good: requests that begin after this call see
    /// only the new one. Connections and TLS sessions made under the old one are used again if the
    /// new one accepts what the server presented there; the other connections are closed, and so are
    /// those about which the platform would have to be asked. Requests in flight end under the old
    /// one, but see [`ClientBuilder::abort_withdrawn`].
    ///
    /// # Errors
    /// [`Error::ClientClosed`].
    pub fn replace_pins(&self, pins: PinSet) -> Result<(), Error> {
        if self.is_closed() {
            return Err(Error::ClientClosed);
        }
        self.0.connections.replace(judge(pins, &self.0.settings, &self.0.system));
        Ok(())
    }

    /// Closes the idle connections, so that the next request makes one of its own: for a device
    /// whose network has changed, which leaves them dead without a word. Requests in flight go on,
    /// and their connections are closed after them. The pin set and the TLS sessions stay. Does
    /// nothing on a closed client.
    pub fn close_idle_connections(&self) {
        self.0.connections.close_idle();
    }

    /// The whole decision about a certificate as data, without a connection: what this client would
    /// do if `host` presented `chain` (DER, end-entity first) at `at`, in seconds since 1970. Asks
    /// the platform where its authorities count, so not on a main thread; a platform's own clock may
    /// be the one that holds. After a refusal that the pin set demands, a client of an updater looks
    /// for a newer one, as it does for a request.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a host that is none, and for no certificate;
    /// [`Error::ClientClosed`].
    pub fn explain(&self, host: &str, chain: &[Vec<u8>], at: u64) -> Result<Explanation, Error> {
        if self.is_closed() {
            return Err(Error::ClientClosed);
        }
        let used = self.0.connections.judge();
        let told = used.explain(host, chain, at)?;
        let by_pin_set = told.error.as_ref().is_some_and(|e| used.is_by_pin_set(e, &told.host));
        let Some(source) = self.0.settings.source.as_deref().filter(|_| by_pin_set) else {
            return Ok(told);
        };
        let accepts = |pins: &PinSet| {
            let judge = judge(pins.clone(), &self.0.settings, &self.0.system);
            judge.explain(host, chain, at).is_ok_and(|told| told.error.is_none())
        };
        let deadline = Instant::now().checked_add(self.0.settings.timeout);
        let patience = Patience { deadline, cancel: &CancelToken::new() };
        if source.renew(&told.host, &used.pins, &accepts, &patience) {
            return self.0.connections.judge().explain(host, chain, at);
        }
        Ok(told)
    }

    /// The names in a certificate (DER) for which an entry of the pin set holds: the hosts of entries,
    /// what it lists itself, and where an entry holds for all that a wildcard covers, one of these.
    /// For somebody else's HTTP client, which may use one connection for all the names of its
    /// certificate (RFC 9113 §9.1.1): [`Client::explain`] tells for each whether that is allowed.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for what is no certificate; [`Error::ClientClosed`].
    pub fn pinned_names(&self, certificate: &[u8]) -> Result<Vec<HostName>, Error> {
        if self.is_closed() {
            return Err(Error::ClientClosed);
        }
        self.0.connections.judge().pinned_names(certificate)
    }

    /// The pin set in force.
    pub fn pins(&self) -> PinSet {
        self.0.connections.judge().pins.clone()
    }

    /// Ends every call and closes every connection of this client and its clones; later calls
    /// fail with [`Error::ClientClosed`]. Closing twice does nothing.
    pub fn close(&self) {
        self.0.calls.close();
        self.0.connections.close();
    }

    fn is_closed(&self) -> bool {
        self.0.calls.is_closed()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}

/// A hop, where its body can be sent once more.
fn sendable(hop: Option<Request>) -> Result<Option<Request>, Error> {
    match hop {
        Some(hop) if !hop.rewind()? => Ok(None),
        hop => Ok(hop),
    }
}

/// By what a client with these settings judges.
fn judge(pins: PinSet, settings: &Settings, system: &SystemTrust) -> Judge {
    Judge {
        pins,
        deny_unpinned: settings.deny_unpinned,
        system: system.clone(),
        managed: settings.source.as_ref().and_then(|source| source.managed()),
    }
}

/// What a call that was ended stumbles over while it ends is not the reason that it ended. But a
/// refused certificate is one, and stays one whatever else happens in that moment.
fn ended<T>(result: Result<T, Error>, closed: bool, cancelled: bool) -> Result<T, Error> {
    match result {
        Err(refused) if refused.certificate().is_some() => Err(refused),
        Err(_) if closed => Err(Error::ClientClosed),
        Err(_) if cancelled => Err(Error::Cancelled),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_failure_is_never_called_cancelled_or_closed() {
        for refused in [Error::PinMismatch(Box::default()), Error::BlockedKey(Box::default())] {
            for (closed, cancelled) in [(false, true), (true, false), (true, true)] {
                assert_eq!(
                    ended::<()>(Err(refused.clone()), closed, cancelled),
                    Err(refused.clone())
                );
            }
        }
        let lost = || Err(Error::ConnectionLost { host: "h".into(), reason: "r".into() });
        assert_eq!(ended::<()>(lost(), false, true), Err(Error::Cancelled));
        assert_eq!(ended::<()>(lost(), true, true), Err(Error::ClientClosed));
        assert_eq!(ended(Ok(1), true, true), Ok(1));
    }
}
