/// Why something is no profile, or cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BehaviourError {
    /// what was given does not say what the aspect takes
    #[error("{aspect}: {why}")]
    Value {
        /// of which aspect
        aspect: &'static str,
        /// what it takes
        why: &'static str,
    },
    /// settings outside their bounds
    #[error("{0}")]
    Settings(&'static str),
    /// more was accepted than is kept
    #[error("a profile keeps 128 accepted entries at most; take one back first")]
    Full,
    /// what was kept is damaged
    #[error("a kept profile does not parse: {0}")]
    Damaged(String),
}
