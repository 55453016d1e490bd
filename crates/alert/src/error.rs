/// Why a rule is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlertError {
    /// It is longer than a rule may be.
    #[error("a rule has {most} bytes at most, this one {found}; say less in it")]
    TooLong {
        /// bytes there are
        found: usize,
        /// bytes there may be
        most: usize,
    },
    /// It is no JSON of this form.
    #[error("the rule does not parse: {0}; `tegata alert rules show` prints one as an example")]
    Malformed(String),
    /// A field says what it may not.
    #[error("the rule's `{field}`: {why}")]
    Field {
        /// which
        field: &'static str,
        /// what is wrong and what to do
        why: String,
    },
}

impl AlertError {
    pub(crate) fn field(field: &'static str, why: impl Into<String>) -> Self {
        Self::Field { field, why: why.into() }
    }
}
