//! Campaigns, and what devices ask and say about updates.

use super::scalar::{Base64, DeviceRef, Digest, OrganisationRef, ProductRef, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// One stage of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignStage {
    /// Its share of the members in hundredths of a percent; all stages sum to 10000.
    #[schema(minimum = 1, maximum = 10_000)]
    pub share: u16,
    /// The next stage begins when so many percent have succeeded.
    #[schema(minimum = 1, maximum = 100)]
    pub success_percent: u8,
    /// The campaign stops when so many percent have failed.
    #[schema(minimum = 1, maximum = 100)]
    pub error_percent: u8,
    /// How long the stage is watched before the next begins, in seconds.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 2_592_000)]
    pub soak_s: i64,
}

/// Hours in which devices may begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceWindow {
    /// A time zone of the IANA database, such as `Asia/Tokyo`.
    #[schema(min_length = 1, max_length = 64)]
    pub zone: String,
    /// Weekdays on which it begins: 1 for Monday to 7 for Sunday.
    #[schema(min_items = 1, max_items = 7)]
    pub weekdays: Vec<u8>,
    /// When it begins, in minutes after midnight.
    #[schema(minimum = 0, maximum = 1439)]
    pub from: u16,
    /// When it ends, in minutes after midnight; before `from`: on the next day.
    #[schema(minimum = 0, maximum = 1439)]
    pub to: u16,
}

/// How a campaign proceeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignPlan {
    /// Stages, in their order.
    #[schema(min_items = 1, max_items = 16)]
    pub stages: Vec<CampaignStage>,
    /// When devices may begin; always where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub window: Option<MaintenanceWindow>,
    /// How many devices may begin per minute; any number where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub starts_per_minute: Option<u32>,
    /// Seconds that a device has from the offer to a confirmed boot, and a stage waits for one that
    /// never asks.
    #[serde(default = "day")]
    #[schema(minimum = 60, maximum = 7_776_000)]
    pub deadline_s: i64,
    /// How often a device may download or install within one action.
    #[serde(default = "three")]
    #[schema(minimum = 1, maximum = 100)]
    pub attempts_max: u16,
    /// On too many failures, send devices that run the release back to the one before.
    #[serde(default)]
    pub roll_back: bool,
    /// Install without waiting for anybody at the device.
    #[serde(default)]
    pub force: bool,
    /// Somebody at the device must agree first.
    #[serde(default)]
    pub confirm: bool,
}

fn day() -> i64 {
    86_400
}

fn three() -> u16 {
    3
}

/// A campaign to be proposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCampaign {
    /// What people call it.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// The release: its id.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    pub release: String,
    /// The release before: its id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(pattern = "^[0-9a-f]{32}$")]
    pub roll_back_to: Option<String>,
    /// Which devices of the release's product: a query as in `GET /v1/devices/search`; all that the
    /// organisation owns where absent.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub search: String,
    /// How.
    pub plan: CampaignPlan,
}

/// How the members of a stage stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StageProgress {
    /// Members.
    pub total: u64,
    /// Have not begun.
    pub waiting: u64,
    /// On their way.
    pub open: u64,
    /// Confirmed a boot into the release.
    pub succeeded: u64,
    /// Failed.
    pub failed: u64,
    /// Need nothing, or left.
    pub skipped: u64,
    /// Stopped with the campaign.
    pub cancelled: u64,
    /// On their way back.
    pub rolling_back: u64,
    /// Back.
    pub rolled_back: u64,
    /// Did not get back.
    pub stranded: u64,
    /// When the stage was opened, or resumed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub opened: Option<Timestamp>,
}

/// A campaign with its progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Campaign {
    /// Its id: 32 hexadecimal digits.
    pub id: String,
    /// Whose.
    pub organisation: OrganisationRef,
    /// What people call it.
    pub name: String,
    /// The product line's maker.
    pub maker: OrganisationRef,
    /// The product line.
    pub product: ProductRef,
    /// The release: its id.
    pub release: String,
    /// Its version.
    pub version: String,
    /// Its release counter.
    pub release_counter: u64,
    /// Its security version.
    pub security_version: u64,
    /// The release before: its id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub roll_back_to: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub roll_back_version: Option<String>,
    /// Which devices were looked for.
    pub search: String,
    /// How.
    pub plan: CampaignPlan,
    /// Members; chosen when it was proposed.
    pub members: u64,
    /// Root of the tree of members, which the log commits to.
    pub root: Digest,
    /// draft, running, paused, rolling-back, finished, rolled-back, cancelled.
    pub state: String,
    /// Why it paused: person, errors, unreachable, release, suspended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub paused: Option<String>,
    /// The last stage that is open, from 1.
    pub stage: u8,
    /// Per stage.
    pub stages: Vec<StageProgress>,
    /// When it was proposed.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it was started.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub started: Option<Timestamp>,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub started_by: Option<String>,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub over: Option<Timestamp>,
}

/// Which devices of a campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CampaignDevicesQuery {
    /// open, succeeded, failed, skipped, withdrawn or cancelled; all that began where absent.
    #[param(pattern = "^(open|succeeded|failed|skipped|withdrawn|cancelled)$")]
    pub outcome: Option<String>,
    /// The `next` of the page before.
    #[param(min_length = 1, max_length = 200)]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}

