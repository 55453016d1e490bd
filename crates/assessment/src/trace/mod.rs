//! From a threat to a verdict, nothing lost (AS-4): threat → requirement → control → check → evidence →
//! verdict.
//!
//! A control is a measure of the threat model, a check an item of the check sheet, evidence what people
//! or collectors put on record. A model that says that a measure is in place proves nothing: the
//! threat is *shown* to be treated when the checks of enough measures are met, with evidence that counts
//! today. A check that fails beats the model and every document. What has no next link is a gap.

mod graph;
mod join;

pub use graph::{GRAPH_CHECKS_MAX, TraceGraph};

use crate::{
    ClauseState, Collector, Day, Diagnosis, Item, ItemId, Library, Record, RecordRef, Share, State,
    named::words,
    threat::{Analysis, Measure, ThreatId, ThreatInstance},
};
use crypto::Sha256;
use std::collections::{BTreeMap, BTreeSet};

words! {
    /// What the trace of one threat comes to.
    TraceVerdict {
        /// Measures that silence it are in place, and their checks are met.
        Shown "shown" "treated, shown by evidence" "対策済み（証跡あり）",
        /// Measures that silence it are in place in words.
        Claimed "claimed" "treated, not shown" "対策済み（証跡なし）",
        /// Measures are said to be in place, and a check of them fails.
        Contradicted "contradicted" "said to be treated, a check fails" "対策済みとされるが確認で不合格",
        /// Measures that would silence it are decided.
        Planned "planned" "planned" "対応予定",
        /// Somebody bears it until a day.
        Borne "borne" "accepted or transferred" "受容または移転",
        /// A person explained it otherwise: handled by something else, or not there.
        Explained "explained" "explained by a person" "担当者による説明",
        /// Nothing stands against it.
        Open "open" "open" "未対応",
    }
}

impl TraceVerdict {
    /// Whether something is to be done.
    pub fn is_gap(self) -> bool {
        !matches!(self, Self::Shown | Self::Borne | Self::Explained)
    }
}

words! {
    /// What a control comes to, by its checks.
    ControlVerdict {
        /// All its checks are met.
        Verified "verified" "verified" "確認済み",
        /// Not all of them are, and none fails.
        Unproven "unproven" "not shown" "未確認",
        /// One of them fails.
        Fails "fails" "a check fails" "不合格",
    }
}

words! {
    /// Which link is missing.
    LinkGap {
        /// A threat against which nothing is in place or decided.
        NoControl "no-control" "no measure in place or decided" "対策なし",
        /// A threat that people found, and no requirement speaks of it.
        NoRequirement "no-requirement" "no requirement behind it" "対応する要件なし",
        /// A control that no item of the check sheet checks.
        NoCheck "no-check" "no check of the measure" "確認項目なし",
        /// A check that nobody answered.
        NotAnswered "not-answered" "not answered" "未回答",
        /// Answered in words only.
        NoEvidence "no-evidence" "no evidence" "証跡なし",
        /// Evidence has run out, or is about another version.
        Expired "expired" "evidence has expired" "証跡の期限切れ",
        /// Answered as met in part only.
        Partly "partly" "met in part" "一部適合",
        /// Answered as not met.
        NotMet "not-met" "not met" "不適合",
        /// A collector saw that it fails.
        LiveFails "live-fails" "a live check fails" "自動確認で不合格",
        /// A decision has ended: the threat is back.
        Ended "decision-ended" "the decision has ended" "決定の期限切れ",
    }
}

words! {
    /// Whether a piece of evidence counts today.
    EvidenceStanding {
        /// It does.
        Counts "counts" "counts" "有効",
        /// It shows the contrary.
        Fails "fails" "fails" "不合格",
        /// Its time is over.
        Expired "expired" "expired" "期限切れ",
        /// It is about another version.
        OtherVersion "other-version" "about another version" "別バージョン",
        /// It shows nothing yet.
        Inconclusive "inconclusive" "inconclusive" "判定不能",
    }
}

