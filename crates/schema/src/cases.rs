//! Cases: payloads that a schema is to take and to refuse, written down by who writes it, and tried before
//! it may be in force. The same file is tried by `tegata schema test` without a server.

use crate::{Broken, STEPS_MAX, Schema, Steps};
use admission::{Problem, Problems, one_line};
use base64::Engine as _;
use serde::Deserialize;
use serde_saphyr::{Spanned, options::DuplicateKeyPolicy};

/// Longest file of cases, in bytes.
pub const CASES_BYTES_MAX: usize = 128 * 1024;
/// Most cases of a schema.
pub const CASES_MAX: usize = 100;
/// Steps of all cases together.
const STEPS_ALL: u64 = 2 * STEPS_MAX;
/// Longest name of a case, in characters.
const NAME_CHARACTERS_MAX: usize = 120;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    cases: Vec<Spanned<RawCase>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: String,
    text: Option<String>,
    hex: Option<String>,
    base64: Option<String>,
    expect: Expected,
    at: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Accepted,
    Refused,
}

/// Cases that make sense.
#[derive(Debug, Clone)]
pub struct Cases(Vec<Case>);

#[derive(Debug, Clone)]
struct Case {
    name: String,
    payload: Vec<u8>,
    accepted: bool,
    at: Option<String>,
}

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// its name
    pub name: String,
    /// whether it came out as expected
    pub passed: bool,
    /// whether the payload was accepted
    pub accepted: bool,
    /// why not, where it was not
    pub why: Option<String>,
    /// what was expected instead, where it did not pass
    pub instead: Option<String>,
    /// steps that it took
    pub steps: u64,
}

/// What came of all cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// one by one, in their order
    pub cases: Vec<Tried>,
}

impl Report {
    /// Whether every case came out as expected.
    pub fn passed(&self) -> bool {
        self.cases.iter().all(|case| case.passed)
    }

    /// How many did not.
    pub fn failures(&self) -> usize {
        self.cases.iter().filter(|case| !case.passed).count()
    }
}

impl Cases {
    /// Reads cases from YAML, of which JSON is a part. At least one payload is to be accepted, and at
    /// least one refused: a schema that does neither says nothing.
    ///
    /// # Errors
    /// [`Problems`], with places and hints.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        if text.len() > CASES_BYTES_MAX {
            let message = format!("the cases have more than {CASES_BYTES_MAX} bytes");
            return Err(Problem::new((0, 0), message, "write fewer cases").into());
        }
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                max_events: 16 * CASES_MAX,
                max_nodes: 16 * CASES_MAX,
                max_depth: 6,
                max_aliases: 0,
                max_anchors: 0,
                max_documents: 1,
                max_merge_keys: 0,
                max_total_scalar_bytes: CASES_BYTES_MAX,
            },
            duplicate_keys: DuplicateKeyPolicy::Error,
            strict_booleans: true,
            reject_unsupported_tags: true,
            with_snippet: false,
        };
        let raw: RawFile = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let place = error.location().map_or((0, 0), |place| {
                let number = |it: u64| usize::try_from(it).unwrap_or(0);
                (number(place.line()), number(place.column()))
            });
            let message = one_line(&error.render());
            Problems::from(Problem::new(place, message, "docs/schemas.md has an example"))
        })?;
        if raw.cases.is_empty() || raw.cases.len() > CASES_MAX {
            let message = format!("there are {} cases", raw.cases.len());
            let hint = format!("write 1 to {CASES_MAX}");
            return Err(Problem::new((0, 0), message, hint).into());
        }
        let mut cases = Vec::with_capacity(raw.cases.len());
        for case in raw.cases {
            let line = usize::try_from(case.referenced.line()).unwrap_or(0);
            cases.push(Case::read(case.value, line)?);
        }
        for (accepted, what) in [(true, "accepted"), (false, "refused")] {
            if !cases.iter().any(|case| case.accepted == accepted) {
                let message = format!("no case expects a payload to be {what}");
                let hint = "one of each shows that the schema says something";
                return Err(Problem::new((0, 0), message, hint).into());
            }
        }
        Ok(Self(cases))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Tries them.
    pub fn run(&self, schema: &Schema) -> Report {
        let mut left = STEPS_ALL;
        let cases = self.0.iter().map(|case| {
            let mut steps = Steps::new(STEPS_MAX.min(left));
            let broken = schema.check(&case.payload, &mut steps).err();
            left = left.saturating_sub(steps.used());
            let accepted = broken.is_none();
            let place = match &broken {
                Some(Broken::Violation(found)) => Some(found.place.as_str()),
                _ => None,
            };
            let right_place = case.at.as_deref().is_none_or(|at| place == Some(at));
            // What is too costly is refused, and yet nothing that anybody meant.
            let costly = matches!(broken, Some(Broken::Costly));
            let passed = accepted == case.accepted && right_place && !costly;
            let instead = (!passed).then(|| match (&case.at, case.accepted) {
                (Some(at), _) => format!("refused at {at}"),
                (None, true) => "accepted".to_owned(),
                (None, false) => "refused".to_owned(),
            });
            let why = broken.map(|broken| one_line(&broken.to_string()));
            Tried { name: case.name.clone(), passed, accepted, why, instead, steps: steps.used() }
        });
        Report { cases: cases.collect() }
    }
}

impl Case {
    fn read(raw: RawCase, line: usize) -> Result<Self, Problems> {
        let wrong =
            |message: &str, hint: &str| Problems::from(Problem::new((line, 0), message, hint));
        let named = !raw.name.is_empty()
            && raw.name.chars().count() <= NAME_CHARACTERS_MAX
            && !raw.name.chars().any(char::is_control);
        if !named {
            return Err(wrong("a name cannot be used", "1 to 120 characters"));
        }
        let spaceless = |text: &str| text.split_whitespace().collect::<String>();
        let payload = match (raw.text, raw.hex, raw.base64) {
            (Some(text), None, None) => Some(text.into_bytes()),
            (None, Some(text), None) => hex::decode(spaceless(&text)).ok(),
            (None, None, Some(text)) => {
                base64::engine::general_purpose::STANDARD.decode(spaceless(&text)).ok()
            }
            _ => None,
        };
        let payload = payload.ok_or_else(|| {
            wrong("the case has no payload", "write one of text, hex and base64 in it")
        })?;
        let accepted = raw.expect == Expected::Accepted;
        if accepted && raw.at.is_some() {
            return Err(wrong("what is accepted fails nowhere", "leave at out"));
        }
        Ok(Self { name: raw.name, payload, accepted, at: raw.at })
    }
}
