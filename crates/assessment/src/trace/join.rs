//! The join itself.

use super::{
    Answered, ControlVerdict, EvidenceStanding, LinkGap, LiveRecord, Trace, TraceGap, TraceVerdict,
    TracedCheck, TracedControl, TracedEvidence, TracedRequirement, TracedThreat,
};
use crate::{
    CheckVerdict, Coverage, Day, Diagnosis, Item, ItemId, Library, RecordRef, State,
    threat::{Analysis, Cause, State as ThreatState, ThreatInstance},
};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn trace<'a>(
    analysis: &'a Analysis<'a>,
    library: &'a Library,
    answered: &Answered<'_>,
) -> Trace<'a> {
    let on = analysis.on;
    let coverage = answered.diagnosis.map(|diagnosis| Coverage::of(library, diagnosis, on));
    let mut trace = Trace {
        on,
        threats: Vec::with_capacity(analysis.threats.len()),
        requirements: BTreeMap::new(),
        controls: BTreeMap::new(),
        checks: BTreeMap::new(),
        gaps: Vec::new(),
    };
    for one in &analysis.threats {
        let controls: BTreeSet<&'a str> =
            one.in_place.iter().chain(&one.planned).chain(&one.missing).copied().collect();
        let mut requirements: BTreeSet<&'a RecordRef> = BTreeSet::new();
        for measure in controls.iter().filter_map(|id| analysis.book.measure(id)) {
            requirements.extend(&measure.requirements);
            trace
                .controls
                .entry(&measure.id)
                .or_insert_with(|| control(measure, library, answered, on));
        }
        for reference in &requirements {
            let Some(record) = library.record(reference) else { continue };
            trace.requirements.entry(reference).or_insert_with(|| TracedRequirement {
                record,
                state: coverage.as_ref().and_then(|all| all.clause(reference)).map(|one| one.state),
            });
        }
        trace.threats.push(TracedThreat {
            verdict: verdict(one, &trace.controls),
            gaps: gaps_of(analysis, one, &requirements),
            threat: one,
            requirements,
            controls,
        });
    }
    for id in trace.controls.values().flat_map(|control| &control.checks) {
        if let Some(item) = library.item(id.as_str()) {
            trace.checks.entry(*id).or_insert_with(|| check(item, answered, on));
        }
    }
    trace.gaps = gaps(&trace);
    trace
}

fn control<'a>(
    measure: &'a crate::threat::Measure,
    library: &'a Library,
    answered: &Answered<'_>,
    on: Day,
) -> TracedControl<'a> {
    let items = measure.items.iter().filter_map(|id| library.item(id));
    let concerning: Vec<(&'a Item, State)> = items
        .map(|item| (item, state(item, answered.diagnosis, on)))
        .filter(|(_, state)| *state != State::NotApplicable)
        .collect();
    let verdict = if concerning.iter().any(|(_, state)| *state == State::NotMet) {
        ControlVerdict::Fails
    } else if !concerning.is_empty() && concerning.iter().all(|(_, state)| *state == State::Met) {
        ControlVerdict::Verified
    } else {
        ControlVerdict::Unproven
    };
    TracedControl {
        measure,
        checks: concerning.into_iter().map(|(item, _)| &item.id).collect(),
        verdict,
    }
}

fn state(item: &Item, diagnosis: Option<&Diagnosis>, on: Day) -> State {
    diagnosis.map_or(State::Open, |diagnosis| diagnosis.state(item, on))
}

fn check<'a>(item: &'a Item, answered: &Answered<'_>, on: Day) -> TracedCheck<'a> {
    let state = state(item, answered.diagnosis, on);
    let by = answered.by.get(item.id.as_str()).cloned();
    let subject = answered.diagnosis.map(|diagnosis| diagnosis.subject.as_str());
    let documents = answered
        .diagnosis
        .and_then(|diagnosis| diagnosis.answers.get(&item.id))
        .into_iter()
        .flat_map(|answer| &answer.evidence)
        .map(|piece| TracedEvidence {
            what: piece.what.clone(),
            collector: None,
            sha256: piece.sha256,
            by: by.clone(),
            on: piece.on,
            until: piece.until,
            subject: subject.map(str::to_owned),
            standing: match piece.until {
                Some(until) if until < on => EvidenceStanding::Expired,
                _ => EvidenceStanding::Counts,
            },
        });
    let mut evidence: Vec<TracedEvidence> = documents.collect();
    evidence.extend(answered.live.iter().filter_map(|one| live(one, &item.id, subject, on)));
    let failing = evidence.iter().any(|one| one.standing == EvidenceStanding::Fails);
    let other = evidence.iter().any(|one| one.standing == EvidenceStanding::OtherVersion);
    let gap = match state {
        State::NotMet if failing => Some(LinkGap::LiveFails),
        State::NotMet => Some(LinkGap::NotMet),
        State::Open | State::Claimed if other => Some(LinkGap::Expired),
        State::Open => Some(LinkGap::NotAnswered),
        State::Claimed => Some(LinkGap::NoEvidence),
        State::Expired => Some(LinkGap::Expired),
        State::Partly => Some(LinkGap::Partly),
        State::Met | State::NotApplicable => None,
    };
    TracedCheck { item, state, answered_by: by, evidence, gap }
}

