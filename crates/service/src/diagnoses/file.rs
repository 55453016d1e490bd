//! Use cases: a diagnosis as a file, and answers from a file.

use super::{
    DiagnosisId,
    answers::with_sheet,
    check_sheet, damaged,
    open::{at_version, is_open, still_open},
    refused,
    stored::{Line, Put, Stamp, load, put},
    unreadable,
};
use crate::{
    Service, ServiceError,
    live::found,
    store::diagnosis::{self as store, State},
};
use assessment::{AssessmentError, Diagnosis, Entry, Outcome, Topic, TopicChange, oscal};
use device::{Language, OrganisationId};
use policy::{Action, Caller};

/// The form of a file with answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportForm {
    /// YAML
    Yaml,
    /// a workbook
    Xlsx,
    /// OSCAL assessment results in JSON: a whole diagnosis as it was exported, or results of any tool,
    /// which are answers to clauses and claims
    Oscal,
}

/// What of a diagnosis goes out as OSCAL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OscalWanted {
    /// `assessment-results`, `plan-of-action-and-milestones`, `component-definition`, `profile`
    pub model: oscal::DocumentKind,
    /// of this catalogue alone; `None`: of all. A profile is of one
    pub catalogue: Option<String>,
}

/// Answers that come in a file.
#[derive(Debug, Clone)]
pub struct DiagnosisImport {
    /// its form
    pub form: ImportForm,
    /// the file
    pub bytes: Vec<u8>,
    /// whether what the file does not answer is taken away
    pub replace: bool,
    /// the version of the diagnosis for which the changes were looked at, to apply them; `None` only
    /// shows them
    pub apply: Option<u64>,
}

/// What a file changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiagnosisImported {
    /// the version of the diagnosis: that to apply the changes to, or that which they made
    pub version: u64,
    /// whether they were applied
    pub applied: bool,
    /// what changes
    pub changes: Vec<TopicChange>,
    /// what the document said that was not taken over; only of OSCAL
    pub foreign: Option<ForeignResults>,
}

/// What assessment results say beyond answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignResults {
    /// what they are about, in their words: product and version. Nobody can compare names of different
    /// tools, so a person has to
    pub about: String,
    /// findings about controls that no catalogue has
    pub unknown: Vec<String>,
    /// controls with findings that contradict each other: the worse one was taken
    pub contradicted: Vec<String>,
}

