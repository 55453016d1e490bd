//! Where in a payload something is.

use std::fmt;

/// Longest place or rule that is told, in characters.
pub const PLACE_CHARACTERS_MAX: usize = 200;

/// What is wrong with a payload, for its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// where in the payload: a JSON pointer (RFC 6901), likewise for CBOR; the path of a field for
    /// Protobuf. Empty: all of it
    pub place: String,
    /// which rule of the schema: a JSON pointer into a JSON Schema; a rule of CDDL; a field and what is
    /// wrong with it for Protobuf
    pub rule: String,
}

impl Violation {
    pub(crate) fn new(place: &str, rule: &str) -> Self {
        Self { place: cleaned(place), rule: cleaned(rule) }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.place.is_empty() { "all of it" } else { &self.place };
        write!(f, "{place}: {}", self.rule)
    }
}

/// A place in a payload while it is walked: each knows the one above.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) above: Option<&'a Place<'a>>,
    pub(crate) step: Step<'a>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    Whole,
    Name(&'a str),
    Index(usize),
    /// a key of CBOR that is a number
    Number(i128),
    /// a key of CBOR that is something else
    Key,
}

impl<'a> Place<'a> {
    pub(crate) const WHOLE: Place<'static> = Place { above: None, step: Step::Whole };

    pub(crate) fn below(&'a self, step: Step<'a>) -> Place<'a> {
        Place { above: Some(self), step }
    }

    /// From the whole to here.
    fn steps(&self) -> impl Iterator<Item = Step<'a>> {
        let mut steps = Vec::new();
        let mut at = Some(self);
        while let Some(place) = at {
            steps.push(place.step);
            at = place.above;
        }
        steps.into_iter().rev()
    }

    /// As the path of a field of Protobuf.
    pub(crate) fn path(&self) -> String {
        let mut text = String::new();
        for step in self.steps() {
            match step {
                Step::Name(name) if text.is_empty() => text.push_str(name),
                Step::Name(name) => text.push_str(&format!(".{name}")),
                Step::Index(index) => text.push_str(&format!("[{index}]")),
                Step::Whole | Step::Number(_) | Step::Key => {}
            }
        }
        text
    }

    /// As a JSON pointer.
    pub(crate) fn pointer(&self) -> String {
        let mut text = String::new();
        for step in self.steps() {
            if text.len() > PLACE_CHARACTERS_MAX * 4 {
                break;
            }
            match step {
                Step::Whole => {}
                Step::Name(name) => {
                    text.push('/');
                    let name = name.chars().take(PLACE_CHARACTERS_MAX);
                    text.push_str(&escaped(&name.collect::<String>()));
                }
                Step::Index(index) => text.push_str(&format!("/{index}")),
                Step::Number(number) => text.push_str(&format!("/{number}")),
                Step::Key => text.push_str("/?"),
            }
        }
        text
    }
}

/// A name within a JSON pointer.
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Text of devices and members, for the eyes of others: bounded, without what moves the cursor or turns
/// the direction of writing.
fn cleaned(text: &str) -> String {
    let visible = |c: &char| {
        !c.is_control()
            && !matches!(
                *c,
                '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            )
    };
    text.chars().filter(visible).take(PLACE_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_pointers_and_bounded() {
        let whole = Place::WHOLE;
        let list = whole.below(Step::Name("a/b~c"));
        let third = list.below(Step::Index(2));
        assert_eq!(third.pointer(), "/a~1b~0c/2");
        let long = "x".repeat(100_000);
        let deep = third.below(Step::Name(&long));
        let found = Violation::new(&deep.pointer(), "rule\u{202e}\n\u{7}s");
        assert_eq!(found.place.chars().count(), PLACE_CHARACTERS_MAX);
        assert_eq!(found.rule, "rules");
    }
}
