//! What happened beside what should have.

use crate::client::Outcomes;
use crate::place::Seen;

/// Each step with what it shows and the outcome that it must have.
const STEPS: &[(&str, &str, &str)] = &[
    ("pinned", "the backend with its pinned key", "match"),
    ("impostor", "an impostor with a certificate of nobody's", "certificate_unknown_issuer"),
    ("interceptor", "an interceptor whom the device trusts", "pin_mismatch"),
    ("report_only", "the same, where the pin set only reports", "report_only"),
    ("changed", "the backend, after the pin set has changed", "pin_mismatch"),
];

#[derive(Default)]
pub(crate) struct Table {
    columns: Vec<(String, Outcomes, Seen)>,
}

impl Table {
    pub(crate) fn add(&mut self, name: &str, outcomes: Outcomes, seen: Seen) {
        self.columns.push((name.to_owned(), outcomes, seen));
    }

    /// Prints the table; whether all of it is as it should be.
    pub(crate) fn print(&self, place: &str) -> bool {
        println!("\nA client with pins, against {place}:\n");
        let mut good = true;
        for (step, shows, expected) in STEPS {
            println!("{shows}");
            for (name, outcomes, _) in &self.columns {
                let outcome = outcomes.get(*step).map_or("nothing", String::as_str);
                good &= row(name, outcome, expected);
            }
        }
        println!("what the servers saw");
        for (name, _, seen) in &self.columns {
            let Seen { alerts, intercepted, cut } = seen;
            let requests = format!("{intercepted} request at the interceptor (the reported one)");
            good &= row(name, &requests, "1 request at the interceptor (the reported one)");
            let refused =
                if *alerts == 1 { "its certificate refused by a TLS alert" } else { "no alert" };
            good &= row(name, refused, "its certificate refused by a TLS alert");
            if let Some(cut) = cut {
                let connection = if *cut {
                    "the live connection cut by the change"
                } else {
                    "a connection left open"
                };
                good &= row(name, connection, "the live connection cut by the change");
            }
        }
        println!("\n{}", if good { "All as it should be." } else { "NOT as it should be." });
        good
    }
}

fn row(name: &str, outcome: &str, expected: &str) -> bool {
    let good = outcome == expected;
    let mark = if good { "ok" } else { "WRONG" };
    let wanted = if good { String::new() } else { format!("   expected {expected}") };
    println!("  {mark:<5}  {name:<12}  {outcome}{wanted}");
    good
}
