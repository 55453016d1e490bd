use super::scalar::{DeviceRef, OrganisationRef, Timestamp};
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
