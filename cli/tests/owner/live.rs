//! Pins are taken from a server only once it is clear that it is the server.

use pinfold_testkit::Testkit;
use serde_json::Value;

use super::support::{authority, issue, pem, present, private};
use super::{Desk, words};

const HOST: &str = "api.example.test";

struct Kit {
    testkit: Testkit,
    desk: Desk,
}

impl Kit {
    fn new(name: &str) -> Self {
        let testkit = Testkit::start().expect("loopback");
        let desk = Desk::new(name);
        testkit.pki().write_to(&desk.dir).expect("a writable folder");
        desk.ok(&["init", "pins.json", "--static"]);
        Self { testkit, desk }
    }

    fn add(&self, server: &str, more: &[&str]) -> std::process::Output {
        let connect = self.testkit.server(server).addr().to_string();
        let given = ["host", "add", "pins.json", HOST, "--live", "--connect", &connect];
        self.desk.run(&[&given[..], more].concat())
    }

    fn entry(&self) -> Value {
        self.desk.json("pins.json")["hosts"][0].clone()
    }

    fn pin(&self, name: &str) -> String {
        self.testkit.pki().pin(name).replace("sha256/", "")
    }
}

#[test]
fn the_key_of_a_trusted_server_is_pinned() {
    let kit = Kit::new("live-leaf");
    let output = kit.add("backend", &["--roots", "root.pem"]);
    assert!(output.status.success(), "{}", words(&output));
    let pin = &kit.entry()["pins"][0];
    assert_eq!(pin["sha256"], kit.pin("backend"));
    assert_eq!((&pin["at"], &pin["state"]), (&Value::from("leaf"), &Value::from("active")));
    assert_eq!(kit.entry()["mode"], "report_only");
}

#[test]
fn with_at_ca_it_is_the_root_of_the_path() {
    let kit = Kit::new("live-ca");
    let output = kit.add("backend", &["--roots", "root.pem", "--at", "ca"]);
    assert!(output.status.success(), "{}", words(&output));
    let pin = &kit.entry()["pins"][0];
    assert_eq!(pin["sha256"], kit.pin("root"));
    assert_eq!(pin["at"], "ca");
}

#[test]
fn an_untrusted_server_is_an_impostor_until_somebody_says_otherwise() {
    let kit = Kit::new("live-untrusted");
    let before = kit.desk.text("pins.json");
    let output = kit.add("backend", &["--roots", "other_root.pem"]);
    assert_eq!(output.status.code(), Some(2), "{}", words(&output));
    assert!(words(&output).contains("not trusted"), "{}", words(&output));
    assert_eq!(kit.desk.text("pins.json"), before);
    let output =
        kit.add("backend", &["--roots", "other_root.pem", "--at", "ca", "--accept-untrusted"]);
    assert!(words(&output).contains("no verified path"), "{}", words(&output));
    let output = kit.add("backend", &["--roots", "other_root.pem", "--accept-untrusted"]);
    assert!(output.status.success(), "{}", words(&output));
    assert_eq!(kit.entry()["pins"][0]["sha256"], kit.pin("backend"));
}

#[test]
fn a_private_authority_judges_its_own_servers() {
    let kit = Kit::new("live-private");
    let private = ["--trust", "private_ca", "--anchor"];
    let output = kit.add("backend", &[&private[..], &["other_root.pem"]].concat());
    assert!(words(&output).contains("not trusted"), "{}", words(&output));
    let output = kit.add("backend", &[&private[..], &["root.pem"]].concat());
    assert!(output.status.success(), "{}", words(&output));
    assert_eq!(kit.entry()["anchors"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_server_with_the_key_of_its_issuer_is_a_proxy_that_inspects() {
    let desk = Desk::new("live-inspected");
    desk.ok(&["init", "pins.json", "--static"]);
    let ca = authority("An inspecting proxy");
    let root = ca.as_ref().der().clone();
    desk.write("ca.pem", pem(std::slice::from_ref(&root)));
    let leaf = issue(&[HOST], ca.key(), &ca);
    let address = present(vec![leaf, root], private(ca.key())).to_string();
    let before = desk.text("pins.json");
    let given = ["host", "add", "pins.json", HOST, "--live", "--connect", &address];
    // Not even for whoever trusts it.
    for more in [&["--roots", "ca.pem"][..], &["--accept-untrusted"]] {
        let said = desk.refused(&[&given[..], more].concat());
        assert!(said.contains("as with proxies that inspect"), "{said}");
        assert_eq!(desk.text("pins.json"), before);
    }
}
