//! Inspection authorities: an organisation's own interceptor passes only where the signed pin set
//! *and* the device's management name it, for the host and the time, and it is always told.

mod common;

use std::sync::{Arc, Mutex};

use common::*;
use pinfold_core::pin::{ManagedConfiguration, Outcome};
use pinfold_core::update::{PinSetUpdater, Refreshed, UpdateEvent};
use pinfold_core::verify::{TrustQuestion, TrustedPath};
use pinfold_core::{Client, PlatformTrust, Roots, UntrustedReason};
use pinfold_testkit::{Owner, Testkit};
use serde_json::{Value, json};

const ID: &str = "acme-2026";
const KEY: &str = "inspection_authority_id";

/// What the device's management says; none where it does not manage the app.
#[derive(Debug, Default)]
struct Managed(Mutex<Option<&'static str>>);

impl ManagedConfiguration for Managed {
    fn value(&self, key: &str) -> Option<String> {
        let value = self.0.lock().expect("a value").filter(|_| key == KEY);
        assert!(value != Some("panic"), "as told");
        value.map(str::to_owned)
    }
}

/// A trust manager of a device on which the interceptor's authority is installed.
#[derive(Debug)]
struct Device {
    path: Vec<Vec<u8>>,
    added: Option<bool>,
    by_admin: Option<bool>,
}

impl PlatformTrust for Device {
    fn verify(&self, _: &TrustQuestion) -> Result<TrustedPath, UntrustedReason> {
        Ok(TrustedPath {
            certificates: self.path.clone(),
            added_authority: self.added,
            added_by_admin: self.by_admin,
        })
    }
}

fn authority(kit: &Testkit) -> Value {
    json!({
        "id": ID, "spki_sha256": digest(&kit.pki().pin("other_root")), "mode": "allow",
        "hosts": [HOST], "never_hosts": ["auth.example.test"],
        "not_before": Owner::time(-1), "not_after": Owner::time(30),
        "require": { "managed_config": true, "managed_config_key": KEY },
    })
}

/// A client of a device that trusts `roots`, with one authority in its pin set.
struct Inspected {
    client: Client,
    managed: Arc<Managed>,
    events: Arc<Mutex<Vec<UpdateEvent>>>,
    updater: PinSetUpdater,
}

fn inspected(kit: &Testkit, roots: Roots, edit: impl FnOnce(&mut Value)) -> Inspected {
    let mut payload = Owner::payload(kit.pki(), 1, &["backend"]);
    payload["inspection_authorities"] = json!([authority(kit)]);
    edit(&mut payload);
    let managed = Arc::new(Managed(Mutex::new(Some(ID))));
    let events = Arc::new(Mutex::new(Vec::new()));
    let list = events.clone();
    let updater = PinSetUpdater::builder(kit.owner().embedded(&payload).to_string().as_bytes())
        .managed_configuration(managed.clone())
        .listener(move |event| list.lock().expect("a list").push(event.clone()))
        .roots(Roots::Only(vec![kit.pki().certificate("root").to_vec()]))
        .connect_to("www.example.test", 443, kit.server("rsa").addr())
        .connect_to("other.example.test", 443, kit.server("rsa").addr())
        .build()
        .expect("a good updater");
    let client = Client::builder_with(&updater)
        .roots(roots)
        .connect_to(HOST, 443, kit.server("interceptor").addr())
        .build()
        .expect("good settings");
    Inspected { client, managed, events, updater }
}

fn with_authority(kit: &Testkit) -> Roots {
    let der = |name| kit.pki().certificate(name).to_vec();
    Roots::Only(vec![der("root"), der("other_root")])
}

fn code(client: &Client) -> Option<&'static str> {
    client.get(&url("/")).err().map(|error| error.code())
}

#[test]
fn what_owner_and_management_both_name_passes_and_is_always_told() {
    let kit = kit();
    let Inspected { client, events, updater, .. } = inspected(&kit, with_authority(&kit), |_| {});
    for version in 2..4 {
        let response = client.get(&url("/")).expect("inspected with consent");
        assert_eq!(response.verdict().outcome, Outcome::Inspected(ID.into()));
        assert!(response.verdict().facts.interception.is_some(), "who it is, is told as ever");
        assert_eq!(response.matched_pin(), None);
        // A newer pin set makes no news of it.
        let mut payload = Owner::payload(kit.pki(), version, &["backend"]);
        payload["inspection_authorities"] = json!([authority(&kit)]);
        kit.server("rsa").publish("/bundle.json", kit.owner().bundle(&payload));
        assert_eq!(updater.refresh(), Ok(Refreshed::Updated));
    }
    let inspected = UpdateEvent::Inspected { host: HOST.into(), authority: ID.into() };
    let told = events.lock().expect("a list").clone();
    assert_eq!(told.iter().filter(|event| **event == inspected).count(), 1);
    let chain = [kit.pki().certificate("interceptor").to_vec()];
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("1970");
    let explained = client.explain(HOST, &chain, now.as_secs()).expect("explained");
    assert_eq!(explained.to_json()["verdict"], "inspected");
    assert_eq!(explained.to_json()["decision"], "allow");
}

