/// Why bytes are not a security event or a chain head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// Not the encoding of `docs/audit.md`.
    #[error("not a security event: {0}")]
    Malformed(&'static str),
    /// More bytes than an event can have.
    #[error("a security event of {found} bytes, at most {most} are read")]
    TooLong {
        /// bytes found
        found: usize,
        /// limit in bytes
        most: usize,
    },
}
