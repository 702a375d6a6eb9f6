//! Certificates with their keys, made for one test.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};

use super::*;
use crate::pin::SpkiSha256;

pub(super) const HOST: &str = "api.example.test";

/// A certificate with its key.
pub(super) struct Held {
    pub(super) params: CertificateParams,
    pub(super) key: KeyPair,
    pub(super) der: CertificateDer<'static>,
}

impl Held {
    /// Signed by `issuer`, or by itself.
    pub(super) fn new(params: CertificateParams, key: KeyPair, issuer: Option<&Self>) -> Self {
        let certificate = match issuer {
            Some(issuer) => {
                params.signed_by(&key, &Issuer::from_params(&issuer.params, &issuer.key))
            }
            None => params.self_signed(&key),
        };
        let der = certificate.expect("good parameters").der().clone();
        Self { params, key, der }
    }

    pub(super) fn pin(&self) -> PinSpec {
        use base64::Engine as _;
        use rcgen::PublicKeyData as _;
        let pin = SpkiSha256::of_spki(&self.key.subject_public_key_info());
        let text = base64::engine::general_purpose::STANDARD.encode(pin.as_bytes());
        PinSpec { sha256: Some(text), ..PinSpec::default() }
    }
}

pub(super) fn key() -> KeyPair {
    KeyPair::generate().expect("randomness")
}

pub(super) fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// An authority with at most `below` authorities below it.
pub(super) fn authority(name: &str, below: u8) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params
}

pub(super) fn server() -> CertificateParams {
    let mut params = CertificateParams::new(vec![HOST.to_owned()]).expect("a name");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// The same key in another certificate.
pub(super) fn same_key(held: &Held) -> KeyPair {
    KeyPair::try_from(held.key.serialize_der()).expect("the same key")
}

/// An authority that says its key is for this.
pub(super) fn for_usages(name: &str, usages: &[KeyUsagePurpose]) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = usages.to_vec();
    params
}

/// What a company's CRL signer looks like: an authority whose key is for lists of the revoked.
pub(super) fn crl_signer(name: &str) -> CertificateParams {
    for_usages(name, &[KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature])
}

/// certificatePolicies with anyPolicy, critical (RFC 5280 §4.2.1.4).
pub(super) fn critical_policies() -> CustomExtension {
    let any = vec![0x30, 8, 0x30, 6, 0x06, 4, 0x55, 0x1d, 0x20, 0];
    critical(&[2, 5, 29, 32], any)
}

pub(super) fn critical(oid: &[u64], value: Vec<u8>) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(oid, value);
    extension.set_criticality(true);
    extension
}

pub(super) fn ders(chain: &[&Held]) -> Vec<CertificateDer<'static>> {
    chain.iter().map(|held| held.der.clone()).collect()
}

/// Trust in these authorities, given.
pub(super) fn given(roots: &[&Held]) -> SystemTrust {
    let roots = roots.iter().map(|root| root.der.to_vec()).collect();
    SystemTrust::new(&Roots::Only(roots)).expect("good roots")
}

/// A pin set for the host, with a spare beside the pins given.
pub(super) fn pinning(pins: &[&Held], change: impl FnOnce(&mut HostSpec)) -> PinSet {
    let spare = Held::new(named("spare"), key(), None);
    let pins = pins.iter().chain([&&spare]).map(|held| held.pin()).collect();
    let mut host = HostSpec { host: HOST.into(), pins, ..HostSpec::default() };
    change(&mut host);
    let spec = PinSetSpec { schema: 1, hosts: vec![host], ..PinSetSpec::default() };
    PinSet::new(spec).expect("a good pin set")
}

pub(super) fn base64(der: &CertificateDer<'_>) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(der)
}
