//! All advisories against all components of an SBOM: what stands, what was silenced by whom, and
//! what could not be looked at.

use crate::{
    Advisory, AdvisoryIndex, Claim, Component, Ecosystem, Exploited, KnownExploited, MatchKey,
    Origin, Rating, Reason, ReasonCode, Sbom, Score, Statement, StatementSet, Status, Verdict,
    VulnerabilityId,
    index::space,
    matching::{Judge, Judgement},
    vex::Voices,
};
use crypto::UnixTime;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// One vulnerability in one component.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// the component, by index in the SBOM
    pub component: usize,
    /// what it is called by: a CVE id where there is one
    pub id: VulnerabilityId,
    /// every id of it
    pub ids: BTreeSet<VulnerabilityId>,
    /// ids of what a bulletin gathers
    pub gathers: BTreeSet<VulnerabilityId>,
    /// affected, or not decided
    pub verdict: Verdict,
    /// why, by advisory
    pub reasons: Vec<(VulnerabilityId, Reason)>,
    /// advisories that speak of the same vulnerability and clear this version
    pub cleared_by: Vec<VulnerabilityId>,
    /// one line
    pub summary: String,
    /// the score to go by
    pub score: Option<Score>,
    /// whether and how it is exploited
    pub exploited: Option<Exploited>,
    /// later versions that have the fix
    pub fixed: Vec<String>,
    /// what an issuer advises
    pub remedy: Option<String>,
    /// when it was first published
    pub published: Option<UnixTime>,
    /// the statement that holds, and whose it is
    pub said: Option<(Origin, Claim)>,
    /// further statements that hold, where ids were joined and each has its own
    pub also_said: Vec<(Origin, Claim)>,
}

impl Finding {
    /// The rating; `None` where nobody scored it.
    pub fn rating(&self) -> Option<Rating> {
        self.score.as_ref().map(Score::rating)
    }
}

/// Why a component was not looked at, or in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blind {
    /// neither package URL nor CPE name
    NotIdentified,
    /// identified, but no advisory of its name spaces was given
    NoAdvisories,
    /// identified, but without a version
    NoVersion,
}

impl Blind {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotIdentified => "not-identified",
            Self::NoAdvisories => "no-advisories",
            Self::NoVersion => "no-version",
        }
    }
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// what stands: exploited first, then by score, then what has a fix
    pub findings: Vec<Finding>,
    /// what a statement silences
    pub silenced: Vec<Finding>,
    /// components that were not, or not fully, looked at
    pub blind: Vec<(usize, Blind)>,
    /// how many components there are
    pub components: usize,
    /// how many advisories were weighed
    pub weighed: usize,
}

/// When, with what, and whose word counts.
#[derive(Debug, Clone, Copy)]
pub struct CheckContext<'a> {
    /// known exploited vulnerabilities
    pub exploited: &'a KnownExploited,
    /// statements
    pub statements: &'a StatementSet,
    /// whose the statements inside the SBOM are
    pub embedded: Origin,
    /// the time
    pub now: UnixTime,
}

/// Checks an SBOM against an index of advisories.
pub fn check(sbom: &Sbom, advisories: &AdvisoryIndex, context: &CheckContext<'_>) -> Report {
    check_components(sbom, 0..sbom.components.len(), advisories, context)
}

/// Checks some components of an SBOM, by index. Each is judged by itself, so that the findings of
/// [`check`] are those of its parts taken together: what is new concerns only the components that
/// share a key with it ([`MatchKey::of_component`]).
pub fn check_components(
    sbom: &Sbom,
    components: impl IntoIterator<Item = usize>,
    advisories: &AdvisoryIndex,
    context: &CheckContext<'_>,
) -> Report {
    let voices = Voices::of(context.statements, sbom, context.embedded, context.now);
    let judge = Judge::of(sbom);
    let mut report = Report::default();
    for index in components {
        let Some(component) = sbom.components.get(index) else { continue };
        report.components += 1;
        blind(advisories, component).into_iter().for_each(|why| report.blind.push((index, why)));
        let candidates = advisories.candidates(component);
        report.weighed += candidates.len();
        let judged: Vec<_> = candidates
            .into_iter()
            .filter_map(|advisory| Some((advisory, judge.judge(advisory, component)?)))
            .collect();
        let mut known = BTreeSet::new();
        for mut finding in merged(index, &judged) {
            finding.exploited = finding
                .ids
                .iter()
                .chain(&finding.gathers)
                .find_map(|id| context.exploited.get(id))
                .cloned();
            known.extend(finding.ids.iter().cloned());
            settle(finding, sbom, component, &voices, &mut report);
        }
        // What a statement calls affected is a finding, whether or not an advisory was given.
        for (origin, statement) in voices.warnings(sbom, component) {
            let claim = statement.claim();
            if known.insert(claim.vulnerability.clone())
                && !claim.aliases.iter().any(|alias| known.contains(alias))
            {
                let finding = warned(index, origin, statement, context);
                settle(finding, sbom, component, &voices, &mut report);
            }
        }
    }
    order(&mut report.findings);
    order(&mut report.silenced);
    report
}

