//! The fleet as operators see it (docs/fleet.md).

use super::{
    Device, Relation,
    scalar::{
        CauseName, DeviceRef, EventKindName, KindName, OrganisationRef, OutcomeName, PhaseName,
        ProductRef, StandingName, Timestamp,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which devices; all conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SearchQuery {
    /// Of this organisation; the caller's own where absent.
    #[param(value_type = Option<OrganisationRef>)]
    pub organisation: Option<String>,
    /// How the organisation stands to them; its own devices where absent.
    pub relation: Option<Relation>,
    /// Of this product line.
    #[param(value_type = Option<super::scalar::ProductRef>)]
    pub product: Option<String>,
    /// The maker of that product line; the organisation itself where absent.
    #[param(value_type = Option<OrganisationRef>)]
    pub maker: Option<String>,
    /// In this phase of life.
    #[param(value_type = Option<PhaseName>)]
    pub phase: Option<String>,
    /// Of this standing.
    #[param(value_type = Option<StandingName>)]
    pub standing: Option<String>,
    /// By the last verdict: genuine, suspect, rejected or never.
    #[param(pattern = "^(genuine|suspect|rejected|never)$")]
    pub verdict: Option<String>,
    /// Owned by this organisation.
    #[param(value_type = Option<OrganisationRef>)]
    pub owner: Option<String>,
    /// That need attention: expiring, suspect, stale, suspended, alarm, scans or support.
    #[param(pattern = "^(expiring|suspect|stale|suspended|alarm)$")]
    pub attention: Option<String>,
    /// Days of expiring and stale; 30 where absent.
    #[param(minimum = 1, maximum = 3650, default = 30)]
    pub days: Option<u32>,
    /// Management number, device id or its first 6 digits, fingerprint of a key or certificate,
    /// serial number of a certificate, or a device's serial number.
    #[param(min_length = 1, max_length = 200)]
    pub text: Option<String>,
    /// That said last that they run one of these versions, separated by commas.
    #[param(min_length = 1, max_length = 4000)]
    pub runs: Option<String>,
    /// newest (first) or serial (by product line and serial number).
    #[param(pattern = "^(newest|serial)$")]
    pub order: Option<String>,
    /// `next` or `previous` of another page.
    #[param(min_length = 1, max_length = 200)]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
    /// For CSV: begin with a byte order mark, which Excel needs to read UTF-8.
    pub bom: Option<bool>,
}

/// The last verdict on a device under the installation's own policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastVerdict {
    /// The verdict in a word.
    pub outcome: OutcomeName,
    /// Stable words (docs/verdict.md), the heaviest first, at most eight.
    pub reasons: Vec<String>,
    /// When it was given.
    pub at: Timestamp,
    /// Until when it may be relied on.
    pub expires: Timestamp,
}

/// A device in a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceLine {
    /// The device.
    pub device: Device,
    /// The last verdict; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verdict: Option<LastVerdict>,
    /// To whom ownership is offered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub offered_to: Option<OrganisationRef>,
    /// Whether its history holds an alarm.
    pub alarm: bool,
}

/// A page of a search.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceList {
    /// The devices.
    pub items: Vec<DeviceLine>,
    /// Give this as `after` for the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
    /// Give this as `after` for the page before; absent at the beginning.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous: Option<String>,
    /// The search stopped before the page was full, because few devices fit; it goes on from
    /// `next`.
    pub partial: bool,
}

/// What is to be done to a device on behalf of the caller's organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActWanted {
    /// suspend, release, revoke, offer-transfer, accept-transfer, cancel-transfer, retire, dispose.
    #[schema(pattern = "^[a-z-]{1,20}$")]
    pub act: String,
    /// Why: for suspend, revoke and retire.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<CauseName>,
    /// To whom: for offer-transfer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to: Option<OrganisationRef>,
    /// Why, in words; it stands in the event and goes when the event's contents are erased. At most
    /// 300 characters on one line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 300)]
    pub reason: Option<String>,
}

/// What an act would bring about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Consequence {
    /// Stable word (docs/fleet.md).
    pub code: String,
    /// In English.
    pub en: String,
    /// In Japanese.
    pub ja: String,
}

/// What would happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActPreview {
    /// Whether it would be done.
    pub allowed: bool,
    /// Why not: code and text in the caller's language.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refusal: Option<Refusal>,
    /// What it would bring about.
    pub consequences: Vec<Consequence>,
}

/// Why something would be refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refusal {
    /// Stable word.
    pub code: String,
    /// For people.
    pub text: String,
}

/// A part and its own parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PartNode {
    /// The part.
    pub device: DeviceRef,
    /// Kind of part.
    pub kind: KindName,
    /// Phase of its life; absent where it has no history.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phase: Option<PhaseName>,
    /// Its standing; absent where it is not on record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub standing: Option<StandingName>,
    /// Its serial number, for who may see the part itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub serial_number: Option<String>,
    /// The last verdict on it, likewise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verdict: Option<LastVerdict>,
    /// How many other devices claim it.
    pub claimed_elsewhere: u64,
    /// Its own parts, for who may see the part itself.
    #[schema(no_recursion)]
    pub parts: Vec<PartNode>,
    /// Whether there are parts that are not shown.
    pub cut: bool,
}

/// A search with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SavedView {
    /// Its name, unique for the caller.
    pub name: String,
    /// The search, as a query: `phase=operation&attention=expiring`.
    pub query: String,
    /// When it was saved.
    pub saved_at: Timestamp,
}

