//! What is wrong with a text that says what doors do (a policy, a schema, a case), where, and what to do.

use std::fmt;

/// Problems that are told of one text; the rest is told once these are mended.
const PROBLEMS_MAX: usize = 20;
/// Longest message or hint, in characters.
const TEXT_CHARACTERS_MAX: usize = 400;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// line, from 1; 0 where it concerns the whole
    pub line: usize,
    /// column in characters, from 1; 0 where it concerns the line
    pub column: usize,
    /// what is wrong
    pub message: String,
    /// what to do about it
    pub hint: String,
}

/// All that is wrong with a text: at least one thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl Problem {
    /// A problem at a line and column; (0, 0): with the whole.
    pub fn new(
        (line, column): (usize, usize),
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { line, column, message: one_line(&message.into()), hint: one_line(&hint.into()) }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl Problems {
    /// As many of them as are told at once.
    pub fn of(problems: impl IntoIterator<Item = Problem>) -> Self {
        Self(problems.into_iter().take(PROBLEMS_MAX).collect())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => {}
            (line, 0) => write!(f, "line {line}: ")?,
            (line, column) => write!(f, "line {line}, column {column}: ")?,
        }
        write!(f, "{}; {}", self.message, self.hint)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// Line and column of a byte.
pub fn place_of(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count().saturating_add(1);
    let last = before.rsplit('\n').next().unwrap_or_default();
    (line, last.chars().count().saturating_add(1))
}

/// Text of others for logs and terminals: one line, without control characters, bounded.
pub fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !c.is_control()).take(TEXT_CHARACTERS_MAX).collect()
}
