//! What a diagnosis means for the clauses of a catalogue.
//!
//! A pass is handed on only where one side asks for the same or for more, a failure only where it
//! asks for the same or for less; overlap shows that something was done and nothing beyond. Any
//! failure beats every pass.

use crate::{Day, Diagnosis, ItemId, Library, RecordRef, Relation, SourceId, State, named::words};
use std::collections::BTreeMap;

words! {
    /// Where a clause stands.
    ClauseState {
        /// Met with evidence.
        Met "met" "met" "適合",
        /// Met in words.
        Claimed "claimed" "claimed without evidence" "証跡なしの主張",
        /// Something that belongs to it is met, and that is not all of it.
        Partly "partly" "partly" "一部適合",
        /// Not met.
        NotMet "not-met" "not met" "不適合",
        /// There are items about it, and none is answered.
        Open "open" "open" "未回答",
        /// Neither an item nor another catalogue says anything: answer the clause itself.
        Untouched "untouched" "nothing says anything" "情報なし",
        /// Does not concern the product.
        NotApplicable "not-applicable" "not applicable" "対象外",
    }
}

/// What a state of a clause rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The answer to the clause itself.
    Answer(State),
    /// An item of the check sheet, how it relates to the clause, and where it stands.
    Item(ItemId, Relation, State),
    /// Another record that stands so, and how it relates to the clause.
    Record(RecordRef, Relation, ClauseState),
    /// A feature that the product does not have, with the reason.
    Absent(String),
}

/// A clause with its state and what the state rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClauseCoverage {
    /// the clause
    pub record: RecordRef,
    /// where it stands
    pub state: ClauseState,
    /// what it rests on
    pub basis: Vec<Basis>,
}

/// The clauses of all catalogues, judged together, because they hand on to each other.
#[derive(Clone, Debug)]
pub struct Coverage {
    clauses: BTreeMap<RecordRef, ClauseCoverage>,
}

impl Coverage {
    /// Judges every record of `library` by `diagnosis`, `today`.
    pub fn of(library: &Library, diagnosis: &Diagnosis, today: Day) -> Self {
        let mut clauses: BTreeMap<RecordRef, ClauseCoverage> = library
            .catalogues()
            .iter()
            .flat_map(|catalogue| &catalogue.records)
            .map(|record| {
                let own = own(library, diagnosis, today, &record.reference, &record.when);
                (record.reference.clone(), own)
            })
            .collect();
        hand_on(library, &mut clauses, ClauseState::NotMet, Relation::hands_on_failure);
        hand_on(library, &mut clauses, ClauseState::Met, Relation::hands_on_success);
        hand_on(library, &mut clauses, ClauseState::Claimed, Relation::hands_on_success);
        touch(library, &mut clauses);
        Self { clauses }
    }

    /// The clause `reference`.
    pub fn clause(&self, reference: &RecordRef) -> Option<&ClauseCoverage> {
        self.clauses.get(reference)
    }

    /// The clauses of one catalogue, in its order.
    pub fn catalogue<'a>(
        &'a self,
        library: &'a Library,
        source: &SourceId,
    ) -> impl Iterator<Item = &'a ClauseCoverage> {
        library
            .catalogue(source.as_str())
            .into_iter()
            .flat_map(|catalogue| &catalogue.records)
            .filter_map(|record| self.clauses.get(&record.reference))
    }

    /// How many clauses of a catalogue stand how, in the order of [`ClauseState::ALL`].
    pub fn count(&self, source: &SourceId) -> Vec<(ClauseState, usize)> {
        let of = |state: ClauseState| {
            let mine = self.clauses.values().filter(|one| one.record.source() == source);
            mine.filter(|one| one.state == state).count()
        };
        ClauseState::ALL.iter().map(|state| (*state, of(*state))).collect()
    }
}

