use super::scalar::{Digest, OrganisationRef, ProductRef, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BothLanguages {
    /// English.
    pub en: String,
    /// Japanese.
    pub ja: String,
}

/// Which diagnoses are wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DiagnosisQuery {
    /// Of this product line of the organisation.
    pub product: Option<ProductRef>,
    /// The `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}

/// A diagnosis to be opened.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDiagnosis {
    /// Product line.
    pub product: ProductRef,
    /// Which version is looked at.
    #[schema(min_length = 1, max_length = 100)]
    pub subject: String,
    /// The diagnosis of the same product whose answers go over; evidence goes with them only where
    /// the subject is the same.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<String>,
}

/// Counted items: weights are summed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiagnosisScore {
    /// Items that concern the product.
    pub items: u32,
    /// Items that do not.
    pub not_applicable: u32,
    /// Weight of the items that concern the product.
    pub weight: u32,
    /// Share that is met with evidence, half of what is partly met; absent where nothing concerns it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fulfilled_percent: Option<u32>,
    /// Share that is met in words only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub claimed_percent: Option<u32>,
    /// Share that is answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answered_percent: Option<u32>,
}

/// Who stands for a diagnosis.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DiagnosisSignOff {
    /// Who asked for the sign-off.
    pub by: String,
    /// Who approved it.
    pub approved_by: String,
    /// When.
    pub at: Timestamp,
    /// SHA-256 of the answers, as `tegata checksheet` computes it of the file.
    pub content: Digest,
    /// The leaf of the log that commits to it.
    pub leaf: u64,
}

/// A diagnosis without its answers.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Diagnosis {
    /// Its id.
    pub id: String,
    /// Whose product it is about.
    pub organisation: OrganisationRef,
    /// Product line.
    pub product: ProductRef,
    /// Which version was looked at.
    pub subject: String,
    /// `open`, `signed`.
    pub state: String,
    /// Counts its changes.
    pub version: u64,
    /// SHA-256 of the catalogues and the check sheet that it is answered against.
    pub sheet: Digest,
    /// Whether that is the check sheet of now.
    pub sheet_current: bool,
    /// Who opened it.
    pub opened_by: String,
    /// When.
    pub opened: Timestamp,
    /// When it was changed last.
    pub changed: Timestamp,
    /// Who stands for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signed: Option<DiagnosisSignOff>,
    /// Its total today.
    pub total: DiagnosisScore,
}

/// A diagnosis, counted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DiagnosisFigures {
    /// What it is about.
    pub diagnosis: Diagnosis,
    /// The day on which it is counted, `YYYY-MM-DD`.
    pub as_of: String,
    /// SHA-256 of the answers as they are now: what a sign-off is for.
    pub content: Digest,
    /// By layer.
    pub layers: Vec<DiagnosisLayer>,
    /// By phase.
    pub phases: Vec<DiagnosisPhase>,
    /// By layer and phase, where there are items.
    pub cells: Vec<DiagnosisCell>,
    /// By catalogue.
    pub catalogues: Vec<DiagnosisCatalogue>,
    /// Topics with answers that the check sheet does not have any more.
    pub orphans: Vec<String>,
}

/// The items of a layer, counted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DiagnosisLayer {
    /// `service`, `platform`, `network`, `device`.
    pub layer: String,
    /// Counted.
    pub score: DiagnosisScore,
}

/// The items of a phase, counted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DiagnosisPhase {
    /// `planning` to `disposal`.
    pub phase: String,
    /// Counted.
    pub score: DiagnosisScore,
}

/// The items of a layer in a phase, counted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DiagnosisCell {
    /// Layer.
    pub layer: String,
    /// Phase.
    pub phase: String,
    /// Counted.
    pub score: DiagnosisScore,
}

/// How the clauses of a catalogue stand.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DiagnosisCatalogue {
    /// The catalogue.
    pub catalogue: String,
    /// Its title.
    pub title: BothLanguages,
    /// Clauses by state.
    pub clauses: Vec<ClauseCount>,
}

/// Clauses that stand so.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClauseCount {
    /// `met`, `claimed`, `partly`, `not-met`, `open`, `untouched`, `not-applicable`.
    pub state: String,
    /// How many.
    pub count: u64,
}

