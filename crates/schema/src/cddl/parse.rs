//! The grammar of CDDL (RFC 8610 appendix B), read once from the left to the right: what stands in
//! parentheses is read as a group, and its place says later whether it is a type.

use super::{
    Cddl, Comparison, Control, Entry, Group, Key, Literal, NESTED_MAX, NODES_MAX, RULES_MAX, Rule,
    Type, Type1, Type2,
    lexer::{Token, tokens},
};
use crate::pattern::{PATTERNS_MAX, Pattern};
use admission::{Problem, Problems, place_of};
use std::collections::HashSet;

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token, usize)>,
    at: usize,
    depth: usize,
    nodes: usize,
    patterns: usize,
}

/// Adds the rules of a text.
pub(super) fn add(schema: &mut Cddl, text: &str) -> Result<(), Problems> {
    let tokens = tokens(text)?;
    let mut parser = Parser { text, tokens, at: 0, depth: 0, nodes: 0, patterns: 0 };
    while parser.at < parser.tokens.len() {
        let begins = parser.at;
        let rule = parser.rule()?;
        match schema.names.get(&rule.name) {
            Some(known) if rule.adds && *known >= schema.prelude => {
                if let Some(known) = schema.rules.get_mut(*known) {
                    join(known, rule.body);
                }
            }
            Some(_) => {
                let message = format!("the rule {} stands twice", rule.name);
                return Err(parser.wrong_at(begins, &message, "call one of them otherwise"));
            }
            None => {
                let own = schema.rules.len().saturating_sub(schema.prelude);
                if own >= RULES_MAX {
                    let message = format!("there are more than {RULES_MAX} rules");
                    return Err(parser.wrong_at(begins, &message, "write fewer, larger rules"));
                }
                schema.names.insert(rule.name.clone(), schema.rules.len());
                schema.rules.push(rule);
            }
        }
    }
    Ok(())
}

