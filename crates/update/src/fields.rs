//! Takes typed fields out of an object; what is left are the fields that nobody here knows.

use crate::{
    MetadataError,
    json::{Object, Value},
};
use crypto::UnixTime;

/// An object that is being taken apart, and its place for messages.
pub struct Fields {
    object: Object,
    place: String,
}

impl Fields {
    pub(crate) fn new(value: Value, place: impl Into<String>) -> Result<Self, MetadataError> {
        let place = place.into();
        match value {
            Value::Object(object) => Ok(Self { object, place }),
            other => Err(wrong(&place, "an object", &other)),
        }
    }

    fn name(&self, field: &str) -> String {
        if self.place.is_empty() { field.to_owned() } else { format!("{}.{field}", self.place) }
    }

    pub(crate) fn optional(&mut self, field: &str) -> Option<Value> {
        self.object.remove(field)
    }

    pub(crate) fn value(&mut self, field: &str) -> Result<Value, MetadataError> {
        let name = self.name(field);
        self.optional(field).ok_or_else(|| MetadataError::malformed(name, "is missing"))
    }

    pub(crate) fn string(&mut self, field: &str) -> Result<String, MetadataError> {
        let name = self.name(field);
        match self.value(field)? {
            Value::String(text) => Ok(text),
            other => Err(wrong(&name, "a string", &other)),
        }
    }

    pub(crate) fn array(&mut self, field: &str) -> Result<Vec<Value>, MetadataError> {
        let name = self.name(field);
        match self.value(field)? {
            Value::Array(values) => Ok(values),
            other => Err(wrong(&name, "an array", &other)),
        }
    }

    pub(crate) fn strings(&mut self, field: &str) -> Result<Vec<String>, MetadataError> {
        let name = self.name(field);
        let take = |value| match value {
            Value::String(text) => Ok(text),
            other => Err(wrong(&name, "an array of strings", &other)),
        };
        self.array(field)?.into_iter().map(take).collect()
    }

    pub(crate) fn object(&mut self, field: &str) -> Result<Object, MetadataError> {
        let name = self.name(field);
        match self.value(field)? {
            Value::Object(object) => Ok(object),
            other => Err(wrong(&name, "an object", &other)),
        }
    }

    /// A whole number that is not negative.
    pub(crate) fn number(&mut self, field: &str) -> Result<u64, MetadataError> {
        let name = self.name(field);
        let value = self.value(field)?;
        number(&name, &value)
    }

    pub(crate) fn optional_number(&mut self, field: &str) -> Result<Option<u64>, MetadataError> {
        let name = self.name(field);
        self.optional(field).map(|value| number(&name, &value)).transpose()
    }

    pub(crate) fn optional_bool(&mut self, field: &str) -> Result<Option<bool>, MetadataError> {
        let name = self.name(field);
        match self.optional(field) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(other) => Err(wrong(&name, "a boolean", &other)),
        }
    }

    /// A point in time as the specification writes it: `2030-01-01T00:00:00Z` (section 4.2.1).
    pub(crate) fn time(&mut self, field: &str) -> Result<UnixTime, MetadataError> {
        let name = self.name(field);
        let text = self.string(field)?;
        parse_time(&text)
            .ok_or_else(|| MetadataError::malformed(name, "is no time like 2030-01-01T00:00:00Z"))
    }

    /// The fields that were not taken.
    pub(crate) fn rest(self) -> Object {
        self.object
    }
}

fn number(name: &str, value: &Value) -> Result<u64, MetadataError> {
    match value {
        Value::Integer(number) => u64::try_from(*number)
            .map_err(|_| MetadataError::malformed(name, "is a negative number")),
        other => Err(wrong(name, "a number", other)),
    }
}

fn wrong(name: &str, expected: &str, found: &Value) -> MetadataError {
    MetadataError::malformed(name, format!("is {}, not {expected}", found.kind()))
}

/// Reads `YYYY-MM-DDTHH:MM:SSZ`, and nothing that reads the same but is written otherwise.
pub fn parse_time(text: &str) -> Option<UnixTime> {
    let digits = |from: usize, to: usize| -> Option<i64> {
        let part = text.get(from..to)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
    };
    if text.len() != 20 {
        return None;
    }
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
    if !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Howard Hinnant, "chrono-compatible low-level date algorithms", days_from_civil.
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let doy = (153 * shifted + 2) / 5 + day - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    let days = era * 146_097 + doe - 719_468;
    let time = UnixTime(days * 86_400 + hour * 3_600 + minute * 60 + second);
    // The thirtieth of February and other punctuation do not survive this.
    (time.to_string() == text).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_have_one_form() {
        assert_eq!(parse_time("1970-01-01T00:00:00Z"), Some(UnixTime(0)));
        assert_eq!(parse_time("2000-02-29T00:00:00Z"), Some(UnixTime(951_782_400)));
        for bad in [
            "2001-02-29T00:00:00Z",
            "2001-04-31T00:00:00Z",
            "2001-13-01T00:00:00Z",
            "2001-01-01T24:00:00Z",
            "2001-01-01T00:00:60Z",
            "2001-01-01 00:00:00Z",
            "2001-01-01T00:00:00z",
            "2001-01-01T00:00:00.5Z",
            "2001-01-01T00:00:00+00:00",
            "+001-01-01T00:00:00Z",
            "２001-01-01T00:00:0Z",
            "",
        ] {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_time_is_read_as_it_is_written(seconds in -62_167_219_200i64..=253_402_300_799) {
            let time = UnixTime(seconds);
            prop_assert_eq!(parse_time(&time.to_string()), Some(time));
        }

        #[test]
        fn any_text_is_none_or_a_time(text in "\\PC{0,30}") {
            if let Some(time) = parse_time(&text) {
                prop_assert_eq!(time.to_string(), text);
            }
        }
    }
}
