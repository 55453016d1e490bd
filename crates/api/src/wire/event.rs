use super::scalar::{Base64, DeviceRef, Digest, EventKindName, OrganisationRef, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Signed events in JSON clothing.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedEvents {
    /// COSE_Sign1 messages (docs/event.md). Events of one device stand in the order of their
    /// sequence; each is recorded, or refused, alone.
    #[schema(min_items = 1, max_items = 1000)]
    pub events: Vec<Base64>,
}

/// Where an event stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Recorded {
    /// Its device.
    pub device: DeviceRef,
    /// Its place in the device's history.
    pub sequence: u64,
    /// Its place in the log.
    pub leaf: u64,
    /// Its commitment: the log's entry.
    pub commitment: Digest,
    /// Salt: with the message it gives the commitment.
    pub salt: Base64,
}

/// One event of a history.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HistoryEvent {
    /// Place in the history, from 0.
    pub sequence: u64,
    /// Place in the log.
    pub leaf: u64,
    /// Commitment: the log's entry.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commitment: Option<Digest>,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// Its contents were erased; only its place and commitment remain.
    pub erased: bool,
    /// What happened.
    pub kind: EventKindName,
    /// When it happened.
    pub at: Timestamp,
    /// Who reports and signs.
    pub reporter: OrganisationRef,
    /// The COSE_Sign1 message as received.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cose: Option<Base64>,
    /// Salt: with the message it gives the commitment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub salt: Option<Base64>,
    /// Proof that it is in the published log, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub proof: Option<super::InclusionProof>,
}

/// Which page of a history, and whether with proofs.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// With the proof of each event.
    pub proofs: Option<bool>,
    /// The `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}
