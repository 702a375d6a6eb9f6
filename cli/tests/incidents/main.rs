//! The incidents of `docs/incident-playbook.md`, each with the real tool, real servers and real
//! clients: the fleet recovers, or exactly what the playbook says remains.
//!
//! `scripts/rehearse` plays them with what happens on the screen.

mod company;

use company::{Company, DAY, LAST};
use serde_json::json;

const KEYS: [(&str, &str); 2] = [("backend", "active"), ("backup", "backup")];

/// One phone as it left the shop, and one that has been in use.
fn fleet(company: &Company) -> [company::Phone<'_>; 2] {
    let phones = [company.phone("new", "app-1.json"), company.phone("used", "app-1.json")];
    phones[1].updater.refresh().expect("the mirrors answer");
    phones[1].reaches("match");
    phones
}

#[test]
fn mismatches_rise_at_night_because_nobody_told_of_a_new_key() {
    let company = Company::in_business("mismatch-rotation", "leaf", &KEYS);
    let phones = fleet(&company);
    company.server_presents("rotated");
    for phone in &phones {
        phone.refuses("pin_mismatch");
    }
    // Seen from a network that we trust, it is the key that we know as the next one's.
    let server = company.kit.server("backend").addr().to_string();
    let seen = company.pinfold(0, &["pin", "--live", "api.example.test", "--connect", &server]);
    assert!(seen.contains(&company.kit.pki().pin("rotated")), "{seen}");
    let pins = [("rotated", "active"), ("backend", "retiring"), ("backup", "backup")];
    let signed = company.pinset(&company.document(2, 0, "leaf", &pins), "pins-1", "root-1.json");
    company.bundle("2.json", &["root-1.json"], &signed);
    company.publish("2.json");
    for phone in &phones {
        phone.reaches("match");
        assert_eq!(phone.order(), (1, 0, 2));
    }
    // The server may go back, too.
    company.server_presents("backend");
    phones.iter().for_each(|phone| phone.reaches("match"));
}

#[test]
fn mismatches_rise_at_night_because_somebody_is_in_the_middle() {
    let company = Company::in_business("mismatch-interception", "leaf", &KEYS);
    let phones = fleet(&company);
    company.server_presents("interceptor");
    for phone in &phones {
        // Nothing to sign: it is what pins are for.
        assert!(phone.refuses("pin_mismatch").is_some(), "it says who is there");
        assert_eq!(phone.order(), (1, 0, 1));
    }
    company.server_presents("backend");
    phones.iter().for_each(|phone| phone.reaches("match"));
}

#[test]
fn pins_that_do_harm_are_switched_off_and_on_again() {
    let company = Company::in_business("switched-off", "leaf", &KEYS);
    let phones = fleet(&company);
    company.server_presents("rotated");
    phones.iter().for_each(|phone| drop(phone.refuses("pin_mismatch")));
    let mut document = company.document(2, 0, "leaf", &[]);
    document["hosts"][0]["mode"] = json!("off");
    let signed = company.pinset(&document, "pins-1", "root-1.json");
    company.bundle("2.json", &["root-1.json"], &signed);
    company.publish("2.json");
    phones.iter().for_each(|phone| phone.reaches("not_pinned"));
    let pins = [("rotated", "active"), ("backup", "backup")];
    let signed = company.pinset(&company.document(3, 0, "leaf", &pins), "pins-1", "root-1.json");
    company.bundle("3.json", &["root-1.json"], &signed);
    company.publish("3.json");
    for phone in &phones {
        phone.hands.pass(2 * DAY);
        phone.updater.refresh().expect("the mirrors answer");
        phone.reaches("match");
    }
    company.server_presents("interceptor");
    phones.iter().for_each(|phone| drop(phone.refuses("pin_mismatch")));
}

#[test]
fn a_servers_key_is_stolen() {
    let pins = [("backend", "active"), ("rotated", "backup")];
    let company = Company::in_business("server-key-stolen", "leaf", &pins);
    let phones = fleet(&company);
    // The spare takes over at once; a new spare comes with the document that blocks the thief.
    company.server_presents("rotated");
    phones.iter().for_each(|phone| phone.reaches("match"));
    let pins = [("rotated", "active"), ("backup", "backup")];
    let mut document = company.document(2, 0, "leaf", &pins);
    document["blocked_spki"] = json!([company.kit.pki().pin("backend").replace("sha256/", "")]);
    let signed = company.pinset(&document, "pins-1", "root-1.json");
    company.bundle("2.json", &["root-1.json"], &signed);
    company.publish("2.json");
    for phone in &phones {
        phone.updater.refresh().expect("the mirrors answer");
        phone.reaches("match");
    }
    // The thief, in somebody's network, with a genuine certificate and its key.
    company.server_presents("backend");
    phones.iter().for_each(|phone| drop(phone.refuses("blocked_key")));
}

