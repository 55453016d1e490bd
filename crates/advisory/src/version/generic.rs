use super::numbers::{Numbers, digits, take};
use std::cmp::Ordering;

/// What most releases of C libraries look like: numbers between dots, then perhaps a letter
/// (`1.0.2k`), a patch (`8.9p1`) or a pre-release (`2.0-rc1`). What goes beyond (`+git0a1b2c`,
/// `-15`) leaves the order open where the numbers do not decide it.
#[derive(Debug, Clone)]
pub(super) struct Generic {
    numbers: Numbers,
    end: End,
}

#[derive(Debug, Clone)]
enum End {
    /// rank of the word (negative before the plain version), the word, its number
    Known(i8, String, String),
    Open,
}

const PRE: &[(&str, i8)] = &[("dev", -5), ("alpha", -4), ("beta", -3), ("pre", -2), ("rc", -1)];

impl Generic {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        let rest = lower.strip_prefix('v').unwrap_or(&lower);
        let (core, rest) = take(rest, |byte| byte.is_ascii_digit() || byte == b'.');
        let (core, rest) = match core.strip_suffix('.') {
            Some(core) => (core, rest),
            None => (core, rest),
        };
        let numbers = Numbers::parse(core, &['.'])?;
        Some(Self { numbers, end: end(rest) })
    }

    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        let order = self.numbers.compare(&other.numbers);
        if order.is_ne() {
            return Some(order);
        }
        match (&self.end, &other.end) {
            (End::Known(rank_a, word_a, number_a), End::Known(rank_b, word_b, number_b)) => Some(
                rank_a
                    .cmp(rank_b)
                    .then_with(|| word_a.cmp(word_b))
                    .then_with(|| digits(number_a, number_b)),
            ),
            _ => None,
        }
    }
}

fn end(rest: &str) -> End {
    let known =
        |rank, word: &str, number: &str| End::Known(rank, word.to_owned(), number.to_owned());
    if rest.is_empty() {
        return known(0, "", "");
    }
    let separated = rest.strip_prefix(['-', '_', '.', '~']);
    let (word, after) = take(separated.unwrap_or(rest), |byte| byte.is_ascii_alphabetic());
    let after = after.strip_prefix(['.', '-']).unwrap_or(after);
    let (number, left) = take(after, |byte| byte.is_ascii_digit());
    if !left.is_empty() || word.is_empty() {
        return End::Open;
    }
    match PRE.iter().find(|(name, _)| *name == word) {
        Some((_, rank)) => known(*rank, "", number),
        // OpenSSH, NTP, sudo: 8.9p1 comes after 8.9.
        None if word == "p" && !number.is_empty() => known(2, "", number),
        // OpenSSL: 1.0.2k, and after z comes za.
        None if separated.is_none() && number.is_empty() && word.len() <= 2 => known(1, word, ""),
        None => End::Open,
    }
}
