//! Numbers as they are written: exact decimals, so that 0.3 is a multiple of 0.1.

use serde_json::Number;
use std::cmp::Ordering;

/// A number: its sign, its digits, and the power of ten that they are multiplied with. A number of JSON
/// that is beyond 64 bits, or has a fraction, is read as a double, whose shortest form has 17 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    /// below 2^64; without zeroes at its end
    digits: u64,
    power: i32,
}

impl Decimal {
    pub(crate) fn of(number: &Number) -> Self {
        let text = number.to_string();
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.as_str()),
        };
        let (figures, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = figures.split_once('.').unwrap_or((figures, ""));
        let mut power: i32 = power.trim_start_matches('+').parse().unwrap_or(0);
        power = power.saturating_sub(i32::try_from(fraction.len()).unwrap_or(0));
        let mut digits: u64 = 0;
        for figure in whole.bytes().chain(fraction.bytes()) {
            digits =
                digits.saturating_mul(10).saturating_add(u64::from(figure.saturating_sub(b'0')));
        }
        while digits != 0 && digits.is_multiple_of(10) {
            digits /= 10;
            power = power.saturating_add(1);
        }
        if digits == 0 {
            return Self { negative: false, digits, power: 0 };
        }
        Self { negative, digits, power }
    }

    pub(crate) fn is_whole(self) -> bool {
        self.power >= 0
    }

    pub(crate) fn is_positive(self) -> bool {
        self.digits > 0 && !self.negative
    }

    /// As a count, where it is one.
    pub(crate) fn count(self) -> Option<u64> {
        let power = u32::try_from(self.power).ok()?;
        let times = 10_u64.checked_pow(power)?;
        if self.negative { None } else { self.digits.checked_mul(times) }
    }

    fn figures(self) -> i32 {
        i32::try_from(self.digits.checked_ilog10().map_or(0, |it| it.saturating_add(1)))
            .unwrap_or(0)
    }

    fn size(self, other: Self) -> Ordering {
        if self.digits == 0 || other.digits == 0 {
            return self.digits.cmp(&other.digits);
        }
        let (ours, theirs) = (
            self.figures().saturating_add(self.power),
            other.figures().saturating_add(other.power),
        );
        ours.cmp(&theirs).then_with(|| {
            let most = self.figures().max(other.figures());
            let stretched = |it: Self| {
                let by = u32::try_from(most.saturating_sub(it.figures())).unwrap_or(0);
                u128::from(it.digits).saturating_mul(10_u128.saturating_pow(by))
            };
            stretched(self).cmp(&stretched(other))
        })
    }

    pub(crate) fn order(self, other: Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.size(other),
            (true, true) => other.size(self),
        }
    }

    /// Whether it is a whole number of times another, which is above zero.
    pub(crate) fn is_multiple_of(self, other: Self) -> bool {
        let (ours, theirs) = (u128::from(self.digits), u128::from(other.digits.max(1)));
        if ours == 0 {
            return true;
        }
        let apart = self.power.saturating_sub(other.power);
        if let Ok(mut left) = u32::try_from(apart) {
            // The rest of `ours × 10^apart`: both factors stay below 2^64.
            let (mut rest, mut ten) = (ours % theirs, 10 % theirs);
            while left > 0 {
                if left & 1 == 1 {
                    rest = rest.saturating_mul(ten) % theirs;
                }
                ten = ten.saturating_mul(ten) % theirs;
                left >>= 1;
            }
            return rest == 0;
        }
        let by = 10_u128.checked_pow(apart.unsigned_abs()).and_then(|it| it.checked_mul(theirs));
        by.is_some_and(|by| ours.is_multiple_of(by))
    }

    /// Bytes that are the same for the same number, however it is written.
    pub(crate) fn canonical(self, to: &mut Vec<u8>) {
        to.push(b'd');
        to.push(u8::from(self.negative));
        to.extend_from_slice(&self.digits.to_be_bytes());
        to.extend_from_slice(&self.power.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::of(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn numbers_are_what_they_are_however_they_are_written() {
        for (one, other) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("0", "-0.0"),
            ("0.5", "5e-1"),
            ("12.50", "12.5"),
            ("1000.0", "1e3"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            assert_eq!(decimal(one), decimal(other), "{one} {other}");
        }
        for (less, more) in [
            ("-1", "0"),
            ("0", "1e-300"),
            ("0.1", "0.11"),
            ("9", "10"),
            ("-10", "-9"),
            ("18446744073709551614", "18446744073709551615"),
            ("1e300", "1e301"),
            ("-1e300", "1e-300"),
            ("9.99", "18446744073709551615"),
        ] {
            assert_eq!(decimal(less).order(decimal(more)), Ordering::Less, "{less} {more}");
            assert_eq!(decimal(more).order(decimal(less)), Ordering::Greater, "{less} {more}");
        }
    }

    #[test]
    fn multiples_are_exact() {
        for (number, of, expected) in [
            ("0.3", "0.1", true),
            ("0.0075", "0.0001", true),
            ("0.00751", "0.0001", false),
            ("4.5", "1.5", true),
            ("35", "1.5", false),
            ("1e308", "0.123456789", false),
            ("1e308", "0.5", true),
            ("12391239123", "1e-8", true),
            ("0", "7", true),
            ("-21", "7", true),
            ("18446744073709551615", "18446744073709551613", false),
            ("1e-300", "1e300", false),
        ] {
            assert_eq!(decimal(number).is_multiple_of(decimal(of)), expected, "{number} {of}");
        }
        assert_eq!(decimal("3.0").count(), Some(3));
        assert_eq!(decimal("-1").count(), None);
        assert_eq!(decimal("2e3").count(), Some(2000));
        assert!(decimal("1e3").is_whole() && !decimal("0.5").is_whole());
    }
}
