//! What a campaign would be, how it went, and campaigns out of vulnerabilities.

use super::{
    campaign::CampaignPlan,
    scalar::{OrganisationRef, ProductRef, Timestamp},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a campaign would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CampaignPreview {
    /// The version of the release.
    pub version: String,
    /// Devices that would be its members now.
    pub members: u64,
    /// Of these, roughly so many per stage: members fall into stages by lot.
    pub per_stage: Vec<u64>,
    /// Whether another administrator would have to approve its start.
    pub second_person: bool,
    /// Whether owners of devices of this product have not consented to its maker's updates.
    pub without_consent: bool,
}

/// How the members of a campaign stood at a moment, all stages together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CampaignMoment {
    /// When.
    pub at: Timestamp,
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
}

/// An affected version, and how many devices run it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DraftVersion {
    /// Version.
    pub version: String,
    /// affected or under_investigation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<String>,
    /// Devices that run it.
    pub devices: u64,
}

/// What a campaign out of a vulnerability would be, for one product line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VulnerabilityDraft {
    /// Whose product it is.
    pub maker: OrganisationRef,
    /// Product line.
    pub product: ProductRef,
    /// Affected versions that the release mends.
    pub versions: Vec<DraftVersion>,
    /// Affected versions that are not older than the release: left out.
    pub newer: Vec<DraftVersion>,
    /// Devices that run one of `versions`.
    pub devices: u64,
    /// fixed: there is a release; otherwise why there is none: no-release, affected, unknown, older.
    pub target: String,
    /// The release: its id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub release: Option<String>,
    /// Its version, or that of the newest release, which is not the one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// Why there is none, and what to do next.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
}

/// A campaign to be proposed out of a vulnerability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVulnerabilityCampaign {
    /// The product line.
    pub product: ProductRef,
    /// Its maker; the organisation itself where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub maker: Option<OrganisationRef>,
    /// maker: devices that the organisation made and may update; owner: that it owns.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(pattern = "^(maker|owner)$")]
    pub side: Option<String>,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// How; 5, 25 and 70 percent, each watched for an hour, where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plan: Option<CampaignPlan>,
}
