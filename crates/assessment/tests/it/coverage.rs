//! What a diagnosis means for clauses: subset and superset are kept apart.

use crate::world::{catalogue, item, library};
use assessment::{
    Basis, ClauseState, Coverage, Day, Diagnosis, Library, Outcome, RecordRef, Relation,
};
use proptest::prelude::*;

const HEAD: &str = "tegata: diagnosis/1\nproduct: Meter\nsubject: '1.0'\non: 2026-11-21\n";

fn today() -> Day {
    Day::parse("2026-11-21").unwrap()
}

fn judged(library: &Library, rest: &str) -> Coverage {
    let diagnosis = Diagnosis::parse("d.yaml", &format!("{HEAD}{rest}"), library).unwrap();
    Coverage::of(library, &diagnosis, today())
}

fn state(coverage: &Coverage, reference: &str) -> ClauseState {
    coverage.clause(&RecordRef::parse(reference).unwrap()).unwrap().state
}

const MET: &str = "{answer: met, evidence: [{what: report, on: 2026-11-20}]}";

#[test]
fn items_pass_and_fail_clauses_by_their_relation() {
    let catalogues = [catalogue("a", &["equal", "subset", "superset", "intersect"])];
    let clauses =
        ["'a:equal equal'", "'a:subset subset'", "'a:superset superset'", "'a:intersect'"];
    let library = library(&catalogues, "", &[item("DEV-SWD-01", &clauses)]).unwrap();
    let of = |answer: &str| {
        let coverage = judged(&library, &format!("answers:\n  DEV-SWD-01: {answer}\n"));
        ["a:equal", "a:subset", "a:superset", "a:intersect"].map(|one| state(&coverage, one))
    };
    use ClauseState::{Claimed, Met, NotMet, Open, Partly};
    // A subset item asks for a part of the clause: meeting it does not meet the clause.
    assert_eq!(of(MET), [Met, Partly, Met, Partly]);
    assert_eq!(of("{answer: met}"), [Claimed, Partly, Claimed, Partly]);
    assert_eq!(of("{answer: partly}"), [Partly, Partly, Partly, Partly]);
    // A superset item asks for more: failing it does not fail the clause.
    assert_eq!(of("{answer: not-met}"), [NotMet, NotMet, Open, Open]);
    let expired = "{answer: met, evidence: [{what: report, on: 2026-11-01, until: 2026-11-20}]}";
    assert_eq!(of(expired), [Open, Open, Open, Open]);
}

#[test]
fn passes_and_failures_travel_along_mappings() {
    let catalogues = ["a", "b", "c", "d"].map(|id| catalogue(id, &["1"]));
    let mappings = "  - {from: 'a:1', superset: ['b:1']}
  - {from: 'b:1', equal: ['c:1']}
  - {from: 'c:1', intersect: ['d:1']}
";
    let library = library(&catalogues, mappings, &[]).unwrap();
    let of = |clause: &str, answer: &str| {
        let coverage = judged(&library, &format!("clauses:\n  {clause}: {answer}\n"));
        ["a:1", "b:1", "c:1", "d:1"].map(|one| state(&coverage, one))
    };
    use ClauseState::{Met, NotMet, Partly, Untouched};
    assert_eq!(of("a:1", MET), [Met, Met, Met, Partly]);
    assert_eq!(of("b:1", MET), [Partly, Met, Met, Partly]);
    assert_eq!(of("c:1", "{answer: not-met}"), [NotMet, NotMet, NotMet, Untouched]);
    assert_eq!(of("a:1", "{answer: not-met}"), [NotMet, Untouched, Untouched, Untouched]);
    assert_eq!(of("d:1", MET), [Untouched, Untouched, Partly, Met]);
    // A failure beats a pass, wherever the pass comes from.
    let both = format!("clauses:\n  a:1: {MET}\n  c:1: {{answer: not-met}}\n");
    let coverage = judged(&library, &both);
    assert_eq!(state(&coverage, "a:1"), NotMet);
    // What people say of a clause itself stands against a pass from elsewhere.
    let partly = format!("clauses:\n  a:1: {MET}\n  c:1: {{answer: partly}}\n");
    let coverage = judged(&library, &partly);
    assert_eq!(["b:1", "c:1"].map(|one| state(&coverage, one)), [Met, Partly]);
    let absent = format!("clauses:\n  a:1: {MET}\n  b:1: {{answer: not-applicable, reason: so}}\n");
    let coverage = judged(&library, &absent);
    let found = ["a:1", "b:1", "c:1"].map(|one| state(&coverage, one));
    assert_eq!(found, [Met, ClauseState::NotApplicable, Untouched]);
}

#[test]
fn the_basis_is_told() {
    let catalogues = ["a", "b"].map(|id| catalogue(id, &["1"]));
    let library = library(
        &catalogues,
        "  - {from: 'a:1', equal: ['b:1']}\n",
        &[item("DEV-SWD-01", &["'a:1 equal'"])],
    )
    .unwrap();
    let coverage = judged(&library, &format!("answers:\n  DEV-SWD-01: {MET}\n"));
    let clause = coverage.clause(&RecordRef::parse("b:1").unwrap()).unwrap();
    let from = RecordRef::parse("a:1").unwrap();
    assert_eq!(clause.basis, [Basis::Record(from, Relation::Equal, ClauseState::Met)]);
}

