/// Why a catalogue, a check sheet or a diagnosis is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssessmentError {
    /// Beyond a limit of `docs/assessment.md`.
    #[error("{file}: {what}: {found}, at most {most} are read")]
    TooLarge {
        /// which file
        file: String,
        /// what is counted, with its unit
        what: &'static str,
        /// how much was found
        found: usize,
        /// the limit
        most: usize,
    },
    /// Not the form that it should have.
    #[error("{file}:{line}:{column}: {detail}")]
    Malformed {
        /// which file
        file: String,
        /// line, from 1; 0 where it is not known
        line: u64,
        /// column in characters, from 1; 0 where it is not known
        column: u64,
        /// what is wrong
        detail: String,
    },
    /// Well-formed, but it names something that does not exist, or says the same thing twice.
    #[error("{file}:{line}: {detail}")]
    Inconsistent {
        /// which file
        file: String,
        /// line, from 1; 0 where it is not known
        line: u64,
        /// what is wrong
        detail: String,
    },
    /// Something that the rules of a diagnosis do not allow.
    #[error("refused: {0}")]
    Refused(crate::Refusal),
}

impl AssessmentError {
    /// What to do next, for people.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "split the file, or shorten what people typed into it",
            Self::Malformed { .. } => {
                "the place is line:column; docs/assessment.md shows a complete example of each file"
            }
            Self::Inconsistent { .. } => {
                "`tegata catalogue list` and `tegata checksheet items` show what can be named"
            }
            Self::Refused(_) => "complete the diagnosis and try again",
        }
    }
}
