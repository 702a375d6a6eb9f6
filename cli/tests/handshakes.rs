//! The list of keys that can be used, against real handshakes: OpenSSL serves with every kind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use pinfold_core::verify::{CertificateIdentity, usable_key, verifiable_signature};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;

const HOST: &str = "api.example.test";

/// A name, what `openssl genpkey` is told, and what is said of the key; nothing where it is good.
const KEYS: &[(&str, &[&str], Option<&str>)] = &[
    ("rsa2048", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], None),
    ("rsa3072", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"], None),
    ("rsa4096", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"], None),
    (
        "rsa_exponent_3",
        &[
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-pkeyopt",
            "rsa_keygen_pubexp:3",
        ],
        None,
    ),
    ("p256", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], None),
    ("p384", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], None),
    ("ed25519", &["-algorithm", "ED25519"], None),
    (
        "rsa1024",
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
        Some("an RSA key of 1024 bits"),
    ),
    (
        "rsa_exponent_of_40_bits",
        &[
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-pkeyopt",
            "rsa_keygen_pubexp:549755813889",
        ],
        Some("exponent"),
    ),
    ("rsa_pss", &["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"], Some("RSASSA-PSS")),
    ("p521", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"], Some("P-521")),
    (
        "explicit",
        &[
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-pkeyopt",
            "ec_param_enc:explicit",
        ],
        Some("explicit parameters"),
    ),
    (
        "secp256k1",
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
        Some("curve other than"),
    ),
    ("ed448", &["-algorithm", "ED448"], Some("Ed448")),
];

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("handshakes").join(name);
    let _from_before = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a writable folder");
    folder
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").current_dir(folder).args(arguments).output();
    let output = output.expect("openssl");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A key in `key.pem` and a certificate of its own in `cert.pem`.
fn make(folder: &Path, key: &[&str]) {
    openssl(folder, &[&["genpkey", "-quiet", "-out", "key.pem"], key].concat());
    let subject = format!("/CN={HOST}");
    let name = format!("subjectAltName=DNS:{HOST}");
    let not_an_authority = "basicConstraints=critical,CA:FALSE";
    openssl(
        folder,
        &[
            &["req", "-x509", "-key", "key.pem", "-days", "30", "-out", "cert.pem"],
            &["-subj", &subject, "-addext", &name, "-addext", not_an_authority][..],
        ]
        .concat(),
    );
}

fn certificate(folder: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(folder.join("cert.pem")).expect("a certificate")
}

/// The SubjectPublicKeyInfo of the certificate, as OpenSSL writes it.
fn public_key(folder: &Path) -> Vec<u8> {
    openssl(folder, &["pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "key.der"]);
    fs::read(folder.join("key.der")).expect("openssl has written it")
}

/// `openssl s_server`, on a port of its choice.
struct Server {
    child: Child,
    port: String,
}

impl Server {
    /// None where OpenSSL itself does not serve with such a key.
    fn start(folder: &Path, version: &str) -> Option<Self> {
        let mut child = Command::new("openssl")
            .current_dir(folder)
            .args(["s_server", "-accept", "127.0.0.1:0", "-cert", "cert.pem", "-key", "key.pem"])
            .args([version, "-www"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let ready = lines.map_while(Result::ok).find_map(|line| {
            line.strip_prefix("ACCEPT ")?.rsplit_once(':').map(|(_, port)| port.to_owned())
        });
        let server = Self { child, port: ready.clone().unwrap_or_default() };
        ready.map(|_| server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn fetch(folder: &Path, server: &Server) -> Output {
    let identity = CertificateIdentity::read(&certificate(folder), "cert.pem").expect("read");
    let pin = |text: &str| json!({ "sha256": text.replace("sha256/", ""), "at": "leaf" });
    let spare = pin("sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=");
    let pins = json!([pin(&identity.spki.to_string()), spare]);
    let host = json!({ "host": HOST, "trust": "pin_only", "pins": pins });
    let set = json!({ "schema": 1, "hosts": [host] }).to_string();
    fs::write(folder.join("pins.json"), set).expect("a writable folder");
    let port = &server.port;
    let mut fetch = Command::new(env!("CARGO_BIN_EXE_pinfold"));
    fetch.current_dir(folder).args(["fetch", &format!("https://{HOST}:{port}/")]);
    fetch.args(["--pins", "pins.json", "--connect", &format!("{HOST}:{port}:127.0.0.1:{port}")]);
    fetch.output().expect("the binary")
}

#[test]
fn every_kind_of_key_that_is_said_to_be_usable_completes_a_handshake() {
    for (name, key, trouble) in KEYS {
        let folder = folder(name);
        make(&folder, key);
        let said = usable_key(&public_key(&folder));
        match (trouble, &said) {
            (None, Ok(())) => {}
            (Some(words), Err(why)) => assert!(why.contains(words), "{name}: {why}"),
            _ => panic!("{name}: {said:?}"),
        }
        for version in ["-tls1_3", "-tls1_2"] {
            let Some(server) = Server::start(&folder, version) else {
                assert!(said.is_err(), "{name} {version}: OpenSSL serves with it");
                continue;
            };
            let output = fetch(&folder, &server);
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.success(), said.is_ok(), "{name} {version}: {words}");
        }
    }
}

/// OpenSSL does not serve with those, but certificates of them exist.
#[test]
fn a_key_of_a_compressed_point_and_rsa_without_its_parameters_are_not_usable() {
    let folder = folder("spelling");
    make(&folder, KEYS.iter().find(|(name, ..)| *name == "p256").expect("there").1);
    openssl(&folder, &["pkey", "-in", "key.pem", "-pubout", "-out", "pub.pem"]);
    let form = ["-conv_form", "compressed", "-outform", "DER", "-out", "point.der"];
    openssl(&folder, &[&["ec", "-pubin", "-in", "pub.pem"][..], &form].concat());
    let point = fs::read(folder.join("point.der")).expect("openssl has written it");
    assert!(usable_key(&point).expect_err("compressed").contains("compressed point"));

    make(&folder, KEYS[0].1);
    let mut rsa = public_key(&folder);
    usable_key(&rsa).expect("as OpenSSL writes it");
    let null = rsa.windows(2).position(|two| two == [5, 0]).expect("the parameters");
    rsa.drain(null..null + 2);
    rsa[3] -= 2; // the length of the whole
    rsa[5] -= 2; // the length of the algorithm
    assert!(usable_key(&rsa).expect_err("without NULL").contains("not verified here"));
    assert!(usable_key(b"rubbish").is_err());
}

#[test]
fn signatures_that_only_others_verify_are_said_to_be_so() {
    let folder = folder("signatures");
    for (key, hash, trouble) in [
        (4, "-sha256", None),
        (4, "-sha384", None),
        (4, "-sha512", Some("ecdsa-with-SHA512")),
        (5, "-sha512", Some("ecdsa-with-SHA512")),
        (0, "-sha512", None),
        (0, "-sha1", Some("of a kind")),
    ] {
        let (name, key, _) = KEYS[key];
        openssl(&folder, &[&["genpkey", "-quiet", "-out", "key.pem"], key].concat());
        let certify = ["req", "-x509", "-key", "key.pem", "-subj", "/CN=x", "-out", "cert.pem"];
        openssl(&folder, &[&certify[..], &[hash]].concat());
        let said = verifiable_signature(&certificate(&folder));
        match (trouble, &said) {
            (None, Ok(())) => {}
            (Some(words), Err(why)) => assert!(why.contains(words), "{name} {hash}: {why}"),
            _ => panic!("{name} {hash}: {said:?}"),
        }
    }
}
