//! Bytes that are the same for equal values: what `enum`, `const` and `uniqueItems` compare.

use super::number::Decimal;
use crate::steps::{Exhausted, Steps, of_bytes};
use serde_json::Value;

/// Appends the canonical form of a value. Objects come sorted out of serde_json's map or are sorted
/// here, whichever map it is built with.
pub(super) fn canonical(
    value: &Value,
    to: &mut Vec<u8>,
    steps: &mut Steps,
) -> Result<(), Exhausted> {
    steps.take(1)?;
    match value {
        Value::Null => to.push(b'n'),
        Value::Bool(true) => to.push(b't'),
        Value::Bool(false) => to.push(b'f'),
        Value::Number(number) => Decimal::of(number).canonical(to),
        Value::String(text) => string(text, to, steps)?,
        Value::Array(items) => {
            to.push(b'[');
            for item in items {
                canonical(item, to, steps)?;
            }
            to.push(b']');
        }
        Value::Object(members) => {
            to.push(b'{');
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            for name in names {
                string(name, to, steps)?;
                if let Some(value) = members.get(name) {
                    canonical(value, to, steps)?;
                }
            }
            to.push(b'}');
        }
    }
    Ok(())
}

fn string(text: &str, to: &mut Vec<u8>, steps: &mut Steps) -> Result<(), Exhausted> {
    steps.take(of_bytes(text.len()))?;
    to.push(b's');
    to.extend_from_slice(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
    to.extend_from_slice(text.as_bytes());
    Ok(())
}
