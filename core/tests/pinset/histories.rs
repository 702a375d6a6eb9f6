//! Random histories of a publisher, a client and an adversary, with real signatures.
//!
//! The adversary replays, splices, truncates, shuffles and forges with what keys it has stolen,
//! spoils the store, and the app is updated and downgraded meanwhile. After every step the
//! invariants hold. The numbers are those of the design's executable model, which `differential`
//! compares with `accept` on far more histories.

use std::collections::BTreeSet;
use std::sync::Arc;

use pinfold_core::pin::Mode;
use pinfold_core::pinset::enforcement::freshness;
use pinfold_core::pinset::{Bundle, Envelope, Freshness, PINSET_TYPE, ROOT_TYPE, State, accept};
use serde_json::{Value, json};

use crate::signer::{APP, DAY, START, Signer, embedded, envelope, pinset, root, time};

const HISTORIES: u64 = 60;
const STEPS: u64 = 40;

/// SplitMix64: the decisions of a history follow from its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn percent(&mut self, n: u64) -> bool {
        self.below(100) < n
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len() as u64) as usize]
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

/// What the client of a history writes down. The product does the first.
#[derive(Clone, Copy, PartialEq)]
enum Kept {
    Verified,
    /// The bug that the design's model found: the bytes as they came.
    Downloaded,
}

struct Publisher {
    random: Random,
    now: u64,
    names: u64,
    epoch: u64,
    version: u64,
    root_keys: Vec<Arc<Signer>>,
    pin_keys: Vec<Arc<Signer>>,
    roots: Vec<Envelope>,
    /// When each root ends.
    ends: Vec<u64>,
    epochs: Vec<u64>,
    published: Vec<Bundle>,
    honest: BTreeSet<Vec<u8>>,
    stolen: Vec<Arc<Signer>>,
}

impl Publisher {
    fn new(seed: u64) -> Self {
        let mut it = Self {
            random: Random(seed),
            now: START,
            names: 0,
            epoch: 0,
            version: 0,
            root_keys: Vec::new(),
            pin_keys: Vec::new(),
            roots: Vec::new(),
            ends: Vec::new(),
            epochs: Vec::new(),
            published: Vec::new(),
            honest: BTreeSet::new(),
            stolen: Vec::new(),
        };
        it.root_keys = (0..3).map(|_| it.key()).collect();
        it.pin_keys = vec![it.key()];
        it.publish_root(false, false, false);
        it.publish();
        it
    }

    fn key(&mut self) -> Arc<Signer> {
        self.names += 1;
        Signer::new(&format!("k{}", self.names))
    }

    fn root_document(&self, version: u64, epoch: u64) -> Value {
        let roots: Vec<_> = self.root_keys.iter().map(|key| &**key).collect();
        let pins: Vec<_> = self.pin_keys.iter().map(|key| &**key).collect();
        let mut document = root(version, epoch, &roots, &pins);
        document["issued"] = json!(time(self.now));
        document["expires"] = json!(time(self.now + 730 * DAY));
        document["constraints"] = json!({});
        document
    }

    fn publish_root(&mut self, new_root_key: bool, new_pin_key: bool, new_epoch: bool) {
        let old = self.root_keys.clone();
        if new_root_key {
            self.root_keys.remove(0);
            let key = self.key();
            self.root_keys.push(key);
        }
        if new_pin_key {
            self.pin_keys = vec![self.key()];
        }
        if new_epoch {
            self.epoch += 1;
            self.version = 0;
        }
        let document = self.root_document(self.roots.len() as u64 + 1, self.epoch);
        let mut signers: Vec<&Signer> = Vec::new();
        for key in old[..2].iter().chain(&self.root_keys[..2]) {
            if !signers.iter().any(|signer| signer.id == key.id) {
                signers.push(key);
            }
        }
        let root = envelope(ROOT_TYPE, &document, &signers);
        self.honest.insert(root.payload.clone());
        self.ends.push(self.now + 730 * DAY);
        self.epochs.push(self.epoch);
        self.roots.push(root);
    }

    /// A pin set that ends as its root does, at the latest.
    fn document(&self, version: u64, epoch: u64, issued: u64, expires: u64) -> Value {
        let mut document = pinset(1, epoch);
        document["version"] = json!(version);
        document["issued"] = json!(time(issued));
        document["expires"] = json!(time(expires));
        document
    }

