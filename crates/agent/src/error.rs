/// Who is at fault, and so what can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// what was given or kept cannot be read: mend it
    Malformed,
    /// somebody with the right to do so said no, or what came is not trusted
    Refused,
    /// not now: try again
    Unavailable,
    /// this process must not go on
    Fatal,
}

/// Why something was not done: a stable code that programs compare, and words for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("[{code}] {detail}")]
pub struct Failure {
    /// who is at fault
    pub kind: Kind,
    /// stable, of docs/agent.md or docs/update-trust.md
    pub code: &'static str,
    /// what happened, and what to do next
    pub detail: String,
}

impl Failure {
    /// What was given or kept cannot be read.
    pub fn malformed(code: &'static str, detail: impl Into<String>) -> Self {
        Self { kind: Kind::Malformed, code, detail: detail.into() }
    }

    /// Refused.
    pub fn refused(code: &'static str, detail: impl Into<String>) -> Self {
        Self { kind: Kind::Refused, code, detail: detail.into() }
    }

    /// Not now.
    pub fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self { kind: Kind::Unavailable, code, detail: detail.into() }
    }

    /// The process must not go on.
    pub fn fatal(code: &'static str, detail: impl Into<String>) -> Self {
        Self { kind: Kind::Fatal, code, detail: detail.into() }
    }

    /// Whether the same may work later.
    pub fn passes(&self) -> bool {
        self.kind == Kind::Unavailable
    }
}

impl From<update::client::Refusal> for Failure {
    /// Metadata that are withheld, altered on the way or late may be better from the next answer;
    /// all are refused now.
    fn from(refusal: update::client::Refusal) -> Self {
        Self::refused(refusal.code(), refusal.to_string())
    }
}
