//! The language of conditions: typed, without side effects, always ending.
//!
//! ```text
//! condition = term { "or" term }
//! term      = factor { "and" factor }
//! factor    = "not" factor | "(" condition ")" | "any" collection "(" condition ")" | test
//! test      = field "=" word | field "!=" word | field [ "not" ] "in" "(" word { "," word } ")"
//!           | field "has" word | field ">=" number
//! ```
//!
//! Fields and their words depend on the scope; an unknown field or word is an error where the rule
//! is read, never a condition that is silently false.

use crate::{
    Day,
    threat::{
        Asset, AssetKind, Authentication, Category, Element, ElementKind, Encryption, Flow,
        Identity, Interface, InterfaceKind, InterfacePurpose, Model, Place, Protocol, Purpose,
        Rating, Scope, Support, Trait,
        model::{SCALE, worst},
        model_read::nearest,
        tokens::{Token, Tokens},
    },
};

/// How deep brackets and `not` may nest.
const DEPTH_MAX: usize = 16;
const YES_NO: &[&str] = &["yes", "no"];

/// A condition that was read for one scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// some member of a collection meets it
    Some(Collection, Box<Condition>),
    /// the word of a field is one of these
    Word(Field, Vec<String>),
    /// a field that holds several words holds this one
    Has(Field, String),
    /// a number is at least this
    AtLeast(Field, u8),
}

/// Whose field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    This,
    Element,
    From,
    To,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    owner: Owner,
    name: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Collection {
    Elements,
    Interfaces,
    Flows,
    FlowsIn,
    FlowsOut,
    Assets,
}