/// More choices of a rule: of its type, where both are types; of its group otherwise.
fn join(rule: &mut Rule, body: Group) {
    let mut choices = body.0;
    if let ([entries], [more]) = (rule.body.0.as_mut_slice(), choices.as_mut_slice())
        && let ([entry], [other]) = (entries.as_mut_slice(), more.as_mut_slice())
        && [&*entry, &*other].iter().all(|it| it.plain().is_some() && !it.is_group())
    {
        entry.value.0.append(&mut other.value.0);
        return;
    }
    rule.body.0.append(&mut choices);
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn wrong_at(&self, token: usize, message: &str, hint: &str) -> Problems {
        let at = self.tokens.get(token).map_or(self.text.len(), |(_, at)| *at);
        Problem::new(place_of(self.text, at), message, hint).into()
    }

    fn wrong(&self, message: &str, hint: &str) -> Problems {
        self.wrong_at(self.at, message, hint)
    }

    fn takes(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        if found {
            self.at = self.at.saturating_add(1);
        }
        found
    }

    fn needs(&mut self, sign: &str) -> Result<(), Problems> {
        if self.takes(sign) {
            return Ok(());
        }
        Err(self.wrong(&format!("{sign} is missing here"), "see RFC 8610 appendix B"))
    }

    fn name(&mut self) -> Result<String, Problems> {
        match self.peek() {
            Some(Token::Name(name)) => {
                let name = name.clone();
                self.at = self.at.saturating_add(1);
                Ok(name)
            }
            _ => Err(self.wrong("a name is missing here", "rules are written name = type")),
        }
    }

    fn count(&mut self) -> Result<(), Problems> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes <= NODES_MAX {
            return Ok(());
        }
        Err(self.wrong("the schema says too many things", "write what is repeated as a rule"))
    }

    fn rule(&mut self) -> Result<Rule, Problems> {
        let name = self.name()?;
        let mut parameters = Vec::new();
        if self.takes("<") {
            loop {
                parameters.push(self.name()?);
                if !self.takes(",") {
                    break;
                }
            }
            self.needs(">")?;
        }
        let adds = self.takes("/=") || self.takes("//=");
        if !adds {
            self.needs("=")?;
        }
        let entry = self.entry()?;
        Ok(Rule { name, parameters, body: Group(vec![vec![entry]]), adds })
    }

    fn deeper<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Problems>,
    ) -> Result<T, Problems> {
        if self.depth >= NESTED_MAX {
            let message = format!("brackets nest more than {NESTED_MAX} deep");
            return Err(self.wrong(&message, "write what is inside as a rule"));
        }
        self.depth = self.depth.saturating_add(1);
        let done = work(self);
        self.depth = self.depth.saturating_sub(1);
        done
    }

    fn group(&mut self, ends: &str) -> Result<Group, Problems> {
        let mut choices = vec![Vec::new()];
        loop {
            if self.takes(ends) {
                return Ok(Group(choices));
            }
            if self.takes("//") {
                choices.push(Vec::new());
                continue;
            }
            let entry = self.entry()?;
            if let Some(entries) = choices.last_mut() {
                entries.push(entry);
            }
            self.takes(",");
        }
    }

    fn entry(&mut self) -> Result<Entry, Problems> {
        self.count()?;
        let (least, most) = match self.peek() {
            Some(Token::Occurs(least, most)) => {
                let found = (*least, *most);
                self.at = self.at.saturating_add(1);
                found
            }
            _ => (1, 1),
        };
        if least > most {
            return Err(self.wrong("the occurrence has no room", "the smaller number comes first"));
        }
        let first = self.type1()?;
        let key = if self.takes(":") {
            let key = match first {
                Type1::Plain(Type2::Name(name, given)) if given.is_empty() => {
                    Type1::Plain(Type2::Literal(Literal::Text(name)))
                }
                Type1::Plain(Type2::Literal(_)) => first,
                _ => {
                    let hint = "write => behind a key that is a type";
                    return Err(self.wrong("a name or a value stands before :", hint));
                }
            };
            Some(Key { key, cut: true })
        } else if self.takes("^") {
            self.needs("=>")?;
            return self.entry_of(least, most, Some(Key { key: first, cut: true }), None);
        } else if self.takes("=>") {
            Some(Key { key: first, cut: false })
        } else {
            return self.entry_of(least, most, None, Some(first));
        };
        self.entry_of(least, most, key, None)
    }

    fn entry_of(
        &mut self,
        least: u64,
        most: u64,
        key: Option<Key>,
        first: Option<Type1>,
    ) -> Result<Entry, Problems> {
        let mut choices = vec![match first {
            Some(first) => first,
            None => self.type1()?,
        }];
        while self.takes("/") {
            choices.push(self.type1()?);
        }
        Ok(Entry { least, most, key, value: Type(choices) })
    }

    fn type_(&mut self) -> Result<Type, Problems> {
        let mut choices = vec![self.type1()?];
        while self.takes("/") {
            choices.push(self.type1()?);
        }
        Ok(Type(choices))
    }

    fn type1(&mut self) -> Result<Type1, Problems> {
        self.count()?;
        let of = self.type2()?;
        for (sign, with_end) in [("...", false), ("..", true)] {
            if self.takes(sign) {
                return Ok(Type1::Range { from: of, to: self.type2()?, with_end });
            }
        }
        let Some(Token::Control(name)) = self.peek() else { return Ok(Type1::Plain(of)) };
        let (name, begins) = (name.clone(), self.at);
        self.at = self.at.saturating_add(1);
        let to = self.type2()?;
        let compare = |comparison, to| Control::Compare(comparison, to);
        let control = match name.as_str() {
            "size" => Control::Size(to),
            "cbor" => Control::Cbor(to),
            "and" | "within" => Control::And(to),
            "lt" => compare(Comparison::Lt, to),
            "le" => compare(Comparison::Le, to),
            "gt" => compare(Comparison::Gt, to),
            "ge" => compare(Comparison::Ge, to),
            "eq" => compare(Comparison::Eq, to),
            "ne" => compare(Comparison::Ne, to),
            "default" => Control::Default,
            "regexp" => {
                let Type2::Literal(Literal::Text(pattern)) = &to else {
                    return Err(self.wrong_at(begins, "a pattern is a text", "write it in quotes"));
                };
                self.patterns = self.patterns.saturating_add(1);
                if self.patterns > PATTERNS_MAX {
                    let message = format!("there are more than {PATTERNS_MAX} patterns");
                    return Err(self.wrong_at(
                        begins,
                        &message,
                        "write what is repeated as a rule",
                    ));
                }
                let pattern = Pattern::whole(pattern);
                Control::Regexp(
                    pattern.map_err(|(message, hint)| self.wrong_at(begins, &message, hint))?,
                )
            }
            _ => {
                let hint =
                    "known are .size .regexp .cbor .and .within .lt .le .gt .ge .eq .ne .default";
                let message = format!("the control operator .{name} is not known");
                return Err(self.wrong_at(begins, &message, hint));
            }
        };
        Ok(Type1::Control { of, control })
    }

    fn given(&mut self) -> Result<Vec<Type1>, Problems> {
        let mut given = Vec::new();
        if self.takes("<") {
            loop {
                given.push(self.deeper(Self::type1)?);
                if !self.takes(",") {
                    break;
                }
            }
            self.needs(">")?;
        }
        Ok(given)
    }

    fn type2(&mut self) -> Result<Type2, Problems> {
        self.count()?;
        let Some(token) = self.peek().cloned() else {
            return Err(self.wrong("the text ends where a type must be", "such as int or tstr"));
        };
        self.at = self.at.saturating_add(1);
        match token {
            Token::Literal(literal) => Ok(Type2::Literal(literal)),
            Token::Name(name) => Ok(Type2::Name(name, self.given()?)),
            Token::Sign("(") => Ok(Type2::Paren(self.deeper(|it| it.group(")"))?)),
            Token::Sign("{") => Ok(Type2::Map(self.deeper(|it| it.group("}"))?)),
            Token::Sign("[") => Ok(Type2::Array(self.deeper(|it| it.group("]"))?)),
            Token::Sign("~") => {
                let name = self.name()?;
                Ok(Type2::Unwrap(name, self.given()?))
            }
            Token::Sign("&") => {
                let of = self.deeper(Self::type2)?;
                if !matches!(of, Type2::Paren(_) | Type2::Name(..)) {
                    return Err(self.wrong("& stands before a group", "write &( … ) or &name"));
                }
                Ok(Type2::Choice(Box::new(of)))
            }
            Token::Hash(None, _) => Ok(Type2::Any),
            Token::Hash(Some(6), number) => {
                if !self.takes("(") {
                    let any = Type(vec![Type1::Plain(Type2::Any)]);
                    return Ok(Type2::Tag(number, Box::new(any)));
                }
                let inner = self.deeper(Self::type_)?;
                self.needs(")")?;
                Ok(Type2::Tag(number, Box::new(inner)))
            }
            Token::Hash(Some(major @ 0..=7), None) => Ok(Type2::Major(major)),
            Token::Hash(Some(7), Some(number @ 0..=255)) => {
                Ok(Type2::Simple(u8::try_from(number).unwrap_or(0)))
            }
            Token::Hash(..) => {
                let hint = "numbers behind # are known for tags (#6.1) and simple values (#7.20)";
                Err(self.wrong_at(self.at.saturating_sub(1), "there is no such type", hint))
            }
            _ => {
                let at = self.at.saturating_sub(1);
                Err(self.wrong_at(
                    at,
                    "a type must be here",
                    "such as int, tstr, [* int] or {a: int}",
                ))
            }
        }
    }
}

