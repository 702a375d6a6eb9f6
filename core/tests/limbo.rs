//! C2SP's x509-limbo (<https://x509-limbo.com>) against the verifier that the client uses, its
//! trusted certificates as the authorities of a private CA.
//!
//! `data/x509-limbo.json` (Apache-2.0) holds the server cases, without the members that are not read
//! here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pinfold_core::pin::{Decision, HostSpec, Mode, PinAt, PinSetSpec, PinSpec, Trust};
use pinfold_core::verify::CertificateIdentity;
use pinfold_core::{Client, Error, Explanation, PinSet, Roots, SpkiSha256, parse_rfc3339_utc};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;

/// When cases without a time of their own are judged.
const NOW: u64 = 1_795_219_200;

/// A case that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where this verifier decides otherwise than the suite expects. `docs/security.md` gives each its
/// reason.
const DISAGREEMENTS: &[(&str, &[&str])] = &[
    // crl
    (
        "accepted",
        &[
            "crl::crlnumber-critical",
            "crl::crlnumber-missing",
            "crl::issuer-missing-crlsign",
            "crl::revoked-certificate-with-crl",
        ],
    ),
    // depth
    ("accepted", &["pathlen::max-chain-depth-0-exhausted", "pathlen::max-chain-depth-1-exhausted"]),
    // profile
    (
        "accepted",
        &[
            "rfc5280::aki::critical-aki",
            "rfc5280::aki::leaf-missing-aki",
            "rfc5280::aki::intermediate-missing-aki",
            "rfc5280::aki::cross-signed-root-missing-aki",
            "rfc5280::san::noncritical-with-empty-subject",
            "rfc5280::san::underscore-dns",
            "rfc5280::serial::too-long",
            "rfc5280::serial::zero",
            "rfc5280::ski::critical-ski",
            "rfc5280::ski::intermediate-missing-ski",
            "rfc5280::ca-empty-subject",
            "webpki::cn::ipv4-hex-mismatch",
            "webpki::cn::ipv4-leading-zeros-mismatch",
            "webpki::cn::ipv6-uppercase-mismatch",
            "webpki::cn::ipv6-uncompressed-mismatch",
            "webpki::cn::ipv6-non-rfc5952-mismatch",
            "webpki::cn::punycode-not-in-san",
            "webpki::cn::utf8-vs-punycode-mismatch",
            "webpki::cn::not-in-san",
            "webpki::cn::case-mismatch",
            "webpki::san::san-critical-with-nonempty-subject",
            "webpki::malformed-aia",
        ],
    ),
    // anchor
    (
        "accepted",
        &[
            "rfc5280::ski::root-missing-ski",
            "rfc5280::validity::expired-root",
            "rfc5280::unknown-critical-extension-root",
            "rfc5280::root-missing-basic-constraints",
            "rfc5280::root-non-critical-basic-constraints",
            "rfc5280::root-inconsistent-ca-extensions",
            "webpki::aki::root-with-aki-missing-keyidentifier",
            "webpki::aki::root-with-aki-authoritycertissuer",
            "webpki::aki::root-with-aki-authoritycertserialnumber",
            "webpki::aki::root-with-aki-all-fields",
            "webpki::aki::root-with-aki-ski-mismatch",
            "webpki::eku::root-has-eku",
        ],
    ),
    // end-entity
    (
        "accepted",
        &[
            "rfc5280::nc::not-allowed-in-ee-noncritical",
            "rfc5280::nc::not-allowed-in-ee-critical",
            "rfc5280::leaf-ku-keycertsign",
        ],
    ),
    // constraints
    (
        "accepted",
        &[
            "rfc5280::nc::permitted-dns-match-noncritical",
            "rfc5280::nc::invalid-dnsname-leading-period",
            "webpki::nc::intermediate-permitted-excluded-subtrees-both-null",
            "webpki::nc::intermediate-permitted-excluded-subtrees-both-empty-sequences",
        ],
    ),
    // policies
    ("accepted", &["rfc5280::pc::ica-noncritical-pc"]),
    // usage
    (
        "accepted",
        &["webpki::eku::ee-anyeku", "webpki::eku::ee-critical-eku", "webpki::eku::ee-without-eku"],
    ),
    // suffix
    (
        "accepted",
        &[
            "webpki::san::public-suffix-multi-label-wildcard-san",
            "webpki::san::public-suffix-private-namespace-wildcard-san",
        ],
    ),
    // rsa
    (
        "accepted",
        &[
            "webpki::forbidden-rsa-not-divisible-by-8-in-root",
            "webpki::forbidden-rsa-key-not-divisible-by-8-in-leaf",
        ],
    ),
    // no-name
    ("refused", &["rfc5280::nc::permitted-dn-match"]),
    // self-issued
    ("refused", &["rfc5280::nc::permitted-self-issued", "pathlen::self-issued-certs-pathlen"]),
    // ca-as-leaf
    ("refused", &["rfc5280::ca-as-leaf", "pathlen::validation-ignores-pathlen-in-leaf"]),
];

struct Case {
    id: String,
    valid: bool,
    host: String,
    at: u64,
    roots: Vec<Vec<u8>>,
    chain: Vec<Vec<u8>>,
}

