//! The way of one threat drawn: threat, requirements, controls, checks, evidence with the verdict.

use super::{ControlVerdict, EvidenceStanding, Trace, TraceVerdict, TracedEvidence};
use crate::{
    State,
    threat::{
        Theme,
        svg::{Drawing, Ink, wrapped},
    },
};
use device::Language;
use std::collections::BTreeMap;

/// Checks that one drawing shows; what is left out is counted.
pub const GRAPH_CHECKS_MAX: usize = 40;

const BOX: (i32, i32) = (176, 46);
const GAP: i32 = 56;
const ROW: i32 = 58;
const MARGIN: i32 = 20;
const TOP: i32 = 52;

/// A drawing with the same in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceGraph {
    /// the drawing
    pub svg: String,
    /// the same in words, one way per line
    pub words: Vec<String>,
    /// checks that were left out
    pub left_out: usize,
}

struct Node {
    at: (i32, i32),
}

struct Columns {
    out: Drawing,
    rows: [i32; 5],
}

impl Columns {
    fn put(&mut self, column: usize, title: &str, note: &str, edge: Ink) -> Node {
        let row = self.rows.get(column).copied().unwrap_or(0);
        if let Some(slot) = self.rows.get_mut(column) {
            *slot += 1;
        }
        let x = MARGIN + i32::try_from(column).unwrap_or(0) * (BOX.0 + GAP);
        let y = TOP + row * ROW;
        self.out.rect((x, y), BOX, Ink::Box, edge, false);
        for (line, at) in wrapped(title, BOX.0 - 18, 1).iter().zip(0..) {
            self.out.text((x + 9, y + 18 + at * 15), line, Ink::Text, "start", true);
        }
        let note = wrapped(note, BOX.0 - 12, 1).concat();
        self.out.text((x + 9, y + 35), &note, edge_text(edge), "start", false);
        Node { at: (x, y) }
    }

    fn join(&mut self, from: &Node, to: &Node, ink: Ink) {
        let start = (from.at.0 + BOX.0, from.at.1 + BOX.1 / 2);
        let end = (to.at.0, to.at.1 + BOX.1 / 2);
        self.out.curve(start, end, GAP / 2, ink, false);
    }
}

fn edge_text(edge: Ink) -> Ink {
    if edge == Ink::Line { Ink::Faint } else { edge }
}

