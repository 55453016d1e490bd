//! YAML in, with limits, and errors that name the place.

use crate::{AssessmentError, Detail};
use serde::de::DeserializeOwned;
use serde_saphyr::{Spanned, options::DuplicateKeyPolicy};

/// Longest file, in bytes: the whole check sheet in both languages is a quarter of it.
pub const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Nodes of one file: mappings, lists and values.
const NODES_MAX: usize = 200_000;
/// How deep mappings and lists may nest; our deepest is 6.
const DEPTH_MAX: usize = 16;

/// Reads one document. Aliases and merge keys are refused: nobody needs them here, and they turn a
/// small file into a large one.
pub(crate) fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, AssessmentError> {
    if text.len() > FILE_BYTES_MAX {
        return Err(AssessmentError::TooLarge {
            file: file.to_owned(),
            what: "bytes",
            found: text.len(),
            most: FILE_BYTES_MAX,
        });
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 4 * NODES_MAX,
            max_nodes: NODES_MAX,
            max_depth: DEPTH_MAX,
            max_aliases: 0,
            max_anchors: 0,
            max_documents: 1,
            max_merge_keys: 0,
            max_total_scalar_bytes: FILE_BYTES_MAX,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let (line, column) =
            error.location().map_or((0, 0), |place| (place.line(), place.column()));
        AssessmentError::Malformed {
            file: file.to_owned(),
            line,
            column,
            detail: Detail::from(&error),
        }
    })
}

/// An error at the place of `value`.
pub(crate) fn inconsistent<T>(
    file: &str,
    value: &Spanned<T>,
    detail: impl Into<Detail>,
) -> AssessmentError {
    AssessmentError::Inconsistent {
        file: file.to_owned(),
        line: value.referenced.line(),
        detail: detail.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    type Map = BTreeMap<String, String>;

    #[test]
    fn the_place_is_named() {
        let error = parse::<Map>("x.yaml", "a: b\nc: [").unwrap_err();
        assert!(matches!(error, AssessmentError::Malformed { line: 2, .. }), "{error}");
        let error = parse::<Map>("x.yaml", "a: b\na: c\n").unwrap_err();
        assert!(matches!(error, AssessmentError::Malformed { line: 2, .. }), "{error}");
    }

    #[test]
    fn what_grows_is_refused() {
        for text in ["a: &x b\nc: *x", "a: b\n---\na: b", "<<: {a: b}\nc: d", "a: !own b"] {
            assert!(parse::<Map>("x.yaml", text).is_err(), "{text}");
        }
        let deep = format!("a: {}x{}", "[".repeat(200), "]".repeat(200));
        assert!(parse::<Map>("x.yaml", &deep).is_err());
        let long = format!("a: {}", "x".repeat(FILE_BYTES_MAX));
        assert!(matches!(parse::<Map>("x.yaml", &long), Err(AssessmentError::TooLarge { .. })));
    }
}