/// What a collector found, with where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveRecord {
    /// who looked
    pub collector: Collector,
    /// which of several documents; empty for the running platform
    pub name: String,
    /// which version it is about; `None`: the running platform
    pub subject: Option<String>,
    /// what it found
    pub verdict: crate::CheckVerdict,
    /// digest of the document, or of the figures
    pub sha256: Sha256,
    /// who collected it or handed it in
    pub by: String,
    /// when
    pub on: Day,
    /// the last day on which a pass counts
    pub until: Day,
}

/// A piece of evidence under a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedEvidence {
    /// what it is, as the person wrote it; empty for a collector
    pub what: String,
    /// the collector, and how much of the check it sees; `None`: a document of an answer
    pub collector: Option<(Collector, Share)>,
    /// digest, where there is one
    pub sha256: Option<Sha256>,
    /// who collected it, or answered with it
    pub by: Option<String>,
    /// from when
    pub on: Day,
    /// last day on which it counts
    pub until: Option<Day>,
    /// which version it is about; `None`: the running platform
    pub subject: Option<String>,
    /// whether it counts
    pub standing: EvidenceStanding,
}

/// An item of the check sheet on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedCheck<'a> {
    /// the item
    pub item: &'a Item,
    /// where it stands today
    pub state: State,
    /// who answered it
    pub answered_by: Option<String>,
    /// what supports or contradicts it
    pub evidence: Vec<TracedEvidence>,
    /// what is missing
    pub gap: Option<LinkGap>,
}

/// A measure on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedControl<'a> {
    /// the measure
    pub measure: &'a Measure,
    /// its checks, those that do not concern the product left out
    pub checks: Vec<&'a ItemId>,
    /// what they come to
    pub verdict: ControlVerdict,
}

/// A requirement on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedRequirement<'a> {
    /// the record
    pub record: &'a Record,
    /// where it stands by the whole diagnosis; `None` without one
    pub state: Option<ClauseState>,
}

/// A threat with what follows from it.
#[derive(Clone, Debug)]
pub struct TracedThreat<'a> {
    /// the threat
    pub threat: &'a ThreatInstance<'a>,
    /// requirements behind its measures, or behind itself
    pub requirements: BTreeSet<&'a RecordRef>,
    /// measures that could silence it
    pub controls: BTreeSet<&'a str>,
    /// what it comes to
    pub verdict: TraceVerdict,
    /// what is missing at the threat itself
    pub gaps: Vec<LinkGap>,
}

/// A missing link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceGap {
    /// which
    pub kind: LinkGap,
    /// where: a threat, a measure, an item
    pub at: String,
    /// the threats that hang on it
    pub threats: Vec<ThreatId>,
}

/// What answers checks.
#[derive(Clone, Debug, Default)]
pub struct Answered<'a> {
    /// the diagnosis that counts, with what collectors found taken in
    pub diagnosis: Option<&'a Diagnosis>,
    /// who answered an item
    pub by: BTreeMap<String, String>,
    /// what collectors found
    pub live: Vec<LiveRecord>,
}

/// All ways from threats to verdicts.
#[derive(Clone, Debug)]
pub struct Trace<'a> {
    /// the day for which it holds
    pub on: Day,
    /// threats, in the order of the analysis
    pub threats: Vec<TracedThreat<'a>>,
    /// requirements by their reference
    pub requirements: BTreeMap<&'a RecordRef, TracedRequirement<'a>>,
    /// measures by their name
    pub controls: BTreeMap<&'a str, TracedControl<'a>>,
    /// checks by their item
    pub checks: BTreeMap<&'a ItemId, TracedCheck<'a>>,
    /// what has no next link, by place
    pub gaps: Vec<TraceGap>,
}

impl<'a> Trace<'a> {
    /// Joins what threatens a product with what was answered and found.
    pub fn of(analysis: &'a Analysis<'a>, library: &'a Library, answered: &Answered<'_>) -> Self {
        join::trace(analysis, library, answered)
    }

    /// How many threats come to each verdict.
    pub fn count(&self) -> BTreeMap<TraceVerdict, usize> {
        let mut counts = BTreeMap::new();
        for one in &self.threats {
            *counts.entry(one.verdict).or_default() += 1;
        }
        counts
    }

    /// The threat `id`.
    pub fn threat(&self, id: &str) -> Option<&TracedThreat<'a>> {
        self.threats.iter().find(|one| one.threat.id.as_str() == id)
    }
}
