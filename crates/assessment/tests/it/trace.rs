//! From threats to verdicts: nothing is lost on the way, and evidence decides.

use crate::{
    threat_model::lock,
    threat_rules::{book, day},
};
use assessment::{
    Answer, Answered, CheckVerdict, Collected, Collector, ControlVerdict, Day, Diagnosis, Evidence,
    EvidenceStanding, Library, LinkGap, LiveRecord, Outcome, State, Trace, TraceVerdict,
    threat::{Analysis, Decision, Model, RuleBook, State as ThreatState, Theme, Verdict},
};
use device::Language;
use proptest::prelude::*;
use std::{collections::BTreeSet, sync::LazyLock};

static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::embedded().unwrap());
static BOOK: LazyLock<RuleBook> = LazyLock::new(book);
const VERSION: &str = "firmware 2.3.1";

fn met(until: &str) -> Answer {
    Answer {
        outcome: Outcome::Met,
        reason: None,
        evidence: vec![Evidence {
            what: "test report".into(),
            sha256: None,
            on: day(),
            until: Some(Day::parse(until).unwrap()),
        }],
        owner: None,
        due: None,
        comment: None,
    }
}

fn diagnosis() -> Diagnosis {
    Diagnosis::new("maker/lock", VERSION, day()).unwrap()
}

/// The diagnosis in which every item is met with evidence until a day.
fn all_met(until: &str) -> Diagnosis {
    let mut diagnosis = diagnosis();
    for item in LIBRARY.items() {
        diagnosis.answers.insert(item.id.clone(), met(until));
    }
    diagnosis
}

fn live(collector: Collector, verdict: CheckVerdict, subject: Option<&str>) -> LiveRecord {
    LiveRecord {
        collector,
        name: String::new(),
        subject: subject.map(str::to_owned),
        verdict,
        sha256: crypto::sha256(b"figures"),
        by: "platform".into(),
        on: day(),
        until: Day::parse("2099-01-01").unwrap(),
    }
}

/// As the platform does: what was found is taken into the diagnosis, and shown beside it.
fn answered<'a>(diagnosis: &'a mut Diagnosis, live: Vec<LiveRecord>) -> Answered<'a> {
    let found: Vec<Collected> = live
        .iter()
        .map(|one| Collected {
            collector: one.collector,
            subject: one.subject.clone(),
            verdict: one.verdict,
            until: one.until,
        })
        .collect();
    diagnosis.take_checks(&LIBRARY, &found);
    Answered { diagnosis: Some(&*diagnosis), live, ..Answered::default() }
}

/// A mitigated threat that hangs on a measure of which a collector sees a check.
fn watched<'a>(analysis: &Analysis<'a>) -> (String, Collector) {
    analysis
        .threats
        .iter()
        .filter(|one| one.state == ThreatState::Mitigated)
        .find_map(|one| {
            let items: Vec<&String> = one
                .in_place
                .iter()
                .filter_map(|id| BOOK.measure(id))
                .flat_map(|measure| &measure.items)
                .collect();
            let collector = Collector::ALL.iter().copied().find(|collector| {
                !collector.reads_documents()
                    && collector.items().iter().any(|(id, _)| items.iter().any(|item| item == id))
            })?;
            Some((one.id.to_string(), collector))
        })
        .expect("a collector looks at something that this model relies on")
}