fn live(one: &LiveRecord, item: &ItemId, subject: Option<&str>, on: Day) -> Option<TracedEvidence> {
    let (_, share) = one.collector.items().iter().find(|(id, _)| *id == item.as_str())?;
    let of_this_version = match (&one.subject, subject) {
        (None, _) => true,
        (Some(about), Some(subject)) => about == subject,
        (Some(_), None) => false,
    };
    let standing = match (of_this_version, one.verdict) {
        (false, _) => EvidenceStanding::OtherVersion,
        (true, CheckVerdict::Fail) => EvidenceStanding::Fails,
        (true, CheckVerdict::Inconclusive) => EvidenceStanding::Inconclusive,
        (true, CheckVerdict::Pass) if one.until < on => EvidenceStanding::Expired,
        (true, CheckVerdict::Pass) => EvidenceStanding::Counts,
    };
    Some(TracedEvidence {
        what: one.name.clone(),
        collector: Some((one.collector, *share)),
        sha256: Some(one.sha256),
        by: Some(one.by.clone()),
        on: one.on,
        until: Some(one.until),
        subject: one.subject.clone(),
        standing,
    })
}

fn verdict(one: &ThreatInstance<'_>, controls: &BTreeMap<&str, TracedControl<'_>>) -> TraceVerdict {
    match one.state {
        ThreatState::Open => TraceVerdict::Open,
        ThreatState::Planned => TraceVerdict::Planned,
        ThreatState::Accepted | ThreatState::Transferred => TraceVerdict::Borne,
        ThreatState::Handled | ThreatState::Dismissed => TraceVerdict::Explained,
        ThreatState::Mitigated => {
            let Cause::Rule(rule) = one.cause else { return TraceVerdict::Claimed };
            let stands = |wanted: &dyn Fn(ControlVerdict) -> bool| {
                rule.silence.holds(&|id| {
                    one.in_place.contains(id)
                        && controls.get(id).is_some_and(|control| wanted(control.verdict))
                })
            };
            if stands(&|verdict| verdict == ControlVerdict::Verified) {
                TraceVerdict::Shown
            } else if stands(&|verdict| verdict != ControlVerdict::Fails) {
                TraceVerdict::Claimed
            } else {
                TraceVerdict::Contradicted
            }
        }
    }
}

fn gaps_of(
    analysis: &Analysis<'_>,
    one: &ThreatInstance<'_>,
    requirements: &BTreeSet<&RecordRef>,
) -> Vec<LinkGap> {
    let mut gaps = Vec::new();
    if !one.is_open() {
        return gaps;
    }
    if one.in_place.is_empty() && one.planned.is_empty() {
        gaps.push(LinkGap::NoControl);
    }
    if requirements.is_empty() {
        gaps.push(LinkGap::NoRequirement);
    }
    let decision = analysis.model.decisions.get(one.id.as_str());
    if decision.and_then(|one| one.until).is_some_and(|until| until < analysis.on) {
        gaps.push(LinkGap::Ended);
    }
    gaps
}

/// Gaps by place: at threats, at controls that somebody relies on, at their checks.
fn gaps(trace: &Trace<'_>) -> Vec<TraceGap> {
    let mut found = Vec::new();
    let mut relying: BTreeMap<&str, Vec<&TracedThreat<'_>>> = BTreeMap::new();
    for one in &trace.threats {
        found.extend(one.gaps.iter().map(|kind| TraceGap {
            kind: *kind,
            at: one.threat.id.to_string(),
            threats: vec![one.threat.id.clone()],
        }));
        for id in one.threat.in_place.iter().chain(&one.threat.planned) {
            relying.entry(id).or_default().push(one);
        }
    }
    let mut checks: BTreeMap<&ItemId, BTreeSet<usize>> = BTreeMap::new();
    let place: BTreeMap<&str, usize> =
        trace.threats.iter().enumerate().map(|(at, one)| (one.threat.id.as_str(), at)).collect();
    for (id, threats) in &relying {
        let Some(control) = trace.controls.get(id) else { continue };
        if control.checks.is_empty() {
            found.push(TraceGap {
                kind: LinkGap::NoCheck,
                at: (*id).to_owned(),
                threats: threats.iter().map(|one| one.threat.id.clone()).collect(),
            });
        }
        for check in &control.checks {
            let at = threats.iter().filter_map(|one| place.get(one.threat.id.as_str()));
            checks.entry(check).or_default().extend(at);
        }
    }
    for (id, at) in checks {
        let Some(kind) = trace.checks.get(id).and_then(|check| check.gap) else { continue };
        let threats = at.iter().filter_map(|at| trace.threats.get(*at));
        found.push(TraceGap {
            kind,
            at: id.to_string(),
            threats: threats.map(|one| one.threat.id.clone()).collect(),
        });
    }
    found
}
