use super::scalar::{DeviceRef, Digest, OrganisationRef, ProductRef, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which devices an organisation's own trust without the platform (docs/device-to-device.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPeerTrust {
    /// For how long a decision may rest on a trust bundle, in seconds: 1 hour to 90 days.
    #[schema(minimum = 3600, maximum = 7_776_000)]
    pub life_s: i64,
    /// Makers whose devices are known by their makers' certificates (IDevID), too.
    #[serde(default)]
    #[schema(max_items = 32)]
    pub makers: Vec<OrganisationRef>,
    /// Other organisations whose devices are known (LDevID).
    #[serde(default)]
    #[schema(max_items = 32)]
    pub organisations: Vec<OrganisationRef>,
    /// Product lines, MAKER/PRODUCT, of which own devices are known; none: all.
    #[serde(default)]
    #[schema(max_items = 32, example = json!(["maker-a/gateway"]))]
    pub products: Vec<String>,
}

/// What stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerTrust {
    /// For how long a decision may rest on a trust bundle, in seconds.
    pub life_s: i64,
    /// Makers whose devices are known by their makers' certificates, too.
    pub makers: Vec<OrganisationRef>,
    /// Other organisations whose devices are known.
    pub organisations: Vec<OrganisationRef>,
    /// Product lines of which own devices are known; none: all.
    pub products: Vec<String>,
    /// By whom it was chosen.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What the next trust bundle of each of an organisation's devices holds, and how they stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerTrustContents {
    /// SHA-256 of the contents.
    pub digest: Digest,
    /// Their length.
    pub bytes: u64,
    /// For how long a bundle is good, in seconds.
    pub life_s: i64,
    /// Who vouches for devices.
    pub authorities: Vec<PeerAuthority>,
    /// Own devices that stand well.
    pub lines: Vec<PeerLine>,
    /// Version of the policies; 0 where none is in force.
    pub policies_version: u64,
    /// Those of them that count between devices, in Cedar.
    pub policies: String,
    /// How the organisation's devices stand.
    pub devices: PeerBundleCounts,
}

/// A CA that vouches for devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerAuthority {
    /// `owner`: for the devices that it has; `maker`: for those that it makes.
    pub kind: String,
    /// Whose.
    pub organisation: OrganisationRef,
    /// The product line of a maker's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub product: Option<ProductRef>,
    /// Name in its certificate.
    pub subject: String,
    /// SHA-256 of its certificate.
    pub certificate: Digest,
    /// Until when its certificate holds.
    pub not_after: Timestamp,
    /// Certificates that it has revoked for good.
    pub revoked: u64,
    /// Certificates that it has suspended.
    pub suspended: u64,
}

/// Own devices of a product line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerLine {
    /// MAKER/PRODUCT; without: none is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub product: Option<String>,
    /// How many.
    pub devices: u64,
}

/// How many devices have which bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerBundleCounts {
    /// Have fetched what a new one would hold.
    pub newest: u64,
    /// The same was made for them, and they have not fetched it, or somebody carried it there.
    pub waiting: u64,
    /// Hold something older that has not ended.
    pub behind: u64,
    /// Hold one that has ended.
    pub ended: u64,
    /// Stand well, and were never given one.
    pub without: u64,
}

/// Which trust bundle a device was given last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerBundle {
    /// Which device.
    pub device: DeviceRef,
    /// Number of the bundle.
    pub number: u64,
    /// When it was made.
    pub issued: Timestamp,
    /// Until when a decision may rest on it.
    pub expires: Timestamp,
    /// When the device fetched it; without: it has not, or somebody carried it there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fetched: Option<Timestamp>,
    /// Whether it holds what a new one would.
    pub newest: bool,
}
