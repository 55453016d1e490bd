//! What a receiver gets of a message: one JSON object.

use crate::format::{Encoding, FormatRule};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use crypto::UnixTime;
use device::DeviceId;
use minicbor::{Decoder, data::Type};
use serde_json::{Map, Number, Value, json};

/// Deepest payload that is shown as JSON; a deeper one is shown as bytes.
pub const ENVELOPE_DEPTH_MAX: u8 = 32;
/// Most values of a payload that is shown as JSON; one with more is shown as bytes.
pub const ENVELOPE_VALUES_MAX: usize = 8192;
/// Longest payload, in bytes; doors take none that is longer.
const PAYLOAD_BYTES_MAX: u32 = 65_536;

/// A message as a route sees it.
#[derive(Debug, Clone, Copy)]
pub struct RoutedMessage<'a> {
    /// who sent it
    pub device: DeviceId,
    /// product line, `MAKER/PRODUCT`
    pub product: Option<&'a str>,
    /// topic below the device's space
    pub topic: &'a str,
    /// through which door
    pub door: &'a str,
    /// when it came, by the platform's clock
    pub received_at: UnixTime,
    /// its media type, where the sender named one
    pub media_type: Option<&'a str>,
    /// what it says
    pub payload: &'a [u8],
}

/// What a receiver gets, and what conditions look at.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope(Value);

impl Envelope {
    /// The envelope of a message.
    pub fn of(message: &RoutedMessage<'_>) -> Self {
        let (encoding, payload) = payload(message.media_type, message.payload);
        Self(json!({
            "device": message.device.to_string(),
            "product": message.product,
            "topic": message.topic,
            "door": message.door,
            "received_at": message.received_at.to_string(),
            "media_type": message.media_type,
            "encoding": encoding,
            "payload": payload,
        }))
    }

    /// As JSON.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// On one line, with who sends it on: an id that stays the same when it is sent again.
    pub fn sent(self, id: &str, route: &str) -> String {
        let mut value = self.0;
        if let Value::Object(object) = &mut value {
            object.insert("id".to_owned(), id.into());
            object.insert("route".to_owned(), route.into());
        }
        value.to_string()
    }
}

/// How a payload is shown, and it.
fn payload(media_type: Option<&str>, bytes: &[u8]) -> (&'static str, Value) {
    let kind = media_type.map(|it| it.split(';').next().unwrap_or(it).trim().to_ascii_lowercase());
    let is = |name: &str, suffix: &str| {
        kind.as_deref().is_some_and(|kind| kind == name || kind.ends_with(suffix))
    };
    let rule = |encoding| FormatRule {
        encoding,
        bytes_max: PAYLOAD_BYTES_MAX,
        depth_max: ENVELOPE_DEPTH_MAX,
    };
    let shown = if is("application/cbor", "+cbor") {
        let checked = rule(Encoding::Cbor).check(bytes).is_ok();
        checked.then(|| from_cbor(bytes)).flatten().map(|value| ("cbor", value))
    } else if kind.as_deref() == Some("application/octet-stream") {
        None
    } else {
        // Many devices send JSON and do not say so.
        let checked = rule(Encoding::Json).check(bytes).is_ok();
        let value = checked.then(|| serde_json::from_slice(bytes).ok()).flatten();
        value.map(|value| ("json", value))
    };
    shown
        .filter(|(_, value)| is_small(value))
        .unwrap_or_else(|| ("base64", BASE64_STANDARD.encode(bytes).into()))
}

fn is_small(value: &Value) -> bool {
    let mut left = ENVELOPE_VALUES_MAX;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        let Some(fewer) = left.checked_sub(1) else { return false };
        left = fewer;
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(object) => open.extend(object.values()),
            _ => {}
        }
    }
    true
}

/// CBOR as JSON (RFC 8949 section 6.1); `None` where it is not one item.
fn from_cbor(bytes: &[u8]) -> Option<Value> {
    let mut decoder = Decoder::new(bytes);
    let value = item(&mut decoder, ENVELOPE_DEPTH_MAX)?;
    (decoder.position() == bytes.len()).then_some(value)
}

