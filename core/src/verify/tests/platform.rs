//! What a platform may answer, and what is made of it.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use super::*;
use crate::CancelToken;
use crate::error::{TimeoutPhase, UntrustedReason};
use crate::patience::Patience;
use crate::pin::{PathFate, Trust};
use crate::verify::platform::{PlatformTrust, TrustQuestion, TrustedPath};

type Verify = dyn Fn(&TrustQuestion) -> Result<TrustedPath, UntrustedReason> + Send + Sync;

struct Answers(Box<Verify>);

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answers")
    }
}

impl PlatformTrust for Answers {
    fn verify(&self, question: &TrustQuestion) -> Result<TrustedPath, UntrustedReason> {
        (self.0)(question)
    }
}

fn answers(
    verify: impl Fn(&TrustQuestion) -> Result<TrustedPath, UntrustedReason> + Send + Sync + 'static,
) -> SystemTrust {
    SystemTrust::Platform(Platform::new(Arc::new(Answers(Box::new(verify)))))
}

/// A platform that has verified the path over these certificates.
fn path(kit: &Testkit, names: &[&str]) -> SystemTrust {
    let certificates = names.iter().map(|name| kit.pki().certificate(name).to_vec());
    let certificates = certificates.collect::<Vec<_>>();
    answers(move |_| {
        Ok(TrustedPath {
            certificates: certificates.clone(),
            added_authority: None,
            ..TrustedPath::default()
        })
    })
}

fn at_any(kit: &Testkit, name: &str) -> PinSet {
    set(kit, vec![pin(kit, name, PinAt::Any)])
}

#[test]
fn a_path_of_any_length_decides_alike() {
    let kit = kit();
    for verified in [
        &["backend", "intermediate", "root"][..],
        // It stops at an intermediate that the device trusts.
        &["backend", "intermediate"],
        &["backend"],
        // It goes on to another root by a cross-sign.
        &["backend", "cross", "other_root"],
        &["backend", "intermediate", "root", "other_root"],
        // It does not tell.
        &[],
    ] {
        let chain = kit.pki().chain("backend_root");
        for (pinned, matches) in [
            ("backend", true),
            ("intermediate", true),
            ("root", true),
            ("rotated", false),
            ("private_root", false),
        ] {
            let result = judge(path(&kit, verified), at_any(&kit, pinned), &chain, NOON);
            assert_eq!(result.is_ok(), matches, "{verified:?} pinned {pinned}: {result:?}");
        }
    }
}

#[test]
fn a_certificate_that_only_the_platform_knows_can_carry_the_pin() {
    let kit = kit();
    // The server presents the end-entity alone; the platform had the rest.
    let chain = &kit.pki().chain("backend")[..1];
    let verified = path(&kit, &["backend", "intermediate", "root"]);
    for pinned in ["intermediate", "root"] {
        let verdict = judge(verified.clone(), at_any(&kit, pinned), chain, NOON).expect(pinned);
        let Outcome::Match(matched) = &verdict.outcome else { panic!("{verdict:?}") };
        assert_eq!(matched.pin.to_string(), kit.pki().pin(pinned));
        assert_eq!(verdict.path[matched.depth].spki.to_string(), kit.pki().pin(pinned));
    }
}

#[test]
fn an_answer_for_another_certificate_is_no_answer() {
    let kit = kit();
    for verified in [&["rotated", "intermediate", "root"][..], &["intermediate", "root"], &["root"]]
    {
        let chain = kit.pki().chain("backend");
        let error = judge(path(&kit, verified), at_any(&kit, "backend"), &chain, NOON);
        assert_eq!(error.expect_err("refused").code(), "certificate_unverified", "{verified:?}");
    }
}

/// A platform that calls the presented chain verified does not make it so (CVE-2016-2402).
#[test]
fn a_pin_above_the_end_entity_is_proved_whatever_the_platform_says() {
    let kit = kit();
    let presented = answers(|question| {
        Ok(TrustedPath {
            certificates: question.chain.clone(),
            added_authority: None,
            ..TrustedPath::default()
        })
    });
    for chain in ["pasted", "same_name_ca"] {
        let chain = kit.pki().chain(chain);
        for pinned in ["backend", "intermediate", "root"] {
            let result = judge(presented.clone(), at_any(&kit, pinned), &chain, NOON);
            assert_eq!(result.expect_err("a pasted chain").code(), "pin_mismatch", "{pinned}");
        }
    }
}

#[test]
fn trust_without_the_right_name_is_none() {
    let kit = kit();
    let chain = kit.pki().chain("wrong_host");
    let verified = path(&kit, &["wrong_host", "intermediate", "root"]);
    let error = judge(verified, at_any(&kit, "wrong_host"), &chain, NOON);
    assert_eq!(error.expect_err("another name").code(), "certificate_wrong_host");
}

