//! Mistakes of the server's owner: told as what they are, never as somebody in the middle or as a
//! wrong clock.

use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};

use super::held::*;
use super::*;
use crate::interception::{Evidence, InterceptionKind};
use crate::pin::Trust;

/// An error with its report in short.
fn refused(system: SystemTrust, pins: PinSet, chain: &[&Held], at: &str) -> (Error, String) {
    let error = judge(system, pins, &ders(chain), at).expect_err("refused");
    let facts = error.certificate().expect("facts");
    assert!(facts.presented_pin.is_some() && facts.issuer.is_some(), "{error}");
    let report = facts.interception.as_deref();
    let summary = report.map_or_else(
        || format!("{} -", error.code()),
        |report| {
            let evidence = report.evidence.iter().map(Evidence::code).collect::<Vec<_>>().join(" ");
            let [confidence, kind] = [report.confidence.code(), report.kind.code()];
            let mends = report.mend().is_some();
            assert_eq!(mends, report.kind == InterceptionKind::ServerMisconfigured);
            format!("{} {confidence} {kind}: {evidence}", error.code())
        },
    );
    (error, summary)
}

/// Each case under authorities that are given and under a platform that hides its path.
fn everywhere(
    roots: &[&Held],
    pins: impl Fn() -> PinSet,
    chain: &[&Held],
    expected: &str,
    words: &[&str],
) {
    for system in [given(roots), hidden_trust(&ders(roots))] {
        let (error, found) = refused(system.clone(), pins(), chain, NOON);
        assert_eq!(found, expected, "{system:?}: {error}");
        let text = error.to_string();
        for words in words {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(!text.contains("clock right"), "{text}");
    }
}

struct Pki {
    root: Held,
    middle: Held,
    leaf: Held,
}

fn pki() -> Pki {
    let root = Held::new(authority("Example Root", 3), key(), None);
    let middle = Held::new(authority("Example Issuing 1", 2), key(), Some(&root));
    let leaf = Held::new(server(), key(), Some(&middle));
    Pki { root, middle, leaf }
}

/// The same authority with other dates.
fn dated(held: &Held, issuer: &Held, first_year: i32, last_year: i32) -> Held {
    let mut params = held.params.clone();
    params.not_before = date_time_ymd(first_year, 1, 1);
    params.not_after = date_time_ymd(last_year, 1, 1);
    Held::new(params, same_key(held), Some(issuer))
}

#[test]
fn an_authority_that_has_ended_is_named_with_its_end() {
    let Pki { root, middle, leaf } = pki();
    let ended = dated(&middle, &root, 2020, 2026);
    let words =
        ["\"Example Issuing 1\" ended on 2026-01-01T00:00:00Z", "an authority's certificate"];
    let misconfigured = "likely server_misconfigured: authority_expired in_date";
    for (pinned, own) in [(&leaf, "pinned_key"), (&middle, "pinned_authority")] {
        let expected = format!("certificate_expired {misconfigured} {own}");
        everywhere(&[&root], || pinning(&[pinned], |_| {}), &[&leaf, &ended], &expected, &words);
    }
    // Without a pin that speaks for it, it is no more than possible.
    let expected = "certificate_expired possible server_misconfigured: authority_expired in_date";
    everywhere(&[&root], || pinning(&[&root], |_| {}), &[&leaf, &ended], expected, &words);
    // Further up.
    let below = Held::new(authority("Example Issuing 2", 1), key(), Some(&middle));
    let deep = Held::new(server(), key(), Some(&below));
    let expected = format!("certificate_expired {misconfigured} pinned_key");
    let chain = [&deep, &below, &ended];
    everywhere(&[&root], || pinning(&[&deep], |_| {}), &chain, &expected, &words);
    // One that has not begun.
    let early = dated(&middle, &root, 2030, 2040);
    let expected = "certificate_not_yet_valid likely server_misconfigured: \
                    authority_not_yet_valid in_date pinned_key";
    let words = ["\"Example Issuing 1\" begins on 2030-01-01T00:00:00Z"];
    everywhere(&[&root], || pinning(&[&leaf], |_| {}), &[&leaf, &early], expected, &words);
}

#[test]
fn a_missing_issuer_is_named() {
    let Pki { root, middle, leaf } = pki();
    let words = ["its issuer \"Example Issuing 1\" was not sent", "Let the server send"];
    let expected =
        "certificate_unknown_issuer likely server_misconfigured: issuer_missing pinned_key";
    everywhere(&[&root], || pinning(&[&leaf], |_| {}), &[&leaf], expected, &words);
    everywhere(&[&root], || pinning(&[&leaf], |_| {}), &[&leaf, &root], expected, &words);
    // In the middle of the chain, below a pinned authority or above one.
    let below = Held::new(authority("Example Issuing 2", 1), key(), Some(&middle));
    let deep = Held::new(server(), key(), Some(&below));
    let expected =
        "certificate_unknown_issuer likely server_misconfigured: issuer_missing pinned_authority";
    let pins = || pinning(&[&below], |host| host.pins.iter_mut().for_each(|p| p.at = PinAt::Ca));
    everywhere(&[&root], pins, &[&deep, &below], expected, &words[..1]);

    // Nothing speaks for the server: it may be anybody.
    let expected = "certificate_unknown_issuer possible unknown_authority: issuer_missing";
    everywhere(&[&root], || pinning(&[&middle], |_| {}), &[&leaf], expected, &words[..1]);
    // But for one that says where its issuer's certificate is, as public authorities' do.
    let mut params = server();
    let url = b"http://ca.test/i.der";
    let location =
        [&[0x06, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 2, 0x86, url.len() as u8][..], url].concat();
    let inner = [&[0x30, location.len() as u8][..], &location].concat();
    let value = [&[0x30, inner.len() as u8][..], &inner].concat();
    let aia = rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], value);
    params.custom_extensions.push(aia);
    let published = Held::new(params, key(), Some(&middle));
    let expected = "certificate_unknown_issuer possible server_misconfigured: issuer_missing";
    everywhere(&[&root], || pinning(&[&leaf], |_| {}), &[&published], expected, &words[..1]);
}

