//! Diagnoses of products by the check sheet (AS-1): opened, answered, counted, compared, signed by
//! two people. docs/assessment.md.
//!
//! The rules of answers, scores and coverage are those of `assessment`; here they are kept, with who
//! changed what, and nobody overwrites what somebody else just wrote: who changes a topic says which
//! version of it was read.

mod answers;
mod collect;
mod evidence;
mod figures;
mod file;
mod japanese;
mod open;
mod operation;
mod products;
mod report;
mod sign;
mod stored;

pub use answers::{AnswerView, ChangeView, ItemQuery, ItemView};
pub use evidence::{EvidenceView, NewEvidence};
pub use figures::{CatalogueFigures, DiagnosisComparison, DiagnosisFigures};
pub use file::{DiagnosisImport, DiagnosisImported, ForeignResults, ImportForm, OscalWanted};
pub use open::{DiagnosisState, DiagnosisView, NewDiagnosis, SignedBy};

pub use operation::{OperationChange, OperationPolicy, OperationState, OperationView};
pub use products::DiagnosedProduct;
pub use report::{DiagnosisReport, unusable_report_font};

pub(crate) use evidence::live_records;
pub(crate) use japanese::of as japanese;
pub(crate) use operation::{Gated, PROTOTYPE, PROTOTYPE_S};

use crate::{Service, ServiceError, store::diagnosis::DiagnosisRow};
use assessment::{AssessmentError, Day, Library};
use crypto::UnixTime;
use device::Language;
use policy::{Action, Caller, Resource};
use std::{fmt, str::FromStr, sync::OnceLock};

/// Identifier of a diagnosis: 16 bytes, as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DiagnosisId(pub(crate) [u8; 16]);

impl fmt::Display for DiagnosisId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for DiagnosisId {
    type Err = hex::FromHexError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id)?;
        Ok(Self(id))
    }
}

/// The catalogues and the check sheet that were built in, read once.
///
/// # Errors
/// None with catalogues that the tests have seen.
pub fn check_sheet() -> Result<&'static Library, ServiceError> {
    static LIBRARY: OnceLock<Result<Library, AssessmentError>> = OnceLock::new();
    LIBRARY
        .get_or_init(Library::embedded)
        .as_ref()
        .map_err(|error| ServiceError::fatal("catalogues", error.to_string()))
}

impl Service {
    /// A diagnosis that the caller may do `action` with.
    pub(crate) fn diagnosis_for(
        &self,
        caller: &Caller,
        action: Action,
        id: &DiagnosisId,
    ) -> Result<DiagnosisRow, ServiceError> {
        let row = self.read(|c| crate::store::diagnosis::diagnosis(c, &id.0))?;
        match row {
            Some(row) => {
                let organisation = self.organisation_id(row.organisation)?;
                let resource = Resource::organisation(&organisation);
                let _permit = self.authorize(caller, action, &resource)?;
                Ok(row)
            }
            None => {
                let _permit = self.authorize(caller, action, &Resource::unknown())?;
                Err(ServiceError::not_found("diagnosis"))
            }
        }
    }

    /// Today, UTC.
    pub(crate) fn today(&self) -> Result<Day, ServiceError> {
        day_of(self.now())
    }
}

fn day_of(at: UnixTime) -> Result<Day, ServiceError> {
    Day::of(at).ok_or_else(|| ServiceError::fatal("clock", "the clock shows no day of our time"))
}

fn damaged() -> ServiceError {
    ServiceError::fatal("store-damaged", "a diagnosis's row is damaged")
}

/// What is wrong with a file that was sent.
fn unreadable(error: &AssessmentError) -> ServiceError {
    match error {
        AssessmentError::Refused(why) => {
            ServiceError::malformed("diagnosis-file", why.text(Language::En))
                .in_japanese(why.text(Language::Ja))
        }
        other => refused(other),
    }
}

/// What the rules of `assessment` refuse.
fn refused(error: &AssessmentError) -> ServiceError {
    match error {
        AssessmentError::Refused(why) => ServiceError::refused("answer", why.text(Language::En))
            .in_japanese(why.text(Language::Ja)),
        other => ServiceError::malformed("diagnosis-file", format!("{other}; {}", other.hint()))
            .in_japanese(other.text(Language::Ja)),
    }
}

fn changed_meanwhile(what: &str) -> ServiceError {
    ServiceError::conflict("diagnosis-changed", format!("{what}; look at it again"))
}
