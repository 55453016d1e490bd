//! Conditions: JSONPath (RFC 9535) over the envelope. One that selects anything holds.
//!
//! People write them and every message pays for them, at a door that serves everybody. So what may be
//! written is bounded such that the work is about linear in the envelope's size: the grammar of
//! RFC 9535 alone allows queries that take exponential time and memory.

use super::envelope::Envelope;
use serde_json_path::JsonPath;
use std::fmt;

/// Longest condition, in bytes.
pub const CONDITION_BYTES_MAX: usize = 1024;
/// Most brackets and parentheses within each other: the parser goes back and forth over them.
const NESTING_MAX: usize = 6;
/// Most filters (`?`).
const FILTERS_MAX: usize = 3;
/// Most commas: each may double what comes after it.
const COMMAS_MAX: usize = 1;
/// Most `&&`, `||` and comparisons together.
const OPERATORS_MAX: usize = 12;

/// A condition, ready to be asked.
#[derive(Clone)]
pub struct Condition {
    text: String,
    path: JsonPath,
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.text).finish()
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Condition {}

/// Why a text is no condition; positions count characters from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// longer than [`CONDITION_BYTES_MAX`]
    #[error("a condition has 1024 bytes at most; leave to the receiver what is longer")]
    TooLong,
    /// it could take too long for each message
    #[error("at character {position}: {why}")]
    Costly {
        /// where
        position: usize,
        /// what is not offered, and what to do instead
        why: &'static str,
    },
    /// it does not parse
    #[error(
        "at character {position}: {message}; a condition is JSONPath (RFC 9535), such as \
         `$.payload[?@ > 30]` or `$[?@.celsius > 30]`"
    )]
    Malformed {
        /// where
        position: usize,
        /// what the parser says
        message: String,
    },
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// [`ConditionError`].
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        if text.len() > CONDITION_BYTES_MAX {
            return Err(ConditionError::TooLong);
        }
        bounded(text)?;
        let path = JsonPath::parse(text).map_err(|error| {
            let byte = error.position().min(text.len());
            let before = text.char_indices().take_while(|(at, _)| *at < byte).count();
            ConditionError::Malformed {
                position: before.saturating_add(1),
                message: error.message().chars().filter(|c| !c.is_control()).take(200).collect(),
            }
        })?;
        Ok(Self { text: text.to_owned(), path })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it selects anything of an envelope.
    pub fn holds(&self, envelope: &Envelope) -> bool {
        !self.path.query(envelope.value()).is_empty()
    }
}

