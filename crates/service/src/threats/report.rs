//! What reports say of threats and impact assessments.

use super::{FormStanding, ThreatModelVersion, impact::reopen, rule_book};
use crate::{
    Service, ServiceError,
    diagnoses::{check_sheet, live_records},
    store::organisation::ProductRow,
};
use assessment::{
    Answered, Day, Diagnosis, Trace,
    threat::{Analysis, FormAnswers, Model},
};
use std::collections::BTreeMap;

/// What a report says of threats: the model joined with the answers of the diagnosis that the report is
/// about, and impact assessments, as they stand on its day.
#[derive(Debug, Clone)]
pub struct ReportTrace {
    /// which version of the threat model; `None` where there is none
    pub version: Option<ThreatModelVersion>,
    /// answers of impact assessments, by form
    pub answers: BTreeMap<String, FormAnswers>,
    /// where each form stands
    pub standing: BTreeMap<String, FormStanding>,
    model: Model,
    diagnosis: Diagnosis,
    answered: BTreeMap<String, String>,
    live: Vec<assessment::LiveRecord>,
    today: Day,
}

impl ReportTrace {
    /// Looks at the threats, and at the ways from them to verdicts.
    ///
    /// # Errors
    /// None with rules that the tests have seen.
    pub fn look<T>(
        &self,
        look: impl FnOnce(&Analysis<'_>, &Trace<'_>) -> T,
    ) -> Result<T, ServiceError> {
        let analysis = Analysis::of(&self.model, rule_book()?, self.today);
        let answered = Answered {
            diagnosis: Some(&self.diagnosis),
            by: self.answered.clone(),
            live: self.live.clone(),
        };
        let trace = Trace::of(&analysis, check_sheet()?, &answered);
        Ok(look(&analysis, &trace))
    }
}

impl Service {
    /// What a report about a diagnosis says of threats; who may read it is asked by the caller.
    pub(crate) fn report_trace(
        &self,
        product: &ProductRow,
        diagnosis: Diagnosis,
        answered: BTreeMap<String, String>,
        today: Day,
    ) -> Result<ReportTrace, ServiceError> {
        let mut assessed = self.assessed(product.id, &product.name)?;
        let live = self.read(|connection| live_records(connection, product.id))?;
        let analysis = Analysis::of(&assessed.model, rule_book()?, today);
        reopen(&analysis, &assessed.answers, &assessed.digests, &mut assessed.standing);
        drop(analysis);
        Ok(ReportTrace {
            version: assessed.version,
            answers: assessed.answers,
            standing: assessed.standing,
            model: assessed.model,
            diagnosis,
            answered,
            live,
            today,
        })
    }
}