impl Service {
    /// The canonical file; of a signed diagnosis the bytes that were signed for.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn diagnosis_file(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
    ) -> Result<Vec<u8>, ServiceError> {
        let (row, diagnosis) = self.diagnosis_read(caller, id)?;
        match row.state {
            State::Signed => {
                let file = self.read(|connection| store::signed_file(connection, row.id))?;
                file.ok_or_else(damaged)
            }
            State::Open | State::Discarded => Ok(diagnosis.to_yaml().into_bytes()),
        }
    }

    /// The same as a workbook.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn diagnosis_workbook(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
        language: Language,
    ) -> Result<Vec<u8>, ServiceError> {
        let (_, diagnosis) = self.diagnosis_read(caller, id)?;
        let library = check_sheet()?;
        let made = self.pool.begin(move || diagnosis.to_xlsx(library, language)).outcome().await?;
        made.map_err(|error| refused(&error))
    }

    /// The same as OSCAL in JSON, of today. Assessment results of all catalogues are the whole diagnosis
    /// and can be imported again; those of one are an extract, without answers.
    ///
    /// # Errors
    /// `oscal-model` for other models and for a profile of no catalogue, `not-found` also for a catalogue
    /// that does not exist, `role`.
    pub async fn diagnosis_oscal(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
        wanted: OscalWanted,
        language: Language,
    ) -> Result<Vec<u8>, ServiceError> {
        let (_, diagnosis) = self.diagnosis_read(caller, id)?;
        let library = check_sheet()?;
        let export = oscal::OscalExport { library, on: self.today()?, language };
        let one = match &wanted.catalogue {
            None => None,
            Some(name) => {
                let found = library.catalogue(name);
                Some(found.ok_or_else(|| ServiceError::not_found("catalogue"))?)
            }
        };
        let make = move || {
            let chosen: Vec<_> = match one {
                Some(one) => vec![one],
                None => library.catalogues().iter().collect(),
            };
            let document = match (wanted.model, one) {
                (oscal::DocumentKind::Results, None) => {
                    oscal::diagnosis_results(export, &diagnosis)
                }
                (oscal::DocumentKind::Results, Some(_)) => {
                    oscal::assessment_results(export, &diagnosis, &chosen)
                }
                (oscal::DocumentKind::ActionPlan, None) => {
                    oscal::plan_of_action(export, &diagnosis)
                }
                (oscal::DocumentKind::Component, _) => {
                    oscal::component_definition(export, &diagnosis, &chosen)
                }
                (oscal::DocumentKind::Profile, Some(one)) => {
                    oscal::profile(export, &diagnosis, one)
                }
                _ => return None,
            };
            Some(document.to_json().into_bytes())
        };
        self.pool.begin(make).outcome().await?.ok_or_else(|| {
            ServiceError::malformed(
                "oscal-model",
                "a diagnosis is written as assessment-results, plan-of-action-and-milestones or \
                 component-definition, and as a profile of one catalogue, which has to be named; a plan \
                 of action is of no catalogue",
            )
        })
    }

    /// Whose diagnosis it is, where the caller may import answers: asked before a file is sent.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub fn may_import_answers(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
    ) -> Result<OrganisationId, ServiceError> {
        let row = self.diagnosis_for(caller, Action::AnswerDiagnosis, id)?;
        self.organisation_id(row.organisation)
    }

    /// Answers from a file: what would change, or the change itself.
    ///
    /// # Errors
    /// `diagnosis-file` with the place, `other-diagnosis` for a file about something else, `answer`,
    /// `diagnosis-changed`, `diagnosis-size`, `quota`, `sheet-changed`, `diagnosis-signed`,
    /// `not-found`, `role`.
    pub async fn import_answers(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
        import: DiagnosisImport,
    ) -> Result<DiagnosisImported, ServiceError> {
        let row = self.diagnosis_for(caller, Action::AnswerDiagnosis, id)?;
        let library = check_sheet()?;
        let DiagnosisImport { form, bytes, replace, apply } = import;
        let product = self.diagnosed_product(&row)?;
        let here = (product.clone(), row.subject.clone());
        let parse = move || match form {
            ImportForm::Xlsx => Ok((Diagnosis::from_xlsx("workbook", &bytes, library)?, None)),
            ImportForm::Yaml => {
                Ok((Diagnosis::parse("file", &String::from_utf8_lossy(&bytes), library)?, None))
            }
            ImportForm::Oscal => {
                let document = oscal::Document::parse("file", &bytes)?;
                let found = oscal::diagnosis_from(&document, library)?;
                let mut file = found.diagnosis;
                let about = format!("{} {}", file.product, file.subject);
                let (unknown, contradicted) = (found.unknown, found.contradicted);
                let more = !unknown.is_empty() || !contradicted.is_empty();
                // A whole diagnosis says what it is about, as its file does.
                if !found.whole {
                    (file.product, file.subject) = here;
                }
                let foreign = ForeignResults { about, unknown, contradicted };
                Ok((file, (!found.whole || more).then_some(foreign)))
            }
        };
        let parsed: Result<_, AssessmentError> = self.pool.begin(parse).outcome().await?;
        let (file, foreign) = parsed.map_err(|error| unreadable(&error))?;
        if file.product != product || file.subject != row.subject {
            return Err(ServiceError::refused(
                "other-diagnosis",
                format!(
                    "the file is about {} {}, this diagnosis about {product} {}; export it to begin \
                     with, or change product and subject in the file",
                    file.product, file.subject, row.subject
                ),
            ));
        }
        let today = self.today()?;
        // Row and entries of the same moment: what is found for this version is found for good.
        let (row, mut after) = self.read(|connection| {
            let row = found(store::by_row(connection, row.id)?, "diagnosis")?;
            let loaded = load(connection, &row, &product)?;
            Ok((row, loaded.diagnosis))
        })?;
        if let Some(version) = apply {
            is_open(&row)?;
            with_sheet(&row)?;
            at_version(&row, version)?;
        }
        after.on = today;
        let changes = merge(&mut after, &file, replace)?;
        let (version, applied) = (row.version, apply.is_some());
        if !applied || changes.is_empty() {
            return Ok(DiagnosisImported { version, applied, changes, foreign });
        }
        let line = |change: &TopicChange| {
            let (before, after) = (change.before.as_ref(), change.after.as_ref());
            Line::of(&Put { topic: &change.topic, before, after })
        };
        let lines = changes.iter().map(line).collect::<Result<Vec<_>, _>>()?;
        let most = self.config.limits.document_bytes_per_organisation;
        let (now, by) = (self.now(), caller.to_string());
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(self.organisation_id(row.organisation)?.as_str())
            .subject(&id.to_string())
            .detail("what", "diagnosis-imported");
        self.commit(move |tx| {
            let row = still_open(tx, row.id)?;
            with_sheet(&row)?;
            at_version(&row, version)?;
            let version = store::count_change(tx, row.id, &row.sheet, now)?;
            let stamp = Stamp { how: "import", version, by: &by, at: now };
            put(tx, &row, lines, &stamp, most)?;
            let event = event
                .detail("changes", &changes.len().to_string())
                .detail("version", &version.to_string());
            tx.audit(&event)?;
            Ok(DiagnosisImported { version, applied: true, changes, foreign })
        })
        .await
    }
}

/// Puts what the file says into the diagnosis; what changed by it.
fn merge(
    diagnosis: &mut Diagnosis,
    file: &Diagnosis,
    replace: bool,
) -> Result<Vec<TopicChange>, ServiceError> {
    let library = check_sheet()?;
    let mut changes = diagnosis.changes_to(file);
    changes.retain(|change| replace || change.after.is_some());
    // An answer and the absence of a feature may contradict each other half-way: what makes room comes
    // first.
    let order = |change: &TopicChange| match (&change.topic, &change.after) {
        (Topic::Absent(_), None) => 0,
        (Topic::Item(_) | Topic::Clause(_), None) => 1,
        (_, Some(Entry::Answer(answer))) if answer.outcome == Outcome::NotApplicable => 1,
        (Topic::Absent(_), Some(_)) => 2,
        _ => 3,
    };
    changes.sort_by_key(order);
    for change in &changes {
        diagnosis
            .put(library, &change.topic, change.after.clone())
            .map_err(|error| refused(&error))?;
    }
    Ok(changes)
}