#[test]
fn an_authority_that_nobody_trusts_is_likely_a_stranger_unless_the_key_is_pinned() {
    let Pki { root, middle, leaf } = pki();
    let other = Held::new(authority("Other Root", 3), key(), None);
    let chain = [&leaf, &middle, &root];
    let words = ["it leads to \"Example Root\", which is not trusted here"];
    let expected = "certificate_unknown_issuer likely unknown_authority: untrusted_authority";
    everywhere(&[&other], || pinning(&[&other], |_| {}), &chain, expected, &words);
    let expected =
        "certificate_unknown_issuer likely server_misconfigured: untrusted_authority pinned_key";
    everywhere(&[&other], || pinning(&[&leaf], |_| {}), &chain, expected, &words);
    // The server has signed for itself, with the key that is pinned: no portal has that.
    let own = Held::new(server(), key(), None);
    let expected = "certificate_unknown_issuer likely server_misconfigured: self_signed pinned_key";
    everywhere(&[&other], || pinning(&[&own], |_| {}), &[&own], expected, &["pin_only"]);
    let expected = "certificate_unknown_issuer possible captive_portal: self_signed";
    everywhere(&[&other], || pinning(&[&leaf], |_| {}), &[&own], expected, &[]);
}

#[test]
fn a_certificate_without_any_name_is_said_to_have_none() {
    let root = Held::new(authority("Example Root", 3), key(), None);
    let pin_only = |host: &mut HostSpec| {
        host.trust = Some(Trust::PinOnly);
        host.pins.iter_mut().for_each(|pin| pin.at = PinAt::Leaf);
    };
    let alone = |common_name: &str| Held::new(named(common_name), key(), None);
    let words = ["no name at all (subjectAltName)"];
    // As `openssl req -x509` makes it; OpenSSL 1.1 without -addext, too.
    let own = alone(HOST);
    let expected = "certificate_wrong_host likely server_misconfigured: \
                    no_name in_common_name self_signed pinned_key";
    everywhere(&[&root], || pinning(&[&own], pin_only), &[&own], expected, &words);
    let expected = "certificate_wrong_host likely server_misconfigured: \
                    no_name in_common_name self_signed";
    everywhere(&[&root], || pinning(&[&root], |_| {}), &[&own], expected, &words);
    // A router's own certificate.
    let router = alone("router.lan");
    let expected = "certificate_wrong_host possible captive_portal: no_name self_signed";
    everywhere(&[&root], || pinning(&[&own], |_| {}), &[&router], expected, &words);
    let expected =
        "certificate_wrong_host likely server_misconfigured: no_name self_signed pinned_key";
    everywhere(&[&root], || pinning(&[&router], pin_only), &[&router], expected, &words);
    // By an authority.
    let mut params = named("backend-7");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let issued = Held::new(params, key(), Some(&root));
    let expected = "certificate_wrong_host likely server_misconfigured: no_name pinned_key";
    everywhere(&[&root], || pinning(&[&issued], |_| {}), &[&issued], expected, &words);
    let expected = "certificate_wrong_host possible wrong_name: no_name";
    everywhere(&[&root], || pinning(&[&own], |_| {}), &[&issued], expected, &words);
}

