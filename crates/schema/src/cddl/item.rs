//! An item of CBOR in memory.

use minicbor::{Decoder, data::Type};

/// How deep items may nest; what comes here was looked at before.
const DEPTH_MAX: usize = 64;

/// An item.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    Int(i128),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Item>),
    Map(Vec<(Item, Item)>),
    Tag(u64, Box<Item>),
    /// its value, and the additional information that says how wide it is written
    Float(f64, u8),
    Simple(u8),
}

/// Reads one item, which is all of the bytes.
pub(super) fn read(bytes: &[u8]) -> Option<Item> {
    let mut reader = Decoder::new(bytes);
    let item = one(&mut reader, 0)?;
    (reader.position() == bytes.len()).then_some(item)
}

fn one(reader: &mut Decoder<'_>, depth: usize) -> Option<Item> {
    if depth > DEPTH_MAX {
        return None;
    }
    let deeper = depth.saturating_add(1);
    Some(match reader.datatype().ok()? {
        Type::U8
        | Type::U16
        | Type::U32
        | Type::U64
        | Type::I8
        | Type::I16
        | Type::I32
        | Type::I64
        | Type::Int => Item::Int(reader.int().ok()?.into()),
        Type::Bytes => Item::Bytes(reader.bytes().ok()?.to_vec()),
        Type::BytesIndef => {
            let mut all = Vec::new();
            for piece in reader.bytes_iter().ok()? {
                all.extend_from_slice(piece.ok()?);
            }
            Item::Bytes(all)
        }
        Type::String => Item::Text(reader.str().ok()?.to_owned()),
        Type::StringIndef => {
            let mut all = String::new();
            for piece in reader.str_iter().ok()? {
                all.push_str(piece.ok()?);
            }
            Item::Text(all)
        }
        Type::Array | Type::ArrayIndef => {
            let count = reader.array().ok()?;
            let mut items = Vec::new();
            while more(reader, count, items.len())? {
                items.push(one(reader, deeper)?);
            }
            Item::Array(items)
        }
        Type::Map | Type::MapIndef => {
            let count = reader.map().ok()?;
            let mut pairs = Vec::new();
            while more(reader, count, pairs.len())? {
                pairs.push((one(reader, deeper)?, one(reader, deeper)?));
            }
            Item::Map(pairs)
        }
        Type::Tag => {
            let tag = reader.tag().ok()?.as_u64();
            Item::Tag(tag, Box::new(one(reader, deeper)?))
        }
        Type::F16 => Item::Float(half(reader)?, 25),
        Type::F32 => Item::Float(reader.f32().ok()?.into(), 26),
        Type::F64 => Item::Float(reader.f64().ok()?, 27),
        Type::Bool => Item::Simple(if reader.bool().ok()? { 21 } else { 20 }),
        Type::Null => {
            reader.null().ok()?;
            Item::Simple(22)
        }
        Type::Undefined => {
            reader.undefined().ok()?;
            Item::Simple(23)
        }
        Type::Simple => Item::Simple(reader.simple().ok()?),
        Type::Break | Type::Unknown(_) => return None,
    })
}

fn more(reader: &mut Decoder<'_>, count: Option<u64>, read: usize) -> Option<bool> {
    match count {
        Some(count) => Some(u64::try_from(read).ok()? < count),
        None if reader.datatype().ok()? == Type::Break => {
            reader.set_position(reader.position().saturating_add(1));
            Some(false)
        }
        None => Some(true),
    }
}

/// A float of 16 bits (RFC 8949 appendix D).
fn half(reader: &mut Decoder<'_>) -> Option<f64> {
    let at = reader.position();
    let bytes = reader.input().get(at.checked_add(1)?..at.checked_add(3)?)?;
    reader.set_position(at.checked_add(3)?);
    let bits = u16::from_be_bytes(bytes.try_into().ok()?);
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let value = match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (fraction + 1024.0) * 2_f64.powi(exponent.saturating_sub(25)),
    };
    Some(if bits & 0x8000 == 0 { value } else { -value })
}
