//! The shape of all CBOR here: maps with small unsigned keys in ascending order, definite lengths,
//! shortest heads (RFC 8949 section 4.2.1). One value has one encoding; readers compare what they
//! read with its re-encoding and refuse anything else.

use minicbor::Decoder;

/// Why bytes are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// Longer than allowed.
    #[error("longer than {0} bytes")]
    TooLong(usize),
    /// Not the CBOR of a map with unsigned keys.
    #[error("not a CBOR map with unsigned keys")]
    NotAMap,
    /// A key that must be there is missing.
    #[error("field {0} is missing")]
    Missing(u64),
    /// A key that this version does not know.
    #[error("field {0} is not known in this version")]
    Unknown(u64),
    /// The value of a field is not of its type, or out of its range.
    #[error("field {field} is not {what}")]
    Value {
        /// key of the field
        field: u64,
        /// what it should be
        what: &'static str,
    },
    /// The same contents have another, shorter or differently ordered encoding.
    #[error("encoding is not deterministic")]
    NotDeterministic,
    /// Each field is right; together they cannot be.
    #[error("contradicts itself: {0}")]
    Impossible(&'static str),
    /// A version that this program does not read.
    #[error("version {0} is not supported; update the program")]
    Version(u64),
}

const ENTRIES_MAX: u64 = 64;

/// The fields of a map, each still encoded; `None` once taken.
pub(crate) struct Fields<'b> {
    /// by ascending keys
    entries: Vec<(u64, Option<Value<'b>>)>,
}

impl<'b> Fields<'b> {
    pub(crate) fn read(bytes: &'b [u8]) -> Result<Self, CborError> {
        let bad = |_| CborError::NotAMap;
        let mut decoder = Decoder::new(bytes);
        let count = decoder.map().map_err(bad)?.ok_or(CborError::NotDeterministic)?;
        if count > ENTRIES_MAX {
            return Err(CborError::NotAMap);
        }
        let mut entries: Vec<(u64, _)> = Vec::with_capacity(24);
        for _ in 0..count {
            let field = decoder.u64().map_err(bad)?;
            let from = decoder.position();
            decoder.skip().map_err(bad)?;
            let bytes = bytes.get(from..decoder.position()).ok_or(CborError::NotAMap)?;
            if entries.last().is_some_and(|(last, _)| *last >= field) {
                return Err(CborError::NotDeterministic);
            }
            entries.push((field, Some(Value { field, bytes })));
        }
        if decoder.position() != bytes.len() {
            return Err(CborError::NotDeterministic);
        }
        Ok(Self { entries })
    }

    pub(crate) fn need(&mut self, field: u64) -> Result<Value<'b>, CborError> {
        self.take(field).ok_or(CborError::Missing(field))
    }

    pub(crate) fn take(&mut self, field: u64) -> Option<Value<'b>> {
        let place = self.entries.binary_search_by_key(&field, |(key, _)| *key).ok()?;
        self.entries.get_mut(place)?.1.take()
    }

    /// Refuses what nobody asked for.
    pub(crate) fn finish(self) -> Result<(), CborError> {
        match self.entries.iter().find(|(_, value)| value.is_some()) {
            Some((field, _)) => Err(CborError::Unknown(*field)),
            None => Ok(()),
        }
    }
}

/// One encoded value and the key it stands under.
#[derive(Clone, Copy)]
pub(crate) struct Value<'b> {
    field: u64,
    bytes: &'b [u8],
}

impl<'b> Value<'b> {
    pub(crate) fn bad(self, what: &'static str) -> CborError {
        CborError::Value { field: self.field, what }
    }

    /// The value as it is encoded.
    pub(crate) fn encoded(self) -> &'b [u8] {
        self.bytes
    }

    fn decoder(self) -> Decoder<'b> {
        Decoder::new(self.bytes)
    }

    pub(crate) fn uint(self) -> Result<u64, CborError> {
        self.decoder().u64().map_err(|_| self.bad("an unsigned integer"))
    }

    pub(crate) fn int(self) -> Result<i64, CborError> {
        self.decoder().i64().map_err(|_| self.bad("an integer"))
    }

    pub(crate) fn boolean(self) -> Result<bool, CborError> {
        self.decoder().bool().map_err(|_| self.bad("true or false"))
    }

    pub(crate) fn bytes(self, most: usize) -> Result<&'b [u8], CborError> {
        let bytes = self.decoder().bytes().map_err(|_| self.bad("a byte string"))?;
        if bytes.len() > most { Err(self.bad("short enough")) } else { Ok(bytes) }
    }

    pub(crate) fn array_of<const N: usize>(self) -> Result<[u8; N], CborError> {
        self.bytes(N)?.try_into().map_err(|_| self.bad("a byte string of the right length"))
    }

    /// Text without control characters, not empty, at most `most` bytes.
    pub(crate) fn text(self, most: usize) -> Result<&'b str, CborError> {
        let text = self.decoder().str().map_err(|_| self.bad("a text string"))?;
        if is_plain(text, most) { Ok(text) } else { Err(self.bad("a short line of text")) }
    }

    pub(crate) fn items(self, most: u64) -> Result<Vec<Value<'b>>, CborError> {
        let bad = |_| self.bad("an array");
        let mut decoder = self.decoder();
        let count = decoder.array().map_err(bad)?.ok_or(CborError::NotDeterministic)?;
        if count > most {
            return Err(self.bad("a short enough array"));
        }
        let mut items = Vec::new();
        for _ in 0..count {
            let from = decoder.position();
            decoder.skip().map_err(bad)?;
            let bytes = self.bytes.get(from..decoder.position()).ok_or(self.bad("an array"))?;
            items.push(Value { field: self.field, bytes });
        }
        Ok(items)
    }

    pub(crate) fn fields(self) -> Result<Fields<'b>, CborError> {
        Fields::read(self.bytes)
    }
}