/// A search to be named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewView {
    /// Its name; a view of the same name is replaced.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// The search, as a query.
    #[schema(max_length = 2000)]
    pub query: String,
}

/// One act on many devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewJob {
    /// suspend, release, retire, revoke or release-codes.
    #[schema(pattern = "^[a-z-]{1,20}$")]
    pub act: String,
    /// Why: for suspend, revoke and retire.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<CauseName>,
    /// Lifetime of each code in seconds, for release-codes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(minimum = 60, maximum = 2_592_000)]
    pub lifetime_s: Option<i64>,
    /// These devices …
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_items = 10_000)]
    pub devices: Option<Vec<DeviceRef>>,
    /// … or those that this search finds: a query as in `GET /v1/devices/search`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 2000)]
    pub search: Option<String>,
    /// In one's own words; not needed for a preview.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub reason: String,
}

/// What a job would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobPreview {
    /// Devices of the selection.
    pub devices: u64,
    /// Of these, how many were tried out.
    pub tried: u64,
    /// Of these, how many would be done.
    pub allowed: u64,
    /// Why others would be refused, and how many.
    pub refusals: Vec<RefusalCount>,
}

/// A refusal and how often it would occur.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusalCount {
    /// Stable word.
    pub code: String,
    /// For people.
    pub text: String,
    /// How many devices.
    pub count: u64,
}

/// One act on many devices, under way or over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its id: 32 hexadecimal digits.
    pub id: String,
    /// Whose.
    pub organisation: OrganisationRef,
    /// What it does.
    pub act: String,
    /// Why.
    pub reason: String,
    /// Who started it.
    pub started_by: String,
    /// preparing, waiting, running, done, cancelled, failed.
    pub state: String,
    /// Devices.
    pub total: u64,
    /// Devices that have their outcome.
    pub done: u64,
    /// Of these, how many were refused.
    pub failed: u64,
    /// When it was asked for.
    pub created: Timestamp,
    /// When its first devices were done.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub started: Option<Timestamp>,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub finished: Option<Timestamp>,
    /// Why it broke off.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

/// A count under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NamedCount {
    /// What is counted; `none` for devices without it.
    pub name: String,
    /// How many.
    pub count: u64,
    /// Whether there may be more.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub at_least: bool,
}

/// Verdicts of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DayOfVerdicts {
    /// Its beginning, in UTC.
    pub day: Timestamp,
    /// Genuine.
    pub genuine: u64,
    /// Suspect.
    pub suspect: u64,
    /// Rejected.
    pub rejected: u64,
}

/// An event in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewestEvent {
    /// The device.
    pub device: DeviceRef,
    /// Place in its history.
    pub sequence: u64,
    /// What happened.
    pub kind: EventKindName,
    /// When.
    pub at: Timestamp,
    /// Whose act it was.
    pub organisation: OrganisationRef,
    /// Person, station or program.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actor: Option<String>,
    /// Whether the platform signed it for them.
    pub on_behalf: bool,
}

/// A product line whose support is about to end, or has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SupportWatch {
    /// The product line.
    pub product: ProductRef,
    /// Its name.
    pub name: String,
    /// When support ends.
    pub end: Timestamp,
    /// Its devices that are neither retired nor disposed of.
    pub devices: u64,
    /// Whether there may be more.
    pub at_least: bool,
}

/// A witness of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WitnessHealth {
    /// Its name.
    pub name: String,
    /// When it last cosigned, since the server started.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cosigned_at: Option<Timestamp>,
    /// How many leaves it cosigned then.
    pub size: u64,
}

/// How the log does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogHealth {
    /// Leaves in the newest checkpoint.
    pub size: u64,
    /// Leaves that wait for the next.
    pub waiting: u64,
    /// When leaves were last put into a checkpoint.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub checkpoint_at: Option<Timestamp>,
    /// What the last attempt failed with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
    /// Witnesses.
    pub witnesses: Vec<WitnessHealth>,
}

/// A fleet at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// When the counts were taken: at most two minutes ago.
    pub as_of: Timestamp,
    /// Devices.
    pub devices: u64,
    /// By phase.
    pub phases: Vec<NamedCount>,
    /// By standing.
    pub standings: Vec<NamedCount>,
    /// By the last verdict.
    pub outcomes: Vec<NamedCount>,
    /// Verdicts per day, oldest first.
    pub verdicts: Vec<DayOfVerdicts>,
    /// What needs attention.
    pub attention: Vec<NamedCount>,
    /// The organisation's product lines whose support ends within 180 days or has ended, while
    /// devices are in the field.
    pub support: Vec<SupportWatch>,
    /// Newest events.
    pub newest: Vec<NewestEvent>,
    /// Metadata of the organisation's image repository that end soon, as of now.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub repository: Vec<super::RoleState>,
    /// The root of the organisation's director where it ends soon, as of now.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub director: Vec<super::RoleState>,
    /// The log, as of now.
    pub log: LogHealth,
}

/// Of which organisation.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OfOrganisation {
    /// Of this organisation; the caller's own where absent.
    #[param(value_type = Option<OrganisationRef>)]
    pub organisation: Option<String>,
}

/// How a CSV file is to begin.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CsvQuery {
    /// With a byte order mark, which Excel needs to read UTF-8.
    pub bom: Option<bool>,
}
