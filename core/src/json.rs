//! One strict reader for the JSON of pin sets, signed or not, and of their containers.
//!
//! I-JSON (RFC 7493), and narrower: no duplicate members at any depth, no fractions or exponents,
//! integers within ±(2^53−1), limits on depth and strings. serde_json alone keeps the last of two
//! duplicates, so that two readers of one signed document could see two documents. Members that
//! nobody asks for are walked by the same rules and ignored.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor,
    value,
};

use crate::name::printable;
use crate::rejection::{Cause, Rejection};
use crate::time::parse_rfc3339_utc;

/// The largest integer that every JSON reader keeps exactly (RFC 7493 §2.2).
pub(crate) const MAX_INTEGER: u64 = (1 << 53) - 1;
const MAX_DEPTH: usize = 8;
const MAX_TEXT: usize = 1_024;
/// No name and no word of a document is longer.
const MAX_WORD: usize = 24;
/// The longest place in an error, whose names may be anybody's.
const MAX_PLACE: usize = 256;
/// Members that hold base64 of arbitrary length; the document's size bounds them. Signatures and
/// keys are among them because those of later algorithms are long, and must be skippable.
const LONG: [&str; 5] = ["anchors", "cert", "payload", "sig", "spki"];

/// Some JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Flag(bool),
    Integer(i64),
    Text(String),
    List(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

/// Reads a whole document of at most `limit` bytes.
pub(crate) fn parse(json: &[u8], limit: usize) -> Result<Value, Rejection> {
    if json.len() > limit {
        let reason = format!("{} bytes where {limit} are allowed", json.len());
        return Err(Rejection::new(Cause::TooLarge, "document", reason));
    }
    if json.starts_with(b"\xef\xbb\xbf") {
        return Err(Rejection::malformed("document", "begins with a byte order mark"));
    }
    let mut reader = serde_json::Deserializer::from_slice(json);
    let failed = OnceCell::new();
    let any = Any { depth: 0, long: false, place: Place::Document, failed: &failed };
    let value = any.deserialize(&mut reader);
    let value = value.and_then(|value| reader.end().map(|()| value));
    value.map_err(|e| {
        let place = failed.get().map_or("document", String::as_str);
        Rejection::malformed(printable(place, MAX_PLACE), e.to_string())
    })
}

#[derive(Clone, Copy)]
struct Any<'a> {
    depth: usize,
    long: bool,
    place: Place<'a>,
    /// The place of the innermost value that could not be read.
    failed: &'a OnceCell<String>,
}

/// Where a value lies. It is written out only for an error.
#[derive(Clone, Copy)]
enum Place<'a> {
    Document,
    Member(&'a Self, &'a str),
    Item(&'a Self, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Document => f.write_str("document"),
            Self::Member(Self::Document, name) => f.write_str(shown(name)),
            Self::Member(outer, name) => write!(f, "{outer}.{}", shown(name)),
            Self::Item(outer, i) => write!(f, "{outer}[{i}]"),
        }
    }
}

/// A name or a word of a document as an error has it: what none is written like may be a key that
/// was pasted over it, or another file altogether.
fn shown(text: &str) -> &str {
    let is_word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if is_word && text.len() <= MAX_WORD { text } else { "…" }
}

impl Any<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DEPTH}")));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Any<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let value = deserializer.deserialize_any(self);
        if value.is_err() {
            self.failed.get_or_init(|| self.place.to_string());
        }
        value
    }
}