/// Without answers nothing is met or failed, in any of the real catalogues.
#[test]
fn silence_covers_nothing() {
    let library = Library::embedded().unwrap();
    let coverage = judged(&library, "");
    for catalogue in library.catalogues() {
        for (state, count) in coverage.count(&catalogue.source.id) {
            let silent = matches!(state, ClauseState::Open | ClauseState::Untouched);
            assert!(silent || count == 0, "{}: {state} {count}", catalogue.source.id);
        }
    }
}

/// One failure in the real catalogues turns no clause better, one more pass none worse.
#[test]
fn more_passes_help_and_failures_harm() {
    let library = Library::embedded().unwrap();
    let rank = |state: ClauseState| match state {
        ClauseState::NotMet => 0,
        ClauseState::Open | ClauseState::Untouched | ClauseState::NotApplicable => 1,
        ClauseState::Partly => 2,
        ClauseState::Claimed => 3,
        ClauseState::Met => 4,
    };
    let some = |outcome: &str, from: usize, step: usize| -> String {
        library
            .items()
            .iter()
            .skip(from)
            .step_by(step)
            .map(|item| format!("  {}: {outcome}\n", item.id))
            .collect()
    };
    let few = judged(&library, &format!("answers:\n{}", some(MET, 0, 4)));
    let many = judged(&library, &format!("answers:\n{}{}", some(MET, 0, 4), some(MET, 2, 4)));
    let failed = judged(
        &library,
        &format!("answers:\n{}{}", some(MET, 0, 4), some("{answer: not-met}", 2, 4)),
    );
    for record in library.catalogues().iter().flat_map(|catalogue| &catalogue.records) {
        let of = |coverage: &Coverage| rank(coverage.clause(&record.reference).unwrap().state);
        assert!(of(&many) >= of(&few), "{}", record.reference);
        assert!(of(&failed) <= of(&few), "{}", record.reference);
    }
    let count = |coverage: &Coverage, wanted: ClauseState| {
        let all = library.catalogues().iter().flat_map(|one| coverage.count(&one.source.id));
        all.filter(|(state, _)| *state == wanted).map(|(_, count)| count).sum::<usize>()
    };
    assert!(count(&many, ClauseState::Met) > count(&few, ClauseState::Met));
    assert!(count(&few, ClauseState::Met) > 0);
    assert!(count(&failed, ClauseState::NotMet) > 0);
}

proptest! {
    /// Soundness on any graph: what is met has an answer of its own, or a chain of `equal` and
    /// `superset` from one; what fails, a chain of `equal` and `subset`.
    #[test]
    fn every_state_has_a_chain_to_an_answer(
        edges in proptest::collection::btree_map((0usize..5, 0usize..5), 0usize..4, 0..10),
        answers in proptest::collection::vec(proptest::option::of(0usize..3), 5),
    ) {
        let names = ["a", "b", "c", "d", "e"];
        let catalogues = names.map(|id| catalogue(id, &["1"]));
        let mut mappings = String::new();
        let mut graph = Vec::new();
        for ((from, to), relation) in edges {
            if from < to {
                let relation = Relation::ALL[relation];
                mappings.push_str(&format!("  - {{from: '{}:1', {relation}: ['{}:1']}}\n", names[from], names[to]));
                graph.push((from, relation, to));
                graph.push((to, relation.inverse(), from));
            }
        }
        let library = library(&catalogues, &mappings, &[]).unwrap();
        let outcomes = [Outcome::Met, Outcome::Partly, Outcome::NotMet];
        let mut text = String::new();
        for (name, answer) in names.iter().zip(&answers) {
            if let Some(answer) = answer {
                let evidence = "evidence: [{what: report, on: 2026-11-20}]";
                text.push_str(&format!("  {name}:1: {{answer: {}, {evidence}}}\n", outcomes[*answer]));
            }
        }
        let text = if text.is_empty() { text } else { format!("clauses:\n{text}") };
        let coverage = judged(&library, &text);
        let reached = |wanted: usize, along: fn(Relation) -> bool| -> Vec<bool> {
            let mut reached: Vec<bool> = answers.iter().map(|one| *one == Some(wanted)).collect();
            for _ in 0..5 {
                for (from, relation, to) in &graph {
                    if reached[*from] && along(*relation) {
                        reached[*to] = true;
                    }
                }
            }
            reached
        };
        let failed = reached(2, Relation::hands_on_failure);
        let met = reached(0, Relation::hands_on_success);
        for (at, name) in names.iter().enumerate() {
            let found = state(&coverage, &format!("{name}:1"));
            prop_assert_eq!(found == ClauseState::NotMet, failed[at]);
            prop_assert!(found != ClauseState::Met || met[at]);
            if answers[at] == Some(0) && !failed[at] {
                prop_assert_eq!(found, ClauseState::Met);
            }
        }
    }
}