/// Every name is a rule's or a parameter's, used with as many types as it has parameters; no rule is
/// itself without anything around it.
pub(super) fn resolved(schema: &Cddl) -> Result<(), Problems> {
    let mut around: Vec<HashSet<usize>> = Vec::new();
    for rule in &schema.rules {
        let mut names = Names { schema, rule, direct: HashSet::new() };
        names.group(&rule.body, true)?;
        around.push(names.direct);
    }
    // Whoever needs nobody is done; whoever is left needs itself.
    let mut done: HashSet<usize> = HashSet::new();
    loop {
        let before = done.len();
        for (id, needs) in around.iter().enumerate() {
            if needs.iter().all(|need| done.contains(need)) {
                done.insert(id);
            }
        }
        if done.len() == before {
            break;
        }
    }
    let left = (0..schema.rules.len()).find(|id| !done.contains(id));
    match left.and_then(|id| schema.rules.get(id)) {
        None => Ok(()),
        Some(rule) => {
            let message =
                format!("the rule {} is made of itself, with nothing around it", rule.name);
            let hint = "a rule may stand in itself within [ ], { } or #6.n( ) alone";
            Err(Problem::new((0, 0), message, hint).into())
        }
    }
}

struct Names<'a> {
    schema: &'a Cddl,
    rule: &'a Rule,
    /// rules that stand in it with nothing around them
    direct: HashSet<usize>,
}

