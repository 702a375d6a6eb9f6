//! What happened beside what should have.

use crate::client::Outcomes;
use crate::place::Seen;

/// Each step with what it shows and the outcome that it must have.
const STEPS: &[(&str, &str, &str)] = &[
    ("pinned", "the backend with its pinned key", "match"),
    ("impostor", "an impostor, issued by nobody known", "certificate_unknown_issuer"),
    ("interceptor", "an interceptor whom the device trusts", "pin_mismatch"),
    ("issuer", "the same: who the error says it was", ""),
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
    pub(crate) fn print(&self, place: &str, interceptor: &str) -> bool {
        println!("\nClients with pins, against {place}:\n");
        let names = self.columns.iter().map(|(name, ..)| name.clone()).collect::<Vec<_>>();
        row(NARROW, "a request to", "must end with", &names);
        let mut good = true;
        for (step, shows, expected) in STEPS {
            // Whoever it is here.
            let expected = if *step == "issuer" { interceptor } else { expected };
            let cell = |outcomes: &Outcomes| match outcomes.get(*step) {
                Some(outcome) if outcome == expected => "ok".to_owned(),
                Some(outcome) => format!("WRONG: {outcome}"),
                None => "WRONG: nothing".to_owned(),
            };
            let cells = self.columns.iter().map(|(_, outcomes, _)| cell(outcomes));
            good &= row(NARROW, shows, expected, &cells.collect::<Vec<_>>());
        }
        println!();
        row(NARROW, "the server", "must see", &names);
        for (server, sees, seen) in [
            ("interceptor", "a TLS alert", (|s| Some(s.alerts == 1)) as fn(&Seen) -> Option<bool>),
            ("interceptor", "no request but the reported one", |s| Some(s.intercepted == 1)),
            ("backend", "a TLS alert", |s| Some(s.refused)),
            ("backend", "no request but the first", |s| Some(s.requests == 1)),
            ("both", "no byte of a refused request", |s| s.refused_bytes.map(|n| n == 0)),
            ("backend", "the live connection cut by the change", |s| s.cut),
        ] {
            let cell = |of: &Seen| match seen(of) {
                Some(true) => "ok".to_owned(),
                Some(false) => "WRONG".to_owned(),
                None => "-".to_owned(),
            };
            let cells = self.columns.iter().map(|(.., of)| cell(of));
            good &= row(NARROW, server, sees, &cells.collect::<Vec<_>>());
        }
        println!("\n{}", if good { "All as it should be." } else { "NOT as it should be." });
        good
    }
}

/// How wide the second column is: for codes and sentences, or for all that an error says.
pub(crate) const NARROW: usize = 38;
pub(crate) const WIDE: usize = 57;

/// Prints a row; whether nothing in it is wrong.
pub(crate) fn row(width: usize, first: &str, second: &str, cells: &[String]) -> bool {
    let cells_text: String = cells.iter().map(|cell| format!("  {cell:<14}")).collect();
    println!("{}", format!("  {first:<43} {second:<width$}{cells_text}").trim_end());
    !cells.iter().any(|cell| cell.starts_with("WRONG"))
}
