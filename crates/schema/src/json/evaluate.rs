//! A value is held against the rules.

use super::{Bound, FRAMES_MAX, Id, JsonSchema, Node, Of, Rule, Types, number::Decimal, value};
use crate::{
    Broken,
    pattern::Pattern,
    place::{Place, Step, Violation, escaped},
    steps::{Exhausted, Steps, of_bytes},
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

impl JsonSchema {
    /// Whether a value follows the schema.
    pub(crate) fn check(&self, value: &Value, steps: &mut Steps) -> Result<(), Broken> {
        let mut walk = Walk { nodes: &self.nodes, steps, frames: 0, silent: 0, found: None };
        if walk.node(0, value, &Place::WHOLE, None)? {
            return Ok(());
        }
        let found = walk.found.unwrap_or_else(|| Violation::new("", "/"));
        Err(Broken::Violation(found))
    }
}

/// Which members or items of one value some rule looked at and found right.
struct Seen {
    bits: Vec<u64>,
}

impl Seen {
    fn of(value: &Value) -> Self {
        let count = match value {
            Value::Array(items) => items.len(),
            Value::Object(members) => members.len(),
            _ => 0,
        };
        Self { bits: vec![0; count.div_ceil(64)] }
    }

    fn set(&mut self, index: usize) {
        if let Some(word) = self.bits.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    fn has(&self, index: usize) -> bool {
        self.bits.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    fn add(&mut self, other: &Self) {
        for (word, more) in self.bits.iter_mut().zip(&other.bits) {
            *word |= more;
        }
    }
}

struct Walk<'a> {
    nodes: &'a [Node],
    steps: &'a mut Steps,
    frames: usize,
    /// above zero, what does not fit is no violation yet
    silent: u32,
    found: Option<Violation>,
}

type Fits = Result<bool, Exhausted>;
/// Subschemas of members: by name, by pattern, and of the others.
type Members<'a> = (&'a BTreeMap<String, Id>, &'a [(Pattern, Id)], Option<Id>);

impl<'a> Walk<'a> {
    /// Whether a value fits a subschema; what it looked at is added where somebody asks for it.
    fn node(&mut self, id: Id, value: &Value, place: &Place<'_>, seen: Option<&mut Seen>) -> Fits {
        let Some(node) = self.nodes.get(id) else { return Ok(true) };
        self.steps.take(1)?;
        if self.frames >= FRAMES_MAX {
            return Err(Exhausted);
        }
        self.frames = self.frames.saturating_add(1);
        let fits = self.rules(node, value, place, seen);
        self.frames = self.frames.saturating_sub(1);
        fits
    }

    fn rules(
        &mut self,
        node: &'a Node,
        value: &Value,
        place: &Place<'_>,
        seen: Option<&mut Seen>,
    ) -> Fits {
        let mut own = (node.asks_seen || seen.is_some()).then(|| Seen::of(value));
        if let Some(own) = &own {
            self.steps.take(words(own))?;
        }
        for rule in &node.rules {
            self.steps.take(1)?;
            let fits = self.rule(rule, node, value, place, own.as_mut())?;
            if !fits {
                return Ok(false);
            }
        }
        if let (Some(seen), Some(own)) = (seen, own) {
            seen.add(&own);
        }
        Ok(true)
    }

    fn rule(
        &mut self,
        rule: &'a Rule,
        node: &Node,
        value: &Value,
        place: &Place<'_>,
        seen: Option<&mut Seen>,
    ) -> Fits {
        let (word, fits) = match rule {
            Rule::Never => ("", false),
            Rule::Type(types) => ("type", types.have(value)),
            Rule::Enum(word, values) => {
                let mut bytes = Vec::new();
                value::canonical(value, &mut bytes, self.steps)?;
                (*word, values.contains(&bytes))
            }
            Rule::MultipleOf(of) => (
                "multipleOf",
                match value {
                    Value::Number(number) => {
                        self.steps.take(4)?;
                        Decimal::of(number).is_multiple_of(*of)
                    }
                    _ => true,
                },
            ),
            Rule::Bound(word, bound, limit) => (
                *word,
                match value {
                    Value::Number(number) => {
                        self.steps.take(2)?;
                        bound.holds(Decimal::of(number).order(*limit))
                    }
                    _ => true,
                },
            ),
            Rule::Length(word, bound, limit) => (
                *word,
                match value {
                    Value::String(text) => {
                        self.steps.take(of_bytes(text.len()))?;
                        counts(text.chars().count(), *bound, *limit)
                    }
                    _ => true,
                },
            ),
            Rule::Pattern(pattern) => (
                "pattern",
                match value {
                    Value::String(text) => pattern.matches(text, self.steps)?,
                    _ => true,
                },
            ),
            Rule::Format(format) => (
                "format",
                match value {
                    Value::String(text) => {
                        self.steps.take(of_bytes(text.len()))?;
                        format.holds(text)
                    }
                    _ => true,
                },
            ),
            Rule::Count(word, of, bound, limit) => (
                *word,
                match (of, value) {
                    (Of::Items, Value::Array(items)) => counts(items.len(), *bound, *limit),
                    (Of::Members, Value::Object(members)) => counts(members.len(), *bound, *limit),
                    _ => true,
                },
            ),
            Rule::UniqueItems => ("uniqueItems", self.unique(value)?),
            Rule::Required(word, names) => {
                if let Value::Object(members) = value {
                    self.steps.take(count(names.len()))?;
                    if let Some(missing) = names.iter().find(|name| !members.contains_key(*name)) {
                        let place = place.below(Step::Name(missing));
                        return Ok(self.violation(node, word, &place));
                    }
                }
                (*word, true)
            }
            Rule::Needs(word, needs) => (*word, self.needs(needs, value)?),
            Rule::Names(id) => {
                if let Value::Object(members) = value {
                    for name in members.keys() {
                        let below = place.below(Step::Name(name));
                        self.steps.take(of_bytes(name.len()))?;
                        if !self.node(*id, &Value::String(name.clone()), &below, None)? {
                            return Ok(false);
                        }
                    }
                }
                ("propertyNames", true)
            }
            Rule::Members { named, patterns, others } => {
                let Value::Object(members) = value else { return Ok(true) };
                return self.members((named, patterns, *others), members, place, seen);
            }
            Rule::Items { first, others } => {
                let Value::Array(items) = value else { return Ok(true) };
                return self.items(first, *others, items, place, seen);
            }
            Rule::Contains { item, least, most } => {
                ("contains", self.contains((*item, *least, *most), value, place, seen)?)
            }
            Rule::All(all) => return self.all(all, value, place, seen),
            Rule::Any(all) => ("anyOf", self.any(all, value, place, seen)?),
            Rule::One(all) => ("oneOf", self.one(all, value, place, seen)?),
            Rule::Not(id) => ("not", !self.quietly(|walk| walk.node(*id, value, place, None))?),
            Rule::If { asked, then, otherwise } => {
                return self.branch((*asked, *then, *otherwise), value, place, seen);
            }
            Rule::Having(schemas) => {
                let Value::Object(members) = value else { return Ok(true) };
                self.steps.take(count(schemas.len()))?;
                let mut seen = seen;
                for (_, id) in schemas.iter().filter(|(name, _)| members.contains_key(name)) {
                    if !self.node(*id, value, place, seen.as_deref_mut())? {
                        return Ok(false);
                    }
                }
                return Ok(true);
            }
            Rule::UnseenMembers(id) => {
                let (Value::Object(members), Some(seen)) = (value, seen) else { return Ok(true) };
                for (index, (name, member)) in members.iter().enumerate() {
                    self.steps.take(1)?;
                    if seen.has(index) {
                        continue;
                    }
                    if !self.node(*id, member, &place.below(Step::Name(name)), None)? {
                        return Ok(false);
                    }
                    seen.set(index);
                }
                return Ok(true);
            }
            Rule::UnseenItems(id) => {
                let (Value::Array(items), Some(seen)) = (value, seen) else { return Ok(true) };
                for (index, item) in items.iter().enumerate() {
                    self.steps.take(1)?;
                    if seen.has(index) {
                        continue;
                    }
                    if !self.node(*id, item, &place.below(Step::Index(index)), None)? {
                        return Ok(false);
                    }
                    seen.set(index);
                }
                return Ok(true);
            }
        };
        Ok(if fits { true } else { self.violation(node, word, place) })
    }

    /// Notes the first thing that does not fit; always `false`.
    fn violation(&mut self, node: &Node, word: &str, place: &Place<'_>) -> bool {
        if self.silent == 0 && self.found.is_none() {
            let rule = match word {
                "" => node.at.clone(),
                word => format!("{}/{}", node.at, escaped(word)),
            };
            self.found = Some(Violation::new(&place.pointer(), &rule));
        }
        false
    }

    fn quietly(&mut self, work: impl FnOnce(&mut Self) -> Fits) -> Fits {
        self.silent = self.silent.saturating_add(1);
        let fits = work(self);
        self.silent = self.silent.saturating_sub(1);
        fits
    }

    fn unique(&mut self, value: &Value) -> Fits {
        let Value::Array(items) = value else { return Ok(true) };
        let mut all = BTreeSet::new();
        for item in items {
            let mut bytes = Vec::new();
            value::canonical(item, &mut bytes, self.steps)?;
            // As many comparisons as the set is deep, each as long as the item at most.
            let deep = u64::from(all.len().checked_ilog2().unwrap_or(0)).saturating_add(1);
            self.steps.take(of_bytes(bytes.len()).saturating_mul(deep) / 2)?;
            if !all.insert(bytes) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn needs(&mut self, needs: &[(String, Vec<String>)], value: &Value) -> Fits {
        let Value::Object(members) = value else { return Ok(true) };
        for (name, others) in needs {
            self.steps.take(1)?;
            if members.contains_key(name) {
                self.steps.take(count(others.len()))?;
                if others.iter().any(|other| !members.contains_key(other)) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn members(
        &mut self,
        (named, patterns, others): Members<'_>,
        members: &Map<String, Value>,
        place: &Place<'_>,
        mut seen: Option<&mut Seen>,
    ) -> Fits {
        for (index, (name, member)) in members.iter().enumerate() {
            self.steps.take(of_bytes(name.len()))?;
            let below = place.below(Step::Name(name));
            let mut known = false;
            if let Some(id) = named.get(name) {
                known = true;
                if !self.node(*id, member, &below, None)? {
                    return Ok(false);
                }
            }
            for (pattern, id) in patterns {
                if pattern.matches(name, self.steps)? {
                    known = true;
                    if !self.node(*id, member, &below, None)? {
                        return Ok(false);
                    }
                }
            }
            if let Some(id) = others.filter(|_| !known) {
                known = true;
                if !self.node(id, member, &below, None)? {
                    return Ok(false);
                }
            }
            if let Some(seen) = seen.as_deref_mut().filter(|_| known) {
                seen.set(index);
            }
        }
        Ok(true)
    }

    fn items(
        &mut self,
        first: &[Id],
        others: Option<Id>,
        items: &[Value],
        place: &Place<'_>,
        mut seen: Option<&mut Seen>,
    ) -> Fits {
        for (index, item) in items.iter().enumerate() {
            let Some(id) = first.get(index).copied().or(others) else { break };
            if !self.node(id, item, &place.below(Step::Index(index)), None)? {
                return Ok(false);
            }
            if let Some(seen) = seen.as_deref_mut() {
                seen.set(index);
            }
        }
        Ok(true)
    }

    fn contains(
        &mut self,
        (id, least, most): (Id, u64, Option<u64>),
        value: &Value,
        place: &Place<'_>,
        mut seen: Option<&mut Seen>,
    ) -> Fits {
        let Value::Array(items) = value else { return Ok(true) };
        let mut found: u64 = 0;
        for (index, item) in items.iter().enumerate() {
            let below = place.below(Step::Index(index));
            if self.quietly(|walk| walk.node(id, item, &below, None))? {
                found = found.saturating_add(1);
                if let Some(seen) = seen.as_deref_mut() {
                    seen.set(index);
                }
            }
        }
        Ok(found >= least && most.is_none_or(|most| found <= most))
    }

    fn all(
        &mut self,
        all: &[Id],
        value: &Value,
        place: &Place<'_>,
        mut seen: Option<&mut Seen>,
    ) -> Fits {
        for id in all {
            if !self.node(*id, value, place, seen.as_deref_mut())? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn any(
        &mut self,
        all: &[Id],
        value: &Value,
        place: &Place<'_>,
        mut seen: Option<&mut Seen>,
    ) -> Fits {
        let mut fits = false;
        for id in all {
            if self.quietly(|walk| walk.node(*id, value, place, seen.as_deref_mut()))? {
                fits = true;
                // Where it is asked what they looked at, all that fit have a say.
                if seen.is_none() {
                    break;
                }
            }
        }
        Ok(fits)
    }

    fn one(
        &mut self,
        all: &[Id],
        value: &Value,
        place: &Place<'_>,
        mut seen: Option<&mut Seen>,
    ) -> Fits {
        let mut fits = 0_u32;
        for id in all {
            if self.quietly(|walk| walk.node(*id, value, place, seen.as_deref_mut()))? {
                fits = fits.saturating_add(1);
                if fits > 1 {
                    break;
                }
            }
        }
        Ok(fits == 1)
    }

    fn branch(
        &mut self,
        (asked, then, otherwise): (Id, Option<Id>, Option<Id>),
        value: &Value,
        place: &Place<'_>,
        mut seen: Option<&mut Seen>,
    ) -> Fits {
        let fits = self.quietly(|walk| walk.node(asked, value, place, seen.as_deref_mut()))?;
        match if fits { then } else { otherwise } {
            Some(next) => self.node(next, value, place, seen),
            None => Ok(true),
        }
    }
}

impl Types {
    fn have(self, value: &Value) -> bool {
        let bits = match value {
            Value::Null => 1,
            Value::Bool(_) => 2,
            Value::Number(number) if Decimal::of(number).is_whole() => 4 | 8,
            Value::Number(_) => 8,
            Value::String(_) => 16,
            Value::Array(_) => 32,
            Value::Object(_) => 64,
        };
        self.0 & bits != 0
    }
}

fn counts(found: usize, bound: Bound, limit: u64) -> bool {
    bound.holds(count(found).cmp(&limit))
}

fn count(found: usize) -> u64 {
    u64::try_from(found).unwrap_or(u64::MAX)
}

fn words(seen: &Seen) -> u64 {
    count(seen.bits.len())
}
