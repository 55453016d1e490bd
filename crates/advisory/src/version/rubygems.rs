use super::numbers::{digits, is_digits, is_zero, take};
use std::cmp::Ordering;

/// `Gem::Version`: numbers and words; a word is before any number.
#[derive(Debug, Clone)]
pub(super) struct Gem(Vec<String>);

impl Gem {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let good = |part: &str, hyphen: bool| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || (hyphen && byte == b'-'))
        };
        let (release, pre) = match text.split_once('-') {
            Some((release, pre)) => (release, Some(pre)),
            None => (text, None),
        };
        let mut parts = release.split('.');
        let valid = is_digits(parts.next()?)
            && parts.all(|part| good(part, false))
            && pre.is_none_or(|pre| pre.split('.').all(|part| good(part, true)));
        if !valid {
            return None;
        }
        // A hyphen begins a pre-release.
        let dotted = text.replace('-', ".pre.");
        let mut rest = dotted.as_str();
        let (mut numbers, mut words) = (Vec::new(), Vec::new());
        while !rest.is_empty() {
            let (number, after) = take(rest, |byte| byte.is_ascii_digit());
            let (word, after) = if number.is_empty() {
                take(rest, |byte| byte.is_ascii_alphabetic())
            } else {
                (number, after)
            };
            if word.is_empty() {
                rest = take(rest, |byte| !byte.is_ascii_alphanumeric()).1;
                continue;
            }
            let list = if words.is_empty() && is_digits(word) { &mut numbers } else { &mut words };
            list.push(word.to_owned());
            rest = after;
        }
        // Zeros at the end of either part mean nothing.
        for list in [&mut numbers, &mut words] {
            while list.last().is_some_and(|last| is_zero(last)) {
                list.pop();
            }
        }
        numbers.append(&mut words);
        Some(Self(numbers))
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let end = self.0.len().max(other.0.len());
        (0..end)
            .map(|index| {
                let a = self.0.get(index).map_or("0", String::as_str);
                let b = other.0.get(index).map_or("0", String::as_str);
                match (is_digits(a), is_digits(b)) {
                    (true, true) => digits(a, b),
                    (false, false) => a.cmp(b),
                    (a_is_number, b_is_number) => a_is_number.cmp(&b_is_number),
                }
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}