/// What a campaign knows of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CampaignDevice {
    /// The device.
    pub device: DeviceRef,
    /// Its serial number.
    pub serial_number: String,
    /// The action's number.
    pub action: u64,
    /// Its stage, from 1.
    pub stage: u8,
    /// update or roll-back.
    pub purpose: String,
    /// offered, accepted, downloading, downloaded, installing, installed.
    pub step: String,
    /// In percent of the step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub progress: Option<u8>,
    /// The device's words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    /// When it was told.
    pub offered: Timestamp,
    /// Until when it has to be through.
    pub deadline: Timestamp,
    /// When it was last heard about this.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub heard: Option<Timestamp>,
    /// What came of it; absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub over: Option<Timestamp>,
    /// Leaf of the life event that tells it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub leaf: Option<u64>,
}

/// An owner's consent to a maker's updates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateConsent {
    /// The maker.
    pub maker: OrganisationRef,
    /// The product line.
    pub product: ProductRef,
    /// Given, or ended.
    #[serde(default = "yes")]
    pub given: bool,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
}

fn yes() -> bool {
    true
}

/// What a device says that it runs. What is absent says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceSoftware {
    /// Kind of hardware.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(min_length = 1, max_length = 128)]
    pub hardware_id: Option<String>,
    /// Version for people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(min_length = 1, max_length = 128)]
    pub version: Option<String>,
    /// Release counter.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub release_counter: Option<u64>,
    /// Security version.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub security_version: Option<u64>,
    /// SHA-256 of the image.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<Digest>,
    /// Whether the device keeps it: false while it tries a new image out.
    #[serde(default)]
    pub confirmed: bool,
    /// What it found when it last tested itself; looked at in a poll alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_items = 16)]
    pub self_test: Option<Vec<super::SelfTestFinding>>,
    /// The newest timestamps that it has verified; looked at in a poll alone.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(max_items = 16)]
    pub metadata: Vec<SeenMetadata>,
}

/// The newest timestamp of a repository that a device has verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenMetadata {
    /// Whose repository.
    pub organisation: OrganisationRef,
    /// Of its director, else of its image repository.
    #[serde(default)]
    pub director: bool,
    /// Version of the timestamp.
    pub timestamp: u64,
    /// How long ago it asked for the newest one, in seconds.
    pub asked_s: u64,
}

/// A version of a repository's timestamp that is out for longer than any mirror may lag behind: an
/// older one is withheld.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KnownMetadata {
    /// Whose repository.
    pub organisation: OrganisationRef,
    /// Of its director, else of its image repository.
    pub director: bool,
    /// Version of the timestamp.
    pub timestamp: u64,
}

/// A file that a device shall install.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AssignedArtifact {
    /// Its name within the release.
    pub name: String,
    /// Its path in the maker's image repository.
    pub path: String,
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its length in bytes.
    pub length: u64,
    /// The kinds of hardware that it is for.
    pub hardware_ids: Vec<String>,
    /// Where it is sealed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sealed: Option<super::AssignedSealing>,
    /// What makes it from what the device runs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub delta: Option<super::AssignedDelta>,
}

/// What a device shall run now. What may be installed is for the signed metadata to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Assignment {
    /// Its number, for feedback.
    pub action: u64,
    /// The campaign.
    pub campaign: String,
    /// update or roll-back.
    pub purpose: String,
    /// The release: its id.
    pub release: String,
    /// The maker whose image repository has it.
    pub maker: OrganisationRef,
    /// Its version.
    pub version: String,
    /// Its release counter.
    pub release_counter: u64,
    /// Its security version.
    pub security_version: u64,
    /// The kinds of hardware that it is for.
    pub hardware_ids: Vec<String>,
    /// Its files for this kind of hardware.
    pub artifacts: Vec<AssignedArtifact>,
    /// Install without waiting for anybody at the device.
    pub force: bool,
    /// Somebody at the device must agree first.
    pub confirm_needed: bool,
    /// Until when a boot into it must be confirmed.
    pub deadline: Timestamp,
    /// The device should state an encryption key: a file of it is sealed.
    #[serde(default)]
    pub encryption_key_wanted: bool,
    /// Whose director says the same, signed for this device: below `/tuf/director`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub director: Option<OrganisationRef>,
}

/// The answer to a poll: at most one of `install` and `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpdatePoll {
    /// Install this, or go on with it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub install: Option<Assignment>,
    /// Stop the action of this number, and say so where it had begun.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cancel: Option<u64>,
    /// Seconds until the next poll.
    pub next_poll_s: u32,
    /// Of the repositories that the device spoke of: which timestamps it should have seen.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub metadata: Vec<KnownMetadata>,
}

/// What a device says about an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateFeedback {
    /// The action's number.
    pub action: u64,
    /// proceeding, downloading, downloaded, installing, installed, confirmed, failed, rejected or
    /// cancelled.
    #[schema(pattern = "^[a-z]{1,20}$")]
    pub execution: String,
    /// In percent of the step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(minimum = 0, maximum = 100)]
    pub progress: Option<u8>,
    /// In its own words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 500)]
    pub detail: Option<String>,
    /// What runs on it now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub installed: Option<DeviceSoftware>,
}

/// A statement, and the proof that the log holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoggedStatement {
    /// Its bytes, as the log commits to them.
    pub statement: Base64,
    /// Salt of the commitment: 32 bytes.
    pub salt: Base64,
    /// The leaf.
    pub leaf: u64,
    /// Siblings up to the checkpoint's root.
    pub path: Vec<Digest>,
    /// The checkpoint, a signed note.
    pub checkpoint: String,
}

/// What shows that the log was told of an assignment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpdateProof {
    /// What the log was told of the campaign.
    pub campaign: LoggedStatement,
    /// What the log was told of the release.
    pub release: LoggedStatement,
    /// What hides the device among the members.
    pub salt: Digest,
    /// Its place among them.
    pub index: u64,
    /// Siblings up to the root of the members.
    pub path: Vec<Digest>,
}