fn item(decoder: &mut Decoder<'_>, left: u8) -> Option<Value> {
    Some(match decoder.datatype().ok()? {
        Type::Bool => decoder.bool().ok()?.into(),
        Type::Null => {
            decoder.null().ok()?;
            Value::Null
        }
        Type::Undefined => {
            decoder.undefined().ok()?;
            Value::Null
        }
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => decoder.u64().ok()?.into(),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => decoder.i64().ok()?.into(),
        Type::Int => {
            let int = i128::from(decoder.int().ok()?);
            match (u64::try_from(int), i64::try_from(int)) {
                (Ok(int), _) => int.into(),
                (_, Ok(int)) => int.into(),
                // Below what JSON's readers take for a whole number.
                _ => int.to_string().into(),
            }
        }
        Type::F16 => {
            let at = decoder.position().checked_add(1)?;
            let bytes = decoder.input().get(at..)?.first_chunk::<2>()?;
            let value = half(u16::from_be_bytes(*bytes));
            decoder.skip().ok()?;
            float(value)
        }
        Type::F32 => float(decoder.f32().ok()?.into()),
        Type::F64 => float(decoder.f64().ok()?),
        Type::Bytes | Type::BytesIndef => {
            let mut bytes = Vec::new();
            for chunk in decoder.bytes_iter().ok()? {
                bytes.extend_from_slice(chunk.ok()?);
            }
            BASE64_URL_SAFE_NO_PAD.encode(bytes).into()
        }
        Type::String | Type::StringIndef => text(decoder)?.into(),
        Type::Array | Type::ArrayIndef => {
            let left = left.checked_sub(1)?;
            let mut items = Vec::new();
            let mut count = decoder.array().ok()?;
            while more(decoder, &mut count)? {
                items.push(item(decoder, left)?);
            }
            items.into()
        }
        Type::Map | Type::MapIndef => {
            let left = left.checked_sub(1)?;
            let mut object = Map::new();
            let mut count = decoder.map().ok()?;
            while more(decoder, &mut count)? {
                let name = match item(decoder, left)? {
                    Value::String(name) => name,
                    Value::Number(number) => number.to_string(),
                    Value::Bool(flag) => flag.to_string(),
                    // JSON has no such names.
                    _ => return None,
                };
                // Two names that JSON cannot tell apart.
                if object.insert(name, item(decoder, left)?).is_some() {
                    return None;
                }
            }
            object.into()
        }
        Type::Tag => {
            let left = left.checked_sub(1)?;
            decoder.tag().ok()?;
            item(decoder, left)?
        }
        Type::Simple => {
            decoder.simple().ok()?;
            Value::Null
        }
        Type::Break | Type::Unknown(_) => return None,
    })
}

/// Whether a container goes on, of so many items or up to its end.
fn more(decoder: &mut Decoder<'_>, count: &mut Option<u64>) -> Option<bool> {
    match count {
        Some(left) => Some(match left.checked_sub(1) {
            Some(fewer) => {
                *left = fewer;
                true
            }
            None => false,
        }),
        None if decoder.datatype().ok()? == Type::Break => {
            decoder.skip().ok()?;
            Some(false)
        }
        None => Some(true),
    }
}

fn text(decoder: &mut Decoder<'_>) -> Option<String> {
    let mut text = String::new();
    for chunk in decoder.str_iter().ok()? {
        text.push_str(chunk.ok()?);
    }
    Some(text)
}

/// A half-precision number (IEEE 754 binary16; RFC 8949 appendix D).
fn half(bits: u16) -> f64 {
    let (exponent, mantissa) = ((bits >> 10) & 0x1f, f64::from(bits & 0x3ff));
    let value = match exponent {
        0 => mantissa * 2_f64.powi(-24),
        0x1f if mantissa == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        _ => (mantissa + 1024.0) * 2_f64.powi(i32::from(exponent) - 25),
    };
    if bits & 0x8000 == 0 { value } else { -value }
}

