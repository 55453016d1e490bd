//! What a message says: the same bytes for the same seed, device and number, so that a message can be
//! sent again without being kept.

use super::{
    dice::{self, Word},
    scenario::{Field, Format, Group},
};
use serde_json::{Map, Value, json};

/// Which message of which device.
#[derive(Debug, Clone, Copy)]
pub struct Which<'a> {
    /// the scenario's seed
    pub seed: u64,
    /// the group's place
    pub group: u64,
    /// the device's place in its group
    pub device: u64,
    /// the message's number
    pub sequence: u64,
    /// when it was due, in seconds since 1970
    pub at: i64,
    /// the device's serial number
    pub serial: &'a str,
}

/// The payload of a message.
pub fn payload(group: &Group, which: &Which<'_>) -> anyhow::Result<Vec<u8>> {
    let mut members = Map::new();
    for (place, (member, field)) in group.payload.iter().enumerate() {
        let place = u64::try_from(place).unwrap_or(0);
        members.insert(member.clone(), value(field, which, place));
    }
    if members.is_empty() {
        members.insert("n".to_owned(), json!(which.sequence));
    }
    let bytes = write(group.format, &members)?;
    let lacks = group.size.saturating_sub(bytes.len());
    if lacks == 0 {
        return Ok(bytes);
    }
    // At least: the member's name and quotes come on top.
    members.insert("pad".to_owned(), Value::String("x".repeat(lacks)));
    write(group.format, &members)
}

fn value(field: &Field, which: &Which<'_>, place: u64) -> Value {
    let here = [which.group, which.device, place, which.sequence];
    let chance = || dice::share(which.seed, Word::Payload, &here);
    match field {
        Field::Range([low, high]) => json!(thousandths(low + (high - low) * chance())),
        Field::Whole([low, high]) => {
            let number = dice::number(which.seed, Word::Payload, &here);
            let span = high.abs_diff(*low).saturating_add(1);
            json!(low.saturating_add_unsigned(number % span))
        }
        Field::Walk { within, step } => json!(thousandths(walk(*within, *step, which, place))),
        Field::Choice(texts) => {
            let number = dice::number(which.seed, Word::Payload, &here);
            let at = usize::try_from(number).unwrap_or(0) % texts.len().max(1);
            json!(texts.get(at))
        }
        Field::Text(text) => json!(text),
        Field::Sequence {} => json!(which.sequence),
        Field::Time {} => json!(which.at),
        Field::Serial {} => json!(which.serial),
    }
}

/// From one place that chance chose to the next in steps that are alike and never too long: so a value
/// needs no memory of the one before.
fn walk([low, high]: [f64; 2], step: f64, which: &Which<'_>, place: u64) -> f64 {
    let span = high - low;
    let steps = (span / step).ceil().clamp(1.0, 1e6);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 1 to a million"
    )]
    let every = steps as u64;
    let stop = |number: u64| {
        let here = [which.group, which.device, place, number];
        low + span * dice::share(which.seed, Word::Payload, &here)
    };
    let (leg, at) = (which.sequence / every, which.sequence % every);
    let (from, to) = (stop(leg), stop(leg.saturating_add(1)));
    #[expect(clippy::cast_precision_loss, reason = "below a million")]
    let share = at as f64 / every as f64;
    from + (to - from) * share
}

fn thousandths(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

fn write(format: Format, members: &Map<String, Value>) -> anyhow::Result<Vec<u8>> {
    match format {
        Format::Json => Ok(serde_json::to_vec(members)?),
        Format::Cbor => {
            let mut out = minicbor::Encoder::new(Vec::new());
            out.map(u64::try_from(members.len())?)?;
            for (member, value) in members {
                out.str(member)?;
                match value {
                    Value::String(text) => out.str(text)?,
                    Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                        (Some(whole), _) => out.i64(whole)?,
                        (None, Some(whole)) => out.u64(whole)?,
                        (None, None) => out.f64(number.as_f64().unwrap_or(0.0))?,
                    },
                    _ => out.null()?,
                };
            }
            Ok(out.into_writer())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::scenario::Scenario, *};

    fn which(device: u64, sequence: u64) -> Which<'static> {
        Which { seed: 7, group: 0, device, sequence, at: 1_800_000_000, serial: "SIM-1" }
    }

    #[test]
    fn payloads_are_the_same_again_and_stay_within_their_bounds() {
        let scenario = Scenario::parse(super::super::EXAMPLE).unwrap();
        let group = &scenario.groups[0];
        let mut before: Option<f64> = None;
        for sequence in 0..500 {
            let bytes = payload(group, &which(3, sequence)).unwrap();
            assert_eq!(bytes, payload(group, &which(3, sequence)).unwrap());
            assert_ne!(bytes, payload(group, &which(4, sequence)).unwrap());
            assert!(bytes.len() >= group.size);
            let said: Value = serde_json::from_slice(&bytes).unwrap();
            let celsius = said["celsius"].as_f64().unwrap();
            assert!((-20.0..=60.0).contains(&celsius));
            // A thousandth for the rounding at either end.
            assert!(before.is_none_or(|before| (before - celsius).abs() <= 0.502), "{celsius}");
            before = Some(celsius);
            assert!((0..=100).contains(&said["percent"].as_i64().unwrap()));
            assert_eq!(said["n"], sequence);
            assert_eq!(said["serial"], "SIM-1");
        }
    }

    #[test]
    fn cbor_says_the_same() {
        let scenario = Scenario::parse(super::super::EXAMPLE).unwrap();
        let bytes = payload(&scenario.groups[2], &which(0, 0)).unwrap();
        let mut read = minicbor::Decoder::new(&bytes);
        assert_eq!(read.map().unwrap(), Some(1));
        assert_eq!(read.str().unwrap(), "frames");
        assert!((0..=3000).contains(&read.i64().unwrap()));
        assert_eq!(read.position(), bytes.len());
    }
}
