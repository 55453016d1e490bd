use super::scalar::{DeviceRef, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A version of an organisation's policies for the doors (docs/policies.md).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPolicySet {
    /// Policies in Cedar, each with an `@id`: at most 64 KiB and 100 policies.
    #[schema(max_length = 65_536)]
    pub policies: String,
    /// Cases that try them, in YAML or JSON: at most 128 KiB and 300 cases.
    #[schema(min_length = 1, max_length = 131_072)]
    pub cases: String,
    /// Why. Stays with the version.
    #[schema(min_length = 1, max_length = 300)]
    pub reason: String,
}

/// A version of the policies.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicySet {
    /// Its number.
    pub version: u64,
    /// `draft`, `tested`, `active` or `former`.
    #[schema(example = "tested")]
    pub state: String,
    /// Why it was put in.
    pub reason: String,
    /// By whom.
    pub made_by: String,
    /// When.
    pub made: Timestamp,
    /// How many cases it has.
    pub cases: u64,
    /// What came of its cases when they were tried last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tested: Option<PolicySetTested>,
}

/// When the cases of a version were tried.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicySetTested {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// How many did not come out as expected.
    pub failures: u64,
}

/// What came of the cases.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicyReport {
    /// Whether every case came out as expected.
    pub passed: bool,
    /// One by one.
    pub cases: Vec<TriedPolicyCase>,
    /// Ids of policies that decided no case: nothing is known of them.
    pub untried: Vec<String>,
}

/// What came of a case.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TriedPolicyCase {
    /// Its name.
    pub name: String,
    /// Whether it came out as expected.
    pub passed: bool,
    /// Whether it was allowed.
    pub allowed: bool,
    /// What decided: ids of policies, or `own-space`; empty where nothing allows it.
    pub because: Vec<String>,
    /// What was expected instead, where it did not pass.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instead: Option<String>,
}

/// A policy by its id.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicyEffect {
    /// Its id.
    pub id: String,
    /// Whether it permits; it forbids otherwise.
    pub permits: bool,
}

/// A version with its texts.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicySetDetail {
    /// Which.
    pub set: PolicySet,
    /// The policies, as they were put in.
    pub policies: String,
    /// The cases, likewise.
    pub cases: String,
    /// The policies by their ids.
    pub effects: Vec<PolicyEffect>,
    /// What looks like a mistake in them.
    pub warnings: Vec<String>,
    /// What comes of the cases now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub report: Option<PolicyReport>,
}

/// A version after its cases were tried.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicySetTest {
    /// The version, as it stands now.
    pub set: PolicySet,
    /// What came of its cases.
    pub report: PolicyReport,
}

/// What is to be in force.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActivatePolicies {
    /// A version that was tested, or an older one again; without: none, so that each device has its own
    /// space and nothing else.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(minimum = 1)]
    pub version: Option<u64>,
    /// Why.
    #[schema(min_length = 1, max_length = 300)]
    pub reason: String,
}

/// What was put in force.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicyActivation {
    /// The version; without: none has been in force since.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<u64>,
    /// Why.
    pub reason: String,
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What a device wants to do.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PolicyAction {
    /// Send a message.
    Publish,
    /// Ask to be sent the messages of a topic or filter.
    Subscribe,
    /// Be sent a message.
    Receive,
}

/// A decision to be explained.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PolicyQuestion {
    /// Which device.
    pub device: DeviceRef,
    /// What it wants to do.
    #[param(inline)]
    pub action: PolicyAction,
    /// With which topic, or filter where it subscribes; it may say `me`.
    #[param(min_length = 1, max_length = 1024, example = "me/up/temperature")]
    pub topic: String,
    /// By which version; without: by what is in force.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[param(minimum = 1)]
    pub version: Option<u64>,
}

/// A decision and what it rests on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicyDecision {
    /// Whether it is allowed.
    pub allowed: bool,
    /// Ids of the policies that decided, or `own-space`; empty where nothing allows it.
    pub because: Vec<String>,
    /// The topic or filter as it means.
    pub topic: String,
    /// The version that was asked; without: none is in force.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<u64>,
    /// Policies that failed, in words: nothing was permitted then.
    pub failed: Vec<String>,
    /// Whether what is in force cannot be read: then each device has its own space.
    pub broken: bool,
}
