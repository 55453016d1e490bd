//! Use case: from the threats of a product to the verdicts, with answers, evidence and what collectors
//! found (AS-4).

use super::{model::kept, rule_book};
use crate::{
    DiagnosisId, Service, ServiceError, ThreatModelVersion,
    diagnoses::{check_sheet, live_records},
    live::found,
    store::diagnosis as diagnoses,
};
use assessment::{Answered, Trace, threat::Analysis};
use device::{OrganisationId, ProductId};
use policy::{Action, Caller};
use std::collections::BTreeMap;

/// The trace of a product, as it stands today.
#[derive(Debug)]
pub struct TraceLooked<'a> {
    /// which version of the model
    pub version: &'a ThreatModelVersion,
    /// the diagnosis that answers the checks: the newest of the product; `None` where there is none
    pub diagnosis: Option<DiagnosisId>,
    /// what that diagnosis is about
    pub subject: Option<&'a str>,
    /// what threatens the product
    pub analysis: &'a Analysis<'a>,
    /// the ways from threats to verdicts
    pub trace: &'a Trace<'a>,
    /// versions of the decisions about threats, by their ids
    pub decided: &'a BTreeMap<String, u64>,
}

impl Service {
    /// Looks at the trace of a product today. It joins the model with the newest diagnosis and with
    /// what collectors found.
    ///
    /// # Errors
    /// `not-found`, also where there is no model; `role`.
    pub async fn look_at_trace<T: Send + 'static>(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        look: impl FnOnce(&TraceLooked<'_>) -> T + Send + 'static,
    ) -> Result<T, ServiceError> {
        let _row = self.modelled(caller, Action::ReadDiagnosis, organisation, product)?;
        let product = self.modelled(caller, Action::ReadThreatModel, organisation, product)?;
        let (service, today) = (self.clone(), self.today()?);
        let work = move || {
            // One snapshot for all of it.
            let (kept, diagnosis, live) = service.read(|connection| {
                let kept = kept(connection, product.id)?;
                let newest = diagnoses::of_product(connection, product.id, i64::MAX, 1)?;
                let diagnosis = match newest.into_iter().next() {
                    None => None,
                    Some(row) => {
                        let loaded = service.load_diagnosis(connection, &row)?;
                        Some((DiagnosisId(row.reference), loaded))
                    }
                };
                Ok((kept, diagnosis, live_records(connection, product.id)?))
            })?;
            let kept = found(kept, "threat model")?;
            let analysis = Analysis::of(&kept.model, rule_book()?, today);
            let by = diagnosis
                .iter()
                .flat_map(|(_, loaded)| &loaded.entries)
                .filter(|(_, row)| row.outcome.is_some())
                .map(|(topic, row)| (topic.clone(), row.changed_by.clone()))
                .collect();
            let answered = Answered {
                diagnosis: diagnosis.as_ref().map(|(_, loaded)| &loaded.diagnosis),
                by,
                live,
            };
            let trace = Trace::of(&analysis, check_sheet()?, &answered);
            Ok(look(&TraceLooked {
                version: &kept.version,
                diagnosis: diagnosis.as_ref().map(|(id, _)| *id),
                subject: diagnosis.as_ref().map(|(_, loaded)| loaded.diagnosis.subject.as_str()),
                analysis: &analysis,
                trace: &trace,
                decided: &kept.decided,
            }))
        };
        self.pool.begin(work).outcome().await?
    }
}