/// What a condition is asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node<'a> {
    Model,
    Element(&'a Element),
    Interface(&'a Element, &'a Interface),
    Flow(&'a Flow),
    Holding(&'a Element, &'a Asset),
    Asset(&'a Asset),
}

/// The scopes of conditions: those of rules, and the assets of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inner {
    Rule(Scope),
    Asset,
}

enum Type {
    Word(Vec<&'static str>),
    Words(Vec<&'static str>),
    Number,
}

impl Condition {
    /// Reads a condition; the error says what is wrong and what there is.
    pub(crate) fn parse(text: &str, scope: Scope) -> Result<Self, String> {
        let mut tokens = Tokens::of(text)?;
        let condition = disjunction(&mut tokens, Inner::Rule(scope), 0)?;
        match tokens.next() {
            None => Ok(condition),
            Some(token) => Err(format!("{token} is too much; join conditions with and, or")),
        }
    }

    /// Whether it holds for `node`.
    pub(crate) fn holds(&self, model: &Model, on: Day, node: Node<'_>) -> bool {
        match self {
            Self::All(all) => all.iter().all(|one| one.holds(model, on, node)),
            Self::Any(any) => any.iter().any(|one| one.holds(model, on, node)),
            Self::Not(one) => !one.holds(model, on, node),
            Self::Some(collection, one) => {
                members(model, *collection, node).into_iter().any(|node| one.holds(model, on, node))
            }
            Self::Word(field, words) => {
                let word = field.word(model, on, node);
                words.iter().any(|one| Some(one.as_str()) == word)
            }
            Self::Has(field, word) => field.words(model, node).contains(&word.as_str()),
            Self::AtLeast(field, least) => {
                field.number(model, node).is_some_and(|number| number >= *least)
            }
        }
    }
}

fn disjunction(tokens: &mut Tokens, scope: Inner, depth: usize) -> Result<Condition, String> {
    if depth > DEPTH_MAX {
        return Err(format!("brackets nest deeper than {DEPTH_MAX}"));
    }
    let mut any = vec![conjunction(tokens, scope, depth)?];
    while tokens.takes("or") {
        any.push(conjunction(tokens, scope, depth)?);
    }
    Ok(match any.len() {
        1 => any.remove(0),
        _ => Condition::Any(any),
    })
}

fn conjunction(tokens: &mut Tokens, scope: Inner, depth: usize) -> Result<Condition, String> {
    let mut all = vec![factor(tokens, scope, depth)?];
    while tokens.takes("and") {
        all.push(factor(tokens, scope, depth)?);
    }
    Ok(match all.len() {
        1 => all.remove(0),
        _ => Condition::All(all),
    })
}

fn factor(tokens: &mut Tokens, scope: Inner, depth: usize) -> Result<Condition, String> {
    if depth > DEPTH_MAX {
        return Err(format!("`not` and brackets nest deeper than {DEPTH_MAX}"));
    }
    if tokens.takes("not") {
        return Ok(Condition::Not(Box::new(factor(tokens, scope, depth + 1)?)));
    }
    if tokens.takes_sign(&Token::Open) {
        let inner = disjunction(tokens, scope, depth + 1)?;
        tokens.expect(&Token::Close)?;
        return Ok(inner);
    }
    if tokens.takes("any") {
        let (collection, inner) = collection(&tokens.word("a collection")?, scope)?;
        tokens.expect(&Token::Open)?;
        let condition = disjunction(tokens, inner, depth + 1)?;
        tokens.expect(&Token::Close)?;
        return Ok(Condition::Some(collection, Box::new(condition)));
    }
    test(tokens, scope)
}

fn test(tokens: &mut Tokens, scope: Inner) -> Result<Condition, String> {
    let name = tokens.word("a field")?;
    let (field, kind) = field(&name, scope)?;
    let known = |word: String, words: &[&str]| {
        if words.contains(&word.as_str()) {
            return Ok(word);
        }
        let near = nearest(&word, words);
        Err(format!("{name} is never {word:?}{near}; it is one of {}", words.join(", ")))
    };
    match kind {
        Type::Number => {
            tokens.expect(&Token::AtLeast)?;
            let word = tokens.word("a number")?;
            let least = word.parse().ok().filter(|number| SCALE.contains(number));
            let least = least.ok_or_else(|| format!("{word:?} is no number from 1 to 5"))?;
            Ok(Condition::AtLeast(field, least))
        }
        Type::Words(words) => {
            if !tokens.takes("has") {
                return Err(format!("{name} holds several words; write `{name} has …`"));
            }
            Ok(Condition::Has(field, known(tokens.word("a word")?, &words)?))
        }
        Type::Word(words) => {
            if tokens.takes_sign(&Token::Is) {
                return Ok(Condition::Word(field, vec![known(tokens.word("a word")?, &words)?]));
            }
            if tokens.takes_sign(&Token::IsNot) {
                let is = Condition::Word(field, vec![known(tokens.word("a word")?, &words)?]);
                return Ok(Condition::Not(Box::new(is)));
            }
            let negated = tokens.takes("not");
            if !tokens.takes("in") {
                return Err(format!("after {name} comes =, !=, in (…) or not in (…)"));
            }
            tokens.expect(&Token::Open)?;
            let mut chosen = vec![known(tokens.word("a word")?, &words)?];
            while tokens.takes_sign(&Token::Comma) {
                chosen.push(known(tokens.word("a word")?, &words)?);
            }
            tokens.expect(&Token::Close)?;
            let within = Condition::Word(field, chosen);
            Ok(if negated { Condition::Not(Box::new(within)) } else { within })
        }
    }
}

fn collection(name: &str, scope: Inner) -> Result<(Collection, Inner), String> {
    let element = Inner::Rule(Scope::Element);
    let flow = Inner::Rule(Scope::Flow);
    let known: &[(&str, Collection, Inner)] = match scope {
        Inner::Rule(Scope::Model) => {
            &[("elements", Collection::Elements, element), ("flows", Collection::Flows, flow)]
        }
        Inner::Rule(Scope::Element) => &[
            ("interfaces", Collection::Interfaces, Inner::Rule(Scope::Interface)),
            ("flows", Collection::Flows, flow),
            ("flows-in", Collection::FlowsIn, flow),
            ("flows-out", Collection::FlowsOut, flow),
            ("assets", Collection::Assets, Inner::Asset),
        ],
        Inner::Rule(Scope::Flow) => &[("assets", Collection::Assets, Inner::Asset)],
        _ => &[],
    };
    let found = known.iter().find(|(one, ..)| *one == name);
    found.map(|(_, collection, inner)| (*collection, *inner)).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(one, ..)| *one).collect();
        format!("no collection {name:?} here; there are {}", names.join(", "))
    })
}

