//! `accept` against the executable model of its rules, on histories that the model made.
//!
//! `core/tests/data/pinset/differential` runs both; the format is described in `histories.py`.

use std::collections::BTreeMap;
use std::io::BufRead;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::accept::{State, accept_with};
use super::bundle::Bundle;
use super::dsse::{Envelope, Verify};
use super::embedded::Embedded;
use super::es256::PublicKey;
use crate::rejection::Rejection;

/// Signatures are SHA-256(public key ‖ message): fast, and forged by nobody in a history.
struct Oracle;

impl Verify for Oracle {
    fn is_by(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        let digest = Sha256::new().chain_update(key.as_bytes()).chain_update(message).finalize();
        digest.as_slice() == signature
    }
}

#[derive(Deserialize)]
struct History {
    docs: Vec<serde_json::Value>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Step {
    Ship(Word, usize, usize),
    Bundle(String, Option<Vec<usize>>, Option<usize>, Answer),
    Restart(Word, Answer),
}

/// What the numbers around it tell already.
type Word = serde::de::IgnoredAny;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(untagged)]
enum Answer {
    Trusts(usize, usize),
    Rejected(String),
}

/// What the model calls the causes; it knows no type of a document but by its contents, and one
/// word for both parts of an audience.
fn word(rejection: &Rejection) -> &'static str {
    match rejection.code() {
        "threshold" => "threshold",
        "stream" => "audience",
        "time_rollback" => "time-rollback",
        code => code,
    }
}

struct Client {
    texts: Vec<String>,
    payloads: Vec<Vec<u8>>,
    app: Option<State>,
    state: Option<State>,
    stored: Option<Vec<u8>>,
    answers: BTreeMap<String, u64>,
}

impl Client {
    fn new(docs: &[serde_json::Value]) -> Self {
        let texts: Vec<_> = docs.iter().map(ToString::to_string).collect();
        let envelopes = texts.iter().map(|text| {
            let json = format!(r#"{{"bundle":1,"roots":[],"pinset":{text}}}"#);
            Bundle::parse(json.as_bytes()).expect("an envelope").pinset.payload
        });
        let payloads = envelopes.collect();
        Self { texts, payloads, app: None, state: None, stored: None, answers: BTreeMap::new() }
    }

    fn envelope(&self, i: usize) -> Envelope {
        let json = format!(r#"{{"bundle":1,"roots":[],"pinset":{}}}"#, self.texts[i]);
        Bundle::parse(json.as_bytes()).expect("an envelope").pinset
    }

    fn ship(&mut self, root: usize, pinset: usize) {
        let embedded = Embedded {
            root: self.envelope(root),
            pinset: self.envelope(pinset),
            stream: "S".into(),
            audience: "A".into(),
            update_urls: Vec::new(),
            built: 0,
            allow_block: false,
        };
        let app = State::from_embedded_with(&embedded, &Oracle).expect("a good build");
        self.state = Some(app.clone());
        self.app = Some(app);
        self.stored = None;
    }

    fn bundle(&self, roots: Option<&[usize]>, pinset: Option<usize>) -> Vec<u8> {
        let roots = roots.map(|roots| {
            roots.iter().map(|i| self.texts[*i].as_str()).collect::<Vec<_>>().join(",")
        });
        let roots = roots.map_or_else(|| "null".into(), |roots| format!("[{roots}]"));
        let pinset = pinset.map_or("null", |i| self.texts[i].as_str());
        format!(r#"{{"bundle":1,"roots":{roots},"pinset":{pinset}}}"#).into_bytes()
    }

    fn judge(from: &State, json: &[u8]) -> Result<State, Rejection> {
        accept_with(from, &Bundle::parse(json)?, "A", &Oracle)
    }

    /// Compares with the model's answer, and returns the state to go on with.
    fn compare(
        &mut self,
        from: &State,
        result: Result<State, Rejection>,
        answer: &Answer,
    ) -> State {
        let state = match (&result, answer) {
            (Ok(state), Answer::Trusts(root, pinset)) => {
                let last = state.to_bundle().roots.pop().expect("one");
                assert_eq!(last.payload, self.payloads[*root], "another root");
                assert_eq!(state.pinset_payload(), self.payloads[*pinset], "another pin set");
                state.clone()
            }
            (Err(why), Answer::Rejected(word_of_model)) => {
                let same = word(why) == word_of_model
                    // Its signatures are sets of names, so that it can tell these apart.
                    || (word(why), word_of_model.as_str()) == ("threshold", "sig");
                assert!(same, "{word_of_model}, but {why}");
                from.clone()
            }
            _ => panic!("{answer:?}, but {result:?}"),
        };
        let name = result.as_ref().map_or_else(word, |s| if s == from { "same" } else { "new" });
        *self.answers.entry(name.to_owned()).or_default() += 1;
        state
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Ship(_, root, pinset) => self.ship(*root, *pinset),
            Step::Bundle(kind, roots, pinset, answer) => {
                let spoilt = kind == "spoil";
                let from = if spoilt { &self.app } else { &self.state };
                let from = from.clone().expect("shipped");
                let json = self.bundle(roots.as_deref(), *pinset);
                let state = self.compare(&from, Self::judge(&from, &json), answer);
                if state != from {
                    self.stored = Some(state.to_bundle().to_json());
                }
                self.state = Some(state);
            }
            Step::Restart(_, answer) => {
                let app = self.app.clone().expect("shipped");
                let state = match &self.stored {
                    None => app.clone(),
                    Some(json) => Bundle::parse_stored(json)
                        .and_then(|bundle| accept_with(&app, &bundle, "A", &Oracle))
                        .expect("what was verified once verifies again"),
                };
                assert_eq!(Some(&state), self.state.as_ref(), "a restart loses the state");
                self.state = Some(self.compare(&app, Ok(state), answer));
            }
        }
    }
}

#[test]
#[ignore = "reads the model's histories from standard input"]
fn accept_agrees_with_the_model() {
    let mut histories = 0;
    let mut answers = BTreeMap::<String, u64>::new();
    for line in std::io::stdin().lock().lines() {
        let history: History =
            serde_json::from_str(&line.expect("a line")).expect("a history of the model");
        let mut client = Client::new(&history.docs);
        for (i, step) in history.steps.iter().enumerate() {
            let outcome =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client.step(step)));
            assert!(outcome.is_ok(), "history {histories}, step {i}");
        }
        histories += 1;
        for (name, n) in client.answers {
            *answers.entry(name).or_default() += n;
        }
    }
    assert!(histories > 0, "no histories");
    println!(
        "{histories} histories, {} answers, all equal: {answers:?}",
        answers.values().sum::<u64>()
    );
}
