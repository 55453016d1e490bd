use super::scalar::{DeviceRef, Digest, OrganisationRef, RoleName, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A token that is wanted. It is bound to the client certificate of the request.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Roles, at most those of the caller.
    #[schema(min_items = 1, max_items = 5)]
    pub roles: Vec<RoleName>,
    /// Seconds of life.
    #[schema(minimum = 60, maximum = 86_400)]
    pub lifetime_s: u32,
}

/// A token, shown this once.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct IssuedToken {
    /// Identifier, to revoke it by.
    pub id: Digest,
    /// The token, for `Authorization: Bearer`.
    pub token: String,
    /// Its end.
    pub expires: Timestamp,
}

/// A token that works, without the token.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Identifier, to revoke it by.
    pub id: Digest,
    /// Name of the member that holds it.
    pub member: String,
    /// SHA-256 of the client certificate that it is bound to.
    pub certificate: Digest,
    /// What it permits at most.
    pub roles: Vec<RoleName>,
    /// Since when.
    pub granted: Timestamp,
    /// Its end.
    pub expires: Timestamp,
}

/// Who a caller is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WhoAmI {
    /// In words.
    pub name: String,
    /// Its organisation, where it belongs to one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub organisation: Option<OrganisationRef>,
    /// What it may do there.
    pub roles: Vec<RoleName>,
    /// The device that it is, where it is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<DeviceRef>,
}
