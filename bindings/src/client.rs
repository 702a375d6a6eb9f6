//! The client, as Swift and everything that is called rarely see it. Kotlin's requests go through
//! `hot.rs` with the same heads.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use pinfold_core::client::ClientBuilder;
use pinfold_core::pin::Outcome;
use pinfold_core::{CancelToken, Error, Method, Request};

use crate::explain::Explanation;
use crate::failure::{Failure, PinfoldFailure};
use crate::hot;
use crate::pins::{PinAt, PinSet, PinState};
use crate::trust::{Foreign, PlatformTrust};
use crate::updates::PinSetUpdater;

/// What a client can be told; times in milliseconds.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ClientSettings {
    /// Whether hosts without a policy are refused.
    pub deny_unpinned: bool,
    /// Whether requests in flight end when a new pin set withdraws their pin.
    pub abort_withdrawn: bool,
    /// The authorities behind `SystemAndPin`.
    pub roots: Roots,
    /// For name lookup, TCP and TLS together.
    pub connect_timeout_ms: u64,
    /// For a whole call.
    pub timeout_ms: u64,
    /// The largest body accepted, after gzip.
    pub max_response_bytes: u64,
    /// How many redirects are followed.
    pub max_redirects: u32,
    /// The `User-Agent` header, where it is not the default.
    pub user_agent: Option<String>,
    /// Addresses to use instead of looking names up.
    pub connect_to: Vec<ConnectTo>,
}

/// The authorities behind `SystemAndPin`.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum Roots {
    /// The operating system's.
    System,
    /// Mozilla's, as compiled in.
    Bundled,
    /// These and no others, DER.
    Only {
        /// The certificates.
        certificates: Vec<Vec<u8>>,
    },
}

/// An address to use instead of looking a name up.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ConnectTo {
    /// The name in the URL.
    pub host: String,
    /// The port in the URL.
    pub port: u16,
    /// `IP:PORT` to connect to.
    pub address: String,
}

/// A header of a request or a response.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether it stays behind when a redirect leads to another origin; false in responses.
    pub sensitive: bool,
}

/// A request without its body.
#[derive(Clone, Debug, uniffi::Record)]
pub struct RequestHead {
    /// The method, in capitals.
    pub method: String,
    /// The absolute URL.
    pub url: String,
    /// The headers.
    pub headers: Vec<Header>,
    /// The call's own timeout.
    pub timeout_ms: Option<u64>,
    /// Whether a body follows, even if it is empty.
    pub has_body: bool,
}

/// A response without its body.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// Where it came from, after redirects.
    pub url: String,
    /// The headers, names in lower case.
    pub headers: Vec<Header>,
    /// What was decided about the certificate.
    pub pinning: Pinning,
}

/// A response.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Response {
    /// All but the body.
    pub head: ResponseHead,
    /// The body, after gzip.
    pub body: Vec<u8>,
}

/// What was decided about the connection's certificate.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum Pinning {
    /// A pin matched.
    Matched {
        /// The pin set's entry.
        rule: String,
        /// The pin.
        pin: String,
        /// Where it was found.
        at: PinAt,
        /// What the pin set says of it.
        state: PinState,
    },
    /// No pin matched, and the entry only reports.
    ReportOnly {
        /// The failure that `enforce` would have been.
        mismatch: Failure,
    },
    /// No pin matched, but an authority that may inspect the connection has issued the certificate.
    Inspected {
        /// The pin set's entry.
        rule: String,
        /// The authority's id.
        authority: String,
        /// The failure that it would have been.
        mismatch: Failure,
    },
    /// The entry switches pinning off.
    Off {
        /// The pin set's entry.
        rule: String,
    },
    /// The entry has expired.
    Lapsed {
        /// The pin set's entry.
        rule: String,
    },
    /// The pin set says nothing about the host.
    NotPinned,
}

/// One call, for cancelling it.
#[derive(Debug, Default, uniffi::Object)]
pub struct Call(CancelToken);

