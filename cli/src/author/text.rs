//! JSON that is changed where it must be and nowhere else: the owner's order, layout and line ends
//! stay, so that a review shows what was changed and nothing more.
//!
//! It is used on text that the library has read; on anything else it does nothing.

use std::ops::Range;

/// Into an object or a list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    Member(&'a str),
    Item(usize),
}

/// Some JSON, as it is written.
#[derive(Clone, Debug)]
pub(super) struct Text(String);

/// A value, and where it is.
struct Node {
    span: Range<usize>,
    /// Those of an object or a list; a member's begins with its name.
    children: Vec<Child>,
    container: bool,
}

struct Child {
    name: Option<String>,
    begin: usize,
    value: Node,
}

impl Text {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Sets a member of the object at `path`. A new one goes behind those that `order` has before
    /// it. `value` is JSON whose lines are indented from its own first one.
    pub(super) fn set(
        &mut self,
        path: &[Step<'_>],
        member: &str,
        value: &str,
        order: &[&str],
    ) -> Option<()> {
        let root = self.root()?;
        let object = find(&root, path)?;
        if let Some(child) = object.children.iter().find(|c| c.name.as_deref() == Some(member)) {
            let span = child.value.span.clone();
            let value = self.laid_out(value, &self.indentation(span.start));
            self.0.replace_range(span, &value);
            return Some(());
        }
        let rank = |name: &str| order.iter().position(|known| *known == name);
        let before =
            |child: &Child| rank(child.name.as_deref()?).filter(|r| Some(*r) < rank(member));
        let last = object.children.iter().rposition(|child| before(child).is_some());
        let piece = format!("{}: {value}", quoted(member));
        self.insert(object, last.map_or(0, |i| i + 1), &piece);
        Some(())
    }

    /// Adds an item at the end of the list at `path`.
    pub(super) fn push(&mut self, path: &[Step<'_>], value: &str) -> Option<()> {
        let root = self.root()?;
        let list = find(&root, path)?;
        self.insert(list, list.children.len(), value);
        Some(())
    }

    /// Removes a member or an item.
    pub(super) fn remove(&mut self, path: &[Step<'_>]) -> Option<()> {
        let (last, outer) = path.split_last()?;
        let root = self.root()?;
        let outer = find(&root, outer)?;
        let i = position(outer, *last)?;
        let children = &outer.children;
        let span = match (i.checked_sub(1), children.get(i + 1)) {
            (_, Some(next)) => children[i].begin..next.begin,
            (Some(before), None) => children[before].value.span.end..children[i].value.span.end,
            (None, None) => outer.span.start + 1..outer.span.end - 1,
        };
        self.0.replace_range(span, "");
        Some(())
    }

    fn insert(&mut self, outer: &Node, i: usize, piece: &str) {
        let (open, close) = (outer.span.start + 1, outer.span.end - 1);
        let Some(before) = i.checked_sub(1) else {
            let Some(first) = outer.children.first() else {
                // As the owner would begin it: on a line of its own, two columns in.
                let outer_indent = self.indentation(outer.span.start);
                let indent = format!("{outer_indent}  ");
                let piece = self.laid_out(piece, &indent);
                let end = self.line_end();
                self.0.replace_range(
                    open..close,
                    &format!("{end}{indent}{piece}{end}{outer_indent}"),
                );
                return;
            };
            let begin = first.begin;
            let lead = self.lead(open, begin);
            let piece = self.laid_out(piece, &self.indentation_of(&lead, begin));
            self.0.insert_str(begin, &format!("{piece},{lead}"));
            return;
        };
        let end = outer.children[before].value.span.end;
        // As the one before it stands behind its own neighbour, or behind the bracket.
        let begin = outer.children[before].begin;
        let neighbour = before.checked_sub(1).map(|n| outer.children[n].value.span.end + 1);
        let lead = self.lead(neighbour.unwrap_or(open), begin);
        let piece = self.laid_out(piece, &self.indentation_of(&lead, begin));
        self.0.insert_str(end, &format!(",{lead}{piece}"));
    }

    /// The white space in front of a child, without a comma.
    fn lead(&self, from: usize, to: usize) -> String {
        let between = self.0.get(from..to).unwrap_or_default();
        let lead: String = between.chars().filter(|c| c.is_whitespace()).collect();
        if lead.is_empty() { " ".to_owned() } else { lead }
    }

    fn indentation_of(&self, lead: &str, at: usize) -> String {
        match lead.rsplit_once('\n') {
            Some((_, indent)) => indent.to_owned(),
            None => self.indentation(at),
        }
    }

    /// The white space at the beginning of the line of `at`.
    fn indentation(&self, at: usize) -> String {
        let line = self.0[..at].rfind('\n').map_or(0, |end| end + 1);
        self.0[line..at].chars().take_while(|c| *c == ' ' || *c == '\t').collect()
    }

    fn line_end(&self) -> &'static str {
        if self.0.contains("\r\n") { "\r\n" } else { "\n" }
    }

    /// Its lines, indented as deep as where it is put.
    fn laid_out(&self, piece: &str, indent: &str) -> String {
        piece.replace('\n', &format!("{}{indent}", self.line_end()))
    }

    fn root(&self) -> Option<Node> {
        let mut reader = Reader { bytes: self.0.as_bytes(), at: 0 };
        reader.blank();
        let root = reader.value(0)?;
        reader.blank();
        (reader.at == reader.bytes.len()).then_some(root)
    }
}

/// A text as JSON has it.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn find<'a>(mut node: &'a Node, path: &[Step<'_>]) -> Option<&'a Node> {
    for step in path {
        node = &node.children[position(node, *step)?].value;
    }
    node.container.then_some(node)
}

fn position(outer: &Node, step: Step<'_>) -> Option<usize> {
    match step {
        Step::Member(name) => outer.children.iter().position(|c| c.name.as_deref() == Some(name)),
        Step::Item(i) => (i < outer.children.len()).then_some(i),
    }
}

/// Deeper than any document that the library reads.
const MAX_DEPTH: usize = 32;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn blank(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.bytes.get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        let start = self.at;
        let (mut children, mut container) = (Vec::new(), false);
        match self.bytes.get(start)? {
            open @ (b'{' | b'[') if depth < MAX_DEPTH => {
                container = true;
                self.at += 1;
                children = self.children(*open == b'{', depth + 1)?;
            }
            b'"' => drop(self.text()?),
            _ => {
                let rest = &self.bytes[start..];
                let end = rest.iter().position(|b| b",]} \t\r\n".contains(b));
                self.at += end.unwrap_or(rest.len());
                // A number or a word; which one is the library's business.
                (self.at > start).then_some(())?;
            }
        }
        Some(Node { span: start..self.at, children, container })
    }

