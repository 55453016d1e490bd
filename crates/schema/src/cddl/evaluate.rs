//! An item of CBOR is held against the rules.

use super::{
    Cddl, Comparison, Control, Entry, FRAMES_MAX, Group, Literal, Rule, Type, Type1, Type2,
    item::{self, Item},
};
use crate::{
    Broken,
    place::{Place, Step, Violation},
    steps::{Exhausted, Steps, of_bytes},
};

/// Whether an item follows the schema.
pub(super) fn check(schema: &Cddl, item: &Item, steps: &mut Steps) -> Result<(), Broken> {
    let Some(root) = schema.rules.get(schema.root) else { return Ok(()) };
    let mut walk = Walk { schema, steps, frames: 0, found: None };
    let fits = match root.body.plain() {
        Some(of) => {
            walk.type_(of, item, At { rule: root, given: &Given::NONE, place: &Place::WHOLE })
        }
        None => Ok(false),
    }?;
    if fits {
        return Ok(());
    }
    let found = walk.found.map(|(_, found)| found);
    Err(Broken::Violation(found.unwrap_or_else(|| Violation::new("", &root.name))))
}

/// The types that a rule with parameters was given, and where these are from.
#[derive(Clone, Copy)]
struct Given<'a> {
    parameters: &'a [String],
    types: &'a [Type1],
    from: Option<At<'a>>,
}

impl Given<'_> {
    const NONE: Given<'static> = Given { parameters: &[], types: &[], from: None };
}

/// Where in the schema and in the payload.
#[derive(Clone, Copy)]
struct At<'a> {
    rule: &'a Rule,
    given: &'a Given<'a>,
    place: &'a Place<'a>,
}

struct Walk<'a> {
    schema: &'a Cddl,
    steps: &'a mut Steps,
    frames: usize,
    /// what does not fit furthest inside, and how far that is
    found: Option<(usize, Violation)>,
}

type Fits = Result<bool, Exhausted>;

/// Pairs of a map that entries took already.
#[derive(Clone)]
struct Taken(Vec<bool>);

impl Taken {
    fn has(&self, index: usize) -> bool {
        self.0.get(index).copied().unwrap_or(true)
    }

    fn take(&mut self, index: usize) {
        if let Some(taken) = self.0.get_mut(index) {
            *taken = true;
        }
    }

    fn count(&self) -> usize {
        self.0.iter().filter(|taken| **taken).count()
    }
}

