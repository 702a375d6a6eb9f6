//! Critical extensions that only webpki does not know.

use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use rustls_pki_types::PrivatePkcs8KeyDer;

use super::held::*;
use super::*;
use crate::error::UntrustedReason;
use crate::pin::Trust;
use crate::verify::PinningVerifier;
use crate::verify::platform::{PlatformTrust, TrustQuestion, TrustedPath};

#[derive(Debug)]
struct Told(Vec<Vec<u8>>);

impl PlatformTrust for Told {
    fn verify(&self, _: &TrustQuestion) -> Result<TrustedPath, UntrustedReason> {
        Ok(TrustedPath { certificates: self.0.clone(), ..TrustedPath::default() })
    }
}

fn told(path: &[&Held]) -> SystemTrust {
    let path = path.iter().map(|held| held.der.to_vec()).collect();
    SystemTrust::Platform(Platform::new(Arc::new(Told(path))))
}

fn pin_only(host: &mut HostSpec) {
    host.trust = Some(Trust::PinOnly);
    host.pins.iter_mut().for_each(|pin| pin.at = PinAt::Leaf);
}

/// A root, an authority, and a server's certificate with an extension.
fn chain_with(extension: rcgen::CustomExtension) -> [Held; 3] {
    let root = Held::new(authority("root", 1), key(), None);
    let middle = Held::new(authority("middle", 0), key(), Some(&root));
    let mut params = server();
    params.custom_extensions.push(extension);
    let leaf = Held::new(params, key(), Some(&middle));
    [leaf, middle, root]
}

fn code(system: SystemTrust, pins: PinSet, chain: &[&Held]) -> Option<&'static str> {
    judge(system, pins, &ders(chain), NOON).err().map(|error| error.code())
}

#[test]
fn where_webpki_decides_it_is_refused_in_words_and_with_the_facts() {
    for (extension, name) in [
        (critical_policies(), "certificatePolicies"),
        (critical(&[2, 5, 29, 54], vec![2, 1, 0]), "inhibitAnyPolicy"),
        (critical(&[1, 3, 6, 1, 5, 5, 7, 1, 24], vec![0x30, 3, 2, 1, 5]), "1.3.6.1.5.5.7.1.24"),
    ] {
        let [leaf, middle, root] = chain_with(extension);
        for system in [given(&[&root]), hidden_trust(&ders(&[&root]))] {
            let pins = pinning(&[&leaf], |_| {});
            let error = judge(system, pins, &ders(&[&leaf, &middle]), NOON).expect_err("refused");
            let facts = error.certificate().expect("facts");
            assert!(facts.presented_pin.is_some() && facts.subject.is_some());
            assert_eq!(facts.issuer.as_deref(), Some("middle"));
            let text = error.to_string();
            assert!(text.contains("critical extension that is not known here"), "{text}");
            assert!(
                !text.contains("Unsupported") && error.code() == "certificate_invalid",
                "{text}"
            );
        }
        let error = judge(given(&[&root]), pinning(&[&leaf], |_| {}), &ders(&[&leaf]), NOON);
        assert!(error.expect_err("refused").to_string().contains(name), "{name}");
    }
}

#[test]
fn where_a_platform_decides_its_word_counts() {
    for extension in
        [critical_policies(), critical(&[1, 3, 6, 1, 5, 5, 7, 1, 24], vec![0x30, 3, 2, 1, 5])]
    {
        let [leaf, middle, root] = chain_with(extension);
        let chain = [&leaf, &middle, &root];
        for pinned in [&leaf, &middle, &root] {
            // A pin above is proved by signatures over what was signed, not over what webpki reads.
            assert_eq!(code(told(&chain), pinning(&[pinned], |_| {}), &chain), None);
        }
        let stranger = Held::new(authority("middle", 0), key(), Some(&root));
        let found = code(told(&chain), pinning(&[&stranger], |_| {}), &[&leaf, &stranger]);
        assert_eq!(found, Some("pin_mismatch"));
    }
}

#[test]
fn under_a_pin_alone_policies_ask_nothing_of_anybody() {
    let refused = Some("certificate_invalid");
    for (extension, expected) in [
        (critical_policies(), None),
        (critical(&[2, 5, 29, 36], vec![0x30, 3, 0x80, 1, 0]), None),
        // Nobody knows what that asks for.
        (critical(&[1, 3, 6, 1, 5, 5, 7, 1, 24], vec![0x30, 3, 2, 1, 5]), refused),
        (critical(&[1, 2, 3, 4], vec![5, 0]), refused),
    ] {
        let [leaf, _, root] = chain_with(extension);
        assert_eq!(code(given(&[&root]), pinning(&[&leaf], pin_only), &[&leaf]), expected);
        // The name, the dates and the key still count.
        let other = pinning(&[&root], pin_only);
        assert!(code(given(&[&root]), other, &[&leaf]).is_some(), "another key");
        let late = judge(
            given(&[&root]),
            pinning(&[&leaf], pin_only),
            &ders(&[&leaf]),
            "5000-01-01T00:00:00Z",
        );
        assert!(late.is_err(), "out of date");
    }
}

/// Both sides in memory; what the client says of it.
fn shake_hands(verifier: PinningVerifier, held: &Held, key: &rcgen::KeyPair) -> Result<(), String> {
    let signing = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let signing = rustls::crypto::ring::sign::any_supported_type(&signing).expect("a key");
    // Not looked at by rustls, which cannot read this certificate.
    let identity = CertifiedKey::new(vec![held.der.clone()], signing);
    let server =
        ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let name = ServerName::try_from(HOST).expect("a name");
    let mut client = ClientConnection::new(Arc::new(client), name).expect("a client");
    let mut server = ServerConnection::new(Arc::new(server)).expect("a server");
    while client.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).expect("memory");
        server.read_tls(&mut wire.as_slice()).expect("memory");
        server.process_new_packets().map_err(|e| e.to_string())?;
        let mut wire = Vec::new();
        server.write_tls(&mut wire).expect("memory");
        client.read_tls(&mut wire.as_slice()).expect("memory");
        client.process_new_packets().map_err(|e| e.to_string())?;
    }
    Ok(())
}

#[test]
fn the_handshakes_signature_is_verified_all_the_same() {
    let [leaf, _, _] = chain_with(critical_policies());
    let verifier = || {
        let pins = pinning(&[&leaf], pin_only);
        PinningVerifier::new(pins, &Roots::Only(vec![leaf.der.to_vec()]), true).expect("good")
    };
    shake_hands(verifier(), &leaf, &leaf.key).expect("its own key");
    shake_hands(verifier(), &leaf, &key()).expect_err("another key");
}
