//! A schema's text becomes rules.
//!
//! Subschemas wait in a line, so that none is read within another, and each is read once, however often
//! it is referred to.

use super::{
    Bound, Id, JsonSchema, NESTED_MAX, Node, Of, Rule, SUBSCHEMAS_MAX, Types, number::Decimal,
    value,
};
use crate::{
    format::Format,
    pattern::{PATTERNS_MAX, Pattern},
    place::escaped,
    steps::Steps,
};
use admission::{Encoding, FormatRule, Problem, Problems, one_line};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

const HERE: &str = "https://json-schema.org/draft/2020-12/schema";
const DRAFT_7: &str = "http://json-schema.org/draft-07/schema";
/// How deep a schema's text may nest.
const TEXT_DEPTH_MAX: u8 = 40;
/// Warnings about words that are not known.
const WARNINGS_MAX: usize = 20;

/// Which edition of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Draft {
    Seven,
    Newest,
}

/// Reads a schema.
pub(crate) fn compile(text: &str, warnings: &mut Vec<String>) -> Result<JsonSchema, Problems> {
    let whole: Value = serde_json::from_str(text).map_err(|error| {
        let place = (error.line(), error.column());
        Problem::new(place, one_line(&error.to_string()), "mend the JSON")
    })?;
    let rule =
        FormatRule { encoding: Encoding::Json, bytes_max: u32::MAX, depth_max: TEXT_DEPTH_MAX };
    rule.check(text.as_bytes()).map_err(|error| {
        let message = error.to_string().replace("the payload", "the schema");
        Problem::new((0, 0), message, "each name once, and less nesting by $ref and $defs")
    })?;
    let draft = draft_of(&whole)?;
    let mut reader = Reader {
        whole: &whole,
        draft,
        anchors: HashMap::new(),
        ids: HashMap::new(),
        waiting: VecDeque::new(),
        nodes: Vec::new(),
        pointers: 0,
        patterns: 0,
        warnings,
    };
    reader.anchors(&whole, "", false)?;
    reader.want(String::new())?;
    while let Some(id) = reader.waiting.pop_front() {
        reader.read(id)?;
    }
    let mut schema = JsonSchema { nodes: reader.nodes };
    schema.bounded()?;
    Ok(schema)
}

fn draft_of(whole: &Value) -> Result<Draft, Problems> {
    match whole.get("$schema") {
        None => Ok(Draft::Newest),
        Some(Value::String(named)) => match named.trim_end_matches('#') {
            HERE => Ok(Draft::Newest),
            DRAFT_7 => Ok(Draft::Seven),
            _ => {
                let hint = format!("write {HERE} or {DRAFT_7}#, or leave it out for the former");
                Err(problem("/$schema", "this edition of JSON Schema is not known", &hint))
            }
        },
        Some(_) => Err(problem("/$schema", "it is no text", "write the edition's URI")),
    }
}

fn problem(at: &str, message: &str, hint: &str) -> Problems {
    let at = if at.is_empty() { "at the top" } else { at };
    Problem::new((0, 0), format!("{at}: {message}"), hint).into()
}

/// Most bytes of where all subschemas stand.
const POINTERS_BYTES_MAX: usize = 1024 * 1024;

struct Reader<'a> {
    whole: &'a Value,
    draft: Draft,
    /// pointers, by names that schemas give themselves
    anchors: HashMap<String, String>,
    ids: HashMap<String, Id>,
    waiting: VecDeque<Id>,
    nodes: Vec<Node>,
    /// bytes of where all of them stand
    pointers: usize,
    patterns: usize,
    warnings: &'a mut Vec<String>,
}

/// Words whose values are names with schemas.
const MAPS: [&str; 6] =
    ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"];
/// Words whose values are no schemas.
const VALUES: [&str; 4] = ["enum", "const", "default", "examples"];

