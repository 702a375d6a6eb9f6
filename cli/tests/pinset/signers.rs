//! Whoever holds the key: openssl, a command, an HSM.

use serde_json::json;

use super::{Desk, parsed, pinset, words};

#[test]
fn a_signature_made_elsewhere_is_attached() {
    let desk = Desk::after_the_ceremony("detached");
    desk.keygen("root-d");
    desk.ok(&[
        "root",
        "add-key",
        "root-1.json",
        "--key",
        "root-d=root-d.pem.pub",
        "-o",
        "root-2.json",
    ]);
    let said = desk.ok(&["tbs", "root-2.json", "-o", "tbs.bin", "--digest", "digest.bin"]);
    let tbs = desk.read("tbs.bin");
    assert!(tbs.starts_with(b"DSSEv1 36 application/vnd.pinfold.root.v1+json "));
    assert_eq!(said["bytes"], tbs.len());
    let hex: String = desk.read("digest.bin").iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(said["sha256"], *hex);
    let openssl = desk.command("openssl", &["dgst", "-sha256", "-r", "tbs.bin"]).output();
    assert!(words(&openssl.expect("openssl")).starts_with(&hex));

    // Over the bytes, and over the digest as key services do it.
    desk.tool("openssl", &["dgst", "-sha256", "-sign", "root-a.pem", "-out", "a.sig", "tbs.bin"]);
    desk.ok(&["attach", "root-2.json", "--id", "root-a", "--sig", "a.sig"]);
    desk.tool(
        "openssl",
        &["pkeyutl", "-sign", "-inkey", "root-b.pem", "-in", "digest.bin", "-out", "b.sig"],
    );
    desk.tool("sh", &["-c", "base64 b.sig > b.b64"]);
    let attached = desk.ok(&["attach", "root-2.json", "--id", "root-b", "--sig", "b.b64"]);
    assert_eq!(attached["counted"], json!(["root-a", "root-b"]));
    // The digest is the same for everybody, before and after.
    assert_eq!(desk.ok(&["tbs", "root-2.json"]), said);

    // A pin set, from the payload to the envelope.
    desk.write("p.json", pinset(2, 0).to_string());
    desk.ok(&["tbs", "p.json", "--type", "pinset", "-o", "tbs.bin"]);
    desk.tool("openssl", &["dgst", "-sha256", "-sign", "pin.pem", "-out", "pin.sig", "tbs.bin"]);
    let attach = ["attach", "p.json", "--type", "pinset", "--id", "pin", "--sig", "pin.sig", "-o"];
    let attach = [&attach[..], &["p.dsse.json", "--root", "root-2.json"]].concat();
    desk.ok(&attach);
    desk.bundle("bundle.json", &["root-1.json", "root-2.json"], "p.dsse.json");
    assert_eq!(desk.verify("bundle.json", &["app-1.json"]).0, 0);

    // Over something else, by somebody else, or nothing of the kind.
    desk.write("rubbish", "rubbish");
    desk.write("empty", "");
    for (id, sig, reason) in [
        ("root-a", "b.sig", "not by this key"),
        ("root-a", "pin.sig", "not by this key"),
        ("root-a", "rubbish", "no ES256 signature"),
        ("root-a", "empty", "no ES256 signature"),
        ("root-x", "a.sig", "root-x"),
        ("root-a", "none", "No such file"),
    ] {
        let before = desk.read("root-2.json");
        let text = desk.fails(2, &["attach", "root-2.json", "--id", id, "--sig", sig]);
        assert!(text.contains(reason), "{id} {sig}: {text}");
        assert_eq!(desk.read("root-2.json"), before);
    }
}

#[test]
fn a_command_signs_in_any_form() {
    let desk = Desk::after_the_ceremony("exec");
    let der = "openssl dgst -sha256 -sign pin.pem";
    // What openssl calls plain is DER; the raw form is cut out of it by ourselves.
    let raw = "cat > m && openssl dgst -sha256 -sign pin.pem m | openssl asn1parse -inform DER | \
               awk -F: '/INTEGER/ { h = $NF; while (length(h) < 64) h = \"0\" h; printf \"%s\", h }' | \
               perl -pe '$_ = pack \"H*\", $_'";
    for (i, command) in [
        der.to_owned(),
        format!("{der} | base64"),
        format!("{der} | base64 -w0 | tr '+/' '-_' | tr -d ="),
        raw.to_owned(),
        format!("{raw} | base64"),
    ]
    .iter()
    .enumerate()
    {
        let output = format!("p-{i}.dsse.json");
        let signed = desk.ok(&[
            "sign",
            "--in",
            "pinset-0-1.dsse.json",
            "--exec",
            command,
            "--id",
            "pin",
            "--root",
            "root-1.json",
            "-o",
            &output,
        ]);
        assert_eq!(signed["counted"], json!(["pin"]), "{command}");
        desk.bundle("bundle.json", &["root-1.json"], &output);
    }
    // The public key itself does as well as a root that names it.
    let public = ["--exec", der, "--public", "pin.pem.pub"];
    desk.ok(&[&["sign", "--in", "pinset-0-1.dsse.json", "--id", "pin"], &public[..]].concat());
    let sign = |command: &str| {
        let given =
            ["sign", "--in", "pinset-0-1.dsse.json", "--id", "pin", "--root", "root-1.json"];
        let before = desk.read("pinset-0-1.dsse.json");
        let text = desk.fails(2, &[&given[..], &["--exec", command]].concat());
        assert_eq!(desk.read("pinset-0-1.dsse.json"), before);
        assert!(text.contains("--exec"), "{text}");
        text
    };
    assert!(sign("exit 7").contains("7"));
    assert!(sign("cat").contains("no ES256 signature"));
    assert!(sign("true").contains("0 bytes"));
    assert!(sign("yes").contains("failed") || sign("yes").contains("no ES256 signature"));
    assert!(sign("openssl dgst -sha256 -sign root-a.pem").contains("not by this key"));
    assert!(sign("/nonexistent/program 2>/dev/null").contains("failed"));
}

