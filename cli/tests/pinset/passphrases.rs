//! Keys under a passphrase: where it comes from, and that OpenSSL and `pinfold` read each other's.

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::json;

use super::{Desk, parsed, words};

const PASSPHRASE: &str = "correct horse battery";
const PINFOLD: &str = env!("CARGO_BIN_EXE_pinfold");

/// `pinfold`, with nobody at a terminal, whoever runs the tests.
fn alone(desk: &Desk, arguments: &[&str], passphrase: Option<&str>) -> Output {
    let mut command = desk.command("setsid", &[&["--wait", PINFOLD][..], arguments].concat());
    command.env_remove("PINFOLD_PASSPHRASE");
    command.envs(passphrase.map(|passphrase| ("PINFOLD_PASSPHRASE", passphrase)));
    let output = command.output().expect("setsid");
    let said = words(&output);
    assert!(!said.contains(passphrase.filter(|p| !p.is_empty()).unwrap_or("\0")), "{said}");
    output
}

/// `pinfold` at a terminal at which somebody types.
fn typed(desk: &Desk, command: &str, keys: &str) -> Output {
    let mut child = desk
        .command("script", &["--quiet", "--return", "--command", command, "/dev/null"])
        .env_remove("PINFOLD_PASSPHRASE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script");
    child.stdin.take().expect("piped").write_all(keys.as_bytes()).expect("read");
    child.wait_with_output().expect("an end")
}

fn sign<'a>(key: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let given = ["sign", "--type", "pinset", "--in", "pinset-0-1.json", "--root", "root-2.json"];
    let output = ["--id", "sealed", "--key", key, "-o", "signed.json", "--json"];
    [&given[..], &output, more].concat()
}

