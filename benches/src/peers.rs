//! reqwest and libcurl, each caller with a client of its own.

use std::sync::Arc;
use std::time::Duration;

use curl::easy::{Easy, List};
use reqwest::tls::Certificate;

use crate::{Caller, HOST, Place};

/// `fresh`: with a client that knows nothing, each time.
pub fn reqwest(place: Arc<Place>, path: &str, fresh: bool) -> Caller {
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (runtime, url) = (runtime.expect("a runtime"), place.url(path));
    let client = reqwest_client(&place);
    Box::new(move || {
        let client = if fresh { reqwest_client(&place) } else { client.clone() };
        runtime.block_on(async {
            let response = client.get(&url).send().await.expect("a response");
            response.bytes().await.expect("a body").len()
        })
    })
}

/// `fresh`: with a handle that knows nothing, each time.
pub fn libcurl(place: Arc<Place>, path: &str, fresh: bool) -> Caller {
    let url = place.url(path);
    let mut easy = easy(&place, &url);
    Box::new(move || {
        if fresh {
            easy = self::easy(&place, &url);
        }
        perform(&mut easy)
    })
}

fn reqwest_client(place: &Place) -> reqwest::Client {
    reqwest::Client::builder()
        .tls_certs_only([Certificate::from_der(&place.root).expect("a certificate")])
        .http1_only()
        .no_proxy()
        .tcp_nodelay(true)
        .timeout(Duration::from_secs(30))
        .resolve(HOST, place.address)
        .build()
        .expect("good settings")
}

fn easy(place: &Place, url: &str) -> Easy {
    let mut easy = Easy::new();
    let mut resolve = List::new();
    let entry = format!("{HOST}:{}:{}", place.address.port(), place.address.ip());
    resolve.append(&entry).expect("a list");
    easy.resolve(resolve).expect("supported");
    easy.url(url).expect("a URL");
    easy.ssl_cainfo_blob(&place.read("root.pem")).expect("supported");
    easy.http_version(curl::easy::HttpVersion::V11).expect("supported");
    easy.tcp_nodelay(true).expect("supported");
    easy
}

fn perform(easy: &mut Easy) -> usize {
    let mut body = Vec::new();
    {
        let mut transfer = easy.transfer();
        transfer
            .write_function(|bytes| {
                body.extend_from_slice(bytes);
                Ok(bytes.len())
            })
            .expect("supported");
        transfer.perform().expect("a response");
    }
    body.len()
}
