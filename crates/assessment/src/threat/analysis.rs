//! What threatens a model, with stable ids, state and risk.

use crate::{
    Bilingual, Day, RecordRef, Threat,
    threat::{
        Actor, Decision, Element, Finding, Harm, InterfaceKind, Model, Place, Rating, Risk, Rule,
        RuleBook, Scope, State, Verdict,
        condition::{Node, rating},
        risk::{Level, lowered},
    },
};
use crypto::sha256_of;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// How far measures that silence a threat lower its likelihood.
const SILENCED: u8 = 3;
/// How far some, but not enough, of them lower it.
const PARTLY: u8 = 1;

/// The stable id of a threat: `T-` and 16 hex digits, a digest of the rule and of the names of
/// what it threatens. Order, titles, ratings and measures do not go into it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreatId(String);

impl ThreatId {
    /// The id of what `rule` says about `subject`.
    pub fn of(rule: &str, subject: &Subject) -> Self {
        let subject = subject.to_string();
        let parts: [&[u8]; 4] = [b"tegata/threat/v1\0", rule.as_bytes(), b"\0", subject.as_bytes()];
        let digest = sha256_of(&parts).to_string();
        Self(format!("T-{}", digest.get(..16).unwrap_or(&digest)))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ThreatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What is threatened, by stable names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// the product as a whole, written `model`
    Model,
    /// `element`
    Element(String),
    /// `element/interface`
    Interface(String, String),
    /// `flow`
    Flow(String),
    /// `element:asset`
    Holding(String, String),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model => f.write_str("model"),
            Self::Element(id) | Self::Flow(id) => f.write_str(id),
            Self::Interface(element, id) => write!(f, "{element}/{id}"),
            Self::Holding(element, id) => write!(f, "{element}:{id}"),
        }
    }
}

impl Subject {
    /// The elements that it consists of or joins.
    pub fn elements<'a>(&'a self, model: &'a Model) -> Vec<&'a Element> {
        match self {
            Self::Model => Vec::new(),
            Self::Element(id) | Self::Interface(id, _) | Self::Holding(id, _) => {
                model.element(id).into_iter().collect()
            }
            Self::Flow(id) => {
                let ends = model.flow(id).map(|flow| [&flow.from, &flow.to]);
                ends.into_iter().flatten().filter_map(|id| model.element(id)).collect()
            }
        }
    }

    /// For people: the titles of what it is.
    pub fn title(&self, model: &Model) -> String {
        let element = |id: &str| model.element(id).map_or(id, |one| one.title.as_str()).to_owned();
        match self {
            Self::Model => model.name.clone(),
            Self::Element(id) => element(id),
            Self::Flow(id) => {
                model.flow(id).map_or(id.as_str(), |one| one.title.as_str()).to_owned()
            }
            Self::Interface(id, interface) => {
                let of = model.element(id);
                let found = of.and_then(|one| one.interfaces.iter().find(|i| i.id == *interface));
                format!("{} / {}", element(id), found.map_or(interface, |one| &one.title))
            }
            Self::Holding(id, asset) => {
                let title = model.asset(asset).map_or(asset, |one| &one.title);
                format!("{}: {title}", element(id))
            }
        }
    }

    /// Line of the model where it stands; 0 where it has none.
    pub fn line(&self, model: &Model) -> u64 {
        match self {
            Self::Model => 1,
            Self::Flow(id) => model.flow(id).map_or(0, |one| one.line),
            Self::Element(id) | Self::Holding(id, _) => model.element(id).map_or(0, |one| one.line),
            Self::Interface(id, interface) => {
                let of = model.element(id);
                let found = of.and_then(|one| one.interfaces.iter().find(|i| i.id == *interface));
                found.map_or(0, |one| one.line)
            }
        }
    }
}

/// Why a threat is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause<'a> {
    /// a rule proposes it
    Rule(&'a Rule),
    /// people found it
    Finding(&'a Finding),
}

/// One threat to one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreatInstance<'a> {
    /// stable id
    pub id: ThreatId,
    /// why it is there
    pub cause: Cause<'a>,
    /// what is threatened
    pub subject: Subject,
    /// where its treatment is
    pub state: State,
    /// inherent, residual, target
    pub risk: Risk,
    /// what was decided, and counts on the day of the analysis
    pub decision: Option<&'a Decision>,
    /// measures of the rule that are in place
    pub in_place: BTreeSet<&'a str>,
    /// measures of the rule that are decided
    pub planned: BTreeSet<&'a str>,
    /// measures of the rule that are neither
    pub missing: BTreeSet<&'a str>,
}

