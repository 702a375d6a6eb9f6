//! The client, as Swift and everything that is called rarely see it. Kotlin's requests go through
//! `hot.rs` with the same heads.

use std::sync::Arc;
use std::time::Duration;

use pinfold_core::Error;
use pinfold_core::client::{ClientBuilder, Retries};

use crate::call::Call;
use crate::events::{CallListener, Listener};
use crate::explain::Explanation;
use crate::failure::PinfoldFailure;
use crate::hot;
use crate::identity::ClientIdentity;
use crate::network::{ConnectTo, Roots};
use crate::pins::PinSet;
use crate::proxies::Proxies;
use crate::request::{
    DownloadTarget, Opened, RequestHead, Response, download, guarded, opened, parts, request,
};
use crate::session::{NameResolver, Names, SessionSettings, session};
use crate::trust::PlatformTrust;
use crate::updates::PinSetUpdater;

/// What a client can be told; times in milliseconds.
#[derive(Clone, uniffi::Record)]
pub struct ClientSettings {
    /// Whether hosts without a policy are refused.
    pub deny_unpinned: bool,
    /// Whether requests in flight end when a new pin set withdraws their pin.
    pub abort_withdrawn: bool,
    /// The authorities behind `SystemAndPin`.
    pub roots: Roots,
    /// For name lookup, TCP and TLS together.
    pub connect_timeout_ms: u64,
    /// For the next bytes of an answer; 0 for none.
    pub read_timeout_ms: u64,
    /// For a whole call.
    pub timeout_ms: u64,
    /// For the wait for a request's turn; 0 for none, as for the next three.
    pub queue_timeout_ms: u64,
    /// For the lookup of a name.
    pub lookup_timeout_ms: u64,
    /// For a TLS handshake.
    pub tls_timeout_ms: u64,
    /// For the first byte of an answer.
    pub first_byte_timeout_ms: u64,
    /// How often a request is sent again.
    pub retries: u32,
    /// The largest body accepted, after gzip.
    pub max_response_bytes: u64,
    /// How many redirects are followed.
    pub max_redirects: u32,
    /// How many connections are kept for later requests.
    pub max_idle_connections: u32,
    /// How many requests may be under way.
    pub max_requests: u32,
    /// How many of them may be to one host.
    pub max_requests_per_host: u32,
    /// The `User-Agent` header, where it is not the default.
    pub user_agent: Option<String>,
    /// What relative URLs begin with.
    pub base_url: Option<String>,
    /// What belongs to the client alone, and not to its sessions; but for its proxies, which are below.
    pub own: SessionSettings,
    /// Who is told what happens to calls.
    pub listener: Option<Arc<dyn CallListener>>,
    /// Who finds addresses, where not the system.
    pub resolver: Option<Arc<dyn NameResolver>>,
    /// Addresses to use instead of looking names up.
    pub connect_to: Vec<ConnectTo>,
    /// Where proxies come from.
    pub proxies: Proxies,
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

    /// A session of this client.
    pub fn session(&self, settings: SessionSettings) -> Result<Arc<Self>, PinfoldFailure> {
        Ok(Self::registered(session(&self.client, &settings)?))
    }

    /// Connects to the server of a URL, on a thread of ours.
    pub async fn preconnect(&self, url: String, call: Arc<Call>) -> Result<(), PinfoldFailure> {
        let client = self.client.clone();
        let work = move || guarded(|| client.preconnect(&url, &call.cancel));
        Ok(blocking::unblock(work).await?)
    }

    /// Names the client to the hot path; never used for another one.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Puts another pin set into force.
    pub fn replace_pins(&self, pins: Arc<PinSet>) -> Result<(), PinfoldFailure> {
        Ok(self.client.replace_pins(pins.0.clone())?)
    }

