use super::{
    BothLanguages,
    scalar::{Digest, Timestamp},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A version of a product's threat model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThreatModelVersion {
    /// Counts from 1.
    pub version: u64,
    /// SHA-256 of the file.
    pub sha256: Digest,
    /// What the change was about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// How a threat model is handed in.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ThreatModelQuery {
    /// The version that was read, to follow it; 0 where there is none. Without it nothing is kept, and
    /// the answer says what would change.
    pub apply: Option<u64>,
    /// What the change is about.
    #[param(max_length = 200)]
    pub note: Option<String>,
}

/// Which version is wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ThreatVersionQuery {
    /// The version; the newest without it.
    pub version: Option<u64>,
}

/// A threat that a change brings, takes away, or moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThreatChange {
    /// Stable id.
    pub id: String,
    /// The rule, or the finding.
    pub cause: String,
    /// What is threatened.
    pub subject: String,
    /// Its title.
    pub title: BothLanguages,
    /// Where its treatment is.
    pub state: String,
    /// Residual risk, 1 to 25.
    pub score: u8,
    /// Its band.
    pub band: String,
    /// Where its treatment was, for a threat that stays.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state_before: Option<String>,
    /// Its residual risk before, for a threat that stays.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub score_before: Option<u8>,
}

/// What a model does not say, so that the worst is assumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThreatAssumption {
    /// `no-category`, `unrated`, `no-zone`, `carries-nothing`, `nowhere`.
    pub kind: String,
    /// Where.
    pub at: String,
}

/// What a change of a model does, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThreatChanges {
    /// The version that it made; where nothing was kept, that to apply it to.
    pub version: u64,
    /// Whether it was kept.
    pub applied: bool,
    /// Threats that were not there.
    pub appeared: Vec<ThreatChange>,
    /// Threats that are not there any more.
    pub vanished: Vec<ThreatChange>,
    /// Threats that stand otherwise.
    pub moved: Vec<ThreatChange>,
    /// Threats that stand as before.
    pub same: u64,
    /// Decisions that find no threat any more; they stay, and count again when it comes back.
    pub without_threat: Vec<String>,
    /// Decisions of the file itself, which do not count here.
    pub ignored_decisions: u64,
    /// What the model does not say.
    pub assumptions: Vec<ThreatAssumption>,
}

/// Which threats are wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ThreatQuery {
    /// In this state: `open`, `planned`, `mitigated`, `accepted`, `transferred`, `handled`, `dismissed`.
    pub state: Option<String>,
    /// In this band: `minimal`, `low`, `medium`, `high`, `critical`.
    pub band: Option<String>,
    /// The `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}

/// Likelihood and impact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RiskLevel {
    /// 1 to 5.
    pub likelihood: u8,
    /// 1 to 5.
    pub impact: u8,
    /// Their product.
    pub score: u8,
    /// Its band.
    pub band: String,
}

/// A threat to a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProductThreat {
    /// Stable id.
    pub id: String,
    /// `rule` or `finding`.
    pub cause: String,
    /// Its name.
    pub rule: String,
    /// Kind of threat.
    pub threat: String,
    /// What is threatened, by stable names.
    pub subject: String,
    /// The same for people.
    pub subject_title: String,
    /// Title.
    pub title: BothLanguages,
    /// What happens.
    pub text: BothLanguages,
    /// Where its treatment is.
    pub state: String,
    /// As if nothing had been done.
    pub inherent: RiskLevel,
    /// With what is in place.
    pub residual: RiskLevel,
    /// With what is decided, too.
    pub target: RiskLevel,
    /// Measures in place.
    pub in_place: Vec<String>,
    /// Measures decided.
    pub planned: Vec<String>,
    /// Measures that would help and are neither.
    pub missing: Vec<String>,
    /// What counts today.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decision: Option<StandingDecision>,
    /// Version of the decision about it, to replace it; 0 where there never was one.
    pub decision_version: u64,
}

/// A decision that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StandingDecision {
    /// What was decided.
    pub verdict: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// On which day.
    pub on: String,
    /// Last day on which it counts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<String>,
}

/// A decision about a threat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideThreat {
    /// The version of the decision that was read; 0 where there was none.
    pub version: u64,
    /// `accepted`, `transferred`, `measures`, `handled`, `dismissed`, `rated`; absent: the decision is
    /// taken back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verdict: Option<String>,
    /// Why.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
    /// Last day on which it counts, such as 2027-01-31; needed for accepted and transferred.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<String>,
    /// Measures that are decided.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(max_items = 128)]
    pub measures: Vec<String>,
    /// Likelihood as people see it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(minimum = 1, maximum = 5)]
    pub likelihood: Option<u8>,
    /// Impact as people see it; counts only where it is not below safety.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(minimum = 1, maximum = 5)]
    pub impact: Option<u8>,
}

