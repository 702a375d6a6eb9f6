//! `fetch` through proxies and with a client's certificate, told as curl is told.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pinfold_testkit::{Event, Testkit};
use serde_json::{Value, json};

const URL: &str = "https://api.example.test/";

struct Kit {
    testkit: Testkit,
    dir: PathBuf,
}

impl Kit {
    fn new(name: &str) -> Self {
        let testkit = Testkit::start().expect("loopback");
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("proxies").join(name);
        testkit.pki().write_to(&dir).expect("a writable folder");
        let digest = |n: &str| testkit.pki().pin(n).replace("sha256/", "");
        let pins = [json!({ "sha256": digest("backend") }), json!({ "sha256": digest("backup") })];
        let host = json!({ "host": "api.example.test", "pins": pins });
        let set = json!({ "schema": 1, "hosts": [host] }).to_string();
        std::fs::write(dir.join("pins.json"), set).expect("a writable folder");
        Self { testkit, dir }
    }

    fn path(&self, file: &str) -> String {
        self.dir.join(file).to_str().expect("UTF-8").to_owned()
    }

    fn proxy(&self, scheme: &str, server: &str) -> String {
        format!("{scheme}://{}", self.testkit.server(server).addr())
    }

    /// A request to `server`, with these variables and no others about proxies.
    fn fetch(&self, server: &str, more: &[&str], variables: &[(&str, &str)]) -> Output {
        let connect = format!("api.example.test:443:{}", self.testkit.server(server).addr());
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinfold"));
        for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"]
        {
            command.env_remove(name);
        }
        command.args(["fetch", URL, "--pins", &self.path("pins.json"), "--connect", &connect]);
        command.args(["--roots", &self.path("root.pem")]).args(more);
        command.envs(variables.iter().copied()).output().expect("the binary")
    }