fn float(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::super::tests::message;
    use super::*;
    use proptest::prelude::*;

    fn shown(media_type: Option<&str>, bytes: &[u8]) -> (String, Value) {
        let envelope = Envelope::of(&message("up/x", media_type, bytes));
        let of = |name: &str| envelope.value().get(name).cloned().unwrap();
        (of("encoding").as_str().unwrap().to_owned(), of("payload"))
    }

    #[test]
    fn payloads_are_json_where_they_can_be() {
        let json = |value| ("json".to_owned(), value);
        let bytes = |text: &str| ("base64".to_owned(), Value::from(text));
        assert_eq!(shown(None, b"21.5"), json(json!(21.5)));
        assert_eq!(shown(Some("application/json"), br#"{"a":[1]}"#), json(json!({"a": [1]})));
        assert_eq!(shown(Some("application/senml+json; x=1"), b"[]"), json(json!([])));
        assert_eq!(shown(None, b"on"), bytes("b24="));
        assert_eq!(shown(Some("application/octet-stream"), b"1"), bytes("MQ=="));
        // A name twice is read in two ways: nobody is to be told one of them.
        assert_eq!(shown(None, br#"{"a":1,"a":2}"#).0, "base64");
        assert_eq!(shown(None, "[".repeat(40).as_bytes()).0, "base64");
        let wide = format!("[{}1]", "1,".repeat(9000));
        assert_eq!(shown(None, wide.as_bytes()).0, "base64");
    }

    /// The examples of RFC 8949 appendix A that JSON can say.
    #[test]
    fn cbor_is_told_as_json() {
        for (bytes, value) in [
            ("00", json!(0)),
            ("1bffffffffffffffff", json!(18_446_744_073_709_551_615_u64)),
            ("3903e7", json!(-1000)),
            ("3bffffffffffffffff", json!("-18446744073709551616")),
            ("f93e00", json!(1.5)),
            ("fb3ff199999999999a", json!(1.1)),
            ("f97e00", Value::Null),
            ("f90001", json!(5.960_464_477_539_063e-8)),
            ("f9c400", json!(-4.0)),
            ("f97bff", json!(65504.0)),
            ("f7", Value::Null),
            ("f5", json!(true)),
            ("c11a514b67b0", json!(1_363_896_240)),
            ("4401020304", json!("AQIDBA")),
            ("62c3bc", json!("ü")),
            ("a201020304", json!({"1": 2, "3": 4})),
            ("bf61610161629f0203ffff", json!({"a": 1, "b": [2, 3]})),
            ("7f657374726561646d696e67ff", json!("streaming")),
            ("5f42010243030405ff", json!("AQIDBAU")),
        ] {
            let raw = hex::decode(bytes).unwrap();
            assert_eq!(
                shown(Some("application/cbor"), &raw),
                ("cbor".to_owned(), value),
                "{bytes}"
            );
        }
        for wrong in ["", "0000", "a1800", "ff", "a10102ff", "81", "a2010261310"] {
            let Ok(raw) = hex::decode(wrong) else { continue };
            assert_eq!(shown(Some("application/cbor"), &raw).0, "base64", "{wrong}");
        }
    }

    #[test]
    fn what_is_sent_says_who_sends_it() {
        let sent = Envelope::of(&message("up/x", None, b"1")).sent("r1-9", "hot");
        let read: Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(read["id"], "r1-9");
        assert_eq!(read["route"], "hot");
        assert_eq!(read["received_at"], "2023-11-14T22:13:20Z");
        assert_eq!(read["device"], "07".repeat(16));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_envelope(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            kind in prop::sample::select(vec![None, Some("application/cbor"), Some("text/plain")]),
        ) {
            let (encoding, value) = shown(kind, &bytes);
            if encoding == "base64" {
                let text = value.as_str().unwrap().to_owned();
                prop_assert_eq!(BASE64_STANDARD.decode(text).unwrap(), bytes);
            }
        }
    }
}
