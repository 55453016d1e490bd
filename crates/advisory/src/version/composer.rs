use super::numbers::{digits, is_digits, take};
use std::cmp::Ordering;

/// Composer's normal form (four numbers or a date, a stability, numbers, `dev`) in the order of
/// PHP's `version_compare`. Branches (`dev-main`, `1.x-dev`) have no place in it.
#[derive(Debug, Clone)]
pub(super) struct Composer(Vec<Token>);

#[derive(Debug, Clone)]
enum Token {
    Number(String),
    Word(u8),
}

const END: u8 = 4;
const NUMBER: u8 = 5;

/// dev, alpha, beta, RC are before the end of a version, numbers after it, patches after those.
const WORDS: &[(&str, u8)] =
    &[("alpha", 1), ("beta", 2), ("patch", 6), ("rc", 3), ("pl", 6), ("a", 1), ("b", 2), ("p", 6)];

impl Composer {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let lower = text.trim().to_ascii_lowercase();
        // Build metadata does not count.
        let lower = lower.split('+').next().unwrap_or_default();
        let rest = lower.strip_prefix('v').unwrap_or(lower);
        let (core, mut rest) = take(rest, |byte| byte.is_ascii_digit() || byte == b'.');
        let (core, dot) = match core.strip_suffix('.') {
            Some(core) => (core, true),
            None => (core, false),
        };
        let mut tokens: Vec<Token> =
            core.split('.').map(|number| Token::Number(number.to_owned())).collect();
        let all = core.split('.').all(is_digits);
        if !all || tokens.len() > 8 || (dot && rest.is_empty()) {
            return None;
        }
        // Four numbers; a date of four digits first may have more and is kept as it is.
        while tokens.len() < 4 {
            tokens.push(Token::Number("0".to_owned()));
        }
        let separators: &[char] = &['.', '-', '_'];
        rest = rest.strip_prefix(separators).unwrap_or(rest);
        if let Some(after) = rest.strip_prefix("stable") {
            rest = after;
        } else if let Some((word, order)) = WORDS.iter().find(|(word, _)| rest.starts_with(word)) {
            tokens.push(Token::Word(*order));
            rest = rest.strip_prefix(word)?;
            loop {
                let after = rest.strip_prefix(['.', '-']).unwrap_or(rest);
                let (number, left) = take(after, |byte| byte.is_ascii_digit());
                if number.is_empty() {
                    break;
                }
                tokens.push(Token::Number(number.to_owned()));
                rest = left;
            }
        }
        rest = rest.strip_prefix(separators).unwrap_or(rest);
        if let Some(after) = rest.strip_prefix("dev") {
            tokens.push(Token::Word(0));
            rest = after;
        }
        rest.is_empty().then_some(Self(tokens))
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let rank = |token: Option<&Token>| match token {
            None => END,
            Some(Token::Number(_)) => NUMBER,
            Some(Token::Word(order)) => *order,
        };
        let end = self.0.len().max(other.0.len());
        (0..end)
            .map(|index| match (self.0.get(index), other.0.get(index)) {
                (Some(Token::Number(a)), Some(Token::Number(b))) => digits(a, b),
                (a, b) => rank(a).cmp(&rank(b)),
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}
