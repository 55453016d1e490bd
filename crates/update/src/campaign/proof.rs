//! How a device knows that what it is told to install was told to the log first, and to all.

use super::members::{CampaignStatement, Told};
use crate::{MetadataError, ReleaseStatement};
use crypto::{Sha256, Verified};
use device::DeviceId;
use ledger::{Checkpoint, InclusionProof, LedgerError, LogKey, SignedCheckpoint, WitnessKey};

/// A statement with the proof that the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedStatement {
    /// its bytes, as the log commits to them
    pub statement: Vec<u8>,
    /// salt of the commitment
    pub salt: [u8; 32],
    /// leaf and siblings up to the checkpoint's root
    pub inclusion: InclusionProof,
    /// the checkpoint, a signed note
    pub checkpoint: Vec<u8>,
}

/// What shows that a campaign gives a release to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignmentProof {
    /// what the log was told of the campaign
    pub campaign: LoggedStatement,
    /// what the log was told of the release
    pub release: LoggedStatement,
    /// what hides the device among the members
    pub salt: Sha256,
    /// its place among them
    pub index: u64,
    /// siblings up to the root of the members
    pub path: Vec<Sha256>,
}

/// Whom a device trusts to keep the log.
#[derive(Clone, Debug)]
pub struct LogTrust {
    /// keys of the log, several where the key was changed
    pub logs: Vec<LogKey>,
    /// keys of witnesses
    pub witnesses: Vec<WitnessKey>,
    /// how many of them must have cosigned
    pub quorum: usize,
}

/// Why an assignment is not proven.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssignmentError {
    /// the log does not hold what it should, or is not trusted
    #[error("the log does not prove the {what}: {error}")]
    Log {
        /// campaign or release
        what: &'static str,
        /// what is wrong
        error: LedgerError,
    },
    /// a statement cannot be read
    #[error(transparent)]
    Statement(#[from] MetadataError),
    /// the campaign gives nothing out, or another release
    #[error("the campaign does not give out this release; ask again")]
    OtherRelease,
    /// the device is no member
    #[error("the device is not a member of the campaign")]
    NotAMember,
    /// the release has no such file
    #[error("the release has no file of this path and hash")]
    OtherFile,
}

impl AssignmentError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Log { .. } => "assignment-not-logged",
            Self::Statement(_) => "assignment-malformed",
            Self::OtherRelease => "assignment-other-release",
            Self::NotAMember => "assignment-not-a-member",
            Self::OtherFile => "assignment-other-file",
        }
    }
}

/// Checks that the log was told that the campaign gives its members the release whose file has this
/// SHA-256 at this path, and that the device is a member. Returns what the log was told.
///
/// Whether the campaign goes on is not for this: the server's answer says so, and the metadata's
/// expiry. `file`: where the device asks for a file of the release by itself, path and SHA-256.
///
/// # Errors
/// [`AssignmentError`].
pub fn verify_assignment(
    proof: &AssignmentProof,
    trust: &LogTrust,
    device: &DeviceId,
    file: (&str, &Sha256),
) -> Result<Verified<(CampaignStatement, ReleaseStatement)>, AssignmentError> {
    logged(&proof.campaign, trust, "campaign")?;
    logged(&proof.release, trust, "release")?;
    let campaign = CampaignStatement::parse(&proof.campaign.statement)?;
    let release = ReleaseStatement::parse(&proof.release.statement)?;
    let gives = matches!(campaign.told, Told::Started | Told::Resumed | Told::RolledBack);
    let named = campaign.release.map(hex::encode);
    if !gives || named.as_deref() != Some(release.release.as_str()) {
        return Err(AssignmentError::OtherRelease);
    }
    campaign
        .verify_member(device, &proof.salt, proof.index, &proof.path)
        .map_err(|_| AssignmentError::NotAMember)?;
    let (path, sha256) = file;
    if !release.artifacts.iter().any(|known| known.path == path && known.sha256 == *sha256) {
        return Err(AssignmentError::OtherFile);
    }
    Ok(Verified::assertion((campaign, release)))
}

fn logged(
    statement: &LoggedStatement,
    trust: &LogTrust,
    what: &'static str,
) -> Result<(), AssignmentError> {
    let error = |error| AssignmentError::Log { what, error };
    let checkpoint = checkpoint(&statement.checkpoint, trust).map_err(error)?;
    // A proof to another tree than the signed one proves nothing.
    let inclusion = InclusionProof { size: checkpoint.size, ..statement.inclusion.clone() };
    let commitment = ledger::commit(&statement.salt, &statement.statement);
    ledger::verify_inclusion(&commitment, &inclusion, &checkpoint.root).map_err(error)
}

fn checkpoint(bytes: &[u8], trust: &LogTrust) -> Result<Checkpoint, LedgerError> {
    let signed = SignedCheckpoint::parse(bytes)?;
    let mut why = LedgerError::NoLogSignature("any trusted log".into());
    for log in &trust.logs {
        match signed.verify(log, &trust.witnesses, trust.quorum) {
            Ok(checkpoint) => return Ok(checkpoint.into_inner()),
            Err(error) => why = error,
        }
    }
    Err(why)
}
