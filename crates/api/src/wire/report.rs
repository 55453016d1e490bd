use super::scalar::{AuditKindName, Digest, OrganisationRef, PhaseName, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// One security event (LG-1).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditEvent {
    /// Place in the chain.
    pub sequence: u64,
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
    /// Of this organisation; of all where absent, for the platform's auditors.
    #[param(value_type = Option<OrganisationRef>)]
    pub organisation: Option<String>,
    /// Of this kind.
    #[param(value_type = Option<AuditKindName>)]
    pub kind: Option<String>,
    /// The `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}

/// Which security events, newest first; all conditions hold.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditTrailQuery {
    /// Of this organisation; of all where absent, for the platform's administrators and auditors.
    #[param(value_type = Option<OrganisationRef>)]
    pub organisation: Option<String>,
    /// Of this kind.
    #[param(value_type = Option<AuditKindName>)]
    pub kind: Option<String>,
    /// From this second on.
    #[param(value_type = Option<Timestamp>)]
    pub from: Option<String>,
    /// Before this second.
    #[param(value_type = Option<Timestamp>)]
    pub until: Option<String>,
    /// The `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}

/// Whether the chain of security events is whole.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditCheck {
    /// Events that hold.
    pub events: u64,
    /// Heads in the log that the chain was held against.
    pub anchors: u64,
    /// The first place where it does not hold; absent where all is well.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub broken: Option<String>,
}

/// One use of a platform key (KM-1).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyUse {
    /// SHA-256 of the public key.
    pub key: Digest,
    /// What the key is for.
    pub purpose: String,
    /// When.
    pub at: Timestamp,
    /// What it signed.
    pub what: String,
    /// Which, in hexadecimal: serial number, CRL number, device.
    pub subject: String,
    /// On whose request.
    pub by: String,
}

/// The account of a platform key (KM-1).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyAccount {
    /// SHA-256 of the public key.
    pub key: Digest,
    /// What the key is for.
    pub purpose: String,
    /// Algorithm.
    pub algorithm: String,
    /// Since when.
    pub created: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// Since when it signs nothing more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retired: Option<Timestamp>,
    /// Since when its private half is gone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub destroyed: Option<Timestamp>,
    /// How often it signed what.
    pub uses: BTreeMap<String, u64>,
}

/// How far ahead to look.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DaysQuery {
    /// Days ahead.
    #[param(minimum = 1, maximum = 3650, default = 365)]
    pub days: Option<u32>,
}

/// A key that breaks the policy for keys, or will (KM-7).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyNotice {
    /// Which key.
    pub name: String,
    /// By which rule.
    pub rule: String,
    /// From when it matters.
    pub at: Timestamp,
    /// What to do.
    pub advice: String,
}

/// Which certificates expire, and how far ahead to look.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExpiryQuery {
    /// Of this organisation; the caller's own where absent.
    #[param(value_type = Option<OrganisationRef>)]
    pub organisation: Option<String>,
    /// Days ahead.
    #[param(minimum = 1, maximum = 3650, default = 30)]
    pub days: Option<u32>,
    /// The `next` of the page before.
    #[param(pattern = "^[0-9]{1,12}\\.[0-9]{1,18}$")]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}

/// How much there is on the platform.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Statistics {
    /// Devices.
    pub devices: u64,
    /// Devices by phase of life.
    pub by_phase: Vec<InPhase>,
    /// Events.
    pub events: u64,
    /// Certificates that were handed out.
    pub certificates: u64,
    /// Certificates that are revoked or suspended.
    pub revoked: u64,
}

/// Devices in one phase.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InPhase {
    /// Phase; absent for those whose history has not begun.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phase: Option<PhaseName>,
    /// Devices.
    pub devices: u64,
}
