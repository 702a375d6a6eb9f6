//! The certificates: made anew for each [`Testkit`](crate::Testkit), with one key for each name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};

/// The names in every leaf but `wrong_host`.
const HOSTS: [&str; 6] =
    ["api.example.test", "www.example.test", "other.example.test", "localhost", "127.0.0.1", "::1"];

/// What each chain presents, leaf first. The key is the leaf's own, but for `wrong_key`.
const CHAINS: &[(&str, &[&str])] = &[
    ("backend", &["backend", "intermediate"]),
    ("backend_root", &["backend", "intermediate", "root"]),
    ("cross", &["backend", "cross"]),
    ("deep", &["deep", "intermediate2", "intermediate"]),
    ("expired", &["expired", "intermediate"]),
    ("impostor", &["impostor"]),
    ("interceptor", &["interceptor"]),
    ("leaf_only", &["leaf_only"]),
    ("leaf_last", &["intermediate", "backend"]),
    ("leaf_signs", &["leaf_signs", "backend", "intermediate"]),
    ("no_intermediate", &["backend"]),
    ("not_yet_valid", &["not_yet_valid", "intermediate"]),
    ("pasted", &["pasted", "backend", "intermediate", "root"]),
    ("private", &["private"]),
    ("public_ca", &["public_leaf", "public_intermediate"]),
    (REVOKED, &["revoked", "stapled_root"]),
    ("rotated", &["rotated", "intermediate"]),
    ("rsa", &["rsa", "intermediate"]),
    ("same_name_ca", &["same_name_ca", "fake_intermediate", "intermediate"]),
    ("self_signed", &["self_signed"]),
    ("self_signed_ca", &["self_signed_ca"]),
    ("wrong_host", &["wrong_host", "intermediate"]),
    (WRONG_KEY, &["backend", "intermediate"]),
];

/// Who clients may be: the certificates, the client's own first.
const CLIENTS: [(&str, &[&str]); 4] = [
    ("client", &["client", "intermediate"]),
    ("client_renewed", &["client_renewed", "intermediate"]),
    ("client_rsa", &["client_rsa", "intermediate"]),
    ("client_unknown", &["client_unknown", "unknown_root"]),
];

const WRONG_KEY: &str = "wrong_key";
const REVOKED: &str = "revoked";

/// Every certificate, key and chain of a testkit, by name.
///
/// The roots are `root`, `other_root` (which the client's system is meant to trust as well),
/// `private_root` and `unknown_root` (which it is not). Below them are `intermediate`,
/// `intermediate2`, `cross` (the key and name of `intermediate`, signed by `other_root`) and
/// `fake_intermediate` (its name, with another key, signed by `other_root`). A leaf has the name of
/// the server that presents it. `backup` is a key without a certificate. `public_leaf` and
/// `public_intermediate` are Let's Encrypt's of 2023 for `cryptography.io`, with a key that is not
/// theirs. `revoked` is below `stapled_root`; both are fixed, with the staples of `keys/ocsp`.
#[derive(Debug)]
pub struct Pki {
    entities: BTreeMap<&'static str, Entity>,
}