impl Reader<'_> {
    /// Finds the names that schemas give themselves, and refuses documents within the document.
    fn anchors(&mut self, value: &Value, at: &str, names: bool) -> Result<(), Problems> {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.anchors(item, &format!("{at}/{index}"), false)?;
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    let below = format!("{at}/{}", escaped(name));
                    match (name.as_str(), member) {
                        (_, _) if names => self.anchors(member, &below, false)?,
                        ("$anchor" | "$dynamicAnchor", Value::String(anchor))
                            if self.draft == Draft::Newest =>
                        {
                            self.anchor(anchor, at, &below)?;
                        }
                        ("$id", Value::String(id)) if !at.is_empty() => {
                            match id.strip_prefix('#').filter(|_| self.draft == Draft::Seven) {
                                Some(anchor) => self.anchor(anchor, at, &below)?,
                                None => {
                                    let hint = "leave $id out, and refer to it as #/…";
                                    return Err(problem(&below, "a schema is one document", hint));
                                }
                            }
                        }
                        (word, _) if VALUES.contains(&word) => {}
                        (word, _) => self.anchors(member, &below, MAPS.contains(&word))?,
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn anchor(&mut self, anchor: &str, at: &str, below: &str) -> Result<(), Problems> {
        if self.anchors.insert(anchor.to_owned(), at.to_owned()).is_some() {
            return Err(problem(below, "the name stands twice", "give each its own"));
        }
        Ok(())
    }

    /// The subschema at a pointer, which is read when its turn comes.
    fn want(&mut self, pointer: String) -> Result<Id, Problems> {
        if let Some(id) = self.ids.get(&pointer) {
            return Ok(*id);
        }
        let id = self.nodes.len();
        if id >= SUBSCHEMAS_MAX {
            let message = format!("there are more than {SUBSCHEMAS_MAX} subschemas");
            return Err(problem(&pointer, &message, "write what is repeated once, in $defs"));
        }
        // Each keeps where it stands, with the names of all that it stands in.
        self.pointers = self.pointers.saturating_add(pointer.len());
        if self.pointers > POINTERS_BYTES_MAX {
            let message = "names are too long for as many subschemas as stand below them";
            return Err(problem(
                "",
                message,
                "shorten names, or write what is below once, in $defs",
            ));
        }
        self.nodes.push(Node { at: pointer.clone(), ..Node::default() });
        self.ids.insert(pointer, id);
        self.waiting.push_back(id);
        Ok(id)
    }

    fn read(&mut self, id: Id) -> Result<(), Problems> {
        let at = self.nodes.get(id).map(|node| node.at.clone()).unwrap_or_default();
        let Some(value) = self.whole.pointer(&at) else {
            return Err(problem(&at, "nothing is there", "see where $ref points"));
        };
        let mut rules = match value {
            Value::Bool(true) => Vec::new(),
            Value::Bool(false) => vec![Rule::Never],
            Value::Object(words) => self.rules(&at, words)?,
            _ => return Err(problem(&at, "this is no schema", "write an object, true or false")),
        };
        // Which values others looked at is known after they did.
        rules.sort_by_key(|rule| matches!(rule, Rule::UnseenItems(_) | Rule::UnseenMembers(_)));
        let asks_seen =
            rules.iter().any(|rule| matches!(rule, Rule::UnseenItems(_) | Rule::UnseenMembers(_)));
        if let Some(node) = self.nodes.get_mut(id) {
            node.rules = rules;
            node.asks_seen = asks_seen;
        }
        Ok(())
    }

    fn rules(&mut self, at: &str, words: &Map<String, Value>) -> Result<Vec<Rule>, Problems> {
        let mut rules = Vec::new();
        if self.draft == Draft::Seven
            && let Some(reference) = words.get("$ref")
        {
            // Draft 7: what stands beside a reference is not read (section 8.3).
            let to = self.reference(&format!("{at}/$ref"), reference)?;
            return Ok(vec![Rule::All(vec![to])]);
        }
        for (word, value) in words {
            let here = format!("{at}/{}", escaped(word));
            self.rule(word, value, &here, words, &mut rules)?;
        }
        self.members(at, words, &mut rules)?;
        self.items(at, words, &mut rules)?;
        if let Some(asked) = words.get("if") {
            let asked = self.schema(&format!("{at}/if"), asked)?;
            let branch = |reader: &mut Self, word: &str| {
                let value = words.get(word);
                value.map(|value| reader.schema(&format!("{at}/{word}"), value)).transpose()
            };
            let (then, otherwise) = (branch(self, "then")?, branch(self, "else")?);
            rules.push(Rule::If { asked, then, otherwise });
        }
        Ok(rules)
    }

    fn rule(
        &mut self,
        word: &str,
        value: &Value,
        at: &str,
        words: &Map<String, Value>,
        rules: &mut Vec<Rule>,
    ) -> Result<(), Problems> {
        let newest = self.draft == Draft::Newest;
        let read = match word {
            "$ref" => Rule::All(vec![self.reference(at, value)?]),
            // In one document, the outermost of a name is the one there is.
            "$dynamicRef" if newest => Rule::All(vec![self.reference(at, value)?]),
            "type" => Rule::Type(types(at, value)?),
            "enum" => Rule::Enum("enum", values(list(at, value)?)),
            "const" => Rule::Enum("const", values(std::slice::from_ref(value))),
            "multipleOf" => {
                let of = number(at, value)?;
                if !of.is_positive() {
                    return Err(problem(at, "it is not above zero", "write such as 0.1"));
                }
                Rule::MultipleOf(of)
            }
            "maximum" => Rule::Bound("maximum", Bound::Most, number(at, value)?),
            "minimum" => Rule::Bound("minimum", Bound::Least, number(at, value)?),
            "exclusiveMaximum" => Rule::Bound("exclusiveMaximum", Bound::Below, number(at, value)?),
            "exclusiveMinimum" => Rule::Bound("exclusiveMinimum", Bound::Above, number(at, value)?),
            "maxLength" => Rule::Length("maxLength", Bound::Most, count(at, value)?),
            "minLength" => Rule::Length("minLength", Bound::Least, count(at, value)?),
            "pattern" => Rule::Pattern(self.pattern(at, text(at, value)?)?),
            "format" => Rule::Format(format(at, text(at, value)?)?),
            "maxItems" => Rule::Count("maxItems", Of::Items, Bound::Most, count(at, value)?),
            "minItems" => Rule::Count("minItems", Of::Items, Bound::Least, count(at, value)?),
            "maxProperties" => {
                Rule::Count("maxProperties", Of::Members, Bound::Most, count(at, value)?)
            }
            "minProperties" => {
                Rule::Count("minProperties", Of::Members, Bound::Least, count(at, value)?)
            }
            "uniqueItems" => match value {
                Value::Bool(true) => Rule::UniqueItems,
                Value::Bool(false) => return Ok(()),
                _ => return Err(problem(at, "it is neither true nor false", "write true")),
            },
            "required" => Rule::Required("required", names(at, value)?),
            "dependentRequired" if newest => {
                let mut needs = Vec::new();
                for (name, value) in object(at, value)? {
                    needs.push((name.clone(), names(at, value)?));
                }
                Rule::Needs("dependentRequired", needs)
            }
            "dependentSchemas" if newest => Rule::Having(self.map(at, value)?),
            "dependencies" => {
                let (mut needs, mut having) = (Vec::new(), Vec::new());
                for (name, value) in object(at, value)? {
                    let below = format!("{at}/{}", escaped(name));
                    match value {
                        Value::Array(_) => needs.push((name.clone(), names(&below, value)?)),
                        _ => having.push((name.clone(), self.schema(&below, value)?)),
                    }
                }
                rules.push(Rule::Needs("dependencies", needs));
                Rule::Having(having)
            }
            "propertyNames" => Rule::Names(self.schema(at, value)?),
            "contains" => Rule::Contains {
                item: self.schema(at, value)?,
                least: self.limit(at, words, "minContains")?.unwrap_or(1),
                most: self.limit(at, words, "maxContains")?,
            },
            "allOf" => Rule::All(self.schemas(at, value)?),
            "anyOf" => Rule::Any(self.schemas(at, value)?),
            "oneOf" => Rule::One(self.schemas(at, value)?),
            "not" => Rule::Not(self.schema(at, value)?),
            "unevaluatedProperties" if newest => Rule::UnseenMembers(self.schema(at, value)?),
            "unevaluatedItems" if newest => Rule::UnseenItems(self.schema(at, value)?),
            "$defs" | "definitions" => {
                // What nothing refers to is read too: mistakes in it are told.
                self.map(at, value)?;
                return Ok(());
            }
            "$vocabulary" | "$recursiveRef" | "$recursiveAnchor" => {
                let hint = "write the schema in the words of JSON Schema 2020-12";
                return Err(problem(at, "it is not taken here", hint));
            }
            "$schema"
            | "$id"
            | "$comment"
            | "$anchor"
            | "$dynamicAnchor"
            | "title"
            | "description"
            | "default"
            | "examples"
            | "deprecated"
            | "readOnly"
            | "writeOnly"
            | "if"
            | "then"
            | "else"
            | "properties"
            | "patternProperties"
            | "additionalProperties"
            | "items"
            | "prefixItems"
            | "additionalItems"
            | "minContains"
            | "maxContains"
            | "contentEncoding"
            | "contentMediaType"
            | "contentSchema" => return Ok(()),
            _ => {
                if self.warnings.len() < WARNINGS_MAX {
                    let warning = format!("{at}: the word is not known and says nothing");
                    self.warnings.push(one_line(&warning));
                }
                return Ok(());
            }
        };
        rules.push(read);
        Ok(())
    }

    fn members(
        &mut self,
        at: &str,
        words: &Map<String, Value>,
        rules: &mut Vec<Rule>,
    ) -> Result<(), Problems> {
        let (named, patterned, others) = (
            words.get("properties"),
            words.get("patternProperties"),
            words.get("additionalProperties"),
        );
        if named.is_none() && patterned.is_none() && others.is_none() {
            return Ok(());
        }
        let mut patterns = Vec::new();
        if let Some(value) = patterned {
            let at = format!("{at}/patternProperties");
            for (pattern, value) in object(&at, value)? {
                let below = format!("{at}/{}", escaped(pattern));
                patterns.push((self.pattern(&below, pattern)?, self.schema(&below, value)?));
            }
        }
        let named = match named {
            Some(value) => self.map(&format!("{at}/properties"), value)?,
            None => Vec::new(),
        };
        let others = others.map(|value| self.schema(&format!("{at}/additionalProperties"), value));
        let named: BTreeMap<_, _> = named.into_iter().collect();
        rules.push(Rule::Members { named, patterns, others: others.transpose()? });
        Ok(())
    }

    fn items(
        &mut self,
        at: &str,
        words: &Map<String, Value>,
        rules: &mut Vec<Rule>,
    ) -> Result<(), Problems> {
        let items = words.get("items");
        let (first, others) = match (self.draft, items) {
            (Draft::Newest, _) => (
                words.get("prefixItems").map(|it| (it, "prefixItems")),
                items.map(|it| (it, "items")),
            ),
            (Draft::Seven, Some(Value::Array(_))) => (
                items.map(|it| (it, "items")),
                words.get("additionalItems").map(|it| (it, "additionalItems")),
            ),
            (Draft::Seven, _) => (None, items.map(|it| (it, "items"))),
        };
        if first.is_none() && others.is_none() {
            return Ok(());
        }
        let first = match first {
            Some((value, word)) => self.schemas(&format!("{at}/{word}"), value)?,
            None => Vec::new(),
        };
        let others = others.map(|(value, word)| self.schema(&format!("{at}/{word}"), value));
        rules.push(Rule::Items { first, others: others.transpose()? });
        Ok(())
    }

    fn limit(
        &self,
        at: &str,
        words: &Map<String, Value>,
        word: &str,
    ) -> Result<Option<u64>, Problems> {
        if self.draft == Draft::Seven {
            return Ok(None);
        }
        words.get(word).map(|value| count(at, value)).transpose()
    }

    fn schema(&mut self, at: &str, value: &Value) -> Result<Id, Problems> {
        if !matches!(value, Value::Object(_) | Value::Bool(_)) {
            return Err(problem(at, "this is no schema", "write an object, true or false"));
        }
        self.want(at.to_owned())
    }

    fn schemas(&mut self, at: &str, value: &Value) -> Result<Vec<Id>, Problems> {
        let items = list(at, value)?;
        if items.is_empty() {
            return Err(problem(at, "the list is empty", "write at least one schema"));
        }
        let each = items.iter().enumerate();
        each.map(|(index, item)| self.schema(&format!("{at}/{index}"), item)).collect()
    }

    fn map(&mut self, at: &str, value: &Value) -> Result<Vec<(String, Id)>, Problems> {
        let mut found = Vec::new();
        for (name, value) in object(at, value)? {
            found.push((name.clone(), self.schema(&format!("{at}/{}", escaped(name)), value)?));
        }
        Ok(found)
    }

    fn reference(&mut self, at: &str, value: &Value) -> Result<Id, Problems> {
        let reference = text(at, value)?;
        let hint = "put what it names into $defs, and refer to it as #/$defs/name";
        let Some(fragment) = reference.strip_prefix('#') else {
            return Err(problem(at, "nothing outside of the schema is fetched", hint));
        };
        let Some(fragment) = decoded(fragment) else {
            return Err(problem(at, "the reference is malformed", hint));
        };
        let pointer = if fragment.is_empty() || fragment.starts_with('/') {
            // As the rest writes it, so that one place has one name.
            let levels = fragment.split('/').skip(1);
            levels.fold(String::new(), |to, level| {
                let level = level.replace("~1", "/").replace("~0", "~");
                format!("{to}/{}", escaped(&level))
            })
        } else {
            let found = self.anchors.get(&fragment).cloned();
            found.ok_or_else(|| problem(at, "no schema has that name", hint))?
        };
        match self.whole.pointer(&pointer) {
            Some(Value::Object(_) | Value::Bool(_)) => self.want(pointer),
            _ => Err(problem(at, "no schema is there", hint)),
        }
    }

    fn pattern(&mut self, at: &str, pattern: &str) -> Result<Pattern, Problems> {
        self.patterns = self.patterns.saturating_add(1);
        if self.patterns > PATTERNS_MAX {
            let message = format!("there are more than {PATTERNS_MAX} patterns");
            return Err(problem(at, &message, "write what is repeated once, in $defs"));
        }
        Pattern::ecma(pattern).map_err(|(message, hint)| problem(at, &message, hint))
    }
}

impl JsonSchema {
    /// Refuses what would ask itself about the same value for ever, and what nests too much.
    fn bounded(&mut self) -> Result<(), Problems> {
        let inner: Vec<Vec<Id>> = self.nodes.iter().map(Node::about_the_same).collect();
        let mut leads_in = vec![0_usize; self.nodes.len()];
        for to in inner.iter().flatten() {
            if let Some(count) = leads_in.get_mut(*to) {
                *count = count.saturating_add(1);
            }
        }
        let mut free: Vec<Id> =
            (0..self.nodes.len()).filter(|id| leads_in.get(*id) == Some(&0)).collect();
        let mut depth = vec![1_usize; self.nodes.len()];
        let mut order = Vec::new();
        while let Some(id) = free.pop() {
            order.push(id);
            let here = depth.get(id).copied().unwrap_or(1);
            for to in inner.get(id).into_iter().flatten() {
                if let Some(below) = depth.get_mut(*to) {
                    *below = (*below).max(here.saturating_add(1));
                }
                if let Some(count) = leads_in.get_mut(*to) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        free.push(*to);
                    }
                }
            }
        }
        let at = |id: Option<Id>| {
            id.and_then(|id| self.nodes.get(id)).map(|node| node.at.clone()).unwrap_or_default()
        };
        if order.len() < self.nodes.len() {
            let first = leads_in.iter().position(|count| *count > 0);
            let hint = "a schema may refer to itself below properties or items alone";
            return Err(problem(&at(first), "it refers to itself about the same value", hint));
        }
        if let Some(id) = depth.iter().position(|depth| *depth > NESTED_MAX) {
            let message =
                format!("more than {NESTED_MAX} schemas within each other speak of a value");
            return Err(problem(&at(Some(id)), &message, "write them beside each other"));
        }
        // Whether what others looked at is asked somewhere above: those note it.
        for id in order {
            if self.nodes.get(id).is_some_and(|node| node.asks_seen) {
                for to in inner.get(id).into_iter().flatten() {
                    if let Some(node) = self.nodes.get_mut(*to) {
                        node.asks_seen = true;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Node {
    /// Subschemas that are asked about the same value.
    fn about_the_same(&self) -> Vec<Id> {
        let mut found = Vec::new();
        for rule in &self.rules {
            match rule {
                Rule::All(all) | Rule::Any(all) | Rule::One(all) => found.extend(all),
                Rule::Not(id) => found.push(*id),
                Rule::If { asked, then, otherwise } => {
                    found.push(*asked);
                    found.extend(then.iter().chain(otherwise));
                }
                Rule::Having(all) => found.extend(all.iter().map(|(_, id)| *id)),
                _ => {}
            }
        }
        found
    }
}

fn types(at: &str, value: &Value) -> Result<Types, Problems> {
    let names = match value {
        Value::String(_) => std::slice::from_ref(value),
        Value::Array(names) if !names.is_empty() => names,
        _ => return Err(problem(at, "it names no type", "write such as \"number\"")),
    };
    let mut found = Types::default();
    for name in names {
        let bit = name.as_str().and_then(Types::named).ok_or_else(|| {
            let hint = "null, boolean, integer, number, string, array or object";
            problem(at, "there is no such type", hint)
        })?;
        found.0 |= bit;
    }
    Ok(found)
}

fn values(values: &[Value]) -> BTreeSet<Vec<u8>> {
    let one = |value: &Value| {
        let mut bytes = Vec::new();
        // The schema's size bounds it.
        let _ = value::canonical(value, &mut bytes, &mut Steps::new(u64::MAX));
        bytes
    };
    values.iter().map(one).collect()
}

fn list<'a>(at: &str, value: &'a Value) -> Result<&'a [Value], Problems> {
    let found = value.as_array().map(Vec::as_slice);
    found.ok_or_else(|| problem(at, "it is no list", "write it in [ ]"))
}

fn object<'a>(at: &str, value: &'a Value) -> Result<&'a Map<String, Value>, Problems> {
    value.as_object().ok_or_else(|| problem(at, "it is no object", "write it in { }"))
}

fn text<'a>(at: &str, value: &'a Value) -> Result<&'a str, Problems> {
    value.as_str().ok_or_else(|| problem(at, "it is no text", "write it in quotes"))
}

fn names(at: &str, value: &Value) -> Result<Vec<String>, Problems> {
    let names = list(at, value)?.iter();
    names.map(|name| text(at, name).map(str::to_owned)).collect()
}

fn number(at: &str, value: &Value) -> Result<Decimal, Problems> {
    match value {
        Value::Number(number) => Ok(Decimal::of(number)),
        _ => Err(problem(at, "it is no number", "write a number")),
    }
}

fn count(at: &str, value: &Value) -> Result<u64, Problems> {
    let found = number(at, value)?.count();
    found.ok_or_else(|| problem(at, "it is no count", "write a whole number from 0"))
}

fn format(at: &str, name: &str) -> Result<Format, Problems> {
    Format::named(name).ok_or_else(|| {
        let known: Vec<_> = Format::ALL.iter().map(|it| it.name()).collect();
        let hint = format!("known are {}; a pattern does the rest", known.join(", "));
        problem(at, "the format is not known, and would not be looked at", &hint)
    })
}

/// A fragment of a URI without its percent signs.
fn decoded(fragment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let value = digit(rest.next()?)?.checked_mul(16)?.checked_add(digit(rest.next()?)?)?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}
