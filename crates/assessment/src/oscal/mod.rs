//! OSCAL 1.2 (NIST): catalogues, profiles, components, results and plans of action, out and in.
//!
//! A document that others wrote is kept whole: reading it, changing what we know and writing it
//! again leaves everything else as it was. What we write has identifiers that are digests of what
//! they name, so that the same input gives the same bytes.

mod answers;
mod document;
mod export;
mod intake;

pub use document::{Document, DocumentKind, OSCAL_BYTES_MAX};
pub use export::{
    OscalExport, assessment_results, catalog, component_definition, diagnosis_results,
    plan_of_action, profile, sheet_catalog,
};
pub use intake::{ImportedResults, diagnosis_from};

use crate::{ItemId, RecordRef};

/// The version of OSCAL that we write.
pub const OSCAL_VERSION: &str = "1.2.0";

/// The id of a control: `source_id`, with `.` for every character that a token must not hold, and
/// `_` before a digit at the beginning (a token begins with a letter).
pub fn control_id(record: &RecordRef) -> String {
    let id: String = record
        .id()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '_' })
        .collect();
    format!("{}_{id}", record.source())
}

/// The id of the control that an item of the check sheet is.
pub fn item_control_id(item: &ItemId) -> String {
    format!("check-sheet_{item}")
}