/// A decision on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThreatDecision {
    /// The threat.
    pub threat: String,
    /// Counts the decisions about it.
    pub version: u64,
    /// What was decided; absent: the decision before was taken back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verdict: Option<String>,
    /// Why.
    pub reason: String,
    /// Last day on which it counts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<String>,
    /// Measures that are decided.
    pub measures: Vec<String>,
    /// Likelihood as people see it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub likelihood: Option<u8>,
    /// Impact as people see it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub impact: Option<u8>,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Which decisions are wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ThreatDecisionQuery {
    /// About this threat.
    pub threat: Option<String>,
    /// The `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}

/// How something is drawn.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DrawingQuery {
    /// What is drawn: `model` (the default), `tree` (of the threat or the asset), `trace` (of the threat).
    pub what: Option<String>,
    /// The threat.
    pub threat: Option<String>,
    /// The asset.
    pub asset: Option<String>,
    /// Colours: `light` (the default), `dark`.
    pub theme: Option<String>,
}

/// From the threats of a product to verdicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProductTrace {
    /// The day for which it holds.
    pub as_of: String,
    /// Version of the threat model.
    pub model_version: u64,
    /// The diagnosis that answers the checks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub diagnosis: Option<String>,
    /// What that diagnosis is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<String>,
    /// Threats by verdict.
    pub verdicts: Vec<TraceCount>,
    /// Threats, the greatest residual risk first.
    pub threats: Vec<TracedThreat>,
    /// Requirements on the way.
    pub requirements: Vec<TracedRequirement>,
    /// Controls on the way.
    pub controls: Vec<TracedControl>,
    /// Checks on the way.
    pub checks: Vec<TracedCheck>,
    /// What has no next link.
    pub gaps: Vec<TraceGap>,
}

/// Threats that come to a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TraceCount {
    /// `shown`, `claimed`, `contradicted`, `planned`, `borne`, `explained`, `open`.
    pub verdict: String,
    /// How many.
    pub threats: u64,
}

/// A threat with what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TracedThreat {
    /// Stable id.
    pub id: String,
    /// Title.
    pub title: BothLanguages,
    /// What is threatened.
    pub subject: String,
    /// Where its treatment is by the model.
    pub state: String,
    /// What the trace comes to.
    pub verdict: String,
    /// Residual risk by the model, 1 to 25.
    pub score: u8,
    /// Requirements behind it.
    pub requirements: Vec<String>,
    /// Measures in place.
    pub in_place: Vec<String>,
    /// Measures decided.
    pub planned: Vec<String>,
    /// Measures that would help and are neither.
    pub missing: Vec<String>,
    /// What is missing at the threat itself.
    pub gaps: Vec<String>,
}

/// A requirement on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TracedRequirement {
    /// Its reference.
    pub id: String,
    /// Title.
    pub title: BothLanguages,
    /// Where it stands by the whole diagnosis.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<String>,
}

/// A measure on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TracedControl {
    /// Its name.
    pub id: String,
    /// Title.
    pub title: BothLanguages,
    /// Requirements that ask for it.
    pub requirements: Vec<String>,
    /// Its checks.
    pub checks: Vec<String>,
    /// `verified`, `unproven`, `fails`.
    pub verdict: String,
}

/// An item of the check sheet on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TracedCheck {
    /// The item.
    pub id: String,
    /// What must be so.
    pub criterion: BothLanguages,
    /// Where it stands today.
    pub state: String,
    /// Who answered it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answered_by: Option<String>,
    /// What supports or contradicts it.
    pub evidence: Vec<TracedEvidence>,
    /// What is missing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gap: Option<String>,
}

/// A piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TracedEvidence {
    /// What it is, as the person wrote it; of a collector, which of several documents.
    pub what: String,
    /// The collector; absent for a document of an answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub collector: Option<String>,
    /// SHA-256 of the document, or of the figures.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<Digest>,
    /// Who collected it, or answered with it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    /// From which day.
    pub on: String,
    /// Last day on which it counts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<String>,
    /// Which version it is about; absent: the running platform.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<String>,
    /// `counts`, `fails`, `expired`, `other-version`, `inconclusive`.
    pub standing: String,
}

/// A missing link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TraceGap {
    /// Which: `no-control`, `no-requirement`, `no-check`, `not-answered`, `no-evidence`, `expired`,
    /// `partly`, `not-met`, `live-fails`, `decision-ended`.
    pub kind: String,
    /// For people.
    pub title: BothLanguages,
    /// Where: a threat, a measure, an item.
    pub at: String,
    /// Threats that hang on it.
    pub threats: Vec<String>,
}
