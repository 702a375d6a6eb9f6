//! Requests to where pin sets are published: by the library's own client, without pins, because
//! nothing that is published is trusted for where it comes from.

use std::time::Duration;

use pinfold_core::client::{Method, Request};
use pinfold_core::{Client, Error, PinSet, Roots};

use crate::failure::Failure;
use crate::survey::Named;

/// As much as no bundle has; what clients take is less.
const MAX_BYTES: u64 = 4 << 20;

/// For connecting, sending and all of the answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A client for update URLs and stores.
pub(crate) fn client(roots: Roots, connect: &[Named]) -> Result<Client, Failure> {
    let none = PinSet::parse(br#"{"schema":1,"hosts":[]}"#)?;
    let mut builder = Client::builder(none)
        .deny_unpinned(false)
        .roots(roots)
        .timeout(TIMEOUT)
        .max_redirects(3)
        .max_response_bytes(MAX_BYTES)
        .user_agent(concat!("pinfold-cli/", env!("CARGO_PKG_VERSION")));
    for (host, port, address) in connect {
        builder = builder.connect_to(host, *port, *address);
    }
    Ok(builder.build()?)
}

/// What an update URL answers.
pub(crate) struct Fetched {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) cache_control: Option<String>,
}

/// Asks as clients of the library ask: caches on the way have to ask their server, and with what is
/// there already named by its SHA-256.
pub(crate) fn get(client: &Client, url: &str, known: Option<&str>) -> Result<Fetched, Error> {
    let mut request = Request::new(Method::Get, url)?.header("Cache-Control", "no-cache")?;
    if let Some(known) = known {
        request = request.header("If-None-Match", &etag(known))?;
    }
    let response = client.send(&request)?;
    let cache_control = response.header("Cache-Control").map(str::to_owned);
    Ok(Fetched { status: response.status(), body: response.body().to_vec(), cache_control })
}

/// The validator of a bundle with this digest, as clients send it.
pub(crate) fn etag(digest: &str) -> String {
    format!("\"{digest}\"")
}

/// The SHA-256 of some bytes, in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
