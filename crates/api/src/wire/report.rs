use super::scalar::{Digest, OrganisationRef, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// One security event (LG-1).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditEvent {
    /// Place in the chain.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: String,
    /// success, failure or error.
    pub outcome: String,
    /// Informational, Low, Medium, High or Critical.
    pub severity: String,
    /// Where it came in.
    pub door: String,
    /// Whose log it belongs to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub organisation: Option<String>,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actor: Option<String>,
    /// What it was done to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<String>,
    /// The caller's address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<String>,
    /// Details.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub details: BTreeMap<String, String>,
    /// Hash of the chain up to here.
    pub hash: Digest,
}

/// Which security events.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Of this organisation; the caller's own where absent.
    #[param(value_type = Option<OrganisationRef>)]
    pub organisation: Option<String>,
    /// From this time on.
    #[param(value_type = Option<Timestamp>)]
    pub from: Option<String>,
    /// Of this kind.
    #[param(max_length = 40)]
    pub kind: Option<String>,
    /// The `next` of the page before.
    #[param(max_length = 200, min_length = 1)]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}

/// Whether the chain of security events is whole.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditCheck {
    /// Events checked.
    pub events: u64,
    /// Hash of the last one.
    pub head: Digest,
    /// What does not fit; empty where all is well.
    pub problems: Vec<String>,
}

/// Uses of a key, gathered (KM-1).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyUse {
    /// SHA-256 of the public key.
    pub key: Digest,
    /// What the key is for.
    pub purpose: String,
    /// What it signed.
    pub what: String,
    /// When.
    pub at: Timestamp,
    /// How often, where uses are gathered.
    pub uses: u64,
}

/// A key that breaks the policy for keys, or will (KM-7).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyFinding {
    /// SHA-256 of the public key.
    pub key: Digest,
    /// What the key is for.
    pub subject: String,
    /// Stable word.
    pub code: String,
    /// What is wrong and what to do.
    pub message: String,
    /// From when it matters.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<Timestamp>,
}

/// How far ahead a report looks.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExpiryQuery {
    /// Days ahead.
    #[param(minimum = 1, maximum = 3650, default = 30)]
    pub days: Option<u32>,
    /// The `next` of the page before.
    #[param(max_length = 200, min_length = 1)]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}

/// Counts.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Statistics {
    /// Whose; the platform's where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub organisation: Option<OrganisationRef>,
    /// Devices.
    pub devices: u64,
    /// Certificates.
    pub certificates: u64,
    /// Events.
    pub events: u64,
    /// Devices by phase of life.
    pub by_phase: BTreeMap<String, u64>,
}
