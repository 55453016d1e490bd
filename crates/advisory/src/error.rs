/// Why a document, an identifier or a statement is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdvisoryError {
    /// Beyond a limit of `docs/advisory.md`.
    #[error("{what}: {found}, at most {most} are read")]
    TooLarge {
        /// what is counted, with its unit
        what: &'static str,
        /// how much was found
        found: usize,
        /// the limit
        most: usize,
    },
    /// Not the form that it claims to be.
    #[error("not {expected}: {detail}")]
    Malformed {
        /// the form
        expected: &'static str,
        /// where and why
        detail: String,
    },
    /// Well-formed, but of a kind that is not read.
    #[error("{0}")]
    Unsupported(String),
    /// A statement that nobody may make like this.
    #[error("refused: {0}")]
    Refused(String),
}

impl AdvisoryError {
    pub(crate) fn malformed(expected: &'static str, detail: impl Into<String>) -> Self {
        Self::Malformed { expected, detail: crate::text::line(&detail.into(), 200) }
    }

    /// What to do next, for people.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => {
                "split the document, or leave out what is no component (files, evidence, licence texts)"
            }
            Self::Malformed { .. } => {
                "check the document with its producer's validator; nothing of it was used"
            }
            Self::Unsupported(_) => {
                "convert it: SBOMs are read as CycloneDX 1.3-1.7 (JSON, XML) and SPDX 2.2, 2.3 \
                 (JSON, tag-value), 3.0 (JSON-LD); advisories as OSV, CSAF 2.0, 2.1 and KEV; VEX as \
                 OpenVEX, CycloneDX and CSAF"
            }
            Self::Refused(_) => "complete the statement and give it again",
        }
    }
}
