//! JSON as The Update Framework uses it: read once under limits, without duplicate keys or numbers
//! with fractions, and written in one form only, the canonical form of OLPC
//! (<http://wiki.laptop.org/go/Canonical_JSON>), over which signatures are made.
//!
//! Canonical form: no white space; members of an object in the order of their names as sequences of
//! code points; strings escape the quotation mark and the reverse solidus and nothing else; numbers
//! are integers; UTF-8 without normalisation, as python-securesystemslib writes it.

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use std::{cell::Cell, fmt};

/// Deepest nesting that is read. Metadata needs 6; `custom` may add some.
pub const DEPTH_MAX: usize = 24;
/// Most values in one document: a targets file of 5 MB with custom fields has fewer.
pub const VALUES_MAX: usize = 400_000;

/// A JSON value without fractions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// null
    Null,
    /// true or false
    Bool(bool),
    /// a whole number
    Integer(i64),
    /// a string of Unicode scalar values
    String(String),
    /// an array
    Array(Vec<Value>),
    /// an object
    Object(Object),
}

/// Members of an object, each name once, in canonical order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object(Vec<(String, Value)>);

/// Why bytes are not JSON that is accepted here; the text says where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(pub String);

/// Reads one document.
///
/// # Errors
/// [`JsonError`]: not JSON, a name twice in one object, a number that is no 64-bit integer, nesting
/// deeper than [`DEPTH_MAX`], more than [`VALUES_MAX`] values, or bytes after the end.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let left = Cell::new(VALUES_MAX);
    let seed = Seed { depth: DEPTH_MAX, left: &left };
    let value = seed.deserialize(&mut reader).map_err(|error| JsonError(error.to_string()))?;
    reader.end().map_err(|error| JsonError(error.to_string()))?;
    Ok(value)
}

impl Value {
    /// The canonical form, in bytes.
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = String::new();
        write(self, &mut out);
        out.into_bytes()
    }

    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl From<Vec<Value>> for Value {
    fn from(values: Vec<Value>) -> Self {
        Self::Array(values)
    }
}

impl Object {
    /// An object without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let at = self.at(name).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// Sets a member; gives back what it replaces.
    pub fn insert(&mut self, name: &str, value: impl Into<Value>) -> Option<Value> {
        let value = value.into();
        match self.at(name) {
            Ok(at) => self.0.get_mut(at).map(|(_, old)| std::mem::replace(old, value)),
            Err(at) => {
                self.0.insert(at, (name.to_owned(), value));
                None
            }
        }
    }

    /// Takes a member out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.at(name).ok()?;
        Some(self.0.remove(at).1)
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The members in canonical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    fn at(&self, name: &str) -> Result<usize, usize> {
        // UTF-8 sorts as its code points do.
        self.0.binary_search_by(|(other, _)| other.as_str().cmp(name))
    }

    /// Members in any order; `None` where a name occurs twice.
    fn from_members(mut members: Vec<(String, Value)>) -> Option<Self> {
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        let twice = members.windows(2).any(|pair| match pair {
            [(a, _), (b, _)] => a == b,
            _ => false,
        });
        members.shrink_to_fit();
        (!twice).then_some(Self(members))
    }
}

