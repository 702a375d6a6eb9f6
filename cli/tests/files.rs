//! Files as people have them: every block comes out or is refused by label and line, and nothing of
//! a key is ever told.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use serde_json::Value;

struct Desk {
    dir: PathBuf,
}

impl Desk {
    fn new(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("files").join(name);
        let _from_before = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a writable folder");
        Self { dir }
    }

    fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.dir.join(file), bytes).expect("a writable folder");
    }

    fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.dir.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
    }

    fn text(&self, file: &str) -> String {
        String::from_utf8(self.read(file)).expect("text")
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.dir).stdin(Stdio::null());
        command.output().unwrap_or_else(|e| panic!("{program}: {e}"))
    }

    fn tool(&self, program: &str, arguments: &[&str]) {
        let output = self.command(program, arguments);
        assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_pinfold"), arguments)
    }

    /// The roles and subjects of what `pinfold pin` finds.
    fn pinned(&self, file: &str) -> Vec<(String, String)> {
        let output = self.run(&["pin", "--json", file]);
        assert!(output.status.success(), "{file}: {output:?}");
        let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let pins = value["pins"].as_array().expect("a list");
        pins.iter().map(|pin| (text(&pin["role"]), text(&pin["subject"]))).collect()
    }

    /// What is said of a file that cannot be used.
    fn refused(&self, file: &str) -> String {
        let output = self.run(&["pin", file]);
        assert_eq!(output.status.code(), Some(2), "{file}: {output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        String::from_utf8(output.stderr).expect("UTF-8")
    }
}

/// A leaf and the authority above it, PEM.
fn chain() -> (String, String) {
    let named = |name: &str| {
        let mut parameters = rcgen::CertificateParams::new(vec!["api.example.test".into()])?;
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        Ok::<_, rcgen::Error>(parameters)
    };
    let mut authority = named("Example CA").expect("good");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key");
    let authority = rcgen::CertifiedIssuer::self_signed(authority, key).expect("a certificate");
    let key = rcgen::KeyPair::generate().expect("a key");
    let leaf = named("api.example.test").expect("good").signed_by(&key, &authority);
    (leaf.expect("a certificate").pem(), authority.pem())
}

