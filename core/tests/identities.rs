//! Certificates of the client's own: who sees them, who signs by them, and what their refusal is called.

mod common;
#[path = "common/process.rs"]
mod process;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use pinfold_core::identity::{ClientIdentity, ClientSigner, SignatureAlgorithm};
use pinfold_core::proxy::{NoProxy, Proxies, Proxy};
use pinfold_core::{CancelToken, Client, Error, Method, Request};
use pinfold_testkit::{Event, Server, Testkit};
use process::Process;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

fn identity(kit: &Testkit, name: &str) -> ClientIdentity {
    let pem = kit.pki().identity(name);
    ClientIdentity::from_pem(pem.as_bytes(), pem.as_bytes()).expect(name)
}

/// A client of `server`, who is `name` to [`HOST`].
fn client_as(kit: &Testkit, server: &str, name: &str) -> Client {
    let builder = builder(kit, pinned(kit, "backend"), server).identity(HOST, identity(kit, name));
    builder.build().expect("good settings")
}

fn handshakes(server: &Server) -> Vec<bool> {
    let resumed = |e: &Event| match e {
        Event::Handshake { resumed, .. } => Some(*resumed),
        _ => None,
    };
    server.events().iter().filter_map(resumed).collect()
}

#[test]
fn a_known_client_is_let_in_and_an_unknown_one_or_nobody_is_told_by_one_error() {
    let kit = kit();
    for name in ["client", "client_rsa"] {
        let response = client_as(&kit, "client_auth", name).get(&url("/")).expect(name);
        assert_eq!(response.text(), "ok", "{name}");
    }
    let nobody = client(&kit, pinned(&kit, "backend"), "client_auth");
    for client in [nobody, client_as(&kit, "client_auth", "client_unknown")] {
        let error = client.get(&url("/")).expect_err("nobody it knows");
        assert_eq!(error.code(), "client_certificate_refused", "{error}");
        assert_eq!(error.host(), Some(HOST));
        // A request whose body is on its way is told the same.
        let request = Request::new(Method::Post, &url("/sink")).expect("a good URL");
        let request = request.body(vec![b'x'; 1 << 20]).expect("a body");
        let error = client.send(&request).expect_err("nobody it knows");
        assert_eq!(error.code(), "client_certificate_refused", "{error}");
    }
}

#[test]
fn no_other_host_and_no_proxy_is_shown_an_identity() {
    let kit = kit();
    let other = "other.example.test";
    let below = "www.example.test";
    let address = kit.server("client_auth").addr();
    let entry = |host: &str| pinfold_core::pin::HostSpec { host: host.into(), ..host_entry(&kit) };
    let pins = set(vec![entry("example.test"), entry(HOST), entry(other), entry(below)]);
    let client = builder(&kit, pins, "client_auth")
        .connect_to(other, 443, address)
        .connect_to(below, 443, address)
        .identity(HOST, identity(&kit, "client"))
        .identity("example.test", identity(&kit, "client"))
        .build()
        .expect("good settings");
    client.get(&url("/")).expect("its host");
    for host in [other, below] {
        let error = client.get(&format!("https://{host}/")).expect_err("another host");
        assert_eq!(error.code(), "client_certificate_refused", "{host}: {error}");
    }
    // A redirect leads to another host, and the identity stays.
    let to = format!("/redirect?to=https%3A%2F%2F{other}%2F");
    let error = client.get(&url(&to)).expect_err("another host");
    assert_eq!(error.code(), "client_certificate_refused", "{error}");
    assert_eq!(error.host(), Some(other));

    // A proxy that is asked for under the very name, and wants a certificate.
    let proxy = format!("https://{HOST}:{}", address.port());
    let client = builder(&kit, pinned(&kit, "backend"), "backend")
        .connect_to(HOST, address.port(), address)
        .identity(HOST, identity(&kit, "client"))
        .proxies(Proxies::Fixed {
            proxy: Proxy::parse(&proxy).expect("a proxy"),
            no_proxy: NoProxy::default(),
        })
        .build()
        .expect("good settings");
    let error = client.get(&url("/")).expect_err("it gets none");
    assert!(matches!(error.code(), "client_certificate_refused" | "proxy_failed"), "{error}");
    let seen = kit.server("client_auth").events();
    let failed = |e: &&Event| matches!(e, Event::HandshakeFailed { .. });
    assert!(seen.iter().rev().find(failed).is_some(), "{seen:?}");
}