fn blind(advisories: &AdvisoryIndex, component: &Component) -> Option<Blind> {
    if !component.is_identified() {
        return Some(Blind::NotIdentified);
    }
    let keys = MatchKey::of_component(component);
    if !keys.iter().any(|key| advisories.spaces().contains_key(space(key))) {
        return Some(Blind::NoAdvisories);
    }
    component.version_text().is_none().then_some(Blind::NoVersion)
}

/// Judgements about one component, gathered by vulnerability.
fn merged(component: usize, judged: &[(&Advisory, Judgement)]) -> Vec<Finding> {
    // Groups: the first id of each judgement leads to its group; shared ids join groups.
    let mut group_of: HashMap<VulnerabilityId, usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (position, (advisory, _)) in judged.iter().enumerate() {
        let ids = advisory.ids();
        let mut touched: Vec<usize> =
            ids.iter().filter_map(|id| group_of.get(id).copied()).collect();
        touched.sort_unstable();
        touched.dedup();
        let group = match touched.split_first() {
            None => {
                groups.push(Vec::new());
                groups.len() - 1
            }
            Some((first, others)) => {
                for other in others {
                    let moved = groups.get_mut(*other).map(std::mem::take).unwrap_or_default();
                    if let Some(list) = groups.get_mut(*first) {
                        list.extend(moved);
                    }
                    for place in group_of.values_mut().filter(|place| *place == other) {
                        *place = *first;
                    }
                }
                *first
            }
        };
        if let Some(list) = groups.get_mut(group) {
            list.push(position);
        }
        group_of.extend(ids.into_iter().map(|id| (id, group)));
    }
    groups
        .into_iter()
        .filter_map(|group| {
            let members: Vec<&(&Advisory, Judgement)> =
                group.into_iter().filter_map(|position| judged.get(position)).collect();
            gathered(component, &members)
        })
        .collect()
}

fn gathered(component: usize, members: &[&(&Advisory, Judgement)]) -> Option<Finding> {
    let verdict = members.iter().map(|(_, judgement)| judgement.verdict).max()?;
    if verdict == Verdict::NotAffected {
        return None;
    }
    let standing =
        || members.iter().filter(|(_, judgement)| judgement.verdict > Verdict::NotAffected);
    let ids: BTreeSet<VulnerabilityId> =
        members.iter().flat_map(|(advisory, _)| advisory.ids()).collect();
    let mut fixed = Vec::new();
    for (_, judgement) in standing() {
        for version in &judgement.fixed {
            if !fixed.contains(version) {
                fixed.push(version.clone());
            }
        }
    }
    let scores: Vec<&Score> = standing().flat_map(|(_, judgement)| &judgement.scores).collect();
    let (first, _) = standing().next()?;
    let summary = standing().map(|(advisory, _)| &advisory.summary).find(|text| !text.is_empty());
    Some(Finding {
        component,
        id: ids.first().cloned().unwrap_or_else(|| first.id.clone()),
        gathers: members
            .iter()
            .filter(|(advisory, _)| advisory.upstream.len() > 1)
            .flat_map(|(advisory, _)| advisory.upstream.iter().cloned())
            .collect(),
        ids,
        verdict,
        reasons: standing()
            .flat_map(|(advisory, judgement)| {
                let name = advisory.id.clone();
                judgement.reasons.iter().map(move |reason| (name.clone(), reason.clone()))
            })
            .collect(),
        cleared_by: members
            .iter()
            .filter(|(_, judgement)| judgement.verdict == Verdict::NotAffected)
            .map(|(advisory, _)| advisory.id.clone())
            .collect(),
        summary: summary.cloned().unwrap_or_default(),
        score: Score::worst(scores).cloned(),
        exploited: None,
        fixed,
        remedy: standing().find_map(|(_, judgement)| judgement.remedy.clone()),
        published: standing().filter_map(|(advisory, _)| advisory.published).min(),
        said: None,
        also_said: Vec::new(),
    })
}