#[test]
fn every_certificate_of_a_generous_file_comes_out() {
    let desk = Desk::new("generous");
    let (leaf, ca) = chain();
    let indented = |pem: &str| pem.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let wide = |text: &str, big: bool| -> Vec<u8> {
        let units = "\u{feff}".encode_utf16().chain(text.encode_utf16());
        units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    for (name, bytes) in [
        ("plain", format!("{leaf}{ca}").into_bytes()),
        ("joined", format!("{}{ca}", leaf.trim_end()).into_bytes()),
        ("bom", format!("\u{feff}{leaf}{ca}").into_bytes()),
        ("bom_inside", format!("{leaf}\u{feff}{ca}").into_bytes()),
        ("utf_16_le", wide(&format!("{leaf}{ca}"), false)),
        ("utf_16_be", wide(&format!("{leaf}{ca}"), true)),
        ("indented", format!("tls:\n  cert: |\n{}{}", indented(&leaf), indented(&ca)).into_bytes()),
        ("crlf", format!("{leaf}{ca}").replace('\n', "\r\n").into_bytes()),
        ("cr", format!("{leaf}{ca}").replace('\n', "\r").into_bytes()),
        ("blanks", format!("{leaf}{ca}").replace('\n', "  \t\n").into_bytes()),
        ("empty_lines", format!("{leaf}{ca}").replace('\n', "\n\n").into_bytes()),
        ("text", format!("subject=CN=x\n{leaf}# above it\n{ca}done\n").into_bytes()),
        ("one_line", leaf.replace('\n', "").into_bytes().into_iter().chain(ca.bytes()).collect()),
        ("old", format!("{leaf}{ca}").replace(" CERT", " X509 CERT").into_bytes()),
    ] {
        desk.write(name, bytes);
        let found: Vec<_> = desk.pinned(name).into_iter().map(|(role, _)| role).collect();
        assert_eq!(found, ["leaf", "ca"], "{name}");
    }
}

#[test]
fn what_openssl_and_java_write_is_read_or_named_with_the_command_that_converts_it() {
    let desk = Desk::new("labels");
    let (leaf, ca) = chain();
    desk.write("leaf.pem", &leaf);
    desk.write("ca.pem", &ca);
    desk.tool("openssl", &["x509", "-in", "leaf.pem", "-trustout", "-out", "trusted.pem"]);
    let trusted = &["x509", "-in", "leaf.pem", "-trustout", "-addtrust", "serverAuth"];
    desk.tool("openssl", &[&trusted[..], &["-setalias", "x", "-out", "trusted2.pem"]].concat());
    for name in ["trusted.pem", "trusted2.pem"] {
        assert!(desk.text(name).contains("TRUSTED CERTIFICATE"));
        desk.write("beside.pem", format!("{}{ca}", desk.text(name)));
        let roles: Vec<_> = desk.pinned("beside.pem").into_iter().map(|(role, _)| role).collect();
        assert_eq!(roles, ["leaf", "ca"]);
    }
    desk.tool("openssl", &["genpkey", "-algorithm", "RSA", "-out", "rsa.key"]);
    desk.tool("openssl", &["req", "-new", "-key", "rsa.key", "-subj", "/CN=next", "-out", "r.csr"]);
    desk.write("new.csr", desk.text("r.csr").replace(" CERTIFICATE", " NEW CERTIFICATE"));
    assert_eq!(desk.pinned("new.csr"), desk.pinned("r.csr"));
    desk.tool("openssl", &["pkey", "-in", "rsa.key", "-pubout", "-out", "spki.pem"]);
    desk.tool("openssl", &["rsa", "-in", "rsa.key", "-RSAPublicKey_out", "-out", "pkcs1.pem"]);
    let pkcs1 = ["rsa", "-in", "rsa.key", "-RSAPublicKey_out", "-outform", "DER", "-out", "1.der"];
    desk.tool("openssl", &pkcs1);
    for name in ["pkcs1.pem", "1.der"] {
        let pin = |file: &str| desk.run(&["pin", file]).stdout;
        assert!(!pin(name).is_empty() && pin(name) == pin("spki.pem"), "{name}");
    }

    let p7 = ["crl2pkcs7", "-nocrl", "-certfile", "leaf.pem"];
    desk.tool("openssl", &[&p7[..], &["-out", "p7.pem"]].concat());
    desk.tool("openssl", &[&p7[..], &["-outform", "DER", "-out", "p7.der"]].concat());
    desk.write("p7_behind.pem", format!("{leaf}{}", desk.text("p7.pem")));
    let p12 = ["pkcs12", "-export", "-in", "leaf.pem", "-nokeys", "-passout", "pass:x"];
    desk.tool("openssl", &[&p12[..], &["-out", "store.p12"]].concat());
    for (name, said) in [
        ("p7.pem", ["p7.pem:1: PKCS7", "openssl pkcs7 -print_certs"]),
        ("p7.der", ["PKCS#7", "openssl pkcs7 -inform DER"]),
        ("p7_behind.pem", [":11: PKCS7", "-print_certs"]),
        ("store.p12", ["PKCS#12", "openssl pkcs12 -in FILE -nokeys"]),
    ] {
        let words = desk.refused(name);
        assert!(said.iter().all(|said| words.contains(said)), "{name}: {words}");
    }
}

#[test]
fn what_is_not_read_is_refused_by_label_and_line() {
    let desk = Desk::new("refused");
    let (leaf, ca) = chain();
    let lines = leaf.lines().count();
    let no_end = leaf.replace("-----END CERTIFICATE-----\n", "");
    let no_begin = leaf.replace("-----BEGIN CERTIFICATE-----\n", "");
    let block = |label: &str| format!("-----BEGIN {label}-----\nMDEy\n-----END {label}-----\n");
    for (name, text, said) in [
        ("crl", format!("{leaf}{}", block("X509 CRL")), format!(":{}: X509 CRL", lines + 1)),
        ("params", format!("{leaf}{}", block("DH PARAMETERS")), "DH PARAMETERS".into()),
        ("pgp", block("PGP PUBLIC KEY BLOCK"), ":1: PGP PUBLIC KEY BLOCK".into()),
        ("ssh", block("SSH2 PUBLIC KEY"), "SSH2 PUBLIC KEY".into()),
        ("any", block("FOO"), ":1: FOO".into()),
        ("not_one", block("CERTIFICATE"), "not an X.509 certificate".into()),
        ("lower", format!("{leaf}{}", ca.to_lowercase()), format!(":{}: a damaged", lines + 1)),
        ("lower_alone", ca.to_lowercase(), ":1: a damaged".into()),
        ("no_end", format!("{no_end}{ca}"), ":1: CERTIFICATE: no END line".into()),
        ("no_end_last", format!("{ca}{no_end}"), "CERTIFICATE: no END line".into()),
        ("no_begin", format!("{ca}{no_begin}"), "without its BEGIN".into()),
        ("no_begin_first", format!("{no_begin}{ca}"), "without its BEGIN".into()),
        ("nested", leaf.replacen('\n', &format!("\n{ca}"), 1), "before the next block".into()),
        ("other_end", leaf.replace("END CERT", "END X509 CERT"), "another label".into()),
        ("dashes", leaf.replace("-----BEGIN", "----BEGIN"), "a damaged line".into()),
        ("long_dashes", leaf.replace("-----", "\u{2014}"), "a damaged line".into()),
        ("no_dashes", leaf.replace("-----", ""), "a damaged line".into()),
        ("escaped", leaf.replace('\n', "\\n"), "two characters".into()),
        ("header", leaf.replacen('\n', "\nComment: mine\n\n", 1), "lines before".into()),
        ("cut", leaf[..leaf.len() / 2].to_owned(), "no END line".into()),
        ("not_base64", leaf.replacen("\nMII", "\nM*I", 1), "not base64".into()),
        (
            "bare",
            leaf.lines().filter(|l| !l.starts_with('-')).collect(),
            "without its lines".into(),
        ),
        ("nothing", String::new(), "empty".into()),
        ("prose", "no certificate here\n".into(), "neither PEM nor".into()),
    ] {
        desk.write(name, &text);
        let words = desk.refused(name);
        assert!(words.contains(&said), "{name}: {said:?} is not in {words}");
        assert_eq!(Secret::new(text.as_bytes()).leak(words.as_bytes()), None, "{name}: {words}");
    }
}

/// Every form in which a key could be told, lower case where that makes no difference.
struct Secret {
    /// Each with how many bytes it takes at least for one of the key's.
    tellings: [(usize, Vec<u8>); 16],
}

impl Secret {
    fn new(secret: &[u8]) -> Self {
        use base64::Engine as _;
        use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
        let list = |separator: &str, f: &dyn Fn(&u8) -> String| {
            secret.iter().map(f).collect::<Vec<_>>().join(separator).into_bytes()
        };
        // Three bytes become four letters.
        let behind = |at: usize| secret.get(at..).unwrap_or_default();
        let tellings = [
            (1, secret.to_vec()),
            (2, list("", &|b| format!("{b:02x}"))),
            (3, list(":", &|b| format!("{b:02x}"))),
            (3, list(" ", &|b| format!("{b:02x}"))),
            (6, list(", ", &|b| format!("0x{b:02x}"))),
            (3, list(", ", &|b| b.to_string())),
            (2, list(",", &|b| b.to_string())),
            (4, list("", &|b| format!("\\x{b:02x}"))),
            (5, list("", &|b| format!("\\u{{{b:x}}}"))),
            (1, secret.escape_ascii().to_string().into_bytes()),
            (1, STANDARD_NO_PAD.encode(secret).into_bytes()),
            (1, STANDARD_NO_PAD.encode(behind(1)).into_bytes()),
            (1, STANDARD_NO_PAD.encode(behind(2)).into_bytes()),
            (1, URL_SAFE_NO_PAD.encode(secret).into_bytes()),
            (1, URL_SAFE_NO_PAD.encode(behind(1)).into_bytes()),
            (1, URL_SAFE_NO_PAD.encode(behind(2)).into_bytes()),
        ];
        let tellings = tellings.map(|(unit, telling)| (unit, telling.to_ascii_lowercase()));
        Self { tellings }
    }

    /// Eight bytes of it in any encoding, where `output` holds them.
    fn leak(&self, output: &[u8]) -> Option<String> {
        let output = output.to_ascii_lowercase();
        // Words that the tool says by itself are in many files.
        let own = |window: &[u8]| OWN_WORDS.contains(&*String::from_utf8_lossy(window));
        let mut said = HashMap::<usize, HashSet<&[u8]>>::new();
        for (unit, telling) in &self.tellings {
            // Among eight bytes are four that begin at a multiple of four: most outputs hold none
            // of these, and there are few.
            let half = 4 * unit;
            let halves = said.entry(half).or_insert_with(|| output.windows(half).collect());
            for (i, _) in telling.chunks_exact(half).enumerate().filter(|(_, h)| halves.contains(h))
            {
                let around = (i * half).saturating_sub(half)..((i + 2) * half).min(telling.len());
                let mut whole = telling[around].windows(2 * half);
                let told = |told: &&[u8]| output.windows(2 * half).any(|said| said == *told);
                if let Some(window) = whole.find(|window| told(window) && !own(window)) {
                    return Some(String::from_utf8_lossy(window).into_owned());
                }
            }
        }
        None
    }
}

#[test]
fn a_leak_is_found_in_every_encoding_wherever_it_begins() {
    let secret: Vec<u8> = (0..64_u8).map(|i| i.wrapping_mul(167) ^ 0x5a).collect();
    let whole = Secret::new(&secret);
    // Of base64 some letters are cut off at both ends.
    let length = 12;
    for at in 0..=secret.len() - length {
        for (_, telling) in Secret::new(&secret[at..at + length]).tellings {
            let output = [b"error: ", &telling[..], b" is none"].concat();
            assert!(whole.leak(&output).is_some(), "{}", String::from_utf8_lossy(&output));
        }
        let eight = [b"error: ", &secret[at..at + 8]].concat();
        assert!(whole.leak(&eight).is_some() && whole.leak(&eight[..14]).is_none(), "{at}");
    }
}

/// What the markers of PEM have in common with the words of the tool.
const OWN_WORDS: &str = "-----begin certificate----- -----end certificate----- -----begin private \
    key----- -----begin rsa private key----- -----begin ec private key----- certificate request \
    -----begin x509 crl-----begin dh parameters-----begin pgp public key block----- ssh2 public key \
    no certificate here -----begin x509 certificate----- x509 crl dh parameters";

/// A key in many forms, each with the bytes that must not be told.
fn keys(desk: &Desk) -> Vec<(String, Vec<u8>)> {
    let genpkey = |name: &str, more: &[&str]| {
        desk.tool("openssl", &[&["genpkey", "-quiet", "-out", name], more].concat());
    };
    genpkey("p256.pem", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    genpkey("p384.pem", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]);
    genpkey("ed25519.pem", &["-algorithm", "ED25519"]);
    genpkey("rsa.pem", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
    let convert = [
        ("p256.der", "pkey -in p256.pem -outform DER"),
        ("sec1.pem", "ec -in p256.pem"),
        ("sec1.der", "ec -in p256.pem -outform DER"),
        ("pkcs1.pem", "rsa -in rsa.pem -traditional"),
        ("pkcs1.der", "rsa -in rsa.pem -traditional -outform DER"),
        ("locked.pem", "pkcs8 -topk8 -in p256.pem -passout pass:x"),
        ("locked.der", "pkcs8 -topk8 -in p256.pem -passout pass:x -outform DER"),
        ("locked1.pem", "rsa -in rsa.pem -traditional -aes128 -passout pass:x"),
    ];
    for (name, command) in convert {
        let words: Vec<_> = command.split(' ').chain(["-out", name]).collect();
        desk.tool("openssl", &words);
    }
    let (leaf, _) = chain();
    desk.write("leaf.pem", leaf);
    desk.tool(
        "openssl",
        &["req", "-new", "-x509", "-key", "p256.pem", "-subj", "/CN=x", "-out", "c"],
    );
    let p12 = "pkcs12 -export -inkey p256.pem -in c -passout pass:x -out store.p12";
    desk.tool("openssl", &p12.split(' ').collect::<Vec<_>>());
    let names = ["p256.pem", "p384.pem", "ed25519.pem", "rsa.pem", "store.p12"];
    let names = names.into_iter().chain(convert.iter().map(|(name, _)| *name));
    names.map(|name| (name.to_owned(), desk.read(name))).collect()
}

/// Ways in which a key gets lost in a copy.
fn damaged(key: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let mut forms = vec![
        ("as it is", key.to_vec()),
        ("base64", STANDARD.encode(key).into_bytes()),
        ("base64 of base64", STANDARD.encode(STANDARD.encode(key)).into_bytes()),
        ("cut off", key[..key.len() * 2 / 3].to_vec()),
        ("cut to a quarter", key[..key.len() / 4].to_vec()),
        ("without its first bytes", key[9..].to_vec()),
        ("hexadecimal", key.iter().map(|b| format!("{b:02x}")).collect::<String>().into_bytes()),
        ("behind a certificate's line", [b"-----BEGIN CERTIFICATE-----\n", key].concat()),
    ];
    let Ok(text) = str::from_utf8(key) else { return forms };
    let body: String = text.lines().filter(|line| !line.contains("---")).collect();
    let json = serde_json::json!({ "type": "service_account", "private_key": text });
    let yaml: String = text.lines().map(|line| format!("    {line}\n")).collect();
    let wide: Vec<u8> =
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let first_lower =
        text.find('\n').map_or_else(String::new, |at| text[..at].to_lowercase() + &text[at..]);
    for (name, form) in [
        ("newlines lost", text.replace('\n', "")),
        ("newlines as blanks", text.replace('\n', " ")),
        ("newlines as \\n", text.replace('\n', "\\n")),
        ("newlines as \\r\\n", text.replace('\n', "\\r\\n")),
        ("mixed line ends", text.replacen('\n', "\r\n", 2).replacen('\n', "\r", 1)),
        ("blanks inside", text.as_bytes().chunks(5).map(String::from_utf8_lossy).fold(
            String::new(), |all, part| all + &part + " ")),
        ("four dashes", text.replace("-----", "----")),
        ("no dashes", text.replace("-----", "")),
        ("long dashes", text.replace("-----", "\u{2014}")),
        ("lower-case label", first_lower),
        ("no END", text.rsplit_once("-----END").map_or("", |(head, _)| head).to_owned()),
        ("no BEGIN", text.split_once("-----\n").map_or("", |(_, rest)| rest).to_owned()),
        ("the body alone", body.clone()),
        ("the body as a certificate", format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")),
        ("half a body", text.lines().take(2).collect::<Vec<_>>().join("\n")),
        ("in JSON", json.to_string()),
        ("in .env", format!("HOST=x\nTLS_KEY=\"{}\"\n", text.replace('\n', "\\n"))),
        ("in YAML", format!("tls:\n  key: |\n{yaml}")),
        ("in a Kubernetes secret", format!("data:\n  tls.key: {}\n", STANDARD.encode(text))),
        ("quoted", text.lines().map(|line| format!("> {line}\n")).collect()),
        ("in XML", format!("<config><key>{text}</key></config>")),
        ("in a pin set", serde_json::json!({ "schema": 1, "hosts": [{ "host": text, "pins": [] }] }).to_string()),
        ("as a pin", serde_json::json!({ "schema": 1, "hosts": [{ "host": "a.example", "pins": [{ "sha256": body }] }] }).to_string()),
        ("as a word", serde_json::json!({ "schema": 1, "hosts": [{ "host": "a.example", "mode": body }] }).to_string()),
        ("as a member", serde_json::json!({ "schema": 1, "hosts": [], (body.as_str()): 1 }).to_string()),
        ("broken base64", text.replacen("M", "*", 1)),
    ] {
        forms.push((name, form.into_bytes()));
    }
    forms.push(("two bytes a letter", wide));
    forms
}

/// What reads a file that people name.
const COMMANDS: &[&[&str]] = &[
    &["pin", "FILE"],
    &["evaluate", "--pins", "FILE", "--host", "a.example", "--chain", "leaf.pem"],
    &["evaluate", "--pins", "pins.json", "--host", "a.example", "--chain", "FILE"],
    &[
        "evaluate",
        "--pins",
        "pins.json",
        "--host",
        "a.example",
        "--chain",
        "leaf.pem",
        "--roots",
        "FILE",
    ],
    &["fetch", "https://a.example/", "--pins", "FILE"],
    &["fetch", "https://a.example/", "--embedded", "FILE"],
    &["fetch", "https://a.example/", "--pins", "pins.json", "--roots", "FILE"],
    &["lint", "FILE"],
    &["lint", "pins.json", "--against", "FILE"],
    &["lint", "pins.json", "--root", "FILE"],
    &["lint", "pins.json", "--embedded", "FILE"],
    &["lint", "pins.json", "--network-security-config", "FILE"],
    &[
        "root",
        "init",
        "--stream",
        "s",
        "--threshold",
        "1",
        "--key",
        "a=FILE",
        "--pinset-key",
        "b=FILE",
        "-o",
        "x",
    ],
    &["root", "add-key", "FILE", "--key", "a=FILE", "-o", "x"],
    &["root", "rotate", "FILE", "-o", "x"],
    &["sign", "--type", "pinset", "--in", "FILE", "--key", "signer.pem", "--id", "a", "-o", "x"],
    &["sign", "--type", "pinset", "--in", "pins.json", "--key", "FILE", "--id", "a", "-o", "x"],
    &[
        "sign",
        "--type",
        "pinset",
        "--in",
        "pins.json",
        "--exec",
        "cat FILE",
        "--id",
        "a",
        "--public",
        "FILE",
        "-o",
        "x",
    ],
    &["tbs", "FILE", "--type", "root"],
    &["attach", "FILE", "--type", "root", "--id", "a", "--sig", "FILE", "-o", "x"],
    &["bundle", "--root", "FILE", "--pinset", "FILE", "-o", "x"],
    &[
        "embed",
        "--root",
        "FILE",
        "--pinset",
        "FILE",
        "--audience",
        "a",
        "--update-url",
        "https://a.example/",
        "-o",
        "x",
    ],
    &["verify", "--embedded", "FILE", "--bundle", "FILE"],
    &["publish", "--embedded", "FILE", "--bundle", "FILE", "--to", "public"],
];

/// Gives a damaged key to commands, and answers whether `pin` has not seen what it is.
fn is_told_nowhere(desk: &Desk, name: &str, commands: &[&[&str]], secrets: &[&Secret]) -> bool {
    let mut recognised = true;
    for (turn, arguments) in commands.iter().enumerate() {
        // Words and JSON in turns.
        let json: &[&str] = if (name.len() + turn).is_multiple_of(2) { &["--json"] } else { &[] };
        let output = desk.run(&[arguments, json].concat());
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        let words = String::from_utf8_lossy(&said);
        for secret in secrets {
            assert_eq!(secret.leak(&said), None, "{name}: {arguments:?}: {words}");
        }
        let refused = output.status.code().is_some_and(|code| code != 0);
        assert!(refused, "{name}: {arguments:?}: {output:?}");
        recognised &= arguments[0] != "pin" || words.contains("private key");
    }
    recognised
}

#[test]
fn nothing_of_a_key_is_told_whatever_is_damaged_and_whoever_reads_it() {
    let keys = keys(&Desk::new("keys"));
    let mut cases = Vec::new();
    for (at, (key, bytes)) in keys.iter().enumerate() {
        let secret = Arc::new(Secret::new(bytes));
        // Every command for one key, and one for the others.
        let commands = if at == 0 { COMMANDS } else { &COMMANDS[..1] };
        for (form, damaged) in damaged(bytes) {
            cases.push((format!("{key}, {form}"), damaged, commands, secret.clone()));
        }
    }
    let (leaf, _) = chain();
    // Thousands of processes: on every processor at once, each with a folder of its own.
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let work = |worker: usize| {
        let desk = Desk::new(&format!("keys-{worker}"));
        desk.tool(env!("CARGO_BIN_EXE_pinfold"), &["keygen", "--out", "signer.pem"]);
        desk.write("leaf.pem", &leaf);
        desk.write("pins.json", r#"{"schema":1,"hosts":[{"host":"a.example","mode":"off"}]}"#);
        let mut unrecognised = Vec::new();
        for (name, damaged, commands, secret) in cases.iter().skip(worker).step_by(workers) {
            desk.write("FILE", damaged);
            if !is_told_nowhere(&desk, name, commands, &[secret, &Secret::new(damaged)]) {
                unrecognised.push(name.as_str());
            }
        }
        unrecognised
    };
    let mut unrecognised = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers)
            .map(|worker| {
                let work = &work;
                scope.spawn(move || work(worker))
            })
            .collect();
        let found = workers.into_iter().map(|worker| worker.join().expect("no leak"));
        found.collect::<Vec<_>>().concat()
    });
    // Behind its first bytes, with its first letter gone, or without the words that say that it is
    // encrypted, a key is no more than some bytes.
    unrecognised.retain(|what| {
        !["first bytes", "broken base64", "locked1"].iter().any(|bytes| what.contains(bytes))
    });
    assert_eq!(unrecognised, Vec::<&str>::new());
}