fn host_entry(kit: &Testkit) -> pinfold_core::pin::HostSpec {
    host(pins_at(kit, "backend", pinfold_core::pin::PinAt::Any))
}

#[test]
fn no_session_shows_the_certificate_of_another() {
    let kit = kit();
    let client = client_as(&kit, "client_auth", "client");
    client.get(&url("/")).expect("known");
    let (alice, bob) = (client.session().build(), client.session().build());
    let (alice, bob) = (alice.expect("a session"), bob.expect("a session"));
    alice.set_identity(HOST, Some(identity(&kit, "client_renewed"))).expect("open");
    alice.get(&url("/")).expect("known");
    let error = bob.get(&url("/")).expect_err("nobody");
    assert_eq!(error.code(), "client_certificate_refused", "{error}");
    alice.set_identity(HOST, None).expect("open");
    client.get(&url("/")).expect("known still");
    let error = alice.get(&url("/")).expect_err("nobody any more");
    assert_eq!(error.code(), "client_certificate_refused", "{error}");
}

#[test]
fn a_renewed_identity_is_used_from_the_next_request_on_and_shares_nothing_with_the_last() {
    let kit = kit();
    let server = kit.server("client_auth");
    let client = client_as(&kit, "client_auth", "client");
    client.get(&url("/")).expect("known");
    client.get(&url("/")).expect("known");
    assert_eq!(handshakes(server), [false]);
    client.set_identity(HOST, Some(identity(&kit, "client_renewed"))).expect("open");
    wait_closed(server, 1);
    client.get(&url("/")).expect("known");
    assert_eq!(handshakes(server), [false, false], "a session of the last identity is not resumed");
    client.close_idle_connections();
    client.get(&url("/")).expect("known");
    assert_eq!(handshakes(server), [false, false, true], "one of its own is");
    client.set_identity(HOST, None).expect("open");
    let error = client.get(&url("/")).expect_err("nobody any more");
    assert_eq!(error.code(), "client_certificate_refused", "{error}");
    assert_eq!(
        client.set_identity("a..test", None).expect_err("no host").place(),
        Some("identity")
    );
    client.close();
    assert_eq!(client.set_identity(HOST, None), Err(Error::ClientClosed));
}

#[test]
fn an_identity_goes_through_a_tunnel_and_not_to_the_proxy() {
    let kit = kit();
    let proxy = format!("http://{}", kit.server("proxy").addr());
    let client = builder(&kit, pinned(&kit, "backend"), "client_auth")
        .identity(HOST, identity(&kit, "client"))
        .proxies(Proxies::Fixed {
            proxy: Proxy::parse(&proxy).expect("a proxy"),
            no_proxy: NoProxy::default(),
        })
        .build()
        .expect("good settings");
    client.get(&url("/")).expect("known behind it");
}

/// Signs with a key of the testkit's, or does not.
struct Key {
    key: EcdsaKeyPair,
    does: Does,
    signed: AtomicUsize,
}