#[uniffi::export]
impl Call {
    /// A call that has not begun.
    #[uniffi::constructor]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Ends the call at once.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

/// The pinned client.
#[derive(Debug, uniffi::Object)]
pub struct Client {
    client: pinfold_core::Client,
    id: u64,
}

#[uniffi::export]
impl Client {
    /// A client with the given pin set and settings; `trust` is asked where `System` roots count.
    #[uniffi::constructor]
    pub fn new(
        pins: Arc<PinSet>,
        settings: ClientSettings,
        trust: Option<Arc<dyn PlatformTrust>>,
    ) -> Result<Arc<Self>, PinfoldFailure> {
        let client = build(pinfold_core::Client::builder(pins.0.clone()), settings, trust)?;
        Ok(Self::registered(client))
    }

    /// A client whose pin sets come from `updater`.
    #[uniffi::constructor]
    pub fn updated(
        updater: Arc<PinSetUpdater>,
        settings: ClientSettings,
        trust: Option<Arc<dyn PlatformTrust>>,
    ) -> Result<Arc<Self>, PinfoldFailure> {
        let client = build(pinfold_core::Client::builder_with(&updater.0), settings, trust)?;
        Ok(Self::registered(client))
    }

    /// Names the client to the hot path; never used for another one.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Puts another pin set into force.
    pub fn replace_pins(&self, pins: Arc<PinSet>) -> Result<(), PinfoldFailure> {
        Ok(self.client.replace_pins(pins.0.clone())?)
    }

    /// Closes the idle connections, and those in use after their calls.
    pub fn close_idle_connections(&self) {
        self.client.close_idle_connections();
    }

    /// The whole decision about a certificate without a connection, on a thread of ours. `at` is in
    /// seconds since 1970.
    pub async fn explain(
        &self,
        host: String,
        chain: Vec<Vec<u8>>,
        at: u64,
    ) -> Result<Explanation, PinfoldFailure> {
        let client = self.client.clone();
        let explain = move || client.explain(&host, &chain, at).map(Explanation::from);
        Ok(blocking::unblock(move || guarded(explain)).await?)
    }

    /// The names in a certificate (DER) for which an entry of the pin set holds.
    pub fn pinned_names(&self, certificate: &[u8]) -> Result<Vec<String>, PinfoldFailure> {
        let names = guarded(|| self.client.pinned_names(certificate))?;
        Ok(names.iter().map(ToString::to_string).collect())
    }

    /// Ends every call and closes every connection.
    pub fn close(&self) {
        hot::forget(self.id);
        self.client.close();
    }

    /// Sends a request on a thread of ours; the caller's executor never blocks.
    pub async fn execute(
        &self,
        head: RequestHead,
        body: Vec<u8>,
        call: Arc<Call>,
    ) -> Result<Response, PinfoldFailure> {
        let client = self.client.clone();
        let work = move || execute(&client, head, body, &call.0);
        let (head, body) = blocking::unblock(work).await?;
        Ok(Response { head, body })
    }
}

impl Client {
    fn registered(client: pinfold_core::Client) -> Arc<Self> {
        let id = hot::register(client.clone());
        Arc::new(Self { client, id })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close();
    }
}

/// One request, whole.
pub(crate) fn execute(
    client: &pinfold_core::Client,
    head: RequestHead,
    body: Vec<u8>,
    cancel: &CancelToken,
) -> Result<(ResponseHead, Vec<u8>), Error> {
    let send = || {
        let request = request(head, body)?;
        let response = client.send_cancellable(&request, cancel)?;
        Ok((response_head(&response), response.into_body()))
    };
    guarded(send)
}

/// A panic turned into an error: the client's locks survive it, and nothing else is shared.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::Internal { reason: "a panic".into() }))
}