/// A clause of a catalogue, judged.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JudgedClause {
    /// The clause, `source:id`.
    pub clause: String,
    /// Its title.
    pub title: BothLanguages,
    /// How it stands.
    pub state: String,
    /// What that rests on.
    pub basis: Vec<ClauseBasis>,
}

/// What the state of a clause rests on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClauseBasis {
    /// `answer`, `item`, `clause`, `absent`.
    pub kind: String,
    /// The item or clause; the feature with its reason.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub of: Option<String>,
    /// How it relates to the clause: `equal`, `subset`, `superset`, `intersect`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub relation: Option<String>,
    /// How it stands.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<String>,
}

/// Which items of a diagnosis are wanted; all conditions must hold.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DiagnosedItemQuery {
    /// Of this layer.
    #[param(pattern = "^(service|platform|network|device)$")]
    pub layer: Option<String>,
    /// Of this phase.
    pub phase: Option<String>,
    /// That stand so.
    #[param(pattern = "^(met|claimed|expired|partly|not-met|open|not-applicable)$")]
    pub state: Option<String>,
    /// That this person sees to, as written in the answer.
    #[param(max_length = 200)]
    pub owner: Option<String>,
    /// That hold all of these words: in id, criterion, reason or comment.
    #[param(max_length = 200)]
    pub text: Option<String>,
    /// The `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}

/// What supports an answer. Days are `YYYY-MM-DD`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiagnosisEvidence {
    /// What it is, and where.
    #[schema(min_length = 1, max_length = 4000)]
    pub what: String,
    /// SHA-256 of the document.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<Digest>,
    /// From when it is.
    #[schema(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    pub on: String,
    /// The last day on which it counts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    pub until: Option<String>,
}

/// What stands under a topic. Days are `YYYY-MM-DD`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiagnosisEntry {
    /// `met`, `partly`, `not-met`, `not-applicable`; `absent` for a feature that the product does not
    /// have.
    #[schema(pattern = "^(met|partly|not-met|not-applicable|absent)$")]
    pub answer: String,
    /// Why, with `not-applicable` and `absent`, and only there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// What supports it, at most 64.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(max_items = 64)]
    pub evidence: Vec<DiagnosisEvidence>,
    /// Who sees to what is missing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<String>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    pub due: Option<String>,
    /// Anything else.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub comment: Option<String>,
}

/// What stands under a topic, and who put it there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiagnosedTopic {
    /// Item, clause (`source:id`) or feature.
    pub topic: String,
    /// What stands there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub entry: Option<DiagnosisEntry>,
    /// Which version of the diagnosis changed it last; 0 where nothing ever stood there. Give it back
    /// with a change.
    pub version: u64,
    /// Who changed it last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub changed_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub changed: Option<Timestamp>,
}

/// A change of what stands under a topic.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeAnswer {
    /// The `version` of the topic as it was read; another one by now is refused.
    pub version: u64,
    /// What is to stand there; nothing where it is absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub entry: Option<DiagnosisEntry>,
}

/// An item of the check sheet as it stands in a diagnosis.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DiagnosedItem {
    /// What was answered.
    #[serde(flatten)]
    pub answer: DiagnosedTopic,
    /// Layer.
    pub layer: String,
    /// Phase.
    pub phase: String,
    /// Threat.
    pub threat: String,
    /// How much it counts, 1 to 5.
    pub weight: u8,
    /// What must be so.
    pub criterion: BothLanguages,
    /// `met`, `claimed`, `expired`, `partly`, `not-met`, `open`, `not-applicable`.
    pub state: String,
    /// The feature that the product does not have, with the reason, where that answers it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub absent: Option<String>,
    /// What collectors found.
    #[serde(default)]
    pub checks: Vec<ItemCheck>,
}

/// What a collector found, as it bears on an item.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ItemCheck {
    /// Who looked, and at what.
    pub collector: String,
    /// Whether it sees all of the item: then a pass answers it.
    pub whole: bool,
    /// `pass`, `fail`, `inconclusive`.
    pub verdict: String,
    /// The last day on which a pass counts, `YYYY-MM-DD`.
    pub until: String,
}

