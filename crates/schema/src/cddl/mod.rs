//! CDDL (RFC 8610) for CBOR, with the reading of its section 2 and appendix A: entries take what they
//! can, in their order, and nothing is given back. What is to be had has no budget, and either panics
//! on some schemas or reads a group in other ways.

mod evaluate;
mod item;
mod lexer;
mod parse;

use crate::{Broken, FormatError, pattern::Pattern, steps::Steps};
use admission::{Problem, Problems};
use std::collections::HashMap;

/// Rules of one schema, those of the prelude apart.
pub(crate) const RULES_MAX: usize = 500;
/// Nodes of its syntax.
pub(crate) const NODES_MAX: usize = 10_000;
/// How deep brackets may nest.
pub(crate) const NESTED_MAX: usize = 16;
/// Rules that may stand within each other on the way to the innermost value.
pub(crate) const FRAMES_MAX: usize = 200;

/// The names that every schema may use (RFC 8610 appendix D), in the language itself.
const PRELUDE: &str = "
any = #
uint = #0
nint = #1
int = uint / nint
bstr = #2
bytes = bstr
tstr = #3
text = tstr
tdate = #6.0(tstr)
time = #6.1(number)
number = int / float
biguint = #6.2(bstr)
bignint = #6.3(bstr)
bigint = biguint / bignint
integer = int / bigint
unsigned = uint / biguint
decfrac = #6.4([e10: int, m: integer])
bigfloat = #6.5([e2: int, m: integer])
eb64url = #6.21(any)
eb64legacy = #6.22(any)
eb16 = #6.23(any)
encoded-cbor = #6.24(bstr)
uri = #6.32(tstr)
b64url = #6.33(tstr)
b64legacy = #6.34(tstr)
regexp = #6.35(tstr)
mime-message = #6.36(tstr)
cbor-any = #6.55799(any)
float16 = #7.25
float32 = #7.26
float64 = #7.27
float16-32 = float16 / float32
float32-64 = float32 / float64
float = float16-32 / float64
false = #7.20
true = #7.21
bool = false / true
nil = #7.22
null = nil
undefined = #7.23
";

/// A compiled schema.
#[derive(Debug)]
pub(crate) struct Cddl {
    rules: Vec<Rule>,
    names: HashMap<String, usize>,
    root: usize,
    /// rules of the prelude, which come first
    prelude: usize,
}

#[derive(Debug)]
struct Rule {
    name: String,
    parameters: Vec<String>,
    body: Group,
    /// more choices of types may be added
    adds: bool,
}

/// Choices between types.
#[derive(Debug)]
struct Type(Vec<Type1>);

#[derive(Debug)]
enum Type1 {
    Plain(Type2),
    Range { from: Type2, to: Type2, with_end: bool },
    Control { of: Type2, control: Control },
}

#[derive(Debug)]
enum Control {
    Size(Type2),
    Regexp(Pattern),
    Cbor(Type2),
    And(Type2),
    Compare(Comparison, Type2),
    Default,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
}

#[derive(Debug)]
enum Type2 {
    Literal(Literal),
    Name(String, Vec<Type1>),
    /// a type or a group in parentheses: which, its place says
    Paren(Group),
    Map(Group),
    Array(Group),
    Unwrap(String, Vec<Type1>),
    /// one of the values of a group
    Choice(Box<Type2>),
    Tag(Option<u64>, Box<Type>),
    Major(u8),
    /// major type 7 with its additional information
    Simple(u8),
    Any,
}

#[derive(Debug, Clone, PartialEq)]
enum Literal {
    Int(i128),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// Choices between sequences of entries.
#[derive(Debug)]
struct Group(Vec<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    least: u64,
    most: u64,
    key: Option<Key>,
    value: Type,
}

#[derive(Debug)]
struct Key {
    key: Type1,
    /// whether a value that does not fit is no other entry's
    cut: bool,
}

impl Entry {
    /// Whether it is a group in parentheses, with keys or occurrences in it.
    fn is_group(&self) -> bool {
        match self.value.0.as_slice() {
            [Type1::Plain(Type2::Paren(group))] => {
                group.plain().is_none() || group.0.iter().flatten().any(Self::is_group)
            }
            _ => false,
        }
    }

    /// The type, where it is nothing but that.
    fn plain(&self) -> Option<&Type> {
        (self.key.is_none() && (self.least, self.most) == (1, 1)).then_some(&self.value)
    }
}

impl Group {
    /// The type, where it is nothing but one.
    fn plain(&self) -> Option<&Type> {
        match self.0.as_slice() {
            [entries] => match entries.as_slice() {
                [entry] => entry.plain(),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Reads a schema, which begins with the rule `root`, or with its first.
pub(crate) fn compile(text: &str, root: Option<&str>) -> Result<Cddl, Problems> {
    let mut schema = Cddl { rules: Vec::new(), names: HashMap::new(), root: 0, prelude: 0 };
    parse::add(&mut schema, PRELUDE)?;
    schema.prelude = schema.rules.len();
    schema.root = schema.prelude;
    parse::add(&mut schema, text)?;
    if schema.rules.len() == schema.prelude {
        return Err(Problem::new((0, 0), "there is no rule", "write name = type").into());
    }
    if let Some(root) = root {
        schema.root = *schema.names.get(root).ok_or_else(|| {
            Problem::new((0, 0), format!("no rule is called {root}"), "name one of the schema's")
        })?;
    }
    let first = schema.rules.get(schema.root);
    let is_group =
        |body: &Group| body.plain().is_none() || body.0.iter().flatten().any(Entry::is_group);
    if first.is_some_and(|rule| !rule.parameters.is_empty() || is_group(&rule.body)) {
        let message = "the rule at the beginning is no type";
        let hint = "name another root, or put the rule for the whole payload first";
        return Err(Problem::new((0, 0), message, hint).into());
    }
    parse::resolved(&schema)?;
    Ok(schema)
}

impl Cddl {
    /// Whether a payload follows the schema. It is one item of CBOR, well-formed and within bounds.
    pub(crate) fn check(&self, payload: &[u8], steps: &mut Steps) -> Result<(), Broken> {
        let item = item::read(payload).ok_or(FormatError::Malformed)?;
        evaluate::check(self, &item, steps)
    }
}
