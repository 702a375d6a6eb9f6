//! What a session of a client is told: its headers, its cookies, and who gives its tokens.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use pinfold_core::Error;
use pinfold_core::client::{Authenticator, Refused, Resolver};

use crate::failure::PinfoldFailure;
use crate::proxies::Proxies;
use crate::request::Header;

/// What belongs to one session alone.
#[derive(Clone, uniffi::Record)]
pub struct SessionSettings {
    /// The headers of every request that has none of their names.
    pub default_headers: Vec<Header>,
    /// Where cookies are kept, if they are.
    pub cookies: Option<Arc<CookieJar>>,
    /// Who gives tokens, if anybody does.
    pub tokens: Option<Arc<dyn TokenSource>>,
    /// Its proxies, where they are not its client's.
    pub proxies: Option<Proxies>,
}

impl fmt::Debug for SessionSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionSettings").finish_non_exhaustive()
    }
}

impl SessionSettings {
    pub(crate) fn cookies(&self) -> Option<pinfold_core::client::CookieJar> {
        self.cookies.as_ref().map(|jar| jar.0.clone())
    }

    pub(crate) fn authenticator(&self) -> Option<Arc<dyn Authenticator>> {
        let tokens = self.tokens.clone();
        tokens.map(|tokens| Arc::new(Tokens(tokens)) as Arc<dyn Authenticator>)
    }
}

/// Keeps cookies.
#[derive(Debug, uniffi::Object)]
pub struct CookieJar(pinfold_core::client::CookieJar);

/// A cookie.
#[derive(Clone, uniffi::Record)]
pub struct Cookie {
    /// Its name; empty for one without.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The host that gets it.
    pub domain: String,
    /// Whether hosts below do not.
    pub host_only: bool,
    /// Where the path of a URL begins that gets it.
    pub path: String,
    /// When it ends, in seconds since 1970.
    pub expires: Option<u64>,
    /// Whether browsers would send it over TLS only.
    pub secure: bool,
    /// Whether browsers would hide it from scripts.
    pub http_only: bool,
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookie").field("name", &self.name).finish_non_exhaustive()
    }
}

#[uniffi::export]
impl CookieJar {
    /// An empty jar in memory.
    #[uniffi::constructor]
    pub fn new() -> Arc<Self> {
        Arc::new(Self(pinfold_core::client::CookieJar::new()))
    }

    /// A jar in a file.
    #[uniffi::constructor]
    pub fn persistent(path: String) -> Result<Arc<Self>, PinfoldFailure> {
        Ok(Arc::new(Self(pinfold_core::client::CookieJar::persistent(path)?)))
    }

    /// Sets a cookie as a server would; whether it counts.
    pub fn set(&self, url: String, field: String) -> Result<bool, PinfoldFailure> {
        Ok(self.0.set(&url, &field)?)
    }

    /// The `Cookie` header of a request to `url`.
    pub fn header(&self, url: String) -> Result<Option<String>, PinfoldFailure> {
        Ok(self.0.header(&url)?)
    }

    /// All cookies, the oldest first.
    pub fn cookies(&self) -> Vec<Cookie> {
        let cross = |it: pinfold_core::client::Cookie| Cookie {
            name: it.name,
            value: it.value,
            domain: it.domain,
            host_only: it.host_only,
            path: it.path,
            expires: it.expires,
            secure: it.secure,
            http_only: it.http_only,
        };
        self.0.cookies().into_iter().map(cross).collect()
    }

    /// Drops all cookies.
    pub fn clear(&self) -> Result<(), PinfoldFailure> {
        Ok(self.0.clear()?)
    }

    /// Writes the file, where there is one and it is not up to date.
    pub fn save(&self) -> Result<(), PinfoldFailure> {
        Ok(self.0.save()?)
    }
}

/// What a server did not take.
#[derive(Clone, uniffi::Record)]
pub struct RefusedToken {
    /// The value of `Authorization`.
    pub authorization: String,
    /// The values of `WWW-Authenticate`.
    pub challenges: Vec<String>,
}

impl fmt::Debug for RefusedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefusedToken").finish_non_exhaustive()
    }
}

/// Why the foreign side has no answer. The text holds no secret.
#[derive(Clone, Debug, uniffi::Error)]
pub enum HookFailure {
    /// The only case.
    Failed {
        /// What failed, for a log.
        reason: String,
    },
}

impl fmt::Display for HookFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Failed { reason } = self;
        f.write_str(reason)
    }
}

impl std::error::Error for HookFailure {}

/// An exception that the foreign side did not declare.
impl From<uniffi::UnexpectedUniFFICallbackError> for HookFailure {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        // Its text may be anything.
        Self::Failed { reason: "an exception".into() }
    }
}

/// Gives the value of `Authorization`.
#[uniffi::export(with_foreign)]
pub trait TokenSource: Send + Sync {
    /// The value, or none to send nothing. Called on a thread of Pinfold's.
    fn authorize(&self, refused: Option<RefusedToken>) -> Result<Option<String>, HookFailure>;
}

/// Finds the addresses of hosts.
#[uniffi::export(with_foreign)]
pub trait NameResolver: Send + Sync {
    /// The addresses as text, in the order in which they are to be tried. Called on a thread of Pinfold's.
    fn resolve(&self, host: String) -> Result<Vec<String>, HookFailure>;
}

struct Tokens(Arc<dyn TokenSource>);

impl Authenticator for Tokens {
    fn authorize(
        &self,
        refused: Option<&Refused>,
        _: &pinfold_core::Client,
    ) -> Result<Option<String>, String> {
        let refused = refused.map(|it| RefusedToken {
            authorization: it.authorization.clone(),
            challenges: it.challenges.clone(),
        });
        self.0.authorize(refused).map_err(|failure| failure.to_string())
    }
}

/// The foreign implementation, as core wants it.
pub(crate) struct Names(pub(crate) Arc<dyn NameResolver>);

impl Resolver for Names {
    fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        let found = self.0.resolve(host.to_owned()).map_err(std::io::Error::other)?;
        let parse = |text: &String| {
            text.parse()
                .map_err(|_| std::io::Error::other("the resolver gave what is no IP address"))
        };
        found.iter().map(parse).collect()
    }
}

/// A client's session with these settings.
pub(crate) fn session(
    client: &pinfold_core::Client,
    settings: &SessionSettings,
) -> Result<pinfold_core::Client, Error> {
    let mut builder = client.session();
    for header in &settings.default_headers {
        builder = match header.sensitive {
            true => builder.sensitive_default_header(&header.name, &header.value),
            false => builder.default_header(&header.name, &header.value),
        };
    }
    if let Some(jar) = settings.cookies() {
        builder = builder.cookies(jar);
    }
    if let Some(authenticator) = settings.authenticator() {
        builder = builder.authenticator(authenticator);
    }
    if let Some(proxies) = &settings.proxies {
        builder = builder.proxies(proxies.clone().into_core()?);
    }
    builder.build()
}