/// What answers and items say of a record, before records hand on to each other.
fn own(
    library: &Library,
    diagnosis: &Diagnosis,
    today: Day,
    reference: &RecordRef,
    when: &[crate::FeatureId],
) -> ClauseCoverage {
    let mut basis = Vec::new();
    if let Some((feature, reason)) = diagnosis.absence(when) {
        basis.push(Basis::Absent(format!("{feature}: {reason}")));
        let state = ClauseState::NotApplicable;
        return ClauseCoverage { record: reference.clone(), state, basis };
    }
    let answer = diagnosis.clauses.get(reference).map(|one| State::of(Some(one), today));
    basis.extend(answer.map(Basis::Answer));
    let mut items = Vec::new();
    for (item, relation) in library.items_of(reference) {
        let state = diagnosis.state(item, today);
        items.push((relation, state));
        basis.push(Basis::Item(item.id.clone(), relation, state));
    }
    let failing = items
        .iter()
        .any(|(relation, state)| *state == State::NotMet && relation.hands_on_failure());
    let best = |wanted: State| {
        items.iter().any(|(relation, state)| *state == wanted && relation.hands_on_success())
    };
    let done = |state: &State| matches!(state, State::Met | State::Claimed | State::Partly);
    // A failure beats everything; then what people say of the clause itself; then the items.
    let state = match answer {
        Some(State::NotApplicable) => ClauseState::NotApplicable,
        _ if failing || answer == Some(State::NotMet) => ClauseState::NotMet,
        Some(State::Met) => ClauseState::Met,
        Some(State::Partly) => ClauseState::Partly,
        _ if best(State::Met) => ClauseState::Met,
        Some(State::Claimed) => ClauseState::Claimed,
        _ if best(State::Claimed) => ClauseState::Claimed,
        _ if items.iter().any(|(_, state)| done(state)) => ClauseState::Partly,
        Some(_) => ClauseState::Open,
        None if items.is_empty() => ClauseState::Untouched,
        None => ClauseState::Open,
    };
    ClauseCoverage { record: reference.clone(), state, basis }
}

/// Hands `state` on along the mappings until nothing changes. Each record changes at most once per
/// state, so that the loop ends.
fn hand_on(
    library: &Library,
    clauses: &mut BTreeMap<RecordRef, ClauseCoverage>,
    state: ClauseState,
    hands_on: fn(Relation) -> bool,
) {
    let mut waiting: Vec<RecordRef> =
        clauses.values().filter(|one| one.state == state).map(|one| one.record.clone()).collect();
    while let Some(from) = waiting.pop() {
        for (relation, to) in library.neighbours(&from) {
            let Some(clause) = clauses.get_mut(to) else { continue };
            if hands_on(*relation) && gives_way(clause, state) {
                clause.state = state;
                clause.basis.push(Basis::Record(from.clone(), *relation, state));
                waiting.push(to.clone());
            }
        }
    }
}

/// Whether a clause takes a state that is handed to it.
fn gives_way(clause: &ClauseCoverage, state: ClauseState) -> bool {
    // What people say of the clause itself stands against a pass from elsewhere.
    let answered = clause.basis.iter().any(|basis| matches!(basis, Basis::Answer(_)));
    match (state, clause.state) {
        (_, ClauseState::NotApplicable | ClauseState::NotMet) => false,
        (ClauseState::NotMet, _) => true,
        (_, _) if answered => false,
        (ClauseState::Met, now) => now != ClauseState::Met,
        (_, now) => !matches!(now, ClauseState::Met | ClauseState::Claimed),
    }
}

/// A clause that nothing of its own covers is touched by what overlaps with it and is met.
fn touch(library: &Library, clauses: &mut BTreeMap<RecordRef, ClauseCoverage>) {
    let met: Vec<(RecordRef, ClauseState)> = clauses
        .values()
        .filter(|one| matches!(one.state, ClauseState::Met | ClauseState::Claimed))
        .map(|one| (one.record.clone(), one.state))
        .collect();
    for (from, state) in met {
        for (relation, to) in library.neighbours(&from) {
            let Some(clause) = clauses.get_mut(to) else { continue };
            if matches!(clause.state, ClauseState::Open | ClauseState::Untouched)
                || (clause.state == ClauseState::Partly && has_record(clause))
            {
                clause.state = ClauseState::Partly;
                clause.basis.push(Basis::Record(from.clone(), *relation, state));
            }
        }
    }
}

fn has_record(clause: &ClauseCoverage) -> bool {
    clause.basis.iter().any(|basis| matches!(basis, Basis::Record(..)))
}