fn warned(
    component: usize,
    origin: Origin,
    statement: &Statement,
    context: &CheckContext<'_>,
) -> Finding {
    let claim = statement.claim();
    let ids: BTreeSet<VulnerabilityId> =
        claim.aliases.iter().chain([&claim.vulnerability]).cloned().collect();
    Finding {
        component,
        id: ids.first().unwrap_or(&claim.vulnerability).clone(),
        exploited: ids.iter().find_map(|id| context.exploited.get(id)).cloned(),
        gathers: BTreeSet::new(),
        verdict: Verdict::Affected,
        reasons: vec![(
            claim.vulnerability.clone(),
            Reason::new(
                ReasonCode::SaidAffected,
                &format!("{} ({})", claim.author, origin.name()),
                None,
            ),
        )],
        cleared_by: Vec::new(),
        summary: claim.detail.clone().unwrap_or_default(),
        score: None,
        fixed: Vec::new(),
        remedy: match &claim.status {
            Status::Affected { action } => action.clone(),
            _ => None,
        },
        published: claim.at,
        said: None,
        also_said: Vec::new(),
        ids,
    }
}

/// Puts a finding where the statements that hold want it.
fn settle(
    mut finding: Finding,
    sbom: &Sbom,
    component: &Component,
    voices: &Voices<'_>,
    report: &mut Report,
) {
    // Ids that were joined by somebody's list of aliases are each to be silenced: a list that is
    // too long must not carry one vulnerability away with another.
    let cves: Vec<VulnerabilityId> = finding.ids.iter().filter(|id| id.is_cve()).cloned().collect();
    let all: Vec<VulnerabilityId> = finding.ids.iter().cloned().collect();
    let gathers: Vec<VulnerabilityId> = finding.gathers.iter().cloned().collect();
    let asked: Vec<&[VulnerabilityId]> = if cves.len() > 1 {
        cves.chunks(1).collect()
    } else if cves.is_empty() && !gathers.is_empty() {
        gathers.chunks(1).collect()
    } else {
        vec![&all]
    };
    let answers: Vec<_> =
        asked.into_iter().map(|ids| voices.holding(sbom, component, ids)).collect();
    let silent = answers
        .iter()
        .all(|answer| answer.is_some_and(|(_, statement)| statement.claim().status.silences()));
    // Of several, the one that warns is shown first.
    let mut heard: Vec<(Origin, Claim)> = Vec::new();
    for (origin, statement) in answers.into_iter().flatten() {
        let said = (origin, statement.claim().clone());
        if !heard.contains(&said) {
            heard.push(said);
        }
    }
    heard.sort_by_key(|(_, claim)| claim.status.silences());
    let mut heard = heard.into_iter();
    finding.said = heard.next();
    finding.also_said = heard.collect();
    if let Some((_, claim)) = &finding.said
        && matches!(claim.status, Status::Affected { .. })
    {
        finding.verdict = Verdict::Affected;
    }
    if silent { &mut report.silenced } else { &mut report.findings }.push(finding);
}

fn order(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        let key = |finding: &Finding| {
            (
                finding.exploited.is_some(),
                finding.score.as_ref().map_or(0, |score| score.tenths),
                !finding.fixed.is_empty(),
                finding.verdict,
            )
        };
        key(b)
            .cmp(&key(a))
            .then_with(|| a.id.cmp(&b.id))
            .then_with(|| a.component.cmp(&b.component))
    });
}

impl Report {
    /// Components that were not, or not fully, looked at, by reason.
    pub fn blind_counts(&self) -> BTreeMap<Blind, usize> {
        let mut counts = BTreeMap::new();
        for (_, why) in &self.blind {
            *counts.entry(*why).or_default() += 1;
        }
        counts
    }

    /// Findings at or above a rating; those that nobody scored count, because nobody said that they
    /// are harmless.
    pub fn at_least(&self, rating: Rating) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| {
            finding.exploited.is_some() || finding.rating().is_none_or(|found| found >= rating)
        })
    }

    /// Name spaces of components for which no advisory was given.
    pub fn uncovered(&self, sbom: &Sbom) -> BTreeMap<String, usize> {
        let mut spaces = BTreeMap::new();
        for (index, why) in &self.blind {
            let Some(component) = sbom.components.get(*index) else { continue };
            if *why == Blind::NoAdvisories {
                let space = component.purl.as_ref().map_or_else(
                    || "cpe".to_owned(),
                    |purl| Ecosystem::from_purl(purl).to_string(),
                );
                *spaces.entry(space).or_default() += 1;
            }
        }
        spaces
    }
}
