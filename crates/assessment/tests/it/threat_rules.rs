//! Every rule is raised by its own example, and silenced by what it names.

use assessment::{
    Day, Library,
    threat::{Analysis, Cause, Model, Rule, RuleBook, Silence, State, Subject},
};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn book() -> RuleBook {
    RuleBook::embedded(&Library::embedded().unwrap()).unwrap()
}

pub(crate) fn day() -> Day {
    Day::parse("2026-11-21").unwrap()
}

fn of_rule(model: &Model, book: &RuleBook, rule: &Rule) -> Vec<(String, State)> {
    let analysis = Analysis::of(model, book, day());
    let threats = analysis.threats.iter().filter(|one| one.cause == Cause::Rule(rule));
    threats.map(|one| (one.subject.to_string(), one.state)).collect()
}

/// All sets of measures, as few as there are in one silence: at most 2^4.
fn subsets(silence: &Silence) -> Vec<BTreeSet<String>> {
    let names = silence.measures();
    (0..1u32 << names.len())
        .map(|mask| {
            let chosen = names.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1);
            chosen.map(|(_, name)| (*name).to_owned()).collect()
        })
        .collect()
}

/// Puts measures where the subject is, not on the whole model.
fn locally(model: &mut Model, subject: &str, measures: &BTreeSet<String>, planned: bool) {
    let (element, interface) = match subject.split_once('/') {
        Some((element, interface)) => (element, Some(interface)),
        None => (subject.split(':').next().unwrap(), None),
    };
    let put = |have: &mut BTreeSet<String>, plan: &mut BTreeSet<String>| {
        if planned { plan } else { have }.extend(measures.iter().cloned());
    };
    for one in &mut model.elements {
        for way in one.interfaces.iter_mut().filter(|way| interface == Some(way.id.as_str())) {
            put(&mut way.measures, &mut way.planned);
        }
        if one.id == element && interface.is_none() {
            put(&mut one.measures, &mut one.planned);
        }
    }
    for flow in model.flows.iter_mut().filter(|flow| flow.id == subject) {
        put(&mut flow.measures, &mut flow.planned);
    }
    if subject == "model" {
        put(&mut model.measures, &mut model.planned);
    }
}

#[test]
fn every_example_raises_its_rule_once() {
    let book = book();
    for rule in book.rules() {
        let found = of_rule(&rule.example, &book, rule);
        let expected = [(rule.example_subject.clone(), State::Open)];
        assert_eq!(found, expected, "{}", rule.id);
    }
}

#[test]
fn measures_silence_exactly_where_the_rule_says_so() {
    let book = book();
    for rule in book.rules() {
        let mut silenced = 0;
        for measures in subsets(&rule.silence) {
            let enough = rule.silence.holds(&|id| measures.contains(id));
            let mut everywhere = rule.example.clone();
            everywhere.measures.clone_from(&measures);
            let mut here = rule.example.clone();
            locally(&mut here, &rule.example_subject, &measures, false);
            let mut later = rule.example.clone();
            locally(&mut later, &rule.example_subject, &measures, true);
            for (model, state) in
                [(everywhere, State::Mitigated), (here, State::Mitigated), (later, State::Planned)]
            {
                let state = if enough { state } else { State::Open };
                let found = of_rule(&model, &book, rule);
                let expected = [(rule.example_subject.clone(), state)];
                assert_eq!(found, expected, "{} with {measures:?}", rule.id);
            }
            silenced += usize::from(enough);
        }
        assert!(silenced > 0, "{} cannot be silenced", rule.id);
        // All other measures together do nothing.
        let mut others = rule.example.clone();
        let named = rule.silence.measures();
        others.measures = book.measures().iter().map(|one| one.id.clone()).collect();
        others.measures.retain(|id| !named.contains(&id.as_str()));
        assert_eq!(of_rule(&others, &book, rule)[0].1, State::Open, "{}", rule.id);
    }
}

