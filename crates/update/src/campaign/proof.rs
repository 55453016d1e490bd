//! How a device knows that what it is told to install was told to the log first, and to all.

use super::members::{self, CampaignStatement, Told};
use crate::{MetadataError, ReleaseStatement, fields::Fields, json, statement};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::{Sha256, Verified};
use device::DeviceId;
use ledger::{Checkpoint, InclusionProof, LedgerError, LogKey, SignedCheckpoint, WitnessKey};

/// Largest proof that is read, in bytes: two statements in base64, and what leads from them to the
/// root.
pub const PROOF_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most siblings on a way: one a level.
const SIBLINGS_MAX: usize = 64;
/// Longest checkpoint, in bytes.
const CHECKPOINT_BYTES_MAX: usize = 64 * 1024;

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

impl AssignmentProof {
    /// Reads the platform's answer: JSON with `campaign`, `release`, `salt`, `index`, `path`
    /// (docs/campaign.md). Nothing of it is verified. Further members are not looked at.
    ///
    /// # Errors
    /// [`MetadataError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        const PLACE: &str = "proof";
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(MetadataError::malformed(PLACE, "is longer than 2 MiB"));
        }
        let mut fields = Fields::new(json::parse(bytes)?, PLACE)?;
        let campaign = fields.value("campaign")?;
        let release = fields.value("release")?;
        Ok(Self {
            campaign: LoggedStatement::read(campaign, members::STATEMENT_BYTES_MAX)?,
            release: LoggedStatement::read(release, statement::STATEMENT_BYTES_MAX)?,
            salt: digest(&fields.string("salt")?)?,
            index: fields.number("index")?,
            path: siblings(&mut fields)?,
        })
    }
}

impl LoggedStatement {
    fn read(value: json::Value, statement_max: usize) -> Result<Self, MetadataError> {
        const PLACE: &str = "proof.statement";
        let bad = |reason: &str| MetadataError::malformed(PLACE, reason);
        let mut fields = Fields::new(value, PLACE)?;
        let mut base64 = |field: &str| {
            let text = fields.string(field)?;
            STANDARD.decode(text).map_err(|_| bad("is not base64 with padding"))
        };
        let (statement, salt) = (base64("statement")?, base64("salt")?);
        if statement.len() > statement_max {
            return Err(bad("is too long"));
        }
        let checkpoint = fields.string("checkpoint")?.into_bytes();
        if checkpoint.len() > CHECKPOINT_BYTES_MAX {
            return Err(bad("has a checkpoint of more than 64 KiB"));
        }
        let index = fields.number("leaf")?;
        Ok(Self {
            statement,
            salt: salt.try_into().map_err(|_| bad("has a salt of other than 32 bytes"))?,
            // The size is the checkpoint's, once that is verified.
            inclusion: InclusionProof { index, size: 0, hashes: siblings(&mut fields)? },
            checkpoint,
        })
    }
}

fn siblings(fields: &mut Fields) -> Result<Vec<Sha256>, MetadataError> {
    let all = fields.strings("path")?;
    if all.len() > SIBLINGS_MAX {
        return Err(MetadataError::malformed("path", "has more than 64 hashes"));
    }
    all.iter().map(|text| digest(text)).collect()
}

fn digest(text: &str) -> Result<Sha256, MetadataError> {
    Sha256::from_hex(text)
        .filter(|digest| digest.to_string() == text)
        .ok_or_else(|| MetadataError::malformed("hash", "is not 64 lower-case hexadecimal digits"))
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
