//! For which pinned hosts a certificate is, whoever was asked for.

use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::pin::Mode;

/// The pinned names of a certificate for `names`, where there are entries for `hosts`; a dot in
/// front stands for `include_subdomains`.
fn pinned(kit: &Testkit, names: &[&str], hosts: &[&str]) -> Vec<String> {
    let entry = |host: &&str| HostSpec {
        host: host.trim_start_matches('.').into(),
        include_subdomains: host.starts_with('.'),
        mode: Some(Mode::Off),
        ..HostSpec::default()
    };
    let hosts = hosts.iter().map(entry).collect();
    let spec = PinSetSpec { schema: 1, hosts, ..PinSetSpec::default() };
    let pins = PinSet::new(spec).expect("a good pin set");
    let judge = Judge { pins, deny_unpinned: true, system: anchors(kit), managed: None };
    let names = names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let params = CertificateParams::new(names).expect("names");
    let key = KeyPair::generate().expect("randomness");
    let certificate = params.self_signed(&key).expect("good parameters");
    let names = judge.pinned_names(certificate.der()).expect("a certificate");
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn a_certificate_is_for_every_pinned_name_that_it_lists_or_covers() {
    let kit = kit();
    let none: &[&str] = &[];
    for (names, hosts, expected) in [
        (&["cdn.test", "api.bank.test"][..], &["api.bank.test"][..], &["api.bank.test"][..]),
        (&["cdn.test"], &["api.bank.test"], none),
        (&["API.bank.test"], &["api.bank.test"], &["api.bank.test"]),
        // The entry's host is not in the certificate, but names that it holds for are.
        (&["a.bank.test", "b.bank.test"], &[".bank.test"], &["a.bank.test", "b.bank.test"]),
        (&["a.bank.test"], &["bank.test"], none),
        // A wildcard covers one label.
        (&["*.bank.test"], &["api.bank.test", "a.b.bank.test", "bank.test"], &["api.bank.test"]),
        (&["*.bank.test"], &[".bank.test"], &["any-other-name.bank.test"]),
        (&["*.b.bank.test"], &[".bank.test"], &["any-other-name.b.bank.test"]),
        (
            &["*.bank.test"],
            &[".bank.test", "api.bank.test"],
            &["any-other-name.bank.test", "api.bank.test"],
        ),
        (&["192.0.2.1", "::1"], &["192.0.2.1", "::1", "192.0.2.2"], &["192.0.2.1", "::1"]),
    ] {
        assert_eq!(pinned(&kit, names, hosts), expected, "{names:?} {hosts:?}");
    }
}

#[test]
fn what_is_no_certificate_has_no_names() {
    let kit = kit();
    let pins = set(&kit, vec![pin(&kit, "backend", PinAt::Any)]);
    let judge = Judge { pins, deny_unpinned: true, system: anchors(&kit), managed: None };
    let der = kit.pki().certificate("backend");
    for rubbish in [&[][..], b"certificate", &der[..der.len() - 1]] {
        let error = judge.pinned_names(rubbish).expect_err("no certificate");
        assert_eq!(error.code(), "invalid_request");
    }
}
