//! Reads `catalogues/threats/forms.yaml`.

use super::rule::{named, records};
use crate::{
    AssessmentError, Bilingual, Library, LibraryFile,
    threat::{
        AssetKind, Category, Duty, Form, FormChoice, Harm, Needs, Question, QuestionKind, RuleBook,
        Step, Trait, model_read::nearest,
    },
    yaml::{inconsistent, parse},
};
use serde::Deserialize;
use serde_saphyr::Spanned;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawForms {
    #[serde(default)]
    scales: Vec<RawScale>,
    forms: Vec<RawForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScale {
    id: Spanned<String>,
    choices: Vec<RawChoice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawForm {
    id: Spanned<String>,
    title: Bilingual,
    steps: Vec<RawStep>,
    #[serde(default)]
    duties: Vec<RawDuty>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    id: Spanned<String>,
    title: Bilingual,
    questions: Vec<RawQuestion>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawQuestion {
    id: Spanned<String>,
    ask: Bilingual,
    help: Bilingual,
    example: Bilingual,
    #[serde(default)]
    categories: Vec<Category>,
    #[serde(default)]
    when: Vec<RawNeeds>,
    scale: Option<Spanned<String>>,
    #[serde(default)]
    several: bool,
    #[serde(default)]
    choices: Vec<RawChoice>,
    #[serde(default)]
    rates: Vec<Harm>,
    #[serde(default)]
    rules: Vec<Spanned<String>>,
    #[serde(default)]
    records: Vec<Spanned<String>>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChoice {
    word: Spanned<String>,
    title: Bilingual,
    level: Option<u8>,
    then: Option<Bilingual>,
    #[serde(default)]
    alone: bool,
    #[serde(default)]
    denies: RawDenies,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawDenies {
    assets: Vec<AssetKind>,
    traits: Vec<Trait>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNeeds {
    question: Option<Spanned<String>>,
    #[serde(default)]
    any_of: Vec<Spanned<String>>,
    any: Vec<Spanned<String>>,
    least: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDuty {
    id: Spanned<String>,
    law: Bilingual,
    title: Bilingual,
    text: Bilingual,
    document: Bilingual,
    when: Vec<RawNeeds>,
    #[serde(default)]
    records: Vec<Spanned<String>>,
}

/// The forms of a file.
pub(super) fn read(file: LibraryFile<'_>, library: &Library) -> Result<Vec<Form>, AssessmentError> {
    let raw: RawForms = parse(file.name, file.text)?;
    let name = file.name;
    let mut scales: BTreeMap<String, Vec<RawChoice>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for scale in raw.scales {
        named(name, &scale.id, &mut seen)?;
        scales.insert(scale.id.value, scale.choices);
    }
    let mut seen = BTreeSet::new();
    let mut forms = Vec::with_capacity(raw.forms.len());
    for form in raw.forms {
        named(name, &form.id, &mut seen)?;
        fits(name, &form.id, &[&form.title])?;
        let (mut asked, mut stepped) = (BTreeSet::new(), BTreeSet::new());
        let mut steps: Vec<Step> = Vec::with_capacity(form.steps.len());
        let mut before: Vec<Question> = Vec::new();
        for step in form.steps {
            named(name, &step.id, &mut stepped)?;
            fits(name, &step.id, &[&step.title])?;
            let mut questions = Vec::with_capacity(step.questions.len());
            for one in step.questions {
                named(name, &one.id, &mut asked)?;
                let question = question(name, one, &scales, &before, library)?;
                before.push(question.clone());
                questions.push(question);
            }
            steps.push(Step { id: step.id.value, title: step.title, questions });
        }
        let mut owed = BTreeSet::new();
        let mut duties = Vec::with_capacity(form.duties.len());
        for one in form.duties {
            named(name, &one.id, &mut owed)?;
            fits(name, &one.id, &[&one.law, &one.title, &one.text, &one.document])?;
            if one.when.is_empty() {
                return Err(inconsistent(name, &one.id, "a duty says when it applies"));
            }
            duties.push(Duty {
                when: needs(name, &one.id, one.when, &before)?,
                records: records(name, &one.records, library)?,
                id: one.id.value,
                law: one.law,
                title: one.title,
                text: one.text,
                document: one.document,
            });
        }
        forms.push(Form { id: form.id.value, title: form.title, steps, duties });
    }
    Ok(forms)
}

/// Whether every rule that a question names exists: rules are read after forms.
pub(super) fn check_rules(book: &RuleBook, file: LibraryFile<'_>) -> Result<(), AssessmentError> {
    let named = book.forms().iter().flat_map(Form::questions).flat_map(|one| &one.rules);
    match named.into_iter().find(|rule| book.rule(rule).is_none()) {
        None => Ok(()),
        Some(unknown) => Err(AssessmentError::Inconsistent {
            file: file.name.to_owned(),
            line: 0,
            detail: format!("a question names the rule {unknown:?}, which does not exist").into(),
        }),
    }
}

fn fits(file: &str, at: &Spanned<String>, texts: &[&Bilingual]) -> Result<(), AssessmentError> {
    match texts.iter().find_map(|text| text.fault()) {
        None => Ok(()),
        Some(fault) => Err(inconsistent(file, at, format!("{}: {fault}", at.value))),
    }
}

fn question(
    file: &str,
    raw: RawQuestion,
    scales: &BTreeMap<String, Vec<RawChoice>>,
    before: &[Question],
    library: &Library,
) -> Result<Question, AssessmentError> {
    let at = &raw.id;
    fits(file, at, &[&raw.ask, &raw.help, &raw.example])?;
    let fail = |detail: &str| Err(inconsistent(file, at, format!("{}: {detail}", at.value)));
    let scaled = match &raw.scale {
        None => raw.choices,
        Some(scale) if raw.choices.is_empty() => match scales.get(&scale.value) {
            Some(choices) => choices.clone(),
            None => return Err(inconsistent(file, scale, format!("no scale {}", scale.value))),
        },
        Some(_) => return fail("a question has a scale or choices of its own"),
    };
    let mut seen = BTreeSet::new();
    let mut choices = Vec::with_capacity(scaled.len());
    for one in scaled {
        named(file, &one.word, &mut seen)?;
        fits(file, &one.word, &[&one.title])?;
        if let Some(then) = &one.then {
            fits(file, &one.word, &[then])?;
        }
        let rated = one.level.is_some_and(|level| (1..=5).contains(&level));
        if one.level.is_some() != rated || rated == raw.rates.is_empty() {
            return fail(
                "what rates something has a level of 1 to 5 at each choice, and nothing else has",
            );
        }
        choices.push(FormChoice {
            word: one.word.value,
            title: one.title,
            level: one.level,
            then: one.then,
            alone: one.alone,
            denies_assets: one.denies.assets,
            denies_traits: one.denies.traits,
        });
    }
    let kind = match (choices.len(), raw.several) {
        (0, false) if raw.rates.is_empty() => QuestionKind::Words,
        (2.., false) => QuestionKind::One(choices),
        (2.., true) if raw.rates.is_empty() => QuestionKind::Several(choices),
        _ => {
            return fail("a question has no choice or at least two; one that rates has one answer");
        }
    };
    Ok(Question {
        when: needs(file, &raw.id, raw.when, before)?,
        records: records(file, &raw.records, library)?,
        id: raw.id.value,
        ask: raw.ask,
        help: raw.help,
        example: raw.example,
        categories: raw.categories,
        kind,
        rates: raw.rates,
        rules: raw.rules.into_iter().map(|one| one.value).collect(),
    })
}

/// Conditions, about questions that were asked before.
fn needs(
    file: &str,
    at: &Spanned<String>,
    raw: Vec<RawNeeds>,
    before: &[Question],
) -> Result<Vec<Needs>, AssessmentError> {
    let ids: Vec<&str> = before.iter().map(|one| one.id.as_str()).collect();
    let mut all = Vec::with_capacity(raw.len());
    for one in raw {
        let questions: Vec<Spanned<String>> = one.question.into_iter().chain(one.any_of).collect();
        if questions.is_empty() || one.any.is_empty() {
            return Err(inconsistent(file, at, "a condition names questions and words"));
        }
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for id in &questions {
            let Some(question) = before.iter().find(|one| one.id == id.value) else {
                let near = nearest(&id.value, &ids);
                let detail = format!("no question {:?} before this one{near}", id.value);
                return Err(inconsistent(file, id, detail));
            };
            known.extend(question.choices().iter().map(|one| one.word.as_str()));
        }
        if let Some(unknown) = one.any.iter().find(|word| !known.contains(word.value.as_str())) {
            let detail = format!("no choice {:?} of these questions", unknown.value);
            return Err(inconsistent(file, unknown, detail));
        }
        let least = one.least.unwrap_or(1);
        if least == 0 || least > one.any.len() {
            return Err(inconsistent(file, at, "a condition wants at least one of its words"));
        }
        all.push(Needs {
            questions: questions.into_iter().map(|one| one.value).collect(),
            any: one.any.into_iter().map(|one| one.value).collect(),
            least,
        });
    }
    Ok(all)
}
