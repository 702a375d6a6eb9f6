//! What the worst server can cost: the processor time of one judgement, for chains that are made to
//! be expensive by somebody whom no authority trusts, and by one whom an authority does.
//!
//! ```sh
//! cargo run --release -p pinfold-core --example worst_server
//! ```

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pinfold_core::pin::{HostSpec, PinAt, PinSetSpec, PinSpec};
use pinfold_core::verify::{CertificateIdentity, PlatformTrust, TrustQuestion, TrustedPath};
use pinfold_core::{Client, PinSet, Roots, UntrustedReason};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P384_SHA384,
};
use rustix::time::{ClockId, clock_gettime};

const HOST: &str = "api.example.test";
const ROUNDS: usize = 5;

/// Keys on P-384 are the slowest that count.
fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("randomness")
}

struct Held {
    params: CertificateParams,
    key: KeyPair,
    der: Vec<u8>,
}

fn make(params: CertificateParams, key: KeyPair, issuer: Option<&Held>) -> Held {
    let certificate = match issuer {
        Some(issuer) => params.signed_by(&key, &Issuer::from_params(&issuer.params, &issuer.key)),
        None => params.self_signed(&key),
    };
    let der = certificate.expect("good parameters").der().to_vec();
    Held { params, key, der }
}

fn authority(name: &str, filling: usize) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Many small extensions are what takes longest to read.
    let small = |i: usize| CustomExtension::from_oid_content(&[1, 3, 9, i as u64 + 1], vec![5, 0]);
    params.custom_extensions = (0..filling).map(small).collect();
    params
}

fn server() -> CertificateParams {
    CertificateParams::new(vec![HOST.to_owned()]).expect("a name")
}

fn again(held: &Held) -> KeyPair {
    KeyPair::from_der_and_sign_algo(
        &held.key.serialize_der().as_slice().try_into().expect("PKCS #8"),
        &PKCS_ECDSA_P384_SHA384,
    )
    .expect("the same key")
}

/// `n` certificates of one name, each signed by the next.
fn namesakes(n: usize, filling: usize) -> Vec<Vec<u8>> {
    let mut chain = Vec::new();
    let mut above = make(authority("x", filling), key(), None);
    for _ in 1..n {
        let below = make(authority("x", filling), key(), Some(&above));
        chain.push(std::mem::replace(&mut above, below).der);
    }
    let leaf = make(server(), key(), Some(&above));
    chain.push(above.der);
    chain.push(leaf.der);
    chain.reverse();
    chain
}

/// Three cross-signed certificates of each key, so that every step upwards has three ways.
fn crossings(root: &Held, filling: usize) -> Vec<Vec<u8>> {
    let levels = (0..10).map(|i| make(authority(&format!("level {i}"), 0), key(), None));
    let levels = levels.collect::<Vec<_>>();
    let mut chain = vec![make(server(), key(), Some(&levels[0])).der];
    for (i, level) in levels.iter().enumerate() {
        let above = levels.get(i + 1).unwrap_or(root);
        for _ in 0..3 {
            let params = authority(&format!("level {i}"), filling);
            chain.push(make(params, again(level), Some(above)).der);
        }
    }
    chain
}

/// Trusts everything and tells nothing, so that all the rest is looked at.
#[derive(Debug)]
struct Generous;

impl PlatformTrust for Generous {
    fn verify(&self, _: &TrustQuestion) -> Result<TrustedPath, UntrustedReason> {
        Ok(TrustedPath::default())
    }
}

fn pins(roots: &[&Held], blocked: bool) -> PinSet {
    use base64::Engine as _;
    let text = |der: &[u8]| {
        let identity = CertificateIdentity::read(der, "root").expect("a certificate");
        base64::engine::general_purpose::STANDARD.encode(identity.spki.as_bytes())
    };
    let pin = |held: &&Held| PinSpec {
        sha256: Some(text(&held.der)),
        at: PinAt::Ca,
        ..PinSpec::default()
    };
    let stranger = make(authority("stranger", 0), key(), None);
    let pins = roots.iter().chain([&&stranger]).map(pin).collect();
    let blocked_spki =
        if blocked { vec![text(&make(authority("b", 0), key(), None).der)] } else { vec![] };
    let host = HostSpec { host: HOST.into(), pins, ..HostSpec::default() };
    let spec = PinSetSpec { schema: 1, hosts: vec![host], blocked_spki, ..PinSetSpec::default() };
    PinSet::new(spec).expect("a good pin set")
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn main() {
    let root = make(authority("root", 0), key(), None);
    let middle = make(authority("middle", 0), key(), Some(&root));
    let honest = vec![make(server(), key(), Some(&middle)).der, middle.der.clone()];
    let chains = [
        ("an honest chain of two", honest),
        ("400 certificates of one name", namesakes(400, 0)),
        ("31 authorities of one name", namesakes(31, 0)),
        ("the same, 1.5 KB each", namesakes(31, 90)),
        ("ten levels, three certificates each", crossings(&root, 0)),
        ("the same, 1.5 KB each", crossings(&root, 90)),
    ];
    let now =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    println!(
        "| presented | given roots | a platform that hides its path, blocked keys |{}",
        system()
    );
    println!("| --- | ---: | ---: |{}", if cfg!(target_os = "linux") { " ---: |" } else { "" });
    for (name, chain) in chains {
        let mut row = format!("| {name} |");
        let given = Roots::Only(vec![root.der.clone()]);
        let mut judged = vec![(given, false), (Roots::Platform(Arc::new(Generous)), true)];
        if cfg!(target_os = "linux") {
            judged.push((Roots::System, false));
        }
        for (roots, blocked) in judged {
            let client = Client::builder(pins(&[&root], blocked)).roots(roots);
            let client = client.build().expect("good settings");
            let mut worst = Duration::ZERO;
            for _ in 0..ROUNDS {
                let before = cpu();
                client.explain(HOST, &chain, now).expect("a host and a chain");
                worst = worst.max(cpu() - before);
            }
            row += &format!(" {:.1} ms |", worst.as_secs_f64() * 1e3);
        }
        println!("{row}");
    }
}

fn system() -> &'static str {
    if cfg!(target_os = "linux") { " Linux's own verifier |" } else { "" }
}