/// A token of its own for each test, in software: the real protocol, and OpenSC's real tool.
#[cfg(target_os = "linux")]
#[test]
fn an_hsm_signs_over_pkcs11() {
    let module = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"]
        .into_iter()
        .find(|path| std::path::Path::new(path).exists())
        .expect("SoftHSM 2: apt-get install softhsm2 opensc");
    let desk = Desk::after_the_ceremony("pkcs11");
    let pin = "7310-secret";
    std::fs::create_dir(desk.path("tokens")).expect("a folder");
    let tokens = desk.path("tokens");
    desk.write("softhsm2.conf", format!("directories.tokendir = {}\n", tokens.display()));
    // A pkcs11-tool that notes its arguments, before the real one.
    std::fs::create_dir(desk.path("bin")).expect("a folder");
    let noted = desk.path("arguments");
    desk.write(
        "bin/pkcs11-tool",
        format!(
            "#!/bin/sh\necho \"$@\" >> '{}'\nPATH=${{PATH#*:}} exec pkcs11-tool \"$@\"\n",
            noted.display(),
        ),
    );
    desk.tool("chmod", &["+x", "bin/pkcs11-tool"]);
    let path = std::env::var("PATH").expect("a path");
    let path = format!("{}:{path}", desk.path("bin").display());
    let with_token = |program: &str, arguments: &[&str], pin: Option<&str>| {
        let mut command = desk.command(program, arguments);
        command.env("SOFTHSM2_CONF", desk.path("softhsm2.conf"));
        command.env_remove("PINFOLD_PIN").env_remove("PINFOLD_PKCS11_MODULE");
        if program == env!("CARGO_BIN_EXE_pinfold") {
            command.env("PATH", &path).envs(pin.map(|pin| ("PINFOLD_PIN", pin)));
        }
        command.output().unwrap_or_else(|e| panic!("{program}: {e}"))
    };
    let prepare = |program: &str, arguments: &[&str]| {
        let output = with_token(program, arguments, None);
        assert!(output.status.success(), "{program}: {}", words(&output));
    };
    prepare(
        "softhsm2-util",
        &["--init-token", "--free", "--label", "pinfold test", "--pin", pin, "--so-pin", "so-pin"],
    );
    let token = ["--module", module, "--token-label", "pinfold test"];
    // The first one is not ours, and two have one name.
    for (label, id) in [("other", "b2"), ("pins", "a1"), ("twin", "c3"), ("twin", "c4")] {
        let make =
            format!("--login --pin {pin} --keypairgen --key-type EC:prime256v1 --usage-sign");
        let make: Vec<_> = make.split(' ').chain(["--label", label, "--id", id]).collect();
        prepare("pkcs11-tool", &[&token[..], &make].concat());
    }
    prepare(
        "pkcs11-tool",
        &[&token[..], &["--read-object", "--type", "pubkey", "--label", "pins", "-o", "hsm.pub"]]
            .concat(),
    );

    // Its key joins by a new root, and signs.
    desk.ok(&[
        "root",
        "add-key",
        "root-1.json",
        "--pinset-key",
        "hsm=hsm.pub",
        "-o",
        "root-2.json",
    ]);
    desk.sign("root-2.json", &["root-a", "root-b"]);
    desk.write("p.json", pinset(2, 0).to_string());
    desk.write("pin.txt", format!("{pin}\n"));
    let pin_file = desk.path("pin.txt");
    let source = format!("&pin-source=file:{}", pin_file.display());
    let base = format!("pkcs11:token=pinfold%20test;{{}};type=private?module-path={module}");
    let uri = |key: &str, more: &str| base.replace("{}", key) + more;
    let sign = |uri: &str, pin: Option<&str>| {
        let given = ["sign", "--type", "pinset", "--in", "p.json", "--id", "hsm", "--json"];
        let more = ["--root", "root-2.json", "-o", "p.dsse.json", "--pkcs11", uri];
        with_token(env!("CARGO_BIN_EXE_pinfold"), &[&given[..], &more].concat(), pin)
    };
    for (uri, given) in [
        (uri("object=pins", ""), Some(pin)),
        (uri("id=%a1", ""), Some(pin)),
        (uri("object=pins;id=%A1", &source), None),
        (uri("object=pins", &source), Some("wrong")),
    ] {
        let _from_before = std::fs::remove_file(desk.path("p.dsse.json"));
        let output = sign(&uri, given);
        assert!(output.status.success(), "{uri}: {}", words(&output));
        assert_eq!(parsed(&output)["counted"], json!(["hsm"]));
        desk.bundle("bundle.json", &["root-1.json", "root-2.json"], "p.dsse.json");
        assert_eq!(desk.verify("bundle.json", &["app-1.json"]).0, 0);
    }
    let before = desk.read("p.dsse.json");
    for (uri, given, reason) in [
        (uri("object=pins", ""), Some("wrong"), "CKR_PIN_INCORRECT"),
        (uri("object=pins", ""), None, "failed"),
        (uri("object=other", ""), Some(pin), "not by this key"),
        (uri("id=%b2", ""), Some(pin), "not by this key"),
        (uri("object=none", ""), Some(pin), "no private key"),
        (uri("object=pins;id=%b2", ""), Some(pin), "no private key"),
        (uri("id=%d5", ""), Some(pin), "failed"),
        (uri("object=twin", ""), Some(pin), "several"),
        (uri("object=twin;id=%c4", ""), Some(pin), "not by this key"),
        (uri("object=pins", "").replace("pinfold%20test", "another"), Some(pin), "failed"),
        (uri("object=pins", "&pin-source=/nonexistent"), None, "/nonexistent"),
        (uri("object=pins", &format!("&pin-value={pin}")), None, "pin-value"),
        ("pkcs11:object=pins?module-path=/nonexistent.so".to_owned(), Some(pin), "failed"),
        ("pkcs11:object=pins".to_owned(), Some(pin), "module-path"),
    ] {
        let output = sign(&uri, given);
        assert_eq!(output.status.code(), Some(2), "{uri}: {}", words(&output));
        assert_eq!(parsed(&output)["error"]["code"], "invalid_input");
        let text = words(&output);
        assert!(text.contains(reason) && !text.contains(pin), "{uri}: {text}");
    }
    assert_eq!(desk.read("p.dsse.json"), before);
    let noted = std::fs::read_to_string(noted).expect("it was called");
    assert!(noted.contains("--pin env:PINFOLD_PIN") && !noted.contains(pin), "{noted}");
}