fn request(head: RequestHead, body: Vec<u8>) -> Result<Request, Error> {
    let mut request = Request::new(head.method.parse::<Method>()?, &head.url)?;
    for header in &head.headers {
        request = if header.sensitive {
            request.sensitive_header(&header.name, &header.value)?
        } else {
            request.header(&header.name, &header.value)?
        };
    }
    if let Some(ms) = head.timeout_ms {
        request = request.timeout(Duration::from_millis(ms))?;
    }
    if head.has_body { request.body(body) } else { Ok(request) }
}

fn response_head(response: &pinfold_core::Response) -> ResponseHead {
    let header = |(name, value): &(String, String)| Header {
        name: name.clone(),
        value: value.clone(),
        sensitive: false,
    };
    let verdict = response.verdict();
    let rule = verdict.facts.rule.clone().unwrap_or_default();
    let mismatch = || Error::PinMismatch(Box::new(verdict.facts.clone())).into();
    let pinning = match &verdict.outcome {
        Outcome::Match(matched) => Pinning::Matched {
            rule,
            pin: matched.pin.to_string(),
            at: matched.at.into(),
            state: matched.state.into(),
        },
        // No response comes over a blocked key.
        Outcome::NoMatch | Outcome::BlockedKey(_) => Pinning::ReportOnly { mismatch: mismatch() },
        Outcome::Inspected(id) => {
            Pinning::Inspected { rule, authority: id.clone(), mismatch: mismatch() }
        }
        Outcome::Off => Pinning::Off { rule },
        Outcome::Lapsed => Pinning::Lapsed { rule },
        Outcome::NotPinned => Pinning::NotPinned,
    };
    ResponseHead {
        status: response.status(),
        url: response.url().to_owned(),
        headers: response.headers().iter().map(header).collect(),
        pinning,
    }
}

fn build(
    builder: ClientBuilder,
    settings: ClientSettings,
    trust: Option<Arc<dyn PlatformTrust>>,
) -> Result<pinfold_core::Client, Error> {
    let mut builder = builder
        .deny_unpinned(settings.deny_unpinned)
        .abort_withdrawn(settings.abort_withdrawn)
        .roots(settings.roots.with_trust(trust)?)
        .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
        .timeout(Duration::from_millis(settings.timeout_ms))
        .max_response_bytes(settings.max_response_bytes)
        .max_redirects(settings.max_redirects);
    if let Some(user_agent) = settings.user_agent {
        builder = builder.user_agent(user_agent);
    }
    for (host, port, address) in ConnectTo::parse_all(&settings.connect_to)? {
        builder = builder.connect_to(host, port, address);
    }
    builder.build()
}

impl Roots {
    /// `System` is what `trust` says, where there is one.
    pub(crate) fn with_trust(
        self,
        trust: Option<Arc<dyn PlatformTrust>>,
    ) -> Result<pinfold_core::Roots, Error> {
        Ok(match (self, trust) {
            (Self::System, Some(trust)) => pinfold_core::Roots::Platform(Arc::new(Foreign(trust))),
            (Self::System, None) => pinfold_core::Roots::System,
            #[cfg(feature = "bundled-roots")]
            (Self::Bundled, _) => pinfold_core::Roots::Bundled,
            #[cfg(not(feature = "bundled-roots"))]
            (Self::Bundled, _) => {
                return Err(Error::InvalidConfig {
                    field: "roots".into(),
                    reason: "the library was built without roots (its feature bundled-roots)"
                        .into(),
                });
            }
            (Self::Only { certificates }, _) => pinfold_core::Roots::Only(certificates),
        })
    }
}

impl ConnectTo {
    pub(crate) fn parse_all(all: &[Self]) -> Result<Vec<(&str, u16, SocketAddr)>, Error> {
        let parse = |(i, to): (usize, &'_ Self)| match to.address.parse() {
            Ok(address) => Ok((i, address)),
            Err(_) => Err(Error::InvalidConfig {
                field: format!("connect_to[{i}]"),
                reason: "its address is not IP:PORT".into(),
            }),
        };
        let addresses = all.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>()?;
        Ok(addresses
            .into_iter()
            .map(|(i, address)| (&*all[i].host, all[i].port, address))
            .collect())
    }
}
