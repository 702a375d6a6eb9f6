//! How the clock decides on enforcement, and on nothing else.

use pinfold_core::pin::{HostName, Mode, OnLapse};
use pinfold_core::pinset::enforcement::{bucket, effective_now, enforcement, freshness};
use pinfold_core::pinset::{Freshness, State};
use serde_json::json;

use crate::signer::{A, B, DAY, START, STREAM, World, embedded, time};

const ID: &[u8; 16] = b"0123456789abcdef";

fn host(name: &str) -> HostName {
    HostName::parse(name).expect("a host")
}

#[test]
fn a_pin_set_is_fresh_then_stale_then_lapsed_at_every_clock() {
    let world = World::new();
    let state = &world.state;
    let (issued, expires) = (state.pinset().issued(), state.pinset().expires());
    for (device, expected) in [
        (0, Freshness::Fresh),
        (1_451_606_400, Freshness::Fresh),
        (issued - 1, Freshness::Fresh),
        (issued + 30 * DAY, Freshness::Fresh),
        (expires - 1, Freshness::Fresh),
        (expires, Freshness::Stale),
        (expires + 60 * DAY - 1, Freshness::Stale),
        (expires + 60 * DAY, Freshness::Lapsed),
        (issued + 400 * DAY, Freshness::Lapsed),
        (4_291_747_200, Freshness::Lapsed),
        (u64::MAX, Freshness::Lapsed),
    ] {
        assert_eq!(freshness(state, device, START), expected, "{device}");
    }
    let names = [Freshness::Fresh, Freshness::Stale, Freshness::Lapsed].map(Freshness::name);
    assert_eq!(names, ["fresh", "stale", "lapsed"]);
}

#[test]
fn a_clock_is_never_before_what_is_proved() {
    let world = World::new();
    let state = &world.state;
    assert_eq!(effective_now(0, state, 0), state.pinset().issued());
    assert_eq!(effective_now(0, state, state.pinset().issued() + 7), state.pinset().issued() + 7);
    assert_eq!(effective_now(u64::MAX, state, 0), u64::MAX);
    // A build that is newer than the documents' end tells as much as a clock.
    assert_eq!(freshness(state, 0, START + 400 * DAY), Freshness::Lapsed);
}

#[test]
fn every_pin_set_lapses_within_the_cap() {
    let world = World::new();
    let root = world.root_with(2, 0, |d| {
        d["constraints"]["max_validity_days"] = json!(398);
        d["constraints"]["max_grace_days"] = json!(180);
    });
    let issued = START + 2 * 3_600;
    let longest = world.pinset_with(2, 0, |d| {
        d["expires"] = json!(time(issued + 398 * DAY));
        d["grace_days"] = json!(180);
    });
    let state = world.offer(&[root], longest).expect("the cap itself");
    assert_eq!(freshness(&state, issued + 578 * DAY, 0), Freshness::Lapsed);
    assert_eq!(freshness(&state, issued + 578 * DAY - 1, 0), Freshness::Stale);
}

fn with_hosts(world: &World) -> State {
    let pins = json!([{"sha256": A}, {"sha256": B}]);
    let document = world.pinset_with(2, 0, |d| {
        d["hosts"] = json!([
            {"host": "api.example.com", "include_subdomains": true, "pins": pins,
             "on_lapse": "block", "expires": time(START + 10 * DAY)},
            {"host": "half.example.com", "include_subdomains": true, "pins": pins,
             "enforce_percent": 50},
            {"host": "report.example.com", "pins": pins, "mode": "report_only",
             "enforce_percent": 50},
            {"host": "off.example.com", "mode": "off"}]);
    });
    world.offer(&[], document).expect("good")
}

#[test]
fn an_entry_can_lapse_before_its_document() {
    let world = World::new();
    let state = with_hosts(&world);
    let embedded = embedded(&world.first, &world.pinset(1, 0));
    let at = |name: &str, device| {
        enforcement(&state, &host(name), device, &embedded, ID).expect("an entry").freshness
    };
    assert_eq!(at("api.example.com", START + 10 * DAY - 1), Freshness::Fresh);
    assert_eq!(at("api.example.com", START + 10 * DAY), Freshness::Stale);
    assert_eq!(at("a.api.example.com", START + 70 * DAY), Freshness::Lapsed);
    assert_eq!(at("off.example.com", START + 10 * DAY), Freshness::Fresh);
    assert!(enforcement(&state, &host("example.com"), 0, &embedded, ID).is_none());
}

#[test]
fn block_needs_the_consent_of_the_app() {
    let world = World::new();
    let state = with_hosts(&world);
    let mut embedded = embedded(&world.first, &world.pinset(1, 0));
    let mut on_lapse = |name: &str, consent| {
        embedded.allow_block = consent;
        enforcement(&state, &host(name), 0, &embedded, ID).expect("an entry").on_lapse
    };
    assert_eq!(on_lapse("api.example.com", false), OnLapse::SystemTrust);
    assert_eq!(on_lapse("api.example.com", true), OnLapse::Block);
    assert_eq!(on_lapse("half.example.com", true), OnLapse::SystemTrust);
}

#[test]
fn a_share_of_the_devices_enforces_and_report_only_never_does() {
    let world = World::new();
    let state = with_hosts(&world);
    let embedded = embedded(&world.first, &world.pinset(1, 0));
    let mode = |name: &str, id: &[u8; 16]| {
        enforcement(&state, &host(name), 0, &embedded, id).expect("an entry").mode
    };
    let mut enforcing = 0;
    for n in 0..1_000_u128 {
        let id = n.to_le_bytes();
        let asked = mode("half.example.com", &id);
        assert_eq!(mode("a.half.example.com", &id), asked, "names of one entry agree");
        enforcing += u32::from(asked == Mode::Enforce);
        assert_eq!(mode("api.example.com", &id), Mode::Enforce);
        assert_eq!(mode("report.example.com", &id), Mode::ReportOnly);
        assert_eq!(mode("off.example.com", &id), Mode::Off);
    }
    assert!((440..=560).contains(&enforcing), "{enforcing}");
}

#[test]
fn a_device_enforces_from_the_percent_above_its_bucket() {
    let world = World::new();
    let embedded = embedded(&world.first, &world.pinset(1, 0));
    let api = host("api.example.com");
    let own = bucket(ID, STREAM, &api);
    let mode = |percent: u8| {
        let document =
            world.pinset_with(2, 0, |d| d["hosts"][0]["enforce_percent"] = json!(percent));
        let state = world.offer(&[], document).expect("good");
        enforcement(&state, &api, 0, &embedded, ID).expect("an entry").mode
    };
    for percent in [0, own] {
        assert_eq!(mode(percent), Mode::ReportOnly, "{percent}");
    }
    for percent in [own + 1, 100] {
        assert_eq!(mode(percent), Mode::Enforce, "{percent}");
    }
}

#[test]
fn buckets_are_even_over_a_hundred_thousand_devices_and_stable() {
    let host = host("api.example.com");
    let mut counts = [0_u32; 100];
    for n in 0..100_000_u128 {
        counts[usize::from(bucket(&n.to_le_bytes(), "com.example.bank/prod", &host))] += 1;
    }
    let mut below = 0_u32;
    for (percent, count) in counts.iter().enumerate() {
        assert!(below.abs_diff(percent as u32 * 1_000) <= 500, "{percent} %: {below}");
        below += count;
    }
    // SHA-256("0123456789abcdef" "com.example.bank/prod" "api.example.com"), by another tool.
    assert_eq!(bucket(ID, "com.example.bank/prod", &host), 10);
}