#[test]
fn the_pinned_key_under_another_name_is_the_servers_own_mistake() {
    let Pki { root, middle, .. } = pki();
    for names in [&["www.example.test", "192.0.2.7"][..], &["192.0.2.7"]] {
        let names = names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let params = rcgen::CertificateParams::new(names).expect("names");
        let other = Held::new(params, key(), Some(&middle));
        let expected = "certificate_wrong_host likely server_misconfigured: other_names pinned_key";
        let chain = [&other, &middle];
        everywhere(&[&root], || pinning(&[&other], |_| {}), &chain, expected, &["192.0.2.7"]);
        // An authority issues for many others.
        let expected = "certificate_wrong_host likely wrong_name: other_names";
        everywhere(&[&root], || pinning(&[&middle], |_| {}), &chain, expected, &["192.0.2.7"]);
    }
}

#[test]
fn a_chain_in_the_wrong_order_is_said_to_be_so() {
    let Pki { root, middle, leaf } = pki();
    let words = ["stands further down, as number", "Wrong order"];
    for chain in [[&root, &middle, &leaf], [&middle, &leaf, &root], [&middle, &root, &leaf]] {
        let expected =
            "certificate_wrong_host likely server_misconfigured: further_down pinned_key";
        everywhere(&[&root], || pinning(&[&leaf], |_| {}), &chain, expected, &words);
        let expected = "certificate_wrong_host likely server_misconfigured: further_down";
        everywhere(&[&root], || pinning(&[&root], |_| {}), &chain, expected, &words);
    }
    // Another server's certificate first.
    let params = rcgen::CertificateParams::new(vec!["www.example.test".into()]).expect("a name");
    let other = Held::new(params, key(), Some(&middle));
    let expected = "certificate_wrong_host likely server_misconfigured: further_down pinned_key";
    let chain = [&other, &leaf, &middle];
    everywhere(&[&root], || pinning(&[&leaf], |_| {}), &chain, expected, &words);
}

#[test]
fn an_issuer_that_may_not_sign_is_named() {
    let root = Held::new(authority("Example Root", 3), key(), None);
    let signer = Held::new(crl_signer("Example CRL Signer"), key(), Some(&root));
    let leaf = Held::new(server(), key(), Some(&signer));
    let words = ["\"Example CRL Signer\" may not sign certificates"];
    let chain = [&leaf, &signer];
    // Somebody with the key of the signer could have made it.
    let expected = "certificate_unknown_issuer possible unknown_authority: issuer_may_not_sign";
    everywhere(&[&root], || pinning(&[&root], |_| {}), &chain, expected, &words);
    let expected =
        "certificate_unknown_issuer likely server_misconfigured: issuer_may_not_sign pinned_key";
    everywhere(&[&root], || pinning(&[&leaf], |_| {}), &chain, expected, &words);
}

#[test]
fn an_interceptor_is_still_one() {
    let root = Held::new(authority("Example Root", 3), key(), None);
    let mut proxy = authority("mitmproxy", 1);
    proxy.distinguished_name.push(rcgen::DnType::OrganizationName, "mitmproxy");
    let proxy = Held::new(proxy, key(), None);
    let leaf = Held::new(server(), key(), Some(&proxy));
    for (chain, evidence) in [
        (&[&leaf, &proxy][..], "product_name untrusted_authority"),
        (&[&leaf], "product_name issuer_missing"),
    ] {
        let expected = format!("certificate_unknown_issuer likely debugging_proxy: {evidence}");
        everywhere(&[&root], || pinning(&[&root], |_| {}), chain, &expected, &[]);
    }
}
