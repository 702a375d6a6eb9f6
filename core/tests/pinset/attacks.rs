//! What a client answers to each attack on the acceptance of documents.

use std::slice::from_ref;

use pinfold_core::pinset::{
    Bundle, Cause, Envelope, PINSET_TYPE, ROOT_TYPE, Rejection, Signature, State, accept,
};
use serde_json::{Value, json};

use crate::signer::{APP, DAY, START, Signer, World, embedded, envelope, envelope_of, pinset};
use crate::signer::{reread, root, time};

fn cause(result: Result<State, Rejection>) -> Cause {
    result.expect_err("refused").cause
}

fn after_restart(world: &World, state: &State) -> State {
    let stored = Bundle::parse_stored(&state.to_bundle().to_json()).expect("readable");
    accept(&world.state, &stored, APP).expect("what was verified once verifies again")
}

#[test]
fn a_newer_pin_set_is_accepted_and_survives_a_restart() {
    let world = World::new();
    let state = world.offer(&[], world.pinset(2, 0)).expect("good");
    assert_eq!(state.pinset().version(), 2);
    assert!(state.order() > world.state.order());
    assert_ne!(state, world.state);
    assert_eq!(after_restart(&world, &state), state);
}

#[test]
fn the_same_pin_set_again_changes_nothing() {
    let world = World::new();
    let bundle = world.state.to_bundle();
    let again = accept(&world.state, &reread(&bundle), APP).expect("no error");
    assert_eq!(again, world.state);
    assert_eq!(again.order(), world.state.order());
}

#[test]
fn the_same_pin_set_under_a_newer_root_is_another_state() {
    let world = World::new();
    let state = world.offer(&[world.root(2, 0)], world.pinset(1, 0)).expect("good");
    assert_eq!((state.order().root, state.pinset_payload()), (2, world.state.pinset_payload()));
    assert_ne!(state, world.state);
    assert_eq!(after_restart(&world, &state), state);
}

#[test]
fn an_earlier_pin_set_is_a_rollback() {
    let world = World::new();
    let second = world.pinset(2, 0);
    let newer = world.offer(&[], world.pinset(3, 0)).expect("good");
    for older in [world.state.to_bundle().pinset, second] {
        let bundle = Bundle { roots: vec![world.first.clone()], pinset: older };
        assert_eq!(cause(accept(&newer, &bundle, APP)), Cause::Rollback);
    }
    // Also when a new root comes with it: splicing gains silence, and the root is not adopted.
    let bundle = Bundle { roots: vec![world.root(2, 0)], pinset: world.pinset(1, 0) };
    assert_eq!(cause(accept(&newer, &bundle, APP)), Cause::Rollback);
}

#[test]
fn the_same_version_with_other_contents_is_an_equivocation() {
    let world = World::new();
    let other = world.pinset_with(1, 0, |d| d["note"] = json!("another truth"));
    assert_eq!(cause(world.offer(&[], other)), Cause::Equivocation);
    // Other bytes are other contents, even with the same meaning.
    let spaced = format!("{} ", pinset(1, 0));
    let other = envelope_of(PINSET_TYPE, spaced.as_bytes(), &[&world.pin]);
    assert_eq!(cause(world.offer(&[], other)), Cause::Equivocation);
}

#[test]
fn a_higher_version_that_was_issued_earlier_is_a_rollback_of_time() {
    let world = World::new();
    let other = world.pinset_with(2, 0, |d| d["issued"] = json!(time(START)));
    assert_eq!(cause(world.offer(&[], other)), Cause::TimeRollback);
}

#[test]
fn shuffled_and_repeated_roots_lead_to_the_same_state() {
    let world = World::new();
    let roots: Vec<_> = (2..=6).map(|v| world.root(v, 0)).collect();
    let whole = world.offer(&roots, world.pinset(2, 0)).expect("good");
    assert_eq!(whole.root().version(), 6);
    let reversed: Vec<_> = roots.iter().rev().cloned().collect();
    let repeated = [roots.clone(), reversed.clone(), roots].concat();
    for roots in [reversed, repeated] {
        let state = world.offer(&roots, world.pinset(2, 0)).expect("good");
        assert_eq!(state, whole);
        assert_eq!(state.to_bundle().roots.len(), 6);
        assert_eq!(after_restart(&world, &state), state);
    }
}

