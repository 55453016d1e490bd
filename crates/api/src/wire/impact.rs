use super::{BothLanguages, scalar::Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// An impact assessment of a product, as it stands today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImpactAssessment {
    /// `safety`, `privacy`, `framework`.
    pub form: String,
    /// Title.
    pub title: BothLanguages,
    /// Counts the changes; a change names the one that it follows.
    pub version: u64,
    /// The threat model that it was held against.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model_version: Option<u64>,
    /// Who changed it last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub changed_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub changed_at: Option<Timestamp>,
    /// Who concluded it, while that holds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub concluded_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub concluded_at: Option<Timestamp>,
    /// It was concluded, and something has changed since.
    pub reopened: bool,
    /// Questions that concern the product, in order.
    pub questions: Vec<ImpactQuestion>,
    /// How many of them are open.
    pub open: u64,
    /// Safety, confidentiality, integrity, availability of the product: the greatest of its assets and of
    /// all forms, each for itself.
    pub ratings: Vec<ImpactRating>,
    /// What laws and rules ask for.
    pub duties: Vec<ImpactDuty>,
    /// What the answers and the threat model say otherwise.
    pub contradictions: Vec<ImpactContradiction>,
    /// Threats that the questions are about, the greatest risk first.
    pub threats: Vec<ImpactThreat>,
    /// Requirements that it comes down to.
    pub requirements: Vec<String>,
}

/// A question of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImpactQuestion {
    /// Its name.
    pub id: String,
    /// The step that it belongs to.
    pub step: String,
    /// What is asked.
    pub ask: BothLanguages,
    /// What to think of.
    pub help: BothLanguages,
    /// An answer that somebody might give.
    pub example: BothLanguages,
    /// Words to choose from; none where it is answered in words.
    pub choices: Vec<ImpactChoice>,
    /// Whether several may be chosen, joined by commas.
    pub several: bool,
    /// What stands there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answer: Option<String>,
    /// Whether the file of the threat model says so, and nobody on the platform.
    pub from_file: bool,
}

/// An answer to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImpactChoice {
    /// What an answer says.
    pub word: String,
    /// Title.
    pub title: BothLanguages,
    /// What it rates, 1 to 5.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub level: Option<u8>,
    /// What follows from it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub then: Option<BothLanguages>,
}

/// One of S-CIA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImpactRating {
    /// `safety`, `confidentiality`, `integrity`, `availability`.
    pub harm: String,
    /// 1 to 5; 0 where nothing is rated.
    pub level: u8,
    /// What rates it so: assets by their names, and `form/question`.
    pub by: Vec<String>,
}

/// What a law or a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImpactDuty {
    /// Its name.
    pub id: String,
    /// `applies`, or `open` where nobody has answered what decides it.
    pub state: String,
    /// Which law, with its article.
    pub law: BothLanguages,
    /// In a line.
    pub title: BothLanguages,
    /// What is to be done.
    pub text: BothLanguages,
    /// What one has in hand afterwards.
    pub document: BothLanguages,
    /// Requirements that it comes down to.
    pub requirements: Vec<String>,
}

/// What an answer and the threat model say otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImpactContradiction {
    /// `denied`: the model has what the answer denies; `underrated`: no asset is rated as the answers are.
    pub kind: String,
    /// The question, or the harm.
    pub at: String,
    /// What of the model, or the level.
    pub what: Vec<String>,
}

/// A threat that questions are about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImpactThreat {
    /// Stable id.
    pub id: String,
    /// Title.
    pub title: BothLanguages,
    /// Where its treatment is.
    pub state: String,
    /// Residual risk, 1 to 25.
    pub score: u8,
    /// Questions that are about it.
    pub questions: Vec<String>,
}

/// Answers to questions of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerImpact {
    /// The version that was read; 0 where there was none.
    pub version: u64,
    /// By question; `null` takes the answer back.
    pub answers: BTreeMap<String, Option<String>>,
}

/// What a change of a form made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImpactAnswered {
    /// The version that counts now.
    pub version: u64,
}

/// A form to be concluded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConcludeImpact {
    /// The version that was read.
    pub version: u64,
}

/// An answer on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImpactAnswer {
    /// The question.
    pub question: String,
    /// The version of the form that it made.
    pub version: u64,
    /// What was said; absent where the answer before was taken back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answer: Option<String>,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}
