//! Sealed files and deltas of releases, and what devices say of themselves (docs/sealed.md, docs/agent.md).

use super::scalar::{Base64, Digest, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An image by its length and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageDigest {
    /// Length in bytes.
    pub length: u64,
    /// SHA-256.
    pub sha256: Digest,
}

/// What a delta starts from, and what it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeltaImages {
    /// What the device runs.
    pub base: ImageDigest,
    /// What comes out.
    pub result: ImageDigest,
}

/// Who can open a sealed file of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ArtifactSealing {
    /// What comes out of it.
    pub plain: ImageDigest,
    /// SHA-256 of its header: what tickets name it by.
    pub image: Digest,
    /// Who holds its content key: `platform` or `maker`.
    #[schema(pattern = "^(platform|maker)$")]
    pub key: String,
    /// Tickets that the maker brought.
    pub tickets: u64,
}

/// The content key of a sealed file.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContentKey {
    /// 32 bytes.
    pub key: Base64,
}

/// Tickets for a sealed file.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Tickets {
    /// Each of at most 512 bytes.
    #[schema(min_items = 1, max_items = 1000)]
    pub tickets: Vec<Base64>,
    /// They are for keys that several devices share.
    #[serde(default)]
    pub groups: bool,
}

/// What lets a device open a sealed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AssignedSealing {
    /// What comes out of it.
    pub plain: ImageDigest,
    /// Tickets, one of which may be for a key of the device.
    pub tickets: Vec<Base64>,
}

/// A delta that makes an assigned file from what the device runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AssignedDelta {
    /// Its path in the maker's image repository.
    pub path: String,
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its length in bytes.
    pub length: u64,
    /// What it starts from.
    pub base: ImageDigest,
    /// Where it is sealed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sealed: Option<AssignedSealing>,
}

/// A statement about a device's encryption key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EncryptionKeyStatement {
    /// COSE_Sign1, signed by the key of the certificate that the device shows.
    pub statement: Base64,
}

/// One self-test of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SelfTestFinding {
    /// Which test.
    #[schema(pattern = "^[a-z0-9-]{1,64}$")]
    pub test: String,
    /// pass, warn, wait or stop.
    #[schema(pattern = "^(pass|warn|wait|stop)$")]
    pub outcome: String,
    /// Stable code of the device's program.
    #[schema(pattern = "^[a-z0-9-]{1,64}$")]
    pub code: String,
    /// In words.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub detail: String,
}

/// What a device found when it last tested itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SelfTest {
    /// No test failed.
    pub passed: bool,
    /// When the device said so; the same said again is taken down once a day.
    pub heard: Timestamp,
    /// Each test.
    pub findings: Vec<SelfTestFinding>,
}