/// A root that knows the key of a file as a signer of pin sets.
fn joined(desk: &Desk, public: &str) {
    let _from_before = std::fs::remove_file(desk.path("root-2.json"));
    let _from_before = std::fs::remove_file(desk.path("signed.json"));
    let key = format!("sealed={public}");
    desk.ok(&["root", "add-key", "root-1.json", "--pinset-key", &key, "-o", "root-2.json"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_key_under_a_passphrase_signs_and_is_openssls_too() {
    let desk = Desk::after_the_ceremony("passphrase");
    let keygen = ["keygen", "--encrypt", "--json", "--out"];
    let made = alone(&desk, &[&keygen[..], &["sealed.pem"]].concat(), Some(PASSPHRASE));
    assert!(made.status.success(), "{}", words(&made));
    assert_eq!(parsed(&made)["encrypted"], true);
    let pem = String::from_utf8(desk.read("sealed.pem")).expect("PEM");
    assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "not encrypted");
    let passin = format!("pass:{PASSPHRASE}");
    desk.tool("openssl", &["pkey", "-in", "sealed.pem", "-passin", &passin, "-check", "-noout"]);
    desk.tool(
        "openssl",
        &["pkey", "-in", "sealed.pem", "-passin", &passin, "-pubout", "-out", "again.pub"],
    );
    assert_eq!(desk.read("again.pub"), desk.read("sealed.pem.pub"));

    joined(&desk, "sealed.pem.pub");
    desk.write("passphrase", format!("{PASSPHRASE}\r\n"));
    desk.write("wrong", "incorrect horse battery");
    desk.write("two", "correct\nhorse");
    desk.write("none", "\n");
    desk.write("latin", b"stra\xdfe");
    let from_file = |file| sign("sealed.pem", &["--passphrase-file", file]);
    for (arguments, passphrase) in [
        (sign("sealed.pem", &[]), Some(PASSPHRASE)),
        (from_file("passphrase"), None),
        // The file is meant, whatever the environment says.
        (from_file("passphrase"), Some("something else")),
    ] {
        let output = alone(&desk, &arguments, passphrase);
        assert!(output.status.success(), "{arguments:?}: {}", words(&output));
        assert_eq!(parsed(&output)["counted"], json!(["sealed"]));
        std::fs::remove_file(desk.path("signed.json")).expect("written");
    }
    for (arguments, passphrase, reason) in [
        (sign("sealed.pem", &[]), Some("correct horse batter"), "another passphrase"),
        (sign("sealed.pem", &[]), None, "nobody to ask"),
        (sign("sealed.pem", &[]), Some(""), "nobody to ask"),
        (from_file("wrong"), None, "another passphrase"),
        (from_file("two"), None, "not one line"),
        (from_file("none"), None, "not one line"),
        (from_file("latin"), None, "not UTF-8"),
        (from_file("nothing"), None, "No such file"),
    ] {
        let output = alone(&desk, &arguments, passphrase);
        assert_eq!(output.status.code(), Some(2), "{reason}: {}", words(&output));
        assert!(words(&output).contains(reason), "{reason}: {}", words(&output));
        assert!(!desk.path("signed.json").exists());
    }

    // A key that would be easy to guess, or that would not be encrypted after all, is not made.
    for (more, passphrase, reason) in [
        (&[][..], Some("hunter2"), "shorter than 12"),
        (&[], None, "nobody to ask"),
        (&["--passphrase-file", "two"], None, "not one line"),
    ] {
        let output = alone(&desk, &[&keygen[..], &["new.pem"], more].concat(), passphrase);
        assert_eq!(output.status.code(), Some(2), "{reason}: {}", words(&output));
        assert!(words(&output).contains(reason), "{reason}: {}", words(&output));
        assert!(!desk.path("new.pem").exists());
    }
    let text = desk.fails(2, &["keygen", "--out", "new.pem", "--passphrase-file", "passphrase"]);
    assert!(text.contains("only with --encrypt"), "{text}");
    assert!(!desk.path("new.pem").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn what_openssl_has_encrypted_signs_and_what_is_too_dear_is_not_tried() {
    let desk = Desk::after_the_ceremony("passphrase-openssl");
    let passout = format!("pass:{PASSPHRASE}");
    desk.tool(
        "openssl",
        &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ec.pem"],
    );
    desk.tool("openssl", &["pkey", "-in", "ec.pem", "-pubout", "-out", "ec.pub"]);
    joined(&desk, "ec.pub");
    let topk8 = |options: &[&str]| {
        let given =
            ["pkcs8", "-topk8", "-in", "ec.pem", "-passout", &passout, "-out", "sealed.pem"];
        desk.tool("openssl", &[&given[..], options].concat());
    };
    for options in [
        &["-scrypt"][..],
        &["-v2", "aes-256-cbc"],
        &["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512", "-iter", "20000"],
        &["-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA256"],
    ] {
        topk8(options);
        let output = alone(&desk, &sign("sealed.pem", &[]), Some(PASSPHRASE));
        assert!(output.status.success(), "{options:?}: {}", words(&output));
        let output = alone(&desk, &sign("sealed.pem", &[]), Some("incorrect horse"));
        assert!(words(&output).contains("another passphrase"), "{}", words(&output));
    }

    // Sixteen passes at most: this one would have 127.
    topk8(&["-scrypt", "-scrypt_p", "5", "-outform", "DER"]);
    let mut der = desk.read("sealed.pem");
    let at = der.windows(6).position(|window| window == [2, 1, 8, 2, 1, 5]).expect("r and p");
    der[at + 5] = 127;
    desk.write("dear.der", der);
    desk.tool(
        "sh",
        &[
            "-c",
            "{ echo '-----BEGIN ENCRYPTED PRIVATE KEY-----'; base64 dear.der; \
             echo '-----END ENCRYPTED PRIVATE KEY-----'; } > dear.pem",
        ],
    );
    // Nobody is asked for its passphrase either.
    let output = alone(&desk, &sign("dear.pem", &[]), None);
    assert!(words(&output).contains("would cost too much"), "{}", words(&output));

    // OpenSSL's own older form is none of PKCS#8.
    desk.tool(
        "openssl",
        &["ec", "-in", "ec.pem", "-aes256", "-passout", &passout, "-out", "o.pem"],
    );
    let output = alone(&desk, &sign("o.pem", &[]), Some(PASSPHRASE));
    assert!(words(&output).contains("openssl pkcs8 -topk8"), "{}", words(&output));
}

#[cfg(target_os = "linux")]
#[test]
fn people_are_asked_at_the_terminal_and_twice_for_a_new_one() {
    let desk = Desk::after_the_ceremony("passphrase-terminal");
    let keygen = format!("{PINFOLD} keygen --encrypt --out sealed.pem");
    let twice = format!("{PASSPHRASE}\n{PASSPHRASE}\n");
    let output = typed(&desk, &keygen, &format!("{PASSPHRASE}\nincorrect horse\n"));
    assert!(!output.status.success() && words(&output).contains("not the same"), "{output:?}");
    assert!(!desk.path("sealed.pem").exists());
    let output = typed(&desk, &keygen, &twice);
    assert!(output.status.success(), "{}", words(&output));
    joined(&desk, "sealed.pem.pub");
    let command = [&[PINFOLD][..], &sign("sealed.pem", &[])].concat().join(" ");
    let output = typed(&desk, &command, &format!("{PASSPHRASE}\n"));
    assert!(output.status.success(), "{}", words(&output));
    assert!(words(&output).contains("Passphrase of sealed.pem"), "{}", words(&output));
    assert_eq!(desk.json("signed.json")["signatures"][0]["keyid"], "sealed");
}
