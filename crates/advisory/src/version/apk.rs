use super::numbers::{digits, take};
use std::cmp::Ordering;

/// apk-tools: `number{.number}{letter}{_suffix{number}}{~hash}{-r#}`.
#[derive(Debug, Clone)]
pub(super) struct Apk(Vec<Token>);

/// In the order in which they may follow each other; a version that goes on with an earlier kind
/// is after one that goes on with a later kind.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    First(String),
    Number(String),
    Letter(u8),
    Suffix(i8),
    SuffixNumber(String),
    Hash(String),
    Revision(String),
}

/// Negative before the version itself, positive after it.
const SUFFIXES: &[(&str, i8)] = &[
    ("alpha", -4),
    ("beta", -3),
    ("pre", -2),
    ("rc", -1),
    ("cvs", 1),
    ("svn", 2),
    ("git", 3),
    ("hg", 4),
    ("p", 5),
];

impl Apk {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let number = |text| {
            let (number, rest) = take(text, |byte: u8| byte.is_ascii_digit());
            (!number.is_empty()).then(|| (number.to_owned(), rest))
        };
        let (first, mut rest) = number(text)?;
        let mut tokens = vec![Token::First(first)];
        while let Some(after) = rest.strip_prefix('.') {
            let (next, left) = number(after)?;
            tokens.push(Token::Number(next));
            rest = left;
        }
        if let Some(letter) = rest.bytes().next().filter(u8::is_ascii_lowercase) {
            tokens.push(Token::Letter(letter));
            rest = rest.split_at_checked(1)?.1;
        }
        while let Some(after) = rest.strip_prefix('_') {
            let (word, left) = take(after, |byte| byte.is_ascii_lowercase());
            let (_, order) = SUFFIXES.iter().find(|(name, _)| *name == word)?;
            tokens.push(Token::Suffix(*order));
            rest = left;
            if let Some((count, left)) = number(rest) {
                tokens.push(Token::SuffixNumber(count));
                rest = left;
            }
        }
        if let Some(after) = rest.strip_prefix('~') {
            let (hash, left) = take(after, |byte| byte.is_ascii_hexdigit());
            if hash.is_empty() {
                return None;
            }
            tokens.push(Token::Hash(hash.to_owned()));
            rest = left;
        }
        if let Some(after) = rest.strip_prefix("-r") {
            let (revision, left) = number(after)?;
            tokens.push(Token::Revision(revision));
            rest = left;
        }
        rest.is_empty().then_some(Self(tokens))
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }

    pub(super) fn compare_to_bound(&self, bound: &Self) -> Ordering {
        if matches!(bound.0.last(), Some(Token::Revision(_))) {
            return self.compare(bound);
        }
        match self.0.split_last() {
            Some((Token::Revision(_), without)) => compare(without, &bound.0),
            _ => self.compare(bound),
        }
    }
}

fn compare(a: &[Token], b: &[Token]) -> Ordering {
    let end = a.len().max(b.len());
    (0..end)
        .map(|index| match (a.get(index), b.get(index)) {
            (Some(a), Some(b)) if rank(Some(a)) == rank(Some(b)) => same_kind(a, b),
            (a, b) => rank(a).cmp(&rank(b)),
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Greater goes on further: a pre-release is before the end, everything else after it.
fn rank(token: Option<&Token>) -> i8 {
    match token {
        Some(Token::Suffix(order)) if *order < 0 => -1,
        None => 0,
        Some(Token::Revision(_)) => 1,
        Some(Token::Hash(_)) => 2,
        Some(Token::SuffixNumber(_)) => 3,
        Some(Token::Suffix(_)) => 4,
        Some(Token::Letter(_)) => 5,
        Some(Token::Number(_)) => 6,
        Some(Token::First(_)) => 7,
    }
}

fn same_kind(a: &Token, b: &Token) -> Ordering {
    match (a, b) {
        // A zero in front makes a number a fraction: 1.05 is before 1.1.
        (Token::Number(a), Token::Number(b)) if a.starts_with('0') || b.starts_with('0') => {
            a.cmp(b)
        }
        (Token::First(a), Token::First(b))
        | (Token::Number(a), Token::Number(b))
        | (Token::SuffixNumber(a), Token::SuffixNumber(b))
        | (Token::Revision(a), Token::Revision(b)) => digits(a, b),
        (Token::Letter(a), Token::Letter(b)) => a.cmp(b),
        (Token::Suffix(a), Token::Suffix(b)) => a.cmp(b),
        (Token::Hash(a), Token::Hash(b)) => a.cmp(b),
        _ => Ordering::Equal,
    }
}