/// Whether `text` is one line for people: not empty, without control characters.
pub(crate) fn is_plain(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && !text.chars().any(char::is_control)
}

/// Writes a map; keys must ascend.
#[derive(Default)]
pub(crate) struct Map {
    count: u64,
    last: Option<u64>,
    body: Vec<u8>,
}

impl Map {
    pub(crate) fn new() -> Self {
        Self { body: Vec::with_capacity(256), ..Self::default() }
    }

    fn key(&mut self, key: u64) {
        debug_assert!(self.last.is_none_or(|last| last < key), "keys must ascend");
        self.last = Some(key);
        self.count += 1;
        head(&mut self.body, 0, key);
    }

    pub(crate) fn uint(mut self, key: u64, value: u64) -> Self {
        self.key(key);
        head(&mut self.body, 0, value);
        self
    }

    pub(crate) fn int(mut self, key: u64, value: i64) -> Self {
        self.key(key);
        int(&mut self.body, value);
        self
    }

    pub(crate) fn boolean(mut self, key: u64, value: bool) -> Self {
        self.key(key);
        self.body.push(if value { 0xf5 } else { 0xf4 });
        self
    }

    pub(crate) fn bytes(mut self, key: u64, value: &[u8]) -> Self {
        self.key(key);
        bytes(&mut self.body, value);
        self
    }

    pub(crate) fn text(mut self, key: u64, value: &str) -> Self {
        self.key(key);
        text(&mut self.body, value);
        self
    }

    /// A value that is encoded already.
    pub(crate) fn raw(mut self, key: u64, value: &[u8]) -> Self {
        self.key(key);
        self.body.extend_from_slice(value);
        self
    }

    /// An array of values that are encoded already.
    pub(crate) fn array(self, key: u64, items: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.raw(key, &array(items))
    }

    /// `write` where there is a value, nothing where there is none.
    pub(crate) fn with<T>(self, value: Option<T>, write: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => write(self, value),
            None => self,
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len() + 2);
        head(&mut out, 5, self.count);
        out.extend_from_slice(&self.body);
        out
    }
}

/// An array of values that are encoded already.
pub(crate) fn array(items: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut body = Vec::new();
    let mut count = 0;
    for item in items {
        count += 1;
        body.extend_from_slice(&item);
    }
    let mut out = Vec::with_capacity(body.len() + 3);
    head(&mut out, 4, count);
    out.extend_from_slice(&body);
    out
}

pub(crate) fn uint_item(value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    head(&mut out, 0, value);
    out
}

pub(crate) fn text_item(value: &str) -> Vec<u8> {
    let mut out = Vec::new();
    text(&mut out, value);
    out
}

pub(crate) fn bytes_item(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    bytes(&mut out, value);
    out
}

fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    head(out, 2, value.len() as u64);
    out.extend_from_slice(value);
}

fn text(out: &mut Vec<u8>, value: &str) {
    head(out, 3, value.len() as u64);
    out.extend_from_slice(value.as_bytes());
}

pub(crate) fn int(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        head(out, 1, (-1 - value).unsigned_abs());
    } else {
        head(out, 0, value.unsigned_abs());
    }
}

/// A head with its shortest argument (RFC 8949 section 3).
fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    let bytes = argument.to_be_bytes();
    let (info, length) = match argument {
        0..=23 => {
            out.push(major | argument as u8);
            return;
        }
        24..=0xff => (24, 1),
        0x100..=0xffff => (25, 2),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 8),
    };
    out.push(major | info);
    out.extend_from_slice(bytes.get(8 - length..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn heads_agree_with_an_independent_encoder(value in any::<u64>(), shift in 0u32..64, signed in any::<i64>()) {
            let value = value >> shift;
            let mut ours = Vec::new();
            head(&mut ours, 0, value);
            prop_assert_eq!(ours, minicbor::to_vec(value).unwrap());
            let mut ours = Vec::new();
            int(&mut ours, signed >> (shift % 63));
            prop_assert_eq!(ours, minicbor::to_vec(signed >> (shift % 63)).unwrap());
        }

        #[test]
        fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(mut fields) = Fields::read(&bytes) {
                for key in 0..30 {
                    if let Some(value) = fields.take(key) {
                        let _ = value.uint();
                        let _ = value.text(10);
                        let _ = value.items(4);
                        let _ = value.fields().map(Fields::finish);
                    }
                }
            }
        }
    }

    #[test]
    fn unknown_repeated_and_trailing_are_refused() {
        let map = Map::new().uint(1, 2).text(2, "x").finish();
        let mut fields = Fields::read(&map).unwrap();
        assert_eq!(fields.need(1).unwrap().uint(), Ok(2));
        assert_eq!(fields.finish(), Err(CborError::Unknown(2)));
        assert!(matches!(Fields::read(&[0xa2, 1, 1, 1, 1]), Err(CborError::NotDeterministic)));
        assert!(matches!(Fields::read(&[0xa2, 2, 1, 1, 1]), Err(CborError::NotDeterministic)));
        assert!(matches!(Fields::read(&[0xa0, 0]), Err(CborError::NotDeterministic)));
        assert!(matches!(Fields::read(&[0xbf, 0xff]), Err(CborError::NotDeterministic)));
    }
}
