use crate::{
    json::JsonError,
    role::{RoleName, Version},
};
use crypto::{KeyError, SignError, UnixTime};

/// Why metadata is not accepted, or could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// More bytes than the limit for this role.
    #[error("{what} of {length} bytes is too large; at most {max} are read")]
    TooLarge {
        /// what it is
        what: &'static str,
        /// bytes at hand
        length: usize,
        /// the limit
        max: u64,
    },
    /// Not JSON, or JSON that could be read in two ways.
    #[error("metadata is not acceptable JSON: {0}")]
    Json(#[from] JsonError),
    /// A field is missing or not what the specification says.
    #[error("metadata is malformed: {field} {reason}")]
    Malformed {
        /// which field
        field: String,
        /// what is wrong with it
        reason: String,
    },
    /// Metadata of another role.
    #[error("this is metadata of type {found:?}, not {expected:?}")]
    WrongType {
        /// type wanted
        expected: &'static str,
        /// type at hand
        found: String,
    },
    /// Fewer good signatures by distinct keys of the role than its threshold.
    #[error("{role} has {found} good signatures by distinct keys of the role and needs {needed}")]
    Threshold {
        /// role that should have signed
        role: RoleName,
        /// distinct keys whose signature verifies
        found: usize,
        /// the threshold
        needed: usize,
    },
    /// Nobody is named as a signer of this role.
    #[error("nobody is named who may sign for the role {0}")]
    NoAuthority(RoleName),
    /// The new root is not the next version of the old one.
    #[error("root has version {found}, and {expected} must follow")]
    NotNext {
        /// version at hand
        found: Version,
        /// version that must follow
        expected: Version,
    },
    /// It is past its end.
    #[error("{role} version {version} expired at {expires}")]
    Expired {
        /// whose
        role: RoleName,
        /// which
        version: Version,
        /// when
        expires: UnixTime,
    },
    /// A key cannot be used.
    #[error("key {id} cannot be used: {reason}")]
    Key {
        /// its key id
        id: String,
        /// why
        reason: String,
    },
    /// Signing failed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A public key that is not accepted.
    #[error(transparent)]
    PublicKey(#[from] KeyError),
}

impl MetadataError {
    pub(crate) fn malformed(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Malformed { field: field.into(), reason: reason.into() }
    }
}
