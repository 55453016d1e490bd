use super::scalar::{Digest, OrganisationRef, ProductRef, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What an organisation asks of its product lines before operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationPolicy {
    /// Whether anything is asked.
    pub required: bool,
    /// Items of this weight or more must be verified; 6 for none by weight.
    #[schema(minimum = 1, maximum = 6)]
    pub weight: u8,
    /// And these items.
    #[serde(default)]
    #[schema(max_items = 500)]
    pub items: Vec<String>,
    /// Of a diagnosis that two people signed.
    pub signed: bool,
}

/// A product line and what stands in the way of its operation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Operation {
    /// Whose product it is.
    pub organisation: OrganisationRef,
    /// Product line.
    pub product: ProductRef,
    /// `free`: nothing is asked; `prototype`: devices get prototype certificates; `operating`;
    /// `overruled`: in operation until a day although items were open.
    pub state: String,
    /// Since when it is in operation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
    /// Until when, where it was overruled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<Timestamp>,
    /// Why it was overruled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Who let it enter operation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    /// Who approved what was overruled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approved_by: Option<String>,
    /// The diagnosis that counts today.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub diagnosis: Option<String>,
    /// Required items.
    pub required: u32,
    /// Those that are not verified today.
    pub open: Vec<OpenItem>,
    /// Those that were open when it was overruled.
    pub overruled: Vec<String>,
}

/// A required item that is not verified.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OpenItem {
    /// The item.
    pub item: String,
    /// How it stands.
    pub state: String,
}

/// How a product line enters operation.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnterOperation {
    /// Although items are open; it always takes a second person.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub overrule: Option<OverruleOperation>,
}

/// Why, and until when, open items are no obstacle.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OverruleOperation {
    /// Why.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
    /// Until when, within a year.
    pub until: Timestamp,
}

/// Why a product line leaves operation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaveOperation {
    /// Why.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
}

/// A line of the history of operation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OperationChange {
    /// Product line; absent where it is about what the organisation asks for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub product: Option<ProductRef>,
    /// `policy`, `entered`, `overruled`, `left`.
    pub what: String,
    /// What exactly.
    pub detail: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Evidence on record.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LiveEvidence {
    /// Who looked, and at what.
    pub collector: String,
    /// Which of several documents; absent for the running platform.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// Which version a document is about; absent for the running platform.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<String>,
    /// `pass`, `fail`, `inconclusive`.
    pub verdict: String,
    /// Figures.
    pub figures: Vec<Figure>,
    /// SHA-256 of the document, or of the figures.
    pub digest: Digest,
    /// Who collected it, or handed it in.
    pub collected_by: String,
    /// When.
    pub collected: Timestamp,
    /// Until when a pass counts.
    pub expires: Timestamp,
    /// Since when a newer one counts instead.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replaced: Option<Timestamp>,
    /// Items of the check sheet that it says something about.
    pub items: Vec<String>,
}

/// A figure of evidence.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Figure {
    /// What.
    pub name: String,
    /// How much.
    pub value: String,
}

/// What a document is about.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EvidenceQuery {
    /// Which version of the product.
    #[param(min_length = 1, max_length = 100)]
    pub subject: Option<String>,
    /// Which of several documents of its kind; of one name the newest counts.
    #[param(min_length = 1, max_length = 100, default = "default")]
    pub name: Option<String>,
}

/// Components that an organisation approved.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovedComponents {
    /// Package URLs; with a version for that one only.
    #[schema(max_items = 10000)]
    pub components: Vec<String>,
}