impl Pki {
    pub(crate) fn generate() -> Self {
        let mut pki = Self { entities: BTreeMap::new() };

        pki.issue("root", authority("Pinfold Test Root"), "root");
        pki.issue("other_root", authority("Interception Authority"), "other_root");
        pki.issue("private_root", authority("Internal CA"), "private_root");
        pki.issue("unknown_root", authority("Unknown CA"), "unknown_root");

        let intermediate = || authority("Pinfold Test Intermediate");
        pki.issue("intermediate", intermediate(), "root");
        pki.issue("intermediate2", authority("Pinfold Test Intermediate 2"), "intermediate");
        pki.issue("fake_intermediate", intermediate(), "other_root");
        let key = pki.entities["intermediate"].key.clone();
        pki.issue_for(key, "cross", intermediate(), "other_root");

        pki.issue("backend", leaf(&HOSTS), "intermediate");
        pki.issue("rotated", leaf(&HOSTS), "intermediate");
        pki.issue("deep", leaf(&HOSTS), "intermediate2");
        pki.issue("leaf_only", leaf(&HOSTS), "root");
        pki.issue("private", leaf(&HOSTS), "private_root");
        pki.issue("impostor", leaf(&HOSTS), "unknown_root");
        pki.issue("interceptor", leaf(&HOSTS), "other_root");
        pki.issue("pasted", leaf(&HOSTS), "other_root");
        pki.issue("same_name_ca", leaf(&HOSTS), "fake_intermediate");
        pki.issue("leaf_signs", leaf(&HOSTS), "backend");
        pki.issue("wrong_host", leaf(&["wrong.example.test"]), "intermediate");
        pki.issue("expired", valid(leaf(&HOSTS), 2020, 2021), "intermediate");
        pki.issue("not_yet_valid", valid(leaf(&HOSTS), 2048, 2049), "intermediate");
        pki.issue("self_signed", leaf(&HOSTS), "self_signed");
        pki.issue("self_signed_ca", self_signed_ca(), "self_signed_ca");
        pki.issue_for(rsa_key(), "rsa", leaf(&HOSTS), "intermediate");

        pki.issue("client", client("Alice"), "intermediate");
        pki.issue("client_renewed", client("Alice, renewed"), "intermediate");
        pki.issue_for(rsa_key(), "client_rsa", client("Bob"), "intermediate");
        pki.issue("client_unknown", client("Mallory"), "unknown_root");

        let public = read_pem(include_bytes!("../keys/public.chain.pem"));
        for (name, certificate) in ["public_leaf", "public_intermediate"].iter().zip(public) {
            pki.entities.insert(name, Entity::fixed(certificate, new_key()));
        }
        let stapled = [
            ("revoked", &include_bytes!("../keys/ocsp/leaf.pem")[..]),
            ("stapled_root", include_bytes!("../keys/ocsp/root.pem")),
        ];
        for (name, pem) in stapled {
            let key = include_str!("../keys/ocsp/leaf.key.pem");
            let key = KeyPair::from_pem(key).expect("the file is a PKCS #8 key");
            let certificate = read_pem(pem).remove(0);
            pki.entities.insert(name, Entity::fixed(certificate, Arc::new(key)));
        }

        pki.entities.insert("backup", Entity::new(CertificateParams::default(), new_key()));
        pki
    }

    /// A certificate.
    ///
    /// # Panics
    ///
    /// Without a certificate of this name.
    pub fn certificate(&self, name: &str) -> &CertificateDer<'static> {
        let certificate = self.entities.get(name).and_then(|entity| entity.certificate.as_ref());
        certificate.unwrap_or_else(|| panic!("no certificate {name}"))
    }

    /// Every certificate with its name.
    pub fn certificates(&self) -> impl Iterator<Item = (&'static str, &CertificateDer<'static>)> {
        self.entities
            .iter()
            .filter_map(|(name, entity)| Some((*name, entity.certificate.as_ref()?)))
    }

    /// The pin of a key, as `sha256/` and the SHA-256 of its SubjectPublicKeyInfo in Base64.
    ///
    /// # Panics
    ///
    /// Without a key of this name: the names are those of the certificates, and `backup`.
    pub fn pin(&self, name: &str) -> String {
        self.entities.get(name).unwrap_or_else(|| panic!("no key {name}")).pin()
    }

    /// Every pin with its name.
    pub fn pins(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.entities.iter().map(|(name, entity)| (*name, entity.pin()))
    }

    /// The names of what [`Server::present`](crate::Server::present) takes.
    pub fn chain_names(&self) -> impl Iterator<Item = &'static str> {
        CHAINS.iter().map(|(name, _)| *name)
    }

    /// The certificates of a chain, leaf first.
    ///
    /// # Panics
    ///
    /// Without a chain of this name.
    pub fn chain(&self, name: &str) -> Vec<CertificateDer<'static>> {
        members(name).iter().map(|member| self.certificate(member).clone()).collect()
    }

    /// The certificates and the private key of a client, in PEM: `client` and `client_renewed` (P-256) and
    /// `client_rsa` are known to `client_auth`, `client_unknown` is not.
    ///
    /// # Panics
    ///
    /// Without a client of this name.
    pub fn identity(&self, name: &str) -> String {
        let found = CLIENTS.iter().find(|(known, _)| *known == name);
        let (_, members) = found.unwrap_or_else(|| panic!("no client {name}"));
        let chain = members.iter().map(|member| pem(self.certificate(member)));
        chain.collect::<String>() + &self.entities[name].key.serialize_pem()
    }

    /// What [`identity`](Self::identity) takes.
    pub fn identities(&self) -> impl Iterator<Item = &'static str> {
        CLIENTS.iter().map(|(name, _)| *name)
    }

    /// Writes `NAME.der` and `NAME.pem` for each certificate, `NAME.chain.pem` and `NAME.key.pem` for
    /// each chain, and `NAME.identity.pem` for each client.
    ///
    /// # Errors
    ///
    /// If the folder or a file cannot be written.
    pub fn write_to(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        for (name, entity) in &self.entities {
            if let Some(certificate) = &entity.certificate {
                fs::write(dir.join(format!("{name}.der")), certificate)?;
                fs::write(dir.join(format!("{name}.pem")), pem(certificate))?;
            }
        }
        for (name, members) in CHAINS {
            let certificates =
                members.iter().filter_map(|member| self.entities[member].certificate.as_ref());
            let pem: String = certificates.map(|der| pem(der)).collect();
            fs::write(dir.join(format!("{name}.chain.pem")), pem)?;
            fs::write(dir.join(format!("{name}.key.pem")), self.chain_key(name).serialize_pem())?;
        }
        for name in self.identities() {
            fs::write(dir.join(format!("{name}.identity.pem")), self.identity(name))?;
        }
        Ok(())
    }

    /// A chain with the key that signs its handshakes. Unlike rustls' own constructors this does
    /// not check that they belong together: `wrong_key` exists because they need not.
    pub(crate) fn certified_key(&self, chain: &str) -> Arc<CertifiedKey> {
        let der = PrivateKeyDer::Pkcs8(self.chain_key(chain).serialize_der().into());
        let key = any_supported_type(&der).expect("ring signs with every key it made or parsed");
        let mut certified = CertifiedKey::new(self.chain(chain), key);
        if chain == REVOKED {
            certified.ocsp = Some(include_bytes!("../keys/ocsp/revoked.der").to_vec());
        }
        Arc::new(certified)
    }

    fn chain_key(&self, chain: &str) -> &KeyPair {
        let owner = if chain == WRONG_KEY { "impostor" } else { members(chain)[0] };
        &self.entities[owner].key
    }

    fn issue(&mut self, name: &'static str, params: CertificateParams, issuer: &str) {
        self.issue_for(new_key(), name, params, issuer);
    }

    fn issue_for(
        &mut self,
        key: Arc<KeyPair>,
        name: &'static str,
        params: CertificateParams,
        issuer: &str,
    ) {
        let mut entity = Entity::new(params, key);
        let signer = if issuer == name { &entity } else { &self.entities[issuer] };
        let issuer = Issuer::from_params(&signer.params, &*signer.key);
        let certificate = entity.params.signed_by(&*entity.key, &issuer);
        let certificate = certificate.expect("the parameters are constant and complete");
        entity.certificate = Some(certificate.der().clone());
        self.entities.insert(name, entity);
    }
}

