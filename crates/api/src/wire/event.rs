use super::scalar::{Base64, DeviceRef, Digest, EventKindName, OrganisationRef, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Signed events in JSON clothing. A single event may also be sent as it is, with the media type
/// `application/cose`.
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
}

/// One event of a history.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HistoryEvent {
    /// Place in the history, from 0.
    pub sequence: u64,
    /// Place in the log.
    pub leaf: u64,
    /// Commitment: the log's entry.
    pub commitment: Digest,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// Its contents were erased; only its place and commitment remain.
    pub erased: bool,
    /// What happened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kind: Option<EventKindName>,
    /// When it happened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at: Option<Timestamp>,
    /// Who reports and signs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reporter: Option<OrganisationRef>,
    /// Person, station or program that did it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actor: Option<String>,
    /// Where it happened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place: Option<String>,
    /// The COSE_Sign1 message as received.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cose: Option<Base64>,
    /// Salt: with the message it gives the commitment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub salt: Option<Base64>,
}
