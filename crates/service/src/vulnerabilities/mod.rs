//! Vulnerabilities: what software is made of, what is known against it, what was said about it,
//! which devices run it, and what must be reported (VM-1). docs/vulnerability.md.
//!
//! Bills of materials and advisories meet in a table of keys. Whatever is new puts the components
//! that share a key with it among those to be judged, in the commit that stores it; a thread judges
//! them. So nothing is scanned as a whole, and nothing is forgotten by a crash.

mod cases;
mod devices;
mod draft;
mod evaluate;
mod figures;
mod gate;
mod import;
mod japanese;
mod list;
mod matcher;
mod quota;
mod record;
mod sboms;
mod settle;
mod statements;
mod watch;

pub use cases::{CaseChange, CaseDraft, CaseId, CaseLine, CaseView, CaseWatch, NewCase};
pub use devices::{
    FixHistory, FixedShare, FleetSide, RunningVersion, VulnerableDevice, VulnerableExport,
};
pub use draft::{CampaignDraft, FixTarget, VulnerabilityCampaign};
pub use figures::FleetFigures;
pub use gate::{BlockingVulnerability, VulnerabilityGate};
pub use import::{AdvisoryOutcome, AdvisoryResult, DOCUMENTS_MAX, Knowledge, TroubledFile};
pub use list::{
    ExposureView, FoundComponent, FoundReason, VulnerabilityDetail, VulnerabilityLine,
    VulnerabilityQuery, VulnerabilityState,
};
pub use record::{ExploitedFact, SaidFact};
pub use sboms::{NewSbom, SbomView, SoftwareView};
pub use settle::ExposureStatus;
pub use statements::{NewStatement, StatementId, StatementView, VexImport};

pub(crate) use devices::over;
pub(crate) use gate::{Grave, blocking, grave};
pub(crate) use japanese::of as japanese;
pub(crate) use matcher::run as run_matcher;
pub(crate) use sboms::{Draft as SbomDraft, attach_to, detach_from};
pub(crate) use watch::run as run_watch;

use crate::ServiceError;

/// A line of text that a caller gives.
fn record_line(what: &'static str, text: &str, most: usize) -> Result<(), ServiceError> {
    let good = !text.trim().is_empty()
        && text.trim() == text
        && text.chars().count() <= most
        && !text.chars().any(char::is_control);
    if good {
        return Ok(());
    }
    Err(ServiceError::malformed(
        what,
        format!("give 1 to {most} characters, without control characters and spaces at the ends"),
    ))
}
