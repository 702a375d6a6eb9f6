//! Words and JSON; colours only on a terminal.

use std::io::{self, IsTerminal, Write};

use pinfold_core::CertificateFacts;
use serde_json::{Value, json};

/// Prints to standard output. A reader that has gone away, such as `head`, is no error of ours.
pub(crate) fn print(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// A remark that stops nothing.
pub(crate) fn warn(text: &str) {
    eprintln!("{} {text}", yellow("warning:"));
}

/// How far long work has come, on a terminal alone: in a log it would be noise.
pub(crate) fn progress(what: &str, done: usize, all: usize) {
    const LONG: usize = 50;
    if all < LONG || !io::stderr().is_terminal() {
        return;
    }
    // The last one takes the line away again.
    let line = if done == all { String::new() } else { format!("{what}: {done} of {all}") };
    eprint!("\r\x1b[K{line}");
}

pub(crate) fn red(text: &str) -> String {
    coloured("31", text)
}

pub(crate) fn yellow(text: &str) -> String {
    coloured("33", text)
}

pub(crate) fn green(text: &str) -> String {
    coloured("32", text)
}

fn coloured(code: &str, text: &str) -> String {
    // https://no-color.org; everything coloured goes to standard error.
    if io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// The facts about a certificate, member by member.
pub(crate) fn facts(facts: &CertificateFacts) -> Value {
    json!({
        "host": facts.host,
        "rule": facts.rule,
        "presented_pin": facts.presented_pin.map(|pin| pin.to_string()),
        "expected_pins": facts.expected_pins.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "subject": facts.subject,
        "issuer": facts.issuer,
        "pin_set_version": facts.pin_set_version,
        "proxy": facts.proxy,
    })
}
