use super::scalar::{Base64, Digest, OrganisationRef, ProductRef, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A file to be uploaded.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUpload {
    /// SHA-256 that it has.
    pub sha256: Digest,
    /// Its length in bytes.
    pub length: u64,
}

/// An upload.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Upload {
    /// Its id.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    pub id: String,
    /// Whose.
    pub organisation: OrganisationRef,
    /// SHA-256 that it is to have.
    pub sha256: Digest,
    /// Length that it is to have, in bytes.
    pub length: u64,
    /// Bytes that are durable: the next piece begins here.
    pub received: u64,
    /// `receiving`, `verifying`, `complete` or `mismatch`.
    pub state: String,
    /// While it is verified: bytes compared so far.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verified: Option<u64>,
    /// When it is forgotten if nothing happens.
    pub expires: Timestamp,
}

/// Where a piece of an upload begins.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PieceQuery {
    /// Bytes before it: what the upload has received so far.
    #[param(minimum = 0, default = 0)]
    pub offset: Option<u64>,
}

/// A release to be made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRelease {
    /// The product line that it is for.
    pub product: ProductRef,
    /// Version for people.
    #[schema(min_length = 1, max_length = 64)]
    pub version: String,
    /// Grows only when a release mends a vulnerability.
    pub security_version: u64,
    /// Grows with every release of the product; the next one where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub release_counter: Option<u64>,
    /// The kinds of hardware that it is for.
    #[schema(min_items = 1, max_items = 64)]
    pub hardware_ids: Vec<String>,
    /// What is new, for people.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub notes: String,
}

/// A release.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Release {
    /// Its id.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    pub id: String,
    /// Who makes it.
    pub organisation: OrganisationRef,
    /// The product line that it is for.
    pub product: ProductRef,
    /// Version for people.
    pub version: String,
    /// Grows only when a release mends a vulnerability.
    pub security_version: u64,
    /// Grows with every release of the product.
    pub release_counter: u64,
    /// The kinds of hardware that it is for.
    pub hardware_ids: Vec<String>,
    /// What is new, for people.
    pub notes: String,
    /// `draft`, `published` or `withdrawn`.
    pub state: String,
    /// Since when there is a draft.
    pub created: Timestamp,
    /// Who made the draft.
    pub created_by: String,
    /// Since when it is published.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub published: Option<Timestamp>,
    /// Who published it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub published_by: Option<String>,
    /// Since when it is withdrawn.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub withdrawn: Option<Timestamp>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub withdrawn_reason: Option<String>,
    /// Codes of the gate's items that were overruled.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub overruled: Vec<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub overruled_reason: Option<String>,
    /// The leaf of the log that commits to it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub leaf: Option<u64>,
    /// Its files, by name.
    pub artifacts: Vec<Artifact>,
    /// What is attached.
    pub attachments: Vec<Attachment>,
}

/// A file of a release.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Artifact {
    /// Its name within the release.
    pub name: String,
    /// Its path in the image repository.
    pub path: String,
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its length in bytes.
    pub length: u64,
    /// The kinds of hardware that it is for.
    pub hardware_ids: Vec<String>,
    /// Who can open it, where it is sealed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sealed: Option<super::ArtifactSealing>,
    /// What it starts from and what it makes, where it is a delta.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub delta: Option<super::DeltaImages>,
}

/// An uploaded file to be added to a release.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewArtifact {
    /// Its name within the release.
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
    /// Its SHA-256.
    pub sha256: Digest,
    /// The kinds of hardware that it is for, where not all of the release's.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub hardware_ids: Vec<String>,
}

/// What is attached to a release.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Attachment {
    /// `sbom`, `tests` or `provenance`.
    pub kind: String,
    /// Its name among those of its kind.
    pub name: String,
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its length in bytes.
    pub length: u64,
    /// What was read from it (docs/release.md).
    #[schema(value_type = Object)]
    pub summary: serde_json::Value,
}

/// An uploaded file to be attached to a release.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAttachment {
    /// `sbom`, `tests` or `provenance`.
    pub kind: AttachmentKindName,
    /// Its name among those of its kind.
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
    /// Its SHA-256.
    pub sha256: Digest,
}

