//! JSON with limits: bytes, depth, number of values, and no member twice in an object. Two readers
//! of a document with a member twice may see two different documents, and one of them is ours.

use crate::AdvisoryError;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::{cell::Cell, fmt};

/// Most values of a document: bounds memory, which is a multiple of the bytes.
pub(crate) const VALUES_MAX: usize = 6_000_000;
/// Deepest nesting of arrays and objects.
pub(crate) const DEPTH_MAX: usize = 100;

/// Reads a whole document.
pub(crate) fn parse(
    bytes: &[u8],
    bytes_max: usize,
    expected: &'static str,
) -> Result<Value, AdvisoryError> {
    if bytes.len() > bytes_max {
        return Err(AdvisoryError::TooLarge {
            what: "bytes of a document",
            found: bytes.len(),
            most: bytes_max,
        });
    }
    // A byte order mark is no part of JSON, and some exporters write one.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let left = Cell::new(VALUES_MAX);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    Bounded { left: &left, depth: 0 }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| AdvisoryError::malformed(expected, error.to_string()))
}

#[derive(Clone, Copy)]
struct Bounded<'a> {
    left: &'a Cell<usize>,
    depth: usize,
}

impl<'a> Bounded<'a> {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth >= DEPTH_MAX {
            return Err(E::custom(format!("nested deeper than {DEPTH_MAX}")));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| {
            de::Error::custom(format!("more than {VALUES_MAX} values in one document"))
        })?;
        self.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let seed = self.deeper()?;
        let mut list = Vec::new();
        while let Some(value) = access.next_element_seed(seed)? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let seed = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let value = access.next_value_seed(seed)?;
            if map.contains_key(&key) {
                let key = crate::text::line(&key, 40);
                return Err(de::Error::custom(format!("the member {key:?} stands twice")));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// Reading members without asking for their type first; a wrong type reads as absent.
pub(crate) trait Members {
    /// A member that is not empty text.
    fn text(&self, key: &str) -> Option<&str>;
    /// The elements of an array, or nothing.
    fn list(&self, key: &str) -> &[Value];
    /// The texts among the elements of an array.
    fn texts(&self, key: &str) -> impl Iterator<Item = &str>;
}

impl Members for Value {
    fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
    }
    fn list(&self, key: &str) -> &[Value] {
        self.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
    fn texts(&self, key: &str) -> impl Iterator<Item = &str> {
        self.list(key).iter().filter_map(Value::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold() {
        let check = |text: &str| parse(text.as_bytes(), 1 << 20, "JSON");
        assert_eq!(check("\u{feff}{\"a\":[1,null]}").unwrap(), serde_json::json!({"a": [1, null]}));
        let twice = check(r#"{"a":1,"b":{"c":1,"c":2}}"#).unwrap_err().to_string();
        assert!(twice.contains("\"c\" stands twice"), "{twice}");
        let deep = check(&format!("{}{}", "[".repeat(101), "]".repeat(101))).unwrap_err();
        assert!(deep.to_string().contains("deeper"), "{deep}");
        assert!(check(&format!("{}{}", "[".repeat(100), "]".repeat(100))).is_ok());
        assert!(check("{} {}").is_err() && check("").is_err() && check("\u{1}").is_err());
        assert!(matches!(parse(b"[1]", 2, "JSON"), Err(AdvisoryError::TooLarge { .. })));
    }
}
