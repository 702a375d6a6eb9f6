//! Keys and stores as OpenSSL and the JDK write them.

mod common;
#[path = "common/process.rs"]
mod process;

use std::process::Command;

use common::*;
use pinfold_core::identity::ClientIdentity;
use process::{folder, write};

/// Keys on curves as the JDK writes them: PKCS#8 without the public point.
#[test]
fn a_key_without_its_public_point_gets_it_from_the_certificate() {
    let kit = kit();
    let folder = folder("openssl");
    write(&folder.join("all.pem"), kit.pki().identity("client"));
    let openssl = |arguments: &[&str]| {
        let done = Command::new("openssl").args(arguments).current_dir(&folder).output();
        let done = done.expect("scripts/setup proxies");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    // OpenSSL can leave it out of SEC1, and keeps it so in PKCS#8.
    openssl(&["ec", "-in", "all.pem", "-no_public", "-out", "sec1.pem"]);
    openssl(&["pkcs8", "-topk8", "-nocrypt", "-in", "sec1.pem", "-out", "pkcs8.pem"]);
    let chain = std::fs::read(folder.join("all.pem")).expect("written");
    for file in ["sec1.pem", "pkcs8.pem"] {
        let key = std::fs::read(folder.join(file)).expect("written");
        let identity = ClientIdentity::from_pem(&chain, &key).expect(file);
        let client = builder(&kit, pinned(&kit, "backend"), "client_auth");
        let client = client.identity(HOST, identity).build().expect("good settings");
        client.get(&url("/")).expect(file);
    }
    let _gone = std::fs::remove_dir_all(folder);
}

#[cfg(feature = "pkcs12")]
#[test]
fn stores_of_openssl_and_keytool_are_read_and_damaged_ones_refused() {
    let kit = kit();
    let folder = folder("stores");
    let run = |program: &str, arguments: &[&str]| {
        let done = Command::new(program).args(arguments).current_dir(&folder).output();
        let done = done.unwrap_or_else(|e| panic!("{program}: {e}"));
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let password = "pass:store secret";
    for (name, more) in [("client", &[][..]), ("client", &["-legacy"]), ("client_rsa", &[])] {
        write(&folder.join("all.pem"), kit.pki().identity(name));
        let export = ["pkcs12", "-export", "-in", "all.pem", "-out", "store.p12"];
        run("openssl", &[&export[..], &["-passout", password], more].concat());
        let store = std::fs::read(folder.join("store.p12")).expect("written");
        let _from_before = std::fs::remove_file(folder.join("java.p12"));
        let [from, to] = ["store.p12", "java.p12"];
        let java =
            ["-importkeystore", "-noprompt", "-srcstoretype", "PKCS12", "-srckeystore", from];
        let java = [&java[..], &["-deststoretype", "PKCS12", "-destkeystore", to]].concat();
        let secrets = ["-srcstorepass", "store secret", "-deststorepass", "store secret"];
        run("keytool", &[java, secrets.to_vec()].concat());
        for store in [store.clone(), std::fs::read(folder.join(to)).expect("written")] {
            let identity = ClientIdentity::from_pkcs12(&store, "store secret").expect(name);
            let client = builder(&kit, pinned(&kit, "backend"), "client_auth");
            let client = client.identity(HOST, identity).build().expect("good settings");
            client.get(&url("/")).unwrap_or_else(|e| panic!("{name} {more:?}: {e}"));
        }

        let refused = |store: &[u8], password: &str| {
            let error = ClientIdentity::from_pkcs12(store, password).expect_err("no store");
            assert_eq!((error.code(), error.place()), ("invalid_config", Some("identity.pkcs12")));
            assert!(!error.to_string().contains("secret"), "{error}");
        };
        refused(&store, "another secret");
        refused(&store[..store.len() - 1], "store secret");
        refused(b"", "store secret");
        refused(&[0x30; 3_000], "store secret");
        refused(&vec![0; (1 << 20) + 1], "store secret");
    }
    // A key that the JDK has made has no public point.
    for (curve, name) in [("secp256r1", "p256.p12"), ("secp384r1", "p384.p12")] {
        let make = ["-genkeypair", "-keyalg", "EC", "-groupname", curve, "-dname", "CN=client"];
        let store = ["-storetype", "PKCS12", "-keystore", name, "-storepass", "store secret"];
        run("keytool", &[&make[..], &store].concat());
        let store = std::fs::read(folder.join(name)).expect("written");
        let identity = ClientIdentity::from_pkcs12(&store, "store secret").expect(name);
        let client = builder(&kit, pinned(&kit, "backend"), "client_auth");
        let client = client.identity(HOST, identity).build().expect("good settings");
        let error = client.get(&url("/")).expect_err("nobody has signed it");
        assert_eq!(error.code(), "client_certificate_refused", "{error}");
    }
    let _gone = std::fs::remove_dir_all(folder);
}