/// An item that somebody has to see to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DiagnosisGap {
    /// The item.
    pub item: String,
    /// What must be so.
    pub criterion: BothLanguages,
    /// How it stands.
    pub state: String,
    /// How much it counts.
    pub weight: u8,
    /// Who sees to it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<String>,
    /// Until when, `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub due: Option<String>,
    /// Whether that day has passed.
    pub overdue: bool,
}

/// A change of a diagnosis.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DiagnosisChange {
    /// The version that it made.
    pub version: u64,
    /// Item, clause or feature.
    pub topic: String,
    /// `answer`, `import`, `carried`, `sheet`.
    pub how: String,
    /// What stood there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<DiagnosisEntry>,
    /// What stands there since.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<DiagnosisEntry>,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Whose history is wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DiagnosisHistoryQuery {
    /// Of this item, clause or feature.
    #[param(max_length = 140)]
    pub topic: Option<String>,
    /// The `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}

/// What to compare with.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DiagnosisComparisonQuery {
    /// The earlier diagnosis; without it the last that was signed before.
    pub with: Option<String>,
}

/// What changed from one diagnosis to another, each seen on its own day.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DiagnosisComparison {
    /// The earlier one.
    pub before: String,
    /// Its total on its day.
    pub before_total: DiagnosisScore,
    /// The total of the later one on its day.
    pub after_total: DiagnosisScore,
    /// Items that stand differently, first what got worse.
    pub changes: Vec<ItemMoved>,
}

/// An item that stands differently.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ItemMoved {
    /// The item.
    pub item: String,
    /// How much it counts.
    pub weight: u8,
    /// How it stood.
    pub before: String,
    /// How it stands.
    pub after: String,
    /// `better`, `worse`, `other`.
    pub direction: String,
}

/// What a diagnosis as a file looks like.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DiagnosisFileQuery {
    /// `yaml`, `xlsx`, or `oscal` (OSCAL 1.2 in JSON).
    #[param(pattern = "^(yaml|xlsx|oscal)$", default = "yaml")]
    pub format: Option<String>,
    /// Which model of OSCAL. Assessment results of all catalogues are the whole diagnosis and can be
    /// imported again.
    #[param(
        pattern = "^(assessment-results|plan-of-action-and-milestones|component-definition|profile)$",
        default = "assessment-results"
    )]
    pub model: Option<String>,
    /// Only of this catalogue; a profile is of one.
    pub catalogue: Option<String>,
}

/// What is done with answers from a file.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AnswerImportQuery {
    /// Whether what the file does not answer is taken away.
    #[param(default = false)]
    pub replace: Option<bool>,
    /// The version of the diagnosis for which the changes were looked at: they are made. Without it
    /// nothing is changed, and the answer shows what would be.
    pub apply: Option<u64>,
}

/// What a file changes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DiagnosisImported {
    /// The version of the diagnosis: that to apply the changes to, or that which they made.
    pub version: u64,
    /// Whether they were made.
    pub applied: bool,
    /// What changes.
    pub changes: Vec<TopicChange>,
    /// What OSCAL results say beyond answers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub foreign: Option<ForeignResults>,
}

/// What OSCAL results say beyond answers. Results of other tools are answers to clauses without
/// evidence: claims.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ForeignResults {
    /// What they are about, in their words: a person has to compare it with the product and version.
    pub about: String,
    /// Findings about controls that no catalogue has; left out.
    pub unknown: Vec<String>,
    /// Controls with findings that contradict each other; the worse one was taken.
    pub contradicted: Vec<String>,
}

/// A topic under which something else stands.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TopicChange {
    /// Item, clause or feature.
    pub topic: String,
    /// What stood there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<DiagnosisEntry>,
    /// What is to stand there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<DiagnosisEntry>,
}

/// The sign-off of a diagnosis.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignDiagnosis {
    /// SHA-256 of the answers that were read.
    pub content: Digest,
}

/// The version of a diagnosis that was read.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AtVersion {
    /// Another one by now is refused.
    pub version: u64,
}