#[test]
fn the_key_of_pin_sets_is_stolen() {
    let company = Company::in_business("pin-set-key-stolen", "leaf", &KEYS);
    let phones = fleet(&company);
    // The thief pins his own server, at the last version there is, and has a way to publish.
    let pins = [("interceptor", "active"), ("backup", "backup")];
    let theft = company.pinset(&company.document(LAST, 0, "leaf", &pins), "pins-1", "root-1.json");
    company.bundle("theft.json", &["root-1.json"], &theft);
    company.upload("theft.json", &["www.example.test", "other.example.test"]);
    phones[1].updater.refresh().expect("signed by a key that counts");
    company.server_presents("interceptor");
    phones[1].reaches("match");
    company.server_presents("backend");

    // Two of the root keys take his away, and begin an epoch.
    company.key("pins-2");
    let change = ["--pinset-add", "pins-2=pins-2.pem.pub", "--pinset-drop", "pins-1", "--recover"];
    company.rotate("root-1.json", "root-2.json", &change);
    company.sign_root("root-2.json", &["root-b", "root-c"]);
    let signed = company.pinset(&company.document(1, 1, "leaf", &KEYS), "pins-2", "root-2.json");
    company.bundle("healed.json", &["root-1.json", "root-2.json"], &signed);
    company.publish("healed.json");
    for phone in &phones {
        phone.updater.refresh().expect("the mirrors answer");
        phone.reaches("match");
        assert_eq!(phone.order(), (2, 1, 1));
    }
    // He does not come back, not by the mirrors either.
    company.upload("theft.json", &["www.example.test", "other.example.test"]);
    company.server_presents("interceptor");
    for phone in &phones {
        phone.hands.pass(2 * DAY);
        let _refused = phone.updater.refresh();
        phone.refuses("pin_mismatch");
        assert_eq!(phone.order(), (2, 1, 1));
    }
}

#[test]
fn an_authority_is_distrusted() {
    let pins = [("root", "active"), ("other_root", "backup")];
    let company = Company::in_business("authority-distrusted", "ca", &pins);
    let phones = fleet(&company);
    // The certificate of the other authority is accepted without any document.
    company.server_presents("interceptor");
    phones.iter().for_each(|phone| phone.reaches("match"));
    let pins = [("other_root", "active"), ("private_root", "backup")];
    let mut document = company.document(2, 0, "ca", &pins);
    document["blocked_spki"] = json!([company.kit.pki().pin("root").replace("sha256/", "")]);
    let signed = company.pinset(&document, "pins-1", "root-1.json");
    company.bundle("2.json", &["root-1.json"], &signed);
    company.publish("2.json");
    for phone in &phones {
        phone.updater.refresh().expect("the mirrors answer, whoever has issued their certificates");
        phone.reaches("match");
    }
    company.server_presents("backend");
    phones.iter().for_each(|phone| drop(phone.refuses("blocked_key")));
}

#[test]
fn the_key_of_pin_sets_is_lost() {
    let company = Company::in_business("pin-set-key-lost", "leaf", &KEYS);
    let phones = fleet(&company);
    company.lose("pins-1");
    // Nothing ends tonight: what is published holds for its 60 days and 60 more.
    phones[0].hands.pass(100 * DAY);
    phones[0].reaches("match");
    company.key("pins-2");
    let change = ["--pinset-add", "pins-2=pins-2.pem.pub", "--pinset-drop", "pins-1"];
    company.rotate("root-1.json", "root-2.json", &change);
    company.sign_root("root-2.json", &["root-a", "root-c"]);
    let signed = company.pinset(&company.document(2, 0, "leaf", &KEYS), "pins-2", "root-2.json");
    company.bundle("2.json", &["root-1.json", "root-2.json"], &signed);
    company.publish("2.json");
    for phone in &phones {
        phone.updater.refresh().expect("the mirrors answer");
        phone.reaches("match");
        assert_eq!(phone.order(), (2, 0, 2));
    }
}

