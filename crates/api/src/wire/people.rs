use super::scalar::{DeviceRef, Digest, OrganisationRef, RoleName, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A person who signs in to the console with a passkey.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// Name within the organisation, never given to another.
    pub handle: String,
    /// Organisation.
    pub organisation: OrganisationRef,
    /// Name, as people write it.
    pub name: String,
    /// What it may do.
    pub roles: Vec<RoleName>,
    /// `invited`, `active`, `recovering` or `removed`.
    pub state: String,
    /// How many passkeys it has.
    pub passkeys: u32,
    /// Since when it is on record.
    pub added: Timestamp,
    /// When it first registered a passkey.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub registered: Option<Timestamp>,
}

/// A person that is to be invited.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    /// Name within the organisation, chosen for ever.
    #[schema(min_length = 1, max_length = 32, pattern = "^[a-z][a-z0-9._-]{0,31}$")]
    pub handle: String,
    /// Name, as people write it.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    pub name: String,
    /// What it may do.
    #[schema(min_items = 1, max_items = 5)]
    pub roles: Vec<RoleName>,
}

/// What a person may do from now on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRoles {
    /// All of them.
    #[schema(min_items = 1, max_items = 5)]
    pub roles: Vec<RoleName>,
}

/// A one-time link for a person, shown this once.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// Who.
    pub person: Person,
    /// The address that the person opens. Give it to nobody else.
    pub link: String,
    /// Its end.
    pub expires: Timestamp,
}

/// How far an organisation has come to manage itself.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FirstAdministrator {
    /// `wanted`: nobody is there, the platform invites one; `invited`: by the platform, and not
    /// there yet; `there`: it manages itself.
    #[schema(pattern = "^[a-z]{1,10}$")]
    pub state: String,
    /// Who is invited.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub person: Option<Person>,
}

/// A session of a person.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Identifier.
    pub id: Digest,
    /// Since when.
    pub since: Timestamp,
    /// When it was last used, to about a minute.
    pub last_seen: Timestamp,
    /// When it ends whatever is done.
    pub expires: Timestamp,
    /// What the browser said it is.
    pub label: String,
    /// Network that it was opened from.
    pub network: String,
}

/// A request for a second person.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Approval {
    /// Identifier.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    pub id: String,
    /// Organisation whose administrators decide.
    pub organisation: OrganisationRef,
    /// Act.
    pub act: String,
    /// What would be done, in English.
    pub summary: String,
    /// The same in Japanese.
    pub summary_ja: String,
    /// Why, in the words of who asked; gone once the request is over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Its arguments, as JSON.
    pub arguments: String,
    /// Devices that it is about, where it names many: they have a list of their own.
    pub devices: u64,
    /// Who asked.
    pub requester: String,
    /// The requester's organisation.
    pub requester_of: OrganisationRef,
    /// When.
    pub requested: Timestamp,
    /// Until when it can be decided; once approved, until when it can be used.
    pub expires: Timestamp,
    /// `waiting`, `approved`, `done`, `failed`, `rejected`, `withdrawn` or `expired`.
    pub state: String,
    /// Who decided.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decided_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decided: Option<Timestamp>,
    /// When the act was done or failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub finished: Option<Timestamp>,
    /// `done`, or the code of what stood in the way.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<String>,
    /// Whether the requester must ask again after approval, to get its link, certificate or file.
    pub requester_continues: bool,
    /// Whether the caller asked for it and can go on from it now.
    pub can_continue: bool,
    /// Whether the caller may approve it now.
    pub can_approve: bool,
}

/// What going on with an approved request would bring about now.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ContinuationPreview {
    /// Devices that were approved, where there are many.
    pub devices: u64,
    /// Of these, how many were tried out.
    pub tried: u64,
    /// Of these, how many would be done.
    pub allowed: u64,
    /// Devices among those tried out that do not qualify any more.
    pub refused: Vec<ContinuationRefusal>,
}

/// A device that was approved and would be refused now.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ContinuationRefusal {
    /// Device.
    pub device: DeviceRef,
    /// Code.
    pub code: String,
    /// Why, in the caller's language.
    pub text: String,
}

/// What became of an approved request that its requester went on with: one of these.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Continued {
    /// The job that was started.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub job: Option<super::Job>,
    /// The one-time link, shown this once.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub invitation: Option<Invitation>,
    /// The event that was recorded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recorded: Option<super::Recorded>,
}

/// A device that a request for a second person is about.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApprovalDevice {
    /// Device.
    pub device: DeviceRef,
    /// Management number.
    pub management_number: String,
    /// Serial number.
    pub serial_number: String,
}

/// Whether an act needs a second person.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApprovalRule {
    /// Act.
    pub act: String,
    /// Whether it needs one now.
    pub required: bool,
    /// Whether the organisation has chosen; otherwise it is the default.
    pub chosen: bool,
    /// Whether the organisation can choose at all.
    pub changeable: bool,
}

/// A choice for an act.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApprovalRule {
    /// Act.
    #[schema(pattern = "^[a-z-]{1,32}$")]
    pub act: String,
    /// Whether it needs a second person.
    pub required: bool,
}