fn cases() -> Vec<Case> {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("data/x509-limbo.json")).expect("JSON");
    cases.iter().map(Case::read).collect()
}

fn der(pem: &Value) -> Vec<u8> {
    let pem = pem.as_str().expect("a string");
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM").to_vec()
}

impl Case {
    fn read(case: &Value) -> Self {
        let list = |name: &str| case[name].as_array().expect(name).iter().map(der);
        let chain = std::iter::once(der(&case["peer_certificate"]));
        let at = case["validation_time"]
            .as_str()
            .map_or(NOW, |time| parse_rfc3339_utc(&format!("{}Z", &time[..19])).expect("a time"));
        Self {
            id: case["id"].as_str().expect("id").to_owned(),
            valid: case["expected_result"] == "SUCCESS",
            host: case["peer_name"].as_str().unwrap_or("example.com").to_owned(),
            at,
            roots: list("trusted_certs").collect(),
            chain: chain.chain(list("untrusted_intermediates")).collect(),
        }
    }

    fn explain(&self, pins: PinSet) -> Result<Explanation, Error> {
        Client::builder(pins)
            .deny_unpinned(false)
            .roots(Roots::Only(self.roots.clone()))
            .build()?
            .explain(&self.host, &self.chain, self.at)
    }

    /// An entry for the host with the case's authorities and two pins; none for the hosts that an
    /// entry cannot name.
    fn private_ca(&self, mode: Mode, pins: [SpkiSha256; 2]) -> Option<PinSet> {
        let pin = |pin: SpkiSha256| PinSpec {
            sha256: Some(STANDARD.encode(pin.as_bytes())),
            at: PinAt::Ca,
            ..PinSpec::default()
        };
        let host = HostSpec {
            host: self.host.clone(),
            mode: Some(mode),
            trust: Some(Trust::PrivateCa),
            anchors: self.roots.iter().map(|der| STANDARD.encode(der)).collect(),
            pins: pins.map(pin).into(),
            ..HostSpec::default()
        };
        PinSet::new(PinSetSpec { schema: 1, hosts: vec![host], ..PinSetSpec::default() }).ok()
    }
}

fn allows(explanation: &Result<Explanation, Error>) -> bool {
    explanation.as_ref().is_ok_and(|e| e.decision == Decision::Allow)
}

#[test]
fn the_verifier_agrees_with_x509_limbo_but_for_the_disagreements_listed() {
    let expected = DISAGREEMENTS
        .iter()
        .flat_map(|(what, ids)| ids.iter().map(move |id| (id.to_string(), *what)))
        .collect::<BTreeMap<_, _>>();
    let mut found = BTreeMap::new();
    let cases = cases();
    let pins = [SpkiSha256::of_spki(b"one"), SpkiSha256::of_spki(b"two")];
    for case in &cases {
        let began = Instant::now();
        let private_ca = case.private_ca(Mode::Off, pins);
        // Where an entry cannot name the host, which is a public suffix, or the authorities.
        let none = || PinSet::new(PinSetSpec { schema: 1, ..PinSetSpec::default() });
        let explained = case.explain(private_ca.unwrap_or_else(|| none().expect("empty")));
        assert!(began.elapsed() < PATIENCE, "{}: {:?}", case.id, began.elapsed());
        let explained = explained.unwrap_or_else(|e| panic!("{} was not judged: {e}", case.id));
        let ours = explained.decision == Decision::Allow;
        if ours != case.valid {
            found.insert(case.id.clone(), if ours { "accepted" } else { "refused" });
        }
    }
    assert_eq!(found, expected);
    assert_eq!((cases.len(), found.len()), (184, 60), "as docs/security.md says");
}

#[test]
fn a_pin_never_makes_an_invalid_chain_good_nor_a_foreign_pin_a_valid_one() {
    let mut pinned = 0;
    for case in &cases() {
        let keys = case.roots.iter().filter_map(|der| CertificateIdentity::read(der, "root").ok());
        let mut keys = keys.map(|root| root.spki).collect::<BTreeSet<_>>();
        let foreign = [SpkiSha256::of_spki(b"one"), SpkiSha256::of_spki(b"two")];
        let Some(off) = case.private_ca(Mode::Off, foreign) else { continue };
        let trusted = allows(&case.explain(off));

        let Some(enforce) = case.private_ca(Mode::Enforce, foreign) else { continue };
        assert!(!allows(&case.explain(enforce)), "{}: foreign pins", case.id);
        if let Some(key) = keys.pop_first() {
            let second = keys.pop_first().unwrap_or(foreign[0]);
            let own = case.private_ca(Mode::Enforce, [key, second]).expect("as before");
            let explained = case.explain(own);
            // All authorities are pinned, or the case has more than two.
            assert!(allows(&explained) == trusted || !keys.is_empty(), "{}", case.id);
            pinned += usize::from(allows(&explained));
        }
    }
    assert!(pinned > 80, "{pinned} cases were accepted with a pin on their authority");
}

#[test]
fn every_disagreement_has_its_reason_in_the_documentation() {
    let documentation = include_str!("../../docs/limbo.md");
    for id in DISAGREEMENTS.iter().flat_map(|(_, ids)| *ids) {
        assert!(documentation.contains(&format!("`{id}`")), "{id}");
    }
}