    fn children(&mut self, named: bool, depth: usize) -> Option<Vec<Child>> {
        let close = if named { b'}' } else { b']' };
        let mut children = Vec::new();
        self.blank();
        if self.take(close).is_some() {
            return Some(children);
        }
        loop {
            self.blank();
            let begin = self.at;
            let name = if named {
                let name = self.text()?;
                self.blank();
                self.take(b':')?;
                self.blank();
                Some(name)
            } else {
                None
            };
            let value = self.value(depth)?;
            children.push(Child { name, begin, value });
            self.blank();
            if self.take(close).is_some() {
                return Some(children);
            }
            self.take(b',')?;
        }
    }

    fn text(&mut self) -> Option<String> {
        let start = self.at;
        self.take(b'"')?;
        loop {
            match self.bytes.get(self.at)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        serde_json::from_slice(&self.bytes[start..self.at]).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Step::{Item, Member};
    use super::*;

    const ORDER: [&str; 4] = ["schema", "version", "note", "hosts"];

    #[test]
    fn what_is_not_changed_stays_as_it_is() {
        let mut text =
            Text::new("{ \"version\" :1 ,\r\n\t\"hosts\": [ {\"a\":\"x]}\\\"\"} ] }\r\n");
        text.set(&[], "version", "2", &ORDER).expect("an object");
        text.set(&[], "note", "\"n\"", &ORDER).expect("an object");
        text.push(&[Member("hosts")], "{ \"b\": 1 }").expect("a list");
        let expected = "{ \"version\" :2, \"note\": \"n\" ,\r\n\t\"hosts\": \
                        [ {\"a\":\"x]}\\\"\"}, { \"b\": 1 } ] }\r\n";
        assert_eq!(text.as_str(), expected);
    }

    #[test]
    fn what_is_new_stands_like_its_neighbours() {
        let mut text = Text::new("{\n  \"hosts\": [\n    1,\n    2\n  ]\n}\n");
        text.push(&[Member("hosts")], "{\n  \"a\": 1\n}").expect("a list");
        text.set(&[], "schema", "1", &ORDER).expect("an object");
        let expected = "{\n  \"schema\": 1,\n  \"hosts\": [\n    1,\n    2,\n    {\n      \"a\": 1\n    }\n  ]\n}\n";
        assert_eq!(text.as_str(), expected);
    }

    #[test]
    fn the_first_item_gets_a_line_of_its_own() {
        let mut text = Text::new("{\n  \"hosts\": []\n}");
        text.push(&[Member("hosts")], "1").expect("a list");
        assert_eq!(text.as_str(), "{\n  \"hosts\": [\n    1\n  ]\n}");
    }

    #[test]
    fn what_goes_takes_its_comma_along() {
        for (i, left) in [(0, "[2, 3]"), (1, "[1, 3]"), (2, "[1, 2]")] {
            let mut text = Text::new("[1, 2, 3]");
            text.remove(&[Item(i)]).expect("an item");
            assert_eq!(text.as_str(), left);
        }
        let mut text = Text::new("{ \"a\": [ 1 ] }");
        text.remove(&[Member("a"), Item(0)]).expect("an item");
        assert_eq!(text.as_str(), "{ \"a\": [] }");
    }

    #[test]
    fn nothing_happens_to_what_is_not_there_or_no_json() {
        for json in ["", "{", "[1,", "{\"a\":}", "{\"a\" 1}", "\"", "\"\\", "[1]]", "[[", "1"] {
            let mut text = Text::new(json);
            assert!(text.set(&[], "b", "1", &ORDER).is_none(), "{json}");
            assert!(text.remove(&[Item(3)]).is_none(), "{json}");
            assert_eq!(text.as_str(), json);
        }
        let deep = "[".repeat(100_000);
        assert!(Text::new(&deep).push(&[], "1").is_none());
    }
}
