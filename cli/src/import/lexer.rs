//! As much of Kotlin, Java and Dart as calls with literals need.

/// A piece of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A literal without anything that is only known when the program runs.
    Text(String),
    /// A word or a number.
    Word(String),
    /// A text with variables in it.
    Template,
    Sign(char),
}

/// The tokens of some code, each with its line; comments are none.
pub(super) fn tokens(code: &str) -> Vec<(Token, usize)> {
    let chars: Vec<char> = code.chars().collect();
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    let starts = |at: usize, text: &str| {
        text.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c))
    };
    while let Some(&c) = chars.get(at) {
        let begin = at;
        if starts(at, "//") {
            while chars.get(at).is_some_and(|c| *c != '\n') {
                at += 1;
            }
        } else if starts(at, "/*") {
            at += 2;
            while at < chars.len() && !starts(at, "*/") {
                at += 1;
            }
            at = (at + 2).min(chars.len());
        } else if c == '"' || c == '\'' {
            let (token, end) = text(&chars, at);
            tokens.push((token, line));
            at = end;
        } else if c.is_alphanumeric() || c == '_' {
            while chars.get(at).is_some_and(|c| c.is_alphanumeric() || *c == '_') {
                at += 1;
            }
            tokens.push((Token::Word(chars[begin..at].iter().collect()), line));
        } else {
            if !c.is_whitespace() {
                tokens.push((Token::Sign(c), line));
            }
            at += 1;
        }
        line += chars[begin..at].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// A literal, and where it ends.
fn text(chars: &[char], begin: usize) -> (Token, usize) {
    let quote = chars[begin];
    let raw = chars.get(begin..begin + 3).is_some_and(|three| three.iter().all(|c| *c == quote));
    let width = if raw { 3 } else { 1 };
    let closes = |at: usize| (0..width).all(|i| chars.get(at + i) == Some(&quote));
    let (mut at, mut text, mut is_template) = (begin + width, String::new(), false);
    while at < chars.len() && !closes(at) {
        match chars[at] {
            '\\' if !raw => {
                at += 1;
                text.extend(chars.get(at));
            }
            c => {
                is_template |= c == '$';
                text.push(c);
            }
        }
        at += 1;
    }
    let token = if is_template { Token::Template } else { Token::Text(text) };
    (token, (at + width).min(chars.len()))
}

/// The arguments of each call of a method, between its brackets, with the line of the call.
pub(super) fn calls(tokens: &[(Token, usize)], method: &str) -> Vec<(usize, Vec<Token>)> {
    let mut calls = Vec::new();
    for (i, (token, line)) in tokens.iter().enumerate() {
        let opens = tokens.get(i + 1).is_some_and(|(next, _)| *next == Token::Sign('('));
        if !matches!(token, Token::Word(word) if word == method) || !opens {
            continue;
        }
        let (mut depth, mut arguments) = (0, Vec::new());
        for (token, _) in &tokens[i + 1..] {
            match token {
                Token::Sign('(') => depth += 1,
                Token::Sign(')') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            arguments.push(token.clone());
        }
        calls.push((*line, arguments.split_off(1)));
    }
    calls
}
