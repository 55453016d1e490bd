//! Errors by who is at fault and what a caller can do. One file per door turns them into HTTP,
//! EST, … answers (invariant 7).

use crate::japanese;
use std::borrow::Cow;

const STORE_CORRUPT: &str = "store-corrupt";
const STORE_IO: &str = "store-io";
const BATCH_UNDONE: &str = "batch-undone";

/// What went wrong, in words that are safe to show: no secrets, no other tenant's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable, kebab-case; programs may depend on it.
    pub code: &'static str,
    /// Lower case, no trailing full stop, with what to do next where that is known.
    pub message: Cow<'static, str>,
    /// The same in Japanese, where the domain gives one.
    pub message_ja: Option<Cow<'static, str>>,
    /// The request that waits for a second person (`needs-second-person`).
    pub approval: Option<crate::ApprovalId>,
    /// Seconds after which to ask again, where that is known.
    pub retry_after_s: Option<u64>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// Who is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The bytes are not what they should be.
    Malformed,
    /// Nobody vouches for the caller.
    Unauthenticated,
    /// The caller is known and may not.
    Forbidden,
    /// Not there, or not the caller's to see.
    NotFound,
    /// Understood, and against the rules: an illegal move, a policy.
    Refused,
    /// True a moment ago; look again and repeat.
    Conflict,
    /// Too much, too many, too often.
    TooMany,
    /// Not now; repeat later. Whether the command took effect is not known.
    Unavailable,
    /// The process must stop: the store or the ledger is in doubt.
    Fatal,
}

/// The error of every use case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ServiceError {
    kind: ErrorKind,
    problem: Box<Problem>,
}

impl ServiceError {
    fn new(kind: ErrorKind, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let problem = Problem {
            code,
            message: message.into(),
            message_ja: japanese::of(code).map(Cow::Borrowed),
            approval: None,
            retry_after_s: None,
        };
        Self { kind, problem: Box::new(problem) }
    }

    pub(crate) fn malformed(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Malformed, code, message)
    }

    pub(crate) fn unauthenticated(
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(ErrorKind::Unauthenticated, code, message)
    }

    pub(crate) fn forbidden(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Forbidden, code, message)
    }

    pub(crate) fn not_found(what: &'static str) -> Self {
        Self::new(
            ErrorKind::NotFound,
            "not-found",
            format!("no such {what}, or it is not yours to see; check its id"),
        )
    }

    pub(crate) fn refused(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Refused, code, message)
    }

    pub(crate) fn conflict(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Conflict, code, message)
    }

    pub(crate) fn too_many(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::TooMany, code, message)
    }

    pub(crate) fn unavailable(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unavailable, code, message)
    }

    pub(crate) fn fatal(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Fatal, code, message)
    }

    pub(crate) fn in_japanese(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.problem.message_ja = Some(message.into());
        self
    }

    /// When to ask again.
    pub(crate) fn after(mut self, seconds: u64) -> Self {
        self.problem.retry_after_s = Some(seconds.max(1));
        self
    }

    pub(crate) fn with_approval(mut self, approval: crate::ApprovalId) -> Self {
        self.problem.approval = Some(approval);
        self
    }

    /// The writer has stopped: what was queued may or may not have been committed.
    pub(crate) fn stopped() -> Self {
        Self::unavailable(
            "stopped",
            "the service is stopping; whether the command took effect shows when you look again",
        )
    }

    /// The batch that a command was in is undone as a whole.
    pub(crate) fn batch_undone() -> Self {
        Self::unavailable(BATCH_UNDONE, "the change was undone with others in its batch; repeat it")
    }

    /// Whether the transaction that it came from is lost, with all that is in it: nobody may go on in it.
    pub(crate) fn is_store_lost(&self) -> bool {
        [STORE_CORRUPT, STORE_IO, BATCH_UNDONE].contains(&self.code())
    }

    /// Whether it says nothing about what was asked: the store cannot answer now, or is damaged.
    pub fn is_no_answer(&self) -> bool {
        matches!(self.kind, ErrorKind::Unavailable | ErrorKind::Fatal)
    }

    /// Who is at fault.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.problem.code
    }

    /// The message in Japanese, where there is one.
    pub fn message_ja(&self) -> Option<&str> {
        self.problem.message_ja.as_deref()
    }

    /// The request that waits for a second person, where that is what stands in the way.
    pub fn approval(&self) -> Option<crate::ApprovalId> {
        self.problem.approval
    }

    /// Seconds after which to ask again, for what is too much or not possible now: at least one.
    pub fn retry_after_s(&self) -> Option<u64> {
        let later = matches!(self.kind, ErrorKind::TooMany | ErrorKind::Unavailable);
        self.problem.retry_after_s.or(later.then_some(1))
    }

    /// Code and texts.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

/// A failure of SQLite is nobody's fault but ours: the details go to the log, not to the caller.
impl From<rusqlite::Error> for ServiceError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as C;
        if let Some(damaged) = crate::store::damaged::of(&error) {
            tracing::error!(%damaged, "the store is damaged");
            let message = format!("{damaged}; stop the service and restore a backup");
            return Self::fatal("store-damaged", message);
        }
        tracing::error!(%error, "the store failed");
        match error.sqlite_error_code() {
            Some(C::DatabaseBusy | C::DatabaseLocked) => Self::unavailable(
                "store-busy",
                "the store is busy; repeat the request in a few seconds",
            ),
            Some(C::DiskFull) => Self::unavailable(
                "disk-full",
                "the store's disk is full; nothing was recorded; free space and repeat",
            ),
            Some(C::DatabaseCorrupt | C::NotADatabase) => Self::fatal(
                STORE_CORRUPT,
                "the store is damaged; stop the service and restore a backup",
            ),
            Some(C::SystemIoFailure | C::CannotOpen | C::ReadOnly) => Self::fatal(
                STORE_IO,
                "the store's disk fails; stop the service and look at the disk",
            ),
            Some(C::ConstraintViolation) => Self::conflict(
                "store-conflict",
                "something of this name or number exists already; look again and repeat",
            ),
            _ => Self::fatal("store-failed", "the store failed; the service's own log says why"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_follow_the_style() {
        for error in [
            ServiceError::not_found("device"),
            ServiceError::stopped(),
            ServiceError::from(rusqlite::Error::QueryReturnedNoRows),
        ] {
            let text = error.to_string();
            assert!(text.starts_with(|c: char| c.is_lowercase()), "{text}");
            assert!(!text.ends_with('.'), "{text}");
        }
    }
}