#[test]
fn a_bundle_without_the_roots_already_known_survives_a_restart() {
    let world = World::new();
    let newer = world.offer(&[world.root(2, 0)], world.pinset(2, 0)).expect("good");
    // Genuine, but it leads nowhere from the embedded root.
    let cut = Bundle { roots: vec![world.root(3, 0)], pinset: world.pinset(3, 0) };
    let newest = accept(&newer, &cut, APP).expect("every link is good");
    assert_eq!(after_restart(&world, &newest), newest);
    // What was downloaded would have thrown the client back.
    let from_download = accept(&world.state, &cut, APP).expect("under the old root");
    assert!(from_download.order() < newest.order());
}

#[test]
fn truncated_roots_never_lead_below_the_state_before() {
    let world = World::new();
    let other = Signer::new("pin-next");
    let roots: Vec<_> = (2..=4)
        .map(|v| {
            let keys = [&*world.a, &*world.b, &*world.c];
            let document = root(v, 0, &keys, &[&other]);
            envelope(ROOT_TYPE, &document, &[&world.a, &world.b])
        })
        .collect();
    let pins = envelope(PINSET_TYPE, &pinset(2, 0), &[&other]);
    for n in 0..=roots.len() {
        match world.offer(&roots[..n], pins.clone()) {
            // Without the root that names its key, the pin set is a stranger's.
            Err(why) => assert_eq!((n, why.cause), (0, Cause::Threshold)),
            Ok(state) => {
                assert_eq!(state.root().version(), n as u64 + 1);
                assert_eq!(after_restart(&world, &state), state);
            }
        }
    }
}

#[test]
fn a_root_is_never_skipped() {
    let world = World::new();
    let state = world.offer(&[world.root(3, 0)], world.pinset(2, 0)).expect("the pin set is good");
    assert_eq!(state.root().version(), 1);
    let old = state.to_bundle().roots.len();
    assert_eq!(old, 1);
}

#[test]
fn a_root_needs_the_old_threshold_and_the_new_one() {
    let world = World::new();
    let (d, e, f) = (Signer::new("d"), Signer::new("e"), Signer::new("f"));
    let document = root(2, 0, &[&d, &e, &f], &[&world.pin]);
    let signed = |signers: &[&Signer]| envelope(ROOT_TYPE, &document, signers);
    let (a, b) = (&*world.a, &*world.b);
    let adopted = |root: Envelope| {
        let state = world.offer(&[root], world.pinset(2, 0)).expect("the pin set is good");
        state.root().version() == 2
    };
    assert!(adopted(signed(&[a, b, &d, &e])));
    assert!(adopted(signed(&[&e, b, a, &f])));
    assert!(!adopted(signed(&[a, b])), "old only: its own keys may be lost");
    assert!(!adopted(signed(&[&d, &e])), "new only");
    assert!(!adopted(signed(&[a, &d, &e])), "one of the old");
    assert!(!adopted(signed(&[a, b, &d])), "one of the new");
    assert!(!adopted(signed(&[a, a, &d, &e])), "one key twice");
    let mut relabelled = signed(&[a, a, &d, &e]);
    relabelled.signatures[1].keyid = "root-b".into();
    assert!(!adopted(relabelled), "one key under the name of another");
    let mut nameless = signed(&[a, a, b, &d, &e]);
    for signature in &mut nameless.signatures {
        signature.keyid.clear();
    }
    assert!(adopted(nameless), "the key's name is only a hint");
    assert!(!adopted(signed(&[])));
}

#[test]
fn one_key_never_counts_twice() {
    let world = World::new();
    let state = |edit: fn(&mut Value)| {
        let root = world.root_with(2, 0, edit);
        world.offer(&[root], world.pinset(2, 0)).expect("the pin set is good")
    };
    // The same key under two names.
    let doubled = state(|d| {
        d["keys"][1]["spki"] = d["keys"][0]["spki"].clone();
    });
    assert_eq!(doubled.root().version(), 1);
    // Two keys of one name.
    let renamed = state(|d| d["keys"][1]["id"] = d["keys"][0]["id"].clone());
    assert_eq!(renamed.root().version(), 1);
    // One key named twice by the role.
    let repeated = state(|d| d["roles"]["root"]["keys"] = json!(["root-a", "root-a"]));
    assert_eq!(repeated.root().version(), 1);
    // And the pin set of two is not signed by one who signs twice.
    let root = world.root_with(2, 0, |d| {
        d["roles"]["pinset"] = json!({"keys": ["pin-kms", "root-a"], "threshold": 2});
    });
    let pins = envelope(PINSET_TYPE, &pinset(2, 0), &[&world.pin, &world.pin]);
    assert_eq!(cause(world.offer(from_ref(&root), pins)), Cause::Threshold);
    let pins = envelope(PINSET_TYPE, &pinset(2, 0), &[&world.pin, &world.a]);
    assert_eq!(world.offer(&[root], pins).expect("two").root().version(), 2);
}

