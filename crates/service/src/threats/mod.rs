//! Threat models of products on the platform (AS-3), what people decide about threats, and the trace
//! from threats to verdicts (AS-4). docs/threat-model.md.
//!
//! The rules are those of `assessment::threat`; here models are kept with their versions, and decisions
//! beside them, by the stable ids of threats: they survive edits of the model. A decision in the file
//! itself does not count here, because nobody knows who typed the name in it.

mod decide;
mod impact;
mod japanese;
mod model;
mod report;
mod trace;

pub use decide::{NewThreatDecision, ThreatDecisionView};
pub use impact::{FormStanding, ImpactAnswerView, ImpactLooked, NewImpactAnswers};
pub use model::{
    NewThreatModel, ThreatChange, ThreatChanges, ThreatModelPut, ThreatModelVersion,
    ThreatModelView, ThreatMoved, ThreatPreview, ThreatsLooked,
};
pub use report::ReportTrace;
pub use trace::TraceLooked;

pub(crate) use japanese::of as japanese;

use crate::{ServiceError, check_sheet, store::threat::DecisionRow};
use assessment::{
    AssessmentError, Day,
    threat::{Decision, Model, RuleBook, Verdict},
};
use device::Language;
use std::{collections::BTreeMap, sync::OnceLock};

/// Longest model, in bytes: a few hundred elements with their flows.
pub const THREAT_MODEL_BYTES_MAX: usize = 512 * 1024;
/// Threats of one product.
pub const THREATS_MAX: usize = 10_000;
/// Versions of a model whose text is kept; of older ones digest, author and time stay.
const TEXTS_KEPT: u64 = 100;

/// The rules of threats that were built in, read once.
///
/// # Errors
/// None with rules that the tests have seen.
pub fn rule_book() -> Result<&'static RuleBook, ServiceError> {
    static BOOK: OnceLock<Result<RuleBook, AssessmentError>> = OnceLock::new();
    let library = check_sheet()?;
    BOOK.get_or_init(|| RuleBook::embedded(library))
        .as_ref()
        .map_err(|error| ServiceError::fatal("rules", error.to_string()))
}

fn damaged() -> ServiceError {
    ServiceError::fatal("store-damaged", "a threat model's row is damaged")
}

/// Reads a model; the refusal says where it is wrong.
fn read_model(text: &str) -> Result<Model, ServiceError> {
    if text.len() > THREAT_MODEL_BYTES_MAX {
        return Err(ServiceError::malformed(
            "threat-model",
            format!("a model has at most {THREAT_MODEL_BYTES_MAX} bytes; split the product"),
        )
        .in_japanese(format!(
            "モデルは{THREAT_MODEL_BYTES_MAX}バイトまでです。製品を分けてモデル化してください"
        )));
    }
    Model::parse("model", text, rule_book()?).map_err(|error| {
        ServiceError::malformed("threat-model", error.to_string())
            .in_japanese(error.text(Language::Ja))
    })
}

/// A model with what people decided on the platform, in place of what its file says; the second is how
/// many decisions of the file do not count.
fn with_decisions(mut model: Model, rows: &[DecisionRow]) -> Result<(Model, usize), ServiceError> {
    let ignored = model.decisions.len();
    model.decisions = rows
        .iter()
        .filter_map(|row| decision_of(row).transpose())
        .collect::<Result<BTreeMap<_, _>, _>>()?;
    Ok((model, ignored))
}

/// What a row decides; `None` where the decision was taken back.
fn decision_of(row: &DecisionRow) -> Result<Option<(String, Decision)>, ServiceError> {
    let Some(verdict) = &row.verdict else { return Ok(None) };
    let day = |text: &str| Day::parse(text).ok_or_else(damaged);
    let measures: Vec<String> = serde_json::from_str(&row.measures).map_err(|_| damaged())?;
    let decision = Decision {
        verdict: Verdict::of_word(verdict).ok_or_else(damaged)?,
        reason: row.reason.clone(),
        by: row.by.clone(),
        on: Day::of(row.at).ok_or_else(damaged)?,
        until: row.until.as_deref().map(day).transpose()?,
        likelihood: row.likelihood,
        impact: row.impact,
        measures: measures.into_iter().collect(),
        line: 0,
    };
    Ok(Some((row.threat.clone(), decision)))
}