impl Names<'_> {
    fn wrong(&self, message: &str, hint: &str) -> Problems {
        Problem::new((0, 0), format!("rule {}: {message}", self.rule.name), hint).into()
    }

    fn group(&mut self, group: &Group, direct: bool) -> Result<(), Problems> {
        for entry in group.0.iter().flatten() {
            if let Some(key) = &entry.key {
                self.type1(&key.key, false)?;
            }
            for choice in &entry.value.0 {
                self.type1(choice, direct && entry.key.is_none())?;
            }
        }
        Ok(())
    }

    fn type1(&mut self, type1: &Type1, direct: bool) -> Result<(), Problems> {
        match type1 {
            Type1::Plain(of) => self.type2(of, direct),
            Type1::Range { from, to, .. } => {
                self.type2(from, direct)?;
                self.type2(to, direct)
            }
            Type1::Control { of, control } => {
                self.type2(of, direct)?;
                match control {
                    Control::Cbor(to) => self.type2(to, false),
                    Control::Size(to) | Control::And(to) | Control::Compare(_, to) => {
                        self.type2(to, direct)
                    }
                    Control::Regexp(_) | Control::Default => Ok(()),
                }
            }
        }
    }

    fn type2(&mut self, type2: &Type2, direct: bool) -> Result<(), Problems> {
        match type2 {
            Type2::Name(name, given) | Type2::Unwrap(name, given) => {
                for given in given {
                    self.type1(given, false)?;
                }
                if self.rule.parameters.contains(name) {
                    return match given.is_empty() {
                        true => Ok(()),
                        false => {
                            Err(self.wrong(&format!("{name} takes no types"), "leave < > out"))
                        }
                    };
                }
                let Some(id) = self.schema.names.get(name) else {
                    let hint = "write a rule for it, or see whether it is spelt right";
                    return Err(self.wrong(&format!("no rule is called {name}"), hint));
                };
                let takes = self.schema.rules.get(*id).map_or(0, |rule| rule.parameters.len());
                if takes != given.len() {
                    let message = format!("{name} takes {takes} types, and has {}", given.len());
                    return Err(self.wrong(&message, "write them in < >"));
                }
                if direct {
                    self.direct.insert(*id);
                }
                Ok(())
            }
            Type2::Paren(group) => self.group(group, direct),
            Type2::Map(group) | Type2::Array(group) => self.group(group, false),
            Type2::Choice(of) => self.type2(of, direct),
            Type2::Tag(_, inner) => inner.0.iter().try_for_each(|choice| self.type1(choice, false)),
            Type2::Literal(_) | Type2::Major(_) | Type2::Simple(_) | Type2::Any => Ok(()),
        }
    }
}
