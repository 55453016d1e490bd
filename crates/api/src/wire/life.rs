use super::scalar::{
    CauseName, DeviceRef, Digest, EventKindName, OrganisationRef, PhaseName, StandingName,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An event of a life, for people to read; `GET /v1/devices/{device}/events` has what is signed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TimelineEvent {
    /// Place in the history, from 0.
    pub sequence: u64,
    /// Place in the log.
    pub leaf: u64,
    /// What happened.
    pub kind: EventKindName,
    /// When, by the reporter's account.
    pub at: Timestamp,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// Who signed it.
    pub reporter: OrganisationRef,
    /// Whose act it was, where the platform signed on behalf of somebody.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub on_behalf_of: Option<OrganisationRef>,
    /// Person, station or program.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actor: Option<String>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place: Option<String>,
    /// Why, in the words of who did it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Whether its contents were erased.
    pub erased: bool,
    /// How far its proof has come: `waiting`, `in-checkpoint` or `cosigned`.
    pub proof: String,
}

/// Who owned a device from when on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OwnerSince {
    /// The owner; absent where nothing says it any more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<OrganisationRef>,
    /// Since when, by the account of who reported it.
    pub since: Timestamp,
    /// The event that says so.
    pub sequence: u64,
}

/// Where a device stands, as its history says. Before the history begins there are no events, and
/// nothing else.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct DeviceState {
    /// Events so far.
    pub events: u64,
    /// Where in its life it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phase: Option<PhaseName>,
    /// Its standing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub standing: Option<StandingName>,
    /// Why it is suspended or revoked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<CauseName>,
    /// Who suspended or revoked it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held_by: Option<OrganisationRef>,
    /// Its owner.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<OrganisationRef>,
    /// Who has it in its hands.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub holder: Option<OrganisationRef>,
    /// To whom it is on its way.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shipped_to: Option<OrganisationRef>,
    /// To whom its ownership is offered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub offered_to: Option<OrganisationRef>,
    /// Who repairs it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repairer: Option<OrganisationRef>,
    /// The device that it is built into.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub installed_in: Option<DeviceRef>,
    /// Keys with two holders.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub copied_keys: Vec<Digest>,
    /// Its parts that another device claims too.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub duplicated_parts: Vec<DeviceRef>,
    /// Whether it came back after its end.
    #[serde(default)]
    pub reappeared: bool,
    /// When the last event happened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last: Option<Timestamp>,
}