#[test]
fn nothing_is_lost_on_the_way() {
    let model = lock();
    let analysis = Analysis::of(&model, &BOOK, day());
    let trace = Trace::of(&analysis, &LIBRARY, &Answered::default());
    let (from, to): (Vec<_>, Vec<_>) = (
        analysis.threats.iter().map(|one| one.id.clone()).collect(),
        trace.threats.iter().map(|one| one.threat.id.clone()).collect(),
    );
    assert_eq!(from, to, "every threat, in the same order");
    for one in &analysis.threats {
        let traced = trace.threat(one.id.as_str()).unwrap();
        for measure in one.in_place.iter().chain(&one.planned).chain(&one.missing) {
            assert!(traced.controls.contains(measure), "{} {measure}", one.id);
            let control = &trace.controls[measure];
            let measure = BOOK.measure(measure).unwrap();
            for requirement in &measure.requirements {
                assert!(traced.requirements.contains(requirement), "{} {requirement}", one.id);
                assert_eq!(&trace.requirements[requirement].record.reference, requirement);
            }
            for item in &measure.items {
                assert!(control.checks.iter().any(|check| check.as_str() == item), "{item}");
                assert!(trace.checks.keys().any(|check| check.as_str() == item), "{item}");
            }
        }
    }
    // Without a diagnosis every check that somebody relies on is a gap, and no threat is shown.
    assert!(!trace.count().contains_key(&TraceVerdict::Shown));
    for check in trace.checks.values() {
        assert_eq!((check.state, check.gap), (State::Open, Some(LinkGap::NotAnswered)));
    }
    let finding = analysis.threats.iter().find(|one| one.cause_id() == "pentest-3").unwrap();
    let gaps = &trace.threat(finding.id.as_str()).unwrap().gaps;
    assert_eq!(gaps, &[LinkGap::NoControl, LinkGap::NoRequirement]);
}

#[test]
fn what_the_model_says_is_shown_by_evidence_only_and_only_while_it_counts() {
    let model = lock();
    let analysis = Analysis::of(&model, &BOOK, day());
    let mitigated = analysis.count()[&ThreatState::Mitigated];
    let mut until = all_met("2027-01-31");
    let found = answered(&mut until, Vec::new());
    let trace = Trace::of(&analysis, &LIBRARY, &found);
    assert_eq!(trace.count()[&TraceVerdict::Shown], mitigated);
    assert!(trace.gaps.iter().all(|gap| gap.kind != LinkGap::Expired));
    // The day after.
    let later = Analysis::of(&model, &BOOK, Day::parse("2027-02-01").unwrap());
    let trace = Trace::of(&later, &LIBRARY, &found);
    assert_eq!(trace.count().get(&TraceVerdict::Shown), None);
    assert!(trace.gaps.iter().any(|gap| gap.kind == LinkGap::Expired && !gap.threats.is_empty()));
    // In words only.
    let mut words = diagnosis();
    for item in LIBRARY.items() {
        words.answers.insert(item.id.clone(), Answer { evidence: Vec::new(), ..met("2027-01-31") });
    }
    let found = answered(&mut words, Vec::new());
    let trace = Trace::of(&analysis, &LIBRARY, &found);
    assert_eq!(trace.count()[&TraceVerdict::Claimed], mitigated);
    assert!(trace.gaps.iter().any(|gap| gap.kind == LinkGap::NoEvidence));
}

#[test]
fn a_live_check_that_fails_beats_the_model_and_the_document() {
    let model = lock();
    let analysis = Analysis::of(&model, &BOOK, day());
    let (id, collector) = watched(&analysis);
    let verdict = |record: Option<LiveRecord>| {
        let mut diagnosis = all_met("2027-01-31");
        let found = answered(&mut diagnosis, record.into_iter().collect());
        let trace = Trace::of(&analysis, &LIBRARY, &found);
        let gaps = trace.gaps.iter().filter(|gap| gap.kind == LinkGap::LiveFails).count();
        (trace.threat(&id).unwrap().verdict, gaps)
    };
    assert_eq!(verdict(None), (TraceVerdict::Shown, 0));
    let passes = live(collector, CheckVerdict::Pass, None);
    assert_eq!(verdict(Some(passes)), (TraceVerdict::Shown, 0));
    let (beaten, gaps) = verdict(Some(live(collector, CheckVerdict::Fail, None)));
    assert_ne!(beaten, TraceVerdict::Shown);
    assert!(gaps > 0);
    // It says who looked, when, and what hangs on it; the document stays beside it.
    let mut diagnosis = all_met("2027-01-31");
    let found = answered(&mut diagnosis, vec![live(collector, CheckVerdict::Fail, None)]);
    let trace = Trace::of(&analysis, &LIBRARY, &found);
    let gap = trace
        .gaps
        .iter()
        .find(|gap| {
            gap.kind == LinkGap::LiveFails && gap.threats.iter().any(|one| one.as_str() == id)
        })
        .unwrap();
    let check = trace.checks.values().find(|check| check.item.id.as_str() == gap.at).unwrap();
    let standing: BTreeSet<_> = check.evidence.iter().map(|one| one.standing).collect();
    assert_eq!(check.state, State::NotMet);
    assert_eq!(standing, BTreeSet::from([EvidenceStanding::Counts, EvidenceStanding::Fails]));
    let failing = check.evidence.iter().find(|one| one.collector.is_some()).unwrap();
    assert_eq!((failing.by.as_deref(), failing.on), (Some("platform"), day()));
    assert!(trace.controls.values().any(|control| control.verdict == ControlVerdict::Fails));
}

