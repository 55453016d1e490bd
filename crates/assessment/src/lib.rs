//! How a product is assessed (AS-1, AS-2): catalogues of requirements, typed mappings between them,
//! the check sheet of layers and phases, diagnoses, and what a diagnosis covers.
//!
//! Catalogues and check sheet are data (`catalogues/` in the repository), read with limits and
//! with errors that name file and line. A pass is handed on only where one side asks for the same
//! as the other or for more, a failure only where it asks for the same or for less; overlap hands
//! on nothing. What nobody answered is open, never passed. Forms and rules are in
//! `docs/assessment.md`.
//!
//! Threat models and what threatens them are in [`threat`], exchange with other tools in [`oscal`].
//!
//! Deliberately absent: files, clock, storage; the text of standards that is not free.
//!
//! ```
//! use assessment::{Library, RecordRef};
//! let library = Library::embedded()?;
//! let reference = RecordRef::parse("etsi-en-303-645:5.1-1").expect("has the form source:id");
//! let record = library.record(&reference).expect("every provision is there");
//! assert!(record.text.ja.contains("パスワード"));
//! assert!(library.items_of(&reference).count() > 0);
//! # Ok::<(), assessment::AssessmentError>(())
//! ```

mod catalogue;
mod comparison;
mod coverage;
mod day;
mod detail;
mod diagnosis;
mod diagnosis_file;
mod embedded;
mod error;
mod gate;
mod id;
mod library;
mod live;
mod mapping;
mod named;
pub mod oscal;
mod refusal;
mod score;
mod sheet;
mod statement;
mod text;
pub mod threat;
mod topic;
mod trace;
mod workbook;
mod workbook_bounds;
mod workbook_read;
mod yaml;

pub use catalogue::{Catalogue, Licence, RECORDS_MAX, Record, Source, Strength};
pub use comparison::{Change, Direction, compare};
pub use coverage::{Basis, ClauseCoverage, ClauseState, Coverage};
pub use day::Day;
pub use detail::{Detail, Fault, YamlFault};
pub use diagnosis::{
    Answer, Diagnosis, EVIDENCE_MAX, Evidence, Outcome, SIGNATURES_MAX, SignOff, Signature,
};
pub use error::AssessmentError;
pub use gate::{APPROVED_MAX, GateFacts, GateFinding, GatePolicy, GateState, is_open};
pub use id::{FeatureId, ID_BYTES_MAX, ItemId, RecordRef, SourceId};
pub use library::{Feature, Library, LibraryFile, LibraryFiles};
pub use live::{Check, CheckVerdict, Collected, Collector, Facts, Figures, Share};
pub use mapping::{MAPPINGS_MAX, Mapping, Relation};
pub use refusal::Refusal;
pub use score::{Gap, Score, State};
pub use sheet::{Clause, ITEMS_MAX, Item, Layer, Phase, Threat};
pub use statement::{DiagnosisStatement, STATEMENT_BYTES_MAX};
pub use text::{Bilingual, TEXT_CHARACTERS_MAX};
pub use topic::{Entry, Topic, TopicChange};
pub use trace::{
    Answered, ControlVerdict, EvidenceStanding, GRAPH_CHECKS_MAX, LinkGap, LiveRecord, Trace,
    TraceGap, TraceGraph, TraceVerdict, TracedCheck, TracedControl, TracedEvidence,
    TracedRequirement, TracedThreat,
};
pub use yaml::FILE_BYTES_MAX;
