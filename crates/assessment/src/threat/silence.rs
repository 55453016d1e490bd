//! Which measures silence a rule: `a and (b or c)`.

use crate::threat::tokens::{Token, Tokens};
use device::Language;
use std::collections::BTreeSet;

/// How deep brackets may nest.
const DEPTH_MAX: usize = 8;

/// Measures, joined by and, or.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silence {
    /// this measure
    Measure(String),
    /// all of these
    All(Vec<Silence>),
    /// one of these
    Any(Vec<Silence>),
}

impl Silence {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Tokens::of(text)?;
        let silence = any(&mut tokens, 0)?;
        match tokens.next() {
            None => Ok(silence),
            Some(token) => Err(format!("{token} is too much; join measures with and, or")),
        }
    }

    /// Whether measures in place are enough.
    pub fn holds(&self, in_place: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Measure(id) => in_place(id),
            Self::All(all) => all.iter().all(|one| one.holds(in_place)),
            Self::Any(any) => any.iter().any(|one| one.holds(in_place)),
        }
    }

    /// The measures it names, in order.
    pub fn measures(&self) -> Vec<&str> {
        match self {
            Self::Measure(id) => vec![id],
            Self::All(some) | Self::Any(some) => {
                let mut seen = BTreeSet::new();
                let all = some.iter().flat_map(Self::measures);
                all.filter(|one| seen.insert(*one)).collect()
            }
        }
    }

    /// In words, with what `title` gives for each measure.
    pub fn words(&self, language: Language, title: &dyn Fn(&str) -> String) -> String {
        let join = |some: &[Self], between: &str| {
            let parts = some.iter().map(|one| match one {
                Self::Measure(_) => one.words(language, title),
                _ => format!("({})", one.words(language, title)),
            });
            parts.collect::<Vec<_>>().join(between)
        };
        match (self, language) {
            (Self::Measure(id), _) => title(id),
            (Self::All(some), Language::En) => join(some, "; and "),
            (Self::All(some), Language::Ja) => join(some, "、かつ"),
            (Self::Any(some), Language::En) => join(some, "; or "),
            (Self::Any(some), Language::Ja) => join(some, "、または"),
        }
    }
}

fn any(tokens: &mut Tokens, depth: usize) -> Result<Silence, String> {
    if depth > DEPTH_MAX {
        return Err(format!("brackets nest deeper than {DEPTH_MAX}"));
    }
    let mut some = vec![all(tokens, depth)?];
    while tokens.takes("or") {
        some.push(all(tokens, depth)?);
    }
    Ok(if some.len() == 1 { some.remove(0) } else { Silence::Any(some) })
}

fn all(tokens: &mut Tokens, depth: usize) -> Result<Silence, String> {
    let mut some = vec![one(tokens, depth)?];
    while tokens.takes("and") {
        some.push(one(tokens, depth)?);
    }
    Ok(if some.len() == 1 { some.remove(0) } else { Silence::All(some) })
}

fn one(tokens: &mut Tokens, depth: usize) -> Result<Silence, String> {
    if tokens.takes_sign(&Token::Open) {
        let inner = any(tokens, depth + 1)?;
        tokens.expect(&Token::Close)?;
        return Ok(inner);
    }
    tokens.word("a measure").map(Silence::Measure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn and_binds_closer_than_or() {
        let silence = Silence::parse("a and b or c").unwrap();
        assert!(silence.holds(&|id| id == "c"));
        assert!(!silence.holds(&|id| id == "a"));
        assert!(silence.holds(&|id| id == "a" || id == "b"));
        assert_eq!(silence.measures(), ["a", "b", "c"]);
        let words = silence.words(Language::Ja, &|id| id.to_uppercase());
        assert_eq!(words, "(A、かつB)、またはC");
        assert!(Silence::parse("a b").is_err() && Silence::parse("").is_err());
        assert!(Silence::parse(&"(".repeat(99)).is_err());
    }
}
