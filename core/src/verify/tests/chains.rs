//! The attacks of OkHttp's CertificatePinnerChainValidationTest, with certificates of our own,
//! under a trust that hands its authorities over and one that hides its path.

use rcgen::{ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyPair, NameConstraints};

use super::held::*;
use super::*;

/// What both kinds of trust in `roots` say of `chain` when `pinned` is pinned.
fn codes(roots: &[&Held], pinned: &Held, chain: &[&Held]) -> [Option<&'static str>; 2] {
    let given = Roots::Only(roots.iter().map(|root| root.der.to_vec()).collect());
    let hidden = roots.iter().map(|root| root.der.clone()).collect::<Vec<_>>();
    let chain = chain.iter().map(|held| held.der.clone()).collect::<Vec<_>>();
    let systems = [SystemTrust::new(&given).expect("good roots"), hidden_trust(&hidden)];
    systems.map(|system| {
        let pins = vec![pinned.pin(), Held::new(named("spare"), key(), None).pin()];
        let host = HostSpec { host: HOST.into(), pins, ..HostSpec::default() };
        let spec = PinSetSpec { schema: 1, hosts: vec![host], ..PinSetSpec::default() };
        let pins = PinSet::new(spec).expect("a good pin set");
        judge(system, pins, &chain, NOON).err().map(|error| error.code())
    })
}

const ACCEPTED: [Option<&str>; 2] = [None, None];
const MISMATCH: [Option<&str>; 2] = [Some("pin_mismatch"), Some("pin_mismatch")];

#[test]
fn a_pinned_root_that_is_not_presented_is_found_where_the_authorities_are_known() {
    let root = Held::new(authority("root", 1), key(), None);
    let intermediate = Held::new(authority("intermediate", 0), key(), Some(&root));
    let leaf = Held::new(server(), key(), Some(&intermediate));
    // A hidden path needs the root in the pin set, or to be a public one.
    let found = codes(&[&root], &root, &[&leaf, &intermediate]);
    assert_eq!(found, [None, Some("pin_mismatch")]);
    assert_eq!(codes(&[&root], &root, &[&leaf, &intermediate, &root]), ACCEPTED);
}

#[test]
fn a_pinned_intermediate_is_found() {
    let root = Held::new(authority("root", 1), key(), None);
    let intermediate = Held::new(authority("intermediate", 0), key(), Some(&root));
    let leaf = Held::new(server(), key(), Some(&intermediate));
    assert_eq!(codes(&[&root], &intermediate, &[&leaf, &intermediate]), ACCEPTED);
}

#[test]
fn an_unrelated_pinned_leaf_in_the_chain_does_not_count() {
    let root = Held::new(authority("root", 1), key(), None);
    let good_authority = Held::new(authority("good", 0), key(), Some(&root));
    let good = Held::new(server(), key(), Some(&good_authority));
    let bad_authority = Held::new(authority("bad", 0), key(), Some(&root));
    let rogue = Held::new(server(), key(), Some(&bad_authority));
    assert_eq!(codes(&[&root], &good, &[&rogue, &bad_authority, &good]), MISMATCH);
}

#[test]
fn an_unrelated_pinned_intermediate_of_the_same_name_does_not_count() {
    let root = Held::new(authority("root", 1), key(), None);
    let compromised = Held::new(authority("compromised root", 1), key(), None);
    let good = Held::new(authority("intermediate", 0), key(), Some(&root));
    let bad = Held::new(authority("intermediate", 0), key(), Some(&compromised));
    let rogue = Held::new(server(), key(), Some(&bad));
    let roots = [&root, &compromised];
    assert_eq!(codes(&roots, &good, &[&rogue, &good, &bad]), MISMATCH);
    assert_eq!(codes(&roots, &good, &[&rogue, &bad, &good]), MISMATCH);
}