    /// Who the client is to a host from now on, where that asks for a certificate.
    pub fn set_identity(
        &self,
        host: &str,
        identity: Option<Arc<ClientIdentity>>,
    ) -> Result<(), PinfoldFailure> {
        Ok(self.client.set_identity(host, identity.map(|it| it.0.clone()))?)
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

    /// The same on the calling thread: inside a handshake of somebody else's client.
    pub fn explain_blocking(
        &self,
        host: String,
        chain: Vec<Vec<u8>>,
        at: u64,
    ) -> Result<Explanation, PinfoldFailure> {
        Ok(guarded(|| self.client.explain(&host, &chain, at).map(Explanation::from))?)
    }

    /// The certificates (DER) of the authorities that are known here.
    pub fn authorities(&self) -> Vec<Vec<u8>> {
        self.client.authorities()
    }

    /// How often another pin set has been put into force.
    pub fn pins_generation(&self) -> u64 {
        self.client.pins_generation()
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

    /// Sends a request on a thread of ours, which it takes when its turn has come: those that queue
    /// leave the threads to others. The caller's executor never blocks.
    pub async fn execute(
        &self,
        head: RequestHead,
        body: Vec<u8>,
        call: Arc<Call>,
    ) -> Result<Response, PinfoldFailure> {
        let request = request(&self.client, head, body, Some(&call.transfer))?;
        let turn = self.client.turn(request, &call.cancel).await?;
        let work = move || guarded(|| turn.send().map(parts));
        let (head, body) = blocking::unblock(work).await?;
        Ok(Response { head, body })
    }

    /// Sends a request and waits for the head of the response; [`Call::read`] gives its body.
    pub async fn open(
        &self,
        head: RequestHead,
        body: Vec<u8>,
        call: Arc<Call>,
    ) -> Result<Opened, PinfoldFailure> {
        let request = request(&self.client, head, body, Some(&call.transfer))?;
        let turn = self.client.turn(request, &call.cancel).await?;
        let work =
            move || guarded(|| turn.stream().map(|response| opened(response, &call.transfer)));
        Ok(blocking::unblock(work).await?)
    }

    /// Downloads a file; see the core.
    pub async fn download(
        &self,
        head: RequestHead,
        target: DownloadTarget,
        call: Arc<Call>,
    ) -> Result<Response, PinfoldFailure> {
        let client = self.client.clone();
        let work = move || {
            let request = request(&client, head, Vec::new(), None)?;
            guarded(|| download(&client, request, target, &call.transfer, &call.cancel))
        };
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

impl std::fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientSettings").finish_non_exhaustive()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close();
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
        .read_timeout(Duration::from_millis(settings.read_timeout_ms))
        .timeout(Duration::from_millis(settings.timeout_ms))
        .queue_timeout(Duration::from_millis(settings.queue_timeout_ms))
        .lookup_timeout(Duration::from_millis(settings.lookup_timeout_ms))
        .tls_timeout(Duration::from_millis(settings.tls_timeout_ms))
        .first_byte_timeout(Duration::from_millis(settings.first_byte_timeout_ms))
        .retries(Retries::new(settings.retries))
        .max_idle_connections(settings.max_idle_connections as usize)
        .max_requests(settings.max_requests as usize)
        .max_requests_per_host(settings.max_requests_per_host as usize)
        .max_response_bytes(settings.max_response_bytes)
        .max_redirects(settings.max_redirects)
        .proxies(settings.proxies.into_core()?);
    if let Some(user_agent) = settings.user_agent {
        builder = builder.user_agent(user_agent);
    }
    if let Some(url) = settings.base_url {
        builder = builder.base_url(url);
    }
    if let Some(jar) = settings.own.cookies() {
        builder = builder.cookies(jar);
    }
    if let Some(authenticator) = settings.own.authenticator() {
        builder = builder.authenticator(authenticator);
    }
    if let Some(listener) = settings.listener {
        builder = builder.listener(Arc::new(Listener(listener)));
    }
    if let Some(resolver) = settings.resolver {
        builder = builder.resolver(Arc::new(Names(resolver)));
    }
    for header in &settings.own.default_headers {
        builder = match header.sensitive {
            true => builder.sensitive_default_header(&header.name, &header.value),
            false => builder.default_header(&header.name, &header.value),
        };
    }
    for (host, port, address) in ConnectTo::parse_all(&settings.connect_to)? {
        builder = builder.connect_to(host, port, address);
    }
    builder.build()
}
