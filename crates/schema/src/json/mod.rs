//! JSON Schema 2020-12 and draft-07.
//!
//! Written here, because what is to be had has no budget: an organisation's member writes the schema and
//! a device the payload, and alternatives of alternatives or a list of unlike things must not stop the
//! others' messages.

mod compile;
mod evaluate;
mod number;
mod value;

pub(crate) use compile::compile;

use crate::pattern::Pattern;
use number::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// Subschemas of one schema.
pub(crate) const SUBSCHEMAS_MAX: usize = 2_000;
/// Rules about one value that may stand within each other.
pub(crate) const NESTED_MAX: usize = 32;
/// Rules that may stand within each other on the way to the innermost value.
pub(crate) const FRAMES_MAX: usize = 256;

/// A compiled schema: its subschemas, the first being the whole.
#[derive(Debug)]
pub(crate) struct JsonSchema {
    nodes: Vec<Node>,
}

type Id = usize;

#[derive(Debug, Default)]
struct Node {
    /// where it is, as a JSON pointer
    at: String,
    rules: Vec<Rule>,
    /// whether some rule in it asks which values others looked at
    asks_seen: bool,
}

#[derive(Debug)]
enum Rule {
    Never,
    Type(Types),
    /// values, in their canonical form
    Enum(&'static str, BTreeSet<Vec<u8>>),
    MultipleOf(Decimal),
    Bound(&'static str, Bound, Decimal),
    Length(&'static str, Bound, u64),
    Pattern(Pattern),
    Format(crate::format::Format),
    Count(&'static str, Of, Bound, u64),
    UniqueItems,
    Required(&'static str, Vec<String>),
    /// names that need other names
    Needs(&'static str, Vec<(String, Vec<String>)>),
    Members {
        named: BTreeMap<String, Id>,
        patterns: Vec<(Pattern, Id)>,
        others: Option<Id>,
    },
    Names(Id),
    Items {
        first: Vec<Id>,
        others: Option<Id>,
    },
    Contains {
        item: Id,
        least: u64,
        most: Option<u64>,
    },
    All(Vec<Id>),
    Any(Vec<Id>),
    One(Vec<Id>),
    Not(Id),
    If {
        asked: Id,
        then: Option<Id>,
        otherwise: Option<Id>,
    },
    /// schemas for objects that have a name
    Having(Vec<(String, Id)>),
    UnseenMembers(Id),
    UnseenItems(Id),
}

/// Which kinds of values, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Types(u8);

impl Types {
    const NAMES: [(&'static str, u8); 7] = [
        ("null", 1),
        ("boolean", 2),
        ("integer", 4),
        ("number", 8),
        ("string", 16),
        ("array", 32),
        ("object", 64),
    ];

    fn named(name: &str) -> Option<u8> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, bit)| *bit)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Least,
    Most,
    Above,
    Below,
}

impl Bound {
    fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Least => order.is_ge(),
            Self::Most => order.is_le(),
            Self::Above => order.is_gt(),
            Self::Below => order.is_lt(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Items,
    Members,
}