#[test]
fn measures_elsewhere_do_not_silence() {
    let book = book();
    for rule in book.rules().iter().filter(|rule| rule.example_subject != "model") {
        let mut model = rule.example.clone();
        let all: BTreeSet<String> =
            rule.silence.measures().into_iter().map(str::to_owned).collect();
        let owner = rule.example_subject.split(['/', ':']).next().unwrap().to_owned();
        for one in model.elements.iter_mut().filter(|one| one.id != owner) {
            one.measures.clone_from(&all);
        }
        for flow in model.flows.iter_mut().filter(|flow| flow.id != owner) {
            flow.measures.clone_from(&all);
        }
        let found = of_rule(&model, &book, rule);
        assert_eq!(found, [(rule.example_subject.clone(), State::Open)], "{}", rule.id);
    }
}

#[test]
fn rules_for_some_categories_are_silent_for_others() {
    let book = book();
    let mut seen = 0;
    for rule in book.rules().iter().filter(|rule| !rule.categories.is_empty()) {
        seen += 1;
        let mut model = rule.example.clone();
        let all = assessment::threat::Category::ALL;
        model.category = all.iter().copied().filter(|one| !rule.categories.contains(one)).collect();
        assert!(!model.category.is_empty(), "{} names all; leave them out", rule.id);
        assert_eq!(of_rule(&model, &book, rule), [], "{}", rule.id);
        // Who does not say what it is for gets all rules.
        model.category.clear();
        assert_eq!(of_rule(&model, &book, rule).len(), 1, "{}", rule.id);
    }
    assert!(seen >= 4);
}

#[test]
fn what_other_tools_lack_is_covered() {
    let book = book();
    assert!(book.rules().len() >= 80, "{}", book.rules().len());
    for id in [
        "debug-port-open",
        "boot-chain-unverified",
        "update-rollback",
        "identity-cloned",
        "key-shared-by-class",
        "tamper-undetected",
        "side-channel",
        "radio-jamming",
        "battery-drain",
        "rogue-gateway",
        "data-left-behind",
        "retired-still-trusted",
        "actuator-driven",
        "support-ended",
        "support-end-unknown",
    ] {
        assert!(book.rule(id).is_some(), "{id}");
    }
}

#[test]
fn nothing_in_the_book_is_idle_or_said_twice() {
    let book = book();
    let used: BTreeSet<&str> =
        book.rules().iter().flat_map(|rule| rule.silence.measures()).collect();
    for measure in book.measures() {
        assert!(used.contains(measure.id.as_str()), "{} silences nothing", measure.id);
    }
    let mut seen = BTreeMap::new();
    for rule in book.rules() {
        for text in [&rule.title.en, &rule.title.ja, &rule.text.en, &rule.text.ja] {
            if let Some(other) = seen.insert(text.as_str(), &rule.id) {
                panic!("{other} and {}: {text}", rule.id);
            }
        }
        assert!(rule.text.en.ends_with('.') && rule.text.ja.ends_with('。'), "{}", rule.id);
        assert!(!rule.title.en.ends_with('.') && !rule.title.ja.ends_with('。'), "{}", rule.id);
        assert!(!rule.leads_to.contains(&rule.id), "{} leads to itself", rule.id);
    }
    // Every kind of STRIDE, and what it leaves out, is there.
    let kinds: BTreeSet<_> = book.rules().iter().map(|rule| rule.threat).collect();
    assert_eq!(kinds.len(), assessment::Threat::ALL.len(), "{kinds:?}");
}

/// Taking any line away from the file of rules is noticed, or leaves rules that still work.
#[test]
fn subjects_are_written_as_they_are_read() {
    for (subject, written) in [
        (Subject::Model, "model"),
        (Subject::Interface("d".into(), "j".into()), "d/j"),
        (Subject::Holding("d".into(), "k".into()), "d:k"),
    ] {
        assert_eq!(subject.to_string(), written);
    }
}
