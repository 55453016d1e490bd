//! The documents are part of the interface: what they show is compared with the code.

use device::{
    Kind, Layer, Phase, ReasonCode, StandingKind,
    state::{Rule, rule},
};
use std::fmt::Display;

pub(crate) fn read(name: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/");
    std::fs::read_to_string(format!("{path}{name}")).unwrap()
}

/// The contents of the blocks fenced as `hex`, without white space.
pub(crate) fn hex_blocks(document: &str) -> Vec<String> {
    document
        .split("```hex\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().split_whitespace().collect())
        .collect()
}

fn names<T: Display + Copy + PartialEq>(items: &[T], all: &[T]) -> String {
    if items == all {
        return "any".into();
    }
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

fn row(kind: Kind) -> String {
    let Rule { phases, standings, parties } = rule(kind);
    let phases =
        if phases.is_empty() { "begins a history".into() } else { names(phases, Phase::ALL) };
    let standings = names(standings, StandingKind::ALL);
    let parties = names(parties, device::Party::ALL);
    format!("| {} | {kind} | {phases} | {standings} | {parties} |", kind.code())
}

/// Every row must be in the document; what is missing is printed, ready to be pasted.
fn check_rows(document: &str, rows: &[String]) {
    let text = read(document);
    let missing: Vec<_> =
        rows.iter().filter(|row| !text.lines().any(|line| line == row.as_str())).collect();
    assert!(
        missing.is_empty(),
        "{document} lacks:\n{}",
        missing.iter().map(|row| row.as_str()).collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn the_table_of_rules_is_the_codes() {
    let rows: Vec<_> = Kind::ALL.iter().map(|kind| row(*kind)).collect();
    check_rows("event.md", &rows);
}

#[test]
fn the_table_of_refusals_is_the_codes() {
    let rows: Vec<_> = device::IllegalMoveCode::ALL
        .iter()
        .map(|code| format!("| `{code}` | {} | {} |", code.text().en, code.text().ja))
        .collect();
    check_rows("event.md", &rows);
}

#[test]
fn the_table_of_reasons_is_the_codes() {
    let rows: Vec<_> = ReasonCode::ALL
        .iter()
        .map(|code| {
            let (ja, en) = (code.text().ja, code.text().en);
            format!("| {} | `{code}` | {} | {en} | {ja} |", code.code(), code.severity())
        })
        .collect();
    check_rows("verdict.md", &rows);
    let layers: Vec<_> = Layer::ALL
        .iter()
        .map(|layer| format!("| `{layer}` | {} | {} |", layer.text().en, layer.text().ja))
        .collect();
    check_rows("verdict.md", &layers);
}
