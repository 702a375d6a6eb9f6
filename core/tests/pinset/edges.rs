//! The longest chains, names that nearly match, and tools that judge as clients do.

use pinfold_core::pin::HostName;
use pinfold_core::pinset::{Bundle, Cause, Document, Envelope, Root, accept};
use serde_json::{Value, json};

use crate::signer::{A, APP, B, DAY, START, World, reread, time};

#[test]
fn hundreds_of_expired_roots_are_walked_bundle_by_bundle_and_outlive_a_restart() {
    let world = World::new();
    let (step, last) = (60, 301);
    let later = (2..=last).map(|version| {
        world.root_with(version, 0, |d| {
            // Nothing is valid under an expired root, but the way leads over it.
            if version % step != 0 && version != last {
                d["expires"] = json!(time(START + 400));
            }
        })
    });
    let roots: Vec<Envelope> = std::iter::once(world.first.clone()).chain(later).collect();
    let hundred = Bundle { roots: roots[..100].to_vec(), pinset: world.pinset(2, 0) };
    assert_eq!(Bundle::parse(&hundred.to_json()).expect_err("over 64").cause, Cause::TooLarge);
    // No publisher may have so many, but a client may have met them one after the other.
    let mut state = world.state.clone();
    for (version, roots) in (1..).zip(roots.chunks(step as usize)) {
        let bundle = Bundle { roots: roots.to_vec(), pinset: world.pinset(version, 0) };
        state = accept(&state, &reread(&bundle), APP).expect("good");
        assert_eq!(state.root().version(), last.min(version * step));
    }
    let stored = Bundle::parse_stored(&state.to_bundle().to_json()).expect("a store holds more");
    assert_eq!(stored.roots.len(), 301);
    assert_eq!(accept(&world.state, &stored, APP).expect("verified before"), state);
}

#[test]
fn names_match_by_labels_and_in_one_form() {
    let world = World::new();
    let root = world.root_with(2, 0, |d| {
        d["constraints"].as_object_mut().expect("an object").remove("hosts");
    });
    let pins = json!([{"sha256": A}, {"sha256": B}]);
    let document = world.pinset_with(2, 0, |d| {
        d["hosts"] = json!([
            {"host": "example.com", "include_subdomains": true, "pins": pins},
            {"host": "one.example.com", "pins": pins},
            {"host": "api.example.org", "pins": pins},
            {"host": "xn--bcher-kva.example", "pins": pins},
            {"host": "192.0.2.1", "pins": pins},
            {"host": "2001:db8::1", "pins": pins},
        ]);
    });
    let state = world.offer(&[root], document).expect("good");
    for (asked, entry) in [
        ("example.com", Some("example.com")),
        ("example.com.", Some("example.com")),
        ("EXAMPLE.com", Some("example.com")),
        ("a.b.example.com", Some("example.com")),
        ("one.example.com", Some("one.example.com")),
        // The most specific that covers it: the nearer one has no subdomains.
        ("a.one.example.com", Some("example.com")),
        ("evilexample.com", None),
        ("example.com.evil.test", None),
        ("xample.com", None),
        ("com", None),
        ("api.example.org", Some("api.example.org")),
        ("a.api.example.org", None),
        ("example.org", None),
        ("b\u{fc}cher.example", Some("xn--bcher-kva.example")),
        ("XN--BCHER-KVA.example", Some("xn--bcher-kva.example")),
        ("bucher.example", None),
        ("192.0.2.1", Some("192.0.2.1")),
        ("192.0.2.11", None),
        ("1.192.0.2.1.test", None),
        ("[2001:DB8:0::1]", Some("2001:db8::1")),
        ("2001:db8::11", None),
    ] {
        let host = HostName::parse(asked).expect(asked);
        let policy = state.pinset().pins().policy(&host);
        assert_eq!(policy.map(|policy| policy.host().as_str()), entry, "{asked}");
    }
    // In the document a name has one form.
    for host in ["example.com.", "EXAMPLE.com", "*.example.com", "b\u{fc}cher.example"] {
        let why = world.refusal(|d| d["hosts"][0]["host"] = json!(host));
        assert_eq!((why.place.as_str(), why.cause), ("hosts[0].host", Cause::Malformed), "{host}");
    }
}

/// What tools say of a document agrees with what clients do with it.
#[test]
fn tools_read_and_count_as_clients_do() {
    let world = World::new();
    let first = Root::parse(&world.first.payload).expect("good");
    assert_eq!(&first, world.state.root());
    let next = world.root(2, 0);
    assert_eq!(first.follow(&next).expect("the next").version(), 2);
    for (envelope, cause) in [
        (world.root(3, 0), Cause::Malformed),
        (world.root(2, 2), Cause::Epoch),
        (world.root_with(2, 0, |d| d["stream"] = json!("other")), Cause::Stream),
        (Envelope { signatures: Vec::new(), ..next.clone() }, Cause::Threshold),
        (world.pinset(2, 0), Cause::Type),
    ] {
        assert_eq!(first.follow(&envelope).expect_err("no next").cause, cause);
    }
    let ids = |envelope: &Envelope| {
        let signers = first.signers(first.root_role(), envelope);
        signers.into_iter().map(|key| key.id().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&next), ["root-a", "root-b"]);
    let mut turned = next.clone();
    turned.signatures.reverse();
    assert_eq!(ids(&turned), ["root-a", "root-b"], "in the role's order");
    turned.signatures[0].keyid = "root-c".into();
    assert_eq!(ids(&turned), ["root-a"], "under another's name");
    turned.signatures[0].keyid.clear();
    assert_eq!(ids(&turned), ["root-a", "root-b"], "a name is a hint");
    assert!(ids(&world.pinset(2, 0)).is_empty());

    let json = next.to_json().to_string();
    assert_eq!(Envelope::parse(json.as_bytes()).expect("good"), next);
    for bad in
        ["", "[]", "{}", &json[..json.len() - 1], &json.replacen('{', r#"{"payload":"","#, 1)]
    {
        assert_eq!(Envelope::parse(bad.as_bytes()).expect_err(bad).cause, Cause::Malformed);
    }

    let pinset = |edit: fn(&mut Value)| world.pinset_with(2, 0, edit).payload;
    let read = Document::parse(&pinset(|_| {}), Some(&first)).expect("good");
    assert_eq!((read.version(), read.stream()), (2, first.stream()));
    for (payload, cause, under_any) in [
        (pinset(|d| d["stream"] = json!("other")), Cause::Stream, None),
        (pinset(|d| d["epoch"] = json!(1)), Cause::Epoch, None),
        (pinset(|d| d["hosts"][0]["host"] = json!("example.org")), Cause::Constraints, None),
        (pinset(|d| d["grace_days"] = json!(91)), Cause::Grace, None),
        (pinset(|d| d["grace_days"] = json!(181)), Cause::Grace, Some(Cause::Grace)),
        (pinset(|d| d["expires"] = json!(time(START + 200 * DAY))), Cause::Window, None),
        (pinset(|d| d["expires"] = d["issued"].clone()), Cause::Window, Some(Cause::Window)),
        (pinset(|d| d["aud"] = json!([])), Cause::Audience, Some(Cause::Audience)),
        (pinset(|d| d["hosts"] = json!(null)), Cause::Malformed, Some(Cause::Malformed)),
    ] {
        let why = Document::parse(&payload, Some(&first)).expect_err("refused");
        assert_eq!(why.cause, cause, "{why}");
        let any = Document::parse(&payload, None).err().map(|why| why.cause);
        assert_eq!(any, under_any, "{why}");
    }
}
