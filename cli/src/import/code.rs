//! Pins in code or in lists: OkHttp, Cronet, and whatever else names digests.

use pinfold_core::pin::{HostName, Mode, PinAt};

use super::entries::{FAR, Found, Import, Pattern, Reach, digest, from_union};
use super::lexer::{Token, calls, tokens};

/// `CertificatePinner.Builder().add("pattern", "sha256/…", …)` in Kotlin or Java, or lines of a
/// pattern and its pins.
pub(super) fn okhttp(path: &str, text: &str, import: &mut Import) {
    let mut patterns = Vec::new();
    let code = tokens(text);
    let calls = calls(&code, "add");
    for (line, arguments) in &calls {
        let place = format!("{path}:{line}");
        let texts = arguments.iter().filter_map(|token| match token {
            Token::Text(text) => Some(text.as_str()),
            _ => None,
        });
        let texts: Vec<_> = texts.collect();
        let others = |token: &Token| !matches!(token, Token::Text(_) | Token::Sign(','));
        if texts.is_empty() && !arguments.contains(&Token::Template) {
            // A list's `add`, or variables alone.
            if arguments.contains(&Token::Sign(',')) {
                import.leave(place, "no literal among its arguments: look up what they are");
            }
        } else if arguments.iter().any(others) || arguments.first().is_none_or(others) {
            import.leave(place, "not only literals among its arguments: look up what they are");
        } else if let Some((pattern, pins)) = texts.split_first() {
            patterns.extend(pattern_of(&place, pattern, pins, import));
        }
    }
    if calls.is_empty() {
        let remark = |line: &&str| line.trim_start().starts_with(['#', '/']);
        for (i, line) in text.lines().enumerate().filter(|(_, line)| !remark(line)) {
            let separator = |c: char| c.is_whitespace() || "\"',;=[](){}".contains(c);
            // The padding of base64 belongs to the pin.
            let words = line.split(|c: char| c != '=' && separator(c));
            let words: Vec<_> = words.filter(|word| !word.is_empty() && *word != "=").collect();
            let place = format!("{path}:{}", i + 1);
            match words.split_first() {
                Some((pattern, pins)) if !pins.is_empty() => {
                    patterns.extend(pattern_of(&place, pattern, pins, import));
                }
                Some(_) => import.leave(place, "a line without pins"),
                _ => {}
            }
        }
    }
    from_union(&patterns, import);
}

fn pattern_of(place: &str, pattern: &str, pins: &[&str], import: &mut Import) -> Option<Pattern> {
    let (reach, host) = match (pattern.strip_prefix("**."), pattern.strip_prefix("*.")) {
        (Some(host), _) => (Reach::All, host),
        (None, Some(host)) => (Reach::OneBelow, host),
        (None, None) => (Reach::Host, pattern),
    };
    let host = import.host(place, host)?;
    let pins = import.pins(place, pins.iter().copied(), PinAt::Any);
    if pins.is_empty() {
        import.leave(place, "a pattern without a pin that can be carried over");
        return None;
    }
    Some(Pattern { place: place.to_owned(), host, reach, mode: Mode::Enforce, expires: None, pins })
}

/// `addPublicKeyPins(host, setOf(…), includeSubdomains, end)` with digests as literals.
pub(super) fn cronet(path: &str, text: &str, import: &mut Import) {
    for (line, arguments) in calls(&tokens(text), "addPublicKeyPins") {
        let place = format!("{path}:{line}");
        let Some(Token::Text(host)) = arguments.first() else {
            import.leave(place, "the host is no literal: look up what it is");
            continue;
        };
        let Some(host) = import.host(&place, host) else { continue };
        let mut pins = Vec::new();
        for token in &arguments[1..] {
            match token {
                Token::Text(text) => match digest(text, false) {
                    Some(pin) if pins.contains(&(pin, PinAt::Any)) => {}
                    Some(pin) => pins.push((pin, PinAt::Any)),
                    None => {
                        import.leave(&place, "a pin is no digest of 32 bytes");
                    }
                },
                Token::Template => import.leave(&place, "a pin is no literal: look up what it is"),
                Token::Word(_) | Token::Sign(_) => {}
            }
        }
        let flag = arguments.iter().find_map(|token| match token {
            Token::Word(word) if word == "true" || word == "false" => Some(word == "true"),
            _ => None,
        });
        if flag.is_none() {
            import
                .leave(&place, "whether subdomains are included is no literal: they are not here");
        }
        // Milliseconds, as in `Date(1802044800000L)`.
        let milliseconds = arguments.windows(3).find_map(|w| match w {
            [Token::Word(date), Token::Sign('('), Token::Word(n)] if date == "Date" => {
                n.trim_end_matches(['L', 'l']).replace('_', "").parse::<u64>().ok()
            }
            _ => None,
        });
        let expires = milliseconds.map(|ms| ms.div_ceil(1_000)).filter(|at| *at < FAR);
        if milliseconds.is_none() {
            import.leave(&place, "its end is no literal: it has none here");
        }
        let include_subdomains = flag.unwrap_or_default();
        import.add(Found { place, host, include_subdomains, mode: Mode::Enforce, expires, pins });
    }
}

/// All digests of a file, for one host: in hexadecimal digits or base64, in whatever language.
pub(super) fn list(
    path: &str,
    text: &str,
    host: &HostName,
    include_subdomains: bool,
    certificates: bool,
    import: &mut Import,
) {
    let mut pins = Vec::new();
    let separator = |c: char| !(c.is_ascii_alphanumeric() || "+/=:".contains(c));
    for (i, line) in text.lines().enumerate() {
        let line = without_comment(line);
        for word in line.split(separator).filter(|word| word.len() >= 20) {
            match digest(word, certificates) {
                Some(pin) if pins.contains(&(pin, PinAt::Any)) => {}
                Some(pin) => pins.push((pin, PinAt::Any)),
                None => import.leave(
                    format!("{path}:{}", i + 1),
                    format!("{} characters that are no digest of 32 bytes", word.len()),
                ),
            }
        }
    }
    if pins.is_empty() {
        import.leave(path, "no digest in it");
    }
    let (place, host) = (path.to_owned(), host.clone());
    import.add(Found { place, host, include_subdomains, mode: Mode::Enforce, expires: None, pins });
}

/// A line up to its comment. Two slashes within a digest are none.
fn without_comment(line: &str) -> &str {
    let mut slashes = line.match_indices("//").map(|(at, _)| at);
    let begins = |at: &usize| line[..*at].chars().next_back().is_none_or(char::is_whitespace);
    slashes.find(begins).map_or(line, |at| &line[..at])
}