#[test]
fn everybody_signs_the_same_bytes() {
    let desk = Desk::after_the_ceremony("same");
    desk.keygen("pin-2");
    desk.ok(&[
        "root",
        "add-key",
        "root-1.json",
        "--pinset-key",
        "pin-2=pin-2.pem.pub",
        "--pinset-threshold",
        "2",
        "-o",
        "root-2.json",
    ]);
    desk.sign("root-2.json", &["root-a", "root-b"]);
    // Spaces and the order of members stay as they were written.
    let text = format!("{:#}\n\n", pinset(2, 0));
    desk.write("p.json", &text);
    let sign = |input: &str, id: &str| {
        let key = format!("{id}.pem");
        let given = ["sign", "--type", "pinset", "--in", input, "--key", &key, "--id", id];
        desk.ok(&[&given[..], &["--root", "root-2.json", "-o", "p.dsse.json"]].concat())
    };
    assert_eq!(sign("p.json", "pin")["counted"], json!(["pin"]));
    let first = desk.json("p.dsse.json");
    // From the payload or from the envelope, the second signature joins the first.
    assert_eq!(sign("p.json", "pin-2")["counted"], json!(["pin", "pin-2"]));
    assert_eq!(sign("p.dsse.json", "pin-2")["counted"], json!(["pin", "pin-2"]));
    let second = desk.json("p.dsse.json");
    assert_eq!(first["payload"], second["payload"]);
    assert_eq!(first["signatures"][0], second["signatures"][0]);
    desk.bundle("bundle.json", &["root-1.json", "root-2.json"], "p.dsse.json");

    // An envelope around other bytes is not replaced.
    desk.write("p.json", text.trim_end());
    let given = ["sign", "--type", "pinset", "--in", "p.json", "--key", "pin.pem", "--id", "pin"];
    let text = desk.fails(2, &[&given[..], &["-o", "p.dsse.json"]].concat());
    assert!(text.contains("another document"), "{text}");
    assert_eq!(desk.json("p.dsse.json"), second);
}