#[test]
fn with_any_condition_missing_it_is_a_mismatch() {
    let kit = kit();
    type Edit = fn(&mut Value);
    let cases: [(&str, Edit); 8] = [
        ("not in the document", |p| p["inspection_authorities"] = json!([])),
        ("another key", |p| {
            p["inspection_authorities"][0]["spki_sha256"] =
                p["hosts"][0]["pins"][0]["sha256"].clone();
        }),
        ("over", |p| {
            p["inspection_authorities"][0]["not_before"] = json!(Owner::time(-9));
            p["inspection_authorities"][0]["not_after"] = json!(Owner::time(-1));
        }),
        ("not yet", |p| p["inspection_authorities"][0]["not_before"] = json!(Owner::time(1))),
        ("another host", |p| {
            p["inspection_authorities"][0]["hosts"] = json!(["www.example.test"]);
        }),
        ("a host above it only", |p| {
            p["inspection_authorities"][0]["hosts"] = json!(["example.test"]);
        }),
        ("never this host", |p| p["inspection_authorities"][0]["never_hosts"] = json!([HOST])),
        ("never a host above", |p| {
            p["inspection_authorities"][0]["never_hosts"] = json!(["example.test"]);
        }),
    ];
    for (case, edit) in cases {
        let Inspected { client, .. } = inspected(&kit, with_authority(&kit), edit);
        assert_eq!(code(&client), Some("pin_mismatch"), "{case}");
    }
    let Inspected { client, managed, .. } = inspected(&kit, with_authority(&kit), |_| {});
    for (value, expected) in [
        (None, Some("pin_mismatch")),
        (Some("acme-2025"), Some("pin_mismatch")),
        (Some("panic"), Some("pin_mismatch")),
        (Some(ID), None),
        // Withdrawn: no session of before is resumed without asking.
        (None, Some("pin_mismatch")),
    ] {
        *managed.0.lock().expect("a value") = value;
        kit.server("interceptor").drop_connections();
        assert_eq!(code(&client), expected, "{value:?}");
    }
    // A blocked key is blocked for everybody.
    let blocked = kit.pki().pin("other_root");
    let Inspected { client, .. } =
        inspected(&kit, with_authority(&kit), |p| p["blocked_spki"] = json!([digest(&blocked)]));
    assert_eq!(code(&client), Some("blocked_key"));
    // Nor does consent replace trust.
    let trusted = Roots::Only(vec![kit.pki().certificate("root").to_vec()]);
    let Inspected { client, .. } = inspected(&kit, trusted, |_| {});
    assert_eq!(code(&client), Some("certificate_unknown_issuer"));
}

#[test]
fn by_a_platform_the_authority_must_be_proved_and_be_the_administrators() {
    let kit = kit();
    let der = |name: &str| kit.pki().certificate(name).to_vec();
    let whole = vec![der("interceptor"), der("other_root")];
    let pasted = vec![der("interceptor"), der("root"), der("other_root")];
    let mismatch = Some("pin_mismatch");
    for (case, path, added, by_admin, expected) in [
        ("told", whole.clone(), Some(true), None, None),
        ("told, origin unknown", whole.clone(), None, None, None),
        ("the administrator's", whole.clone(), Some(true), Some(true), None),
        ("the user's own", whole.clone(), Some(true), Some(false), mismatch),
        ("the system's", whole.clone(), Some(false), None, mismatch),
        ("not on the path", vec![der("interceptor"), der("root")], Some(true), None, mismatch),
        ("not told and not presented", vec![], Some(true), None, mismatch),
    ] {
        let roots = Roots::Platform(Arc::new(Device { path, added, by_admin }));
        let Inspected { client, .. } = inspected(&kit, roots, |_| {});
        assert_eq!(code(&client), expected, "{case}");
    }
    // What does not issue the certificate proves nothing, wherever it stands: here the backend's
    // leaf and the authority behind it.
    let path = vec![der("interceptor"), der("intermediate")];
    let roots = Roots::Platform(Arc::new(Device { path, added: None, by_admin: None }));
    let Inspected { client, .. } = inspected(&kit, roots, |p| {
        p["inspection_authorities"][0]["spki_sha256"] =
            json!(digest(&kit.pki().pin("intermediate")));
    });
    assert_eq!(code(&client), mismatch, "pasted");
    // A path with something else on it is one all the same if it can be proved.
    let roots = Roots::Platform(Arc::new(Device { path: pasted, added: None, by_admin: None }));
    let Inspected { client, .. } = inspected(&kit, roots, |_| {});
    assert_eq!(code(&client), None);
    // Where the owner does not care who has installed it.
    let roots =
        Roots::Platform(Arc::new(Device { path: whole, added: Some(true), by_admin: Some(false) }));
    let Inspected { client, .. } = inspected(&kit, roots, |p| {
        p["inspection_authorities"][0]["require"]["ca_installed_by_admin"] = json!(false);
    });
    assert_eq!(code(&client), None);
}
