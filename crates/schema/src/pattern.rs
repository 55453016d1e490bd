//! Regular expressions in time that grows with their text: no looking around, no looking back.

use crate::steps::{Exhausted, Steps};
use regex_automata::{meta, nfa::thompson};

/// Longest pattern, in bytes.
pub(crate) const PATTERN_BYTES_MAX: usize = 256;
/// Most patterns of a schema.
pub(crate) const PATTERNS_MAX: usize = 32;
/// Memory of one compiled pattern, in bytes.
const MEMORY_MAX: usize = 64 * 1024;

/// A compiled pattern.
pub(crate) struct Pattern {
    regex: meta::Regex,
    /// states of its automaton: the worst that a character may cost
    states: u64,
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pattern").field("states", &self.states).finish_non_exhaustive()
    }
}

/// What is wrong with a pattern, and what to do.
pub(crate) type Wrong = (String, &'static str);

impl Pattern {
    /// A pattern of ECMA 262, found anywhere in a text.
    pub(crate) fn ecma(pattern: &str) -> Result<Self, Wrong> {
        bounded(pattern)?;
        let translated = jsonschema_regex::to_rust_regex(pattern).map_err(|()| {
            let hint =
                "no (?=…), (?!…), (?<=…) and \\1: what looks around or back takes endless time";
            (format!("the pattern {pattern:?} cannot be used"), hint)
        })?;
        Self::build(&translated)
    }

    /// A pattern of XML Schema, as CDDL has them: the whole text.
    pub(crate) fn whole(pattern: &str) -> Result<Self, Wrong> {
        bounded(pattern)?;
        Self::build(&format!("^(?:{pattern})$"))
    }

    fn build(pattern: &str) -> Result<Self, Wrong> {
        let wrong = |_| {
            let hint = "shorter repetitions, and the usual syntax of regular expressions";
            (format!("the pattern {pattern:?} does not compile, or is too large"), hint)
        };
        let bound = thompson::Config::new().nfa_size_limit(Some(MEMORY_MAX));
        let nfa = thompson::Compiler::new().configure(bound).build(pattern);
        let states = nfa.map_err(|_| ()).map(|it| it.states().len()).map_err(wrong)?;
        let config = meta::Config::new()
            .nfa_size_limit(Some(MEMORY_MAX))
            .onepass_size_limit(Some(MEMORY_MAX))
            .hybrid_cache_capacity(MEMORY_MAX)
            .dfa(false);
        let regex = meta::Builder::new().configure(config).build(pattern);
        let states = u64::try_from(states).unwrap_or(u64::MAX);
        Ok(Self { regex: regex.map_err(|_| ()).map_err(wrong)?, states })
    }

    /// Whether a text has it.
    pub(crate) fn matches(&self, text: &str, steps: &mut Steps) -> Result<bool, Exhausted> {
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX).saturating_add(1);
        steps.take((bytes.saturating_mul(self.states) / 16).saturating_add(1))?;
        Ok(self.regex.is_match(text))
    }
}

fn bounded(pattern: &str) -> Result<(), Wrong> {
    if pattern.len() <= PATTERN_BYTES_MAX {
        return Ok(());
    }
    let message = format!("a pattern has more than {PATTERN_BYTES_MAX} bytes");
    Err((message, "a shorter pattern, or several"))
}