#[test]
fn every_reason_of_the_platform_is_handed_on() {
    let kit = kit();
    for reason in [
        UntrustedReason::Expired,
        UntrustedReason::Invalid("because".into()),
        UntrustedReason::NotYetValid,
        UntrustedReason::Revoked,
        UntrustedReason::UnknownIssuer,
        UntrustedReason::Unverified("because".into()),
        UntrustedReason::WrongHost,
    ] {
        let system = answers({
            let reason = reason.clone();
            move |_| Err(reason.clone())
        });
        let error = judge(system, at_any(&kit, "backend"), &kit.pki().chain("backend"), NOON);
        let Err(Error::Untrusted { reason: told, .. }) = error else { panic!("{error:?}") };
        assert_eq!(told, reason);
    }
}

#[test]
fn a_panic_in_the_platform_is_a_refusal() {
    let kit = kit();
    let system = answers(|_| panic!("on purpose"));
    let error = judge(system, at_any(&kit, "backend"), &kit.pki().chain("backend"), NOON);
    let Err(Error::Untrusted { reason, .. }) = error else { panic!("{error:?}") };
    assert_eq!(reason, UntrustedReason::Unverified("it panicked".into()));
}

/// A platform that answers when the other end of its channel is dropped.
fn hanging(limit: Duration) -> (SystemTrust, std::sync::mpsc::Sender<()>) {
    let (release, released) = channel::<()>();
    let released: Mutex<Receiver<()>> = Mutex::new(released);
    let verify = move |_: &TrustQuestion| {
        let _end = released.lock().expect("one at a time").recv();
        Ok(TrustedPath::default())
    };
    let trust = Arc::new(Answers(Box::new(verify)));
    (SystemTrust::Platform(Platform::with_limit(trust, limit)), release)
}

#[test]
fn a_platform_that_does_not_answer_is_given_up_in_time() {
    let kit = kit();
    let limit = Duration::from_millis(2);
    let (system, release) = hanging(limit);
    let pins = at_any(&kit, "backend");
    let chain = kit.pki().chain("backend");
    let judge = Judge { pins, deny_unpinned: true, system, managed: None };
    let code = || {
        judge_with(&judge, &chain, NOON, &[]).map_err(|error| match error {
            Error::Timeout { phase: TimeoutPhase::Trust, after, .. } => {
                assert!(after <= limit, "{after:?}");
                "timeout_trust"
            }
            error => error.code(),
        })
    };
    assert_eq!(code().err(), Some("timeout_trust"));
    // Threads that hang are not piled up without end.
    let last = (0..200).find(|_| code().err() != Some("timeout_trust")).expect("an end");
    assert!((50..70).contains(&last), "{last}");
    assert_eq!(code().err(), Some("certificate_unverified"));
    drop(release);
    // Once they have come back, the platform is asked again.
    let deadline = Instant::now() + Duration::from_secs(20);
    while judge_with(&judge, &chain, NOON, &[]).is_err() {
        assert!(Instant::now() < deadline, "the threads did not come back");
        std::thread::yield_now();
    }
}

#[test]
fn more_questions_than_threads_wait_for_their_turn() {
    let kit = kit();
    let (running, all) = (Mutex::new(0), std::sync::Condvar::new());
    // As many as there are threads must have come before the first one is answered.
    let system = answers(move |_| {
        let mut running = running.lock().expect("no panic");
        *running += 1;
        all.notify_all();
        let _enough = all.wait_while(running, |running| *running < 64).expect("no panic");
        Ok(TrustedPath::default())
    });
    let pins = at_any(&kit, "backend");
    let chain = kit.pki().chain("backend");
    let judge = Judge { pins, deny_unpinned: true, system, managed: None };
    std::thread::scope(|scope| {
        let ask = || judge_with(&judge, &chain, NOON, &[]).map(|_| ());
        let asked = [(); 200].map(|()| scope.spawn(ask));
        for asked in asked {
            assert_eq!(asked.join().expect("no panic"), Ok(()));
        }
    });
}

#[test]
fn the_calls_own_deadline_and_cancellation_end_the_wait() {
    let kit = kit();
    let (system, _release) = hanging(Duration::from_secs(3_600));
    let pins = at_any(&kit, "backend");
    let chain = kit.pki().chain("backend");
    let judge = Judge { pins, deny_unpinned: true, system, managed: None };

    let accept = |patience| {
        let name = ServerName::try_from("api.example.test").expect("a name");
        let now = UnixTime::since_unix_epoch(Duration::from_secs(
            parse_rfc3339_utc(NOON).expect("a time"),
        ));
        let (end_entity, intermediates) = chain.split_first().expect("a chain");
        let presented =
            Presented { end_entity, intermediates, name: &name, ocsp: &[], now, live: true };
        judge.accept(&presented, patience).expect_err("no answer")
    };
    let token = CancelToken::new();
    let error = accept(Patience { deadline: Some(Instant::now()), cancel: &token });
    assert_eq!(error.code(), "timeout_trust");

    let other_hand = token.clone();
    let canceller = std::thread::spawn(move || other_hand.cancel());
    let error = accept(Patience { deadline: None, cancel: &token });
    assert_eq!(error, Error::Cancelled);
    canceller.join().expect("it cancels");
}

