//! What Pinfold's core costs beside the network: the decision, and signed pin sets.
//!
//! Contenders take turns, round by round, and each round gives a ratio to the first: a machine that
//! speeds up or slows down does so for all of them.

mod decision;
mod place;
mod updates;

use std::time::Instant;

use place::{HOST, Place, setting};

/// One thing to do.
struct Contender {
    name: &'static str,
    run: Box<dyn FnMut()>,
}

fn main() {
    let place = Place::new();
    let scale: f64 = setting("PINFOLD_BENCH_SCALE").parse().expect("a number");
    let times = |n: usize| ((n as f64 * scale) as usize).max(5);

    let chain = decision::Chain {
        leaf: place.read("backend.der"),
        intermediate: place.read("intermediate.der"),
        root: place.root.clone(),
    };
    measure("decision", 41, times(500), decision::contenders(&chain));

    let documents = place.folder.join("pinset");
    measure("updates", 21, times(100), updates::contenders(&documents, &place));
}

fn contender(name: &'static str, run: impl FnMut() + 'static) -> Contender {
    Contender { name, run: Box::new(run) }
}

/// Times `per_round` runs of each contender in turn and prints, for each, the median time and
/// the median of the rounds' ratios to the first.
fn measure(case: &str, rounds: usize, per_round: usize, mut contenders: Vec<Contender>) {
    for contender in &mut contenders {
        (0..per_round).for_each(|_| (contender.run)());
    }
    let mut medians = vec![Vec::new(); contenders.len()];
    for round in 0..rounds {
        for i in 0..contenders.len() {
            // Nobody is always the one that comes after somebody.
            let i = (i + round) % contenders.len();
            let times = (0..per_round).map(|_| {
                let begun = Instant::now();
                (contenders[i].run)();
                begun.elapsed()
            });
            medians[i].push(median(times.map(|t| t.as_secs_f64() * 1e6).collect()));
        }
    }
    for (contender, times) in contenders.iter().zip(&medians) {
        let ratios = times.iter().zip(&medians[0]).map(|(time, own)| time / own).collect();
        println!("{case}\t{}\t{:.1}\t{:.3}", contender.name, median(times.clone()), median(ratios));
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
