//! Text inside of XML and HTML.

/// `text` with what has a meaning there written as references. What XML 1.0 has no place for
/// (§2.2), such as most control characters, is left out.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' | '\r' => escaped.push(letter),
            '\u{fffe}' | '\u{ffff}' => {}
            _ if letter.is_control() && letter < '\u{7f}' => {}
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_ends_an_element_or_an_attribute() {
        assert_eq!(
            escaped("<a b='c' d=\"e\">&\0\u{1b}\n"),
            "&lt;a b=&apos;c&apos; d=&quot;e&quot;&gt;&amp;\n"
        );
    }
}
