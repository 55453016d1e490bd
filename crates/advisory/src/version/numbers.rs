//! Numbers of any length: no version is refused because somebody wrote a date and a counter.

use std::cmp::Ordering;

/// Compares two runs of digits as numbers.
pub(super) fn digits(a: &str, b: &str) -> Ordering {
    let a = a.trim_start_matches('0');
    let b = b.trim_start_matches('0');
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn is_zero(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'0')
}

/// Splits off the longest beginning whose bytes all pass.
pub(super) fn take(text: &str, pass: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !pass(byte)).unwrap_or(text.len());
    // Where not only ASCII passes, the end may be inside a character: then nothing is taken.
    text.split_at_checked(end).unwrap_or(("", text))
}

/// Numbers between separators.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers(Vec<String>);

impl Numbers {
    pub(super) fn parse(text: &str, separators: &[char]) -> Option<Self> {
        let parts: Vec<String> = text.split(separators).map(str::to_owned).collect();
        parts.iter().all(|part| is_digits(part)).then_some(Self(parts))
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Missing numbers are 0.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let get = |list: &[String], index: usize| list.get(index).cloned().unwrap_or_default();
        (0..self.0.len().max(other.0.len()))
            .map(|index| match (self.0.get(index), other.0.get(index)) {
                (Some(a), Some(b)) => digits(a, b),
                _ => digits(&get(&self.0, index), &get(&other.0, index)),
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    /// Missing numbers are before any number.
    pub(super) fn compare_by_length(&self, other: &Self) -> Ordering {
        self.0
            .iter()
            .zip(&other.0)
            .map(|(a, b)| digits(a, b))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| self.0.len().cmp(&other.0.len()))
    }
}