#[test]
fn a_key_of_an_unknown_algorithm_is_kept_but_never_counts() {
    let world = World::new();
    let unknown = |threshold: u64| {
        world.root_with(2, 0, |d| {
            d["keys"][1]["alg"] = json!("ML-DSA-65");
            d["roles"]["root"]["threshold"] = json!(threshold);
        })
    };
    // a and b sign; b does not count under the new root, and c has not signed.
    let state = world.offer(&[unknown(2)], world.pinset(2, 0)).expect("good");
    assert_eq!(state.root().version(), 1);
    let state = world.offer(&[unknown(1)], world.pinset(2, 0)).expect("good");
    assert_eq!(state.root().version(), 2);
    assert!(state.root().keys()[1].es256().is_none());
    // A root that this version could never leave again.
    let dead_end = world.root_with(2, 0, |d| {
        for key in [1, 2] {
            d["keys"][key]["alg"] = json!("ML-DSA-65");
        }
    });
    let state = world.offer(&[dead_end], world.pinset(2, 0)).expect("good");
    assert_eq!(state.root().version(), 1);
}

#[test]
fn a_long_chain_of_expired_roots_is_walked_to_its_cap() {
    let world = World::new();
    let roots: Vec<_> = (2..=64)
        .map(|v| {
            world.root_with(v, 0, |d| {
                if v < 64 {
                    d["expires"] = json!(time(START + 100));
                }
            })
        })
        .collect();
    let begun = std::time::Instant::now();
    let state = world.offer(&roots, world.pinset(2, 0)).expect("good");
    assert_eq!(state.root().version(), 64);
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    let many: Vec<_> = (0..65).map(|_| roots[0].clone()).collect();
    let bundle = Bundle { roots: many, pinset: world.pinset(2, 0) };
    assert_eq!(Bundle::parse(&bundle.to_json()).expect_err("too many").cause, Cause::TooLarge);
    Bundle::parse_stored(&bundle.to_json()).expect("a store may hold more");
}

#[test]
fn junk_signatures_of_strangers_are_not_kept() {
    let world = World::new();
    let mut root = world.root(2, 0);
    for _ in 0..14 {
        root.signatures.insert(0, Signature { keyid: "x".into(), sig: vec![7; 64] });
    }
    let state = world.offer(&[root], world.pinset(2, 0)).expect("bad ones are skipped");
    assert_eq!(state.root().version(), 2);
    let kept = state.to_bundle().roots;
    assert_eq!(kept[1].signatures.len(), 2);
    assert_eq!(after_restart(&world, &state), state);
}

#[test]
fn junk_in_a_genuine_chain_cannot_cost_more_than_its_longest() {
    let world = World::new();
    let bundle = |junk: usize| {
        let strange = Signature { keyid: "x".into(), sig: vec![7; 64] };
        let roots = (2..=64).map(|version| {
            let mut root = world.root(version, 0);
            root.signatures.splice(0..0, vec![strange.clone(); junk]);
            root
        });
        world.offer(&roots.collect::<Vec<_>>(), world.pinset(2, 0))
    };
    assert_eq!(bundle(0).expect("good").root().version(), 64);
    assert_eq!(bundle(1).expect("still good").root().version(), 64);
    assert_eq!(cause(bundle(14)), Cause::Threshold);
}