impl Trace<'_> {
    /// The way of the threat `id`; `None` where there is no such threat.
    pub fn graph(&self, id: &str, theme: Theme, language: Language) -> Option<TraceGraph> {
        let one = self.threat(id)?;
        let mut columns = Columns { out: Drawing::new(theme), rows: [0; 5] };
        let heads = match language {
            Language::En => ["Threat", "Requirement", "Control", "Check", "Evidence"],
            Language::Ja => ["脅威", "要件", "対策", "確認項目", "証跡"],
        };
        for (head, column) in heads.iter().zip(0..) {
            let x = MARGIN + column * (BOX.0 + GAP);
            columns.out.text((x, 32), head, Ink::Faint, "start", true);
        }
        let edge = match one.verdict {
            TraceVerdict::Shown => Ink::Done,
            TraceVerdict::Planned => Ink::Planned,
            TraceVerdict::Open | TraceVerdict::Contradicted => Ink::Missing,
            _ => Ink::Line,
        };
        let title = one.threat.title(language);
        let root = columns.put(0, title, one.verdict.title(language), edge);
        let mut requirements = BTreeMap::new();
        for reference in &one.requirements {
            let Some(found) = self.requirements.get(reference) else { continue };
            let note = found.state.map_or("", |state| state.title(language));
            let node = columns.put(1, &reference.to_string(), note, Ink::Line);
            columns.join(&root, &node, Ink::Line);
            requirements.insert(*reference, node);
        }
        let mut words = Vec::new();
        let mut checks: BTreeMap<&str, Node> = BTreeMap::new();
        let mut left_out = 0;
        for id in &one.controls {
            let Some(control) = self.controls.get(id) else { continue };
            let (place, place_ink) = standing(one, id, language);
            let ink = match control.verdict {
                ControlVerdict::Verified if place_ink == Ink::Done => Ink::Done,
                ControlVerdict::Fails => Ink::Missing,
                _ => place_ink,
            };
            let note = format!("{place}, {}", control.verdict.title(language));
            let node = columns.put(2, control.measure.title.of(language), &note, ink);
            for reference in &control.measure.requirements {
                if let Some(from) = requirements.get(reference) {
                    columns.join(from, &node, Ink::Line);
                }
            }
            let chain = format!("{title} → {} ({note})", control.measure.title.of(language));
            if control.checks.is_empty() {
                words.push(format!("{chain} → –"));
            }
            for check_id in &control.checks {
                let Some(check) = self.checks.get(check_id) else { continue };
                let state = check.state.title(language);
                words.push(format!(
                    "{chain} → {check_id} ({state}) → {}",
                    evidence_words(&check.evidence, language)
                ));
                if let Some(drawn) = checks.get(check_id.as_str()) {
                    columns.join(&node, drawn, Ink::Line);
                    continue;
                }
                if checks.len() >= GRAPH_CHECKS_MAX {
                    left_out += 1;
                    continue;
                }
                let ink = match check.state {
                    State::Met => Ink::Done,
                    State::NotMet => Ink::Missing,
                    State::NotApplicable => Ink::Faint,
                    _ => Ink::Planned,
                };
                let drawn = columns.put(3, check_id.as_str(), state, ink);
                columns.join(&node, &drawn, Ink::Line);
                let counts = check
                    .evidence
                    .iter()
                    .filter(|one| one.standing == EvidenceStanding::Counts)
                    .count();
                let fails =
                    check.evidence.iter().any(|one| one.standing == EvidenceStanding::Fails);
                let ink = match (fails, counts) {
                    (true, _) => Ink::Missing,
                    (false, 0) => Ink::Planned,
                    _ => Ink::Done,
                };
                let (title, note) = evidence_box(&check.evidence, counts, language);
                let evidence = columns.put(4, &title, &note, ink);
                columns.join(&drawn, &evidence, Ink::Line);
                checks.insert(check_id.as_str(), drawn);
            }
        }
        let rows = columns.rows.into_iter().max().unwrap_or(1).max(1);
        let width = 2 * MARGIN + 5 * BOX.0 + 4 * GAP;
        let tongue = match language {
            Language::En => "en",
            Language::Ja => "ja",
        };
        let svg = columns.out.finish(width, TOP + rows * ROW + MARGIN, title, tongue);
        Some(TraceGraph { svg, words, left_out })
    }
}

fn standing(one: &super::TracedThreat<'_>, id: &str, language: Language) -> (&'static str, Ink) {
    let (en, ja, ink) = if one.threat.in_place.contains(id) {
        ("in place", "実施済み", Ink::Done)
    } else if one.threat.planned.contains(id) {
        ("planned", "予定", Ink::Planned)
    } else {
        ("missing", "未実施", Ink::Line)
    };
    match language {
        Language::En => (en, ink),
        Language::Ja => (ja, ink),
    }
}

fn evidence_box(all: &[TracedEvidence], counts: usize, language: Language) -> (String, String) {
    let first = all
        .iter()
        .find(|one| one.standing == EvidenceStanding::Fails)
        .or_else(|| all.iter().find(|one| one.standing == EvidenceStanding::Counts))
        .or_else(|| all.first());
    match (first, language) {
        (None, Language::En) => ("none".to_owned(), "no evidence".to_owned()),
        (None, Language::Ja) => ("なし".to_owned(), "証跡なし".to_owned()),
        (Some(one), Language::En) => {
            (name(one, language), format!("{}; {counts} of {} count", one.standing, all.len()))
        }
        (Some(one), Language::Ja) => (
            name(one, language),
            format!("{}・{}件中{counts}件有効", one.standing.title(language), all.len()),
        ),
    }
}

fn name(one: &TracedEvidence, language: Language) -> String {
    match one.collector {
        Some((collector, _)) => collector.title(language).to_owned(),
        None => one.what.clone(),
    }
}

fn evidence_words(all: &[TracedEvidence], language: Language) -> String {
    if all.is_empty() {
        return match language {
            Language::En => "no evidence".to_owned(),
            Language::Ja => "証跡なし".to_owned(),
        };
    }
    let one = |one: &TracedEvidence| {
        format!("{} ({})", name(one, language), one.standing.title(language))
    };
    all.iter().map(one).collect::<Vec<_>>().join("; ")
}