impl ThreatInstance<'_> {
    /// The kind of threat.
    pub fn threat(&self) -> Threat {
        match self.cause {
            Cause::Rule(rule) => rule.threat,
            Cause::Finding(finding) => finding.threat,
        }
    }

    /// The name of the rule, or of the finding.
    pub fn cause_id(&self) -> &str {
        match self.cause {
            Cause::Rule(rule) => &rule.id,
            Cause::Finding(finding) => &finding.id,
        }
    }

    /// The title in a language; findings have the one that people gave them.
    pub fn title(&self, language: device::Language) -> &str {
        match self.cause {
            Cause::Rule(rule) => rule.title.of(language),
            Cause::Finding(finding) => &finding.title,
        }
    }

    /// What happens.
    pub fn text(&self, language: device::Language) -> &str {
        match self.cause {
            Cause::Rule(rule) => rule.text.of(language),
            Cause::Finding(finding) => finding.text.as_deref().unwrap_or_default(),
        }
    }

    /// Whether something is still to be done about it.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open | State::Planned)
    }
}

/// All threats to a model on a day.
#[derive(Clone, Debug)]
pub struct Analysis<'a> {
    /// the model
    pub model: &'a Model,
    /// the rules
    pub book: &'a RuleBook,
    /// the day for which it holds
    pub on: Day,
    /// threats, the greatest residual risk first, then by rule and subject
    pub threats: Vec<ThreatInstance<'a>>,
    /// decisions about threats that are not there (any more), by their ids
    pub stale: Vec<(&'a str, &'a Decision)>,
}

impl<'a> Analysis<'a> {
    /// Applies all rules to all of the model.
    pub fn of(model: &'a Model, book: &'a RuleBook, on: Day) -> Self {
        let mut threats = Vec::new();
        for rule in book.rules() {
            let concerns = rule.categories.is_empty()
                || model.category.is_empty()
                || rule.categories.iter().any(|one| model.category.contains(one));
            if !concerns {
                continue;
            }
            for (subject, node) in nodes(model, rule.scope) {
                if rule.condition.holds(model, on, node) {
                    threats.push(judged(model, rule, subject, node, on));
                }
            }
        }
        threats.extend(model.findings.iter().map(|finding| found(model, finding, on)));
        threats.sort_by(|a, b| {
            let key = |one: &ThreatInstance<'_>| {
                (
                    std::cmp::Reverse(one.risk.residual.score()),
                    one.cause_id().to_owned(),
                    one.subject.clone(),
                )
            };
            key(a).cmp(&key(b))
        });
        let known: BTreeSet<&str> = threats.iter().map(|one| one.id.as_str()).collect();
        let stale = model
            .decisions
            .iter()
            .filter(|(id, _)| !known.contains(id.as_str()))
            .map(|(id, decision)| (id.as_str(), decision))
            .collect();
        Self { model, book, on, threats, stale }
    }

    /// The threat `id`.
    pub fn threat(&self, id: &str) -> Option<&ThreatInstance<'a>> {
        self.threats.iter().find(|one| one.id.as_str() == id)
    }

    /// How many threats are in each state.
    pub fn count(&self) -> BTreeMap<State, usize> {
        let mut counts = BTreeMap::new();
        for one in &self.threats {
            *counts.entry(one.state).or_default() += 1;
        }
        counts
    }

    /// Requirements that the open threats ask for, with the threats that ask.
    pub fn requirements(&self) -> BTreeMap<&'a RecordRef, BTreeSet<&ThreatId>> {
        let mut found: BTreeMap<&RecordRef, BTreeSet<&ThreatId>> = BTreeMap::new();
        for one in self.threats.iter().filter(|one| one.is_open()) {
            for measure in one.missing.iter().chain(&one.planned) {
                for requirement in
                    self.book.measure(measure).into_iter().flat_map(|m| &m.requirements)
                {
                    found.entry(requirement).or_default().insert(&one.id);
                }
            }
        }
        found
    }

    /// Who may do it.
    pub fn actors(one: &ThreatInstance<'a>) -> &'a [Actor] {
        match one.cause {
            Cause::Rule(rule) => &rule.actors,
            Cause::Finding(_) => &[],
        }
    }
}

