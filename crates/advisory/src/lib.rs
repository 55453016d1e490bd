//! What a release is made of, and what is known against it (VM-1): software bills of materials,
//! advisories, statements about exploitability, the orders of versions, and where they meet.
//!
//! SBOMs are CycloneDX 1.3 to 1.7 (JSON, XML), SPDX 2.2 and 2.3 (JSON, tag-value) and SPDX 3.0
//! (JSON-LD); advisories OSV 1.7, CSAF 2.0 and 2.1, and the KEV catalogue; statements OpenVEX 0.2,
//! CycloneDX and CSAF. Rules, limits and divergences are in `docs/advisory.md`.
//!
//! Two rules hold everywhere. What cannot be decided is a finding of its own, never "not affected":
//! an order of versions that is not known, a range in words, a component without a version. And
//! nothing is dropped in silence: what was not taken is a [`Remark`], a component that nothing can
//! match is counted as blind.
//!
//! Deliberately absent: storage, devices and campaigns (`service`), fetching of advisories,
//! signatures of SBOMs and advisories, SPDX in RDF, git histories.
//!
//! ```
//! use advisory::{Advisory, AdvisoryIndex, CheckContext, KnownExploited, Origin, Sbom, StatementSet};
//! use crypto::UnixTime;
//! let sbom = Sbom::parse(br#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
//!     {"type": "library", "name": "demo", "purl": "pkg:cargo/demo@1.2.0"}]}"#)?;
//! let mut index = AdvisoryIndex::new();
//! for advisory in Advisory::parse(br#"{"id": "DEMO-1", "modified": "2026-01-01T00:00:00Z",
//!     "affected": [{"package": {"ecosystem": "crates.io", "name": "demo"},
//!         "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.2.1"}]}]}]}"#)? {
//!     index.insert(advisory);
//! }
//! let (exploited, statements) = (KnownExploited::default(), StatementSet::new());
//! let context = CheckContext {
//!     exploited: &exploited,
//!     statements: &statements,
//!     embedded: Origin::Supplier,
//!     now: UnixTime(1_795_000_000),
//! };
//! let report = advisory::check(&sbom, &index, &context);
//! assert_eq!(report.findings[0].fixed, ["1.2.1"]);
//! # Ok::<(), advisory::AdvisoryError>(())
//! ```

mod advisory;
mod approved;
mod coverage;
mod cpe;
mod cra;
mod csaf;
mod ecosystem;
mod error;
mod id;
mod index;
mod json;
mod json_seq;
mod junit;
mod kev;
mod key;
mod matching;
mod moment;
mod osv;
mod percent;
mod product_tree;
mod provenance;
mod purl;
mod range;
mod reason;
mod remark;
mod report;
mod sarif;
mod sbom;
mod score;
mod text;
mod version;
mod vex;

pub use advisory::{
    ADVISORY_BYTES_MAX, AFFECTED_MAX, Advisory, AdvisoryFormat, Affected, AffectedClaim, Platform,
    SUMMARY_CHARACTERS_MAX, Target, Versions,
};
pub use approved::unapproved;
pub use coverage::{COVERAGE_BYTES_MAX, CodeCoverage};
pub use cpe::{Attribute, CPE_BYTES_MAX, Cpe, CpeRelation};
pub use cra::{CraCase, CraDeadline, CraDraft, CraItem, CraKind, CraState, CraStep};
pub use ecosystem::Ecosystem;
pub use error::AdvisoryError;
pub use id::{ID_BYTES_MAX, VulnerabilityId};
pub use index::{AdvisoryIndex, ComponentIndex};
pub use json_seq::json_texts;
pub use junit::{TEST_REPORT_BYTES_MAX, TestReport};
pub use kev::{Exploited, KnownExploited};
pub use key::MatchKey;
pub use matching::{Judge, Judgement, Verdict};
pub use provenance::{PROVENANCE_BYTES_MAX, Provenance, ProvenanceStatement, SUBJECTS_MAX};
pub use purl::{PURL_BYTES_MAX, Purl};
pub use range::{Event, EventRange, Inclusion, RANGE_PARTS_MAX, RangeKind, Vers};
pub use reason::{Reason, ReasonCode};
pub use remark::{REMARKS_MAX, Remark, RemarkKind, Remarks};
pub use report::{Blind, CheckContext, Finding, Report, check, check_components};
pub use sarif::{SCAN_BYTES_MAX, ScanReport};
pub use sbom::{
    COMPONENTS_MAX, Component, NAME_CHARACTERS_MAX, PER_COMPONENT_MAX, SBOM_BYTES_MAX, Sbom,
    SbomFormat,
};
pub use score::{Rating, Score, ScoreSystem};
pub use version::{Scheme, VERSION_BYTES_MAX, Version, VersionError, compare};
pub use vex::{
    Claim, DocumentInfo, Justification, Origin, Product, Statement, StatementSet, Status,
    VEX_BYTES_MAX, VersionClaim, VexDocument, VexFormat,
};
