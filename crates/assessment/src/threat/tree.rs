//! Attack trees: what leads to a threat, or to the harm of an asset, with what stands against it.

use crate::threat::{
    Analysis, Cause, Rule, State, Subject, Theme, ThreatInstance,
    svg::{Drawing, Ink, wrapped},
};
use device::Language;
use std::collections::BTreeSet;

/// How far back a tree goes.
pub const TREE_DEPTH_MAX: usize = 4;
/// Nodes of one tree; what is left out is counted.
pub const TREE_NODES_MAX: usize = 120;

/// A node: a goal with ways to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// what is reached
    pub title: String,
    /// what it concerns
    pub subject: String,
    /// id and state; none for the goal of an asset
    pub threat: Option<(String, State)>,
    /// measures of the rule, each with whether it is in place, planned or missing
    pub measures: Vec<(String, Standing)>,
    /// ways that make it possible: any of them is enough
    pub ways: Vec<Tree>,
}

/// Where a measure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// in place
    InPlace,
    /// decided
    Planned,
    /// neither
    Missing,
}

struct Growth<'a, 'b> {
    analysis: &'b Analysis<'a>,
    language: Language,
    nodes: usize,
    cut: usize,
}

impl Tree {
    /// The tree of one threat.
    ///
    /// # Returns
    /// The tree, and how many ways were left out for [`TREE_NODES_MAX`]; `None` where there is no
    /// such threat.
    pub fn of_threat(
        analysis: &Analysis<'_>,
        id: &str,
        language: Language,
    ) -> Option<(Self, usize)> {
        let root = analysis.threat(id)?;
        let mut growth = Growth { analysis, language, nodes: 0, cut: 0 };
        let tree = growth.grow(root, &mut Vec::new());
        Some((tree, growth.cut))
    }

    /// The tree of all threats that touch one asset.
    ///
    /// # Returns
    /// As [`Tree::of_threat`]; `None` where there is no such asset.
    pub fn of_asset(
        analysis: &Analysis<'_>,
        id: &str,
        language: Language,
    ) -> Option<(Self, usize)> {
        let asset = analysis.model.asset(id)?;
        let mut growth = Growth { analysis, language, nodes: 1, cut: 0 };
        let touching: Vec<_> =
            analysis.threats.iter().filter(|one| touches(analysis, one, id)).collect();
        // What another one of them leads to stands below that one.
        let ways = touching.iter().map(|one| growth.grow(one, &mut Vec::new())).collect();
        let title = match language {
            Language::En => format!("Harm to: {}", asset.title),
            Language::Ja => format!("「{}」への被害", asset.title),
        };
        let tree =
            Self { title, subject: asset.id.clone(), threat: None, measures: Vec::new(), ways };
        Some((tree, growth.cut))
    }

    /// Whether an attacker gets through: some way below is open all the way, or it is open and
    /// needs none. A measure in place closes a threat whatever leads to it.
    pub fn is_open(&self) -> bool {
        match self.threat {
            Some((_, State::Mitigated | State::Handled | State::Dismissed)) => false,
            Some(_) => true,
            None => self.ways.iter().any(Self::is_open),
        }
    }

    /// Nodes, this one included.
    pub fn len(&self) -> usize {
        1 + self.ways.iter().map(Self::len).sum::<usize>()
    }

    /// Never.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Drawn from left to right.
    pub fn to_svg(&self, theme: Theme, language: Language) -> String {
        let mut out = Drawing::new(theme);
        let (height, depth) = self.draw(&mut out, (24, 24), language);
        let depth = i32::try_from(depth).unwrap_or(1);
        let language = match language {
            Language::En => "en",
            Language::Ja => "ja",
        };
        out.finish(48 + depth * STEP - (STEP - NODE), height + 48, &self.title, language)
    }