    fn publish(&mut self) {
        self.version += 1;
        let expires = (self.now + 60 * DAY).min(*self.ends.last().expect("one"));
        let mut document = self.document(self.version, self.epoch, self.now, expires);
        if self.random.percent(50) {
            document["defaults"] = json!({"on_lapse": "block"});
        }
        let pins = envelope(PINSET_TYPE, &document, &[&self.pin_keys[0]]);
        self.honest.insert(pins.payload.clone());
        self.published.push(Bundle { roots: self.roots.clone(), pinset: pins });
    }

    fn tick(&mut self) {
        self.now += (1 + self.random.below(20)) * DAY;
    }

    fn step(&mut self) {
        self.tick();
        match self.random.below(100) {
            0..15 => {
                let (roots, pins) = (self.random.percent(50), self.random.percent(50));
                self.publish_root(roots, pins, false);
            }
            15..18 => self.publish_root(false, false, true),
            _ if *self.ends.last().expect("one") < self.now + 200 * DAY => {
                self.publish_root(false, false, false);
            }
            _ => {}
        }
        self.publish();
    }

    /// The keys of pin sets leak, and one of the roots': never two.
    fn steal(&mut self) {
        self.stolen = self.pin_keys.clone();
        let one = self.random.pick(&self.root_keys).clone();
        self.stolen.push(one);
    }

    fn latest(&self) -> &Bundle {
        self.published.last().expect("one")
    }

    /// A bundle of the adversary's. `known` is the version of the client's root.
    fn evil(&mut self, known: u64) -> Bundle {
        let replayed = self.random.pick(&self.published).clone();
        let roots = self.random.pick(&self.published).roots.clone();
        let mut spliced = Bundle { roots, pinset: replayed.pinset.clone() };
        match self.random.below(100) {
            0..15 => return replayed,
            15..30 => return spliced,
            30..40 => {
                let n = self.random.below(spliced.roots.len() as u64 + 1) as usize;
                self.random.shuffle(&mut spliced.roots);
                spliced.roots.truncate(n);
                return spliced;
            }
            // Genuine and new, without what the client has already.
            40..55 => {
                let mut bundle = self.latest().clone();
                bundle.roots.drain(..(known as usize).min(bundle.roots.len()));
                self.random.shuffle(&mut bundle.roots);
                return bundle;
            }
            55..62 => {
                let text = String::from_utf8_lossy(&spliced.pinset.payload);
                spliced.pinset.payload =
                    text.replace(r#""hosts":[{"#, r#""hosts":[{"mode":"off","#).into();
                return spliced;
            }
            62..70 => {
                let stranger = self.key();
                let mut document = self.root_document(self.roots.len() as u64 + 1, self.epoch);
                document["keys"][0]["spki"] = json!(stranger.spki());
                let mut forged = envelope(ROOT_TYPE, &document, &[&stranger, &stranger]);
                forged.signatures[0].keyid = self.root_keys[0].id.clone();
                spliced.roots.push(forged);
                return spliced;
            }
            70..78 => {
                spliced.pinset = self.random.pick(&self.roots).clone();
                return spliced;
            }
            _ => {}
        }
        if self.stolen.is_empty() {
            spliced.pinset.signatures.clear();
            return spliced;
        }
        let i = self.random.below(self.roots.len() as u64) as usize;
        let (end, epoch) = (self.ends[i], self.epochs[i] + self.random.below(2));
        let version = *self.random.pick(&[self.version + 1, (1 << 53) - 1, self.version]);
        let issued = *self.random.pick(&[self.now, end - 1, self.now - 5 * DAY]);
        let expires =
            *self.random.pick(&[issued + 1, end, issued + 398 * DAY, issued + 398 * DAY + 1]);
        let mut document = self.document(version, epoch, issued, expires);
        document["grace_days"] = json!(*self.random.pick(&[0, 180, 181]));
        document["defaults"] = json!({"mode": "off", "on_lapse": "block"});
        let thieves: Vec<_> = self.stolen.iter().map(|key| &**key).collect();
        let mut bundle = self.published[self.published.len() - 1].clone();
        bundle.pinset = envelope(PINSET_TYPE, &document, &thieves);
        if self.random.percent(30) {
            let mut document = root(self.roots.len() as u64 + 1, epoch, &thieves, &thieves);
            document["roles"]["root"]["threshold"] = json!(1);
            bundle.roots.push(envelope(ROOT_TYPE, &document, &thieves));
        }
        bundle
    }

    /// The state of an app that shipped with the `i`th bundle.
    fn shipped(&self, i: usize) -> State {
        let bundle = &self.published[i];
        let root = bundle.roots.last().expect("one");
        State::from_embedded(&embedded(root, &bundle.pinset)).expect("a good build")
    }
}

fn check(holds: bool, invariant: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(invariant.to_owned()) }
}

