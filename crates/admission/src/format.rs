//! Format (GW-2, GW-7): a payload is what its product line says, within bounds, before any schema
//! looks at it. Nothing here keeps a value: what is read is counted and forgotten.

use minicbor::data::Type;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::{cell::Cell, collections::HashSet, fmt};

/// Most levels of nesting that a rule may allow.
pub const DEPTH_MAX: u8 = 64;
/// Most values in a payload, containers included.
pub const VALUES_MAX: u32 = 100_000;

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Encoding {
    /// bytes that nobody looks into
    #[default]
    Bytes,
    /// UTF-8 text (MQTT 5 payload format indicator 1)
    Text,
    /// JSON (RFC 8259); names in an object are unique (RFC 7493 section 2.3)
    Json,
    /// one item of CBOR (RFC 8949), well-formed, with unique keys where these are texts or numbers
    Cbor,
}

impl Encoding {
    /// Its media type; `None` for bytes.
    pub fn media_type(self) -> Option<&'static str> {
        match self {
            Self::Bytes => None,
            Self::Text => Some("text/plain"),
            Self::Json => Some("application/json"),
            Self::Cbor => Some("application/cbor"),
        }
    }
}

/// What a topic's payloads must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormatRule {
    /// what it is
    pub encoding: Encoding,
    /// most bytes
    pub bytes_max: u32,
    /// most levels of nesting; a number alone has none
    pub depth_max: u8,
}

impl Default for FormatRule {
    fn default() -> Self {
        Self { encoding: Encoding::Bytes, bytes_max: 65_536, depth_max: 16 }
    }
}

/// Why a payload is not what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// more bytes than the rule allows
    #[error("the payload has too many bytes")]
    TooLarge,
    /// nested deeper than the rule allows
    #[error("the payload is nested too deeply")]
    TooDeep,
    /// more than [`VALUES_MAX`] values
    #[error("the payload has too many values")]
    TooMany,
    /// it does not parse
    #[error("the payload does not parse")]
    Malformed,
    /// one name twice: two readers would see two things
    #[error("the payload has a name twice")]
    Duplicate,
    /// a name that cannot be compared with others: a container, a tag, a float, or in pieces
    #[error("the payload has a name that is no whole number, text or byte string in one piece")]
    Name,
}

impl FormatRule {
    /// Whether a payload is what the rule says.
    ///
    /// # Errors
    /// [`FormatError`].
    pub fn check(&self, payload: &[u8]) -> Result<(), FormatError> {
        if u64::try_from(payload.len()).unwrap_or(u64::MAX) > u64::from(self.bytes_max) {
            return Err(FormatError::TooLarge);
        }
        let depth = self.depth_max.min(DEPTH_MAX);
        match self.encoding {
            Encoding::Bytes => Ok(()),
            Encoding::Text => {
                std::str::from_utf8(payload).map(|_| ()).map_err(|_| FormatError::Malformed)
            }
            Encoding::Json => json(payload, depth),
            Encoding::Cbor => cbor(payload, depth),
        }
    }
}

fn json(payload: &[u8], depth: u8) -> Result<(), FormatError> {
    let why = Cell::new(FormatError::Malformed);
    let values = Cell::new(VALUES_MAX);
    let mut reader = serde_json::Deserializer::from_slice(payload);
    let seed = Json { left: depth, values: &values, why: &why };
    seed.deserialize(&mut reader).map_err(|_| why.get())?;
    reader.end().map_err(|_| FormatError::Malformed)
}

/// Reads one value and keeps nothing of it but the names of the object at hand.
#[derive(Clone, Copy)]
struct Json<'a> {
    left: u8,
    values: &'a Cell<u32>,
    why: &'a Cell<FormatError>,
}