fn members<'a>(model: &'a Model, collection: Collection, node: Node<'a>) -> Vec<Node<'a>> {
    match (collection, node) {
        (Collection::Elements, Node::Model) => model.elements.iter().map(Node::Element).collect(),
        (Collection::Flows, Node::Model) => model.flows.iter().map(Node::Flow).collect(),
        (Collection::Interfaces, Node::Element(element)) => {
            element.interfaces.iter().map(|one| Node::Interface(element, one)).collect()
        }
        (Collection::Flows, Node::Element(element)) => {
            model.flows_of(&element.id).map(Node::Flow).collect()
        }
        (Collection::FlowsIn, Node::Element(element)) => {
            model.flows.iter().filter(|flow| flow.to == element.id).map(Node::Flow).collect()
        }
        (Collection::FlowsOut, Node::Element(element)) => {
            model.flows.iter().filter(|flow| flow.from == element.id).map(Node::Flow).collect()
        }
        (Collection::Assets, Node::Element(element)) => {
            model.assets_of(element).into_iter().map(Node::Asset).collect()
        }
        (Collection::Assets, Node::Flow(flow)) => {
            model.carried(flow).into_iter().map(Node::Asset).collect()
        }
        _ => Vec::new(),
    }
}

macro_rules! words_of {
    ($list:ident) => {
        $list::ALL.iter().map(|one| one.word()).collect()
    };
}

/// A field of a scope, with its type.
fn field(name: &str, scope: Inner) -> Result<(Field, Type), String> {
    let (owner, inner, bare) = match (name.split_once('.'), scope) {
        (Some(("element", rest)), Inner::Rule(Scope::Interface | Scope::Holding)) => {
            (Owner::Element, Inner::Rule(Scope::Element), rest)
        }
        (Some(("from", rest)), Inner::Rule(Scope::Flow)) => {
            (Owner::From, Inner::Rule(Scope::Element), rest)
        }
        (Some(("to", rest)), Inner::Rule(Scope::Flow)) => {
            (Owner::To, Inner::Rule(Scope::Element), rest)
        }
        _ => (Owner::This, scope, name),
    };
    let fields = fields(inner);
    let known: Vec<&str> = fields.iter().map(|(one, _)| *one).collect();
    let near = nearest(bare, &known);
    let names = known.join(", ");
    fields
        .into_iter()
        .find(|(one, _)| *one == bare)
        .map(|(name, kind)| (Field { owner, name }, kind))
        .ok_or_else(|| format!("no field {name:?} here{near}; there are {names}"))
}

fn fields(scope: Inner) -> Vec<(&'static str, Type)> {
    let ratings = ["safety", "confidentiality", "integrity", "availability"];
    let ratings = ratings.map(|name| (name, Type::Number));
    let mut fields = vec![("category", Type::Words(words_of!(Category)))];
    match scope {
        Inner::Rule(Scope::Model) => {}
        Inner::Rule(Scope::Element) => {
            fields.extend([
                ("kind", Type::Word(words_of!(ElementKind))),
                ("place", Type::Word(words_of!(Place))),
                ("identity", Type::Word(words_of!(Identity))),
                ("support", Type::Word(words_of!(Support))),
                ("traits", Type::Words(words_of!(Trait))),
            ]);
            fields.extend(ratings);
        }
        Inner::Rule(Scope::Interface) => fields.extend([
            ("kind", Type::Word(words_of!(InterfaceKind))),
            ("purpose", Type::Word(words_of!(InterfacePurpose))),
        ]),
        Inner::Rule(Scope::Flow) => {
            fields.extend([
                ("purpose", Type::Word(words_of!(Purpose))),
                ("protocol", Type::Word(words_of!(Protocol))),
                ("authentication", Type::Word(words_of!(Authentication))),
                ("encryption", Type::Word(words_of!(Encryption))),
                ("crosses", Type::Word(YES_NO.to_vec())),
                ("passes", Type::Word(YES_NO.to_vec())),
            ]);
            fields.extend(ratings);
        }
        Inner::Rule(Scope::Holding) | Inner::Asset => {
            fields.push(("kind", Type::Word(words_of!(AssetKind))));
            fields.extend(ratings);
        }
    }
    fields
}

