//! Directors: what signs for each device what it shall run.

use super::{
    OnlineKey, RoleState,
    scalar::{Base64, OrganisationRef, Timestamp},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A director.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Director {
    /// Whose.
    pub organisation: OrganisationRef,
    /// Since when.
    pub created: Timestamp,
    /// For how long what it signs is good, in seconds; signed anew when half of it is over.
    pub life_s: i64,
    /// Public keys that work online.
    pub keys: Vec<OnlineKey>,
    /// Its root; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub root: Option<RoleState>,
}

/// For how long what a director signs is good.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectorLife {
    /// In seconds.
    #[schema(minimum = 3600, maximum = 1_209_600)]
    pub life_s: i64,
}

/// A root that was signed offline.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectorRoot {
    /// The file.
    pub root: Base64,
    /// It does not follow the root before, whose keys were stolen or lost.
    #[serde(default)]
    pub anew: bool,
}