    fn connects(&self, server: &str) -> usize {
        let events = self.testkit.server(server).events();
        events.iter().filter(|e| matches!(e, Event::Request { .. })).count()
    }
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_proxy_is_told_as_curl_is_told() {
    let kit = Kit::new("told");
    let login = "user:open sesame";
    let secret = ("PINFOLD_PROXY_PASSWORD", "open sesame");
    for (more, variables) in [
        (vec!["-x", &kit.proxy("http", "proxy")], vec![]),
        (vec!["--proxy", &kit.proxy("http", "proxy_login"), "--proxy-user", login], vec![]),
        (vec!["-x", &kit.proxy("http", "proxy_login"), "-U", "user"], vec![secret]),
        (vec!["-x", &kit.proxy("socks5h", "socks_login"), "-U", login], vec![]),
        (vec!["-x", &kit.proxy("socks5", "socks")], vec![]),
    ] {
        let output = kit.fetch("backend", &more, &variables);
        assert_eq!(output.status.code(), Some(0), "{more:?}: {}", told(&output));
        assert_eq!(output.stdout, b"ok", "{more:?}");
    }
    for server in ["proxy", "proxy_login", "socks", "socks_login"] {
        assert!(kit.connects(server) > 0, "{server}");
    }
}

#[test]
fn the_environment_counts_only_where_it_is_asked_for() {
    let kit = Kit::new("environment");
    let refusing = kit.proxy("http", "proxy_refusing");
    let variables = [("https_proxy", refusing.as_str()), ("NO_PROXY", "other.test")];
    assert_eq!(kit.fetch("backend", &[], &variables).status.code(), Some(0));
    assert_eq!(kit.connects("proxy_refusing"), 0);
    let output = kit.fetch("backend", &["-x", "environment"], &variables);
    assert_eq!(output.status.code(), Some(26), "{}", told(&output));
    let direct = ["-x", "environment", "--noproxy", "example.test"];
    assert_eq!(kit.fetch("backend", &direct, &variables).status.code(), Some(0));
    let direct = [("all_proxy", refusing.as_str()), ("no_proxy", "*")];
    assert_eq!(kit.fetch("backend", &["-x", "environment"], &direct).status.code(), Some(0));
}

#[test]
fn refusals_name_the_proxy_and_have_exit_codes_of_their_own_and_no_password() {
    let kit = Kit::new("refusals");
    let nobody = "http://user:s3cret@127.0.0.1:1";
    for (server, more, exit, words) in [
        ("backend", vec!["-x", nobody], 25, "127.0.0.1:1"),
        ("backend", vec!["-x", &kit.proxy("http", "proxy_refusing")], 26, "403 Forbidden"),
        ("backend", vec!["-x", &kit.proxy("http", "proxy_login")], 26, "wants a user"),
        ("backend", vec!["-x", &kit.proxy("http", "proxy_login"), "-U", "u:s3cret"], 26, "accept"),
        ("interceptor", vec!["-x", &kit.proxy("http", "proxy")], 11, "through the proxy"),
        ("backend", vec!["-x", "ftp://u:s3cret@h"], 2, "scheme"),
        ("backend", vec!["-x", "h", "-U", ":s3cret"], 2, "user"),
        ("backend", vec!["-x", "h", "--noproxy", "a..test"], 2, "no_proxy[0]"),
    ] {
        let output = kit.fetch(server, &more, &[]);
        assert_eq!(output.status.code(), Some(exit), "{more:?}: {}", told(&output));
        assert!(told(&output).contains(words), "{more:?}: {}", told(&output));
        assert!(!told(&output).contains("s3cret"), "{}", told(&output));
    }
    let refusing = kit.proxy("http", "proxy_refusing");
    let output = kit.fetch("backend", &["--json", "-x", &refusing], &[]);
    let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(value["error"]["code"], "proxy_refused");
    assert_eq!(value["error"]["proxy"], json!(refusing));
}

#[test]
fn a_client_s_certificate_is_told_as_curl_is_told() {
    let kit = Kit::new("identity");
    let pem = kit.testkit.pki().identity("client");
    let (chain, key) = pem.split_at(pem.find("-----BEGIN PRIVATE").expect("a key"));
    for (file, text) in [("both.pem", pem.as_str()), ("chain.pem", chain), ("key.pem", key)] {
        std::fs::write(kit.dir.join(file), text).expect("a writable folder");
    }
    let store = kit.path("store.p12");
    let exported = Command::new("openssl")
        .args(["pkcs12", "-export", "-in", &kit.path("both.pem"), "-out", &store])
        .args(["-passout", "pass:s3cret"])
        .output();
    assert!(exported.expect("openssl").status.success());
    let passphrase = ("PINFOLD_PASSPHRASE", "s3cret");
    let (both, chain, key) = (kit.path("both.pem"), kit.path("chain.pem"), kit.path("key.pem"));
    for (more, variables) in [
        (vec!["-E", &both], vec![]),
        (vec!["--cert", &chain, "--key", &key], vec![]),
        (vec!["--pkcs12", &store], vec![passphrase]),
    ] {
        let output = kit.fetch("client_auth", &more, &variables);
        assert_eq!(output.status.code(), Some(0), "{more:?}: {}", told(&output));
    }
    for (more, variables, exit, words) in [
        (vec![], vec![], 24, "certificate"),
        (vec!["-E", &chain], vec![], 2, "identity.key"),
        (vec!["-E", &chain, "--key", &chain], vec![], 2, "identity.key"),
        (vec!["--pkcs12", &store], vec![("PINFOLD_PASSPHRASE", "wr0ng")], 2, "password"),
        (vec!["--key", &key], vec![], 2, "--cert"),
        (vec!["-E", "/nonexistent"], vec![], 2, "/nonexistent"),
    ] {
        let output = kit.fetch("client_auth", &more, &variables);
        assert_eq!(output.status.code(), Some(exit), "{more:?}: {}", told(&output));
        assert!(told(&output).contains(words), "{more:?}: {}", told(&output));
        assert!(!told(&output).contains("s3cret") && !told(&output).contains("wr0ng"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_key_on_a_token_signs_for_the_client() {
    let module = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("SoftHSM 2: scripts/setup sign");
    let kit = Kit::new("token");
    let pem = kit.testkit.pki().identity("client");
    let (chain, key) = pem.split_at(pem.find("-----BEGIN PRIVATE").expect("a key"));
    std::fs::write(kit.dir.join("chain.pem"), chain).expect("a writable folder");
    std::fs::write(kit.dir.join("key.pem"), key).expect("a writable folder");
    let tokens = kit.dir.join("tokens");
    let _from_before = std::fs::remove_dir_all(&tokens);
    std::fs::create_dir(&tokens).expect("a writable folder");
    let settings = kit.path("softhsm2.conf");
    std::fs::write(&settings, format!("directories.tokendir = {}\n", tokens.display()))
        .expect("a writable folder");
    let prepare = |arguments: &[&str]| {
        let mut command = Command::new("softhsm2-util");
        let done = command.args(arguments).env("SOFTHSM2_CONF", &settings).output();
        let done = done.expect("scripts/setup sign");
        assert!(done.status.success(), "{}", told(&done));
    };
    prepare(&["--init-token", "--free", "--label", "mine", "--pin", "7310", "--so-pin", "so-pin"]);
    let key = kit.path("key.pem");
    let import = ["--import", &key, "--token", "mine", "--label", "client", "--id", "a1"];
    prepare(&[&import[..], &["--pin", "7310"]].concat());
    let uri = format!("pkcs11:token=mine;object=client?module-path={module}");
    let cert = kit.path("chain.pem");
    let fetch = |pin: &str| {
        let variables = [("SOFTHSM2_CONF", settings.as_str()), ("PINFOLD_PIN", pin)];
        kit.fetch("client_auth", &["-E", &cert, "--pkcs11", &uri], &variables)
    };
    let output = fetch("7310");
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let output = fetch("0000");
    assert_ne!(output.status.code(), Some(0));
    assert!(told(&output).contains("client_certificate"), "{}", told(&output));
}