/// What an attachment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AttachmentKindName {
    /// Software bill of materials: CycloneDX, SPDX.
    Sbom,
    /// Test results: JUnit XML.
    Tests,
    /// Where the files come from: in-toto statements, SLSA provenance.
    Provenance,
}

/// Which releases are wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReleaseQuery {
    /// Of one product line.
    pub product: Option<String>,
    /// In one state: draft, published or withdrawn.
    pub state: Option<String>,
    /// The `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}

/// What a product's releases must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseGate {
    /// An SBOM that describes the product in this version.
    pub sbom: bool,
    /// Test results.
    pub tests: bool,
    /// Provenance of every file.
    pub provenance: bool,
    /// No vulnerability that is known to be exploited.
    pub not_exploited: bool,
    /// Least security version.
    pub security_floor: u64,
    /// Name of the component that the SBOM describes, where it is neither the product's id nor its
    /// name nor its model.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(min_length = 1, max_length = 200)]
    pub component: Option<String>,
}

/// One thing that the gate looks at.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GateItem {
    /// Stable code.
    pub code: String,
    /// Whether it is as it should be.
    pub met: bool,
    /// Whether it can be overruled where it is not.
    pub overrulable: bool,
    /// What is so, or is to be done.
    pub text: String,
}

/// How a release is published.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// Why open items of the gate are no obstacle.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(min_length = 1, max_length = 500)]
    pub overrule: Option<String>,
}

/// Why a release is withdrawn.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    /// Why.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
}

/// That the log holds a release.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReleaseProof {
    /// What the leaf commits to: JSON in canonical form (docs/release.md).
    pub statement: Base64,
    /// Salt of the commitment, 32 bytes.
    pub salt: Base64,
    /// The way from the leaf to the checkpoint.
    pub inclusion: super::InclusionProof,
}

/// An image repository.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ImageRepository {
    /// Whose.
    pub organisation: OrganisationRef,
    /// Since when.
    pub created: Timestamp,
    /// Whether everybody may read metadata and images; otherwise it takes a certificate.
    pub open: bool,
    /// Public keys that work online.
    pub keys: Vec<OnlineKey>,
    /// What is published; empty before the first root.
    pub roles: Vec<RoleState>,
    /// Targets that are signed.
    pub targets: u64,
    /// Files of published releases that are not signed yet, by path.
    pub unsigned: Vec<String>,
    /// Signed targets whose release was withdrawn, by path.
    pub withdrawn: Vec<String>,
    /// What the last renewal failed with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
}

/// A public key that works online.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OnlineKey {
    /// `snapshot` or `timestamp`; of a director also `targets`.
    pub role: String,
    /// Its id.
    pub id: String,
    /// The key as metadata name it.
    #[schema(value_type = Object)]
    pub public: serde_json::Value,
    /// Whether the published root names it.
    pub named: bool,
}

/// A metadata file of an image repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoleState {
    /// root, targets, snapshot, timestamp, or the name of a delegated role.
    pub role: String,
    /// Version that is published.
    pub version: u64,
    /// When it ends.
    pub expires: Timestamp,
    /// Whether that is soon, or past.
    pub ends_soon: bool,
}

/// Who may read metadata and images.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RepositoryAccess {
    /// Everybody, over plain HTTP too; otherwise devices and members by certificate.
    pub open: bool,
}

/// Metadata that were signed offline.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedMetadata {
    /// A new root.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub root: Option<Base64>,
    /// New targets files.
    #[serde(default)]
    #[schema(max_items = 256)]
    pub targets: Vec<SignedTargets>,
}

/// A targets file that was signed offline.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedTargets {
    /// `targets`, or the name of a delegated role.
    #[schema(min_length = 1, max_length = 200)]
    pub role: String,
    /// The file.
    pub file: Base64,
}

/// Which draft of targets metadata is wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DraftQuery {
    /// `targets`, or the name of a delegated role.
    pub role: Option<String>,
    /// For how many days it is to be good.
    #[param(minimum = 1, maximum = 366, default = 90)]
    pub days: Option<u32>,
}
