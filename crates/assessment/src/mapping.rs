use crate::{
    AssessmentError, RecordRef,
    named::words,
    yaml::{inconsistent, parse},
};
use serde::Deserialize;
use serde_saphyr::Spanned;

/// Mappings of one file.
pub const MAPPINGS_MAX: usize = 20_000;

words! {
    /// How what one side asks relates to what the other asks.
    Relation {
        /// Both ask the same.
        Equal "equal" "asks the same as" "と同等",
        /// The first asks for a part of the second.
        Subset "subset" "asks for a part of" "の一部",
        /// The first asks for all of the second, and more.
        Superset "superset" "asks for all, and more, of" "を包含",
        /// Both ask for some things together, and each for others.
        Intersect "intersect" "overlaps with" "と一部重複",
    }
}

impl Relation {
    /// Seen from the other side.
    pub fn inverse(self) -> Self {
        match self {
            Self::Subset => Self::Superset,
            Self::Superset => Self::Subset,
            same => same,
        }
    }

    /// Whether who meets the first meets the second, too.
    pub fn hands_on_success(self) -> bool {
        matches!(self, Self::Equal | Self::Superset)
    }

    /// Whether who fails the first fails the second, too.
    pub fn hands_on_failure(self) -> bool {
        matches!(self, Self::Equal | Self::Subset)
    }
}

/// A relation between records of two catalogues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// the first
    pub from: RecordRef,
    /// how the first relates to the second
    pub relation: Relation,
    /// the second
    pub to: RecordRef,
    /// line of the file, for errors
    pub(crate) line: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMappings {
    mappings: Vec<RawMapping>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMapping {
    from: Spanned<String>,
    #[serde(default)]
    equal: Vec<Spanned<String>>,
    #[serde(default)]
    subset: Vec<Spanned<String>>,
    #[serde(default)]
    superset: Vec<Spanned<String>>,
    #[serde(default)]
    intersect: Vec<Spanned<String>>,
}

impl Mapping {
    /// Reads a file of mappings.
    ///
    /// # Errors
    /// [`AssessmentError::Malformed`] and [`AssessmentError::Inconsistent`] with the line,
    /// [`AssessmentError::TooLarge`] beyond [`MAPPINGS_MAX`].
    pub fn parse(file: &str, text: &str) -> Result<Vec<Self>, AssessmentError> {
        let raw: RawMappings = parse(file, text)?;
        let mut mappings = Vec::new();
        for one in raw.mappings {
            let from = reference(file, &one.from)?;
            let kinds = [
                (Relation::Equal, one.equal),
                (Relation::Subset, one.subset),
                (Relation::Superset, one.superset),
                (Relation::Intersect, one.intersect),
            ];
            for (relation, targets) in kinds {
                for target in targets {
                    let to = reference(file, &target)?;
                    if to.source() == from.source() {
                        let detail = "a mapping joins two catalogues, this one stays within one";
                        return Err(inconsistent(file, &target, detail));
                    }
                    let line = target.referenced.line();
                    mappings.push(Self { from: from.clone(), relation, to, line });
                }
            }
        }
        if mappings.len() > MAPPINGS_MAX {
            return Err(AssessmentError::TooLarge {
                file: file.to_owned(),
                what: "mappings",
                found: mappings.len(),
                most: MAPPINGS_MAX,
            });
        }
        Ok(mappings)
    }
}

/// Reads `source:id`.
pub(crate) fn reference(file: &str, text: &Spanned<String>) -> Result<RecordRef, AssessmentError> {
    RecordRef::parse(&text.value).ok_or_else(|| {
        inconsistent(
            file,
            text,
            format!("{:?} is no reference; it has the form source:id", text.value),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_seen_from_the_other_side_hand_on_the_opposite() {
        for relation in Relation::ALL {
            assert_eq!(relation.inverse().inverse(), *relation);
            // Who fails the second fails the first exactly where success would be handed on.
            assert_eq!(relation.hands_on_success(), relation.inverse().hands_on_failure());
        }
        assert!(!Relation::Intersect.hands_on_success());
        assert!(!Relation::Subset.hands_on_success());
    }

    #[test]
    fn a_mapping_within_one_catalogue_is_refused_with_its_line() {
        let text = "mappings:\n  - from: a:1\n    equal: [b:1]\n    subset:\n      - a:2\n";
        let error = Mapping::parse("m.yaml", text).unwrap_err();
        assert!(matches!(error, AssessmentError::Inconsistent { line: 5, .. }), "{error}");
    }
}
