//! Impact assessments: what the answers of a form come to, joined with the threats of the model.
//!
//! S-CIA of a product is the greatest of what its assets are rated and of what the forms say, each for
//! itself. INVARIANT: no answer lowers a rating; a protection is written down and rates nothing.

use crate::{
    RecordRef,
    threat::{
        Analysis, Asset, Cause, Duty, Form, FormAnswers, FormChoice, Harm, Holds, Model, Question,
        RuleBook, Step, ThreatInstance,
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// What a form says about a product, as its answers stand.
#[derive(Debug)]
pub struct Impact<'a> {
    /// which form
    pub form: &'a Form,
    /// answers that stand
    pub answers: &'a FormAnswers,
    /// each step with the questions that concern the product
    pub steps: Vec<(&'a Step, Vec<&'a Question>)>,
    /// questions without an answer
    pub open: Vec<&'a Question>,
    /// what was rated: the question, its choice
    pub rated: Vec<(&'a Question, &'a FormChoice)>,
    /// what follows from choices
    pub follows: Vec<(&'a Question, &'a FormChoice)>,
    /// duties that apply or may apply, in the order of the form
    pub duties: Vec<(&'a Duty, Holds)>,
    /// answers that the model contradicts: by its elements and assets, by their titles
    pub denied: Vec<(&'a Question, &'a FormChoice, Vec<&'a str>)>,
    /// ratings of the form that no asset of the model reaches: raise the assets' ratings
    pub underrated: Vec<(Harm, u8)>,
    /// threats that the questions are about, with the questions that name their rule
    pub threats: Vec<(&'a ThreatInstance<'a>, Vec<&'a Question>)>,
    /// requirements that questions and duties that apply come down to
    pub requirements: BTreeSet<&'a RecordRef>,
}

impl<'a> Impact<'a> {
    /// What `answers` of `form` say about the product of `analysis`.
    pub fn of(form: &'a Form, answers: &'a FormAnswers, analysis: &'a Analysis<'a>) -> Self {
        let model = analysis.model;
        let asked = |question: &&'a Question| form.asks(question, &model.category, answers);
        let steps: Vec<(&Step, Vec<&Question>)> = form
            .steps
            .iter()
            .map(|step| (step, step.questions.iter().filter(asked).collect()))
            .collect();
        let all: Vec<&Question> =
            steps.iter().flat_map(|(_, questions)| questions).copied().collect();
        let chosen = |question: &'a Question| -> Vec<(&'a Question, &'a FormChoice)> {
            let answer = answers.get(&question.id).map_or("", String::as_str);
            question.chosen(answer).map(|choice| (question, choice)).collect()
        };
        let choices: Vec<_> = all.iter().flat_map(|question| chosen(question)).collect();
        let rated: Vec<_> =
            choices.iter().filter(|(_, choice)| choice.level.is_some()).copied().collect();
        let duties: Vec<(&Duty, Holds)> = form
            .duties
            .iter()
            .map(|duty| (duty, form.holds(&duty.when, &model.category, answers)))
            .filter(|(_, holds)| *holds != Holds::No)
            .collect();
        let denied = choices
            .iter()
            .map(|(question, choice)| (*question, *choice, against(model, choice)))
            .filter(|(_, _, what)| !what.is_empty())
            .collect();
        let mut requirements: BTreeSet<&RecordRef> =
            all.iter().flat_map(|question| &question.records).collect();
        requirements.extend(
            duties
                .iter()
                .filter(|(_, holds)| *holds == Holds::Yes)
                .flat_map(|(duty, _)| &duty.records),
        );
        Self {
            form,
            answers,
            open: all.iter().filter(|one| !answers.contains_key(&one.id)).copied().collect(),
            follows: choices.iter().filter(|(_, choice)| choice.then.is_some()).copied().collect(),
            underrated: underrated(model, &rated),
            threats: threats(analysis, &all),
            steps,
            rated,
            duties,
            denied,
            requirements,
        }
    }

    /// Whether it can be concluded: every question is answered, and the model contradicts no answer.
    pub fn is_complete(&self) -> bool {
        self.open.is_empty() && self.denied.is_empty()
    }
}

/// What of a model contradicts a choice.
fn against<'a>(model: &'a Model, choice: &FormChoice) -> Vec<&'a str> {
    let assets = model.assets.iter().filter(|one| choice.denies_assets.contains(&one.kind));
    let elements = model
        .elements
        .iter()
        .filter(|one| one.traits.iter().any(|of| choice.denies_traits.contains(of)));
    assets.map(|one| one.title.as_str()).chain(elements.map(|one| one.title.as_str())).collect()
}

/// What the form rates higher than any asset of the model; nothing where the model has no assets, since
/// then there is nothing to compare with.
fn underrated(model: &Model, rated: &[(&Question, &FormChoice)]) -> Vec<(Harm, u8)> {
    if model.assets.is_empty() {
        return Vec::new();
    }
    let assets = |harm: Harm| model.assets.iter().map(|one| of_asset(one, harm)).max().unwrap_or(0);
    let form = by_form(rated);
    form.into_iter().filter(|(harm, level)| *level > assets(*harm)).collect()
}

fn of_asset(asset: &Asset, harm: Harm) -> u8 {
    asset.rating.unwrap_or(crate::threat::Rating::WORST).of(harm)
}

/// The greatest level of what was rated.
fn by_form(rated: &[(&Question, &FormChoice)]) -> BTreeMap<Harm, u8> {
    let mut greatest = BTreeMap::new();
    for (question, choice) in rated {
        for harm in &question.rates {
            let level = greatest.entry(*harm).or_insert(0);
            *level = choice.level.unwrap_or(0).max(*level);
        }
    }
    greatest
}

/// Threats whose rule a question names, the greatest risk first, as the analysis has them.
fn threats<'a>(
    analysis: &'a Analysis<'a>,
    questions: &[&'a Question],
) -> Vec<(&'a ThreatInstance<'a>, Vec<&'a Question>)> {
    let mut found = Vec::new();
    for threat in &analysis.threats {
        let Cause::Rule(rule) = threat.cause else { continue };
        let about: Vec<&Question> =
            questions.iter().filter(|one| one.rules.contains(&rule.id)).copied().collect();
        if !about.is_empty() {
            found.push((threat, about));
        }
    }
    found
}

/// What rates a product so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RatedBy<'a> {
    /// an asset of the model
    Asset(&'a Asset),
    /// a question of a form
    Question(&'a Form, &'a Question),
}

/// S, C, I and A of a product: each the greatest of its assets and of the forms, with what rates it so;
/// 0 where nothing is rated.
pub fn scia<'a>(
    model: &'a Model,
    book: &'a RuleBook,
    forms: &'a BTreeMap<String, FormAnswers>,
) -> Vec<(Harm, u8, Vec<RatedBy<'a>>)> {
    let mut rated: Vec<(Harm, u8, RatedBy<'a>)> = Vec::new();
    for asset in &model.assets {
        for harm in Harm::ALL {
            rated.push((*harm, of_asset(asset, *harm), RatedBy::Asset(asset)));
        }
    }
    for form in book.forms() {
        let Some(answers) = forms.get(&form.id) else { continue };
        for question in form.questions() {
            if !form.asks(question, &model.category, answers) {
                continue;
            }
            let Some(answer) = answers.get(&question.id) else { continue };
            for level in question.chosen(answer).filter_map(|choice| choice.level) {
                for harm in &question.rates {
                    rated.push((*harm, level, RatedBy::Question(form, question)));
                }
            }
        }
    }
    Harm::ALL
        .iter()
        .map(|harm| {
            let of = rated.iter().filter(|(of, _, _)| of == harm);
            let most = of.clone().map(|(_, level, _)| *level).max().unwrap_or(0);
            let by = of.filter(|(_, level, _)| *level == most).map(|(_, _, by)| by.clone());
            (*harm, most, by.collect())
        })
        .collect()
}