enum Does {
    Sign,
    Fail,
    Panic,
    Hang(Mutex<std::sync::mpsc::Receiver<()>>),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl ClientSigner for Key {
    fn algorithms(&self) -> Vec<SignatureAlgorithm> {
        // Those of other keys are passed over.
        vec![SignatureAlgorithm::RsaPssSha256, SignatureAlgorithm::EcdsaP256Sha256]
    }

    fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, String> {
        assert_eq!(algorithm, SignatureAlgorithm::EcdsaP256Sha256);
        self.signed.fetch_add(1, Ordering::SeqCst);
        match &self.does {
            Does::Sign => {}
            Does::Fail => return Err("the finger is not known".into()),
            Does::Panic => panic!("in the app"),
            Does::Hang(held) => drop(held.lock().map(|held| held.recv())),
        }
        let signature = self.key.sign(&SystemRandom::new(), message);
        signature.map(|signature| signature.as_ref().to_vec()).map_err(|e| e.to_string())
    }
}

fn signing(kit: &Testkit, does: Does) -> (ClientIdentity, Arc<Key>) {
    let pem = kit.pki().identity("client");
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes());
    let chain = chain.map(|der| der.expect("a certificate").to_vec()).collect();
    let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).expect("a key");
    let key = EcdsaKeyPair::from_pkcs8(
        &ECDSA_P256_SHA256_ASN1_SIGNING,
        key.secret_pkcs8_der(),
        &SystemRandom::new(),
    );
    let key = Key { key: key.expect("P-256"), does, signed: AtomicUsize::new(0) };
    let key = Arc::new(key);
    (ClientIdentity::with_signer(chain, key.clone()).expect("a certificate"), key)
}

#[test]
fn a_signer_signs_once_a_handshake_and_its_failures_are_the_app_s_own() {
    let kit = kit();
    let as_signer = |does: Does| {
        let (identity, key) = signing(&kit, does);
        let builder = builder(&kit, pinned(&kit, "backend"), "client_auth");
        let client = builder.identity(HOST, identity).connect_timeout(PATIENCE).build();
        (client.expect("good settings"), key)
    };
    let (client, key) = as_signer(Does::Sign);
    for _ in 0..2 {
        client.get(&url("/")).expect("known");
    }
    client.close_idle_connections();
    client.get(&url("/")).expect("known, by its session");
    assert_eq!(key.signed.load(Ordering::SeqCst), 1);

    for (does, words) in [(Does::Fail, "finger"), (Does::Panic, "panicked")] {
        let (client, _) = as_signer(does);
        let error = client.get(&url("/")).expect_err("unsigned");
        assert_eq!((error.code(), error.place()), ("io_failed", Some("client_certificate")));
        assert!(error.to_string().contains(words), "{error}");
    }

    let (_hold, held) = std::sync::mpsc::channel();
    let (client, key) = as_signer(Does::Hang(Mutex::new(held)));
    let short = Duration::from_millis(100);
    let request = Request::new(Method::Get, &url("/")).expect("good").timeout(short);
    let error = client.send(&request.expect("good")).expect_err("late");
    assert_eq!(error.code(), "timeout_total", "{error}");
    let cancel = CancelToken::new();
    let canceller = cancel.clone();
    let other = thread::spawn(move || {
        while key.signed.load(Ordering::SeqCst) < 2 {
            thread::yield_now();
        }
        canceller.cancel();
    });
    let begun = Instant::now();
    let request = Request::new(Method::Get, &url("/")).expect("good");
    let error = client.send_cancellable(&request, &cancel).expect_err("cancelled");
    assert_eq!(error, Error::Cancelled);
    assert!(begun.elapsed() < PATIENCE);
    other.join().expect("no panic");
}

#[test]
fn a_session_that_ends_takes_its_identities_along() {
    let kit = kit();
    let client = client_as(&kit, "client_auth", "client_unknown");
    let (identity, key) = signing(&kit, Does::Sign);
    let session = client.session().build().expect("a session");
    session.set_identity(HOST, Some(identity)).expect("open");
    session.get(&url("/")).expect("known");
    assert_eq!(key.signed.load(Ordering::SeqCst), 1);
    assert!(Arc::strong_count(&key) > 1);
    session.close();
    // Nobody holds the key any more: not the client, an idle connection, nor a ticket.
    assert_eq!(Arc::strong_count(&key), 1);
    let error = client.get(&url("/")).expect_err("another certificate, which nobody knows");
    assert_eq!(error.code(), "client_certificate_refused", "{error}");
}

