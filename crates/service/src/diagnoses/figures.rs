//! Use cases: what a diagnosis says, counted; gaps; what changed since another one.

use super::{
    DiagnosisId, DiagnosisView, check_sheet, refused,
    stored::{Loaded, total},
};
use crate::{
    Service, ServiceError,
    store::diagnosis::{self as store, DiagnosisRow, State as RowState},
};
use assessment::{
    Change, ClauseCoverage, ClauseState, Coverage, Day, Diagnosis, Gap, Layer, Phase, Score,
    SourceId, compare,
};
use crypto::Sha256;
use policy::{Action, Caller};

/// How far back a signed diagnosis of the same product is looked for.
const BEFORE_MAX: usize = 50;

/// How the clauses of a catalogue stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueFigures {
    /// the catalogue
    pub source: SourceId,
    /// clauses by state, in the order of [`ClauseState::ALL`]
    pub clauses: Vec<(ClauseState, usize)>,
}

/// A diagnosis, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiagnosisFigures {
    /// what it is about
    pub view: DiagnosisView,
    /// the day on which it is counted
    pub today: Day,
    /// by layer
    pub layers: Vec<(Layer, Score)>,
    /// by phase
    pub phases: Vec<(Phase, Score)>,
    /// by layer and phase, where there are items: a heat map
    pub cells: Vec<(Layer, Phase, Score)>,
    /// by catalogue
    pub catalogues: Vec<CatalogueFigures>,
    /// digest of the answers as they are now: what a sign-off is for
    pub content: Sha256,
    /// topics with answers that the check sheet does not have any more
    pub orphans: Vec<String>,
}

/// What changed from one diagnosis to another, each seen on its own day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiagnosisComparison {
    /// the earlier one
    pub before: DiagnosisId,
    /// its total on its day
    pub before_total: Score,
    /// the total of the later one on its day
    pub after_total: Score,
    /// items that stand differently, first what got worse
    pub changes: Vec<Change>,
}

impl Service {
    /// A diagnosis, counted by layer, phase and catalogue.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn diagnosis_figures(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
    ) -> Result<DiagnosisFigures, ServiceError> {
        let row = self.diagnosis_for(caller, Action::ReadDiagnosis, id)?;
        let today = self.today()?;
        let (loaded, total) = self.read(|connection| {
            Ok((self.load_diagnosis(connection, &row)?, total(connection, &row, today)?))
        })?;
        self.figures_of(row, loaded, total, today)
    }

    pub(super) fn figures_of(
        &self,
        row: DiagnosisRow,
        loaded: Loaded,
        total: Score,
        today: Day,
    ) -> Result<DiagnosisFigures, ServiceError> {
        let library = check_sheet()?;
        let one = &loaded.diagnosis;
        let items = library.items();
        let coverage = Coverage::of(library, one, today);
        Ok(DiagnosisFigures {
            today,
            layers: Layer::ALL
                .iter()
                .map(|layer| {
                    let mine = items.iter().filter(|item| item.layer == *layer);
                    (*layer, one.score(mine, today))
                })
                .collect(),
            phases: Phase::ALL
                .iter()
                .map(|phase| {
                    let mine = items.iter().filter(|item| item.phase == *phase);
                    (*phase, one.score(mine, today))
                })
                .collect(),
            cells: one.matrix(library, today),
            catalogues: library
                .catalogues()
                .iter()
                .map(|catalogue| CatalogueFigures {
                    source: catalogue.source.id.clone(),
                    clauses: coverage.count(&catalogue.source.id),
                })
                .collect(),
            content: row.content.unwrap_or_else(|| one.content()),
            orphans: loaded.orphans,
            view: self.diagnosis_view(row, total)?,
        })
    }

    /// What somebody has to see to, the heaviest first.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn diagnosis_gaps(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
    ) -> Result<Vec<Gap>, ServiceError> {
        let (_, diagnosis) = self.diagnosis_read(caller, id)?;
        Ok(diagnosis.gaps(check_sheet()?, self.today()?))
    }

    /// The clauses of a catalogue, with what their states rest on.
    ///
    /// # Errors
    /// `not-found` also for a catalogue that there is not, `role`.
    pub async fn diagnosis_coverage(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
        catalogue: &str,
    ) -> Result<Vec<ClauseCoverage>, ServiceError> {
        let (_, diagnosis) = self.diagnosis_read(caller, id)?;
        let library = check_sheet()?;
        let catalogue =
            library.catalogue(catalogue).ok_or_else(|| ServiceError::not_found("catalogue"))?;
        let coverage = Coverage::of(library, &diagnosis, self.today()?);
        Ok(coverage.catalogue(library, &catalogue.source.id).cloned().collect())
    }

    /// What changed since another diagnosis of the product; without one, since the last that was
    /// signed before it.
    ///
    /// # Errors
    /// `no-earlier-diagnosis`, `answer` for another product or the wrong order, `not-found`, `role`.
    pub async fn compare_diagnoses(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
        with: Option<&DiagnosisId>,
    ) -> Result<DiagnosisComparison, ServiceError> {
        let (row, mut after) = self.diagnosis_read(caller, id)?;
        let before = match with {
            Some(with) => *with,
            None => {
                let earlier =
                    self.read(|c| store::of_product(c, row.product, row.id, BEFORE_MAX))?;
                let signed = earlier.into_iter().find(|row| row.state == RowState::Signed);
                DiagnosisId(signed.ok_or_else(none_before)?.reference)
            }
        };
        let (_, mut earlier) = self.diagnosis_read(caller, &before)?;
        // What the platform shows today says nothing about the day of the earlier one.
        earlier.checks.clear();
        after.checks.clear();
        let library = check_sheet()?;
        let total = |one: &Diagnosis| one.score(library.items(), one.on);
        Ok(DiagnosisComparison {
            before,
            before_total: total(&earlier),
            after_total: total(&after),
            changes: compare(library, &earlier, &after).map_err(|error| refused(&error))?,
        })
    }

    /// A diagnosis with its answers.
    pub(super) fn diagnosis_read(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
    ) -> Result<(DiagnosisRow, Diagnosis), ServiceError> {
        let row = self.diagnosis_for(caller, Action::ReadDiagnosis, id)?;
        let loaded = self.read(|connection| self.load_diagnosis(connection, &row))?;
        Ok((row, loaded.diagnosis))
    }
}

fn none_before() -> ServiceError {
    ServiceError::refused(
        "no-earlier-diagnosis",
        "no diagnosis of this product was signed before; name the one to compare with",
    )
}