#[test]
fn a_withdrawn_key_is_dead_under_the_new_root() {
    let world = World::new();
    let next = Signer::new("pin-next");
    let keys = [&*world.a, &*world.b, &*world.c];
    let second = envelope(ROOT_TYPE, &root(2, 0, &keys, &[&next]), &[&world.a, &world.b]);
    // The thief's pin set with the new root, and later without it.
    assert_eq!(cause(world.offer(from_ref(&second), world.pinset(2, 0))), Cause::Threshold);
    let pins = envelope(PINSET_TYPE, &pinset(2, 0), &[&next]);
    let state = world.offer(&[second], pins).expect("good");
    let stolen = Bundle { roots: vec![world.first.clone()], pinset: world.pinset(3, 0) };
    assert_eq!(cause(accept(&state, &stolen, APP)), Cause::Threshold);
    // With the new root withheld it lives no longer than the old one.
    let long = world.pinset_with(2, 0, |d| {
        d["issued"] = json!(time(START + 700 * DAY));
        d["expires"] = json!(time(START + 740 * DAY));
    });
    assert_eq!(cause(world.offer(&[], long)), Cause::Window);
}

#[test]
fn numbers_have_one_form() {
    let world = World::new();
    let with = |version: &str| {
        let json =
            pinset(2, 0).to_string().replace(r#""version":2"#, &format!(r#""version":{version}"#));
        world.offer(&[], envelope_of(PINSET_TYPE, json.as_bytes(), &[&world.pin]))
    };
    for version in
        ["9007199254740992", "1.0", "2.0", "\"2\"", "-1", "1e3", "0", "02", "null", "[2]"]
    {
        assert_eq!(with(version).expect_err(version).cause, Cause::Malformed, "{version}");
    }
    assert_eq!(with("9007199254740991").expect("in range").pinset().version(), (1 << 53) - 1);
}

#[test]
fn a_version_at_its_end_is_left_behind_by_a_new_epoch() {
    let world = World::new();
    let last = world.pinset_with(2, 0, |d| {
        d["version"] = json!((1_u64 << 53) - 1);
        d["issued"] = json!(time(START + 600 * DAY));
        d["expires"] = json!(time(START + 601 * DAY));
    });
    let stuck = world.offer(&[], last).expect("a thief's, in the limits");
    let next = Bundle { roots: vec![world.first.clone()], pinset: world.pinset(2, 0) };
    assert_eq!(cause(accept(&stuck, &next, APP)), Cause::Rollback);
    let recovery = Bundle { roots: vec![world.root(2, 1)], pinset: world.pinset(1, 1) };
    let state = accept(&stuck, &recovery, APP).expect("one fetch is enough");
    assert_eq!((state.order().epoch, state.order().pinset), (1, 1));
    assert!(state.order() > stuck.order());
    // From what the app shipped with, too.
    assert_eq!(accept(&world.state, &recovery, APP).expect("good"), state);
    // And the old epoch is over.
    let bundle = Bundle { roots: Vec::new(), pinset: world.pinset(9, 0) };
    assert_eq!(cause(accept(&state, &bundle, APP)), Cause::Epoch);
}

#[test]
fn an_epoch_moves_by_one_at_most() {
    let world = World::new();
    for (epoch, adopted) in [(0, true), (1, true), (2, false), ((1 << 53) - 1, false)] {
        let result = world.offer(&[world.root(2, epoch)], world.pinset(1, epoch));
        let result = result.or_else(|_| world.offer(&[world.root(2, epoch)], world.pinset(2, 0)));
        let state = result.expect("one of the two");
        assert_eq!(state.root().version() == 2, adopted, "{epoch}");
    }
}

#[test]
fn an_issue_date_in_the_far_future_is_outside_the_window() {
    let world = World::new();
    let why = world.refusal(|d| {
        d["issued"] = json!("2099-01-01T00:00:00Z");
        d["expires"] = json!("2099-02-01T00:00:00Z");
    });
    assert_eq!(why.cause, Cause::Window);
}

#[test]
fn a_validity_is_positive_and_bounded() {
    let world = World::new();
    let issued = START + 2 * 3_600;
    let expires = |at: u64| world.pinset_with(2, 0, |d| d["expires"] = json!(time(at)));
    world.offer(&[], expires(issued + 120 * DAY)).expect("the root allows 120 days");
    for at in [issued + 120 * DAY + 1, issued, issued - 1] {
        assert_eq!(cause(world.offer(&[], expires(at))), Cause::Window);
    }
    let grace = |days: u64| world.pinset_with(2, 0, |d| d["grace_days"] = json!(days));
    world.offer(&[], grace(0)).expect("none is fine");
    world.offer(&[], grace(90)).expect("the root allows 90 days");
    assert_eq!(cause(world.offer(&[], grace(91))), Cause::Grace);
    // A root can narrow the limits, not widen them.
    let wide = world.root_with(2, 0, |d| {
        d["constraints"]["max_validity_days"] = json!(5_000);
        d["constraints"]["max_grace_days"] = json!(5_000);
    });
    let offer = |validity: u64, days: u64| {
        let pins = world.pinset_with(2, 0, |d| {
            d["expires"] = json!(time(issued + validity * DAY));
            d["grace_days"] = json!(days);
        });
        world.offer(from_ref(&wide), pins)
    };
    offer(398, 180).expect("the limits themselves");
    assert_eq!(cause(offer(399, 180)), Cause::Window);
    assert_eq!(cause(offer(398, 181)), Cause::Grace);
}

#[test]
fn documents_for_others_are_refused() {
    let world = World::new();
    for (edit, expected) in [
        (json!({"stream": "com.example.bank/staging"}), Cause::Stream),
        (json!({"aud": ["android:com.example.shop"]}), Cause::Audience),
        (json!({"aud": []}), Cause::Audience),
        (json!({"epoch": 1}), Cause::Epoch),
        (json!({"schema": 2}), Cause::Unsupported),
        (json!({"crit": ["x"]}), Cause::Unsupported),
        (json!({"defaults": {"mode": "ask"}}), Cause::Unsupported),
    ] {
        let why = world.refusal(|d| merge(d, &edit));
        assert_eq!(why.cause, expected, "{edit}: {why}");
    }
    let bundle = Bundle { roots: Vec::new(), pinset: world.pinset(2, 0) };
    assert_eq!(cause(accept(&world.state, &bundle, "android:other")), Cause::Audience);
}

#[test]
fn roots_for_others_are_not_followed() {
    let world = World::new();
    for edit in [
        json!({"stream": "com.example.bank/staging"}),
        json!({"schema": 2}),
        json!({"crit": ["x"]}),
        json!({"expires": time(START)}),
        json!({"version": 3}),
        json!({"epoch": 2}),
        json!({"keys": []}),
        json!({"roles": {}}),
    ] {
        let root = world.root_with(2, 0, |d| merge(d, &edit));
        let state = world.offer(&[root], world.pinset(2, 0)).expect("the pin set is good");
        assert_eq!(state.root().version(), 1, "{edit}");
    }
}

#[test]
fn a_good_root_is_found_behind_a_bad_one_of_the_same_version() {
    let world = World::new();
    let bad = envelope(ROOT_TYPE, &json!({"version": 2}), &[]);
    let worse = envelope_of(ROOT_TYPE, b"{", &[]);
    let state = world.offer(&[bad, worse, world.root(2, 0)], world.pinset(2, 0)).expect("good");
    assert_eq!(state.root().version(), 2);
}

#[test]
fn the_reason_of_a_refused_root_is_told() {
    let world = World::new();
    let root = world.root_with(2, 1, |d| d["schema"] = json!(2));
    let why = world.offer(&[root], world.pinset(1, 1)).expect_err("epoch");
    assert_eq!(why.cause, Cause::Epoch);
    assert!(why.reason.contains("unsupported: roots[1].schema: 2"), "{why}");
}

#[test]
fn a_document_is_never_taken_for_another_type() {
    let world = World::new();
    // One key serves both roles, so that every signature counts everywhere.
    let keys = [&*world.a, &*world.b, &*world.c];
    let second = envelope(ROOT_TYPE, &root(2, 0, &keys, &keys), &[&world.a, &world.b]);
    let mut swapped = second.clone();
    assert_eq!(cause(world.offer(from_ref(&second), swapped.clone())), Cause::Type);
    swapped.payload_type = PINSET_TYPE.into();
    assert_eq!(cause(world.offer(from_ref(&second), swapped)), Cause::Threshold);
    let pins = envelope(PINSET_TYPE, &root(2, 0, &keys, &keys), &[&world.a, &world.b]);
    let mut as_root = pins.clone();
    as_root.payload_type = ROOT_TYPE.into();
    let state = world.offer(&[pins, as_root], world.pinset(2, 0)).expect("the pin set is good");
    assert_eq!(state.root().version(), 1);
}

#[test]
fn a_changed_byte_is_never_signed() {
    let world = World::new();
    let pins = world.pinset(2, 0);
    for i in 0..pins.payload.len() {
        let mut flipped = pins.clone();
        flipped.payload[i] ^= 1;
        assert_eq!(cause(world.offer(&[], flipped)), Cause::Threshold, "{i}");
    }
    for i in 0..64 {
        let mut flipped = pins.clone();
        flipped.signatures[0].sig[i] ^= 0x80;
        assert_eq!(cause(world.offer(&[], flipped)), Cause::Threshold, "{i}");
    }
    for length in [0, 63, 65, 72] {
        let mut cut = pins.clone();
        cut.signatures[0].sig.resize(length, 0);
        assert_eq!(cause(world.offer(&[], cut)), Cause::Threshold, "{length}");
    }
}

#[test]
fn every_prefix_and_flip_of_a_store_is_refused_or_the_same() {
    let world = World::new();
    let state = world.offer(&[world.root(2, 0)], world.pinset(2, 0)).expect("good");
    let stored = state.to_bundle().to_json();
    let load = |json: &[u8]| {
        Bundle::parse_stored(json).and_then(|bundle| accept(&world.state, &bundle, APP))
    };
    assert_eq!(load(&stored).expect("whole"), state);
    for n in 0..stored.len() {
        assert!(load(&stored[..n]).is_err(), "{n} bytes");
    }
    for i in 0..stored.len() {
        let mut flipped = stored.clone();
        flipped[i] ^= 1;
        if let Ok(loaded) = load(&flipped) {
            assert!(loaded.order() >= world.state.order());
            assert_eq!(loaded.pinset_payload(), state.pinset_payload(), "byte {i}");
        }
    }
}

#[test]
fn what_the_app_ships_with_is_never_undercut_by_a_store() {
    let world = World::new();
    let bundles: Vec<_> = (1..=5)
        .map(|n| Bundle {
            roots: [vec![world.first.clone()], (2..=n).map(|v| world.root(v, 0)).collect()]
                .concat(),
            pinset: world.pinset(n, 0),
        })
        .collect();
    let shipped = |n: usize| {
        let root = bundles[n].roots.last().expect("one");
        State::from_embedded(&embedded(root, &bundles[n].pinset)).expect("a good build")
    };
    for stored in &bundles {
        for n in 0..bundles.len() {
            let app = shipped(n);
            match accept(&app, stored, APP) {
                Ok(loaded) => assert!(loaded.order() >= app.order()),
                Err(why) => assert_eq!(why.cause, Cause::Rollback, "{why}"),
            }
        }
    }
    // An upgrade and a downgrade end where the newest documents are, from every version.
    for n in 0..bundles.len() {
        let newest = accept(&shipped(n), &bundles[4], APP).expect("good");
        assert_eq!(newest.order(), shipped(4).order());
    }
}

#[test]
fn a_build_with_documents_that_do_not_belong_together_is_refused() {
    let world = World::new();
    let stranger = Signer::new("pin-kms");
    let pins = envelope(PINSET_TYPE, &pinset(1, 0), &[&stranger]);
    let built = |root: &Envelope, pins: &Envelope| State::from_embedded(&embedded(root, pins));
    assert_eq!(cause(built(&world.first, &pins)), Cause::Threshold);
    assert_eq!(cause(built(&pins, &world.first)), Cause::Type);
    let elsewhere = world.root_with(1, 0, |d| d["stream"] = json!("other"));
    assert_eq!(cause(built(&elsewhere, &world.pinset(1, 0))), Cause::Stream);
    built(&world.first, &world.pinset(1, 0)).expect("good");
}

#[test]
fn a_second_key_on_a_token_can_sign_when_the_first_is_down() {
    let world = World::new();
    let token = Signer::new("pin-token");
    let keys = [&*world.a, &*world.b, &*world.c];
    let second =
        envelope(ROOT_TYPE, &root(2, 0, &keys, &[&world.pin, &token]), &[&world.a, &world.c]);
    for signer in [&world.pin, &token] {
        let pins = envelope(PINSET_TYPE, &pinset(2, 0), &[&**signer]);
        world.offer(from_ref(&second), pins).expect("either will do");
    }
}

fn merge(document: &mut Value, edit: &Value) {
    for (name, value) in edit.as_object().expect("an object") {
        document[name] = value.clone();
    }
}