/// nginx that asks for a certificate, and knows `root`.
fn nginx(kit: &Testkit) -> Process {
    process::nginx(kit, |folder| {
        format!(
            "ssl_client_certificate {root}; ssl_verify_client on; ssl_verify_depth 3;\n\
             location /bad {{ return 400 \"this request is bad\"; }}\n\
             location / {{ return 200 \"hello $ssl_client_s_dn\"; }}",
            root = folder.join("root.pem").display(),
        )
    })
}

/// haproxy that wants a certificate, and knows `root`.
fn haproxy(kit: &Testkit, version: &str) -> Process {
    let options = |folder: &std::path::Path| {
        format!("ca-file {} verify required {version}", folder.join("root.pem").display())
    };
    let hello = " http-request return status 200 content-type text/plain string hello";
    process::haproxy(kit, options, hello)
}

#[test]
fn nginx_by_its_page_and_haproxy_by_its_alert_say_the_same() {
    let kit = kit();
    let servers = [
        ("nginx", nginx(&kit)),
        ("haproxy", haproxy(&kit, "")),
        ("haproxy, TLS 1.2", haproxy(&kit, "ssl-max-ver TLSv1.2")),
    ];
    for (what, server) in &servers {
        let client = |name: Option<&str>| {
            let mut builder = builder(&kit, pinned(&kit, "backend"), "backend");
            if let Some(name) = name {
                builder = builder.identity(HOST, identity(&kit, name));
            }
            // The last one counts.
            builder.connect_to(HOST, 443, server.addr).build().expect("good settings")
        };
        for name in ["client", "client_rsa"] {
            let response = client(Some(name)).get(&url("/")).expect(what);
            assert!(response.text().starts_with("hello"), "{what}: {}", response.text());
        }
        for name in [None, Some("client_unknown")] {
            let client = client(name);
            // The second one resumes the session of the first, and nobody asks then.
            for round in 0..2 {
                client.close_idle_connections();
                let error = client.get(&url("/")).expect_err("nobody it knows");
                assert_eq!(error.code(), "client_certificate_refused", "{what} {round}: {error}");
            }
        }
    }
    // A 400 about something else stays an answer, whole.
    let client = builder(&kit, pinned(&kit, "backend"), "backend")
        .identity(HOST, identity(&kit, "client"))
        .connect_to(HOST, 443, servers[0].1.addr)
        .build()
        .expect("good settings");
    let response = client.get(&url("/bad")).expect("an answer");
    assert_eq!((response.status(), &*response.text()), (400, "this request is bad"));
}

#[test]
fn what_is_no_identity_is_told_by_its_place_and_nothing_of_it() {
    let kit = kit();
    let pem = kit.pki().identity("client");
    let (chain, key) = pem.split_at(pem.find("-----BEGIN PRIVATE").expect("a key"));
    let other = kit.pki().identity("client_renewed");
    let (other, _) = other.split_at(other.find("-----BEGIN PRIVATE").expect("a key"));
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let damaged = key.replacen("MIG", "MIH", 1);
    let cut = &key[..key.len() / 2];
    let many = chain.repeat(20);
    for (certificates, key, place) in [
        ("", key, "identity.certificate"),
        (key, key, "identity.certificate"),
        (chain, "", "identity.key"),
        (chain, chain, "identity.key"),
        (chain, encrypted, "identity.key"),
        (chain, &damaged, "identity.key"),
        (chain, cut, "identity.key"),
        (other, key, "identity.key"),
        (&many, key, "identity.certificate"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            key,
            "identity.certificate[0]",
        ),
    ] {
        let error = ClientIdentity::from_pem(certificates.as_bytes(), key.as_bytes());
        let error = error.expect_err(place);
        assert_eq!((error.code(), error.place()), ("invalid_config", Some(place)), "{error}");
        let body = key.lines().nth(1).unwrap_or("-");
        assert!(!format!("{error}{error:?}").contains(body.get(..16).unwrap_or("---")), "{error}");
    }
    let shown = format!("{:?}", identity(&kit, "client"));
    assert!(shown.starts_with("ClientIdentity(") && shown.len() < 40, "{shown}");
}