#[test]
fn an_added_authority_is_named_as_such() {
    let kit = kit();
    let certificates = ["interceptor", "other_root"].map(|n| kit.pki().certificate(n).to_vec());
    // Whether it is a public one can be told with roots to compare with; else the platform's word
    // has to do.
    let others = match cfg!(feature = "bundled-roots") {
        true => [("local_authority", "likely"), ("local_authority", "likely")],
        false => [("rotated_or_misissued", "possible"), ("local_authority", "possible")],
    };
    for (added, (kind, confidence)) in
        [(Some(true), ("local_authority", "certain")), (Some(false), others[0]), (None, others[1])]
    {
        let certificates = certificates.to_vec();
        let system = answers(move |_| {
            Ok(TrustedPath {
                certificates: certificates.clone(),
                added_authority: added,
                ..TrustedPath::default()
            })
        });
        let chain = kit.pki().chain("interceptor");
        let error = judge(system, at_any(&kit, "backend"), &chain, NOON).expect_err("unpinned");
        let report = error.interception().expect("somebody is there");
        assert_eq!((report.kind.code(), report.confidence.code()), (kind, confidence));
    }
}

/// Certificates that OpenSSL made; a platform may be more generous than webpki.
#[test]
fn weak_keys_and_signatures_do_not_count_although_the_platform_trusts_them() {
    let read = |pem: &[u8]| {
        use rustls_pki_types::pem::PemObject;
        CertificateDer::from_pem_slice(pem).expect("PEM")
    };
    let root = read(include_bytes!("../../../tests/data/weak/root.pem"));
    let weak = |pem: &[u8]| (read(pem), root.clone());
    for ((leaf, root), why) in [
        (weak(include_bytes!("../../../tests/data/weak/rsa1024.pem")), "RSA key of 1024 bits"),
        (weak(include_bytes!("../../../tests/data/weak/sha1.pem")), "SHA-1"),
        (weak(include_bytes!("../../../tests/data/weak/pss_sha1.pem")), "SHA-1"),
        (weak(include_bytes!("../../../tests/data/weak/secp256k1.pem")), "curve other than"),
    ] {
        let told = vec![leaf.to_vec(), root.to_vec()];
        for certificates in [told, Vec::new()] {
            let system = answers(move |_| {
                Ok(TrustedPath {
                    certificates: certificates.clone(),
                    added_authority: None,
                    ..TrustedPath::default()
                })
            });
            let pins = PinSet::parse(br#"{"schema":1,"hosts":[]}"#).expect("an empty pin set");
            let judge = Judge { pins, deny_unpinned: false, system, managed: None };
            let error =
                judge_with(&judge, std::slice::from_ref(&leaf), "2027-01-01T00:00:00Z", &[]);
            let Err(Error::Untrusted { reason: UntrustedReason::Invalid(reason), .. }) = error
            else {
                panic!("{why}: {error:?}")
            };
            assert!(reason.contains(why), "{reason}");
        }
    }
}

#[test]
fn every_path_that_was_tried_is_told() {
    let kit = kit();
    let chain = kit.pki().chain("cross").iter().map(|der| der.to_vec()).collect::<Vec<_>>();
    let at = parse_rfc3339_utc(NOON).expect("a time");
    for (system, fates) in [
        (anchors(&kit), &["no_pin"][..]),
        (platform(&kit), &["no_pin"]),
        (path(&kit, &["backend", "cross", "other_root"]), &["no_pin"]),
    ] {
        let judge =
            Judge { pins: at_any(&kit, "rotated"), deny_unpinned: true, system, managed: None };
        let explained = judge.explain("api.example.test", &chain, at).expect("explained");
        let told = explained.paths.iter().map(|path| path.fate.name()).collect::<Vec<_>>();
        assert_eq!(told, fates);
        assert_eq!(explained.error.expect("refused").code(), "pin_mismatch");
    }
    // Two roots sign the intermediate's key; the pin is on the second path.
    let mut chain = kit.pki().chain("backend");
    chain.push(kit.pki().certificate("cross").clone());
    let chain = chain.iter().map(|der| der.to_vec()).collect::<Vec<_>>();
    for pinned in ["root", "other_root"] {
        let judge = Judge {
            pins: at_any(&kit, pinned),
            deny_unpinned: true,
            system: anchors(&kit),
            managed: None,
        };
        let explained = judge.explain("api.example.test", &chain, at).expect("explained");
        let last = explained.paths.last().expect("a path");
        assert!(matches!(last.fate, PathFate::Match(_)), "{pinned}: {:?}", explained.paths);
        assert!(explained.paths.len() <= 2);
        let (matched, _) = explained.matched().expect("a match");
        assert_eq!(matched.pin.to_string(), kit.pki().pin(pinned));
        assert_eq!(explained.policy.as_ref().map(|p| p.trust), Some(Trust::SystemAndPin));
    }
}