#[test]
fn the_quorum_of_root_keys_is_lost_and_only_a_release_remains() {
    let company = Company::in_business("root-quorum-lost", "leaf", &KEYS);
    let phones = fleet(&company);
    company.lose("root-a");
    company.lose("root-b");
    // One of three signs no root that anybody follows.
    company.rotate("root-1.json", "root-2.json", &[]);
    company.sign_root("root-2.json", &["root-c"]);
    let signed = company.pinset(&company.document(2, 0, "leaf", &KEYS), "pins-1", "root-1.json");
    let bundle = ["bundle", "--root", "root-1.json", "root-2.json", "--pinset", &signed];
    let said = company.pinfold(2, &[&bundle[..], &["-o", "none.json"]].concat());
    assert!(said.contains("signed by 1 of 2"), "{said}");
    // The key of pin sets goes on signing until the root ends: there is time for a release.
    company.bundle("2.json", &["root-1.json"], &signed);
    company.publish("2.json");
    for phone in &phones {
        phone.updater.refresh().expect("the mirrors answer");
        phone.reaches("match");
        assert_eq!(phone.order(), (1, 0, 2));
    }
    drop(phones);

    // The release: other keys, another series. A phone that installs it leaves the old one behind,
    // whatever it has stored.
    let company = company.begun_anew();
    let signed = company.pinset(&company.document(1, 0, "leaf", &KEYS), "pins-1", "anew-1.json");
    company.release("app-2.json", "anew-1.json", &signed, 0);
    let signed = company.pinset(&company.document(2, 0, "leaf", &KEYS), "pins-1", "anew-1.json");
    company.bundle("anew.json", &["anew-1.json"], &signed);
    company.upload("anew.json", &["www.example.test", "other.example.test"]);
    let updated = company.phone("used", "app-2.json");
    updated.updater.refresh().expect("the mirrors answer");
    updated.reaches("match");
    assert_eq!(updated.order(), (1, 0, 2));
    // Who does not update keeps the old pins, and after their end trust decides alone.
    let left = company.phone("new", "app-1.json");
    let refused = left.updater.refresh().expect_err("another company, as it were");
    assert_eq!(refused.code(), "threshold", "signed by keys that it does not know");
    left.reaches("match");
    left.hands.pass(121 * DAY);
    left.reaches("lapsed");
}

#[test]
fn an_app_in_the_field_has_a_root_that_has_ended() {
    // Three years ago; nobody renewed the root before its end a year ago.
    let company = Company::new("embedded-root-ended", -1_095);
    let mut document = company.document(1, 0, "leaf", &KEYS);
    document["issued"] = json!(pinfold_testkit::Owner::time(-1_095));
    document["expires"] = json!(pinfold_testkit::Owner::time(-1_035));
    let old = company.pinset(&document, "pins-1", "root-1.json");
    company.release("app-1.json", "root-1.json", &old, -1_095);
    let phone = company.phone("old", "app-1.json");
    phone.reaches("lapsed");
    // The keys still count: a root that they sign now leads on from the one that has ended.
    company.rotate("root-1.json", "root-2.json", &[]);
    company.sign_root("root-2.json", &["root-a", "root-b"]);
    let signed = company.pinset(&company.document(2, 0, "leaf", &KEYS), "pins-1", "root-2.json");
    company.bundle("2.json", &["root-1.json", "root-2.json"], &signed);
    company.publish("2.json");
    phone.reaches("match");
    assert_eq!(phone.order(), (2, 0, 2));
    company.server_presents("interceptor");
    phone.refuses("pin_mismatch");
}

#[test]
fn the_domain_of_updates_is_lost() {
    let company = Company::in_business("update-domain-lost", "leaf", &KEYS);
    let phones = fleet(&company);
    // Whoever has it now can withhold and confuse, and nothing else.
    company.upload("1.json", &["www.example.test"]);
    company.mirror("other.example.test").publish("/bundle.json", b"for sale".to_vec());
    let pins = [("rotated", "active"), ("backup", "backup")];
    let mut document = company.document(2, 0, "leaf", &pins);
    document["update"]["urls"] = json!(["https://localhost/bundle.json"]);
    let signed = company.pinset(&document, "pins-1", "root-1.json");
    company.bundle("2.json", &["root-1.json"], &signed);
    company.upload("2.json", &["www.example.test"]);
    // One of two domains is left: it names the new one.
    for phone in &phones {
        phone.updater.refresh().expect("one mirror answers");
        assert_eq!(phone.order(), (1, 0, 2));
    }
    company.mirror("www.example.test").publish("/bundle.json", b"for sale, too".to_vec());
    let mut document = company.document(3, 0, "leaf", &KEYS);
    document["update"]["urls"] = json!(["https://localhost/bundle.json"]);
    let signed = company.pinset(&document, "pins-1", "root-1.json");
    company.bundle("3.json", &["root-1.json"], &signed);
    company.upload("3.json", &["localhost"]);
    for phone in &phones {
        phone.hands.pass(2 * DAY);
        phone.updater.refresh().expect("the new domain answers");
        phone.reaches("match");
        assert_eq!(phone.order(), (1, 0, 3));
    }
    // A phone that was off all the while knows the lost domains alone: its pins hold until they end,
    // then trust decides, and only a release reaches it.
    let off = company.phone("off", "app-1.json");
    assert!(off.updater.refresh().is_err());
    off.reaches("match");
    off.hands.pass(121 * DAY);
    off.reaches("lapsed");
    assert_eq!(off.order(), (1, 0, 1));
}
