use crypto::SignError;

/// Why the ledger, or a verifier of what it published, does not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Input that does not have the form its specification gives it: the sender's fault.
    #[error("{what} is malformed: {why}")]
    Malformed {
        /// what was read
        what: &'static str,
        /// what is wrong with it
        why: String,
    },
    /// Input beyond a limit, refused before it was read.
    #[error("{what} is too large: at most {limit} {unit} are accepted")]
    TooLarge {
        /// what was read
        what: &'static str,
        /// the limit
        limit: u64,
        /// the limit's unit
        unit: &'static str,
    },
    /// A checkpoint of another log.
    #[error("the checkpoint is of log {found:?}, not of {expected:?}; use the key of its own log")]
    WrongOrigin {
        /// the log asked for
        expected: String,
        /// the log that the checkpoint names
        found: String,
    },
    /// No signature by the log's key: nobody vouches for this checkpoint.
    #[error("the checkpoint is not signed by {0}; get the log's current key string")]
    NoLogSignature(String),
    /// A signature in the name of a known key that this key did not make.
    #[error("the signature by {0} does not verify: the checkpoint was altered or forged")]
    BadSignature(String),
    /// Fewer witnesses than asked for have cosigned.
    #[error("{have} of the trusted witnesses have cosigned, {need} are required")]
    Quorum {
        /// different trusted witnesses whose cosignatures verify
        have: usize,
        /// how many were asked for
        need: usize,
    },
    /// A Merkle proof that does not lead to the root.
    #[error("{0} proof does not verify: the history was altered, or the proof is of another tree")]
    ProofInvalid(&'static str),
    /// Asked for something that the signed log does not (yet) hold.
    #[error("{what} {asked} is not in the signed log of {size} entries")]
    OutOfRange {
        /// what was asked for: an entry, a tree of some size
        what: &'static str,
        /// its index or size
        asked: u64,
        /// size of the signed log
        size: u64,
    },
    /// Another writer changed the checkpoint first. A log has one sequencer at a time.
    #[error("another sequencer has advanced the checkpoint; only one may write to a log")]
    Conflict,
    /// A store cannot be read or written now. Trying again is safe.
    #[error("the ledger's store is unavailable: {0}")]
    Unavailable(String),
    /// The key cannot be used.
    #[error("the log's key cannot sign: {0}")]
    Sign(#[from] SignError),
    /// Two things that must agree do not. The ledger signs nothing more until someone has looked.
    #[error(
        "the ledger is in doubt and has stopped: {0}; compare it with a backup before it goes on"
    )]
    InDoubt(String),
}

impl LedgerError {
    /// Whether the process must stop signing, in contrast to this request failing.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::InDoubt(_))
    }

    pub(crate) fn malformed(what: &'static str, why: impl Into<String>) -> Self {
        Self::Malformed { what, why: why.into() }
    }

    pub(crate) fn doubt(why: impl Into<String>) -> Self {
        Self::InDoubt(why.into())
    }
}