#[derive(Debug)]
struct Entity {
    params: CertificateParams,
    key: Arc<KeyPair>,
    certificate: Option<CertificateDer<'static>>,
}

impl Entity {
    fn new(params: CertificateParams, key: Arc<KeyPair>) -> Self {
        Self { params, key, certificate: None }
    }

    /// With a certificate from elsewhere.
    fn fixed(certificate: CertificateDer<'static>, key: Arc<KeyPair>) -> Self {
        Self { certificate: Some(certificate), ..Self::new(CertificateParams::default(), key) }
    }

    fn pin(&self) -> String {
        let key = match &self.certificate {
            Some(der) => ParsedCertificate::try_from(der)
                .expect("a certificate")
                .subject_public_key_info()
                .to_vec(),
            None => self.key.subject_public_key_info(),
        };
        let hash = Sha256::digest(key);
        format!("sha256/{}", BASE64_STANDARD.encode(hash))
    }
}

fn read_pem(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().expect("the file is PEM")
}

fn pem(der: &CertificateDer<'_>) -> String {
    let base64 = BASE64_STANDARD.encode(der);
    let lines = base64.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
}

fn members(chain: &str) -> &'static [&'static str] {
    let found = CHAINS.iter().find(|(name, _)| *name == chain);
    found.unwrap_or_else(|| panic!("no chain {chain}")).1
}

fn authority(name: &str) -> CertificateParams {
    let mut params = named(name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf(hosts: &[&str]) -> CertificateParams {
    let mut params = named(hosts[0], hosts);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn client(common_name: &str) -> CertificateParams {
    let mut params = named(common_name, &[]);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// As `openssl req -x509` makes it: a CA, and no word on what the key is for.
fn self_signed_ca() -> CertificateParams {
    let mut params = named(HOSTS[0], &HOSTS);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn named(common_name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(hosts).expect("the host names are ASCII");
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.use_authority_key_identifier_extension = true;
    valid(params, 2020, 2049)
}

fn valid(mut params: CertificateParams, first_year: i32, last_year: i32) -> CertificateParams {
    params.not_before = date_time_ymd(first_year, 1, 1);
    params.not_after = date_time_ymd(last_year, 12, 31);
    params
}

fn new_key() -> Arc<KeyPair> {
    Arc::new(KeyPair::generate().expect("the system has randomness"))
}

/// ring cannot make RSA keys, so this one is fixed. It protects nothing.
fn rsa_key() -> Arc<KeyPair> {
    let pem = include_str!("../keys/rsa.pem");
    Arc::new(KeyPair::from_pem(pem).expect("the file is a PKCS #8 RSA key"))
}