fn load(app: &State, stored: Option<&[u8]>) -> State {
    let loaded = stored.and_then(|json| Bundle::parse_stored(json).ok());
    loaded.and_then(|bundle| accept(app, &bundle, APP).ok()).unwrap_or_else(|| app.clone())
}

fn root_of(state: &State) -> Vec<u8> {
    state.to_bundle().roots.pop().expect("one").payload
}

/// One history; how many bundles changed the client, or the invariant that broke.
fn run(seed: u64, kept: Kept) -> Result<u64, String> {
    let mut world = Publisher::new(seed);
    let mut shipped = 0;
    let mut app = world.shipped(0);
    let mut state = app.clone();
    let mut stored: Option<Vec<u8>> = None;
    let mut accepted = 0;
    for _ in 0..STEPS {
        match world.random.below(100) {
            0..35 => world.step(),
            35..38 if world.stolen.is_empty() => world.steal(),
            _ => {}
        }
        let fetched = if world.random.percent(40) {
            world.latest().clone()
        } else {
            world.evil(state.root().version())
        };
        let before = state.clone();
        if let Ok(new) = accept(&state, &fetched, APP)
            && new != state
        {
            accepted += 1;
            stored = Some(match kept {
                Kept::Verified => new.to_bundle().to_json(),
                Kept::Downloaded => fetched.to_json(),
            });
            state = new;
        }
        let honest_keys = world.stolen.is_empty();
        let risen = state.root().epoch() > before.root().epoch();
        check(state.order() >= before.order() || risen, "I1 rollback")?;
        check(world.honest.contains(&root_of(&state)), "I2 a forged root")?;
        let honest = |state: &State| world.honest.contains(state.pinset_payload());
        check(!honest_keys || honest(&state), "I2 a forged pin set")?;
        let modes: Vec<_> = state.pinset().pins().hosts().iter().map(|p| p.mode()).collect();
        check(!honest_keys || modes == [Mode::Enforce], "I7 a weaker policy")?;
        check(accept(&state, &fetched, "android:other").is_err(), "I10 audience")?;
        let lapsed = |at| freshness(&state, at, 0) == Freshness::Lapsed;
        check(lapsed(state.pinset().issued() + 578 * DAY), "I4 a pin set for ever")?;
        check(lapsed(state.root().expires() + 180 * DAY), "I11 a withdrawn key for ever")?;
        let same = state.order() != before.order() || state == before;
        check(same, "I12 other contents")?;
        let floor = state.pinset().issued() >= before.pinset().issued();
        check(risen || floor, "I13 time went back")?;
        check(state.pinset().epoch() == state.root().epoch(), "I14 an older epoch")?;

        // A restart, perhaps with a spoilt store, perhaps of another version of the app.
        if world.random.percent(25) {
            let spoilt = match world.random.below(4) {
                0 => None,
                1 => Some(world.evil(state.root().version()).to_json()),
                2 => Some(br#"{"bundle":1,"roots":[],"pinset":{}}"#.to_vec()),
                _ => stored.clone(),
            };
            let newest = world.published.len() - 1;
            let other = world.random.below(newest as u64 + 1) as usize;
            let next = *world.random.pick(&[shipped, newest, other]);
            let next_app = if next == shipped { app.clone() } else { world.shipped(next) };
            let loaded = load(&next_app, spoilt.as_deref());
            let risen = loaded.root().epoch() > next_app.root().epoch();
            check(loaded.order() >= next_app.order() || risen, "I8 below what was shipped")?;
            let honest = world.honest.contains(loaded.pinset_payload());
            check(!world.stolen.is_empty() || honest, "I8 a forged pin set from the store")?;
            if next == shipped && spoilt == stored {
                check(loaded == state, "I8 a restart loses the state")?;
            }
            if world.random.percent(50) {
                stored = (loaded != next_app).then(|| match kept {
                    Kept::Verified => loaded.to_bundle().to_json(),
                    Kept::Downloaded => spoilt.expect("it was loaded from there"),
                });
                (shipped, app, state) = (next, next_app, loaded);
            }
        }
    }
    check_ends(&mut world, &state)?;
    Ok(accepted)
}

/// What must hold wherever a history has led.
fn check_ends(world: &mut Publisher, state: &State) -> Result<(), String> {
    let keys: Vec<_> = world.root_keys.clone();
    let signers: Vec<_> = keys.iter().map(|key| &**key).collect();
    let next = world.roots.len() as u64 + 1;
    let with = |world: &Publisher, root: Envelope, pins: Value| {
        let roots = [world.roots.clone(), vec![root]].concat();
        let pins = envelope(PINSET_TYPE, &pins, &[&world.pin_keys[0]]);
        accept(state, &Bundle { roots, pinset: pins }, APP)
    };

    // A root whose own keys did not sign it would end the chain.
    let lost: Vec<_> = (0..3).map(|_| world.key()).collect();
    let lost: Vec<_> = lost.iter().map(|key| &**key).collect();
    let dead =
        envelope(ROOT_TYPE, &root(next, world.epoch, &lost, &[&world.pin_keys[0]]), &signers);
    let pins = world.document(world.version + 1, world.epoch, world.now, world.now + DAY);
    let adopted = with(world, dead, pins).is_ok_and(|s| s.root().version() == next);
    check(!adopted, "I15 a dead root")?;

    // One key for both types.
    let shared = root(next, world.epoch, &signers, &signers);
    let shared = envelope(ROOT_TYPE, &shared, &signers[..2]);
    let bundle =
        Bundle { roots: [world.roots.clone(), vec![shared.clone()]].concat(), pinset: shared };
    check(accept(state, &bundle, APP).is_err_and(|why| why.code() == "type"), "I16 types")?;

    // An operator's typing error.
    let last = (1 << 53) - 1;
    let far = envelope(ROOT_TYPE, &world.root_document(next, last), &signers);
    let pins = world.document(1, last, world.now, world.now + DAY);
    check(with(world, far, pins).is_err(), "I17 the last epoch")?;

    // An honest recovery reaches every client in one fetch, and the thief is out.
    world.tick();
    world.publish_root(false, true, true);
    world.publish();
    let latest = world.latest().clone();
    let states = (0..world.published.len()).map(|i| world.shipped(i)).collect::<Vec<_>>();
    for state in states.iter().chain([state]) {
        let new = accept(state, &latest, APP).map_err(|why| format!("I3 bricked: {why}"))?;
        check(new.pinset_payload() == latest.pinset.payload, "I3 bricked")?;
    }
    let recovered = states.last().expect("one");
    for _ in 0..10 {
        let bundle = world.evil(recovered.root().version());
        if let Ok(new) = accept(recovered, &bundle, APP) {
            check(world.honest.contains(new.pinset_payload()), "I3 the stolen key lives")?;
        }
    }
    Ok(())
}

#[test]
fn no_history_breaks_an_invariant() {
    let mut accepted = 0;
    for seed in 0..HISTORIES {
        accepted += run(seed, Kept::Verified).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
    println!("{HISTORIES} histories of {STEPS} steps, {accepted} bundles accepted");
    assert!(accepted > 5 * HISTORIES, "{accepted}");
}

/// Puts the bug back in the test's own store, to see that these histories would have found it.
#[test]
fn storing_what_was_downloaded_would_break_one() {
    let broken = (0..HISTORIES).filter_map(|seed| run(seed, Kept::Downloaded).err());
    let broken: Vec<_> = broken.collect();
    println!("{} of {HISTORIES} histories", broken.len());
    assert!(broken.iter().any(|why| why == "I8 a restart loses the state"), "{broken:?}");
    assert!(broken.iter().all(|why| why.starts_with("I8")), "{broken:?}");
}