#[test]
fn a_certificate_that_is_no_authority_is_no_link() {
    let attacker = Held::new(authority("attacker ca", 4), key(), None);
    let inner = Held::new(authority("attacker", 3), key(), Some(&attacker));
    let pinned_root = Held::new(authority("pinned root", 2), key(), Some(&inner));
    let pinned = Held::new(authority("pinned intermediate", 1), key(), Some(&pinned_root));
    // The attacker's key again, in a certificate that the pinned authority issued for a server.
    let mut switch = named("attacker");
    switch.is_ca = IsCa::ExplicitNoCa;
    let shared = KeyPair::try_from(inner.key.serialize_der()).expect("the same key");
    let switch = Held::new(switch, shared, Some(&pinned));
    let phony = Held::new(server(), key(), Some(&switch));
    let chain = [&phony, &switch, &pinned, &pinned_root, &inner];
    assert_eq!(codes(&[&pinned_root, &attacker], &pinned_root, &chain), MISMATCH);
}

#[test]
fn an_authority_has_no_more_authorities_below_it_than_it_may() {
    let attacker = Held::new(authority("attacker ca", 2), key(), None);
    let pinned_root = Held::new(authority("pinned root", 1), key(), Some(&attacker));
    let compromised = Held::new(authority("compromised", 0), key(), Some(&pinned_root));
    let shared = KeyPair::try_from(attacker.key.serialize_der()).expect("the same key");
    // One authority more than the compromised one may have below it.
    let inner = Held::new(authority("attacker intermediate", 0), shared, Some(&compromised));
    let phony = Held::new(server(), key(), Some(&inner));
    let chain = [&phony, &inner, &compromised, &pinned_root];
    let refused = codes(&[&pinned_root, &attacker], &pinned_root, &chain);
    assert!(refused.iter().all(Option::is_some), "{refused:?}");
}

#[test]
fn a_lone_certificate_that_is_trusted_and_pinned_is_accepted() {
    let mut params = server();
    params.is_ca = IsCa::ExplicitNoCa;
    let only = Held::new(params, key(), None);
    assert_eq!(codes(&[&only], &only, &[&only]), ACCEPTED);
}

#[test]
fn a_pinned_authority_may_issue_only_what_its_constraints_and_usages_allow() {
    let root = Held::new(authority("root", 2), key(), None);
    let mut elsewhere = authority("elsewhere", 1);
    elsewhere.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("other.test".into())],
        excluded_subtrees: Vec::new(),
    });
    let mut signing = authority("code signing", 1);
    signing.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    for (params, holds_for_a_root) in [(elsewhere, true), (signing, false)] {
        let pinned = Held::new(params, key(), Some(&root));
        let leaf = Held::new(server(), key(), Some(&pinned));
        let below = codes(&[&root], &pinned, &[&leaf, &pinned]);
        assert!(below[0].is_some() && below[1].is_some(), "{below:?}");
        // Constraints hold for a trusted root too; usages are not asked of one.
        let trusted = codes(&[&root, &pinned], &pinned, &[&leaf, &pinned]);
        assert_eq!(trusted.map(|code| code.is_some()), [holds_for_a_root; 2]);
    }
}

/// Two roots have signed each other's keys; whichever the client knows, the pin on either holds.
#[test]
fn a_pinned_cross_signed_root_is_found() {
    let old = Held::new(authority("old root", 3), key(), None);
    let new = Held::new(authority("new root", 2), key(), None);
    let again = || KeyPair::try_from(new.key.serialize_der()).expect("the same key");
    let cross = Held::new(authority("new root", 2), again(), Some(&old));
    let intermediate = Held::new(authority("intermediate", 0), key(), Some(&new));
    let leaf = Held::new(server(), key(), Some(&intermediate));
    let chain = [&leaf, &intermediate, &cross];
    // An old device knows the old root only, a new one both.
    for roots in [&[&old][..], &[&old, &new]] {
        assert_eq!(codes(roots, &new, &chain), ACCEPTED, "the cross-signed key");
        let found = codes(roots, &old, &[&leaf, &intermediate, &cross, &old]);
        assert_eq!(found, ACCEPTED, "the root that signed it");
    }
    assert_eq!(codes(&[&new], &new, &chain), ACCEPTED);
    assert_eq!(codes(&[&new], &old, &chain)[0], Some("pin_mismatch"));
}
