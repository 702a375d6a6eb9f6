//! A fleet of phones that live through 120 days of an owner's work and of all that may go wrong, each
//! with the machine that the product has. `scripts/prove fleet` runs it at its full size.

mod chance;
mod mirror;
pub(super) mod owner;
mod phone;

use std::fmt::Write as _;

use serde_json::json;

use chance::Chance;
use mirror::Trouble;
use owner::{History, What};
use phone::{Memo, Phone, Report, Rhythm};

use crate::pinset::State;

const HOUR: u64 = 3_600;

/// What a number of phones have gone through.
struct Lives(Vec<(Trouble, Rhythm, Report)>);

struct Claim {
    holds: bool,
    text: String,
}

fn live(phones: u64, days: u64) -> (Lives, u64) {
    let history = History::new();
    let first = State::from_embedded(&history.embedded).expect("a good start");
    let cores = 2;
    let (history, first) = (&history, &first);
    let work = move |core: u64| {
        let mut memo = Memo::default();
        let one = |i: u64, memo: &mut Memo| {
            let trouble = Trouble::ALL[i as usize % Trouble::ALL.len()];
            let mut chance = Chance(i);
            let rhythm = match chance.below(10) {
                0..4 => Rhythm::Hourly,
                4..6 if trouble != Trouble::Death => Rhythm::Daily,
                _ => Rhythm::Awake(5 + chance.below(86)),
            };
            let phone = Phone::new(history, first.clone(), memo, i, trouble, rhythm);
            (trouble, rhythm, phone.live(days))
        };
        let mine = (core..phones).step_by(cores as usize);
        let lives = mine.map(|i| one(i, &mut memo)).collect::<Vec<_>>();
        (lives, memo.compared)
    };
    let parts = std::thread::scope(|scope| {
        let cores = (0..cores).map(|core| scope.spawn(move || work(core))).collect::<Vec<_>>();
        cores.into_iter().map(|core| core.join().expect("no panic")).collect::<Vec<_>>()
    });
    let compared = parts.iter().map(|(_, compared)| compared).sum();
    (Lives(parts.into_iter().flat_map(|(lives, _)| lives).collect()), compared)
}

impl Lives {
    /// How long each of `what` took on the phones that `of` names; for ever is the longest.
    fn took(&self, of: impl Fn(Trouble, Rhythm) -> bool, what: &[What]) -> Vec<u64> {
        let phones = self.0.iter().filter(|(trouble, rhythm, _)| of(*trouble, *rhythm));
        let took = phones.flat_map(|(_, _, report)| &report.took);
        let took = took.filter(|(is, _)| what.contains(is));
        let mut took = took.map(|(_, took)| took.unwrap_or(u64::MAX)).collect::<Vec<_>>();
        took.sort_unstable();
        took
    }