    /// Draws the node with all below it; gives the height used and the depth.
    fn draw(&self, out: &mut Drawing, (x, y): (i32, i32), language: Language) -> (i32, usize) {
        let mut below = 0;
        let mut depth = 0;
        let mut joints = Vec::new();
        for way in &self.ways {
            let (height, deeper) = way.draw(out, (x + STEP, y + below), language);
            joints.push(y + below + 20);
            below += height;
            depth = depth.max(deeper);
        }
        let state = self.threat.as_ref().map(|(_, state)| *state);
        let edge = match state {
            None => Ink::Line,
            Some(State::Open) => Ink::Missing,
            Some(State::Planned) => Ink::Planned,
            Some(State::Accepted | State::Transferred) => Ink::Band(crate::threat::Band::Medium),
            Some(_) => Ink::Done,
        };
        // Bold letters are wider than the estimate.
        let lines = wrapped(&self.title, NODE - 44, 2);
        let measures = i32::try_from(self.measures.len()).unwrap_or(0);
        let own = 26 + i32::try_from(lines.len()).unwrap_or(1) * LINE + measures * LINE;
        for joint in joints {
            let middle = x + NODE + (STEP - NODE) / 2;
            out.line(
                &[(x + NODE, y + 20), (middle, y + 20), (middle, joint), (x + STEP, joint)],
                Ink::Line,
            );
        }
        out.rect((x, y), (NODE, own), Ink::Box, edge, false);
        let mut at = y + 18;
        for line in &lines {
            out.text((x + 10, at), line, Ink::Text, "start", true);
            at += LINE;
        }
        let mut about = self.subject.clone();
        if let Some(state) = state {
            about = format!("{} · {about}", state.title(language));
        }
        out.text((x + 10, at), &wrapped(&about, NODE - 20, 1).concat(), edge, "start", false);
        for (measure, standing) in &self.measures {
            at += LINE;
            let (mark, ink) = match standing {
                Standing::InPlace => ('✓', Ink::Done),
                Standing::Planned => ('○', Ink::Planned),
                Standing::Missing => ('×', Ink::Missing),
            };
            let text = wrapped(&format!("{mark} {measure}"), NODE - 20, 1).concat();
            out.text((x + 10, at), &text, ink, "start", false);
        }
        (below.max(own + 16), depth + 1)
    }
}

const NODE: i32 = 250;
const STEP: i32 = 296;
const LINE: i32 = 16;

impl Growth<'_, '_> {
    fn grow(&mut self, one: &ThreatInstance<'_>, path: &mut Vec<String>) -> Tree {
        self.nodes += 1;
        let mut ways = Vec::new();
        if path.len() < TREE_DEPTH_MAX {
            path.push(one.id.to_string());
            for before in before(self.analysis, one) {
                if path.iter().any(|id| id == before.id.as_str()) {
                    continue;
                }
                if self.nodes >= TREE_NODES_MAX {
                    self.cut += 1;
                    continue;
                }
                ways.push(self.grow(before, path));
            }
            path.pop();
        }
        let book = self.analysis.book;
        let title =
            |id: &str| book.measure(id).map_or(id, |one| one.title.of(self.language)).to_owned();
        let standing = |id: &str| {
            if one.in_place.contains(id) {
                Standing::InPlace
            } else if one.planned.contains(id) {
                Standing::Planned
            } else {
                Standing::Missing
            }
        };
        let measures = match one.cause {
            Cause::Rule(rule) => {
                rule.silence.measures().into_iter().map(|id| (title(id), standing(id))).collect()
            }
            Cause::Finding(_) => Vec::new(),
        };
        Tree {
            title: one.title(self.language).to_owned(),
            subject: one.subject.title(self.analysis.model),
            threat: Some((one.id.to_string(), one.state)),
            measures,
            ways,
        }
    }
}

/// Threats that make `one` possible: their rule leads to its rule, and they are near.
fn before<'x, 'a>(
    analysis: &'x Analysis<'a>,
    one: &ThreatInstance<'_>,
) -> Vec<&'x ThreatInstance<'a>> {
    let Cause::Rule(rule) = one.cause else { return Vec::new() };
    let near = near(analysis, &one.subject);
    analysis
        .threats
        .iter()
        .filter(|other| other.id != one.id && leads(other.cause, rule))
        .filter(|other| !near.is_disjoint(&elements(analysis, &other.subject)))
        .collect()
}

/// Elements of a subject, and those that flows join with them.
fn near(analysis: &Analysis<'_>, subject: &Subject) -> BTreeSet<String> {
    let own = elements(analysis, subject);
    let mut near = own.clone();
    for flow in &analysis.model.flows {
        let ends = [&flow.from, &flow.to];
        if ends.iter().any(|end| own.contains(*end)) {
            near.extend(ends.into_iter().chain(&flow.via).cloned());
        }
    }
    near
}

fn elements(analysis: &Analysis<'_>, subject: &Subject) -> BTreeSet<String> {
    subject.elements(analysis.model).into_iter().map(|one| one.id.clone()).collect()
}

fn leads(cause: Cause<'_>, to: &Rule) -> bool {
    matches!(cause, Cause::Rule(rule) if rule.leads_to.contains(&to.id))
}

fn touches(analysis: &Analysis<'_>, one: &ThreatInstance<'_>, asset: &str) -> bool {
    let model = analysis.model;
    match &one.subject {
        Subject::Holding(_, id) => id == asset,
        Subject::Flow(id) => model.flow(id).is_some_and(|flow| flow.carries.contains(asset)),
        Subject::Element(id) | Subject::Interface(id, _) => {
            model.element(id).is_some_and(|element| element.holds.contains(asset))
        }
        Subject::Model => false,
    }
}