impl Field {
    /// The node whose field it is.
    fn of<'a>(self, model: &'a Model, node: Node<'a>) -> Option<Node<'a>> {
        match (self.owner, node) {
            (Owner::This, node) => Some(node),
            (Owner::Element, Node::Interface(element, _) | Node::Holding(element, _)) => {
                Some(Node::Element(element))
            }
            (Owner::From, Node::Flow(flow)) => model.element(&flow.from).map(Node::Element),
            (Owner::To, Node::Flow(flow)) => model.element(&flow.to).map(Node::Element),
            _ => None,
        }
    }

    fn word(self, model: &Model, on: Day, node: Node<'_>) -> Option<&'static str> {
        let yes_no = |yes: bool| if yes { "yes" } else { "no" };
        Some(match (self.name, self.of(model, node)?) {
            ("kind", Node::Element(one)) => one.kind.word(),
            ("place", Node::Element(one)) => one.place.word(),
            ("identity", Node::Element(one)) => one.identity.word(),
            ("support", Node::Element(one)) => one.support(on).word(),
            ("kind", Node::Interface(_, one)) => one.kind.word(),
            ("purpose", Node::Interface(_, one)) => one.purpose.word(),
            ("purpose", Node::Flow(one)) => one.purpose.word(),
            ("protocol", Node::Flow(one)) => one.protocol.word(),
            ("authentication", Node::Flow(one)) => one.authentication.word(),
            ("encryption", Node::Flow(one)) => one.encryption.word(),
            ("crosses", Node::Flow(one)) => yes_no(model.crosses(one)),
            ("passes", Node::Flow(one)) => yes_no(!one.via.is_empty()),
            ("kind", Node::Holding(_, one) | Node::Asset(one)) => one.kind.word(),
            _ => return None,
        })
    }

    fn words(self, model: &Model, node: Node<'_>) -> Vec<&'static str> {
        match (self.name, self.of(model, node)) {
            ("category", _) => model.category.iter().map(|one| one.word()).collect(),
            ("traits", Some(Node::Element(one))) => {
                one.traits.iter().map(|one| one.word()).collect()
            }
            _ => Vec::new(),
        }
    }

    fn number(self, model: &Model, node: Node<'_>) -> Option<u8> {
        let rating = rating(model, self.of(model, node)?);
        match self.name {
            "safety" => Some(rating.safety),
            "confidentiality" => Some(rating.confidentiality),
            "integrity" => Some(rating.integrity),
            "availability" => Some(rating.availability),
            _ => None,
        }
    }
}

/// The worst of what a node touches.
pub(crate) fn rating(model: &Model, node: Node<'_>) -> Rating {
    match node {
        Node::Model => worst(&model.assets),
        Node::Element(one) | Node::Interface(one, _) => worst(model.assets_of(one)),
        Node::Flow(one) => worst(model.carried(one)),
        Node::Holding(_, one) | Node::Asset(one) => worst([one]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str, scope: Scope) -> String {
        Condition::parse(text, scope).unwrap_err()
    }

    #[test]
    fn what_does_not_exist_is_refused_and_the_answer_helps() {
        let unknown = error("kidn = device", Scope::Element);
        assert!(unknown.contains("did you mean \"kind\"?"), "{unknown}");
        let word = error("kind = devise", Scope::Element);
        assert!(word.contains("did you mean \"device\"?"), "{word}");
        assert!(error("kind = debug", Scope::Element).contains("never"));
        assert!(error("traits = actuator", Scope::Element).contains("has"));
        assert!(error("safety >= 9", Scope::Element).contains("1 to 5"));
        assert!(error("from.kind = device", Scope::Element).contains("no field"));
        assert!(error("any zones (kind = x)", Scope::Element).contains("no collection"));
        assert!(error("kind = device kind = app", Scope::Element).contains("too much"));
        assert!(error("(kind = device", Scope::Element).contains(')'));
        assert!(Condition::parse("", Scope::Model).is_err());
    }

    #[test]
    fn nesting_ends() {
        let deep = |n: usize| format!("{}kind = app{}", "(".repeat(n), ")".repeat(n));
        assert!(Condition::parse(&deep(8), Scope::Element).is_ok());
        assert!(Condition::parse(&deep(4_000), Scope::Element).is_err());
        assert!(
            Condition::parse(&format!("{}kind = app", "not ".repeat(400)), Scope::Element).is_err()
        );
    }
}