#[test]
fn a_change_of_the_version_reopens_what_rested_on_a_document_about_the_other() {
    let model = lock();
    let analysis = Analysis::of(&model, &BOOK, day());
    let mut of_tests = diagnosis();
    let item = LIBRARY.item("DEV-SWV-02").unwrap();
    of_tests.answers.insert(item.id.clone(), Answer { evidence: Vec::new(), ..met("2027-01-31") });
    let at = |of_tests: &mut Diagnosis, subject: &str| {
        let found = answered(
            of_tests,
            vec![live(Collector::Components, CheckVerdict::Pass, Some(subject))],
        );
        let trace = Trace::of(&analysis, &LIBRARY, &found);
        trace.checks.get(&item.id).map(|check| (check.state, check.gap, check.evidence.clone()))
    };
    let Some((state, gap, _)) = at(&mut of_tests, VERSION) else {
        panic!("a measure of the lock's rules is checked by {}", item.id)
    };
    assert_eq!((state, gap), (State::Met, None));
    let (state, gap, evidence) = at(&mut of_tests, "firmware 2.4.0").unwrap();
    assert_eq!((state, gap), (State::Claimed, Some(LinkGap::Expired)));
    assert_eq!(evidence[0].standing, EvidenceStanding::OtherVersion);
}

#[test]
fn decisions_bear_plan_and_end() {
    let mut model = lock();
    let open = |model: &Model| {
        let analysis = Analysis::of(model, &BOOK, day());
        let one = analysis
            .threats
            .iter()
            .find(|one| one.state == ThreatState::Open && !one.missing.is_empty())
            .unwrap();
        let all: BTreeSet<String> = one.missing.iter().map(|id| (*id).to_owned()).collect();
        (one.id.to_string(), all)
    };
    let (id, measures) = open(&model);
    let decision = |verdict, until: Option<&str>, measures: &BTreeSet<String>| Decision {
        verdict,
        reason: "why".into(),
        by: "Sato".into(),
        on: day(),
        until: until.map(|day| Day::parse(day).unwrap()),
        likelihood: None,
        impact: None,
        measures: measures.clone(),
        line: 0,
    };
    let state = |model: &Model, on: Day| {
        let analysis = Analysis::of(model, &BOOK, on);
        let one = analysis.threat(&id).unwrap();
        let trace = Trace::of(&analysis, &LIBRARY, &Answered::default());
        let traced = trace.threat(&id).unwrap();
        (one.state, traced.verdict, traced.gaps.contains(&LinkGap::Ended))
    };
    model.decisions.insert(id.clone(), decision(Verdict::Measures, None, &measures));
    assert_eq!(state(&model, day()), (ThreatState::Planned, TraceVerdict::Planned, false));
    let end = "2027-01-31";
    let none = BTreeSet::new();
    model.decisions.insert(id.clone(), decision(Verdict::Transferred, Some(end), &none));
    assert_eq!(state(&model, day()), (ThreatState::Transferred, TraceVerdict::Borne, false));
    let after = Day::parse("2027-02-01").unwrap();
    assert_eq!(state(&model, after), (ThreatState::Open, TraceVerdict::Open, true));
    // Written and read again, a decision is the same.
    model.decisions.insert(id.clone(), decision(Verdict::Measures, Some(end), &measures));
    let again = Model::parse("m.yaml", &model.to_yaml(), &BOOK).unwrap();
    let (before, after) = (&model.decisions[&id], &again.decisions[&id]);
    assert_eq!((before.verdict, &before.measures), (after.verdict, &after.measures));
}

