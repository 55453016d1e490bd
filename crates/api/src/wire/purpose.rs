use super::scalar::{DeviceRef, OrganisationRef, ProductRef, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What data of a product line's devices is for (docs/consent.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPurpose {
    /// Title in English.
    #[schema(min_length = 1, max_length = 200)]
    pub title_en: String,
    /// Title in Japanese.
    #[schema(min_length = 1, max_length = 200)]
    pub title_ja: String,
    /// What is done with the data, in English.
    #[schema(min_length = 1, max_length = 2000)]
    pub explanation_en: String,
    /// The same in Japanese.
    #[schema(min_length = 1, max_length = 2000)]
    pub explanation_ja: String,
    /// Which topics carry the data: filters below a device's space.
    #[schema(min_items = 1, max_items = 16, example = json!(["up/location/#"]))]
    pub topics: Vec<String>,
    /// Why no consent is needed: the contract, a law. Without it the purpose is optional, and nothing is
    /// taken for it before the owner agrees.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(min_length = 1, max_length = 200)]
    pub legal_basis: Option<String>,
    /// Who receives the data.
    #[schema(min_items = 1, max_items = 16)]
    pub recipients: Vec<String>,
    /// For how many days it is kept.
    #[schema(minimum = 1, maximum = 36_525)]
    pub retention_days: u32,
}

/// A purpose, or a version of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DataPurpose {
    /// What it is called.
    pub name: String,
    /// Number of the version; consent is to one version.
    pub version: u64,
    /// Whether the maker has ended it: nobody can agree to it, and its topics stay closed.
    pub ended: bool,
    /// Title in English.
    pub title_en: String,
    /// Title in Japanese.
    pub title_ja: String,
    /// What is done with the data, in English.
    pub explanation_en: String,
    /// The same in Japanese.
    pub explanation_ja: String,
    /// Which topics carry the data.
    pub topics: Vec<String>,
    /// Why no consent is needed; without: it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub legal_basis: Option<String>,
    /// Who receives the data.
    pub recipients: Vec<String>,
    /// For how many days it is kept.
    pub retention_days: u32,
    /// When this version was declared.
    pub made: Timestamp,
}

/// What an owner decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConsentDecision {
    /// Consent is given.
    Given,
    /// Consent is withdrawn, or refused.
    Withdrawn,
    /// Of a device: what the organisation decided for all of its devices holds.
    AsOrganisation,
}

/// What an owner decides about a purpose.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConsent {
    /// Whose product line.
    pub maker: OrganisationRef,
    /// Which product line.
    pub product: ProductRef,
    /// About which of its purposes.
    #[schema(min_length = 1, max_length = 64, example = "better-routes")]
    pub purpose: String,
    /// The version of its text that was read.
    #[schema(minimum = 1)]
    pub version: u64,
    /// For which device; without: for all that the organisation has of the product line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<DeviceRef>,
    /// What.
    pub decision: ConsentDecision,
}

/// The newest decision of a kind.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ConsentDecided {
    /// What was decided.
    pub decision: ConsentDecision,
    /// About which version of the purpose.
    pub version: u64,
    /// When.
    pub at: Timestamp,
}

/// A purpose, and what was decided about it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PurposeConsent {
    /// The purpose, in the version in force.
    pub purpose: DataPurpose,
    /// Whether data may be used for it now.
    pub stands: bool,
    /// The newest decision for all of the organisation's devices.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub organisation: Option<ConsentDecided>,
    /// The newest decision for the device that was asked about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<ConsentDecided>,
    /// Devices for which it is given by a decision of their own; counted up to 10,000.
    pub devices_given: u64,
    /// Devices for which it is withdrawn by a decision of their own.
    pub devices_withdrawn: u64,
}

/// The purposes of a product line, as an owner of its devices sees them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProductConsents {
    /// Whose product line.
    pub maker: OrganisationRef,
    /// Which.
    pub product: ProductRef,
    /// Its name.
    pub name: String,
    /// Its purposes.
    pub purposes: Vec<PurposeConsent>,
}

/// A decision on record.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ConsentRecord {
    /// Whose product line.
    pub maker: OrganisationRef,
    /// Which.
    pub product: ProductRef,
    /// About which purpose.
    pub purpose: String,
    /// About which version of its text.
    pub version: u64,
    /// For which device; without: for all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<DeviceRef>,
    /// What.
    pub decision: ConsentDecision,
    /// Why, where the platform ended it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Which decisions.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ConsentHistoryQuery {
    /// Of this device alone.
    pub device: Option<DeviceRef>,
    /// The `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}

/// Topics on which a product line's devices must sign (docs/cose.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedTopics {
    /// Filters below a device's space; none: nowhere.
    #[schema(max_items = 16, example = json!(["up/meter/#"]))]
    pub topics: Vec<String>,
    /// Filters of those on which they must encrypt for their owner besides; none: nowhere. Where it is left out
    /// in a request they stay.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_items = 16, example = json!(["up/meter/private/#"]))]
    pub encrypted: Option<Vec<String>>,
}