impl Walk<'_> {
    fn deeper<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Exhausted>,
    ) -> Result<T, Exhausted> {
        self.steps.take(1)?;
        if self.frames >= FRAMES_MAX {
            return Err(Exhausted);
        }
        self.frames = self.frames.saturating_add(1);
        let done = work(self);
        self.frames = self.frames.saturating_sub(1);
        done
    }

    /// Notes what does not fit, where nothing further inside was found before; always `false`.
    fn violation(&mut self, at: At<'_>, expected: &str) -> Fits {
        let mut depth = 0_usize;
        let mut place = Some(at.place);
        while let Some(above) = place {
            depth = depth.saturating_add(1);
            place = above.above;
        }
        if self.found.as_ref().is_none_or(|(known, _)| *known < depth) {
            // Writing it down is as much work as many a rule.
            self.steps.take(32_u64.saturating_add(u64::try_from(depth).unwrap_or(0)))?;
            let rule = format!("{}: {expected}", at.rule.name);
            self.found = Some((depth, Violation::new(&at.place.pointer(), &rule)));
        }
        Ok(false)
    }

    /// What was tried in vain is forgotten once something else fits.
    fn forget(&mut self, before: Option<(usize, Violation)>, fits: bool) {
        if fits {
            self.found = before;
        } else if let Some(before) = before
            && self.found.as_ref().is_none_or(|(depth, _)| *depth <= before.0)
        {
            self.found = Some(before);
        }
    }

    fn type_(&mut self, of: &Type, item: &Item, at: At<'_>) -> Fits {
        let before = self.found.take();
        let mut fits = false;
        for choice in &of.0 {
            if self.type1(choice, item, at)? {
                fits = true;
                break;
            }
        }
        self.forget(before, fits);
        Ok(fits)
    }

    fn type1(&mut self, of: &Type1, item: &Item, at: At<'_>) -> Fits {
        self.deeper(|walk| match of {
            Type1::Plain(of) => walk.type2(of, item, at),
            Type1::Range { from, to, with_end } => {
                let (from, to) = (walk.literal(from, at)?, walk.literal(to, at)?);
                let fits = match (from, to, item) {
                    (Some(Literal::Int(from)), Some(Literal::Int(to)), Item::Int(found)) => {
                        *found >= from && if *with_end { *found <= to } else { *found < to }
                    }
                    (
                        Some(Literal::Float(from)),
                        Some(Literal::Float(to)),
                        Item::Float(found, _),
                    ) => *found >= from && if *with_end { *found <= to } else { *found < to },
                    _ => false,
                };
                Ok(fits || walk.violation(at, "a number of the range")?)
            }
            Type1::Control { of, control } => {
                Ok(walk.type2(of, item, at)? && walk.control(control, item, at)?)
            }
        })
    }

    fn control(&mut self, control: &Control, item: &Item, at: At<'_>) -> Fits {
        let (fits, name) = match control {
            Control::Size(to) => (self.size(to, item, at)?, ".size"),
            Control::Regexp(pattern) => match item {
                Item::Text(text) => (pattern.matches(text, self.steps)?, ".regexp"),
                _ => (false, ".regexp"),
            },
            Control::Cbor(to) => {
                let Item::Bytes(bytes) = item else { return self.violation(at, ".cbor") };
                self.steps.take(of_bytes(bytes.len()))?;
                let rule = admission::FormatRule {
                    encoding: admission::Encoding::Cbor,
                    bytes_max: crate::PAYLOAD_BYTES_MAX,
                    depth_max: crate::DEPTH_MAX,
                };
                let inner = rule.check(bytes).ok().and_then(|()| item::read(bytes));
                match inner {
                    Some(inner) => (self.type2(to, &inner, at)?, ".cbor"),
                    None => (false, ".cbor"),
                }
            }
            Control::And(to) => (self.type2(to, item, at)?, ".and"),
            Control::Compare(how, to) => {
                let to = self.literal(to, at)?;
                let order = match (item, &to) {
                    (Item::Int(found), Some(Literal::Int(to))) => Some(found.cmp(to)),
                    (Item::Float(found, _), Some(Literal::Float(to))) => found.partial_cmp(to),
                    _ => None,
                };
                let same = to.is_some_and(|to| is(item, &to));
                let fits = match how {
                    Comparison::Lt => order.is_some_and(std::cmp::Ordering::is_lt),
                    Comparison::Le => order.is_some_and(std::cmp::Ordering::is_le),
                    Comparison::Gt => order.is_some_and(std::cmp::Ordering::is_gt),
                    Comparison::Ge => order.is_some_and(std::cmp::Ordering::is_ge),
                    Comparison::Eq => same,
                    Comparison::Ne => !same,
                };
                (fits, "a number that compares so")
            }
            Control::Default => (true, ""),
        };
        Ok(fits || self.violation(at, name)?)
    }

    /// RFC 8610 section 3.8.1: bytes of a string, or what an unsigned number fits in.
    fn size(&mut self, to: &Type2, item: &Item, at: At<'_>) -> Fits {
        let length = match item {
            Item::Text(text) => text.len(),
            Item::Bytes(bytes) => bytes.len(),
            Item::Int(found) => {
                let Some(Literal::Int(bytes)) = self.literal(to, at)? else { return Ok(false) };
                let bits = u32::try_from(bytes).unwrap_or(0).saturating_mul(8).min(120);
                return Ok(*found >= 0 && *found < 1_i128 << bits);
            }
            _ => return Ok(false),
        };
        self.type2(to, &Item::Int(i128::try_from(length).unwrap_or(i128::MAX)), at)
    }

    /// The value that a type is, where it is one.
    fn literal(&mut self, of: &Type2, at: At<'_>) -> Result<Option<Literal>, Exhausted> {
        self.deeper(|walk| match of {
            Type2::Literal(literal) => Ok(Some(literal.clone())),
            Type2::Paren(group) => match group.plain() {
                Some(Type(choices)) => match choices.as_slice() {
                    [Type1::Plain(of)] => walk.literal(of, at),
                    _ => Ok(None),
                },
                None => Ok(None),
            },
            Type2::Name(name, given) => walk.named(name, given, at, |walk, at, of| match of {
                Inner::Type(Type(choices)) => match choices.as_slice() {
                    [Type1::Plain(of)] => walk.literal(of, at),
                    _ => Ok(None),
                },
                Inner::Given(Type1::Plain(of)) => walk.literal(of, at),
                Inner::Given(_) | Inner::Group(_) => Ok(None),
            }),
            _ => Ok(None),
        })
    }

    /// What a name means, with where it is from.
    fn named<T>(
        &mut self,
        name: &str,
        given: &[Type1],
        at: At<'_>,
        then: impl FnOnce(&mut Self, At<'_>, Inner<'_>) -> Result<T, Exhausted>,
    ) -> Result<T, Exhausted> {
        let own = at.given.parameters.iter().position(|it| it == name);
        if let Some((of, from)) = own.and_then(|own| at.given.types.get(own)).zip(at.given.from) {
            let from = At { place: at.place, ..from };
            return self.deeper(|walk| then(walk, from, Inner::Given(of)));
        }
        let found = self.schema.names.get(name).and_then(|id| self.schema.rules.get(*id));
        // Not reached: every name was looked up when the schema was read.
        let Some(rule) = found else { return Err(Exhausted) };
        let passed = Given { parameters: &rule.parameters, types: given, from: Some(at) };
        // Rules of the prelude are told by the name of the rule that uses them.
        let named = match self.schema.names.get(name) {
            Some(id) if *id < self.schema.prelude => at.rule,
            _ => rule,
        };
        let inside = At { rule: named, given: &passed, place: at.place };
        let inner = match rule.body.plain() {
            Some(of) => Inner::Type(of),
            None => Inner::Group(&rule.body),
        };
        self.deeper(|walk| then(walk, inside, inner))
    }

    fn type2(&mut self, of: &Type2, item: &Item, at: At<'_>) -> Fits {
        let fits = match of {
            Type2::Any => true,
            Type2::Literal(literal) => {
                self.steps.take(1)?;
                return Ok(is(item, literal) || self.violation(at, &shown(literal))?);
            }
            Type2::Name(name, given) => {
                let fits = self.named(name, given, at, |walk, at, of| match of {
                    Inner::Type(of) => walk.type_(of, item, at),
                    Inner::Given(of) => walk.type1(of, item, at),
                    Inner::Group(_) => Ok(false),
                })?;
                return Ok(fits || self.violation(at, name)?);
            }
            Type2::Paren(group) => match group.plain() {
                Some(of) => return self.type_(of, item, at),
                None => false,
            },
            Type2::Map(group) => return self.map(group, item, at),
            Type2::Array(group) => return self.array(group, item, at),
            Type2::Unwrap(name, given) => {
                // Of a type, its tag goes (RFC 8610 section 3.7).
                return self.named(name, given, at, |walk, at, of| match of {
                    Inner::Type(Type(choices)) => match choices.as_slice() {
                        [Type1::Plain(Type2::Tag(_, inner))] => walk.type_(inner, item, at),
                        _ => Ok(false),
                    },
                    Inner::Given(_) | Inner::Group(_) => Ok(false),
                });
            }
            Type2::Choice(of) => {
                let fits = match &**of {
                    Type2::Paren(group) => self.one_of(group, item, at)?,
                    Type2::Name(name, given) => {
                        self.named(name, given, at, |walk, at, of| match of {
                            Inner::Group(group) => walk.one_of(group, item, at),
                            // A group of one entry looks like a type.
                            Inner::Type(Type(choices)) => match choices.as_slice() {
                                [Type1::Plain(Type2::Paren(group))] => walk.one_of(group, item, at),
                                _ => Ok(false),
                            },
                            Inner::Given(_) => Ok(false),
                        })?
                    }
                    _ => false,
                };
                return Ok(fits || self.violation(at, "one of the group's values")?);
            }
            Type2::Tag(wanted, inner) => match item {
                Item::Tag(tag, tagged) if wanted.is_none_or(|wanted| wanted == *tag) => {
                    return self.type_(inner, tagged, at);
                }
                _ => {
                    let wanted =
                        wanted.map_or_else(|| "a tag".to_owned(), |it| format!("tag {it}"));
                    return self.violation(at, &wanted);
                }
            },
            Type2::Major(major) => major_of(item) == *major,
            Type2::Simple(info) => match item {
                Item::Float(_, width) => width == info,
                Item::Simple(value) => value == info,
                _ => false,
            },
        };
        Ok(fits || self.violation(at, &expected(of))?)
    }

    /// Whether an item is one of a group's values.
    fn one_of(&mut self, group: &Group, item: &Item, at: At<'_>) -> Fits {
        for entry in group.0.iter().flatten() {
            if self.type_(&entry.value, item, at)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn array(&mut self, group: &Group, item: &Item, at: At<'_>) -> Fits {
        let Item::Array(items) = item else { return self.violation(at, "a list") };
        let before = self.found.take();
        let mut fits = false;
        for entries in &group.0 {
            match self.sequence(entries, items, 0, at)? {
                Some(end) if end == items.len() => {
                    fits = true;
                    break;
                }
                Some(end) => {
                    let place = at.place.below(Step::Index(end));
                    self.violation(At { place: &place, ..at }, "nothing more")?;
                }
                None => {}
            }
        }
        self.forget(before, fits);
        Ok(fits || self.violation(at, "a list of that")?)
    }

    fn sequence(
        &mut self,
        entries: &[Entry],
        items: &[Item],
        from: usize,
        at: At<'_>,
    ) -> Result<Option<usize>, Exhausted> {
        let mut here = from;
        for entry in entries {
            let mut count = 0_u64;
            while count < entry.most {
                let before = self.found.take();
                let next = self.item(entry, items, here, at)?;
                self.forget(before, next.is_some());
                let Some(next) = next else { break };
                count = count.saturating_add(1);
                // What takes nothing would take it for ever.
                if next == here {
                    count = count.max(entry.least);
                    break;
                }
                here = next;
            }
            if count < entry.least {
                let place = at.place.below(Step::Index(here));
                self.violation(At { place: &place, ..at }, "something more")?;
                return Ok(None);
            }
        }
        Ok(Some(here))
    }

    /// One occurrence of an entry in a list: where it ends.
    fn item(
        &mut self,
        entry: &Entry,
        items: &[Item],
        here: usize,
        at: At<'_>,
    ) -> Result<Option<usize>, Exhausted> {
        self.deeper(|walk| {
            if let Some(done) = walk.inlined(entry, at, |walk, group, at| {
                for entries in &group.0 {
                    if let Some(end) = walk.sequence(entries, items, here, at)? {
                        return Ok(Some(end));
                    }
                }
                Ok(None)
            })? {
                return Ok(done);
            }
            let Some(item) = items.get(here) else { return Ok(None) };
            let place = at.place.below(Step::Index(here));
            let fits = walk.type_(&entry.value, item, At { place: &place, ..at })?;
            Ok(fits.then(|| here.saturating_add(1)))
        })
    }

    /// Does something with the group that an entry stands for; `None` where it stands for a type.
    fn inlined<T>(
        &mut self,
        entry: &Entry,
        at: At<'_>,
        then: impl FnOnce(&mut Self, &Group, At<'_>) -> Result<T, Exhausted>,
    ) -> Result<Option<T>, Exhausted> {
        if entry.key.is_some() {
            return Ok(None);
        }
        match entry.value.0.as_slice() {
            [Type1::Plain(of)] => self.deeper(|walk| walk.inlined_type(of, at, then)),
            _ => Ok(None),
        }
    }

    fn inlined_type<T>(
        &mut self,
        of: &Type2,
        at: At<'_>,
        then: impl FnOnce(&mut Self, &Group, At<'_>) -> Result<T, Exhausted>,
    ) -> Result<Option<T>, Exhausted> {
        match of {
            Type2::Paren(group) => match group.plain() {
                None => then(self, group, at).map(Some),
                Some(Type(choices)) => match choices.as_slice() {
                    [Type1::Plain(of)] => self.deeper(|walk| walk.inlined_type(of, at, then)),
                    _ => Ok(None),
                },
            },
            Type2::Name(name, given) => self.named(name, given, at, |walk, at, of| match of {
                Inner::Group(group) => then(walk, group, at).map(Some),
                Inner::Type(Type(choices)) => match choices.as_slice() {
                    [Type1::Plain(of)] => walk.inlined_type(of, at, then),
                    _ => Ok(None),
                },
                Inner::Given(Type1::Plain(of)) => walk.inlined_type(of, at, then),
                Inner::Given(_) => Ok(None),
            }),
            Type2::Unwrap(name, given) => self.named(name, given, at, |walk, at, of| match of {
                Inner::Type(Type(choices)) => match choices.as_slice() {
                    [Type1::Plain(Type2::Map(group) | Type2::Array(group))] => {
                        then(walk, group, at).map(Some)
                    }
                    _ => Ok(None),
                },
                Inner::Given(_) | Inner::Group(_) => Ok(None),
            }),
            _ => Ok(None),
        }
    }

    fn map(&mut self, group: &Group, item: &Item, at: At<'_>) -> Fits {
        let Item::Map(pairs) = item else { return self.violation(at, "a map") };
        let before = self.found.take();
        let mut fits = false;
        for entries in &group.0 {
            let mut taken = Taken(vec![false; pairs.len()]);
            self.steps.take(of_bytes(pairs.len()))?;
            if !self.members(entries, pairs, &mut taken, at)? {
                continue;
            }
            let left = taken.0.iter().position(|taken| !taken);
            let Some((key, _)) = left.and_then(|left| pairs.get(left)) else {
                fits = true;
                break;
            };
            let place = at.place.below(step(key));
            self.violation(At { place: &place, ..at }, "nothing of that name")?;
        }
        self.forget(before, fits);
        Ok(fits || self.violation(at, "a map of that")?)
    }

    fn members(
        &mut self,
        entries: &[Entry],
        pairs: &[(Item, Item)],
        taken: &mut Taken,
        at: At<'_>,
    ) -> Fits {
        for entry in entries {
            if !self.deeper(|walk| walk.member(entry, pairs, taken, at))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether an entry of a map takes as many pairs as it must.
    fn member(
        &mut self,
        entry: &Entry,
        pairs: &[(Item, Item)],
        taken: &mut Taken,
        at: At<'_>,
    ) -> Fits {
        let Some(key) = &entry.key else { return self.group_member(entry, pairs, taken, at) };
        let mut count = 0_u64;
        for (index, (name, value)) in pairs.iter().enumerate() {
            if count >= entry.most {
                break;
            }
            self.steps.take(1)?;
            if taken.has(index) {
                continue;
            }
            let place = at.place.below(step(name));
            let at = At { place: &place, ..at };
            let before = self.found.take();
            let named = self.type1(&key.key, name, at)?;
            // That another name is another name is nothing to tell.
            self.found = before;
            if !named {
                continue;
            }
            let before = self.found.take();
            let fits = self.type_(&entry.value, value, at)?;
            self.forget(before, fits);
            if fits {
                taken.take(index);
                count = count.saturating_add(1);
            } else if key.cut {
                return Ok(false);
            }
        }
        if count >= entry.least {
            return Ok(true);
        }
        let Type1::Plain(Type2::Literal(missing)) = &key.key else {
            return self.violation(at, "something more");
        };
        let key = item_of(missing);
        let place = at.place.below(step(&key));
        self.violation(At { place: &place, ..at }, "this must be there")
    }

    fn group_member(
        &mut self,
        entry: &Entry,
        pairs: &[(Item, Item)],
        taken: &mut Taken,
        at: At<'_>,
    ) -> Fits {
        let mut count = 0_u64;
        while count < entry.most {
            let had = taken.count();
            self.steps.take(of_bytes(pairs.len()))?;
            let before = self.found.take();
            let next = self.inlined(entry, at, |walk, group, at| {
                for entries in &group.0 {
                    let mut tried = taken.clone();
                    if walk.members(entries, pairs, &mut tried, at)? {
                        return Ok(Some(tried));
                    }
                }
                Ok(None)
            })?;
            let next = next.flatten();
            self.forget(before, next.is_some());
            let Some(next) = next else { break };
            count = count.saturating_add(1);
            let same = next.count() == had;
            *taken = next;
            if same {
                count = count.max(entry.least);
                break;
            }
        }
        Ok(count >= entry.least || self.violation(at, "the group's members")?)
    }
}

/// What a name stands for.
enum Inner<'a> {
    Type(&'a Type),
    Given(&'a Type1),
    Group(&'a Group),
}

fn step(key: &Item) -> Step<'_> {
    match key {
        Item::Text(text) => Step::Name(text),
        Item::Int(number) => Step::Number(*number),
        _ => Step::Key,
    }
}

fn item_of(literal: &Literal) -> Item {
    match literal {
        Literal::Int(value) => Item::Int(*value),
        Literal::Float(value) => Item::Float(*value, 27),
        Literal::Text(text) => Item::Text(text.clone()),
        Literal::Bytes(bytes) => Item::Bytes(bytes.clone()),
    }
}

/// Whether an item is that value. A number without a fraction is no float (RFC 8610 section 2.1).
fn is(item: &Item, literal: &Literal) -> bool {
    match (item, literal) {
        (Item::Int(found), Literal::Int(wanted)) => found == wanted,
        (Item::Float(found, _), Literal::Float(wanted)) => found == wanted,
        (Item::Text(found), Literal::Text(wanted)) => found == wanted,
        (Item::Bytes(found), Literal::Bytes(wanted)) => found == wanted,
        _ => false,
    }
}

fn shown(literal: &Literal) -> String {
    match literal {
        Literal::Int(value) => value.to_string(),
        Literal::Float(value) => value.to_string(),
        Literal::Text(text) => format!("{:?}", text.chars().take(60).collect::<String>()),
        Literal::Bytes(_) => "those bytes".to_owned(),
    }
}

fn expected(of: &Type2) -> String {
    match of {
        Type2::Major(major) => format!("#{major}"),
        Type2::Simple(info) => format!("#7.{info}"),
        Type2::Paren(_) => "a type; a group stands in a place where none may be".to_owned(),
        _ => "something else".to_owned(),
    }
}

fn major_of(item: &Item) -> u8 {
    match item {
        Item::Int(value) if *value >= 0 => 0,
        Item::Int(_) => 1,
        Item::Bytes(_) => 2,
        Item::Text(_) => 3,
        Item::Array(_) => 4,
        Item::Map(_) => 5,
        Item::Tag(..) => 6,
        Item::Float(..) | Item::Simple(_) => 7,
    }
}
