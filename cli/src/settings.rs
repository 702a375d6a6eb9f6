//! Options that need not be typed: from the environment, and from `pinfold.toml` where the command
//! runs. An option that is given counts first, then the environment, then the file.
//!
//! ```toml
//! [lint]
//! embedded = ["releases/1.0.json", "releases/1.1.json"]
//! android = "9"
//! live = true
//!
//! [host.add]
//! roots = "ca.pem"
//! ```

use std::ffi::OsString;

use clap::{ArgAction, Command};
use toml::{Table, Value};

use crate::failure::Failure;
use crate::file::File;

/// Where settings are looked for.
const FILE: &str = "pinfold.toml";

/// Options that count only beside another: where that is not given, what a file says of them waits.
const BESIDE: [(&str, &str, &[&str]); 2] = [
    ("lint", "live", &["connect", "jobs", "roots", "seen"]),
    ("host.add", "live", &["accept-untrusted", "connect", "roots"]),
];

/// The arguments of the command line, with what the environment and the file say of options that are
/// not given.
pub(crate) fn arguments(program: &Command) -> Result<Vec<OsString>, Failure> {
    let given: Vec<_> = std::env::args_os().collect();
    if !std::path::Path::new(FILE).exists() {
        return with(program, given, &Table::new());
    }
    let file = File::read(FILE)?;
    let text = file.text();
    let table: Table = text.parse().map_err(|e: toml::de::Error| {
        let line = e.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        file.wrong_at(line, None, "not TOML")
    })?;
    with(program, given, &table)
}

/// What is not given, added behind the names of the commands.
fn with(program: &Command, given: Vec<OsString>, table: &Table) -> Result<Vec<OsString>, Failure> {
    check(program, table, "")?;
    let (mut command, mut table) = (program, Some(table));
    let (mut path, mut at) = (Vec::new(), 1);
    while let Some(next) = given.get(at).and_then(|word| command.find_subcommand(word)) {
        path.push(next.get_name().to_owned());
        table = table.and_then(|table| table.get(next.get_name())).and_then(Value::as_table);
        (command, at) = (next, at + 1);
    }
    if path.is_empty() {
        return Ok(given);
    }
    let mut added = Vec::new();
    // Those that others wait for come first.
    let needed =
        |argument: &&clap::Arg| BESIDE.iter().all(|(_, by, _)| argument.get_long() != Some(by));
    let mut options: Vec<_> = command.get_arguments().collect();
    options.sort_by_key(needed);
    for argument in options {
        let Some(option) = argument.get_long() else { continue };
        if matches!(option, "help" | "version") || is_given(&given[at..], argument) {
            continue;
        }
        let waits = BESIDE
            .iter()
            .find(|(of, _, options)| *of == path.join(".") && options.contains(&option));
        if let Some((_, by, _)) = waits
            && ![&given[at..], &added].concat().iter().any(|word| is_word(word, by))
        {
            continue;
        }
        let flag = matches!(argument.get_action(), ArgAction::SetTrue);
        let variable = variable(&path, option);
        if let Some(value) = std::env::var_os(&variable) {
            match value.to_str() {
                Some("true" | "1") if flag => added.push(format!("--{option}").into()),
                Some("false" | "0" | "") if flag => {}
                _ if flag => return Err(Failure::input(variable, "neither true nor false")),
                _ => push(&mut added, option, value),
            }
        } else if let Some(value) = table.and_then(|table| table.get(option)) {
            let place = format!("{FILE}: {}.{option}", path.join("."));
            of_file(&mut added, option, flag, value, &place)?;
        }
    }
    let (before, after) = given.split_at(at);
    Ok([before, &added, after].concat())
}

/// `PINFOLD_HOST_ADD_ROOTS`.
fn variable(path: &[String], option: &str) -> String {
    let name = format!("PINFOLD_{}_{option}", path.join("_"));
    name.to_uppercase().replace('-', "_")
}

fn push(added: &mut Vec<OsString>, option: &str, value: OsString) {
    // In one word, so that a list of values ends with it.
    let mut word = OsString::from(format!("--{option}="));
    word.push(value);
    added.push(word);
}

fn of_file(
    added: &mut Vec<OsString>,
    option: &str,
    flag: bool,
    value: &Value,
    place: &str,
) -> Result<(), Failure> {
    match value {
        Value::Boolean(true) if flag => added.push(format!("--{option}").into()),
        Value::Boolean(false) if flag => {}
        _ if flag => return Err(Failure::input(place, "neither true nor false")),
        Value::Array(items) => {
            for item in items {
                of_file(added, option, flag, item, place)?;
            }
        }
        Value::String(text) => push(added, option, text.into()),
        Value::Integer(number) => push(added, option, number.to_string().into()),
        Value::Float(number) => push(added, option, number.to_string().into()),
        Value::Boolean(_) | Value::Datetime(_) | Value::Table(_) => {
            return Err(Failure::input(place, "neither a text, a number nor a list of them"));
        }
    }
    Ok(())
}