/// Refuses what costs more than it tells. Texts in quotes are read over.
fn bounded(text: &str) -> Result<(), ConditionError> {
    let mut quote = None;
    let mut escaped = false;
    // For each open bracket or parenthesis, whether a filter began in it.
    let mut open: Vec<bool> = Vec::new();
    let (mut filters, mut commas, mut descents) = (0_usize, 0_usize, 0_usize);
    // The right side of a comparison comes next.
    let (mut operators, mut comparing) = (0_usize, false);
    let mut last = ' ';
    for (index, character) in text.chars().enumerate() {
        let refused = |why| Err(ConditionError::Costly { position: index.saturating_add(1), why });
        if let Some(mark) = quote {
            if escaped {
                escaped = false;
            } else if character == '\\' {
                escaped = true;
            } else if character == mark {
                quote = None;
            }
            last = ' ';
            continue;
        }
        let filtering = open.contains(&true);
        let operator = matches!(character, '<' | '>' | '=') && !comparing
            || matches!(character, '&' | '|') && last == character;
        if operator {
            operators = operators.saturating_add(1);
            if operators > OPERATORS_MAX {
                return refused("twelve comparisons, `&&` and `||` at most; make two routes of it");
            }
        }
        if matches!(character, '<' | '>' | '=') {
            comparing = true;
        } else if comparing && !character.is_whitespace() {
            // What is compared with a literal takes no longer than the literal is.
            if !matches!(character, '\'' | '"' | '-' | '0'..='9' | 't' | 'f' | 'n') {
                return refused(
                    "on the right of a comparison stands a number, a text, true, false or null",
                );
            }
            comparing = false;
        }
        match character {
            '\'' | '"' => quote = Some(character),
            '[' | '(' if open.len() >= NESTING_MAX => {
                return refused("nested too deeply: six levels at most");
            }
            '[' | '(' => open.push(false),
            ']' | ')' => drop(open.pop()),
            '?' => {
                filters = filters.saturating_add(1);
                if filters > FILTERS_MAX {
                    return refused("three filters at most; make two routes of it");
                }
                if let Some(innermost) = open.last_mut() {
                    *innermost = true;
                }
            }
            ',' => {
                commas = commas.saturating_add(1);
                if commas > COMMAS_MAX {
                    return refused("one comma at most; use `||` in a filter");
                }
            }
            '$' if filtering => {
                return refused("`$` within a filter is not offered: a filter looks at `@`");
            }
            '.' if last == '.' => {
                descents = descents.saturating_add(1);
                if filtering || descents > 1 {
                    return refused("`..` is offered once, and not within a filter; name the path");
                }
                last = ' ';
                continue;
            }
            _ => {}
        }
        last = character;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::message;
    use super::*;
    use proptest::prelude::*;

    fn envelope(payload: &str) -> Envelope {
        Envelope::of(&message("up/x", Some("application/json"), payload.as_bytes()))
    }

    #[test]
    fn what_selects_anything_holds() {
        let payload = r#"{"celsius": 31, "doors": [{"open": true}, {"open": false}], "n": null}"#;
        for (condition, holds) in [
            ("$", true),
            ("$.payload.celsius", true),
            ("$.payload.kelvin", false),
            // An element that is there counts, whatever it says.
            ("$.payload.n", true),
            ("$[?@.celsius > 30]", true),
            ("$[?@.celsius > 31]", false),
            ("$.payload.doors[?@.open == true]", true),
            ("$.payload.doors[?@.open == 1]", false),
            ("$[?@.celsius > 30 && @.n == null]", true),
            ("$..open", true),
            ("$..[?@.open]", true),
            ("$[?@ == 'mqtt']", true),
            ("$[?@ == \"it's a $..*[?,,,,,((((((\"]", false),
            ("$.payload[?length(@) == 2]", true),
            ("$.payload[?count(@[*]) == 2]", true),
            ("$.payload['celsius','kelvin']", true),
        ] {
            let parsed = Condition::parse(condition).unwrap();
            assert_eq!(parsed.holds(&envelope(payload)), holds, "{condition}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let place = |text: &str| match Condition::parse(text) {
            Err(ConditionError::Malformed { position, .. }) => ("malformed", position),
            Err(ConditionError::Costly { position, .. }) => ("costly", position),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(place("payload.x"), ("malformed", 1));
        assert_eq!(place("$.payload["), ("malformed", 10));
        assert_eq!(place("$.温度 >"), ("malformed", 5));
        assert_eq!(place(""), ("malformed", 1));
        // There are no regular expressions here: each message would pay for making one.
        assert_eq!(place("$[?match(@, 'a.*')]").0, "malformed");
        for (text, position) in [
            ("$..a..b", 6),
            ("$[?@..a]", 6),
            ("$[?@.a == $.device]", 11),
            ("$[*][0,0][0,0][0,0][0,0][0,0]", 12),
            ("$[?@==@]", 7),
            ("$[?@.a <= count(@[*])]", 11),
            ("$[?(((((((1)))))))]", 9),
            ("$[?@.a][?@.a][?@.a][?@.a]", 21),
        ] {
            assert_eq!(place(text), ("costly", position), "{text}");
        }
        assert_eq!(Condition::parse(&"$".repeat(1025)), Err(ConditionError::TooLong));
    }

    /// The most that a condition may cost, over the largest envelope: bounded work, not a second.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test of how long something takes")]
    fn the_worst_that_may_be_written_is_bounded() {
        let item = r#"{"a":[1,2,3,4],"b":{"c":[1,2]}}"#;
        let wide = format!("[{}]", vec![item; 600].join(","));
        let deep = format!("{}1{}", "[1,2,3,4,".repeat(28), "]".repeat(28));
        for payload in [wide, deep] {
            let envelope = envelope(&payload);
            for text in [
                "$..[*,*]",
                "$..[?@[?@[?@ > 1]]]",
                "$..[?count(@[*,*]) > 1][*]",
                "$[*,*][*][*][*]",
                "$..[?@ == 1 || @ == 2 || @.a == 3 || count(@[*]) == 4 || length(@.b) == 9]",
            ] {
                let began = std::time::Instant::now();
                let _ = Condition::parse(text).unwrap().holds(&envelope);
                let took = began.elapsed();
                assert!(took < std::time::Duration::from_secs(2), "{text}: {took:?}");
            }
        }
    }

    /// Texts that are nearly conditions.
    fn texts() -> impl Strategy<Value = String> {
        let part = prop::sample::select(vec![
            "$", "@", ".", "..", "*", "[", "]", "(", ")", "?", ",", ":", "'a'", "\"", "'", "\\",
            "a", "payload", "1", "-1", "0", "==", "<", "&&", "||", "!", " ", "length(", "count(",
            "value(", "match(", "温", "true", "null", "1e9", "[?@", "[*]", "[?", "[1:2:3]",
        ]);
        prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(tail in texts(), rooted in any::<bool>(), payload in ".{0,60}") {
            let text = if rooted { format!("${tail}") } else { tail };
            match Condition::parse(&text) {
                Ok(condition) => {
                    let _ = condition.holds(&envelope(&payload));
                    let _ = condition.holds(&envelope(r#"{"a":[1,{"a":2}],"payload":"a"}"#));
                    prop_assert_eq!(condition.as_str(), text);
                }
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}