    fn claims(&self) -> Vec<Claim> {
        use What::{NewSigner, Recovery, Renewal, Withdrawal};
        let mut claims = Vec::new();
        // Who is at work or in a hotel has no way in each hour.
        let hourly = |trouble: Trouble, rhythm: Rhythm| {
            rhythm == Rhythm::Hourly && !matches!(trouble, Trouble::Proxy | Trouble::Portal)
        };
        let took = self.took(hourly, &[Withdrawal]);
        let in_time = took.iter().filter(|took| **took <= 25 * HOUR).count();
        let share = in_time as f64 / took.len().max(1) as f64;
        claims.push(Claim {
            holds: share >= 0.99 && !took.is_empty(),
            text: format!(
                "a withdrawn key is dead within 25 h on {:.3} % of the phones with 30 s and a way \
                 each hour ({} withdrawals)",
                share * 100.0,
                took.len()
            ),
        });
        let all = [Withdrawal, Recovery, Renewal, NewSigner];
        let took = self.took(|_, rhythm| rhythm == Rhythm::Daily, &all);
        let never = took.iter().filter(|took| **took == u64::MAX).count();
        let longest = took.iter().rev().find(|took| **took != u64::MAX).copied().unwrap_or(0);
        claims.push(Claim {
            holds: never == 0 && longest <= 50 * HOUR && !took.is_empty(),
            text: format!(
                "a withdrawn key, a stolen signer's and a lost one are, and a renewal is, done within \
                 {:.1} h on the phones with 30 s and a way each day; {never} of {} never",
                longest as f64 / HOUR as f64,
                took.len()
            ),
        });
        let sum = |count: &dyn Fn(&Report) -> u32| -> u64 {
            self.0.iter().map(|(_, _, report)| u64::from(count(report))).sum()
        };
        let locked = sum(&|report| report.locked_out);
        claims.push(Claim {
            holds: locked == 0,
            text: format!("phones were locked out {locked} times"),
        });
        let back = sum(&|report| report.rollbacks);
        claims.push(Claim { holds: back == 0, text: format!("{back} rollbacks") });
        let days = || self.0.iter().flat_map(|(_, _, report)| &report.days);
        let excess = days().map(|day| u64::from(day.excess())).sum::<u64>();
        let count = days().count().max(1) as f64;
        let mean = |of: &dyn Fn(&phone::Day) -> u32| {
            days().map(|day| f64::from(of(day))).sum::<f64>() / count
        };
        let most = |of: &dyn Fn(&phone::Day) -> u32| days().map(of).max().unwrap_or(0);
        claims.push(Claim {
            holds: excess == 0,
            text: format!(
                "{excess} looks beyond the document's bounds; a phone's day has {:.2} looks that are \
                 answered (at most {}), {:.2} that are not ({}), {:.2} forced ones ({}), and {:.1} \
                 requests to mirrors ({})",
                mean(&|day| day.answered),
                most(&|day| day.answered),
                mean(&|day| day.failed),
                most(&|day| day.failed),
                mean(&|day| day.forced),
                most(&|day| day.forced),
                mean(&|day| day.asked),
                most(&|day| day.asked),
            ),
        });
        claims
    }

    /// The share of phones with the newest document every six hours, by what troubles them.
    fn to_json(&self, claims: &[Claim]) -> String {
        let series = Trouble::ALL.map(|trouble| {
            let phones = self.0.iter().filter(|(is, ..)| *is == trouble).collect::<Vec<_>>();
            let times = phones.first().map_or(0, |(_, _, report)| report.newest.len());
            let share = |at: usize| {
                let newest = phones.iter().filter(|(_, _, report)| report.newest[at]).count();
                newest as f64 / phones.len() as f64
            };
            json!({ "name": trouble.name(), "shares": (0..times).map(share).collect::<Vec<_>>() })
        });
        let texts = claims.iter().map(|claim| json!([claim.holds, claim.text]));
        json!({ "series": series, "claims": texts.collect::<Vec<_>>() }).to_string()
    }
}

fn check(phones: u64, days: u64) -> (Lives, Vec<Claim>) {
    let (lives, compared) = live(phones, days);
    let claims = lives.claims();
    let mut text = format!("{phones} phones, {days} days; {compared} judgements made twice\n");
    for claim in &claims {
        let mark = if claim.holds { "ok    " } else { "FAILED" };
        let _in_memory = writeln!(text, "{mark}  {}", claim.text);
    }
    print!("{text}");
    (lives, claims)
}

#[test]
fn a_small_fleet_is_neither_frozen_nor_locked_out() {
    let (_, claims) = check(54, 120);
    let broken = claims.iter().filter(|claim| !claim.holds).map(|claim| &claim.text);
    assert_eq!(broken.collect::<Vec<_>>(), [""; 0]);
}

/// By `scripts/prove fleet`, which says how many and where to.
#[test]
#[ignore = "takes minutes: scripts/prove fleet"]
fn a_fleet_is_neither_frozen_nor_locked_out() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (phones, days) = (number("PINFOLD_FLEET_PHONES"), number("PINFOLD_FLEET_DAYS"));
    let (lives, claims) = check(phones.unwrap_or(20_000), days.unwrap_or(120));
    if let Ok(file) = std::env::var("PINFOLD_FLEET_OUT") {
        std::fs::write(file, lives.to_json(&claims)).expect("a file that can be written");
    }
    assert!(claims.iter().all(|claim| claim.holds));
}