/// Whether a word is this option, with a value or without.
fn is_word(word: &OsString, option: &str) -> bool {
    let word = word.to_str().and_then(|word| word.strip_prefix("--")).unwrap_or_default();
    word == option || word.split_once('=').is_some_and(|(name, _)| name == option)
}

/// Whether an option is on the command line.
fn is_given(given: &[OsString], argument: &clap::Arg) -> bool {
    let long = argument.get_long().map(|long| format!("--{long}"));
    let short = argument.get_short().map(|short| format!("-{short}"));
    given.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str()).any(|word| {
        let is = |name: &String| word == name || word.starts_with(&format!("{name}="));
        let is_short = |name: &String| !word.starts_with("--") && word.starts_with(name.as_str());
        long.as_ref().is_some_and(is) || short.as_ref().is_some_and(is_short)
    })
}

/// Every name in the file is one of a command or of its options.
fn check(command: &Command, table: &Table, path: &str) -> Result<(), Failure> {
    for (name, value) in table {
        let place = || format!("{FILE}: {path}{name}");
        match (value, command.find_subcommand(name)) {
            (Value::Table(below), Some(next)) => check(next, below, &format!("{path}{name}."))?,
            (Value::Table(_), None) => return Err(Failure::input(place(), "no such command")),
            _ if command.get_arguments().any(|a| a.get_long() == Some(name)) => {}
            _ => return Err(Failure::input(place(), "no such option")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    fn program() -> Command {
        let list = Arg::new("embedded").long("embedded").num_args(1..).action(ArgAction::Append);
        let flag = Arg::new("live").long("live").action(ArgAction::SetTrue);
        let short = Arg::new("output").long("output").short('o');
        let roots = Arg::new("roots").long("roots");
        let lint = Command::new("lint").args([roots, list, flag, short]).arg(Arg::new("file"));
        let add = Command::new("add").arg(Arg::new("roots").long("roots"));
        Command::new("pinfold").subcommand(lint).subcommand(Command::new("host").subcommand(add))
    }

    fn merged(line: &str, file: &str) -> Result<String, String> {
        let given = line.split(' ').map(OsString::from).collect();
        let table = file.parse().expect("TOML");
        let words = with(&program(), given, &table).map_err(|e| e.message())?;
        Ok(words.iter().map(|word| word.to_str().expect("UTF-8")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_file_says_what_the_command_line_does_not() {
        let file =
            "[lint]\nembedded = ['a', 'b']\nlive = true\noutput = 'x'\n[host.add]\nroots = 'r'";
        for (line, words) in [
            ("pinfold lint p", "pinfold lint --live --embedded=a --embedded=b --output=x p"),
            ("pinfold lint p --embedded c --live -o y", "pinfold lint p --embedded c --live -o y"),
            ("pinfold lint --embedded=c p -oy", "pinfold lint --live --embedded=c p -oy"),
            ("pinfold host add --live", "pinfold host add --roots=r --live"),
            ("pinfold help lint", "pinfold help lint"),
            ("pinfold", "pinfold"),
        ] {
            assert_eq!(merged(line, file).as_deref(), Ok(words), "{line}");
        }
        assert_eq!(merged("pinfold lint", "[lint]\nlive = false").as_deref(), Ok("pinfold lint"));
        // What counts only with --live waits for it.
        let roots = "[lint]\nroots = 'r'";
        assert_eq!(merged("pinfold lint p", roots).as_deref(), Ok("pinfold lint p"));
        let with = merged("pinfold lint p --live", roots);
        assert_eq!(with.as_deref(), Ok("pinfold lint --roots=r p --live"));
        let both = merged("pinfold lint p", &format!("{roots}\nlive = true"));
        assert_eq!(both.as_deref(), Ok("pinfold lint --live --roots=r p"));
    }

    #[test]
    fn what_there_is_not_is_refused_whatever_is_called() {
        for (file, place) in [
            ("[lnt]\nx = 1", "pinfold.toml: lnt: no such command"),
            ("[lint]\nliv = true", "pinfold.toml: lint.liv: no such option"),
            ("[host.add]\nroot = 1", "pinfold.toml: host.add.root: no such option"),
        ] {
            assert_eq!(merged("pinfold host add", file), Err(place.to_owned()));
        }
        for wrong in ["[lint]\nlive = 1", "[lint]\noutput = 1979-05-27"] {
            assert!(merged("pinfold lint", wrong).is_err(), "{wrong}");
        }
    }
}