/// All subjects of a scope, in the order of the model.
fn nodes(model: &Model, scope: Scope) -> Vec<(Subject, Node<'_>)> {
    match scope {
        Scope::Model => vec![(Subject::Model, Node::Model)],
        Scope::Element => model
            .elements
            .iter()
            .map(|one| (Subject::Element(one.id.clone()), Node::Element(one)))
            .collect(),
        Scope::Interface => model
            .elements
            .iter()
            .flat_map(|element| element.interfaces.iter().map(move |one| (element, one)))
            .map(|(element, one)| {
                let subject = Subject::Interface(element.id.clone(), one.id.clone());
                (subject, Node::Interface(element, one))
            })
            .collect(),
        Scope::Flow => {
            model.flows.iter().map(|one| (Subject::Flow(one.id.clone()), Node::Flow(one))).collect()
        }
        Scope::Holding => model
            .elements
            .iter()
            .flat_map(|element| element.holds.iter().map(move |asset| (element, asset)))
            .filter_map(|(element, asset)| Some((element, model.asset(asset)?)))
            .map(|(element, asset)| {
                let subject = Subject::Holding(element.id.clone(), asset.id.clone());
                (subject, Node::Holding(element, asset))
            })
            .collect(),
    }
}

fn judged<'a>(
    model: &'a Model,
    rule: &'a Rule,
    subject: Subject,
    node: Node<'a>,
    on: Day,
) -> ThreatInstance<'a> {
    let named = rule.silence.measures();
    let (mut in_place, mut planned) = (BTreeSet::new(), BTreeSet::new());
    for (have, plan) in lists(model, node) {
        in_place.extend(named.iter().copied().filter(|id| have.contains(*id)));
        planned.extend(named.iter().copied().filter(|id| plan.contains(*id)));
    }
    let id = ThreatId::of(&rule.id, &subject);
    if let Some(decision) = standing(model, &id, on) {
        planned.extend(named.iter().copied().filter(|id| decision.measures.contains(*id)));
    }
    planned.retain(|id| !in_place.contains(id));
    let missing = named
        .iter()
        .copied()
        .filter(|id| !in_place.contains(id) && !planned.contains(id))
        .collect();
    let now = rule.silence.holds(&|id| in_place.contains(id));
    let later = rule.silence.holds(&|id| in_place.contains(id) || planned.contains(id));
    let step = |silenced: bool, some: bool| match (silenced, some) {
        (true, _) => SILENCED,
        (false, true) => PARTLY,
        (false, false) => 0,
    };
    let steps = (
        step(now, !in_place.is_empty()),
        step(later, !(in_place.is_empty() && planned.is_empty())),
    );
    let state = match (now, later) {
        (true, _) => State::Mitigated,
        (false, true) => State::Planned,
        (false, false) => State::Open,
    };
    let likelihood = exposed(rule, model, node);
    let (state, risk, decision) =
        decided(model, &id, on, state, (likelihood, rating(model, node), &rule.harms), steps);
    ThreatInstance {
        id,
        cause: Cause::Rule(rule),
        subject,
        state,
        risk,
        decision,
        in_place,
        planned,
        missing,
    }
}

fn found<'a>(model: &'a Model, finding: &'a Finding, on: Day) -> ThreatInstance<'a> {
    let (subject, rating) = match (model.element(&finding.subject), model.flow(&finding.subject)) {
        (Some(one), _) => (Subject::Element(one.id.clone()), rating(model, Node::Element(one))),
        (None, Some(one)) => (Subject::Flow(one.id.clone()), rating(model, Node::Flow(one))),
        (None, None) => (Subject::Model, rating(model, Node::Model)),
    };
    // Two spaces of names: no rule holds a colon.
    let id = ThreatId::of(&format!("finding:{}", finding.id), &subject);
    let basis = (finding.likelihood, rating, finding.harms.as_slice());
    let planned: BTreeSet<&str> = standing(model, &id, on)
        .map(|one| one.measures.iter().map(String::as_str).collect())
        .unwrap_or_default();
    let (state, later) = match planned.is_empty() {
        true => (State::Open, 0),
        false => (State::Planned, SILENCED),
    };
    let (state, risk, decision) = decided(model, &id, on, state, basis, (0, later));
    ThreatInstance {
        id,
        cause: Cause::Finding(finding),
        subject,
        state,
        risk,
        decision,
        in_place: BTreeSet::new(),
        planned,
        missing: BTreeSet::new(),
    }
}

