use super::scalar::{DeviceRef, Digest, OrganisationRef, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How devices of an organisation come through the hawkBit DDI door.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateDoor {
    /// Tokens are accepted beside certificates; off ends them all.
    pub tokens: bool,
    /// "Closed with success" says that the new software was booted and is kept, as SWUpdate says it
    /// after its restart. Off unless the organisation says so.
    pub closed_confirms: bool,
    /// Seconds between polls where there is nothing to do.
    #[schema(minimum = 10, maximum = 86_399)]
    pub poll_s: u32,
}

/// A token for one device.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTargetToken {
    /// Days of life.
    #[schema(minimum = 1, maximum = 366)]
    pub days: u16,
}

/// A token for a gateway that speaks for devices.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGatewayToken {
    /// Name of the gateway.
    #[schema(min_length = 1, max_length = 64)]
    pub name: String,
    /// The devices that it speaks for.
    #[schema(min_items = 1, max_items = 1000)]
    pub devices: Vec<DeviceRef>,
    /// Days of life.
    #[schema(minimum = 1, maximum = 366)]
    pub days: u16,
}

/// A token, shown this once.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct IssuedUpdateToken {
    /// The token, for `Authorization: TargetToken` or `GatewayToken`.
    pub token: String,
    /// What is kept of it.
    pub record: UpdateToken,
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UpdateTokenKind {
    /// one device
    Target,
    /// a gateway with a list of devices
    Gateway,
}

/// A token that works, without the token.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UpdateToken {
    /// Identifier, to end it by.
    pub id: Digest,
    /// Whose devices.
    pub organisation: OrganisationRef,
    /// What it is for.
    pub kind: UpdateTokenKind,
    /// Name of the gateway; empty for a device's.
    pub name: String,
    /// The devices that it speaks for.
    pub devices: Vec<DeviceRef>,
    /// Since when.
    pub granted: Timestamp,
    /// Who made it.
    pub granted_by: String,
    /// Its end.
    pub expires: Timestamp,
}
