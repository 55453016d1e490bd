use crate::{
    MetadataError,
    client::Refusal,
    role::{RoleName, TopRole, Version},
};
use crypto::UnixTime;

/// Why a repository cannot be read, or a change to it is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RepositoryError {
    /// A file that must be there is not.
    #[error("{0} is missing")]
    Missing(String),
    /// A file cannot be read or verified.
    #[error("{file}: {error}")]
    File {
        /// which
        file: String,
        /// why
        error: MetadataError,
    },
    /// Contents that cannot be made.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A role's file is not signed as it must be now.
    #[error("{role} must be signed: {error}")]
    MustSign {
        /// whose file
        role: RoleName,
        /// what is missing
        error: MetadataError,
    },
    /// A version that does not follow the published one.
    #[error("{role} has version {found}, and version {expected} must follow the published one")]
    WrongVersion {
        /// whose file
        role: RoleName,
        /// version at hand
        found: Version,
        /// version that must follow
        expected: Version,
    },
    /// No version follows: somebody moved it to the end. The role's keys are lost.
    #[error("no version follows {role} version {version}; recover as after the loss of its keys")]
    FastForwarded {
        /// whose file
        role: RoleName,
        /// its version
        version: Version,
    },
    /// A role that is delegated to has no file.
    #[error(
        "{0} is delegated to and has never been published; sign its file or end the delegation"
    )]
    Unpublished(RoleName),
    /// A file of a role to which nobody delegates.
    #[error("nobody delegates to {0}")]
    Stray(RoleName),
    /// A role's file has expired or would at once.
    #[error("{role} version {version} expired at {expires}; sign a new version")]
    Expired {
        /// whose file
        role: RoleName,
        /// which version
        version: Version,
        /// when
        expires: UnixTime,
    },
    /// A private key that may not sign for the role.
    #[error("the key {key} may not sign for {role}")]
    WrongSigner {
        /// which key
        key: String,
        /// which role
        role: RoleName,
    },
    /// After the loss of some keys others must change as well.
    #[error("whoever held the lost keys may have moved versions ahead: rotate {0} as well")]
    RotateToo(TopRole),
    /// A client would refuse what is about to be published.
    #[error("clients would refuse this: {0}")]
    ClientsRefuse(Refusal),
}
