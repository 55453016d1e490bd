//! Threat models (AS-3): the model of a product, rules that propose threats, risk, trees.
//!
//! Models are files that people write; rules, measures and forms are data under
//! `catalogues/threats/`. A threat keeps its id through any edit that leaves the names of what it
//! threatens. Measures silence threats, decisions of people explain the rest, and nothing that a
//! model does not say makes it look safer: unrated assets count as the worst, places are public
//! until somebody says otherwise. Forms and rules are in `docs/threat-model.md`.

mod analysis;
mod condition;
mod diagram;
mod form;
mod form_read;
mod impact;
mod import;
mod model;
mod model_file;
mod model_read;
mod risk;
mod rule;
mod sarif;
mod schema;
mod silence;
pub(crate) mod svg;
mod tokens;
mod tree;
mod vocabulary;

pub(crate) use model_read::{FORM, NAME_BYTES_MAX};

pub use analysis::{Analysis, Cause, Subject, ThreatId, ThreatInstance, silence_words};
pub use diagram::diagram;
pub use form::{
    AnswerFault, Duty, Form, FormAnswers, FormChoice, Holds, Needs, Question, QuestionKind, Step,
};
pub use impact::{Impact, RatedBy, scia};
pub use import::{Foreign, Imported, Loss, import};
pub use model::{
    ASSETS_MAX, Asset, DECISIONS_MAX, Decision, ELEMENTS_MAX, Element, FLOWS_MAX, Finding, Flow,
    Gap, INTERFACES_MAX, Interface, Model, NAMES_MAX, Rating, SecurityLevels, Vulnerability,
    ZONES_MAX, Zone,
};
pub use risk::{Band, Level, Risk, ZoneLevels};
pub use rule::{Measure, RULES_MAX, Rule, RuleBook, RuleFiles};
pub use sarif::sarif;
pub use schema::schema;
pub use silence::Silence;
pub use svg::Theme;
pub use tree::{Standing, TREE_DEPTH_MAX, TREE_NODES_MAX, Tree};
pub use vocabulary::{
    Actor, AssetKind, Authentication, Category, ElementKind, Encryption, Harm, Identity,
    InterfaceKind, InterfacePurpose, Place, Protocol, Purpose, Scope, State, Support, Trait,
    Verdict,
};