impl Json<'_> {
    fn refuse<E: serde::de::Error>(&self, why: FormatError) -> E {
        self.why.set(why);
        E::custom(why)
    }

    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        match self.values.get().checked_sub(1) {
            Some(left) => {
                self.values.set(left);
                Ok(())
            }
            None => Err(self.refuse(FormatError::TooMany)),
        }
    }

    fn deeper<E: serde::de::Error>(&self) -> Result<Self, E> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(Self { left, ..*self }),
            None => Err(self.refuse(FormatError::TooDeep)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Json<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        self.count()?;
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Json<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut names = HashSet::new();
        while let Some(name) = entries.next_key::<String>()? {
            if !names.insert(name) {
                return Err(self.refuse(FormatError::Duplicate));
            }
            entries.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// A container of CBOR that is being read.
struct Open {
    /// items to come; `None`: until the break
    left: Option<u64>,
    /// names of a map, and whether a name comes next
    names: Option<(HashSet<Vec<u8>>, bool)>,
    /// pieces of one byte string, or of one text
    pieces: Option<Type>,
}

/// A name as it is compared: the same for the same value, however it is written.
fn comparable(kind: Type, bytes: &[u8]) -> Result<Vec<u8>, FormatError> {
    let malformed = |_| FormatError::Malformed;
    let mut reader = minicbor::Decoder::new(bytes);
    let (mark, value) = match kind {
        Type::U8
        | Type::U16
        | Type::U32
        | Type::U64
        | Type::I8
        | Type::I16
        | Type::I32
        | Type::I64
        | Type::Int => (0, i128::from(reader.int().map_err(malformed)?).to_be_bytes().to_vec()),
        Type::Bytes => (2, reader.bytes().map_err(malformed)?.to_vec()),
        Type::String => (3, reader.str().map_err(malformed)?.as_bytes().to_vec()),
        Type::F16 | Type::F32 | Type::F64 => return Err(FormatError::Name),
        _ => (8, bytes.to_vec()),
    };
    Ok([vec![mark], value].concat())
}

fn cbor(payload: &[u8], depth: u8) -> Result<(), FormatError> {
    let malformed = |_| FormatError::Malformed;
    let mut reader = minicbor::Decoder::new(payload);
    let mut open: Vec<Open> = Vec::new();
    let mut values = VALUES_MAX;
    loop {
        // Containers that are complete close, one after the other.
        while open.last().is_some_and(|at| at.left == Some(0)) {
            open.pop();
        }
        let begins = reader.position();
        let kind = match (open.is_empty(), begins) {
            (true, 0) => reader.datatype().map_err(malformed)?,
            (true, at) if at == payload.len() => return Ok(()),
            (true, _) => return Err(FormatError::Malformed),
            (false, _) => reader.datatype().map_err(malformed)?,
        };
        values = values.checked_sub(1).ok_or(FormatError::TooMany)?;
        if kind == Type::Break {
            let at = open.pop().ok_or(FormatError::Malformed)?;
            let between = at.names.as_ref().is_none_or(|(_, name_next)| *name_next);
            if at.left.is_some() || !between {
                return Err(FormatError::Malformed);
            }
            reader.set_position(begins.saturating_add(1));
            continue;
        }
        let name = open.last().is_some_and(|at| matches!(at.names, Some((_, true))));
        if let Some(at) = open.last_mut() {
            if at.pieces.is_some_and(|piece| piece != kind) {
                return Err(FormatError::Malformed);
            }
            if let Some(left) = &mut at.left {
                *left = left.saturating_sub(1);
            }
            if let Some((_, name_next)) = &mut at.names {
                *name_next = !*name_next;
            }
        }
        let inner = match kind {
            Type::Array | Type::ArrayIndef => {
                Some(Open { left: reader.array().map_err(malformed)?, names: None, pieces: None })
            }
            Type::Map | Type::MapIndef => {
                let pairs = reader.map().map_err(malformed)?;
                let left = match pairs {
                    Some(pairs) => Some(pairs.checked_mul(2).ok_or(FormatError::Malformed)?),
                    None => None,
                };
                Some(Open { left, names: Some((HashSet::new(), true)), pieces: None })
            }
            Type::BytesIndef | Type::StringIndef => {
                reader.set_position(begins.saturating_add(1));
                let piece = if kind == Type::BytesIndef { Type::Bytes } else { Type::String };
                Some(Open { left: None, names: None, pieces: Some(piece) })
            }
            Type::Tag => {
                reader.tag().map_err(malformed)?;
                Some(Open { left: Some(1), names: None, pieces: None })
            }
            // One item without others inside: it is read over.
            _ => {
                // A simple value below 32 has one byte (RFC 8949 section 3.3); the decoder takes two.
                let two = payload.get(begins..begins.saturating_add(2));
                if matches!(two, Some([0xf8, 0..32])) {
                    return Err(FormatError::Malformed);
                }
                reader.skip().map_err(malformed)?;
                None
            }
        };
        if name && inner.is_some() {
            return Err(FormatError::Name);
        }
        let Some(inner) = inner else {
            if kind == Type::String {
                let text = payload.get(begins..reader.position()).unwrap_or_default();
                let mut again = minicbor::Decoder::new(text);
                again.str().map_err(malformed)?;
            }
            if name {
                let bytes = payload.get(begins..reader.position()).unwrap_or_default();
                let known = comparable(kind, bytes)?;
                if let Some((names, _)) = open.last_mut().and_then(|at| at.names.as_mut())
                    && !names.insert(known)
                {
                    return Err(FormatError::Duplicate);
                }
            }
            continue;
        };
        if open.len() >= usize::from(depth) {
            return Err(FormatError::TooDeep);
        }
        open.push(inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(encoding: Encoding, depth_max: u8) -> FormatRule {
        FormatRule { encoding, bytes_max: 65_536, depth_max }
    }

    #[test]
    fn json_within_its_bounds() {
        let check = |text: &str| rule(Encoding::Json, 3).check(text.as_bytes());
        for good in ["1", "null", "\"温度\"", "[1,[2,[3]]]", "{\"a\":{\"b\":{}}}", " [ ] ", "1e400"]
        {
            let expected = if good == "1e400" { Err(FormatError::Malformed) } else { Ok(()) };
            assert_eq!(check(good), expected, "{good}");
        }
        for (bad, why) in [
            ("", FormatError::Malformed),
            ("{", FormatError::Malformed),
            ("1 2", FormatError::Malformed),
            ("[1,]", FormatError::Malformed),
            ("{\"a\":1,\"a\":2}", FormatError::Duplicate),
            ("{\"a\":1,\"\\u0061\":2}", FormatError::Duplicate),
            ("[[[[1]]]]", FormatError::TooDeep),
            ("\"\\ud800\"", FormatError::Malformed),
        ] {
            assert_eq!(check(bad), Err(why), "{bad}");
        }
        assert_eq!(rule(Encoding::Json, 0).check(b"7"), Ok(()));
        assert_eq!(rule(Encoding::Json, 0).check(b"[]"), Err(FormatError::TooDeep));
        let many = format!("[{}1]", "1,".repeat(32_000));
        assert_eq!(rule(Encoding::Json, 255).check(many.as_bytes()), Ok(()));
        let deep = "[".repeat(60_000);
        assert_eq!(rule(Encoding::Json, 255).check(deep.as_bytes()), Err(FormatError::TooDeep));
        let large = FormatRule { bytes_max: 3, ..rule(Encoding::Bytes, 0) };
        assert_eq!(large.check(b"1234"), Err(FormatError::TooLarge));
        assert_eq!(large.check(b"123"), Ok(()));
        assert_eq!(rule(Encoding::Text, 0).check(b"\xff"), Err(FormatError::Malformed));
    }

    /// Items of RFC 8949 appendix A, and what appendix F says is not well-formed.
    #[test]
    fn cbor_within_its_bounds() {
        let check = |hex: &str| rule(Encoding::Cbor, 4).check(&hex::decode(hex).unwrap());
        for good in [
            "00",
            "1bffffffffffffffff",
            "20",
            "f97e00",
            "fb7ff0000000000000",
            "f6",
            "f0",
            "f8ff",
            "c11a514b67b0",
            "d818456449455446",
            "6449455446",
            "62c3bc",
            "80",
            "83010203",
            "8301820203820405",
            "a201020304",
            "a26161016162820203",
            "5f42010243030405ff",
            "7f657374726561646d696e67ff",
            "9fff",
            "9f018202039f0405ffff",
            "bf61610161629f0203ffff",
            "826161bf61626163ff",
            "bf6346756ef563416d7421ff",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "", "18", "19ff", "1c", "5d", "ff", "81", "8201", "a1", "a101", "9f", "9f01", "bf",
            "bf01ff", "5f00ff", "5f6100ff", "7f4100ff", "62ff", "61ff", "fc", "0000", "c0", "81ff",
            "a1ff", "9f81ff", "7f61ffff",
        ] {
            let found = check(bad);
            assert!(found.is_err(), "{bad}");
        }
        assert_eq!(check("a2616101616102"), Err(FormatError::Duplicate));
        // The same name, written otherwise: 1 and 1 in two bytes, "a" and "a" with a longer head.
        for twice in ["a201001801 00", "a2616100 78016100"] {
            assert_eq!(check(&twice.replace(' ', "")), Err(FormatError::Duplicate), "{twice}");
        }
        assert_eq!(check("a201006131 00".replace(' ', "").as_str()), Ok(()), "1 and \"1\"");
        assert_eq!(check("a18000"), Err(FormatError::Name));
        assert_eq!(check("a1f93c0000"), Err(FormatError::Name));
        assert_eq!(check("bf7f6161ff00ff"), Err(FormatError::Name));
        assert_eq!(check("f815"), Err(FormatError::Malformed), "true in two bytes");
        assert_eq!(check("f8ff"), Ok(()));
        assert_eq!(check("8181818180"), Err(FormatError::TooDeep));
        assert_eq!(check("9bffffffffffffffff"), Err(FormatError::Malformed));
        assert_eq!(check("bbffffffffffffffff"), Err(FormatError::Malformed));
        let deep = "81".repeat(30_000);
        assert_eq!(check(&deep), Err(FormatError::TooDeep));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(payload in prop::collection::vec(any::<u8>(), 0..64)) {
            for encoding in [Encoding::Bytes, Encoding::Text, Encoding::Json, Encoding::Cbor] {
                let _ = rule(encoding, 8).check(&payload);
            }
        }

        /// What serde_json reads and writes passes; what it does not read does not.
        #[test]
        fn it_agrees_with_serde_json(text in "[\\[\\]{}:,\"a1 .e-]{0,16}") {
            let ours = rule(Encoding::Json, 64).check(text.as_bytes());
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            if ours != Err(FormatError::Duplicate) {
                prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}", text);
            }
        }
    }
}