impl<'de> Visitor<'de> for Any<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, an integer, true, false, null, a list or an object")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<Value, E> {
        i64::try_from(n).map_err(|_| E::custom(TOO_BIG)).and_then(|n| self.visit_i64(n))
    }

    fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<Value, E> {
        if n.unsigned_abs() > MAX_INTEGER {
            return Err(E::custom(TOO_BIG));
        }
        Ok(Value::Integer(n))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Value, E> {
        Err(E::custom("a number that is not written as an integer within 2^53-1"))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        if !self.long && text.len() > MAX_TEXT {
            return Err(E::custom(format_args!("a string longer than {MAX_TEXT} bytes")));
        }
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        loop {
            let place = Place::Item(&self.place, list.len());
            match items.next_element_seed(Any { place, ..inner })? {
                Some(item) => list.push(item),
                None => return Ok(Value::List(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = BTreeMap::new();
        while let Some(name) = members.next_key::<String>()? {
            if name.len() > MAX_TEXT {
                return Err(A::Error::custom("a member's name is too long"));
            }
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!("member {:?} twice", shown(&name))));
            }
            let long = inner.long || LONG.contains(&name.as_str());
            let place = Place::Member(&self.place, &name);
            let value = members.next_value_seed(Any { long, place, ..inner })?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

const TOO_BIG: &str = "an integer beyond 2^53-1";

/// A value with its place, so that each error can name it.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    value: &'a Value,
    place: String,
}

impl<'a> Node<'a> {
    /// The whole document, which is an object.
    pub(crate) fn document(value: &'a Value) -> Result<Self, Rejection> {
        let node = Self { value, place: String::new() };
        match value {
            Value::Object(_) => Ok(node),
            _ => Err(node.is_not("an object")),
        }
    }

    pub(crate) fn place(&self) -> &str {
        if self.place.is_empty() { "document" } else { &self.place }
    }

    /// A rejection of this value.
    pub(crate) fn wrong(&self, reason: impl Into<String>) -> Rejection {
        Rejection::malformed(self.place(), reason)
    }

    /// A rejection of this value for another cause than its form.
    pub(crate) fn rejected(&self, cause: Cause, reason: impl Into<String>) -> Rejection {
        Rejection::new(cause, self.place(), reason)
    }

    fn is_not(&self, what: &str) -> Rejection {
        self.wrong(format!("not {what}"))
    }

    fn at(&self, name: &str) -> String {
        match self.place.as_str() {
            "" => name.to_owned(),
            place => format!("{place}.{name}"),
        }
    }

    /// Refuses members with other names.
    pub(crate) fn only(&self, names: &[&str]) -> Result<(), Rejection> {
        let Value::Object(members) = self.value else { return Err(self.is_not("an object")) };
        match members.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => {
                let place = printable(&self.at(name), MAX_PLACE);
                Err(Rejection::malformed(place, "no such member"))
            }
            None => Ok(()),
        }
    }

    /// A member that may be absent, but is not null where it is there.
    pub(crate) fn optional(&self, name: &str) -> Result<Option<Self>, Rejection> {
        let Value::Object(members) = self.value else { return Err(self.is_not("an object")) };
        Ok(members.get(name).map(|value| Self { value, place: self.at(name) }))
    }

    pub(crate) fn required(&self, name: &str) -> Result<Self, Rejection> {
        self.optional(name)?.ok_or_else(|| Rejection::malformed(self.at(name), "missing"))
    }

    pub(crate) fn text(&self) -> Result<&'a str, Rejection> {
        match self.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.is_not("a string")),
        }
    }

    /// A label: not empty, and fit for a line of a log.
    pub(crate) fn label(&self) -> Result<&'a str, Rejection> {
        let text = self.text()?;
        if text.is_empty() || text.contains(char::is_control) {
            return Err(self.wrong("empty, or with a control character"));
        }
        Ok(text)
    }

    /// Canonical, padded base64 in one of the two alphabets (RFC 4648 §4 and §5), without white
    /// space, of at most `limit` bytes.
    pub(crate) fn base64(&self, limit: usize) -> Result<Vec<u8>, Rejection> {
        let text = self.text()?;
        let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text));
        let bytes = bytes.map_err(|_| self.wrong("not canonical base64 with padding"))?;
        if bytes.len() > limit {
            let reason = format!("{} bytes where {limit} are allowed", bytes.len());
            return Err(self.rejected(Cause::TooLarge, reason));
        }
        Ok(bytes)
    }

    pub(crate) fn flag(&self) -> Result<bool, Rejection> {
        match self.value {
            Value::Flag(flag) => Ok(*flag),
            _ => Err(self.is_not("true or false")),
        }
    }

    pub(crate) fn integer(&self, range: RangeInclusive<u64>) -> Result<u64, Rejection> {
        let Value::Integer(n) = self.value else { return Err(self.is_not("an integer")) };
        match u64::try_from(*n) {
            Ok(n) if range.contains(&n) => Ok(n),
            _ => Err(self.wrong(format!("not between {} and {}", range.start(), range.end()))),
        }
    }

    /// A time in seconds since 1970, written `YYYY-MM-DDTHH:MM:SSZ`.
    pub(crate) fn time(&self) -> Result<u64, Rejection> {
        parse_rfc3339_utc(self.text()?)
            .ok_or_else(|| self.wrong("not a time of the form 2027-01-31T00:00:00Z"))
    }

    /// One of a closed set of words. A word that is not known belongs to a later version.
    pub(crate) fn word<T: Deserialize<'a>>(&self) -> Result<T, Rejection> {
        let text = self.text()?;
        T::deserialize(shown(text).into_deserializer())
            .map_err(|e: value::Error| self.rejected(Cause::Unsupported, e.to_string()))
    }

    pub(crate) fn list(&self, limit: usize) -> Result<Vec<Self>, Rejection> {
        let Value::List(list) = self.value else { return Err(self.is_not("a list")) };
        if list.len() > limit {
            let reason = format!("{} where {limit} are allowed", list.len());
            return Err(self.rejected(Cause::TooLarge, reason));
        }
        let node = |(i, value)| Self { value, place: format!("{}[{i}]", self.place) };
        Ok(list.iter().enumerate().map(node).collect())
    }

    /// A word that may be absent.
    pub(crate) fn optional_word<T: Deserialize<'a>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, Rejection> {
        self.optional(name)?.map(|node| node.word()).transpose()
    }

    /// A string that may be absent.
    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<String>, Rejection> {
        self.optional(name)?.map(|node| node.text().map(str::to_owned)).transpose()
    }

    /// Strings in a list that may be absent.
    pub(crate) fn texts(&self, name: &str, limit: usize) -> Result<Vec<String>, Rejection> {
        let list = self.optional_list(name, limit)?;
        list.iter().map(|node| node.text().map(str::to_owned)).collect()
    }

    /// A list that may be absent.
    pub(crate) fn optional_list(&self, name: &str, limit: usize) -> Result<Vec<Self>, Rejection> {
        self.optional(name)?.map_or_else(|| Ok(Vec::new()), |list| list.list(limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_fit_for_a_line_of_a_log() {
        let json = b"{\"a\\nb\\u001b\\u202e\":1.5}";
        let e = parse(json, 1_000).expect_err("a fraction");
        assert!(!e.to_string().contains(['\n', '\u{1b}', '\u{202e}']), "{e:?}");
        let name = "a".repeat(1_024);
        let json = format!("{}1.5{}", format!("{{\"{name}\":").repeat(8), "}".repeat(8));
        let e = parse(json.as_bytes(), 1 << 20).expect_err("a fraction");
        assert!(e.to_string().len() < 1_500, "{} bytes", e.to_string().len());
    }

    #[test]
    fn what_may_be_a_key_is_told_neither_as_a_name_nor_as_a_word() {
        let secret = "t2qdf1lS9rho6xZQ75XqxY97BJ-jYOYuxde_HaGUe4Y=";
        for json in [
            format!("{{\"{secret}\":1.5}}"),
            format!("{{\"a\":{{\"{secret}\":1,\"{secret}\":2}}}}"),
            format!("{{\"{secret}\":[{{\"a\":null,}}]}}"),
        ] {
            let told = parse(json.as_bytes(), 1_000).expect_err("malformed").to_string();
            assert!(!told.contains(&secret[..8]) && told.contains('…'), "{told}");
        }
        let value = Value::Text(secret.to_owned());
        let node = Node { value: &value, place: "mode".to_owned() };
        let told = node.word::<crate::pin::Mode>().expect_err("no mode").to_string();
        assert!(!told.contains(&secret[..8]) && told.contains("report_only"), "{told}");
        let misspelt = Value::Text("Enforce".to_owned());
        let node = Node { value: &misspelt, place: "mode".to_owned() };
        let told = node.word::<crate::pin::Mode>().expect_err("no mode").to_string();
        assert!(told.contains("`Enforce`"), "{told}");
    }
}
