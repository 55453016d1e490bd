//! What was found about one component, as it is kept.

use advisory::{Claim, Finding, Origin, Status, Verdict, VulnerabilityId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashSet};

/// A finding about a component, kept as JSON: all that lists and details show of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) affected: bool,
    /// advisory, code, detail
    pub(crate) reasons: Vec<(String, String, String)>,
    pub(crate) cleared_by: Vec<String>,
    pub(crate) ids: BTreeSet<String>,
    pub(crate) summary: String,
    pub(crate) vector: Option<String>,
    pub(crate) tenths: Option<u8>,
    pub(crate) exploited: Option<ExploitedFact>,
    pub(crate) fixed: Vec<String>,
    pub(crate) remedy: Option<String>,
    pub(crate) published: Option<i64>,
    pub(crate) said: Vec<SaidFact>,
    pub(crate) silenced: bool,
    pub(crate) private: bool,
}

/// That and how a vulnerability is exploited. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExploitedFact {
    /// since when it is listed
    pub since: Option<i64>,
    /// by when the list's authority wants it mended
    pub due: Option<i64>,
    /// whether ransomware is known to use it
    pub ransomware: bool,
}

/// The statement that holds. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SaidFact {
    /// about which vulnerability
    pub vulnerability: String,
    /// whether it is the organisation's own, not a supplier's
    pub own: bool,
    /// who says it
    pub author: String,
    /// `not_affected`, `affected`, `fixed`, `under_investigation`
    pub status: String,
    /// why it is not affected, as OpenVEX's word
    pub justification: Option<String>,
    /// why, or what to do, in words
    pub words: Option<String>,
    /// when it was said
    pub at: Option<i64>,
    /// until when it holds
    pub expires: Option<i64>,
}

impl Record {
    /// `public`: advisories that everybody may know of.
    pub(crate) fn of(finding: &Finding, silenced: bool, public: &HashSet<VulnerabilityId>) -> Self {
        Self {
            affected: finding.verdict == Verdict::Affected,
            reasons: finding
                .reasons
                .iter()
                .map(|(advisory, reason)| {
                    (advisory.to_string(), reason.code.name().to_owned(), reason.detail.clone())
                })
                .collect(),
            cleared_by: finding.cleared_by.iter().map(ToString::to_string).collect(),
            ids: finding.ids.iter().chain(&finding.gathers).map(ToString::to_string).collect(),
            summary: finding.summary.clone(),
            vector: finding.score.as_ref().map(|score| score.vector.clone()),
            tenths: finding.score.as_ref().map(|score| score.tenths),
            exploited: finding.exploited.as_ref().map(|exploited| ExploitedFact {
                since: exploited.since.map(|at| at.0),
                due: exploited.due.map(|at| at.0),
                ransomware: exploited.ransomware,
            }),
            fixed: finding.fixed.clone(),
            remedy: finding.remedy.clone(),
            published: finding.published.map(|at| at.0),
            said: finding.said.iter().chain(&finding.also_said).map(said).collect(),
            silenced,
            private: !finding.reasons.iter().any(|(advisory, _)| public.contains(advisory)),
        }
    }
}

fn said((origin, claim): &(Origin, Claim)) -> SaidFact {
    let (justification, words) = match &claim.status {
        Status::NotAffected { justification, impact } => {
            (justification.map(|word| word.openvex().to_owned()), impact.clone())
        }
        Status::Affected { action } => (None, action.clone()),
        Status::Fixed | Status::UnderInvestigation => (None, None),
    };
    SaidFact {
        vulnerability: claim.vulnerability.to_string(),
        own: *origin == Origin::Own,
        author: claim.author.clone(),
        status: claim.status.name().to_owned(),
        justification,
        words: words.or_else(|| claim.detail.clone()),
        at: claim.at.map(|at| at.0),
        expires: claim.expires.map(|at| at.0),
    }
}