impl IntoIterator for Object {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<N: Into<String>> FromIterator<(N, Value)> for Object {
    /// Of several members of one name the last one stays.
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(members: I) -> Self {
        let members: std::collections::BTreeMap<String, Value> =
            members.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Self(members.into_iter().collect())
    }
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Integer(number) => out.push_str(&number.to_string()),
        Value::String(text) => write_string(text, out),
        Value::Array(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(value, out);
            }
            out.push(']');
        }
        Value::Object(object) => {
            out.push('{');
            for (at, (name, value)) in object.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_string(name, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

/// JSON that any parser reads: as the canonical form, but control characters are escaped. The
/// canonical form of a string with a line break in it is not JSON (RFC 8259 section 7), so files
/// are written in this form and signatures made over the other.
pub fn file_form(value: &Value) -> Vec<u8> {
    escape_controls(&value.canonical())
}

/// Canonical bytes as JSON: control characters can only stand in strings there.
pub(crate) fn escape_controls(canonical: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(canonical.len());
    for &byte in canonical {
        match byte {
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0..=0x1f => out.extend(format!("\\u{byte:04x}").into_bytes()),
            other => out.push(other),
        }
    }
    out
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    depth: usize,
    left: &'a Cell<usize>,
}

impl Seed<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(E::custom(format!("nested deeper than {DEPTH_MAX} levels"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;
    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => return Err(D::Error::custom(format!("more than {VALUES_MAX} values"))),
        }
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without fractions")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number)
            .map(Value::Integer)
            .map_err(|_| E::custom("a number is larger than 9223372036854775807"))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Value, E> {
        Err(E::custom("a number is not a whole number of 64 bits"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let below = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(below)? {
            values.push(value);
        }
        values.shrink_to_fit();
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let below = self.deeper()?;
        let mut members = Vec::new();
        while let Some(name) = entries.next_key::<String>()? {
            members.push((name, entries.next_value_seed(below)?));
        }
        Object::from_members(members)
            .map(Value::Object)
            .ok_or_else(|| A::Error::custom("an object has a member of one name twice"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(text: &str) -> String {
        String::from_utf8(parse(text.as_bytes()).unwrap().canonical()).unwrap()
    }

    #[test]
    fn the_canonical_form_is_that_of_olpc() {
        let check = |text: &str, expected: &str| assert_eq!(canonical(text), expected);
        check(r#" { "b" : [ 1 , -2 ], "a" : null } "#, r#"{"a":null,"b":[1,-2]}"#);
        check(r#""q\"b\\s\/\u00e9\n""#, "\"q\\\"b\\\\s/\u{e9}\n\"");
        // By code point, not by UTF-16 unit: U+FF61 comes before U+1F600.
        check(r#"{"😀":1,"。":2,"Z":3,"a":4}"#, r#"{"Z":3,"a":4,"。":2,"😀":1}"#);
        // No normalisation: these are two names.
        check("{\"e\u{301}\":1,\"\u{e9}\":2}", "{\"e\u{301}\":1,\"\u{e9}\":2}");
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let check = |text: &str, why: &str| {
            let error = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        };
        check(r#"{"a":1,"b":2,"a":1}"#, "twice");
        check(r#"{"a":{"b":1,"\u0062":2}}"#, "twice");
        check("1.0", "whole number");
        check("-0", "whole number");
        check("1e3", "whole number");
        check("9223372036854775808", "larger");
        check("[1] 2", "trailing");
        check("\"\\ud800\"", "");
        check(&"[".repeat(200), "deeper");
        check(&format!("[{}0]", "0,".repeat(VALUES_MAX)), "values");
        assert!(parse(b"\xef\xbb\xbf{}").is_err(), "a byte order mark is no JSON");
        assert!(parse(b"\"\xff\"").is_err(), "not UTF-8");
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Integer),
            any::<String>().prop_map(Value::String),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                proptest::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(value in any_value()) {
            let file = file_form(&value);
            let read = parse(&file).unwrap();
            prop_assert_eq!(&read, &value);
            prop_assert_eq!(read.canonical(), value.canonical());
            // Any other parser reads the same.
            let other: serde_json::Value = serde_json::from_slice(&file).unwrap();
            prop_assert_eq!(parse(&serde_json::to_vec_pretty(&other).unwrap()).unwrap(), value);
        }

        #[test]
        fn any_bytes_are_an_error_or_have_one_canonical_form(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            if let Ok(value) = parse(&bytes) {
                prop_assert_eq!(parse(&file_form(&value)).unwrap(), value);
            }
        }

        #[test]
        fn objects_behave_like_maps(
            members in proptest::collection::vec(("[a-d]{1,2}", any::<i64>()), 0..20),
            gone in "[a-d]{1,2}",
        ) {
            let mut object = Object::new();
            let mut model = std::collections::BTreeMap::new();
            for (name, value) in members {
                object.insert(&name, Value::Integer(value));
                model.insert(name, Value::Integer(value));
            }
            prop_assert_eq!(object.remove(&gone), model.remove(&gone));
            prop_assert_eq!(object.len(), model.len());
            for (name, value) in &model {
                prop_assert_eq!(object.get(name), Some(value));
            }
            prop_assert_eq!(object, model.into_iter().collect::<Object>());
        }
    }
}