#[test]
fn files_refuse_decisions_without_end_or_measures() {
    let head = "tegata: threat-model/1\nname: M\ndecisions:\n  - {threat: T-0, reason: r, by: b, on: 2026-01-01, verdict: ";
    for (rest, wanted) in [
        ("transferred}\n", Err("until")),
        ("transferred, until: 2026-02-01}\n", Ok(())),
        ("measures}\n", Err("measures")),
        ("measures, measures: [secure-boot]}\n", Ok(())),
        ("measures, measures: [no-such-measure]}\n", Err("no-such-measure")),
        ("handled, measures: [secure-boot]}\n", Err("measures")),
    ] {
        let found = Model::parse("m.yaml", &format!("{head}{rest}"), &BOOK);
        match (found, wanted) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{rest}: {error}"),
            (found, _) => panic!("{rest}: {found:?}"),
        }
    }
}

#[test]
fn the_way_of_a_threat_is_drawn_with_the_same_in_words() {
    let model = lock();
    let analysis = Analysis::of(&model, &BOOK, day());
    let mut diagnosis = all_met("2027-01-31");
    let found = answered(&mut diagnosis, Vec::new());
    let trace = Trace::of(&analysis, &LIBRARY, &found);
    assert!(trace.graph("T-0000000000000000", Theme::Light, Language::En).is_none());
    for one in &trace.threats {
        for language in [Language::En, Language::Ja] {
            let graph = trace.graph(one.threat.id.as_str(), Theme::Light, language).unwrap();
            assert!(graph.svg.starts_with("<svg ") && graph.svg.ends_with("</svg>\n"));
            assert!(!graph.svg.contains("style=") && !graph.svg.contains("<script"));
            let ways: usize =
                one.controls.iter().map(|id| trace.controls[id].checks.len().max(1)).sum();
            assert_eq!(graph.words.len(), ways, "every way is told, drawn or not");
            assert_eq!(graph.left_out, 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Whatever is answered and found: a threat is shown only if its checks are met today, and a
    /// failing check never leaves one shown that hangs on it alone.
    #[test]
    fn shown_is_never_said_without_evidence(
        answers in proptest::collection::vec(0_u8..5, LIBRARY.items().len()),
        found in proptest::collection::vec((0_usize..Collector::ALL.len(), 0_usize..3), 0..8),
    ) {
        let model = lock();
        let analysis = Analysis::of(&model, &BOOK, day());
        let mut diagnosis = diagnosis();
        for (item, answer) in LIBRARY.items().iter().zip(answers) {
            let answer = match answer {
                0 => continue,
                1 => met("2099-01-01"),
                2 => Answer { evidence: Vec::new(), ..met("2099-01-01") },
                3 => Answer { outcome: Outcome::NotMet, evidence: Vec::new(), ..met("2099-01-01") },
                _ => Answer {
                    outcome: Outcome::NotApplicable,
                    reason: Some("r".into()),
                    evidence: Vec::new(),
                    ..met("2099-01-01")
                },
            };
            diagnosis.answers.insert(item.id.clone(), answer);
        }
        let records = found
            .into_iter()
            .map(|(collector, verdict)| live(Collector::ALL[collector], CheckVerdict::ALL[verdict], None))
            .collect();
        let found = answered(&mut diagnosis, records);
        let trace = Trace::of(&analysis, &LIBRARY, &found);
        for one in trace.threats.iter().filter(|one| one.verdict == TraceVerdict::Shown) {
            let proven: Vec<_> = one
                .threat
                .in_place
                .iter()
                .map(|id| &trace.controls[id])
                .filter(|control| control.verdict == ControlVerdict::Verified)
                .collect();
            prop_assert!(!proven.is_empty());
            for check in proven.iter().flat_map(|control| &control.checks) {
                prop_assert_eq!(trace.checks[check].state, State::Met);
            }
        }
        for gap in &trace.gaps {
            prop_assert!(!gap.threats.is_empty());
        }
    }
}