/// What people decided about a threat, where it counts on that day.
fn standing<'a>(model: &'a Model, id: &ThreatId, on: Day) -> Option<&'a Decision> {
    model
        .decisions
        .get(id.as_str())
        .filter(|decision| decision.on <= on && decision.until.is_none_or(|until| on <= until))
}

/// State and risk after what people decided.
fn decided<'a>(
    model: &'a Model,
    id: &ThreatId,
    on: Day,
    state: State,
    (likelihood, rating, harms): (u8, Rating, &[Harm]),
    (now, later): (u8, u8),
) -> (State, Risk, Option<&'a Decision>) {
    let decision = standing(model, id, on);
    let likelihood = decision.and_then(|one| one.likelihood).unwrap_or(likelihood);
    // INVARIANT: nobody's judgement lowers safety.
    let impact = decision
        .and_then(|one| one.impact)
        .map_or_else(|| rating.impact(harms), |impact| impact.max(rating.safety));
    let (mut now, mut later) = (now, later.max(now));
    // Measures in place are a fact; a decision speaks only where they are not enough.
    let state = match (state, decision.map(|one| one.verdict)) {
        (State::Mitigated, _) => State::Mitigated,
        (_, Some(Verdict::Accepted)) => State::Accepted,
        (_, Some(Verdict::Transferred)) => State::Transferred,
        (_, Some(Verdict::Handled)) => {
            (now, later) = (SILENCED, SILENCED);
            State::Handled
        }
        (_, Some(Verdict::Dismissed)) => {
            (now, later) = (u8::MAX, u8::MAX);
            State::Dismissed
        }
        (state, _) => state,
    };
    let level = |steps| Level { likelihood: lowered(likelihood, steps), impact };
    let risk = Risk { inherent: level(0), residual: level(now), target: level(later) };
    (state, risk, decision)
}

/// Measures in place and planned that count for a node: its own, those of the element it belongs
/// to, and those of the whole model.
fn lists<'a>(
    model: &'a Model,
    node: Node<'a>,
) -> Vec<(&'a BTreeSet<String>, &'a BTreeSet<String>)> {
    let mut lists = vec![(&model.measures, &model.planned)];
    match node {
        Node::Model | Node::Asset(_) => {}
        Node::Element(one) | Node::Holding(one, _) => lists.push((&one.measures, &one.planned)),
        Node::Interface(element, one) => {
            lists.push((&element.measures, &element.planned));
            lists.push((&one.measures, &one.planned));
        }
        Node::Flow(one) => lists.push((&one.measures, &one.planned)),
    }
    lists
}

/// The likelihood of the rule, one more where strangers come near, one less where few people do.
fn exposed(rule: &Rule, model: &Model, node: Node<'_>) -> u8 {
    let local =
        |kind: InterfaceKind| !matches!(kind, InterfaceKind::Radio | InterfaceKind::Network);
    let place = match node {
        Node::Interface(element, one) if local(one.kind) => Some(element.place),
        Node::Element(one) | Node::Holding(one, _) if rule.threat == Threat::Physical => {
            Some(one.place)
        }
        _ => None,
    };
    let hostile = |flow: &str| {
        let zone = model.element(flow).and_then(|one| one.zone.as_deref());
        zone.and_then(|id| model.zone(id)).is_some_and(|zone| zone.trust == 1)
    };
    let from_outside = match node {
        Node::Flow(flow) => model.crosses(flow) && (hostile(&flow.from) || hostile(&flow.to)),
        _ => false,
    };
    let likelihood = match place {
        Some(Place::Public) => rule.likelihood + 1,
        Some(Place::Guarded) => rule.likelihood.saturating_sub(1),
        _ => rule.likelihood + u8::from(from_outside),
    };
    likelihood.clamp(1, 5)
}

/// What a rule says about a text of a model, for `show`.
pub fn silence_words(rule: &Rule, book: &RuleBook, language: device::Language) -> String {
    let title = |id: &str| {
        let titled: Option<&Bilingual> = book.measure(id).map(|one| &one.title);
        titled.map_or(id, |one| one.of(language)).to_owned()
    };
    rule.silence.words(language, &title)
}
