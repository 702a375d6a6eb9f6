//! Pinfold's core beside reqwest and libcurl, against one server, in one process.
//!
//! Clients take turns, round by round, and each round gives a ratio to Pinfold's own: a machine that
//! speeds up or slows down does so for all of them. The other languages do the same in processes of
//! their own; `scripts/bench` runs them all.

mod decision;
mod updates;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use curl::easy::{Easy, List};
use pinfold_core::{Client, PinSet, Roots};
use reqwest::tls::Certificate;

const HOST: &str = "api.example.test";
const BODY: usize = 1_024;

struct Place {
    address: SocketAddr,
    root: Vec<u8>,
    root_pem: Vec<u8>,
    pins: Vec<u8>,
}

/// One way of sending a request.
struct Contender {
    name: &'static str,
    send: Box<dyn FnMut()>,
}

fn main() {
    let setting = |name: &str| {
        std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run scripts/bench"))
    };
    let folder = std::path::PathBuf::from(setting("PINFOLD_BENCH_DIR"));
    let read = |file: &str| std::fs::read(folder.join(file)).expect("a file of scripts/bench");
    let place = Arc::new(Place {
        address: setting("PINFOLD_BENCH_SERVER").parse().expect("IP:PORT"),
        root: read("root.der"),
        root_pem: read("root.pem"),
        pins: read("pins.json"),
    });
    let scale: f64 = setting("PINFOLD_BENCH_SCALE").parse().expect("a number");
    let times = |n: usize| ((n as f64 * scale) as usize).max(5);

    let chain = decision::Chain {
        leaf: read("backend.der"),
        intermediate: read("intermediate.der"),
        root: read("root.der"),
    };
    measure("decision", 41, times(500), decision::contenders(&chain));

    let documents = folder.join("pinset");
    let contenders = updates::contenders(&documents, &place);
    measure("updates", 21, times(100), contenders);

    measure("warm", 21, times(400), warm(&place));
    measure("full", 11, times(40), full(&place));
    measure("resumed", 11, times(60), resumed(&place));
}

/// A request on an open connection.
fn warm(place: &Arc<Place>) -> Vec<Contender> {
    let url = url(place, "/1k");
    let (client, runtime, web, mut easy) =
        (pinned(place), runtime(), reqwest_client(place), easy(place, &url));
    let (pinned_url, web_url) = (url.clone(), url);
    vec![
        contender("Pinfold (Rust)", move || {
            let response = client.get(&pinned_url).expect("pinned");
            assert_eq!((response.status(), response.body().len()), (200, BODY));
        }),
        contender("reqwest", move || runtime.block_on(get(&web, &web_url))),
        contender("libcurl", move || perform(&mut easy)),
    ]
}

/// A client that knows nothing: a new connection with a full handshake.
fn full(place: &Arc<Place>) -> Vec<Contender> {
    let url = url(place, "/1k");
    let (a, b, c) = (place.clone(), place.clone(), place.clone());
    let (pinned_url, web_url, curl_url) = (url.clone(), url.clone(), url);
    let runtime = runtime();
    vec![
        contender("Pinfold (Rust)", move || {
            let response = pinned(&a).get(&pinned_url).expect("pinned");
            assert_eq!(response.body().len(), BODY);
        }),
        contender("reqwest", move || {
            let client = reqwest_client(&b);
            runtime.block_on(get(&client, &web_url));
        }),
        contender("libcurl", move || perform(&mut easy(&c, &curl_url))),
    ]
}

/// A new connection that resumes a TLS session: the server closes after each response.
fn resumed(place: &Arc<Place>) -> Vec<Contender> {
    let url = url(place, "/close/1k");
    let (client, runtime, web, mut easy) =
        (pinned(place), runtime(), reqwest_client(place), easy(place, &url));
    let (pinned_url, web_url) = (url.clone(), url);
    vec![
        contender("Pinfold (Rust)", move || {
            assert_eq!(client.get(&pinned_url).expect("pinned").body().len(), BODY);
        }),
        contender("reqwest", move || runtime.block_on(get(&web, &web_url))),
        contender("libcurl", move || perform(&mut easy)),
    ]
}

fn contender(name: &'static str, send: impl FnMut() + 'static) -> Contender {
    Contender { name, send: Box::new(send) }
}

/// Times `per_round` requests of each contender in turn and prints, for each, the median time and
/// the median of the rounds' ratios to the first.
fn measure(case: &str, rounds: usize, per_round: usize, mut contenders: Vec<Contender>) {
    for contender in &mut contenders {
        (0..per_round).for_each(|_| (contender.send)());
    }
    let mut medians = vec![Vec::new(); contenders.len()];
    for round in 0..rounds {
        for i in 0..contenders.len() {
            // Nobody is always the one that comes after somebody.
            let i = (i + round) % contenders.len();
            let times = (0..per_round).map(|_| {
                let begun = Instant::now();
                (contenders[i].send)();
                begun.elapsed()
            });
            medians[i].push(median(times.map(|t| t.as_secs_f64() * 1e6).collect()));
        }
    }
    for (contender, times) in contenders.iter().zip(&medians) {
        let ratios = times.iter().zip(&medians[0]).map(|(time, own)| time / own).collect();
        println!("{case}\t{}\t{:.1}\t{:.3}", contender.name, median(times.clone()), median(ratios));
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn url(place: &Place, path: &str) -> String {
    format!("https://{HOST}:{}{path}", place.address.port())
}

fn pinned(place: &Place) -> Client {
    Client::builder(PinSet::parse(&place.pins).expect("a pin set"))
        .roots(Roots::Only(vec![place.root.clone()]))
        .connect_to(HOST, place.address.port(), place.address)
        .build()
        .expect("good settings")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn reqwest_client(place: &Place) -> reqwest::Client {
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
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

async fn get(client: &reqwest::Client, url: &str) {
    let response = client.get(url).send().await.expect("a response");
    assert_eq!(response.bytes().await.expect("a body").len(), BODY);
}

fn easy(place: &Place, url: &str) -> Easy {
    let mut easy = Easy::new();
    let mut resolve = List::new();
    let entry = format!("{HOST}:{}:{}", place.address.port(), place.address.ip());
    resolve.append(&entry).expect("a list");
    easy.resolve(resolve).expect("supported");
    easy.url(url).expect("a URL");
    easy.ssl_cainfo_blob(&place.root_pem).expect("supported");
    easy.http_version(curl::easy::HttpVersion::V11).expect("supported");
    easy.tcp_nodelay(true).expect("supported");
    easy
}

fn perform(easy: &mut Easy) {
    let mut body = Vec::with_capacity(BODY);
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
    assert_eq!(body.len(), BODY);
}
